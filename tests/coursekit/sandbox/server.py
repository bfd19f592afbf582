"""A small fork server that runs inside the sandbox under test: argv[1] is the plan, argv[2] the task, both JSON.

Every kernel runs one piece of code. What it prints goes into the pipe of the reasons, whose last line is the reason.
"""

import json
import os
import selectors
import sys

from coursekit.bridges import isolation


def kernel(plan, task, number, code, report):
    sockets = f"{task['sockets']}/{number}" if task["sockets"] else ""
    files = {name: text.encode() for name, text in task["files"].items()}
    isolation.enter(plan, task["limits"], task["folder"], files, sockets=sockets, reason_fd=report)
    os.dup2(report, 1)
    os.dup2(report, 2)
    os.close(report)
    if task["sealed"]:
        isolation.seal()
    try:
        exec(compile(code, f"<kernel {number}>", "exec"), {"sockets": sockets, "before": before})
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


plan, task = json.loads(sys.argv[1]), json.loads(sys.argv[2])
isolation.prepare(plan)
before: dict = {}
exec(task["before"], before)
waiting, heard, texts, pids = selectors.DefaultSelector(), {}, {}, {}
for number, code in enumerate(task["codes"]):
    if task["sockets"]:
        os.mkdir(f"{task['sockets']}/{number}", mode=0o700)
    out, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        kernel(plan, task, number, code, report)
    os.close(report)
    waiting.register(out, selectors.EVENT_READ, number)
    texts[number], pids[number] = b"", pid
while waiting.get_map():
    for key, _ in waiting.select():
        data = os.read(key.fd, 65536)
        if not data:
            waiting.unregister(key.fd)
        elif b"READY" in texts[key.data] + data and b"READY" not in texts[key.data]:
            texts[key.data] += data
            if all(b"READY" in text for text in texts.values()):
                print("READY", flush=True)
                if task["signal"] == "server":
                    os.kill(os.getpid(), 9)
                elif task["signal"]:
                    os.kill(pids[0], task["signal"])
        else:
            texts[key.data] += data
results = []
for number, pid in pids.items():
    *lines, reason = texts[number].decode(errors="replace").splitlines() or [""]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    results.append({"lines": lines, "reason": reason, "status": status})
print(json.dumps(results), flush=True)
