"""Advice for the errors that only the grader's machine causes, or that say little to a beginner.

A hint is one of these sentences, whole: nothing of the error's own text is in it, so it can be shown for a hidden test.
"""

import re

LOOP = "Look for a loop that never ends, or for work that is done more often than needed."

# Pattern of "Name: text of the error" -> what the student can do. The first one that fits counts.
_HINTS = (
    (
        r"StdinNotImplementedError|raw_input was called|getpass was called",
        "Nobody can answer input() while your notebook is graded; give the value in the code instead.",
    ),
    (
        r"(?s)\bCUDA\b|\bcuda\b.*(?:device|available|driver)|NVIDIA|CUDNN",
        "The machine that grades has no CUDA device. Take the device from get_device() instead of naming 'cuda'; the "
        "same code then runs on every machine.",
    ),
    (
        r"MemoryError|can't allocate memory|Cannot allocate memory|not enough memory",
        "Your code needs more memory than a notebook may have; look for a tensor that is much larger than you mean.",
    ),
    (r"RecursionError", "A function calls itself without an end; check the case in which it should stop."),
    (
        r"No space left on device|File too large|Disk quota exceeded",
        "Your code writes more to the disk than a notebook may; an answer needs no files.",
    ),
    (
        r"can't start new thread|BlockingIOError.*Resource temporarily unavailable|fork: retry",
        "Your code starts more processes or threads than a notebook may have; an answer needs none.",
    ),
    (
        r"URLError|gaierror|Network is unreachable|Name or service not known|name resolution|ConnectionError",
        "There is no network while your notebook is graded; use the data that came with the assignment.",
    ),
    (
        r"Read-only file system",
        "Only the notebook's own folder can be written to while it is graded.",
    ),
    (
        r"no display|cannot connect to X server|could not connect to display|as headless is currently running",
        "The machine that grades has no screen; leave the plotting backend as it is.",
    ),
)
_PATTERNS = [(re.compile(pattern), text) for pattern, text in _HINTS]
LONGEST = 2000


def hint_for(name: str, text: str) -> str:
    """A sentence on what to do about an error with this name and text; empty when there is nothing to add."""
    said = f"{name}: {text[:LONGEST]}"
    return next((hint for pattern, hint in _PATTERNS if pattern.search(said)), "")
