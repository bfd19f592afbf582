"""Opens the best source of kernels that this machine and these modules allow, and says what was given up."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from coursekit.errors import CourseError
from coursekit.kernels import Kernels
from coursekit.kernels.forked import ForkedKernels
from coursekit.kernels.ordinary import OrdinaryKernels
from coursekit.kernels.server import ForkFailed
from coursekit.kernels.servers import Warn, start
from coursekit.sandbox import Sandbox

# With it a pool of OpenMP has one thread, whatever a notebook asks for.
GRADING = {"OMP_THREAD_LIMIT": "1"}


@dataclass(frozen=True)
class KernelSettings:
    """What the kernels of a course are like; plain data, for it goes to other processes."""

    preload: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0


def open_kernels(settings: KernelSettings, sandbox: Sandbox, *, warn: Warn | None = None) -> Kernels:
    """Forked kernels if they can be had; without a sandbox, which somebody has consented to, else ordinary ones.

    Raises CourseError when the submissions are not trusted and no kernel can be started in the sandbox.
    """
    warn = warn or logging.getLogger("coursekit.kernel").warning
    environment = {**settings.environment, **GRADING}
    try:
        server = start(settings.preload, sandbox=sandbox, environment=environment, warn=warn)
    except ForkFailed as error:
        if sandbox.kind != "none":
            text = "No kernel could be started in the sandbox."
            raise CourseError(f"{text} {error} `course doctor` says what this machine offers.") from error
        warn(f"{error} Every notebook starts a kernel of its own, which takes seconds.")
        return OrdinaryKernels(environment=environment)
    return ForkedKernels(server, environment=environment, seed=settings.seed)
