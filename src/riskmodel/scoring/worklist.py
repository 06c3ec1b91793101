"""Choosing whom to visit: all whom a rule flags, a random share by lot, the rest by probability.

What a visitor should know of a household beside its score, as the office knew it at as-of.

How many households at risk a list reaches, and what more visits would add, with intervals.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.data import County
from riskmodel.errors import InputRefused, UsageError
from riskmodel.households import accounts, point_in_time, to_date
from riskmodel.scoring.visit_plan import (
    PLACES,
    BeyondForecast,
    PlaceKind,
    Quota,
    add_due_dates,
    add_urgency,
    number_trips,
    parse_quotas,
    plan_visits,
)

CONTEXT_COLUMNS = (
    "registration", "group", "persons", "in_register", "last_visit", "last_outcome", "last_seen", "card",
    "visit_every_days",
)  # fmt: skip
CARD_RULESET = "cards-2023"


def household_context(county: County, as_of: dt.date, scores: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return household state, register, card and last visit at a date.

    Parameters
    ----------
    county : County
    as_of : date
    scores : DataFrame, optional
        ``household_id, as_of, probability``: the card of a household in the register is the worse of the
        rules' colour and the probability's; without scores the rules' alone.

    Returns
    -------
    DataFrame
        ``household_id`` and `CONTEXT_COLUMNS`, one row a household; codes, dates as datetime64, NaN where
        unknown. ``last_seen`` is the last visit at which somebody was met.
    """
    when = point_in_time.moments(as_of)
    state = accounts.build(county, when)
    own = ("registration", "group", "persons", "in_register")
    state = state.select("household_id", *[c for c in own if c in state.columns]).to_pandas()
    seen = point_in_time.known(county, "visits", when)
    visits = seen.filter(seen.date <= seen.as_of).select("household_id", "date", "outcome").to_pandas()
    # Two visits of a day: the outcome that says more than "absent" is the later word.
    visits = visits.sort_values(["household_id", "date", "outcome"])
    last = visits.drop_duplicates("household_id", keep="last")
    last = last.rename(columns={"date": "last_visit", "outcome": "last_outcome"})
    met = visits[visits["outcome"] != "absent"].drop_duplicates("household_id", keep="last")
    met = met[["household_id", "date"]].rename(columns={"date": "last_seen"})
    out = state.merge(last, on="household_id", how="left", validate="1:1")
    out = out.merge(met, on="household_id", how="left", validate="1:1")
    out = out.merge(_cards(county, as_of, scores), on="household_id", how="left", validate="1:1")
    for day in ("last_visit", "last_seen"):
        out[day] = pd.to_datetime(out[day])
    return out.reindex(columns=["household_id", *CONTEXT_COLUMNS])


def _cards(county: County, as_of: dt.date, scores: pd.DataFrame | None) -> pd.DataFrame:
    given = None if scores is None else scores[["household_id", "as_of", "probability"]]
    found = rules.evaluate(county, CARD_RULESET, as_of, scores=given)
    held = found[["household_id", "tier", "visit_every_days"]].rename(columns={"tier": "card"})
    return held.assign(card=held["card"].replace("", None))


EXTRA_VISITS = (0, 10, 20, 50, 100, 200, 500)
LEVEL = 0.95


