"""The class report says what the gradebook says, needs nothing from outside, and escapes what students wrote."""

import base64
import hashlib
import re
import statistics
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payloads import TEXTS
from watched import watched

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading.records import Records
from coursekit.pages import points
from coursekit.release import release
from coursekit.report import data as report_data
from coursekit.report import figures as report_figures
from coursekit.report import report
from coursekit.report.class_data import ClassReport, Mark, Row
from coursekit.report.frequent import Frequent, frequent_hints, frequent_repairs
from coursekit.report.questions import Question, plain
from coursekit.report.timing import LONGEST_PAUSE_SECONDS, CellTime, NotebookTime, Timing, per_minute, timing_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "</script></style><iframe src='https://example.org'>",
    "&lt;b&gt; & 'quotes' \"both\"",
    "\x1b[31mred\x1b[0m \u202eturned round\x07",
    "dollar $x^2 sign$",
)
SECONDS_LATE = 3 * 3600.0


class Page(HTMLParser):
    """Tags, attributes and text of a page, as a browser would read them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip("\n")

    def structure(self) -> list[tuple[str, ...]]:
        """Everything that a browser acts on: tags and the names of their attributes."""
        return [tuple(item[:2]) for item in self.attributes] + [(tag,) for tag in self.tags]

    def row_of(self, student: str) -> list[str]:
        """The cells of a student's row in the big table, which is the longest one that begins with the name."""
        return max((row for row in self.rows if row and row[0].startswith(student)), key=len, default=[])


def make_report(text: str) -> ClassReport:
    """A small report in which a student controls everything that a student can control."""
    question = Question("1", text, (("nb", "cell"),), 2.0)
    waiting = Question("2", "by hand", (("nb", "essay"),), 3.0)
    row = Row(
        student=text,
        name=text,
        state="graded",
        graded=True,
        reason=text,
        next_step=text,
        marks=(Mark(1.0, 2.0, note=text), Mark(None, 3.0, pending=True)),
        total=1.0,
        late_seconds=SECONDS_LATE,
        penalty=0.5,
        seconds=1.5,
        repairs=(text, text),
        about=text,
        feedback=((text, "feedback/x.html"),),
    )
    lost = Row(text, "", "unreadable", False, text, text, (Mark(None, 2.0), Mark(None, 3.0)), None, 0, 0, None, ())
    told = (Frequent(text, text, text, 2), Frequent(text, "", "", 1))
    return ClassReport(text, "2027-01-01", 5.0, (question, waiting), (row, lost), make_timing(text), told, told)


def make_timing(text: str) -> Timing:
    """How the grading ran when notebooks, cells and the sandbox have this name."""
    return Timing(
        notebooks=(NotebookTime(text, text, 2.5, 0.25), NotebookTime(text, text, 1.5, None)),
        cells=(CellTime(text, text, (1.0, 0.5), 1), CellTime("other", text, (0.25,), 0)),
        sandboxes=((text, 1), ("none", 1)),
        warm=1,
        cold=1,
        restarts=2,
        per_minute=30.0,
    )


def render(found: ClassReport) -> str:
    """The page without its plots, which are tested by themselves."""
    return report.render(found, [])


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=40, deadline=None)
def test_no_text_changes_the_structure_of_the_page(text: str) -> None:
    assert Page(render(make_report(plain(text) or "x"))).structure() == Page(render(make_report("x"))).structure()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(text: str) -> None:
    page = Page(render(make_report(plain(text))))
    assert page.structure() == Page(render(make_report("x"))).structure()
    assert page.texts.count(plain(text)) >= 5
    assert not any(name.startswith("on") for _, name, _ in page.attributes)


@given(st.text(st.characters(), max_size=2000), st.integers(5, 700))
@settings(max_examples=200, deadline=None)
def test_plain_text_is_printable_short_and_stays_what_it_is(text: str, longest: int) -> None:
    found = plain(text, longest)
    assert len(found) <= longest
    assert found.isprintable()
    assert found.encode("utf-8").decode("utf-8") == found
    assert plain(found, longest) == found


