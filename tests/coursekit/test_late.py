"""Late work: the policy, extensions, and penalties that are made anew without running anything."""

import math
import os
import random
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pretending import Pretending, answers, pretend
from test_booking import by_hand, rows, stock_save
from tiny_course import CONFIG, NB, PS, Class

from coursekit import cli, notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.feedback.feedback import feedback
from coursekit.grading import extensions, late, remarks, summary
from coursekit.grading.booking import Booking
from coursekit.grading.grade import grade
from coursekit.grading.late import DAY, Policy
from coursekit.grading.records import Records
from coursekit.grading.renewal import bring_up_to_date
from coursekit.release import release
from coursekit.report.report import write_report

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader's own steps

DUE = datetime(2026, 1, 31, 12)
RULES = {"grace_minutes": 15, "percent_per_day": 10, "at_most_percent": 50, "refused_after_days": 7}
PLAIN = CONFIG.replace('c.LateSubmissionPlugin.penalty_method = "zero"\n', "")


def configured(course: Course, policy: Any = RULES, more: str = "") -> Course:
    """The same course with a late policy."""
    text = f"{PLAIN}c.Coursekit.late_policy = {policy!r}\n{more}"
    (course.root / "nbgrader_config.py").write_text(text)
    return Course(course.root)


@pytest.fixture
def class_(course: Course) -> Class:
    """A class with the policy of RULES."""
    course = configured(course)
    release.release(course, PS)
    return Class(course)


def stamp(hours: float) -> str:
    """The time so many hours after the due date."""
    return f"{DUE + timedelta(hours=hours):%Y-%m-%d %H:%M:%S} UTC"


def graded(course: Course, **options: Any) -> tuple[dict[str, dict[str, Any]], int]:
    """The records after a `course grade`, and how many notebooks ran for it."""
    executor = Pretending()
    records = {record["student"]: record for record, _ in grade(course, PS, crew=executor.crew(), progress=False)}
    return records, len(executor.given)


numbers = st.floats(0, 100, allow_nan=False)
policies = st.builds(Policy, st.floats(0, 3000), numbers, numbers, st.one_of(st.just(float("inf")), st.floats(0, 30)))
seconds = st.one_of(st.floats(0, 40 * DAY), st.integers(0, 40).map(lambda days: days * DAY))