def coverage_curve(known: pd.DataFrame) -> pd.DataFrame:
    """Return the expected number of households hit within the horizon that n more visits would reach.

    Parameters
    ----------
    known : DataFrame
        `riskmodel.scoring.visit_plan.plan_visits`: ``planned, selected_by, turn, held, probability`` by
        falling probability; with ``probability_low`` and ``probability_high`` there is an interval.

    Returns
    -------
    DataFrame
        ``more, visits, expected, low, high, share``: rows of `EXTRA_VISITS` as far as there are households,
        whom a rule names first, in their turn, then by probability. ``expected`` is the sum of probabilities,
        ``share`` of the sum over all. The interval is for the number that will be hit: Poisson with the sums
        of the lower and upper probabilities as means.

    Notes
    -----
    A sum of independent 0/1 outcomes spreads less than a Poisson of the same mean (Le Cam 1960), so the
    interval covers at least its level if the probabilities' intervals do; taking all lower (or upper) ends
    together assumes that they err together, as the calibration of one model does.
    """
    from scipy.stats import poisson

    waiting = known[~known["planned"] & known["selected_by"].eq("rule")].sort_values("turn")
    rest = known[~known["planned"] & known["selected_by"].eq("") & ~known["held"]]
    # Whom no rule names goes on by rank; who has none can only be drawn.
    rest = rest[rest["probability"].notna()].sort_values("turn")
    order = pd.concat([known[known["planned"]], waiting, rest])
    base = int(known["planned"].sum())
    steps = sorted(
        {n for n in EXTRA_VISITS if n <= len(order) - base} | {min(len(order) - base, EXTRA_VISITS[-1])}
    )
    at = base + np.array(steps, dtype=int)
    sums = {"expected": _running(order, "probability", at)}
    tail = (1 - LEVEL) / 2
    if {"probability_low", "probability_high"} <= set(order.columns):
        sums["low"] = poisson.ppf(tail, _running(order, "probability_low", at))
        sums["high"] = poisson.ppf(1 - tail, _running(order, "probability_high", at))
    else:
        sums["low"] = sums["high"] = np.full(len(at), np.nan)
    everyone = float(known["probability"].sum())
    share = np.minimum(sums["expected"] / everyone, 1.0) if everyone else np.zeros(len(at))
    return pd.DataFrame({"more": steps, "visits": at, **sums, "share": share})


def _running(rows: pd.DataFrame, column: str, at: np.ndarray) -> np.ndarray:
    totals = np.concatenate([[0.0], np.cumsum(rows[column].fillna(0.0).to_numpy(dtype=float))])
    return totals[at]


NEEDED = ("household_id", "township", "village", "as_of", "probability", "rule_category", "pcni")
UNKNOWN = "unknown"
SELECTION_COLUMNS = ["household_id", "as_of", "selected_by", "planned", "chance", "held"]
SOURCES = ("rule", "model", "random")  # codes of visits.selected_by, in the order they stand on the list
QUOTA_FLOOR = 0.1  # a yellow card's probability in cards-2023 (an assumption there)


@dataclass(frozen=True)
class Worklist:
    """A list of households to visit.

    Parameters
    ----------
    listed : DataFrame
        One row a household, in order: ``position`` (from 1), ``planned``, ``selected_by`` (`SOURCES`),
        ``chance``, ``urgency`` (why it is listed: `riskmodel.scoring.visit_plan`), then the columns of
        the scores and, from a county, `scoring.worklist.context.CONTEXT`; ``due_date``, ``visit_due``,
        ``card_due``, and ``trip`` (the village's place on its township's tour; 0 unplanned).
    unknown : DataFrame
        Households whose income is unknown, by probability: they cannot be judged, so they are for a visit
        of their own.
    selection : DataFrame
        The log: ``household_id, as_of, selected_by`` (empty: not listed)``, planned, chance`` (of a
        planned visit)``, held`` of every household with known income.
    held : DataFrame
        Unflagged households that were visited lately, with ``held_until``; nobody whom a rule flags.
    curve : DataFrame
        What more visits would reach (`riskmodel.scoring.worklist.coverage_curve`).
    as_of : date
    visits : int
    random_share : float
    seed : int
    by : str or None
        ``township`` or ``village``: one more sheet for each.
    quotas : tuple of Quota
        What places are sure of.
    floor : float
        Probability from which a household that no rule names counts for a quota.
    beyond : str
        What becomes of households beyond the forecast (`riskmodel.scoring.visit_plan.rank_unflagged`).
    totals : dict
        Counts of households, and sums of probabilities (``expected…``: households expected to be hit
        within the horizon, of those of whom the model was trained to speak).
    """

    listed: pd.DataFrame
    unknown: pd.DataFrame
    selection: pd.DataFrame
    held: pd.DataFrame
    curve: pd.DataFrame
    as_of: dt.date
    visits: int
    random_share: float
    seed: int
    by: PlaceKind | None = None
    quotas: tuple[Quota, ...] = ()
    floor: float = QUOTA_FLOOR
    beyond: BeyondForecast = "score"
    totals: dict[str, float] = field(default_factory=dict)

    @property
    def planned(self) -> pd.DataFrame:
        """The rows of ``listed`` whose visit is planned."""
        return self.listed[self.listed["planned"]]


