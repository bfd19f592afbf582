"""The one exception that the commands turn into a sentence for the person at the terminal."""


class CourseError(Exception):
    """Something that the instructor can put right; its text says what was found, what was expected and what to do."""
