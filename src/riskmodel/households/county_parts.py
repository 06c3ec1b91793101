"""A county in parts whose records fit in memory: whole townships, so that neighbours stay together.

The rows of income, spending and coverage are read once and laid on disk part by part. A part is a county with
some of the households' records and everything that is said of the county as a whole: its tables, facts, links
and what the rows of all households say of the townships. What is made of the parts is therefore what would
have been made of the whole.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from riskmodel.data import CODE_COLUMN, County, Link, Shape, county_links, fetch_batches
from riskmodel.households import panel
from riskmodel.households.amounts import AmountSize
from riskmodel.households.coverage import TABLES
from riskmodel.households.panel import Records, read_records
from riskmodel.households.statements import (
    RecordedSpans,
    States,
    make_statements,
    read_states,
    recorded_rows,
    recorded_spans,
)
from riskmodel.io import ScratchFolder, memory_limit

T = TypeVar("T")
_FAR = 2**30
PART = "part"
BYTES_A_HOUSEHOLD = 30_000  # of a part while it is worked on: records, panel, accounts and features
SHARE_OF_MEMORY = 0.25
# What is said of the county as a whole, kept with it whoever asks.
_OF_THE_WHOLE = (
    "household links", "facts of links", "lineage", "records through", "losses", "snapshot", "known shape",
)  # fmt: skip


def households_in_part() -> int:
    """Return how many households' records may be in memory at once."""
    return max(1, int(memory_limit() * SHARE_OF_MEMORY / BYTES_A_HOUSEHOLD))


def divide_county(county: County, ids: pa.Array, townships: pd.Series) -> CountyParts:
    """Divide a county's households into parts of whole townships.

    Parameters
    ----------
    county
        The whole.
    ids
        All household numbers in order.
    townships
        Where households live, by number. Those that live nowhere known are put to the parts in turn.

    Returns
    -------
    CountyParts
        No more households each than `households_in_part`, but for townships that are larger.
    """
    most = households_in_part()
    place = townships.reindex(ids.to_pandas()).to_numpy(dtype=object)
    there = pd.notna(place)
    names, township = np.unique(place[there].astype(str), return_inverse=True)
    part_of_township, part, held = np.zeros(len(names), np.int32), 0, 0
    for i, n in enumerate(np.bincount(township, minlength=len(names))):
        if held and held + n > most:
            part, held = part + 1, 0
        part_of_township[i], held = part, held + n
    part_of = np.zeros(len(ids), np.int32)
    part_of[there] = part_of_township[township]
    part_of[~there] = np.arange(np.count_nonzero(~there)) % (part + 1)
    return CountyParts(county, ids, part_of)


@dataclass(frozen=True)
class CountyPart(County):
    """The records of some households of a county; all else is the county's.

    Parameters
    ----------
    whole, parts
        The county, and what it is divided into.
    numbers
        Places of the part's households among all.
    own
        Which of them are the part's own; the others are linked to one of these.
    counted
        Which of them count in this part where all are counted once.
    """

    whole: County = field(kw_only=True)
    parts: CountyParts = field(kw_only=True)
    numbers: np.ndarray = field(kw_only=True)
    own: np.ndarray = field(kw_only=True)
    counted: np.ndarray = field(kw_only=True)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Compute something once and keep it: with the county where it is of all, else with the part."""
        of = key[0] if isinstance(key, tuple) else key
        return self.whole.once(key, make) if of in _OF_THE_WHOLE else super().once(key, make)

    @cached_property
    def facts(self) -> Mapping[str, bool]:
        """What kinds of rows the county has."""
        return self.whole.facts

    @cached_property
    def shape(self) -> Shape:
        """What queries on the county are written from."""
        return self.whole.shape

    @cached_property
    def data_through(self) -> dt.date:
        """The day until which the county's records are whole."""
        return self.whole.data_through

    @cached_property
    def known_through(self) -> dt.date:
        """The day by which the records until ``data_through`` should have come in."""
        return self.whole.known_through

    @property
    def ids(self) -> pa.Array:
        """Numbers of the part's households."""
        return read_records(self).ids

    def keep(self, key: Hashable, value: object) -> None:
        """Keep what was made elsewhere as if it had been asked for."""
        super().once(key, lambda: value)

    def drop_stored(self) -> None:
        """Drop what the part has stored in the engine."""
        for table in self.cached.values():
            if hasattr(table, "op"):
                name = table.op().name
                kind = "VIEW" if name.startswith("named_") else "TABLE"
                self.con.con.execute(f'DROP {kind} IF EXISTS "{name}"')


