"""How many of the slips of a spoiled county a check finds, and how many of its alarms are false."""

from __future__ import annotations

import pandas as pd

from riskmodel.simulate.dirty import SLIPS

Cells = set[tuple[str, ...]]
KEY = ["table", "household_id", "month"]
FALSE = "(false alarms)"
LISTED = "(in a heap, as true as written)"
# What a check need not or cannot name, and why; said beside its share.
WHY = {
    "corrected": "needs no finding: the later row holds from its day on",
    "heaped": "no single row shows it: found are those whose place is warned of, listed with the true ones",
    "times_ten": "not sought among bills: ten times the usual one is what illness looks like",
    "missing_month": "a month at either end, or one of several in a row, may be a household without income",
    "annual": "in a season of few wages twelve months of them are less than six times the usual one",
}


def found(
    log: pd.DataFrame, rejected: pd.DataFrame, suspects: pd.DataFrame, heaped: pd.DataFrame | None = None
) -> pd.DataFrame:
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
    heaped : DataFrame, optional
        ``household_id, year`` of those who stand in a heap (``heaped.csv``).

    Returns
    -------
    DataFrame
        ``slip, spoiled, rejected, suspected, found, share, why``, a row a slip (``why`` not all can be
        found); then the false alarms: rejected rows and suspects that no slip explains, and those listed in
        a heap who were not put there.
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
    listed = set() if heaped is None else set(_keys(heaped, ["household_id", "year"]))
    own_year = list(zip(given["household_id"].astype(str), given["month"].astype(str).str[:4], strict=True))
    is_heaped = given["slip"] == "heaped"
    given["suspected"] |= is_heaped & pd.Series([key in listed for key in own_year], index=given.index)
    given["found"] = given["rejected"] | given["suspected"]
    by = given.groupby("slip")[["rejected", "suspected", "found"]].sum()
    by.insert(0, "spoiled", given.groupby("slip").size())
    by = by.reindex([s for s in SLIPS if s in by.index]).reset_index()
    by["share"] = by["found"] / by["spoiled"]
    by["why"] = by["slip"].map(WHY).fillna("")
    wrong_rows = len(out - set(zip(given["table"], given["row"], strict=True)))
    explained = {(*key, kind) for key, kind in zip(written, kinds, strict=True)}
    wrong_cells = len(cells - explained) + len(months - set(written) - set(true))
    put_there = {key for key, heap in zip(own_year, is_heaped, strict=True) if heap}
    alarms = [_alarm(FALSE, wrong_rows, wrong_cells), _alarm(LISTED, 0, len(listed - put_there))]
    return pd.concat([by, pd.DataFrame(alarms)], ignore_index=True)


def _alarm(name: str, rejected: int, suspected: int) -> dict[str, object]:
    both = rejected + suspected
    return {
        "slip": name,
        "spoiled": 0,
        "rejected": rejected,
        "suspected": suspected,
        "found": both,
        "why": "",
    }


def _keys(rows: pd.DataFrame, columns: list[str]) -> list[tuple[str, ...]]:
    return list(rows[columns].astype(str).itertuples(index=False, name=None))


def _doubted(suspects: pd.DataFrame) -> tuple[Cells, Cells]:
    whole = suspects["kind"].isna()
    return set(_keys(suspects[~whole], [*KEY, "kind"])), set(_keys(suspects[whole], KEY))
