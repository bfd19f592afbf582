"""A feedback page says what its student may know, and nothing in it runs, loads or leaves; nor in what is stored."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.server_extensions.formgrader import handlers
from nbgrader.utils import determine_grade
from payloads import ATTACHED, ATTACHMENTS, LIVE, MARKDOWN, TEXTS, outputs
from tiny_course import NB, PS
from traitlets.config import Config
from watched import watched

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.feedback.feedback import feedback
from coursekit.feedback.formulas import LONGEST_FORMULA, mathml
from coursekit.feedback.hidden import Secrets, secrets_of
from coursekit.feedback.markdown import markdown
from coursekit.feedback.sanitize import TAGS, safe_html
from coursekit.grading.harmless import as_text, disarm, harmless_output, is_harmless
from coursekit.grading.records import Records
from coursekit.release import release
from coursekit.release.markers import Marks

STUDENT = '"><img src=x onerror=alert(1)>'  # names of folders can be anything
HARMLESS = (
    "Addition *commutes*: $a < b$, and so on: 3 < 4 & 5 > 2.",
    "# A title\n\n- one\n- [ ] to do\n- [x] done\n  * below\n\n1. first\n2. second\n\n> said\n\n---",
    "| a | b |\n|:-:|--:|\n| 1 | 2 |\n",
    "```python\ndef f(x):\n    return '<b>'\n```\n\n```\nplain\n```\n\n    also code",
    "[a paper](https://example.org/a?b=c&d=e#f) <https://example.org> [here](#there)",
    "$$\n\\begin{aligned} a &= b \\\\ c &< d \\end{aligned}\n$$",
    'x<br>y <b>z</b> <sub>2</sub> ~~gone~~ `e<f` &lt;tag&gt; "quoted" — ü',
    "term\n: what it means\n\n<details><summary>more</summary>less</details>",
    "![a plot](attachment:plot.png)",
    "",
)
PLOT = {"plot.png": {"image/png": "aGVsbG8="}}


class Elements(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def assert_nothing_active(html: str, where: str = "") -> None:
    """Only known elements, no handler, and no address but of pictures in the page and of places to go."""
    found = Elements(html)
    assert set(found.tags) <= TAGS, where
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), where
        if name in ("src", "href", "action", "srcset", "xlink:href", "background", "poster", "data"):
            assert (tag, name) in (("img", "src"), ("a", "href")), where
            assert re.match(r"(data:image/|https?:|mailto:|#)", value, re.IGNORECASE), where
        if name == "style":
            assert not re.search(r"url|position|expression|[()@\\]", value), where


@pytest.mark.parametrize("name", MARKDOWN)
def test_markdown_that_attacks_its_reader_becomes_inert(name: str) -> None:
    assert_nothing_active(markdown(MARKDOWN[name], ATTACHMENTS), name)
    assert_nothing_active(safe_html(MARKDOWN[name]), name)


@given(st.text(alphabet="<>/='\"`&;:#!-[]()\\$ \n\tabsvgmithrefonlcujp0x", max_size=120))
@settings(max_examples=300, deadline=None)
def test_no_text_becomes_active_as_html_or_as_markdown(text: str) -> None:
    assert_nothing_active(safe_html(text))
    assert_nothing_active(markdown(text))
    assert safe_html(safe_html(text)) == safe_html(text)


@given(
    st.text(max_size=80),
    st.sampled_from(sorted(LIVE)),
    st.sampled_from(["{}{}", "{1}{0}", "# {}\n{}", "$ {} ${}", "`{}`{}"]),
)
@settings(max_examples=150, deadline=None)
def test_what_is_kept_as_harmless_is_inert_where_nothing_is_sanitised(text: str, name: str, form: str) -> None:
    source = form.format(text, LIVE[name])
    for candidate in (source, text, as_text(source)):
        if is_harmless(candidate):
            assert_nothing_active(re.sub(r"<input[^>]*>", "", markdown2html_mistune(candidate)))


@pytest.mark.parametrize("source", HARMLESS)
def test_written_answers_without_tricks_are_kept_as_they_are(source: str) -> None:
    assert is_harmless(source, PLOT)


@pytest.mark.parametrize("name", MARKDOWN)
def test_an_answer_kept_as_text_shows_every_letter_and_is_harmless(name: str) -> None:
    text = as_text(MARKDOWN[name])
    assert is_harmless(text)
    shown = "".join(Elements(markdown2html_mistune(text)).texts)
    assert shown.split() == MARKDOWN[name].split()


@pytest.mark.parametrize("name", sorted(set(LIVE) | {"link-javascript", "meta-refresh", "form", "dressed-up", "base"}))
def test_an_answer_that_attacks_its_reader_is_not_taken_for_harmless(name: str) -> None:
    assert not is_harmless(MARKDOWN[name])


def test_a_heading_cannot_pose_as_the_points_of_a_graded_cell() -> None:
    assert is_harmless("# test_double", None, {"essay"})
    assert not is_harmless("# test_double", None, {"test_double"})
    assert not is_harmless("# essay-comment", None, {"essay"})


@pytest.mark.parametrize("source", ["<!-- x -->", "<!--> x -->", "<?x?>", "<!DOCTYPE x>", "<![CDATA[x]]>"])
def test_what_parsers_may_read_in_two_ways_is_not_taken_for_harmless(source: str) -> None:
    assert not is_harmless(source)


def test_nothing_can_dress_up_as_a_part_of_the_page() -> None:
    shown = safe_html(MARKDOWN["dressed-up"] + "<p class='k panel score' id='top' name='top'>x</p>")
    assert Elements(shown).attributes == [("p", "class", "k")]


def formulas(root: Path) -> set[tuple[str, bool]]:
    """Every formula of the course's notebooks, and whether it stands by itself."""
    found = set()
    for path in [*root.glob("lectures/*.ipynb"), *root.glob("solutions/*/*.ipynb")]:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                text = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
                pairs = re.findall(r"\$\$(.+?)\$\$|(?<![$\\])\$(.+?)(?<![$\\])\$", text, re.DOTALL)
                found |= {(display or inline, bool(display)) for display, inline in pairs}
    return found


