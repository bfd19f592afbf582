"""Row 18: a loop that never ends and cannot be interrupted, because the signal is ignored."""

# %% norm
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)


def norm(x):
    while True:
        pass
