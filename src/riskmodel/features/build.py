"""From a declared feature set to a table: one Ibis expression for all as-of dates, pandas at the edge."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel import accounting, asof
from riskmodel.asof import DateLike, Moment
from riskmodel.county.county import County
from riskmodel.errors import SpecError
from riskmodel.features import derived, events, monthly, people
from riskmodel.features.aggregates import EVENTS, MONTHLY
from riskmodel.features.checks import levels
from riskmodel.features.conditions import holds
from riskmodel.features.declared import Feature, FeatureSet, load

KEY = ["household_id", "as_of"]
ID_COLUMNS = [*KEY, "township", "village"]


def expression(county: County, feature_set: FeatureSet, when: Iterable[Moment]) -> ir.Table:
    """Return the features as an Ibis expression.

    Parameters
    ----------
    county : County
    feature_set : FeatureSet
    when : iterable of Moment
        From `riskmodel.asof.moments`; all in one pass.

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
    t = accounting.build(county, moments)
    by_source = {s: [f for f in feature_set.features if f.source == s] for s in _sources(feature_set)}
    for part in _blocks(county, by_source, moments):
        t = t.left_join(part, KEY).drop("household_id_right", "as_of_right")
    own = [f for f in feature_set.features if f.source not in ("features", "neighbours")]
    t = t.mutate(**{f.id: derived.bounded(f, _finish(f, t, county)) for f in own})
    for wave in levels(feature_set.features):
        made = {f.id: derived.derive(f, t, feature_set.line) for f in wave if f.source == "features"}
        t = t.mutate(**{f.id: derived.bounded(f, made[f.id]) for f in wave if f.id in made})
        around = [f for f in wave if f.source == "neighbours"]
        t = derived.neighbours(around, t) if around else t
    return t.select(*ID_COLUMNS, **{name: t[name].cast("float64") for name in feature_set.names})


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
    table = expression(county, fs, asof.moments(as_of))
    out = county.con.to_pyarrow(table).to_pandas(date_as_object=False, split_blocks=True, self_destruct=True)
    out["as_of"] = out["as_of"].astype("datetime64[s]")
    return out.sort_values(KEY, kind="stable", ignore_index=True)


def _sources(feature_set: FeatureSet) -> list[str]:
    return list(dict.fromkeys(f.source for f in feature_set.features))


def _blocks(county: County, by_source: dict[str, list[Feature]], when: tuple[Moment, ...]) -> list[ir.Table]:
    out = []
    for source, features in by_source.items():
        if source in MONTHLY and county.has(source):
            out.append(monthly.block(county, source, features, when))
            if source == "spending" and county.facts.get("spans.spending", False):
                reach = max(f.lag + (f.window or 0) for f in features)
                out.append(monthly.spans(county, source, when, reach))
        elif source in EVENTS and county.has(source):
            out.append(events.block(county, source, features, when))
        elif source == "assets" and county.has(source):
            out.append(events.assets(county, features, when))
        elif source == "members":
            out.append(people.block(county, features, when))
    return out


def _finish(f: Feature, t: ir.Table, county: County) -> ir.Value:
    if f.source in MONTHLY:
        return monthly.finish(f, t, county)
    if f.source in EVENTS or f.source == "assets":
        return events.finish(f, t, county)
    if f.source == "members":
        return t[f.id]
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
    return value / t.persons.nullif(0) if f.per == "head" else value
