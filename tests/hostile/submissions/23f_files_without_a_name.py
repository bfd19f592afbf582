"""Row 23: files in memory that have no name and that no process has mapped (memfd)."""

# %% norm
import os


def attack():
    kept = []
    try:
        for number in range(150):
            file = os.memfd_create(str(number))
            kept.append(file)
            os.write(file, b"1" * 10_000_000)
        print("LOOT 1.5 GB of files without a name")
    except OSError as error:
        print("TRIED", len(kept), error)


attack()


def norm(x):
    return (x * x).sum() ** 0.5
