"""Not in the list: uses a name that the exercise forbids, and one that only looks like it."""

# %% estimate
def estimate(data):
    median = 7.0
    return np.median(data)
