"""Who gets the visits: all whom rules name, quotas if asked, a random share, the rest by probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from riskmodel.scoring.worklist.chances import unflagged_chances
from riskmodel.scoring.worklist.quota import Quota, Rows, sure
from riskmodel.scoring.worklist.urgency import BEYOND, OTHERS

Beyond = Literal["score", "half", "last"]


def plan(
    known: pd.DataFrame,
    visits: int,
    random_share: float,
    seed: Sequence[int],
    quotas: Sequence[Quota],
    floor: float,
    beyond: Beyond = "score",
) -> pd.DataFrame:
    """Return the rows with ``planned``, ``selected_by`` and ``chance`` in front.

    Parameters
    ----------
    known : DataFrame
        Households that can be judged, by falling probability: ``household_id, township, village,
        probability, in_cohort, flagged, card_due, held``, and ``urgency, turn``
        (`riskmodel.scoring.worklist.urgency`).
    visits : int
    random_share : float
    seed : sequence of int
        Of the lot.
    quotas : sequence of Quota
        Whom the rules name comes first; where these are too many, the quotas say who of them goes now.
        Else they are served from the others at or above the floor, by probability, before the lot is drawn
        (so these have chance 1).
    floor : float
        Probability.
    beyond : str
        See `ranking`.

    Returns
    -------
    DataFrame
        Same rows, same order; ``urgency`` is filled in and ``turn`` goes on for all who are listed. Chances
        are exact, before the lot (`unflagged_chances`); households held back have none this month.
    """
    must = known["turn"].to_numpy() > 0
    named = np.argsort(np.where(must, known["turn"].to_numpy(), len(known) + 1), kind="stable")[: must.sum()]
    pool, ranked = ranking(known, np.flatnonzero(~must & ~known["held"].to_numpy()), beyond)
    everyone = pool
    random = min(round(random_share * visits), len(pool))
    now = _now(known, named, visits - random, quotas, visits)
    room = min(visits - random - len(now), len(pool) - random)
    # Below the line counts as above any floor.
    low = (known["pcni"] < known["line"]) & ~known["in_cohort"].astype(bool) & (beyond != "score")
    high = pool[((known["probability"] >= floor) | low).to_numpy()[pool]]
    placed = sure(known, high, now, quotas, visits)[:room]
    ranked -= int(np.isin(pool[:ranked], placed).sum())
    pool = pool[~np.isin(pool, placed)]
    by_score = min(room - len(placed), len(pool) - random)
    # Drawn from ids in order, so that the lot does not hang on the scores.
    by_id = pool[np.argsort(known["household_id"].to_numpy()[pool].astype(str), kind="stable")]
    drawn = np.random.default_rng(list(seed)).choice(by_id, size=random, replace=False)
    left = pool[:ranked][~np.isin(pool[:ranked], drawn)][:by_score]
    selected_by = np.full(len(known), "", dtype=object)
    urgency = known["urgency"].to_numpy(dtype=object).copy()
    planned = np.zeros(len(known), dtype=bool)
    chance = np.zeros(len(known))
    for source, rows in (("rule", named), ("random", drawn), ("model", left), ("quota", placed)):
        selected_by[rows] = "model" if source == "quota" else source
        if source in OTHERS:
            urgency[rows] = OTHERS[source]
    urgency[left[~known["in_cohort"].to_numpy(dtype=bool)[left]]] = BEYOND
    for rows in (now, drawn, left, placed):
        planned[rows] = True
    chance[now] = chance[placed] = 1.0
    chance[pool] = unflagged_chances(len(pool), ranked, random, by_score)
    # Whom no rule names goes by rank.
    turn = known["turn"].to_numpy().copy()
    others = np.r_[placed, pool]
    order = pd.Series(np.arange(len(everyone)), index=everyone).reindex(others).to_numpy()
    turn[others] = len(named) + 1 + order
    head = pd.DataFrame({"planned": planned, "selected_by": selected_by, "chance": chance}, index=known.index)
    return pd.concat([head, known.assign(urgency=urgency, turn=turn)], axis=1)


def ranking(known: pd.DataFrame, pool: Rows, beyond: Beyond) -> tuple[Rows, int]:
    """Return whom no rule names in the order of the visits left for them, and how many have a rank.

    Parameters
    ----------
    known : DataFrame
        ``probability, in_cohort, pcni, line`` of every household that can be judged.
    pool : array of int
        Rows, by falling probability.
    beyond : str
        What becomes of households that the model did not learn from (below the line, or under watch),
        whose score is no forecast: ``score`` leaves them where it puts them, ``half`` gives them every
        second place, ``last`` puts them behind all forecasts; in both by how far below the line they are.

    Returns
    -------
    rows : array of int
    ranked : int
        The first so many; the rest can only be drawn.
    """
    scored = known["probability"].notna().to_numpy()[pool]
    if beyond == "score":
        return np.r_[pool[scored], pool[~scored]], int(scored.sum())
    inside = known["in_cohort"].to_numpy(dtype=bool)[pool]
    level = (known["pcni"] / known["line"]).to_numpy(dtype=float)[pool]
    foretold, others = pool[inside & scored], pool[~inside]
    others = others[np.argsort(level[~inside], kind="stable")]
    place = np.r_[np.arange(len(foretold)), np.arange(len(others)) + (0.5 if beyond == "half" else len(pool))]
    ranks = np.r_[foretold, others][np.argsort(place, kind="stable")]
    return np.r_[ranks, pool[inside & ~scored]], len(ranks)


def _now(known: pd.DataFrame, named: Rows, room: int, quotas: Sequence[Quota], visits: int) -> Rows:
    """Return whom of those the rules name is visited this time: all, or so many as there is room for."""
    if len(named) <= room:
        return named
    none = np.array([], dtype=np.intp)
    first = sure(known, named, none, quotas, visits)[:room]
    rest = named[~np.isin(named, first)][: room - len(first)]
    return np.sort(np.r_[first, rest])


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
