"""What the code says in English, found by its syntax: errors that are raised, progress and warnings."""

from __future__ import annotations

import ast
import itertools
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import riskmodel
from riskmodel.errors import RiskmodelError

ROOT = Path(riskmodel.__file__).parent
# Functions that say a sentence to whoever typed the call, and where their sentence stands.
SPEAKERS = {"say", "warn", "echo", "step", "progress", "_say", "note", "fail"}
_MOST = 8  # alternatives of one sentence; more are places


@dataclass(frozen=True)
class Sentence:
    """A sentence of the code; `text` is a template of the catalogue."""

    file: str
    line: int
    kind: str
    text: str


def every_sentence() -> Iterator[Sentence]:
    """Yield every sentence of the code whose words stand in it."""
    classes = _error_classes()
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for kind, said in _said(node, classes):
                for text in templates(said):
                    # A single word is a code, or the key of a dictionary.
                    for line in text.split("\n"):
                        if re.search("[A-Za-z]{2,}[^A-Za-z_].*[A-Za-z]{2,}", _fixed(line)):
                            yield Sentence(name, said.lineno, kind, line)


def _error_classes() -> set[str]:
    """Return the names of our errors and of what becomes one where a declaration is read."""
    classes, more = {"ValueError"}, [RiskmodelError]
    while more:
        one = more.pop()
        classes.add(one.__name__)
        more += one.__subclasses__()
    return classes | {"DataRefused", "ExpressionError", "OneClassError"}


def _said(node: ast.AST, classes: set[str]) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node, ast.Call) or not node.args:
        return
    name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
    if name in classes:
        yield "error", node.args[0]
    elif name in SPEAKERS:
        yield "said", node.args[0]


def _fixed(text: str) -> str:
    """Return what stands in a template itself."""
    return " ".join(part for part, _, _, _ in string.Formatter().parse(text))


def templates(said: ast.expr) -> list[str]:
    """Return what a string can be, as templates with named places; nothing where no word is fixed here."""
    names: dict[str, str] = {}
    found = _alternatives(said, names)
    return list(dict.fromkeys(found)) if found is not None else []


def _alternatives(node: ast.expr, names: dict[str, str]) -> list[str] | None:
    if isinstance(node, ast.Constant):
        return [node.value.replace("{", "{{").replace("}", "}}")] if isinstance(node.value, str) else None
    if isinstance(node, ast.IfExp):
        one, other = _alternatives(node.body, names), _alternatives(node.orelse, names)
        return [*one, *other] if one is not None and other is not None else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_alternatives(side, names) for side in (node.left, node.right)]
        if all(part is None for part in parts):
            return None
        sides = [
            part or [_place(side, names)] for part, side in zip(parts, (node.left, node.right), strict=True)
        ]
        return _joined(sides)
    if isinstance(node, ast.JoinedStr):
        return _joined([_value(part, names) for part in node.values])
    if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "join" and len(node.args) == 1:
        return _alternatives(node.args[0].elt, names) if isinstance(node.args[0], ast.GeneratorExp) else None
    if isinstance(node, ast.Call) and getattr(node.func, "attr", None) in ("rstrip", "strip"):
        return _alternatives(node.func.value, names)  # type: ignore[attr-defined]
    return None


def _value(part: ast.expr, names: dict[str, str]) -> list[str]:
    if isinstance(part, ast.Constant):
        return [str(part.value).replace("{", "{{").replace("}", "}}")]
    assert isinstance(part, ast.FormattedValue)
    value = part.value
    if isinstance(value, ast.IfExp | ast.JoinedStr):
        inner = _alternatives(value, names)
        if inner is not None and len(inner) <= _MOST:
            return inner
    if isinstance(value, ast.Call) and getattr(value.func, "id", None) == "counted":
        number, *nouns = value.args
        if all(isinstance(noun, ast.Constant) for noun in nouns):
            words = [str(noun.value) for noun in nouns]  # type: ignore[attr-defined]
            words += [words[0] + "s"] if len(words) == 1 else []
            return ["{" + _named(number, names) + ":" + "|".join(words) + "}"]
    return [_place(value, names)]


def _joined(parts: list[list[str]]) -> list[str]:
    found = ["".join(one) for one in itertools.islice(itertools.product(*parts), _MOST * 4)]
    return found


def _place(node: ast.expr, names: dict[str, str]) -> str:
    return "{" + _named(node, names) + "}"


def _named(node: ast.expr, names: dict[str, str]) -> str:
    """Return the name of a place: the same for the same expression of one sentence."""
    written = ast.unparse(node)
    if written not in names:
        name = _word(node)
        taken = [n for n in names.values() if n.rstrip("0123456789") == name]
        names[written] = f"{name}{len(taken) + 1}" if taken else name
    return names[written]


def _word(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id.strip("_").lower() or "value"
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_").lower() if node.attr != "name" else _word(node.value)
    if isinstance(node, ast.Subscript):
        key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier():
            return key.value
        return _word(node.value)
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
        if (
            name in ("len", "sorted", "join", "str", "repr", "sum", "int", "list", "map", "set", "abs")
            and node.args
        ):
            return _word(node.args[-1])
        return str(name).strip("_").lower() or "value"
    if isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        return _word(node.generators[0].iter)
    if isinstance(node, ast.BinOp):
        return _word(node.left)
    if isinstance(node, ast.Starred | ast.FormattedValue):
        return _word(node.value)
    return "value"
