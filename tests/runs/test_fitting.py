"""Following households after the test: the rules are looked up outside the cohort, monthly, to the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.declarations import plain_county

from riskmodel import models, rules, simulate, targets
from riskmodel.data import About, County, from_frames
from riskmodel.runs import Experiment, VisitBudget, experiment, fitting
from riskmodel.runs.experiment import AsOf, Fallback, Fold, Split

SMALL = Path(__file__).resolve().parents[1] / "month" / "small.yaml"


class Poorest:
    """A list of the poorest: no fitting, so that what is tested is the following."""

    def margin(self, X: pd.DataFrame) -> np.ndarray:
        return -X["pcni"].fillna(1e6).to_numpy(float)


@pytest.fixture(scope="module")
def made() -> tuple[Experiment, County, tuple[Fold, ...], pd.DataFrame]:
    drawn = simulate.simulate_county(households=150, months=46, seed=9, profile="poor-mountain", truth_at=[])
    county = from_frames(drawn.frames, About.model_validate(drawn.about))
    changed: dict[str, Any] = {
        "models": ("rule", "past_income"),
        "feature_set": str(SMALL),
        "follow_months": 1,
    }
    # Lists of one household, so that who falls is seen by the verdict or not at all.
    changed |= {"budget": VisitBudget(visits=1)}
    exp = plain_county().model_copy(update={**changed, "follow_months": 1})
    folds = experiment.temporal_folds(exp, county)
    fitted = {f.name: {"rule": None, "past_income": Poorest()} for f in folds}
    return exp, county, folds, fitting.follow_up_lists(exp, county, folds, fitted)


def test_following_is_monthly_and_lasts_longer_than_the_test_dates(made) -> None:
    exp, county, folds, seen = made
    days = fitting.follow_up_dates(exp, county, folds)
    assert (days[0], len(days)) == (folds[0].test[0], len(pd.date_range(days[0], days[-1], freq="ME")))
    assert days[-1] > folds[-1].test[-1]
    assert len(seen) >= 3
    assert set(seen["until"]) == {days[-1].year * 12 + days[-1].month - 1}


def test_the_rules_count_where_they_flag_whoever_has_left_the_cohort(made) -> None:
    exp, county, folds, seen = made
    verdicts = rules.evaluate_rules(county, exp.ruleset, fitting.follow_up_dates(exp, county, folds))
    flagged = verdicts[verdicts["flagged"]]
    month = flagged["as_of"].dt.year * 12 + flagged["as_of"].dt.month - 1
    at = pd.DataFrame({"household_id": flagged["household_id"], "month": month})
    both = seen.merge(at, on="household_id")
    first = both[both["month"] >= np.maximum(both["entered"], both["fell"] - 12)]
    first = first.groupby("household_id")["month"].min()
    rows = seen.set_index("household_id").loc[first.index]
    # A flag anywhere is seen at the latest when it is raised; a place on the rules' list may come before it.
    assert (rows["rules"] <= first).all()
    # Some are first seen at the fall or after it, where they are in the cohort no more.
    assert (rows["rules"] >= rows["fell"]).any(), "a county with more falls is needed"
    # A list counts before the fall only.
    assert not (seen["list:past_income"] >= seen["fell"]).any()


def test_the_fall_is_the_first_month_whose_period_is_below_the_line(made) -> None:
    exp, county, _, seen = made
    one = seen.iloc[0]
    fell = pd.Timestamp(int(one["fell"]) // 12, int(one["fell"]) % 12 + 1, 1) + pd.offsets.MonthEnd(0)
    before = (fell - pd.offsets.MonthEnd(1)).date()
    label = targets.build_targets(county, [before], 1, exp.events, exp.ruleset)
    assert label.set_index("household_id").loc[one["household_id"], "label"] == 1


def test_nobody_is_followed_where_no_month_has_an_outcome_or_nobody_asks(made) -> None:
    exp, county, _, _ = made
    assert fitting.can_follow_up(exp, county)
    assert not fitting.can_follow_up(exp.model_copy(update={"follow_months": None}), county)
    assert not fitting.can_follow_up(exp.model_copy(update={"models": ("past_income",)}), county)
    by_next = exp.model_copy(update={"horizon": targets.Horizon(months=12, next=True)})
    assert not fitting.can_follow_up(by_next, county)


def test_models_of_many_columns_give_way_where_few_households_fell_and_it_is_said(made) -> None:
    exp, county, _, _ = made
    changed = {"models": ("rule", "past_income", "logit"), "fallback": Fallback(model="past_income")}
    # A date a month: the same households fall at many of them, and are counted once.
    changed |= {"as_of": AsOf(every_months=1), "split": Split(folds=1), "calibration": "cross"}
    exp = exp.model_copy(update={**changed, "follow_months": None})
    result = fitting.run_experiment(exp, county, lambda text: None)
    fold = result.folds.iloc[-1]
    assert 0 < fold["train_event_households"] < min(100, fold["train_events"])
    scores = result.predictions.pivot(index=["household_id", "as_of"], columns="model", values="probability")
    assert (scores["logit"] == scores["past_income"]).all()
    part = models.fallback_of(result.fitted["logit"])
    assert part is not None
    assert part.fell_back_
    said = {note.code: note.text("en") for note in result.notes}
    assert f"only {part.n_event_households_} households of the training rows" in said["few events"]
    assert (
        f"test of {fold['fold']}: only {fold['train_event_households']} households"
        in (said["few events tested"])
    )


class Weighted:
    """A linear model whose sums are made by linear algebra, in blocks of rows."""

    def margin(self, X: pd.DataFrame) -> np.ndarray:
        return X.to_numpy() @ np.sqrt(np.arange(1, X.shape[1] + 1))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return np.column_stack([self.margin(X), self.margin(X)])

    def predict_interval(self, X: pd.DataFrame) -> np.ndarray:
        return self.predict_proba(X)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 130])
def test_a_score_does_not_depend_on_how_many_are_scored_with_it(n: int) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(131, 57)))
    every, some = fitting.score_columns(Weighted(), X), fitting.score_columns(Weighted(), X.iloc[:n])
    for name, values in some.items():
        np.testing.assert_array_equal(values, every[name][:n])
