"""Not in the list: outputs that cannot be written as UTF-8, numbers that JSON has no word for, nesting without end."""

# %% double
print("\ud800\udcff\0\x1b[31m\r\b" * 10)
display({"text/plain": "\ud800", "application/json": {"a": 10**400}}, raw=True)
nested = []
for _ in range(300):
    nested = [nested]
display({"application/json": nested, "text/plain": "deep"}, raw=True, metadata={"\udcff": [float("inf")]})


def double(x):
    return 2 * x
