"""Row 18: a loop that never ends and catches whatever should stop it."""

# %% norm
import time


def norm(x):
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            continue
