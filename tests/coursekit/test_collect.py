"""What Canvas, Moodle or a folder hold of a class is collected whole, of the right student, once, and safely."""

import csv
import io
import os
import shutil
import struct
import unicodedata
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from term import NOTEBOOK, ROSTER, WORKSHEET, canvas_name, everything, moodle_path, save, stamped, utc, zipped
from tiny_course import NB, PS

from coursekit import cli
from coursekit.collect import attempts, canvas, entries, outcomes, placing, sources, summary, times
from coursekit.collect.collect import collect
from coursekit.collect.handed import Names, safe_name
from coursekit.collect.people import People, Person, name_key, people_of
from coursekit.collect.roster import import_students
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading.grade import LOCK_NAME
from coursekit.grading.submissions import read as read_submission
from coursekit.intake import receipts
from coursekit.intake.archives import Budget
from coursekit.lock import only_one

DUE = utc(2026, 1, 31, 12)


@pytest.fixture
def term(class_, tmp_path):
    """A course with a released assignment and four students on the roster."""
    import_students(class_.course, save(tmp_path / "roster.csv", ROSTER))
    return class_.course


def gathered(course, tmp_path, source: bytes | Path, **options) -> dict[str, outcomes.Outcome]:
    """Collect, and return what became of each."""
    path = source if isinstance(source, Path) else save(tmp_path / "download.zip", source)
    report = collect(course, PS, path, **options)
    assert len({outcome.who for outcome in report.outcomes}) == len(report.outcomes)
    return {outcome.who: outcome for outcome in report.outcomes}


def handed(course, student: str) -> bytes:
    return (course.submitted(PS, student) / NOTEBOOK).read_bytes()


def receipt(course, student: str) -> datetime | None:
    return receipts.receipt(course.root / "submitted", student, PS)


def canvas_zip(**options) -> bytes:
    return zipped(
        {
            canvas_name("Lovelace, Ada", 101, 7001, NOTEBOOK): b"{ada}",
            canvas_name("Lovelace, Ada", 101, 7002, "notes.txt"): b"mine",
            canvas_name("O'Neil-Smith, Bert", 102, 7003, f"{NB}-1.ipynb", late=True): b"{bert}",
            canvas_name("Øst Müller, Zoë", 103, 7004, NOTEBOOK): b"{zoe}",
            canvas_name("Stranger, Sam", 999, 7005, NOTEBOOK): b"{sam}",
            "wangli_104_text.html": b"typed",
        },
        **options,
    )


def moodle_zip(folders: bool = True, old: bool = False) -> bytes:
    def path(name: str, number: int, title: str) -> str:
        return moodle_path(name, number, title, folders=folders, old=old)

    return zipped(
        {
            path("Ada Lovelace", 71, NOTEBOOK): b"{ada}",
            path("Bert O'Neil-Smith", 72, NOTEBOOK): b"{bert}",
            path("Zoë Øst Müller", 73, "ps1_numbers_final.ipynb"): b"{zoe}",
            path("Group A", 5, NOTEBOOK): b"{group}",
            "王 李_74_assignsubmission_onlinetext/onlinetext.html": b"typed",
        }
    )


def test_canvas_files_come_to_the_right_student_and_strangers_are_listed(term, tmp_path):
    found = gathered(term, tmp_path, canvas_zip())
    assert {who: each.state for who, each in found.items()} == {
        "ada": outcomes.NEW,
        "bert": outcomes.NEW,
        "zoe": outcomes.NEW,
        "strangersam (999)": outcomes.UNKNOWN,
    }
    assert [handed(term, student) for student in ("ada", "bert", "zoe")] == [b"{ada}", b"{bert}", b"{zoe}"]
    assert (term.submitted(PS, "ada") / "notes.txt").read_bytes() == b"mine"
    assert term.students(PS) == ["ada", "bert", "zoe"]
    assert (attempts.attempts(term, PS, "bert")[0][1] / f"{NB}-1.ipynb").read_bytes() == b"{bert}", "as handed in"


def test_canvas_archives_have_the_time_of_the_download_so_what_is_not_late_counts_as_in_time(term, tmp_path):
    found = gathered(term, tmp_path, canvas_zip())
    assert receipt(term, "ada") < DUE
    assert receipt(term, "bert") == found["bert"].received == utc(2026, 3, 1, 9, 30)
    assert "In time, says Canvas" in found["ada"].remarks[0]
    assert stamped(term, "bert", PS) == "2026-03-01 09:30:00 UTC"


