"""The plan of visits: when each is due, who comes first, what places are sure of, and who is drawn by lot.

Duties come first, in the order of ``duties.yaml``; the lot is drawn from what they leave, then go forecasts.
The model learnt from households above the line and outside the register; among these its probability orders.
A household that is below the line, or in the register, is not waiting to fall: its score is no forecast, and
it is ordered by what the rules measure, which everyone can check.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import hypergeom

from riskmodel.errors import UsageError
from riskmodel.scoring.answers import SILENT, answer_of
from riskmodel.scoring.duties import PLANNING_DAYS, duty_rules, longest_visit_interval, look_up

CARD_ORDER = {"red": 0, "yellow": 1, "blue": 2}
# Codes of the column `urgency` beside the duties.
URGENCY_OF_SOURCE = {"quota": "quota", "model": "chance", "random": "lot"}
DISTANCE = "distance"  # where the model is silent: by how near the line, not by a probability
BEYOND = "beyond"  # added by the model though it did not learn from such households: below the line, watched

PlaceKind = Literal["township", "village"]
PLACES = ("township", "village")
NO_QUOTA = "none"
QUOTA_FORMS = (
    "township or village, alone (one visit each), with a number (village:2) or a share (township:50%)"
)
_QUOTA = re.compile(r"(township|village)(?::(?:([1-9][0-9]{0,5})|([0-9]{1,3}(?:\.[0-9]{1,4})?)%))?")

BeyondForecast = Literal["none", "score", "half", "last"]
RowNumbers = NDArray[np.intp]


def add_visit_dates(households: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Add ``due_date`` (within the month, or by its card), ``held`` (visited lately) and ``held_until``.

    A household in the register has a card, and by its colour a visit every so many days (001 §17). For all
    others the rarest of these visits, the blue card's quarter, says what "lately" is: an assumption.
    """
    day = pd.Timestamp(as_of)
    index = households.index
    seen = pd.to_datetime(households["last_seen"]) if "last_seen" in households else pd.Series(pd.NaT, index)
    every = households["visit_every_days"] if "visit_every_days" in households else pd.Series(pd.NA, index)
    days = pd.to_numeric(every).astype("Float64").fillna(longest_visit_interval()).astype(float)
    next_visit = seen + pd.to_timedelta(days, unit="D")
    held = ~households["flagged"] & seen.notna() & (next_visit > day)
    due = pd.Series(day + pd.Timedelta(days=PLANNING_DAYS), index)
    return households.assign(due_date=due, held=held, held_until=next_visit.where(held))


def add_duties(households: pd.DataFrame, duties: pd.DataFrame) -> pd.DataFrame:
    """Add what is owed to each household: ``duties``, ``urgency``, ``clock``, ``owed``, ``turn`` (from 1).

    ``duties`` joins the codes in the order of ``duties.yaml``; ``urgency`` is the first of them and says
    where the household stands, ``due_date`` the earliest of their days, ``clock`` the limit that sets it.
    ``owed`` is false where nothing is to be done now (a case under way, a visit made) and for incomes that
    are only to be known before the quarter ends. Within a rank the earlier day goes first, then who is below
    the line by how far below, then who is above it, by probability where that is a forecast, then by id.
    Whoever is owed a visit is not held back. All others have an empty code and turn 0.
    """
    declared = duty_rules()
    rows = duties.assign(
        order=duties["code"].map({code: i for i, code in enumerate(declared.kinds)}),
        stands=duties["code"].isin(declared.standing),
    )
    # A case under way or a visit made is told where nothing else is asked.
    asked = rows.loc[~rows["stands"].astype(bool), "household_id"]
    rows = rows[~rows["stands"].astype(bool) | ~rows["household_id"].isin(asked)].sort_values(
        ["household_id", "order"]
    )
    first = rows.drop_duplicates("household_id").set_index("household_id")
    by_day = rows.sort_values(["due_on", "order"], na_position="last").drop_duplicates("household_id")
    by_day = by_day.set_index("household_id")
    ids = households["household_id"]
    urgency = look_up(ids, first["code"]).fillna("").astype(object)
    due = pd.to_datetime(look_up(ids, by_day["due_on"]))
    codes = rows[~rows["stands"].astype(bool)].groupby("household_id")["code"].agg(";".join)
    out = households.assign(
        urgency=urgency,
        duties=look_up(ids, codes).fillna("").astype(object),
        clock=look_up(ids, by_day["clock"]).astype(object),
        owed=ids.isin(rows.loc[rows["code"].isin(declared.owed), "household_id"]),
        due_date=due.fillna(households["due_date"]).where(~urgency.isin(declared.standing)),
    )
    out["clock"] = out["clock"].where(out["clock"].notna(), None)
    named = urgency.ne("").to_numpy()
    out["held"] = out["held"] & ~named
    out["held_until"] = out["held_until"].where(out["held"])
    return out.assign(turn=_turns(out, named, urgency.map(declared.rank)))