def build_worklist(
    scores: pd.DataFrame,
    *,
    visits: int,
    random_share: float = 0.05,
    by: PlaceKind | None = None,
    quota: str | Quota | Iterable[str | Quota] | None = None,
    floor: float = QUOTA_FLOOR,
    beyond: BeyondForecast = "score",
    county: County | None = None,
    seed: int = 0,
) -> Worklist:
    """Choose and order the households to visit.

    Every household that a rule flags is listed, whatever its score. Of ``visits`` planned visits,
    ``round(random_share × visits)`` are drawn first, by lot, from the households that no rule flags; then
    come the flagged, ordered by `riskmodel.scoring.visit_plan`, those whose red or yellow card asks for
    a visit this month, and what is left goes by probability. Where more are flagged than visits are left,
    all stay listed and the last of them are not planned yet. Who is not flagged and was visited lately is
    held back, with the reason. Ties go by household id.

    Parameters
    ----------
    scores : DataFrame
        The contract's Scores columns of one as-of date; ``flagged`` is taken from the rule set's declared
        categories where it is absent.
    visits : int
        Planned visits.
    random_share : float
        Of the visits; keeps an unbiased sample of what nobody suspected.
    by : str, optional
        ``township`` or ``village``: a sheet for each.
    quota : str, Quota or several, optional
        ``village``: each that has a household flagged, or at or above the floor, gets a visit; ``village:2``
        two; ``township:50%``: half of the visits are shared out among the townships by their households.
    floor : float
        Probability.
    beyond : str
        Where households go that no rule flags and the model did not learn from, below the line or under
        watch: ``score`` by their score, ``half`` every second place, ``last`` after all forecasts.
    county : County, optional
        Adds what the visitor should know: group, persons, register, card, last visit, as known at as-of;
        without it nobody is held back, because nobody's last visit is known.
    seed : int
        With the as-of date it fixes the draw.

    Returns
    -------
    Worklist

    Raises
    ------
    InputRefused
        If a column is missing, a household stands twice, or a probability is not in [0, 1].
    UsageError
        If visits, random_share, by, quota, floor or beyond make no sense.
    """
    _check_call(visits, random_share, by, floor, beyond)
    quotas = parse_quotas(quota)
    frame = _checked(scores)
    as_of = to_date(pd.Timestamp(frame["as_of"].iloc[0]).date())
    frame["flagged"] = _flagged(frame)
    if county is not None:
        known_of = household_context(county, as_of, frame)
        frame = frame.drop(columns=[c for c in CONTEXT_COLUMNS if c in frame])
        frame = frame.merge(known_of, on="household_id", how="left", validate="1:1")
    frame["in_cohort"] = frame["in_cohort"].eq(True) if "in_cohort" in frame else True
    unjudged = ~frame["flagged"] & (frame["rule_category"].eq(UNKNOWN) | frame["pcni"].isna())
    frame = add_due_dates(frame, as_of)
    lot = [seed, as_of.toordinal()]
    judged = add_urgency(frame[~unjudged].reset_index(drop=True))
    known = plan_visits(judged, visits, random_share, lot, quotas, floor, beyond)
    listed = known[known["selected_by"] != ""].drop(columns=["held", "held_until"])
    order = listed.assign(_source=listed["selected_by"].map({s: i for i, s in enumerate(SOURCES)}))
    order = order.sort_values(["planned", "_source", "turn"], ascending=[False, True, True])
    listed = listed.loc[order.index].reset_index(drop=True).drop(columns="turn")
    listed.insert(0, "position", np.arange(1, len(listed) + 1))
    listed["trip"] = number_trips(listed[listed["planned"]]).reindex(listed.index, fill_value=0).astype(int)
    return Worklist(
        listed=listed,
        unknown=frame[unjudged].reset_index(drop=True),
        selection=known[SELECTION_COLUMNS].sort_values("household_id", ignore_index=True),
        held=known[known["held"]].reset_index(drop=True).drop(columns="turn"),
        curve=coverage_curve(_foreseen(known)),
        as_of=as_of,
        visits=visits,
        random_share=random_share,
        seed=seed,
        by=by,
        quotas=quotas,
        floor=floor,
        beyond=beyond,
        totals=_totals(frame, unjudged, known),
    )


