"""Who is who: students of the gradebook, by the names and numbers that a learning management system gives them."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from coursekit.course import Course
from coursekit.intake.names import MAX_NAME

MAX_ID = 128  # characters, the width of nbgrader's column
MAX_ID_BYTES = 200


def wrong_id(text: str) -> str:
    """Why a text cannot be a student's id, which is also the name of a folder; empty when it can."""
    if not text:
        return "is empty"
    if len(text) > MAX_ID or len(text.encode("utf-8", "surrogateescape")) > MAX_ID_BYTES:
        return f"is longer than {MAX_ID} characters"
    if text.startswith("."):
        return "begins with a dot"
    if text != text.strip() or not text.isprintable() or any(mark in text for mark in "/\\"):
        return "cannot be the name of a folder"
    return ""


def name_key(text: str) -> str:
    """The form in which names of people are compared: letters and digits only, small, without accents."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text[:MAX_NAME]).casefold())
    return "".join(letter for letter in letters if letter.isalnum())


@dataclass(frozen=True)
class Person:
    """A student as the gradebook knows her; what it does not know is empty."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    @property
    def name(self) -> str:
        """First and last name, or the id of somebody whose name is not known."""
        return f"{self.first_name} {self.last_name}".strip() or self.id

    def name_keys(self) -> set[str]:
        """Her name in both orders, as `name_key` writes it."""
        keys = {name_key(self.first_name + self.last_name), name_key(self.last_name + self.first_name)}
        return keys - {""}


class People:
    """Everybody in the gradebook, to be looked up by what is written on a submission."""

    def __init__(self, everybody: Iterable[Person]) -> None:
        self.by_id = {person.id: person for person in everybody}
        self._by_lms: dict[str, list[Person]] = defaultdict(list)
        self._by_email: dict[str, list[Person]] = defaultdict(list)
        self._by_name: dict[str, list[Person]] = defaultdict(list)
        for person in self.by_id.values():
            if person.lms_user_id:
                self._by_lms[person.lms_user_id].append(person)
            if person.email:
                self._by_email[person.email.casefold()].append(person)
            for key in person.name_keys():
                self._by_name[key].append(person)

    @staticmethod
    def _only(found: list[Person]) -> Person | None:
        return found[0] if len(found) == 1 else None

    def with_lms_id(self, text: str) -> Person | None:
        """The only one with this number in the learning management system."""
        return self._only(self._by_lms.get(text.strip(), []))

    def with_email(self, text: str) -> Person | None:
        """The only one with this address."""
        return self._only(self._by_email.get(text.strip().casefold(), []))

    def called(self, text: str) -> list[Person]:
        """Everybody of this name, in either order of first and last name."""
        return list(self._by_name.get(name_key(text), []))

    def find(self, text: str) -> Person | None:
        """The one whose id, e-mail address, number or name this is, in this order; None for nobody and for several."""
        text = unicodedata.normalize("NFC", text.strip())
        found = self.by_id.get(text) or self.with_email(text) or self.with_lms_id(text)
        return found or self._only(self.called(text))


def people_of(course: Course) -> People:
    """Everybody in the course's gradebook whose id can be the name of a folder."""
    names = ("first_name", "last_name", "email", "lms_user_id")
    with course.gradebook() as book:
        everybody = [Person(each.id, *(getattr(each, name) or "" for name in names)) for each in book.students]
    return People(person for person in everybody if not wrong_id(person.id))
