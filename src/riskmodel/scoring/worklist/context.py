"""What a visitor should know of a household beside its score, as the office knew it at as-of."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskmodel import rules
from riskmodel.data import County
from riskmodel.households import accounts, point_in_time

CONTEXT = (
    "registration", "group", "persons", "in_register", "last_visit", "last_outcome", "last_seen", "card",
    "visit_every_days",
)  # fmt: skip
CARDS = "cards-2023"


def context(county: County, as_of: dt.date, scores: pd.DataFrame | None = None) -> pd.DataFrame:
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
        ``household_id`` and `CONTEXT`, one row a household; codes, dates as datetime64, NaN where unknown.
        ``last_seen`` is the last visit at which somebody was met.
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
    return out.reindex(columns=["household_id", *CONTEXT])


def _cards(county: County, as_of: dt.date, scores: pd.DataFrame | None) -> pd.DataFrame:
    given = None if scores is None else scores[["household_id", "as_of", "probability"]]
    found = rules.evaluate(county, CARDS, as_of, scores=given)
    held = found[["household_id", "tier", "visit_every_days"]].rename(columns={"tier": "card"})
    return held.assign(card=held["card"].replace("", None))
