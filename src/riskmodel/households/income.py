"""Income and spending of each household's accounting period: what is on record, and why one is unknown.

A sum stands where every month of it is on record and is null, with a reason, where one is not; it is never
filled with zeros (contract, "Coverage").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data import County, codes
from riskmodel.households.coverage import (
    NEVER,
    OPEN,
    stopped,
)
from riskmodel.households.known_records import KnownRecords, code_place, known_records, reaches_into
from riskmodel.households.panel import (
    UNIT,
    Rows,
    day_number,
    read_records,
    sums_between,
)
from riskmodel.households.periods import (
    AccountingPeriod,
    Period,
    choose_period,
    last_on_record,
    untouched_by_totals,
)
from riskmodel.households.point_in_time import Moment, add_months
from riskmodel.households.statements import (
    ROW_REJECTED,
)
from riskmodel.households.totals import YEAR

RIGID_CATEGORIES = ("medical", "education", "housing", "disaster", "accident")


PREFIXES = ("", "previous_", "before_previous_")


STALE_AFTER_MONTHS = 18  # contract: a total that ended longer ago no longer says what a household earns


EARNING_SOURCES = {"wage": ("wage",), "earning": ("wage", "transfer")}  # what counts as a month with earnings


@dataclass(frozen=True)
class Sums:
    """What a period adds up to, ``[household]`` each, in panel units; a sum that is not known is masked.

    Parameters
    ----------
    income, spending
        By code, ``[code, household]``.
    production
        Spending to be subtracted.
    income_known, spending_known
        Whether the months are on record; ``costs_known`` whether the production costs are known.
    code_unknown
        Pairs of table and code whose own sum is not known, with for whom.
    any_income
        Whether there is an income row, or a month without one means none.
    """

    income: np.ndarray
    spending: np.ndarray
    production: np.ndarray
    income_known: np.ndarray
    spending_known: np.ndarray
    costs_known: np.ndarray
    code_unknown: dict[tuple[str, str], np.ndarray]
    any_income: np.ndarray

    @property
    def gross(self) -> np.ndarray:
        """Income of all sources."""
        return np.asarray(self.income.sum(axis=0))

    @property
    def gross_known(self) -> np.ndarray:
        """Whether the income of all sources is known."""
        return self.income_known & self.any_income & ~self._unknown("income")

    @property
    def net_known(self) -> np.ndarray:
        """Whether income and production costs are known."""
        return self.gross_known & self.costs_known & ~self.unknown("spending", "production")

    def unknown(self, table: str, code: str) -> np.ndarray:
        """Return for whom the sum of one code is not known though the table is."""
        return self.code_unknown.get((table, code), np.zeros(len(self.income_known), bool))

    def _unknown(self, table: str) -> np.ndarray:
        masks = [mask for (name, _), mask in self.code_unknown.items() if name == table]
        return np.logical_or.reduce(masks) if masks else np.zeros(len(self.income_known), bool)


def add_up(known: KnownRecords, period: Period, back: int) -> Sums:
    """Add up income and spending over each household's period, ``back`` periods ago."""
    start, stop = period.bounds(back)
    n = known.households
    income = known.panel.window("income", start, stop)
    income_known = known.on_record("income", start, stop)
    rows = known.rows_in("income", start, stop)
    any_income = rows.any(axis=0) | known.on.stated["income"]
    production = known.production_in(start, stop)
    unknown: dict[tuple[str, str], np.ndarray] = {}
    net, business = code_place("income", "business_net"), code_place("income", "business")
    net_only = (rows[net] > 0) & (rows[business] == 0)
    if len(known.totals["income"]):
        sub = known.by_totals.sub
        covered, amounts, is_net, _ = known.by_totals.at(stop[sub] - 1, known.panel.first)
        covered &= (stop - start)[sub] == YEAR
        income[:, sub] = np.where(covered, amounts, income[:, sub])
        income_known[sub] &= covered | untouched_by_totals(known, start, stop)[sub]
        any_income[sub] |= covered
        production[sub] = np.where(covered & is_net, 0, production[sub])
        net_only[sub] |= covered & is_net & (amounts[business] == 0)
    spending = known.panel.window("spending", start, stop)
    if len(known.totals["spending"]):
        spending, unknown = _with_spending_totals(known, spending, start, stop)
        place = code_place("spending", "production")
        own = np.zeros(n, bool)
        own[known.totals["spending"].household] = True
        production = np.where(own & ~net_only, spending[place], production)
    for table, item in known.items_off:
        off = known.taken_off(table, start, stop, item)
        unknown[table, item] = unknown.get((table, item), np.zeros(n, bool)) | off
    income_known &= ~known.taken_off("income", start, stop)
    spending_known = known.on_record("spending", start, stop) & ~known.taken_off("spending", start, stop)
    spending_known &= np.full(n, known.county.has("spending"))
    if known.county.has("spending"):
        costs_known = spending_known
    elif known.county.about.income_is_net:
        costs_known = np.ones(n, bool)
    else:
        costs_known = net_only
    return Sums(income, spending, production, income_known, spending_known, costs_known, unknown, any_income)


