"""The one cut by what was known: rows recorded by a moment, corrections and validity resolved.

Two clocks run in every table: when something happened (``month_*``, ``date``, ``valid_from``) and when
the office came to know it (``known_on``). A `Moment` names both: ``as_of``, the day that is spoken of,
and ``known_by``, the day up to which rows may be seen (the same day, except for labels, which look back
on a window that has passed). Everything above this module takes its rows from here, for many moments in
one pass: tables come back with an ``as_of`` column, one set of rows a moment (contract, "Corrections").
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa

from riskmodel.data import (
    LARGE_TABLES,
    County,
    Shape,
    contract,
    month_end,
    month_ordinal,
    rows_table,
)
from riskmodel.errors import UsageError
from riskmodel.households.joined_numbers import known_since, under_current_number

DateLike = str | dt.date


@dataclass(frozen=True, order=True)
class Moment:
    """A day spoken of and the day up to which rows may be seen."""

    as_of: dt.date
    known_by: dt.date


# Relations beside the contract's tables, each made of one: the state of every household, members with ages.
HOUSEHOLD_STATES, PRESENT_MEMBERS = "household_states", "present_members"
# Columns of a table of moments: what each of its rows may be compared with.
CLOCK = {
    "as_of": "date",
    "known_by": "date",
    "ago_12": "date",
    "ago_24": "date",
    "as_of_month": "int32",
    "last_month": "int32",
}


def to_date(value: DateLike) -> dt.date:
    """Return a date from ISO text or a date.

    Raises
    ------
    UsageError
        If the text is no ISO date.

    Examples
    --------
    >>> to_date("2021-06-01")
    datetime.date(2021, 6, 1)
    """
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError as exc:
        raise UsageError(f"{value!r} is not a date; write YYYY-MM-DD") from exc


def add_months(day: dt.date, months: int) -> dt.date:
    """Return the same day some months on, cut to the month's end.

    Examples
    --------
    >>> add_months(dt.date(2020, 2, 29), -12)
    datetime.date(2019, 2, 28)
    """
    last = month_end(month_ordinal(day.year, day.month) + months)
    return last.replace(day=min(day.day, last.day))


def window_end(day: dt.date, months: int) -> dt.date:
    """Return the last day of a window of whole months; from a month's end it ends at a month's end.

    Examples
    --------
    >>> window_end(dt.date(2019, 2, 28), 12)
    datetime.date(2020, 2, 29)
    >>> window_end(dt.date(2021, 5, 15), 6)
    datetime.date(2021, 11, 15)
    """
    ordinal = month_ordinal(day.year, day.month)
    return month_end(ordinal + months) if day == month_end(ordinal) else add_months(day, months)


def last_complete_month(day: dt.date) -> int:
    """Return the ordinal of the last month completed on or before a day (rules, "accounting period").

    Examples
    --------
    >>> last_complete_month(dt.date(2021, 6, 1)) == month_ordinal(2021, 5)
    True
    >>> last_complete_month(dt.date(2021, 6, 30)) == month_ordinal(2021, 6)
    True
    """
    ordinal = month_ordinal(day.year, day.month)
    return ordinal if day == month_end(ordinal) else ordinal - 1


def as_moments(as_of: DateLike | Iterable[DateLike] | Moment | Iterable[Moment]) -> tuple[Moment, ...]:
    """Return distinct moments in order; a plain date is known by itself.

    Parameters
    ----------
    as_of
        Days as dates, ISO text or moments; a plain day is known by itself.

    Returns
    -------
    tuple of Moment
        Sorted, one a day.

    Raises
    ------
    UsageError
        If none is given, one is not a date, or one day is asked for with two ``known_by``.
    """
    given = [as_of] if isinstance(as_of, str | dt.date | Moment) else list(as_of)
    out = {m if isinstance(m, Moment) else Moment(to_date(m), to_date(m)) for m in given}
    if not out:
        raise UsageError("no as-of date given")
    if len({m.as_of for m in out}) < len(out):
        raise UsageError("one as-of date was given with two known-by dates")
    return tuple(sorted(out))


def moment_table(when: Iterable[Moment]) -> pa.Table:
    """Return the moments as a small table to join on, an input of compiled queries.

    Parameters
    ----------
    when
        The moments.

    Returns
    -------
    pyarrow.Table
        ``as_of, known_by, ago_12, ago_24`` (dates), ``as_of_month, last_month`` (month ordinals).
    """
    return rows_table([_ticks(m) for m in when], **CLOCK)


def _ticks(m: Moment) -> dict[str, Any]:
    """Return a moment's dates and month ordinals by name, see `CLOCK`."""
    return {
        "as_of": m.as_of,
        "known_by": m.known_by,
        "ago_12": add_months(m.as_of, -12),
        "ago_24": add_months(m.as_of, -24),
        "as_of_month": month_ordinal(m.as_of.year, m.as_of.month),
        "last_month": last_complete_month(m.as_of),
    }


