"""Nothing recorded after an as-of date moves anything that is computed for it, down to the list.

The other future (`tests.leaks.another_future`) holds changed, missing and new rows in every table,
corrections, links between households, coverage rows and a household whose earlier rows belonged to nobody.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

import riskmodel as rm
from riskmodel.data import About, County, from_frames
from riskmodel.forecasting.histories import household_histories
from riskmodel.households import fingerprint, known_county
from riskmodel.register import build_register_accounts
from riskmodel.simulate import simulate_county
from riskmodel.targets import build_cohorts, build_targets

from . import leaks

AS_OF = "2019-11-30"


@pytest.fixture(scope="module", params=["recorded", "inferred"])
def county(request: pytest.FixtureRequest) -> County:
    made = simulate_county(households=60, months=40, seed=4, truth_at=())
    frames = {k: v for k, v in made.frames.items() if k != "recorded" or request.param == "recorded"}
    about = About.model_validate({**made.about, "recording_delay_days": 0})
    return from_frames(frames, about)


@pytest.fixture(scope="module", params=[1, 2])
def other(request: pytest.FixtureRequest, county: County) -> County:
    return leaks.another_future(county, AS_OF, seed=request.param)


def accounts(county: County) -> pd.DataFrame:
    t = known_county(county, ["2019-06-30", AS_OF]).accounts().to_pandas()
    return t.sort_values(["household_id", "as_of"], ignore_index=True)


def verdicts(county: County) -> pd.DataFrame:
    return rm.evaluate_rules(county, "national-2021", AS_OF)


def features(county: County) -> pd.DataFrame:
    return rm.build_features(county, "household-v1", AS_OF)


def cohorts(county: County) -> pd.DataFrame:
    return build_cohorts(county, ["never_below", "fell_before", "eliminated"], ["2019-06-30", AS_OF])


def known_targets(county: County) -> pd.DataFrame:
    """Outcomes of windows that are over by the day, from what was known by it."""
    events = ("below_line", "identified")
    return build_targets(county, ["2018-09-30", "2018-11-30"], 12, events, known_by=AS_OF)


def register(county: County) -> pd.DataFrame:
    made = build_register_accounts(county, "2019-01-01", AS_OF)
    tables = [made.tables[name].assign(table=name).astype("string") for name in sorted(made.tables)]
    return pd.concat(tables, ignore_index=True)


def histories(county: County) -> pd.DataFrame:
    days = [pd.Timestamp(d).date() for d in ("2018-11-30", AS_OF)]
    return household_histories(county, days)


def identity_of_what_is_known(county: County) -> pd.DataFrame:
    return pd.DataFrame({"fingerprint": [fingerprint(county, AS_OF)]})


WHOLE_WAY = [
    accounts, verdicts, features, cohorts, known_targets, register, histories, identity_of_what_is_known,
]  # fmt: skip


@pytest.mark.parametrize("compute", WHOLE_WAY, ids=lambda f: f.__name__)
def test_nothing_recorded_later_moves_what_is_computed(
    compute: Callable[[County], pd.DataFrame], county: County, other: County
) -> None:
    pd.testing.assert_frame_equal(compute(county), compute(other), check_exact=True)


def test_the_other_future_is_another_one(county: County, other: County) -> None:
    # A day later its links, statements and new rows act: otherwise nothing would have been tried.
    day = "2019-12-31"
    here, there = (
        known_county(c, day).accounts().to_pandas().set_index("household_id") for c in (county, other)
    )
    assert set(here.index) != set(there.index)
    both = here.index.intersection(there.index)
    assert (here.loc[both, "pcni"].fillna(-1) != there.loc[both, "pcni"].fillna(-1)).mean() > 0.2
