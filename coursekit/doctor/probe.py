"""Asks the Python that runs the notebooks what it can import, in a process of its own that may crash or hang."""

import json
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BRIDGE = Path(__file__).resolve().parents[1] / "bridges" / "machine.py"
SECONDS = 180.0  # the first import of torch after an installation takes a minute on a slow disk with a virus scanner


@dataclass
class Answer:
    """What a Python said about itself."""

    python: str | None = None  # its version; None when it could not be started
    bits: int = 64
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)  # module -> version, of those that can be imported
    errors: dict[str, str] = field(default_factory=dict)  # module -> why it cannot
    missing: dict[str, str] = field(default_factory=dict)  # module -> the module that is not installed, it or another
    rows: list[Any] = field(default_factory=list)  # what the course's probe returned
    problem: str = ""  # why there is no more of an answer, as a sentence


def _read(answer: Answer, lines: bytes) -> tuple[str, bool]:
    """Fill the answer in; returns what was tried last, and whether the process came to its end."""
    trying, done = "", False
    for line in lines.decode("utf-8", "replace").splitlines():
        try:
            message = json.loads(line)
        except ValueError:  # the process died while it wrote this line
            break
        trying = message.get("trying", trying)
        done = done or bool(message.get("done"))
        if "python" in message:
            answer.python, answer.bits = message["python"], message["bits"]
            answer.machine = message["machine"]
        if "version" in message:
            answer.versions[message["module"]] = message["version"]
        if "error" in message:
            answer.errors[message["module"]] = message["error"]
            if message["missing"]:
                answer.missing[message["module"]] = message["missing"]
        answer.rows = message.get("rows", answer.rows)
        if "probe_error" in message:
            answer.problem = f"{trying} failed: {message['probe_error']}."
    return trying, done


def _ending(code: int, stderr: bytes) -> str:
    """How a process ended, in words."""
    if code < 0:
        names = {item.value: item.name for item in signal.Signals}
        return f"was ended by {names.get(-code, f'signal {-code}')}"
    last = stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1].strip()
    return f"ended with exit code {code}" + (f" ({last})" if last else "")


def ask(interpreter: str, imports: Sequence[str], probe: str, seconds: float = SECONDS) -> Answer:
    """What this Python can import and what the probe says; never raises, whatever is wrong with that Python."""
    answer = Answer()
    wanted = json.dumps({"imports": list(imports), "probe": probe})
    try:
        done = subprocess.run(
            [interpreter, str(BRIDGE), wanted],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        trying, _ = _read(answer, error.stdout or b"")
        answer.problem = f"Python was still busy with {trying or 'starting'} after {seconds:g} seconds and was stopped."
        if trying in imports:
            answer.errors.setdefault(trying, f"no end after {seconds:g} seconds")
        return answer
    except OSError as error:
        answer.problem = f"{interpreter} cannot be started ({error.strerror})."
        return answer
    trying, came_to_its_end = _read(answer, done.stdout)
    if not came_to_its_end:
        how = _ending(done.returncode, done.stderr)
        answer.problem = f"Python {how} while it was busy with {trying or 'starting'}."
        if trying in imports and trying not in answer.versions:
            answer.errors.setdefault(trying, f"Python {how}")
    return answer