@given(policies, st.floats(0, 1000), seconds, seconds)
def test_the_penalty_grows_with_lateness_and_is_what_the_policy_says(policy, score, one, other):
    """Days that have begun are counted one by one; the reference takes them from the due date, grace or not."""
    assert policy.penalty(score, 60 * policy.grace_minutes) == 0
    penalties = [policy.penalty(score, moment) for moment in sorted((one, other))]
    assert 0 <= penalties[0] <= penalties[1] <= score
    days = 0
    while days * DAY < one:
        days += 1
    if one <= 60 * policy.grace_minutes:
        wanted = 0.0
    elif one > policy.refused_after_days * DAY:
        wanted = score
    else:
        wanted = score * min(100, policy.at_most_percent, policy.percent_per_day * days) / 100
    assert policy.penalty(score, one) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"percent_per_day": -1}, r"\['percent_per_day'\] = -1 should be a number from 0 to 100"),
        ({"percent_per_day": 10, "at_most_percent": 101}, r"\['at_most_percent'\] = 101 should be"),
        ({"percent_per_day": True}, "True should be a number"),
        ({"percent_per_day": 5, "grace_minutes": "15"}, "'15' should be a number that is not negative"),
        ({"percent_per_days": 10}, "Did you mean 'percent_per_day'"),
        ({"at_most_percent": 50, "grace_minutes": 5}, "takes nothing off"),
        ({PS: {"percent_per_day": 10}, "*": 5}, r"late_policy\['\*'\] = 5 should be a dict"),
        ({PS: {"per_day": 10}}, rf"late_policy\['{PS}'\] has 'per_day'"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_its_place_and_what_is_expected(course, policy, told):
    with pytest.raises(CourseError, match=told):
        configured(course, policy)
    with pytest.raises(CourseError, match="nan should be a number"):
        late.parse({"percent_per_day": math.nan})


def test_each_assignment_has_its_own_policy_or_that_of_all_others(course):
    options = configured(course, {PS: {"percent_per_day": 20}, "*": {"percent_per_day": 5}}).options
    found = [late.policy_of(options, name).percent(1) for name in (PS, "ps2")]
    assert found == [20, 5]
    assert late.policy_of(configured(course, {PS: RULES}).options, "ps2") is None
    assert late.policy_of(configured(course, {}).options, PS) is None


def test_two_rules_for_late_work_are_refused_and_a_plugin_of_the_instructors_wins(course, tmp_path, monkeypatch):
    with pytest.raises(CourseError, match="two rules"):
        configured(course, RULES, 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    (tmp_path / "flat.py").write_text(
        "from nbgrader.plugins import BasePlugin\n\n\nclass Flat(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n        return 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    course = configured(course, RULES, 'c.AssignLatePenalties.plugin_class = "flat.Flat"\n')
    release.release(course, PS)
    class_ = Class(course)
    class_.hand_in("ada", answers(class_, 1.0), stamp(30))
    records, _ = graded(course)
    assert (records["ada"]["late_penalty"], records["ada"]["score"]) == (1, 7)
    assert "which costs 1 points" in remarks.notes(course, PS, records["ada"])[0]


def test_penalties_and_extensions_are_those_of_nbgraders_own_steps(class_, tmp_path):
    """Twelve submissions drawn with a seed; there nbgrader's own function grants the extension."""
    ours, chance = class_.course, random.Random(11)
    until = DUE + timedelta(days=2)
    shutil.copytree(ours.root, tmp_path / "stock")
    stock = Course(tmp_path / "stock")
    extensions.write(ours, PS, {"student 0": until})
    tests = notebooks.dumps(release.graded_notebooks(ours, PS)[NB])
    with Booking(ours, PS) as book:
        for turn in range(12):
            student, time = f"student {turn % 3}", DUE + timedelta(hours=chance.choice([-1, 0.2, 1, 30, 100, 170, 220]))
            nb, _ = pretend(nbformat.writes(answers(class_, chance.random())).encode(), tests)
            book.save(student, {NB: notebooks.loads(nb)}, time)
            if student == "student 0":
                with stock.gradebook() as other:
                    other.update_or_create_student(student)
                    other.update_or_create_submission(PS, student)
                    other.grant_extension(PS, student, days=2)
            stock_save(stock, student, notebooks.loads(nb), time)
            with ours.gradebook() as one, stock.gradebook() as other:
                assert rows(one) == rows(other), turn
            if turn % 4 == 0:
                by_hand(ours, student, 2.5, 1.0)
                by_hand(stock, student, 2.5, 1.0)


def test_the_command_nbgrader_autograde_takes_off_the_same(class_, tmp_path):
    course = configured(class_.course, RULES, f"c.AssignLatePenalties.plugin_class = {late.PLUGIN!r}\n")
    class_.hand_in("ada", class_.answers(), stamp(30))
    shutil.copytree(course.root, tmp_path / "stock")
    (record,) = [record for record, _ in grade(course, PS, trust=True, workers=1, progress=False)]
    assert record["late_penalty"] == pytest.approx(0.2 * 8)
    command = [sys.executable, "-m", "nbgrader", "autograde", PS]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=tmp_path / "stock", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with course.gradebook() as one, Course(tmp_path / "stock").gradebook() as other:
        assert rows(one) == rows(other)


def test_an_extension_is_another_due_date_and_no_notebook_runs_again_for_it(class_):
    course = class_.course
    for student in ("ada", "bert"):
        class_.hand_in(student, answers(class_, 1.0), stamp(75))
    before, ran = graded(course)
    assert ran == 2
    assert before["ada"]["late_penalty"] == pytest.approx(0.4 * 8)
    for days, percent in ((1, 30), (3, 10), (4, 0)):
        extensions.write(course, PS, {"ada": DUE + timedelta(days=days)})
        after, ran = graded(course)
        assert ran == 0
        assert after["bert"] == before["bert"]
        assert after["ada"]["late_penalty"] == pytest.approx(percent / 100 * 8)
        assert after["ada"]["score"] == pytest.approx(8 - percent / 100 * 8)
        assert after["ada"]["extended_until"] == f"{DUE + timedelta(days=days):%Y-%m-%d %H:%M UTC}"
    for too_early in (None, DUE - timedelta(days=2)):
        extensions.write(course, PS, {"ada": too_early})
        assert graded(course) == (before, 0)
    moved = configured(course, {"percent_per_day": 5})
    assert [record["late_penalty"] for record in graded(moved)[0].values()] == pytest.approx([0.2 * 8] * 2)


def test_an_extension_outlives_the_gradebook_and_may_be_given_before_anything_is_handed_in(class_, empty_gradebook):
    course = class_.course
    extensions.write(course, PS, {"ada": DUE + timedelta(days=2)})
    class_.hand_in("ada", answers(class_, 0.5), stamp(40))
    before, _ = graded(course)
    assert (before["ada"]["late_penalty"], before["ada"]["score"]) == (0, 4)
    shutil.copyfile(empty_gradebook, course.root / "gradebook.db")
    after, ran = graded(course)
    assert ran == 1
    assert (after["ada"]["late_penalty"], after["ada"]["extended_until"]) == (0, before["ada"]["extended_until"])


def test_extensions_of_the_gradebook_stay_without_the_file_and_move_into_it(class_):
    course = class_.course
    for student in ("ada", "bert"):
        class_.hand_in(student, answers(class_, 1.0), stamp(40))
    graded(course)
    with course.gradebook() as book:
        book.grant_extension(PS, "ada", days=2)
    records, ran = graded(course)
    assert (records["ada"]["late_penalty"], ran) == (0, 0)
    extensions.write(course, PS, {"bert": DUE + timedelta(days=1)})
    assert extensions.load(course, PS) == {"ada": DUE + timedelta(days=2), "bert": DUE + timedelta(days=1)}
    records, ran = graded(course)
    assert [round(records[name]["late_penalty"], 9) for name in ("ada", "bert")] == [0, 0.8]


def test_points_that_a_person_gives_later_are_late_as_well(class_):
    course = class_.course
    class_.hand_in("ada", answers(class_, 1.0), stamp(30))
    graded(course)
    by_hand(course, "ada", 3.0, 1.0)
    assert bring_up_to_date(course, PS) == ["ada"]
    assert bring_up_to_date(course, PS) == []
    record = Records(course.records_file(PS)).by_student["ada"]
    assert (record["late_penalty"], record["score"]) == (pytest.approx(0.2 * 12), pytest.approx(0.8 * 12))
    assert graded(course) == ({"ada": record}, 0)
    with course.gradebook() as book:
        assert book.find_submission(PS, "ada").late_submission_penalty == pytest.approx(0.2 * 12)


def test_what_another_program_has_booked_is_left_to_the_next_grading(class_):
    course = class_.course
    class_.hand_in("ada", answers(class_, 1.0), stamp(30))
    before, _ = graded(course)
    with course.gradebook() as book:
        book.find_grade("test_double", NB, PS, "ada").auto_score = 0
        book.db.commit()
    assert bring_up_to_date(course, PS) == []
    after, ran = graded(course)
    assert (after["ada"]["booked"], ran) == (before["ada"]["booked"], 1)


def test_a_penalty_that_the_gradebook_has_lost_is_booked_again(class_):
    """As where a backup of the gradebook is from before the extension was taken back."""
    course = class_.course
    class_.hand_in("ada", answers(class_, 1.0), stamp(30))
    before = graded(course)[0]
    with course.gradebook() as book:
        book.find_submission_notebook(NB, PS, "ada").late_submission_penalty = None
        book.db.commit()
    assert graded(course) == (before, 0)
    with course.gradebook() as book:
        assert book.find_submission(PS, "ada").late_submission_penalty == pytest.approx(1.6)


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize(
    "place", ["coursekit.grading.booking.Booking._numbers", "coursekit.grading.records.Records.add"]
)
def test_killed_while_a_penalty_is_made_anew_the_next_run_ends_where_an_undisturbed_one_does(
    class_, tmp_path, monkeypatch, place
):
    course = class_.course
    class_.hand_in("ada", answers(class_, 1.0), stamp(75))
    graded(course)
    extensions.write(course, PS, {"ada": DUE + timedelta(days=3)})
    shutil.copytree(course.root, tmp_path / "other")
    expected = graded(Course(tmp_path / "other"))
    with monkeypatch.context() as patch:
        patch.setattr(place, lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            graded(course)
    assert graded(course) == expected
    with course.gradebook() as one, Course(tmp_path / "other").gradebook() as other:
        assert rows(one) == rows(other)


def test_a_plugin_that_fails_for_one_submission_does_not_stop_the_others(class_, tmp_path, monkeypatch):
    course = class_.course
    for student in ("ada", "bert"):
        class_.hand_in(student, answers(class_, 1.0), stamp(75))
    graded(course)
    (tmp_path / "moody.py").write_text(
        "from nbgrader.plugins import BasePlugin\n\n\nclass Moody(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return {'bert': 2}[student_id]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    records, _ = graded(configured(course, {}, 'c.AssignLatePenalties.plugin_class = "moody.Moody"\n'))
    assert (records["ada"]["state"], records["bert"]["late_penalty"]) == ("failed", 2)
    assert "KeyError" in records["ada"]["reason"]


@pytest.mark.parametrize(
    ("hours", "days", "told"),
    [
        (0.1, None, "It came 6 minutes after the due date. That is within the grace period of 15 minutes"),
        (30, None, "It came 30 hours after the due date. 2 days have begun, and every day begun after that costs 10 % "
         "of the points reached, and at most 50 %: 1.6 points (20 %) were taken off."),
        (30, 1, "It came 6 hours after the end of your extension, 2026-02-01 12:00 UTC. 1 day has begun"),
        (30, 2, "You had an extension until 2026-02-02 12:00 UTC, and it came in time."),
        (200, None, "It came 8 days and 8 hours after the due date. Work that is more than 7 days late gets no points: "
         "8 points were taken off."),
    ],
)  # fmt: skip
def test_the_student_and_the_instructor_read_how_late_it_was_and_what_it_cost(class_, hours, days, told):
    course = class_.course
    class_.hand_in("ada", answers(class_, 1.0), stamp(hours))
    if days:
        extensions.write(course, PS, {"ada": DUE + timedelta(days=days)})
    records, _ = graded(course)
    (page,) = feedback(course, PS, progress=False)
    assert told in page.read_text()
    assert told in write_report(course, PS, course.root / "report.html").read_text()
    line = summary.table(list(records.values()))
    assert (" h late" in line) == (records["ada"]["late_seconds"] > 0)
    assert (" off." in line) == (records["ada"]["late_penalty"] > 0)


def test_the_command_extend_writes_shows_and_takes_back_and_keeps_what_else_the_file_says(class_, capsys):
    course = class_.course
    path = course.root / "extensions.csv"

    def run(*arguments: str) -> tuple[int, str]:
        status = cli.main(["--course", str(course.root), "extend", "ps1", *arguments])
        told = capsys.readouterr()
        return status, told.out + told.err

    class_.hand_in("ada", b"{")
    assert run()[1].endswith("gives nobody an extension for ps1-numbers.\n")
    path.write_text("student,assignment,until,reason\nbert,ps1-numbers,2026-02-02 13:00 +01:00,ill\n")
    status, told = run("ada", "zoe", "--days", "1.5")
    assert status == 0
    assert "ada: until 2026-02-02 00:00:00 UTC" in told
    assert "Nothing is known of zoe" in told
    assert "Nothing is known of ada" not in told
    assert run("zoe", "--withdraw")[0] == 0
    assert run()[1] == "ada: until 2026-02-02 00:00:00 UTC\nbert: until 2026-02-02 12:00:00 UTC\n"
    assert "bert,ps1-numbers,2026-02-02 13:00 +01:00,ill" in path.read_text()
    before = path.read_text()
    for wrong in (("ada",), ("ada", "--days", "1", "--withdraw"), ("--days", "1"), ("ada", "--until", "tomorrow")):
        assert run(*wrong)[0] == 1
    status, told = run("ada", "--until", "2026-01-31 12:00 UTC")
    assert (status, "has to end after that" in told) == (1, True)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("student,until\nada,2026-02-02\n", "no column assignment"),
        (f"student,assignment,until\nada,{PS},soon\n", "row 2: 'soon' is no time"),
        ("student,assignment,until\nada,ps9,2026-02-02 12:00\n", "row 2: 'ps9' is no assignment"),
        (f"student,assignment,until\n,{PS},2026-02-02 12:00\n", "row 2: there is no student"),
    ],
)
def test_a_broken_file_of_extensions_stops_the_grading_with_its_row(class_, text, told):
    (class_.course.root / "extensions.csv").write_text(text)
    class_.hand_in("ada", b"{")
    with pytest.raises(CourseError, match=told):
        graded(class_.course)
