"""What every test may ask for: a tool of the system, and the real data sets where they lie."""

import os
import shutil
import signal
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
