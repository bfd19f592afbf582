"""Not in the list: sends messages that no reader expects, signed with the kernel's own key."""

# %% double
import json

kernel = get_ipython().kernel
session, channel = kernel.session, kernel.iopub_socket
parent = kernel.get_parent()
PAYLOADS = [
    ("stream", {}),
    ("stream", {"name": ["stdout"], "text": {"a": 1}}),
    ("stream", {"name": "stdout", "text": "\ud800 \udfff \0"}),
    ("display_data", {"data": [], "metadata": None, "transient": 3}),
    ("display_data", {"data": {"text/html": 7, "image/png": {"a": []}}, "metadata": {"x": []}}),
    ("display_data", {"data": {"application/json": float("nan")}, "metadata": {}}),
    ("execute_result", {"data": {"text/plain": ["4", ".0"]}, "metadata": {}, "execution_count": "many"}),
    ("execute_result", {}),
    ("error", {"ename": None, "evalue": {}, "traceback": "text"}),
    ("error", {}),
    ("status", {"execution_state": "dead"}),
    ("status", {}),
    ("update_display_data", {"data": {}, "transient": {"display_id": []}}),
    ("clear_output", {"wait": "yes"}),
    ("comm_open", {"comm_id": {}, "target_name": None}),
    ("no_such_type", "text"),
]
for kind, content in PAYLOADS:
    try:
        session.send(channel, kind, content, parent=parent)
    except Exception as error:
        print("TRIED", kind, type(error).__name__)


def double(x):
    return 2 * x


# %% norm
deep = "[" * 50_000 + "]" * 50_000
number = "9" * 6_000
for text in (
    deep,
    '{"data": {"application/json": ' + deep + '}, "metadata": {}}',
    '{"text": ' + number + ', "name": "stdout"}',
    "not json",
    "null",
    '{"name": "stdout", "text": 1e999}',
):
    parts = [b"stream"]
    header = session.pack(session.msg_header("stream"))
    rest = [header, session.pack(kernel.get_parent()["header"]), b"{}", text.encode()]
    channel.send_multipart([*parts, b"<IDS|MSG>", session.sign(rest), *rest])
channel.send_multipart([b"stream"])
channel.send_multipart([b"stream", b"<IDS|MSG>"])
channel.send_multipart([b"stream", b"<IDS|MSG>", b"no signature", b"{}", b"{}", b"{}", b"{}"])


def norm(x):
    return (x * x).sum() ** 0.5
