"""Rows of a year's amounts typed in another unit than their sheet."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from riskmodel.importing.convert import SheetRows

# So many times smaller or larger than the household's other years and than its sheet's rows; the units in use
# are
# 10,000 apart, and no household earns a three-hundredth of what it earned the year before in every source.
_TIMES = 300
_TIMES_ALONE = 1_000  # for a household without another year
_FEWEST_ROWS = 10


def find_unit_slips(sheets: Sequence[SheetRows]) -> set[tuple[int, int]]:
    """Return the rows all of whose amounts together look typed in another unit.

    Parameters
    ----------
    sheets
        What every sheet gave.

    Returns
    -------
    set of (int, int)
        Place of the sheet in ``sheets``, and row number.
    """
    frames = [
        frame.assign(sheet_no=at)
        for at, sheet in enumerate(sheets)
        for table in ("income", "spending")
        for frame in sheet.tables.get(table, [])
        if {"household_id", "month_from", "amount"} <= set(frame)
    ]
    if not frames:
        return set()
    rows = pd.concat(frames, ignore_index=True)
    dated = (
        rows["month_from"].notna()
        & rows["month_to"].notna()
        & rows["amount"].notna()
        & rows["household_id"].notna()
    )
    rows = rows[dated]
    rows = rows[[int(b) - int(a) >= 2 for a, b in zip(rows["month_from"], rows["month_to"], strict=True)]]
    rows = rows[[bool(a) for a in rows["amount"]]]
    if not len(rows):
        return set()
    rows = rows.assign(value=[abs(float(a)) for a in rows["amount"]])
    sums = rows.groupby(["sheet_no", "row", "household_id"], as_index=False).agg(
        value=("value", "sum"), n=("value", "size")
    )
    usual = sums.groupby("sheet_no")["value"].median()
    counts = sums.groupby("sheet_no")["value"].size()
    sums["sheet_ratio"] = sums["value"] / sums["sheet_no"].map(usual)
    sums = sums[sums["sheet_no"].map(counts) >= _FEWEST_ROWS]
    far = sums[(sums["sheet_ratio"] * _TIMES < 1) | (sums["sheet_ratio"] > _TIMES)]
    out = set()
    for row in far.itertuples():
        own = sums[(sums["household_id"] == row.household_id) & (sums.index != row.Index)]
        others = [r for r in own["sheet_ratio"] if 1 / _TIMES <= r <= _TIMES]
        times, usual_ratio = (_TIMES, sorted(others)[len(others) // 2]) if others else (_TIMES_ALONE, 1.0)
        ratio = row.sheet_ratio / usual_ratio
        if row.n >= 2 and (ratio * times < 1 or ratio > times):
            out.add((int(row.sheet_no), int(row.row)))
    return out
