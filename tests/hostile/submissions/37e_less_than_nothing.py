"""Row 37: makes the partial credit far less than nothing."""


# %% estimate
def estimate(data):
    return -1e9 if data[0] > 5 else 3.0
