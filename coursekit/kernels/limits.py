"""What one kernel may use of the machine, in plain numbers that can be sent to another process."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelLimits:
    """Bounds of one kernel and of everything that it starts; all of them end with the kernel.

    ``memory_bytes`` counts what a submission takes beyond the modules that were imported before it, ``processes``
    counts threads too, ``disk_bytes`` is the size of its private /tmp, home and working folder together, and
    ``cpu_seconds`` is processor time, the last resort behind the times by the clock of ``execution.Budget``.
    """

    memory_bytes: int = 2_000_000_000
    processes: int = 128
    disk_bytes: int = 200_000_000
    cpu_seconds: float = 1200.0
