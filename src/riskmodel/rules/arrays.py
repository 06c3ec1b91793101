"""Rule expressions over numpy arrays: the same language and three-valued logic as in the database.

`meaning` turns an expression into a query; this evaluates it at once on households in memory, for a
simulated office that judges thousands of households in every month of thousands of futures. Numbers are
float64 with NaN for null; truth values are pairs of arrays, sure yes and sure no, so that a null is neither.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from riskmodel.rules.expression import ExpressionError
from riskmodel.rules.meaning import DECIMALS

Bools = NDArray[np.bool_]


class Truth(NamedTuple):
    """Three-valued truth of many things at once; where neither holds it is unknown."""

    yes: Bools
    no: Bools

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> Truth:
        return Truth(self.no, self.yes)


def sure(yes: Bools) -> Truth:
    """Return a truth that is known everywhere."""
    return Truth(yes, ~yes)


@dataclass(frozen=True)
class Coded:
    """Codes: places in a list of words."""

    places: NDArray[np.integer]
    words: tuple[str, ...]

    def among(self, wanted: list[Any]) -> Truth:
        """Say whose code is one of those."""
        at = [i for i, word in enumerate(self.words) if word in wanted]
        return sure(np.isin(self.places, at))


Rows = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Seen:
    """What an expression can see of households (or of their members).

    Parameters
    ----------
    shape : tuple of int
    names : callable
        Name to its value (array, `Truth`, `Coded` or a plain parameter); raises `KeyError` for what there
        is not.
    calls : mapping
        Functions of a household that stand on its tables: ``any_cause``, ``any_gap``.
    rows : mapping
        Relation to its rows: the view of them, and which are there, both of shape (rows, n).
    """

    shape: tuple[int, ...]
    names: Callable[[str], Any]
    calls: Mapping[str, Callable[[list[Any]], Truth]]
    rows: Mapping[str, tuple[Seen, Bools]]


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


def truth(node: ast.expr, seen: Seen) -> Truth:
    """Evaluate an expression that is true or false.

    Parameters
    ----------
    node : ast.expr
        From `riskmodel.rules.expression.parse`.
    seen : Seen

    Returns
    -------
    Truth

    Raises
    ------
    ExpressionError
        If it is no truth value, or asks for what cannot be seen.
    """
    value = evaluate(node, seen)
    if value is None:
        nowhere = np.zeros(seen.shape, bool)
        return Truth(nowhere, nowhere)
    if isinstance(value, bool):
        return sure(np.full(seen.shape, value))
    if not isinstance(value, Truth):
        raise ExpressionError(f"{ast.unparse(node)!r} is not true or false")
    return value


def evaluate(node: ast.expr, seen: Seen) -> Any:
    """Evaluate an expression; see `truth`."""
    if type(node) not in _BUILDERS:
        raise ExpressionError(f"{ast.unparse(node)!r} cannot be evaluated here")
    return _BUILDERS[type(node)](node, seen)


def _name(node: ast.Name, seen: Seen) -> Any:
    try:
        return seen.names(node.id)
    except KeyError as exc:
        raise ExpressionError(f"{node.id} cannot be seen here") from exc


def _compare(node: ast.Compare, seen: Seen) -> Truth:
    sides = [evaluate(n, seen) for n in (node.left, *node.comparators)]
    pairs = zip(node.ops, sides, sides[1:], strict=False)
    parts = [_pair(op, left, right, seen.shape) for op, left, right in pairs]
    out = parts[0]
    for part in parts[1:]:
        out = out & part
    return out


def _pair(op: ast.cmpop, left: Any, right: Any, shape: tuple[int, ...]) -> Truth:
    if isinstance(left, Coded):
        found = left.among(right if isinstance(right, list) else [right])
        return ~found if isinstance(op, ast.NotIn | ast.NotEq) else found
    if isinstance(op, ast.In | ast.NotIn):
        known = ~np.isnan(_number(left))
        inside = np.isin(_number(left), right) & known
        found = Truth(inside, known & ~inside)
        return ~found if isinstance(op, ast.NotIn) else found
    a, b = np.round(_number(left), DECIMALS), np.round(_number(right), DECIMALS)
    known = np.broadcast_to(~(np.isnan(a) | np.isnan(b)), shape)
    holds = np.broadcast_to(_COMPARE[type(op)](a, b), shape)
    return Truth(holds & known, ~holds & known)


def _number(value: Any) -> Any:
    return np.asarray(np.nan if value is None else value, dtype=np.float64)


def _bool_op(node: ast.BoolOp, seen: Seen) -> Truth:
    out = truth(node.values[0], seen)
    for part in node.values[1:]:
        out = out & truth(part, seen) if isinstance(node.op, ast.And) else out | truth(part, seen)
    return out


def _unary(node: ast.UnaryOp, seen: Seen) -> Any:
    if isinstance(node.op, ast.Not):
        return ~truth(node.operand, seen)
    return -_number(evaluate(node.operand, seen))


def _binary(node: ast.BinOp, seen: Seen) -> Any:
    a, b = _number(evaluate(node.left, seen)), _number(evaluate(node.right, seen))
    if isinstance(node.op, ast.Div):
        return np.divide(a, np.where(b == 0, np.nan, b))
    return {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply}[type(node.op)](a, b)


def _sequence(node: ast.List | ast.Tuple, seen: Seen) -> list[Any]:
    return [evaluate(n, seen) for n in node.elts]


def _call(node: ast.Call, seen: Seen) -> Any:
    name = node.func.id  # type: ignore[attr-defined]
    if name in ("some", "some_or_unknown", "count"):
        return _rows(name, node, seen)
    if name in ("met", "count_met"):
        parts = [truth(a, seen).yes for a in node.args]
        return sure(parts[0]) if name == "met" else np.sum(parts, axis=0)
    asked = [evaluate(a, seen) for a in node.args]
    if name in seen.calls:
        return seen.calls[name](asked)
    if name not in _PLAIN:
        raise ExpressionError(f"{name}(…) cannot be seen here")
    return _PLAIN[name](asked, seen.shape)


def _rows(name: str, node: ast.Call, seen: Seen) -> Any:
    relation = node.args[0].id  # type: ignore[attr-defined]
    if relation not in seen.rows:
        raise ExpressionError(f"{name}({relation}, …) cannot be seen here")
    view, there = seen.rows[relation]
    passes = truth(node.args[1], view) if len(node.args) == 2 else sure(np.ones(view.shape, bool))
    passing = (passes.yes & there).sum(axis=0)
    if name == "count":
        return passing.astype(np.float64)
    unclear = (there & ~passes.yes & ~passes.no).any(axis=0) if name == "some_or_unknown" else False
    return Truth(passing > 0, (passing == 0) & ~np.asarray(unclear))


def _drop(asked: list[Any], shape: tuple[int, ...]) -> Any:
    new, old = _number(asked[0]), _number(asked[1])
    return 1 - new / np.where(old > 0, old, np.nan)


def _ratio(asked: list[Any], shape: tuple[int, ...]) -> Any:
    below = _number(asked[1])
    return _number(asked[0]) / np.where(below == 0, np.nan, below)


def _known(asked: list[Any], shape: tuple[int, ...]) -> Truth:
    (value,) = asked
    if isinstance(value, Truth):
        return sure(value.yes | value.no)
    if isinstance(value, Coded):
        return sure(np.ones(shape, bool))
    return sure(np.broadcast_to(~np.isnan(_number(value)), shape))


def _given(asked: list[Any], shape: tuple[int, ...]) -> bool:
    return asked[0] is not None


_PLAIN: dict[str, Callable[[list[Any], tuple[int, ...]], Any]] = {
    "drop": _drop,
    "ratio": _ratio,
    "known": _known,
    "given": _given,
}
_BUILDERS: dict[type[ast.expr], Callable[[Any, Seen], Any]] = {
    ast.Name: _name,
    ast.Constant: lambda node, seen: node.value,
    ast.Compare: _compare,
    ast.BoolOp: _bool_op,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Call: _call,
}
