"""`course refresh NOTEBOOK...`: run from a fresh kernel, store clean outputs."""

import argparse


def main(arguments: argparse.Namespace) -> int:
    """Refresh the notebooks that are named."""
    from coursekit.refresh import refresh

    refresh(arguments.notebooks)
    return 0
