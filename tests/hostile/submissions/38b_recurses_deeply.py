"""Row 38: lifts the limit of recursion first, so that the stack runs over."""

# %% norm
import sys

sys.setrecursionlimit(10**8)


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")


def nest(x):
    return [*map(nest, [x])]


def norm(x):
    return nest(x)
