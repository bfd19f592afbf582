"""Forbidden names: what is written plainly is found, what is no use is not, and nothing makes it fail."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlib.rules import forbidden_uses

FORBIDDEN = ["torch.distributions", "genlib.gaussian"]

USES = [
    "import torch.distributions",
    "import torch.distributions.normal as n",
    "import genlib.gaussian as g",
    "from torch import distributions",
    "from torch import distributions as d",
    "from torch.distributions import Normal",
    "from torch.distributions import *",
    "from genlib import data, gaussian",
    "from genlib.gaussian import gaussian_kl as kl",
    "import torch\nx = torch.distributions.Normal(0, 1)",
    "x = torch.distributions.Normal(0, 1).rsample()",
    "import torch as t\nt.distributions",
    "import torch as t\ndef f():\n    return t.distributions.kl_divergence(p, q)",
    "t = torch\nt.distributions.Normal(0, 1)",
    "from torch import *\ndistributions.Normal(0, 1)",
    "import genlib\ngenlib.gaussian.gaussian_kl(m, v)",
    'getattr(torch, "distributions")',
    'getattr(torch, "distributions").Normal(0, 1)',
    'import importlib\nimportlib.import_module("torch.distributions")',
    'from importlib import import_module as load\nload("genlib.gaussian")',
    'import importlib\nimportlib.import_module(".distributions", "torch")',
    'import importlib\nimportlib.import_module("torch").distributions',
    '__import__("torch.distributions")',
    '__import__("torch").distributions',
    'import sys\nsys.modules["torch.distributions"]',
    "class A:\n    def f(self):\n        if True:\n            return [torch.distributions.Normal(0, s) for s in x]",
    "f = lambda m: torch.distributions.Normal(m, 1)",
    "%time q = torch.distributions.Normal(0, 1)",
    "%%time\nq = torch.distributions.Normal(0, 1)",
    "!pip list\nq = torch.distributions.Normal(0, 1)",
    "%matplotlib inline\nq = torch.distributions.Normal(0, 1)",
    "torch.randn?\nq = torch.distributions.Normal(0, 1)",
    'x = f"{torch.distributions.Normal(0, 1)}"',
]

NO_USES = [
    "",
    "# torch.distributions would be easier",
    '"""Not with torch.distributions."""',
    'def f():\n    """See torch.distributions."""\n    return "genlib.gaussian"',
    "import torch\nx = torch.randn(3)",
    "import torch.nn.functional as F\nF.softplus(x)",
    "torch.distributionsx.y",
    "distributions = {}\ndistributions.items()",
    "gaussian = 3\nprint(gaussian)",
    "from genlib import data",
    "self.torch = 1\nmodel.distributions",
    "%%bash\npython -c 'import torch.distributions'",
    "!python -c 'import torch.distributions'",
    "%load_ext autoreload\nx = 1",
    "files = !ls\nx = 7 % 3",
    "x = (7\n  % 3)",
    'getattr(model, "distributions")',
    "getattr(torch, name)",
]


@pytest.mark.parametrize("source", USES)
def test_a_plain_use_is_found_and_named(source: str) -> None:
    sentences = forbidden_uses(source, FORBIDDEN)
    assert sentences
    assert all("not allowed" in sentence for sentence in sentences)
    assert any(name in sentence for sentence in sentences for name in FORBIDDEN)


@pytest.mark.parametrize("source", NO_USES)
def test_what_is_no_use_is_allowed(source: str) -> None:
    assert forbidden_uses(source, FORBIDDEN) == []


@pytest.mark.parametrize("source", USES)
def test_nothing_is_forbidden_by_an_empty_list(source: str) -> None:
    assert forbidden_uses(source, []) == []


@pytest.mark.parametrize("source", USES)
def test_a_use_is_found_inside_a_function_too(source: str) -> None:
    if source.startswith(("%%", "from torch.distributions import *", "from torch import *")):
        source = "x = 1\n" + "q = torch.distributions.Normal(0, 1)"
    body = "\n".join("    " + line for line in source.split("\n"))
    assert forbidden_uses(f"def answer():\n{body}", FORBIDDEN)


def test_the_line_of_the_use_is_given() -> None:
    (sentence,) = forbidden_uses("x = 1\n\ny = torch.distributions.Normal(0, 1)\n", FORBIDDEN)
    assert sentence.startswith("Line 3 ")


def test_aliases_of_earlier_cells_count_but_their_uses_do_not() -> None:
    context = "import torch as t\nq = t.distributions"
    assert forbidden_uses("t.distributions.Normal(0, 1)", FORBIDDEN) == []
    assert forbidden_uses("t.distributions.Normal(0, 1)", FORBIDDEN, context=context)
    assert forbidden_uses("t.randn(3)", FORBIDDEN, context=context) == []
    assert forbidden_uses("x = 1", FORBIDDEN, context="this is ( no Python") == []


@pytest.mark.parametrize(
    "source", ["def f(:", "x = (", "\0", "  indented\nnot", "(" * 5000 + ")" * 5000, "-" * 200_000 + "1"]
)
def test_unreadable_source_gives_one_sentence(source: str) -> None:
    (sentence,) = forbidden_uses(source, FORBIDDEN)
    assert sentence.endswith("unknown.")


@given(st.text())
def test_any_text_gives_a_list_of_sentences(source: str) -> None:
    assert all(sentence.endswith(".") for sentence in forbidden_uses(source, FORBIDDEN))


@given(st.lists(st.sampled_from([*USES, *NO_USES]), max_size=6))
def test_uses_are_found_among_other_code(parts: list[str]) -> None:
    parts = [part for part in parts if not part.startswith("%%")]
    found = bool(forbidden_uses("\n".join(parts), FORBIDDEN))
    assert found or not any(part in USES for part in parts)


def test_the_rule_needs_only_the_standard_library() -> None:
    code = "import sys; before = set(sys.modules); import genlib.rules; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()} - {"genlib"}
    assert loaded <= set(sys.stdlib_module_names)
