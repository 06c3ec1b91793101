"""Early warning: false alarms at the stated rate, outbreaks seen, neighbours, and nothing from the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom
from scipy.stats import t as student

from riskmodel.errors import UsageError
from riskmodel.forecasting import accuracy, warning
from riskmodel.rules import load_rules

MONTHS = np.arange(24_000, 24_048)
NAMES = tuple(f"t{k}" for k in range(12))
HOMES = np.full(12, 350.0)


def quiet(seed: int, phi: float = 1.5) -> np.ndarray:
    """Twelve townships of season and overdispersion, nothing else."""
    rng = np.random.default_rng(seed)
    mu = np.tile(3 * np.exp(0.4 * np.sin(2 * np.pi * MONTHS / 12)), (12, 1)) * rng.uniform(0.5, 2, (12, 1))
    return rng.negative_binomial(mu / (phi - 1), 1 / phi).astype(float)


def test_the_tail_is_the_negative_binomials() -> None:
    # Mean 3, variance 6: the size is 9 / (6 - 3), the success chance 3 / 6.
    three, six = np.array([3.0]), np.array([6.0])
    assert warning.tail_probability(np.array([7.0]), three, six)[0] == pytest.approx(nbinom.sf(6, 3.0, 0.5))
    assert warning.tail_probability(np.array([0.0]), three, six)[0] == pytest.approx(1.0)


def test_corrections_by_hand() -> None:
    # Benjamini & Hochberg (1995): p (i) n / i, made monotone from above; Holm: p (i) (n - i + 1) from below.
    p = np.array([0.001, 0.04, 0.03, 0.5])
    assert accuracy.adjust_p_values(p).tolist() == pytest.approx([0.004, 0.16 / 3, 0.16 / 3, 0.5])
    assert accuracy.adjust_p_values(p, "holm").tolist() == pytest.approx([0.004, 0.09, 0.09, 0.5])


def test_quiet_counties_raise_few_alarms() -> None:
    # Under the null a run (12 looks, level 5 %) has an alarm in about 5 % of the runs at most: with
    # estimated expectations up to twice that. 40 counties: at most 8 is four standard errors above 5 %.
    runs = [warning.watch_counts(quiet(s), MONTHS, NAMES, HOMES)["alarm"].any() for s in range(40)]
    assert sum(runs) <= 8


def test_an_outbreak_is_seen_at_once_and_not_used_up_by_its_own_baseline() -> None:
    counts = quiet(3)
    counts[4, -1] += 18
    found = warning.watch_counts(counts, MONTHS, NAMES, HOMES)
    assert found.loc[found["alarm"], "township"].tolist() == ["t4"]
    assert found.loc[4, "ratio"] > 3
    # A past outbreak of the same month last year is weighted down: it does not hide the new one.
    counts[4, -13] += 30
    again = warning.watch_counts(counts, MONTHS, NAMES, HOMES)
    assert bool(again.loc[4, "alarm"])


def test_neighbours_find_trouble_that_each_township_alone_would_miss() -> None:
    near = pd.DataFrame({"township": NAMES, "lon": np.arange(12) / 10, "lat": 25.0})
    neighbours = warning.nearest_townships(near)
    assert neighbours["t0"] == ("t1", "t2")
    assert neighbours["t5"][0] in ("t4", "t6")
    counts = quiet(1)
    counts[[5, 6, 7], -1] = np.round(counts[[5, 6, 7], :45].mean(axis=1)) + 6
    alone = warning.watch_counts(counts, MONTHS, NAMES, HOMES)
    together = warning.watch_counts(counts, MONTHS, NAMES, HOMES, neighbours=neighbours)
    best = {"alone": alone["p"].min(), "together": together["p"].min()}
    assert best["together"] < best["alone"] / 10
    assert together.loc[together["p"].idxmin(), "with_neighbours"] != ""


def test_only_the_newest_months_are_looked_at() -> None:
    counts = quiet(7)
    counts[0, -2] += 40
    one = warning.watch_counts(counts, MONTHS, NAMES, HOMES, looks=1)
    two = warning.watch_counts(counts, MONTHS, NAMES, HOMES, looks=2)
    assert not one["alarm"].any()
    assert two.loc[two["alarm"], ["township", "month"]].to_numpy().tolist() == [["t0", 24_046]]


def test_short_series_are_refused_with_what_is_needed() -> None:
    with pytest.raises(UsageError, match="22 are needed"):
        warning.watch_counts(quiet(1)[:, :20], MONTHS[:20], NAMES, HOMES)
    rare = np.zeros((12, 48))
    rare[3, -1] = 5
    rare[2, :9] = 1
    with pytest.raises(UsageError, match="fewer than 10 in 44 months"):
        warning.watch_counts(rare, MONTHS, NAMES, HOMES)


def test_months_that_are_still_filling_raise_no_false_alarms() -> None:
    # Half of the newest month is recorded yet. Counts made up for that (x / 0.5) and held against the whole:
    # each row counts twice, the variance is twice too large. As recorded they are Poisson with half the mean,
    # and a look at the 5 % level alarms in 5 % of the months at most.
    filled = np.ones(MONTHS.size)
    filled[-1] = 0.5
    alone, made_up = 0, 0
    for seed in range(20):
        for mean in (4.0, 10.0):
            rng = np.random.default_rng(seed)
            counts = rng.poisson(np.full((12, MONTHS.size), mean) * filled).astype(float)
            alone += int(
                (warning.newest_months(counts, MONTHS, NAMES, HOMES, filled=filled)["p"] < 0.05).sum()
            )
            made_up += int((warning.newest_months(counts / filled, MONTHS, NAMES, HOMES)["p"] < 0.05).sum())
    # 480 looks: 5 % are 24, three standard errors more are 38.
    assert 0 < alone <= 38
    assert made_up > 1.8 * alone


def test_the_error_of_the_expectation_widens_the_threshold() -> None:
    # A township of one entry a month, known from 24 months: var(mu) = mu^2 / 24 of its own level alone.
    rng = np.random.default_rng(4)
    past = rng.poisson(np.full((6, 24), 2.0)).astype(float)
    found = warning.expected_counts(past, MONTHS[:24], MONTHS[27:28], HOMES[:6])
    mean, variance = found.of([0], 0, 1.0)
    extra = variance - found.phi * mean
    assert extra > 0.8 * found.phi * mean**2 / past[0].sum()
    # Half recorded: half the mean, a quarter of the error.
    half, smaller = found.of([0], 0, 0.5)
    assert half == pytest.approx(mean / 2)
    assert smaller - found.phi * half == pytest.approx(extra / 4)


def test_townships_that_move_together_do_not_alarm_as_if_they_were_alone() -> None:
    # A shared shock of sd 0.6 a month: the sum of three varies far more than three times one's variance.
    rng = np.random.default_rng(6)
    wave = np.exp(0.6 * rng.standard_normal(MONTHS.size))
    counts = rng.poisson(4 * wave * np.ones((12, 1))).astype(float)
    found = warning.expected_counts(counts[:, :45], MONTHS[:45], MONTHS[-1:], HOMES)
    assert found._phi([0, 1, 2]) > 1.4 * found._phi([0])


def test_a_share_stands_out_against_the_others() -> None:
    # By hand for five townships of the same size: t of the fifth with T - 2 = 3 degrees of freedom.
    x = np.array([20.0, 24, 16, 22, 45])
    z = np.arcsin(np.sqrt(x / 100))
    t = (z[4] - z[:4].mean()) / np.sqrt(z[:4].var(ddof=1) * 1.25)
    expected, p = warning.outlying_shares(x, np.full(5, 100.0))
    assert p[4] == pytest.approx(student.sf(t, 3))
    assert expected[4] == pytest.approx(100 * np.sin(z[:4].mean()) ** 2)
    # A hamlet with the same share is no such outlier, four townships or nine households are not compared.
    _, hamlet = warning.outlying_shares(
        np.array([20.0, 24, 16, 22, 4.5]), np.array([100.0, 100, 100, 100, 10])
    )
    assert hamlet[4] > 3 * p[4]
    assert np.isnan(warning.outlying_shares(x[:4], np.full(4, 100.0))[1]).all()
    assert np.isnan(warning.outlying_shares(x, np.array([100.0, 100, 100, 100, 9]))[1]).all()


def test_shares_stand_out_no_oftener_than_said() -> None:
    # Shares that vary between townships (sd 0.08) and by chance: 5 % of the looks are below 5 %.
    rng = np.random.default_rng(2)
    small = 0
    for _ in range(200):
        share = np.clip(0.3 + 0.08 * rng.standard_normal(8), 0.02, 0.98)
        size = rng.integers(20, 200, 8)
        small += int((warning.outlying_shares(rng.binomial(size, share), size.astype(float))[1] < 0.05).sum())
    # 1,600 looks, eight of a county depend on one another: 80 expected, at most 130 (half as much again).
    assert 40 <= small <= 130


def test_the_headings_are_those_of_the_scale_risk_list() -> None:
    listed = load_rules("yingjiang-2022").scale_risks
    # Document 004: disasters, epidemics, falling prices, job losses, failed projects, relocation sites, share
    # of monitored households not yet eliminated.
    assert list(listed) == [
        "disaster", "epidemic", "price_falls", "job_losses", "failed_projects", "relocation", "uneliminated"
    ]  # fmt: skip
    for name, risk in listed.items():
        said = warning.reason(risk.cause or name, "zh")
        assert risk.zh in said
        assert warning.reason(risk.cause or name, "en") != warning.reason("any", "en")
    assert warning.reason("industry_failure", "zh") == "农产品价格下跌或产业项目失败"
    assert warning.reason("never heard of", "en") == warning.scale_risk_headings()["any"]["en"]
