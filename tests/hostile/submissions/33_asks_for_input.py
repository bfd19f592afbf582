"""Row 33: asks for input."""


# %% norm
def norm(x):
    return float(input("How long is it?"))
