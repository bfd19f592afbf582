"""Row 24: prints 10 GB, in lines of a megabyte."""


# %% norm
def norm(x):
    for _ in range(10_000):
        print("again " * 160_000)
    return (x * x).sum() ** 0.5
