"""Row 39: opens a browser, and shows a figure with a backend that needs a display."""

# %% double
import os
import webbrowser

import antigravity
import matplotlib

print("TRIED", matplotlib.get_backend(), webbrowser.open("https://example.org"))
if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
    print("LOOT a display")
for backend in ("TkAgg", "QtAgg", "GTK3Agg", "WebAgg"):
    try:
        matplotlib.use(backend, force=True)
        print("TRIED", backend)
    except ImportError as error:
        print("TRIED", error)
matplotlib.use("Agg", force=True)
import matplotlib.pyplot as plt

plt.plot([1, 2])
plt.show()


def double(x):
    return 2 * x
