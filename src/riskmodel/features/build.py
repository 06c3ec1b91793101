"""From a declared feature set to a table: one Ibis expression for all as-of dates, pandas at the edge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel.data import County
from riskmodel.errors import SpecError
from riskmodel.features import derived, events, monthly, observations, people
from riskmodel.features.aggregates import AGGREGATES, EVENTS, MADE, MONTHLY, OBSERVED
from riskmodel.features.conditions import holds
from riskmodel.features.declaration import Feature, FeatureSet
from riskmodel.features.library import levels, load
from riskmodel.features.lines import line_of
from riskmodel.features.storage import Nowhere, stored, taken_out
from riskmodel.households import DateLike, Moment, Period, accounts, point_in_time
from riskmodel.rules import RelativeLine

KEY = ["household_id", "as_of"]
ID_COLUMNS = [*KEY, "township", "village"]
_LATER = ("features", "neighbours")


def expression(
    county: County, feature_set: FeatureSet, when: Iterable[Moment], storage: Nowhere | None = None
) -> ir.Table:
    """Return the features as an Ibis expression.

    Parameters
    ----------
    county : County
    feature_set : FeatureSet
    when : iterable of Moment
        From `riskmodel.households.point_in_time.moments`; all in one pass.
    storage : optional
        Where `build` keeps intermediate tables, so that the engine plans small queries and gives their
        memory back. By default nothing is kept.

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
    storage = storage or Nowhere()
    base = accounts.build(county, moments, Period(months=feature_set.period_months))
    relative = isinstance(feature_set.line, RelativeLine)
    if relative:
        line = storage.keep(line_of(feature_set, base))
        base = base.left_join(line, "as_of", rname="{name}_of_line").drop("as_of_of_line")
    t = base
    for i, part in enumerate(_blocks(county, feature_set, moments, storage)):
        # Joins stay one chain: a select in between would write every column out again.
        t = t.left_join(part, KEY, rname=f"{{name}}_{i}")
    made = {f.id: _finish(f, t, county) for f in feature_set.features if f.source not in _LATER}
    bounded = {f.id: derived.bounded(f, made[f.id]) for f in feature_set.features if f.id in made}
    t = storage.only(t.select(*ID_COLUMNS, **_carried(feature_set, base, t), **bounded))
    for wave in levels(feature_set.features):
        if wave[0].source == "neighbours":
            t = derived.neighbours(wave, t, storage)
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
    when = point_in_time.moments(as_of)
    with stored(county) as storage:
        table = storage.only(expression(county, fs, when, storage))
        return taken_out(county.con, table, fs, [m.as_of for m in when])


def _blocks(
    county: County, feature_set: FeatureSet, when: tuple[Moment, ...], storage: Nowhere
) -> Iterator[ir.Table]:
    """Give the tables of features of each source, kept one by one, their columns marked as made."""
    for source in dict.fromkeys(f.source for f in feature_set.features):
        features = [f for f in feature_set.features if f.source == source]
        if source in MONTHLY and county.has(source):
            pieces = storage.pieces(county, source)
            made = [storage.keep(_marked(monthly.block(county, source, features, when, p))) for p in pieces]
            yield reduce(lambda a, b: a.union(b), made)
            if county.facts.get(f"spans.{source}", False) and source == "spending":
                reach = max(f.lag + (f.window or 0) for f in features)
                yield storage.keep(_marked(monthly.totals(county, source, when, reach)))
        elif (block := _block(county, feature_set, source, features, when)) is not None:
            yield storage.keep(_marked(block))


def _marked(block: ir.Table) -> ir.Table:
    return block.rename({f"{MADE}{c}": c for c in block.columns if c not in KEY})


def _block(
    county: County, feature_set: FeatureSet, source: str, features: list[Feature], when: tuple[Moment, ...]
) -> ir.Table | None:
    if source == "members":
        return people.block(county, features, when)
    if source == "accounts":
        return observations.accounts(county, feature_set, features, when)
    if not county.has(source):
        return None
    if source in EVENTS:
        return events.block(county, source, features, when)
    if source == "assets":
        return events.assets(county, features, when)
    return observations.indicators(county, features, when) if source == "indicators" else None


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
    value = t[column]
    if "where" in AGGREGATES[f.aggregate].needs:
        value = ibis.ifelse(value.isnull(), ibis.null("int32"), holds(t, f.where).cast("int32"))
    value = AGGREGATES[f.aggregate].accounting(value, t)  # type: ignore[misc]  # declarations are checked
    return derived.per_unit(f, value, t)