def _with_spending_totals(
    known: KnownRecords, spending: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
    """Add totals that lie wholly inside the period; a category is unknown where one straddles its edge.

    Totals and months of one category are never added: a total over just the period goes first, then months,
    then shorter totals, which must not overlap.
    """
    rows = known.totals["spending"]
    first, last = start[rows.household], stop[rows.household] - 1
    touching = (rows.month_from <= last) & (rows.month_to >= first)
    rows, first, last = rows.where(touching), first[touching], last[touching]
    inside = (rows.month_from >= first) & (rows.month_to <= last)
    whole = (rows.month_from == first) & (rows.month_to == last)
    straddling = np.zeros(spending.shape, bool)
    straddling[rows.code[~inside], rows.household[~inside]] = True
    exact, shorter = np.zeros_like(spending), np.zeros_like(spending)
    has_exact, has_shorter = np.zeros(spending.shape, bool), np.zeros(spending.shape, bool)
    exact[rows.code[whole], rows.household[whole]] = rows.amount[whole]
    has_exact[rows.code[whole], rows.household[whole]] = True
    part = rows.where(inside & ~whole)
    np.add.at(shorter, (part.code, part.household), part.amount)
    has_shorter[part.code, part.household] = True
    overlapping = _overlapping(part, spending.shape)
    has_months = known.rows_in("spending", start, stop) > 0
    out = np.where(has_exact, exact, np.where(has_months | ~has_shorter, spending, shorter))
    unclear = ~has_exact & (straddling | (overlapping & ~has_months))
    names = list(codes("spending", "category"))
    return out, {("spending", names[i]): unclear[i] for i in np.flatnonzero(unclear.any(axis=1))}


def _overlapping(rows: Rows, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``[code, household]``: whether two totals share a month."""
    out = np.zeros(shape, bool)
    rows = rows.where(np.lexsort((rows.month_from, rows.household, rows.code)))
    same = (rows.code[1:] == rows.code[:-1]) & (rows.household[1:] == rows.household[:-1])
    clash = same & (rows.month_from[1:] <= rows.month_to[:-1])
    out[rows.code[1:][clash], rows.household[1:][clash]] = True
    return out


@dataclass(frozen=True)
class IncomeAccounts:
    """Income and spending of every household's periods at one moment, with the reasons where unknown."""

    known: KnownRecords
    asked: AccountingPeriod

    given: Period | None = None

    @cached_property
    def period(self) -> Period:
        """The periods: the ones asked for, or those that the records allow."""
        return choose_period(self.known, self.asked) if self.given is None else self.given

    @cached_property
    def usable(self) -> np.ndarray:
        """Whether there is a period that is not further behind than the allowed lag."""
        period, allowed = self.period, self.known.county.about.max_lag_months
        if not self.asked.follows_lag:
            return period.chosen
        return period.chosen & (period.lag <= np.where(period.by_totals, STALE_AFTER_MONTHS, allowed))

    @cached_property
    def sums(self) -> list[Sums]:
        """The current period and the two before it."""
        return [add_up(self.known, self.period, back) for back in range(len(PREFIXES))]

    def columns(self) -> dict[str, pa.Array]:
        """Return the columns of `income_accounts` but for household and day."""
        now, period = self.sums[0], self.period
        start, stop = period.bounds(0)
        out: dict[str, pa.Array] = {
            "period_from": _whole(start, period.chosen),
            "period_to": _whole(stop - 1, period.chosen),
            "income_basis": _texts(np.where(period.chosen, np.where(period.by_totals, 1, 0), 2), _BASES),
            "lag_months": _whole(period.lag, period.chosen),
        }
        for prefix, sums in zip(PREFIXES, self.sums, strict=True):
            out[f"{prefix}net_income"] = _yuan(sums.gross - sums.production, self.usable & sums.net_known)
        known = self.usable & now.income_known & now.any_income
        for i, code in enumerate(codes("income", "source")):
            out[f"income_{code}"] = _yuan(now.income[i], known & ~now.unknown("income", code))
        spent = self.usable & now.spending_known
        rigid = np.zeros(self.known.households, np.int64)
        rigid_known = spent.copy()
        for i, code in enumerate(codes("spending", "category")):
            here = spent & ~now.unknown("spending", code)
            out[f"spending_{code}"] = _yuan(now.spending[i], here)
            if code in RIGID_CATEGORIES:
                rigid += now.spending[i]
                rigid_known &= here
        out["rigid"] = _yuan(rigid, rigid_known)
        for kind, counted in self._paid_months(start, stop).items():
            out[f"{kind}_months"] = _whole(counted, known & ~period.by_totals)
        low, high, bounded = self._bounds()
        out["net_low"], out["net_high"] = _yuan(low, bounded), _yuan(high, bounded)
        reasons = self._reasons()
        first = np.full(self.known.households, len(reasons))
        for i, mask in reversed(list(enumerate(reasons.values()))):
            first[mask] = i
        out["records_reason"] = _texts(first, [*reasons, None])
        out["doubts"] = _joined({**reasons, **self._remarks(reasons)})
        for prefix, day, unknown in zip(PREFIXES, self._person_days(), self._persons_unknown(), strict=True):
            out[f"{prefix}persons_on"] = pa.array(day, pa.int32()).cast(pa.date32())
            out[f"{prefix}persons_unknown"] = pa.array(unknown)
        return out

    def _paid_months(self, start: np.ndarray, stop: np.ndarray) -> dict[str, np.ndarray]:
        amounts, first = self.known.panel.amounts["income"], self.known.panel.first
        out = {}
        for kind, sources in EARNING_SOURCES.items():
            paid = np.logical_or.reduce([amounts[code_place("income", s)] > 0 for s in sources])
            out[kind] = sums_between(paid[np.newaxis], start - first, stop - first)[0]
        return out

    def _bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what net income over the last completed months could be.

        The months not yet on record earn nothing, or as a year before; their production costs are those of
        the year before in both.
        """
        now, period = self.sums[0], self.period
        start, _ = period.bounds(0)
        high = now.gross - now.production
        income = self.known.panel.window("income", start, start + period.lag).sum(axis=0)
        bounded = self.usable & now.net_known
        return np.where(period.by_totals, high, high - income), high, bounded

    def _reasons(self) -> dict[str, np.ndarray]:
        """Return for whom each reason holds, in the order in which they are given."""
        known, now, period = self.known, self.sums[0], self.period
        start, stop = period.bounds(0)
        n = known.households
        missing = np.zeros(n, bool)
        for table in known.tables:
            missing |= ~known.on_record(table, start, stop)
        by_months = ~period.by_totals
        missing &= by_months
        places, on = known.places, known.on
        has_totals = np.zeros(n, bool)
        has_totals[known.totals["income"].household] = True
        last, ever = last_on_record(known, on.months)
        first_row = np.where(places.first_possible == OPEN, on.first_row, OPEN)
        new = missing & ((places.first_possible > on.start) | known.split) & (start < places.first_possible)
        begin = np.maximum.reduce([on.start, places.first_possible, first_row])
        before = missing & (start < np.where(begin >= NEVER, OPEN, begin))
        late = by_months & ~has_totals & (~ever | (stop - 1 > last) | ~self.usable)
        inner_start = np.maximum(start, np.minimum(begin, stop))
        inner_stop = np.minimum(stop, last + 1)
        gap = np.zeros(n, bool)
        for table in known.tables:
            gap |= ~known.on_record(table, inner_start, np.maximum(inner_start, inner_stop))
        touched = has_totals & by_months & ~untouched_by_totals(known, start, stop)
        recorded = ~missing & period.chosen
        unspent = not known.county.has("spending")
        reasons = {ROW_REJECTED: self._off(ROW_REJECTED)}
        reasons |= {why: self._off(why) for why in self._whys()}
        reasons |= {
            "split": new & known.split,
            "new_household": new & ~known.split,
            "before_records": before & ~new,
            "not_yet_recorded": late,
            "income_stale": period.by_totals & ~self.usable,
            "not_tiled": has_totals & (~period.chosen | touched),
            "gap_in_records": gap & missing & period.chosen,
            "no_income": recorded & by_months & ~now.any_income,
            "production_unknown": recorded & now.gross_known & ~now.costs_known & unspent,
        }
        return reasons

    def _whys(self) -> list[str]:
        off = self.known.off
        return sorted({str(w) for w in off.why[off.of != "members"]} - {ROW_REJECTED})

    def _off(self, why: str) -> np.ndarray:
        start, stop = self.period.bounds(0)
        off = self.known.off
        tables = [*self.known.tables]
        mine = off.where((off.why == why) & np.isin(off.of, tables))
        return reaches_into(mine, start, stop, self.known.households)

    def _remarks(self, reasons: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return for whom there are doubts beside the reasons, and reasons that members give too."""
        known = self.known
        differs = np.zeros(known.households, bool)
        if len(known.totals["income"]):
            sub = known.by_totals.sub
            differs[sub] = known.by_totals.at(self.period.end[sub], known.panel.first)[3]
        remarks = {"tilings_differ": differs & self.period.by_totals}
        if self.asked.follows_lag:
            remarks["maybe_stopped"] = stopped(known.on, known.panel, known.places)
        nobody = np.zeros(known.households, bool)
        for doubt in sorted(set(known.doubts.doubt)):
            remarks[doubt] = reasons.get(doubt, nobody).copy()
            remarks[doubt][known.doubts.household[known.doubts.doubt == doubt]] = True
        for why, unknown in self._persons_off(self._person_days()[0]).items():
            remarks[why] = remarks.get(why, reasons.get(why, nobody)) | unknown
        return remarks

    def _persons_off(self, day: np.ndarray) -> dict[str, np.ndarray]:
        """Return whose persons are unknown on a day, by why."""
        mine = self.known.off.where(self.known.off.of == "members")
        on = day[mine.household]
        mine = mine.where((mine.day_from <= on) & (on <= mine.day_to))
        out = {str(why): np.zeros(self.known.households, bool) for why in mine.why}
        for why, mask in out.items():
            mask[mine.household[mine.why == why]] = True
        return out

    def _person_days(self) -> list[np.ndarray]:
        """Return the day on which persons are counted in each period, as days since 1970."""
        period, as_of = self.period, self.known.moment.as_of
        back = YEAR if self.asked.calendar_year else self.asked.months
        days = []
        for k in range(len(PREFIXES)):
            day = np.full(self.known.households, day_number(add_months(as_of, -back * k)))
            _, stop = period.bounds(k)
            by_span = period.by_totals & (not self.asked.calendar_year)
            days.append(np.where(by_span, _first_days(stop) - 1, day))
        return days

    def _persons_unknown(self) -> list[np.ndarray]:
        nobody = np.zeros(self.known.households, bool)
        by_day = (self._persons_off(day).values() for day in self._person_days())
        return [np.logical_or.reduce([nobody, *masks]) for masks in by_day]


_BASES = ["months", "total", ""]


def _first_days(months: np.ndarray) -> np.ndarray:
    """Return the first day of months as days since 1970."""
    month = (months - 1970 * YEAR).astype("datetime64[M]")
    return np.asarray(month.astype("datetime64[D]").astype(np.int64))


def _yuan(values: np.ndarray, known: np.ndarray) -> pa.Array:
    return pa.array(values / UNIT, pa.float64(), mask=~known)


def _whole(values: np.ndarray, known: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.int32), pa.int32(), mask=~known)


def _texts(places: np.ndarray, words: Sequence[str | None]) -> pa.Array:
    return pa.array(list(words), pa.string()).take(pa.array(places))


def _joined(masks: dict[str, np.ndarray]) -> pa.Array:
    """Return the names of the masks that hold, joined with ``;``, in order."""
    names = list(masks)
    code = np.zeros(len(next(iter(masks.values()))), np.int64)
    for i, mask in enumerate(masks.values()):
        code |= mask.astype(np.int64) << i
    kinds, places = np.unique(code, return_inverse=True)
    texts = [";".join(name for i, name in enumerate(names) if kind >> i & 1) for kind in kinds]
    return pa.array(texts, pa.string()).take(pa.array(places))


def income_accounts(county: County, moments: Sequence[Moment], period: AccountingPeriod) -> pa.Table:
    """Return income and spending over each household's accounting period at each moment.

    Parameters
    ----------
    county
        The checked tables.
    moments
        The moments.
    period
        Which months are accounted.

    Returns
    -------
    pyarrow.Table
        One row per household known at a moment, ``household_id, as_of``:

        * ``period_from, period_to`` (month ordinals, null without a period), ``income_basis`` (``months``,
          ``total`` or empty), ``lag_months``;
        * ``net_income, previous_net_income, before_previous_net_income``, ``income_<source>``,
          ``spending_<category>``, ``rigid`` (yuan; null where not wholly on record);
        * ``wage_months, earning_months``; ``net_low, net_high`` (yuan: bounds, last completed months);
        * ``records_reason`` (the first reason why income is unknown), ``doubts`` (all, ``;``-joined);
        * ``persons_on`` and ``persons_unknown``, also for the periods before: the day on which persons are
          counted, and whether a rejected or missing record makes their number unknown.

    References
    ----------
    Data contract, "Coverage".
    """
    parts = []
    ids = read_records(county).ids
    for known in known_records(county, moments):
        there = pa.array(known.places.known)
        columns = {"household_id": ids, "as_of": pa.array([known.moment.as_of] * len(ids), pa.date32())}
        columns |= IncomeAccounts(known, period).columns()
        parts.append(pa.table(columns).filter(there))
    return pa.concat_tables(parts)


def income_over_spans(county: County, moments: Sequence[Moment], spans: pa.Table) -> pa.Table:
    """Return the columns of `income_accounts` for households each over its own span.

    Parameters
    ----------
    county, moments
        As in `income_accounts`.
    spans
        ``household_id, as_of, period_from, period_to``; households without a span are left out.
    """
    asked = AccountingPeriod(follows_lag=False)
    frame = spans.to_pandas()
    frame["as_of"] = pd.to_datetime(frame["as_of"]).dt.date
    ids = read_records(county).ids
    number = pd.Index(ids.to_pandas())
    parts = []
    for known in known_records(county, moments):
        mine = frame[frame["as_of"] == known.moment.as_of]
        at = number.get_indexer(mine["household_id"])
        end = np.full(len(ids), known.last_month, dtype=np.int64)
        length = np.full(len(ids), YEAR, dtype=np.int64)
        chosen, by_totals = np.zeros(len(ids), bool), np.zeros(len(ids), bool)
        end[at], chosen[at] = mine["period_to"], True
        length[at] = mine["period_to"] - mine["period_from"] + 1
        if len(known.totals["income"]):
            sub = known.by_totals.sub
            by_totals[sub] = known.by_totals.at(end[sub], known.panel.first)[0] & (length[sub] == YEAR)
        period = Period(end, length, by_totals, chosen, np.zeros(len(ids), np.int64))
        columns = {"household_id": ids, "as_of": pa.array([known.moment.as_of] * len(ids), pa.date32())}
        columns |= IncomeAccounts(known, asked, period).columns()
        parts.append(pa.table(columns).filter(pa.array(chosen & known.places.known)))
    return pa.concat_tables(parts)
