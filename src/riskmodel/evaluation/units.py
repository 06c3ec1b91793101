"""Rows added up by the unit they are resampled with, so that a resample costs units and not rows.

Rows of a village are drawn together: whatever adds up over rows is added up once for each village, and a
resample weighs the sums. Counts of rows are whole numbers, so their weighted sums are exact in either order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """Which unit each row is resampled with, and what the row counts within it.

    Attributes
    ----------
    code : integer array of shape (n,)
        0, 1, … without gaps.
    weight : array of shape (n,)
        Of each row.
    """

    code: Codes
    weight: Array

    @classmethod
    def of_rows(cls, n: int) -> Units:
        """Return units of one row each, of weight 1: weights of units are then weights of rows."""
        return cls(np.arange(n), np.ones(n))

    @cached_property
    def count(self) -> int:
        """Number of units."""
        return int(self.code.max()) + 1 if len(self.code) else 0

    @cached_property
    def size(self) -> Array:
        """Weight of each unit's rows, shape (units,)."""
        return self.sums(np.ones(len(self.code)))

    def sums(self, values: ArrayLike) -> Array:
        """Add values of rows up by unit, shape (units,), or (units, k) where the values have k columns."""
        columns = np.asarray(values, dtype=float)
        if columns.ndim == 1:
            return np.bincount(self.code, columns * self.weight, self.count).astype(np.float64)
        return np.column_stack([self.sums(column) for column in columns.T])

    def table(self, cell: Codes, cells: int, rows: NDArray[np.int64] | slice = slice(None)) -> csr_array:
        """Add the weights of some rows up by cell and unit.

        Parameters
        ----------
        cell : integer array of shape (m,)
            Cell of each of the rows.
        cells
            How many cells there are.
        rows : integer array of shape (m,)
            Which rows; default all.

        Returns
        -------
        csr_array of shape (cells, units)
            `weigh` gives what it holds under weights of the units.
        """
        places = (cell, self.code[rows])
        return coo_array((self.weight[rows], places), shape=(cells, self.count)).tocsr()

    def of(self, weight: Array, rows: NDArray[np.int64]) -> Array:
        """Return the weights of some rows under weights of units (replicates, units): (replicates, rows)."""
        return weight[:, self.code[rows]] * self.weight[rows]


def weigh(table: csr_array, weight: Array) -> Array:
    """Return what the cells hold under weights of units (replicates, units), shape (cells, replicates)."""
    return table @ np.ascontiguousarray(weight.T)
