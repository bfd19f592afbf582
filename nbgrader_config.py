"""Settings of the course, read by nbgrader and by coursekit alike."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.CourseDirectory.course_id = "deep-generative-models"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"

# nbgrader's defaults, and what stands beside a solution and must never reach a student.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    "feedback",
    "misconceptions.py",
    "alternatives.py",
    "rubric.md",
]

# The rule about names that an answer may not use, called with the source and the list in the notebook's metadata.
c.Coursekit.answer_rule = "genlib.rules:forbidden_uses"

# What `course publish DIR` writes: path in this folder -> path in the students' folder.
c.Coursekit.publish = {
    "lectures": "lectures",
    "assignments": "assignments",
    "genlib": "genlib",
    "pyproject.toml": "pyproject.toml",
    "constraints.txt": "constraints.txt",
    "environment.yml": "environment.yml",
    "LICENSE": "LICENSE",
    "docs/student.md": "README.md",
    "docs/notation.md": "docs/notation.md",
}
c.Coursekit.published_packages = ["genlib*"]
