"""Days that lie where a county has no records: every verb that is asked for one says so."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel.cli.app import app
from riskmodel.data import check_county, write_county
from riskmodel.data.county import County, county_of_frames
from riskmodel.data.schema import About
from riskmodel.households import point_in_time

from .data import exports


def county(spans: bool = False, **about: object) -> County:
    months = pd.DataFrame({"household_id": "h1", "month": [f"2020-{m:02d}" for m in range(1, 13)]})
    if spans:
        months = pd.DataFrame({"household_id": ["h1"], "month_from": ["2020-01"], "month_to": ["2020-12"]})
    frames = {
        "households": pd.DataFrame(
            {
                "household_id": ["h1"],
                "township": ["t"],
                "village": ["v"],
                "registration": ["general"],
                "valid_from": ["2019-06-01"],
            }
        ),
        "members": pd.DataFrame({"member_id": ["m1"], "household_id": ["h1"], "birth_month": ["1980-01"]}),
        "income": months.assign(source="wage", amount=100.0),
    }
    return county_of_frames(frames, About(**about))


@pytest.mark.parametrize(
    ("c", "day", "says"),
    [
        (county(), "2020-12-31", None),  # the last whole day
        (county(), "2021-01-15", None),  # no whole month is missing yet
        (county(), "2021-01-31", "after the records, which are whole until 2020-12-31"),
        # What comes late is of earlier months: January is missing all the same.
        (county(recording_delay_days=120), "2021-01-31", "after the records"),
        (county(), "2020-01-15", "before the first income row"),  # January is known from its end
        (county(), "1990-12-31", "before the first income row was recorded (2020-01-31)"),
        # A total of 2020 holds until that of 2021 is due: a year, and three months for its entry.
        (county(spans=True), "2022-03-31", None),
        (county(spans=True), "2022-04-30", "after the records"),
    ],
)
def test_days_outside_the_records_are_told(c: County, day: str, says: str | None) -> None:
    told = point_in_time.dates_outside_records(c, day)
    assert len(told) == (says is not None)
    if says:
        assert says in told[0]


def test_a_verb_warns_on_stderr_and_in_its_summary(tmp_path: Path) -> None:
    data = write_county(exports.frames(exports.core()), tmp_path / "county")
    for verb in (["features", "--feature-set", "household-v1"], ["rules", "--ruleset", "national-2021"]):
        name, *options = verb
        days = ["--as-of", "1990-12-31"]
        out = tmp_path / f"{name}.csv"
        done = CliRunner().invoke(app, [name, str(data), *options, *days, "--out", str(out), "--json"])
        assert done.exit_code == 0, done.stderr
        assert "warning: as-of 1990-12-31 lies before the first" in done.stderr
        assert any("1990-12-31" in warning for warning in json.loads(done.stdout)["warnings"])


def test_check_judges_what_is_known_by_the_end_of_the_records(tmp_path: Path) -> None:
    rows = exports.core()
    before, _ = check_county(write_county(exports.frames(rows), tmp_path / "a"))
    # Not all is known later by itself, or the test would show nothing.
    assert "income" not in before["known_later"]
    assert sum(found["with_income"] for found in before["income_coverage"].values()) > 0
    for row in rows["income"]:
        row["recorded_on"] = "2027-01-01"
    summary, _ = check_county(write_county(exports.frames(rows), tmp_path / "b"), tmp_path / "out")
    assert not summary["refused"]
    late = summary["known_later"]["income"]
    assert late["later"] == late["rows"] == len(rows["income"])
    assert late["first"] == "2027-01-01"
    assert sum(found["with_income"] for found in summary["income_coverage"].values()) == 0
    text = (tmp_path / "out" / "quality.md").read_text(encoding="utf-8")
    assert "可以使用。" not in text
    assert "2027-01-01" in text
    done = CliRunner().invoke(app, ["check", str(tmp_path / "b"), "--out", str(tmp_path / "c"), "--json"])
    assert f"income: {late['rows']} of {late['rows']} rows were recorded only after" in done.stderr
    assert json.loads(done.stdout)["warnings"]


def test_the_last_day_of_records_is_later_for_totals() -> None:
    # Contract: a total is known three months after its span.
    assert county(spans=True).known_through == dt.date(2021, 3, 31)
    assert county(recording_delay_days=10).known_through == dt.date(2021, 1, 10)
