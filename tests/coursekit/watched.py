"""A browser whose every request to the outside ends at a server of the test, which writes them down."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

# Nothing of a page may run, load or leave when it is opened, pointed at, focused, opened up and pressed.
TOUCH = """() => {
  for (const element of document.querySelectorAll('body *')) {
    for (const kind of ['mouseover', 'mouseenter', 'pointerdown', 'focus', 'focusin', 'toggle', 'copy']) {
      element.dispatchEvent(new Event(kind, {bubbles: true}));
    }
    if (element.tagName === 'DETAILS') { element.open = true; }
    const target = element.getAttribute('href') || '';
    const leads = /^(https?:|mailto:|file:|#)/i.test(target) || (target && !target.includes(':'));
    if (element.tagName === 'A' && !leads) { element.click(); }
  }
}"""


class Watched:
    """A page, and what came out of it."""

    def __init__(self, page: Page, asked: list[str]) -> None:
        self.page = page
        self.asked = asked
        self.dialogs: list[str] = []
        page.on("dialog", self._dialog)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, path: Path, patience_ms: int = 400) -> None:
        """Open a file and touch everything in it."""
        self.page.goto(path.as_uri(), wait_until="load")
        self.page.evaluate(TOUCH)
        self.page.wait_for_timeout(patience_ms)

    def ran(self) -> list[str]:
        """Names of what ran in the page or reached the server."""
        inside = self.page.evaluate("() => window.ran || []")
        return sorted({*inside, *self.dialogs, *self.asked})


@contextmanager
def watched(chromium: str) -> Iterator[Watched]:
    """A browser for which every host is a server that remembers what it is asked for."""
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        timeout = 0.5  # who speaks TLS waits for an answer that never comes

        def handle(self) -> None:
            line = self.rfile.readline().decode("latin-1").split()
            host = next((part for part in iter(self.rfile.readline, b"\r\n") if part.lower().startswith(b"host:")), b"")
            if b"leak.test" in host and len(line) > 1:
                asked.append(line[1].lstrip("/"))
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A connection that breaks off is no news."""

    with Server(("127.0.0.1", 0), Handler) as server, sync_playwright() as play:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        flags.append(f"--host-resolver-rules=MAP * 127.0.0.1:{server.server_address[1]}")
        browser = play.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield Watched(browser.new_page(), asked)
        finally:
            browser.close()
            server.shutdown()
