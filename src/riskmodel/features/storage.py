"""Where intermediate tables are kept while a feature set is built, and how the result is taken out."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from riskmodel.data import County, Shape, compiled, rows_table
from riskmodel.features.declaration import FeatureSet

# Rows of income or spending whose windows are made at once: half a gigabyte or so of sums.
ROWS_AT_ONCE = 4_000_000

Piece = tuple[str | None, str | None]
WHOLE: Piece = (None, None)


@dataclass
class Stored:
    """Keeps tables in the county's engine, so that it plans small queries and gives their memory back."""

    county: County
    names: list[str] = field(default_factory=list)

    def keep(self, build: Callable[..., ir.Table], *arguments: Any, **inputs: compiled.Input) -> ir.Table:
        """Return a compiled query's answer as a stored table, see `riskmodel.data.compiled.store`."""
        self.names.append(f"features_{uuid.uuid4().hex}")
        return compiled.store(self.county, build, *arguments, name=self.names[-1], **inputs)

    def only(self, build: Callable[..., ir.Table], *arguments: Any, **inputs: compiled.Input) -> ir.Table:
        """Return a compiled query's answer as a stored table, and forget all others kept before."""
        before = tuple(self.names)
        kept = self.keep(build, *arguments, **inputs)
        self.forget(before)
        return kept

    def forget(self, names: Sequence[str]) -> None:
        """Drop stored tables."""
        for name in names:
            self.county.con.con.execute(f'DROP TABLE IF EXISTS "{name}"')
            self.names.remove(name)

    def pieces(self, name: str) -> list[Piece]:
        """Return ranges of household ids, from (in) and to (out), of at most `ROWS_AT_ONCE` rows or so."""
        rows = int(compiled.frame(self.county, _count, name)["rows"][0])
        parts = -(-rows // ROWS_AT_ONCE)
        if parts < 2:
            return [WHOLE]
        ordered = sorted(compiled.frame(self.county, _households)["household_id"])
        cuts = [None, *(ordered[len(ordered) * k // parts] for k in range(1, parts)), None]
        return list(pairwise(cuts))


def _count(county: Shape, name: str) -> ir.Table:
    t = county.table(name)
    return t.aggregate(rows=t.count())


def _households(county: Shape) -> ir.Table:
    return county.table("households").select("household_id").distinct()


@contextmanager
def stored(county: County) -> Iterator[Stored]:
    """Give a storage in the county's engine; what it still keeps in the end is dropped."""
    storage = Stored(county)
    try:
        yield storage
    finally:
        storage.forget(tuple(storage.names))


def within(t: ir.Table, piece: Piece) -> ir.Table:
    """Return the rows of the households of a piece."""
    low, high = piece
    t = t if low is None else t.filter(t.household_id >= low)
    return t if high is None else t.filter(t.household_id < high)


def taken_out(
    county: County, table: ir.Table, feature_set: FeatureSet, days: Sequence[dt.date]
) -> pd.DataFrame:
    """Return a stored table of features as a frame sorted by household and as-of.

    It is taken out date by date into one array: the engine's copy of the whole, the array and one date's
    rows are in memory, never a second copy of the whole.
    """
    names, ids = feature_set.names, [c for c in table.columns if c not in set(feature_set.names)]
    total = int(compiled.frame(county, _rows, table=table)["rows"][0])
    values, keys, start = np.empty((len(names), total)), [], 0
    for day in days:
        part = compiled.arrow(county, _of_day, table=table, day=rows_table([{"day": day}], day="date"))
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
