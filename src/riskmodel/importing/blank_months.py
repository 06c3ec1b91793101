"""Months of which a sheet says nothing of a household: it does not cover them, and they are not on record.

In a sheet with a column for each month or source, a household's cells are there before anybody has filled
them in. Where all of a month's cells are blank, nothing was written down of it, late or not at all; where
some are filled, the blank ones are amounts that are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pandas as pd

from riskmodel.data import month_end, month_text
from riskmodel.importing import cell_reading as cells
from riskmodel.importing.sheet_rows import row_keys
from riskmodel.importing.spans import month_runs
from riskmodel.io import records


def find_blank_months(rows: pd.DataFrame) -> pd.Series:
    """Say of each row whether its file leaves its household's month blank in every cell.

    Parameters
    ----------
    rows
        ``household_id, month_from, month_to, fault, file, form`` of one table; ``form`` marks amounts
        whose source or month is the column's, not the row's own word.
    """
    blank = rows["fault"].eq(cells.BLANK) & rows["form"].eq(True) & rows["month_from"].eq(rows["month_to"])
    if not blank.any():
        return blank
    key = row_keys(rows, ["file", "household_id", "month_from", "month_to"])
    return blank & blank.groupby(key).transform("all")


def drop_blank_months(
    rows: pd.DataFrame, table: str, say: Callable[..., None]
) -> tuple[pd.DataFrame, list[dict[str, Any]], set[tuple[str, int]]]:
    """Take out blank months.

    Parameters
    ----------
    rows
        Of one table, as in `find_blank_months`. A month of which another file says something keeps its
        blank cells: they are unknown amounts of it.
    table
        ``income`` or ``spending``.
    say
        Adds a finding of a row.

    Returns
    -------
    rows : DataFrame
        The other rows.
    unrecorded : list of dict
        Rows of ``unrecorded``, one for each run of a household's months: nothing may be inferred of them.
    absent : set of (str, int)
        Household and month of those that are not on record.
    """
    blank = find_blank_months(rows)
    if not blank.any():
        return rows, [], set()
    key = row_keys(rows, ["household_id", "month_from"])
    alone = blank & blank.groupby(key).transform("all")
    absent = {
        (str(h), int(m))
        for h, m in zip(rows.loc[blank, "household_id"], rows.loc[blank, "month_from"], strict=True)
    }
    return rows[~alone], _runs(rows[alone], table, say), absent


def _runs(rows: pd.DataFrame, table: str, say: Callable[..., None]) -> list[dict[str, Any]]:
    """Tell of each run of a household's blank months once, at its first cell; return them as unknown."""
    out = []
    order = rows.sort_values(["month_from", "row", "col"], kind="stable")
    for household, own in order.groupby("household_id", sort=False):
        months: dict[int, dict[str, Any]] = {}
        for row in records(own):
            months.setdefault(int(row["month_from"]), row)
        for first, last in month_runs(sorted(months)):
            words = month_text(first) if first == last else f"{month_text(first)}–{month_text(last)}"
            say("unknown", "blank months", {**months[first], "item": ""}, months=words)
            out.append(
                {"household_id": household, "of": table, "item": None, "month_from": first, "month_to": last,
                 "why": "not_filled_in", "recorded_on": month_end(first)}
            )  # fmt: skip
    return out


def without_months(recorded: pd.DataFrame, absent: Collection[tuple[str, int]]) -> pd.DataFrame:
    """Return rows of ``recorded`` without the months that are blank in a household's file."""
    if not absent:
        return recorded
    months = zip(recorded["household_id"], recorded["month_from"], strict=True)
    return recorded[[month not in absent for month in months]]


__all__ = ["drop_blank_months", "find_blank_months", "without_months"]
