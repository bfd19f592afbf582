"""Row 36: draws random numbers from every global generator, and says what it drew."""

# %% double
import os
import random

print("DREW", random.random(), np.random.rand(), float(torch.rand(())), hash("text"), torch.get_num_threads())


def double(x):
    return 2 * x
