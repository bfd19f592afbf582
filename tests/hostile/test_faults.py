"""Every row of the list of faults that needs no cluster: the real thing is handed in beside healthy submissions.

One class is graded in the cage with all of them, and once more with the healthy ones alone. The numbers with which
names begin are rows; from 50 on they are attacks of the same kinds that the list does not have.
"""

import json
import re

import answers
import broken_files
import pytest
import results
from expected import DIED, EXPECTED, GRADED, HOLD_THEMSELVES_UP, TIMED_OUT, UNREADABLE
from hostile_course import FULL, HEALTHY, HEALTHY_SCORES, LIMITS, SECRET_ARGUMENT, SECRETS
from results import Result

LATER = "closed once verdicts are made outside the student's process"
EVERYBODY = [*answers.all_attacks(), *broken_files.HANDED_IN]


@pytest.fixture(scope="module")
def calm() -> Result:
    """The healthy students alone."""
    return results.run({})


@pytest.fixture(scope="module")
def class_() -> Result:
    """The same among everybody who is hostile."""
    return results.run({"hostile": ["*"], "feedback": True})


def reasons(result: Result, student: str) -> str:
    """All sentences about a submission that its student may read."""
    record = result.records[student]
    cells = result.cells(student).values() if record["notebooks"] else []
    texts = [record["reason"], record["next_step"], *record["repairs"]]
    for cell in cells:
        texts += [cell["reason"], cell["hint"]]
    for notebook in record["notebooks"].values():
        texts += [notebook["reason"], notebook["next_step"], *notebook["repairs"]]
    return "\n".join(texts)


# The batch


def test_healthy_submissions_alone_have_the_grades_that_they_deserve(calm):
    assert {student: calm.scores(student) for student in HEALTHY} == HEALTHY_SCORES
    assert all(calm.records[student]["state"] == GRADED for student in HEALTHY)


def test_among_hostile_submissions_the_healthy_ones_have_the_same_grades(calm, class_):
    for student in HEALTHY:
        assert class_.facts["gradebook"][student] == calm.facts["gradebook"][student]
        cells = [[{**cell, "seconds": 0} for cell in result.cells(student).values()] for result in (calm, class_)]
        assert cells[0] == cells[1]


def test_everybody_has_a_state_and_a_reason_where_points_are_missing(class_):
    assert set(class_.records) == set(class_.facts["gradebook"]) == {*HEALTHY, *EVERYBODY}
    for student, record in class_.records.items():
        assert record["state"] != "failed", (student, record["reason"])
        assert (record["state"] == GRADED) == (record["reason"] == ""), (student, record["state"], record["reason"])
        for cell in class_.cells(student).values():
            assert (cell["score"] == cell["max_score"]) == (cell["reason"] == ""), (student, cell)


@pytest.mark.parametrize("student", EXPECTED)
def test_a_submission_loses_what_it_should_and_nothing_else(class_, student):
    state, lost = EXPECTED[student]
    assert class_.scores(student) == {**FULL, **lost}, reasons(class_, student)
    assert state in (None, class_.records[student]["state"])


@pytest.mark.parametrize("student", HOLD_THEMSELVES_UP)
def test_who_holds_the_own_cells_up_loses_nothing_but_these(class_, student):
    scores, lost = class_.scores(student), HOLD_THEMSELVES_UP[student]
    assert {name: scores[name] for name in lost} == lost, reasons(class_, student)
    assert all(points in (0, FULL[name]) for name, points in scores.items())


@pytest.mark.parametrize("student", answers.all_attacks())
def test_an_attack_finds_nothing(class_, student):
    """In test_real_attacks.py the same attacks do find something, where there is no sandbox."""
    assert class_.said(student, "LOOT") == []


@pytest.mark.parametrize("student", ["06", "22c", "25", "27", "29", "32a", "32b", "46", "50", "53", "60", "61"])
def test_an_attack_did_run(class_, student):
    (name,) = [name for name in class_.notebooks if name.startswith(f"{student}-")]
    assert class_.said(name, "TRIED")


@pytest.mark.parametrize("student", EVERYBODY)
def test_nobody_has_more_points_than_there_are(class_, student):
    assert all(0 <= points <= FULL[name] for name, points in class_.scores(student).items())


# The instructor's machine


