"""From a declared feature set to a matrix: all as-of dates in one pass, a frame at the edge.

Monthly windows are made of arrays and written into the matrix date by date; the engine answers what is made
of rows of other tables and of features, and gives columns that are put in their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data import County, Shape, fetch_arrow
from riskmodel.errors import SpecError
from riskmodel.features import derived, monthly, records
from riskmodel.features.aggregates import AGGREGATES, EVENTS, MONTHLY, as_float, named
from riskmodel.features.declaration import Feature, FeatureSet
from riskmodel.features.derived import line_of
from riskmodel.features.library import dependency_levels, load_feature_set
from riskmodel.features.matrix import ID_COLUMNS, KEY, ROW, FeatureMatrix, MatrixRows
from riskmodel.features.records import conditions_hold
from riskmodel.households import (
    HOUSEHOLD_STATES,
    AccountingPeriod,
    AsOf,
    KnownCounty,
    known_county,
    read_records,
)
from riskmodel.rules import RelativeLine

_LATER = ("features", "neighbours")
_PERSONS, _NET_INCOME, _LINE = "_persons", "_net_income", "_line"
_DIVISORS = {"head": _PERSONS, "income": _NET_INCOME}


def build_features(
    county: County | KnownCounty,
    feature_set: FeatureSet | str | Path,
    as_of: AsOf | None = None,
) -> pd.DataFrame:
    """Compute a feature set for one or many as-of dates.

    Parameters
    ----------
    county
        The checked tables, or a `riskmodel.households.KnownCounty`, which carries its own dates.
    feature_set
        A packaged id such as ``household-v1``, the path of a YAML, or a loaded set.
    as_of
        Date, ISO text, `riskmodel.households.Moment`, or several: the days whose features are wanted, each
        by what was known then.

    Returns
    -------
    DataFrame
        One row per household and as-of, sorted by both: ``household_id, as_of, township, village``, then
        the features as float64 with NaN for missing.

    Raises
    ------
    SpecError
        If the declaration is wrong.
    UsageError
        If there is no such set or a date is none.
    """
    fs = feature_set if isinstance(feature_set, FeatureSet) else load_feature_set(feature_set)
    return _filled(known_county(county, as_of), fs).matrix.frame()


def build_features_at_lines(
    county: County | KnownCounty,
    feature_set: FeatureSet,
    factors: Sequence[float],
    as_of: AsOf | None = None,
) -> tuple[pd.DataFrame, dict[float, pd.DataFrame]]:
    """Compute a feature set, and those of its features that hold the line as other lines would have them.

    Parameters
    ----------
    county, as_of
        As in `build_features`.
    feature_set
        A loaded set.
    factors
        Other lines, as multiples of the set's own.

    Returns
    -------
    frame
        As `build_features` returns it.
    at_lines
        Factor to `line_features` of the same rows, as a whole build of `FeatureSet.at_line` has them.

    Raises
    ------
    SpecError
        If a feature is the line itself.
    """
    built = _filled(known_county(county, as_of), feature_set)
    names = list(line_features(feature_set))
    own = {name: built.matrix[name].copy() for name in names} if factors else {}
    at_lines = {}
    for factor in factors:
        built.measure_from(factor)
        columns = {name: built.matrix.rows.by_household(built.matrix[name]) for name in names}
        at_lines[factor] = pd.DataFrame(columns)
    for name, values in own.items():
        built.matrix[name][:] = values
    return built.matrix.frame(), at_lines


def _filled(known: KnownCounty, feature_set: FeatureSet) -> _FeatureBuild:
    """Return a set that was computed whole."""
    there = fetch_arrow(known, _households)
    rows = MatrixRows(read_records(known.county).ids, known.moments, there)
    matrix = FeatureMatrix(feature_set.names, rows)
    for f in feature_set.features:
        if f.intermediate and f.source not in _LATER:
            matrix.add_quantity(f.id)
    built = _FeatureBuild(known, feature_set, matrix)
    built.fill()
    return built


def _households(county: Shape) -> ir.Table:
    return county.rows(HOUSEHOLD_STATES).select(*ID_COLUMNS)


@dataclass(frozen=True)
class _FeatureBuild:
    """The filling of one matrix, source by source; then features made of features."""

    known: KnownCounty
    feature_set: FeatureSet
    matrix: FeatureMatrix

    @property
    def period(self) -> AccountingPeriod:
        """The accounting period that the set declares."""
        return AccountingPeriod(months=self.feature_set.period_months)

    def of(self, *sources: str) -> tuple[Feature, ...]:
        """Return the features of some sources."""
        return tuple(f for f in self.feature_set.features if f.source in sources)

    def fill(self) -> None:
        """Make every feature."""
        by_month = [f for f in self.of(*MONTHLY) if self.known.has(f.source)]
        self._leave_empty(f for f in self.of(*MONTHLY) if not self.known.has(f.source))
        self._accounts(monthly.MonthlyFeatures(by_month, self.period.months, self.matrix))
        for f in by_month:
            self._finish(f)
        for source in dict.fromkeys(f.source for f in self.feature_set.features):
            if source not in (*MONTHLY, *_LATER, "accounting"):
                self._records(source, self.of(source))
        self._derived()

    def measure_from(self, factor: float) -> None:
        """Make those features anew that hold the line, from a line so many times the set's own."""
        moved = replace(self, feature_set=self.feature_set.at_line(factor))
        for f in self.of("accounting"):
            if f.column == "line" or "line" in f.where:
                raise SpecError(f"feature {f.id} is the line itself: nothing can be asked at another one")
        if any(records.line_move(f) is not None for f in self.of("accounts")):
            moved._records("accounts", moved.of("accounts"))
        if _LINE in self.matrix:
            own = self.matrix[_LINE].copy()
            self.matrix[_LINE][:] = own * factor
            moved._derived()
            self.matrix[_LINE][:] = own
        else:
            moved._derived()

    def _accounts(self, by_month: monthly.MonthlyFeatures) -> None:
        """Write what accounts say, as far as anything asks; and windows of the same records beside them."""
        quantities = _quantities(self.feature_set)
        reader = by_month if by_month.features else None
        if self.of("accounting") or set(quantities) - {_PERSONS}:
            base = self.known.accounts(self.period, reader)
        elif quantities:
            base = self.known.persons(self.period, reader)
        else:
            if reader is not None:
                reader.read_all(self.known)
            return
        line = self.feature_set.line
        lines = fetch_arrow(self.known, _line_by_date, line, base=base) if _is_relative(line) else None
        for name in quantities:
            self.matrix.add_quantity(name)
        table = fetch_arrow(self.known, _of_accounts, self.feature_set, quantities, base=base, line=lines)
        self.matrix.put(table, {})

    def _records(self, source: str, features: tuple[Feature, ...]) -> None:
        """Write the features of one source of rows, members or observations."""
        table = self._table_of(source, features)
        if table is None:  # the county lacks it
            self._leave_empty(features)
            return
        zero = [f.id for f in features if source in (*EVENTS, "assets") and records.is_zero_without_row(f)]
        self.matrix.put(table, dict.fromkeys(zero, 0.0))
        for f in features:
            self._finish(f)

    def _table_of(self, source: str, features: tuple[Feature, ...]) -> pa.Table | None:
        known = self.known
        if source == "members":
            return fetch_arrow(known, records.member_features, features)
        if source == "accounts":
            ends = records.known_at_account_ends(known, features)
            windows = records.observation_windows(features, known.moments)
            inputs = {"quantities": ends.accounts(self.period), "windows": windows}
            return fetch_arrow(known, records.account_features, self.feature_set.line, features, **inputs)
        if not known.has(source):
            return None
        if source in EVENTS:
            windows = records.window_starts(features, known.moments)
            return fetch_arrow(known, records.dated_features, source, features, windows=windows)
        if source == "assets":
            return fetch_arrow(known, records.asset_features, features)
        windows = records.observation_windows(features, known.moments)
        return fetch_arrow(known, records.indicator_features, features, windows=windows)

    def _leave_empty(self, features: Iterable[Feature]) -> None:
        for f in features:
            self.matrix[f.id].fill(0.0 if self._within_net_income(f) else np.nan)

    def _within_net_income(self, f: Feature) -> bool:
        """Say whether a feature counts production costs where incomes were recorded net of them."""
        net = self.known.county.about.income_is_net and f.over == "production"
        return net and monthly.monthly_way(f).of_nothing == 0

    def _finish(self, f: Feature) -> None:
        """Divide a feature as declared, NaN where there is nobody or no income, and clip it to its bounds."""
        values = self.matrix[f.id]
        if f.per is not None:
            by = self.matrix[_DIVISORS[f.per]]
            values /= np.where(by != 0 if f.per == "head" else by > 0, by, np.nan)
        if f.at_most is not None:
            values[values > f.at_most] = f.at_most
        if f.at_least is not None:
            values[values < f.at_least] = f.at_least

    def _derived(self) -> None:
        """Make the features that are made of features; the engine reads what they stand on, and no more."""
        later = self.of(*_LATER)
        if not later:
            return
        feature_set, made = self.feature_set, {f.id for f in later}
        refs = [derived.carried_column(ref) for f in later for ref in f.of if ref not in made]
        beside = [name for name in _quantities(feature_set) if name not in refs]
        t = self.matrix.inputs([*dict.fromkeys(refs), *beside])
        around: dict[str, pa.Table] = {}
        for number, wave in enumerate(dependency_levels(feature_set.features)):
            for by in _places(wave):
                # What an earlier wave made is computed anew, not stored: it is cheap beside the sums.
                around[_around(number, by)] = fetch_arrow(
                    self.known, _sums, feature_set, number, by, t=t, **around
                )
        self.matrix.write_rows(fetch_arrow(self.known, _finished, feature_set, t=t, **around))


