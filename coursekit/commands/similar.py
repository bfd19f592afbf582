"""`course similar`: pairs of submissions that look copied, as a page and a small table."""

import argparse
from collections.abc import Sequence

from coursekit.commands.common import course_of
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.intake.names import shown
from coursekit.similar.collect import collect
from coursekit.similar.corpus import make_corpus
from coursekit.similar.page import Shown, overview, render, shown_pairs, write_page
from coursekit.similar.pairs import compare

CUT = "It is very long; only its first part is compared."
ON_TERMINAL = 20


def table(pairs: Sequence[Shown]) -> str:
    """The strongest pairs in a few lines."""
    rows: list[tuple[str, ...]] = [("pair", "strength", "shares", "first", "second", "alike")]
    for pair in pairs[:ON_TERMINAL]:
        first, second = (f"{100 * share:.0f} %" for share in pair.pair.shares)
        names = [shown(name, 30) for name in pair.names]
        more = f" and {len(pair.alike) - 2} more" if len(pair.alike) > 2 else ""
        alike = ", ".join(pair.alike[:2]) + more
        rows.append((str(pair.number), f"{100 * pair.pair.strength:.0f} %", f"{first}, {second}", *names, alike))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _one(course: Course, assignment: str, arguments: argparse.Namespace) -> None:
    found = collect(course, assignment, arguments.against)
    corpus = make_corpus(found.submissions, found.release)
    comparison = compare(corpus)
    pairs = shown_pairs(comparison, comparison.strongest(arguments.top, arguments.least))
    about = overview(comparison, len(pairs), arguments.least)
    left_out = found.skipped | {shown(name): CUT for name in corpus.cut}
    page = render(assignment, pairs, about, left_out)
    print(f"\n{assignment}: {about.in_class} submissions compared. A hint where to look, never a verdict.")
    print(f"\n{table(pairs)}\n" if pairs else "No pair stands out.")
    for name, reason in left_out.items():
        print(f"  {name}: {shown(reason, 200)}")
    print(f"page: {write_page(course.root / f'similar-{assignment}.html', page)}")


def main(arguments: argparse.Namespace) -> int:
    """Compare the submissions of every assignment that is named, or for which somebody has handed in."""
    course = course_of(arguments)
    if arguments.top < 1 or not 0 < arguments.least <= 1:
        raise CourseError(
            f"--top {arguments.top} --least {arguments.least}: say a number of pairs from 1 on, and a strength between "
            f"0 and 1, such as 0.45."
        )
    for name in course.find_assignments(arguments.assignments):
        if arguments.assignments or course.students(name):
            _one(course, name, arguments)
    return 0
