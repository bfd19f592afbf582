"""What the faulty submissions of the soak do, and what right grading makes of each: the rows of the table of faults.

The harmless rows are those that stock nbgrader meets as well. The greedy ones eat memory, processes, disk or the
grader's patience; each stops by itself at an amount that the machine bears should every wall fail.
"""

from dataclasses import dataclass

from grading_fault_rows import FAULTS, Fault, answers

GRADED, TIMED_OUT, KERNEL_DIED, UNREADABLE = "graded", "timed out", "kernel died", "unreadable"

SLOW = """
import time
def square(x):
    time.sleep(60)
    return x * x
"""
FORKS = """
import os, time
def square(x):
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    return x * x
"""
EATS = """
def square(x):
    return len([bytearray(b"1" * 10_000_000) for _ in range(80)])
"""
PRINTS = """
def square(x):
    for _ in range(5):
        print("again " * 170_000)
    return x * x
"""
FILLS = """
for folder in ("/tmp", "/dev/shm", "."):
    try:
        with open(f"{folder}/big", "wb", buffering=0) as file:
            for _ in range(8):
                file.write(b"1" * 10_000_000)
    except OSError:
        pass
def square(x):
    return x * x
"""
SHARES = """
import os, socket
FOUND = os.path.exists("/tmp/result.txt")
open("/tmp/result.txt", "w").write("mine")
server = socket.create_server(("127.0.0.1", 5555))
def square(x):
    return 0 if FOUND else x * x
"""
CALLS = """
import socket
def square(x):
    socket.create_connection(("192.0.2.1", 80), timeout=1)
    return x * x
"""
OUTLIVES = """
import os, signal, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 4096)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3600)
        os._exit(0)
def square(x):
    return x * x
"""
HANGS = """
import atexit, time
atexit.register(time.sleep, 3600)
def square(x):
    return x * x
"""
OPENS = """
import os
kept = [os.pipe() for _ in range(400)]
def square(x):
    return x * x
"""

GREEDY = (
    Fault(19, "sleeps for a minute", answers(square=SLOW)),
    Fault(22, "forks 200 times", answers(square=FORKS)),
    Fault(23, "takes 800 MB", answers(square=EATS)),
    Fault(24, "prints 5 MB at every call", answers(square=PRINTS)),
    Fault(25, "fills every disk that it can write to", answers(square=FILLS)),
    Fault(27, "opens a network connection", answers(square=CALLS)),
    Fault(32, "uses a file in /tmp and a fixed port", answers(square=SHARES)),
    Fault(59, "starts processes that want to outlive it", answers(square=OUTLIVES)),
    Fault(66, "hangs at its end", answers(square=HANGS)),
    Fault(70, "opens hundreds of pipes", answers(square=OPENS)),
)
ALL = (*FAULTS, *GREEDY)


@dataclass(frozen=True)
class Outcome:
    """State of a graded submission, and its points, of 2 and 3; None where they are not looked at.

    Where the machine's speed decides, there is a state `or_state` as well.
    """

    state: str
    points: float | None
    or_state: str = ""


FULL, SECOND_ONLY, FIRST_ONLY = Outcome(GRADED, 5), Outcome(GRADED, 3), Outcome(GRADED, 2)
NOTHING = Outcome(UNREADABLE, 0)
# Whether what changes the tests' surroundings earns points is followed by tests/hostile; here all are to be graded.
CHEATS = Outcome(GRADED, None)
UNUSUAL = {
    1: CHEATS,
    2: CHEATS,
    3: CHEATS,
    6: SECOND_ONLY,
    7: NOTHING,
    15: NOTHING,
    18: Outcome(TIMED_OUT, 2),
    19: Outcome(TIMED_OUT, 2),
    20: Outcome(KERNEL_DIED, 2),
    21: FIRST_ONLY,
    22: FIRST_ONLY,
    23: FIRST_ONLY,
    26: FIRST_ONLY,
    27: FIRST_ONLY,
    30: FIRST_ONLY,
    33: SECOND_ONLY,
    38: Outcome(GRADED, 3, or_state=TIMED_OUT),
}


def expected(fault: Fault) -> Outcome:
    """What right grading makes of a fault; most of them change nothing about right answers."""
    if fault.what == "returns NaN as partial credit":  # the other one of this row is cut to what there is
        return FIRST_ONLY
    return UNUSUAL.get(fault.row, FULL)
