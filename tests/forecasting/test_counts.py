"""Counts from the register: by hand, as they were known, late months made up for.

Reconciliation: adds up, keeps what adds up already, equals the textbook's formula, lowers no truth.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import County
from riskmodel.data.county import county_of_frames
from riskmodel.data.schema import month_ordinal
from riskmodel.errors import UsageError
from riskmodel.forecasting import count_models, counts, outlook, rolling_origin
from riskmodel.forecasting.counts import Hierarchy

DAY = dt.date(2020, 6, 30)


def county_of(rows: list[tuple[str, str, str, str, str]]) -> County:
    """A county of four households in two townships with these register rows."""
    ids = ["a", "b", "c", "d"]
    homes = pd.DataFrame(
        {"household_id": ids, "township": ["t1", "t1", "t2", "t2"], "village": "v",
         "registration": "lifted", "valid_from": "2018-01-01"}
    )  # fmt: skip
    people = pd.DataFrame(
        {"member_id": ids, "household_id": ids, "birth_month": "1980-01", "valid_from": "2018-01-01"}
    )
    income = pd.DataFrame({"household_id": ids, "month": "2020-01", "source": "wage", "amount": 100.0})
    register = pd.DataFrame(rows, columns=["household_id", "date", "event", "causes", "recorded_on"])
    return county_of_frames(
        {"households": homes, "members": people, "income": income, "monitoring": register}
    )


def test_counts_by_hand() -> None:
    county = county_of(
        [
            ("a", "2020-03-10", "identified", "illness;disaster", "2020-03-12"),
            ("b", "2020-03-20", "identified", "disaster", "2020-03-20"),
            ("c", "2020-05-01", "rolled_back", None, "2020-05-01"),
            ("a", "2020-04-01", "eliminated", None, "2020-04-01"),
            ("d", "2020-06-02", "re_marked", "illness", "2020-07-15"),  # not yet known at as-of
        ]
    )
    found = counts.monthly_counts(county, DAY)
    assert found.months.tolist() == list(range(month_ordinal(2020, 3), month_ordinal(2020, 7)))
    assert found.townships == ("t1", "t2")
    assert found.causes == ("illness", "disaster", "other")
    # The first cause is the main one; an entry without a cause is "other"; letting go is no entry.
    assert found.cells[:, :, 0].tolist() == [[1, 1, 0], [0, 0, 0]]
    assert found.cells[:, :, 2].tolist() == [[0, 0, 0], [0, 0, 1]]
    assert found.cells.sum() == 3
    assert found.households.tolist() == [2, 2]
    later = counts.monthly_counts(county, DAY, known_by=dt.date(2020, 12, 31))
    assert later.cells.sum() == 4


def test_months_that_are_still_filling_are_made_up_for() -> None:
    # Half of all entries have always come a month late: half of the newest month is known, it counts double.
    rows = []
    for k in range(24):
        first = dt.date(2018 + k // 12, k % 12 + 1, 10)
        late = first + dt.timedelta(days=30)
        rows += [("a", str(first), "identified", "illness", str(first))] * 2
        rows += [("c", str(first), "identified", "illness", str(late))] * 2
    found = counts.monthly_counts(county_of(rows), dt.date(2019, 12, 31))
    assert found.filled[-1] == pytest.approx(0.5)
    assert found.filled[:-1].tolist() == [1.0] * 23
    assert found.cells[:, :, -1].sum() == pytest.approx(4.0)


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="no row"):
        counts.monthly_counts(county_of([("a", "2020-03-10", "eliminated", None, "2020-03-12")]), DAY)
    home = {"household_id": ["a"], "township": "t", "village": "v", "registration": "lifted"}
    bare = county_of_frames({"households": pd.DataFrame(home | {"valid_from": "2018-01-01"})})
    with pytest.raises(UsageError, match="monitoring is absent"):
        counts.monthly_counts(bare, DAY)


METHODS = ("seasonal_naive", "mean", "negbin")


def rolled(days: int) -> tuple[pd.DataFrame, rolling_origin.Choice]:
    """Three methods from so many days on townships with a strong season and no trend."""
    rng = np.random.default_rng(2)
    months = np.arange(24_000, 24_072)
    tree = Hierarchy(("t1", "t2"), ("disaster", "illness"))
    wave = 12 * np.exp(0.7 * np.sin(2 * np.pi * months / 12))
    y = rng.poisson(wave, (2, 2, 72)).astype(float)
    homes = np.full(2, 500.0)
    now = counts.Counts(tree.townships, tree.causes, months, y, np.ones(72), homes)
    rows = []
    for k in range(days):
        end = 46 + k
        known = counts.Counts(tree.townships, tree.causes, months[:end], y[:, :, :end], np.ones(end), homes)
        for method in METHODS:
            t, out = rolling_origin.forecast_counts(known, method, 6)
            rows.append(rolling_origin._errors(method, dt.date(2020, 1, 1 + k), t, out, known, now))
    return rolling_origin.summarise(pd.concat(rows, ignore_index=True))


def test_the_plain_method_is_used_until_another_is_shown_to_beat_it() -> None:
    table, choice = rolled(18)
    county = table[table["level"] == "county"].set_index("method")
    # Seasonal-naive errors have twice the Poisson variance, the regression's hardly more than once: 0.71 in
    # expectation; a mean knows no season. Eighteen days tell, four are too few whatever they look like.
    assert county.loc["negbin", "mase"] < 0.9 * county.loc["seasonal_naive", "mase"]
    assert county.loc["mean", "mase"] > county.loc["seasonal_naive", "mase"]
    assert county.loc["negbin", "coverage_80"] >= 0.7
    assert np.isnan(county.loc["seasonal_naive", "dm"])
    assert (choice.method, choice.why) == ("negbin", "beaten")
    assert choice.p == county.loc["negbin", "dm_p_holm"] < 0.05
    assert "beats the seasonal naive method" in str(choice)
    few = rolled(4)[1]
    assert (few.method, few.why) == ("seasonal_naive", "untested")


def test_the_rule_of_choice_by_hand() -> None:
    mase = pd.Series({"seasonal_naive": 1.0, "mean": 0.83, "ets": 0.80, "negbin": 0.5})
    p = pd.Series({"mean": 0.01, "ets": 0.01, "negbin": 0.2})
    # Half the error without a test that says so is not enough; of those that beat it the plainest within 5 %.
    assert rolling_origin.choose_method(mase, p).method == "mean"
    lost = rolling_origin.choose_method(mase, p + 0.2)
    assert (lost.method, lost.why, lost.rival) == ("seasonal_naive", "not_significant", "negbin")
    assert "negbin does not beat it (MASE 0.50 against 1.00" in str(lost)
    # A significant test of a method that errs more over all steps does not count.
    worse = rolling_origin.choose_method(mase.add([0, 1, 1, 1]), p)
    assert (worse.method, worse.why) == ("seasonal_naive", "plain_is_best")


def test_limits_are_whole_and_never_inside_the_normal_ones() -> None:
    low, high = rolling_origin.interval(np.array([0.0, 4.0, 50.0]), np.array([1.2, 4.0, 80.0]), 95)
    assert (low == np.rint(low)).all()
    # Mean 0 with a variance of 1.2: up to round(1.96 * 1.1) = 2; fifty with variance 80: 50 ± 17.5.
    assert high[0] == 2
    assert low[2] <= 32
    assert high[2] >= 68


def test_known_series_reach_the_regression_and_are_refused_where_they_end_too_soon() -> None:
    # Twice as many in months where the known series is 1: the forecast of the next such month is twice.
    rng = np.random.default_rng(3)
    months = np.arange(24_000, 24_060)
    price = pd.DataFrame(
        {
            "month": [f"{m // 12}-{m % 12 + 1:02d}" for m in range(24_000, 24_072)],
            "low": np.arange(72) % 5 == 0,
        }
    )
    y = rng.poisson(20 * (1 + (np.arange(60) % 5 == 0)))[None, None, :].astype(float)
    table = outlook.check_known_series(price)
    known = counts.Counts(("t",), ("illness",), months, y, np.ones(60), np.array([400.0]), table)
    mean = count_models.regression(known, Hierarchy(("t",), ("illness",)), 12).mean[0]
    low = np.arange(60, 72) % 5 == 0
    assert mean[low].mean() / mean[~low].mean() == pytest.approx(2.0, rel=0.15)
    with pytest.raises(UsageError, match="no value for 2006-01"):
        count_models.regression(known, Hierarchy(("t",), ("illness",)), 13)
    with pytest.raises(UsageError, match="a month stands twice"):
        outlook.check_known_series(pd.concat([price, price]))
    with pytest.raises(UsageError, match="column month"):
        outlook.check_known_series(price.drop(columns="low"))
    with pytest.raises(UsageError, match="YYYY-MM"):
        outlook.check_known_series(price.assign(month="soon"))


TREE = Hierarchy(("a", "b", "c"), ("illness", "disaster"))


def base(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cells = rng.gamma(4.0, 2.0, (6, 3))
    mean = TREE.add_up(cells) + rng.normal(0, 0.5, (12, 3))
    errors = rng.normal(size=(40, 6)) @ TREE.summing.T + rng.normal(size=(40, 12))
    return mean, np.tile((errors**2).mean(axis=0)[:, None], (1, 3)), errors


def test_forecasts_add_up_over_causes_and_townships() -> None:
    mean, variance, errors = base(1)
    reconciled = counts.reconcile(TREE, mean, variance, errors)
    labels = TREE.labels
    cells = reconciled.mean[(labels["level"] == "cell").to_numpy()].reshape(3, 2, 3)
    assert reconciled.mean[0] == pytest.approx(cells.sum(axis=(0, 1)))
    assert reconciled.mean[1:3] == pytest.approx(cells.sum(axis=0))
    assert reconciled.mean[3:6] == pytest.approx(cells.sum(axis=1))
    # Unbiased: what adds up already is not touched (G S = I).
    again = counts.reconcile(TREE, reconciled.mean, variance, errors)
    assert again.mean == pytest.approx(reconciled.mean)


def test_projection_is_the_textbooks() -> None:
    # G = (S' W^-1 S)^-1 S' W^-1 (Wickramasuriya et al. 2019, eq. 9), which needs an inverse; ours does not.
    rng = np.random.default_rng(2)
    half = rng.normal(size=(12, 12))
    w = half @ half.T + np.eye(12)
    s = TREE.summing
    inverse = np.linalg.inv(w)
    assert counts.projection(s, w) == pytest.approx(np.linalg.solve(s.T @ inverse @ s, s.T @ inverse))


def test_two_towns_by_hand() -> None:
    # Equal and uncorrelated errors make it OLS: of total 10 and towns 4, 4 the gap of 2 is shared by three
    # series, a third each way: towns 4 + 2/3, total 10 - 2/3 (Hyndman et al. 2011).
    tree = Hierarchy(("x", "y"), ("only",))
    mean = np.array([[10.0], [10.0], [4.0], [4.0], [4.0], [4.0]])
    reconciled = counts.reconcile(tree, mean, np.ones((6, 1)), np.zeros((2, 6)))
    # County and its one cause are each other's twin, as are town and cell: the gap of 2 is shared so that
    # two totals and two pairs of towns pull with equal weight.
    assert reconciled.mean[2:4].ravel() == pytest.approx([4 + 2 / 3] * 2)
    assert reconciled.mean[0, 0] == pytest.approx(10 - 2 / 3)


def test_no_count_is_negative_and_sums_still_hold() -> None:
    mean = TREE.add_up(np.full((6, 1), 1.0))
    mean[-6] = -5.0
    reconciled = counts.reconcile(TREE, mean, np.ones((12, 1)), np.zeros((5, 12)))
    assert (reconciled.mean >= 0).all()
    assert reconciled.mean == pytest.approx(TREE.add_up(reconciled.mean[-6:]))


def test_mint_has_the_least_variance() -> None:
    # The theorem: with the true covariance MinT's error variance is not above that of any other unbiased G.
    rng = np.random.default_rng(3)
    half = rng.normal(size=(12, 12))
    w = half @ half.T
    s = TREE.summing
    spread = {name: np.trace(s @ g @ w @ g.T @ s.T) for name, g in {
        "mint": counts.projection(s, w),
        "wls": counts.projection(s, np.diag(np.diag(w))),
        "ols": counts.projection(s, np.eye(12)),
    }.items()}  # fmt: skip
    assert spread["mint"] < min(spread["wls"], spread["ols"])


def test_shrinkage_is_near_one_for_noise_and_near_zero_for_long_correlated_series() -> None:
    # Schaefer & Strimmer (2005): the optimal intensity falls with what correlation there is to see.
    rng = np.random.default_rng(4)
    noise = counts.shrunk_correlation(rng.normal(size=(30, 40)))[1]
    common = rng.normal(size=(400, 1)) + 0.5 * rng.normal(size=(400, 10))
    r, together = counts.shrunk_correlation(common)
    assert noise > 0.7
    assert together < 0.05
    assert r[0, 1] == pytest.approx(0.8, abs=0.1)
    assert np.linalg.eigvalsh(counts.shrunk_correlation(rng.normal(size=(5, 40)))[0]).min() > 0
