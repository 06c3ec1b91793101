"""Rows and cells that cannot be read: what is null, what is off record, who stands in doubt, since when."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from riskmodel.data import About, County, read_county, write_county
from riskmodel.data.check import check_county
from riskmodel.households import fingerprint, known_county
from riskmodel.rules import evaluate_rules

from . import exports

FORMATS = ["csv", "xlsx", "parquet"]
ABOUT = About(coverage="whole", records_from="2019-01")
YEAR_END = dt.date(2020, 12, 31)


def rows_of_a_county(households: int = 6) -> exports.Rows:
    """Two years of wages and spending of every household, on record from the first month on."""
    rows = exports.core(households)
    months = [f"{y}-{m:02d}" for y in (2019, 2020) for m in range(1, 13)]
    ids = [row["household_id"] for row in rows["households"]]
    rows["income"] = [
        {"household_id": h, "month": m, "source": "wage", "amount": 1000 + i}
        for h in ids
        for i, m in enumerate(months)
    ]
    rows["spending"] = [
        {"household_id": h, "month": m, "category": "living", "amount": 100} for h in ids for m in months
    ]
    return rows


def read(folder: Path, rows: exports.Rows, format: str = "csv", **about: Any) -> County:
    return read_county(written(folder, rows, format, **about), max_rejected=1)


def written(folder: Path, rows: exports.Rows, format: str = "csv", **about: Any) -> Path:
    write_county({}, folder, about=ABOUT.model_copy(update=about))
    for name, frame in exports.frames(dict(rows)).items():
        for column in [c for c in frame if frame[c].dtype.name == "object"]:
            # A column of several types is written as an office's own export would: as text.
            if frame[column].dropna().map(type).nunique() > 1:
                frame[column] = frame[column].map(lambda v: None if v is None or v != v else str(v))
        path = folder / f"{name}.{format}"
        if format == "xlsx":
            frame.to_excel(path, sheet_name=name, index=False)
        else:
            {"csv": frame.to_csv, "parquet": frame.to_parquet}[format](path, index=False)
    return folder


def account(county: County, household: str, as_of: dt.date | str = YEAR_END) -> dict[str, Any]:
    frame = known_county(county, as_of).accounts().to_pandas().set_index("household_id")
    return frame.loc[household].to_dict()


def doubts(county: County, household: str, as_of: dt.date | str = YEAR_END) -> set[str]:
    return set(account(county, household, as_of)["doubts"].split(";")) - {""}


def unknown(value: Any) -> bool:
    return bool(pd.isna(value))


# ------------------------------------------------------------------ cells
@pytest.mark.parametrize("format", FORMATS)
def test_an_unreadable_optional_cell_is_empty_and_told_and_its_row_is_used(tmp_path, format):
    rows = rows_of_a_county()
    plain = read(tmp_path / "plain", rows, format)
    rows["members"][1]["relation"] = "女婿"
    for row in rows["households"]:
        row["dibao"] = "√"
    county = read(tmp_path / "spoiled", rows, format)
    assert len(county.rejected) == 0
    assert county.frame("households")["dibao"].isna().all()
    assert len(county.frame("members")) == len(rows["members"])
    # Nobody's income or number of persons changes with such a cell.
    before, after = (evaluate_rules(c, "national-2021", YEAR_END) for c in (plain, county))
    pd.testing.assert_frame_equal(
        before[["household_id", "pcni", "persons"]], after[["household_id", "pcni", "persons"]]
    )
    cells = county.cells
    assert list(cells.columns) == ["file", "sheet", "row", "column", "text", "reason"]
    assert list(cells["column"]) == ["dibao"] * 6 + ["relation"]
    assert list(cells["text"]) == ["√"] * 6 + ["女婿"]
    assert set(cells["reason"]) == {"unknown code"}
    assert list(cells["row"])[-2:] == ([7, 3] if format != "parquet" else [6, 2])
    assert set(cells["file"]) == {f"households.{format}", f"members.{format}"}
    assert set(cells["sheet"]) == ({"households", "members"} if format == "xlsx" else {""})
    assert any("dibao 6" in note for note in county.notes)


def test_check_counts_and_lists_cells(tmp_path):
    rows = rows_of_a_county()
    rows["households"][2]["dibao"] = "√"
    folder = exports.write_chinese(tmp_path / "data", rows)
    summary, _ = check_county(folder, tmp_path / "out")
    assert not summary["refused"]
    assert summary["tables"]["households"]["cells"] == {"低保": 1}
    assert summary["tables"]["members"]["cells"] == {}
    listed = pd.read_csv(tmp_path / "out" / "cells.csv", dtype=str)
    assert listed[["file", "row", "column", "text"]].to_numpy().tolist() == [["农户.csv", "4", "低保", "√"]]
    report = (tmp_path / "out" / "quality.md").read_text(encoding="utf-8")
    assert "cells.csv" in report
    assert "无法识别" in report
    assert "cannot be read" in report


def test_rows_that_differ_only_in_an_unreadable_cell_are_two(tmp_path):
    rows = rows_of_a_county()
    event = {"household_id": "h01", "date": "2020-03-01", "cause": "illness"}
    rows["risk_events"] = [event | {"channel": "电话"}, event | {"channel": "网络"}]
    county = read(tmp_path, rows)
    assert len(county.rejected) == 0
    assert len(county.frame("risk_events")) == len(county.cells) == 2


@pytest.mark.parametrize(
    ("table", "column", "text"),
    [
        ("members", "birth_month", "long ago"),
        ("members", "valid_from", "soon"),
        ("households", "village", ""),
        ("income", "source", "lottery"),
        ("income", "month", "spring"),
        ("income", "amount", "many"),
    ],
)
def test_a_key_or_required_cell_takes_its_row(tmp_path, table, column, text):
    rows = rows_of_a_county()
    rows[table][0][column] = text
    county = read(tmp_path, rows)
    assert len(county.cells) == 0
    assert list(county.rejected["column"]) == [column]


# ------------------------------------------------------------------ income and spending
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("table", ["income", "spending"])
def test_a_rejected_row_takes_its_span_off(tmp_path, format, table):
    rows = rows_of_a_county()
    at = next(i for i, r in enumerate(rows[table]) if (r["household_id"], r["month"]) == ("h02", "2020-05"))
    rows[table][at]["amount"] = "many"
    county = read(tmp_path, rows, format)
    off = county.frame("unrecorded").to_dict("records")
    assert [(r["household_id"], r["of"], r["why"]) for r in off] == [("h02", table, "row_rejected")]
    assert off[0]["month_from"] == off[0]["month_to"] == 2020 * 12 + 4
    assert off[0]["known_on"] == pd.Timestamp(2020, 5, 31)  # without recorded_on, its span's end
    told = account(county, "h02")
    assert unknown(told["pcni"])
    assert told["income_reason"] == "row_rejected"
    assert "row_rejected" in doubts(county, "h02")
    # The others are as they were, and so is the household before that month.
    assert account(county, "h01")["pcni"] == pytest.approx(
        account(read(tmp_path / "p", rows_of_a_county()), "h01")["pcni"]
    )
    assert not unknown(account(county, "h02", "2020-04-30")["pcni"])


def test_without_a_readable_span_the_whole_table_is_off(tmp_path):
    rows = rows_of_a_county()
    rows["income"].append({"household_id": "h02", "month": "spring", "source": "wage", "amount": 5})
    county = read(tmp_path, rows)
    assert account(county, "h02", "2020-01-31")["income_reason"] == "row_rejected"
    assert county.frame("unrecorded")[["month_from", "month_to"]].isna().all(axis=None)


def test_nothing_recorded_later_has_an_effect_rejected_rows_included(tmp_path):
    rows = rows_of_a_county()
    before = read(tmp_path / "before", rows)
    late = {"recorded_on": "2021-02-10"}
    wage = rows["income"][20]  # h01, 2020-09
    start = rows["members"][2]
    rows["income"] += [
        wage | late | {"amount": "many"},
        wage | late | {"month": "spring"},
        *[wage | late | {"row_id": "a", "amount": a} for a in (1, 2)],
        *[wage | late | {"amount": 7}] * 2,
    ]
    rows["members"] += [
        start | late | {"birth_month": "?"},
        *[start | late | {"health": h} for h in ("chronic", "healthy")],
    ]
    rows["households"] += [
        rows["households"][3] | late | {"registration": "?"},
        rows["households"][3]
        | late
        | {"household_id": "h99", "registration": "?", "valid_from": "2021-02-01"},
    ]
    after = read(tmp_path / "after", rows)
    assert fingerprint(before, YEAR_END) == fingerprint(after, YEAR_END)
    pd.testing.assert_frame_equal(*(evaluate_rules(c, "national-2021", YEAR_END) for c in (before, after)))
    then = dt.date(2021, 2, 28)
    assert fingerprint(before, then) != fingerprint(after, then)
    assert account(after, "h01", then)["income_reason"] == "row_rejected"
    assert "row_rejected" in doubts(after, "h04", then)


def test_an_accepted_row_of_the_same_number_brings_the_span_back(tmp_path):
    rows = rows_of_a_county()
    for i, row in enumerate(rows["income"]):
        row["row_id"] = f"r{i}"
        row["recorded_on"] = f"{row['month']}-28"
    fine = rows["income"][20]
    rows["income"][20] = fine | {"amount": "many"}
    rows["income"].append(fine | {"recorded_on": "2020-11-15"})
    county = read(tmp_path, rows, data_through=YEAR_END)
    assert account(county, "h01", "2020-10-31")["income_reason"] == "row_rejected"
    assert not unknown(account(county, "h01")["pcni"])


def test_rows_that_repeat_another_are_not_taken_off(tmp_path):
    rows = rows_of_a_county()
    rows["income"][20]["row_id"] = "r1"
    rows["income"][40]["member_id"] = "h02-head"
    rows["income"] += [dict(rows["income"][20]), dict(rows["income"][40])]
    county = read(tmp_path, rows)
    assert list(county.rejected["reason"]) == ["duplicate row"] * 2
    assert not county.has("unrecorded")
    assert not county.has("doubts")


# ------------------------------------------------------------------ corrections of one day
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_corrections_of_one_day_none_holds(tmp_path, format, turned):
    rows = rows_of_a_county()
    first = rows["income"][20] | {"row_id": "r1", "recorded_on": "2020-09-30"}
    rows["income"][20] = first
    both = [first | {"recorded_on": "2020-10-20", "amount": a} for a in (9000, 10)]
    rows["income"] += both[::-1] if turned else both
    county = read(tmp_path, rows, format)
    plain = read(tmp_path / "plain", rows_of_a_county(), format)
    assert account(county, "h01")["pcni"] == account(plain, "h01")["pcni"]
    assert doubts(county, "h01") == {"ambiguous_correction"}
    assert doubts(county, "h01", "2020-09-30") == set()
    assert doubts(county, "h02") == set()
    # A later correction ends the doubt.
    rows["income"].append(first | {"recorded_on": "2020-12-01", "amount": 10})
    again = read(tmp_path / "again", rows, format)
    assert doubts(again, "h01") == set()
    assert doubts(again, "h01", "2020-11-30") == {"ambiguous_correction"}


def test_without_an_earlier_state_the_span_is_off(tmp_path):
    rows = rows_of_a_county()
    row = rows["income"].pop(20) | {"row_id": "r1"}
    rows["income"] += [row | {"amount": a} for a in (9000, 10)]
    county = read(tmp_path, rows)
    assert account(county, "h01")["income_reason"] == "row_rejected"
    assert "ambiguous_correction" not in doubts(county, "h01")


@pytest.mark.parametrize("turned", [False, True])
def test_totals_of_one_day(tmp_path, turned):
    rows = rows_of_a_county()
    rows["income"] = [r for r in rows["income"] if r["household_id"] != "h01"]
    year = {"household_id": "h01", "month_from": "2020-01", "month_to": "2020-12", "source": "wage"}
    year |= {"recorded_on": "2021-04-10"}
    two = [year | {"amount": 9000.0}, year | {"amount": 10.0}]
    two = two[::-1] if turned else two
    as_of = dt.date(2021, 4, 30)
    refused = read(tmp_path / "a", rows | {"income": rows["income"] + two}, data_through=as_of)
    assert account(refused, "h01", as_of)["income_reason"] == "row_rejected"
    # One recorded later replaces both; of one day the larger row_id does (as a number: 10 > 9).
    later = [*two, year | {"amount": 500.0, "recorded_on": "2021-04-20"}]
    held = read(tmp_path / "b", rows | {"income": rows["income"] + later}, data_through=as_of)
    assert account(held, "h01", as_of)["income_wage"] == 500
    assert account(held, "h01", "2021-04-15")["income_reason"] == "row_rejected"
    ids = [row | {"row_id": "10" if row["amount"] == 10 else "9"} for row in two]
    largest = read(tmp_path / "c", rows | {"income": rows["income"] + ids}, data_through=as_of)
    assert account(largest, "h01", as_of)["income_wage"] == 10
    assert list(largest.rejected["reason"]) == ["smaller row_id"]
    assert doubts(largest, "h01", as_of) == set()


def test_assets_of_one_day(tmp_path):
    rows = rows_of_a_county()
    car = {"household_id": "h01", "kind": "car", "valid_from": "2019-05-01", "recorded_on": "2019-06-01"}
    rows["assets"] = [car | {"valid_to": "2020-01-01"}, car | {"valid_to": "2022-01-01"}]
    county = read(tmp_path, rows)
    assert len(county.frame("assets")) == 0
    assert doubts(county, "h01") == {"ambiguous_correction"}


# ------------------------------------------------------------------ equal rows
@pytest.mark.parametrize("format", FORMATS)
def test_equal_rows_are_counted_once_and_doubted(tmp_path, format):
    rows = rows_of_a_county()
    mine = [dict(r) for r in rows["income"] if r["household_id"] == "h01"]
    rows["income"] += mine
    county = read_county(written(tmp_path, rows, format))  # they do not count against --max-rejected
    plain = read(tmp_path / "plain", rows_of_a_county(), format)
    assert account(county, "h01")["pcni"] == account(plain, "h01")["pcni"]
    assert doubts(county, "h01") == {"equal_rows"}
    assert doubts(county, "h02") == set()
    # Those of two members, or with two numbers, are two incomes.
    for column in ("member_id", "row_id"):
        two = rows | {"income": [r | {column: f"{i}"} for i, r in enumerate(rows["income"])]}
        county = read(tmp_path / column, two, format)
        assert len(county.rejected) == 0
        assert account(county, "h01")["income_wage"] == 2 * account(plain, "h01")["income_wage"]
        assert doubts(county, "h01") == set()


def test_check_lists_equal_rows_and_says_where_a_history_repeats(tmp_path):
    rows = rows_of_a_county()
    rows["income"] += [dict(r) for r in rows["income"] if r["household_id"] == "h01"]
    rows["income"].append(dict(rows["income"][30]))
    summary, _ = check_county(written(tmp_path / "data", rows), tmp_path / "out")
    found = summary["equal_rows"]
    assert found["rows"] == 25
    assert found["households"] == 2
    assert [h["household_id"] for h in found["whole_histories"]] == ["h01"]
    listed = pd.read_csv(tmp_path / "out" / "equal_rows.csv", dtype=str)
    assert len(listed) == 25
    assert list(listed.loc[listed["household_id"] == "h02", "month_from"]) == ["2019-07"]
    report = (tmp_path / "out" / "quality.md").read_text(encoding="utf-8")
    assert "equal_rows.csv" in report


# ------------------------------------------------------------------ members and households
@pytest.mark.parametrize("format", FORMATS)
def test_a_rejected_member_row_makes_persons_unknown(tmp_path, format):
    rows = rows_of_a_county()
    rows["members"][3] |= {"birth_month": "?", "valid_from": "2020-03-01", "recorded_on": "2020-03-10"}
    rows["members"].append(rows["members"][3] | {"birth_month": "2010-09", "recorded_on": "2021-05-01"})
    county = read(tmp_path, rows, format, data_through=dt.date(2021, 12, 31))
    told = account(county, "h02")
    assert unknown(told["persons"])
    assert unknown(told["pcni"])
    assert not unknown(told["previous_persons"])  # at a date before it was valid
    assert told["income_reason"] == "row_rejected"
    assert doubts(county, "h02") == {"row_rejected"}
    assert account(county, "h02", "2020-02-29")["persons"] == 1
    # The row that could be read came later.
    assert account(county, "h02", "2021-05-31")["persons"] == 2


def test_a_member_row_that_says_again_what_stands_is_no_doubt(tmp_path):
    rows = rows_of_a_county()
    rows["members"].append(rows["members"][0] | {"valid_from": "2019-06-01", "recorded_on": "2019-06-02"})
    county = read(tmp_path, rows)
    assert list(county.rejected["reason"]) == ["overlapping validity"]
    assert account(county, "h01")["persons"] == 2


def test_a_member_who_cannot_be_in_two_places_makes_the_new_household_unknown(tmp_path):
    rows = rows_of_a_county()
    move = rows["members"][0] | {
        "household_id": "h02",
        "valid_from": "2020-05-01",
        "recorded_on": "2020-05-10",
    }
    left = rows["members"][0] | {"valid_to": "2020-05-01", "recorded_on": "2020-07-20"}
    rows["members"] += [move, left]
    county = read(tmp_path, rows)
    assert unknown(account(county, "h02", "2020-06-30")["persons"])
    assert account(county, "h02", "2020-07-31")["persons"] == 3
    # What was known in June is the same whether the correction came or not.
    rows["members"].remove(left)
    never = read(tmp_path / "never", rows)
    for c in (county, never):
        assert unknown(account(c, "h02", "2020-06-30")["persons"])
        assert account(c, "h01", "2020-06-30")["persons"] == 2


@pytest.mark.parametrize("format", FORMATS)
def test_of_a_rejected_household_row_the_earlier_one_holds_in_doubt(tmp_path, format):
    rows = rows_of_a_county()
    rows["households"].append(
        rows["households"][0] | {"registration": "?", "valid_from": "2020-06-01", "village": "村9"}
    )
    county = read(tmp_path, rows, format)
    verdict = evaluate_rules(county, "national-2021", YEAR_END).set_index("household_id").loc["h01"]
    assert (verdict["village"], verdict["doubts"]) == ("村0", "row_rejected")
    assert doubts(county, "h01", "2020-05-31") == set()


@pytest.mark.parametrize("format", FORMATS)
def test_a_household_without_any_accepted_row_does_not_disappear(tmp_path, format):
    rows = rows_of_a_county()
    rows["households"][0] |= {"registration": "?", "village": ""}
    rows["households"].append(
        rows["households"][0]
        | {
            "registration": "lifted",
            "village": "村0",
            "valid_from": "2021-03-01",
            "recorded_on": "2021-03-05",
        }
    )
    county = read(tmp_path, rows, format, data_through=dt.date(2021, 12, 31))
    assert len(county.rejected) == 1  # none of its other rows
    verdicts = evaluate_rules(county, "national-2021", ["2020-12-31", "2021-03-31"])
    mine = verdicts[verdicts["household_id"] == "h01"].set_index("as_of")
    assert mine["category"].iloc[0] == "unknown"
    assert unknown(mine["registration"].iloc[0])
    assert mine["township"].iloc[0] == "东乡"
    assert unknown(mine["village"].iloc[0])
    assert mine["doubts"].iloc[0] == "row_rejected"
    # The row that came later replaces it, whatever it says of its own beginning.
    assert (mine["registration"].iloc[1], mine["village"].iloc[1]) == ("lifted", "村0")
    assert "row_rejected" not in mine["doubts"].iloc[1].split(";")


def test_rows_that_the_file_spoils_take_their_span_off_too(tmp_path):
    rows = rows_of_a_county()
    folder = written(tmp_path, rows)
    path = folder / "income.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("h03,2020-07"))
    lines[at] += ",extra"
    path.write_text("\n".join(lines), encoding="utf-8")
    county = read_county(folder)
    assert list(county.rejected["reason"]) == ["wrong number of fields"]
    assert account(county, "h03")["income_reason"] == "row_rejected"
