"""Rows that are right by themselves and wrong together: duplicates, equal keys, unknown ids.

Of rows that clash it is the one that became known later that goes (of one day, the later row). A choice
that looked at anything recorded afterwards would let the future reach back. These checks run once over
every table, so they are plain SQL: building the same through Ibis took longer than running it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.data.loaded import ROW
from riskmodel.data.parse import EXTRA
from riskmodel.data.schema import canonical_schema, contract

FAULT_COLUMNS = ["row", "column", "reason", "other"]
# Columns that name a row of another table, and that table.
HOMES = {"household_id": "households", "member_id": "members"}


def faults_of(rows: Iterable[int], column: str, reason: str, others: Iterable[int] = ()) -> pd.DataFrame:
    """Return faults of one kind.

    Parameters
    ----------
    rows : iterable of int
    column, reason : str
    others : iterable of int, optional
        The row that each one clashes with.

    Returns
    -------
    DataFrame
        ``row, column, reason, other``.
    """
    at = np.asarray(list(rows) if not isinstance(rows, np.ndarray) else rows, dtype="int64")
    clash = np.asarray(list(others) if not isinstance(others, np.ndarray) else others, dtype="int64")
    other = pd.array(clash, "Int64") if len(clash) else pd.array([pd.NA] * len(at), "Int64")
    frame = pd.DataFrame({"row": at, "other": other}).assign(column=column, reason=reason)
    return frame.astype({"column": "str", "reason": "str"})[FAULT_COLUMNS]


def duplicate_rows(con: Any, table: str) -> pd.DataFrame:
    """Find rows equal in every column to an earlier one.

    Parameters
    ----------
    con : ibis DuckDB backend
        Holds the good rows of `riskmodel.data.parse` under the table's name.
    table : str

    Returns
    -------
    DataFrame
        ``row, column, reason, other`` (the row that stays).
    """
    columns = _listed([*canonical_schema(table), EXTRA])
    return _later_of(con, table, columns, "true", "", "duplicate row")


def duplicate_keys(con: Any, table: str) -> pd.DataFrame:
    """Find rows with the key and the day of recording of an earlier one, but other content.

    Rows with equal keys recorded on different days are corrections; both stay.

    Parameters
    ----------
    con : ibis DuckDB backend
    table : str
        Without duplicate rows.

    Returns
    -------
    DataFrame
        As in `duplicate_rows`.
    """
    key = contract().tables[table].key
    if key:
        return _later_of(con, table, _listed([*key, "known_on"]), "true", key[0], "duplicate key")
    if "row_id" in canonical_schema(table):
        by, where = _listed(["row_id", "known_on"]), "row_id IS NOT NULL"
        return _later_of(con, table, by, where, "row_id", "duplicate key")
    return faults_of([], "", "")


def _later_of(con: Any, table: str, by: str, where: str, column: str, reason: str) -> pd.DataFrame:
    # Equal rows have equal hashes: exact comparison is needed only where two hashes meet.
    twice = f'SELECT hash({by}) FROM "{table}" WHERE {where} GROUP BY 1 HAVING count(*) > 1'
    found = con.raw_sql(
        f"SELECT {ROW}, first_ FROM (SELECT {ROW}, min({ROW}) OVER (PARTITION BY {by}) AS first_ "
        f'FROM "{table}" WHERE {where} AND hash({by}) IN ({twice})) WHERE {ROW} > first_ ORDER BY 1'
    )
    columns = found.fetchnumpy()
    return faults_of(columns[ROW], column, reason, columns["first_"])


def unknown_ids(con: Any, table: str) -> pd.DataFrame:
    """Find rows of households or members that have no usable row of their own.

    Parameters
    ----------
    con : ibis DuckDB backend
        Holds ``households`` and ``members`` too.
    table : str

    Returns
    -------
    DataFrame
        As in `duplicate_rows`, without ``other``.
    """
    columns = canonical_schema(table)
    column = next((c for c in HOMES if c in columns), None)
    if column is None or HOMES[column] == table:
        return faults_of([], "", "")
    found = con.raw_sql(
        f'SELECT {ROW} FROM "{table}" ANTI JOIN "{HOMES[column]}" USING ({column}) ORDER BY 1'
    )
    return faults_of(found.fetchnumpy()[ROW], column, "unknown id")


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f'"{c}"' for c in columns)
