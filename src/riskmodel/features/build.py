"""From a declared feature set to a table: all as-of dates in one pass, pandas at the edge.

Where intermediate tables are kept while a feature set is built, and how the result is taken out.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data import County, Shape, fetch_arrow, fetch_frame, rows_table, store_query
from riskmodel.errors import SpecError
from riskmodel.features import derived, monthly, records
from riskmodel.features.aggregates import AGGREGATES, BLOCK_PREFIX, EVENTS, MONTHLY, OBSERVED, named
from riskmodel.features.declaration import Feature, FeatureSet
from riskmodel.features.derived import line_of
from riskmodel.features.library import dependency_levels, load_feature_set
from riskmodel.features.records import conditions_hold
from riskmodel.households import AccountingPeriod, AsOf, KnownCounty, known_county
from riskmodel.rules import RelativeLine


@dataclass
class TemporaryTables:
    """Keeps tables in the county's engine, so that it plans small queries and gives their memory back."""

    known: KnownCounty
    names: list[str] = field(default_factory=list)

    def keep(self, build: Callable[..., ir.Table], *arguments: Any, **inputs: Any) -> ir.Table:
        """Return a compiled query's answer as a stored table, see `riskmodel.data.compiled.store_query`."""
        self.names.append(f"features_{uuid.uuid4().hex}")
        return store_query(self.known, build, *arguments, name=self.names[-1], **inputs)

    def only(self, build: Callable[..., ir.Table], *arguments: Any, **inputs: Any) -> ir.Table:
        """Return a compiled query's answer as a stored table, and forget all others kept before."""
        before = tuple(self.names)
        kept = self.keep(build, *arguments, **inputs)
        self.forget(before)
        return kept

    def forget(self, names: Sequence[str]) -> None:
        """Drop stored tables."""
        for name in names:
            self.known.con.con.execute(f'DROP TABLE IF EXISTS "{name}"')
            self.names.remove(name)


@contextmanager
def temporary_tables(known: KnownCounty) -> Iterator[TemporaryTables]:
    """Give a storage in the county's engine; what it still keeps in the end is dropped."""
    storage = TemporaryTables(known)
    try:
        yield storage
    finally:
        storage.forget(tuple(storage.names))


def read_features(known: KnownCounty, table: ir.Table, feature_set: FeatureSet) -> pd.DataFrame:
    """Return a stored table of features as a frame sorted by household and as-of.

    It is taken out date by date into one array: the engine's copy of the whole, the array and one date's
    rows are in memory, never a second copy of the whole.
    """
    names, ids = feature_set.names, [c for c in table.columns if c not in set(feature_set.names)]
    total = int(fetch_frame(known, _rows, table=table)["rows"][0])
    values, keys, start = np.empty((len(names), total)), [], 0
    for moment in known.moments:
        day = rows_table([{"day": moment.as_of}], day="date")
        part = fetch_arrow(known, _of_day, table=table, day=day)
        for j, name in enumerate(names):
            values[j, start : start + part.num_rows] = part[name].to_numpy()
        keys.append(part.select(ids).to_pandas(date_as_object=False))
        start += part.num_rows
    key = pd.concat(keys, ignore_index=True)
    key["as_of"] = key["as_of"].astype("datetime64[s]")
    key = key.sort_values(["household_id", "as_of"])
    order = key.index.to_numpy()
    for j in range(len(names)):
        values[j] = values[j][order]
    frame = pd.DataFrame(values.T, columns=names, copy=False)
    return pd.concat([key.reset_index(drop=True), frame], axis=1)


def _rows(county: Shape, table: ir.Table) -> ir.Table:
    return table.aggregate(rows=table.count())


def _of_day(county: Shape, table: ir.Table, day: ir.Table) -> ir.Table:
    return table.semi_join(day, table.as_of == day.day)


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
        out[derived.carried_column(ref)] = t[name]
    return out


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
    known = known_county(county, as_of)
    with temporary_tables(known) as storage:
        return read_features(known, _features(known, fs, storage), fs)


def _features(known: KnownCounty, feature_set: FeatureSet, storage: TemporaryTables) -> ir.Table:
    """Store the features of all as-of dates: what sources give, joined; then features made of features."""
    base = known.accounts(AccountingPeriod(months=feature_set.period_months))
    line = storage.keep(_relative_line, feature_set.line, base=base) if _is_relative(feature_set) else None
    blocks = dict(_blocks(known, feature_set, storage))
    made = {f"made_{part}": t for part, t in blocks.items()}
    del blocks
    t = storage.only(_joined, feature_set, tuple(made), base=base, line=line, **made)
    del made
    around: dict[str, ir.Table] = {}
    for number, wave in enumerate(dependency_levels(feature_set.features)):
        for by in _places(wave):
            # What an earlier wave made is computed anew, not stored: it is cheap beside the sums.
            around[_around(number, by)] = storage.keep(_sums, feature_set, number, by, t=t, **around)
    return storage.only(_finished, feature_set, t=t, **around)


def _is_relative(feature_set: FeatureSet) -> bool:
    return isinstance(feature_set.line, RelativeLine)


