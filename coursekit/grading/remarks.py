"""What is said of a graded submission besides its points: how late it was, which attempt counts, what is to be seen."""

from collections.abc import Iterator, Mapping
from typing import Any

from coursekit.course import Course
from coursekit.grading import by_hand
from coursekit.grading.late import DAY, Policy, policy_in_force


def _count(number: float, unit: str) -> str:
    return f"{number:g} {unit}" + ("" if number == 1 else "s")


def length(seconds: float) -> str:
    """A time in the one or two units in which people say it, never rounded down to less than it was."""
    minutes = -int(-seconds // 60)
    if minutes <= 120:
        return _count(minutes, "minute")
    hours = -int(-seconds // 3600)
    if hours < 48:
        return _count(hours, "hour")
    days, rest = divmod(hours, 24)
    return _count(days, "day") + (f" and {_count(rest, 'hour')}" if rest else "")


def _points(value: float) -> str:
    return _count(round(value, 2), "point")


def _taken_off(policy: Policy, seconds: float, penalty: float) -> str:
    if policy.is_free(seconds):
        grace = _count(policy.grace_minutes, "minute")
        return f"That is within the grace period of {grace}, so nothing was taken off."
    if policy.refuses(seconds):
        if not policy.refused_after_days:
            return f"Late work gets no points: {_points(penalty)} were taken off."
        allowed = _count(policy.refused_after_days, "day")
        return f"Work that is more than {allowed} late gets no points: {_points(penalty)} were taken off."
    if not policy.percent_per_day:
        return "Nothing was taken off."
    begun = _count(-int(-seconds // DAY), "day")
    most = f", and at most {policy.at_most_percent:g} %" if policy.at_most_percent < 100 else ""
    rule = f"every day begun after that costs {policy.percent_per_day:g} % of the points reached{most}"
    verb = "has" if begun == "1 day" else "have"
    return f"{begun} {verb} begun, and {rule}: {_points(penalty)} ({policy.percent(seconds):g} %) were taken off."


def about_time(policy: Policy | None, record: Mapping[str, Any]) -> Iterator[str]:
    """How late a submission was, what that cost and why; nothing where it was in time without an extension."""
    seconds, penalty, until = record["late_seconds"], record["late_penalty"], record.get("extended_until")
    if seconds <= 0:
        if until:
            yield f"You had an extension until {until}, and it came in time."
        return
    since = f"the end of your extension, {until}" if until else "the due date"
    if policy is None:
        cost = f", which costs {round(penalty, 2):g} points" if penalty else ""
        yield f"It came {seconds / 3600:.1f} hours after {since}{cost}."
        return
    yield f"It came {length(seconds)} after {since}. {_taken_off(policy, seconds, penalty)}"


def about_attempts(record: Mapping[str, Any]) -> Iterator[str]:
    """Which of several attempts counts, and what each is worth."""
    rows = record.get("attempts", [])
    if len(rows) < 2:
        return
    texts = []
    for row in rows:
        off = f" after {row['late_penalty']:.3g} off for being late" if row["late_penalty"] else ""
        mark = ", which counts" if row["counts"] else ""
        texts.append(f"{row['received'] or 'at an unknown time'}: {round(row['score'], 2):g}{off}{mark}")
    yield f"There are {len(rows)} attempts, and the one with the most points counts. Points: {'; '.join(texts)}."


def notes(course: Course, assignment: str, record: Mapping[str, Any]) -> list[str]:
    """Sentences for the student's page and for the class report."""
    policy = policy_in_force(course.config, course.options, assignment)
    return [*about_time(policy, record), *about_attempts(record), *by_hand.sentences(record)]


def brief(record: Mapping[str, Any]) -> list[str]:
    """The same in few words, for the table at the terminal; what a person has to look at comes first."""
    found = [f"'{cell}' changed since it was graded by hand." for _, cell in record.get("changed_since_by_hand", [])]
    if record["late_seconds"] > 0:
        off = f", {round(record['late_penalty'], 2):g} off" if record["late_penalty"] else ""
        found.append(f"{record['late_seconds'] / 3600:.1f} h late{off}.")
    rows = record.get("attempts", [])
    if len(rows) > 1:
        place = next(index for index, row in enumerate(rows, start=1) if row["counts"])
        found.append(f"Attempt {place} of {len(rows)} counts.")
    return found
