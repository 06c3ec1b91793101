"""Split-conformal distributions: the promise on exchangeable data, in every band, and its arithmetic.

Luck that households share: its parts are found again, and intervals are as wide as it asks.
"""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel.forecasting import conformal
from riskmodel.forecasting.conformal import Calibration, CommonShock, Distribution, Shape

CATEGORIES = np.array(["months|near", "months|above", "totals|near"])


def drawn(n: int, seed: int) -> tuple[Shape, np.ndarray, np.ndarray]:
    """Outcomes with skew and a spread that differs by category, which the shape does not know."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    centre = rng.normal(0, 1, n)
    y = centre + (rng.gamma(2.0, 1.0, n) - 2) * np.array([0.5, 1.0, 3.0])[kind]
    return Shape(centre, np.ones(n), np.ones(n)), y, CATEGORIES[kind]


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_cover_in_every_category(level: float) -> None:
    # Exchangeable rows: coverage in each Mondrian category is at least the level, and at most
    # 2 / (n + 1) above it (Vovk et al. 2005, 4.5); the tolerance is four standard errors of 6,000 rows
    # and of the 1,000 calibration rows.
    shape, y, category = drawn(3_000, 1)
    found = conformal.calibrate(shape, y, category)
    new, outcome, kind = drawn(6_000, 2)
    q = Distribution(new, kind, found).quantiles(np.array([(1 - level) / 2, (1 + level) / 2]))
    inside = (outcome >= q[:, 0]) & (outcome <= q[:, 1])
    for name in CATEGORIES:
        mine = kind == name
        error = 4 * np.sqrt(level * (1 - level) * (1 / mine.sum() + 1 / (category == name).sum()))
        assert inside[mine].mean() == pytest.approx(level, abs=error)


def test_probabilities_are_calibrated_and_agree_with_the_quantiles() -> None:
    shape, y, category = drawn(4_000, 3)
    found = conformal.calibrate(shape, y, category)
    new, outcome, kind = drawn(4_000, 4)
    distribution = Distribution(new, kind, found)
    p = distribution.below(np.full(4_000, -0.5))
    assert p.mean() == pytest.approx((outcome < -0.5).mean(), abs=0.03)
    # F(F^-1(p)) = p up to one order statistic.
    q = distribution.quantiles(np.array([0.25]))[:, 0]
    assert distribution.below(q) == pytest.approx(np.full(4_000, 0.25), abs=0.01)
    assert ((p > 0) & (p < 1)).all()


def test_a_category_with_few_rows_goes_by_its_band_and_an_unseen_one_by_all() -> None:
    shape, y, category = drawn(1_200, 5)
    few = (category != "totals|near") | (np.cumsum(category == "totals|near") <= 10)
    found = conformal.calibrate(shape.take(few), y[few], category[few])
    s = shape.take(few).score(y[few])
    near = np.char.endswith(category[few], "near")
    assert found.scores("totals|near").tolist() == np.sort(s[near]).tolist()
    assert found.scores("broken|unknown").size == few.sum()


def test_a_band_with_few_rows_borrows_from_the_nearest() -> None:
    # Those below the line are few, and unlike those well above it: they go by the near ones as well, by all
    # only if that is not enough. Thirty-nine scores are the fewest whose ends hold 95 %.
    bands = np.repeat([f"months|{b}" for b in conformal.BAND_NAMES], [10, 35, 300, 300])
    scores = np.repeat([1.0, 2.0, 3.0, 4.0], [10, 35, 300, 300])
    at = Shape(np.zeros(645), np.ones(645), np.ones(645))
    found = conformal.calibrate(at, scores, bands)
    assert np.unique(found.scores("months|below")).tolist() == [1, 2]
    assert np.unique(found.scores("months|near")).tolist() == [1, 2, 3]
    assert np.unique(found.scores("months|above")).tolist() == [3]


def test_scores_of_other_months_are_brought_to_as_ofs_spread() -> None:
    # What lies ahead of a June is twice as uncertain as what lies ahead of a December.
    rng = np.random.default_rng(6)
    month = np.repeat([6, 12], 4_000)
    score = rng.normal(size=8_000) * np.where(month == 6, 2.0, 1.0)
    for now, spread in ((6, 2.0), (12, 1.0)):
        scaled = score / conformal.seasonal(score, month, now)
        for other in (6, 12):
            assert scaled[month == other].std() == pytest.approx(spread, rel=0.05)
    # Nothing is said of a month that no past day was in, nor by a handful of scores.
    assert (conformal.seasonal(score, month, 3) == 1).all()
    assert (conformal.seasonal(score[:4_030], month[:4_030], 6) == 1).all()


def test_widening_keeps_the_median() -> None:
    found = Calibration({"a": np.arange(5.0)}, np.arange(9.0)).widened(2.0)
    assert found.scores("a").tolist() == [-2, 0, 2, 4, 6]
    assert np.median(found.pooled) == 4


def test_order_statistics_lie_outward() -> None:
    # n = 99 scores 1 … 99: the 2.5 % end is the 2nd (not the 3rd), the 97.5 % end the 98th.
    distribution = Distribution(
        Shape(np.zeros(1), np.ones(1), np.ones(1)), np.array(["x"]), Calibration({}, np.arange(1.0, 100.0))
    )
    assert distribution.quantiles(np.array([0.025, 0.5, 0.975])).tolist() == [[2.0, 50.0, 98.0]]


def test_ends_beyond_too_few_scores_are_never_inside_the_normal_ones() -> None:
    # Twenty scores have no 2.5 % end: its place is 0.525. Half of them within ±0.5 would pretend to know it.
    at = Shape(np.zeros(1), np.ones(1), np.ones(1))
    ends = np.array([0.025, 0.975])
    tight = Distribution(at, np.array(["x"]), Calibration({}, np.linspace(-0.5, 0.5, 20))).quantiles(ends)
    assert tight[0] == pytest.approx([-1.96, 1.96], abs=0.001)
    wide = Distribution(at, np.array(["x"]), Calibration({}, np.linspace(-9, 9, 20))).quantiles(ends)
    assert wide[0].tolist() == [-9, 9]
    # The promise at n = 20, over 1,000 calibrations of normal scores: 95 % but for three standard errors.
    rng = np.random.default_rng(7)
    inside = []
    for scores, new in zip(np.sort(rng.normal(size=(1_000, 20))), rng.normal(size=1_000), strict=True):
        low, high = Distribution(at, np.array(["x"]), Calibration({}, scores)).quantiles(ends)[0]
        inside.append(low <= new <= high)
    assert np.mean(inside) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 1_000)


def test_score_and_place_are_inverse_and_bands_are_half_open() -> None:
    shape = Shape(np.array([1.0, 1.0]), np.array([2.0, 2.0]), np.array([4.0, 4.0]))
    y = np.array([-3.0, 9.0])
    assert shape.score(y).tolist() == [-2.0, 2.0]
    assert shape.place(shape.score(y)).tolist() == y.tolist()
    # "Below" the line is strictly below; exactly the line is near.
    named = conformal.band(np.array([5999.9, 6000.0, 9000.0, 15000.0]), 6000.0)
    assert named.tolist() == ["below", "near", "above", "well_above"]


def test_shares_of_common_luck_are_found_again() -> None:
    # Normal scores drawn with 10 % of the variance shared by the county and 15 % by the township, over
    # many days so that the county's share can be seen at all.
    rng = np.random.default_rng(1)
    day, town = np.repeat(np.arange(40), 200), np.tile(np.repeat(np.arange(10), 20), 40)
    z = np.sqrt(0.10) * rng.normal(size=40)[day] + np.sqrt(0.15) * rng.normal(size=(40, 10))[day, town]
    z = z + np.sqrt(0.75) * rng.normal(size=day.size)
    found = conformal.estimate_common_shock(z, day, town)
    assert found.township == pytest.approx(0.15, abs=0.04)
    assert found.county == pytest.approx(0.10, abs=0.05)
    alone = conformal.estimate_common_shock(rng.normal(size=day.size), day, town)
    assert alone.township < 0.02
    assert alone.county == pytest.approx(conformal.MIN_COMMON_SHARE, abs=0.01)


def test_one_past_day_leaves_the_county_share_at_its_floor() -> None:
    # Of one year nothing can be said about how years differ.
    rng = np.random.default_rng(2)
    found = conformal.estimate_common_shock(rng.normal(size=100), np.zeros(100), np.repeat(np.arange(4), 25))
    assert found.county == conformal.MIN_COMMON_SHARE


@pytest.mark.parametrize("seen", [2, 5])
def test_widened_intervals_cover_a_year_that_was_not_seen(seen: int) -> None:
    # Scores with a fifth of their variance common to a year, calibrated on 2 or 5 years, held against a new
    # one, over 4,000 counties: pooled 80 % intervals cover too little, widened ones what they say but for
    # two points (two years seen tell their own spread badly).
    rng = np.random.default_rng(seen)
    shared, counties = 0.2, 4_000
    years = np.sqrt(shared) * rng.normal(size=(counties, seen + 1, 1))
    z = years + np.sqrt(1 - shared) * rng.normal(size=(counties, seen + 1, 60))
    past, new = z[:, :-1].reshape(counties, -1), z[:, -1]
    middle = np.median(past, axis=1, keepdims=True)
    low, high = np.quantile(past, [0.1, 0.9], axis=1)
    wide = conformal.widening_factor(CommonShock(shared, 0.0), seen)
    covered = {}
    for name, by in (("pooled", 1.0), ("widened", wide)):
        ends = [middle + (end[:, None] - middle) * by for end in (low, high)]
        covered[name] = float(((new >= ends[0]) & (new <= ends[1])).mean())
    assert covered["pooled"] < 0.78
    assert covered["widened"] == pytest.approx(0.8, abs=0.02)
    assert 0.8 - covered["widened"] < (0.8 - covered["pooled"]) / 2
