"""What one sheet gives, before anything is compared with another sheet.

The columns of a sheet from which nothing is read, and why.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.grids import Grid
from riskmodel.importing.cell_reading import BLANK
from riskmodel.importing.header_words import normalise_word
from riskmodel.importing.mapping import UNITS, CheckMap, ColumnMap, SheetMap
from riskmodel.importing.sheet_layout import Header, SheetLayout, text_of
from riskmodel.importing.vocabulary import Vocabulary


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


def read_checks(
    checks: Sequence[CheckMap],
    grid: Grid,
    rows: Sequence[int],
    ids: Sequence[object],
    column_of: Callable[[str], int | None],
    amounts_in: Callable[..., list[Decimal | None]],
) -> list[dict[str, Any]]:
    """Return what columns of results say, each beside the amounts that it should add up to.

    Parameters
    ----------
    checks
        Of the map.
    grid, rows, ids
        The sheet, the numbers of its records and whose each is.
    column_of
        Header to column.
    amounts_in
        Column, unit of the map and ``counts`` to amounts.
    """
    out = []
    for check in checks:
        column = column_of(check.column)
        if column is None:
            continue
        values = amounts_in(column, check.unit, counts=check.of.startswith("persons"))
        places = [column_of(text) for text in check.parts]
        parts = [[None] * len(rows) if place is None else amounts_in(place) for place in places]
        for at, value in enumerate(values):
            if value is not None:
                place = {"file": grid.file, "sheet": grid.sheet, "row": rows[at], "col": column}
                said = {"household_id": ids[at], "of": check.of, "value": value}
                out.append(place | said | {"parts": [one[at] for one in parts]})
    return out


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


def unread_columns(spec: SheetMap, layout: SheetLayout, words: Vocabulary) -> tuple[tuple[str, str], ...]:
    """Return the headers from which nothing is read, each with a key of the catalogue ``importing.unread``.

    Parameters
    ----------
    spec
        What is read of the sheet; all its columns are unread where that is nothing.
    layout
        Its headers.
    words
        What headers mean.
    """
    read = set()
    for text in _named(spec):
        if header := layout.header(text) or layout.alike(words.meanings([text])):
            read.add(header.column)
    return tuple((h.text, reason_of(h)) for h in layout.headers if h.column not in read)


def reason_of(header: Header) -> str:
    """Return why a column that no map names is not read.

    Examples
    --------
    >>> from riskmodel.importing.vocabulary import vocabulary
    >>> reason_of(Header(0, ("民族",), False, tuple(vocabulary().meanings(["民族"]))))
    'personal'
    """
    if header.hidden:
        return "hidden"
    sure = [meaning for meaning in header.meanings if meaning.sure == 1]
    if not sure:
        return "unknown"
    meaning = sure[0]
    if meaning.role == "other":
        return meaning.name
    if meaning.role == "figure":
        return "no_unit" if meaning.name == "road_distance" else "not_here"
    return meaning.role if meaning.role in ("part", "check") else "not_here"


def _named(spec: SheetMap) -> Iterator[str]:
    """Yield the headers that a map names."""
    yield from spec.fill_down
    for check in spec.checks:
        yield from (check.column, *check.parts)
    for table in spec.tables:
        yield from table.measures
        yield from table.figures
        for amount in table.amounts:
            yield from (amount.column, *filter(None, (amount.less,)))
        for column in table.columns.values():
            yield from _of_column(column)


def _of_column(given: ColumnMap) -> Iterator[str]:
    yield from filter(None, (given.column, *given.more))
    for other in given.also:
        yield from _of_column(other)
