"""The same machine and other stories: killed and run again, handed in again, as root, without a sandbox."""

import itertools
import os

import pytest
import results
from hostile_course import FULL, HEALTHY, HEALTHY_SCORES
from results import Result

HARMLESS = [
    "04-*",
    "06-*",
    "07*",
    "20a-*",
    "20b-*",
    "21-*",
    "27-*",
    "29-*",
    "32*",
    "50-*",
    "59-*",
    "60-*",
    "61-*",
    "76*",
]

# Modules are imported once for each worker, and here nobody gains from a second one.
ONE = ["--workers", "1"]


@pytest.fixture(scope="module")
def killed() -> Result:
    """Row 44: a class whose grader is killed with SIGKILL twice, and left alone the third and fourth time."""
    return results.run({"story": "killed", "hostile": ["20a-*", "10*", "11*", "12*", "13*", "16*"]})


def test_row_44_a_killed_grader_leaves_nothing_running(killed):
    assert [run["left"] for run in killed.facts["runs"]] == [[]] * 4


def test_row_44_what_was_graded_before_a_kill_is_kept_and_not_graded_again(killed):
    runs = killed.facts["runs"]
    assert [run["code"] for run in runs[:2]] == [-9, -9]
    done: set[str] = set()
    for before, after in itertools.pairwise(runs):
        assert done <= set(before["journal"]) | set(before["records"])
        done = set(before["journal"]) | set(before["records"])
        for student in done & set(before["written"]):
            assert after["written"][student] == before["written"][student], student
    assert len(runs[1]["journal"]) >= 5


def test_row_44_in_the_end_everybody_is_graded_as_if_nothing_had_happened(killed):
    last, again = killed.facts["runs"][2:]
    assert last["code"] == 0
    assert set(HEALTHY) < set(last["records"]) == set(last["gradebook"])
    assert {student: killed.scores(student) for student in HEALTHY} == HEALTHY_SCORES
    assert (again["records"], again["gradebook"]) == (last["records"], last["gradebook"])


@pytest.fixture(scope="module")
def again() -> list[dict]:
    """Row 43: three rounds; see story_again of the driver."""
    return results.run({"story": "again", "options": ONE}).facts["runs"]


def states(run, student):
    cells = run["gradebook"][student]["cells"]
    return run["records"][student]["state"], {name: cell[0] for name, cell in cells.items() if name != "essay"}


def test_row_43_a_mended_submission_gets_its_points_and_a_broken_one_loses_them(again):
    nothing = dict.fromkeys(FULL, 0.0)
    assert [states(run, "mends") for run in again] == [("unreadable", nothing), ("graded", FULL), ("graded", FULL)]
    assert [states(run, "breaks") for run in again] == [("graded", FULL), ("unreadable", nothing), ("graded", FULL)]


def test_row_43_what_the_machine_could_not_grade_has_a_state_and_no_old_score(again):
    first, second, third = (states(run, "machine") for run in again)
    assert first == ("graded", FULL)
    assert second[0] == "failed"
    assert set(second[1].values()) == {None}
    assert third == ("graded", {**FULL, "test_double": 0})
    assert "again" in again[1]["records"]["machine"]["next_step"]


def test_row_43_a_failure_of_the_machine_costs_nobody_else(again):
    for run in again:
        for student in HEALTHY:
            assert states(run, student) == ("graded", HEALTHY_SCORES[student])


@pytest.fixture(scope="module")
def as_root() -> Result:
    """The harmless attacks, graded by root, whose rights the sandbox has to take away."""
    if os.geteuid() != 0:
        pytest.skip("only root can grade as root")
    return results.run({"hostile": HARMLESS, "options": ONE}, as_root=True)


def test_root_is_as_safe_as_an_ordinary_user(as_root):
    loot = {student: as_root.said(student, "LOOT") for student in as_root.notebooks}
    assert not any(loot.values()), loot
    assert (as_root.facts["lost"], as_root.facts["files"], as_root.facts["knocks"]) == ([], {}, [])
    assert (as_root.facts["survivors"], as_root.facts["left_in_tmp"]) == ([], [])


def test_root_grades_like_an_ordinary_user(as_root):
    assert {student: as_root.scores(student) for student in HEALTHY} == HEALTHY_SCORES
    assert {record["state"] for record in as_root.records.values()} == {"graded", "kernel died", "unreadable"}
    assert as_root.scores("04-updates-the-gradebook") == {**FULL, "test_double": 0}
    assert as_root.scores("20b-crashes") == {**FULL, "test_norm": 0}


@pytest.fixture(scope="module")
def trusted() -> Result:
    """Attacks that do not stop the grader, without a sandbox but in the cage: do they attack anything at all?"""
    attacks = ["04-*", "06-*", "27-*", "29-*", "32*"]
    options = ["--sandbox", "none", "--i-trust-the-submissions", *ONE]
    return results.run({"hostile": attacks, "options": options}, has_bubblewrap=False)


@pytest.mark.parametrize("student", ["06-looks-for-hidden-tests", "27-calls-home", "29-reads-secrets"])
def test_the_attacks_are_real_where_there_is_no_sandbox(trusted, student):
    assert trusted.said(student, "LOOT")


def test_students_meet_in_tmp_where_there_is_no_sandbox(trusted):
    assert trusted.said("32a-shares-a-file", "LOOT") or trusted.said("32b-shares-a-file", "LOOT")


def test_the_gradebook_can_be_changed_where_there_is_no_sandbox(trusted):
    stored = trusted.facts["gradebook"].values()
    assert any(cell[2] == 100 for submission in stored for cell in submission["cells"].values())


@pytest.mark.parametrize(("kind", "words"), [("none", "--i-trust-the-submissions"), ("bubblewrap", "does not work")])
def test_without_a_sandbox_and_without_consent_nothing_is_graded(kind, words):
    result = results.run({"hostile": ["06-*"], "options": ["--sandbox", kind]}, has_bubblewrap=False)
    assert (result.facts["runs"][0]["code"], result.records) == (1, {})
    assert words in result.log
