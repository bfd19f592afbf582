"""Not in the list: starts processes that leave session, parent and descriptors behind and want to live for ever."""

# %% double
import os
import signal
import time

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 4096)
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            time.sleep(3600)
        os._exit(0)


def double(x):
    return 2 * x


# %% total
total = 45
os.kill(os.getpid(), signal.SIGKILL)