@pytest.mark.parametrize("folders", [True, False])
@pytest.mark.parametrize("old", [True, False])
def test_moodle_files_come_to_the_right_student_in_every_layout(term, tmp_path, folders, old):
    found = gathered(term, tmp_path, moodle_zip(folders, old))
    assert {who for who, each in found.items() if each.state == outcomes.NEW} == {"ada", "bert", "zoe"}
    assert found["Group A (5)"].state == outcomes.UNKNOWN
    assert handed(term, "ada") == b"{ada}"
    submission = read_submission(term, PS, "zoe", [NB], set())
    assert submission.notebooks[NB] == b"{zoe}"


def test_a_worksheet_tells_the_times_and_whose_the_numbers_are_where_marking_is_anonymous(term, tmp_path):
    sheet = save(tmp_path / "sheet.csv", WORKSHEET)
    source = zipped({moodle_path("Participant", number, NOTEBOOK): b"{%d}" % number for number in (71, 72, 99)})
    found = gathered(term, tmp_path, source, times=sheet, zone=ZoneInfo("Europe/Berlin"))
    assert found["ada"].received == receipt(term, "ada") == utc(2026, 1, 30, 17, 5)
    assert found["bert"].received == utc(2026, 2, 1, 10, 0)
    assert found["Participant (99)"].state == outcomes.UNKNOWN


@pytest.mark.parametrize("layout", ["folders", "nbgrader", "files", "names", "addresses", "zip"])
def test_a_folder_of_files_is_collected_with_the_times_of_the_files(term, tmp_path, layout):
    top = tmp_path / "in"
    if layout == "zip":
        path = save(top / "in.zip", zipped({f"ada/{NOTEBOOK}": b"{ada}"}, (2026, 1, 30, 8, 0, 0)))
        assert gathered(term, tmp_path, path)["ada"].received == utc(2026, 1, 30, 8)
        return
    name = {
        "folders": f"ada/{NOTEBOOK}",
        "nbgrader": f"ada/{PS}/{NOTEBOOK}",
        "files": f"ada__{NOTEBOOK}",
        "names": f"Lovelace, ADA/{NOTEBOOK}",
        "addresses": f"ada@example.edu/{NOTEBOOK}",
    }[layout]
    seconds = datetime(2026, 1, 30, 8, tzinfo=UTC).timestamp()
    os.utime(save(top / name, b"{ada}"), (seconds, seconds))
    found = gathered(term, tmp_path, top)
    assert found["ada"].received == receipt(term, "ada") == utc(2026, 1, 30, 8)
    assert handed(term, "ada") == b"{ada}"


def test_twice_changes_nothing_also_when_the_archive_was_downloaded_again(term, tmp_path):
    gathered(term, tmp_path, canvas_zip())
    before = everything(term)
    for date in ((2026, 3, 1, 9, 30, 0), (2026, 4, 1, 9, 30, 0)):
        found = gathered(term, tmp_path, canvas_zip(date=date))
        assert {each.state for each in found.values()} == {outcomes.SAME, outcomes.UNKNOWN}
        assert everything(term) == before


def one(data: bytes, day: int, name: str = "Lovelace, Ada", user: int = 101) -> bytes:
    return zipped({canvas_name(name, user, 7000 + day, NOTEBOOK): data}, (2026, 1, day, 8, 0, 0))


def test_a_newer_attempt_replaces_the_older_and_every_one_is_kept_at_its_time(term, tmp_path):
    for day in (3, 5, 4):
        found = gathered(term, tmp_path, one(b"{%d}" % day, day))
    assert found["ada"].state == outcomes.OLDER  # an archive of an earlier day, read last
    assert found["ada"].attempt == 2
    assert handed(term, "ada") == b"{5}"
    assert receipt(term, "ada") == utc(2026, 1, 5, 8)
    kept = attempts.attempts(term, PS, "ada")
    assert [(time, (path / NOTEBOOK).read_bytes()) for time, path in kept] == [
        (utc(2026, 1, day, 8), b"{%d}" % day) for day in (3, 4, 5)
    ]
    assert [path.name for _, path in kept] == ["20260103T080000Z", "20260104T080000Z", "20260105T080000Z"]


