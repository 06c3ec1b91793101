"""Whose rows were kept out or counted once, and whose cells could not be read: table ``losses``.

Everything that a list could owe to such a row or cell is judged from this table (`riskmodel.rules.dropped`),
so it holds what they said as well, and a county that is written and read again says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data.file_formats import ROW
from riskmodel.data.off_record import SAME_DAY, WITHDRAWN, counted_once, exists, lost_rows, stack
from riskmodel.data.rejected import CELL_COLUMNS
from riskmodel.data.schema import CODE_COLUMN, SPAN_TABLES, canonical_schema, month_text

if TYPE_CHECKING:
    from riskmodel.data.county import County
    from riskmodel.data.read import TableRead

LOSSES = "losses"
FEWEST_OF_A_HISTORY = 3
_SAID = {"amount": "amount::DOUBLE", "member_id": "member_id", "row_id": "row_id"}


def find_losses(con: Any, tables: Mapping[str, TableRead], parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of table ``losses``: each row that is kept out or counted once, each unreadable cell.

    Parameters
    ----------
    con
        The engine that holds the tables, each row with its number.
    tables
        What became of each table.
    parts
        What can be read of the rows kept out of each, see `riskmodel.data.off_record.rejected_parts`.
    """
    return stack([_of_table(con, tables, name, rows) for name, rows in parts.items()])


def _of_table(con: Any, tables: Mapping[str, TableRead], name: str, parts: pd.DataFrame) -> pd.DataFrame:
    table = tables[name]
    if name == LOSSES:
        return pd.DataFrame()  # what was lost of what was lost concerns no household
    lost = lost_rows(parts)
    if name == "households" and LOSSES in tables:
        lost = lost[~_already_stated(con, lost)]
    kinds = ["ambiguous" if SAME_DAY in reasons else "rejected" for reasons in lost["reasons"]]
    out = [lost.assign(kind=kinds)]
    if name in SPAN_TABLES and len(parts):
        out.append(parts[counted_once(parts)].assign(kind="equal"))
    rows = stack(out)
    if len(rows):
        rows["reason"] = ["; ".join(sorted(reasons)) for reasons in rows["reasons"]]
        rows = _with_what_they_said(con, name, rows)
    rows = stack([rows, _cells(con, table)])
    return rows.assign(table=name, file=table.raw.file, sheet=table.raw.sheet or None) if len(rows) else rows


def _already_stated(con: Any, lost: pd.DataFrame) -> np.ndarray:
    """Return which rows are those by which a written county keeps a household that it told of before."""
    told = con.con.execute(
        f"SELECT household_id FROM \"{LOSSES}\" WHERE kind = 'rejected' AND \"table\" = 'households'"
    ).fetchnumpy()["household_id"]
    empty = np.array([reasons == {"missing value"} for reasons in lost["reasons"]], bool)
    return empty & lost["household_id"].isin(list(told)).to_numpy(bool)


def _with_what_they_said(con: Any, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Add source or category, amount and numbers of rows that could be read though they are not used."""
    if name not in SPAN_TABLES or not exists(con, f"{WITHDRAWN}{name}"):
        return rows
    there = {c: sql for c, sql in _SAID.items() if c in canonical_schema(name)}
    listed = ", ".join(f"{sql} AS {c}" for c, sql in there.items())
    said = con.con.execute(
        f'SELECT {ROW} AS row, {CODE_COLUMN[name]} AS item, {listed} FROM "{WITHDRAWN}{name}"'
    ).df()
    rows = rows.drop(columns=[c for c in said if c != "row" and c in rows])
    return rows.astype({"row": "int64"}).merge(said, on="row", how="left")


def _cells(con: Any, table: TableRead) -> pd.DataFrame:
    """Return the cells of a table that could not be read, with their text and whose they are."""
    if table.cells.empty:
        return pd.DataFrame()
    schema = canonical_schema(table.raw.table)
    mine = {c: f't."{c}"' for c in ("household_id", "member_id") if c in schema}
    listed = ", ".join(f"{sql} AS {c}" for c, sql in ({"known_on": "t.known_on"} | mine).items())
    asked = table.cells[["row", "column", "reason", "text"]]
    asked = asked.astype({"row": "int64", "column": str, "reason": str, "text": str})
    con.con.register("asked_", pa.Table.from_pandas(asked, preserve_index=False))
    cells = con.con.execute(
        f"SELECT {listed}, asked_.row, asked_.column, asked_.reason, asked_.text "
        f'FROM asked_ JOIN "{table.raw.table}" t ON t.{ROW} = asked_.row ORDER BY asked_.row, asked_.column'
    ).df()
    con.con.unregister("asked_")
    cells["known_on"] = [pd.Timestamp(d).date() for d in cells["known_on"]]
    return cells.assign(kind="cell")


def stored_cells(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the unreadable cells that a written county states, as `rejected.unread_cells` tells of others.

    Parameters
    ----------
    losses
        Rows of the table.
    """
    cells = losses[losses["kind"] == "cell"].fillna({"sheet": ""})
    ends = [f":{sheet}" if sheet else "" for sheet in cells["sheet"]]
    files = [str(file).removesuffix(end) for file, end in zip(cells["file"], ends, strict=True)]
    return cells.assign(file=files, row=cells["row"].astype("int64"))[CELL_COLUMNS]


def equal_rows(county: County) -> pd.DataFrame:
    """Return the rows of income and spending that are counted once though they stand there more often.

    Parameters
    ----------
    county
        Any.

    Returns
    -------
    DataFrame
        ``table, household_id, kind`` (source or category), ``month_from, month_to, amount``, ``times`` (how
        often it stands there) and ``whole_history``: all rows of this kind of the household do, in three or
        more months.
    """
    columns = ["table", "household_id", "kind", "month_from", "month_to", "amount", "times", "whole_history"]
    parts = []
    for table, code in CODE_COLUMN.items():
        if not (county.has(LOSSES) and county.has(table)):
            continue
        names = {name: county.tables[name].get_name() for name in (LOSSES, table)}
        found = county.con.con.execute(
            f"""WITH equal AS (
                SELECT household_id, item AS kind, month_from, month_to, known_on, amount,
                    count(*) + 1 AS times
                FROM "{names[LOSSES]}" WHERE kind = 'equal' AND "table" = '{table}' GROUP BY ALL),
            kept AS (SELECT household_id, {code} AS kind, count(*) AS n FROM "{names[table]}" GROUP BY ALL)
            SELECT household_id, kind, month_from, month_to, amount, times,
                n >= {FEWEST_OF_A_HISTORY} AND count(*) OVER (PARTITION BY household_id, kind) = n
                AS whole_history
            FROM equal JOIN kept USING (household_id, kind) ORDER BY ALL"""
        ).df()
        for month in ("month_from", "month_to"):
            found[month] = [month_text(int(m)) for m in found[month]]
        parts.append(found.assign(table=table)[columns])
    there = [part for part in parts if len(part)]
    return pd.concat(there, ignore_index=True) if there else pd.DataFrame(columns=columns)


def count_equal_rows(repeats: pd.DataFrame) -> dict[str, Any]:
    """Count rows counted once, and say whose whole history of a kind repeats."""
    repeated = repeats[repeats["whole_history"].astype(bool)]
    kinds = repeated.groupby(["household_id", "table", "kind"]).size().rename("rows").reset_index()
    whole = [{**row, "rows": int(row["rows"])} for row in kinds.to_dict("records")]
    return {
        "rows": int((repeats["times"] - 1).sum()),
        "households": int(repeats["household_id"].nunique()),
        "whole_histories": whole,
    }