@dataclass(frozen=True)
class CountyParts:
    """A county's households divided into parts, with their records on disk.

    Parameters
    ----------
    county
        The whole.
    ids
        Household numbers in order.
    part_of
        In which part each household is.
    """

    county: County
    ids: pa.Array
    part_of: np.ndarray

    def __len__(self) -> int:
        return int(self.part_of.max()) + 1

    def __iter__(self) -> Iterator[CountyPart]:
        """Yield the parts, one after another; what one has stored is dropped with it."""
        for i in range(len(self)):
            part = self.part(i)
            try:
                yield part
            finally:
                part.drop_stored()

    def holds_whole(self, townships: pd.Series) -> bool:
        """Say whether the households of each township are in one part, given where they live by number."""
        number = pc.index_in(pa.array(townships.index, pa.string()), self.ids)
        parts = pd.Series(self.part_of[number.to_numpy()])
        return bool(parts.groupby(townships.fillna("").to_numpy()).nunique().le(1).all())

    def part(self, i: int) -> CountyPart:
        """Return one part, its records read from disk."""
        county, numbers = self.county, self._numbers[i]
        part = CountyPart(
            county.con, county.tables, county.about, county.rejected, county.cells, county.say,
            whole=county, parts=self, numbers=numbers, own=self.part_of[numbers] == i,
            counted=self._home[numbers] == i,
        )  # fmt: skip
        rows = self._rows
        records, recorded = rows.read(i, self.ids.take(pa.array(numbers)))
        states = self._states.of_some(numbers)
        part.keep("income and spending records", records)
        part.keep("recorded spans", recorded)
        part.keep("household states", states)
        part.keep("coverage statements", make_statements(county.about, states, recorded, rows.first_said))
        return part

    @cached_property
    def _families(self) -> list[np.ndarray]:
        """Households that links join, by their places."""
        at = {str(name): i for i, name in enumerate(self.ids.to_pylist())} if self._links else {}
        beside: dict[str, set[str]] = {}
        for link in self._links:
            beside.setdefault(link.old, set()).add(link.new)
            beside.setdefault(link.new, set()).add(link.old)
        out, seen = [], set()
        for name in beside:
            waiting, family = [name], set()
            while waiting:
                one = waiting.pop()
                if one not in seen:
                    seen.add(one)
                    family.add(one)
                    waiting += beside[one]
            places = sorted(at[one] for one in family if one in at)
            if places:
                out.append(np.array(places))
        return out

    @cached_property
    def _links(self) -> tuple[Link, ...]:
        return county_links(self.county).rows

    @cached_property
    def _home(self) -> np.ndarray:
        """In which part each household counts where all are counted once: those that links join together."""
        home = self.part_of.copy()
        for family in self._families:
            home[family] = home[family[0]]
        return home

    @cached_property
    def _numbers(self) -> list[np.ndarray]:
        """The households of each part, and those that links join to one of them."""
        numbers = [np.flatnonzero(self.part_of == i) for i in range(len(self))]
        further: dict[int, list[np.ndarray]] = {}
        for family in self._families:
            parts = np.unique(self.part_of[family])
            for i in parts if len(parts) > 1 else ():
                further.setdefault(int(i), []).append(family)
        for i, families in further.items():
            numbers[i] = np.unique(np.concatenate([numbers[i], *families]))
        return numbers

    @cached_property
    def _states(self) -> States:
        return read_states(self.county, Records(self.ids, self._rows.first, self._rows.last, {}, {}))

    @cached_property
    def _rows(self) -> RowsOnDisk:
        return RowsOnDisk.write(self.county, self._numbers)


