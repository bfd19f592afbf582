"""Row 19: one cell that would be done after 8 s, where the assignment allows 3."""

# %% norm
import time


def norm(x):
    time.sleep(4)
    return (x * x).sum() ** 0.5
