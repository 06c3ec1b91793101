"""Dealing villages into folds: whole villages, balanced in events and size, the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def village_codes(groups: Any, n: int) -> NDArray[np.int64]:
    """Code the villages by sorted order; without groups every row stands alone.

    Parameters
    ----------
    groups : array-like of shape (n,) or None
        Village of each row.
    n : int
        Rows.

    Returns
    -------
    integer array of shape (n,)

    Raises
    ------
    ValueError
        If the lengths differ or a village is missing.
    """
    if groups is None:
        return np.arange(n)
    names = np.asarray(groups, dtype=object)
    if len(names) != n:
        raise ValueError(f"groups has {len(names)} rows where X has {n}; give one village a row")
    if any(name is None or name != name for name in names.tolist()):
        raise ValueError("groups holds a missing village; give every row its village")
    return np.unique(names.astype(str), return_inverse=True)[1].astype(np.int64)


def village_folds(y: Any, groups: Any, folds: int, seed: int) -> NDArray[np.int64]:
    """Deal villages into folds so that events and rows spread evenly.

    Villages are sorted by events, then rows (ties in seeded order), and dealt out in rounds: each round
    gives every fold one village, in an order drawn from the seed. Rows of one village never part.

    Parameters
    ----------
    y : array of shape (n,)
        0/1.
    groups : array-like of shape (n,) or None
        Village of each row; None deals rows.
    folds : int
    seed : int

    Returns
    -------
    integer array of shape (n,)
        Fold of each row, 0 … folds-1.

    Raises
    ------
    ValueError
        If there are fewer villages than folds.
    """
    target = np.asarray(y, dtype=float)
    code = village_codes(groups, len(target))
    villages = int(code.max()) + 1
    if villages < folds:
        raise ValueError(
            f"{villages} village(s) cannot be dealt into {folds} folds; "
            "give more villages, fewer folds, or pass groups=None to deal rows"
        )
    rng = np.random.default_rng(seed)
    events = np.bincount(code, weights=target)
    order = np.lexsort((rng.permutation(villages), -np.bincount(code), -events))
    rounds = -(-villages // folds)
    dealt = rng.permuted(np.tile(np.arange(folds), (rounds, 1)), axis=1).ravel()[:villages]
    fold_of = np.empty(villages, dtype=np.int64)
    fold_of[order] = dealt
    return fold_of[code]


def village_draws(villages: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Draw villages with replacement, as many as there are, and count how often each came.

    Parameters
    ----------
    villages, draws, seed : int

    Returns
    -------
    array of shape (draws, villages)
        Each row adds up to ``villages``.
    """
    rng = np.random.default_rng(seed)
    counts = np.empty((draws, villages))
    # One draw at a time: memory stays at one row of indices, and a longer run begins like a shorter one.
    for row in counts:
        row[:] = np.bincount(rng.integers(0, villages, size=villages), minlength=villages)
    return counts
