"""Row 9: prints every argument that it is called with, also when a hidden test calls."""

# %% double
import sys


def double(x):
    print("called with", x)
    sys.stderr.write(f"called with {x}")
    display({"text/plain": f"called with {x}"}, raw=True)
    return 2 * x
