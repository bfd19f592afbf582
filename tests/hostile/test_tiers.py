"""The rows that concern the sandbox, in every kind but the best one, in which test_faults.py grades all rows.

They are graded in one class for each kind, in the cage, beside healthy submissions.
"""

import fnmatch
import re

import answers
import broken_files
import cage
import pytest
import results
import tiers
from hostile_course import FULL, HEALTHY, HEALTHY_SCORES, LIMITS
from results import Result

from coursekit.sandbox import promises

PATTERNS = [pattern for row in tiers.ROWS for pattern in row.students]
STUDENTS = [
    name
    for name in (*answers.all_attacks(), *broken_files.HANDED_IN)
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in PATTERNS)
]
ATTACKS = [name for name in STUDENTS if name in answers.all_attacks()]
OTHERS = tiers.TIERS[1:]
_graded: dict[str, Result] = {}


@pytest.fixture(params=OTHERS)
def tier(request: pytest.FixtureRequest) -> str:
    """A kind of sandbox that this computer offers."""
    if request.param == "landlock" and (reason := why_no_landlock()):
        pytest.skip(reason)
    return request.param


def why_no_landlock() -> str:
    """A sentence; empty where Landlock is new enough. The system says so itself, so that nothing skips by a fault."""
    from coursekit.bridges import landlock

    found = landlock.version()
    return f"needs Landlock {landlock.NEEDED} (Linux 6.12), and has {found}" if found < landlock.NEEDED else ""


@pytest.fixture
def graded(tier: str) -> Result:
    """The class, graded in this kind of sandbox, once for all tests."""
    if tier not in _graded:
        _graded[tier] = results.run({"hostile": PATTERNS, "options": ["--sandbox", tier]})
    return _graded[tier]


def test_the_class_is_graded_in_the_tier_and_what_it_lacks_is_said(graded, tier):
    assert graded.facts["runs"][0]["code"] == 0, graded.log
    used = {notebook["sandbox"] for record in graded.records.values() for notebook in record["notebooks"].values()}
    assert used == {tier}
    assert promises.warning(tier) in graded.log
    assert bool(promises.warning(tier)) == (tier == "landlock")


def test_healthy_submissions_have_the_grades_that_they_deserve(graded):
    assert {student: graded.scores(student) for student in HEALTHY} == HEALTHY_SCORES


@pytest.mark.parametrize("student", STUDENTS)
def test_a_submission_loses_what_the_table_says(graded, tier, student):
    state, scores = tiers.expected(tier, student)
    record = graded.records[student]
    assert record["state"] != "failed", record["reason"]
    assert state in (None, record["state"]), record["reason"]
    if scores is None:
        assert all(points in (0, FULL[name]) for name, points in graded.scores(student).items())
    else:
        assert graded.scores(student) == scores, record["reason"]


@pytest.mark.parametrize("student", ATTACKS)
def test_an_attack_finds_nothing_but_what_the_table_says(graded, tier, student):
    allowed = tiers.LOOT.get(tier, {}).get(student, ())
    loot = [re.sub(r"^LOOT \d* ?", "", line) for line in graded.said(student, "LOOT")]
    assert [line for line in loot if not line.startswith(allowed or "\0")] == []
    assert bool(loot) == bool(allowed)


def test_a_student_whose_files_were_too_large_is_told(graded, tier):
    if tier == "landlock":
        assert "files took more than 50 MB" in graded.records["25-fills-the-disk"]["reason"]
    else:
        assert graded.said("25-fills-the-disk", "TRIED")


def test_the_instructors_machine_is_as_it_was(graded):
    facts = graded.facts
    assert (facts["lost"], facts["files"], facts["knocks"], facts["bystander"]) == ([], {}, [], None)
    assert (facts["survivors"], facts["left_in_tmp"]) == ([], [])


def test_processes_memory_and_disk_stay_bounded(graded, tier):
    """A guard sees too many processes a moment too late: then there may be three times as many."""
    peaks = graded.facts["peaks"]
    assert peaks["processes"] < 2 * ((3 if tier == "landlock" else 1) * LIMITS["processes"] + 30)
    assert peaks["disk_bytes"] < 900_000_000
    assert peaks["shared_bytes"] < 2 * (LIMITS["memory_bytes"] + LIMITS["disk_bytes"]) + 600_000_000


# The table


def test_the_table_of_the_documentation_is_what_is_expected_here():
    text = (cage.ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"(?:^\| row \|.*\n)(?:^\|.*\n)+", text, re.MULTILINE)
    assert found.splitlines() == tiers.table()


def test_every_row_has_somebody_who_tries_it_and_every_difference_is_in_the_table():
    for row in tiers.ROWS:
        assert all(fnmatch.filter(STUDENTS, pattern) for pattern in row.students), row
        assert set(row.less) <= set(OTHERS)
    for tier in tiers.TIERS:
        different = {*tiers.OTHERWISE[tier], *tiers.LOOT.get(tier, ())}
        for student in different - tiers.HARMLESS:
            rows = [row for row in tiers.ROWS if any(fnmatch.fnmatchcase(student, name) for name in row.students)]
            assert any(tier in row.less for row in rows), student


def test_what_landlock_lacks_is_in_the_documentation():
    text = " ".join((cage.ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8").split())
    for sentence in (*promises.NEEDED.values(), *promises.COMFORT.values()):
        assert sentence in text, sentence


def test_the_best_tier_is_tried_first():
    assert promises.KINDS[: len(tiers.TIERS)] == tiers.TIERS
