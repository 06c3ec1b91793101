"""Rows that are right by themselves and wrong together: duplicates, equal keys, unknown ids.

Of rows that clash it is the one that became known later that goes; of two corrections of one day both go,
because the order of rows says nothing. A choice that looked at anything recorded afterwards would let the
future reach back. These checks run once over every table, so they are plain SQL: building the same through
Ibis took longer than running it.

Members who would be in two places at once.

Overlaps are judged in the state that the office knew on each day, in the order in which rows became
known, as the contract asks ("judged in the state known at as-of"). A row that contradicts what stands is
not lost while a correction may still come: it waits, and counts from the day on which the correction
that makes room for it was recorded. Rows that wait for ever are rejected. So no decision depends on
anything recorded after the day from which it counts.

In one household a later row replaces an earlier one that was left open, as it does in ``households``;
a later row that repeats the open one unchanged is an overlap.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from riskmodel.data import compiled
from riskmodel.data.file_formats import ROW
from riskmodel.data.links import JOINING, Link, Links
from riskmodel.data.parse import EXTRA
from riskmodel.data.schema import CODE_COLUMN, canonical_schema, contract

FAULT_COLUMNS = ["row", "column", "reason", "other"]
_HASHES_AT_ONCE = 2**25  # 256 MiB
# Columns that name a row of another table, and that table.
HOMES = {"household_id": "households", "member_id": "members"}


def fault_rows(rows: Iterable[int], column: str, reason: str, others: Iterable[int] = ()) -> pd.DataFrame:
    """Return faults of one kind."""
    at = np.asarray(list(rows) if not isinstance(rows, np.ndarray) else rows, dtype="int64")
    clash = np.asarray(list(others) if not isinstance(others, np.ndarray) else others, dtype="int64")
    other = pd.array(clash, "Int64") if len(clash) else pd.array([pd.NA] * len(at), "Int64")
    frame = pd.DataFrame({"row": at, "other": other}).assign(column=column, reason=reason)
    return frame.astype({"column": "str", "reason": "str"})[FAULT_COLUMNS]


def duplicate_rows(con: Any, table: str) -> pd.DataFrame:
    """Find rows equal in every column to an earlier one."""
    columns = _listed([*canonical_schema(table), EXTRA])
    return _later_of(con, table, columns, "", "duplicate row")


def duplicate_keys(con: Any, table: str) -> pd.DataFrame:
    """Find corrections of one key and one day of recording, all of them: none is the last."""
    key = contract().tables[table].key
    if key:
        return _all_of(con, table, _listed([*key, "known_on"]), "true", key[0])
    if "row_id" in canonical_schema(table):
        by, where = _listed(["row_id", "known_on"]), "row_id IS NOT NULL"
        return _all_of(con, table, by, where, "row_id")
    return fault_rows([], "", "")


def duplicate_totals(con: Any, table: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find totals of one household, kind and span that were recorded on one day.

    Returns
    -------
    refused : DataFrame
        Those of which no ``row_id`` is the largest: all of them.
    replaced : DataFrame
        The others, but for the one with the largest ``row_id``, which holds.
    """
    by = _listed(["household_id", CODE_COLUMN[table], "month_from", "month_to", "known_on"])
    found = _all_of(con, table, by, "month_from < month_to", "month_from")
    if found.empty:
        return found, found
    con.con.register("asked_", pa.table({"asked": pa.array(found["row"], pa.int64())}))
    rows = con.con.execute(
        f'SELECT {ROW} AS "row", row_id, {by} FROM "{table}" JOIN asked_ ON {ROW} = asked ORDER BY 1'
    ).df()
    con.con.unregister("asked_")
    keys = [c for c in rows.columns if c not in ("row", "row_id")]
    last: dict[int, int | None] = {}
    for _, group in rows.groupby(keys, dropna=False):
        winner = _largest(group)
        last |= dict.fromkeys(group["row"], winner)
    winners = found["row"].map(last)
    refused = found[winners.isna()]
    losing = winners.notna() & (winners != found["row"])
    replaced = fault_rows(found["row"][losing], "row_id", "smaller row_id", winners[losing].astype("int64"))
    return refused, replaced


