"""Row 21: says exit at the end of an answer, and inside a function."""


# %% double
def double(x):
    return 2 * x


exit()

# %% norm
import sys


def norm(x):
    sys.exit("I am done")


# %% total
total = 45
quit()
