"""From a declared feature set to a table: one Ibis expression for all as-of dates, pandas at the edge."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel import accounting, asof
from riskmodel.accounting import Period
from riskmodel.asof import DateLike, Moment
from riskmodel.county.county import County
from riskmodel.errors import SpecError
from riskmodel.features import derived, events, monthly, observations, people
from riskmodel.features.aggregates import EVENTS, MADE, MONTHLY, OBSERVED
from riskmodel.features.checks import levels
from riskmodel.features.conditions import holds
from riskmodel.features.declared import Feature, FeatureSet
from riskmodel.features.families import load
from riskmodel.features.lines import line_of
from riskmodel.rules.parameters import RelativeLine

KEY = ["household_id", "as_of"]
ID_COLUMNS = [*KEY, "township", "village"]
_LATER = ("features", "neighbours")
Stage = Callable[[ir.Table], ir.Table]


def as_it_is(table: ir.Table) -> ir.Table:
    """Return the table unstored."""
    return table


def expression(
    county: County, feature_set: FeatureSet, when: Iterable[Moment], stage: Stage = as_it_is
) -> ir.Table:
    """Return the features as an Ibis expression.

    Parameters
    ----------
    county : County
    feature_set : FeatureSet
    when : iterable of Moment
        From `riskmodel.asof.moments`; all in one pass.
    stage : callable
        Takes a table and returns an equal one; `build` stores intermediate tables here, so that the engine
        plans small queries and frees each one's memory. By default nothing is stored.

    Returns
    -------
    ibis.Table
        One row per household known at each moment: ``household_id, as_of, township, village``, then the
        features as float64, null where missing. Rows are in no order.

    Raises
    ------
    SpecError
        If the set names an accounting quantity that there is not.
    """
    moments = tuple(when)
    base = stage(accounting.build(county, moments, Period(months=feature_set.period_months)))
    relative = isinstance(feature_set.line, RelativeLine)
    if relative:
        line = stage(line_of(feature_set, base))
        base = base.left_join(line, "as_of", rname="{name}_of_line").drop("as_of_of_line")
    by_source = {s: [f for f in feature_set.features if f.source == s] for s in _sources(feature_set)}
    t = base
    for i, part in enumerate(_blocks(county, feature_set, by_source, moments)):
        # Joins stay one chain: a select in between would write every column out again.
        part = part.rename({f"{MADE}{c}": c for c in part.columns if c not in KEY})
        t = t.left_join(stage(part), KEY, rname=f"{{name}}_{i}")
    made = {f.id: _finish(f, t, county) for f in feature_set.features if f.source not in _LATER}
    bounded = {f.id: derived.bounded(f, made[f.id]) for f in feature_set.features if f.id in made}
    t = stage(t.select(*ID_COLUMNS, **_carried(feature_set, base, t), **bounded))
    for wave in levels(feature_set.features):
        if wave[0].source == "neighbours":
            t = derived.neighbours(wave, t, stage)
        else:
            at = t[derived.carried("accounting.line")] if relative else feature_set.line
            made = {f.id: derived.derive(f, t, at) for f in wave}
            t = t.mutate(**{f.id: derived.bounded(f, made[f.id]) for f in wave})
    return t.select(*ID_COLUMNS, **{name: t[name].cast("float64") for name in feature_set.names})


def _carried(feature_set: FeatureSet, base: ir.Table, t: ir.Table) -> dict[str, ir.Value]:
    """Return the accounting quantities that derived features name."""
    refs = {r for f in feature_set.features for r in f.of if r.startswith(derived.ACCOUNTING)}
    refs |= {"accounting.persons"} if any(f.aggregate == "per_head" for f in feature_set.features) else set()
    refs |= {"accounting.line"} if "line" in base.columns else set()
    out = {}
    for ref in sorted(refs):
        name = ref.removeprefix(derived.ACCOUNTING)
        if name not in base.columns:
            raise SpecError(f"{ref!r} is no accounting quantity; there are: {', '.join(base.columns)}")
        out[derived.carried(ref)] = t[name]
    return out


def build(
    county: County,
    feature_set: FeatureSet | str | Path,
    as_of: DateLike | Moment | Iterable[DateLike] | Iterable[Moment],
) -> pd.DataFrame:
    """Compute a feature set for one or many as-of dates.

    Parameters
    ----------
    county : County
    feature_set : FeatureSet, id or path
    as_of : date, or several

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
    fs = feature_set if isinstance(feature_set, FeatureSet) else load(feature_set)
    with _stored(county) as stage:
        table = expression(county, fs, asof.moments(as_of), stage).order_by(KEY)
        out = county.con.to_pyarrow(table).to_pandas(
            date_as_object=False, split_blocks=True, self_destruct=True
        )
    out["as_of"] = out["as_of"].astype("datetime64[s]")
    return out


@contextmanager
def _stored(county: County) -> Iterator[Stage]:
    """Give a stage that stores tables in the county's DuckDB for as long as the context lasts."""
    names: list[str] = []

    def stage(table: ir.Table) -> ir.Table:
        names.append(f"features_{uuid.uuid4().hex}")
        return county.con.create_table(names[-1], table, temp=True)

    try:
        yield stage
    finally:
        for name in names:
            county.con.drop_table(name, force=True)


def _sources(feature_set: FeatureSet) -> list[str]:
    return list(dict.fromkeys(f.source for f in feature_set.features))


def _blocks(
    county: County, feature_set: FeatureSet, by_source: dict[str, list[Feature]], when: tuple[Moment, ...]
) -> list[ir.Table]:
    out = []
    for source, features in by_source.items():
        if source in MONTHLY and county.has(source):
            out.append(monthly.block(county, source, features, when))
            if source == "spending" and county.facts.get("spans.spending", False):
                reach = max(f.lag + (f.window or 0) for f in features)
                out.append(monthly.totals(county, source, when, reach))
        elif source in EVENTS and county.has(source):
            out.append(events.block(county, source, features, when))
        elif source == "assets" and county.has(source):
            out.append(events.assets(county, features, when))
        elif source == "members":
            out.append(people.block(county, features, when))
        elif source == "accounts":
            out.append(observations.accounts(county, feature_set, features, when))
        elif source == "indicators" and county.has(source):
            out.append(observations.indicators(county, features, when))
    return out


def _finish(f: Feature, t: ir.Table, county: County) -> ir.Value:
    if f.source in MONTHLY:
        return monthly.finish(f, t, county)
    if f.source in EVENTS or f.source == "assets":
        return events.finish(f, t, county)
    if f.source in OBSERVED:
        return observations.finish(f, t, county)
    if f.source == "members":
        return t[f"{MADE}{f.id}"]
    return _accounting(f, t)


def _accounting(f: Feature, t: ir.Table) -> ir.Value:
    column = f.column or next(iter(f.where))
    if column not in t.columns:
        raise SpecError(
            f"feature {f.id}: column: {column!r} is no accounting quantity; there are: {', '.join(t.columns)}"
        )
    if f.aggregate == "equals":
        known = ibis.ifelse(t[column].isnull(), ibis.null("int32"), holds(t, f.where).cast("int32"))
        return known.cast("float64")
    value = derived.as_float(t[column])
    if f.aggregate == "years_since":
        value = t.as_of.year() - value
    elif f.aggregate == "months_since":
        value = t.as_of_month - value
    return derived.per_unit(f, value, t)
