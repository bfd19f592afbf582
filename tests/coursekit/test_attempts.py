"""Several attempts where the best one counts, and points of a person that stay when another one does."""

import json
import pickle
import random
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode
from pretending import Pretending, answers, pretend
from test_booking import by_hand
from test_resume import contents
from tiny_course import CONFIG, NB, PS, Class, write_course

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.feedback.feedback import feedback
from coursekit.grading import attempts, extensions, summary
from coursekit.grading.by_hand import Given, outdated, seen
from coursekit.grading.grade import grade
from coursekit.grading.records import Records
from coursekit.release import release

HERE = Path(__file__).parent
DUE = datetime(2026, 1, 31, 12)
RULES = {"percent_per_day": 10, "refused_after_days": 7}
BEST = (
    CONFIG.replace('c.LateSubmissionPlugin.penalty_method = "zero"\n', "")
    + f'c.Coursekit.late_policy = {RULES!r}\nc.Coursekit.counts = "best"\n'
)


def best_course(root: Path, empty_gradebook: Path) -> Class:
    """A released course in which the best attempt counts."""
    write_course(root)
    (root / "nbgrader_config.py").write_text(BEST)
    shutil.copyfile(empty_gradebook, root / "gradebook.db")
    release.release(Course(root), PS)
    return Class(Course(root))


@pytest.fixture
def class_(tmp_path: Path, empty_gradebook: Path) -> Class:
    return best_course(tmp_path / "course", empty_gradebook)


def attempt(class_: Class, student: str, hours: float, nb: NotebookNode | bytes) -> bytes:
    """What `course collect` leaves when a student hands in so many hours after the due date."""
    time = DUE + timedelta(hours=hours)
    data = nb if isinstance(nb, bytes) else nbformat.writes(nb).encode()
    folder = class_.course.root / "collected" / PS / student / f"{time:%Y%m%dT%H%M%SZ}"
    folder.mkdir(parents=True)
    (folder / f"{NB}.ipynb").write_bytes(data)
    class_.hand_in(student, data, f"{time} UTC")
    return data


def graded(course: Course, *, executor: Pretending | None = None, **options: Any) -> tuple[dict[str, Any], int]:
    """The records after a `course grade`, and how many notebooks ran for it."""
    executor = executor or Pretending()
    before = len(executor.given)
    found = grade(course, PS, crew=executor.crew(), progress=False, **options)
    records = {record["student"]: record for record, _ in found}
    return records, len(executor.given) - before


def share_in(course: Course, student: str) -> float:
    """The share of points that the notebook in `autograded` is worth."""
    nb = nbformat.read(course.autograded(PS, student) / f"{NB}.ipynb", as_version=4)
    return float(notebooks.by_id(nb)["double"].source.removeprefix("share = "))


def essay_of(course: Course, student: str) -> Any:
    with course.gradebook() as book:
        row = book.find_grade("essay", NB, PS, student)
        comment = book.find_comment("essay", NB, PS, student).manual_comment
        return row.manual_score, row.extra_credit, row.needs_manual_grade, comment


def looked_at(course: Course, student: str) -> None:
    """Somebody opens the answer in formgrader and saves it as it is."""
    with course.gradebook() as book:
        book.find_grade("essay", NB, PS, student).needs_manual_grade = False
        book.db.commit()


@pytest.mark.parametrize("value", ["first", {PS: "best", "*": "worst"}, {"*": 1}])
def test_what_may_count_is_the_last_or_the_best(class_, value):
    class_.course.options.counts = value
    with pytest.raises(CourseError, match="should be 'last' or 'best'"):
        graded(class_.course)


@pytest.mark.parametrize(
    ("value", "wanted"), [("last", "last"), ({}, "last"), ({PS: "best"}, "best"), ({"*": "best", PS: "last"}, "last")]
)
def test_what_counts_is_said_for_all_assignments_or_for_each(course, value, wanted):
    course.options.counts = value
    assert attempts.which_counts(course.options, PS) == wanted


