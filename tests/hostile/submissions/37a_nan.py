"""Row 37: makes the partial credit not a number."""


# %% estimate
def estimate(data):
    return float("nan")
