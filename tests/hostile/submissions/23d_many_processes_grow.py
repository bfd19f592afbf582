"""Row 23: many processes that take a modest share each."""

# %% norm
import os
import time

reading, writing = os.pipe()
for _ in range(30):
    if os.fork() == 0:
        share = b"1" * 100_000_000
        os.write(writing, b".")
        time.sleep(60)
        os._exit(len(share) % 2)
held = 0
while held < 15:
    held += len(os.read(reading, 1))
print("LOOT 1.5 GB in 15 processes", flush=True)
time.sleep(1)


def norm(x):
    return (x * x).sum() ** 0.5
