"""Early warning: false alarms at the stated rate, outbreaks seen, neighbours, and nothing from the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom

from riskmodel.errors import UsageError
from riskmodel.forecast import warning
from riskmodel.rules import load

MONTHS = np.arange(24_000, 24_048)
NAMES = tuple(f"t{k}" for k in range(12))
HOMES = np.full(12, 350.0)


def quiet(seed: int, phi: float = 1.5) -> np.ndarray:
    """Twelve townships of season and overdispersion, nothing else."""
    rng = np.random.default_rng(seed)
    mu = np.tile(3 * np.exp(0.4 * np.sin(2 * np.pi * MONTHS / 12)), (12, 1)) * rng.uniform(0.5, 2, (12, 1))
    return rng.negative_binomial(mu / (phi - 1), 1 / phi).astype(float)


def test_the_tail_is_the_negative_binomials() -> None:
    # Variance phi * mu: the size is mu / (phi - 1), the success chance 1 / phi.
    assert warning.tail(np.array([7.0]), np.array([3.0]), 2.0)[0] == pytest.approx(nbinom.sf(6, 3.0, 0.5))
    assert warning.tail(np.array([0.0]), np.array([3.0]), 2.0)[0] == pytest.approx(1.0)


def test_corrections_by_hand() -> None:
    # Benjamini & Hochberg (1995): p (i) n / i, made monotone from above; Holm: p (i) (n - i + 1) from below.
    p = np.array([0.001, 0.04, 0.03, 0.5])
    assert warning.adjusted(p).tolist() == pytest.approx([0.004, 0.16 / 3, 0.16 / 3, 0.5])
    assert warning.adjusted(p, "holm").tolist() == pytest.approx([0.004, 0.09, 0.09, 0.5])


def test_quiet_counties_raise_few_alarms() -> None:
    # Under the null a run (12 looks, level 5 %) has an alarm in about 5 % of the runs at most: with
    # estimated expectations up to twice that. 40 counties: at most 8 is four standard errors above 5 %.
    runs = [warning.watch(quiet(s), MONTHS, NAMES, HOMES)["alarm"].any() for s in range(40)]
    assert sum(runs) <= 8


def test_an_outbreak_is_seen_at_once_and_not_used_up_by_its_own_baseline() -> None:
    counts = quiet(3)
    counts[4, -1] += 18
    found = warning.watch(counts, MONTHS, NAMES, HOMES)
    assert found.loc[found["alarm"], "township"].tolist() == ["t4"]
    assert found.loc[4, "ratio"] > 3
    # A past outbreak of the same month last year is weighted down: it does not hide the new one.
    counts[4, -13] += 30
    again = warning.watch(counts, MONTHS, NAMES, HOMES)
    assert bool(again.loc[4, "alarm"])


def test_neighbours_find_trouble_that_each_township_alone_would_miss() -> None:
    near = pd.DataFrame({"township": NAMES, "lon": np.arange(12) / 10, "lat": 25.0})
    neighbours = warning.nearest(near)
    assert neighbours["t0"] == ("t1", "t2")
    assert neighbours["t5"][0] in ("t4", "t6")
    counts = quiet(1)
    counts[[5, 6, 7], -1] = np.round(counts[[5, 6, 7], :45].mean(axis=1)) + 6
    alone = warning.watch(counts, MONTHS, NAMES, HOMES)
    together = warning.watch(counts, MONTHS, NAMES, HOMES, neighbours=neighbours)
    best = {"alone": alone["p"].min(), "together": together["p"].min()}
    assert best["together"] < best["alone"] / 10
    assert together.loc[together["p"].idxmin(), "with_neighbours"] != ""


def test_only_the_newest_months_are_looked_at() -> None:
    counts = quiet(7)
    counts[0, -2] += 40
    one = warning.watch(counts, MONTHS, NAMES, HOMES, looks=1)
    two = warning.watch(counts, MONTHS, NAMES, HOMES, looks=2)
    assert not one["alarm"].any()
    assert two.loc[two["alarm"], ["township", "month"]].to_numpy().tolist() == [["t0", 24_046]]


def test_short_series_are_refused_with_what_is_needed() -> None:
    with pytest.raises(UsageError, match="22 are needed"):
        warning.watch(quiet(1)[:, :20], MONTHS[:20], NAMES, HOMES)


def test_the_reasons_are_those_of_the_scale_risk_list() -> None:
    # Rules, `yingjiang-2022`: disaster, epidemic, price falls, job losses, failed projects, relocation sites,
    # share of monitored households not yet eliminated.
    assert load("yingjiang-2022").id == "yingjiang-2022"
    for cause in (
        "disaster",
        "epidemic",
        "industry_failure",
        "unstable_employment",
        "relocation",
        "uneliminated",
    ):
        assert {warning.reason(cause, "zh"), warning.reason(cause, "en")} == set(
            warning.REASONS[cause].values()
        )
    assert warning.reason("never heard of", "en") == warning.REASONS["any"]["en"]
