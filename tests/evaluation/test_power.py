"""Planning: against statsmodels, brute force and simulation."""

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from riskmodel import evaluation


@pytest.mark.parametrize(("hits", "visits"), [(0, 50), (5, 150), (50, 50), (3, 1000)])
def test_the_interval_is_statsmodels_clopper_pearson(hits, visits):
    made = evaluation.precision_interval(hits, visits)
    low, high = proportion_confint(hits, visits, method="beta")
    assert made.low == pytest.approx(0.0 if hits == 0 else low)
    assert made.high == pytest.approx(1.0 if hits == visits else high)


def test_power_at_one_in_a_hundred_is_the_exact_binomial_sum():
    # The smallest count with P(at least so many | 1 %) <= 5 %, then P(at least so many | 3 %).
    tail = [sum(binom.pmf(range(c, 301), 300, 0.01)) for c in range(20)]
    critical = next(c for c, p in enumerate(tail) if p <= 0.05)
    assert evaluation.precision_power(0.01, 300, 3) == pytest.approx(binom.sf(critical - 1, 300, 0.03))
    # Without an effect the power is the level at most: the test is exact.
    assert evaluation.precision_power(0.01, 300, 1) <= 0.05
    needed = evaluation.visits_needed(0.01, 3)
    assert all(evaluation.precision_power(0.01, n, 3) >= 0.8 for n in range(needed, needed + 200))
    assert evaluation.precision_power(0.01, needed - 1, 3) < 0.8
    # Villages that are alike cost visits in proportion.
    assert evaluation.visits_needed(0.01, 3, effect=2.0) == pytest.approx(2 * needed, rel=0.05)


def test_smallest_difference_has_the_power_that_it_claims():
    # Paired lists over 400 events: of these 30 % are on one list only, split so that recall differs by delta.
    rng = np.random.default_rng(6)
    delta = evaluation.smallest_difference(400, discordant=0.3)
    p = [(0.3 + delta) / 2, (0.3 - delta) / 2, 0.7]
    draws = rng.multinomial(400, p, size=1500)
    shown = np.mean([evaluation.mcnemar_exact(int(a), int(b)) < 0.05 for a, b, _ in draws])
    # The exact test is a little conservative against Connor's normal formula.
    assert 0.74 < shown < 0.84
    assert np.isnan(evaluation.smallest_difference(5))
    assert evaluation.design_effect(1, 0.5) == 1


def test_the_table_of_what_can_be_shown_is_made_of_the_functions_above():
    table = evaluation.power_table(events=90, rows=3000, visits=150, villages=30)
    assert table["correlation"].tolist() == [0.0, 0.02, 0.05]
    last = table.iloc[2]
    effect = evaluation.design_effect(90 / 30, 0.05)
    assert last["design_effect"] == effect == pytest.approx(1.1)
    assert last["smallest_difference"] == evaluation.smallest_difference(90, effect=effect)
    by_visit = evaluation.design_effect(150 / 30, 0.05)
    ends = evaluation.precision_interval(0.03 * 2 * 150, 150, effect=by_visit)
    assert (last["precision_low"], last["precision_high"]) == (ends.low, ends.high)
    assert last["power_twice_random"] == evaluation.precision_power(0.03, 150, 2.0, effect=by_visit)
    assert last["rare_power_threefold"] == evaluation.precision_power(0.01, 150, 3.0, effect=by_visit)
    assert last["rare_visits_to_show_threefold"] == evaluation.visits_needed(0.01, 3.0, effect=by_visit)
    # Villages that are alike show less and need more.
    assert table["smallest_difference"].is_monotonic_increasing
    assert table["rare_visits_to_show_threefold"].is_monotonic_increasing
    # Where every second household has the event, twice random is not possible.
    assert np.isnan(evaluation.power_table(60, 100, 20, 10)["power_twice_random"]).all()


