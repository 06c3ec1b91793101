"""How likely each household was to get a planned visit, before the random share was drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unflagged_chances(pool: int, ranked: int, random: int, by_score: int) -> NDArray[np.float64]:
    """Return each unflagged household's chance of a planned visit, exactly.

    ``random`` households are drawn without replacement from the pool; then the ``by_score`` best of those
    left, in rank order, are taken. The household of rank r is drawn with chance random/pool; if not, it
    is taken when so many of the r − 1 above it were drawn that fewer than ``by_score`` are left there,
    and the number drawn among them is hypergeometric.

    Parameters
    ----------
    pool : int
        Unflagged households with known income.
    ranked : int
        Those of them with a score; the rest can only be drawn.
    random : int
        Size of the random share.
    by_score : int
        Visits left for the score.

    Returns
    -------
    array, shape (pool,)
        Chances in rank order, the unscored last.

    References
    ----------
    Horvitz & Thompson 1952: weights are the inverse of these chances.

    Examples
    --------
    Of three, one is drawn, then the best left is taken: the best is always visited, the second if it is
    drawn or the best is.

    >>> unflagged_chances(pool=3, ranked=3, random=1, by_score=1).round(4).tolist()
    [1.0, 0.6667, 0.3333]
    """
    from scipy.stats import hypergeom

    if pool == 0:
        return np.zeros(0)
    drawn = random / pool
    above = np.arange(ranked)
    pushed_up = hypergeom.sf(above - by_score, pool - 1, above, random)
    taken = np.where(above < by_score, 1.0, pushed_up if by_score else 0.0)
    out = np.full(pool, drawn)
    out[:ranked] = drawn + (1 - drawn) * taken
    return out
