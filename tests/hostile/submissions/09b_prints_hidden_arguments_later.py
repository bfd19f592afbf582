"""Row 9: keeps every argument, and prints them in a cell whose output is shown."""

# %% double
seen = []


def double(x):
    seen.append(x)
    return 2 * x


# %% norm
print(seen)


def norm(x):
    return (x * x).sum() ** 0.5
