"""Rule expressions: a small, safe language with three-valued logic, read and evaluated in one place.

``pcni < line and (has_risk or any_cause(sudden_causes))`` is read by Python's ``ast``, of which only
names, constants, comparisons, ``and``/``or``/``not``, ``+ - * /`` and the functions below are let
through; nothing is ever evaluated as Python. Comparing with a null gives a null, ``and``/``or`` follow
SQL, so a condition is null exactly when what is missing could change its answer (official rules,
"Exactly"). Both sides of a numeric comparison are rounded to 9 decimals first.

One walker (`evaluate_expression`) goes over one table of operators and one of functions. What they compute
on, columns of a database or arrays in memory, is a `Backend` (`riskmodel.rules.backends`).

Functions of a household: ``any_cause()``, ``any_cause(CODES)``, ``any_gap()``,
``each_register_cause_supported()``, ``some(ROWS, TEST)`` (a row whose test is null does not count),
``some_or_unknown(ROWS, TEST)`` (null where such a row decides), ``count(ROWS, TEST)``,
``latest_date(ROWS)``, ``drop(NEW, OLD)`` (1 − new/old, null where old ≤ 0), ``ratio(A, B)``,
``met(X)`` (null counts as not met), ``count_met(X, …)``, ``known(X)``, ``given(PARAMETER)``.
Functions of a row: ``met``, ``known``, ``months_ago(N)`` (as-of less N months).
"""

from __future__ import annotations

import ast
import copy
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import Any, Literal, Protocol

from riskmodel.data import codes
from riskmodel.errors import did_you_mean
from riskmodel.rules.declaration import vocabulary

DECIMALS = 9  # official rules, "Exactly": thresholds are compared after rounding to 9 decimals


class ExpressionError(ValueError):
    """An expression that cannot be read; the declaration that holds it names file and key."""


