"""Row 45: right answers that write to stderr."""

# %% double
import sys
import warnings

import logging

warnings.warn("slow")


def double(x):
    warnings.warn(f"doubling {x}")
    print("careful", file=sys.stderr)
    logging.getLogger().error("an error in name only")
    return 2 * x


# %% estimate
def estimate(data):
    print("Traceback (most recent call last):", file=sys.stderr)
    return 7.0
