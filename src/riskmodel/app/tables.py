"""A month's households as the page shows them: the list's own columns, in words, for everybody scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.i18n import Language
from riskmodel.io import read_table
from riskmodel.month import read_month_scores
from riskmodel.presentation import list_columns, rows_in_words
from riskmodel.scoring import ENTRY_KINDS

KEY = "household_id"
PLACES = ("township", "village")
# Said of households that the model was trained for; of others it is no forecast, and who is in the register
# is never shown one: an elimination is not prepared with a score beside it.
FORECAST = ("probability", "tier", "interval")
# How the list is drawn is the county's own business, and is logged.
NOT_SHOWN = ("chance", "trip")
NUMBERS = {"integer", "yuan", "percent", "chance"}


@dataclass(frozen=True)
class GridColumn:
    """One column of a table on the page."""

    id: str
    name: str
    kind: str
    width: int


@dataclass(frozen=True)
class GridTable:
    """Rows for a grid: plain values by column."""

    columns: tuple[GridColumn, ...]
    rows: list[dict[str, Any]]

    def row(self, key: str) -> dict[str, Any] | None:
        """Return a household's row."""
        return next((row for row in self.rows if row[KEY] == key), None)

    def values(self, column: str, **where: str | None) -> list[str]:
        """Return what stands in a column, each once, of the rows where the others are as asked."""
        found = {row.get(column) for row in self.rows if _is(row, where)}
        return sorted(str(value) for value in found if value is not None)

    def filtered(self, search: str = "", **where: str | None) -> list[dict[str, Any]]:
        """Return the rows that hold a text anywhere and have the values asked for; None asks for nothing."""
        wanted = search.strip().casefold()
        kept = (row for row in self.rows if _is(row, where))
        return [row for row in kept if not wanted or any(wanted in str(v).casefold() for v in row.values())]


def _is(row: dict[str, Any], where: dict[str, str | None]) -> bool:
    return all(value is None or row.get(column) == value for column, value in where.items())


def household_table(folder: Path, lang: Language) -> GridTable:
    """Return all scored households of a month: those on the list first, in its order.

    Parameters
    ----------
    folder
        The month's.
    lang
        Of the words.

    Returns
    -------
    GridTable
        The list's columns but those to be filled in; forecasts only of households that the model speaks of.

    Raises
    ------
    InputMissing, InputRefused
        If the month is not made, or its scores are not the file that was made.
    """
    listed, scores = read_table(folder / "worklist.parquet"), read_month_scores(folder, lang)
    own = [c for c in listed.columns if c == KEY or c not in scores]
    rows = listed[own].merge(scores, on=KEY, how="left", validate="1:1")
    others = scores[~scores[KEY].isin(listed[KEY])].sort_values([*PLACES, KEY])
    everybody = pd.concat([rows, others], ignore_index=True)
    shown = [c for c in list_columns(rows) if c.kind not in ENTRY_KINDS and c.id not in NOT_SHOWN]
    words = rows_in_words(everybody, shown, lang)
    silent = ~everybody["in_cohort"].eq(True).to_numpy()
    words.loc[silent, [c.id for c in shown if c.id in FORECAST]] = None
    columns = tuple(GridColumn(c.id, c.text(lang), c.kind, c.width) for c in shown)
    return GridTable(columns, plain_rows(words))


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows of values that JSON holds; what is missing is None."""
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or value != value:
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6)
    return str(value)[:10] if hasattr(value, "year") else str(value)


def frame_table(frame: pd.DataFrame, names: dict[str, str], most: int | None = None) -> GridTable:
    """Return some columns of a table as they are, under the names given, at most so many rows."""
    shown = [c for c in names if c in frame]
    rows = plain_rows(frame[shown].head(most) if most else frame[shown])
    return GridTable(tuple(GridColumn(c, names[c], "text", _width(rows, c)) for c in shown), rows)


def _width(rows: Sequence[dict[str, Any]], column: str) -> int:
    longest = max((len(str(row[column])) for row in rows[:200] if row[column] is not None), default=4)
    return min(max(longest + 2, 8), 40)