def test_the_observed_comes_first_beside_what_is_assumed():
    table = evaluation.power_table(90, 3000, 150, 30, correlation=0.08, discordant=0.12)
    first = table.iloc[0]
    assert table["observed"].tolist() == [True, False, False, False]
    assert (first["correlation"], first["discordant_observed"], first["discordant_assumed"]) == (
        0.08,
        0.12,
        0.3,
    )
    effect = evaluation.design_effect(90 / 30, 0.08)
    assert first["smallest_difference_observed"] == evaluation.smallest_difference(90, 0.12, effect=effect)
    # Fewer events on one list only leave less to luck: less of a difference is enough.
    assert first["smallest_difference_observed"] < first["smallest_difference"]
    # Villages less alike than chance has it carry no more information than independent rows.
    below = evaluation.power_table(90, 3000, 150, 30, correlation=-0.01, discordant=0.0).iloc[0]
    assert (below["correlation"], below["design_effect"]) == (0.0, 1.0)
    assert np.isnan(below["smallest_difference_observed"])


def test_what_was_observed_is_read_off_the_comparison(predictions):
    told = evaluation.compare(predictions, {"share": 0.05}, replicates=20)
    first, row = told.primary.iloc[0], evaluation.comparison_power(told.primary, predictions).iloc[0]
    assert row["discordant_observed"] == (first["baseline_only"] + first["model_only"]) / first["n_events"]
    assert row["observed"]
    # The made-up county draws village levels: its villages are alike, by a few per cent.
    assert 0 < row["correlation"] < 0.1


def test_village_correlation_is_the_known_one_and_zero_where_there_is_none():
    rng = np.random.default_rng(4)
    village = np.repeat(np.arange(4000), rng.integers(2, 20, 4000))
    # Beta-binomial: ρ = 1 / (a + b + 1) exactly (Ridout et al. 1999, sec. 2).
    rate = rng.beta(1.0, 9.0, 4000)[village]
    alike = evaluation.village_correlation(rng.random(len(village)) < rate, village)
    assert alike == pytest.approx(1 / 11, abs=0.015)
    alone = evaluation.village_correlation(rng.random(len(village)) < 0.1, village)
    assert abs(alone) < 0.01
    # Analysis of variance by hand: two villages of two, values 0, 2 and 4, 6: between 16, within 2,
    # (16 − 2) / (16 + 2) = 7 / 9.
    assert evaluation.village_correlation([0, 2, 4, 6], ["a", "a", "b", "b"]) == pytest.approx(7 / 9)
    # Dates far apart in level are no likeness of villages.
    dates = np.repeat([0, 1], 4)
    assert evaluation.village_correlation([0, 2, 0, 2, 10, 12, 10, 12], list("aabbaabb"), dates) < 0
    assert np.isnan(evaluation.village_correlation([1, 0], ["a", "b"]))


def test_precision_is_planned_before_the_visits():
    table = evaluation.precision_plan(0.01, 200, lifts=[2, 5, 200], effect=1.5).set_index("lift")
    # Two hundred times one in a hundred is no share.
    assert table.index.tolist() == [2.0, 5.0]
    assert table.loc[5.0, ["low", "high"]].tolist() == list(
        evaluation.precision_interval(10, 200, effect=1.5)[1:]
    )
    assert table.loc[5.0, "power"] == evaluation.precision_power(0.01, 200, 5, effect=1.5)
    assert table.loc[2.0, "visits_needed"] == evaluation.visits_needed(0.01, 2, effect=1.5)


def test_wilson_against_another_implementation_and_its_coverage() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for hits, n in [(126, 383), (0, 10), (7, 9), (50, 50)]:
        theirs = proportion_confint(hits, n, method="wilson")
        assert np.allclose([float(v) for v in evaluation.wilson_interval(hits, n)], theirs, atol=1e-12)
    # Coverage at p = 0.3, n = 40: the exact sum over all outcomes stays near 95 %.
    hits = np.arange(41)
    low, high = evaluation.wilson_interval(hits, 40)
    assert binom.pmf(hits, 40, 0.3)[(low <= 0.3) & (high >= 0.3)].sum() == pytest.approx(0.95, abs=0.03)
