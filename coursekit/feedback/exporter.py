"""nbgrader's exporter of feedback, with our templates and with filters that make whatever they are given safe."""

from functools import lru_cache
from typing import Any

from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from traitlets.config import Config

from coursekit.course import Course
from coursekit.feedback.markdown import markdown_filter
from coursekit.feedback.sanitize import encodable, safe_html
from coursekit.pages import TEMPLATES

LEXER = "ipython3"


def _unchanged(text: str) -> str:
    return text


@lru_cache(maxsize=2048)
def _highlighted(source: str) -> str:
    return str(Highlight2HTML(pygments_lexer=LEXER)(source))


def _highlight_code(source: str, metadata: Any = None) -> str:
    """Code in colours; most cells are the same for the whole class."""
    return _highlighted(encodable(source))


class _Exporter(HTMLExporter):
    """nbconvert's exporter without its last step, which parses the page once more: that takes longer than all others,
    and what the sanitizer wrote is to reach the browser as it is."""

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **options: Any) -> Any:
        return TemplateExporter.from_notebook_node(self, nb, self._init_resources(resources), **options)


def feedback_exporter(course: Course) -> HTMLExporter:
    """nbgrader's own exporter of a course with our page around its cells; one can write many pages."""
    converter = GenerateFeedback(coursedir=course.directory, config=course.config, log=course.log)
    config = Config(converter.config)
    config.HTMLExporter.extra_template_paths = [str(TEMPLATES), *config.HTMLExporter.extra_template_paths]
    config.HTMLExporter.template_file = "course_feedback.html.j2"
    config.HTMLExporter.sanitize_html = True  # scripts and widgets of outputs are left out
    exporter = _Exporter(config=config, log=course.log)
    # the page's templates send every text through these, and the last of them is what a browser gets
    exporter.register_filter("markdown2html", markdown_filter)
    exporter.register_filter("strip_files_prefix", _unchanged)
    exporter.register_filter("clean_html", safe_html)
    exporter.register_filter("highlight_code", _highlight_code)
    for step in converter.preprocessors:
        exporter.register_preprocessor(step(config=config, log=course.log))
    return exporter
