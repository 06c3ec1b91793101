"""One small simulated county, read as any other, shared by the forecast's tests."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.data import County, from_frames
from riskmodel.data.schema import About
from riskmodel.forecasting import household
from riskmodel.forecasting.household import HouseholdForecast

AS_OF = "2019-09-30"  # of 48 months from 2017-01: outcomes of the year ahead are known by 2020-12


@pytest.fixture(scope="session")
def frames() -> dict[str, pd.DataFrame]:
    """Tables of 260 households over 48 months."""
    return simulate.simulate_county(households=260, months=48, seed=5, truth_at=()).frames


@pytest.fixture(scope="session")
def about() -> About:
    return About(data_through=pd.Timestamp("2020-12-31").date(), recording_delay_days=120)


@pytest.fixture(scope="session")
def county(frames: dict[str, pd.DataFrame], about: About) -> County:
    return from_frames(frames, about)


@pytest.fixture(scope="session")
def forecast(county: County) -> HouseholdForecast:
    """The county's households 3, 6 and 12 months ahead."""
    return household.forecast_households(county, AS_OF)


@pytest.fixture(scope="session")
def tiny() -> tuple[dict[str, pd.DataFrame], About]:
    """Tables of 80 households over 30 months: enough to run, too little to be good."""
    simulated = simulate.simulate_county(households=80, months=30, seed=3, truth_at=())
    return simulated.frames, About(data_through=pd.Timestamp("2019-06-30").date(), recording_delay_days=120)


@pytest.fixture(scope="session")
def sparse(frames: dict[str, pd.DataFrame], about: About) -> County:
    """The county, of which the first 15 households have holes, 15 totals only and 10 no income at all."""
    out = dict(frames)
    ids = sorted(frames["households"]["household_id"].unique())
    holes, totals, none = ids[:15], ids[15:30], ids[30:40]
    for name in ("income", "spending"):
        t = frames[name]
        month = t["month"].str.replace("-", "").astype(int)
        gap = t["household_id"].isin(holes) & month.between(201810, 201903)
        alone = t[~gap & ~t["household_id"].isin([*totals, *none])]
        year = t[t["household_id"].isin(totals)].assign(year=lambda d: d["month"].str[:4])
        code = "source" if name == "income" else "category"
        sums = year.groupby(["household_id", "year", code], as_index=False)["amount"].sum()
        sums = sums.assign(month_from=sums["year"] + "-01", month_to=sums["year"] + "-12").drop(
            columns="year"
        )
        out[name] = pd.concat([alone, sums], ignore_index=True)
    # Of these nobody states what is on record: it is inferred from their rows.
    stated = frames["recorded"]
    out["recorded"] = stated[~stated["household_id"].isin([*holes, *totals, *none])]
    return from_frames(out, about.model_copy(update={"recording_delay_days": 30}))
