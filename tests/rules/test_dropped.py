"""Who may be missing from a list because a row or a cell could not be used."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.data import check_county, read_county, write_county
from riskmodel.data.losses import equal_rows
from riskmodel.presentation import write_worklist
from riskmodel.rules import dropped_check, dropped_in_words, evaluate_rules, find_dropped
from riskmodel.scoring import build_worklist
from tests.data.test_off_record import YEAR_END, read, rows_of_a_county, written

RULESET = "national-2021"


def poor_county() -> dict:
    """Households with an illness, whose 600 yuan of wage a month put them below the line (3,600 a head)."""
    rows = rows_of_a_county()
    for row in rows["income"]:
        row["amount"] = 600 if row["household_id"] in ("h01", "h02", "h04", "h06") else row["amount"]
    rows["risk_events"] = [
        {"household_id": h, "date": "2020-10-01", "cause": "illness", "loss": 5000}
        for h in ("h01", "h02", "h03", "h04", "h06")
    ]
    rows["monitoring"] = [
        {"household_id": "h05", "date": "2020-03-01", "event": "identified", "causes": "illness"}
    ]
    return rows


def spoiled() -> dict:
    """The same with a row or cell of each kind that cannot be used."""
    rows = poor_county()
    at = next(
        i for i, r in enumerate(rows["income"]) if (r["household_id"], r["month"]) == ("h02", "2020-07")
    )
    rows["income"][at]["amount"] = "many"  # one month of h02
    rows["income"] += [dict(r) for r in rows["income"] if r["household_id"] == "h01"]  # two sons, or twice
    rows["households"][3]["registration"] = "?"  # h04
    rows["members"][9]["birth_month"] = "?"  # the child of h05, which is in the register
    rows["households"][5]["dibao"] = "√"  # h06
    rows["households"][2]["dibao"] = "√"  # h03, which is not poor
    return rows


@pytest.fixture(scope="module")
def county(tmp_path_factory):
    return read(tmp_path_factory.mktemp("dropped"), spoiled())


def test_nobody_leaves_a_list_because_of_a_row_or_cell(tmp_path, county):
    plain = read(tmp_path, poor_county())
    before, now = (evaluate_rules(c, RULESET, YEAR_END) for c in (plain, county))
    listed = {h for h, flagged in zip(now["household_id"], now["flagged"], strict=True) if flagged}
    dropped = find_dropped(county, RULESET, YEAR_END)
    assert set(before.loc[before["flagged"], "household_id"]) <= listed | set(dropped["household_id"])


def test_each_kind_is_named_with_its_rows_and_readings(county):
    dropped = find_dropped(county, RULESET, YEAR_END).set_index("household_id")
    assert "h03" not in dropped.index  # flagged under no reading
    assert dropped.loc["h02", "category"] == "unknown"
    assert not dropped.loc["h02", "flagged"]
    assert dropped.loc["h02", "flagged_if"] == "zero;poorest"
    assert dropped.loc["h02", "flagged_before"] is not None
    assert dropped.loc["h04", "category"] == "unknown"
    assert set(dropped.loc["h04", "flagged_if"].split(";")) & {"lifted", "general"}
    assert dropped.loc["h05", "in_register"]
    assert dropped.loc["h05", "rows"].startswith("members.csv 11")
    # Counted once it is below the line, as two incomes it is not.
    assert dropped.loc["h01", "flagged"]
    assert dropped.loc["h01", "pcni_if_both"] == 2 * dropped.loc["h01", "pcni"]
    assert dropped.loc["h01", "verdict_if_both"] != dropped.loc["h01", "category"]
    assert "24" in dropped.loc["h01", "why"]


def test_a_county_that_is_written_and_read_again_says_the_same(tmp_path, county):
    again = read_county(write_county(county, tmp_path), max_rejected=1)
    for judge in (evaluate_rules, find_dropped):
        pd.testing.assert_frame_equal(judge(again, RULESET, YEAR_END), judge(county, RULESET, YEAR_END))
    pd.testing.assert_frame_equal(again.cells, county.cells)
    assert set(county.tables) == set(again.tables)
    assert list(again.losses["reason"]).count("unknown code") == 3
    assert len(equal_rows(again)) == len(equal_rows(county)) == 24


# ------------------------------------------------------------------ why a household stands on the sheet
def of_one_reason() -> dict:
    """Households that stand on the sheet for one reason each, and one that does not."""
    rows = rows_of_a_county(12)
    poor = ("h02", "h03", "h05", "h06", "h07", "h08", "h09", "h10", "h11", "h12")
    for row in rows["households"]:
        row["registration"] = "lifted"
    for row in rows["income"]:
        row["amount"] = 600 if row["household_id"] in poor else 2000
    ill = {"cause": "illness", "date": "2020-10-01"}
    rows["risk_events"] = [ill | {"household_id": h} for h in ("h02", "h03", "h04")]
    rows["monitoring"] = [{"household_id": "h01", "date": "2020-03-01", "event": "identified"}]
    mine = {h: [r for r in rows["income"] if r["household_id"] == h] for h in ("h03", "h04", "h02")}
    rows["households"][0]["dibao"] = "√"  # in the register, and nothing else
    mine["h02"][20]["amount"] = "many"
    for row in mine["h03"]:  # 15,600 a head by a second wage; without it the household is poor
        row["row_id"] = f"w{row['month']}"
    for row in mine["h03"][12:]:
        rows["income"] += [row | {"row_id": None, "amount": 2000}] * 2
    # Production twice makes h04 poor: 12 × (2,000 − 800) for two is 7,200 a head, once more taken off 2,400.
    rows["spending"] += [
        {"household_id": "h04", "month": f"2020-{m:02d}", "category": "production", "amount": 800}
        for m in range(1, 13)
    ] * 2
    rows["households"][4]["housing_safe"] = "√"
    rows["members"][11]["schooling"] = "√"  # the child of h06
    # Ill until 2020-12-09, so flagged in November for the last time.
    rows["risk_events"].append(ill | {"household_id": "h07", "date": "2019-12-10"})
    rows["households"][6]["relocated"] = "√"
    rows["households"][7]["relocated"] = "√"  # h08 is not at risk
    rows["risk_events"].append({"household_id": "h09", "date": "2020-06-01", "cause": "√"})
    rows["monitoring"].append({"household_id": "h10", "date": "2020-06-01", "event": "√"})
    row = next(r for r in rows["households"] if r["household_id"] == "h11")
    rows["households"].append(row | {"registration": "√", "valid_from": "2020-08-01"})
    rows["members"][23]["birth_month"] = "√"  # the child of h12
    return rows


ONE_REASON = {
    "h01": "", "h02": "zero;poorest", "h03": "left_out;poorest", "h04": "twice;poorest", "h05": "cells_no",
    "h06": "schooling=dropped_out", "h07": "", "h11": "lifted;general",
    "h12": "poorest", "h10": "event=identified;event=rolled_back;event=re_marked",
}  # fmt: skip


def test_each_reason_alone_brings_a_household_on_the_sheet(tmp_path):
    dropped = find_dropped(read(tmp_path, of_one_reason()), RULESET, YEAR_END).set_index("household_id")
    assert not dropped["flagged"].any()
    assert list(dropped.index[dropped["in_register"]]) == ["h01"]
    assert list(dropped.index[dropped["flagged_before"]]) == ["h07"]
    causes = dropped.loc["h09", "flagged_if"].split(";")
    assert {"cause=illness", "cause=accident"} <= set(causes)
    assert dropped["flagged_if"].drop("h09").to_dict() == ONE_REASON


def test_what_is_recorded_later_is_not_there(tmp_path, county):
    rows = poor_county()
    rows["income"].append(rows["income"][0] | {"amount": "many", "recorded_on": "2021-02-01"})
    later = read(tmp_path, rows)
    assert find_dropped(later, RULESET, YEAR_END).empty
    assert list(find_dropped(later, RULESET, "2021-02-28")["household_id"]) == ["h01"]


def test_it_stands_in_words_on_a_sheet_of_the_list_and_in_check(tmp_path, county):
    dropped = find_dropped(county, RULESET, YEAR_END)
    assert "户编号" in dropped_in_words(dropped, "zh").columns
    verdicts = evaluate_rules(county, RULESET, YEAR_END)
    scores = verdicts.rename(columns={"category": "rule_category", "conditions": "rule_conditions"})
    scores = scores.assign(probability=0.1)
    worklist = build_worklist(scores, visits=3, random_share=0, county=county)
    assert list(worklist.dropped["household_id"]) == list(dropped["household_id"])
    path = write_worklist(worklist, tmp_path / "list.xlsx")
    sheet = pd.read_excel(path, sheet_name="被剔除或存疑", dtype=str, engine="openpyxl")
    assert list(sheet["户编号"]) == list(dropped["household_id"])
    summary, _ = check_county(
        written(tmp_path / "data", spoiled()),
        tmp_path / "out",
        max_rejected=1,
        further=[dropped_check(RULESET)],
    )
    assert summary["dropped"]["households"] == len(dropped)
    assert len(pd.read_csv(tmp_path / "out" / "dropped.csv")) == len(dropped)
    assert "dropped.csv" in (tmp_path / "out" / "quality.md").read_text(encoding="utf-8")


def test_a_county_without_a_loss_has_no_such_table(tmp_path):
    county = read(tmp_path, poor_county())
    assert find_dropped(county, RULESET, YEAR_END).empty
