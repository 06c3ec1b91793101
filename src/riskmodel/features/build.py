"""From a declared feature set to a table: all as-of dates in one pass, pandas at the edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel.data import County, Shape
from riskmodel.errors import SpecError
from riskmodel.features import derived, events, monthly, observations, people
from riskmodel.features.aggregates import AGGREGATES, EVENTS, MADE, MONTHLY, OBSERVED
from riskmodel.features.conditions import holds
from riskmodel.features.declaration import Feature, FeatureSet
from riskmodel.features.library import levels, load
from riskmodel.features.lines import line_of
from riskmodel.features.storage import Stored, stored, taken_out
from riskmodel.households import DateLike, Moment, Period, accounts, point_in_time
from riskmodel.rules import RelativeLine

KEY = ["household_id", "as_of"]
ID_COLUMNS = [*KEY, "township", "village"]
_LATER = ("features", "neighbours")


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
        table = _features(county, fs, when, storage)
        return taken_out(county, table, fs, [m.as_of for m in when])


def _features(county: County, feature_set: FeatureSet, when: tuple[Moment, ...], storage: Stored) -> ir.Table:
    """Store the features of all as-of dates: what sources give, joined; then features made of features."""
    base = accounts.build(county, when, Period(months=feature_set.period_months))
    line = storage.keep(_relative_line, feature_set.line, base=base) if _is_relative(feature_set) else None
    blocks = dict(_blocks(county, feature_set, when, storage))
    parts = tuple(blocks)
    pieces = {_piece(part, k): t for part, tables in blocks.items() for k, t in enumerate(tables)}
    counts = tuple(len(blocks[part]) for part in parts)
    t = storage.only(_joined, feature_set, parts, counts, base=base, line=line, **pieces)
    around: dict[str, ir.Table] = {}
    for number, wave in enumerate(levels(feature_set.features)):
        for by in _places(wave):
            # What an earlier wave made is computed anew, not stored: it is cheap beside the sums.
            around[_around(number, by)] = storage.keep(_sums, feature_set, number, by, t=t, **around)
    return storage.only(_finished, feature_set, t=t, **around)


def _is_relative(feature_set: FeatureSet) -> bool:
    return isinstance(feature_set.line, RelativeLine)


def _relative_line(county: Shape, line: RelativeLine, base: ir.Table) -> ir.Table:
    return line_of(line, base)


def _piece(part: str, number: int) -> str:
    return f"{part}_{number}"


def _around(wave: int, by: str) -> str:
    return f"around_{wave}_{by}"


def _places(wave: list[Feature]) -> list[str]:
    """Return the kinds of places, if any, whose sums a wave needs."""
    return [by for by in derived.PLACES if any(f.source == "neighbours" and f.by == by for f in wave)]


def _joined(
    county: Shape,
    feature_set: FeatureSet,
    parts: tuple[str, ...],
    counts: tuple[int, ...],
    base: ir.Table,
    line: ir.Table | None,
    **pieces: ir.Table,
) -> ir.Table:
    """Join the tables of all sources to the accounts and apply the declared rules for missing values."""
    if line is not None:
        base = base.left_join(line, "as_of", rname="{name}_of_line").drop("as_of_of_line")
    t = base
    for i, (part, count) in enumerate(zip(parts, counts, strict=True)):
        block = reduce(lambda a, b: a.union(b), (pieces[_piece(part, k)] for k in range(count)))
        # Joins stay one chain: a select in between would write every column out again.
        t = t.left_join(block, KEY, rname=f"{{name}}_{i}")
    made = {f.id: _finish(f, t, county) for f in feature_set.features if f.source not in _LATER}
    bounded = {f.id: derived.bounded(f, made[f.id]) for f in feature_set.features if f.id in made}
    return t.select(*ID_COLUMNS, **_carried(feature_set, base, t), **bounded)


def _derived(feature_set: FeatureSet, t: ir.Table, around: Mapping[str, ir.Table], waves: int) -> ir.Table:
    """Add the features of the first waves of features made of features."""
    for number, wave in enumerate(levels(feature_set.features)[:waves]):
        if wave[0].source == "neighbours":
            t = derived.neighbours(wave, t, {by: around[_around(number, by)] for by in _places(wave)})
        else:
            line = t[derived.carried("accounting.line")] if _is_relative(feature_set) else feature_set.line
            made = {f.id: derived.derive(f, t, line) for f in wave}
            t = t.mutate(**{f.id: derived.bounded(f, made[f.id]) for f in wave})
    return t


def _sums(
    county: Shape, feature_set: FeatureSet, wave: int, by: str, t: ir.Table, **around: ir.Table
) -> ir.Table:
    features = levels(feature_set.features)[wave]
    return derived.sums_by_place(features, by, _derived(feature_set, t, around, wave))


def _finished(county: Shape, feature_set: FeatureSet, t: ir.Table, **around: ir.Table) -> ir.Table:
    t = _derived(feature_set, t, around, len(feature_set.features))
    return t.select(*ID_COLUMNS, **{name: t[name].cast("float64") for name in feature_set.names})


def _blocks(
    county: County, feature_set: FeatureSet, when: tuple[Moment, ...], storage: Stored
) -> Iterator[tuple[str, list[ir.Table]]]:
    """Give the stored tables of features of each source, in pieces, their columns marked as made."""
    clock = point_in_time.clock(when)
    for source in dict.fromkeys(f.source for f in feature_set.features):
        features = tuple(f for f in feature_set.features if f.source == source)
        if source == "members":
            yield source, [storage.keep(_block, people.block, features, clock=clock)]
        elif source == "accounts":
            ends = observations.ends(county, features, when)
            quantities = accounts.build(county, ends, Period(months=feature_set.period_months))
            windows = observations.window_starts(features, when)
            what = (observations.accounts, feature_set.line, features)
            yield source, [storage.keep(_block, *what, quantities=quantities, windows=windows)]
        elif county.has(source):
            yield from _recorded(county, source, features, when, storage)


def _recorded(
    county: County, source: str, features: tuple[Feature, ...], when: tuple[Moment, ...], storage: Stored
) -> Iterator[tuple[str, list[ir.Table]]]:
    """Give the stored tables of features of one table of the county."""
    clock = point_in_time.clock(when)
    if source in MONTHLY:
        dates = monthly.dates(county, source, features, when)
        what = (monthly.block, source, features)
        yield source, [storage.keep(_block, *what, p, **dates) for p in storage.pieces(source)]
        if county.facts.get(f"spans.{source}", False) and source == "spending":
            reach = max(f.lag + (f.window or 0) for f in features)
            yield f"{source}_totals", [storage.keep(_block, monthly.totals, source, reach, clock=clock)]
    elif source in EVENTS:
        windows = events.window_starts(features, when)
        yield source, [storage.keep(_block, events.block, source, features, clock=clock, windows=windows)]
    elif source == "assets":
        yield source, [storage.keep(_block, events.assets, features, clock=clock)]
    elif source == "indicators":
        windows = observations.window_starts(features, when)
        yield source, [storage.keep(_block, observations.indicators, features, clock=clock, windows=windows)]


def _block(
    county: Shape, source: Callable[..., ir.Table], *arguments: object, **inputs: ir.Table
) -> ir.Table:
    """Return the table of features of one source, its columns marked as made."""
    block = source(county, *arguments, **inputs)
    return block.rename({f"{MADE}{c}": c for c in block.columns if c not in KEY})


def _finish(f: Feature, t: ir.Table, county: Shape) -> ir.Value:
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