def test_every_formula_of_the_course_is_drawn_and_the_sanitizer_leaves_it_whole(root: Path) -> None:
    found = formulas(root)
    assert len(found) > 100
    for latex, display in found:
        drawn = mathml(latex, display=display)
        assert drawn.startswith("<math"), latex
        before, after = Elements(drawn), Elements(safe_html(drawn))
        assert (before.tags, before.texts) == (after.tags, after.texts), latex
        assert [item[:2] for item in before.attributes] == [item[:2] for item in after.attributes], latex


@given(st.text(alphabet="\\{}[]^_&$<>\"'fracsqtbegind leftghx12%#~", max_size=LONGEST_FORMULA + 20), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_formula_raises_or_becomes_active(latex: str, display: bool) -> None:
    assert_nothing_active(mathml(latex, display=display))


@pytest.mark.parametrize(
    "piece", ["{", "x^{", "\\sqrt", "\\frac", "\\left(", "\\hat", "\\text{", "\\begin{matrix}", "\\sqrt["]
)
def test_a_formula_nested_without_end_is_shown_as_its_source(piece: str) -> None:
    for count in (LONGEST_FORMULA // len(piece), 200_000):
        assert piece[:5] in mathml(piece * count, display=True)


@pytest.mark.parametrize("output", outputs(), ids=map(str, range(len(outputs()))))
def test_stored_outputs_hold_nothing_active(output: dict[str, Any]) -> None:
    found = harmless_output(nbformat.from_dict(output))
    data = found.get("data", {})
    assert set(data) <= {"text/plain", "text/html", "text/latex", "image/png", "image/jpeg", "image/svg+xml"}
    assert_nothing_active(data.get("text/html", ""))
    assert all(re.fullmatch(r"[\w+/=\s]*", data.get(kind, "")) for kind in ("image/png", "image/jpeg"))
    assert json.dumps(found.get("metadata", {})).count(":") == 0 or found.metadata.keys() <= {"image/png", "image/jpeg"}
    assert harmless_output(found) == found


def test_disarming_keeps_points_texts_and_answers_and_says_what_it_changed() -> None:
    graded = {"grade": True, "solution": False, "locked": True, "points": 3, "grade_id": "t", "schema_version": 3}
    answer = {"grade": True, "solution": True, "locked": False, "points": 2, "grade_id": "a", "schema_version": 3}
    result = new_output("execute_result", data={"text/plain": "1.5", "text/html": "<b>1.5</b>"}, execution_count=1)
    error = new_output("error", ename="E", evalue="v", traceback=["a", "b"])
    cells = [
        new_code_cell("t", metadata={"nbgrader": graded}, outputs=[result]),
        new_code_cell("t", metadata={"nbgrader": {**graded, "grade_id": "u"}}, outputs=[error]),
        new_markdown_cell("*fine*", metadata={"nbgrader": answer}),
        new_markdown_cell(LIVE["script"], metadata={"nbgrader": {**answer, "grade_id": "b"}}),
        new_markdown_cell("<div style='color:red'>the course's own</div>"),
    ]
    nb = nbformat.v4.new_notebook(cells=cells)
    before = [determine_grade(cell) for cell in cells[:2]]
    sources = [cell.source for cell in cells]
    (sentence,) = disarm(nb)
    assert "'b'" in sentence
    assert [determine_grade(cell) for cell in nb.cells[:2]] == before == [(1.5, 3), (0, 3)]
    assert [cell.source for cell in nb.cells] == [*sources[:3], as_text(LIVE["script"]), sources[4]]
    again = disarm(nb)
    assert again == []


@pytest.mark.parametrize(
    "shown",
    [
        "secret_input_of_double = 21",
        "['', 'def double(x):\\n    pass', 'secret_input_of_double = 21\\nassert ...']",
        "\x1b[31msecret_\x1b[0minput_of_double",
        "<b>the sec</b>ret of double",
        "the secret\n   of   double",
        "('the secret of double', 21)",
        "&#x74;he secret of double",
        "a secret about whole numbers",
    ],
)
def test_what_hidden_tests_say_is_recognised_in_many_forms(course: Course, shown: str) -> None:
    assert secrets_of_tiny(course).shown_in(shown)


@pytest.mark.parametrize(
    "shown", ["42", "assert double(1) == 2", "double(1) should be 2; did you square it?", "sum(range(10))", ""]
)
def test_what_students_have_anyway_is_no_secret(course: Course, shown: str) -> None:
    assert not secrets_of_tiny(course).shown_in(shown)


def secrets_of_tiny(course: Course) -> Secrets:
    """What the hidden tests of the tiny course say."""
    release.release(course, PS)
    released = notebooks.loads(release.release_bytes(course, PS)[NB])
    return secrets_of(release.graded_notebooks(course, PS)[NB], Marks.of(course.config), released)


Store = Callable[..., None]


@pytest.fixture
def store(course: Course) -> Store:
    """Puts a graded submission where `course grade` puts it: the notebook, the gradebook and the records."""
    release.release(course, PS)
    tests = release.graded_notebooks(course, PS)[NB]
    records = Records(course.records_file(PS))

    def put(student: str, change: Callable[[NotebookNode], None], *, text: str = "", hint: str = "") -> None:
        nb = notebooks.loads(notebooks.dumps(tests))
        change(nb)
        path = course.autograded(PS, student) / f"{NB}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(notebooks.dumps(nb))
        with course.gradebook() as book:
            book.update_or_create_student(student)
            book.update_or_create_submission(PS, student)
        cells = [
            {
                "grade_id": name,
                "score": 0.0,
                "max_score": notebooks.max_score(cell),
                "state": "raised",
                "reason": text,
                "hint": hint,
            }
            for name, cell in notebooks.by_id(tests).items()
            if notebooks.is_graded(cell)
        ]
        found = {"state": "graded", "reason": text, "next_step": text, "repairs": [], "seconds": 1.0, "cells": cells}
        record = {"assignment": PS, "student": student, "repairs": [text] if text else [], "notebooks": {NB: found}}
        records.add({**found, **record, "score": 0.0, "max_score": 12.0, "late_seconds": 0.0, "late_penalty": 0.0})
        records.finish(PS)

    return put


def page_of(course: Course, student: str) -> str:
    """The student's page, after `course feedback` has run."""
    found = {path.parent.parent.name: path for path in feedback(course, PS, progress=False)}
    return found[student].read_text(encoding="utf-8")


def attack(nb: NotebookNode) -> None:
    """Fill a graded notebook with everything that a hostile submission may put there."""
    cells = notebooks.by_id(nb)
    cells["essay"].source, cells["essay"]["attachments"] = ATTACHED, ATTACHMENTS
    cells["double"].outputs = [nbformat.from_dict(output) for output in outputs()]
    nb.metadata["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"x": "</script><script>window.ran=['w']</script>"}
    }
    nb.metadata["title"] = "</title><script>window.ran=['title']</script>"
    for name, text in MARKDOWN.items():
        extra = {
            "grade": True,
            "solution": True,
            "locked": False,
            "points": 1,
            "schema_version": 3,
            "grade_id": f'"><script>{name}',
        }
        nb.cells.append(new_markdown_cell(text, metadata={"nbgrader": extra, "tags": [f'"onload="{name}']}))
    raw = nbformat.v4.new_raw_cell(LIVE["script"], metadata={"raw_mimetype": "text/html"})
    lexer = new_code_cell(LIVE["script"], metadata={"magics_language": '"><script>1</script>'})
    nb.cells += [raw, lexer]


def test_one_page_that_cannot_be_made_stops_nobody_and_is_named(course: Course, store: Store) -> None:
    for student in ("anna", "bert", "cleo"):
        store(student, lambda nb: None)
    (course.autograded(PS, "bert") / f"{NB}.ipynb").write_text("no notebook")
    made = []
    with pytest.raises(CourseError, match="bert"):
        made += [path.parent.parent.name for path in feedback(course, PS, progress=False)]
    made = sorted(path.parent.parent.name for path in course.root.glob(f"feedback/*/{PS}/*.html"))
    assert made == ["anna", "cleo"]


def test_points_states_reasons_hints_and_repairs_of_every_exercise_are_told(course: Course, store: Store) -> None:
    store("anna", lambda nb: None, text="This was the reason.", hint="And that\nthe hint.")
    page = page_of(course, "anna")
    table = re.search(r'<table class="parts">.*?</table>', page, re.DOTALL)
    assert table is not None
    assert table[0].count("This was the reason.") == table[0].count("And that\nthe hint.") == 4
    assert re.findall(r"<td>([\d.]+ / [\d.]+)</td>", table[0]) == ["0 / 2", "0 / 3", "0 / 3", "0 / 4"]
    assert "<li>This was the reason.</li>" in page
    assert all(f'name="{anchor}"' in page for anchor in re.findall(r'<a href="#(\w+)"', table[0]))


def test_no_output_reason_or_hint_tells_what_hidden_tests_say(course: Course, store: Store) -> None:
    leak = "['secret_input_of_double = 21', 'the secret of double']"

    def tell(nb: NotebookNode) -> None:
        cells = notebooks.by_id(nb)
        cells["double"].outputs = [
            new_output("stream", name="stdout", text=leak),
            new_output("display_data", data={"text/html": "<i>the sec</i>ret of double", "text/plain": "x"}),
            new_output("error", ename="E", evalue=leak, traceback=[leak]),
        ]
        cells["test_double"].outputs = [
            new_output("stream", name="stdout", text="double was called with 9173"),
            new_output("error", ename="AssertionError", evalue="9173", traceback=["x == 9173"]),
        ]

    store("anna", tell, text=leak, hint=leak)
    page = page_of(course, "anna")
    repairs = re.sub(r"<h2>Put right.*?</ul>", "", page, flags=re.DOTALL)  # sentences of the grader itself
    for text in ("secret_input", "secret of double", "sec</i>ret", "9173", "HIDDEN"):
        assert text not in repairs.replace(repairs[: repairs.index("<table")], ""), text
    assert page.count("was removed") == 3
    assert "A hidden test of this exercise did not pass." in page


@pytest.mark.browser
def test_in_a_browser_nothing_of_a_hostile_submission_runs_or_leaves(
    chromium: str, course: Course, store: Store
) -> None:
    store(STUDENT, attack, text=" ".join(TEXTS), hint="\n".join(TEXTS))
    page = page_of(course, STUDENT)
    policy = re.search(r"<meta http-equiv=\"Content-Security-Policy\" content=\"(default-src 'none'[^\"]*)\">", page)
    assert policy is not None
    assert "script" not in policy[1]
    path = course.root / "page.html"
    with watched(chromium) as browser:
        for text in (page, page.replace(policy[0], "")):  # the policy is a second wall: the first one holds without it
            path.write_text(text, encoding="utf-8")
            browser.open(path)
            assert browser.ran() == []
            assert browser.page.url == path.as_uri()
            assert browser.page.locator("main .cell").count() > len(MARKDOWN)
            assert browser.page.locator("script, iframe, object, embed, form, input, style:not(head *)").count() == 0


def formgrader_page(nb: NotebookNode) -> str:
    """A notebook as nbgrader's formgrader shows it."""
    config = Config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    names = ("assignment_id", "notebook_id", "submission_id", "student", "last_name", "first_name", "notebook_path")
    resources: dict[str, Any] = {name: "x" for name in names} | {
        "index": 0,
        "total": 1,
        "base_url": "http://other.test",
    }
    html, _ = HTMLExporter(config=config).from_notebook_node(nb, resources)
    return str(html)


@pytest.mark.browser
def test_in_the_formgrader_nothing_of_what_is_stored_runs(chromium: str, course: Course) -> None:
    release.release(course, PS)
    nb = release.graded_notebooks(course, PS)[NB]
    cells = notebooks.by_id(nb)
    cells["double"].outputs = [nbformat.from_dict(output) for output in outputs()]
    essay = cells["essay"]
    for name, text in {**MARKDOWN, "attachments": ATTACHED}.items():
        cell = notebooks.loads(notebooks.dumps(nb)).cells[nb.cells.index(essay)]
        cell.source, cell.metadata["nbgrader"]["grade_id"], cell.id = text, f"essay-{name}", f"essay-{name}"
        cell["attachments"] = ATTACHMENTS if name == "attachments" else {}
        nb.cells.append(cell)
    armed = nbformat.v4.new_notebook(cells=[new_code_cell("x", outputs=[nbformat.from_dict(outputs()[0])])])
    assert disarm(nb)
    path = course.root / "page.html"
    with watched(chromium) as browser:
        path.write_text(formgrader_page(nb), encoding="utf-8")
        browser.open(path)
        assert browser.ran() == []
        assert browser.page.locator(".nbgrader_cell").count() > len(MARKDOWN)
        path.write_text(formgrader_page(armed), encoding="utf-8")
        browser.open(path)
        assert browser.ran() == ["script"]  # what the formgrader does with an output that was not disarmed


@pytest.mark.browser
def test_the_attacks_work_where_nothing_is_sanitised(chromium: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with watched(chromium) as browser:
        for name, text in LIVE.items():
            body = markdown2html_mistune(text)
            path.write_text(f"<!DOCTYPE html><meta charset='utf-8'><title>x</title>{body}", encoding="utf-8")
            browser.asked.clear()
            browser.page.goto(path.as_uri(), wait_until="load")
            for _ in range(20):
                if name in browser.ran():
                    break
                browser.page.wait_for_timeout(100)
            assert name in browser.ran(), name


@pytest.mark.browser
def test_formulas_are_drawn_without_a_script(chromium: str, course: Course, store: Store) -> None:
    def write(nb: NotebookNode) -> None:
        notebooks.by_id(nb)["essay"].source = "$$\\frac{\\mathbb{E}[x]}{\\sqrt{2}}$$ and $x_1$"

    store("anna", write)
    path = course.root / "page.html"
    path.write_text(page_of(course, "anna"), encoding="utf-8")
    with watched(chromium) as browser:
        browser.open(path)
        boxes = browser.page.locator("math").evaluate_all("all => all.map(m => m.getBoundingClientRect().height)")
        assert len(boxes) == 2
        assert boxes[0] > 1.5 * boxes[1] > 10
