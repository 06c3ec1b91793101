"""What is written up of income and spending, and when: the default office and the two modes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.simulate.income_records import silent_months
from riskmodel.simulate.recording_parameters import CeasingRecords

MONTHS = ("income", "spending", "recorded")
KEY = ["household_id", "month"]


def county(profile: str, **changes: object) -> simulate.SimulatedCounty:
    base = simulate.load_profile(profile)
    recording = base.recording.model_copy(update=changes)
    return simulate.simulate_county(
        households=400,
        months=48,
        seed=3,
        truth_at=(),
        profile=base.model_copy(update={"recording": recording}),
    )


@pytest.fixture(scope="module")
def punctual() -> simulate.SimulatedCounty:
    """The same life with every month written up on its last day."""
    return county("default", prompt=1.0)


def as_months(made: simulate.SimulatedCounty, of: str) -> pd.DataFrame:
    rows = made.frames["recorded"]
    rows = rows[rows.of == of]
    assert (rows.month_from == rows.month_to).all()
    return rows.rename(columns={"month_from": "month"})[[*KEY, "recorded_on"]]


@pytest.mark.parametrize("profile", ["default", "late-misfortune", "silent-without-wages"])
@pytest.mark.parametrize("of", ["income", "spending"])
def test_every_row_stands_in_a_recorded_month_of_the_same_day(profile: str, of: str) -> None:
    made = county(profile)
    said = as_months(made, of)
    assert not said.duplicated(KEY).any()
    both = made.frames[of].merge(said, on=KEY, how="left", suffixes=("", "_said"))
    assert (both.recorded_on == both.recorded_on_said).all()
    # Months without a row are recorded too: that they are on record is what the table is for.
    rows = pd.concat([made.frames[name][KEY] for name in ("income", "spending")]).drop_duplicates()
    silent = 1 - len(rows) / len(said)
    assert silent == 0 if profile == "default" else 0.01 < silent < 0.2


def test_punctual_county_is_whole(punctual: simulate.SimulatedCounty) -> None:
    said = as_months(punctual, "income")
    there = said.groupby("household_id").size()
    assert there.max() == 48
    assert (there == 48).mean() > 0.9  # the others moved away or died out


@pytest.mark.parametrize("profile", ["late-misfortune", "silent-without-wages"])
def test_modes_move_nothing_but_what_is_written_up(profile: str, punctual: simulate.SimulatedCounty) -> None:
    made = county(profile)
    plain = county("default")
    for name, table in plain.tables.items():
        if name not in MONTHS:
            assert table.equals(made.tables[name]), name
    both = made.frames["income"].merge(punctual.frames["income"], on=[*KEY, "source"], suffixes=("", "_true"))
    assert len(both) == len(made.frames["income"])
    assert (both.amount == both.amount_true).all()


def test_bad_luck_is_written_up_later() -> None:
    made = county("late-misfortune")
    end = pd.Timestamp(made.about["data_through"])
    said = as_months(made, "income")
    month_end = pd.to_datetime(said.month) + pd.offsets.MonthEnd(0)
    said["wait"] = (said.recorded_on - month_end).dt.days
    said = said[month_end < end - pd.Timedelta(days=120)]
    events = made.frames["risk_events"].drop_duplicates("row_id")
    struck = pd.DataFrame({"household_id": events.household_id, "month": events.date.dt.strftime("%Y-%m")})
    hit = said.merge(struck.drop_duplicates(), on=KEY)
    assert len(hit) > 100
    # Seven of ten months wait 40 days on average, if not longer anyway; of the others 28 % wait 22 days.
    assert hit.wait.mean() > 3 * said.wait.median() + 15
    assert hit.wait.mean() > 2 * said.wait.mean()
    assert said.wait.max() <= 120
    # What an office does not keep it does not promise.
    assert "recording_delay_days" not in made.about


def test_records_cease_with_wages(punctual: simulate.SimulatedCounty) -> None:
    made = county("silent-without-wages", prompt=1.0)
    true, said = as_months(punctual, "income"), as_months(made, "income")
    lost = true.merge(said, on=KEY, how="left", indicator=True).query("_merge == 'left_only'")
    assert lost.household_id.nunique() > 10
    first = lost.groupby("household_id").month.min()
    income = punctual.frames["income"]
    wages = income[income.source == "wage"].pivot_table(
        index="household_id", columns="month", values="amount"
    )
    wages = wages.reindex(columns=sorted(true.month.unique())).fillna(0)
    for household, month in first.items():
        k = list(wages.columns).index(month)
        usual = wages.loc[household].iloc[k - 6 : k].mean()
        assert (wages.loc[household].iloc[k : k + 2] < 0.4 * usual).all()
    last = said.groupby("household_id").month.max().reindex(first.index)
    end = str(made.about["data_through"])[:7]
    assert (last == end).any(), "nobody is written up again"
    assert (last < first).any(), "nobody is silent for good"


def test_one_month_without_a_wage_is_no_end() -> None:
    always = CeasingRecords(below=0.4, share=1.0, for_good=1.0, months=(1, 1))
    wages = np.full((3, 24), 3000)
    wages[0, 13] = 0
    wages[1, 13:15] = 900
    wages[2] = 0  # never a wage
    silent = silent_months(wages, always, np.random.default_rng(0))
    assert not silent[[0, 2]].any()
    assert np.flatnonzero(silent[1]).tolist() == list(range(13, 24))


def test_silence_ends_after_its_months() -> None:
    mode = CeasingRecords(below=0.4, share=1.0, for_good=0.0, months=(4, 4))
    wages = np.full((1, 24), 3000)
    wages[0, 10:12] = 0
    silent = silent_months(wages, mode, np.random.default_rng(0))
    assert np.flatnonzero(silent[0]).tolist() == [10, 11, 12, 13]


def test_withheld_table_is_the_only_difference(tmp_path: Path) -> None:
    arguments = {"households": 60, "months": 24, "seed": 9, "futures": 0}
    whole = simulate.simulation_spec(**arguments)
    profile = simulate.without_recorded(whole.profile)
    withheld = simulate.simulation_spec(**arguments, profile_name=profile)
    simulate.write_simulated_blocks(whole, tmp_path / "whole")
    # Over an older county that stated its coverage: nothing of that one may be left.
    simulate.write_simulated_blocks(whole, tmp_path / "withheld")
    simulate.write_simulated_blocks(withheld, tmp_path / "withheld")
    names = {p.name for p in (tmp_path / "whole").iterdir()}
    assert {p.name for p in (tmp_path / "withheld").iterdir()} == names - {"recorded.parquet"}
    for name in names - {"recorded.parquet"}:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "withheld" / name).read_bytes(), name
