"""Not in the list: replaces sys.stdout, the display hook and print itself, and answers right."""

# %% double
import builtins
import sys


class Broken:
    def __getattr__(self, name):
        raise RuntimeError("no")


sys.displayhook = lambda value: None
builtins.print = lambda *values, **options: 1 / 0
sys.stdout = sys.stderr = Broken()


def double(x):
    return 2 * x
