"""Who gets the visits: all whom rules name, one a place if asked, a random share, the rest by probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.worklist.chances import unflagged_chances

Rows = NDArray[np.intp]


def plan(
    known: pd.DataFrame, visits: int, random_share: float, seed: Sequence[int], by: str | None, floor: float
) -> pd.DataFrame:
    """Return the rows with ``planned``, ``selected_by`` and ``chance`` in front.

    Parameters
    ----------
    known : DataFrame
        Households that can be judged, by falling probability: ``household_id, township, village,
        probability, flagged, card_due, held``.
    visits : int
    random_share : float
    seed : sequence of int
        Of the lot.
    by : str or None
        ``township`` or ``village``: each with a household at or above the floor gets a visit, by its best
        household, before the lot is drawn (so these have chance 1).
    floor : float
        Probability.

    Returns
    -------
    DataFrame
        Same rows, same order. Chances are exact, before the lot (`unflagged_chances`); households held
        back have none this month.
    """
    must = (known["flagged"] | known["card_due"]).to_numpy()
    flagged = np.flatnonzero(must)
    # Whom the official rules flag come before whose card falls due; within each by probability.
    flagged = flagged[np.argsort(~known["flagged"].to_numpy()[flagged], kind="stable")]
    pool = np.flatnonzero(~must & ~known["held"].to_numpy())
    random = min(round(random_share * visits), len(pool))
    by_rule = min(len(flagged), visits - random)
    room = min(visits - random - by_rule, len(pool) - random)
    placed = _one_a_place(known, flagged[:by_rule], pool, by, floor)[:room]
    pool = pool[~np.isin(pool, placed)]
    by_score = min(room - len(placed), len(pool) - random)
    ranked = int(known["probability"].iloc[pool].notna().sum())
    # Drawn from ids in order, so that the lot does not hang on the scores.
    by_id = pool[np.argsort(known["household_id"].to_numpy()[pool].astype(str), kind="stable")]
    drawn = np.random.default_rng(list(seed)).choice(by_id, size=random, replace=False)
    left = pool[:ranked][~np.isin(pool[:ranked], drawn)][:by_score]
    selected_by = np.full(len(known), "", dtype=object)
    planned = np.zeros(len(known), dtype=bool)
    chance = np.zeros(len(known))
    for source, rows in (("rule", flagged), ("random", drawn), ("model", left), ("model", placed)):
        selected_by[rows] = source
    for rows in (flagged[:by_rule], drawn, left, placed):
        planned[rows] = True
    chance[flagged[:by_rule]] = chance[placed] = 1.0
    chance[pool] = unflagged_chances(len(pool), ranked, random, by_score)
    head = pd.DataFrame({"planned": planned, "selected_by": selected_by, "chance": chance}, index=known.index)
    return pd.concat([head, known], axis=1)


def _one_a_place(known: pd.DataFrame, visited: Rows, pool: Rows, by: str | None, floor: float) -> Rows:
    """Return the best unflagged household of every place that would go without a visit, best first."""
    if by is None:
        return np.array([], dtype=np.intp)
    # Two townships may each have a village of one name.
    place = known["township"].astype(str) + ("\x1f" + known["village"].astype(str) if by == "village" else "")
    there = set(place.iloc[visited])
    high = pool[(known["probability"].iloc[pool] >= floor).to_numpy()]
    high = high[~place.iloc[high].isin(there).to_numpy()]
    return high[~place.iloc[high].duplicated().to_numpy()]


def trips(planned: pd.DataFrame) -> pd.Series:
    """Return the number of each household's village on its township's tour, the village most at risk first.

    Parameters
    ----------
    planned : DataFrame
        ``township, village, probability`` of the planned visits.

    Returns
    -------
    Series of int

    Examples
    --------
    >>> trips(pd.DataFrame({"township": ["t", "t", "t"], "village": ["a", "b", "a"],
    ...                     "probability": [0.1, 0.5, 0.2]})).tolist()
    [2, 1, 2]
    """
    keys = ["township", "village"]
    total = planned.assign(p=planned["probability"].fillna(0.0)).groupby(keys)["p"].sum().reset_index()
    total = total.sort_values(["township", "p", "village"], ascending=[True, False, True])
    total["trip"] = total.groupby("township").cumcount() + 1
    found = planned[keys].merge(total[[*keys, "trip"]], on=keys, how="left")
    return pd.Series(found["trip"].to_numpy(), index=planned.index)
