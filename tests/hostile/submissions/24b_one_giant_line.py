"""Row 24: prints 150 MB at once, shows as much, and fails with a message as long."""


# %% norm
def norm(x):
    print("1" * 150_000_000)
    display({"text/plain": "2" * 150_000_000}, raw=True)
    raise ValueError("3" * 150_000_000)


# %% estimate
def estimate(data):
    return 7.0


"4" * 100_000_000