def test_attempts_that_differ_but_have_one_time_are_all_kept(term, tmp_path):
    for text in (b"{1}", b"{2}", b"{3}"):
        gathered(term, tmp_path, zipped({canvas_name("Lovelace, Ada", 101, 1, NOTEBOOK): text}))
    times_of = [time for time, _ in attempts.attempts(term, PS, "ada")]
    assert len(set(times_of)) == 3
    assert max(times_of) < DUE
    assert handed(term, "ada") == b"{3}"


def test_a_time_that_the_server_names_replaces_the_one_of_a_file_and_then_the_earliest_counts(term, tmp_path):
    def at(text: str) -> datetime | None:
        sheet = save(tmp_path / "times.csv", f"user_id,submitted_at\n101,{text}\n")
        gathered(term, tmp_path, canvas_zip(), times=sheet)
        assert len(attempts.attempts(term, PS, "ada")) == 1
        return receipt(term, "ada")

    gathered(term, tmp_path, canvas_zip())
    assert at("2026-02-02T10:00:00Z") == utc(2026, 2, 2, 10)  # later than what was assumed, and known
    assert at("2026-02-01T10:00:00+01:00") == utc(2026, 2, 1, 9)
    assert at("2026-02-05T10:00:00Z") == utc(2026, 2, 1, 9), "the same files were there before"
    gathered(term, tmp_path, canvas_zip())
    assert receipt(term, "ada") == utc(2026, 2, 1, 9), "a file's date does not replace a time that was named"


def test_what_somebody_put_into_submitted_is_kept_and_the_newest_counts(term, tmp_path):
    for student, stamp in (("ada", "2026-01-01 08:00 UTC"), ("bert", "2026-12-01 08:00 UTC")):
        save(term.submitted(PS, student) / NOTEBOOK, b"{by mail}")
        save(term.submitted(PS, student) / "timestamp.txt", stamp)
    gathered(term, tmp_path, canvas_zip())
    assert (handed(term, "ada"), handed(term, "bert")) == (b"{ada}", b"{by mail}")
    kept = {student: attempts.attempts(term, PS, student) for student in ("ada", "bert")}
    assert [(path / NOTEBOOK).is_file() for _, path in kept["ada"]] == [True, True]
    assert (kept["ada"][0][1] / NOTEBOOK).read_bytes() == b"{by mail}"
    assert kept["bert"][1][0] == utc(2026, 12, 1, 8)
    before = everything(term)
    gathered(term, tmp_path, canvas_zip())
    assert everything(term) == before


def test_what_cannot_be_kept_is_not_replaced(term, tmp_path):
    save(tmp_path / "secret", "secret")
    term.submitted(PS, "ada").mkdir(parents=True)
    (term.submitted(PS, "ada") / NOTEBOOK).symlink_to(tmp_path / "secret")
    found = gathered(term, tmp_path, canvas_zip())
    assert found["ada"].state == outcomes.FAILED
    assert (term.submitted(PS, "ada") / NOTEBOOK).is_symlink()
    assert (tmp_path / "secret").read_text() == "secret"
    assert found["zoe"].state == outcomes.NEW


def test_lines_of_others_in_the_file_of_receipts_stay(term, tmp_path):
    text = "student,assignment,received,note\nada,other,2026-01-01 10:00,x\nzoe,ps1-numbers,2026-01-02 10:00,y\n"
    path = save(term.root / "submitted" / "receipts.csv", text + "ada,ps1-numbers,2026-12-01 10:00,z\n")
    gathered(term, tmp_path, one(b"{1}", 5))
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [(row["student"], row["assignment"], row["note"]) for row in rows] == [
        ("ada", "other", "x"),
        ("zoe", PS, "y"),
        ("ada", PS, ""),
    ]
    assert receipt(term, "ada") == utc(2026, 1, 5, 8)


HOSTILE = (
    "../evil.ipynb",
    "/tmp/evil.ipynb",
    "C:\\evil.ipynb",
    "..\\evil.ipynb",
    "a/../../evil.ipynb",
    "../ada/evil.ipynb",
    "li/../../evil.ipynb",
    ".hidden/evil.ipynb",
    "__MACOSX/evil.ipynb",
)