@dataclass(frozen=True)
class RowsOnDisk:
    """Rows by part; the files go with the object.

    Parameters
    ----------
    folder
        Where they are.
    types
        Columns of each kind of rows.
    first, last
        The first and the last month of any row of income or spending.
    first_said
        The first month of which table ``recorded`` speaks.
    """

    folder: ScratchFolder
    types: Mapping[str, pa.Schema]
    first: int
    last: int
    first_said: int

    @classmethod
    def write(cls, county: County, parts: Sequence[np.ndarray]) -> RowsOnDisk:
        """Lay a county's rows on disk.

        Parameters
        ----------
        county
            The whole.
        parts
            The households of each part by their places, ascending; one may be in several.

        Raises
        ------
        InputRefused
            If amounts are so large that their sum would not be exact.
        """
        folder = ScratchFolder("rows")
        first, last = panel.month_span(county)
        numbered = _numbered(panel.households_known(county), parts, first, last)
        beside = numbered.select(["household_id", "number", "since", PART])
        types, first_said = {}, _FAR
        for table in CODE_COLUMN:
            size = AmountSize(table)
            for kind, build, given in (
                ("monthly", panel.monthly_rows, (table, False)),
                ("totals", panel.total_rows, (table,)),
            ):
                own = numbered if kind == "monthly" else beside
                name = f"{kind}-{table}"
                columns = _Columns(folder.path, name)
                for batch in fetch_batches(county, build, *given, numbered=own):
                    columns.add(batch)
                    size.add(batch.column("units").to_numpy())
                types[name] = columns.types
            size.refuse_large()
        for of in TABLES:
            columns = _Columns(folder.path, f"recorded-{of}")
            numbers = numbered.select(["household_id", "number", PART])
            for batch in fetch_batches(county, recorded_rows, of, numbered=numbers):
                columns.add(batch)
                months = batch.column("month_from").to_numpy()
                first_said = min(first_said, int(months.min(initial=_FAR)))
            types[f"recorded-{of}"] = columns.types
        return cls(folder, types, first, last, first_said)

    def read(self, part: int, ids: pa.Array) -> tuple[Records, dict[str, RecordedSpans]]:
        """Return the rows of one part, whose households' numbers are given."""
        monthly = {t: panel.cells_of(self._table(f"monthly-{t}", part)) for t in CODE_COLUMN}
        totals = {t: panel.rows_of(self._table(f"totals-{t}", part)) for t in CODE_COLUMN}
        recorded = {of: recorded_spans(self._table(f"recorded-{of}", part)) for of in TABLES}
        return Records(ids, self.first, self.last, monthly, totals), recorded

    def _table(self, name: str, part: int) -> pa.Table:
        columns = {}
        for column in self.types[name]:
            path = _path(self.folder.path, name, part, column.name)
            plain = pa.int32() if pa.types.is_date(column.type) else column.type
            kind = np.dtype(plain.to_pandas_dtype())
            values = np.fromfile(path, kind) if path.exists() else np.zeros(0, kind)
            columns[column.name] = pa.array(values, plain).cast(column.type)
        return pa.table(columns)


def _path(folder: Path, name: str, part: int, column: str) -> Path:
    return folder / f"{name}-{column}-{part}"


def _numbered(households: pa.Table, parts: Sequence[np.ndarray], first: int, last: int) -> pa.Table:
    """Return every household of every part with its number there, as queries of rows join it."""
    columns: dict[str, list[np.ndarray]] = {}
    for i, places in enumerate(parts):
        n, number = len(places), np.arange(len(places), dtype=np.int64)
        own = {
            "at": places, "number": number.astype(np.int32), "place": number - first * n,
            "step": np.full(n, n), "width": np.full(n, n * (last - first + 1)), PART: np.full(n, i, np.int32),
        }  # fmt: skip
        for name, values in own.items():
            columns.setdefault(name, []).append(values)
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    out = households.take(pa.array(joined.pop("at")))
    for name, values in joined.items():
        out = out.append_column(name, pa.array(values))
    return out


class _Columns:
    """Appends columns of batches to the files of their parts."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.types = pa.schema([])

    def add(self, batch: pa.RecordBatch) -> None:
        """Append one batch."""
        self.types = pa.schema([column for column in batch.schema if column.name != PART])
        part = batch.column(PART).to_numpy()
        if not len(part):
            return
        kinds, counts = np.unique(part, return_counts=True)
        order = None if len(kinds) == 1 else np.argsort(part, kind="stable")
        for column in self.types:
            values = batch.column(column.name)
            if pa.types.is_date(column.type):
                values = values.cast(pa.int32())
            array = values.to_numpy(zero_copy_only=False)
            pieces = [array] if order is None else np.split(array[order], np.cumsum(counts)[:-1])
            for i, piece in zip(kinds, pieces, strict=True):
                with _path(self.folder, self.name, int(i), column.name).open("ab") as file:
                    np.ascontiguousarray(piece).tofile(file)
