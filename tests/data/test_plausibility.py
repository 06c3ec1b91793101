"""Rules between a row's own dates, the day of recording and the county's span, in every format."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from riskmodel.data import About, County, read_county, write_county
from riskmodel.data.plausibility import RULES
from riskmodel.data.read import DataRefused
from riskmodel.errors import InputRefused

from . import exports

FORMATS = ("csv", "xlsx", "parquet")
ABOUT = About(data_through=dt.date(2020, 12, 31), coverage="whole", records_from="2020-01")


def _read(rows: exports.Rows, folder: Path, form: str, about: About = ABOUT) -> County:
    return read_county(write_county(exports.frames(rows), folder, format=form, about=about), max_rejected=1)


def _event(table: str) -> dict[str, Any]:
    return dict(exports.clean()[table][0])


def _income(**other: Any) -> dict[str, Any]:
    return {"household_id": "h01", "month": "2020-12", "source": "business", "amount": 1} | other


def _spending(**other: Any) -> dict[str, Any]:
    return {"household_id": "h01", "month": "2020-12", "category": "living", "amount": 1} | other


REJECTED = [
    ("income", _income(recorded_on="2020-11-30"), "recorded_on", "recorded before it happened"),
    ("spending", _spending(recorded_on="2020-11-30"), "recorded_on", "recorded before it happened"),
    ("income", _income(recorded_on="2031-01-01"), "recorded_on", "recorded ten years later"),
    ("spending", _spending(recorded_on="2031-01-01"), "recorded_on", "recorded ten years later"),
    ("income", _income(month="1949-12", recorded_on="1950-02-01"), "month", "month out of range"),
    ("spending", _spending(month="1949-12", recorded_on="1950-02-01"), "month", "month out of range"),
    ("income", _income(month="2022-01"), "month", "month out of range"),
    ("spending", _spending(month="2022-01"), "month", "month out of range"),
    ("medical", {"member_id": "h01-head", "month": "2099-12", "total": 5}, "month", "month out of range"),
    ("medical", {"member_id": "h01-head", "month": "1949-12", "total": 5}, "month", "month out of range"),
    *(
        (table, _event(table) | {"recorded_on": "2020-05-01"}, "recorded_on", "recorded before it happened")
        for table in ("risk_events", "monitoring", "support", "visits")
    ),
    (
        "members",
        {"member_id": "n", "household_id": "h01", "birth_month": "2099-01", "valid_from": "2018-01-01"},
        "birth_month",
        "birth after recording",
    ),
    (
        "members",
        {"member_id": "n", "household_id": "h01", "birth_month": "1899-12", "valid_from": "2018-01-01"},
        "birth_month",
        "impossible date",
    ),
    (
        "recorded",
        {"household_id": "h01", "of": "income", "month_from": "2020-05", "month_to": "2020-04"},
        "month_from",
        "impossible date",
    ),
    (
        "unrecorded",
        {
            "household_id": "h01",
            "of": "income",
            "month_from": "2020-05",
            "month_to": "2020-04",
            "why": "lost",
        },
        "month_from",
        "impossible date",
    ),
    (
        "unrecorded",
        {
            **{"household_id": "h01", "of": "income", "item": "medical"},
            **{"month_from": "2020-05", "month_to": "2020-06", "why": "lost"},
        },
        "item",
        "unknown item",
    ),
]
# The same rows one step inside the limit.
ACCEPTED = [
    ("income", _income(recorded_on="2020-12-01")),
    ("income", _income(recorded_on="2030-12-31")),
    ("income", _income(month="1950-01", recorded_on="1950-02-01")),
    ("income", _income(month="2021-12")),
    ("visits", _event("visits") | {"recorded_on": "2020-06-15", "cause": "illness"}),
    (
        "members",
        {"member_id": "n", "household_id": "h01", "birth_month": "2020-05", "valid_from": "2020-05-02"},
    ),
    (
        "members",  # valid from a day that had not come when it was written: a baby expected, a wedding set
        {
            **{"member_id": "n", "household_id": "h01", "birth_month": "1990-05"},
            **{"valid_from": "2020-09-01", "recorded_on": "2020-08-01"},
        },
    ),
    ("support", _event("support") | {"end_date": "2031-01-01", "recorded_on": "2020-08-02"}),
    (
        "unrecorded",
        {
            **{"household_id": "h01", "of": "spending", "item": "医疗自付"},
            **{"month_from": "2020-05", "month_to": "2020-06", "why": "lost", "recorded_on": "2019-01-01"},
        },
    ),
]


@pytest.mark.parametrize("form", FORMATS)
def test_implausible_rows_are_kept_out_with_the_reason(tmp_path, form):
    rows = exports.clean()
    before = {name: len(some) for name, some in rows.items()}
    for table, row, _, _ in REJECTED:
        rows.setdefault(table, []).append(row)
    county = _read(rows, tmp_path, form)
    found = county.rejected[["file", "column", "reason"]].apply(tuple, axis=1).tolist()
    assert sorted(found) == sorted((f"{t}.{form}", column, reason) for t, _, column, reason in REJECTED)
    for name, n in before.items():
        assert len(county.frame(name)) == n, name
    assert not county.rejected["detail"].str.contains("{", regex=False).any()


@pytest.mark.parametrize("form", FORMATS)
def test_what_lies_just_inside_is_accepted(tmp_path, form):
    rows = exports.clean()
    for table, row in ACCEPTED:
        rows.setdefault(table, []).append(row)
    county = _read(rows, tmp_path, form)
    # Two members of one number would be a clash of their own.
    assert set(county.rejected.get("reason", [])) <= {"overlapping validity", "duplicate key"}
    assert county.frame("unrecorded")["item"].tolist() == ["medical"]


LONG_AGO, LATE = {"recorded_on": "2018-01-01"}, {"recorded_on": "2022-01-02"}
ODD = [
    *((table, {"valid_from": "2005-01-01"} | LONG_AGO) for table in ("households", "members", "assets")),
    *(
        (table, {"date": "2005-01-01"} | LONG_AGO)
        for table in ("risk_events", "monitoring", "support", "visits")
    ),
]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_only_odd_is_used_and_told(tmp_path, form):
    rows = exports.clean()
    for table, change in ODD:
        rows[table][0] |= change
    county = _read(rows, tmp_path / "old", form)
    assert len(county.rejected) == 0
    told = {note.partition(":")[0] for note in county.notes if "over ten years after" in note}
    assert told == {table for table, _ in ODD}
    rows = exports.clean()
    for some in rows.values():
        some[-1] |= LATE
    county = _read(rows, tmp_path / "late", form)
    assert len(county.rejected) == 0
    told = {note.partition(":")[0] for note in county.notes if "1 row recorded over 366 days" in note}
    assert told == rows.keys()


def test_every_rule_names_columns_of_its_table():
    from riskmodel.data import canonical_schema

    for rule in RULES:
        for table in rule.tables:
            assert rule.column in (*canonical_schema(table), "recorded_on")


def test_a_total_that_ends_far_ahead_stays_out_however_long_the_records_become(tmp_path):
    rows = exports.core()
    total = {
        **{"household_id": "h01", "month_from": "2020-01", "month_to": "2021-12", "source": "transfer"},
        **{"amount": 5, "recorded_on": "2020-05-01"},
    }
    rows["income"].append(total)
    later = [{**row, "month": f"2021{row['month'][4:]}"} for row in rows["income"][:-1]]
    for name, more in (("short", []), ("long", later)):
        county = _read(exports.core() | {"income": rows["income"] + more}, tmp_path / name, "csv", About())
        assert county.rejected["reason"].tolist() == ["month out of range"], name


def test_a_negative_delay_refuses_the_input(tmp_path):
    write_county(exports.frames(exports.core()), tmp_path)
    (tmp_path / "about.yaml").write_text("recording_delay_days: -5\n", encoding="utf-8")
    with pytest.raises(InputRefused, match=r"recording_delay_days: .*greater than or equal to 0"):
        read_county(tmp_path)


def test_too_many_implausible_rows_refuse_a_table(tmp_path):
    rows = exports.core()
    for row in rows["income"][:20]:
        row["recorded_on"] = "2019-01-01"
    with pytest.raises(DataRefused, match="recorded before it happened 20"):
        read_county(write_county(exports.frames(rows), tmp_path, about=ABOUT))


INSTANT = "2021-06-30T17:00:00Z"


def _instants(income: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(income["recorded_on"], utc=True, format="ISO8601")


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        *((None, dt.date(2021, 7, 1)), ("UTC", dt.date(2021, 6, 30))),
        ("Asia/Urumqi", dt.date(2021, 6, 30)),  # six hours east of Greenwich
    ],
)
@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet text", "parquet", "duckdb", "frames"])
def test_an_instant_is_one_day_in_every_format(tmp_path, form, zone, day):
    import duckdb

    about = About(time_zone=zone, data_through=dt.date(2021, 6, 30)) if zone else About()
    rows = exports.core()
    text = [INSTANT, "2021-07-01 01:00:00+08:00", "2021-06-30 12:00-0500", "2021-06-30T17:00:00.5+00"]
    for row, written in zip(rows["income"], text, strict=False):
        row["recorded_on"] = written
    rows["income"] = rows["income"][: len(text)]
    frames = exports.frames(rows)
    name = form.split()[0]
    if form == "frames":
        from riskmodel.data import from_frames

        frames["income"]["recorded_on"] = pd.to_datetime(
            frames["income"]["recorded_on"], utc=True, format="ISO8601"
        )
        county = from_frames(frames, about)
    else:
        others = {k: v for k, v in frames.items() if k != "income"}
        write_county(others, tmp_path, about=about)
        income = frames["income"]
        if form in ("parquet", "duckdb"):
            income = income.assign(
                recorded_on=pd.to_datetime(income["recorded_on"], utc=True, format="ISO8601")
            )
        path = tmp_path / f"income.{name}"
        if form == "csv":
            income.to_csv(path, index=False)
        elif form == "xlsx":
            income.to_excel(path, index=False)
        elif form == "duckdb":
            with duckdb.connect(str(path)) as con:
                con.execute("CREATE TABLE income AS SELECT * FROM income")
        else:
            income.to_parquet(path, index=False)
        county = read_county(tmp_path, max_rejected=1)
    assert set(county.frame("income")["known_on"].astype(str)) == {day.isoformat()}


def test_local_times_and_months_of_instants(tmp_path):
    rows = exports.core()
    rows["income"] = rows["income"][:2]
    rows["income"][0] |= {"month": INSTANT, "recorded_on": "2021-07-31 17:00:00"}
    county = _read(rows, tmp_path, "csv", About(data_through=dt.date(2021, 7, 31)))
    first = county.frame("income").sort_values("month_from").iloc[-1]
    assert first["month_from"] == 2021 * 12 + 6
    assert str(first["known_on"])[:10] == "2021-07-31"


def test_a_zone_that_nobody_knows_is_refused(tmp_path):
    write_county(exports.frames(exports.core()), tmp_path)
    (tmp_path / "about.yaml").write_text("time_zone: Asia/Peking\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="no such time zone"):
        read_county(tmp_path)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("coverage: whole", "without records_from"),
        ("records_from: 2020-01", "without coverage: whole"),
        ("coverage: whole\nrecords_from: {东鄉: 2020-01}", "东鄉"),
        ("", "inferred for 6 of 6 households"),
        ("", "inferred from income: 2020-12-31"),
        ("coverage: whole\nrecords_from: {西乡: 2020-01}", "inferred for 6 of 6 households"),
    ],
)
def test_what_about_leaves_open_or_gets_wrong_is_told(tmp_path, about, said):
    write_county(exports.frames(exports.core()), tmp_path)
    (tmp_path / "about.yaml").write_text(about + "\n", encoding="utf-8")
    assert [note for note in read_county(tmp_path).notes if said in note]


def test_what_is_stated_is_not_told(tmp_path):
    rows = exports.core()
    for about in (ABOUT, About(data_through=ABOUT.data_through)):
        if about is not ABOUT:
            rows["recorded"] = [
                {"household_id": f"h0{i}", "of": "income", "month_from": "2020-01", "month_to": "2020-12"}
                for i in range(1, 7)
            ]
        county = _read(rows, tmp_path, "csv", about)
        assert not [note for note in county.notes if "inferred" in note]


@pytest.mark.parametrize("written", ["2017", "soon", "2017-13", "[2017-01]"])
def test_a_start_that_is_no_month_is_refused(tmp_path, written):
    write_county(exports.frames(exports.core()), tmp_path)
    (tmp_path / "about.yaml").write_text(f"records_from: {written}\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="write a month as 2017-01"):
        read_county(tmp_path)


def test_dates_of_one_row_that_contradict_one_another_are_told(tmp_path):
    rows = exports.clean()
    rows["households"][0] |= {"lifted_year": 2031, "recorded_on": "2020-01-01"}
    rows["support"][0] |= {"end_date": "2001-01-01"}
    pushed = {"household_id": "h01", "pushed_on": "2020-05-01", "forwarded_on": "2020-04-30"}
    rows["warnings"] = [pushed]
    county = _read(rows, tmp_path, "csv")
    assert len(county.rejected) == 0
    told = sorted(
        note.split(" contradicts")[0] for note in county.notes if "contradicts another date" in note
    )
    columns = (("households", "lifted_year"), ("support", "end_date"), ("warnings", "forwarded_on"))
    assert told == [f"{table}: 1 row used of which {column}" for table, column in columns]


@pytest.mark.parametrize(
    ("start", "n"), [("2020-01", 0), ("2020-03", 12), ({"东乡": "2020-02"}, 6), ({"nowhere": "2020-02"}, 0)]
)
def test_rows_before_the_records_are_said_to_begin_are_told(tmp_path, start, n):
    about = ABOUT.model_copy(update={"records_from": start})
    county = _read(exports.core(), tmp_path, "csv", about)
    told = [note for note in county.notes if "before records_from" in note]
    assert [note.split()[0] for note in told] == [str(n)] * bool(n)