def outside(course) -> set[str]:
    """Everything in the course folder but for what `collect` may write."""
    ours = ("submitted/", "collected/", "autograded/")
    found = {path.relative_to(course.root).as_posix() for path in course.root.rglob("*")}
    return {name for name in found if not f"{name}/".startswith(ours)}


@pytest.mark.parametrize("kind", ["canvas", "moodle", "folder", None])
def test_names_that_climb_out_and_links_write_nothing_anywhere(term, tmp_path, kind):
    before = outside(term)
    files = {
        **dict.fromkeys(HOSTILE, b"{}"),
        canvas_name("Lovelace, Ada", 101, 7001, NOTEBOOK): b"/etc/passwd",
        canvas_name("Øst Müller, Zoë", 103, 7002, NOTEBOOK): b"{zoe}",
        f"bert/{NOTEBOOK}": b"/etc/passwd",
        moodle_path("Bert O'Neil-Smith", 72, f"../../../{NOTEBOOK}"): b"{}",
    }
    data = zipped(files, links=[canvas_name("Lovelace, Ada", 101, 7001, NOTEBOOK), f"bert/{NOTEBOOK}"])
    report = collect(term, PS, save(tmp_path / "evil.zip", data), kind=kind)
    assert outside(term) == before
    assert not (tmp_path / "evil.ipynb").exists()
    assert not Path("/tmp/evil.ipynb").exists()
    written = everything(term)
    assert not [name for name in written if "evil" in name or "passwd" in name]
    assert b"/etc/passwd" not in written.values()
    assert not [path for path in term.root.rglob("*") if path.is_symlink()]
    if kind == "folder":
        (li,) = (each for each in report.outcomes if each.who == "li")
        assert "leads out of the archive" in li.remarks[0]
    if kind == "canvas":
        assert {each.who: each.state for each in report.outcomes} == {"ada": outcomes.FAILED, "zoe": outcomes.NEW}


def test_links_in_a_folder_are_refused_and_told(term, tmp_path):
    secret = save(tmp_path / "secret.ipynb", "secret")
    top = tmp_path / "in"
    (top / "ada").mkdir(parents=True)
    (top / "ada" / NOTEBOOK).symlink_to(secret)
    (top / "zoe").symlink_to(tmp_path)
    (top / "bert").mkdir()
    os.link(secret, top / "bert" / NOTEBOOK)
    save(top / "li" / NOTEBOOK, b"{li}")
    found = gathered(term, tmp_path, top)
    assert {who: each.state for who, each in found.items()} == {
        "ada": outcomes.FAILED,
        "bert": outcomes.FAILED,
        "li": outcomes.NEW,
    }
    assert "link" in found["ada"].remarks[0]
    assert "hard link" in found["bert"].remarks[0]
    assert b"secret" not in everything(term).values()


def test_a_bomb_costs_its_student_only(term, tmp_path):
    term.options.submission_bytes = 1_000_000
    bomb = {canvas_name("Lovelace, Ada", 101, 7001, NOTEBOOK): bytes(3_000_000)}
    many = {canvas_name("O'Neil-Smith, Bert", 102, i, f"{i}.txt"): b"" for i in range(300)}
    last = {
        canvas_name("O'Neil-Smith, Bert", 102, 999, NOTEBOOK): b"{bert}",
        canvas_name("Øst Müller, Zoë", 103, 1000, NOTEBOOK): b"{zoe}",
    }
    found = gathered(term, tmp_path, zipped({**bomb, **many, **last}))
    assert found["ada"].state == outcomes.FAILED
    assert "larger than 1 MB" in found["ada"].remarks[0]
    assert (found["bert"].state, found["bert"].files) == (outcomes.NEW, 200)
    assert handed(term, "bert") == b"{bert}", "files that hold no answers cannot push the notebook out"
    assert found["zoe"].state == outcomes.NEW


