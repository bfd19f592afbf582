"""Row 38: recurses without end."""


# %% norm
def norm(x):
    return norm(x)