def known_rows(county: Shape, name: str, clock: ibis.Table, **identity: ibis.Table) -> ibis.Table:
    """Return the rows of a table that were known at each moment, corrections resolved.

    Of rows with equal keys (or, in event tables, equal ``row_id``) the one recorded last holds.

    Parameters
    ----------
    county
        What the query is written from.
    name : str
        A table of the contract.
    clock
        The moments, as from `moment_table`.
    identity
        Who is who at the moments, from `riskmodel.households.joined_numbers.identity_tables`; none without
        links.

    Returns
    -------
    ibis.Table
        The table's columns and those of `moment_table`; one row per moment and known row.
    """
    t = county.table(name)
    # Dates are read from a table even where there is one: the query's text is then the same for all dates.
    seen = t.inner_join(clock, [t.known_on <= clock.known_by])
    if _may_be_early(county, name):
        seen = _of_known_households(county, seen)
    rows = _last_recorded(county, name, seen)
    if name == "households" and county.facts.get(STATELESS, False):
        rows = _stated_if_any(rows)
    return under_current_number(name, rows, **identity) if identity else rows


def _may_be_early(county: Shape | County, name: str) -> bool:
    """Say whether rows of a table can have been recorded before their household was."""
    return name in LARGE_TABLES or county.facts.get(f"early.{name}", False)


def _of_known_households(county: Shape, seen: ibis.Table) -> ibis.Table:
    """Leave out rows of households of which nothing is recorded yet: a later row must not wake them."""
    known = seen.inner_join(known_since(county), "household_id")
    return known.filter(known.since <= known.known_by).select(*seen.columns)


def _last_recorded(county: Shape, name: str, seen: ibis.Table) -> ibis.Table:
    """Return of rows with equal keys the one that was recorded last."""
    t = county.table(name)
    if not county.facts.get(f"corrected.{name}", False):
        return seen
    key = contract().tables[name].key or ("row_id",)
    # Null keys (an open valid_from) are equal to one another in a window, as they must be here.
    latest = ibis.row_number().over(
        group_by=["as_of", *key],
        order_by=[ibis.desc("known_on"), *(ibis.asc(c) for c in t.columns if c not in (*key, "known_on"))],
    )
    ranked = seen.mutate(_rank=latest)
    holds = ranked._rank == 0
    if not contract().tables[name].key:
        holds = holds | ranked.row_id.isnull()
    return ranked.filter(holds).drop("_rank")


STATELESS = "stateless.households"


def _stated_if_any(rows: ibis.Table) -> ibis.Table:
    """Leave out rows that say only that a household is there, where another row of it is known."""
    stated = rows.registration.notnull()
    any_stated = stated.any().over(group_by=["as_of", "household_id"])
    rows = rows.mutate(_kept=stated | ~any_stated)
    return rows.filter(rows._kept).drop("_kept")


def valid_on(t: ibis.Table, day: ibis.expr.types.DateValue | str = "as_of") -> ibis.expr.types.BooleanValue:
    """Return whether a row with ``valid_from``/``valid_to`` holds on a day; missing ends are open.

    Parameters
    ----------
    t
        Rows with ``valid_from`` and, where they can end, ``valid_to``.
    day
        The day on which they must hold, or the column that names it.

    Returns
    -------
    boolean expression
        Never null.
    """
    on = t[day] if isinstance(day, str) else day
    begun = t.valid_from.isnull() | (t.valid_from <= on)
    if "valid_to" not in t.columns:
        return begun
    return begun & (t.valid_to.isnull() | (on < t.valid_to))


def household_states(county: Shape) -> ibis.Table:
    """Return the state of every household that has a row valid and recorded at each moment.

    Parameters
    ----------
    county
        What the query is written from, with the known rows of ``households``.

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of``: columns of ``households`` and of `moment_table`.
    """
    t = county.rows("households")
    t = t.filter(valid_on(t))
    if "holds" in t.columns:  # of linked numbers only one row is left
        t = t.filter(t.holds.fill_null(True)).drop("holds")
    return _latest_version(t, ["as_of", "household_id"]) if county.facts["versions.households"] else t


def present_members(county: Shape) -> ibis.Table:
    """Return the members present in each household at each moment, each once, as last known.

    Parameters
    ----------
    county
        What the query is written from, with the known rows of ``members``.

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of, member_id``; ``age`` in completed years from the first day
        of the birth month is added.
    """
    t = county.rows("members")
    t = t.filter(valid_on(t))
    if county.facts["versions.members"]:
        t = _latest_version(t, ["as_of", "household_id", "member_id"])
    return t.mutate(age=((t.as_of_month - t.birth_month) / 12).floor().cast("int32"))