def line_features(feature_set: FeatureSet) -> dict[str, int]:
    """Return the features that hold the line, and how they move as it rises, by their declaration.

    Parameters
    ----------
    feature_set
        The set.

    Returns
    -------
    dict
        In column order, feature to −1 (it falls), +1 (it rises) or 0 (it depends, or a part of it moves
        against another); empty where no feature is measured from the line.
    """
    of_accounts = {f.id: records.line_move(f) for f in feature_set.features if f.source == "accounts"}
    moves = {name: move for name, move in of_accounts.items() if move is not None}
    for wave in dependency_levels(feature_set.features):
        for f in wave:
            aggregate = AGGREGATES[f.aggregate]
            parts = {moves[ref] for ref in f.of if ref in moves}
            if aggregate.line is not None:
                moves[f.id] = aggregate.line
            elif "accounting.line" in f.of:
                moves[f.id] = 0
            elif parts:
                moves[f.id] = parts.pop() if aggregate.keeps_order and len(parts) == 1 else 0
    return {name: moves[name] for name in feature_set.names if name in moves}


def _is_relative(line: float | RelativeLine) -> bool:
    return isinstance(line, RelativeLine)


def _quantities(feature_set: FeatureSet) -> tuple[str, ...]:
    """Return the accounting quantities that other features name or are divided by, as columns."""
    fs = feature_set.features
    refs = {ref for f in fs for ref in f.of if ref.startswith(derived.ACCOUNTING)}
    refs |= {"accounting.persons"} if any(f.aggregate == "per_head" for f in fs) else set()
    refs |= {"accounting.line"} if _is_relative(feature_set.line) else set()
    divided = {_DIVISORS[f.per] for f in fs if f.per is not None and f.source != "accounting"}
    return tuple(sorted({derived.carried_column(ref) for ref in refs} | divided))


