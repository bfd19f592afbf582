"""The fork server's warm state: what it imports before it forks, and whether it may fork."""

import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Collection, Mapping
from typing import Any

# What a kernel imports by itself while it starts and runs its first cell; none of them makes a thread or a zmq context.
KERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.core.ultratb",
    "IPython.extensions.storemagic",
    "zmq.asyncio",
)


def import_module(name: str) -> str:
    """Import one module; what went wrong as a sentence, or nothing."""
    try:
        importlib.import_module(name)
    except Exception as error:  # a broken installation can raise anything
        return f"importing it raised {type(error).__name__}: {error}"
    return ""


def threads() -> int:
    """How many threads this process has, those that no Python code knows included."""
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/task"))
    import psutil

    return int(psutil.Process().num_threads())


def why_not_fork() -> str:
    """A sentence on why a child of this process could hang or break, or nothing."""
    if (count := threads()) != 1:
        return f"this process has {count} threads, and a fork copies only one of them"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA was initialised, and no child of this process could use it"
    return ""


def settle() -> None:
    """Tidy up and keep what is left out of garbage collection, so that a child does not copy the pages it lies in."""
    gc.collect()
    gc.freeze()


def files_of_modules() -> dict[str, int]:
    """The file of every imported module and when it was changed, in ns."""
    found = {}
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if isinstance(name, str):
            with contextlib.suppress(OSError):
                found[name] = os.stat(name).st_mtime_ns
    return found


def end_signal(plan: Mapping[str, Any]) -> int:
    """The signal that ends a kernel with all that it has started."""
    if plan["kind"] == "landlock":
        from coursekit.bridges import guard

        return int(guard.END)
    return int(signal.SIGKILL)


def end_strays(plan: Mapping[str, Any], known: Collection[int]) -> None:
    """End what a kernel has left behind, where its guard was killed and could not; `known` are the other guards."""
    if plan["kind"] == "landlock":
        from coursekit.bridges import descendants

        descendants.end_strays(known)


def prepare(plan: Mapping[str, Any]) -> None:
    """Before anything heavy is imported: what the sandbox wants, and the kernel's own modules."""
    if plan["kind"] != "none":
        from coursekit.bridges import isolation

        isolation.prepare(plan)
    # As ipykernel does before matplotlib is imported, which looks at it then.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    for name in KERNEL_MODULES:
        importlib.import_module(name)