def _turns(households: pd.DataFrame, named: NDArray[np.bool_], rank: pd.Series) -> NDArray[np.int64]:
    """Return the order of whoever a duty names, from 1; 0 for the others."""
    with np.errstate(invalid="ignore", divide="ignore"):
        income_to_line = households["pcni"].to_numpy(dtype=float) / households["line"].to_numpy(dtype=float)
    below = income_to_line < 1
    watched = _boolean(households, "in_register")
    probability = households["probability"].fillna(0).to_numpy(dtype=float)
    is_forecast = ~below & households["in_cohort"].to_numpy(dtype=bool) & ~watched
    colour = households["card"].map(CARD_ORDER) if "card" in households else pd.Series(3, households.index)
    carded = households["urgency"].isin(["card", "watched"])
    keys = pd.DataFrame(
        {
            "rank": rank.to_numpy(dtype=float),
            "due": households["due_date"].to_numpy(),
            # Without a visit to make by card its colour says nothing.
            "colour": np.where(carded, colour.fillna(3).to_numpy(dtype=float), 0),
            "above": ~below,
            "probability": -np.where(is_forecast, probability, 0),
            "income_to_line": income_to_line,
            "household_id": households["household_id"].astype(str).to_numpy(),
        }
    )
    order = keys[named].sort_values(list(keys.columns)).index.to_numpy()
    turn = np.zeros(len(households), dtype=int)
    turn[order] = np.arange(1, len(order) + 1)
    return turn


