"""HTML that came from a student must not run, load or imitate anything in the browser of whoever reads the page.

Done by nh3, the Python side of the Rust library ammonia: it parses as browsers do and writes a tree anew in which only
what is named here is left. (bleach, which nbconvert uses, has had its last release.)
"""

import html
import re

import nh3
from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped]

LONGEST_HTML = 100_000  # a tree that is nested without end costs the square of its length
_MATH = (
    "math menclose merror mfrac mi mn mo mover mpadded mphantom mroot mrow ms mspace msqrt mstyle msub msubsup msup "
    "mtable mtd mtext mtr munder munderover"
)
_TEXT = (
    "a abbr b blockquote br caption center code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i "
    "img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var"
)
_MATH_OPTIONS = (
    "accent accentunder columnspan depth display displaystyle fence form height largeop linethickness lspace "
    "mathvariant maxsize minsize movablelimits notation rowspan rspace scriptlevel separator stretchy style symmetric "
    "voffset width"
)
TAGS = frozenset(f"{_MATH} {_TEXT}".split())
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"class", "title"},
    "a": {"href"},
    "img": {"alt", "height", "src", "width"},
    "ol": {"start"},
    "td": {"align", "colspan", "rowspan", "style"},
    "th": {"align", "colspan", "rowspan", "style"},
    **{tag: set(_MATH_OPTIONS.split()) for tag in _MATH.split()},
}
# What mistune writes for the alignment of a column, and math-core for the columns of a system of equations.
_STYLES = {"color", "justify-items", "padding-left", "padding-right", "text-align", "width"}
# A picture is part of the page, a link leads to the web or to a place in the page; nothing else has an address.
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]+")
_LINK = re.compile(r"(?:https?://|mailto:|#)[^\x00-\x20]*", re.IGNORECASE)
# Other classes would dress up as a part of the page, or lie on top of it.
_CLASSES = {*STANDARD_TYPES.values(), "highlight", "dataframe", "anchor-link", "task-list-item", "formula"} - {""}
_PICTURE_DATA = re.compile(r"base64,[A-Za-z0-9+/=]+")
_CHECKBOX = re.compile(r'<input class="task-list-item-checkbox" type="checkbox" disabled( checked)?/>')


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        kept = [word for word in value.split() if word in _CLASSES or re.fullmatch(r"language-\w+", word)]
        return " ".join(kept) or None
    if (tag, name) == ("img", "src"):
        return value if _PICTURE.fullmatch(value) else None
    if (tag, name) == ("a", "href"):
        return value if _LINK.fullmatch(value) else None
    return value


_CLEANER = nh3.Cleaner(
    tags=set(TAGS),
    clean_content_tags={"script", "style", "iframe", "object", "template", "noscript", "title"},
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    filter_style_properties=_STYLES,
    url_schemes={"http", "https", "mailto", "data"},
    link_rel="noopener noreferrer nofollow",
)


def encodable(text: object) -> str:
    """Text without lone surrogates, which no file can hold."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def as_shown(text: str) -> str:
    """Any text as HTML that shows it letter by letter."""
    return f"<pre>{html.escape(encodable(text))}</pre>"


def safe_html(text: object) -> str:
    """HTML in which nothing runs, nothing is fetched and nothing looks like a part of the page around it.

    What is too long to be looked through is shown as text, cut.
    """
    found = encodable(text)
    if len(_PICTURE_DATA.sub("", found)) > LONGEST_HTML:
        return as_shown(f"{found[:LONGEST_HTML]} ...")
    found = _CHECKBOX.sub(lambda box: "\N{BALLOT BOX WITH CHECK} " if box[1] else "\N{BALLOT BOX} ", found)
    return _CLEANER.clean(found)