def test_a_table_of_contents_that_is_too_long_is_refused_before_it_is_read(tmp_path, monkeypatch):
    data = bytearray(zipped({"a.ipynb": b"{}"}))
    place = data.rindex(b"PK\x05\x06")
    data[place + 8 : place + 12] = b"\xff\xff\xff\xff"
    four = save(tmp_path / "b.zip", zipped(dict.fromkeys("abcd", b"")))
    monkeypatch.setattr(entries.zipfile, "ZipFile", None)
    for size in (struct.pack("<L", 70_000_000), b"\xff\xff\xff\xff"):
        data[place + 12 : place + 16] = size
        with (
            pytest.raises(CourseError, match="Split it"),
            entries.opened(save(tmp_path / "a.zip", bytes(data))),
        ):
            pass
    monkeypatch.setattr(entries, "MAX_ENTRIES", 3)
    with (
        pytest.raises(CourseError, match="says that it holds 4 files"),
        entries.opened(four),
    ):
        pass


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_archives_are_refused_or_listed_and_nothing_else(tmp_path_factory, data):
    whole = bytearray(canvas_zip())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(whole) - 1))
        whole[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = save(tmp_path_factory.mktemp("zip") / "a.zip", bytes(whole))
    budget = Budget(1000, 10_000)
    try:
        with entries.opened(path) as found:
            for entry in found:
                assert all(part not in ("", ".", "..") for part in entry.parts) or entry.trouble
                if not entry.trouble:
                    try:
                        assert len(entry.read(budget)) <= 1000
                    except entries.Refused:
                        continue
    except CourseError:
        return


LETTERS = st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=60)


@given(st.lists(st.lists(LETTERS, min_size=1, max_size=6).map(tuple), max_size=8))
def test_every_file_has_a_path_of_its_own_on_every_system_whatever_its_name(paths):
    names = Names()
    found = [names.take(path) for path in paths]
    keys = ["/".join(path).casefold() for path in found]
    assert len(set(keys)) == len(keys)
    for path, key in zip(found, keys, strict=True):
        assert not any(other.startswith(f"{key}/") for other in keys), "a file is no folder as well"
        for part in path:
            assert part not in ("", ".", "..")
            assert not part.startswith(".")
            assert len(part.encode()) <= 255
            assert not set(part) & set('/\\:*?"<>|\0\n')


@given(st.from_regex(r"[A-Za-zäöüé][\w äöü()-]{0,40}\.ipynb", fullmatch=True))
def test_a_name_that_any_system_takes_stays_as_it_is(name):
    name = unicodedata.normalize("NFC", name)
    assert safe_name(name) == name


