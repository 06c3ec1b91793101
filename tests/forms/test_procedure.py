"""Public papers say no more than the allow-list; elimination is by conditions; townships by process alone."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel.errors import InputRefused, UsageError
from riskmodel.forms import available_forms, read_signature, record_signature, write_forms
from riskmodel.forms.procedure import (
    PUBLIC,
    pages_of_appraisal,
    pages_of_publicity,
    pages_of_result,
    public_row,
    rows_of_county,
    rows_of_elimination,
    rows_of_township,
)
from riskmodel.forms.records import phrase
from riskmodel.forms.reports import rows_of_progress

from .conftest import NAMES, records_of, word_text
from .small_county import small_county, small_frames


def test_a_public_paper_prints_the_allow_list_and_nothing_else():
    for form in ("publicity", "result-notice"):
        declared = available_forms()[form]
        assert declared.table_keys["rows"] <= {*PUBLIC, "decision"}
        assert declared.page_keys <= {"township", "village", "length", "posted_on", "take_down"}


def test_whatever_else_is_known_of_a_household_stays_off_the_notice(tmp_path):
    """Adverse columns: each cell of the county that is not on the allow-list is looked for on the paper."""
    data = records_of(names=NAMES)
    pages = pages_of_publicity(data, {})
    assert [set(row) for page in pages for row in page["rows"]] == [set(PUBLIC)]
    row = {
        key: f"x-{key}"
        for key in (*PUBLIC, "household_id", "pcni", "causes", "health", "probability", "phone")
    }
    assert set(public_row(data, {**row, "household_id": "h2"})) == set(PUBLIC)
    (one,) = write_forms(data, tmp_path, ["publicity"])
    text = "".join(word_text(p) for p in one.files)
    assert "乙某" in text
    # h2 is on publicity: no number of it, no cause, gap, income, telephone, nor anybody of another list.
    for secret in (
        "h2",
        "因意外",
        "住房安全",
        "3,000",
        "6000",
        "000",
        "丁某",
        "丙某",
        "甲某",
        "户户增收",
        "辍学",
    ):
        assert secret not in text


def test_a_notice_says_until_when_it_stays_up_by_the_clock_of_the_rule_set(small):
    (page,) = pages_of_publicity(small, {})
    # Monday 7 June 2021 and five working days; the 14th was the Dragon Boat holiday.
    assert (page["posted_on"], page["take_down"], page["length"]) == (
        "2021-06-07",
        "2021-06-15",
        "5 个工作日",
    )


def test_a_rule_set_without_publicity_makes_no_notice(tmp_path):
    data = records_of("county-2020")
    written = {w.id: w for w in write_forms(data, tmp_path, ["publicity", "result-notice", "application"])}
    assert all("has no such step" in w.skipped for w in written.values())


def test_the_name_of_a_head_who_is_a_minor_is_not_published():
    members = small_frames()["members"]
    members.loc[members["member_id"] == "h2-1", "birth_month"] = "2008-01"
    data = records_of(county=small_county(members=members), names=NAMES)
    (page,) = pages_of_publicity(data, {})
    assert page["rows"][0]["head_name"] == phrase("minor")


def test_each_paper_takes_the_cases_that_stand_at_its_step(small):
    meeting = {(r["household_id"], r["list_name"]) for p in pages_of_appraisal(small, {}) for r in p["rows"]}
    assert ("h7", "识别不精准整户清退") in meeting
    assert {h for h, name in meeting if "户户增收" in name} == {"h1", "h3", "h5", "h8"}
    assert not {h for h, name in meeting if "户户增收" not in name} & {"h2", "h3"}
    assert [r["household_id"] for r in rows_of_township(small, {})] == ["h3"]
    assert [r["household_id"] for r in rows_of_county(small, {})] == ["h3"]
    (village,) = pages_of_result(small, {})
    assert [(r["persons"], r["decision"]) for r in village["rows"]] == [(3, "审定纳入")]


def test_elimination_is_prepared_from_the_conditions_alone(small):
    rows = {r["household_id"]: r for r in rows_of_elimination(small, {})}
    assert list(rows) == ["h3", "h1", "h7", "h8"]
    # h3: a measure for its only cause, no gap, but 4,800 yuan a head is not over the line.
    assert [rows["h3"][c] for c in ("c1", "c2", "c3", "c4")] == ["达到", "达到", "未达到", "达到"]
    # h1: a second cause without a measure, and illness ate more than a year's income.
    assert [rows["h1"][c] for c in ("c1", "c4")] == ["未达到", "未达到"]
    assert rows["h3"]["records"] == "记录完整"


def test_records_that_are_late_or_in_doubt_are_told_where_elimination_is_prepared():
    income = small_frames()["income"]
    late = income[~((income["household_id"] == "h3") & (income["month"] > "2021-03"))]
    rows = {r["household_id"]: r for r in rows_of_elimination(records_of(county=small_county(
        income=late, recorded=pd.DataFrame([
            {"household_id": "h3", "of": of, "month_from": "2019-01", "month_to": "2021-03",
             "recorded_on": "2021-04-10"} for of in ("income", "spending")
        ]))), {})}  # fmt: skip
    assert rows["h3"]["records"] == "记录不完整或有疑问，不得据此消除"


def test_townships_are_ordered_by_process_and_by_nothing_that_they_find(small):
    rows = rows_of_progress(small, {})
    assert [r["place"] for r in rows] == [1, 2]
    west = next(r for r in rows if r["township"] == "西乡")
    assert (west["pushed"], west["answered"]) == (2, 1)
    # A household more under watch, or fewer: neither moves a township's place.
    counted = {k for r in rows for k in r}
    assert not [k for k in counted if k in ("identified", "eliminated", "watched", "flagged", "expected")]
    register = small_frames()["monitoring"]
    fewer = register[register["household_id"] != "h4"]
    again = rows_of_progress(records_of(county=small_county(monitoring=fewer)), {})
    assert [r["township"] for r in again] == [r["township"] for r in rows]


def test_first_use_is_signed_once_and_by_an_office(tmp_path):
    today = dt.date(2021, 6, 1)
    assert read_signature(tmp_path) is None
    with pytest.raises(UsageError, match="document's number"):
        record_signature(tmp_path, "县乡村振兴局监测股", today, " ", today)
    record_signature(tmp_path, "县乡村振兴局监测股", today, "2021-17", today)
    assert read_signature(tmp_path) == {"signed_by": "县乡村振兴局监测股", "signed_on": "2021-06-01",
                                        "document": "2021-17", "recorded_on": "2021-06-01"}  # fmt: skip
    with pytest.raises(InputRefused, match="signed already on 2021-06-01"):
        record_signature(tmp_path, "另一单位", today, "1", today)
