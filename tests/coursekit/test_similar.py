"""Similar submissions: what a disguise does not change, what does not count, who is listed, and what the page shows."""

import ast
import os
import random
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_course import NB, PS, Class

from coursekit import cli
from coursekit.similar import fingerprints
from coursekit.similar.corpus import MAX_TOKENS, Answer, Submission, make_corpus
from coursekit.similar.page import overview, render, shown_pairs
from coursekit.similar.pairs import LEAST, Comparison, compare
from coursekit.similar.passages import SHOWN, side_by_side, visible
from coursekit.similar.tokens import MAX_CHARACTERS, tokens, words

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))  # the simulated classes, which benchmarks/similar.py measures at length

from similar_class import Cells, Questions, copied, simulated, submissions  # noqa: E402
from similar_rewriting import DISGUISES  # noqa: E402

WHOLE = (1.0,)


@pytest.fixture(scope="module", params=["ps2", "ps4"])
def questions(request: pytest.FixtureRequest) -> Questions:
    return Questions(request.param)


def texts(questions: Questions) -> list[str]:
    """Everything that is written down as an answer, laid out by ast.unparse."""
    found = [*questions.solution.values(), *(text for others in questions.others.values() for text in others)]
    return [ast.unparse(ast.parse(text)) for text in found]


def compared(cells: list[Cells], questions: Questions) -> Comparison:
    return compare(make_corpus(submissions(cells), questions.release))


def kinds(text: str) -> list[str]:
    return [token.text for token in tokens(text)]


# Tokens


@pytest.mark.parametrize("disguise", ["names", "layout and comments", "type hints"])
def test_tokens_are_invariant_under_the_disguise(questions: Questions, disguise: str) -> None:
    for text in texts(questions):
        assert kinds(DISGUISES[disguise](text, random.Random(1))) == kinds(text)


def test_tokens_keep_what_the_student_did_not_name_and_nothing_else() -> None:
    one = '''
class A:
    """Text."""
    def go(self, n: int = 1) -> int:
        self.k = torch.exp(n)
        return self.k.sum(1.0,)
'''
    two = """
class B:
  def run(self, count=1.):  # other
    self.size: float = t.exp(
      count)
    return self.size.sum(1)"""
    assert kinds(one) == kinds(two)
    assert kinds("torch.exp(x)") != kinds("torch.log(x)")
    assert kinds("x + 1") != kinds("x - 1")
    assert kinds("x + 1") != kinds("x + 2")
    assert kinds("sorted(x)") != kinds("reversed(x)")


@given(st.text(alphabet=st.one_of(st.sampled_from("\"'\\\n(:)[]{}=,.>-#* ab1\tf"), st.characters()), max_size=80))
@settings(max_examples=400, deadline=None)
def test_any_text_has_tokens_that_stand_in_it_one_after_another(text: str) -> None:
    place = 0
    for token in tokens(text):
        assert place <= token.start < token.end <= len(text)
        place = token.end
    assert [token.text for token in words(text)] == [text[t.start : t.end].casefold() for t in words(text)]


HOSTILE_PARTS = (
    '"%',
    "0",
    '"',
    "\\N{",
    " \n",
    "'''a",
    'f"{',
    "def f(a:",
    "x:[",
    ")->",
    "1e-",
    "(",
    '"\\',
    "\x00\xff",
    ".9",
    "@a.",
)