def _line_by_date(county: Shape, line: RelativeLine, base: ir.Table) -> ir.Table:
    return line_of(line, base)


def _of_accounts(
    county: Shape, feature_set: FeatureSet, quantities: tuple[str, ...], base: ir.Table, line: ir.Table | None
) -> ir.Table:
    """Return the features of the accounts and the quantities that others are made of."""
    t = base if line is None else base.left_join(line, "as_of", rname="{name}_of_line").drop("as_of_of_line")
    out: dict[str, ir.Value] = {}
    for column in quantities:
        name = column.removeprefix("_")
        if name not in t.columns:
            ref = f"{derived.ACCOUNTING}{name}"
            raise SpecError(f"{ref!r} is no accounting quantity; there are: {', '.join(base.columns)}")
        out[column] = as_float(t[name])
    for f in feature_set.features:
        if f.source == "accounting":
            out[f.id] = derived.clip_to_bounds(f, _accounting(f, t)).cast("float64")
    return t.select(*KEY, *named(out))


def _around(wave: int, by: str) -> str:
    return f"around_{wave}_{by}"


def _places(wave: list[Feature]) -> list[str]:
    """Return the kinds of places, if any, whose sums a wave needs."""
    return [by for by in derived.PLACES if any(f.source == "neighbours" and f.by == by for f in wave)]


def _made_of_features(
    feature_set: FeatureSet, t: ir.Table, around: Mapping[str, ir.Table], waves: int
) -> ir.Table:
    """Add the features of the first waves of features made of features."""
    for number, wave in enumerate(dependency_levels(feature_set.features)[:waves]):
        if wave[0].source == "neighbours":
            t = derived.neighbour_features(wave, t, {by: around[_around(number, by)] for by in _places(wave)})
        else:
            line = t[_LINE] if _is_relative(feature_set.line) else feature_set.line
            values = {f.id: derived.derived_value(f, t, line) for f in wave}
            t = t.mutate(*named({f.id: derived.clip_to_bounds(f, values[f.id]) for f in wave}))
    return t


def _sums(
    county: Shape, feature_set: FeatureSet, wave: int, by: str, t: ir.Table, **around: ir.Table
) -> ir.Table:
    features = dependency_levels(feature_set.features)[wave]
    return derived.sums_by_place(features, by, _made_of_features(feature_set, t, around, wave))


def _finished(county: Shape, feature_set: FeatureSet, t: ir.Table, **around: ir.Table) -> ir.Table:
    t = _made_of_features(feature_set, t, around, len(feature_set.features))
    names = [f.id for f in feature_set.features if f.source in _LATER and not f.intermediate]
    return t.select(ROW, *named({name: t[name].cast("float64") for name in names}))


def _accounting(f: Feature, t: ir.Table) -> ir.Value:
    column = f.column or next(iter(f.where))
    if column not in t.columns:
        raise SpecError(
            f"feature {f.id}: column: {column!r} is no accounting quantity; there are: {', '.join(t.columns)}"
        )
    value = t[column]
    if "where" in AGGREGATES[f.aggregate].needs:
        value = ibis.ifelse(value.isnull(), ibis.null("int32"), conditions_hold(t, f.where).cast("int32"))
    value = AGGREGATES[f.aggregate].accounting(value, t)  # type: ignore[misc]  # declarations are checked
    return derived.per_unit(f, value, t)
