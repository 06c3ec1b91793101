"""Past income, permanent income and the village alone against closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from riskmodel import models
from riskmodel.models.baselines import PastIncome


def _data(n=600, seed=0, villages=30):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
    y = (rng.random(n) < expit(-1 + 1.2 * X["a"] - 0.8 * X["b"])).astype(int)
    X.loc[rng.random(n) < 0.2, "c"] = np.nan
    return X, y, np.arange(n) % villages


def test_past_income_uses_only_its_columns():
    X, y, _ = _data()
    model = PastIncome(columns=["a"]).fit(X, y)
    other = X.assign(b=999.0, c=np.nan)
    assert (model.margin(other) == model.margin(X)).all()
    parts = model.contributions(X)
    assert (parts[:, 1:] == 0).all()
    assert model.base_value_ + parts.sum(axis=1) == pytest.approx(model.margin(X))
    # One rising column: the ranking is the column's own ranking.
    assert model.coef_.shape == (1,)
    assert model.coef_[0] > 0


def test_past_income_names_the_columns_there_are():
    X, y, _ = _data()
    with pytest.raises(ValueError, match=r"columns \['z'\] are not in X.*one of: a, b, c, d, e"):
        PastIncome(columns=["z"]).fit(X, y)
    with pytest.raises(ValueError, match="X has no column names"):
        PastIncome(columns=["z"]).fit(X.to_numpy(), y)


COLUMNS = ["now", "before", "earlier"]


def test_default_weights_are_friedmans():
    # 1957, ch. V: 0.33, 0.22, 0.15 of this year and the two before, with those further back; here they are
    # raised in proportion to add up to 1.
    X = pd.DataFrame(np.random.default_rng(0).normal(9000, 2000, (50, 3)), columns=COLUMNS)
    model = models.PermanentIncome(COLUMNS).fit(X, np.arange(50) % 2)
    assert model.weights_ / model.weights_[0] * (1 - np.exp(-0.4)) == pytest.approx(
        [0.33, 0.22, 0.15], abs=0.005
    )
    assert model.weights_.sum() == pytest.approx(1)


def test_unknown_periods_leave_the_others_their_proportion():
    incomes = np.array([[9.0, 6.0, 3.0], [9.0, np.nan, 3.0], [np.nan, np.nan, 3.0], [np.nan] * 3])
    found = models.PermanentIncome.weigh(incomes, np.array([0.5, 0.3, 0.2]))
    # 4.5 + 1.8 + 0.6; (4.5 + 0.6) / 0.7; 3; unknown.
    assert found == pytest.approx([6.9, 5.1 / 0.7, 3.0, np.nan], nan_ok=True)


def test_it_is_a_logit_of_the_weighted_mean_and_adds_up():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.lognormal(9, 0.5, (800, 3)), columns=COLUMNS).assign(other=rng.normal(size=800))
    X = X.mask(rng.random(X.shape) < 0.1)
    y = (rng.random(800) < 0.3).astype(int)
    model = models.PermanentIncome(COLUMNS, weights=[3, 2, 1]).fit(X, y)
    mean = models.PermanentIncome.weigh(X[COLUMNS].to_numpy(), np.array([3.0, 2.0, 1.0]))
    alone = models.PastIncome().fit(pd.DataFrame({"mean": mean}), y)
    assert model.margin(X) == pytest.approx(alone.margin(pd.DataFrame({"mean": mean})), abs=1e-10)
    parts = model.contributions(X)
    assert model.base_value_ + parts.sum(axis=1) == pytest.approx(model.margin(X), abs=1e-10)
    # A column that is not named, or a period that is not known, is given no part, except to say that none is.
    assert (parts[:, 3] == 0).all()
    assert (parts[:, 1][X["before"].isna()] == 0).all()


def test_what_a_years_luck_hides_the_average_shows():
    rng = np.random.default_rng(2)
    lasting = rng.normal(9, 0.4, 4000)
    X = pd.DataFrame(np.exp(lasting[:, None] + rng.normal(0, 0.6, (4000, 3))), columns=COLUMNS)
    y = (rng.random(4000) < 1 / (1 + np.exp(2 + 4 * (lasting - 9)))).astype(int)
    half = slice(0, 2000), slice(2000, None)
    auc = {
        name: roc_auc_score(y[half[1]], model.fit(X.iloc[half[0]], y[half[0]]).margin(X.iloc[half[1]]))
        for name, model in {
            "now": models.PastIncome(["now"]),
            "mean": models.PermanentIncome(COLUMNS),
        }.items()
    }
    # Luck of three years averaged is half as large: the mean orders better, by more than its noise (0.02).
    assert auc["mean"] > auc["now"] + 0.02


def test_wrong_weights_and_columns_are_refused():
    X, y = pd.DataFrame({"now": [1.0, 2, 3, 4], "before": [1.0, 1, 2, 2]}), [0, 1, 0, 1]
    for weights in ([1.0], [1.0, 0.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="one positive number for each of the 2"):
            models.PermanentIncome(["now", "before"], weights).fit(X, y)
    with pytest.raises(ValueError, match="not in X"):
        models.PermanentIncome(["never"]).fit(X, y)


def test_village_rate_is_the_beta_binomial_posterior():
    X = pd.DataFrame({"village": np.repeat(["a", "b", "c"], [10, 20, 30])})
    y = np.r_[np.ones(5), np.zeros(5), np.ones(2), np.zeros(18), np.ones(5), np.zeros(25)].astype(int)
    model = models.VillageRate(prior_rows=4).fit(X, y)
    base = 12 / 60
    assert model.predict_proba(X)[[0, 10, 30], 1] == pytest.approx(
        [(5 + 4 * base) / 14, (2 + 4 * base) / 24, (5 + 4 * base) / 34]
    )
    # A village never seen has the county's rate, and the widest interval.
    new = pd.DataFrame({"village": ["z"]})
    assert model.predict_proba(new)[0, 1] == pytest.approx(base)


@pytest.mark.parametrize(("name", "columns"), [("run_rate", [1]), ("run_rates", [1, 3, 6])])
def test_run_rates_are_the_orders_of_their_columns(name, columns):
    rng = np.random.default_rng(3)
    X = pd.DataFrame({f"run_rate_{k}": rng.normal(size=200) for k in (1, 3, 6)})
    y = (X["run_rate_1"] + rng.normal(size=200) < 0).astype(int)
    named = [f"run_rate_{k}" for k in columns]
    model = models.build_model(name, {"columns": named}).fit(X, y)
    moved = X.assign(**{c: 0.0 for c in X if c not in named})
    assert np.array_equal(model.margin(X), model.margin(moved))
    if len(named) == 1:
        assert (np.argsort(model.margin(X)) == np.argsort(-X["run_rate_1"])).all()
