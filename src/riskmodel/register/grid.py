"""One printed table: titled columns and rows, ready for a sheet or a page, with no computing left to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from riskmodel.register.words import Lang, category_name, phrase

Kind = Literal["text", "count", "share"]
Value = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One column: its group's heading, its own, and how its values are written."""

    top: str
    sub: str
    kind: Kind


@dataclass(frozen=True)
class Grid:
    """One printed table.

    Parameters
    ----------
    id : str
        Stable name (an anchor on a page).
    sheet, title : str
    columns : tuple of Column
        The first ``stub`` of them label the rows.
    rows : tuple of tuple
        Values in the order of columns; None is an empty cell (missing, not zero).
    notes : tuple of str
        What the percentages are of, and what adds up.
    totals : frozenset of int
        Rows that sum others.
    stub : int
    """

    id: str
    sheet: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    notes: tuple[str, ...] = ()
    totals: frozenset[int] = frozenset()
    stub: int = 1


def lookup(frame: pd.DataFrame, keys: list[str], values: list[str]) -> dict[tuple[str, ...], list[int]]:
    """Return counts by their keys, as plain numbers."""
    rows = frame[[*keys, *values]].itertuples(index=False, name=None)
    return {row[: len(keys)]: [int(v) for v in row[len(keys) :]] for row in rows}


def ratio(part: int | None, whole: int | None) -> float | None:
    """Return a share, None where there is nothing to be a share of."""
    return None if part is None or not whole else part / whole


def pair(top: str, lang: Lang, *, percent: bool = False, items: bool = False) -> tuple[Column, ...]:
    """Return the columns households and persons under one heading, and what else is asked for."""
    names: list[tuple[str, Kind]] = [("hh", "count"), ("p", "count")]
    if items:
        names.append(("items", "count"))
    if percent:
        names.append(("percent", "share"))
    return tuple(Column(top, phrase(name, lang), kind) for name, kind in names)


def label(name: str, lang: Lang) -> Column:
    """Return a column that labels rows."""
    return Column(phrase(name, lang), "", "text")


def heads(categories: Iterable[str], lang: Lang) -> list[str]:
    """Return the headings of categories, the total last."""
    return [*(category_name(c, lang) for c in categories), phrase("total", lang)]