def _largest(group: pd.DataFrame) -> int | None:
    """Return the row of the largest ``row_id``, by value where all are whole numbers; None where none is."""
    if group["row_id"].isna().any():
        return None
    ids = group["row_id"].astype(str)
    numbers = ids.str.fullmatch("[0-9]+").all()
    ranks = [int(i) if numbers else i for i in ids]
    top = [row for row, rank in zip(group["row"], ranks, strict=True) if rank == max(ranks)]
    return int(top[0]) if len(top) == 1 else None


def _all_of(con: Any, table: str, by: str, where: str, column: str) -> pd.DataFrame:
    """Find all rows that agree in some columns, each with another one of them."""
    found = _agreeing(con, table, by, where)
    found = found.filter(pc.less(found["first_"], found["last_"]))
    rows, first, last = (found[name].to_numpy() for name in (ROW, "first_", "last_"))
    return fault_rows(rows, column, "duplicate key", np.where(rows == first, last, first))


def _later_of(con: Any, table: str, by: str, column: str, reason: str) -> pd.DataFrame:
    found = _agreeing(con, table, by, "true")
    found = found.filter(pc.greater(found[ROW], found["first_"]))
    return fault_rows(found[ROW].to_numpy(), column, reason, found["first_"].to_numpy())


def _agreeing(con: Any, table: str, by: str, where: str) -> pa.Table:
    """Return the rows that may agree with others in some columns, with the first and last that do."""
    # Equal rows have equal hashes: exact comparison is needed only where two hashes meet.
    twice = _repeated_hashes(con, table, by, where)
    if not len(twice):
        return pa.table({name: pa.array([], pa.int64()) for name in (ROW, "first_", "last_")})
    con.con.register("twice_", pa.table({"hash_": twice}))
    found = con.con.sql(
        f"SELECT {ROW}, min({ROW}) OVER (PARTITION BY {by}) AS first_, "
        f"max({ROW}) OVER (PARTITION BY {by}) AS last_ "
        f'FROM "{table}" WHERE {where} AND hash({by}) IN (SELECT hash_ FROM twice_) ORDER BY 1'
    ).to_arrow_table()
    con.con.unregister("twice_")
    return found


def _repeated_hashes(con: Any, table: str, by: str, where: str) -> np.ndarray:
    """Return the hashes that several rows have.

    Sorting whole numbers takes a fraction of the time in which the engine groups by them.
    """
    n = con.con.execute(f'SELECT count(*) FROM "{table}"').fetchall()[0][0]
    pieces = 1 + n // _HASHES_AT_ONCE
    out = []
    for piece in range(pieces):
        part = f" AND hash({by}) % {pieces} = {piece}" if pieces > 1 else ""
        query = f'SELECT hash({by}) AS hash_ FROM "{table}" WHERE {where}{part}'
        hashes = np.sort(con.con.sql(query).to_arrow_table()["hash_"].to_numpy())
        out.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]))
    return np.concatenate(out)


def unknown_ids(con: Any, table: str, further: Iterable[str] = ()) -> pd.DataFrame:
    """Find rows of households or members that have no usable row of their own.

    ``further`` households are known all the same: their own rows were read and rejected.
    """
    columns = canonical_schema(table)
    column = next((c for c in HOMES if c in columns), None)
    if column is None or HOMES[column] == table:
        return fault_rows([], "", "")
    known = pa.table({"household_id": pa.array(sorted(set(further)), pa.string())})
    con.con.register("known_", known)
    also = "" if HOMES[column] != "households" else "UNION ALL SELECT household_id FROM known_"
    found = con.raw_sql(
        f'SELECT {ROW} FROM "{table}" ANTI JOIN (SELECT "{column}" FROM "{HOMES[column]}" {also}) '
        f'USING ({column}) WHERE "{column}" IS NOT NULL ORDER BY 1'
    ).fetchnumpy()
    con.con.unregister("known_")
    return fault_rows(found[ROW], column, "unknown id")


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f'"{c}"' for c in columns)


