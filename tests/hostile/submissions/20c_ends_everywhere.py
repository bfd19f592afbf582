"""Row 20, again and again: every answer ends the process, also those that are tried in a fresh one."""

# %% double
import os

os._exit(1)

# %% norm
import os

os._exit(2)

# %% estimate
import os, signal

os.kill(os.getpid(), signal.SIGKILL)

# %% total
import os

os.abort()
