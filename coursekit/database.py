"""The database behind the gradebook: SQLite's file, or a PostgreSQL server that several computers share.

What a person can put right (no driver, no server, a lock) becomes a CourseError. Its text never holds a password.
"""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, OperationalError

from coursekit.errors import CourseError

# How long a second grader waits for the lock: a server takes a moment to notice that its holder was killed.
LOCK_SECONDS = 5
# A computer that was switched off is given up after this: 60 s of silence, then six questions without an answer.
_KEEPALIVE = "-c tcp_keepalives_idle=60 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=6"
_OUR_LOCKS = 0x636F7572  # among the advisory locks of a database; the second number is the course's


class Refused(ValueError):
    """What the database cannot hold: PostgreSQL's texts have no null bytes, and names have 128 letters at most."""


def _url(text: str) -> sqlalchemy.URL:
    """What c.CourseDirectory.db_url says; raises CourseError when it is no URL of a database."""
    try:
        return sqlalchemy.make_url(text)
    except (ArgumentError, ValueError):
        raise CourseError(
            "c.CourseDirectory.db_url is no address of a database (it is not shown here, for it may hold a password). "
            "Write sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE; signs such as @ : / in a password are "
            "written as %40 %3A %2F."
        ) from None


def _is_postgresql(url: sqlalchemy.URL) -> bool:
    return url.get_backend_name() == "postgresql"


def _with_options(url: sqlalchemy.URL, options: str) -> sqlalchemy.URL:
    """The same server, told to use these settings for the connection; the URL's own options come later and win."""
    own = url.query.get("options", "")
    return url.update_query_dict({"options": " ".join([options, *([own] if isinstance(own, str) else own)]).strip()})


def patient(text: str, seconds: float) -> str:
    """The same database, waited for so long while another program has locked it (by default: 5 s, or for ever)."""
    url = _url(text)
    if _is_postgresql(url):
        url = _with_options(url, f"-c lock_timeout={max(1, round(seconds * 1000))} {_KEEPALIVE}")
    elif url.get_backend_name() == "sqlite" and "timeout" not in url.query:
        url = url.update_query_dict({"timeout": str(seconds)})
    return url.render_as_string(hide_password=False)


def _said(error: BaseException, url: sqlalchemy.URL) -> str:
    """The driver's own words in one line, without the password."""
    words = " ".join(str(error).split())
    secrets = [url.password, url.query.get("password")]
    for secret in secrets:
        words = words.replace(str(secret), "***") if secret else words
    return words or type(error).__name__


def _shown(url: sqlalchemy.URL) -> str:
    return sqlalchemy.URL.create(
        url.drivername, username=url.username, host=url.host, port=url.port, database=url.database
    ).render_as_string()


def _no_driver(url: sqlalchemy.URL, error: ImportError) -> CourseError:
    if not _is_postgresql(url):
        return CourseError(f"The driver of the gradebook's database {_shown(url)} is not installed: {error}.")
    if url.get_driver_name() != "psycopg":
        return CourseError(
            f"The gradebook's database is {_shown(url)}, and the driver that this asks for is not installed ({error}). "
            "Begin c.CourseDirectory.db_url with postgresql+psycopg://"
        )
    return CourseError(
        f"The gradebook's database is {_shown(url)}, and its driver psycopg is not installed ({error}). "
        "In the course folder: python -m pip install -c constraints.txt -e '.[teach,postgresql]'"
    )


@contextlib.contextmanager
def opening(text: str) -> Iterator[None]:
    """While the database with this URL is opened: raises CourseError when it cannot be, and says what to do."""
    url = _url(text)
    try:
        yield
    except ImportError as error:
        raise _no_driver(url, error) from error
    except ArgumentError as error:
        raise CourseError(f"c.CourseDirectory.db_url: {_said(error, url)}") from None
    except DBAPIError as error:
        if not _is_postgresql(url):
            raise
        raise CourseError(
            f"The gradebook's database {_shown(url)} cannot be opened: {_said(error.orig or error, url)}. See that the "
            "server runs, that c.CourseDirectory.db_url names it and a database that is there (createdb --owner=USER "
            "DATABASE), and that the password is in the file .pgpass of your home folder."
        ) from None


