"""Which names an answer may not use, read from its syntax tree; only the standard library is needed.

This is guidance, not security: it sees what is written plainly and says so in a sentence. Whoever hides a name behind
`exec` or a computed string gets past it, and is found by a human reader.
"""

from __future__ import annotations

import ast
import contextlib
import re

# Line magics that run the Python code behind them; the code of every other magic and of shell lines is no Python.
_PYTHON_MAGICS = {"time", "timeit", "prun", "memit", "mprun", "lprun"}
_CELL_MAGICS_WITH_PYTHON = _PYTHON_MAGICS | {"capture"}


def forbidden_uses(source: str, forbidden: list[str], *, context: str = "") -> list[str]:
    """Return one sentence per use of a forbidden dotted name in `source`; an empty list means that all is allowed.

    `forbidden` holds dotted names such as "torch.distributions"; everything below such a name is forbidden too.
    `context` is code that ran before: its imports give aliases, its uses are not reported. Strings, comments and
    docstrings do not count. Source that cannot be parsed gives a sentence that says so.
    """
    try:
        tree = _parse(source)
    except SyntaxError as error:
        return [
            f"Line {error.lineno or 1} could not be read as Python ({error.msg}), so the names it uses are unknown."
        ]
    except (ValueError, RecursionError, MemoryError) as error:
        return [f"The code could not be read as Python ({error}), so the names it uses are unknown."]
    names = _Names()
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        names.learn(_parse(context))  # earlier cells may be broken; then their aliases are simply not known
    try:
        names.learn(tree)
        return _sentences(names.uses(tree), forbidden)
    except RecursionError:
        return ["The code is nested too deeply to be read, so the names it uses are unknown."]


def _sentences(uses: list[tuple[int, str]], forbidden: list[str]) -> list[str]:
    sentences: list[str] = []
    for line, name in uses:
        for rule in forbidden:
            if name == rule or name.startswith(rule + "."):
                sentence = f"Line {line} uses {name}, but {rule} is not allowed in this exercise."
                if name == rule:
                    sentence = f"Line {line} uses {name}, which is not allowed in this exercise."
                if sentence not in sentences:
                    sentences.append(sentence)
                break
    return sentences


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (
        SyntaxError
    ):  # perhaps only because of IPython's magics; a `%` that continues an expression must not be touched
        return ast.parse(_without_magics(source))


def _without_magics(source: str) -> str:
    lines = source.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    cell_magic = re.match(r"\s*%%(\w+)", lines[first])
    if cell_magic:
        if cell_magic.group(1) not in _CELL_MAGICS_WITH_PYTHON:
            return ""
        lines[first] = ""
    return "\n".join(_without_magic(line) for line in lines)


def _without_magic(line: str) -> str:
    magic = re.match(r"(\s*)(?:(\w+)\s*=\s*)?%(\w+)\s*(.*)$", line)
    if magic:
        indent, target, name, rest = magic.groups()
        prefix = indent + (f"{target} = " if target else "")
        if name in _PYTHON_MAGICS and rest:
            return prefix + re.sub(r"^(-\w+\s*\d*\s+)*", "", rest)
        return prefix + ("None" if target else "pass")
    shell = re.match(r"(\s*)(?:(\w+)\s*=\s*)?!", line)
    if shell:
        return shell.group(1) + (f"{shell.group(2)} = None" if shell.group(2) else "pass")
    if re.match(r"\s*\?", line) or re.match(r"\s*[\w.]+\?{1,2}\s*$", line):  # help: ?name, name?, name??
        return re.match(r"\s*", line).group() + "pass"  # type: ignore[union-attr]
    return line


class _Names:
    """What each name in the code stands for, as a dotted name."""

    def __init__(self) -> None:
        self.alias: dict[str, str] = {}
        self.stars: list[str] = []

    def learn(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for item in node.names:
                    self.alias[item.asname or item.name.split(".")[0]] = (
                        item.name if item.asname else item.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for item in node.names:
                    if item.name == "*":
                        self.stars.append(node.module)
                    else:
                        self.alias[item.asname or item.name] = f"{node.module}.{item.name}"
        for node in ast.walk(tree):  # a name given to a module: t = torch
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = self.dotted(node.value)
                if name is not None and name.split(".")[0] != node.targets[0].id:
                    self.alias.setdefault(node.targets[0].id, name)

    def uses(self, tree: ast.Module) -> list[tuple[int, str]]:
        """Every dotted name that the code uses, with its line, in order of lines; of a chain only the longest."""
        found: list[tuple[int, str]] = []
        stack: list[ast.AST] = [tree]
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Import):
                found += [(node.lineno, item.name) for item in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found += [
                    (node.lineno, node.module if i.name == "*" else f"{node.module}.{i.name}") for i in node.names
                ]
            elif isinstance(node, ast.Attribute | ast.Name | ast.Call | ast.Subscript):
                name = self.dotted(node)
                if name is not None:
                    found.append((node.lineno, name))
                    found += [(node.lineno, f"{module}.{name}") for module in self.stars]
                    if isinstance(node, ast.Name | ast.Attribute):
                        continue  # the inner parts of the chain are the same use
            stack.extend(ast.iter_child_nodes(node))
        return sorted(found, key=lambda use: use[0])

    def dotted(self, node: ast.AST) -> str | None:
        """The dotted name that an expression stands for, or None."""
        if isinstance(node, ast.Name):
            return self.alias.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.dotted(node.value)
            return f"{owner}.{node.attr}" if owner is not None else None
        if isinstance(node, ast.Call):
            return self._dotted_call(node)
        if isinstance(node, ast.Subscript) and self.dotted(node.value) == "sys.modules":
            return _literal(node.slice)
        return None

    def _dotted_call(self, node: ast.Call) -> str | None:
        function = self.dotted(node.func)
        texts = [_literal(argument) for argument in node.args]
        if function in ("getattr", "builtins.getattr") and len(texts) >= 2 and texts[1] is not None:
            owner = self.dotted(node.args[0])
            return f"{owner}.{texts[1]}" if owner is not None else None
        if (
            function in ("importlib.import_module", "__import__", "builtins.__import__")
            and texts
            and texts[0] is not None
        ):
            module = texts[0]
            if (
                function == "importlib.import_module"
                and module.startswith(".")
                and len(texts) > 1
                and texts[1] is not None
            ):
                return f"{texts[1]}.{module.lstrip('.')}"
            # `__import__("a.b")` returns a, but loading a.b is the use that counts
            return module
        return None


def _literal(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
