"""Households once more, as if their rows and cells that could not be used had been read in some way.

Each way of reading is a copy of the households that it concerns, under numbers of their own, so that all ways
are judged in one pass. Where nothing but their own rows decides what is judged of households (the county
states its coverage and its end), the copies are a county by themselves; else they stand beside all others.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

from riskmodel.data import (
    CODE_COLUMN,
    SPAN_TABLES,
    About,
    County,
    canonical_schema,
    codes,
    contract,
    month_end,
)

Times = Literal["none", "once", "twice"]
MARK = "\x1f"  # between a household's number and that of its copy
_NUMBERS = ("household_id", "member_id", "row_id", "old_id", "new_id")
_SOME = {"income": "wage", "spending": "living"}  # what an amount of 0 is of
EVENT_CODES = {"risk_events": "cause", "monitoring": "event"}  # what a rejected event could have been
_SCHOOL_AGE = 10  # years: a child of an age at which school is compulsory
_LARGE = 1e6  # yuan: more than any line or ceiling of a rule set
_SQL = {"string": "VARCHAR", "int32": "INTEGER", "decimal": "DECIMAL(18,4)", "date": "DATE"}


@dataclass(frozen=True)
class Reading:
    """One way in which rows and cells that are not used could be read.

    Parameters
    ----------
    unread
        Whether what is off record is read: rejected amounts as 0.
    times
        How often rows of income and spending count that stand there more than once.
    highest
        Of refused corrections, whether the one holds that leaves most, or least; None: neither.
    members
        Whether members of rejected rows are counted, as the neediest that they could be.
    registration
        Of households of which a row could not be read; what makes a house safe is then wanting too.
    cell
        Which of the values that a cell could have stands in those that cannot be read, and in the column that
        says what a rejected event was; None: nothing.
    """

    unread: bool = True
    times: Mapping[str, Times] | None = None
    highest: bool | None = None
    members: bool = False
    registration: str | None = None
    cell: int | None = None


def cell_values(table: str, column: str, as_of: dt.date) -> list[str]:
    """Return what could stand in a cell, in words: each value that is told from the others by a rule.

    Parameters
    ----------
    table, column
        A column of the contract.
    as_of
        The day judged.

    Examples
    --------
    >>> cell_values("households", "dibao", dt.date(2020, 12, 31))
    ['yes', 'no']
    >>> cell_values("members", "work_capacity", dt.date(2020, 12, 31))
    ['full', 'partial', 'none']
    """
    spec = contract().tables[table].columns.get(column)
    kind = "date" if spec is None else spec.type
    if kind in ("code", "codes"):
        return list(codes(table, column))
    plain = {
        "bool": ["yes", "no"],
        "grade": ["0", "1", "2", "3", "4"],
        "year": [str(as_of.year), str(as_of.year - 10)],
        # An end that has passed: the row counts no longer.
        "date": [str(dt.date(1900, 1, 1)), str(as_of)],
        "amount": ["0", str(_LARGE)],
        "number": ["0", str(_LARGE)],
    }
    return plain.get(kind, [])


@dataclass(frozen=True)
class Copies:
    """A county with copies of some households, each read in a way of its own.

    Parameters
    ----------
    county
        As it was read.
    losses
        Rows of table ``losses`` known by the day, with ``own_id``, the number under which each stands.
    day
        The day judged.
    ways
        Each reading with the households, by the numbers in their rows, that it concerns.
    """

    county: County
    losses: pd.DataFrame
    day: dt.date
    ways: Sequence[tuple[Reading, Set[str]]]

    @contextmanager
    def build(self, *, alone: bool) -> Iterator[County]:
        """Hold the county; ``alone``: of the copies and nobody else, where nobody else counts for them."""
        con = self.county.con
        mark = uuid.uuid4().hex
        who = [(h, str(i)) for i, (_, households) in enumerate(self.ways) for h in sorted(households)]
        own = pa.array([h for h, _ in who], pa.string())
        copies = pa.table({"own": own, "copy": pa.array([i for _, i in who], pa.string())})
        con.con.register("copies_", copies)
        con.raw_sql(f'CREATE TEMP TABLE "copies_{mark}" AS SELECT * FROM copies_')
        con.con.unregister("copies_")
        self._store_losses(mark)
        alone = alone and self._by_themselves(f"copies_{mark}")
        tables = {}
        for name, table in self.county.tables.items():
            if name == "losses":
                continue
            parts = self._parts(name, mark)
            if not alone or not parts:
                # What is off record of the others stays off.
                parts = [f'SELECT {_listed(name)} FROM "{table.get_name()}"', *parts]
            view = f"again_{mark}_{name}"
            query = " UNION ALL ".join(f"SELECT {_cast(name)} FROM ({part})" for part in parts)
            con.raw_sql(f'CREATE TEMP TABLE "{view}" AS {query}')
            tables[name] = con.table(view)
        try:
            yield replace(self.county, tables=tables, about=self._about())
        finally:
            for name in (f"copies_{mark}", f"lost_{mark}", *(t.get_name() for t in tables.values())):
                con.raw_sql(f'DROP TABLE IF EXISTS "{name}"')

    def _about(self) -> About:
        """State until when records are whole: copies are not to be counted among those who tell it."""
        about = self.county.about
        through = None if about.data_through else self.county.records_through(self.day, self.day)
        return about if through is None else about.model_copy(update={"data_through": month_end(through)})

    def _by_themselves(self, copies: str) -> bool:
        """Say whether what is on record of the copied households is stated, each by itself."""
        about = self.county.about
        if about.data_through is None or self.county.has("household_links"):
            return False
        if about.coverage == "whole" and isinstance(about.records_from, str):
            return True
        if not self.county.has("recorded"):
            return False
        recorded = self.county.tables["recorded"].get_name()
        wanting = self.county.con.con.execute(
            f'SELECT 1 FROM "{copies}", (VALUES {", ".join(f"({t!r})" for t in SPAN_TABLES)}) o(of_) '
            f'WHERE (own, of_) NOT IN (SELECT (household_id, "of") FROM "{recorded}" '
            f"WHERE known_on <= DATE '{self.day}') LIMIT 1"
        ).fetchall()
        return not wanting

    def _store_losses(self, mark: str) -> None:
        columns = ["own_id", "table", "kind", "item", "month_from", "month_to", "amount", "member_id"]
        columns += ["row_id", "known_on", "date"]
        rows = self.losses[(self.losses["kind"] != "unrecorded") & (self.losses["kind"] != "cell")]
        rows = rows.reindex(columns=columns)
        types = dict.fromkeys(columns, pa.string()) | {"amount": pa.float64(), "known_on": pa.date32()}
        types |= {"month_from": pa.int32(), "month_to": pa.int32(), "date": pa.date32()}
        rows = rows.astype(object).where(rows.notna(), None)
        rows["date"] = pd.Series(
            [d if d is None else pd.Timestamp(d).date() for d in rows["date"]], rows.index, object
        )
        rows["known_on"] = pd.Series([pd.Timestamp(d).date() for d in rows["known_on"]], rows.index, object)
        arrow = pa.Table.from_pandas(rows, pa.schema(list(types.items())), preserve_index=False)
        con = self.county.con
        con.con.register("lost_", arrow)
        con.raw_sql(f'CREATE TEMP TABLE "lost_{mark}" AS SELECT * FROM lost_')
        con.con.unregister("lost_")

    def _parts(self, name: str, mark: str) -> list[str]:
        """Return a query for each reading of a table's rows of the households it concerns."""
        columns = list(canonical_schema(name))
        home = next((c for c in ("household_id", "old_id") if c in columns), None)
        if home is None:
            return []
        numbered = ", ".join(
            f'"{c}" || \'{MARK}\' || copy AS "{c}"' if c in _NUMBERS else f'"{c}"' for c in columns
        )
        out = []
        for i, (reading, households) in enumerate(self.ways):
            query = self._read(name, reading, mark, i) if households else None
            if query is not None:
                out.append(
                    f'SELECT {numbered} FROM ({query}) JOIN "copies_{mark}" ON own = "{home}" '
                    f"AND copy = '{i}'"
                )
        return out

    def _read(self, name: str, reading: Reading, mark: str, i: int) -> str | None:
        """Return a query of a table's rows as one way of reading has them."""
        table = self.county.tables[name].get_name()
        if name == "unrecorded" and reading.unread:
            return None
        query = f'SELECT {_listed(name)} FROM "{table}"'
        lost = f'"lost_{mark}"'
        off = f'"{self.county.tables["unrecorded"].get_name()}"' if self.county.has("unrecorded") else None
        if name in SPAN_TABLES:
            query = _spans(name, query, reading, lost, off)
        elif name == "members" and reading.members and off is not None:
            # A member of whom no row was accepted counts as a person from the day that the row speaks of.
            born = (self.day.year - _SCHOOL_AGE) * 12 + self.day.month - 1
            query += (
                " UNION ALL BY NAME SELECT household_id, "
                "coalesce(member_id, concat('? ', row_number() OVER ())) AS member_id, "
                f"day_from AS valid_from, known_on, {born} AS birth_month, 'dropped_out' AS schooling, "
                "'major_illness' AS health, 'none' AS work_capacity, false AS insured "
                f"FROM {off} WHERE \"of\" = 'members'"
            )
        elif name == "households" and reading.registration is not None:
            mine = f"household_id IN (SELECT own_id FROM {lost} WHERE \"table\" = 'households')"
            said = {
                "registration": f"'{reading.registration}'",
                "housing_safe": "false",
                "water_safe": "false",
            }
            words = ", ".join(f"CASE WHEN {mine} THEN {v} ELSE {c} END AS {c}" for c, v in said.items())
            query = f"SELECT * REPLACE ({words}) FROM ({query})"
        if reading.cell is None:
            return query
        if name in EVENT_CODES:
            query += self._rejected_events(name, lost, reading.cell)
        return self._with_cells(name, query, reading.cell)

    def _rejected_events(self, name: str, lost: str, place: int) -> str:
        """Return the rows of rejected events, each as one of the kinds that it could be of."""
        values = cell_values(name, EVENT_CODES[name], self.day)
        return (
            " UNION ALL BY NAME SELECT own_id AS household_id, "
            f'coalesce("date", DATE \'{self.day}\') AS "date", '
            f"known_on, {_quoted(values[place % len(values)])} AS {EVENT_CODES[name]} "
            f"FROM {lost} WHERE \"table\" = '{name}'"
        )

    def _with_cells(self, table: str, query: str, place: int) -> str:
        """Return a query of rows of which cells that could not be read have one of their possible values."""
        cells = self.losses[(self.losses["kind"] == "cell") & (self.losses["table"] == table)]
        schema, replaced = canonical_schema(table), []
        for column, own in cells.groupby("column"):
            values = cell_values(table, str(column), self.day)
            if str(column) not in schema or not values:
                continue
            value = values[place % len(values)]
            value = {"yes": "true", "no": "false"}.get(value, value) if schema[column].is_boolean() else value
            who = ", ".join(_quoted(h) for h in sorted(set(own["own_id"])))
            mine = f"household_id IN ({who})"
            if "member_id" in schema and own["member_id"].notna().all():
                mine = f"member_id IN ({', '.join(_quoted(m) for m in sorted(set(own['member_id'])))})"
            cast = f"CAST({_quoted(value)} AS {_sql_type(schema[column])})"
            replaced.append(
                f'CASE WHEN "{column}" IS NULL AND {mine} THEN {cast} ELSE "{column}" END AS "{column}"'
            )
        return f"SELECT * REPLACE ({', '.join(replaced)}) FROM ({query})" if replaced else query


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _listed(table: str) -> str:
    return ", ".join(f'"{c}"' for c in canonical_schema(table))