NAMES = st.from_regex(r"[A-Za-zÀ-ÿ' _0-9-]{1,20}, [A-Za-zÀ-ÿ' _0-9-]{1,20}", fullmatch=True).filter(
    lambda text: name_key(text) and not canvas.readings(canvas_name(text, 5, 6, "x"))[0].name.endswith("LATE")
)
TITLES = st.from_regex(r"[A-Za-z0-9_. -]{1,30}\.ipynb", fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(NAMES, NAMES, TITLES, st.booleans())
def test_canvas_files_are_never_taken_for_somebody_elses_whatever_their_names_are(hers, other, title, late):
    """A student chooses her name and her title; both can look like numbers of others."""

    def person(text: str, number: int) -> Person:
        last, first = text.split(", ", 1)
        return Person(f"s{number}", first, last, "", str(number))

    people = People([person(hers, 12), person(other, 1)])
    entry = entries.Entry((canvas_name(hers, 12, 345, title, late=late),), None, "", lambda budget: b"")
    (found,) = canvas.find([entry], people).handed_in
    assert found.person is None or found.person.id == "s12" or name_key(hers) == name_key(other)


def test_a_name_that_is_made_to_look_like_another_number_is_not_believed(term):
    agent = Person("agent", "", "Agent_102", "", "105")
    people = People([*people_of(term).by_id.values(), agent])

    def who(name: str) -> str | None:
        (found,) = canvas.find([entries.Entry((name,), None, "", lambda budget: b"")], people).handed_in
        return found.person.id if found.person else None

    assert who(f"lovelaceada_101_555_102_777_{NOTEBOOK}") == "ada"  # a title that begins like a number
    assert who(f"mallory_102_101_555_{NOTEBOOK}") is None  # a name that ends in Bert's number
    assert who(f"agent_102_105_777_{NOTEBOOK}") == "agent"  # her name does end in Bert's number
    assert who(f"king_101_555_{NOTEBOOK}") == "ada"  # another name, and only one number that is known


def test_two_things_of_one_student_are_not_guessed_between(term, tmp_path):
    top = tmp_path / "in"
    for name in ("ada", "Ada Lovelace", "zoe"):
        save(top / name / NOTEBOOK, b"{}")
    found = gathered(term, tmp_path, top)
    assert found["ada"].state == found["Ada Lovelace"].state == outcomes.FAILED
    assert term.students(PS) == ["zoe"]


def test_namesakes_are_listed_and_the_worksheet_tells_them_apart(term, tmp_path):
    import_students(
        term, save(tmp_path / "more.csv", "id,first_name,last_name,email\nada2,Ada,Lovelace,ada2@example.edu\n")
    )
    source = zipped({moodle_path("Ada Lovelace", 71, NOTEBOOK): b"{}"})
    found = gathered(term, tmp_path, source)
    assert found["Ada Lovelace (71)"].state == outcomes.UNKNOWN
    assert "--times" in found["Ada Lovelace (71)"].remarks[0]
    found = gathered(term, tmp_path, source, times=save(tmp_path / "sheet.csv", WORKSHEET))
    assert found["ada"].state == outcomes.NEW


def test_of_two_files_of_one_name_in_canvas_the_one_handed_in_last_counts(term, tmp_path):
    files = {
        canvas_name("Lovelace, Ada", 101, 50, f"{NB}-2.ipynb"): b"{new}",
        canvas_name("Lovelace, Ada", 101, 40, NOTEBOOK): b"{old}",
    }
    found = gathered(term, tmp_path, zipped(files))
    assert handed(term, "ada") == b"{new}"
    assert "handed in last counts" in " ".join(found["ada"].remarks)
    assert b"{old}" in attempts.content(attempts.attempts(term, PS, "ada")[0][1]).values()


@pytest.mark.parametrize("round_them", ["", "Homework 1/"])
def test_sources_are_recognised_by_what_is_in_them_also_unpacked(term, tmp_path, round_them):
    for data, kind in ((canvas_zip(), "canvas"), (moodle_zip(), "moodle"), (moodle_zip(folders=False), "moodle")):
        top = tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}"
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(top / round_them if round_them else top)
        with entries.opened(top) as found:
            assert sources.recognise(found)[0] == kind


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("Wednesday, 10 June 2026, 2:14 PM", "UTC", utc(2026, 6, 10, 14, 14)),
        ("Wednesday, June 10, 2026, 2:14 PM", "Europe/Berlin", utc(2026, 6, 10, 12, 14)),
        ("Wednesday, 10 June 2026, 14:14", "UTC", utc(2026, 6, 10, 14, 14)),
        ("2026-06-10T14:14:00Z", "Europe/Berlin", utc(2026, 6, 10, 14, 14)),
        ("2026-06-10 14:14", "Europe/Berlin", utc(2026, 6, 10, 12, 14)),
        ("2026-06-10 14:14 +02:00", "UTC", utc(2026, 6, 10, 12, 14)),
    ],
)
def test_times_are_read_as_course_servers_write_them(text, zone, expected):
    assert times.when(text, times.zone_of(zone)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("student,when\nada,x\n", "no column says when"),
        ("student,received\nada,yesterday\n", "line 2, column 'received'"),
        ("student,received\nada,2026-99-01 10:00\n", "line 2, column 'received'"),
    ],
)
def test_a_file_of_times_that_is_wrong_is_an_error_that_names_the_place(term, tmp_path, text, words):
    with pytest.raises(CourseError, match=words):
        gathered(term, tmp_path, canvas_zip(), times=save(tmp_path / "times.csv", text))
    assert everything(term) == {}


def test_what_cannot_be_collected_at_all_is_said_in_a_sentence(term, course, tmp_path, capsys):
    def run(*arguments: str) -> tuple[int, str]:
        code = cli.main(["--course", str(term.root), "collect", PS, *arguments])
        return code, "".join(capsys.readouterr())

    text = str(save(tmp_path / "a.txt", "text"))
    for arguments, words in (
        ([str(tmp_path / "none.zip")], "cannot be read"),
        ([text], "neither a zip archive nor a folder"),
        ([str(save(tmp_path / "b.zip", zipped({})))], "no file in it"),
        ([text, "--zone", "Mars/Olympus"], "Europe/Berlin"),
    ):
        code, said = run(*arguments)
        assert (code, words in said) == (1, True), said
    code, said = run(str(save(tmp_path / "c.zip", canvas_zip())))
    assert code == 1, "somebody is not known"
    assert "strangersam (999)" in said
    assert "--times FILE" in said
    assert "1 files with text or a link" in said


