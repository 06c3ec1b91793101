"""Sum of household chances: every day as it was then, learnt only from years that were recorded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import County, from_frames, month_end
from riskmodel.data.county import About
from riskmodel.forecasting import count_models, counts, histories
from riskmodel.forecasting.counts import Counts

NOW, THEN = dt.date(2020, 12, 31), dt.date(2020, 6, 30)


@pytest.fixture(scope="module")
def known(county: County) -> Counts:
    return counts.monthly_counts(county, NOW)


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """A small county has few entries: fewer are asked for here."""
    patch = pytest.MonkeyPatch()
    patch.setattr(count_models, "MIN_EVENTS", 1)
    yield
    patch.undo()


def test_a_past_day_is_forecast_from_as_it_was(
    county: County, known: Counts, frames: dict[str, pd.DataFrame], about: About
) -> None:
    # Everything recorded after the past day is taken away: its scale, variances, lessons and chances stay.
    made, why_not = count_models.bottom_up_forecasts(county, [THEN, NOW], known, 12, "national-2021")
    assert why_not is None
    assert set(made) == {THEN, NOW}
    cut = {
        name: t[pd.to_datetime(t["recorded_on"]) <= pd.Timestamp(THEN)] if "recorded_on" in t else t
        for name, t in frames.items()
    }
    assert len(cut["income"]) < len(frames["income"])
    before, _ = count_models.bottom_up_forecasts(
        from_frames(cut, about), [THEN, NOW], known, 12, "national-2021"
    )
    assert before[THEN].mean == pytest.approx(made[THEN].mean)
    assert before[NOW].mean != pytest.approx(made[NOW].mean)


def test_lessons_are_over_and_recorded_by_the_day_that_learns_from_them(
    county: County, known: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: dict[dt.date, list[dt.date]] = {}

    def note(
        county: County, day: dt.date, standing: pd.DataFrame, lessons: list[pd.DataFrame], *_: object
    ) -> None:
        learnt[day] = [t["as_of"].iloc[0].date() for t in lessons]
        assert set(standing["as_of"].dt.date) == {day}

    monkeypatch.setattr(count_models, "_below_line_probabilities", note)
    _, why_not = count_models.bottom_up_forecasts(county, [THEN, NOW], known, 12, "national-2021")
    assert "fewer than 1 entries" in why_not.text("en")
    # A year and 120 days after 2018-12-31 is 2020-04-29, after 2019-06-30 it is 2020-10-28.
    assert max(learnt[THEN]) == dt.date(2018, 12, 31)
    assert max(learnt[NOW]) == dt.date(2019, 6, 30)


def test_it_is_compared_on_every_day_or_left_out(
    county: County, known: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On one of the days it has nothing to say: on fewer days than the others it would decide for all of them.
    monkeypatch.setattr(
        count_models,
        "_below_line_probabilities",
        lambda c, day, t, *_: None if day == THEN else t.assign(probability=0.1),
    )
    made, why_not = count_models.bottom_up_forecasts(county, [THEN, NOW], known, 12, "national-2021")
    assert made == {}
    assert "could learn from on 2020-06-30" in why_not.text("en")
    made, why_not = count_models.bottom_up_forecasts(county, [NOW], known, 12, "national-2021")
    assert set(made) == {NOW}
    assert why_not is None


def test_a_large_county_learns_from_whole_villages_and_scores_every_household(
    county: County, known: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {}
    chances = count_models.entry_probabilities

    def note(county: County, past: pd.DataFrame, now: pd.DataFrame, as_of: dt.date) -> pd.DataFrame | None:
        sizes[as_of] = past["household_id"].nunique(), now["household_id"].nunique()
        return chances(county, past, now, as_of)

    monkeypatch.setattr(count_models, "TRAINING_HOUSEHOLDS", 200)
    monkeypatch.setattr(count_models, "entry_probabilities", note)
    made, why_not = count_models.bottom_up_forecasts(county, [NOW], known, 12, "national-2021")
    everybody = histories.household_histories(county, [NOW], quarters=False)
    outside = (~everybody["in_register"].eq(True)).sum()
    assert sizes[NOW][0] < 210
    assert sizes[NOW][1] == outside
    assert why_not is None
    assert NOW in made


def test_why_there_is_none_is_said(county: County, known: Counts) -> None:
    early = month_end(2017 * 12 + 11)
    made, why_not = count_models.bottom_up_forecasts(county, [early], known, 12, "national-2021")
    assert made == {}
    assert "no year of entries is recorded" in why_not.text("en")
    assert np.isfinite(known.cells).all()
