"""Formulas of columns in a panel map: ``fill(P21, 0) + fill(TOT_P12, 0)``, ``selfemp > 0 and sal == 0``.

Numbers, columns (one that is no name of Python is written ``col("…")``), + − * / **, comparisons, ``and``,
``or``, ``not``, ``in (…)``, and the functions of `FUNCTIONS`. What is unknown stays unknown: a comparison
with an empty cell is empty, unless ``fill`` says what stands for it. Nothing else of Python can be written.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from riskmodel.errors import InputRefused, did_you_mean

Values = pd.Series


def _fill(values: Values, other: Values | float) -> Values:
    return values.where(values.notna(), other)


def _where(condition: Values, yes: Values | float, no: Values | float) -> Values:
    chosen = pd.Series(np.where(condition == 1, yes, no), index=condition.index)
    return chosen.where(condition.notna())


def _sum(*values: Values) -> Values:
    """Add what is known; empty where nothing is."""
    return pd.concat(values, axis=1).sum(axis=1, min_count=1)


FUNCTIONS: Mapping[str, Callable[..., Values]] = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "floor": np.floor, "round": np.round,
    "fill": _fill, "where": _where, "most": np.maximum, "least": np.minimum, "sum": _sum,
    "known": lambda values: values.notna().astype(float),
}  # fmt: skip
_ARITHMETIC: Mapping[type, Callable[[Values, Values], Values]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}
_COMPARED: Mapping[type, Callable[[Values, Values], Values]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}


class Formula:
    """A formula, read once.

    Parameters
    ----------
    text
        As written in the map.
    columns
        The columns there are; a text that is one of them is that column.
    where
        Named in messages ("income.amount").

    Raises
    ------
    InputRefused
        If it is no formula, or names a column that is not there.
    """

    def __init__(self, text: str | float, columns: list[str], where: str) -> None:
        self.text, self.where = str(text), where
        self.tree: ast.expr = ast.Name(self.text)
        if self.text not in columns:
            try:
                self.tree = ast.parse(self.text.strip(), mode="eval").body
            except SyntaxError as exc:
                raise self._wrong(
                    f"is neither a column nor a formula{did_you_mean(self.text, columns)}"
                ) from exc
        self.used = self._names(self.tree)
        absent = [name for name in self.used if name not in columns]
        if absent:
            raise self._wrong(f"no column {', '.join(absent)}{did_you_mean(absent[0], columns)}")

    def _wrong(self, why: str) -> InputRefused:
        return InputRefused(f"{self.where}: {self.text!r}: {why}")

    def _names(self, tree: ast.expr) -> tuple[str, ...]:
        found: list[str] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                if node.keywords or name not in (*FUNCTIONS, "col"):
                    raise self._wrong(f"no function {name!r}; there are: {', '.join([*FUNCTIONS, 'col'])}")
                if name == "col":
                    found.append(_literal(node.args[0]) if len(node.args) == 1 else "")
            elif isinstance(node, ast.Name) and node.id not in (*FUNCTIONS, "col"):
                found.append(node.id)
        if isinstance(tree, ast.Name) and tree.id not in found:  # a column that is called like a function
            found.append(tree.id)
        return tuple(dict.fromkeys(found))

    def values(self, numbers: Callable[[str], Values], words: Callable[[str], Values]) -> Values:
        """Return its values.

        Parameters
        ----------
        numbers, words
            Return a column as numbers, and as words (to be compared with a text).
        """
        self._numbers, self._words = numbers, words
        return self._value(self.tree)

    def _value(self, node: ast.expr) -> Values:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return node.value  # type: ignore[return-value]
        if isinstance(node, ast.Name):
            return self._numbers(node.id)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _ARITHMETIC[type(node.op)](self._value(node.left), self._value(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._value(node.operand)
        if isinstance(node, ast.Call):
            return self._call(node)
        return self._truth(node)

    def _call(self, node: ast.Call) -> Values:
        name = node.func.id  # type: ignore[attr-defined]
        if name == "col":
            return self._numbers(_literal(node.args[0]))
        with np.errstate(all="ignore"):
            return FUNCTIONS[name](*(self._value(one) for one in node.args))

    def _truth(self, node: ast.expr) -> Values:
        """Return 1, 0 or empty."""
        if isinstance(node, ast.BoolOp):
            every = pd.concat([self._value(one) for one in node.values], axis=1)
            decided = 0 if isinstance(node.op, ast.And) else 1
            out = every.min(axis=1, skipna=False) if decided == 0 else every.max(axis=1, skipna=False)
            return out.mask((every == decided).any(axis=1), float(decided))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return 1.0 - self._value(node.operand)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._compared(node.left, node.ops[0], node.comparators[0])
        raise self._wrong("only columns, numbers, + - * / **, comparisons, and, or, not and functions")

    def _compared(self, left: ast.expr, how: ast.cmpop, right: ast.expr) -> Values:
        if isinstance(how, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List):
            wanted = [one.value if isinstance(one, ast.Constant) else None for one in right.elts]
            a = self._side(left, any(isinstance(w, str) for w in wanted))
            found = a.isin(wanted)
            return (found if isinstance(how, ast.In) else ~found).astype(float).where(a.notna())
        if type(how) not in _COMPARED:
            raise self._wrong("write < <= > >= == != or in (…)")
        text = any(isinstance(s, ast.Constant) and isinstance(s.value, str) for s in (left, right))
        a, b = self._side(left, text), self._side(right, text)
        known = pd.Series(True, index=(a if isinstance(a, pd.Series) else b).index)
        for side in (a, b):
            if isinstance(side, pd.Series):
                known &= side.notna()
        return pd.Series(_COMPARED[type(how)](a, b), index=known.index).astype(float).where(known)

    def _side(self, node: ast.expr, text: bool) -> Values:
        if text and isinstance(node, ast.Constant):
            return node.value  # type: ignore[return-value]
        return self._words(node.id) if text and isinstance(node, ast.Name) else self._value(node)


def _literal(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""
