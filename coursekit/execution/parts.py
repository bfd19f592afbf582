"""A test cell in two parts: what students have seen, and what follows from the first hidden line on.

Where an error arose is read from which part failed. A traceback could not tell: student's code can write one.
"""

import ast


def parts(source: str, mark: str) -> list[str]:
    """The cell before and from the line with `mark` on; all of it as one part when it cannot be cut there.

    It can be where both parts are whole statements of their own, so that running one after the other does what running
    the cell does.
    """
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if mark in line), None)
    if first is None:
        return [source]
    found = ["\n".join(lines[:first]), "\n".join(lines[first:])]
    try:
        trees = [ast.parse(part) for part in found]
    except (SyntaxError, ValueError):  # a region within a block, or a magic
        return [source]
    return [part for part, tree in zip(found, trees, strict=True) if tree.body]
