"""A county of frames is the county that files of the same rows make: tables, findings, rejections, doubts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from riskmodel.data import County, from_frames
from riskmodel.data.frames import plain_county

from . import exports
from .test_off_record import ABOUT as WHOLE
from .test_off_record import YEAR_END, read, rows_of_a_county

ABOUT = WHOLE.model_copy(update={"data_through": YEAR_END})
Fault = Callable[[exports.Rows], None]
EVENT = {"household_id": "h01", "date": "2020-03-01", "cause": "illness"}
CAR = {"household_id": "h06", "kind": "car", "valid_from": "2019-05-01", "recorded_on": "2019-06-01"}


def cell(table: str, place: int, column: str, value: object) -> Fault:
    def spoil(rows: exports.Rows) -> None:
        rows[table][place] = rows[table][place] | {column: value}

    return spoil


def more(table: str, *new: dict, like: int | None = None) -> Fault:
    def add(rows: exports.Rows) -> None:
        base = {} if like is None else rows[table][like]
        rows[table] += [base | row for row in new]

    return add


# Each on rows of its own; 24 months of wage and of spending a household.
FAULTS: dict[str, Fault] = {
    "unknown code": cell("income", 3, "source", "lottery"),
    "Chinese word": cell("income", 4, "source", "工资性收入"),
    "unreadable amount": cell("income", 5, "amount", "many"),
    "negative amount": cell("income", 6, "amount", -5),
    "no amount": cell("spending", 7, "amount", None),
    "unreadable month": cell("income", 30, "month", "spring"),
    "impossible month": cell("spending", 31, "month", "2020-13"),
    "month of 1940": cell("income", 32, "month", "1940-01"),
    "month far ahead": cell("income", 33, "month", "2099-12"),
    "recorded too early": cell("income", 50, "recorded_on", "2018-05-01"),
    "recorded too late": cell("income", 52, "recorded_on", "2039-05-01"),
    "unknown household": cell("income", 54, "household_id", "nobody"),
    "formula": cell("spending", 55, "household_id", "=h03"),
    "equal rows": more("income", {}, {}, like=60),
    "same row_id": more(
        "income", *({"row_id": "r", "amount": a, "month": "2020-05"} for a in (1, 2)), like=73
    ),
    "equal totals": more(
        "income",
        *({"month": None, "month_from": "2018-01", "month_to": "2018-12", "amount": a} for a in (1, 2)),
        like=97,
    ),
    "crossed span": more("income", {"month": None, "month_from": "2018-09", "month_to": "2018-03"}, like=98),
    "two numbers": more("income", {"row_id": "a"}, {"row_id": "b"}, like=99),
    "unreadable birth": cell("members", 1, "birth_month", "long ago"),
    "birth after recording": cell("members", 3, "birth_month", "2045-01"),
    "unreadable relation": cell("members", 4, "relation", "女婿"),
    "unreadable grade": cell("members", 5, "disability_grade", "重度"),
    "ends before it begins": cell("members", 6, "valid_to", "2010-01-01"),
    "two places": more("members", {"household_id": "h01", "valid_from": "2020-05-01"}, like=8),
    "a move, closed by a correction": more(
        "members",
        {"valid_to": "2020-05-01", "recorded_on": "2020-05-10"},
        {"household_id": "h01", "valid_from": "2020-05-01", "recorded_on": "2020-05-10"},
        like=9,
    ),
    "tick for yes": cell("households", 0, "dibao", "√"),
    "unreadable registration": cell("households", 1, "registration", "?"),
    "no village": cell("households", 2, "village", ""),
    "unreadable year": cell("households", 3, "lifted_year", "long ago"),
    "same key": more("households", *({"village": v, "recorded_on": "2020-02-01"} for v in "ab"), like=4),
    "event before it happened": more("risk_events", EVENT | {"recorded_on": "2019-01-01"}),
    "event of an unknown channel": more("risk_events", EVENT | {"channel": "电话"}),
    "event twice": more("risk_events", EVENT, EVENT),
    "late event": more("risk_events", EVENT | {"recorded_on": "2035-01-01"}),
    "assets of one day": more("assets", CAR | {"valid_to": "2020-01-01"}, CAR | {"valid_to": "2022-01-01"}),
    "unknown item": more(
        "unrecorded",
        {"household_id": "h06", "of": "income", "item": "lottery", "month_from": "2019-01",
         "month_to": "2019-02", "why": "unreadable"},
    ),
    "time with a zone": cell("income", 120, "recorded_on", "2021-01-31T17:00:00Z"),
    "spaces": cell("income", 121, "household_id", " h06 "),
}  # fmt: skip
# No fault: read in both ways alike, and in a frame at once.
HARMLESS = ("two numbers", "late event", "a move, closed by a correction")


def spoiled(*names: str) -> exports.Rows:
    rows = copy.deepcopy(rows_of_a_county())
    rows["risk_events"], rows["assets"] = [dict(EVENT, household_id="h05")], [dict(CAR, household_id="h05")]
    for name in names:
        rows.setdefault("unrecorded", []) if name == "unknown item" else None
        FAULTS[name](rows)
    return rows


def state(county: County) -> dict[str, pd.DataFrame]:
    """Everything that reading says, but for the names of files and the numbers of their rows."""
    out = {name: county.frame(name) for name in county.tables}
    out["rejected"] = county.rejected[["column", "reason"]]
    out["cells"] = county.cells[["column", "text", "reason"]]
    out["notes"] = pd.DataFrame({"note": [note.split(": ", 1)[-1] for note in county.notes]})
    for name, frame in out.items():
        frame = frame.drop(columns=[c for c in ("file", "sheet", "row") if name == "losses"], errors="ignore")
        texts = frame.astype("string").fillna("")
        out[name] = texts.sort_values(list(texts.columns), ignore_index=True)
    return out


def assert_same(one: County, other: County) -> None:
    mine, theirs = state(one), state(other)
    assert mine.keys() == theirs.keys()
    for name, frame in mine.items():
        pd.testing.assert_frame_equal(frame, theirs[name], obj=name, check_dtype=False)


@pytest.mark.parametrize(
    "format", ["parquet", *(pytest.param(f, marks=pytest.mark.slow) for f in ("csv", "xlsx"))]
)
def test_files_and_frames_make_the_same_county(tmp_path: Path, format: str) -> None:
    rows = spoiled(*FAULTS)
    county = from_frames(exports.frames(dict(rows)), ABOUT)
    assert len(county.rejected) > 20
    assert len(county.cells) >= 4
    assert county.has("doubts")
    assert_same(county, read(tmp_path, rows, format, data_through=YEAR_END))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_of_a_frame_is_passed_over(name: str) -> None:
    frames = exports.frames(dict(spoiled(name)))
    assert (plain_county(frames, ABOUT) is None) == (name not in HARMLESS)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone_is_the_same_in_a_frame_and_in_a_file(tmp_path: Path, name: str) -> None:
    rows = spoiled(name)
    assert_same(
        from_frames(exports.frames(dict(rows)), ABOUT), read(tmp_path, rows, "parquet", data_through=YEAR_END)
    )


def test_a_frame_without_a_fault_says_what_its_files_say(tmp_path: Path) -> None:
    rows = spoiled()
    frames = exports.frames(dict(rows))
    county = plain_county(frames, ABOUT)
    assert county is not None
    assert_same(county, read(tmp_path, rows, "parquet", data_through=YEAR_END))


def test_months_may_be_ordinals_and_half_a_county_is_taken_as_it_is() -> None:
    frames = exports.frames(dict(spoiled("equal rows")))
    months = pd.to_datetime(frames["income"]["month"]).dt
    ordinals = frames["income"].assign(month=months.year * 12 + months.month - 1)
    assert_same(from_frames(frames | {"income": ordinals}, ABOUT), from_frames(frames, ABOUT))
    part = {name: frames[name] for name in ("households", "income")}
    assert len(from_frames(part, ABOUT).frame("income")) == len(frames["income"])
