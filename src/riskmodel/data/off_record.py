"""What rows that are kept out take off record, and which households stand in doubt because of them.

A row that cannot be used is not a row that is not there (contract, "Rows, cells, doubts"). A rejected row of
income or spending takes its span off record, one of a member makes the number of persons unknown, one of a
household leaves the earlier one standing or, without one, a household of which nothing but the number is
known. Corrections that contradict each other on one day are refused, all of them: the order of rows never
decides. Equal rows without a number that tells them apart are counted once, and stand in doubt.

Everything is said in rows with the day from which it is known: ``unrecorded`` and ``doubts`` of the contract.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data.conflicts import MEMBER_STATE
from riskmodel.data.file_formats import ROW
from riskmodel.data.schema import (
    ALWAYS,
    CODE_COLUMN,
    SPAN_TABLES,
    About,
    canonical_schema,
    contract,
    month_end,
)

if TYPE_CHECKING:
    from riskmodel.data.read import TableRead

DOUBTS = "doubts"
UNRECORDED = "unrecorded"
ROW_REJECTED, AMBIGUOUS, EQUAL = "row_rejected", "ambiguous_correction", "equal_rows"
# Reasons for which a row is kept out though nothing it says is lost: another row says the same, or more.
TOLD_ELSEWHERE = ("duplicate row", "smaller row_id")
SAME_DAY = "duplicate key"
UNKNOWN_HOUSEHOLD = "unknown id"
# A line that could not be split: what stands in its first cell is no number.
_NOT_SPLIT = "broken quotes"
_LOST_BYTE = "\ufffd"
WITHDRAWN = "withdrawn_"  # before the name of a table: its rows that were read and then kept out
_PARTS = (
    "household_id", "member_id", "row_id", "month_from", "month_to", "valid_from", "date", "township",
    "village", "source",
)  # fmt: skip
_DAYS = ("valid_from", "date", "recorded_on", "known_on")


def withdraw_rows(con: Any, table: str, rows: str) -> None:
    """Move rows of a table, named by a query of their numbers, beside it."""
    con.raw_sql(f'CREATE TABLE IF NOT EXISTS "{WITHDRAWN}{table}" AS SELECT * FROM "{table}" LIMIT 0')
    con.raw_sql(f'INSERT INTO "{WITHDRAWN}{table}" SELECT * FROM "{table}" WHERE {ROW} IN ({rows})')
    con.raw_sql(f'DELETE FROM "{table}" WHERE {ROW} IN ({rows})')


def rejected_parts(con: Any, table: TableRead, about: About) -> pd.DataFrame:
    """Return what can be read of a table's rows that are kept out, a row each.

    Parameters
    ----------
    con
        The engine that holds the table.
    table
        What became of it.
    about
        What is said of the county.

    Returns
    -------
    DataFrame
        ``row``, the columns of the contract that say whose it is and of when (missing where unreadable or
        not given), ``known_on``, ``reasons`` (a set) and ``column``.
    """
    name = table.raw.table
    parts = [p for p in table.parts if len(p)]
    if exists(con, f"{WITHDRAWN}{name}"):
        there = [c for c in _PARTS if c in canonical_schema(name)]
        listed = ", ".join(f'"{c}"' for c in [*there, "known_on"])
        parts.append(con.con.execute(f'SELECT {ROW} AS row, {listed} FROM "{WITHDRAWN}{name}"').df())
    columns = ["row", *_PARTS, "recorded_on", "known_on"]
    found = pd.concat([p.reindex(columns=columns).astype(object) for p in parts]) if parts else None
    if found is None or not len(found):
        return pd.DataFrame(columns=[*columns, "reasons", "column"])
    found = found.drop_duplicates("row").sort_values("row", ignore_index=True)
    found = found.where(found.notna(), None)
    why = table.kept_out.groupby("row").agg(reasons=("reason", frozenset), column=("column", "first"))
    found = found.merge(why, on="row", how="inner")
    unsplit = [_NOT_SPLIT in reasons for reasons in found["reasons"]]
    for column in ("household_id", "member_id", "row_id"):
        broken = np.array(unsplit) | found[column].astype("string").str.contains(_LOST_BYTE).fillna(False)
        found.loc[np.asarray(broken, bool), column] = None
    for day in _DAYS:
        found[day] = _objects(None if pd.isna(d) else pd.Timestamp(d).date() for d in found[day])
    for month in ("month_from", "month_to"):
        found[month] = _objects(None if pd.isna(m) else int(m) for m in found[month])
    found["known_on"] = _objects(_known(row, about) for row in found.to_dict("records"))
    return found


def _objects(values: Iterable[Any]) -> pd.Series:
    # Left to itself pandas makes floats of whole numbers among which one is missing.
    return pd.Series(list(values), dtype=object)


def _known(row: Mapping[Any, Any], about: About) -> Any:
    """Return from when a row that is kept out has an effect: always, where nothing of it says when."""
    span_end = None if row["month_to"] is None else month_end(row["month_to"])
    given = (row["known_on"], row["recorded_on"], span_end, row["date"], row["valid_from"], about.snapshot_on)
    return next((day for day in given if day is not None), ALWAYS)


def exists(con: Any, table: str) -> bool:
    """Say whether the engine holds a table."""
    return bool(con.raw_sql(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{table}'").fetchall())


def lost_rows(parts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are lost: rejected, or refused with another one of the same key and day."""
    lost = [not reasons <= {*TOLD_ELSEWHERE, UNKNOWN_HOUSEHOLD} for reasons in parts["reasons"]]
    return parts[np.array(lost, bool) & parts["household_id"].notna().to_numpy(bool)]


