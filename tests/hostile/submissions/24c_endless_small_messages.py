"""Row 24: small outputs, as many as fit into the time, of every kind there is."""

# %% norm
import sys


def norm(x):
    while True:
        print("a", flush=True)
        print("b", file=sys.stderr, flush=True)
        display({"text/plain": "c"}, raw=True)
