"""Ways of writing the same code differently: the habits of people who work alone, and the disguises of copies."""

import ast
import random
from collections.abc import Callable

Rewriting = Callable[[str, random.Random], str]
# Methods of tensors that torch has as functions too: x.sum(-1) and torch.sum(x, -1).
_FORMS = """
    argmax clamp cumsum exp flatten log log_softmax logsumexp mean sigmoid softmax sqrt square squeeze sum unsqueeze
"""
TWO_FORMS = frozenset(_FORMS.split())


def _name(text: str) -> ast.Name:
    return ast.Name(text, ast.Load())


def _call(function: ast.expr, *arguments: ast.expr, keywords: list[ast.keyword] | None = None) -> ast.Call:
    return ast.Call(function, list(arguments), keywords or [])


def _assign(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value)


class _Statements(ast.NodeTransformer):
    """Changes the statements of every block, from the innermost on."""

    def statements(self, block: list[ast.stmt]) -> list[ast.stmt]:
        return block

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for part in ("body", "orelse", "finalbody"):
            block = getattr(node, part, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                setattr(node, part, self.statements(block))
        return node


def _names(node: ast.AST, context: type | None = None) -> set[str]:
    found = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    return {part.id for part in found if context is None or isinstance(part.ctx, context)}


class _Rename(ast.NodeTransformer):
    """Other names for everything that the code itself names."""

    def __init__(self, tree: ast.AST, rng: random.Random) -> None:
        chosen = _names(tree, ast.Store) | {part.arg for part in ast.walk(tree) if isinstance(part, ast.arg)}
        words = ("alpha", "buffer", "current", "data", "result", "tmp", "value")
        self.new = {name: f"{rng.choice(words)}_{i}" for i, name in enumerate(sorted(chosen - {"self"}))}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.new.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self.new.get(node.arg, node.arg), node.annotation)


class _Reorder(_Statements):
    """Neighbours that do not need each other change places."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def statements(self, block: list[ast.stmt]) -> list[ast.stmt]:
        for _ in range(2 * (len(block) - 1)):
            place = self.rng.randrange(len(block) - 1)
            first, second = block[place : place + 2]
            functions = isinstance(first, ast.FunctionDef) and isinstance(second, ast.FunctionDef)
            apart = not (_names(first, ast.Store) & _names(second)) and not (_names(second, ast.Store) & _names(first))
            if functions or (isinstance(first, ast.Assign) and isinstance(second, ast.Assign) and apart):
                block[place : place + 2] = [second, first]
        return block


class _Hints(ast.NodeTransformer):
    """A type for every parameter, result and variable."""

    tensor = ast.parse("torch.Tensor", mode="eval").body

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        for argument in node.args.args:
            argument.annotation = self.tensor
        node.returns = self.tensor
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        target = node.targets[0]
        return ast.AnnAssign(target, self.tensor, node.value, 1) if isinstance(target, ast.Name) else node


class _Loops(_Statements):
    """`for` becomes `while`, with the iterator by hand."""

    count = 0

    def statements(self, block: list[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in block:
            if not (isinstance(statement, ast.For) and isinstance(statement.target, ast.Name)):
                found.append(statement)
                continue
            self.count += 1
            steps, end = f"steps_{self.count}", ast.Constant(None)
            stop = ast.If(ast.Compare(_name(statement.target.id), [ast.Is()], [end]), [ast.Break()], [])
            advance = ast.Assign([statement.target], _call(_name("next"), _name(steps), end))
            found.append(_assign(steps, _call(_name("iter"), statement.iter)))
            found.append(ast.While(ast.Constant(True), [advance, stop, *statement.body], []))
        return found


class _Habits(_Statements):
    """Operands, forms of calls and intermediate results as somebody else would write them, each with a probability."""

    def __init__(self, rng: random.Random, probability: float) -> None:
        self.rng, self.probability, self.count = rng, probability, 0

    def _now(self) -> bool:
        return self.rng.random() < self.probability

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Mult) and self._now():
            node.left, node.right = node.right, node.left
        elif isinstance(node.op, ast.Pow) and ast.unparse(node.right) == "2" and self._now():
            return _call(ast.Attribute(node.left, "square", ast.Load()))
        elif isinstance(node.op, ast.Sub) and not isinstance(node.left, ast.Constant) and self._now():
            return ast.BinOp(ast.UnaryOp(ast.USub(), node.right), ast.Add(), node.left)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        if not (isinstance(function, ast.Attribute) and function.attr in TWO_FORMS and self._now()):
            return node
        if ast.unparse(function.value) not in ("torch", "F"):
            form = ast.Attribute(_name("torch"), function.attr, ast.Load())
            return _call(form, function.value, *node.args, keywords=node.keywords)
        if not node.args:
            return node
        return _call(ast.Attribute(node.args[0], function.attr, ast.Load()), *node.args[1:], keywords=node.keywords)

    def _parts(self, value: ast.expr) -> list[ast.expr]:
        """Parts of an expression that could stand in a line of their own."""
        scopes = (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.Lambda)
        inner = {id(part) for scope in ast.walk(value) if isinstance(scope, scopes) for part in ast.walk(scope)}
        parts = (part for part in ast.walk(value) if isinstance(part, ast.Call | ast.BinOp) and part is not value)
        return [part for part in parts if id(part) not in inner]

    def statements(self, block: list[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in block:
            value = statement.value if isinstance(statement, ast.Assign | ast.Return) else None
            if value is not None and self._now() and (parts := self._parts(value)):
                part, name = self.rng.choice(parts), f"part_{self.count}"
                self.count += 1
                found.append(_assign(name, part))
                statement = _Replace(part, _name(name)).visit(statement)
            found.append(statement)
        return found


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().visit(node)


def _written(tree: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(tree))


def renamed(code: str, rng: random.Random) -> str:
    tree = ast.parse(code)
    return _written(_Rename(tree, rng).visit(tree))


def commented(code: str, rng: random.Random) -> str:
    """Laid out anew, with other comments and other docstrings."""
    lines = []
    for line in ast.unparse(ast.parse(code)).split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        lines += [f"{indent}# {rng.choice(('now', 'first', 'then'))} this step", line] if rng.random() < 0.4 else [line]
    return "\n".join(lines)


def reordered(code: str, rng: random.Random) -> str:
    return _written(_Reorder(rng).visit(ast.parse(code)))


def hinted(code: str, rng: random.Random) -> str:
    return _written(_Hints().visit(ast.parse(code)))


def unrolled(code: str, rng: random.Random) -> str:
    return _written(_Loops().visit(ast.parse(code)))


def in_habits(probability: float) -> Rewriting:
    """Rewrites each place with this probability."""
    return lambda code, rng: _written(_Habits(rng, probability).visit(ast.parse(code)))


def one_after_another(*rewritings: Rewriting) -> Rewriting:
    def rewritten(code: str, rng: random.Random) -> str:
        for rewriting in rewritings:
            code = rewriting(code, rng)
        return code

    return rewritten


DISGUISES: dict[str, Rewriting] = {
    "none": lambda code, rng: code,
    "names": renamed,
    "layout and comments": commented,
    "order of statements and functions": reordered,
    "type hints": hinted,
    "loops": unrolled,
    "a fifth of the expressions": in_habits(0.2),
    "all but expressions": one_after_another(renamed, reordered, unrolled, hinted, commented),
    "all of these": one_after_another(renamed, reordered, unrolled, in_habits(0.2), hinted, commented),
}
