"""Row 23: asks for 100 GB at once."""


# %% norm
def norm(x):
    return bytearray(100 * 10**9)