def _sql_type(kind: Any) -> str:
    word = str(kind).split("(")[0].lstrip("!")
    return _SQL.get(word, {"boolean": "BOOLEAN", "float64": "DOUBLE"}.get(word, "VARCHAR"))


def _cast(table: str) -> str:
    return ", ".join(f'CAST("{c}" AS {_sql_type(k)}) AS "{c}"' for c, k in canonical_schema(table).items())


def _spans(table: str, query: str, reading: Reading, lost: str, off: str | None) -> str:
    """Return a query of income or spending as one way of reading has it; ``lost`` and ``off`` are tables."""
    columns, code = list(canonical_schema(table)), CODE_COLUMN[table]
    times = (reading.times or {}).get(table, "once")
    own = {"household_id": "own_id", code: "item", "amount": "CAST(amount AS DECIMAL(18,4))"}
    values = ", ".join(f'{own.get(c, c)} AS "{c}"' for c in columns)
    rows = f"SELECT {values} FROM {lost} WHERE \"table\" = '{table}' AND kind = "
    if times == "none":
        same = " AND ".join(f't."{c}" IS NOT DISTINCT FROM w."{c}"' for c in columns)
        query = f"SELECT * FROM ({query}) t WHERE NOT EXISTS (SELECT 1 FROM ({rows}'equal') w WHERE {same})"
    elif times == "twice":
        query += f" UNION ALL {rows}'equal'"
    if reading.highest is not None:
        order = "DESC" if reading.highest == (table == "income") else "ASC"
        by = f"coalesce(row_id, concat_ws('|', household_id, {code}, month_from, month_to)), known_on"
        query += (
            f" UNION ALL (SELECT * FROM ({rows}'ambiguous') "
            f"QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY amount {order}) = 1)"
        )
    if reading.unread and off is not None:
        nothing = dict.fromkeys(columns, "NULL") | {code: f"'{_SOME[table]}'", "amount": "0"}
        nothing |= {"household_id": "household_id", "known_on": "known_on"}
        nothing |= {"month_from": "month_", "month_to": "month_"}
        zeros = ", ".join(f'{value} AS "{c}"' for c, value in nothing.items())
        months = f"SELECT *, unnest(range(month_from, month_to + 1)) AS month_ FROM {off}"
        query += f" UNION ALL SELECT {zeros} FROM ({months} WHERE \"of\" = '{table}')"
    return query


def possible_cells(losses: pd.DataFrame) -> pd.DataFrame:
    """Return unreadable cells, and of events that were rejected the cell that says what they were."""
    events = losses[losses["kind"].isin(["rejected", "ambiguous"]) & losses["table"].isin(list(EVENT_CODES))]
    events = events.assign(column=events["table"].map(EVENT_CODES))
    return pd.concat([losses[losses["kind"] == "cell"], events])


def every_cell(losses: pd.DataFrame, day: dt.date) -> list[tuple[Reading, set[str]]]:
    """Return the readings that give each unreadable cell every value that it could have.

    Parameters
    ----------
    losses
        As `Copies` takes them.
    day
        The day judged.
    """
    cells = possible_cells(losses)
    pairs = cells.groupby(["table", "column"])["own_id"].agg(set)
    values = {pair: cell_values(str(pair[0]), str(pair[1]), day) for pair in pairs.index}
    out = []
    for place, _ in enumerate(zip_longest(*values.values())):
        whose = [pairs[pair] for pair, own in values.items() if place < len(own)]
        out.append((Reading(unread=False, cell=place), set().union(*whose)))
    return out
