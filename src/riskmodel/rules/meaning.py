"""The meaning of rule expressions: from the checked syntax to Ibis expressions (see `expression`)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir

from riskmodel.data import codes
from riskmodel.rules.expression import ExpressionError, RowTest, row_test, supported_by

DECIMALS = 9  # official rules, "Exactly": thresholds are compared after rounding to 9 decimals
GAPS = ("gap_housing", "gap_water", "gap_schooling", "gap_medical")
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: _number(a) / _number(b).nullif(0),
}


def _number(value: Any) -> Any:
    value = value if isinstance(value, ir.Value) else ibis.literal(value, "float64")
    return value.cast("float64")


def _rounded(value: Any) -> Any:
    if isinstance(value, ir.Value):
        return value if value.type().is_integer() else value.cast("float64").round(DECIMALS)
    return value if value is None or isinstance(value, int) else round(value, DECIMALS)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, ir.Value):
        return bool(value.type().is_numeric())
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass
class Scope:
    """What an expression can see.

    Parameters
    ----------
    names : mapping
        Name to Ibis value or plain value (a parameter).
    tests : mapping
        Row test to its figure.
    months_ago : callable, optional
        Number of months to a date expression (rows only).
    table : ibis.Table, optional
        Holds ``cause_*``, ``gap_*`` and ``register_causes``.
    """

    names: Mapping[str, Any]
    tests: Mapping[RowTest, ir.Value] = field(default_factory=dict)
    months_ago: Callable[[int], ir.Value] | None = None
    table: ir.Table | None = None


def build(node: ast.expr, scope: Scope) -> Any:
    """Turn an expression into an Ibis value.

    Parameters
    ----------
    node : ast.expr
        From `parse`.
    scope : Scope

    Returns
    -------
    Ibis value, or a plain value for a constant

    Raises
    ------
    ExpressionError
        If a name is unknown or types do not fit.
    """
    try:
        return _BUILDERS[type(node)](node, scope)
    except (TypeError, AttributeError, ibis.common.exceptions.IbisError) as exc:
        raise ExpressionError(f"{ast.unparse(node)!r}: types do not fit: {exc}") from exc


def boolean(node: ast.expr, scope: Scope) -> ir.BooleanValue:
    """Turn an expression into an Ibis boolean (nullable).

    Raises
    ------
    ExpressionError
        If it is no truth value, or as `build` says.
    """
    value = build(node, scope)
    if value is None or isinstance(value, bool):
        return ibis.literal(value, "boolean")
    if not (isinstance(value, ir.Value) and value.type().is_boolean()):
        raise ExpressionError(f"{ast.unparse(node)!r} is not true or false")
    return value


def _name(node: ast.Name, scope: Scope) -> Any:
    if node.id not in scope.names:
        raise ExpressionError(f"unknown name {node.id!r}; allowed: {', '.join(sorted(scope.names))}")
    return scope.names[node.id]


def _compare(node: ast.Compare, scope: Scope) -> Any:
    sides = [build(n, scope) for n in (node.left, *node.comparators)]
    out: Any = True
    for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
        one = _membership(op, left, right) if isinstance(op, ast.In | ast.NotIn) else _pair(op, left, right)
        out = one if out is True else out & one
    return out


def _membership(op: ast.cmpop, left: Any, right: Any) -> Any:
    if not isinstance(right, list | tuple):
        raise ExpressionError("the right side of 'in' must be a list of codes")
    inside = left.isin(list(right))
    return inside == ibis.literal(False) if isinstance(op, ast.NotIn) else inside


def _pair(op: ast.cmpop, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return ibis.null("boolean")
    if _is_numeric(left) and _is_numeric(right):
        left, right = _rounded(left), _rounded(right)
    value = _COMPARE[type(op)](left, right)
    return ibis.literal(value) if isinstance(value, bool) else value


def _bool_op(node: ast.BoolOp, scope: Scope) -> Any:
    parts = [boolean(n, scope) for n in node.values]
    out = parts[0]
    for part in parts[1:]:
        out = out & part if isinstance(node.op, ast.And) else out | part
    return out


def _unary(node: ast.UnaryOp, scope: Scope) -> Any:
    if isinstance(node.op, ast.Not):
        # Not "~": ibis 12 writes (~x).isnull() as NOT (x) IS NULL, which SQL reads as NOT (x IS NULL).
        return boolean(node.operand, scope) == ibis.literal(False)
    return -build(node.operand, scope)


def _binary(node: ast.BinOp, scope: Scope) -> Any:
    left, right = build(node.left, scope), build(node.right, scope)
    if left is None or right is None:
        return None
    return _ARITHMETIC[type(node.op)](left, right)


def _sequence(node: ast.List | ast.Tuple, scope: Scope) -> list[Any]:
    return [build(n, scope) for n in node.elts]


def _call(node: ast.Call, scope: Scope) -> Any:
    return CALLS[node.func.id](node, scope)  # type: ignore[attr-defined]


def _arguments(node: ast.Call, scope: Scope, least: int, most: int) -> list[Any]:
    if not least <= len(node.args) <= most:
        wants = str(least) if least == most else f"{least} to {most}"
        raise ExpressionError(f"{ast.unparse(node)!r}: takes {wants} arguments")
    return [build(a, scope) for a in node.args]


def _household(node: ast.Call, scope: Scope) -> ir.Table:
    if scope.table is None:
        raise ExpressionError(f"{ast.unparse(node)!r} speaks of a household, not of one of its rows")
    return scope.table


def _any_cause(node: ast.Call, scope: Scope) -> ir.BooleanValue:
    every = list(codes("risk_events", "cause"))
    asked = _arguments(node, scope, 0, 1)
    wanted = asked[0] if asked else every
    if not isinstance(wanted, list | tuple) or not wanted or not set(wanted) <= set(every):
        raise ExpressionError(f"any_cause takes a list of causes, of {', '.join(every)}; given {wanted!r}")
    table = _household(node, scope)
    out = table[f"cause_{wanted[0]}"]
    for cause in wanted[1:]:
        out = out | table[f"cause_{cause}"]
    return out


def _any_gap(node: ast.Call, scope: Scope) -> ir.BooleanValue:
    _arguments(node, scope, 0, 0)
    table = _household(node, scope)
    return table[GAPS[0]] | table[GAPS[1]] | table[GAPS[2]] | table[GAPS[3]]


def _each_supported(node: ast.Call, scope: Scope) -> ir.BooleanValue:
    """All causes of the latest register row have a measure; null where no cause is named there."""
    _arguments(node, scope, 0, 0)
    named = _household(node, scope).register_causes.replace(" ", "")
    listed = ibis.literal(";") + named + ibis.literal(";")
    missing = ibis.literal(False)
    for cause in codes("risk_events", "cause"):
        missing = missing | (listed.contains(f";{cause};") & (scope.tests[supported_by(cause)] == 0))
    return ibis.ifelse(named.nullif("").isnull(), ibis.null("boolean"), missing == ibis.literal(False))


def _passing(node: ast.Call, scope: Scope) -> ir.Value:
    _household(node, scope)
    return scope.tests[row_test(node)]


def _latest_date(node: ast.Call, scope: Scope) -> ir.Value:
    _household(node, scope)
    return scope.tests[row_test(node, "latest")]


def _some(node: ast.Call, scope: Scope) -> ir.BooleanValue:
    return _passing(node, scope) > 0


def _some_or_unknown(node: ast.Call, scope: Scope) -> ir.BooleanValue:
    passing, unclear = _passing(node, scope), scope.tests[row_test(node, "unclear")]
    return ibis.cases((passing > 0, True), (unclear > 0, ibis.null("boolean")), (passing == 0, False))


def _drop(node: ast.Call, scope: Scope) -> ir.Value:
    new, old = _arguments(node, scope, 2, 2)
    return ibis.ifelse(old > 0, 1 - new / old.nullif(0), ibis.null("float64"))


def _ratio(node: ast.Call, scope: Scope) -> ir.Value:
    above, below = _arguments(node, scope, 2, 2)
    return _number(above) / _number(below).nullif(0)


def _met(node: ast.Call, scope: Scope) -> ir.BooleanValue:
    if len(node.args) != 1:
        raise ExpressionError(f"{ast.unparse(node)!r}: takes 1 argument")
    return boolean(node.args[0], scope).fill_null(False)


def _count_met(node: ast.Call, scope: Scope) -> ir.Value:
    parts = [boolean(a, scope).fill_null(False).cast("int32") for a in node.args]
    if not parts:
        raise ExpressionError("count_met takes at least one argument")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total.cast("int64")


def _known(node: ast.Call, scope: Scope) -> Any:
    (value,) = _arguments(node, scope, 1, 1)
    return value.notnull() if isinstance(value, ir.Value) else value is not None


def _given(node: ast.Call, scope: Scope) -> bool:
    (value,) = _arguments(node, scope, 1, 1)
    return value is not None


def _months_ago(node: ast.Call, scope: Scope) -> ir.Value:
    (months,) = _arguments(node, scope, 1, 1)
    if scope.months_ago is None or not isinstance(months, int):
        raise ExpressionError("months_ago takes a whole number and stands inside some(ROWS, …)")
    return scope.months_ago(months)


CALLS: dict[str, Callable[[ast.Call, Scope], Any]] = {
    "any_cause": _any_cause,
    "any_gap": _any_gap,
    "each_register_cause_supported": _each_supported,
    "some": _some,
    "some_or_unknown": _some_or_unknown,
    "count": _passing,
    "latest_date": _latest_date,
    "drop": _drop,
    "ratio": _ratio,
    "met": _met,
    "count_met": _count_met,
    "known": _known,
    "given": _given,
    "months_ago": _months_ago,
}
_BUILDERS: dict[type[ast.expr], Callable[[Any, Scope], Any]] = {
    ast.Name: _name,
    ast.Constant: lambda node, scope: node.value,
    ast.Compare: _compare,
    ast.BoolOp: _bool_op,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Call: _call,
}
