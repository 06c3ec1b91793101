"""What a visitor should know of a household beside its score, as the office knew it at as-of."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskmodel import accounting, asof
from riskmodel.county.county import County

CONTEXT = ("registration", "group", "persons", "in_register", "last_visit", "last_outcome")


def context(county: County, as_of: dt.date) -> pd.DataFrame:
    """Return household state, register and last visit at a date.

    Parameters
    ----------
    county : County
    as_of : date

    Returns
    -------
    DataFrame
        ``household_id`` and `CONTEXT`, one row a household; codes, dates as datetime64, NaN where unknown.
    """
    when = asof.moments(as_of)
    state = accounting.build(county, when)
    state = state.select("household_id", *[c for c in CONTEXT if c in state.columns]).to_pandas()
    seen = asof.known(county, "visits", when)
    visits = seen.filter(seen.date <= seen.as_of).select("household_id", "date", "outcome").to_pandas()
    # Two visits of a day: the outcome that says more than "absent" is the later word.
    visits = visits.sort_values(["household_id", "date", "outcome"])
    last = visits.drop_duplicates("household_id", keep="last")
    last = last.rename(columns={"date": "last_visit", "outcome": "last_outcome"})
    out = state.merge(last, on="household_id", how="left", validate="1:1")
    out["last_visit"] = pd.to_datetime(out["last_visit"])
    return out[["household_id", *CONTEXT]]
