"""Windows over monthly income and spending, for many as-of dates in one pass, from what is on record.

`riskmodel.households.known_records` gives the sums by household, code and month, and the months on record, as
known at each date; here they are laid so that every household's window ends in the same row, some households
at a time, and each feature is made by its aggregate. A window that is not wholly on record has no value, and
a total over several months is never spread over months (data contract, "Coverage").
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import groupby

import numpy as np
import pyarrow as pa

from riskmodel.data import CODE_COLUMN, codes
from riskmodel.features.aggregates import AGGREGATES, MONTHLY, Monthly
from riskmodel.features.declaration import Feature
from riskmodel.features.matrix import FeatureMatrix
from riskmodel.features.windows import YEAR, MonthlyWindow, Recorded, Series, running_counts
from riskmodel.households import (
    RIGID_CATEGORIES,
    AccountingPeriod,
    KnownCounty,
    KnownRecords,
    choose_period,
    holes_in_window,
    known_records,
    reaches_into,
    read_records,
)

# Codes taken together; an empty tuple stands for every code.
SUMMED_CODES: dict[str, dict[str, tuple[str, ...]]] = {
    "income": {"total": ()},
    "spending": {"total": (), "rigid": RIGID_CATEGORIES},
}
# Net business income stands in for gross business income where an office records only that.
EQUIVALENT_CODES = {"business_net": "business"}
# Households whose windows are made at once: what is made of one code's months then stays in the processor's
# own memory, and never takes more than some megabytes.
HOUSEHOLDS_AT_ONCE = 4096
NOWHERE = -(2**30)  # the end of a window that there is not


@cache
def single_codes(table: str) -> tuple[str, ...]:
    """Return the codes of a table by themselves, in contract order."""
    return tuple(c for c in codes(table, CODE_COLUMN[table]) if c not in EQUIVALENT_CODES)


def codes_of(table: str, over: str | None) -> tuple[str, ...]:
    """Return the codes that are added up where one is declared; all of them without one."""
    together = () if over is None else SUMMED_CODES[table].get(over, (over,))
    if not together:
        return tuple(codes(table, CODE_COLUMN[table]))
    return (*together, *(c for c, same in EQUIVALENT_CODES.items() if same in together))


def monthly_way(f: Feature) -> Monthly:
    """Return how a feature's aggregate is made of monthly amounts, as checked declarations are."""
    way = AGGREGATES[f.aggregate].monthly
    assert way is not None, f.aggregate
    return way


