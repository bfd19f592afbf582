"""Reading a kernel that lies: no message whatever breaks the reader, and little is kept of much."""

import json

import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jupyter_client.session import Session
from nbclient.client import _RGX_CARRIAGERETURN
from nbformat.v4 import new_code_cell, new_notebook

from coursekit import notebooks
from coursekit.execution import hints, messages
from coursekit.execution.hints import hint_for
from coursekit.execution.messages import Message
from coursekit.execution.outputs import ERROR_BYTES, Outputs, error_output
from coursekit.execution.streams import as_shown

SESSION = Session(key=b"a key that the student knows")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KINDS = ["stream", "display_data", "execute_result", "error", "update_display_data", "clear_output", "status", "lost"]
FIELDS = {
    "name": st.sampled_from(["stdout", "stderr"]) | JSON,
    "text": st.text(max_size=30) | JSON,
    "data": st.dictionaries(st.sampled_from(["text/plain", "text/html", "application/json"]), st.text() | JSON) | JSON,
    "metadata": JSON,
    "execution_count": st.integers() | JSON,
    "transient": st.fixed_dictionaries({"display_id": st.sampled_from("ab") | JSON}) | JSON,
    "wait": st.booleans(),
    "ename": JSON,
    "evalue": JSON,
    "traceback": st.lists(st.text(max_size=9)) | JSON,
}
CONTENT = st.fixed_dictionaries({}, optional=FIELDS)


def signed(header: bytes, parent: bytes, content: bytes) -> list[bytes]:
    parts = [header, parent, b"{}", content]
    return [b"topic", b"<IDS|MSG>", SESSION.sign(parts), *parts]


def sent(kind: str, content: object) -> list[bytes]:
    header = {"msg_type": kind, "msg_id": "m", "version": "5.3"}
    return signed(json.dumps(header).encode(), b'{"msg_id": "asked"}', json.dumps(content).encode())


@given(st.text("a\r\n", max_size=40))
@example("\r\r\n\r")
def test_carriage_returns_leave_what_nbclient_leaves(text):
    assert as_shown(text) == _RGX_CARRIAGERETURN.sub("", text)


@given(
    st.lists(st.binary(max_size=20), max_size=8) | st.builds(signed, *[JSON.map(lambda x: json.dumps(x).encode())] * 3)
)
def test_no_bytes_whatever_break_the_reader(frames):
    found = messages.read(SESSION, frames, "asked")
    assert found is None or isinstance(found.content, dict)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a": ' * 100_000, b"9" * 9999, b"{}" * 2, b"\xff"])
def test_content_that_cannot_be_decoded_is_no_message(content):
    header = b'{"msg_type": "stream", "msg_id": "m", "version": "5.3"}'
    assert messages.read(SESSION, signed(header, b'{"msg_id": "asked"}', content), "asked") is None
    other = messages.read(SESSION, signed(header, b'{"msg_id": "other"}', content), "asked")
    assert other == Message("stream", "other", {}, len(content))


def test_messages_with_a_wrong_signature_are_dropped():
    frames = sent("stream", {"name": "stdout", "text": "x"})
    assert messages.read(SESSION, frames, "asked") is not None
    assert messages.read(SESSION, [*frames[:2], b"0" * 64, *frames[3:]], "asked") is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), CONTENT | JSON), max_size=12), st.integers(0, 60))
def test_whatever_is_published_the_notebook_is_valid_and_within_its_room(published, room):
    outputs = Outputs(room)
    for kind, content in published:
        message = messages.read(SESSION, sent(kind, content), "asked")
        if message is not None:
            outputs.take(message)
    cell = new_code_cell()
    cell.outputs = outputs.finish()
    nb = new_notebook(cells=[cell])
    nbformat.validate(nb)
    assert notebooks.loads(notebooks.dumps(nb)).cells[0].outputs == cell.outputs
    notes = [output for output in cell.outputs if "rest of the output was cut" in output.get("text", "")]
    kept = [output for output in cell.outputs if output not in notes and output.output_type != "error"]
    assert sum(len(output.get("text", "")) for output in kept) <= room
    assert len(cell.outputs) - len(kept) - len(notes) <= 1  # one error


def test_what_json_or_utf8_have_no_word_for_is_replaced():
    deep: list = []
    for _ in range(200):
        deep = [deep]
    data = {"text/plain": "\ud800", "application/json": {"a": float("nan"), "\udcff": float("inf"), "deep": deep}}
    outputs = Outputs(10_000)
    for kind, content in (("stream", {"name": "stdout", "text": "\udfff"}), ("display_data", {"data": data})):
        message = messages.read(SESSION, sent(kind, content), "asked")
        assert message is not None
        outputs.take(message)
    kept = outputs.finish()
    assert [output.get("text", output.get("data", {}).get("text/plain")) for output in kept] == ["?", "?"]
    text = json.dumps(kept, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert text.count(b"[") < 100


def test_silence_keeps_nothing():
    outputs = Outputs(1000, silent=True)
    for kind in KINDS:
        outputs.take(Message(kind, "asked", {"name": "stdout", "text": "secret", "data": {"text/plain": "secret"}}, 9))
    assert outputs.finish() == []


def test_of_a_long_error_the_end_stays():
    error = error_output({"ename": "E" * 999, "evalue": "v" * 99_999, "traceback": ["x" * 50_000] * 9 + ["the place"]})
    assert error.traceback[-1] == "the place"
    assert len(json.dumps(error)) < 2 * ERROR_BYTES


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        (
            "StdinNotImplementedError",
            "raw_input was called, but this frontend does not support input requests.",
            "input()",
        ),
        ("AssertionError", "Torch not compiled with CUDA enabled", "get_device()"),
        ("RuntimeError", "Found no NVIDIA driver on your system.", "get_device()"),
        (
            "RuntimeError",
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False.",
            "get_d",
        ),
        ("MemoryError", "", "memory"),
        ("RuntimeError", "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory", "memory"),
        ("RecursionError", "maximum recursion depth exceeded", "calls itself"),
        ("OSError", "[Errno 28] No space left on device", "disk"),
        ("BlockingIOError", "[Errno 11] Resource temporarily unavailable", "processes"),
        ("RuntimeError", "can't start new thread", "threads"),
        ("URLError", "<urlopen error [Errno -3] Temporary failure in name resolution>", "network"),
    ],
)
def test_errors_of_the_graders_machine_have_a_hint(name, text, word):
    assert word in hint_for(name, text)


@given(st.text(), st.text())
def test_a_hint_is_one_of_our_sentences_and_quotes_nothing(name, text):
    assert hint_for(name, text) in {"", *(sentence for _, sentence in hints._HINTS)}


@pytest.mark.parametrize(
    ("name", "text"), [("NameError", "name 'x' is not defined"), ("AssertionError", "mind the 1/2")]
)
def test_ordinary_errors_have_none(name, text):
    assert hint_for(name, text) == ""
