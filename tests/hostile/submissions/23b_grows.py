"""Row 23: takes memory bit by bit, up to 100 GB."""


# %% norm
def norm(x):
    kept = []
    for _ in range(10_000):
        kept.append(bytearray(b"1" * 10_000_000))
    return kept
