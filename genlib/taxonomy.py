"""The family tree of generative models, as data, and the place of a model in it.

The leaves list the methods that a model must offer to stand there. What a model can do decides where it belongs;
there is no base class to inherit from. After Goodfellow, arXiv:1701.00160, figure 9.
"""

from collections.abc import Iterator
from typing import Any

Tree = dict[str, Any]

TREE: Tree = {
    "explicit density": {
        "tractable": {
            "invertible (flow)": ("log_prob", "sample", "inverse"),
            "factorised or closed form": ("log_prob", "sample"),
        },
        "approximate": {
            "variational": ("elbo", "sample"),
            "Markov chain": ("energy", "sample"),
        },
    },
    "implicit density": {
        "Markov chain": ("transition", "sample"),
        "direct": ("sample",),
    },
}
"""Nested from the root to the leaves; each leaf is the tuple of methods that it requires. The order of the leaves is
the order of preference: a density that is known exactly says more than a bound, a bound more than an energy."""


def leaves(tree: Tree = TREE, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every leaf as ``("explicit density / tractable / ...", required methods)``, in the order of the tree."""
    for name, below in tree.items():
        if isinstance(below, dict):
            yield from leaves(below, (*path, name))
        else:
            yield " / ".join((*path, name)), below


def place(model: object) -> str:
    """The most specific leaf whose methods ``model`` (an object or a class) offers, as a path through the tree.

    Raises ``ValueError`` when it offers none of them: without ``sample`` it is no generative model.
    """
    for path, methods in leaves():
        if all(callable(getattr(model, method, None)) for method in methods):
            return path
    name = model.__name__ if isinstance(model, type) else type(model).__name__
    raise ValueError(f"{name} has no place in the taxonomy: it offers no method `sample`; see genlib.taxonomy.TREE")


def describe(tree: Tree = TREE, indent: str = "") -> str:
    """The tree as text, one line per branch, with the methods that each leaf requires."""
    lines = []
    for index, (name, below) in enumerate(tree.items()):
        last = index == len(tree) - 1
        branch, extension = ("└── ", "    ") if last else ("├── ", "│   ")
        if isinstance(below, dict):
            lines += [f"{indent}{branch}{name}", describe(below, indent + extension)]
        else:
            lines.append(f"{indent}{branch}{name}: {', '.join(below)}")
    return "\n".join(lines)
