"""A benchmark that has parts: which of them are wanted, how much of each, and what was promised of all."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from _common import machine, table


class Promise(Protocol):
    """A goal with what was measured."""

    @property
    def held(self) -> bool: ...

    def row(self) -> tuple[str, str, str, str]: ...


def run_parts(about: str | None, parts: Mapping[str, Callable[[Any], list[Any]]], full: Any, quick: Any) -> int:
    """Run the parts that the command line names, or all; 1 when a promise was not held, unless it was a quick look."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(parts)}; all when left out")
    parser.add_argument("--quick", action="store_true", help="few submissions, to see that everything runs")
    given = parser.parse_args()
    if unknown := sorted(set(given.parts) - set(parts)):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(parts)}")
    print(f"machine: {machine()}", flush=True)
    promises: list[Promise] = [
        found for name in given.parts or parts for found in parts[name](quick if given.quick else full)
    ]
    if promises:
        table("What was promised", ["what", "measured", "promised", "held"], [each.row() for each in promises])
    return 0 if given.quick or all(each.held for each in promises) else 1
