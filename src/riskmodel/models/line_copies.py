"""Training rows asked again at other lines, for models that learn how risk moves with the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from riskmodel.models.base import Array


@dataclass(frozen=True)
class LineCopies:
    """Training rows asked again at other lines: what holds the line, and the label, are those of that line.

    Parameters
    ----------
    X : DataFrame of shape (m, p)
        The columns a model takes in.
    y : array of shape (m,)
        0/1: whether the event happened at that line.
    row : array of shape (m,)
        Position of the training row that each is a copy of.
    """

    X: Any
    y: NDArray[np.int64]
    row: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> LineCopies:
        """Return the copies of some training rows, counted from the first of these.

        Parameters
        ----------
        rows
            Positions, ascending.

        Returns
        -------
        LineCopies
            Copies of these rows only.
        """
        kept = np.flatnonzero(np.isin(self.row, rows))
        at = np.searchsorted(rows, self.row[kept])
        return LineCopies(_safe_indexing(self.X, kept), self.y[kept], at)

    def shares(self, rows: int) -> Array:
        """Return the weight of each training row and, after them, of each copy.

        Parameters
        ----------
        rows
            How many training rows there are.

        Returns
        -------
        array of shape (rows + m,)
            A row and its copies are alike and weigh one together.
        """
        share = 1 / (1 + np.bincount(self.row, minlength=rows))
        return np.r_[share, share[self.row]]