def households_without_state(con: Any, parts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows by which households stay known of which no row was accepted by then.

    A household's registration is left open, so nothing is judged of it; any accepted row replaces it.
    """
    lost = lost_rows(parts)
    accepted = _first_known(con)
    rows = []
    for household, own in lost.groupby("household_id", sort=True):
        first = own["known_on"].min()
        if accepted.get(str(household), first + dt.timedelta(days=1)) <= first:
            continue
        earliest = own[own["known_on"] == first]
        row: dict[str, Any] = {"household_id": household, "known_on": first}
        for place in ("township", "village"):
            said = set(earliest[place].dropna())
            row[place] = said.pop() if len(said) == 1 else None
        rows.append(row)
    return pd.DataFrame(rows, columns=["household_id", "township", "village", "known_on"])


def _first_known(con: Any) -> dict[str, Any]:
    return dict(con.con.execute("SELECT household_id, min(known_on) FROM households GROUP BY 1").fetchall())


@dataclass(frozen=True)
class Effects:
    """What rows that are kept out, equal rows and unreadable cells have as effects.

    Parameters
    ----------
    households
        Rows by which households stay known, see `households_without_state`.
    unrecorded, doubts
        Rows of these tables of the contract.
    """

    households: pd.DataFrame
    unrecorded: pd.DataFrame
    doubts: pd.DataFrame

    def store(self, con: Any) -> None:
        """Append the rows to the county's tables, once these are checked."""
        for table, rows in (
            ("households", self.households), (UNRECORDED, self.unrecorded), (DOUBTS, self.doubts)
        ):  # fmt: skip
            if len(rows):
                # Two rows may take the same off, or leave the same doubt.
                append_rows(con, table, rows.drop_duplicates())


def effects_of(con: Any, tables: Mapping[str, TableRead], parts: Mapping[str, pd.DataFrame]) -> Effects:
    """Return what follows from everything that was kept out or could not be read.

    Parameters
    ----------
    con
        The engine that holds the tables, each row with its number.
    tables
        What became of each table.
    parts
        What can be read of the rows kept out of each, see `rejected_parts`.
    """
    stateless = households_without_state(con, parts["households"])
    off: list[pd.DataFrame] = []
    doubts: list[pd.DataFrame] = []
    for name, rows in parts.items():
        if not len(rows):
            continue
        lost = _corrections(con, name, rows)
        if name in SPAN_TABLES:
            off.append(_spans_off(name, lost))
            doubts.append(_equal(con, name, rows))
        elif name == "members":
            off.append(_persons_off(lost[~_repeats(con, tables[name], lost)]))
        elif name == "households":
            doubts.append(_states_in_doubt(con, lost))
        doubts.append(_ambiguous(name, lost))
    if (waiting := tables["members"].waiting) is not None:
        off.append(waiting.assign(of="members", why=ROW_REJECTED).rename(columns={"valid_from": "day_from"}))
    return Effects(stateless, stack(off), stack(doubts))


def stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return frames below one another, the empty ones left out."""
    there = [p.astype(object) for p in parts if len(p)]
    return pd.concat(there, ignore_index=True) if there else pd.DataFrame()


def _corrections(con: Any, table: str, parts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are lost; for corrections of one day, when another row of their key was known.

    ``before`` is the day on which the state that holds instead was recorded, ``after`` that of the first
    accepted row recorded later.
    """
    lost = lost_rows(parts).assign(before=None, after=None)
    same_day = np.array([SAME_DAY in reasons for reasons in lost["reasons"]], bool)
    lost["same_day"] = same_day
    for column, rows in lost[same_day].groupby("column"):
        key = correction_key(table, str(column))
        on = " AND ".join(f'a."{c}" IS NOT DISTINCT FROM t."{c}"' for c in key)
        con.con.register("asked_", pa.table({"asked": pa.array(rows["row"].astype("int64"))}))
        found = con.con.execute(
            f"SELECT a.{ROW} AS row, max(t.known_on) FILTER (t.known_on < a.known_on) AS before, "
            f'min(t.known_on) FILTER (t.known_on > a.known_on) AS after FROM "{WITHDRAWN}{table}" a '
            f'JOIN asked_ ON a.{ROW} = asked JOIN "{table}" t ON {on} GROUP BY 1'
        ).fetchall()
        con.con.unregister("asked_")
        days = {row: (before, after) for row, before, after in found}
        for i in rows.index:
            lost.at[i, "before"], lost.at[i, "after"] = days.get(lost.at[i, "row"], (None, None))
    return lost


def correction_key(table: str, column: str) -> tuple[str, ...]:
    """Return the columns in which two rows must agree for one to correct the other, by the column blamed."""
    if contract().tables[table].key:
        return contract().tables[table].key
    if column == "row_id":
        return ("row_id",)
    return ("household_id", CODE_COLUMN[table], "month_from", "month_to")


def _spans_off(table: str, lost: pd.DataFrame) -> pd.DataFrame:
    """Return the spans that rejected rows take off: all of a household's table where none can be read."""
    rows = lost[~(lost["same_day"] & lost["before"].notna())]
    unread = rows["month_from"].isna() | rows["month_to"].isna()
    return pd.DataFrame(
        {
            "household_id": rows["household_id"], "of": table, "why": ROW_REJECTED,
            "month_from": rows["month_from"].mask(unread), "month_to": rows["month_to"].mask(unread),
            "row_id": rows["row_id"], "known_on": rows["known_on"], "until": rows["after"],
        }
    )  # fmt: skip


def _persons_off(lost: pd.DataFrame) -> pd.DataFrame:
    """Return from when on a household's persons are unknown, until a row of the same member is accepted."""
    rows = lost[~(lost["same_day"] & lost["before"].notna())]
    return pd.DataFrame(
        {
            "household_id": rows["household_id"], "of": "members", "why": ROW_REJECTED,
            "day_from": rows["valid_from"], "member_id": rows["member_id"], "known_on": rows["known_on"],
        }
    )  # fmt: skip


def _repeats(con: Any, table: TableRead, lost: pd.DataFrame) -> np.ndarray:
    """Return which rows say again what an open row says: persons are the same, whichever holds."""
    overlapping = table.kept_out[table.kept_out["reason"] == "overlapping validity"]
    if overlapping.empty:
        return np.zeros(len(lost), bool)
    pairs = overlapping[["row", "other"]].dropna().astype("int64")
    con.con.register("pairs_", pa.Table.from_pandas(pairs, preserve_index=False))
    same = " AND ".join(
        f'a."{c}" IS NOT DISTINCT FROM o."{c}"' for c in ("member_id", "household_id", *MEMBER_STATE)
    )
    found = con.con.execute(
        f"SELECT a.{ROW} FROM {WITHDRAWN}members a JOIN pairs_ ON a.{ROW} = pairs_.row JOIN members o "
        f"ON o.{ROW} = pairs_.other WHERE {same} AND o.valid_to IS NULL AND a.valid_to IS NULL"
    ).fetchall()
    con.con.unregister("pairs_")
    return np.asarray(lost["row"].isin([row for (row,) in found]), bool)


def _ambiguous(table: str, lost: pd.DataFrame) -> pd.DataFrame:
    """Return the doubts of corrections of one day where an earlier state holds; an asset needs none."""
    keep = lost["same_day"] & (lost["before"].notna() | (table == "assets"))
    rows = lost[keep]
    return pd.DataFrame(
        {
            "household_id": rows["household_id"], "doubt": AMBIGUOUS, "month_from": rows["month_from"],
            "month_to": rows["month_to"], "known_on": rows["known_on"], "until": rows["after"],
        }
    )  # fmt: skip


def _equal(con: Any, table: str, parts: pd.DataFrame) -> pd.DataFrame:
    """Return the doubts of rows that are counted once though nothing says that they are one."""
    rows = parts[counted_once(parts)]
    return pd.DataFrame(
        {
            "household_id": rows["household_id"], "doubt": EQUAL, "month_from": rows["month_from"],
            "month_to": rows["month_to"], "known_on": rows["known_on"],
        }
    )  # fmt: skip


def counted_once(parts: pd.DataFrame) -> np.ndarray:
    """Return which rows of income or spending are equal to another without a number of their own."""
    twice = np.array(["duplicate row" in reasons for reasons in parts["reasons"]], bool)
    return twice & parts["row_id"].isna().to_numpy(bool) & parts["member_id"].isna().to_numpy(bool)


def _states_in_doubt(con: Any, lost: pd.DataFrame) -> pd.DataFrame:
    """Return the doubts of rejected rows of households, until a row recorded later is valid."""
    rows = lost[~(lost["same_day"] & lost["before"].notna())]
    accepted = con.con.execute("SELECT household_id, known_on, valid_from FROM households").df()
    accepted = accepted[accepted["household_id"].isin(set(rows["household_id"]))]
    by_household = dict(list(accepted.groupby("household_id")))
    out = []
    for row in rows.to_dict("records"):
        known, begun = row["known_on"], row["valid_from"]
        days = []
        if row["household_id"] in by_household:
            for later in by_household[row["household_id"]].itertuples():
                day = later.known_on.date()
                if day > known:
                    since = None if pd.isna(later.valid_from) else later.valid_from.date()
                    days.append(max(day, since or day))
        out.append(
            {
                "household_id": row["household_id"], "doubt": ROW_REJECTED,
                "known_on": max(known, begun or known), "until": min(days, default=None),
            }
        )  # fmt: skip
    return pd.DataFrame(out)


def append_rows(con: Any, table: str, rows: pd.DataFrame) -> None:
    """Append rows to a canonical table, made where it is not there; columns not given are null."""
    schema = canonical_schema(table)
    full = rows.reindex(columns=list(schema)).astype(object)
    arrow = pa.Table.from_pandas(full.where(full.notna(), None), schema.to_pyarrow(), preserve_index=False)
    if exists(con, table):
        con.con.register("new_", arrow)
        con.raw_sql(f'INSERT INTO "{table}" BY NAME SELECT * FROM new_')
        con.con.unregister("new_")
    else:
        con.create_table(table, arrow, schema=schema)
