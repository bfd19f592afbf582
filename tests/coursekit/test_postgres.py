"""A gradebook on a PostgreSQL server says what SQLite's says, is written whole or not at all, and fails in words."""

import json
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from executors import InOrder
from killing import Replay
from tiny_course import NB, PS, Class, source_notebook, write_course

from coursekit import cli, database
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.export import export
from coursekit.feedback.feedback import feedback
from coursekit.grading import gradebook
from coursekit.grading.booking import Booking
from coursekit.grading.grade import grade
from coursekit.grading.records import Records
from coursekit.release.release import release
from coursekit.workers.crew import Crew, hire

HERE = Path(__file__).parent
PARTIAL = "def square(x):\n    return x * x if x != 6 else 0"


def at(root: Path, url: str) -> Course:
    """A new course whose gradebook is at this URL."""
    write_course(root)
    text = (root / "nbgrader_config.py").read_text().replace('"zero"', '"none"')
    config = f"{text}c.CourseDirectory.db_url = {url!r}\nc.Coursekit.late_policy = {{'percent_per_day': 7.5}}\n"
    (root / "nbgrader_config.py").write_text(config)
    return Course(root)


def hand_in(course: Course) -> Class:
    """The first day: Ada has partial credit and is late by days, Bert is in time, Carl's file is broken."""
    release(course, PS)
    class_ = Class(course)
    class_.hand_in("ada", class_.answers(square=PARTIAL), "2026-02-02 15:30:00.25 UTC")
    class_.hand_in("bert ö", class_.answers(essay="\0 null bytes \0"), "2026-01-03 12:00 UTC")
    class_.hand_in("carl", b"{")
    return class_


def go_on(class_: Class) -> None:
    """The days after: points of a person, an answer that has changed, somebody new."""
    with class_.course.gradebook() as book:
        essay = book.find_grade("essay", NB, PS, "ada")
        essay.manual_score, essay.extra_credit, essay.needs_manual_grade = 2.3, 0.1, False
        book.find_comment("essay", NB, PS, "ada").manual_comment = "½ of it; 100% of that: %s {x} \\ '"
        book.db.commit()
    class_.hand_in("ada", class_.answers(square=PARTIAL, essay="I have thought again."), "2026-02-02 15:30:00.25 UTC")
    class_.hand_in("dora", class_.answers(total="sum_of_all_numbers = 1"), "2026-02-01 12:00 UTC")


def everything(course: Course) -> dict[str, Any]:
    """What the gradebook, the records and the pages say, without the times that grading took."""
    found: dict[str, Any] = {}
    with course.gradebook() as book:
        for submission in book.assignment_submissions(PS):
            rows: list[Any] = [submission.timestamp, submission.score, submission.max_score]
            rows += [submission.needs_manual_grade, submission.late_submission_penalty, submission.total_seconds_late]
            for part in submission.notebooks:
                rows += sorted(
                    (row.name, row.auto_score, row.manual_score, row.extra_credit, row.score, row.needs_manual_grade)
                    for row in part.grades
                )
                rows += sorted((row.name, row.auto_comment, row.manual_comment) for row in part.comments)
            found[submission.student.id] = rows
    records = Records(course.records_file(PS)).by_student
    for student, record in records.items():
        plain = {key: value for key, value in record.items() if key not in ("hashes", "graded_at")}
        found[f"record of {student}"] = plain
    with Booking(course, PS) as booking:
        found["booked"] = booking.booked()
    return found


@pytest.fixture(scope="module")
def in_sqlite(tmp_path_factory):
    """The term with SQLite, as it was before the last grading and after it, and what the workers returned."""
    course = at(tmp_path_factory.mktemp("sqlite") / "course", "sqlite:///gradebook.db")
    (course.root / "nbgrader_config.py").write_text(
        (course.root / "nbgrader_config.py")
        .read_text()
        .replace("sqlite:///gradebook.db", f"sqlite:///{course.root}/g.db")
    )
    course = Course(course.root)
    class_ = hand_in(course)
    replay = Replay({})
    with hire(course, trust=True, workers=1) as crew:
        replay.submit = lambda fn, *args: _remember(replay, crew, fn, *args)  # type: ignore[method-assign]
        list(grade(course, PS, crew=Crew(replay), progress=False))
        go_on(class_)
        list(grade(course, PS, crew=Crew(replay), progress=False))
    return course, replay.results


def _remember(replay: Replay, crew: Crew, fn: Any, *args: Any) -> Any:
    future = crew.executor.submit(fn, *args)
    replay.results[args[0]] = future.result()
    return future


