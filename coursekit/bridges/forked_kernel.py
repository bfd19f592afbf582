"""What a child of the fork server does to become a kernel."""

import atexit
import contextlib
import gc
import importlib
import io
import os
import random
import resource
import sys
import weakref
from collections.abc import Mapping
from typing import Any

from coursekit.bridges import linux, surroundings


def reseed(seed: int | None) -> None:
    """Fresh states for the random generators, which a forked kernel would otherwise share with the others."""
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(None if seed is None else seed % 2**32)
    if (torch := sys.modules.get("torch")) is not None:
        if seed is None:
            torch.seed()
        else:
            torch.manual_seed(seed)


def _use_threads(count: int) -> None:
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)
    if count > 1:
        with contextlib.suppress(ImportError):
            importlib.import_module("threadpoolctl").threadpool_limits(count)


def compute() -> None:
    """A little of what the modules are for: in a child of a process that had used more threads, this hangs."""
    if (numpy := sys.modules.get("numpy")) is not None:
        matrix = numpy.ones((200, 200))
        numpy.linalg.inv(matrix @ matrix + numpy.eye(200))
    if (torch := sys.modules.get("torch")) is not None:
        weights = torch.ones(200, 200, requires_grad=True)
        image = torch.nn.functional.conv2d(weights[None, None], torch.ones(4, 1, 3, 3))
        (image.exp().log().sum() + (weights @ weights).sum()).backward()


def _bound(limits: Mapping[str, Any]) -> None:
    """The limits that hold without a sandbox too, for one process at a time."""
    wanted = {
        resource.RLIMIT_CPU: max(1, round(limits["cpu_seconds"])),
        resource.RLIMIT_FSIZE: int(limits["disk_bytes"]),
        resource.RLIMIT_CORE: 0,
    }
    if sys.platform == "linux":  # elsewhere nobody counts, or what is counted is not what a notebook takes
        with open("/proc/self/statm") as file:
            present = int(file.read().split()[5]) * resource.getpagesize()
        wanted[resource.RLIMIT_DATA] = present + int(limits["memory_bytes"])
    for name, value in wanted.items():
        hard = resource.getrlimit(name)[1]
        resource.setrlimit(name, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _enter(plan: Mapping[str, Any], request: Mapping[str, Any], files: Mapping[str, bytes], report: int) -> None:
    folder, graded = request["folder"], request["graded"]
    if graded:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        os.close(nothing)
    if plan["kind"] != "none":
        from coursekit.bridges import isolation

        isolation.enter(plan, request["limits"], folder, files, sockets=request["sockets"], reason_fd=report)
        if plan["kind"] == isolation.CONFINED:
            from coursekit.bridges import without_network

            without_network.adapt()
        return
    os.setsid()
    if sys.platform == "linux":  # elsewhere ipykernel looks once a second whether the server is there
        linux.die_with_parent()
    if graded:
        surroundings.write_files(folder, files)
        _bound(request["limits"])
    os.chdir(folder)


def _seal(plan: Mapping[str, Any]) -> None:
    if plan["kind"] != "none":
        from coursekit.bridges import isolation

        isolation.seal()


def _kernel(request: Mapping[str, Any]) -> Any:
    """The application of ipykernel, with its sockets bound and its shell ready."""
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    class App(IPKernelApp):
        def init_connection_file(self) -> None:
            if request["connection"]:
                self.load_connection_info(request["connection"])
            else:
                super().init_connection_file()

        def write_connection_file(self, **kwargs: Any) -> None:
            if not request["connection"]:
                super().write_connection_file(**kwargs)

    sys.argv = ["ipykernel_launcher.py", *request["arguments"]]
    app = App.instance(config=Config(request["config"]), parent_handle=os.getppid())
    app.initialize(list(request["arguments"]))
    if (widgets := sys.modules.get("ipywidgets")) is not None:
        widgets.load_ipython_extension(app.shell)  # done at its import where a kernel is there already
    return app


def _end_quickly() -> None:
    """Let the kernel end after its own exit functions: taking apart what the server has imported takes a second.

    What Python does for a person's notebook is done all the same: exit functions, finalizers, and files are flushed.
    """
    finalize: Any = weakref.finalize
    for finalizer in finalize._registry:
        finalizer.atexit = False  # of the server's modules
    finalize._registered_with_atexit = False  # the next one registers again, behind us

    def end() -> None:
        for found in gc.get_objects():  # without those that were there before the fork: they are frozen
            if issubclass(type(found), io.IOBase):
                with contextlib.suppress(OSError, ValueError):  # closed already, or nobody reads any more
                    found.flush()
        os._exit(0)

    atexit.register(end)


def run(plan: Mapping[str, Any], request: Mapping[str, Any], files: Mapping[str, bytes], report: int) -> int:
    """In a forked child: be the kernel that was asked for, or compute a little where none was, until it ends."""
    _enter(plan, request, files, report)
    if not request["graded"]:
        _end_quickly()
        os.environ.clear()
    os.environ.update(request["environment"])
    _use_threads(request["threads"])
    if request["graded"]:
        sys.path.append("")  # IPython would put it first, and a file of the student's would hide one of ours
    if request["canary"]:
        compute()
        return 0
    app = _kernel(request)
    reseed(request["seed"])  # not before: zmq tries random ports, and how many depends on which are taken
    if plan["kind"] != "none":
        from coursekit.bridges import isolation

        isolation.seal()
    os.write(report, b"ready\n")
    os.close(report)
    app.start()
    return 0
