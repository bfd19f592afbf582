"""`course export`: grades as nbgrader's CSV, and as what Canvas and Moodle import."""

from coursekit.export.write import FORMATS, Written, export, write

__all__ = ["FORMATS", "Written", "export", "write"]
