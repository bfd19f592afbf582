"""The command `course`: 0 when all is well, 1 when something failed or could not be graded, 2 for wrong usage."""

import argparse
import importlib
import importlib.util
import io
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from coursekit.errors import CourseError

Command = Callable[[argparse.Namespace], int]


def _run(module: str) -> Command:
    """A command of coursekit/commands, imported when it is called: nbgrader alone takes a second to import."""

    def call(arguments: argparse.Namespace) -> int:
        status: int = importlib.import_module(f"coursekit.commands.{module}").main(arguments)
        return status

    return call


def _is_here(name: str) -> bool:
    """Whether the command's module is: students receive some of the commands only."""
    return importlib.util.find_spec(f"coursekit.commands.{name}") is not None


def _assignments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="such as ps4; all of them when left out")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="course", description="Commands of a Jupyter course.")
    parser.add_argument(
        "--course", metavar="DIR", type=Path, help="course folder (default: the one around this folder)"
    )
    parser.add_argument("--verbose", action="store_true", help="say more about what is done")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        if not _is_here(name):
            return argparse.ArgumentParser()  # takes the options of a command that is not offered
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.set_defaults(run=_run(name))
        return command

    lab = add("lab", "open JupyterLab at a page that links lectures and assignments")
    lab.add_argument("options", nargs="*", help="passed to JupyterLab")
    doctor = add("doctor", "say what this machine offers and how to get what is missing")
    doctor.add_argument("--json", action="store_true", help="write JSON instead of a table")
    release = add("release", "make what students get from the instructor's notebooks")
    _assignments(release)
    release.add_argument("--again", action="store_true", help="also when somebody was graded and cells change")
    release.add_argument(
        "--drop", action="append", default=[], metavar="CELL", help="a removed cell whose points of a person may go"
    )
    add("publish", "write the folder that students receive").add_argument("folder", type=Path, metavar="DIR")
    roster = add("roster", "take the students of a CSV file into the gradebook")
    roster.add_argument("file", type=Path, metavar="FILE", help="exported by Canvas or Moodle, or written by you")
    roster.add_argument("--id", dest="id_column", metavar="COLUMN", help="the column that is to name students' folders")
    collect = add("collect", "put what Canvas or Moodle packed, or a folder, where it is graded")
    collect.add_argument("assignment", metavar="ASSIGNMENT", help="such as ps4")
    collect.add_argument("source", type=Path, metavar="SOURCE", help="a zip archive, or a folder")
    collect.add_argument(
        "--from", dest="source_kind", choices=("canvas", "moodle", "folder"), help="default: what it looks like"
    )
    collect.add_argument(
        "--times", type=Path, metavar="FILE", help="CSV with times of receipt, such as Moodle's grading worksheet"
    )
    collect.add_argument("--zone", default="UTC", metavar="NAME", help="time zone of times that name none: Europe/Rome")
    grade = add("grade", "grade what students handed in")
    _assignments(grade)
    grade.add_argument("--student", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    grade.add_argument("--force", action="store_true", help="also what was graded already and has not changed")
    grade.add_argument("--workers", type=int, metavar="N", help="notebooks at a time (default: one for each core)")
    grade.add_argument(
        "--dask", metavar="ADDRESS", help="grade on the workers of this dask scheduler, such as tcp://host:8786"
    )
    grade.add_argument(
        "--i-trust-the-submissions",
        dest="trust",
        action="store_true",
        help="run them with your own rights where this computer offers no sandbox",
    )
    grade.add_argument(
        "--sandbox", metavar="KIND", help="bubblewrap, namespaces, landlock or none (default: the best that holds)"
    )
    extend = add("extend", "give students more time for an assignment, or show who has it")
    extend.add_argument("assignment", metavar="ASSIGNMENT", help="such as ps4")
    extend.add_argument("students", nargs="*", metavar="STUDENT", help="as in submitted/; nobody: show the extensions")
    extend.add_argument("--until", metavar="TIME", help="such as '2027-02-03 23:59 UTC'")
    extend.add_argument("--days", type=float, metavar="N", help="so many days after the due date")
    extend.add_argument("--withdraw", action="store_true", help="take the extension back")
    _assignments(add("feedback", "write a page for each student"))
    export = add("export", "write the grades as CSV")
    _assignments(export)
    export.add_argument("--assignment", action="append", default=[], metavar="NAME", help="the same; may be repeated")
    export.add_argument(
        "--to", "--into", type=Path, default=Path("grades.csv"), metavar="FILE", help="default: grades.csv"
    )
    export.add_argument("--format", choices=("nbgrader", "canvas", "moodle"), default="nbgrader", help="whose columns")
    export.add_argument(
        "--template", type=Path, metavar="FILE", help="Canvas's gradebook or Moodle's worksheet, to be filled in"
    )
    export.add_argument("--column", metavar="HEADING", help="the assignment's column there, if it is called otherwise")
    similar = add("similar", "list pairs of submissions that look alike: a hint where to look, never a verdict")
    _assignments(similar)
    similar.add_argument("--top", type=int, default=50, metavar="N", help="at most so many pairs (default: 50)")
    similar.add_argument(
        "--least", type=float, default=0.45, metavar="SHARE", help="pairs of at least this strength (default: 0.45)"
    )
    similar.add_argument(
        "--against",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="also with the notebooks and Python files below this folder; may be repeated",
    )
    _assignments(add("check", "try every wrong and every alternative answer that the instructor wrote down"))
    update = add("update", "merge a new version of an assignment into a notebook that has been begun")
    update.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="your notebook, or the folder of an assignment")
    update.add_argument(
        "--from", dest="source", type=Path, default=None, metavar="FOLDER",
        help="where the new version lies: a course folder, a folder of an assignment, or a notebook",
    )  # fmt: skip
    refresh = add("refresh", "run notebooks from a fresh kernel and store clean outputs")
    refresh.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    schedule = add("schedule", "print minutes and points of lectures and assignments as Markdown")
    schedule.add_argument("--into", type=Path, default=None, metavar="FILE", help="put it between the marks in a file")
    kernel = add("kernel", "install or remove a kernel for JupyterLab that restarts in half a second")
    kernel.add_argument("action", choices=("install", "remove"))
    kernel.add_argument(
        "--module", action="append", default=[], metavar="NAME", help="import this one before (default: the course's)"
    )
    demo = add("demo", "release, grade and give feedback to an example class, and write a report")
    _assignments(demo)
    demo.add_argument("--out", type=Path, default=None, metavar="DIR", help="where to write (default: build/demo)")
    demo.add_argument("--no-open", action="store_true", help="do not show the report in a browser")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path may have letters that the terminal does not know
            stream.reconfigure(errors="backslashreplace")
    parser = build_parser()
    try:
        arguments, rest = parser.parse_known_args(argv)
        if rest and arguments.command != "lab":
            parser.error(f"unknown: {' '.join(rest)}")
        arguments.rest = rest
    except SystemExit as stop:  # argparse has said what is wrong
        return stop.code if isinstance(stop.code, int) else 2
    level = logging.INFO if arguments.verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    if (
        not arguments.verbose
    ):  # a cell that never ends is in the records; on the terminal it would tear the progress bar
        logging.getLogger("coursekit.kernel").setLevel(logging.CRITICAL)
    try:
        run: Command = arguments.run
        return run(arguments)
    except CourseError as error:
        print(f"course {arguments.command}: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "nbgrader":
            raise
        text = 'nbgrader is not installed. In the course folder: python -m pip install -c constraints.txt -e ".[teach]"'
        print(f"course {arguments.command}: {text}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\ncourse {arguments.command}: stopped. What was done is kept; run it again to go on.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