def window_reach(features: Sequence[Feature]) -> int:
    """Return how many months back the features look, in whole years."""
    return max(YEAR * -(-_months_back(f) // YEAR) for f in features)


def _months_back(f: Feature) -> int:
    return f.lag + (f.window or 0) + monthly_way(f).before


@dataclass(frozen=True)
class MonthlyFeatures:
    """The features of monthly income and spending, written into a matrix date by date.

    Parameters
    ----------
    features
        Those declared on ``income`` and ``spending``.
    period_months
        Months of the accounting period, with which windows may end.
    matrix
        Where they are written; NaN where there is no value.
    """

    features: Sequence[Feature]
    period_months: int
    matrix: FeatureMatrix

    @property
    def counts_rows(self) -> bool:
        """Whether a feature asks for the number of rows."""
        return any(f.aggregate == "rows" for f in self.features)

    def read(self, records: KnownRecords) -> None:
        """Write the features of one date."""
        rows = self.matrix.rows.date(records.moment)
        ends = window_ends(records, self.features, self.period_months)
        write_features(records, self.features, ends, {f.id: self.matrix[f.id][rows] for f in self.features})

    def read_all(self, known: KnownCounty) -> None:
        """Write the features of all dates."""
        for records in known_records(known.county, known.moments, self.counts_rows):
            self.read(records)


def window_ends(
    records: KnownRecords, features: Sequence[Feature], period_months: int
) -> dict[str, np.ndarray]:
    """Return the month with which windows end, by household, for each way to end that is declared.

    ``last_recorded`` is the end of the household's accounting period; where there is none, or it is further
    behind than the county allows, there is no window (`NOWHERE`).
    """
    ends = {"last_completed": np.full(records.households, records.last_month, np.int64)}
    if any(f.ends == "last_recorded" for f in features):
        period = choose_period(records, AccountingPeriod(months=period_months))
        usable = period.chosen & (period.lag <= records.county.about.max_lag_months)
        ends["last_recorded"] = np.where(usable, period.end, NOWHERE)
    return {name: end for name, end in ends.items() if any(f.ends == name for f in features)}


def write_features(
    records: KnownRecords,
    features: Sequence[Feature],
    ends: dict[str, np.ndarray],
    out: dict[str, np.ndarray],
) -> None:
    """Write the features of every household at one date into arrays of NaN."""
    for table in MONTHLY:
        mine = [f for f in features if f.source == table]
        if not mine or not records.county.has(table):
            continue
        months = RecordedMonths(records, table)
        for start in range(0, records.households, HOUSEHOLDS_AT_ONCE):
            piece = slice(start, min(start + HOUSEHOLDS_AT_ONCE, records.households))
            for way, end in ends.items():
                wanted = [f for f in mine if f.ends == way]
                if wanted:
                    aligned = AlignedMonths(months, piece, end[piece], window_reach(wanted))
                    _write_values(wanted, aligned, {f.id: out[f.id][piece] for f in wanted})
    if not records.places.known.all():
        for values in out.values():
            values[~records.places.known] = np.nan


def _write_values(features: Sequence[Feature], months: AlignedMonths, out: Mapping[str, np.ndarray]) -> None:
    """Write features of some households, those of one code after another: its sums are then at hand."""
    for over, alike in groupby(sorted(features, key=lambda f: f.over or ""), key=lambda f: f.over):
        with np.errstate(invalid="ignore", divide="ignore"):
            for f in alike:
                way, window, target = monthly_way(f), months.window(f), out[f.id]
                target[:] = way.value(window if way.months == "all" else window.known)
                wanting = months.wanting(f, window)
                if wanting is not None:
                    np.copyto(target, np.nan, where=wanting)
        months.drop_windows(over)


@dataclass(frozen=True)
class RecordedMonths:
    """The months of a table that windows may be made of, ``[household, month]``."""

    records: KnownRecords
    table: str

    @cached_property
    def recorded(self) -> np.ndarray:
        """Months on record, without those taken off and those that a total of the table reaches into."""
        records = self.records
        out = records.on.months[self.table] & ~records.months_off(self.table)
        return out & ~records.months_of_totals(self.table) if len(records.totals[self.table]) else out

    @property
    def in_fen(self) -> bool:
        """Whether all amounts are whole fen."""
        return read_records(self.records.county).in_fen[self.table]

    @cached_property
    def items(self) -> dict[str, np.ndarray]:
        """Months that are taken off for one code, by code."""
        named = [item for table, item in self.records.items_off if table == self.table]
        return {item: self.records.months_off(self.table, item) for item in named}


@dataclass(frozen=True)
class AlignedMonths:
    """Some households' months of a table, laid so that each one's window ends in the last row.

    Parameters
    ----------
    of
        The table.
    piece
        The households.
    end
        The last month of the windows of each; `NOWHERE` where it has none.
    reach
        How many months back.
    """

    of: RecordedMonths
    piece: slice
    end: np.ndarray
    reach: int
    _series: dict[str | None, Series] = field(default_factory=dict)
    _windows: dict[Hashable, MonthlyWindow] = field(default_factory=dict)
    _wanting: dict[Hashable, np.ndarray | None] = field(default_factory=dict)

    def window(self, f: Feature) -> MonthlyWindow:
        """Return the window of a feature; those that differ in the aggregate alone share it."""
        key = f.over, f.lag, f.window, f.quantile
        if key not in self._windows:
            stop = self.reach - f.lag
            self._windows[key] = MonthlyWindow(
                self.series, f.over, single_codes(self.of.table), stop - (f.window or 0), stop, f.quantile
            )
        return self._windows[key]

    def drop_windows(self, over: str | None) -> None:
        """Forget what was made of one code, unless others are held against it: the memory is wanted."""
        self._windows.clear()
        if over is not None:
            self._series.pop(over, None)

    def series(self, over: str | None) -> Series:
        """Return the sums of a declared code by month."""
        if over not in self._series:
            self._series[over] = self._make(over)
        return self._series[over]

    def wanting(self, f: Feature, window: MonthlyWindow) -> np.ndarray | None:
        """Return who has no value because of what is not on record; None where everybody has one."""
        way, recorded = monthly_way(f).months, window.series.recorded
        # Windows of codes that no span is taken off of share what is on record.
        key = (recorded, way, window.start, window.stop, f.lag, f.least_months, f.missing)
        if key not in self._wanting:
            mask = self._who_is_wanting(f, way, window)
            self._wanting[key] = mask if mask.any() else None
        return self._wanting[key]

    def _who_is_wanting(self, f: Feature, way: str, window: MonthlyWindow) -> np.ndarray:
        if way == "any":
            return np.asarray(self.end == NOWHERE)
        enough = window.whole if way == "all" else window.months_recorded >= (f.least_months or 1)
        if f.missing == "null_if_no_income":
            enough = enough & (~self.without_income(f) | self.stated)
        return np.asarray(~enough)

    @cached_property
    def stated(self) -> np.ndarray:
        """For whom table ``recorded`` says what is on record, so that no row is no income."""
        return self.of.records.on.stated[self.of.table][self.piece]

    def without_income(self, f: Feature) -> np.ndarray:
        """Return whose window reaches into twelve months without any row.

        Of an aggregate of months on record it is those of them that must hold a row.
        """
        if monthly_way(f).months != "all":
            rows = self.series(None).rows
            window = self.window(f)
            inside = slice(window.start, window.stop)
            return ~((rows[inside] > 0) & window.recorded).any(axis=0)
        out = np.zeros(len(self.end), bool)
        for year in range(f.lag // YEAR, -(-(f.lag + (f.window or 0)) // YEAR)):
            stop = self.reach - YEAR * year
            out |= self._with_row[stop] == self._with_row[stop - YEAR]
        return out

    @cached_property
    def _with_row(self) -> np.ndarray:
        return running_counts(self.series(None).rows > 0)

    @cached_property
    def _recorded(self) -> Recorded:
        return Recorded(self._lay(self.of.recorded[self.piece]))

    def _make(self, over: str | None) -> Series:
        table, panel = self.of.table, self.of.records.panel
        names = codes_of(table, over)
        places = [list(codes(table, CODE_COLUMN[table])).index(c) for c in names]
        amounts = self._lay(*(panel.amounts[table][i, self.piece] for i in places))
        counts = [panel.counts[table][i, self.piece] for i in places]
        recorded = self._recorded
        off = [mask[self.piece] for item, mask in self.of.items.items() if item in names]
        if off:
            recorded = Recorded(recorded.months & ~self._lay(*off))
        return Series(amounts, lambda: self._lay(*counts), recorded, self.of.in_fen)

    def _lay(self, *arrays: np.ndarray) -> np.ndarray:
        """Add up arrays ``[household, month]`` (whether, for truths) into ``[month, household]``."""
        first, months = self.of.records.panel.first, self.of.records.panel.months
        low = self._by_end[0][0] + 1 - self.reach - first if self._by_end else -1
        if len(self._by_end) == 1 and self._by_end[0][1] is None and 0 <= low <= months - self.reach:
            parts = [array[:, low : low + self.reach].T for array in arrays]
            return parts[0] if len(parts) == 1 else _added(parts)
        out = np.zeros((self.reach, len(self.end)), arrays[0].dtype)
        for end, households in self._by_end:
            low = end + 1 - self.reach - first
            inside = slice(max(low, 0), min(max(low + self.reach, 0), months))
            if inside.start >= inside.stop:
                continue
            rows = slice(inside.start - low, inside.stop - low)
            for array in arrays:
                if households is None:
                    out[rows] += array[:, inside].T
                else:
                    out[rows, households] += array[:, inside].T[:, households]
        return out

    @cached_property
    def _by_end(self) -> list[tuple[int, np.ndarray | None]]:
        """The ends that there are, each with its households; none where all have the same."""
        kinds = np.unique(self.end[self.end != NOWHERE])
        if len(kinds) == 1 and (self.end == kinds[0]).all():
            return [(int(kinds[0]), None)]
        return [(int(end), np.flatnonzero(self.end == end)) for end in kinds]


def _added(parts: Sequence[np.ndarray]) -> np.ndarray:
    out = parts[0] + parts[1]
    for part in parts[2:]:
        out += part
    return np.asarray(out)


def missing_reasons(known: KnownCounty, features: Sequence[Feature], period_months: int) -> pa.Table:
    """Return why a monthly feature would have no value, one word by household, date and feature.

    ``needs_monthly`` where a total stands for months; then the ``why`` of what was taken off record and the
    contract's words for months that are not on it; ``no_income`` where all are, and null where nothing is
    wanting. Parameters as for `monthly_features`.
    """
    ids = read_records(known.county).ids
    parts = []
    for records in known_records(known.county, known.moments):
        ends = window_ends(records, features, period_months)
        columns = {"household_id": ids, "as_of": pa.array([records.moment.as_of] * len(ids), pa.date32())}
        columns |= {f.id: _first_that_holds(_window_reasons(records, f, ends[f.ends])) for f in features}
        parts.append(pa.table(columns).filter(pa.array(records.places.known)))
    return pa.concat_tables(parts)


def _window_reasons(records: KnownRecords, f: Feature, end: np.ndarray) -> dict[str, np.ndarray]:
    """Return for whom each reason holds, in the order in which they are given."""
    n, table, off = records.households, f.source, records.off
    there = end != NOWHERE
    last = np.where(there, end, records.last_month) - f.lag
    start, stop = last - (f.window or 0) + 1, last + 1
    holes = holes_in_window(records, (table,), start, stop)
    wanting = np.logical_or.reduce(list(holes.values()))
    with_totals, touched = np.zeros(n, bool), np.zeros(n, bool)
    for name in dict.fromkeys(("income", table)):
        with_totals[records.totals[name].household] = True
    rows = records.totals[table]
    touching = (rows.month_from < stop[rows.household]) & (rows.month_to >= start[rows.household])
    touched[rows.household[touching]] = True
    out = {"needs_monthly": touched | (with_totals & wanting)}
    items = ("", *codes_of(table, f.over))
    for why in sorted(set(off.why)):
        mine = off.where((off.of == table) & (off.why == why) & np.isin(off.item, items))
        out[str(why)] = reaches_into(mine, start, stop, n)
    out |= holes
    out["not_yet_recorded"] = out["not_yet_recorded"] | ~there
    nothing = f.missing == "null_if_no_income"
    return out | {"no_income": np.full(n, nothing) & ~wanting}


def _first_that_holds(reasons: dict[str, np.ndarray]) -> pa.Array:
    first = np.full(len(next(iter(reasons.values()))), len(reasons))
    for i, mask in reversed(list(enumerate(reasons.values()))):
        first[mask] = i
    return pa.array([*reasons, None], pa.string()).take(pa.array(first))
