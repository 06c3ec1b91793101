"""How many of the slips of a spoiled county a check finds, and how many of its alarms are false."""

from __future__ import annotations

import pandas as pd

from riskmodel.simulate.dirty import SLIPS

Cells = set[tuple[str, ...]]
KEY = ["table", "household_id", "month"]
FALSE = "(false alarms)"


def found(log: pd.DataFrame, rejected: pd.DataFrame, suspects: pd.DataFrame) -> pd.DataFrame:
    """Score checks against the log: how many slips of each kind they name.

    Parameters
    ----------
    log : DataFrame
        From `dirty.spoil`.
    rejected : DataFrame
        ``file, row`` of rows kept out (``rejected.csv``).
    suspects : DataFrame
        ``table, household_id, month, kind`` of rows that a check doubts (``suspects.csv``); a null kind
        doubts the whole month.

    Returns
    -------
    DataFrame
        ``slip, spoiled, rejected, suspected, found, share``, a row a slip; last the false alarms: rejected
        rows and suspects that no slip explains.
    """
    given = log.assign(row=pd.to_numeric(log["row"]).fillna(0).astype("int64"))
    table = rejected["file"].astype("string").str.replace(r"\..*$", "", regex=True)
    out = set(zip(table, pd.to_numeric(rejected["row"]).astype("int64"), strict=True))
    cells, months = _doubted(suspects)
    written, true = _keys(given, KEY), _keys(given, ["table", "household_true", "month"])
    kinds = given["kind"].astype(str)
    given["rejected"] = [place in out for place in zip(given["table"], given["row"], strict=True)]
    given["suspected"] = [
        (*key, kind) in cells or key in months or own in months
        for key, own, kind in zip(written, true, kinds, strict=True)
    ]
    given["found"] = given["rejected"] | given["suspected"]
    by = given.groupby("slip")[["rejected", "suspected", "found"]].sum()
    by.insert(0, "spoiled", given.groupby("slip").size())
    by = by.reindex([s for s in SLIPS if s in by.index]).reset_index()
    by["share"] = by["found"] / by["spoiled"]
    wrong_rows = len(out - set(zip(given["table"], given["row"], strict=True)))
    explained = {(*key, kind) for key, kind in zip(written, kinds, strict=True)}
    wrong_cells = len(cells - explained) + len(months - set(written) - set(true))
    alarms = {
        "slip": FALSE,
        "spoiled": 0,
        "rejected": wrong_rows,
        "suspected": wrong_cells,
        "found": wrong_rows + wrong_cells,
    }
    return pd.concat([by, pd.DataFrame([alarms])], ignore_index=True)


def _keys(rows: pd.DataFrame, columns: list[str]) -> list[tuple[str, ...]]:
    return list(rows[columns].astype(str).itertuples(index=False, name=None))


def _doubted(suspects: pd.DataFrame) -> tuple[Cells, Cells]:
    whole = suspects["kind"].isna()
    return set(_keys(suspects[~whole], [*KEY, "kind"])), set(_keys(suspects[whole], KEY))
