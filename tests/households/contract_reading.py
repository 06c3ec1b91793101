"""A slow, household-by-household reading of the data contract, to compare the fast one with.

Written from the text of the contract only ("Coverage", "Rows, cells, doubts", "Identity over time", "What an
office really has"): loops over dicts, no code shared with riskmodel. Where the words allow two readings, a
comment ``# reading:`` says which was chosen.

The parts: `contract_reading_rows` (what is known, corrections, spans off record), `contract_reading_identity`
(households over time), `contract_reading_coverage` (months on record), `contract_reading_accounts` (sums).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .contract_reading_accounts import Accounts, Money, Period, Sums
from .contract_reading_coverage import Coverage
from .contract_reading_identity import Identity, Unit
from .contract_reading_rows import (
    CATEGORIES,
    CODES,
    SOURCES,
    Known,
    Tables,
    month_end,
    month_name,
    months_before,
)

# One word says why there is no pcni: the first of these that holds. The `why` of `unrecorded` stands at "*".
REASONS = (
    "no_persons", "row_rejected", "*", "split", "new_household", "before_records", "not_yet_recorded",
    "income_stale", "not_tiled", "gap_in_records", "no_income", "production_unknown",
)  # fmt: skip
STALE_AFTER = 18


@dataclass
class Account:
    """What the contract says of one household at an as-of date; None is unknown."""

    household_id: str
    # All numbers whose rows are this household's.
    numbers: frozenset[str] = frozenset()
    parent_id: str | None = None
    # Months on record by table, before and after spans were taken off last.
    on_record_before_off: dict[str, set[str]] = field(default_factory=dict)
    on_record: dict[str, set[str]] = field(default_factory=dict)
    township: str | None = None
    township_start: str | None = None
    first_possible_month: str | None = None
    period_from: str | None = None
    period_to: str | None = None
    lag_months: int | None = None
    income_basis: str | None = None
    income_reason: str | None = None
    doubts: set[str] = field(default_factory=set)
    findings: set[str] = field(default_factory=set)
    persons: int | None = None
    previous_persons: int | None = None
    before_previous_persons: int | None = None
    net_income: Money = None
    previous_net_income: Money = None
    before_previous_net_income: Money = None
    pcni: Money = None
    previous_pcni: Money = None
    before_previous_pcni: Money = None
    rigid: Money = None
    previous_rigid: Money = None
    before_previous_rigid: Money = None
    income: dict[str, Money] = field(default_factory=lambda: dict.fromkeys(SOURCES))
    spending: dict[str, Money] = field(default_factory=lambda: dict.fromkeys(CATEGORIES))
    pcni_low: Money = None
    pcni_high: Money = None
    # An event or a member's change known by as-of lies after the period's end: what is not met is unknown.
    event_after_period: bool = False
    clear_allowed: bool = False
    register: str = "none"
    # The household has no accepted households row: its category is unknown.
    category_unknown: bool = False


def reading(
    tables: Tables,
    about: dict[str, Any],
    as_of: dt.date,
    known_by: dt.date | None = None,
    shifts: bool = True,
) -> dict[str, Account]:
    """Return the account of every household that the contract puts out at an as-of date.

    Parameters
    ----------
    tables
        Parsed rows by table: English codes, dates as dates, months as "YYYY-MM"; a missing cell is None or
        absent. ``rejected`` holds the rows that a reader rejected: table, household_id, month_from, month_to,
        recorded_on, valid_from, member_id, row_id, why; a cell that cannot be read is None, ``why`` begins
        with "duplicate" where a row was rejected as such. Equal rows and corrections of one day are left in
        their tables: they are resolved here.
    about
        The keys of ``about.yaml``: data_through and snapshot_on as dates, records_from a month or a mapping.
    as_of
        The day at which the household is judged.
    known_by
        The day up to which rows are known, where it is later than as_of (an outcome is read at its end plus
        the recording delay).
    shifts
        Whether the period follows the records; labels never shift: theirs is the last 12 completed months.
    """
    if about.get("recording_delay_days", 0) < 0:
        raise ValueError("negative recording_delay_days: the whole input is refused")
    known = Known(tables, about, known_by or as_of)
    identity = Identity(known, as_of)
    coverage = Coverage(known, identity, as_of)
    accounts = Accounts(coverage, shifts)
    ambiguous = known.ambiguous_households()
    out = {}
    for unit in identity.units:
        # A household without a valid row is not put out; one with only rejected rows does not disappear.
        if identity.state(unit, as_of) or (not identity.timeline(unit) and identity.in_doubt(unit)):
            out[unit.number] = _account(unit, as_of, accounts, ambiguous)
    return out


def _account(unit: Unit, as_of: dt.date, accounts: Accounts, ambiguous: set[str]) -> Account:
    coverage = accounts.coverage
    identity = coverage.identity
    out = Account(unit.number, frozenset(unit.pieces()))
    out.parent_id = unit.split_from.number if unit.split_from else None
    _place(out, unit, as_of, coverage)
    # reading: equal rows and refused corrections are doubts whatever months they are of.
    if any(coverage.amounts(unit, table).equal for table in CODES):
        out.doubts.add("equal_rows")
    if ambiguous & set(unit.pieces()) or any(coverage.amounts(unit, t).earlier_holds for t in CODES):
        out.doubts.add("ambiguous_correction")
    if identity.in_doubt(unit):
        out.doubts.add("row_rejected")
    if coverage.maybe_stopped(unit):
        out.doubts.add("maybe_stopped")
    out.category_unknown = not identity.state(unit, as_of)
    out.register = identity.register(unit)

    period = accounts.period(unit)
    reasons, doubts = _sums(out, unit, as_of, period, accounts)
    out.doubts |= reasons | doubts
    if out.pcni is None:
        out.income_reason = first_reason(reasons)
    out.findings |= accounts.findings[unit] | identity.findings_of(unit)
    if period is not None:
        out.event_after_period = _event_after(unit, period, as_of, coverage)
    out.clear_allowed = out.lag_months == 0 and not out.doubts
    if out.pcni is not None and period is not None and out.persons:
        # reading: totals have no months to bound by, so their bounds are empty where they lag.
        low_high: tuple[Money, Money] = (out.pcni, out.pcni) if period.lag == 0 else (None, None)
        if period.lag and period.basis == "months":
            low_high = accounts.bounds(unit, out.persons)
        out.pcni_low, out.pcni_high = low_high
    return out


def _place(out: Account, unit: Unit, as_of: dt.date, coverage: Coverage) -> None:
    state = coverage.identity.state(unit, as_of)
    out.township = state.get("township") if state else None
    start, first = coverage.start_of(out.township), coverage.first_possible(unit)
    out.township_start = None if start is None else month_name(start)
    out.first_possible_month = None if first is None else month_name(first)
    for table in coverage.tables():
        out.on_record_before_off[table] = {month_name(m) for m in coverage.with_totals(unit, table)}
        out.on_record[table] = {month_name(m) for m in coverage.on_record(unit, table)}


def _sums(
    out: Account, unit: Unit, as_of: dt.date, period: Period | None, accounts: Accounts
) -> tuple[set[str], set[str]]:
    """Fill in period, persons and sums; return the reasons of the period, and doubts of its other sums."""
    coverage = accounts.coverage
    by_span = period is not None and period.basis == "total"
    days = [as_of, months_before(as_of, 12), months_before(as_of, 24)]
    if by_span and period is not None:
        # On totals persons are those on the last day of the span, in both periods.
        days = [month_end(period.last - 12 * back) for back in range(3)]
    heads = [coverage.identity.persons(unit, day) for day in days]
    out.persons, out.previous_persons, out.before_previous_persons = (number for number, _ in heads)
    reasons = set(heads[0][1]) | ({"no_persons"} if out.persons == 0 else set())
    if period is None:
        without, doubts = _no_period(unit, accounts)
        return reasons | without, doubts

    out.period_from, out.period_to = month_name(period.first), month_name(period.last)
    out.lag_months, out.income_basis = period.lag, period.basis
    late = None
    if by_span and period.lag > STALE_AFTER:
        late = "income_stale"
    if not by_span and period.lag > coverage.about.get("max_lag_months", 3):
        late = "not_yet_recorded"
    three = [_sums_of(unit, period, back, accounts) for back in range(3)]
    reasons |= three[0].reasons | ({late} if late else set())
    if late:
        # Every sum of the period and of those before is null.
        return reasons, three[0].doubts
    out.income, out.spending = three[0].income, three[0].spending
    out.net_income, out.previous_net_income, out.before_previous_net_income = (s.net for s in three)
    out.rigid, out.previous_rigid, out.before_previous_rigid = (s.rigid for s in three)
    out.pcni, out.previous_pcni, out.before_previous_pcni = (
        per_head(sums.net, number) for sums, (number, _) in zip(three, heads, strict=True)
    )
    return reasons, three[0].doubts


def _sums_of(unit: Unit, period: Period, back: int, accounts: Accounts) -> Sums:
    first, last = period.first - 12 * back, period.last - 12 * back
    basis = period.basis
    if back and basis == "months":
        # reading: a period before one of months that a total touches is covered by totals or not at all.
        basis = accounts.own_basis(unit, first, last)
    return accounts.sums(unit, first, last, basis)


def _no_period(unit: Unit, accounts: Accounts) -> tuple[set[str], set[str]]:
    """Why there is no period: what holds of the 12 months to the last completed one."""
    # reading: without a period the reasons are those of the 12 months that end with the last completed month.
    last = accounts.coverage.last_completed
    sums = accounts.sums(unit, last - 11, last, "months")
    if not accounts.has_totals(unit):
        return sums.reasons - {"no_income"}, sums.doubts
    holes = {"before_records", "not_yet_recorded", "gap_in_records", "no_income"}
    return (sums.reasons - holes) | {"not_tiled"}, sums.doubts


def _event_after(unit: Unit, period: Period, as_of: dt.date, coverage: Coverage) -> bool:
    """Whether an event or a member's change known by as-of lies after the period's end."""
    # reading: events are rows of risk_events (a lost job is one); `jobs` has no date to lie after an end.
    end, numbers = month_end(period.last), unit.pieces()
    days = [row["date"] for row in coverage.known.rows("risk_events") if row["household_id"] in numbers]
    for row in coverage.identity.member_rows(unit):
        # "those of the old end at `date`": what the old number says of later is no change.
        days += [row.get("valid_from") or dt.date.min, coverage.identity.end_of(row)]
    return any(end < day <= as_of for day in days)


def per_head(net: Money, persons: int | None) -> Money:
    return None if net is None or not persons else Decimal(net) / persons


def first_reason(reasons: set[str]) -> str | None:
    """The one word: the first of the contract's list that holds."""
    own = sorted(reasons - set(REASONS))
    for word in REASONS:
        if word == "*" and own:
            # reading: of several words of `unrecorded` the first in the alphabet.
            return own[0]
        if word in reasons:
            return word
    return None
