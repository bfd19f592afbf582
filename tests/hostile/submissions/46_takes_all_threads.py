"""Row 46: asks for eight threads, in every way, and computes in parallel."""

# %% double
import os

before = len(os.listdir("/proc/self/task"))
for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS"):
    os.environ[name] = "8"
torch.set_num_threads(8)
matrix = torch.rand(600, 600)
for _ in range(5):
    matrix = (matrix @ matrix).tanh()
np.linalg.svd(np.random.rand(300, 300))
after = len(os.listdir("/proc/self/task"))
print("TRIED", before, after, torch.get_num_threads())
if after > before:
    print("LOOT", after - before, "more threads")


def double(x):
    return 2 * x