def _check_call(visits: int, random_share: float, by: str | None, floor: float, beyond: str) -> None:
    if beyond not in get_args(BeyondForecast):
        raise UsageError(f"beyond {beyond!r} is unknown; allowed: {', '.join(get_args(BeyondForecast))}")
    if visits < 1:
        raise UsageError(f"visits {visits!r}: plan at least 1")
    if not 0 <= random_share <= 1:
        raise UsageError(f"random share {random_share!r} is outside 0 to 1; 0.05 is one visit in twenty")
    if by not in (None, *PLACES):
        raise UsageError(f"by {by!r} is unknown; allowed: township, village")
    if not 0 <= floor <= 1:
        raise UsageError(f"floor {floor!r} is no probability; 0.1 is a yellow card's")


def _checked(scores: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in NEEDED if c not in scores]
    if missing:
        raise InputRefused(f"scores lack the columns {missing}; write them with riskmodel score")
    if not len(scores):
        raise InputRefused("scores hold no household; score an as-of date at which households exist")
    if scores["as_of"].nunique(dropna=False) != 1:
        raise InputRefused("scores of several as-of dates; a worklist takes one, filter the others out")
    twice = scores["household_id"][scores["household_id"].duplicated()]
    if len(twice):
        raise InputRefused(f"household {twice.iloc[0]!r} stands twice in the scores; keep one row each")
    p = scores["probability"]
    wrong = p.notna() & ~p.between(0, 1)
    if wrong.any():
        raise InputRefused(f"probability {p[wrong].iloc[0]!r} is outside 0 to 1; score again")
    return scores.sort_values(
        ["probability", "household_id"], ascending=[False, True], na_position="last", ignore_index=True
    )


def _flagged(frame: pd.DataFrame) -> pd.Series:
    if "flagged" in frame:
        return frame["flagged"].fillna(False).astype(bool)
    if "ruleset" not in frame or frame["ruleset"].nunique(dropna=False) != 1:
        raise InputRefused("scores have neither flagged nor one ruleset; score again, or add flagged")
    from riskmodel import rules

    return frame["rule_category"].isin(rules.load(frame["ruleset"].iloc[0]).flagged_categories)


def _foreseen(known: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with chance 0 where the model was not trained to speak.

    Who is below the line already cannot fall below it: such a household is visited, but not foreseen.
    """
    chances = [c for c in ("probability", "probability_low", "probability_high") if c in known]
    # Where there is no probability there is none to take away.
    known = known.copy()
    known.loc[~known["in_cohort"], chances] = known.loc[~known["in_cohort"], chances].mask(
        known[chances].notna(), 0.0
    )
    return known


def _totals(frame: pd.DataFrame, unjudged: pd.Series, known: pd.DataFrame) -> dict[str, float]:
    planned, foreseen = known["planned"], _foreseen(known)["probability"]
    return {
        "households": len(frame),
        "flagged": int(frame["flagged"].sum()),
        "card_due": int(known["card_due"].sum()),
        "held": int(known["held"].sum()),
        "unknown": int(unjudged.sum()),
        "unscored": int(known["probability"].isna().sum()),
        "listed": int((known["selected_by"] != "").sum()),
        "planned": int(planned.sum()),
        **{f"planned_{s}": int((planned & known["selected_by"].eq(s)).sum()) for s in SOURCES},
        "in_cohort": int(known["in_cohort"].sum()),
        "planned_beyond": int((planned & ~known["in_cohort"] & known["selected_by"].eq("model")).sum()),
        "planned_quota": int((planned & known["urgency"].eq("quota")).sum()),
        "planned_outside": float((planned & ~known["in_cohort"]).sum()),
        "expected": float(foreseen.sum()),
        "expected_planned": float(foreseen[planned].sum()),
        "expected_flagged": float(foreseen[known["flagged"]].sum()),
    }
