"""`course lab` as a person meets it: the page that opens, and where its links lead."""

import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from coursekit import start_page
from coursekit.settings import find_settings

pytestmark = pytest.mark.browser


@pytest.fixture
def folder(root, tmp_path):
    """A copy of the course in a folder whose name has a space."""
    folder = tmp_path / "my course"
    for name in ("lectures", "assignments", "docs"):
        shutil.copytree(root / name, folder / name)
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copyfile(root / name, folder / name)
    return folder


def test_course_lab_opens_a_page_whose_links_open_notebooks_and_documents(serving, page, token, folder, tmp_path):
    links = re.findall(r"(?<!\\)\]\(([^)]+)\)", start_page.text(find_settings(folder)))
    documents = [link for link in links if link.endswith(".md")]
    lectures = [link for link in links if link.startswith("lectures/")]
    assignments = [link for link in links if link.startswith("assignments/")]
    with serving([sys.executable, "-m", "coursekit.cli", "lab"], folder, tmp_path) as url:
        page.goto(f"{url}/?token={token}")
        shown = page.locator(".jp-MarkdownViewer", has_text="Click a title to open it")
        shown.locator("h1").first.wait_for()
        assert shown.locator("h3 a:not(.jp-InternalAnchorLink)").count() == len(lectures) + len(assignments)
        shown.locator("summary").first.click()
        assert shown.locator("details table").first.is_visible()
        for target in (lectures[0], assignments[0], documents[-1]):
            page.get_by_role("tab", name=start_page.NAME).click()
            title = re.search(rf"\[([^]]+)\]\({re.escape(target)}\)", start_page.text(find_settings(folder)))[1]
            shown.get_by_role("link", name=title).click()
            name = Path(unquote(target)).name
            page.wait_for_url(f"{url}/lab/tree/{target}")
            kind = ".jp-NotebookPanel" if name.endswith(".ipynb") else ".jp-MarkdownViewer"
            page.locator(f"{kind} h1:visible").first.wait_for()
        assert page.locator(".jp-FileEditor").count() == 0, "documents open as pages, not as source"