def _state(error: DBAPIError) -> str:
    """PostgreSQL's five letters for what went wrong, or SQLite's name for it."""
    original = error.orig
    return str(getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None) or "")


def _is_locked(error: OperationalError) -> bool:
    state = _state(error)
    if isinstance(error.orig, sqlite3.OperationalError):
        return state.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    return state in ("55P03", "40P01")  # waited too long, or two programs waited for each other


def explain(engine: sqlalchemy.Engine, text: str, seconds: float) -> None:
    """Have everything that goes wrong with an open gradebook said in our words, wherever it is asked or written.

    A lock of another program and a server that is gone become CourseError: neither is the fault of the submission that
    is being stored, and the next one would meet the same. A value that the database cannot hold becomes Refused.
    nbgrader's functions catch only what SQLAlchemy raises, and would blame what they were given.
    """
    url = _url(text)

    def translate(context: sqlalchemy.engine.ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        told = _said(context.original_exception, url)
        if isinstance(error, DataError):
            raise Refused(f"the gradebook's database refuses what it is given ({told})")
        if isinstance(error, OperationalError) and _is_locked(error):
            raise CourseError(
                f"Another program has locked the gradebook for more than {seconds:g} s. Close it (a backup, a database "
                "browser), then run this again; what was done is kept."
            )
        if isinstance(error, OperationalError) and _is_postgresql(url):
            raise CourseError(
                f"The gradebook's database {_shown(url)} does not do its work any more: {told}. "
                "What was done is kept; run this again when it does."
            )

    sqlalchemy.event.listen(engine, "handle_error", translate)


def _holder(connection: sqlalchemy.Connection, key: int) -> str:
    """Who has the lock: the name that a grader gave itself, or what the server knows of another user's program."""
    found = connection.execute(
        sqlalchemy.text(
            "SELECT activity.application_name, activity.usename FROM pg_locks "
            "JOIN pg_stat_activity AS activity USING (pid) WHERE locktype = 'advisory' AND granted AND objsubid = 2 "
            "AND classid = :ours AND objid = :key "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ),
        {"ours": _OUR_LOCKS, "key": key},
    ).first()
    return str(found[0] or f"the database's user {found[1]}") if found else "another process"


def _connected(url: sqlalchemy.URL, text: str) -> sqlalchemy.Connection:
    """A connection of its own, with a name by which others see whose it is."""
    with opening(text):
        limited = _with_options(url, f"-c lock_timeout={round(1000 * LOCK_SECONDS)} {_KEEPALIVE}")
        engine = sqlalchemy.create_engine(limited, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
        connection = engine.connect()
        name = f"{os.uname().nodename[:20]}, process {os.getpid()}, {datetime.now().astimezone():%Y-%m-%d %H:%M %z}"
        connection.execute(sqlalchemy.select(sqlalchemy.func.set_config("application_name", name, False)))
    return connection


@contextlib.contextmanager
def only_one(text: str, course: str) -> Iterator[None]:
    """Hold a lock in the database, for graders on several computers; only PostgreSQL has such locks.

    It ends with the connection, however its holder ends. Raises CourseError when somebody has it.
    """
    url = _url(text)
    if not _is_postgresql(url):
        yield
        return
    key = int.from_bytes(hashlib.sha256(course.encode("utf-8", "surrogatepass")).digest()[:4], "big") >> 1
    connection = _connected(url, text)
    try:
        try:
            connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_lock(_OUR_LOCKS, key)))
        except OperationalError as error:
            if _state(error) != "55P03":
                raise
            raise CourseError(
                f"This course is being graded already, by {_holder(connection, key)}. Wait until it is done, or stop "
                "it: what it has graded is kept."
            ) from None
        yield
    finally:
        with contextlib.suppress(OperationalError):  # the server has gone, and the lock with it
            connection.close()