def _boolean(households: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    if column not in households:
        return np.zeros(len(households), dtype=bool)
    return households[column].eq(True).fillna(False).to_numpy(dtype=bool)


@dataclass(frozen=True)
class Quota:
    """What each place of a kind is sure of: ``each`` visits, or its part of a ``share`` of all visits."""

    place: PlaceKind
    each: int = 1
    share: float = 0.0

    def targets(self, places: NDArray[np.intp], visits: int) -> NDArray[np.intp]:
        """Return how many of the visits each place is to get, from each household's place number.

        Examples
        --------
        >>> Quota("township", 0, 0.5).targets(np.array([0, 0, 0, 1]), 8).tolist()
        [3, 1]
        """
        households = np.bincount(places)
        if self.each or not len(households):
            return np.full(len(households), self.each, dtype=np.intp)
        total = round(self.share * visits)
        exact = total * households / households.sum()
        out = np.floor(exact).astype(np.intp)
        out[np.argsort(out - exact, kind="stable")[: total - int(out.sum())]] += 1
        return out


def parse_quotas(quotas: str | Quota | Iterable[str | Quota] | None) -> tuple[Quota, ...]:
    """Return quotas from how they are written, in the order given: an earlier one is served first.

    Parameters
    ----------
    quotas
        One, several or None; ``none`` among them asks for nothing: it takes back what a month was made with
        before.

    Returns
    -------
    tuple of Quota
        Empty where nothing is asked for.

    Raises
    ------
    UsageError
        If one is not of the form ``township``, ``village:2`` or ``township:50%``.

    Examples
    --------
    >>> parse_quotas(["township:50%", "village"])
    (Quota(place='township', each=0, share=0.5), Quota(place='village', each=1, share=0.0))
    """
    if quotas is None:
        return ()
    several = [quotas] if isinstance(quotas, str | Quota) else list(quotas)
    return tuple(q if isinstance(q, Quota) else _parse_quota(q) for q in several if q != NO_QUOTA)


def _parse_quota(text: str) -> Quota:
    match = _QUOTA.fullmatch(text.strip())
    if match is None or float(match[3] or 0) > 100:
        raise UsageError(f"quota {text!r} is none; give {QUOTA_FORMS}")
    place = cast(PlaceKind, match[1])
    return Quota(place, 0, float(match[3]) / 100) if match[3] else Quota(place, int(match[2] or 1))


def fill_quotas(
    households: pd.DataFrame,
    candidates: RowNumbers,
    visited: RowNumbers,
    quotas: Sequence[Quota],
    visits: int,
) -> RowNumbers:
    """Return the candidates (best first) whom quotas give a visit, beside the rows that have one already.

    Quota after quota; within one every place's first before any place's second, the best first.
    """
    if not len(candidates):
        return candidates
    chosen: list[int] = []
    for quota in quotas:
        places = place_numbers(households, quota.place)
        have = np.bincount(
            places[np.r_[visited, np.array(chosen, dtype=np.intp)]], minlength=places.max() + 1
        )
        need = quota.targets(places, visits) - have
        remaining = candidates[~np.isin(candidates, chosen)]
        turn = pd.Series(places[remaining]).groupby(places[remaining]).cumcount().to_numpy()
        within_target = turn < need[places[remaining]]
        chosen += remaining[within_target][np.argsort(turn[within_target], kind="stable")].tolist()
    return np.array(chosen, dtype=np.intp)


def place_numbers(households: pd.DataFrame, place: PlaceKind) -> RowNumbers:
    """Return each household's place as a number; two townships may each have a village of one name."""
    name = households["township"].astype(str)
    if place == "village":
        name = name + "\x1f" + households["village"].astype(str)
    return np.asarray(pd.factorize(name, sort=True)[0], dtype=np.intp)


def selection_probabilities(pool: int, ranked: int, random: int, by_score: int) -> NDArray[np.float64]:
    """Return each unflagged household's probability of a planned visit, in rank order, the unscored last.

    ``random`` of the ``pool`` households are drawn without replacement; then the ``by_score`` best of those
    left are taken, in rank order, of the ``ranked`` that have a score. The household of rank r is drawn with
    probability random/pool; if not, it is taken when so many of the r − 1 above it were drawn that fewer
    than ``by_score`` are left there, and the number drawn among them is hypergeometric. The inverse of these
    probabilities are the weights of Horvitz & Thompson 1952.

    Examples
    --------
    Of three, one is drawn, then the best left is taken: the best is always visited, the second if it is
    drawn or the best is.

    >>> selection_probabilities(pool=3, ranked=3, random=1, by_score=1).round(4).tolist()
    [1.0, 0.6667, 0.3333]
    """
    if pool == 0:
        return np.zeros(0)
    by_lot = random / pool
    above = np.arange(ranked)
    pushed_up = hypergeom.sf(above - by_score, pool - 1, above, random)
    by_rank = np.where(above < by_score, 1.0, pushed_up if by_score else 0.0)
    out = np.full(pool, by_lot)
    out[:ranked] = by_lot + (1 - by_lot) * by_rank
    return out


def plan_visits(
    households: pd.DataFrame,
    visits: int,
    random_share: float,
    seed: Sequence[int],
    quotas: Sequence[Quota],
    floor: float,
    beyond: BeyondForecast = "score",
) -> pd.DataFrame:
    """Return the households (by falling probability) with ``planned``, ``selected_by``, ``chance`` in front.

    Duties come first and take what places there are; where these are too few, the quotas say who of one rank
    goes now. The lot is drawn from what duties leave, ``random_share`` of all visits at most. Then go incomes
    to be known before the quarter ends. Quotas are served from the others at or above the floor, by
    probability, before the lot is drawn (so these have chance 1). ``urgency`` is filled in and ``turn`` goes
    on for all who are listed. Chances are exact, before the lot; households held back have none this month.
    """
    turns = households["turn"].to_numpy()
    in_cohort = households["in_cohort"].to_numpy(dtype=bool)
    standing = households["urgency"].isin(duty_rules().standing).to_numpy()
    named = np.argsort(np.where(turns > 0, turns, len(turns) + 1), kind="stable")[: (turns > 0).sum()]
    owed = households["owed"].to_numpy(dtype=bool)
    free = np.flatnonzero((turns == 0) & ~households["held"].to_numpy())
    unflagged, ranked = rank_unflagged(households, free, beyond)
    now = _plan_named(households, named[owed[named]], visits, quotas)
    random = min(round(random_share * visits), len(unflagged), visits - len(now))
    # Incomes to be known by the quarter's end are no duty that pushes the lot aside.
    later = named[~owed[named] & ~standing[named]][: visits - len(now) - random]
    now = np.r_[now, later]
    room = min(visits - random - len(now), len(unflagged) - random)
    # Below the line counts as above any floor, where such households are taken in beside forecasts.
    low = (households["pcni"] < households["line"]) & ~in_cohort & (beyond in ("half", "last"))
    able = ((households["probability"] >= floor) & (in_cohort | (beyond != "none"))) | low
    candidates = unflagged[able.to_numpy()[unflagged]]
    placed = fill_quotas(households, candidates, now, quotas, visits)[:room]
    ranked -= int(np.isin(unflagged[:ranked], placed).sum())
    pool = unflagged[~np.isin(unflagged, placed)]
    by_score = min(room - len(placed), len(pool) - random)
    # Drawn from ids in order, so that the lot does not depend on the scores.
    by_id = pool[np.argsort(households["household_id"].to_numpy()[pool].astype(str), kind="stable")]
    drawn = np.random.default_rng(list(seed)).choice(by_id, size=random, replace=False)
    by_rank = pool[:ranked][~np.isin(pool[:ranked], drawn)][:by_score]

    selected_by = np.full(len(households), "", dtype=object)
    urgency = households["urgency"].to_numpy(dtype=object).copy()
    # Of incomes to be known by the quarter's end only those with a place are listed: all are on a sheet.
    listed = named[owed[named] | standing[named] | np.isin(named, later)]
    for source, rows in (("rule", listed), ("random", drawn), ("model", by_rank), ("quota", placed)):
        selected_by[rows] = "model" if source == "quota" else source
        if source in URGENCY_OF_SOURCE:
            urgency[rows] = URGENCY_OF_SOURCE[source]
    applied = households["duties"].eq("application").to_numpy() & ~households["flagged"].to_numpy(dtype=bool)
    selected_by[(selected_by == "rule") & applied] = "application"
    if is_silent(households):
        urgency[by_rank] = DISTANCE
    urgency[by_rank[~in_cohort[by_rank]]] = BEYOND
    planned = np.zeros(len(households), dtype=bool)
    planned[np.concatenate([now, drawn, by_rank, placed])] = True
    chance = np.zeros(len(households))
    chance[now] = chance[placed] = 1.0
    chance[pool] = selection_probabilities(len(pool), ranked, random, by_score)
    # Whom no rule names goes by rank.
    turn = turns.copy()
    turn[unflagged] = len(named) + 1 + np.arange(len(unflagged))
    head = pd.DataFrame(
        {"planned": planned, "selected_by": selected_by, "chance": chance, "ranked": False},
        index=households.index,
    )
    head.loc[head.index[[*placed, *pool[:ranked]]], "ranked"] = True
    return pd.concat([head, households.assign(urgency=urgency, turn=turn)], axis=1)


def rank_unflagged(
    households: pd.DataFrame, pool: RowNumbers, beyond: BeyondForecast
) -> tuple[RowNumbers, int]:
    """Return whom no rule names (rows by falling probability) in the order of the visits, and how many rank.

    The rest can only be drawn. ``beyond`` says what becomes of households that the model did not learn from
    (below the line, or under watch), whose score is no forecast: ``none`` leaves them to the lot, ``score``
    leaves them where it puts them, ``half`` gives them every second place, ``last`` puts them behind all
    forecasts; in both by how far below the line they are. Where the model is silent, all of it goes by how
    near the line they are, not by probability.
    """
    income_to_line = (households["pcni"] / households["line"]).to_numpy(dtype=float)
    scored = households["probability"].notna().to_numpy()[pool]
    if is_silent(households):
        pool = pool[np.argsort(income_to_line[pool], kind="stable")]
        scored = np.isfinite(income_to_line[pool])
    if beyond == "score":
        return np.r_[pool[scored], pool[~scored]], int(scored.sum())
    inside = households["in_cohort"].to_numpy(dtype=bool)[pool]
    if beyond == "none":
        foreseen = inside & scored
        return np.r_[pool[foreseen], pool[~foreseen]], int(foreseen.sum())
    income_to_line = income_to_line[pool]
    forecast, others = pool[inside & scored], pool[~inside]
    others = others[np.argsort(income_to_line[~inside], kind="stable")]
    place = np.r_[np.arange(len(forecast)), np.arange(len(others)) + (0.5 if beyond == "half" else len(pool))]
    ranks = np.r_[forecast, others][np.argsort(place, kind="stable")]
    return np.r_[ranks, pool[inside & ~scored]], len(ranks)


def is_silent(households: pd.DataFrame) -> bool:
    """Say whether the model has no answer under the rules that judged (`riskmodel.scoring.answers`)."""
    return answer_of(households)[0] == SILENT


def _plan_named(
    households: pd.DataFrame, named: RowNumbers, room: int, quotas: Sequence[Quota]
) -> RowNumbers:
    """Return who of those that are owed a visit gets it this time: all, or so many as there is room for.

    Quotas choose within a rank of duties, never between two: the last rank that is reached is shared out.
    """
    if len(named) <= room:
        return named
    rank = households["urgency"].map(duty_rules().rank).to_numpy(dtype=float)[named]
    reached = rank[room]
    whole, shared = named[rank < reached], named[rank == reached]
    first = fill_quotas(households, shared, whole, quotas, room)[: room - len(whole)]
    rest = shared[~np.isin(shared, first)][: room - len(whole) - len(first)]
    return named[np.isin(named, np.r_[whole, first, rest])]


def number_trips(planned: pd.DataFrame) -> pd.Series:
    """Return the number of each household's village on its township's tour, the village most at risk first.

    Examples
    --------
    >>> number_trips(pd.DataFrame({"township": ["t", "t", "t"], "village": ["a", "b", "a"],
    ...                            "probability": [0.1, 0.5, 0.2]})).tolist()
    [2, 1, 2]
    """
    keys = ["township", "village"]
    total = planned.assign(p=planned["probability"].fillna(0.0)).groupby(keys)["p"].sum().reset_index()
    total = total.sort_values(["township", "p", "village"], ascending=[True, False, True])
    total["trip"] = total.groupby("township").cumcount() + 1
    trips = planned[keys].merge(total[[*keys, "trip"]], on=keys, how="left")
    return pd.Series(trips["trip"].to_numpy(), index=planned.index)
