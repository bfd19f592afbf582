"""What a late submission costs: `c.Coursekit.late_policy`, as a plugin of nbgrader's own step for late penalties.

`course` uses the plugin wherever the policy is given and no other plugin is; `nbgrader autograde` on its own needs the
line `c.AssignLatePenalties.plugin_class = "coursekit.grading.late.LatePolicy"` in nbgrader_config.py as well.
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nbgrader.plugins import BasePlugin
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from coursekit.errors import CourseError
from coursekit.settings import Coursekit

PLUGIN = "coursekit.grading.late.LatePolicy"
OTHERS = "*"  # the policy of every assignment that is not named
DAY = 86400.0


@dataclass(frozen=True)
class Policy:
    """What is taken off: so many percent of the points reached for every day begun, counted from the due date.

    Within the grace period nothing is; after `refused_after_days` everything is, whatever `at_most_percent` says.
    """

    grace_minutes: float = 0.0
    percent_per_day: float = 0.0
    at_most_percent: float = 100.0
    refused_after_days: float = math.inf

    def is_free(self, seconds: float) -> bool:
        """Whether a submission so late costs nothing: it is in time, or within the grace period."""
        return seconds <= 60 * self.grace_minutes

    def refuses(self, seconds: float) -> bool:
        """Whether a submission so late gets no points at all."""
        return not self.is_free(seconds) and seconds > DAY * self.refused_after_days

    def percent(self, seconds: float) -> float:
        """How many percent of the points reached are taken off a submission so late."""
        if self.is_free(seconds):
            return 0.0
        if self.refuses(seconds):
            return 100.0
        return min(self.at_most_percent, self.percent_per_day * math.ceil(seconds / DAY))

    def penalty(self, score: float, seconds: float) -> float:
        """The points that are taken off, from 0 to all of them."""
        percent = self.percent(seconds)
        return max(0.0, score if percent >= 100 else score * (percent / 100))


def _number(where: str, name: str, value: Any) -> float:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    is_share = "percent" in name
    if not fine or (is_share and value > 100):
        wanted = "a number from 0 to 100" if is_share else "a number that is not negative"
        raise CourseError(f"{where}[{name!r}] = {value!r} should be {wanted}.")
    return float(value)


def parse(options: Any, where: str = "c.Coursekit.late_policy") -> Policy:
    """The policy that a dict describes; raises CourseError for anything that is none."""
    known = [field.name for field in fields(Policy)]
    if not isinstance(options, Mapping):
        raise CourseError(f"{where} = {options!r} should be a dict with some of {', '.join(known)}.")
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise CourseError(f"{where} has {name!r}, which is none of {', '.join(known)}.{hint}")
    policy = Policy(**{name: _number(where, name, value) for name, value in options.items()})
    if options and not policy.percent_per_day and math.isinf(policy.refused_after_days):
        raise CourseError(f"{where} takes nothing off. Give percent_per_day, or refused_after_days, or leave it empty.")
    return policy


def policies(options: Mapping[Any, Any]) -> dict[str, Policy]:
    """Policies by assignment, `OTHERS` for all that are not named; raises CourseError for what cannot be understood."""
    if not options:
        return {}
    if not any(isinstance(value, Mapping) for value in options.values()):
        return {OTHERS: parse(options)}
    return {str(name): parse(value, f"c.Coursekit.late_policy[{name!r}]") for name, value in options.items()}


def policy_of(options: Coursekit, assignment: str) -> Policy | None:
    """The policy of one assignment, None where none is given; raises CourseError."""
    found = policies(options.late_policy)
    return found.get(assignment, found.get(OTHERS))


class LatePolicy(BasePlugin):
    """nbgrader's plugin for what `c.Coursekit.late_policy` says."""

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float | None:
        """Points to be taken off a notebook with this score; None without a policy for the assignment."""
        policy = policy_of(Coursekit(config=self.config), str(self.parent.assignment_id))
        return None if policy is None else policy.penalty(score, total_seconds_late)


def configure(config: Config, options: Coursekit) -> None:
    """Use the policy where one is given and the instructor names no plugin; raises CourseError when two are given."""
    if not policies(options.late_policy) or config.AssignLatePenalties.get("plugin_class"):
        return
    if config.LateSubmissionPlugin.get("penalty_method", "none") != "none":
        raise CourseError(
            "nbgrader_config.py gives two rules for late work: c.Coursekit.late_policy and "
            "c.LateSubmissionPlugin.penalty_method. Remove one of them."
        )
    config.AssignLatePenalties.plugin_class = PLUGIN


def policy_in_force(config: Config, options: Coursekit, assignment: str) -> Policy | None:
    """The policy of one assignment; None where there is none or where a plugin of the instructor's decides instead."""
    named = config.AssignLatePenalties.get("plugin_class")
    plugin = import_item(named) if isinstance(named, str) else named
    ours = plugin is not None and getattr(plugin, "late_submission_penalty", None) is LatePolicy.late_submission_penalty
    return policy_of(options, assignment) if ours else None