def _latest_version(t: ibis.Table, by: list[str]) -> ibis.Table:
    order = [ibis.desc("valid_from", nulls_first=False), ibis.desc("known_on")]
    ranked = t.mutate(_rank=ibis.row_number().over(group_by=by, order_by=order))
    return ranked.filter(ranked._rank == 0).drop("_rank")


def dates_outside_records(county: County, as_of: DateLike | Iterable[DateLike]) -> list[str]:
    """Say which days lie where the county has no records: everything computed there comes out unknown.

    Parameters
    ----------
    county
        The checked tables.
    as_of
        The day, or days, to be looked at.

    Returns
    -------
    list of str
        A sentence for each day before the first household or income was known, or a whole month and more
        after ``data_through`` (late records are of earlier months, they do not help); where income comes as
        totals, after the next total was due.
    """
    whole = county.data_through
    if county.facts.get("spans.income"):
        whole = add_months(whole, 12 + county.about.entry_lag_months)
    first = max(_first_known(county, name) for name in ("households", "income"))
    out = []
    for day in (m.as_of for m in as_moments(as_of)):
        if day > whole and last_complete_month(day) > last_complete_month(whole):
            out.append(
                f"as-of {day} lies after the records, which are whole until {county.data_through} "
                f"(data_through): what came since is unknown, not zero; give --as-of {county.data_through}, "
                "or bring the tables up to date"
            )
        elif day < first[0]:
            out.append(
                f"as-of {day} lies before the first {first[1]} row was recorded ({first[0]}): "
                "nothing is known of that day; give a later --as-of"
            )
    return out


def _first_known(county: County, name: str) -> tuple[dt.date, str]:
    day = county.table(name).known_on.min().to_pyarrow().as_py()
    return day or dt.date.max, name


def fingerprint(county: County, as_of: DateLike) -> str:
    """Return a content hash of every row known at a day; row and column order do not matter.

    Two counties with the same known rows have the same fingerprint, whatever files they came in (``losses``
    names files, and what it takes away stands in other tables); rows
    recorded later do not touch it. Computed once for a county and day.

    Parameters
    ----------
    county
        The checked tables.
    as_of
        The day up to which rows may have been recorded.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    day = to_date(as_of)
    return county.once(("fingerprint", day), lambda: _fingerprint(county, day))


_ONLY_ROWS = ("recorded", "unrecorded", "doubts", "household_links", "claims")
_DECIDES = ("coverage", "records_from", "max_lag_months", "recording_delay_days", "stale_after_months")


def _fingerprint(county: County, day: dt.date) -> str:
    digest = hashlib.sha256()
    about = county.about
    digest.update(f"{about.entry_lag_months}|{about.income_is_net}".encode())
    # What is said of the county as a whole counts where it is said, and data_through where it cuts.
    said = about.model_dump(include=set(_DECIDES), exclude_defaults=True)
    if about.data_through and about.data_through < day:
        said["data_through"] = str(about.data_through)
    if said:
        digest.update(repr(sorted(said.items())).encode())
    known = known_since(county)
    for name in sorted(name for name in county.tables if name != "losses"):
        t = county.tables[name]
        rows = t.filter(t.known_on <= day)
        if name in _ONLY_ROWS and rows.count().execute() == 0:
            continue  # such a table says nothing by being there: one recorded later must not show
        if "until" in t.columns:
            rows = rows.mutate(until=ibis.ifelse(rows.until <= day, rows.until, ibis.null("date")))
        if _may_be_early(county, name):
            rows = rows.semi_join(known.filter(known.since <= day), "household_id")
        columns = sorted(set(t.columns) - _silent(name, rows))
        fields = [rows[c].cast("string").fill_null("\x00") for c in columns]
        digest.update(
            f"{name}|{_sum_of_hashes(county, rows.select(h=ibis.literal(chr(31)).join(fields)))}".encode()
        )
    return digest.hexdigest()


def _silent(name: str, rows: ibis.Table) -> set[str]:
    """Return the columns that came later into the contract and of which no row says anything."""
    later = [c for c, spec in contract().tables[name].columns.items() if spec.later]
    if not later:
        return set()
    given = rows.aggregate(**{c: rows[c].count() for c in later}).to_pyarrow().to_pylist()[0]
    return {c for c, n in given.items() if not n}


def _sum_of_hashes(county: County, rows: ibis.Table) -> str:
    # A sum of row hashes is the same in any order and, unlike an xor, counts repeated rows.
    sql = county.con.compile(rows)
    # One hash a row, cut in two, costs a quarter of md5_number_lower and md5_number_upper; the number's lower
    # half is what the engine calls upper.
    total = county.con.raw_sql(
        f"SELECT count(*), sum((m >> 64)::UBIGINT::HUGEINT), sum((m & {2**64 - 1})::UBIGINT::HUGEINT) "
        f"FROM (SELECT md5_number(h) AS m FROM ({sql}))"
    ).fetchall()[0]  # DuckDB refuses further work while a result is half read
    return "|".join(str(part) for part in total)
