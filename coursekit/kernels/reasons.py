"""Why a kernel ended, for a student."""

import signal

from coursekit.kernels.limits import KernelLimits

GIGABYTE, MEGABYTE = 1e9, 1e6
CRASHES = {
    "SIGSEGV": "a segmentation fault",
    "SIGBUS": "a bus error",
    "SIGABRT": "an abort",
    "SIGFPE": "an arithmetic fault",
}


def sentence(reason: str, limits: KernelLimits) -> str:
    """What "memory", "processes", "processor", "signal 11" or "exit 1" means; empty when nothing is known."""
    kind, _, number = reason.partition(" ")
    if kind == "memory":
        return f"Python was ended because it took more than {limits.memory_bytes / GIGABYTE:g} GB of memory."
    if kind == "processes":
        return f"Python was ended because it had more than {limits.processes} processes and threads."
    if kind == "disk":
        size = f"{limits.disk_bytes / MEGABYTE:g} MB"
        return f"Python was ended because its files took more than {size}, or were too many."
    if kind == "processor":
        return f"Python was ended because it had computed for more than {limits.cpu_seconds:g} s."
    if kind == "exit" and number.isdigit():
        return f"Python ended by itself with exit status {number}, as os._exit does."
    if kind == "signal" and number.isdigit():
        return _of_signal(int(number), limits)
    return ""


def _of_signal(number: int, limits: KernelLimits) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"Python was ended by signal {number}."
    if name == "SIGXCPU":
        return sentence("processor", limits)
    if name in CRASHES:
        return f"Python crashed with {CRASHES[name]} ({name}), for example after a recursion that goes too deep."
    if name == "SIGKILL":
        return "Python was killed, most often because the machine had no memory left."
    return f"Python was ended by the signal {name}."
