"""List, visit, import, train, list again: what comes back is used, with the chances that the lists logged."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from riskmodel import month, presentation, scoring, targets
from riskmodel.data import read_county
from riskmodel.households import point_in_time
from riskmodel.month import MonthOptions
from riskmodel.runs import load_experiment, tracking, training
from riskmodel.targets import Horizon

from .conftest import Office, small

THREE = Horizon(months=3)
# A list each quarter; of the last one the window is over when the county's records end.
DAYS = [point_in_time.add_months(dt.date(2018, 3, 31), k) for k in range(0, 33, 3)]


def fill(path: Path, truth: pd.Series, day: dt.date) -> int:
    """Write down what a visit would have found: who has fallen below the line three months later."""
    book = openpyxl.load_workbook(path)
    page = book["核查名单"]
    at = {cell.value: cell.column for cell in page[1]}
    filled = 0
    for row in range(2, page.max_row + 1):
        found = truth.get((page.cell(row, at["户编号"]).value, pd.Timestamp(day)))
        if page.cell(row, at["计划"]).value == "是" and found is not None and not pd.isna(found):
            page.cell(row, at["核查结果"]).value = "属实" if found else "不属实"
            page.cell(row, at["核查日期"]).value = day + dt.timedelta(days=10)
            filled += 1
    book.save(path)
    return filled


@pytest.mark.slow
def test_findings_come_back_and_the_next_model_learns_from_them_by_their_chances(
    office: Office, tmp_path: Path
) -> None:
    data, store = tmp_path / "county", tmp_path / "mlflow.db"
    shutil.copytree(office.data, data)
    shutil.copyfile(office.store, store)
    # The simulated office's own visits logged no chance: here the lists alone speak.
    (data / "visits.parquet").unlink()
    county = read_county(data)
    loaded = tracking.load_model("county@champion", store)
    truth = targets.build_targets(county, DAYS, THREE, ("below_line",), "national-2021")
    truth = truth.set_index(["household_id", "as_of"])["label"]
    filled = 0
    for day in DAYS:
        county = read_county(data)
        made = scoring.build_worklist(
            scoring.score(county, loaded, day), visits=200, random_share=0.4, county=county
        )
        path = presentation.write_worklist(made, tmp_path / f"{day}.xlsx")
        presentation.record_list(made, tmp_path, "zh")
        filled += fill(path, truth, day)
        taken = scoring.import_visits(path, data, day + dt.timedelta(days=20))
        assert not taken.problems
        assert not taken.conflicts
    county = read_county(data)
    visits = county.frame("visits")
    assert len(visits) == filled > 800
    # The logged chances came through the workbook: whoever was drawn mostly had the lot's chance alone (who
    # would have been taken by score as well had 1).
    assert visits["chance"].between(0, 1).all()
    assert visits.loc[visits["selected_by"] == "random", "chance"].median() < 0.5
    # The county's own rate, among whom the lists could choose, lies within the weighted yield's interval;
    # the lists' plain rate, which looks for risk, lies far above it.
    last = DAYS[-1] + dt.timedelta(days=30)
    (row,) = presentation.weighted_yield(county, last).to_dict("records")
    year = [d for d in DAYS if d > point_in_time.add_months(last, -12)]
    everyone = truth[truth.index.get_level_values("as_of").isin(pd.to_datetime(year))].dropna()
    assert row["low"] - 0.02 <= everyone.mean() <= row["high"] + 0.02
    assert row["naive"] > 1.5 * row["rate"]
    # The declared experiment, with the small features of these tests.
    declared = load_experiment("confirmed")
    exp = small(
        id="confirmed", title=declared.title, events=declared.events, horizon=declared.horizon,
        cohort=declared.cohort, calibration="cross",
        as_of=declared.as_of.model_copy(update={"every_months": 3}),
    )  # fmt: skip
    trained = training.train(exp, county, store)
    notes = tracking.read_document(trained.run_id, "facts.json", store)["notes"]
    assert any("drawn by 1 / chance" in note["en"] for note in notes)
    # The next month is made with what was learnt from the visits, beside what they found.
    after = month.run_month(
        data, last, tmp_path / "months", store=store,
        options=MonthOptions(visits=40, model="confirmed@champion"),
    )  # fmt: skip
    assert after.settings.run_id == trained.run_id
    page = (after.out / "report" / "report.html").read_text(encoding="utf-8")
    assert f"属实率约 {row['rate']:.1%}" in page
    assert "383" in page