def test_nothing_that_the_instructor_has_was_touched(class_):
    assert (class_.facts["lost"], class_.facts["files"]) == ([], {})


def test_nobody_knocked_at_a_door_of_the_machine(class_):
    assert class_.facts["knocks"] == []


def test_nothing_outlives_the_grader(class_):
    assert class_.facts["survivors"] == []
    assert class_.facts["left_in_tmp"] == []
    assert class_.facts["bystander"] is None


def test_processes_memory_and_disk_stay_bounded(class_):
    """Two workers, each with one kernel of at most 64 processes; 45 MB of a submission are the most that is read."""
    peaks = class_.facts["peaks"]
    assert peaks["processes"] < 2 * (LIMITS["processes"] + 30)
    assert peaks["grader_bytes"] < 700_000_000
    assert peaks["disk_bytes"] < 600_000_000
    assert peaks["disk_files"] < 20_000
    assert peaks["shared_bytes"] < 2 * (LIMITS["memory_bytes"] + LIMITS["disk_bytes"]) + 600_000_000


def test_graded_notebooks_and_log_stay_small(class_):
    assert max(map(len, class_.notebooks.values())) < 12_000_000
    assert len(class_.log) < 1_000_000


def test_secrets_of_the_grader_are_in_nothing_that_comes_out(class_):
    texts = [*class_.notebooks.values(), json.dumps(list(class_.records.values()))]
    assert not any("canary-7f3a" in text for text in texts)


# Single rows


@pytest.mark.xfail(strict=False, reason=LATER)
@pytest.mark.parametrize(
    ("student", "cells"),
    [
        ("01-strips-assert", ["test_double"]),
        ("02-equals-everything", ["test_double", "test_norm"]),
        ("03-patches-the-testers", ["test_double", "test_norm"]),
    ],
)
def test_rows_1_to_3_the_tests_cannot_be_talked_round(class_, student, cells):
    assert [class_.scores(student)[cell] for cell in cells] == [0] * len(cells)


def test_row_4_the_gradebook_holds_what_the_verdicts_say_and_no_extra_points(class_):
    for student, record in class_.records.items():
        stored = class_.facts["gradebook"][student]
        assert stored["score"] == sum(cell["score"] or 0 for cell in class_.cells(student).values()), student
        assert all(not extra and manual is None for _, manual, extra, _ in stored["cells"].values())
        assert record["score"] <= 12


def test_row_5_one_writer_finishes_the_batch_in_spite_of_a_lock(class_):
    assert class_.facts["runs"][0]["seconds"] < 200


@pytest.mark.xfail(strict=False, reason=LATER)
@pytest.mark.parametrize("student", ["08-prints-hidden-source", "08b-prints-hidden-source-in-disguise"])
def test_row_8_the_hidden_source_is_not_in_the_process(class_, student):
    shown = class_.outputs(student)
    assert not any(secret in text for secret in SECRETS for text in (shown, shown[::-1]))


def test_rows_8_and_9_no_page_shows_a_word_of_a_hidden_test(class_):
    """Whoever disguises or keeps what the own process has seen is in the tests above."""
    cunning = {"08b-prints-hidden-source-in-disguise", "09b-prints-hidden-arguments-later"}
    assert set(class_.pages) == set(class_.records)
    for student in set(class_.pages) - cunning:
        assert not any(secret in class_.pages[student] for secret in (*SECRETS, SECRET_ARGUMENT)), student


@pytest.mark.xfail(strict=False, reason=LATER)
def test_row_9_arguments_of_hidden_tests_cannot_be_kept(class_):
    assert SECRET_ARGUMENT not in class_.outputs("09b-prints-hidden-arguments-later")


def test_row_9_what_is_printed_while_a_hidden_test_runs_is_dropped(class_):
    assert SECRET_ARGUMENT not in class_.outputs("09-prints-hidden-arguments")


