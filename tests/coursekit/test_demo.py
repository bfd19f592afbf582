"""The demo takes an example class through the whole loop, leaves the real course alone, and notices what goes wrong."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from tiny_course import NB, PS, answer, source_notebook, test, write_course

from coursekit import notebooks
from coursekit.course import Course
from coursekit.demo import demo
from coursekit.demo.example_class import NAMES, Example, ExampleClass, Expected, questions_of
from coursekit.errors import CourseError
from coursekit.grading import worker
from coursekit.grading.records import Record, Records
from coursekit.release import release

MISCONCEPTIONS = [
    {"name": "squares", "answer": "double", "change": [("x + x", "x * x")], "fails": ["test_double"]},
    {"name": "doubles", "answer": "square", "change": [("x * x", "x + x")], "fails": ["test_square"]},
    {"name": "forgets the zero", "answer": "total", "code": "sum_of_all_numbers = 44", "fails": ["test_total"]},
]
ALTERNATIVES = [
    {"name": "multiplies", "answer": "double", "code": "def double(x):\n    return 2 * x"},
    {"name": "knows the formula", "answer": "total", "code": "sum_of_all_numbers = 9 * 10 // 2"},
]
TESTS = frozenset((NB, name) for name in ("test_double", "test_square", "test_total"))


def write_tiny(root: Path) -> Course:
    """The tiny course with variants in the form in which coursekit.variants reads them."""
    folder = write_course(root) / "solutions" / PS
    wrong = [{**item, "check": "visible", "hint": "look again"} for item in MISCONCEPTIONS]
    (folder / "misconceptions.py").write_text(f"MISCONCEPTIONS = {wrong!r}\n")
    (folder / "alternatives.py").write_text(f"ALTERNATIVES = {ALTERNATIVES!r}\n")
    return Course(root)


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def tiny(tmp_path: Path) -> Course:
    """A course that a demo can be made of."""
    return write_tiny(tmp_path / "course")


class Shown:
    """A demo that has run: what it was made of, what it left, what it said."""

    def __init__(self, course: Course, out: Path, status: int, before: dict[str, str]) -> None:
        self.course, self.out, self.status, self.before = course, out, status, before
        self.made = Course(out)
        self.examples = ExampleClass(self.made, PS).examples()

    def records(self) -> dict[str, Record]:
        """What the grading wrote down."""
        return Records(self.made.records_file(PS)).by_student

    def problems(self, examples: list[Example]) -> list[str]:
        """What the demo says against expectations."""
        return [text for part in demo.judge(self.made, PS, examples, self.records()) for text in part.problems]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """One run of the demo on the tiny course, from a course whose gradebook must stay as it is."""
    root = tmp_path_factory.mktemp("demo")
    course = write_tiny(root / "course")
    (course.root / "gradebook.db").write_bytes(b"the real one")
    before = contents(course.root)
    status = demo.run([PS], root / "build" / "demo", course, open_report=False)
    return Shown(course, root / "build" / "demo", status, before)


def test_every_example_of_the_class_comes_out_as_expected(shown: Shown) -> None:
    assert shown.status == 0
    assert shown.problems(shown.examples) == []


def test_the_real_course_is_left_alone(shown: Shown) -> None:
    assert contents(shown.course.root) == shown.before


def test_the_class_has_every_kind_of_student_and_points_of_every_kind(shown: Shown) -> None:
    assert len(shown.examples) == 13
    assert [example.student for example in shown.examples] == list(NAMES)
    states = {record["state"] for record in shown.records().values()}
    assert states == {worker.GRADED, worker.TIMED_OUT, worker.UNREADABLE}
    with shown.made.gradebook() as gradebook:
        grades = demo.booked_grades(gradebook, PS)
        late = [part.student_id for part in gradebook.assignment_submissions(PS) if part.total_seconds_late > 0]
    totals = {name: sum(part.score for part in found.values()) for name, found in grades.items()}
    stories = {example.student: example.story for example in shown.examples}
    assert [stories[name] for name in late] == ["right, but late"]
    assert min(totals.values()) == 0
    assert max(totals.values()) == 8
    assert len(set(totals.values())) >= 4


def test_report_grades_and_feedback_lie_in_the_demo_folder(shown: Shown) -> None:
    page = (shown.out / f"report-{PS}.html").read_text()
    grades = (shown.out / "grades.csv").read_text()
    for example in shown.examples:
        assert example.student in page
        assert f",{example.student}," in grades
        assert list(shown.made.feedback(PS, example.student).glob("*.html"))


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (0, {"full": frozenset(), "zero": TESTS}, "0 were expected"),
        (3, {"full": TESTS, "zero": frozenset()}, "gave 0 of"),
        (0, {"late": True}, "not marked as late"),
        (9, {"late": False}, "marked as late and was not"),
        (10, {"repaired": "test_total"}, "nothing says that test_total was repaired"),
        (11, {"repaired": ""}, "something was repaired"),
        (8, {"state": worker.GRADED}, "the state is 'timed out'"),
        (12, {"state": worker.GRADED}, "the state is 'unreadable'"),
    ],
)
def test_whatever_does_not_come_out_as_expected_is_noticed(
    shown: Shown, place: int, change: dict[str, object], said: str
) -> None:
    example = shown.examples[place]
    wrong = replace(example, expected=replace(example.expected, **change))  # type: ignore[arg-type]
    assert said in " ".join(shown.problems([wrong]))


def test_a_submission_that_ran_out_of_time_without_being_endless_is_told_apart(shown: Shown) -> None:
    endless = shown.examples[8]
    meant_to_end = replace(endless, expected=replace(endless.expected, state=worker.GRADED))
    outcomes = demo.judge(shown.made, PS, [*shown.examples, meant_to_end], shown.records())
    assert [outcome.cut_short for outcome in outcomes] == [False] * len(shown.examples) + [True]


def test_a_demo_whose_expectations_fail_ends_with_1(
    tiny: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {f"{NB}.ipynb": b"{"}
    monkeypatch.setattr(ExampleClass, "examples", lambda self: [Example("amira", "nothing", files, Expected(TESTS))])
    assert demo.run([PS], tmp_path / "demo", tiny, open_report=False) == 1
    assert "NOT AS EXPECTED" in capsys.readouterr().out


def test_a_demo_replaces_an_earlier_one_and_nothing_else(tiny: Course, tmp_path: Path) -> None:
    out = tmp_path / "out"
    demo.make_course(out, tiny, [PS])
    (out / "left over").touch()
    demo.make_course(out, tiny, [PS])
    assert not (out / "left over").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    for folder in (precious, tiny.root, tiny.root.parent, tiny.source(PS)):
        before = contents(folder)
        with pytest.raises(CourseError, match="--out"):
            demo.make_course(folder, tiny, [PS])
        assert contents(folder) == before


def test_a_link_or_a_file_in_the_place_of_the_demo_folder_is_refused(tiny: Course, tmp_path: Path) -> None:
    demo.make_course(tmp_path / "out", tiny, [PS])
    (tmp_path / "link").symlink_to(tmp_path / "out")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(CourseError, match="not a folder"):
            demo.make_course(tmp_path / name, tiny, [PS])
    assert (tmp_path / "out" / "solutions").is_dir()


def test_the_demo_course_keeps_the_options_but_never_the_gradebook(tiny: Course, tmp_path: Path) -> None:
    config = tiny.root / "nbgrader_config.py"
    other = tmp_path / "elsewhere.db"
    lines = [f'c.CourseDirectory.db_url = "sqlite:///{other}"', f'c.CourseDirectory.root = "{tiny.root}"']
    config.write_text("\n".join([config.read_text(), *lines, "c.Coursekit.cell_seconds = 7.5"]))
    made = demo.make_course(tmp_path / "out", Course(tiny.root), [PS])
    assert made.options.cell_seconds == 7.5
    assert made.root == (tmp_path / "out").resolve()
    assert made.directory.db_url == f"sqlite:///{made.root / 'gradebook.db'}"


def test_a_course_whose_folders_lead_elsewhere_is_refused(tiny: Course, tmp_path: Path) -> None:
    config = tiny.root / "nbgrader_config.py"
    config.write_text(f'{config.read_text()}\nc.CourseDirectory.autograded_directory = "{tmp_path / "marks"}"\n')
    with pytest.raises(CourseError, match="relative folders"):
        demo.make_course(tmp_path / "out", Course(tiny.root), [PS])


def test_what_students_hand_in_holds_no_marks_and_no_hidden_tests(shown: Shown) -> None:
    for example in shown.examples:
        text = b"".join(example.files.values()).decode()
        assert "### BEGIN" not in text
        assert "secret_input_of_double" not in text


def test_only_the_named_cells_of_a_damaged_submission_are_damaged(shown: Shown) -> None:
    released = notebooks.loads(release.release_bytes(shown.made, PS)[NB])
    names = [name for cell in released.cells if (name := notebooks.grade_id(cell))]
    for example in shown.examples[:-1]:
        cells = nbformat.reads(example.files[f"{NB}.ipynb"].decode(), 4).cells
        found = [name for cell in cells if (name := notebooks.grade_id(cell))]
        missing = [name for name in names if name not in found]
        twice = [name for name in names if found.count(name) > 1]
        if example.expected.repaired:
            assert missing + twice == [example.expected.repaired]
        else:
            assert found == names
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|Invalid"):
        json.loads(shown.examples[-1].files[f"{NB}.ipynb"])


CHAIN = """
one:   def one(x):|    y = x + 1|    return y
t_one: assert one(1) == 2
two:   def two(x):|    return x + 2
t_two: assert two(1) == 3
-:     table = [one(x) for x in range(3)]
-:     def helper():|    return table[0]
three: def three():|    return 3
t_three: assert three() == 3 and helper() == 1
four:  def four(one):|    y = one + table_of_mine|    return y|table_of_mine = 4
t_four: assert four(1) == 5
five:  import math as two
t_five: assert two.pi > 3
"""


def chain() -> dict[str, nbformat.NotebookNode]:
    """Questions of which the third is tested through the first, by way of cells in between."""
    nb = source_notebook()
    nb.cells = []
    for line in CHAIN.strip().split("\n"):
        name, source = (part.strip() for part in line.split(":", 1))
        source = source.replace("|", "\n")
        if name == "-":
            nb.cells.append(nbformat.v4.new_code_cell(source))
        else:
            nb.cells.append(test(name, 1, source) if name.startswith("t_") else answer(name, source))
    return {NB: nb}


def test_the_tests_that_build_on_an_answer_are_those_that_fail_without_it() -> None:
    nb = chain()[NB]
    tests = [cell for cell in nb.cells if notebooks.is_test(cell)]
    for question in questions_of({NB: nb}):
        scope: dict[str, object] = {}
        failed = set()
        for cell in nb.cells:
            source = "raise RuntimeError" if notebooks.grade_id(cell) in question.answers else cell.source
            try:
                exec(source, scope)
            except (RuntimeError, NameError, AssertionError, AttributeError):
                failed |= {notebooks.grade_id(cell)} if cell in tests else set()
        assert failed - set(question.tests) <= {name for _, name in question.touches}
    touched = {question.answers[0]: {name for _, name in question.touches} for question in questions_of({NB: nb})}
    assert touched == {"one": {"t_three"}, "two": {"t_five"}, "three": set(), "four": set(), "five": set()}


def test_an_assignment_with_one_question_is_refused(tiny: Course, tmp_path: Path) -> None:
    path = tiny.source(PS) / f"{NB}.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells = nb.cells[:4]
    nbformat.write(nb, path)
    made = demo.make_course(tmp_path / "out", tiny, [PS])
    release.write_release(made, PS, made.release(PS))
    with pytest.raises(CourseError, match="at least two questions"):
        ExampleClass(made, PS)
