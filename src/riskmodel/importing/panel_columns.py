"""The columns of a panel's file as numbers and as words, and those that its map makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.errors import InputRefused, did_you_mean
from riskmodel.importing.panel_files import PanelFile
from riskmodel.importing.panel_formula import Formula
from riskmodel.importing.panel_map import Figure, PanelMap


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