def test_nobody_is_collected_without_a_roster_and_while_somebody_grades(class_, tmp_path):
    path = save(tmp_path / "a.zip", canvas_zip())
    with pytest.raises(CourseError, match="course roster"):
        collect(class_.course, PS, path)
    with (
        only_one(class_.course.records_file(PS).parent / LOCK_NAME),
        pytest.raises(CourseError, match="already"),
    ):
        collect(class_.course, PS, path)


def killed_at(step: int, course, source: Path) -> bool:
    """Collect in a process that ends for good at the so-manieth step that changes the disk; whether it got there."""
    child = os.fork()
    if child == 0:
        count = 0

        def counted(function):
            def call(*arguments, **options):
                nonlocal count
                count += 1
                if count == step:
                    os._exit(9)
                return function(*arguments, **options)

            return call

        try:
            for name in ("rename", "replace", "fsync", "mkdir"):
                setattr(os, name, counted(getattr(os, name)))
            collect(course, PS, source)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def test_a_run_that_is_killed_anywhere_is_made_good_by_the_next(term, tmp_path):
    path = save(tmp_path / "a.zip", canvas_zip())
    save(term.submitted(PS, "ada") / NOTEBOOK, b"{by mail}")
    save(term.submitted(PS, "ada") / "timestamp.txt", "2026-01-01 08:00 UTC")
    wanted = {"ada": b"{ada}", "bert": b"{bert}", "zoe": b"{zoe}"}
    step, expected = 0, None
    while expected is None or step < 60:
        step += 1
        course = Course(shutil.copytree(term.root, tmp_path / f"course-{step}"))
        was_killed = killed_at(step, course, path)
        for student, text in wanted.items():
            place = course.submitted(PS, student)
            assert not place.is_dir() or (place / NOTEBOOK).read_bytes() in (b"{by mail}", text)
        gathered(course, tmp_path, path)
        found = everything(course)
        assert {student: handed(course, student) for student in wanted} == wanted
        assert all(receipt(course, student) for student in wanted)
        kept = [(each / NOTEBOOK).read_bytes() for _, each in attempts.attempts(course, PS, "ada")]
        assert kept == [b"{by mail}", b"{ada}"], step
        expected = expected or found
        assert found == expected, f"killed at step {step}"
        if not was_killed:
            break
    assert step > 20


def test_the_table_of_a_large_class_names_those_about_whom_there_is_something_to_say():
    many = [outcomes.Outcome(f"s{i}", outcomes.NEW, 1, DUE, 1) for i in range(200)]
    many[150] = outcomes.Outcome("strange\x1b[31m", outcomes.UNKNOWN, 1, remarks=["Nobody."])
    text = summary.table(outcomes.Report("canvas", many, []))
    assert len(text.splitlines()) == 5
    assert "strange?[31m" in text
    assert "199 collected, 1 not known" in text


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))
def test_the_name_of_an_attempts_folder_is_its_time(time):
    assert datetime.strptime(attempts.folder_name(time), "%Y%m%dT%H%M%SZ") == time.replace(microsecond=0)


def test_a_notebook_gets_the_expected_name_when_it_is_the_only_one_that_can_be_meant():
    def names(*given: str) -> list[str]:
        files = {(name,): b"{%d}" % number for number, name in enumerate(given)}
        return sorted("/".join(path) for path in placing.arranged(files, [NB], DUE))

    assert names(f"{NB}-1.ipynb", "timestamp.txt") == [NOTEBOOK, "timestamp.txt"]
    assert names(f"{NB} (2).ipynb", f"{NB}-1.ipynb") == [f"{NB} (2).ipynb", f"{NB}-1.ipynb", "timestamp.txt"]
    assert (
        placing.arranged({("timestamp.txt",): b"early"}, [NB], DUE)[("timestamp.txt",)] == b"2026-01-31 12:00:00 UTC\n"
    )
