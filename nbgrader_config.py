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

# Imported once for all notebooks, in one thread, and what of this folder they can read.
c.Coursekit.preload = [
    "numpy",
    "torch",
    "torchvision",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "genlib.checks",
    "genlib.data",
    "genlib.device",
    "genlib.plot",
]
c.Coursekit.sandbox_paths = ["genlib"]

# What nbgrader's own pages, the formgrader's among them, do with notebooks that it has graded by itself: nothing that a
# student wrote runs in the browser of whoever reads them. `course grade` stores no such thing in the first place.
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.filters = {"strip_files_prefix": "coursekit.feedback.sanitize.safe_html"}

# The rubric above an answer is for formgrader; `nbgrader generate_feedback` would show it to students.
c.HTMLExporter.preprocessors = ["coursekit.feedback.stock.LeaveOutRubrics"]

# What `course lab` and `course doctor` want to know.
c.Coursekit.title = "Deep generative models"
c.Coursekit.imports = ["numpy", "torch", "torchvision", "scipy", "sklearn", "matplotlib", "ipywidgets", "genlib"]
c.Coursekit.memory_gb = 2.0
c.Coursekit.machine_probe = "genlib.machine:probe"
c.Coursekit.reading = {"working on an assignment": "docs/student.md", "notation": "docs/notation.md"}

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
    "docs/images/start-page.png": "images/start-page.png",
    "docs/notation.md": "docs/notation.md",
}
c.Coursekit.published_packages = ["genlib*"]
c.Coursekit.published_commands = ["lab", "doctor", "update"]