@pytest.fixture
def on_server(postgres, database, tmp_path):
    return at(tmp_path / "course", postgres.url(database))


def test_a_term_on_a_server_ends_with_the_same_points_pages_and_table_as_in_a_file(in_sqlite, on_server, tmp_path):
    sqlite, results = in_sqlite
    crew = Crew(Replay(results))
    class_ = hand_in(on_server)
    list(grade(on_server, PS, crew=crew, progress=False))
    go_on(class_)
    assert sum(is_new for _, is_new in grade(on_server, PS, crew=crew, progress=False)) == 2
    expected = everything(sqlite)
    assert everything(on_server) == expected
    assert expected["ada"][1] == pytest.approx(2 + 1.5 + 3 + 2.3 + 0.1)
    assert expected["ada"][4] > 0
    assert not any(is_new for _, is_new in grade(on_server, PS, crew=crew, progress=False))
    list(grade(on_server, PS, crew=crew, force=True, progress=False))
    assert everything(on_server) == {**expected, **{k: v for k, v in everything(on_server).items() if k == "ada"}}
    assert everything(on_server)["ada"][:3] == expected["ada"][:3]
    tables = [
        export(course, tmp_path / f"{number}.csv").read_bytes() for number, course in enumerate((sqlite, on_server))
    ]
    assert tables[0] == tables[1]
    pages = [[page.read_bytes() for page in feedback(course, PS, progress=False)] for course in (sqlite, on_server)]
    assert pages[0] == pages[1]
    assert len(pages[0]) == 4


def test_cells_and_notebooks_are_taken_out_and_put_back_before_anybody_was_graded(on_server):
    """PostgreSQL holds every reference between tables, SQLite none."""
    release(on_server, PS)
    path = on_server.source(PS) / f"{NB}.ipynb"
    whole = path.read_text()
    shorter = json.loads(whole)
    del shorter["cells"][4:6]
    (on_server.source(PS) / "other.ipynb").write_text(whole)
    for text in (json.dumps(shorter), whole):
        path.write_text(text)
        release(on_server, PS)
        with on_server.gradebook() as book:
            names = {cell.name for cell in book.find_notebook(NB, PS).source_cells}
            assert ("square" in names) == (text == whole)
    (on_server.source(PS) / "other.ipynb").unlink()
    release(on_server, PS)
    with on_server.gradebook() as book:
        assert [notebook.name for notebook in book.find_assignment(PS).notebooks] == [NB]


def test_what_the_server_cannot_hold_is_said_of_the_source_and_of_one_student_alone(on_server, capfd):
    nb = source_notebook()
    nb.cells[2].source += "\n# \0"
    path = on_server.source(PS) / f"{NB}.ipynb"
    before = path.read_text()
    path.write_text(json.dumps(nb))
    with pytest.raises(CourseError, match=r"numbers: the gradebook's database refuses.*NUL.*Mend the source notebook"):
        release(on_server, PS)
    path.write_text(before)
    release(on_server, PS)
    for student in ("ada", "m" * 150, "zoe"):
        Class(on_server).hand_in(student, b"")
    results = {record["student"]: record for record, _ in grade(on_server, PS, crew=Crew(InOrder()), progress=False)}
    assert [results[student]["state"] for student in sorted(results)] == ["unreadable", "failed", "unreadable"]
    assert "too long" in results["m" * 150]["reason"]
    assert "Traceback" not in capfd.readouterr().err


