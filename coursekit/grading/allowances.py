"""How much a notebook may take: what its metadata say, otherwise what the course says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.execution import Budget
from coursekit.kernels.limits import KernelLimits

# A cell above the first answer, a kernel's start and its end take processor time too, beside what is budgeted.
SPARE_CPU_SECONDS = 60.0


@dataclass(frozen=True)
class Limits:
    """Defaults of the course, where the notebook's metadata say nothing, and how to judge it."""

    cell_seconds: float = 30.0
    total_seconds: float = 600.0
    setup_seconds: float = 120.0
    output_bytes: int = 1_000_000
    total_output_bytes: int = 5_000_000
    memory_bytes: int = 2_000_000_000
    processes: int = 128
    disk_bytes: int = 200_000_000
    cpu_seconds: float = 1200.0
    time_factor: float = 1.0
    answer_rule: str = ""
    import_paths: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    hidden_marks: tuple[str, str] = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")


def _positive(options: Mapping[str, Any], name: str, default: float) -> float:
    """The number of this name, or the default where there is none that makes sense."""
    value = options.get(name, default)
    sensible = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    return float(value) if sensible else default


def budget_of(nb: NotebookNode, limits: Limits) -> Budget:
    """Times and bytes of output from metadata['coursekit'] of the notebook and of single cells."""
    options, factor = notebooks.options(nb), limits.time_factor
    cell_seconds = _positive(options, "cell_seconds", limits.cell_seconds)
    own = {index: _positive(notebooks.options(cell), "seconds", cell_seconds) for index, cell in enumerate(nb.cells)}
    return Budget(
        cell_seconds=factor * cell_seconds,
        total_seconds=factor * _positive(options, "total_seconds", limits.total_seconds),
        setup_seconds=_positive(options, "setup_seconds", limits.setup_seconds),
        output_bytes=int(_positive(options, "output_bytes", limits.output_bytes)),
        total_output_bytes=int(_positive(options, "total_output_bytes", limits.total_output_bytes)),
        own_seconds={index: factor * seconds for index, seconds in own.items() if seconds != cell_seconds},
    )


def kernel_limits_of(nb: NotebookNode, limits: Limits) -> KernelLimits:
    """Memory, processes, disk and processor time from metadata['coursekit'] of the notebook."""
    options, budget = notebooks.options(nb), budget_of(nb, limits)
    by_the_clock = budget.total_seconds + budget.setup_seconds + SPARE_CPU_SECONDS
    return KernelLimits(
        memory_bytes=int(_positive(options, "memory_bytes", limits.memory_bytes)),
        processes=int(_positive(options, "processes", limits.processes)),
        disk_bytes=int(_positive(options, "disk_bytes", limits.disk_bytes)),
        # whoever raises total_seconds for one notebook need not know of this one as well
        cpu_seconds=_positive(options, "cpu_seconds", max(limits.cpu_seconds, by_the_clock)),
    )
