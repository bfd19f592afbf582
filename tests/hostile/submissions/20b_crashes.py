"""Row 20: a segmentation fault."""

# %% norm
import ctypes


def norm(x):
    ctypes.string_at(0)
