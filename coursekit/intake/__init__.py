"""Rebuild a submission on the released notebook: bytes in, a clean notebook and a list of repairs out.

Only the student's answer cells are taken from a submission; everything else comes from the release. What a submission
contains can raise nothing but `Unreadable` and costs a bounded amount of time and memory.
"""

from coursekit.intake.reading import RESUBMIT, Unreadable
from coursekit.intake.rebuilding import rebuild

__all__ = ["RESUBMIT", "Unreadable", "rebuild"]