@pytest.mark.parametrize("part", HOSTILE_PARTS, ids=range(len(HOSTILE_PARTS)))
def test_hostile_text_is_cut_and_looked_at_once(part: str) -> None:
    """Pygments takes over a minute for '"%000...' of half this length."""
    long = '"%' + part * (10_000_000 // len(part))
    found = tokens(long[2:] if part != "0" else long)
    assert len(found) <= MAX_CHARACTERS
    assert all(token.end <= MAX_CHARACTERS for token in found)


# Fingerprints and pairs


def test_fingerprints_are_the_same_in_every_process() -> None:
    assert fingerprints.hashes(list("abcdefgh")).tolist() == [11413440403276987397]


@given(st.lists(st.sampled_from("abc"), max_size=60), st.lists(st.sampled_from("abc"), max_size=30), st.data())
@settings(max_examples=200, deadline=None)
def test_winnowing_finds_every_common_run_of_the_guaranteed_length(
    one: list[str], run: list[str], data: st.DataObject
) -> None:
    """Schleimer et al. (2003), section 3: what is LENGTH + WINDOW - 1 tokens long has a chosen fingerprint."""
    run += list("abcabcabca")[: max(0, fingerprints.LENGTH + fingerprints.WINDOW - 1 - len(run))]
    two = data.draw(st.lists(st.sampled_from("abc"), max_size=60))
    kept = []
    for before in (one, two):
        found = fingerprints.hashes([*before, *run, *reversed(before)])
        kept.append(set(found[fingerprints.chosen(found)].tolist()))
    assert kept[0] & kept[1]


def test_an_answer_that_is_shorter_than_a_window_still_has_a_fingerprint() -> None:
    for n in range(1, 2 * fingerprints.WINDOW):
        found = fingerprints.hashes([str(i) for i in range(n + fingerprints.LENGTH - 1)])
        assert len(found) == n
        assert fingerprints.chosen(found).any()


def test_the_command_line_lists_from_the_measured_strength_on() -> None:
    assert cli.build_parser().parse_args(["similar", "ps4"]).least == LEAST


def test_rarity_falls_from_one_to_nothing() -> None:
    for n in (2, 3, 5, 13, 500):
        weight = fingerprints.rarity(np.arange(1, n + 1), n)
        assert (weight[:2] == 1).all()
        assert (np.diff(weight) <= 0).all()
        assert (weight[np.arange(1, n + 1) >= max(n / 3, 4)] == 0).all()


def test_strengths_are_symmetric_and_do_not_depend_on_the_order_of_submissions(questions: Questions) -> None:
    cells, _ = simulated(questions, 15, 3, parts=WHOLE)
    strengths = compared(cells, questions).strengths()
    assert (strengths == strengths.T).all()
    assert (strengths >= 0).all()
    assert (strengths < 1).all()
    order = np.random.default_rng(0).permutation(len(cells))
    assert np.allclose(compared([cells[i] for i in order], questions).strengths(), strengths[np.ix_(order, order)])


def test_renaming_comments_and_hints_do_not_change_any_strength(questions: Questions) -> None:
    cells, copies = simulated(questions, 15, 4, parts=WHOLE)
    alone = next(copy for copy in copies if copy.disguise == "layout and comments")
    found = []
    for disguise in ("layout and comments", "names", "type hints"):
        one = list(cells)
        one[alone.copy] = copied(cells[alone.original], cells[alone.original], disguise, 1.0, random.Random(1))
        one[alone.original] = {key: ast.unparse(ast.parse(text)) for key, text in cells[alone.original].items()}
        found.append(compared(one, questions).strengths())
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_the_untouched_release_has_nothing_in_common_with_anybody(questions: Questions) -> None:
    cells, _ = simulated(questions, 8, 5, parts=())
    blank = {str(i): answer for i, answer in enumerate(questions.release)}
    people = [*submissions(cells), Submission("one", blank), Submission("two", blank)]
    comparison = compare(make_corpus(people, questions.release))
    assert (comparison.strengths()[-2:] == 0).all()
    assert (comparison.own[-2:] == 0).all()
    assert (comparison.own[:-2] > 0).all()


def test_strength_grows_with_the_part_that_is_copied(questions: Questions) -> None:
    rng = random.Random(6)
    cells = [questions.honest(rng) for _ in range(12)]
    own = questions.honest(rng)
    found = []
    for n in (0, 1, 3, 5, 7, 9, len(own)):
        mixed = {key: cells[0][key] if place < n else text for place, (key, text) in enumerate(own.items())}
        found.append(compared([*cells, mixed], questions).strengths()[0, -1])
    assert found[0] < 0.3 < LEAST < 0.7 < found[-1]
    assert (np.diff(found) > -0.02).all(), "what is copied later may be common in the class, but only by a little"


def test_copies_are_listed_and_people_who_work_alone_are_not(questions: Questions) -> None:
    """Seeded, so the same in every run: 1560 honest pairs and 18 copies for each problem set; figures of larger samples
    come from benchmarks/similar.py."""
    honest, found = [], {}
    for seed in (0, 1):
        cells, copies = simulated(questions, 40, seed, parts=WHOLE)
        strengths = compared(cells, questions).strengths()
        honest.append(strengths[:40, :40][np.triu_indices(40, 1)])
        for copy in copies:
            found.setdefault(copy.disguise, []).append(strengths[copy.original, copy.copy])
    assert np.mean(np.concatenate(honest) >= LEAST) <= 1e-3
    rewritten = found.pop("all of these") + found.pop("a fifth of the expressions")
    assert min(min(values) for values in found.values()) >= LEAST, "names, layout, order, hints and loops hide nothing"
    assert np.mean(np.array(rewritten) >= LEAST) >= 0.8


def test_what_a_third_of_the_class_writes_alike_does_not_count(questions: Questions) -> None:
    rng = random.Random(7)
    alone = [questions.honest(rng) for _ in range(8)]
    assert compared([questions.solution] * 4 + alone, questions).strengths()[0, 1] == 0
    assert compared([questions.solution] * 2 + alone, questions).strengths()[0, 1] > 0.6


def test_what_was_found_elsewhere_is_compared_with_the_class_only(questions: Questions) -> None:
    rng = random.Random(8)
    people = submissions([questions.honest(rng) for _ in range(8)])
    outside = [Submission(f"web {i}", people[0].answers, in_class=False) for i in (1, 2)]
    comparison = compare(make_corpus([*people, *outside], questions.release))
    strengths = comparison.strengths()
    assert strengths[0, -1] > LEAST
    assert strengths[-1, -2] == 0
    assert len(comparison.of_class()) == 28
    assert {pair.first for pair in comparison.strongest(10)} == {0}


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_class_of_next_to_nobody_is_compared_all_the_same(n: int) -> None:
    comparison = compare(make_corpus([Submission(str(i), {"a": Answer("x = y")}) for i in range(n)], []))
    assert comparison.strengths().shape == (n, n)
    assert "No pair stands out" in render("ps", [], overview(comparison, 0), {})


def test_a_long_submission_is_cut_and_named() -> None:
    long = Submission("long", {"a": Answer("x = f(y)\n" * MAX_TOKENS), "b": Answer("z = 1")})
    short = Submission("short", {"a": Answer("x = f(y)")})
    corpus = make_corpus([long, short], [])
    assert corpus.cut == ("long",)
    assert corpus.places[1] == MAX_TOKENS


# The page

COPIED = """def double(x):
    total = 0
    for step in range(2):
        total = total + math.floor(x) * (step + 1) ** 2 - math.ceil(x) / 3
    return max(total, 2 * x, key=lambda value: abs(value - 2 * x))
"""
OTHER = "def double(x):\n    return sum(itertools.chain([x], (x for _ in 'a'))) if x else 0 * len(str(x))\n"
HOSTILE = "<script>alert(1)</script></pre></mark><img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e"


class Page(HTMLParser):
    """Tags, attributes and text of a page, as a browser would read them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.structure: list[tuple[str, ...]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.structure.append((tag, *(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(name: str, comment: str, cell: str = "cell") -> str:
    people = [Submission(f"{name}{i}", {cell: Answer(f"{COPIED}# {comment}")}) for i in (1, 2)]
    comparison = compare(make_corpus([*people, Submission("other", {cell: Answer(OTHER)})], []))
    pairs = shown_pairs(comparison, comparison.strongest(5))
    assert len(pairs) == 1
    return render("ps", pairs, overview(comparison, 1), {name: comment})


def test_nothing_that_a_student_wrote_becomes_part_of_the_page() -> None:
    harmless, hostile = Page(page_of("ada", "plain")), Page(page_of(HOSTILE, HOSTILE, HOSTILE))
    assert harmless.structure == hostile.structure
    tags = {tag for tag, *_ in hostile.structure}
    assert not tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert not any(name.startswith("on") for _, *names in hostile.structure for name in names)
    assert "alert(1)" in hostile.text
    assert "49" not in hostile.text
    assert "\u202e" not in hostile.text


def test_the_page_allows_no_script_and_begins_by_saying_what_it_is_not() -> None:
    html = page_of("ada", "plain")
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert "script-src" not in html
    assert html.index("a hint where to look and never a verdict") < html.index("Summary")


def test_passages_hold_the_whole_text_and_have_the_same_numbers_on_both_sides(questions: Questions) -> None:
    cells, _ = simulated(questions, 12, 9, parts=(0.5,))
    comparison = compared(cells, questions)
    for pair in comparison.strongest(10, 0.2):
        for place, index in ((0, pair.first), (1, pair.second)):
            for both in side_by_side(comparison.corpus, pair):
                text = "".join(piece.text for piece in both.sides[place].pieces)
                assert text == visible(cells[index][both.question])
        numbers = [
            {
                n
                for both in side_by_side(comparison.corpus, pair)
                for piece in both.sides[place].pieces
                for n in piece.numbers
            }
            for place in (0, 1)
        ]
        assert numbers[0] >= numbers[1] != set()
    assert len(comparison.strongest(10, 0.2)) > 1


def test_the_text_of_a_copy_is_marked_and_that_of_others_is_not() -> None:
    tail = "\nanswer = [itertools.count(start) for start in 'quite another thing'.split(maxsplit=3)]\n"
    people = [Submission("a", {"c": Answer(COPIED)}), Submission("b", {"c": Answer(COPIED + tail)})]
    comparison = compare(make_corpus(people, []))
    ((both,),) = [side_by_side(comparison.corpus, pair) for pair in comparison.strongest(1)]
    marked = ["".join(piece.text for piece in side.pieces if piece.is_shared) for side in both.sides]
    for text in marked:  # winnowing may leave out less than a window of tokens at an end
        assert len(kinds(COPIED)) - fingerprints.WINDOW < len(kinds(text)) < len(kinds(COPIED)) + fingerprints.WINDOW
        assert COPIED.startswith(text) or text.startswith(COPIED.strip())
    assert "another" not in marked[1]


def test_a_very_long_answer_is_shown_in_part() -> None:
    people = [Submission(name, {"c": Answer(COPIED + "#" * 10 * SHOWN)}) for name in "ab"]
    comparison = compare(make_corpus(people, []))
    html = render("ps", shown_pairs(comparison, comparison.strongest(5)), overview(comparison, 1), {})
    assert len(html) < 3 * SHOWN
    assert "only its beginning is shown" in html


# The command


def test_the_command_lists_copies_names_who_cannot_be_read_and_runs_nothing(
    class_: Class, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = class_.course.root
    trap = tmp_path / "it-ran"
    ran = f"\nopen({str(trap)!r}, 'w')\n"
    essay = "Addition commutes because the order in which two heaps are put together does not matter at all."
    class_.hand_in("ada", class_.answers(double=COPIED + ran))
    class_.hand_in("bob", class_.answers(double=COPIED.replace("total", "t").replace("step", "s") + ran))
    class_.hand_in("cleo", class_.answers(double=OTHER))
    class_.hand_in("dan", b"\x00\xff\xfe binary")
    class_.hand_in("emma", class_.release)
    class_.hand_in("<b>fay", class_.answers(essay=essay, double=OTHER + "x = 1"))
    class_.hand_in("gus", class_.answers(essay=f"I think: {essay}"))
    (class_.folder("hal") / f"{NB}.ipynb").symlink_to(root / "nbgrader_config.py")
    assert cli.main(["--course", str(root), "similar", "ps1", "--least", "0.2"]) == 0
    told = capsys.readouterr().out
    html = (root / f"similar-{PS}.html").read_text(encoding="utf-8")
    first = next(line for line in told.splitlines() if line.startswith("1 "))
    assert "ada" in first
    assert "bob" in first
    assert "hint" in told
    for name in ("dan", "hal"):
        assert f"  {name}: " in told
        assert f"<bdi>{name}</bdi>: " in html
    assert "emma" not in told
    assert any("<b>fay" in line and "gus" in line for line in told.splitlines()), "written answers are compared too"
    assert "&lt;b&gt;fay" in html
    assert not trap.exists()


def test_the_command_compares_with_what_was_found_elsewhere(
    class_: Class, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web = tmp_path / "web"
    web.mkdir()
    (web / "answers.py").write_text(COPIED)
    (web / "broken.ipynb").write_text("{")
    (web / "link.py").symlink_to(web / "answers.py")
    class_.hand_in("ada", class_.answers(double=COPIED))
    class_.hand_in("cleo", class_.answers(double=OTHER))
    assert cli.main(["--course", str(class_.course.root), "similar", "ps1", "--against", str(web)]) == 0
    told = capsys.readouterr().out
    assert "web/answers.py" in told
    assert "web/broken.ipynb: " in told
    assert "link.py" not in told


@pytest.mark.parametrize("options", [["--top", "0"], ["--least", "0"], ["--against", "no-such-folder"]])
def test_wrong_options_are_told(class_: Class, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--course", str(class_.course.root), "similar", "ps1", *options]) == 1
    assert options[0] in capsys.readouterr().err
    assert not os.path.exists(class_.course.root / f"similar-{PS}.html")
