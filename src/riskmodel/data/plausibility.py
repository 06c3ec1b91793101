"""Rules between a row's own dates, the day it was recorded, and the county's span: one table of them.

A row that breaks one is kept out with the reason, or stays and is counted in a notice (contract, "Rows,
cells, doubts"). ``valid_from``, ``valid_to``, ``end_date``, links and coverage rows may lie after
``recorded_on``: no rule speaks of them. Where ``recorded_on`` is missing, the day from which a row counts as
known stands for it, as everywhere.

No rule but those of the county's span looks at another row, and these are judged so that rows recorded later
cannot bring back a month that was out of range on the day it was recorded.

Until when the records are whole, where ``about.yaml`` does not say (``data_through``), is inferred here too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data.conflicts import fault_rows
from riskmodel.data.file_formats import ROW
from riskmodel.data.lineage import Lineage
from riskmodel.data.schema import (
    CODE_COLUMN,
    SPAN_TABLES,
    About,
    canonical_schema,
    contract,
    month_end,
    month_ordinal,
    readable_codes,
)
from riskmodel.errors import nearest
from riskmodel.i18n import Message

EARLIEST_MONTH = month_ordinal(1950, 1)
MONTHS_AHEAD = 12  # a month may lie so far after data_through
DAYS_AHEAD = 366  # and a day of recording so far, before it is told
_EVENTS = ("risk_events", "support", "visits", "monitoring")
_KNOWN_MONTH = "year(known_on) * 12 + month(known_on) - 1"
# Months compare fast; the day is looked at only where ten years are nearly over.
_TEN_YEARS_LATER = (
    f"CASE WHEN {_KNOWN_MONTH} >= {{0}} + 120 "
    "THEN known_on > last_day(make_date({0} // 12, {0} % 12 + 1, 1)) + INTERVAL 10 YEAR END"
)


@dataclass(frozen=True)
class Rule:
    """One rule of plausibility.

    Parameters
    ----------
    tables
        Whose rows it judges.
    column
        The column to blame.
    reason
        Its id in the catalogue: of ``data.reasons`` for a row that is kept out, of ``data.notices`` else.
    broken
        SQL condition of a row that breaks it; null counts as kept.
    kept
        Whether such rows stay and are only told of.
    """

    tables: tuple[str, ...]
    column: str
    reason: str
    broken: str
    kept: bool = False


def _own_dates() -> Iterator[Rule]:
    """Yield the finding that a row was recorded ten years after its own date, table by table."""
    for name, table in contract().tables.items():
        own = table.event_date or ("valid_from" if "valid_from" in table.columns else None)
        if table.derived or name in SPAN_TABLES or own is None:
            continue
        day = "last_day(make_date(month // 12, month % 12 + 1, 1))" if own == "month" else f'"{own}"'
        late = f"known_on > {day} + INTERVAL 10 YEAR"
        yield Rule((name,), "recorded_on", "recorded ten years later", late, kept=True)
        if name not in _EVENTS and table.event_date and name != "household_links":
            first = "make_date(month // 12, month % 12 + 1, 1)" if own == "month" else day
            yield Rule(
                (name,), "recorded_on", "recorded before it happened", f"known_on < {first}", kept=True
            )


def _items() -> str:
    """Return the SQL condition of an item that is no code of the table it speaks of."""
    known = " OR ".join(
        f"(\"of\" = '{of}' AND item IN ({', '.join(map(repr, readable_codes(of, CODE_COLUMN[of])))}))"
        for of in SPAN_TABLES
    )
    return f"item IS NOT NULL AND NOT ({known})"


RULES: tuple[Rule, ...] = (
    Rule(SPAN_TABLES, "recorded_on", "recorded before it happened", f"{_KNOWN_MONTH} < month_from"),
    Rule(SPAN_TABLES, "recorded_on", "recorded ten years later", _TEN_YEARS_LATER.format("month_to")),
    Rule(SPAN_TABLES, "month_from", "month out of range", f"month_from < {EARLIEST_MONTH}"),
    Rule(("medical",), "month", "month out of range", f"month < {EARLIEST_MONTH}"),
    Rule(_EVENTS[:-1], "recorded_on", "recorded before it happened", 'known_on < "date"'),
    # Of a date known to its month alone, which stands as the month's last day, the month must have begun.
    Rule(
        ("monitoring",),
        "recorded_on",
        "recorded before it happened",
        "known_on < CASE WHEN date_precision = 'month' THEN date_trunc('month', \"date\") ELSE \"date\" END",
    ),
    # A birth before 1900 is no possible date and does not come so far.
    Rule(("members",), "birth_month", "birth after recording", f"birth_month > {_KNOWN_MONTH}"),
    Rule(("recorded", "unrecorded"), "month_from", "impossible date", "month_from > month_to"),
    Rule(("unrecorded",), "item", "unknown item", _items()),
    *(
        Rule((table,), column, "dates out of order", f"{column} < {own}", kept=True)
        for table, column, own in (
            ("support", "end_date", '"date"'),
            *(("warnings", later, "pushed_on") for later in ("forwarded_on", "due_on", "checked_on")),
        )
    ),
    Rule(("households",), "lifted_year", "dates out of order", "lifted_year > year(known_on)", kept=True),
    *_own_dates(),
)


def implausible_rows(con: Any, table: str, at: Mapping[str, str]) -> tuple[pd.DataFrame, list[Message]]:
    """Judge the rows of one table by themselves: those to be kept out, and what to tell of those that stay.

    Parameters
    ----------
    con
        The engine; the canonical table stands there under its name, with ``row_``.
    table
        Which one.
    at
        Columns that the file has.

    Returns
    -------
    faults : DataFrame
        As `riskmodel.data.conflicts.fault_rows` makes them.
    notices : list of Message
        One a rule that some rows break.
    """
    if table == "unrecorded":
        _name_items(con)
    rules = [rule for rule in RULES if table in rule.tables]
    return _judge(con, table, rules, at, {})


def beyond_records(
    con: Any, table: str, at: Mapping[str, str], through: int, *, stated: bool
) -> tuple[pd.DataFrame, list[Message]]:
    """Judge the rows of one table by the county's span.

    Parameters
    ----------
    con, table, at
        As in `implausible_rows`.
    through
        The month of ``data_through``.
    stated
        Whether ``about.yaml`` says so. Where it is inferred from the rows, a month is also held against the
        day it was recorded: what comes in later must not let it in.
    """
    schema = canonical_schema(table)
    months = [c for c in ("month_to", "month") if c in schema and table in (*SPAN_TABLES, "medical")]
    limit = "$through" if stated else f"least($through, {_KNOWN_MONTH})"
    after = f"known_on > DATE '{month_end(through) + dt.timedelta(days=DAYS_AHEAD)}'"
    rules = [
        Rule((table,), column, "month out of range", f"{column} > {limit} + {MONTHS_AHEAD}")
        for column in months
    ]
    rules.append(Rule((table,), "recorded_on", "recorded after the records", after, kept=True))
    return _judge(con, table, rules, at, {"through": through} if months else {})


def _judge(
    con: Any, table: str, rules: list[Rule], at: Mapping[str, str], given: dict[str, Any]
) -> tuple[pd.DataFrame, list[Message]]:
    if not rules:
        return fault_rows([], "", ""), []
    counts = ", ".join(f"count(*) FILTER ({rule.broken})" for rule in rules)
    found = con.con.execute(f'SELECT {counts} FROM "{table}"', given).fetchall()[0]
    parts, notices = [fault_rows([], "", "")], []
    for rule, n in zip(rules, found, strict=True):
        if n and rule.kept:
            said = {"table": table, "n": n, "what": rule.column}
            notices.append(Message(f"data.notices.{rule.reason}", said))
        elif n:
            broken = f'SELECT {ROW} FROM "{table}" WHERE {rule.broken} ORDER BY 1'
            used = given if "$through" in rule.broken else {}
            rows = np.asarray(con.con.execute(broken, used).fetchnumpy()[ROW])
            column = "month" if rule.column not in at and "month" in at else rule.column
            parts.append(fault_rows(rows, column, rule.reason))
    return pd.concat(parts, ignore_index=True), notices


def _name_items(con: Any) -> None:
    """Bring items that are given by their Chinese word to their code."""
    for of in SPAN_TABLES:
        for code, word in readable_codes(of, CODE_COLUMN[of]).items():
            con.con.execute(
                "UPDATE unrecorded SET item = $code "
                'WHERE "of" = $of AND (item = $word OR lower(item) = $code)',
                {"code": code, "of": of, "word": word},
            )


def coverage_notices(con: Any, about: About, tables: Collection[str]) -> list[Message]:
    """Say what ``about.yaml`` leaves open of the months on record, or gets wrong, and what is inferred.

    Parameters
    ----------
    con
        The engine, with the canonical tables.
    about
        Of the county.
    tables
        Which tables there are.
    """
    notices: list[Message] = []
    start = about.records_from
    if about.coverage == "whole" and start is None:
        notices.append(Message("data.notices.coverage without a start"))
    if about.coverage is None and start is not None:
        notices.append(Message("data.notices.a start without coverage"))
    places = con.con.execute("SELECT DISTINCT township FROM households WHERE township IS NOT NULL")
    there = [name for (name,) in places.fetchall()]
    named = set(there) if isinstance(start, str) else set(start or ())
    if unknown := sorted(named - set(there)):
        near = {name: nearest(name, there) for name in unknown}
        shown = ", ".join(f"{name} ({meant}?)" if meant else name for name, meant in near.items())
        notices.append(Message("data.notices.unknown townships", {"what": shown}))
    if about.coverage is None:
        named = set()
    elif start is not None and (rows := _before_start(con, start)):
        notices.append(Message("data.notices.rows before the start", {"n": rows}))
    stated = (
        "SELECT DISTINCT household_id FROM recorded WHERE \"of\" = 'income'"
        if "recorded" in tables
        else "SELECT NULL::VARCHAR AS household_id"
    )
    n, of = con.con.execute(
        f"SELECT count(*) FILTER (NOT list_contains($named, coalesce(township, '')) AND household_id NOT IN "
        f"(SELECT household_id FROM ({stated}) WHERE household_id IS NOT NULL)), count(*) "
        "FROM (SELECT household_id, arg_max(township, coalesce(valid_from, DATE '0001-01-01')) AS township "
        "FROM households SEMI JOIN (SELECT DISTINCT household_id FROM income WHERE month_from = month_to) "
        "USING (household_id) GROUP BY 1)",
        {"named": sorted(named)},
    ).fetchall()[0]
    if n:
        notices.append(Message("data.notices.coverage inferred", {"n": n, "of": of}))
    return notices


def _before_start(con: Any, start: str | Mapping[str, str]) -> int:
    """Count the months of income that lie before ``records_from`` of the last township of their household."""
    said = {"": start} if isinstance(start, str) else start
    first = [month_ordinal(int(month[:4]), int(month[5:])) for month in said.values()]
    starts = pa.table({"place": list(said), "start": first})
    con.con.register("starts_", starts)
    try:
        found = con.con.execute(
            "SELECT count(*) FROM income JOIN (SELECT household_id, arg_max(township, "
            "coalesce(valid_from, DATE '0001-01-01')) AS township FROM households GROUP BY 1) "
            "USING (household_id) JOIN starts_ ON place = '' OR place = township "
            "WHERE month_from = month_to AND month_to < start"
        ).fetchall()
    finally:
        con.con.unregister("starts_")
    return int(found[0][0])


_SAID_LINKS = 10


def link_notices(lineage: Lineage) -> list[Message]:
    """Say which links, and which rows under old numbers, contradict one another and are not used.

    Parameters
    ----------
    lineage
        Who is who once all links act.
    """
    out = []
    for kind, findings in groupby(sorted(lineage.all_findings(), key=lambda f: f.kind), lambda f: f.kind):
        named = sorted({f"{f.household_id} → {f.other} ({f.date})" for f in findings})
        what = "; ".join(named[:_SAID_LINKS]) + ("; …" if len(named) > _SAID_LINKS else "")
        out.append(Message(f"data.notices.link {kind}", {"n": len(named), "what": what}))
    return out


LEAST_SHARE = 10  # a tenth of the households

_QUERY = """
    WITH valid AS (
        SELECT DISTINCT household_id AS id FROM {households} ANTI JOIN owners_ ON number = household_id
        WHERE known_on <= $known_by
        AND (valid_from IS NULL OR valid_from <= $as_of OR valid_from = $snapshot_on)
        UNION ALL SELECT number FROM owners_ WHERE valid),
    held AS (
        SELECT * FROM {income} WHERE known_on <= $known_by QUALIFY row_id IS NULL
        OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1),
    seen AS (
        SELECT CASE WHEN o.number IS NULL THEN r.household_id ELSE o.owner END AS id, r.month_to AS month
        FROM held r LEFT JOIN owners_ o ON o.number = r.household_id
        WHERE o.own_from IS NULL OR r.month_from >= o.own_from)
    SELECT month FROM seen SEMI JOIN valid USING (id) GROUP BY month
    HAVING count(DISTINCT id) * {share} >= (SELECT count(*) FROM valid) ORDER BY month DESC LIMIT 1"""


def last_month_of_records(
    con: Any,
    lineage: Lineage,
    *,
    as_of: dt.date,
    known_by: dt.date,
    snapshot_on: dt.date | None,
    households: str = "households",
    income: str = "income",
) -> int | None:
    """Return the last month in which a tenth of the households valid at as-of have an income row.

    Parameters
    ----------
    con
        The engine, with the canonical tables.
    lineage
        Who is who at the moment; linked numbers are one household.
    as_of, known_by
        The day spoken of, and the day up to which rows may be seen.
    snapshot_on
        From ``about.yaml``: a state of that day is open to the past.
    households, income
        What the tables are called there.

    Returns
    -------
    int or None
        Month ordinal; a total counts in the last month of its span. None where no month has so many.

    References
    ----------
    Data contract, "Coverage", ``data_through``.
    """
    owners = pa.Table.from_pylist(_owners(lineage), _OWNERS)
    engine = con.con
    engine.register("owners_", owners)
    try:
        sql = _QUERY.format(households=_quoted(households), income=_quoted(income), share=LEAST_SHARE)
        given = {"as_of": as_of, "known_by": known_by, "snapshot_on": snapshot_on}
        found = engine.execute(sql, given).fetchall()
    finally:
        engine.unregister("owners_")
    return int(found[0][0]) if found else None


_OWNERS = pa.schema(
    [("number", pa.string()), ("owner", pa.string()), ("own_from", pa.int32()), ("valid", pa.bool_())]
)


def _owners(lineage: Lineage) -> list[dict[str, Any]]:
    """Return whose the rows of linked numbers are, from which month on, and which households are valid."""
    rows: list[dict[str, Any]] = [{"number": number, "valid": False} for number in lineage.gone]
    for one in lineage.households:
        valid = one.number if lineage.state(one) is not None else None
        rows += [
            {"number": number, "owner": one.number, "own_from": begin, "valid": number == valid}
            for number, begin in one.pieces().items()
        ]
    return rows


def _quoted(name: str) -> str:
    """Return a table's name, with its catalogue and schema where it has them, as the engine reads it."""
    return ".".join(f'"{part}"' for part in name.split("."))