class Backend(Protocol):
    """The operations on which columns of a database and arrays in memory differ.

    A truth value has three states (yes, no, unknown) and combines by ``&`` and ``|``.
    """

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What is raised where types do not fit."""

    def constant(self, value: bool | None) -> Any:
        """Return a truth value that is the same everywhere; None is unknown."""

    def is_truth(self, value: Any) -> bool:
        """Say whether a value is a truth value."""

    def negate(self, truth: Any) -> Any:
        """Return the opposite; unknown stays unknown."""

    def met(self, truth: Any) -> Any:
        """Return where a truth value is surely yes; never unknown."""

    def total(self, truths: list[Any]) -> Any:
        """Return how many are surely yes."""

    def is_known(self, value: Any) -> Any:
        """Return where a value is not null; never unknown."""

    def compare(self, holds: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        """Return the truth of a comparison, numbers rounded to `DECIMALS`; unknown beside a null."""

    def contains(self, codes: list[Any], value: Any) -> Any:
        """Return whether a value is one of a list; unknown where it is null."""

    def divide(self, dividend: Any, divisor: Any) -> Any:
        """Return a quotient; null where the divisor is 0."""

    def positive(self, value: Any) -> Any:
        """Return a number where it is above 0, null elsewhere."""


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
        return parse_expression(self.test)

    def with_values(self, values: Mapping[str, Any]) -> RowTest:
        """Return the test with plain parameter values written out, so that equal tests of two sets are equal.

        Examples
        --------
        >>> RowTest("members", "age < child_age").with_values({"child_age": 16}).test
        'age < 16'
        """
        tree = _Values(values).visit(copy.deepcopy(self.node))
        return RowTest(self.relation, ast.unparse(tree), self.how)


class _Values(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, Any]):
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.values:
            return node
        return ast.parse(repr(self.values[node.id]), mode="eval").body


@dataclass
class Scope:
    """What an expression can name, and the backend that computes with it.

    Parameters
    ----------
    backend
        What operators and functions compute with.
    names : mapping
        Name to its value: a column, an array or a plain parameter. A mapping may compute a value when it is
        asked for.
    functions : mapping
        Functions that depend on whose expression it is: ``any_cause``, ``any_gap``,
        ``each_register_cause_supported`` of a household, ``months_ago`` of a row.
    figure : callable, optional
        Row test to its figure; a row has no rows of its own.
    """

    backend: Backend
    names: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    figure: Callable[[RowTest], Any] | None = None


def evaluate_condition(expression: str | ast.expr, scope: Scope) -> Any:
    """Evaluate an expression that must be true, false or unknown.

    Parameters
    ----------
    expression
        As text, or from `parse_expression`.
    scope
        What it can name.

    Returns
    -------
    truth value of the scope's backend
        Yes, no or unknown for every household or row.

    Raises
    ------
    ExpressionError
        If it is no truth value, or as `evaluate_expression` says.
    """
    value = evaluate_expression(expression, scope)
    if value is None or isinstance(value, bool):
        return scope.backend.constant(value)
    if not scope.backend.is_truth(value):
        text = expression if isinstance(expression, str) else ast.unparse(expression)
        raise ExpressionError(f"{text!r} is not true or false")
    return value


def evaluate_expression(expression: str | ast.expr, scope: Scope) -> Any:
    """Evaluate an expression.

    Parameters
    ----------
    expression
        As text, or from `parse_expression`.
    scope
        What it can name.

    Returns
    -------
    value of the scope's backend, or a plain value for a constant (None is null)
        One value for every household or row.

    Raises
    ------
    ExpressionError
        If a name or function is unknown, or types do not fit.
    """
    node = parse_expression(expression) if isinstance(expression, str) else expression
    try:
        return _WALK[type(node)](node, scope)
    except scope.backend.errors as exc:
        raise ExpressionError(f"{ast.unparse(node)!r}: types do not fit: {exc}") from exc


def _name(node: ast.Name, scope: Scope) -> Any:
    try:
        return scope.names[node.id]
    except KeyError as exc:
        allowed = ", ".join(sorted(scope.names))
        meant = did_you_mean(node.id, scope.names)
        raise ExpressionError(f"unknown name {node.id!r}; allowed: {allowed}{meant}") from exc


def _sequence(node: ast.List | ast.Tuple, scope: Scope) -> list[Any]:
    return [evaluate_expression(n, scope) for n in node.elts]


def _comparison(node: ast.Compare, scope: Scope) -> Any:
    values = [evaluate_expression(n, scope) for n in (node.left, *node.comparators)]
    pairs = zip(node.ops, values, values[1:], strict=False)
    return reduce(operator.and_, [OPERATORS[type(op)](scope.backend, a, b) for op, a, b in pairs])


def _logic(node: ast.BoolOp, scope: Scope) -> Any:
    parts = [evaluate_condition(n, scope) for n in node.values]
    return reduce(operator.and_ if isinstance(node.op, ast.And) else operator.or_, parts)


def _unary(node: ast.UnaryOp, scope: Scope) -> Any:
    if isinstance(node.op, ast.Not):
        return scope.backend.negate(evaluate_condition(node.operand, scope))
    value = evaluate_expression(node.operand, scope)
    return None if value is None else -value


def _arithmetic(node: ast.BinOp, scope: Scope) -> Any:
    left, right = evaluate_expression(node.left, scope), evaluate_expression(node.right, scope)
    return None if left is None or right is None else OPERATORS[type(node.op)](scope.backend, left, right)


def _call(node: ast.Call, scope: Scope) -> Any:
    name = node.func.id  # type: ignore[attr-defined]
    function = FUNCTIONS[name]
    if function.of == "rows":
        return function.apply(scope, node)  # type: ignore[misc]
    if not function.least <= len(node.args) <= function.most:
        raise ExpressionError(f"{ast.unparse(node)!r}: takes {function.arguments} arguments")
    evaluate = evaluate_condition if function.of == "truths" else evaluate_expression
    arguments = [evaluate(a, scope) for a in node.args]
    if name in scope.functions:
        return scope.functions[name](*arguments)
    if function.apply is None:
        raise ExpressionError(f"{name}(…) cannot be seen here: {function.hint}")
    return function.apply(scope.backend, *arguments)


_WALK: dict[type[ast.expr], Callable[[Any, Scope], Any]] = {
    ast.Name: _name,
    ast.Constant: lambda node, scope: node.value,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Compare: _comparison,
    ast.BoolOp: _logic,
    ast.UnaryOp: _unary,
    ast.BinOp: _arithmetic,
    ast.Call: _call,
}


def _compare(holds: Callable[[Any, Any], Any]) -> Callable[[Backend, Any, Any], Any]:
    def compared(backend: Backend, left: Any, right: Any) -> Any:
        if left is None or right is None:
            return backend.constant(None)
        return backend.compare(holds, left, right)

    return compared


def _contains(backend: Backend, left: Any, right: Any) -> Any:
    if not isinstance(right, list | tuple):
        raise ExpressionError("the right side of 'in' must be a list of codes")
    return backend.contains(list(right), left)


OPERATORS: dict[type[ast.AST], Callable[[Backend, Any, Any], Any]] = {
    ast.Lt: _compare(operator.lt),
    ast.LtE: _compare(operator.le),
    ast.Gt: _compare(operator.gt),
    ast.GtE: _compare(operator.ge),
    ast.Eq: _compare(operator.eq),
    ast.NotEq: _compare(operator.ne),
    ast.In: _contains,
    ast.NotIn: lambda backend, left, right: backend.negate(_contains(backend, left, right)),
    ast.Add: lambda backend, left, right: left + right,
    ast.Sub: lambda backend, left, right: left - right,
    ast.Mult: lambda backend, left, right: left * right,
    ast.Div: lambda backend, left, right: backend.divide(left, right),
}


@dataclass(frozen=True)
class Function:
    """A function of the language: how many arguments of which kind, and what it does with them.

    Without ``apply`` it is the scope's own; ``hint`` then tells where it can stand.
    """

    least: int
    most: float
    apply: Callable[..., Any] | None = None
    of: Literal["values", "truths", "rows"] = "values"
    hint: str = ""

    @property
    def arguments(self) -> str:
        """How many arguments it takes, in words."""
        if self.most == float("inf"):
            return f"{self.least} or more"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


def _figure(scope: Scope, call: ast.Call, how: Literal["passing", "unclear", "latest"] = "passing") -> Any:
    if scope.figure is None:
        raise ExpressionError(f"{ast.unparse(call)!r} speaks of a household, not of one of its rows")
    return scope.figure(row_test(call, how))


def _some(scope: Scope, call: ast.Call) -> Any:
    return scope.backend.compare(operator.gt, _figure(scope, call), 0)


def _some_or_unknown(scope: Scope, call: ast.Call) -> Any:
    unclear = scope.backend.compare(operator.gt, _figure(scope, call, "unclear"), 0)
    return _some(scope, call) | (unclear & scope.backend.constant(None))


_HOUSEHOLD = "it is a function of a household and its tables"
FUNCTIONS = {
    "some": Function(1, 2, _some, "rows"),
    "some_or_unknown": Function(1, 2, _some_or_unknown, "rows"),
    "count": Function(1, 2, _figure, "rows"),
    "latest_date": Function(1, 2, lambda scope, call: _figure(scope, call, "latest"), "rows"),
    "any_cause": Function(0, 1, hint=_HOUSEHOLD),
    "any_gap": Function(0, 0, hint=_HOUSEHOLD),
    "each_register_cause_supported": Function(0, 0, hint=_HOUSEHOLD),
    "drop": Function(2, 2, lambda backend, new, old: 1 - backend.divide(new, backend.positive(old))),
    "ratio": Function(2, 2, lambda backend, above, below: backend.divide(above, below)),
    "met": Function(1, 1, lambda backend, value: backend.met(value), "truths"),
    "count_met": Function(1, float("inf"), lambda backend, *values: backend.total(list(values)), "truths"),
    "known": Function(1, 1, lambda backend, value: backend.is_known(value)),
    "given": Function(1, 1, lambda backend, value: value is not None),
    "months_ago": Function(1, 1, hint="it takes a whole number and stands inside some(ROWS, …)"),
}
ROW_FUNCTIONS = tuple(name for name, function in FUNCTIONS.items() if function.of == "rows")
_SYNTAX = (ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.List,
           ast.Tuple, ast.Load)  # fmt: skip
_ALLOWED_OPERATORS = (*OPERATORS, ast.And, ast.Or, ast.Not, ast.USub)


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> ast.expr:
    """Read an expression; the syntax tree is shared and must not be changed.

    Parameters
    ----------
    text : str
        As written in a rule set.

    Returns
    -------
    ast.expr
        The syntax tree.

    Raises
    ------
    ExpressionError
        If it is no expression, or uses anything that rules may not.

    Examples
    --------
    >>> parse_expression("__import__('os')")
    Traceback (most recent call last):
    riskmodel.rules.expression.ExpressionError: unknown function '__import__'; allowed: ...
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as exc:
        place = f" at character {exc.offset}" if exc.offset else ""
        raise ExpressionError(f"{text!r} is not an expression: {exc.msg}{place}") from exc
    except (ValueError, RecursionError, MemoryError) as exc:
        raise ExpressionError(f"{text!r} is not an expression: {exc}") from exc
    for part in ast.walk(node):
        _refuse_unknown(part)
    return node


def _refuse_unknown(part: ast.AST) -> None:
    if isinstance(part, ast.boolop | ast.unaryop | ast.operator | ast.cmpop):
        if not isinstance(part, _ALLOWED_OPERATORS):
            raise ExpressionError(f"the operator {type(part).__name__} is not allowed in a rule")
    elif not isinstance(part, _SYNTAX):
        raise ExpressionError(f"{type(part).__name__} is not allowed in a rule")
    if isinstance(part, ast.Call):
        if not isinstance(part.func, ast.Name) or part.func.id not in FUNCTIONS:
            name = ast.unparse(part.func)
            meant = did_you_mean(name, FUNCTIONS)
            allowed = ", ".join(sorted(FUNCTIONS))
            raise ExpressionError(f"unknown function {name!r}; allowed: {allowed}{meant}")
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


@lru_cache(maxsize=4096)
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
    >>> sorted(names(parse_expression("pcni < line and some(members, age < child_age)")))
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
