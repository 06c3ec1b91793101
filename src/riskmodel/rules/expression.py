"""Rule expressions: a small, safe language that becomes Ibis expressions with three-valued logic.

``pcni < line and (has_risk or any_cause(sudden_causes))`` is read by Python's ``ast``, of which only
names, constants, comparisons, ``and``/``or``/``not``, ``+ - * /`` and the functions below are let
through; nothing is ever evaluated as Python. Comparing with a null gives a null, ``and``/``or`` follow
SQL, so a condition is null exactly when what is missing could change its answer (official rules,
"Exactly"). Both sides of a numeric comparison are rounded to 9 decimals first.

Functions of a household: ``any_cause()``, ``any_cause(CODES)``, ``any_gap()``,
``each_register_cause_supported()``, ``some(ROWS, TEST)`` (a row whose test is null does not count),
``some_or_unknown(ROWS, TEST)`` (null where such a row decides), ``count(ROWS, TEST)``,
``latest_date(ROWS)``, ``drop(NEW, OLD)`` (1 − new/old, null where old ≤ 0), ``ratio(A, B)``,
``met(X)`` (null counts as not met), ``count_met(X, …)``, ``known(X)``, ``given(PARAMETER)``.
Functions of a row: ``met``, ``known``, ``months_ago(N)`` (as-of less N months).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from riskmodel.data import codes
from riskmodel.rules.vocabulary import vocabulary

ROW_FUNCTIONS = ("some", "some_or_unknown", "count", "latest_date")
FUNCTIONS = (
    *ROW_FUNCTIONS, "any_cause", "any_gap", "each_register_cause_supported", "drop", "ratio", "met",
    "count_met", "known", "given", "months_ago",
)  # fmt: skip
_OPERATORS = (
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.And, ast.Or, ast.Not, ast.USub,
)  # fmt: skip
_NODES = (
    ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.List, ast.Tuple,
    ast.Load, *_OPERATORS,
)  # fmt: skip


class ExpressionError(ValueError):
    """An expression that cannot be read; the declaration that holds it names file and key."""


@dataclass(frozen=True, order=True)
class RowTest:
    """One figure about the rows of a relation, as ``some(relation, test)`` and its like ask for.

    ``how``: ``passing`` rows counted, rows whose answer is ``unclear`` counted, or ``latest`` date of a
    passing row.
    """

    relation: str
    test: str
    how: Literal["passing", "unclear", "latest"] = "passing"

    @property
    def node(self) -> ast.expr:
        """The test, parsed."""
        return parse(self.test)

    def with_values(self, values: Mapping[str, Any]) -> RowTest:
        """Return the test with parameters written out, so that equal tests of two sets are equal.

        Parameters
        ----------
        values : mapping
            Plain parameter values.

        Returns
        -------
        RowTest

        Examples
        --------
        >>> RowTest("members", "age < child_age").with_values({"child_age": 16}).test
        'age < 16'
        """
        return RowTest(self.relation, ast.unparse(_Values(values).visit(self.node)), self.how)


class _Values(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, Any]):
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.values:
            return node
        return ast.parse(repr(self.values[node.id]), mode="eval").body


def parse(text: str) -> ast.expr:
    """Read an expression.

    Parameters
    ----------
    text : str

    Returns
    -------
    ast.expr

    Raises
    ------
    ExpressionError
        If it is no expression, or uses anything that rules may not.

    Examples
    --------
    >>> parse("__import__('os')")
    Traceback (most recent call last):
    riskmodel.rules.expression.ExpressionError: unknown function '__import__'; allowed: ...
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise ExpressionError(f"{text!r} is not an expression: {exc}") from exc
    for part in ast.walk(node):
        _refuse_unknown(part)
    return node


def _refuse_unknown(part: ast.AST) -> None:
    if not isinstance(part, _NODES):
        raise ExpressionError(f"{type(part).__name__} is not allowed in a rule")
    if isinstance(part, ast.boolop | ast.unaryop | ast.operator | ast.cmpop) and not isinstance(
        part, _OPERATORS
    ):
        raise ExpressionError(f"the operator {type(part).__name__} is not allowed in a rule")
    if isinstance(part, ast.Call):
        if not isinstance(part.func, ast.Name) or part.func.id not in FUNCTIONS:
            name = ast.unparse(part.func)
            raise ExpressionError(f"unknown function {name!r}; allowed: {', '.join(sorted(FUNCTIONS))}")
        if part.keywords:
            raise ExpressionError(f"{part.func.id} takes no named arguments")
    if isinstance(part, ast.Constant) and not isinstance(part.value, int | float | str | bool | None):
        raise ExpressionError(f"{part.value!r} is not a value that rules know")


def calls(node: ast.expr) -> Iterator[ast.Call]:
    """Yield every function call of an expression."""
    yield from (part for part in ast.walk(node) if isinstance(part, ast.Call))


def row_tests(node: ast.expr) -> Iterator[RowTest]:
    """Yield the row tests that an expression needs, see `RowTest`."""
    for call in calls(node):
        name = call.func.id  # type: ignore[attr-defined]
        if name in ROW_FUNCTIONS:
            yield row_test(call, "latest" if name == "latest_date" else "passing")
        if name == "some_or_unknown":
            yield row_test(call, "unclear")
        if name == "each_register_cause_supported":
            yield from (supported_by(c) for c in codes("risk_events", "cause"))


def supported_by(cause: str) -> RowTest:
    """Return the test for a support measure against one cause."""
    return RowTest("support", f"cause == '{cause}'")


def row_test(call: ast.Call, how: Literal["passing", "unclear", "latest"] = "passing") -> RowTest:
    """Return the row test that a call such as ``some(members, age < 16)`` asks for."""
    relations = vocabulary().relations
    first = call.args[0] if call.args else None
    name = call.func.id  # type: ignore[attr-defined]
    if not isinstance(first, ast.Name) or first.id not in relations or len(call.args) > 2:
        raise ExpressionError(f"{name}(ROWS, TEST): ROWS must be one of {', '.join(relations)}")
    return RowTest(first.id, ast.unparse(call.args[1]) if len(call.args) == 2 else "True", how)


def names(node: ast.expr) -> set[str]:
    """Return the household names that an expression uses (not those inside row tests).

    Examples
    --------
    >>> sorted(names(parse("pcni < line and some(members, age < child_age)")))
    ['line', 'pcni']
    """
    if isinstance(node, ast.Call):
        if node.func.id in ROW_FUNCTIONS:  # type: ignore[attr-defined]
            return set()
        return set().union(*(names(a) for a in node.args))
    if isinstance(node, ast.Name):
        return {node.id}
    children = (c for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr))
    return set().union(*(names(c) for c in children))
