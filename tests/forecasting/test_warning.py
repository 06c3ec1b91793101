"""Early warning: false alarms at the stated rate, outbreaks seen, neighbours, and nothing from the future.

What the early warning looks at: every kind can be raised, and the correction is of the whole run.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom
from scipy.stats import t as student

from riskmodel.data import County, from_frames
from riskmodel.data.county import About
from riskmodel.errors import UsageError
from riskmodel.forecasting import accuracy, warning
from riskmodel.forecasting.household import HouseholdForecast
from riskmodel.rules import load_rules

MONTHS = np.arange(24_000, 24_048)
NAMES = tuple(f"t{k}" for k in range(12))
HOMES = np.full(12, 350.0)


def quiet(seed: int, phi: float = 1.5) -> np.ndarray:
    """Twelve townships of season and overdispersion, nothing else."""
    rng = np.random.default_rng(seed)
    mu = np.tile(3 * np.exp(0.4 * np.sin(2 * np.pi * MONTHS / 12)), (12, 1)) * rng.uniform(0.5, 2, (12, 1))
    return rng.negative_binomial(mu / (phi - 1), 1 / phi).astype(float)


def watch_counts(
    counts: np.ndarray, months: np.ndarray, names: tuple[str, ...], homes: np.ndarray, **options: Any
) -> pd.DataFrame:
    """Hold the newest months of every township against what was to be expected, corrected for all looks."""
    return warning.flag_alarms(warning.newest_months(counts, months, names, homes, **options))


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
    runs = [watch_counts(quiet(s), MONTHS, NAMES, HOMES)["alarm"].any() for s in range(40)]
    assert sum(runs) <= 8


def test_an_outbreak_is_seen_at_once_and_not_used_up_by_its_own_baseline() -> None:
    counts = quiet(3)
    counts[4, -1] += 18
    found = watch_counts(counts, MONTHS, NAMES, HOMES)
    assert found.loc[found["alarm"], "township"].tolist() == ["t4"]
    assert found.loc[4, "ratio"] > 3
    # A past outbreak of the same month last year is weighted down: it does not hide the new one.
    counts[4, -13] += 30
    again = watch_counts(counts, MONTHS, NAMES, HOMES)
    assert bool(again.loc[4, "alarm"])


def test_neighbours_find_trouble_that_each_township_alone_would_miss() -> None:
    near = pd.DataFrame({"township": NAMES, "lon": np.arange(12) / 10, "lat": 25.0})
    neighbours = warning.nearest_townships(near)
    assert neighbours["t0"] == ("t1", "t2")
    assert neighbours["t5"][0] in ("t4", "t6")
    counts = quiet(1)
    counts[[5, 6, 7], -1] = np.round(counts[[5, 6, 7], :45].mean(axis=1)) + 6
    alone = watch_counts(counts, MONTHS, NAMES, HOMES)
    together = watch_counts(counts, MONTHS, NAMES, HOMES, neighbours=neighbours)
    best = {"alone": alone["p"].min(), "together": together["p"].min()}
    assert best["together"] < best["alone"] / 10
    assert together.loc[together["p"].idxmin(), "with_neighbours"] != ""


def test_only_the_newest_months_are_looked_at() -> None:
    counts = quiet(7)
    counts[0, -2] += 40
    one = watch_counts(counts, MONTHS, NAMES, HOMES, looks=1)
    two = watch_counts(counts, MONTHS, NAMES, HOMES, looks=2)
    assert not one["alarm"].any()
    assert two.loc[two["alarm"], ["township", "month"]].to_numpy().tolist() == [["t0", 24_046]]


def test_short_series_are_refused_with_what_is_needed() -> None:
    with pytest.raises(UsageError, match="22 are needed"):
        watch_counts(quiet(1)[:, :20], MONTHS[:20], NAMES, HOMES)
    rare = np.zeros((12, 48))
    rare[3, -1] = 5
    rare[2, :9] = 1
    with pytest.raises(UsageError, match="fewer than 10 in 44 months"):
        watch_counts(rare, MONTHS, NAMES, HOMES)


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


DAY = dt.date(2020, 12, 31)
TOWNS = [f"t{k}" for k in range(6)]
EACH = 40


def quiet_county() -> dict[str, pd.DataFrame]:
    """Six townships of 40 households, about one entry and one event a month; the first half eliminated."""
    rng = np.random.default_rng(1)
    ids = [f"{t}-{k:02d}" for t in TOWNS for k in range(EACH)]
    homes = pd.DataFrame(
        {"household_id": ids, "township": [i[:2] for i in ids], "village": [i[:2] + "v" for i in ids],
         "registration": "lifted", "valid_from": "2016-01-01", "relocated": [int(i[3:]) < 12 for i in ids]}
    )  # fmt: skip
    register, events = [], []
    for month in range(48):
        day = dt.date(2017 + month // 12, month % 12 + 1, 5)
        for town in TOWNS:
            for _ in range(rng.poisson(1.0)):
                k = rng.integers(EACH)
                who = f"{town}-{k:02d}"
                register.append((who, day, "identified", "illness", day))
                if k < EACH / 2:
                    later = min(day + dt.timedelta(days=20), DAY)
                    register.append((who, later, "eliminated", None, later))
            events += [
                (f"{town}-{rng.integers(EACH):02d}", day, "illness", day) for _ in range(rng.poisson(1.0))
            ]
    return {
        "households": homes,
        "monitoring": pd.DataFrame(
            register, columns=["household_id", "date", "event", "causes", "recorded_on"]
        ),
        "risk_events": pd.DataFrame(events, columns=["household_id", "date", "cause", "recorded_on"]),
    }


def built(frames: dict[str, pd.DataFrame]) -> County:
    return from_frames(frames, About(data_through=DAY))


def more(
    frames: dict[str, pd.DataFrame], table: str, rows: list[tuple[object, ...]]
) -> dict[str, pd.DataFrame]:
    extra = pd.DataFrame(rows, columns=frames[table].columns)
    return frames | {table: pd.concat([frames[table], extra], ignore_index=True)}


def test_a_quiet_county_raises_none_and_every_kind_is_looked_at() -> None:
    found = warning.early_warnings(built(quiet_county()), DAY)
    assert set(found["what"]) == {"entries", "events", "relocated", "register"}
    assert not found["alarm"].any()
    # Six townships × two months of three counts, six shares: p-values are corrected over all 42.
    assert len(found) == 42
    raw = found.sort_values("p")["p"].to_numpy()
    assert found["p_adjusted"].to_numpy() == pytest.approx(np.sort(accuracy.adjust_p_values(raw)))


@pytest.mark.parametrize(
    ("what", "reason"),
    [("entries", "any"), ("events", "disaster"), ("relocated", "relocation"), ("register", "uneliminated")],
)
def test_each_kind_can_be_raised_under_its_heading(what: str, reason: str) -> None:
    frames, day = quiet_county(), dt.date(2020, 12, 7)
    if what == "events":
        frames = more(frames, "risk_events", [(f"t3-{k:02d}", day, "disaster", day) for k in range(14)])
    elif what == "register":
        # Nobody of the fourth township was ever eliminated.
        t = frames["monitoring"]
        frames["monitoring"] = t[~(t["household_id"].str.startswith("t3") & t["event"].eq("eliminated"))]
    else:
        who = range(12) if what == "relocated" else range(14, 28)
        cause = "illness" if what == "relocated" else "other"
        frames = more(frames, "monitoring", [(f"t3-{k:02d}", day, "identified", cause, day) for k in who])
    found = warning.early_warnings(built(frames), DAY)
    raised = found[found["alarm"]]
    mine = raised[raised["what"] == what]
    assert set(mine["township"]) == {"t3"}
    assert set(mine["reason_zh"]) == {warning.reason(reason, "zh")}
    assert set(raised["township"]) == {"t3"}


def test_what_is_too_rare_is_not_looked_at() -> None:
    frames = quiet_county()
    few = frames["monitoring"].groupby("event").head(9)
    day = dt.date(2020, 12, 7)
    rows = [(f"t3-{k:02d}", day, "identified", "other", day) for k in range(6)]
    found = warning.early_warnings(built(more(frames | {"monitoring": few}, "monitoring", rows)), DAY)
    assert "entries" not in set(found["what"])
    assert "events" in set(found["what"])


def test_expected_falls_are_held_against_the_other_townships(
    forecast: HouseholdForecast, county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The forecast's own households dealt to six townships, and one of them twice as near the line.
    standing = forecast.standing
    place = np.array(TOWNS)[np.arange(len(standing)) % 6]
    chance = np.full(len(standing), 0.05) + 0.001 * (np.arange(len(standing)) % 6)
    chance[place == "t4"] = 0.3
    homes = dataclasses.replace(forecast, standing=standing.assign(township=place))
    monkeypatch.setattr(HouseholdForecast, "below", lambda self, horizon, method=None: chance)
    found = warning.early_warnings(
        from_frames({"households": quiet_county()["households"]}, About(data_through=DAY)), DAY, homes=homes
    )
    assert found.loc[found["alarm"], ["what", "township"]].to_numpy().tolist() == [["falls", "t4"]]
    # Of the 23 whose year has a hole it is not known that they are above the line.
    above = (standing["pcni"] >= forecast.lines[12]) & (place == "t4")
    first = found.iloc[0]
    assert first["count"] == pytest.approx(0.3 * above.sum())
    assert first["month"] == "2020-09"  # the period that ends twelve months after as-of
    assert first["reason_en"] == warning.scale_risk_headings()["falls"]["en"]
