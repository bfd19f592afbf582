"""What one cell puts out, kept in nbformat's form and within its bounds: nbclient's rules, nothing trusted.

What a kernel publishes is decoration. Points come from the reply to the request (`Reply`), which is read on another
channel, so that output that is lost, cut or made up neither gives nor takes any.
"""

from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from coursekit.execution.messages import LOST, Message
from coursekit.execution.streams import as_shown

# What stays of an error however long it is: the place where it arose stands at the end.
ERROR_BYTES = 100_000
SAID_OF_ERROR = 10_000
RICH = ("display_data", "execute_result")


def _bundle(data: Any) -> dict[str, Any]:
    """A MIME bundle that nbformat accepts: text for everything but JSON."""
    if not isinstance(data, dict):
        return {}
    return {kind: value for kind, value in data.items() if kind.endswith("json") or isinstance(value, str)}


def _output(message: Message) -> NotebookNode | None:
    """The message as an output, or None when it is none or is malformed."""
    content = message.content
    if message.kind == "error":
        return error_output(content)
    data, metadata = _bundle(content.get("data")), content.get("metadata")
    if not data:
        return None
    count = content.get("execution_count")
    extra = {"execution_count": count if isinstance(count, int) else None} if message.kind == "execute_result" else {}
    return new_output(message.kind, data=data, metadata=metadata if isinstance(metadata, dict) else {}, **extra)


def error_output(content: dict[str, Any]) -> NotebookNode:
    """An error as an output; of a very long one the end is kept."""
    lines = content.get("traceback")
    kept: list[str] = []
    room = ERROR_BYTES
    for line in reversed(lines if isinstance(lines, list) else []):
        room -= len(str(line))
        if room < 0:
            kept.append("...")
            break
        kept.append(str(line))
    name, value = str(content.get("ename") or "Error"), str(content.get("evalue") or "")
    return new_output("error", ename=name[:200], evalue=value[:SAID_OF_ERROR], traceback=kept[::-1])


def add_error(cell: NotebookNode, name: str, text: str) -> None:
    """Put an error into a cell's outputs, so that nbgrader scores it 0 and a reader sees why."""
    cell.outputs.append(new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"]))


class Outputs:
    """The outputs of one cell; a cell that is `silent` keeps none."""

    def __init__(self, room: int, *, silent: bool = False) -> None:
        self.room = room
        self.used = 0
        self.silent = silent
        self.cut = False
        self._found: list[NotebookNode] = []
        self._streams: dict[str, list[str]] = {}
        self._displays: dict[str, list[NotebookNode]] = {}
        self._clear_next = False

    def take(self, message: Message) -> None:
        """Look at a message that the cell caused, and keep what belongs into the notebook."""
        if self.silent:
            return
        if message.kind == "clear_output":
            self._clear_next = bool(message.content.get("wait"))
            if not self._clear_next:
                self._clear()
        elif message.kind == LOST:
            self.cut = True
        elif message.kind == "stream":
            self._take_text(message.content)
        elif message.kind == "update_display_data":
            self._update(message)
        elif message.kind == "error" or (message.kind in RICH and self._has_room(message.size)):
            self._add(message)

    def _has_room(self, size: int) -> bool:
        self.used += size
        if self.used > self.room:
            self.cut = True
        return not self.cut

    def _clear(self) -> None:
        self._found, self._streams, self._displays = [], {}, {}
        self._clear_next = False

    def _take_text(self, content: dict[str, Any]) -> None:
        name, text = content.get("name"), content.get("text")
        if name not in ("stdout", "stderr") or not isinstance(text, str) or self.cut:
            return
        if self._clear_next:
            self._clear()
        kept = text[: max(0, self.room - self.used)]
        self._has_room(len(text))
        if name not in self._streams:
            self._streams[name] = []
            self._found.append(new_output("stream", name=name, text=""))
        self._streams[name].append(kept)

    def _add(self, message: Message) -> None:
        output = _output(message)
        if output is None:
            return
        if self._clear_next:
            self._clear()
        if message.kind == "error":
            # one is enough, and a student's code can publish any number of them
            self._found = [other for other in self._found if other.output_type != "error"]
        self._found.append(output)
        if display := _display_id(message):
            self._displays.setdefault(display, []).append(output)

    def _update(self, message: Message) -> None:
        data, metadata = _bundle(message.content.get("data")), message.content.get("metadata")
        targets = self._displays.get(_display_id(message), [])
        if data and targets and self._has_room(message.size):
            for output in targets:
                output["data"], output["metadata"] = data, metadata if isinstance(metadata, dict) else {}

    def finish(self) -> list[NotebookNode]:
        """The outputs in order: the text of a stream where it began, stdout before an stderr that it follows."""
        for output in self._found:
            if output.output_type == "stream":
                output.text = as_shown("".join(self._streams[output.name]))
        found = [output for output in self._found if output.output_type != "stream" or output.text]
        for place in range(len(found) - 1):
            pair = [(output.output_type, output.get("name")) for output in found[place : place + 2]]
            if pair == [("stream", "stderr"), ("stream", "stdout")]:
                found[place], found[place + 1] = found[place + 1], found[place]
        if self.cut:
            note = f"\n... the rest of the output was cut after {self.room} bytes ...\n"
            found.append(new_output("stream", name="stdout", text=note))
        return found


def _display_id(message: Message) -> str:
    transient = message.content.get("transient")
    found = transient.get("display_id") if isinstance(transient, dict) else None
    return found if isinstance(found, str) else ""
