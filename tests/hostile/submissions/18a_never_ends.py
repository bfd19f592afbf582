"""Row 18: a loop that never ends."""


# %% norm
def norm(x):
    while True:
        pass
