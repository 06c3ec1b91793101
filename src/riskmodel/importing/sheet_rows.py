"""What one sheet gives, before anything is compared with another sheet."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.grids import Grid
from riskmodel.importing.cell_reading import BLANK
from riskmodel.importing.mapping import UNITS, SheetMap
from riskmodel.importing.sheet_layout import SheetLayout, text_of
from riskmodel.importing.vocabulary import normalise_word


@dataclass
class SheetRows:
    """What one sheet gives.

    Parameters
    ----------
    grid, layout, spec
        The sheet, its layout and its map.
    tables
        Table to its rows: the contract's columns as Python values (months as ordinals), helper columns such
        as ``person_number`` and ``name``, and where each stands (file, sheet, row, col).
        Amounts have ``item``, ``amount``, ``fault``, ``cumulative``.
    checks
        ``row, household_id, of, column, value``: results to be compared.
    rejected
        Row number to why it is out.
    recorded_on, snapshot_on
        Of the whole sheet.
    """

    grid: Grid
    layout: SheetLayout
    spec: SheetMap
    tables: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)
    recorded_on: dt.date | None = None
    snapshot_on: dt.date | None = None
    hidden: int = 0

    @property
    def states_its_day(self) -> bool:
        """Whether a title, not a file's name alone, says the day whose state the sheet shows."""
        said = self.layout.facts.said.get("snapshot_on", "")
        return bool(said) and said not in self.grid.file


def rows_of_household(rows: pd.DataFrame) -> pd.DataFrame:
    """Return amounts that stand on every member's row as the household's own.

    Nobody's number or name belongs to them, and where they stand on one row of a household only, the blank
    cells of its other rows say nothing.
    """
    known = rows["household_id"].notna() if "household_id" in rows else pd.Series(False, index=rows.index)
    for name in ("member_id", "person_number", "name"):
        if name in rows:
            rows[name] = rows[name].where(~known, None)
    what = [rows[name].map(str) for name in ("household_id", "col") if name in rows]
    stated = rows["fault"].ne(BLANK).groupby(what).transform("any")
    rows = rows[~(known & rows["fault"].eq(BLANK) & stated)]
    return rows.assign(once=True)


def with_units(values: Sequence[object], units: Sequence[object]) -> list[object]:
    """Return amounts with the unit that stands beside each; a number without one says nothing for sure."""
    out: list[object] = []
    for value, unit in zip(values, units, strict=True):
        text = text_of(value)
        word = normalise_word(text_of(unit))
        bare = bool(re.fullmatch(r"[-+]?[\d,]*\.?\d+", text))
        out.append(f"{text}{word if word in UNITS else '?'}" if bare else value)
    return out


def row_keys(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return one number for each distinct combination of columns; what is missing equals what is missing."""
    key = np.zeros(len(frame), dtype=np.int64)
    for name in columns:
        numbers, distinct = pd.factorize(frame[name].astype(object))
        # Numbered anew after each column, so that products stay small.
        key, _ = pd.factorize(key * (len(distinct) + 1) + numbers + 1)
    return pd.Series(key, index=frame.index)


def is_empty(value: object) -> bool:
    """Say whether a cell of a frame holds nothing."""
    return value is None or value is pd.NaT or value != value
