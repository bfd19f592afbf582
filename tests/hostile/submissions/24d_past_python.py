"""Row 24: writes past Python, into the descriptors themselves, and from a program."""

# %% norm
import os
import subprocess


def norm(x):
    program = subprocess.Popen(["bash", "-c", "yes | head -c 2000000000"])
    for _ in range(2000):
        os.write(1, b"1" * 1_000_000)
        os.write(2, b"2" * 1_000_000)
    program.wait()
    return (x * x).sum() ** 0.5