def test_the_attempt_with_the_most_points_after_penalties_is_booked_and_every_one_ran_once(class_):
    """Thirty students with one to four attempts, drawn with a seed; the reference is the policy by hand."""
    course, chance = class_.course, random.Random(4)
    worth: dict[str, list[tuple[float, float]]] = {}
    total = 0
    for number in range(30):
        student, hours = f"student {number}", sorted(chance.sample(range(-50, 260, 7), chance.randint(1, 4)))
        shares = [chance.choice([0, 0.25, 0.5, 0.75, 1]) for _ in hours]
        for share, hour in zip(shares, hours, strict=True):
            attempt(class_, student, hour, answers(class_, share, f"Attempt at {hour}."))
            percent = 0 if hour <= 0 else 100 if hour > 7 * 24 else 10 * -(-hour // 24)
            worth.setdefault(student, []).append((8 * share * (1 - percent / 100), share))
            total += 1
    records, ran = graded(course)
    assert ran == total
    for student, rows in worth.items():
        record = records[student]
        best = max(score for score, _ in rows)
        place = max(index for index, (score, _) in enumerate(rows) if score == pytest.approx(best))
        assert record["score"] == pytest.approx(best)
        assert share_in(course, student) == rows[place][1]
        assert [row["score"] for row in record["attempts"]] == pytest.approx([score for score, _ in rows])
        assert [row["counts"] for row in record["attempts"]] == [index == place for index in range(len(rows))]
        with course.gradebook() as book:
            booked = book.find_submission(PS, student)
            assert f"{booked.timestamp} UTC" == record["attempts"][place]["received"]
            assert booked.score - booked.late_submission_penalty == pytest.approx(best)
    assert graded(course) == (records, 0)


def test_only_what_is_new_runs_and_the_same_work_never_twice(class_):
    course = class_.course
    first = attempt(class_, "ada", -30, answers(class_, 0.5))
    assert graded(course)[1] == 1
    attempt(class_, "ada", -20, answers(class_, 0.25))
    records, ran = graded(course)
    assert (ran, records["ada"]["score"]) == (1, 4)
    attempt(class_, "ada", -10, first)
    records, ran = graded(course)
    assert ran == 0
    assert [row["counts"] for row in records["ada"]["attempts"]] == [False, False, True]
    assert graded(course, force=True)[1] == 2
    text = summary.table(list(records.values()))
    assert "Attempt 3 of 3 counts." in text
    (page,) = feedback(course, PS, progress=False)
    assert "There are 3 attempts, and the one with the most points counts." in page.read_text()
    assert "2026-01-31 02:00:00 UTC: 4, which counts" in page.read_text()


def test_an_extension_makes_another_attempt_the_best_and_nothing_runs_again(class_):
    course = class_.course
    attempt(class_, "ada", -1, answers(class_, 0.75))
    attempt(class_, "ada", 70, answers(class_, 1.0))
    before, _ = graded(course)
    assert (before["ada"]["score"], share_in(course, "ada")) == (6, 0.75)
    extensions.write(course, PS, {"ada": DUE + timedelta(days=3)})
    records, ran = graded(course)
    assert (records["ada"]["score"], share_in(course, "ada"), ran) == (8, 1.0, 0)
    assert (course.autograded(PS, "ada") / "timestamp.txt").read_text() == "2026-02-03 10:00:00 UTC\n"
    extensions.write(course, PS, {"ada": None})
    records, ran = graded(course)
    assert (records["ada"]["score"], share_in(course, "ada"), ran) == (6, 0.75, 0)


def test_what_was_put_into_the_folder_by_hand_is_an_attempt_and_its_receipt_counts(class_):
    course = class_.course
    data = attempt(class_, "ada", 30, answers(class_, 0.5))
    (course.root / "submitted" / "receipts.csv").write_text(
        f"student,assignment,received\nada,{PS},2026-01-31 11:59 UTC\n"
    )
    records, _ = graded(course)
    assert (records["ada"]["score"], len(records["ada"]["attempts"])) == (4, 1)
    class_.hand_in("ada", answers(class_, 1.0))
    records, ran = graded(course)
    assert (records["ada"]["score"], len(records["ada"]["attempts"]), ran) == (8, 2, 1)
    class_.hand_in("ada", data)
    assert graded(course)[0]["ada"]["score"] == 4


def test_an_attempt_that_cannot_be_graded_leaves_no_half_result_and_alone_is_tried_again(class_):
    course, executor = class_.course, Pretending()
    attempt(class_, "ada", -9, answers(class_, 1.0))
    executor.broken = {attempt(class_, "ada", -8, answers(class_, 0.5, "Mine."))}
    attempt(class_, "bert", -9, answers(class_, 0.5))
    records, _ = graded(course, executor=executor)
    assert (records["ada"]["state"], records["ada"]["score"], records["bert"]["score"]) == ("failed", None, 4)
    executor.broken = set()
    records, ran = graded(course, executor=executor)
    assert (records["ada"]["score"], records["bert"]["score"], ran) == (8, 4, 1)


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b", None])
def test_kept_results_that_are_broken_or_gone_are_made_again(class_, damage):
    course = class_.course
    attempt(class_, "ada", -9, answers(class_, 1.0))
    attempt(class_, "ada", -8, answers(class_, 0.5))
    before, _ = graded(course)
    kept = sorted((course.root / "autograded").glob("*.attempts/ada/*.json.gz"))
    assert len(kept) == 2
    for path in kept:
        path.unlink() if damage is None else path.write_bytes(damage)
    records, ran = graded(course)
    assert ran == 2
    assert records["ada"]["score"] == before["ada"]["score"]
    shutil.rmtree(course.root / "collected" / PS / "ada" / "20260131T030000Z")
    graded(course)
    assert len(list((course.root / "autograded").glob("*.attempts/ada/*.json.gz"))) == 1


def test_attempts_are_graded_again_when_a_test_of_the_assignment_changes(class_):
    course = class_.course
    attempt(class_, "ada", -9, answers(class_, 1.0))
    attempt(class_, "ada", -8, answers(class_, 0.5))
    assert graded(course)[1] == 2
    source = course.source(PS) / f"{NB}.ipynb"
    source.write_text(source.read_text().replace("the secret of double", "another secret"))
    release.release(course, PS)
    assert graded(course)[1] == 2
    assert graded(course)[1] == 0


def test_points_of_a_person_stay_when_another_attempt_counts_and_the_table_says_to_look_again(class_):
    course = class_.course
    attempt(class_, "ada", -9, answers(class_, 0.5, "First."))
    graded(course)
    by_hand(course, "ada", 3.0, 1.0)
    looked_at(course, "ada")
    records, _ = graded(course)
    assert (records["ada"]["score"], records["ada"]["changed_since_by_hand"]) == (8, [])
    attempt(class_, "ada", -8, answers(class_, 1.0, "Second."))
    records, _ = graded(course)
    assert essay_of(course, "ada") == (3.0, 1.0, True, "Well.")
    assert (records["ada"]["score"], share_in(course, "ada")) == (12, 1.0)
    assert records["ada"]["changed_since_by_hand"] == [[NB, "essay"]]
    assert "'essay' changed since it was graded by hand." in summary.table(list(records.values()))
    (page,) = feedback(course, PS, progress=False)
    assert "has changed since a person graded it" in page.read_text()
    records, _ = graded(course, force=True)
    assert records["ada"]["changed_since_by_hand"] == [[NB, "essay"]]
    looked_at(course, "ada")
    records, ran = graded(course)
    assert (records["ada"]["changed_since_by_hand"], records["ada"]["needs_manual_grade"], ran) == ([], False, 0)
    attempt(class_, "ada", -7, answers(class_, 0.25, "Third."))
    records, _ = graded(course)
    assert (records["ada"]["changed_since_by_hand"], essay_of(course, "ada")[:2]) == ([], (3.0, 1.0))


@pytest.mark.parametrize("counts", ["last", "best"])
def test_points_comments_and_extra_credit_of_a_person_survive_every_kind_of_regrade(class_, counts):
    """nbgrader's own rule holds: whatever is booked anew and has points of a person waits for a person."""
    course = class_.course
    course.options.counts = counts
    attempt(class_, "ada", -9, answers(class_, 0.5))
    graded(course)
    by_hand(course, "ada", 3.5, 0.5)
    with course.gradebook() as book:
        book.find_grade("test_double", NB, PS, "ada").manual_score = 2.0
        book.db.commit()
    looked_at(course, "ada")
    graded(course, force=True)
    assert essay_of(course, "ada") == (3.5, 0.5, True, "Well.")
    executor = Pretending()
    executor.broken = {attempt(class_, "ada", -8, answers(class_, 1.0, "Another."))}
    records, _ = graded(course, executor=executor)
    assert records["ada"]["state"] == "failed"
    records, _ = graded(course)
    assert essay_of(course, "ada") == (3.5, 0.5, True, "Well.")
    assert records["ada"]["score"] == 2 + 6 + 4
    assert records["ada"]["changed_since_by_hand"] == [[NB, "essay"], [NB, "test_double"]]


events = st.lists(st.tuples(st.sampled_from(["book", "look", "give"]), st.sampled_from("abc")), max_size=12)


@given(events)
def test_what_a_person_saw_last_is_known_through_any_course_of_events(course_of_events):
    """Booking makes the cell wait where it has points of a person; whoever looks or gives points ends the wait."""
    record: dict[str, Any] = {"answers": {}, "by_hand": {}}
    manual, waits, lies_there, saw = None, True, None, None
    for event, answer in course_of_events:
        if event == "book":
            found = seen(record, {("nb", "essay"): Given(manual, 0.0, waits)})
            record = {"answers": {"nb": {"essay": answer}}, "by_hand": found}
            lies_there, waits = answer, True
        elif lies_there is not None and (event == "give" or manual is not None):
            manual, waits, saw = 1.0, False, lies_there
    found = seen(record, {("nb", "essay"): Given(manual, 0.0, waits)})
    assert found == ({} if manual is None else {"nb": {"essay": saw}})
    assert outdated(record["answers"], found) == ([["nb", "essay"]] if manual and saw != lies_there else [])


def test_killed_anywhere_between_two_writes_every_attempt_still_runs_once_and_the_best_is_booked(
    tmp_path, empty_gradebook
):
    """One student has points of a person for an earlier attempt, another one is new; both have two. Eight moments."""
    class_ = best_course(tmp_path / "template", empty_gradebook)
    course, executor = class_.course, Pretending()
    attempt(class_, "ada", -9, answers(class_, 0.5, "First."))
    graded(course)
    by_hand(course, "ada", 3.0, None)
    looked_at(course, "ada")
    shutil.rmtree(course.root / "autograded" / f"{PS}.attempts")
    attempt(class_, "ada", -8, answers(class_, 1.0, "Second."))
    for hours, share in ((-9, 1.0), (80, 0.75)):
        attempt(class_, "bert", hours, answers(class_, share))
    shutil.copytree(course.root, tmp_path / "undisturbed")
    undisturbed = Course(tmp_path / "undisturbed")
    records, ran = graded(undisturbed, executor=executor)
    assert (ran, records["ada"]["score"], records["bert"]["score"]) == (4, 11, 8)
    tests = notebooks.dumps(release.graded_notebooks(course, PS)[NB])
    (tmp_path / "results").write_bytes(pickle.dumps({data: pretend(data, tests) for data in executor.given}))
    known = Records(undisturbed.records_file(PS)).by_student
    job = {
        "template": str(course.root),
        "work": str(tmp_path),
        "assignment": PS,
        "results": str(tmp_path / "results"),
        "hashes": {student: record["hashes"]["submission"] for student, record in known.items()},
    }

    def killed_at(points: list[int]) -> list[dict[str, Any]]:
        (tmp_path / "job.json").write_text(json.dumps({**job, "points": points}))
        command = [sys.executable, str(HERE / "killing.py"), str(tmp_path / "job.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    (alone,) = killed_at([0])
    expected = contents(Path(alone["root"]))
    writes = alone["first"]["writes"]
    assert writes > 20
    counts = set()
    for run in killed_at(list(range(2, writes + 1, writes // 8))):
        assert run["first"]["signal"] == signal.SIGKILL, run
        root = Path(run["root"])
        assert run["second"]["given"] == 4 - run["attempts"], run
        assert contents(root) == expected, run
        counts.add(run["attempts"])
        shutil.rmtree(root)
    assert len(counts) > 2  # the kills were spread over the run