def test_row_9_an_error_in_a_hidden_test_tells_nothing_of_it(class_):
    assert SECRET_ARGUMENT not in reasons(class_, "09c-raises-hidden-arguments")


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("07a-link-to-the-solution", "link"),
        ("07b-folder-is-a-link", "link"),
        ("07c-student-is-a-link", "link"),
        ("10a-test-cell-twice", "'test_norm' was there 2 times"),
        ("12-lacks-a-test", "'test_norm' was missing"),
        ("13-test-is-markdown", "'test_norm' had become a markdown cell"),
        ("14a-edited-a-test", "'test_norm' had been changed"),
        ("15a-corrupt", "broken"),
        ("15b-empty", "empty"),
        ("16-format-3", "format 3"),
        ("17-another-kernel", "kernel"),
        ("30-brings-its-own-library", "courselib.py"),
        ("18a-never-ends", "loop"),
        ("19a-slow-cell", "stopped after 3 s"),
        ("20a-exits", "Python ended"),
        ("20b-crashes", "Python ended|crash|segmentation"),
        ("22a-fork-bomb", "process|stopped after"),
        ("23a-asks-for-100-gb", "[Mm]emory"),
        ("23b-grows", "[Mm]emory"),
        ("23c-torch-grows", "[Mm]emory"),
        ("23d-many-processes-grow", "[Mm]emory|stopped after"),
        ("23e-shared-memory", "[Mm]emory|stopped after"),
        ("33-asks-for-input", "input"),
        ("35-asks-for-cuda", r"get_device\(\)"),
        ("76b-zip-holds-a-link", "link"),
        ("77a-zip-bomb", "large|MB"),
    ],
)
def test_the_student_is_told(class_, student, words):
    assert re.search(words, reasons(class_, student)), reasons(class_, student)


@pytest.mark.parametrize("student", [name for name, (state, _) in EXPECTED.items() if state == UNREADABLE])
def test_row_15_what_cannot_be_read_says_how_to_hand_in_again_and_waits_for_nobody(class_, student):
    assert "hand it in again" in class_.records[student]["next_step"]
    assert not class_.facts["gradebook"][student]["needs_manual_grade"]


def test_row_19_all_cells_together_have_a_limit_too(class_):
    """The four answers take 2.4 to 2.8 s each, the test of the third one 1.8 s more; the assignment allows 10 s."""
    scores = class_.scores("19b-slow-everywhere")
    assert [scores["test_double"], scores["test_norm"], scores["test_total"]] == [2, 3, 0]
    assert class_.records["19b-slow-everywhere"]["seconds"] < 20


def test_row_24_of_what_is_printed_little_is_kept_and_that_it_was_cut_is_said(class_):
    for student in ("24a-prints-10-gb", "24b-one-giant-line", "24c-endless-small-messages"):
        assert len(class_.notebooks[student]) < 12_000_000
    assert class_.scores("24a-prints-10-gb")["test_total"] == 3


def test_row_29_the_environment_holds_nothing_but_a_short_list(class_):
    (line,) = class_.said("29-reads-secrets", "NAMES")
    assert len(json.loads(line.removeprefix("NAMES ").replace("'", '"'))) < 40


def test_row_36_whoever_draws_draws_the_same_whenever_it_is_graded(class_):
    first, second = (class_.said(f"36{who}-draws", "DREW") for who in "ab")
    assert len(first) == 1
    assert first == second
    assert first[0].endswith(" 1")


def test_row_41_the_receipt_of_the_collector_counts_not_the_file_of_the_student(class_):
    """The receipts are of two days after the due date; the third one has none, and a file that says one day."""
    late = {student: class_.facts["gradebook"][student]["late"] / 86400 for student in class_.records}
    assert {student: days for student, days in late.items() if days} == {
        "41a-early-time-stamp": 2,
        "41b-time-stamp-of-nonsense": 2,
        "41c-time-stamp-alone": 1,
    }


@pytest.mark.parametrize(
    "student",
    [
        "51-replaces-stdout",
        "52-closes-its-sockets",
        "56-floods-the-report",
        "58-forges-its-reply",
        "62-hogs-the-processors",
        "68-breaks-the-reader-of-answers",
        "63-shuts-its-kernel-down",
        "64-breaks-its-interpreter",
        "96-slow-to-recognise",
        "20c-ends-everywhere",
        "22a-fork-bomb",
        "22b-shell-bomb",
    ],
)
def test_who_breaks_the_own_kernel_harms_nobody_and_is_graded_in_bounded_time(class_, student):
    assert class_.records[student]["state"] in (GRADED, TIMED_OUT, DIED)
    assert class_.records[student]["seconds"] < 30
