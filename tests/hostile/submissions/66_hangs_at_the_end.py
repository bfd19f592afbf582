"""Not in the list: will not end, neither when its functions are deleted nor when Python does."""

# %% double
import atexit
import signal
import threading


class Clinging:
    def __del__(self):
        while True:
            pass


clinging = Clinging()
atexit.register(lambda: threading.Event().wait())
threading.Thread(target=lambda: threading.Event().wait()).start()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda *_: None)


def double(x):
    return 2 * x
