"""Rows asked again at other lines: a household weighs one, stays in one fold, and is judged at the line."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from riskmodel import models
from riskmodel.models import Boosting, CalibratedScore, LightBoosting, LineCopies, boosting
from riskmodel.models.base import MarginClassifier


def _data(n=600, seed=0, villages=20):
    """Households whose income falls below the line, at the line and at 1.5 times it."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"income_log": rng.uniform(0, 1.5, n), "age": rng.normal(size=n)}).round(1)
    after = X["income_log"] + rng.normal(0, 0.4, n) - 0.2 * X["age"]
    y = (after < 0).astype(int).to_numpy()
    row = np.flatnonzero(X["income_log"] >= np.log(1.5))
    moved = X.iloc[row].assign(income_log=X["income_log"].iloc[row] - np.log(1.5)).reset_index(drop=True)
    copies = LineCopies(moved, (after.iloc[row] < np.log(1.5)).astype(int).to_numpy(), row)
    return X, y, np.arange(n) % villages, copies


def test_a_row_and_its_copies_weigh_one_together():
    copies = LineCopies(np.zeros((3, 1)), np.array([0, 1, 1]), np.array([1, 1, 4]))
    assert copies.shares(5) == pytest.approx([1, 1 / 3, 1, 1, 1 / 2, 1 / 3, 1 / 3, 1 / 2])
    some = copies.take(np.array([0, 1, 3]))
    assert (some.row.tolist(), some.y.tolist()) == ([1, 1], [0, 1])
    assert copies.take(np.array([2, 4])).row.tolist() == [1]


def test_copies_are_rows_with_a_share_of_the_weight():
    X, y, village, copies = _data()
    ours = Boosting(max_trees=20, early_stopping=False).fit(X, y, groups=village, copies=copies)
    twice = np.isin(np.arange(len(y)), copies.row)
    theirs = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=20, max_depth=3, max_leaf_nodes=None, l2_regularization=1.0,
        early_stopping=False, random_state=0,
    )  # fmt: skip
    theirs.fit(
        np.vstack([X, copies.X]),
        np.r_[y, copies.y],
        np.r_[np.where(twice, 0.5, 1), np.full(twice.sum(), 0.5)],
    )
    assert (ours.margin(X) == theirs.decision_function(X.to_numpy())).all()
    alone = Boosting(max_trees=20, early_stopping=False).fit(X, y, groups=village)
    assert not (ours.margin(X) == alone.margin(X)).all()


def test_columns_of_many_values_are_moved_to_their_quantiles():
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.lognormal(size=3000), rng.integers(0, 9, 3000), rng.normal(size=3000)])
    values[:50, 2] = np.nan
    moved = boosting._on_grid(values)
    assert [len(np.unique(c[~np.isnan(c)])) for c in moved.T] == [255, 9, 255]
    assert (moved[:, 1] == values[:, 1]).all()
    assert (np.isnan(moved) == np.isnan(values)).all()
    order = np.argsort(values[:, 0])
    assert (np.diff(moved[order, 0]) >= 0).all()
    # As many rows at each as the unweighted trees would put into a bin, give or take one.
    assert np.bincount(np.searchsorted(np.unique(moved[:, 0]), moved[:, 0])).max() <= 3000 / 255 * 1.6


@pytest.mark.parametrize("kind", [Boosting, LightBoosting])
@pytest.mark.parametrize("event_weight", [1.0, 3.0])
def test_the_number_of_trees_is_judged_at_the_line_on_villages_without_a_copy(
    monkeypatch, kind, event_weight
):
    X, y, village, copies = _data()
    asked = []
    whole = kind._best_number

    def noted(self, rows, rest, held, signs):
        asked.append((rows, rest, held))
        return whole(self, rows, rest, held, signs)

    monkeypatch.setattr(kind, "_best_number", noted)
    kind(max_trees=40, event_weight=event_weight).fit(X, y, groups=village, copies=copies)
    ((rows, rest, held),) = asked
    grown, judged = rows.grown_on(rest), rows.judged_by(held)
    assert judged[: len(y)].tolist() == held.tolist()
    assert not judged[len(y) :].any()
    of = village[rows.source]
    assert not set(of[grown]) & set(of[judged])
    # The copies of the villages that are grown on are all there, and each household weighs as much as others.
    assert grown.sum() == rest.sum() + np.isin(copies.row, np.flatnonzero(rest)).sum()
    share = np.bincount(rows.source[grown], rows.share[grown], len(y))
    assert share[rest] == pytest.approx(np.ones(rest.sum()))


