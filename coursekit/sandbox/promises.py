"""What each kind of sandbox promises, and what it means where a promise is missing.

A promise is kept or broken by the attempt of the same name in coursekit/bridges/attempts.py. A sandbox is used only
where every promise of its kind was kept; docs/sandbox.md has the same in a table.
"""

from collections.abc import Mapping

# Without one of these nothing is graded but with consent: they protect whoever grades, and the other students.
NEEDED: Mapping[str, str] = {
    "network": "no connection to this computer or to another",
    "reading": "no file of the course, of other students or of your own can be opened",
    "writing": "nothing outside can be written or changed",
    "signals": "no process outside can be signalled or slowed down",
    "environment": "secrets of the grader's environment are not there",
    "capabilities": "no rights of root, and no way to get them",
    "tracing": "no process outside can be looked into",
    "files": "no file of the grader is open",
    "disk": "disk space is bounded",
    "memory": "memory is bounded",
    "forks": "processes and threads are bounded",
    "ending": "all that a notebook has started ends with it",
}
# What only namespaces give -> what a notebook can do without it.
COMFORT: Mapping[str, str] = {
    "names": "can find out whether a file exists and how large it is",
    "sight": "sees the command lines of all processes, and how many files those of its user have open",
    "sealing": "can still write into the folder that holds its sockets",
    "folders": "has no /tmp and no /dev/shm: multiprocessing's pools and queues do not work",
    "loopback": "has no network of its own: not even 127.0.0.1 works",
}
PROMISES: Mapping[str, tuple[str, ...]] = {
    "bubblewrap": (*NEEDED, *COMFORT),
    "namespaces": (*NEEDED, *COMFORT),
    "landlock": (*NEEDED,),
    "none": (),
}
KINDS = tuple(PROMISES)


def lacks(kind: str) -> list[str]:
    """What a notebook can or cannot do in this kind of sandbox, and would not in the best one."""
    return [text for name, text in COMFORT.items() if name not in PROMISES[kind]]


def warning(kind: str) -> str:
    """A sentence for whoever grades on what is not isolated; empty where everything is, or nobody knows."""
    if kind == "none":
        return "There is no sandbox: submissions run with your own rights."
    missing = lacks(kind) if kind in PROMISES else []
    if not missing:
        return ""
    return f"The sandbox is '{kind}', which makes no namespaces: a submission {'; it '.join(missing)}."
