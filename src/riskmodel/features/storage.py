"""Where intermediate tables are kept while a feature set is built, and how the result is taken out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from riskmodel.data import County
from riskmodel.features.declaration import FeatureSet

# Rows of income or spending whose windows are made at once: half a gigabyte or so of sums.
ROWS_AT_ONCE = 4_000_000

Piece = tuple[str | None, str | None]
WHOLE: Piece = (None, None)


class Nowhere:
    """Keeps nothing: the whole set stays one expression."""

    def keep(self, table: ir.Table) -> ir.Table:
        """Return the table as it is."""
        return table

    def only(self, table: ir.Table) -> ir.Table:
        """Return the table as it is."""
        return table

    def pieces(self, county: County, name: str) -> list[Piece]:
        """Return one piece, the whole."""
        return [WHOLE]


@dataclass
class Stored(Nowhere):
    """Keeps tables in an engine, so that it plans small queries and their memory can be given back."""

    con: Any
    names: list[str] = field(default_factory=list)

    def keep(self, table: ir.Table) -> ir.Table:
        """Return an equal table that is stored."""
        self.names.append(f"features_{uuid.uuid4().hex}")
        return self.con.create_table(self.names[-1], table, temp=True)

    def only(self, table: ir.Table) -> ir.Table:
        """Return an equal table that is stored, and forget all others kept before."""
        before = tuple(self.names)
        kept = self.keep(table)
        self.forget(before)
        return kept

    def forget(self, names: Sequence[str]) -> None:
        """Drop stored tables."""
        for name in names:
            self.con.drop_table(name, force=True)
            self.names.remove(name)

    def pieces(self, county: County, name: str) -> list[Piece]:
        """Return ranges of household ids, from (in) and to (out), of at most `ROWS_AT_ONCE` rows or so."""
        rows = int(county.con.to_pyarrow(county.table(name).count()).as_py())
        parts = -(-rows // ROWS_AT_ONCE)
        if parts < 2:
            return [WHOLE]
        ids = county.con.to_pyarrow(county.table("households").select("household_id").distinct())
        ordered = sorted(ids["household_id"].to_pylist())
        cuts = [None, *(ordered[len(ordered) * k // parts] for k in range(1, parts)), None]
        return list(pairwise(cuts))


@contextmanager
def stored(county: County) -> Iterator[Stored]:
    """Give a storage in the county's engine; what it still keeps in the end is dropped."""
    storage = Stored(county.con)
    try:
        yield storage
    finally:
        storage.forget(tuple(storage.names))


def within(t: ir.Table, piece: Piece) -> ir.Table:
    """Return the rows of the households of a piece."""
    low, high = piece
    t = t if low is None else t.filter(t.household_id >= low)
    return t if high is None else t.filter(t.household_id < high)


def taken_out(con: Any, table: ir.Table, feature_set: FeatureSet, days: Sequence[Any]) -> pd.DataFrame:
    """Return a stored table of features as a frame sorted by household and as-of.

    It is taken out date by date into one array: the engine's copy of the whole, the array and one date's
    rows are in memory, never a second copy of the whole.
    """
    names, ids = feature_set.names, [c for c in table.columns if c not in set(feature_set.names)]
    total = int(con.to_pyarrow(table.count()).as_py())
    values, keys, start = np.empty((len(names), total)), [], 0
    for day in days:
        part = con.to_pyarrow(table.filter(table.as_of == day))
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
