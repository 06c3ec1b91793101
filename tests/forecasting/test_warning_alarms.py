"""What the early warning looks at: every kind can be raised, and the correction is of the whole run."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import County, from_frames
from riskmodel.data.county import About
from riskmodel.forecasting import accuracy, warning
from riskmodel.forecasting import warning as alarms
from riskmodel.forecasting.household import HouseholdForecast

DAY = dt.date(2020, 12, 31)
TOWNS = [f"t{k}" for k in range(6)]
EACH = 40


def quiet() -> dict[str, pd.DataFrame]:
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
    found = alarms.early_warnings(built(quiet()), DAY)
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
    frames, day = quiet(), dt.date(2020, 12, 7)
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
    found = alarms.early_warnings(built(frames), DAY)
    raised = found[found["alarm"]]
    mine = raised[raised["what"] == what]
    assert set(mine["township"]) == {"t3"}
    assert set(mine["reason_zh"]) == {warning.reason(reason, "zh")}
    assert set(raised["township"]) == {"t3"}


def test_what_is_too_rare_is_not_looked_at() -> None:
    frames = quiet()
    few = frames["monitoring"].groupby("event").head(9)
    day = dt.date(2020, 12, 7)
    rows = [(f"t3-{k:02d}", day, "identified", "other", day) for k in range(6)]
    found = alarms.early_warnings(built(more(frames | {"monitoring": few}, "monitoring", rows)), DAY)
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
    found = alarms.early_warnings(
        from_frames({"households": quiet()["households"]}, About(data_through=DAY)), DAY, homes=homes
    )
    assert found.loc[found["alarm"], ["what", "township"]].to_numpy().tolist() == [["falls", "t4"]]
    above = ~(standing["pcni"] < forecast.lines[12]) & (place == "t4")
    first = found.iloc[0]
    assert first["count"] == pytest.approx(0.3 * above.sum())
    assert first["month"] == "2020-09"  # the period that ends twelve months after as-of
    assert first["reason_en"] == warning.scale_risk_headings()["falls"]["en"]