def test_the_grader_is_killed_around_a_commit_and_the_next_run_ends_where_an_undisturbed_one_does(
    in_sqlite, on_server, postgres, database, tmp_path
):
    """Before the commit of the first of three submissions, and after that of the second; no lock stays behind."""
    _, results = in_sqlite
    hand_in(on_server)
    records = [record for record, _ in grade(on_server, PS, crew=Crew(Replay(results)), progress=False)]
    expected = everything(on_server)
    copies = tmp_path / "killed"
    copies.mkdir()
    with at(tmp_path / "again", postgres.url(database)).gradebook() as book:
        book.remove_assignment(PS)
        for student in book.students:
            book.remove_student(student.id)
    hand_in(Course(tmp_path / "again"))
    (copies / "results").write_bytes(pickle.dumps(results))
    job = {
        "template": str(tmp_path / "again"),
        "work": str(copies),
        "assignment": PS,
        "results": str(copies / "results"),
        "hashes": {record["student"]: record["hashes"]["submission"] for record in records},
        "database": database,
        "address": postgres.url("{}"),
    }

    def killed_at(points: list[int]) -> list[dict[str, Any]]:
        (copies / "job").write_text(json.dumps({**job, "points": points}))
        command = [sys.executable, str(HERE / "killing.py"), str(copies / "job")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert not done.returncode, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    (alone,) = killed_at([0])
    assert everything(Course(alone["root"])) == expected
    log = alone["first"]["log"]
    saves = [
        index + 1 for index, what in enumerate(log) if what == "commit" and ".logs" in "".join(log[index + 1 :][:1])
    ]
    assert len(saves) == 3
    kept = []
    for run in killed_at([saves[0], saves[1] + 1]):
        assert run["first"]["signal"] == signal.SIGKILL, run
        assert run["second"]["given"] == 3 - len(run["kept"]), run
        assert everything(Course(run["root"])) == expected, run
        kept.append(len(run["kept"]))
    assert kept == [0, 1]


def test_a_second_computer_waits_for_nobody_and_learns_who_grades(on_server, tmp_path, monkeypatch):
    """The file that is locked lies on the first computer; the database knows better. Two courses do not collide."""
    hand_in(on_server)
    other = tmp_path / "other computer"
    shutil.copytree(on_server.root, other)
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.1)
    url = on_server.directory.db_url
    with database.only_one(url, on_server.directory.course_id):
        with pytest.raises(
            CourseError, match=r"being graded already, by .*, process \d+, .*what it has graded is kept"
        ):
            list(grade(Course(other), PS, crew=Crew(InOrder()), progress=False))
        with database.only_one(url, "another course"):
            pass
    with database.only_one(url, on_server.directory.course_id):
        pass


def test_a_lock_or_an_end_of_the_server_stops_the_run_and_no_submission_is_blamed(
    on_server, postgres, database, monkeypatch
):
    release(on_server, PS)
    for student in ("ada", "bert", "cleo", "dora"):
        Class(on_server).hand_in(student, b"")
    monkeypatch.setattr(gradebook, "PATIENCE_SECONDS", 0.1)
    crew = Crew(InOrder())
    running = grade(on_server, PS, crew=crew, progress=False)
    assert next(running)[0]["student"] == "ada"
    engine = sqlalchemy.create_engine(postgres.url(database))
    with engine.begin() as other:
        other.exec_driver_sql("LOCK TABLE student IN SHARE MODE")  # others may read, so the first write is what waits
        with pytest.raises(CourseError, match=r"locked the gradebook.*what was done is kept"):
            next(running)
    engine.dispose()
    running = grade(on_server, PS, crew=crew, progress=False)
    assert [next(running)[1], next(running)[1]] == [False, True]
    postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    with pytest.raises(CourseError, match=r"does not do its work any more.*What was done is kept"):
        next(running)
    results = [(record["state"], is_new) for record, is_new in grade(on_server, PS, crew=crew, progress=False)]
    assert results == [("unreadable", is_new) for is_new in (False, False, True, True)]


def test_an_address_that_leads_nowhere_is_explained_without_the_password(postgres, tmp_path, capsys, monkeypatch):
    secret = "pa55-word"
    free = postgres.network_url("none", secret).replace(str(postgres.port), "1")
    cases = {
        free: ("cannot be opened", "refused", "server runs"),
        postgres.network_url("postgres", secret): ("password authentication failed", ".pgpass"),
        postgres.network_url("no_such_one"): ("does not exist", "createdb"),
        f"postgresql+psycopg2://course:{secret}@127.0.0.1/x": ("postgresql+psycopg://", "driver"),
        f"postgresql+psycopg://course:{secret}@127.0.0.1:port/x": ("no address of a database",),
        f"course:{secret}": ("no address of a database",),
        f"nonsense://course:{secret}@127.0.0.1/x": ("nonsense",),
        f"{postgres.url('postgres')}&password={secret}&wrong={secret}": ("wrong",),
    }
    for number, (url, words) in enumerate(cases.items()):
        course = at(tmp_path / str(number), url)
        assert cli.main(["--course", str(course.root), "release"]) == 1
        told = capsys.readouterr().err
        assert all(word in told for word in words), told
        assert not {secret, postgres.password} & set(told.replace(":", " ").replace("@", " ").split()), told
        assert secret not in told
        assert "Traceback" not in told
        with pytest.raises(CourseError):
            course.gradebook()
    chatty = sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception(f"your {secret} is wrong"))
    with pytest.raises(CourseError, match=r"your \*\*\* is wrong"), database.opening(free):
        raise chatty
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CourseError, match=r"psycopg is not installed.*pip install.*postgresql"):
        at(tmp_path / "no driver", postgres.url("postgres")).gradebook()
