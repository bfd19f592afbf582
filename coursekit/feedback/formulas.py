"""LaTeX as MathML, which browsers draw by themselves: a page with formulas needs no script and no network."""

import html
import re
from functools import cache

from math_core import LatexError, LatexToMathML

# The parser calls itself for each pair of braces; from 8,000 characters on that could use up the stack of the process.
LONGEST_FORMULA = 1500


@cache
def _converter() -> LatexToMathML:
    # no macros: one that names itself could grow without end
    return LatexToMathML(fancy_error=False, max_expansions=0)


def mathml(latex: str, *, display: bool) -> str:
    """A formula, without its dollar signs, as MathML; as its source where it is too long or not understood."""
    if len(latex) <= LONGEST_FORMULA:
        try:
            known = re.sub(r"\\bmod(?![A-Za-z])", r"\\mathbin{\\mathrm{mod}}", latex)  # the one that math-core lacks
            return _converter().convert_with_local_state(known, displaystyle=display)
        except LatexError:
            pass  # LaTeX that only a whole document knows: the reader sees what was written
    return f'<code class="formula">{html.escape(latex)}</code>'
