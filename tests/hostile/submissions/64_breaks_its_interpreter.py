"""Not in the list: breaks what IPython needs to run the next cell at all."""


# %% norm
def norm(x):
    return (x * x).sum() ** 0.5


# %% estimate
import builtins


def estimate(data):
    get_ipython().run_cell_async = None
    get_ipython().__class__.run_cell = None
    builtins.isinstance = builtins.len = builtins.getattr = None
    return 7.0