def _relative_line(county: Shape, line: RelativeLine, base: ir.Table) -> ir.Table:
    return line_of(line, base)


def _around(wave: int, by: str) -> str:
    return f"around_{wave}_{by}"


def _places(wave: list[Feature]) -> list[str]:
    """Return the kinds of places, if any, whose sums a wave needs."""
    return [by for by in derived.PLACES if any(f.source == "neighbours" and f.by == by for f in wave)]


def _joined(
    county: Shape,
    feature_set: FeatureSet,
    parts: tuple[str, ...],
    base: ir.Table,
    line: ir.Table | None,
    **made: ir.Table,
) -> ir.Table:
    """Join the tables of all sources to the accounts and apply the declared rules for missing values."""
    if line is not None:
        base = base.left_join(line, "as_of", rname="{name}_of_line").drop("as_of_of_line")
    t = base
    for i, part in enumerate(parts):
        # Joins stay one chain: a select in between would write every column out again.
        t = t.left_join(made[part], KEY, rname=f"{{name}}_{i}")
    values = {f.id: _finish(f, t, county) for f in feature_set.features if f.source not in _LATER}
    bounded = {f.id: derived.clip_to_bounds(f, values[f.id]) for f in feature_set.features if f.id in values}
    return t.select(*ID_COLUMNS, *named(_carried(feature_set, base, t) | bounded))


def _derived(feature_set: FeatureSet, t: ir.Table, around: Mapping[str, ir.Table], waves: int) -> ir.Table:
    """Add the features of the first waves of features made of features."""
    for number, wave in enumerate(dependency_levels(feature_set.features)[:waves]):
        if wave[0].source == "neighbours":
            t = derived.neighbour_features(wave, t, {by: around[_around(number, by)] for by in _places(wave)})
        else:
            line = (
                t[derived.carried_column("accounting.line")]
                if _is_relative(feature_set)
                else feature_set.line
            )
            values = {f.id: derived.derived_value(f, t, line) for f in wave}
            t = t.mutate(*named({f.id: derived.clip_to_bounds(f, values[f.id]) for f in wave}))
    return t


def _sums(
    county: Shape, feature_set: FeatureSet, wave: int, by: str, t: ir.Table, **around: ir.Table
) -> ir.Table:
    features = dependency_levels(feature_set.features)[wave]
    return derived.sums_by_place(features, by, _derived(feature_set, t, around, wave))


def _finished(county: Shape, feature_set: FeatureSet, t: ir.Table, **around: ir.Table) -> ir.Table:
    t = _derived(feature_set, t, around, len(feature_set.features))
    return t.select(*ID_COLUMNS, *named({name: t[name].cast("float64") for name in feature_set.names}))


def _blocks(
    known: KnownCounty, feature_set: FeatureSet, storage: TemporaryTables
) -> Iterator[tuple[str, ir.Table | pa.Table]]:
    """Give the tables of features of each source, their columns marked as made."""
    by_month = [f for f in feature_set.features if f.source in MONTHLY and known.has(f.source)]
    if by_month:
        yield "monthly", monthly.monthly_features(known, by_month, feature_set.period_months)
    for source in dict.fromkeys(f.source for f in feature_set.features if f.source not in MONTHLY):
        features = tuple(f for f in feature_set.features if f.source == source)
        if source == "members":
            yield source, storage.keep(_block, records.member_features, features)
        elif source == "accounts":
            ends = records.known_at_account_ends(known, features)
            quantities = ends.accounts(AccountingPeriod(months=feature_set.period_months))
            windows = records.observation_windows(features, known.moments)
            what = (records.account_features, feature_set.line, features)
            yield source, storage.keep(_block, *what, quantities=quantities, windows=windows)
        elif known.has(source):
            yield from _recorded(known, source, features, storage)


def _recorded(
    known: KnownCounty, source: str, features: tuple[Feature, ...], storage: TemporaryTables
) -> Iterator[tuple[str, ir.Table]]:
    """Give the stored tables of features of one table of the county."""
    if source in EVENTS:
        windows = records.window_starts(features, known.moments)
        yield source, storage.keep(_block, records.dated_features, source, features, windows=windows)
    elif source == "assets":
        yield source, storage.keep(_block, records.asset_features, features)
    elif source == "indicators":
        windows = records.observation_windows(features, known.moments)
        yield source, storage.keep(_block, records.indicator_features, features, windows=windows)


def _block(
    county: Shape, source: Callable[..., ir.Table], *arguments: object, **inputs: ir.Table
) -> ir.Table:
    """Return the table of features of one source, its columns marked as made."""
    block = source(county, *arguments, **inputs)
    return block.rename({f"{BLOCK_PREFIX}{c}": c for c in block.columns if c not in KEY})


def _finish(f: Feature, t: ir.Table, county: Shape) -> ir.Value:
    if f.source in MONTHLY:
        return monthly.finish_monthly(f, t, county)
    if f.source in EVENTS or f.source == "assets":
        return records.finish_record(f, t, county)
    if f.source in OBSERVED:
        return records.finish_observation(f, t, county)
    if f.source == "members":
        return t[f"{BLOCK_PREFIX}{f.id}"]
    return _accounting(f, t)


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
