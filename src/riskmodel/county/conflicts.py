"""Rows that are right by themselves and wrong together: duplicates, equal keys, overlaps, unknown ids.

Of rows that clash it is the one that became known later that goes (of one day: the later ``valid_from``,
then the later row). A choice that looked at anything recorded afterwards would let the future reach back.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel.county.loaded import ROW
from riskmodel.county.parse import EXTRA, row_hash
from riskmodel.county.schema import canonical_schema, contract

FAULT_COLUMNS = ["row", "column", "reason", "other"]


def no_faults() -> pd.DataFrame:
    """Return an empty frame of faults."""
    return pd.DataFrame(
        {"row": pd.array([], "int64"), "column": [], "reason": [], "other": pd.array([], "Int64")}
    )


def duplicate_rows(t: ir.Table, table: str) -> pd.DataFrame:
    """Find rows equal in every column to an earlier one.

    Parameters
    ----------
    t : ibis.Table
        Good rows of `riskmodel.county.parse`.
    table : str

    Returns
    -------
    DataFrame
        ``row, column, reason, other`` (the row that stays).
    """
    columns = [*canonical_schema(table), EXTRA]
    # Equal rows have equal hashes: exact comparison is needed only where two hashes meet.
    hashes = t.select(ROW, hash_=row_hash(*(t[c] for c in columns)))
    twice = hashes.group_by("hash_").agg(n=ibis._.count()).filter(ibis._.n > 1)
    rows = hashes.semi_join(twice, "hash_").select(ROW)
    return _later_of(t.semi_join(rows, ROW), columns, "", "duplicate row")


def duplicate_keys(t: ir.Table, table: str) -> pd.DataFrame:
    """Find rows with the key and the day of recording of an earlier one, but other content.

    Rows with equal keys recorded on different days are corrections; both stay.

    Parameters
    ----------
    t : ibis.Table
        Without duplicate rows.
    table : str

    Returns
    -------
    DataFrame
        As in `duplicate_rows`.
    """
    key = contract().tables[table].key
    if key:
        return _later_of(t, [*key, "known_on"], key[0], "duplicate key")
    if "row_id" in t.columns:
        return _later_of(t.filter(t.row_id.notnull()), ["row_id", "known_on"], "row_id", "duplicate key")
    return no_faults()


def _later_of(t: ir.Table, by: list[str], column: str, reason: str) -> pd.DataFrame:
    first = t.mutate(first_=t[ROW].min().over(group_by=by))
    later = first.filter(first[ROW] > first.first_).select(row=first[ROW], other=first.first_)
    frame = later.to_pandas().assign(column=column, reason=reason)
    return frame.astype({"other": "Int64"})[FAULT_COLUMNS]


def unknown_ids(t: ir.Table, table: str, tables: dict[str, ir.Table]) -> pd.DataFrame:
    """Find rows of households or members that have no usable row of their own.

    Parameters
    ----------
    t : ibis.Table
    table : str
    tables : dict
        The tables read, ``households`` and ``members`` at least.

    Returns
    -------
    DataFrame
        As in `duplicate_rows`, without ``other``.
    """
    found = [no_faults()]
    for column, home in (("household_id", "households"), ("member_id", "members")):
        if (
            column in t.columns
            and table != home
            and not (column == "member_id" and "household_id" in t.columns)
        ):
            strangers = t.anti_join(tables[home], column).select(row=t[ROW]).to_pandas()
            found.append(strangers.assign(column=column, reason="unknown id"))
    return pd.concat(found, ignore_index=True)
