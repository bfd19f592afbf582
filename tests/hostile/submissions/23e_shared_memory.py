"""Row 23: memory that is shared, and so belongs to no process: mmap."""

# %% norm
import mmap


def attack():
    kept = []
    for _ in range(30):
        block = mmap.mmap(-1, 50_000_000)
        block.write(b"1" * 50_000_000)
        kept.append(block)
    print("LOOT 1.5 GB of shared memory")


attack()


def norm(x):
    return (x * x).sum() ** 0.5
