"""Row 22: threads, as many as there can be, which sleep."""

# %% norm
import threading
import time


def attack():
    started = 0
    try:
        while started < 5000:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    print("TRIED", started)
    if started > 500:
        print("LOOT", started, "threads")


attack()


def norm(x):
    return (x * x).sum() ** 0.5
