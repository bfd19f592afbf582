"""What every test may ask for: a tool of the system, and the real data sets where they lie."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A shell that starts a job in the background has it ignore interrupts, and every process below inherits that; the tests
# of interrupts need them.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; where there is none the test is listed as not run, but in CI that is a failure."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    if os.environ.get("CI"):
        pytest.fail("Chromium is missing, and in CI every tool must be there. On Debian: apt-get install chromium")
    pytest.skip("needs Chromium (on Debian: apt-get install chromium)")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real data sets: $GENLIB_DATA, or the folder shared/data beside the repository."""
    for folder in (os.environ.get("GENLIB_DATA"), ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / "mnist").is_dir():
            return Path(folder)
    pytest.skip("needs the real data sets: set GENLIB_DATA to the folder that holds mnist/")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that students receive, in a place whose name has spaces and an umlaut; to be read only."""
    from coursekit.course import Course
    from coursekit.release.publish import publish

    folder = tmp_path_factory.mktemp("path") / "Jörg's Kurs (2026)" / "deep generative models"
    publish(Course(ROOT), folder)
    return folder


@dataclass
class Postgres:
    """A PostgreSQL server of the tests: by its socket without a password, over the network with one."""

    socket: str
    port: int
    user: str
    password: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{self.user}@/{database}?host={self.socket}&port={self.port}"

    def network_url(self, database: str, password: str | None = None) -> str:
        return f"postgresql+psycopg://{self.user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str) -> None:
        import psycopg

        place = {"host": self.socket, "port": self.port, "user": self.user, "dbname": "postgres"}
        with psycopg.connect(autocommit=True, **place) as connection:
            connection.execute(statement)

    def create(self, template: str = "template1") -> str:
        """A new database; returns its name."""
        name = f"course_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Also when somebody is still connected."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A real server that ends with the tests, however they end; where there is none, that is said, in CI as failure."""
    if not os.environ.get("CI"):
        pytest.importorskip("psycopg")
    told = tmp_path_factory.mktemp("postgres") / "told"
    command = [sys.executable, str(ROOT / "tests" / "postgres.py")]
    with told.open("w") as errors:
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
    line = server.stdout.readline() if server.stdout else ""
    try:
        if not line and os.environ.get("CI"):
            pytest.fail(f"In CI every tool must be there. {told.read_text()}")
        if not line:
            pytest.skip(told.read_text().strip())
        yield Postgres(**json.loads(line))
    finally:
        server.communicate(timeout=60)  # the end of its input


@pytest.fixture(scope="session")
def empty_database(postgres: Postgres) -> str:
    """A database with nbgrader's tables and nothing in them; copying it costs less than making it."""
    from nbgrader.api import Gradebook

    from coursekit.course import put_own_programs_on_path

    put_own_programs_on_path()
    name = postgres.create()
    Gradebook(postgres.url(name), "").close()
    return name


@pytest.fixture
def database(postgres: Postgres, empty_database: str) -> Iterator[str]:
    """The name of a database of this test's own, with nbgrader's tables."""
    name = postgres.create(empty_database)
    yield name
    postgres.drop(name)
