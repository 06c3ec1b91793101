"""The columns of a panel's file as numbers and as words, and those that its map makes of them by formulas.

A formula is written as ``fill(P21, 0) + fill(TOT_P12, 0)`` or ``selfemp > 0 and sal == 0``: numbers, columns
(one that is no name of Python is written ``col("…")``), + − * / **, comparisons, ``and``, ``or``, ``not``,
``in (…)``, and the functions of `FUNCTIONS`. What is unknown stays unknown: a comparison with an empty cell
is empty, unless ``fill`` says what stands for it. Nothing else of Python can be written.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.errors import InputRefused, did_you_mean
from riskmodel.importing.panel_files import PanelFile
from riskmodel.importing.panel_map import Figure, PanelMap

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


class PanelColumns:
    """The file's columns as numbers and as words, and what the map makes of them."""

    def __init__(self, file: PanelFile, plan: PanelMap) -> None:
        self.file, self.plan = file, plan
        self.rows = _long(file, plan)
        self.made: dict[str, pd.Series] = {}
        self.told: list[str] = []
        self._missing = {str(code) for code in plan.missing} | {plain_code(code) for code in plan.missing}
        for name, text in plan.columns.items():
            self.made[name] = self.figure(text, f"columns.{name}")

    @property
    def names(self) -> list[str]:
        """All columns, the file's and the map's."""
        return [*map(str, self.rows.columns), *self.made]

    def raw(self, name: str) -> pd.Series:
        """Return a column with the missing codes taken out."""
        values = self.made[name] if name in self.made else self.rows[name]
        return values.mask(values.map(plain_code).isin(self._missing)) if self._missing else values

    def words(self, name: str) -> pd.Series:
        """Return a column as words: value labels where the file has them, else as it stands."""
        values = self.raw(name)
        labels = {plain_code(code): word for code, word in self.file.words.get(name, {}).items()}
        plain = values.map(plain_code).astype(object)
        return plain.map(lambda code: labels.get(code, code)).where(values.notna(), None)

    def numbers(self, name: str, strict: bool = True) -> pd.Series:
        """Return a column as numbers; a cell that is none is refused, or left empty and told."""
        values = self.raw(name)
        if pd.api.types.is_numeric_dtype(values):
            return values.astype(float)
        out = pd.to_numeric(values, errors="coerce").astype(float)
        bad = out.isna() & values.notna() & values.astype(str).str.strip().ne("")
        if bad.any():
            row = self.row_number(bad)
            what = f"column {name} holds something that is no number in {int(bad.sum())} rows"
            example = f"row {row}: {str(values[bad].iloc[0])[:40]!r}"
            if strict:
                raise InputRefused(
                    f"{self.file.name}: {what} ({example}); mend the file, or name it among missing"
                )
            self.told.append(f"{what} ({example}): left empty")
        return out

    def row_number(self, which: pd.Series) -> int:
        """Return the number of the first row of which something is true."""
        return int(self.rows["_row"].iloc[int(which.to_numpy().argmax())]) + self.file.first_row

    def figure(self, given: Figure, where: str, strict: bool = True) -> pd.Series:
        """Return what a column, a formula, a constant or a sum of columns gives."""
        if isinstance(given, tuple):
            parts = [self.figure(one, where, strict) for one in given]
            return pd.concat(parts, axis=1).sum(axis=1, min_count=1)
        formula = Formula(given, self.names, where)
        values = formula.values(lambda name: self.numbers(name, strict), self.words)
        if not isinstance(values, pd.Series):
            return pd.Series(float(values), index=self.rows.index)
        with np.errstate(invalid="ignore"):
            return values.astype(float).where(np.isfinite(values.astype(float)))

    def text(self, given: str, where: str, words: Mapping[Any, str] | None = None) -> pd.Series:
        """Return a column, or a formula's numbers, as words."""
        if given in self.names:
            values = self.words(given)
        elif given.isidentifier() or not given.isascii():
            raise InputRefused(
                f"{self.file.name}: {where}: no column {given!r}{did_you_mean(given, self.names)}"
            )
        else:
            values = self.figure(given, where).map(plain_code).astype(object)
        own = {plain_code(code): word for code, word in (words or {}).items()}
        return values.map(lambda code: own.get(plain_code(code), code))

    def need(self, names: Sequence[str], what: str) -> None:
        """Refuse a file without columns that cannot be done without, all of them at once."""
        absent = [name for name in dict.fromkeys(names) if name not in self.names]
        if absent:
            meant = did_you_mean(absent[0], self.names)
            raise InputRefused(f"{self.file.name}: no column {', '.join(absent)} ({what}){meant}")


def plain_code(code: Any) -> Any:
    """Return a code as text, 3.0 as 3; None where there is none."""
    if code is None or code is pd.NaT or (isinstance(code, float) and code != code):
        return None
    return str(int(code)) if isinstance(code, float) and code.is_integer() else str(code).strip()


def _long(file: PanelFile, plan: PanelMap) -> pd.DataFrame:
    """Lay waves that stand side by side one below another."""
    rows = file.rows.reset_index(drop=True).reset_index(names="_row")
    if plan.wide is None:
        return rows
    used = [c for waves in plan.wide.columns.values() for c in waves.values()]
    absent = [c for c in used if c not in rows]
    if absent:
        raise InputRefused(f"{file.name}: no column {', '.join(absent)} (wide)")
    waves = list(dict.fromkeys(w for one in plan.wide.columns.values() for w in one))
    parts = [
        rows.assign(
            **{plan.wide.by: wave},
            **{name: (rows[one[wave]] if wave in one else np.nan) for name, one in plan.wide.columns.items()},
        )
        for wave in waves
    ]
    return pd.concat(parts, ignore_index=True)
