"""Row 37: makes the partial credit minus infinity."""


# %% estimate
def estimate(data):
    return -float("inf") * (len(data) and 1) if data[0] > 5 else 3.0