def test_the_page_needs_nothing_from_outside_and_runs_one_script_that_it_names() -> None:
    found = make_report("x")
    html = report.render(found, report.pictures_of(found))
    page = Page(html)
    addresses = [value for _, name, value in page.attributes if name in ("src", "href", "action", "srcset", "data")]
    assert len([address for address in addresses if address.startswith("data:image/svg+xml;base64,")]) == 3
    assert all(address.startswith(("data:image/", "feedback/")) for address in addresses)
    assert not re.search(r"@import|url\(", html)
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert page.tags.count("script") == len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and value.startswith("default-src"))
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_every_plot_says_in_words_what_it_shows() -> None:
    found = make_report("x")
    page = Page(report.render(found, report.pictures_of(found)))
    pictures = page.tags.count("img")
    texts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(texts) == pictures == 3
    assert all(re.search(r"\d", text) for text in texts)
    assert len(set(texts)) == 3


@given(st.lists(st.tuples(st.text(max_size=40), st.floats(0.01, 1e4)), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_a_plot_of_any_names_is_well_formed_and_shows_them(items: list[tuple[str, float]]) -> None:
    names = [plain(name) or "x" for name, _ in items]
    times = [NotebookTime(name, "nb", seconds, None) for name, (_, seconds) in zip(names, items, strict=True)]
    picture = report_figures.times(times)
    tree = ElementTree.fromstring(base64.b64decode(picture.source.split(",", 1)[1]))
    shown = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert all(name in " ".join(filter(None, shown)) for name in names if len(name) <= 32)
    assert f"{max(seconds for _, seconds in items):.1f}" in picture.description


@pytest.mark.parametrize("count", [0, 1, 2, 30, 31, 500])
def test_plots_take_classes_of_every_size(count: int) -> None:
    scores = [float(i % 7) for i in range(count)]
    names = [f"student {i}" for i in range(count)]
    assert report_figures.scores(scores, 6.0).source.startswith("data:")
    times = [NotebookTime(name, "nb", 1.0 + i, 0.5) for i, name in enumerate(names)]
    assert report_figures.times(times).source.startswith("data:")
    counts = [{"full": count // 2, "zero": count - count // 2}] * 3
    assert report_figures.questions(["a", "b", "c"], counts, [0.5, None, 1.0]).source.startswith("data:")
    assert (f"{count} submission" in report_figures.scores(scores, 6.0).description) == (count > 0)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=12))
@settings(max_examples=10, deadline=None)
def test_the_hardest_question_is_the_one_with_the_smallest_share(shares: list[float | None]) -> None:
    labels = [f"question-{chr(97 + i)}" for i in range(len(shares))]
    said = report_figures.questions(labels, [{"low": 3}] * len(shares), shares).description
    known = {label: share for label, share in zip(labels, shares, strict=True) if share is not None}
    if not known:
        assert "Hardest" not in said
    else:
        hardest = re.search(r"Hardest: (question-\w)", said)
        assert hardest is not None
        assert known[hardest[1]] == min(known.values())


@given(st.floats(0, 4, allow_subnormal=False), st.sampled_from([1.0, 2.0, 4.0]))
def test_better_marks_never_have_a_worse_colour(score: float, maximum: float) -> None:
    order = ["zero", "low", "middle", "high", "full"]
    score = min(score, maximum)
    level = order.index(Mark(score, maximum).level)
    assert level >= order.index(Mark(score / 2, maximum).level)
    assert (level == 4) == (score == maximum)
    assert (level == 0) == (score == 0)


@pytest.fixture
def graded(course: Course) -> Course:
    """The tiny course with six students whose grades were put into the gradebook here, and one who was never graded."""
    name = course.assignments()[0]
    release.release(course, name)
    notebook = next(iter(release.graded_notebooks(course, name)))
    records = Records(course.records_file(name))
    with course.gradebook() as gradebook:
        due = gradebook.find_assignment(name).duedate
        cells = [cell.name for cell in gradebook.find_notebook(notebook, name).grade_cells]
        for index in range(6):
            student = f"student-{index}"
            gradebook.update_or_create_student(student, first_name=HOSTILE[0])
            late = timedelta(seconds=SECONDS_LATE if index == 3 else -60.0)
            gradebook.update_or_create_submission(name, student, timestamp=due + late)
            for place, cell in enumerate(cells):
                grade = gradebook.find_grade(cell, notebook, name, student)
                by_hand = grade.cell.cell_type == "markdown"
                grade.auto_score = None if by_hand else float((index + place) % 3)
                grade.manual_score = 2.5 if by_hand and index % 2 else None
                grade.needs_manual_grade = by_hand and not index % 2
            if index == 2:
                gradebook.find_submission_notebook(notebook, name, student).late_submission_penalty = 1.0
            gradebook.db.commit()
            records.by_student[student] = make_record(name, student, notebook, cells, broken=index == 4)
    records.finish(name)
    course.submitted(name, "waiting").mkdir(parents=True)
    page = course.feedback(name, "student-1") / f"{notebook} & more #1.html"
    page.parent.mkdir(parents=True)
    page.write_text("feedback")
    return course


def make_record(name: str, student: str, notebook: str, cells: list[str], *, broken: bool) -> dict[str, Any]:
    """A record as the grading keeps it."""
    return {
        "assignment": name,
        "student": student,
        "state": "unreadable" if broken else "graded",
        "reason": "The file is empty." if broken else "",
        "next_step": "Hand it in again." if broken else "",
        "repairs": [HOSTILE[1]],
        "seconds": 2.0,
        "notebooks": {notebook: {"cells": [{"grade_id": cell, "reason": HOSTILE[3]} for cell in cells]}},
    }


def run_record(student: str, *, moment: float | None = None, hints: dict[str, str] | None = None, **part: Any) -> Any:
    """A record of one notebook with one test cell for each hint; what `part` does not say is not in it."""
    cells = [{"grade_id": name, "score": 0.0, "reason": "", "hint": hint} for name, hint in (hints or {}).items()]
    record = {"student": student, "repairs": [], "notebooks": {"nb": {"cells": cells, **part}}}
    return record if moment is None else {**record, "graded_at": moment}


@given(st.lists(st.integers(0, 10**6), max_size=40), st.floats(1, 60))
@settings(max_examples=100, deadline=None)
def test_speed_is_that_of_the_last_run_only(earlier: list[int], pause: float) -> None:
    start = 2e6 + LONGEST_PAUSE_SECONDS
    run = [start + pause * index for index in range(10)]
    assert per_minute([*map(float, earlier), *run]) == pytest.approx(60 / pause)


def test_speed_of_fewer_than_three_submissions_is_not_known() -> None:
    assert per_minute([]) is per_minute([1.0, 2.0]) is per_minute([5.0, 5.0, 5.0]) is None


def test_times_kinds_of_sandbox_and_restarts_are_those_of_the_records() -> None:
    events = [
        {"cell": "a", "state": "ran", "reason": "", "seconds": 1.0},
        {"cell": "b", "state": "timed out", "reason": "", "seconds": 3.0},
        {"cell": "c", "state": "not run", "reason": "", "seconds": 0.0},
    ]
    full = {"seconds": 5.0, "overhead_seconds": 0.5, "sandbox": "bubblewrap", "warm": True, "restarts": 2}
    records = [
        run_record("x", moment=1.0, events=events, **full),
        run_record("y", moment=4.0, events=events[:1], **{**full, "sandbox": "none", "warm": False, "restarts": 0}),
        run_record("z", moment=7.0, seconds=2.0),  # as older versions wrote them
        {"student": "nobody", "repairs": []},
    ]
    found = timing_of(records)
    assert (found.total, found.median, found.overhead) == (12.0, 5.0, 0.5)
    assert (found.warm, found.cold, found.restarts, found.trusted) == (1, 1, 2, 1)
    assert dict(found.sandboxes) == {"bubblewrap": 1, "none": 1, "not recorded": 1}
    assert found.per_minute == pytest.approx(20.0)
    cells = {cell.cell: cell for cell in found.cells}
    assert {name: (cell.seconds, cell.stopped) for name, cell in cells.items()} == {
        "a": ((1.0, 1.0), 0),
        "b": ((3.0,), 1),
    }


@given(st.dictionaries(st.integers(0, 30), st.integers(0, 3), min_size=1, max_size=31))
@settings(max_examples=60, deadline=None)
def test_hints_that_differ_only_in_numbers_are_counted_together_and_the_most_frequent_stands_first(
    chosen: dict[int, int],
) -> None:
    words = ("the sum is {}", "the mean is {}", "did you square {}?", "")
    questions = [Question("1", "sums", (("nb", "t"),), 2.0)]
    records = [run_record(f"s{i}", hints={"t": words[kind].format(i / 7)}) for i, kind in chosen.items()]
    found = frequent_hints(records, questions)
    counts = [sum(kind == k for kind in chosen.values()) for k in range(3)]
    assert sorted((item.students for item in found), reverse=True) == [item.students for item in found]
    assert sorted(item.students for item in found) == sorted(count for count in counts if count)
    assert all(item.label == "1" for item in found)


def test_waiting_answers_give_no_hints_and_repairs_are_counted_by_student() -> None:
    record = run_record("x", hints={"t": "A person grades this answer."})
    record["notebooks"]["nb"]["cells"][0]["score"] = None
    record["repairs"] = ["The cell 'a' was there 2 times.", "The cell 'a' was there 3 times."]
    assert frequent_hints([record], [Question("1", "sums", (("nb", "t"),), 2.0)]) == ()
    (repair,) = frequent_repairs([record])
    assert repair.students == 1


def test_a_class_without_a_sandbox_is_said_to_have_had_none() -> None:
    trusted, safe = make_report("x"), make_report("x")
    safe = replace(safe, timing=replace(safe.timing, sandboxes=(("bubblewrap", 2),)))
    assert "ran without a sandbox" in render(trusted)
    assert "ran without a sandbox" not in render(safe)


def collect(course: Course) -> ClassReport:
    """The report of the only assignment."""
    return report_data.collect(course, course.assignments()[0], course.root)


def submissions(course: Course) -> Iterator[Any]:
    """nbgrader's own view of every submission."""
    with course.gradebook() as gradebook:
        yield from gradebook.assignment_submissions(course.assignments()[0])


def test_points_lateness_and_manual_work_are_those_of_the_gradebook(graded: Course) -> None:
    rows = {row.student: row for row in collect(graded).rows}
    checked = 0
    for submission in submissions(graded):
        row = rows[submission.student_id]
        assert row.total == pytest.approx(submission.score - submission.late_submission_penalty)
        assert row.penalty == submission.late_submission_penalty
        assert row.late_seconds == submission.total_seconds_late
        assert (row.pending > 0) == submission.needs_manual_grade
        assert sum(mark.score or 0.0 for mark in row.marks) == pytest.approx(submission.score)
        checked += 1
    assert checked == 6


def test_the_summary_is_that_of_the_scores(graded: Course) -> None:
    found = collect(graded)
    totals = [max(0.0, part.score - part.late_submission_penalty) for part in submissions(graded)]
    assert found.mean == pytest.approx(statistics.fmean(totals))
    assert found.median == pytest.approx(statistics.median(totals))
    assert sorted(found.totals) == pytest.approx(sorted(totals))
    page = Page(render(found))
    assert points(found.mean) in page.texts
    assert str(len(found.rows)) in page.texts


def test_questions_hold_every_graded_cell_once_and_all_the_points(graded: Course) -> None:
    name, found = graded.assignments()[0], collect(graded)
    keys = [key for question in found.questions for key in question.cells]
    with graded.gradebook() as gradebook:
        assignment = gradebook.find_assignment(name)
        known = {(nb.name, cell.name) for nb in assignment.notebooks for cell in nb.grade_cells}
        assert found.max_score == assignment.max_score
    assert len(keys) == len(set(keys))
    assert set(keys) == known
    assert len({question.label for question in found.questions}) == len(found.questions)


def test_who_was_not_graded_is_named_with_a_reason_and_a_next_step(graded: Course) -> None:
    found = collect(graded)
    assert [row.student for row in found.ungraded] == ["student-4", "waiting"]
    assert all(row.reason and row.next_step for row in found.ungraded)
    page = Page(render(found))
    assert "The file is empty." in page.texts
    assert page.texts.count("waiting") == 2  # among what needs attention, and in the table


def test_late_students_and_only_they_are_marked(graded: Course) -> None:
    page = Page(render(collect(graded)))
    for index in range(6):
        assert ("late, 3 h" in page.row_of(f"student-{index}")) == (index == 3)


def test_links_to_feedback_lead_from_the_page_to_the_file(graded: Course, tmp_path: Path) -> None:
    from urllib.parse import unquote

    target = report.write_report(graded, graded.assignments()[0], tmp_path / "some where" / "report.html")
    links = [value for tag, name, value in Page(target.read_text()).attributes if (tag, name) == ("a", "href")]
    assert len(links) == 1
    assert (target.parent / unquote(links[0])).read_text() == "feedback"


def test_reading_a_class_leaves_gradebook_and_records_alone(graded: Course, tmp_path: Path) -> None:
    name = graded.assignments()[0]
    files = [graded.root / "gradebook.db", graded.records_file(name)]
    before = [hashlib.sha256(file.read_bytes()).digest() for file in files]
    report.write_report(graded, name, tmp_path / "report.html")
    assert [hashlib.sha256(file.read_bytes()).digest() for file in files] == before


def test_a_class_without_submissions_has_a_page(course: Course, tmp_path: Path) -> None:
    name = course.assignments()[0]
    release.release(course, name)
    page = Page(report.write_report(course, name, tmp_path / "report.html").read_text())
    assert any("Nobody has handed anything in" in text for text in page.texts)


def test_an_assignment_that_was_never_released_is_refused(course: Course, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="course release"):
        report.write_report(course, course.assignments()[0], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_five_hundred_students_have_a_row_each(graded: Course) -> None:
    found = collect(graded)
    rows = tuple(replace(found.rows[0], student=f"n{index:03d}") for index in range(500))
    page = Page(render(replace(found, rows=rows)))
    assert sum(row[0].startswith("n") and len(row) > 5 for row in page.rows if row) >= 500
    assert datetime.now().strftime("%Y") in found.made


@pytest.mark.browser
def test_in_a_browser_nothing_of_what_students_wrote_runs_or_leaves(chromium: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with watched(chromium) as browser:
        for text in TEXTS:
            found = make_report(plain(text))
            page = report.render(found, report.pictures_of(found))
            policy = re.search(r"<meta http-equiv[^>]*>", page)
            assert policy is not None
            for html in (page, page.replace(policy[0], "")):  # the policy is a second wall: escaping holds without it
                path.write_text(html, encoding="utf-8")
                browser.open(path, 100)
                assert browser.ran() == []
                assert browser.page.locator("script, iframe, object, form, svg").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [420, 700, 1280, 1920])
def test_cards_keep_their_words_on_one_line_and_nothing_is_wider_than_the_window(
    chromium: str, tmp_path: Path, width: int
) -> None:
    found = make_report("x")
    row = replace(found.rows[0], student="a-student-with-a-long-name", total=1234.25)
    path = tmp_path / "report.html"
    rows = tuple(replace(row, student=f"{row.student}-{index}") for index in range(500))
    full = replace(found, max_score=7500.0, rows=rows)
    path.write_text(report.render(full, report.pictures_of(full)), encoding="utf-8")
    with watched(chromium) as browser:
        browser.page.set_viewport_size({"width": width, "height": 800})
        browser.page.goto(path.as_uri())
        lines = browser.page.locator(".tiles dt, .tiles dd:not(.words)").evaluate_all(
            "all => all.map(e => e.getClientRects().length * Math.round(e.offsetHeight / parseFloat("
            "getComputedStyle(e).lineHeight)))"
        )
        assert set(lines) == {1}
        assert browser.page.evaluate("() => document.documentElement.scrollWidth") <= width
        browser.page.locator(".filter input").fill("name-499")
        assert browser.page.locator("table.sortable tbody tr:visible").count() == 1


@pytest.mark.browser
def test_pressing_a_heading_sorts_the_table(chromium: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    base = make_report("x")
    totals = [3.0, None, 10.0, 9.5, 0.0]
    rows = tuple(replace(base.rows[0], student=f"s{i}", total=total) for i, total in enumerate(totals))
    path = tmp_path / "report.html"
    path.write_text(render(replace(base, rows=rows)), encoding="utf-8")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        heading = page.locator("table.sortable thead th").nth(1).locator("[role=button]")

        def order() -> list[str]:
            return [
                text.split()[0] for text in page.locator("table.sortable tbody th bdi:first-child").all_inner_texts()
            ]

        heading.click()
        assert order() == ["s4", "s0", "s3", "s2", "s1"]
        heading.press("Enter")
        assert order() == ["s2", "s3", "s0", "s4", "s1"]
        browser.close()
    assert errors == []
