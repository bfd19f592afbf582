"""Not in the list: closes every descriptor of its kernel."""

# %% norm
import os


def norm(x):
    os.closerange(3, 4096)
    return (x * x).sum() ** 0.5
