"""Income and spending of each household's accounting period: what is on record, and why one is unknown.

A sum stands where every month of it is on record and is null, with a reason, where one is not; it is never
filled with zeros (contract, "Coverage").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from riskmodel.data import County, Shape, codes, fetch_arrow
from riskmodel.households.build_records import RecordsReader, known_records
from riskmodel.households.county_parts import CountyPart, CountyParts
from riskmodel.households.coverage import NEVER
from riskmodel.households.joined_numbers import known_since
from riskmodel.households.known_records import KnownRecords
from riskmodel.households.panel import (
    UNIT,
    Records,
    code_place,
    day_number,
    first_days,
    read_records,
    sums_between,
)
from riskmodel.households.periods import AccountingPeriod, Period, choose_period
from riskmodel.households.point_in_time import Moment, add_months
from riskmodel.households.reasons import other_doubts, reasons_unknown
from riskmodel.households.statements import OffRecord
from riskmodel.households.sums import Sums, add_up, bounds
from riskmodel.households.totals import YEAR
from riskmodel.households.townships import stopped

RIGID_CATEGORIES = ("medical", "education", "housing", "disaster", "accident")


PREFIXES = ("", "previous_", "before_previous_")


Asked: TypeAlias = Literal["all", "incomes", "persons"]


EARNING_SOURCES = {"wage": ("wage",), "earning": ("wage", "transfer")}  # what counts as a month with earnings


@dataclass(frozen=True)
class IncomeAccounts:
    """Income and spending of every household's periods at one moment, with the reasons where unknown."""

    known: KnownRecords
    asked: AccountingPeriod

    @cached_property
    def period(self) -> Period:
        """The periods that the records allow."""
        return choose_period(self.known, self.asked)

    @cached_property
    def usable(self) -> np.ndarray:
        """Whether there is a period that is not further behind than the allowed lag."""
        period, about = self.period, self.known.county.about
        allowed = np.where(period.by_totals, about.stale_after_months, about.max_lag_months)
        if not self.asked.follows_lag:
            return period.chosen
        return period.chosen & (period.lag <= allowed)

    @cached_property
    def _sums(self) -> dict[int, Sums]:
        return {}

    def sums(self, back: int = 0) -> Sums:
        """Return what the current period adds up to, or one before it."""
        if back not in self._sums:
            self._sums[back] = add_up(self.known, self.period, back)
        return self._sums[back]

    def columns(self, asked: Asked = "all") -> dict[str, pa.Array]:
        """Return the columns of `income_accounts` but for household and day, or some of them."""
        if asked == "persons":
            return {"period_to": self._period_to} | self._persons_columns(PREFIXES[:1])
        if asked == "incomes":
            out = {"period_to": self._period_to, "income_basis": self._basis}
            out |= self._net_incomes(PREFIXES[:1]) | {"records_reason": self._first_reason(self._reasons())}
            return out | self._persons_columns(PREFIXES[:1])
        now, period = self.sums(), self.period
        start, stop = period.bounds(0)
        out = {
            "period_from": _whole(start, period.chosen),
            "period_to": self._period_to,
            "income_basis": self._basis,
            "lag_months": _whole(period.lag, period.chosen),
        }
        out |= self._net_incomes(PREFIXES)
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
        low, high, bounded = bounds(self.known, period, now, self.usable)
        out["net_low"], out["net_high"] = _yuan(low, bounded), _yuan(high, bounded)
        reasons = self._reasons()
        out["records_reason"] = self._first_reason(reasons)
        out["doubts"] = _joined(self._doubts(reasons))
        return out | self._persons_columns(PREFIXES)

    @property
    def _period_to(self) -> pa.Array:
        return _whole(self.period.bounds(0)[1] - 1, self.period.chosen)

    @property
    def _basis(self) -> pa.Array:
        period = self.period
        return _texts(np.where(period.chosen, np.where(period.by_totals, 1, 0), 2), _BASES)

    def _net_incomes(self, prefixes: Sequence[str]) -> dict[str, pa.Array]:
        out = {}
        for back, prefix in enumerate(prefixes):
            sums = self.sums(back)
            out[f"{prefix}net_income"] = _yuan(sums.gross - sums.costs, self.usable & sums.net_known)
        return out

    def _first_reason(self, reasons: dict[str, np.ndarray]) -> pa.Array:
        first = np.full(self.known.households, len(reasons))
        for i, mask in reversed(list(enumerate(reasons.values()))):
            first[mask] = i
        return _texts(first, [*reasons, None])

    def _persons_columns(self, prefixes: Sequence[str]) -> dict[str, pa.Array]:
        """Return the number of persons; or on which day the engine is to count them, and who is unknown."""
        out, days = {}, self._person_days(len(prefixes))
        known, unknown_on = self.known, self._persons_unknown(days)
        members = read_members(known.county, read_records(known.county))
        if members is not None:
            known_by, as_of = day_number(known.moment.known_by), day_number(known.moment.as_of)
            if len(prefixes) > 1:
                last = np.where(self.period.chosen, self.period.bounds(0)[1] - 1, NEVER)
                out["members_changed"] = pa.array(members.changed(known_by, as_of, last, known.households))
            counts = person_columns(members, known_by, days, unknown_on)
            return out | {f"{prefix}persons": count for prefix, count in zip(prefixes, counts, strict=True)}
        for prefix, day, unknown in zip(prefixes, days, unknown_on, strict=True):
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

    def _reasons(self) -> dict[str, np.ndarray]:
        now, off = self.sums(), self._members_off(self._person_days(1)[0])
        return reasons_unknown(
            self.known,
            self.period,
            now,
            self.usable,
            off,
            self.asked.follows_lag and not self.asked.calendar_year,
        )

    def _doubts(self, reasons: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return for whom each reason or other doubt holds."""
        known = self.known
        doubts = dict(reasons)
        for why, mask in other_doubts(known, self.period).items():
            doubts[why] = doubts.get(why, False) | mask
        if len(known.totals["income"]):
            sub = known.by_totals.sub
            differs = np.zeros(known.households, bool)
            differs[sub] = known.by_totals.at(self.period.end[sub], known.panel.first)[3]
            doubts["tilings_differ"] = differs & self.period.by_totals
        if self.asked.follows_lag:
            doubts["maybe_stopped"] = stopped(
                known.on, known.panel, known.places, known.townships, known.tables
            )
        for doubt in sorted(set(known.doubts.doubt)):
            mask = doubts.get(doubt, np.zeros(known.households, bool)).copy()
            mask[known.doubts.household[known.doubts.doubt == doubt]] = True
            doubts[doubt] = mask
        return doubts

    def _person_days(self, periods: int) -> list[np.ndarray]:
        """Return the day on which persons are counted in each period, as days since 1970."""
        period, as_of = self.period, self.known.moment.as_of
        back = YEAR if self.asked.calendar_year else self.asked.months
        days = []
        for k in range(periods):
            day = np.full(self.known.households, day_number(add_months(as_of, -back * k)))
            _, stop = period.bounds(k)
            by_span = period.by_totals & (not self.asked.calendar_year)
            days.append(np.where(by_span, first_days(stop) - 1, day))
        return days

    def _members_off(self, day: np.ndarray) -> OffRecord:
        """Return the records of members that are off on a day of each household."""
        off = self.known.off.where(self.known.off.of == "members")
        on = day[off.household]
        return off.where((off.day_from <= on) & (on <= off.day_to))

    def _persons_unknown(self, days: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Say for each period whether a record of members is wanting, or the household was not split off."""
        out = []
        for day in days:
            unknown = day < self.known.persons_from
            unknown[self._members_off(day).household] = True
            out.append(unknown)
        return out


_BASES = ["months", "total", ""]


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


def income_accounts(
    county: County,
    moments: Sequence[Moment],
    period: AccountingPeriod,
    reader: RecordsReader | None = None,
    asked: Asked = "all",
    parts: CountyParts | None = None,
) -> pa.Table:
    """Return income and spending over each household's accounting period at each moment.

    Parameters
    ----------
    county
        The checked tables.
    moments
        The moments.
    period
        Which months are accounted.
    reader
        Looks at the same records, so that they need not be made again.
    asked
        ``incomes``: of the current period alone its end, basis, net income and reason, and when persons are
        counted; ``persons``: the last with the period's end.
    parts
        What the county is divided into, where it is too large to be read at once; a reader then looks at
        the parts.

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
        * ``members_changed`` (somebody came or left after the period) and ``persons``, these also for the
          periods before: null where a rejected or missing record makes their number unknown;
        * of counties whose members the engine has to resolve (`MemberRows`) instead
          ``persons_on`` and ``persons_unknown``: the day on which they are counted, and who is unknown.

    References
    ----------
    Data contract, "Coverage".
    """
    tables, places = [], []
    for one in [county] if parts is None else parts:
        ids = read_records(one).ids
        for known in known_records(one, moments, reader is not None and reader.counts_rows):
            there = known.places.known & one.own if isinstance(one, CountyPart) else known.places.known
            columns = {"household_id": ids, "as_of": pa.array([known.moment.as_of] * len(ids), pa.date32())}
            columns |= IncomeAccounts(known, period).columns(asked)
            if reader is not None:
                reader.read(known)
            tables.append(pa.table(columns).filter(pa.array(there)))
            if isinstance(one, CountyPart):
                places.append(one.numbers[there])
    return pa.concat_tables(tables) if parts is None else _in_order(tables, places, len(parts))


def _in_order(tables: list[pa.Table], places: list[np.ndarray], parts: int) -> pa.Table:
    """Return the tables of parts as those of the whole would be: one moment after another, by household."""
    moments = len(tables) // parts
    moment = [np.full(len(place), i % moments) for i, place in enumerate(places)]
    order = np.lexsort((np.concatenate(places), np.concatenate(moment)))
    return pa.concat_tables(tables).take(pa.array(order))


_FAR = 2**30  # days or months; no day of a real year


@dataclass(frozen=True)
class MemberRows:
    """Rows of members as arrays, those of one household and of one member side by side.

    For counties whose members are neither corrected nor under numbers that links join; of the others the
    engine resolves the rows moment by moment (`riskmodel.households.accounts`), which is also what this is
    tested against.

    Parameters
    ----------
    household, member
        Their positions, and numbers of the members, ascending; equal for versions of one member.
    birth
        Month of birth as an ordinal; long ago where it is not known.
    valid_from, valid_to, known
        Days since 1970; open ends far away.
    """

    household: np.ndarray
    member: np.ndarray
    birth: np.ndarray
    valid_from: np.ndarray
    valid_to: np.ndarray
    known: np.ndarray

    def count(self, known_by: int, days: np.ndarray, households: int) -> np.ndarray:
        """Count members present on a day of each household, each once, as known by a day."""
        day, month = days[self.household], _month_of(days)[self.household]
        present = (self.valid_from <= day) & (day < self.valid_to) & (self.birth <= month)
        return self._by_household(present & (self.known <= known_by), households)

    def changed(self, known_by: int, as_of: int, period_to: np.ndarray, households: int) -> np.ndarray:
        """Return whose members came or left after a month of each household, until as-of."""
        after = period_to[self.household]
        changed = np.zeros(len(self.household), bool)
        for day, month in zip((self.valid_from, self.valid_to), self._months, strict=True):
            changed |= (month > after) & (day <= as_of)
        out = np.zeros(households, bool)
        out[self.household[changed & (self.known <= known_by)]] = True
        return out

    @cached_property
    def _months(self) -> tuple[np.ndarray, np.ndarray]:
        """The months of ``valid_from`` and ``valid_to``, long ago where open."""
        return tuple(  # type: ignore[return-value]  # of two
            np.where(np.abs(days) < _FAR, _month_of(np.where(np.abs(days) < _FAR, days, 0)), -_FAR)
            for days in (self.valid_from, self.valid_to)
        )

    @cached_property
    def _begins(self) -> np.ndarray | None:
        """Where each member begins; None where each has one row."""
        new = np.ones(len(self.member), bool)
        new[1:] = (self.member[1:] != self.member[:-1]) | (self.household[1:] != self.household[:-1])
        return None if new.all() else np.flatnonzero(new)

    def _by_household(self, present: np.ndarray, households: int) -> np.ndarray:
        household = self.household
        if self._begins is not None:
            present = np.logical_or.reduceat(present, self._begins)
            household = household[self._begins]
        return np.bincount(household[present], minlength=households)


def read_members(county: County, records: Records) -> MemberRows | None:
    """Return the members of a county, read once; None where only the engine can resolve their rows."""
    if county.has("household_links") or county.facts.get("corrected.members", False):
        return None
    return county.once("member rows", lambda: _read(county, records))


def _read(county: County, records: Records) -> MemberRows:
    rows = fetch_arrow(county, _rows, numbered=records.numbered)
    columns = {name: np.asarray(rows[name].to_numpy()) for name in rows.column_names}
    order = np.lexsort((columns["member"], columns["household"]))
    return MemberRows(**{name: values[order] for name, values in columns.items()})


def _rows(county: Shape, numbered: ir.Table) -> ir.Table:
    t = county.table("members").inner_join(numbered, "household_id")
    t = t.inner_join(known_since(county), "household_id")
    # A row recorded before its household must not wake it.
    known = ibis.greatest(t.known_on, t.since)
    return t.select(
        household=t.number,
        member=ibis.dense_rank().over(order_by=t.member_id).cast("int32"),
        birth=t.birth_month.fill_null(-_FAR).cast("int32"),
        valid_from=_days(t.valid_from).fill_null(-_FAR).cast("int32"),
        valid_to=_days(t.valid_to).fill_null(_FAR).cast("int32"),
        known=_days(known).cast("int32"),
    )


def _days(day: ir.Value) -> ir.Value:
    return day.delta(ibis.date("1970-01-01"), unit="day")


def _month_of(days: np.ndarray) -> np.ndarray:
    """Return the month ordinals of days since 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1970 * 12


def person_columns(
    members: MemberRows, known_by: int, days: Sequence[np.ndarray], unknown: Sequence[np.ndarray]
) -> list[pa.Array]:
    """Return how many persons there are in each period, null where a record of members is wanting.

    Parameters
    ----------
    members
        As `read_members` returns them.
    known_by
        The day up to which rows may be seen.
    days, unknown
        By period: the day on which persons are counted and whether they are unknown, by household.
    """
    return [
        pa.array(members.count(known_by, day, len(day)).astype(np.int64), mask=mask)
        for day, mask in zip(days, unknown, strict=True)
    ]
