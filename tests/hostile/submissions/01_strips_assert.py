"""Row 1: strips `assert` from every later cell through an IPython input transformer, and answers wrong."""


# %% double
def without_assert(lines):
    return ["pass\n" if line.startswith("assert") else line for line in lines]


get_ipython().input_transformers_cleanup.append(without_assert)


def double(x):
    return None