_NO_LINKS = Links(())
MEMBER_STATE = [
    *("birth_month", "sex", "relation", "schooling", "health", "disability_grade", "work_capacity"),
    *("insured", "hukou", "resident"),
]


@dataclass(frozen=True)
class Stay:
    """One version of one stay of a member in a household."""

    row: int
    known_on: dt.date
    household: str
    begin: dt.date
    end: dt.date
    state: tuple[Any, ...]

    @property
    def open(self) -> bool:
        """Whether no end is given."""
        return self.end == dt.date.max


def _suspects(county: compiled.Shape, members: ir.Table) -> ir.Table:
    return members.semi_join(_pairs(members), "member_id").order_by("member_id", "known_on", ROW)


def overlapping_stays(con: Any, links: Links) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the rows of ``members`` that contradict what stands when they become known.

    Whoever has a row under a new number is not in two households, though the row under the old number is
    open: from the day on which the link is known they are one.
    """
    if not con.raw_sql("SELECT 1 FROM members GROUP BY member_id HAVING count(*) > 1 LIMIT 1").fetchall():
        return fault_rows([], "", ""), pd.DataFrame()
    frame = compiled.fetch_frame(compiled.Columns(con), _suspects, members=con.table("members"))
    faults: list[tuple[int, int]] = []
    deferred: list[tuple[int, dt.date]] = []
    for _, own in frame.groupby("member_id", sort=True):
        never, later = resolve_stays(_stays(own), links)
        faults += never
        deferred += later
    later_days = pd.DataFrame(deferred, columns=["row", "known_on"])
    rows, others = ([pair[side] for pair in faults] for side in (0, 1))
    return fault_rows(rows, "valid_from", "overlapping validity", others), later_days


def _pairs(t: ir.Table) -> ir.Table:
    """Return members with two rows that could clash: valid at one time and standing at one time."""
    far = ibis.date(dt.date.max)
    near = ibis.date(dt.date.min)
    counted = t.group_by("member_id").agg(n=t.count())
    # Hardly any member has two rows: only of these are versions set beside one another.
    t = t.semi_join(counted.filter(counted.n > 1), "member_id")
    replaced_on = t.known_on.lead().over(group_by=["member_id", "valid_from"], order_by="known_on")
    rows = t.mutate(
        begin=t.valid_from.coalesce(near),
        end=t.valid_to.coalesce(far),
        until=replaced_on.coalesce(far),
    )
    rows = rows.filter(rows.begin < rows.end)
    rows = rows.select(ROW, "member_id", "household_id", "known_on", "begin", "end", "until", *MEMBER_STATE)
    other = rows.view()
    same_state = ibis.and_(*(rows[c].identical_to(other[c]) for c in MEMBER_STATE))
    open_before = ibis.ifelse(rows.begin < other.begin, rows.end, other.end) == far
    handed_over = (rows.household_id == other.household_id) & open_before & ~same_state
    clash = [
        rows.member_id == other.member_id,
        rows[ROW] < other[ROW],
        rows.begin != other.begin,
        rows.begin < other.end,
        other.begin < rows.end,
        rows.known_on < other.until,
        other.known_on < rows.until,
        ~handed_over,
    ]
    return rows.inner_join(other, clash).select(member_id=rows.member_id).distinct()


def _stays(rows: pd.DataFrame) -> list[Stay]:
    return [
        Stay(
            row=int(row[ROW]),
            known_on=_day(row["known_on"], dt.date.min),
            household=row["household_id"],
            begin=_day(row["valid_from"], dt.date.min),
            end=_day(row["valid_to"], dt.date.max),
            state=tuple(None if pd.isna(row[c]) else row[c] for c in MEMBER_STATE),
        )
        for row in rows.to_dict("records")
    ]


def _day(value: Any, missing: dt.date) -> dt.date:
    return missing if pd.isna(value) else pd.Timestamp(value).date()


def resolve_stays(
    stays: Iterable[Stay], links: Links = _NO_LINKS
) -> tuple[list[tuple[int, int]], list[tuple[int, dt.date]]]:
    """Let one member's rows become known day by day and see which can stand; links make room too.

    Examples
    --------
    >>> day = dt.date
    >>> a = Stay(2, day(2019, 1, 1), "A", day(2019, 1, 1), day.max, ())
    >>> b = Stay(3, day(2020, 6, 5), "B", day(2020, 6, 1), day.max, ())
    >>> closed = Stay(4, day(2020, 7, 10), "A", day(2019, 1, 1), day(2020, 6, 1), ())
    >>> resolve_stays([a, b]), resolve_stays([a, b, closed])
    (([(3, 2)], []), ([], [(3, datetime.date(2020, 7, 10))]))
    """
    standing: dict[dt.date, Stay] = {}
    waiting: list[Stay] = []
    never: list[tuple[int, int]] = []
    later: list[tuple[int, dt.date]] = []
    ordered = sorted(stays, key=lambda s: (s.known_on, s.begin, s.row))
    arrivals = {day: list(arrived) for day, arrived in groupby(ordered, key=lambda s: s.known_on)}
    households = {s.household for s in ordered}
    joining = [link for link in links.rows if link.kind in JOINING] if len(households) > 1 else []
    near = Links(tuple(joining)).joined_with(households) | households if joining else set()
    joining = [link for link in joining if link.old in near]
    known: list[Link] = []
    for day in sorted(arrivals.keys() | {link.known for link in joining}):
        fresh = arrivals.get(day, [])
        known += [link for link in joining if link.known == day]
        begins = {s.begin for s in fresh}
        # A version that is itself corrected while it waits never stood.
        never += [(s.row, _blocking_row(s, standing, known)) for s in waiting if s.begin in begins]
        waiting = [s for s in waiting if s.begin not in begins] + fresh
        stood = _admit(waiting, standing, known)
        later += [(s.row, day) for s in stood if s.known_on < day]
        waiting = [s for s in waiting if s not in stood]
    return never + [(s.row, _blocking_row(s, standing, known)) for s in waiting], later


def _admit(waiting: list[Stay], standing: dict[dt.date, Stay], links: Sequence[Link]) -> list[Stay]:
    """Admit every waiting row that nothing contradicts; each one admitted may make room for another."""
    stood: list[Stay] = []
    # Corrections of what stands go first: they are what makes room.
    queue = sorted(waiting, key=lambda s: (s.begin not in standing, s.begin, s.row))
    while admitted := next((s for s in queue if _contradiction(s, standing, links) is None), None):
        standing[admitted.begin] = admitted
        stood.append(admitted)
        queue.remove(admitted)
    return stood


def _contradiction(stay: Stay, standing: dict[dt.date, Stay], links: Sequence[Link]) -> Stay | None:
    others = [s for s in standing.values() if s.begin != stay.begin and s.begin < s.end]
    if stay.begin == stay.end:
        return None
    before = max(
        (s for s in others if s.household == stay.household and s.begin < stay.begin),
        key=_begin,
        default=None,
    )
    if before is not None and before.open and before.state == stay.state:
        return before
    return next((s for s in others if _clash(s, stay) and not _are_one(s, stay, links)), None)


def _begin(stay: Stay) -> dt.date:
    return stay.begin


def _clash(a: Stay, b: Stay) -> bool:
    first, second = sorted((a, b), key=_begin)
    handed_over = first.household == second.household and first.open
    return second.begin < first.end and not handed_over


def _are_one(a: Stay, b: Stay, links: Sequence[Link]) -> bool:
    """Say whether links have joined the households of two stays by the day on which the later one begins."""
    begun = max(a.begin, b.begin)
    acting = Links(tuple(link for link in links if link.date <= begun)) if links else _NO_LINKS
    return a.household != b.household and b.household in acting.joined_with([a.household])


def _blocking_row(stay: Stay, standing: dict[dt.date, Stay], links: Sequence[Link]) -> int:
    other = _contradiction(stay, standing, links)
    return other.row if other else stay.row
