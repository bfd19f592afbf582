"""Which sandbox `course grade` would use on this computer, tried as it tries them, and what that one lacks."""

import sys
from pathlib import Path

from coursekit.doctor.doctor import TEACH, Row
from coursekit.errors import CourseError
from coursekit.sandbox import TRUST_OPTION, Paths, choose
from coursekit.sandbox.promises import lacks


def sandbox(root: Path, kind: str = "") -> Row:
    """The kind of sandbox that holds here, or why none does; `kind` is what c.Coursekit.sandbox asks for."""
    try:
        found = choose(Paths(course=root), trust=False, kind=kind).kind
    except CourseError as error:
        if sys.platform.startswith("linux"):
            advice = str(error)
        else:
            advice = f"{error} Cells of a submission run with your rights, and nothing keeps them from your files."
        return Row(TEACH, "sandbox", "optional", f"none; grading needs {TRUST_OPTION}", advice=advice)
    if not (missing := lacks(found)):
        return Row(TEACH, "sandbox", "ok", f"{found} holds", details={"kind": found})
    text = f"It makes no namespaces. A submission {'; it '.join(missing)}. bubblewrap is better, where it is allowed."
    return Row(TEACH, "sandbox", "optional", f"{found} holds", advice=text, details={"kind": found, "lacks": missing})
