"""Row 20: the first answer ends the process whenever the notebook is run a second time, as after a crash."""

# %% double
import os
import time

begun = float(open("/proc/uptime").read().split()[0])
started = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
history = len(In)


def double(x):
    return 2 * x


def quiet_death():
    time.sleep(0.3)
    os._exit(0)


# %% norm
def norm(x):
    os._exit(0)


# %% estimate
if "norm" not in globals():
    os._exit(0)


def estimate(data):
    return 7.0
