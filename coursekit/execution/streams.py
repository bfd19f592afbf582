"""What is left of a printed text when progress bars have drawn over themselves, as nbclient stores it.

nbclient's regular expression takes the square of a line's length: one long line keeps it busy for days. This takes a
time that grows with the length.
"""


def _last_state(line: str) -> str:
    """A line without what its last carriage return lets the rest of it overwrite; one at the very end stays."""
    return line[line[:-1].rfind("\r") + 1 :]


def as_shown(text: str) -> str:
    """The text with each line as its last carriage return left it."""
    return "\n".join(map(_last_state, text.split("\n"))) if "\r" in text else text