class Noted(MarginClassifier):
    """A base that keeps what it was fitted on."""

    fits: list = []  # noqa: RUF012 - shared by clones on purpose

    def fit(self, X, y, groups=None, copies=None):
        self._events(y)
        self.fits.append((np.asarray(X), copies))
        return self

    def margin(self, X):
        return -np.asarray(X)[:, 0]


@pytest.mark.parametrize(("scheme", "fits"), [("holdout", 1), ("cross", 5)])
def test_copies_are_held_out_with_their_rows_and_calibrate_nothing(scheme, fits):
    X, y, village, copies = _data()
    X["age"] = np.arange(len(X))  # says which row it is
    copies = LineCopies(copies.X.assign(age=copies.row), copies.y, copies.row)
    Noted.fits.clear()
    score = CalibratedScore(Noted(), scheme=scheme, draws=20).fit(X, y, groups=village, copies=copies)
    assert len(Noted.fits) == fits
    for seen, own in Noted.fits:
        rows = seen[:, 1].astype(int)
        assert (own.X["age"].to_numpy() == rows[own.row]).all()
        assert set(own.X["age"]) == set(rows) & set(copies.row)
    assert score.n_held_out_ == (len(y) if scheme == "cross" else (len(y) - len(Noted.fits[0][0])))


@pytest.mark.parametrize("kind", [models.MeanMargin, models.Stack])
def test_bases_that_take_copies_are_given_those_of_their_rows(kind):
    X, y, village, copies = _data()
    X["age"] = np.arange(len(X))
    copies = LineCopies(copies.X.assign(age=copies.row), copies.y, copies.row)
    Noted.fits.clear()
    model = kind([Noted(), models.PastIncome(["income_log"])]).fit(X, y, groups=village, copies=copies)
    assert len(Noted.fits) == (1 if kind is models.MeanMargin else 4)
    for seen, own in Noted.fits:
        assert set(own.X["age"]) == set(seen[:, 1].astype(int)) & set(copies.row)
    assert isinstance(model.bases_[1], models.PastIncome)


@pytest.mark.parametrize(("below", "fits"), [(2, True), (10_000, False)])
def test_a_plain_model_that_stands_in_learns_from_the_line_alone(below, fits):
    X, y, village, copies = _data()
    plain = models.PlainModel("past_income", {"columns": ["income_log"]}, below)
    model = models.fit_model(
        "boosting", X, y, village, 0, {"max_trees": 5, "early_stopping": False}, fallback=plain,
        households=np.arange(len(y)), copies=copies,
    )  # fmt: skip
    alone = models.fit_model(
        "boosting", X, y, village, 0, {"max_trees": 5, "early_stopping": False}, fallback=plain,
        households=np.arange(len(y)),
    )  # fmt: skip
    assert (model.margin(X) != alone.margin(X)).any() == fits


def test_risk_may_only_rise_with_the_line():
    X, y, village, copies = _data()
    params = {"monotone": {"income_log": -1}, "min_samples_leaf": 10, "max_trees": 60}
    model = models.fit_model("boosting_lines", X, y, village, 0, params, scheme="cross", copies=copies)

    def asked(factor):
        return model.predict_proba(X.assign(income_log=X["income_log"] - np.log(factor)))[:, 1]

    chances = np.array([asked(factor) for factor in (1, 1.2, 1.5, 2)])
    assert (np.diff(chances, axis=0) >= 0).all()
    assert chances[2].mean() > 1.5 * chances[0].mean()
    # At the line it is calibrated there.
    assert chances[0].mean() == pytest.approx(y.mean(), rel=0.03)


def test_which_models_can_be_fitted_at_several_lines():
    able = {name for name in models.MODELS if models.takes_line_copies(name)}
    assert {"boosting", "boosting_lines", "additive", "lightgbm", "mean", "stack"} <= able
    assert not {"rule", "logit", "village", "vulnerability", "past_income"} & able
