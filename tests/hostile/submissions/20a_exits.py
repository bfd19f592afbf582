"""Row 20: ends its process."""

# %% norm
import os


def norm(x):
    os._exit(0)
