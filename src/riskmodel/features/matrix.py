"""A matrix of features: a row for each household and as-of, kept as arrays until somebody wants a frame.

While it is filled the rows lie date by date, every date with all households that have a number, so that what
is made of one date is written as it comes; who is not known at a date has NaN there. What the engine answers
comes in any order and is put in its place by number. The order of the frame, by household and date, is made
once at the end, column by column in the matrix itself.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from riskmodel.households import Moment

KEY = ["household_id", "as_of"]
PLACE = ["township", "village"]
ID_COLUMNS = [*KEY, *PLACE]
ROW = "row"  # where a row of the matrix lies, for answers of the engine


@dataclass(frozen=True)
class MatrixRows:
    """Which household and date each row is.

    Parameters
    ----------
    ids
        Household numbers, in order.
    moments
        The as-of dates, ascending.
    known
        ``household_id, as_of, township, village`` of every household known at a date, in any order.
    """

    ids: pa.Array
    moments: Sequence[Moment]
    known: pa.Table

    @property
    def shape(self) -> tuple[int, int]:
        """How many dates, and how many households with a number."""
        return len(self.moments), len(self.ids)

    @cached_property
    def at(self) -> np.ndarray:
        """Where each row stands in ``known``, −1 where the household is not known at the date."""
        out = np.full(len(self.moments) * len(self.ids), -1, np.int64)
        out[self.places(self.known)] = np.arange(self.known.num_rows)
        return out

    @cached_property
    def there(self) -> np.ndarray:
        """Whether each household is known at each date."""
        return np.asarray(self.at >= 0)

    @cached_property
    def _days(self) -> np.ndarray:
        return np.array([m.as_of for m in self.moments], "datetime64[D]").astype(np.int32)

    def date(self, moment: Moment) -> slice:
        """Return the rows of one date, while the matrix is filled."""
        start = self.moments.index(moment) * len(self.ids)
        return slice(start, start + len(self.ids))

    def places(self, table: pa.Table) -> np.ndarray:
        """Return the rows of a table's ``household_id, as_of``, −1 for households that have no number."""
        number = pc.index_in(table["household_id"], self.ids).fill_null(-1).to_numpy().astype(np.int64)
        day = table["as_of"].cast(pa.date32()).cast(pa.int32()).to_numpy()
        return np.where(number < 0, -1, np.searchsorted(self._days, day) * len(self.ids) + number)

    def by_household(self, values: np.ndarray) -> np.ndarray:
        """Return values of all rows as the frame has them: by household and date, of those that are known."""
        out = np.empty(self.count, values.dtype)
        self.turn(values, out)
        return out

    def turn(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write values of all rows as the frame has them into the first places of an array."""
        turned = values.reshape(self.shape).T
        if self.count == values.size:
            np.copyto(out.reshape(turned.shape), turned)
        else:
            out[: self.count] = turned[self._there_turned]

    @cached_property
    def count(self) -> int:
        """How many rows are of a household that is known at the date."""
        return int(np.count_nonzero(self.there))

    @cached_property
    def _there_turned(self) -> np.ndarray:
        return self.there.reshape(self.shape).T

    def keys(self) -> pd.DataFrame:
        """Return ``household_id, as_of, township, village`` as the frame has them."""
        table = self.known.select(ID_COLUMNS).take(pa.array(self.by_household(self.at)))
        out = table.to_pandas(date_as_object=False)
        return out.assign(as_of=out["as_of"].astype("datetime64[s]"))


def _memory_by_page(count: int) -> np.ndarray:
    """Return so many floats, whose pages are taken as they are written.

    `numpy.empty` asks for huge pages: written date by date, column by column, nearly all are then cleared for
    the first date; and where a virtual machine has yet to get them, that takes longer than the features.
    """
    return np.frombuffer(mmap.mmap(-1, max(count, 1) * 8), np.float64)[:count]


@dataclass(frozen=True)
class FeatureMatrix:
    """Features by row, NaN where there is no value; and quantities that features are made of.

    Every feature is to be written whole, by `put`, `write_rows` or in place.

    Parameters
    ----------
    names
        The features, in column order.
    rows
        What each row is.
    """

    names: Sequence[str]
    rows: MatrixRows
    _quantities: dict[str, np.ndarray] = field(default_factory=dict, init=False)

    @cached_property
    def _storage(self) -> np.ndarray:
        # One column more: in the end each is turned into the place of the one before it.
        shape = len(self.names) + 1, len(self.rows.there)
        return _memory_by_page(shape[0] * shape[1]).reshape(shape)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names, 1)}

    def __contains__(self, name: str) -> bool:
        """Say whether there is such a feature or quantity."""
        return name in self._columns or name in self._quantities

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a feature or a quantity, to be read or written in place."""
        return self._quantities[name] if name in self._quantities else self._storage[self._columns[name]]

    def add_quantity(self, name: str) -> None:
        """Make room for a quantity that is no feature."""
        self._quantities[name] = np.empty(len(self.rows.there))

    def put(self, table: pa.Table, otherwise: Mapping[str, float]) -> None:
        """Write an answer of the engine into the rows of its ``household_id, as_of``.

        Parameters
        ----------
        table
            Features and quantities as float64, null for no value.
        otherwise
            What stands where the answer has null or no row, by feature; NaN by default.
        """
        places = self.rows.places(table)
        own = places >= 0
        some = slice(None) if own.all() else own
        for name in table.column_names:
            if name not in KEY:
                instead, target = otherwise.get(name, np.nan), self[name]
                target[:] = instead
                target[places[some]] = table[name].fill_null(instead).to_numpy()[some]

    def inputs(self, names: Sequence[str]) -> pa.Table:
        """Return ``row``, the date, the places and some columns of the rows that are known, null for NaN."""
        some = slice(None) if self.rows.there.all() else self.rows.there
        known = self.rows.known.select(["as_of", *PLACE]).take(pa.array(self.rows.at[some]))
        columns: dict[str, pa.Array] = {ROW: pa.array(np.arange(len(self.rows.there), dtype=np.int32)[some])}
        columns |= {name: known[name] for name in known.column_names}
        columns |= {name: pa.array(self[name][some], from_pandas=True) for name in names}
        return pa.table(columns)

    def write_rows(self, table: pa.Table) -> None:
        """Write an answer that says by ``row`` where it belongs."""
        row = table[ROW].to_numpy()
        # The engine mostly keeps the order in which it was given the rows.
        in_order = len(row) == len(self.rows.there) and np.array_equal(row, np.arange(len(row)))
        where = slice(None) if in_order else row
        for name in table.column_names:
            if name != ROW:
                self[name][where] = table[name].to_numpy()

    def frame(self) -> pd.DataFrame:
        """Return the matrix as a frame; it is turned in place and cannot be filled any more."""
        for i in range(len(self.names)):
            self.rows.turn(self._storage[i + 1], self._storage[i])
        values = self._storage[: len(self.names), : self.rows.count]
        frame = pd.DataFrame(values.T, columns=list(self.names), copy=False)
        return pd.concat([self.rows.keys(), frame], axis=1)
