"""Reading files into a county: what is kept, what is kept out, and what is said of it."""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from dataclasses import replace
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pytest
import yaml

from riskmodel.data import About, County, DataRefused, check_county, from_frames, read_county, write_county
from riskmodel.data.county import county_of_frames
from riskmodel.data.read import Reading, read_tables
from riskmodel.data.schema import contract
from riskmodel.data.verification import verify_table
from riskmodel.errors import InputRefused
from riskmodel.households import PRESENT_MEMBERS, known_county, point_in_time

from . import exports


def nothing_is_lost(reading: Reading) -> None:
    # Kept + kept out = read, for every table: the contract's "never a silent drop".
    for name, table in reading.tables.items():
        rows = reading.county.frame(name)
        # Beside the rows read there are households of which only the number could be read.
        kept = len(rows) - (rows["registration"].isna().sum() if name == "households" else 0)
        assert kept + table.n_rejected == table.n_read, name
    by_file = reading.county.rejected.groupby("file")["row"].nunique() if len(reading.county.rejected) else {}
    assert {t.raw.file: t.n_rejected for t in reading.tables.values() if t.n_rejected} == dict(by_file)


def same(one: County, other: County) -> None:
    for day in ("2020-06-30", "2022-12-31"):
        assert point_in_time.fingerprint(one, day) == point_in_time.fingerprint(other, day)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig"])
def test_one_mistake_of_each_kind(tmp_path, encoding):
    rows, placed = exports.with_mistakes()
    folder = exports.write_chinese(tmp_path, rows, encoding)
    reading = read_tables(folder)
    nothing_is_lost(reading)
    # Exactly the bad rows are kept out, each with its own file, row number, column and reason.
    expected = set()
    for mistake, number in placed:
        spec = contract().tables[mistake.table]
        header = spec.columns[mistake.column].zh if mistake.column else "*"
        expected.add((f"{spec.zh}.csv", number, header, mistake.reason))
    # Of two corrections of one key and day none is the last: the first row goes with the second.
    expected.add(("家庭成员.csv", 6, "成员编号", "duplicate key"))
    found = reading.county.rejected
    assert set(found[["file", "row", "column", "reason"]].itertuples(index=False, name=None)) == expected
    assert len(found) == len(placed) + 1
    # And what is left is the county without the mistakes (and what follows from them).
    left = exports.core()
    left["members"] = [row for row in left["members"] if row["member_id"] != "h03-head"]
    county = reading.county
    same(
        replace(county, tables={name: county.tables[name] for name in left}),
        from_frames(exports.frames(left)),
    )


def test_rejected_rows_are_whole_and_unchanged(tmp_path):
    rows, placed = exports.with_mistakes()
    folder = exports.write_chinese(tmp_path, rows)
    rejected = read_tables(folder).county.rejected
    for mistake, number in placed:
        file = f"{contract().tables[mistake.table].zh}.csv"
        line = rejected[(rejected.file == file) & (rejected.row == number)].iloc[0]
        given = exports.chinese(mistake.table, mistake.row)
        assert {header: line[header] for header in given} == {h: str(v) for h, v in given.items()}
        # The row number is the one a spreadsheet shows: the header is row 1.
        with (folder / file).open(encoding="gb18030", newline="") as stream:
            assert list(csv.DictReader(stream))[number - 2] == {
                h: line[h] or "" for h in _headers(folder / file)
            }


def _headers(path: Path) -> list[str]:
    return path.read_text(encoding="gb18030").splitlines()[0].split(",")


def test_several_faults_of_a_row_are_one_line(tmp_path):
    rows = exports.core()
    rows["income"].append({"household_id": "h01", "month": "x", "source": "y", "amount": -1})
    reading = read_tables(exports.write_chinese(tmp_path, rows))
    line = reading.county.rejected.iloc[0]
    assert len(reading.county.rejected) == 1
    # Whether -1 may stand depends on the source, which is unknown: it is not also called negative.
    assert line["reason"] == "unparsable date; unknown code"
    assert line["column"] == "月份; 收入类别"
    assert "'x'" in line["detail"]
    assert "工资性收入" in line["detail"]  # the allowed values are named


def test_rows_that_the_file_spoils_are_kept_out_too(tmp_path):
    folder = exports.write_chinese(tmp_path, exports.core(), "utf-8")
    path = folder / "收入.csv"
    lines = path.read_bytes().split(b"\r\n")
    lines[3] = lines[3].replace(b"h01", b"h\xff1")
    lines[5] += b",7"
    path.write_bytes(b"\r\n".join(lines))
    reading = read_tables(folder)
    nothing_is_lost(reading)
    assert reading.county.rejected[["row", "column", "reason"]].to_numpy().tolist() == [
        [4, "*", "wrong encoding"],
        [6, "*", "wrong number of fields"],
    ]


def test_too_many_rejected_rows_are_refused(tmp_path):
    rows, _ = exports.with_mistakes()
    folder = exports.write_chinese(tmp_path, rows)
    with pytest.raises(DataRefused, match=r"收入\.csv: 9 of 82 rows.*--max-rejected") as refused:
        read_county(folder)
    # The row that is equal to another is counted once and not refused; a duplicate key takes both rows.
    assert len(refused.value.rejected) == len(exports.MISTAKES) + 1
    assert len(read_county(folder, max_rejected=0.4).rejected) == len(exports.MISTAKES) + 1


@pytest.mark.parametrize(
    ("column", "cells", "reason"),
    [
        ("month", [None], "missing value"),
        ("month", ["第一季", "第二季"], "unparsable date"),
        ("household_id", ["x1"], "unknown id"),
        ("recorded_on", ["1990-01-01"], "recorded before it happened"),
    ],
)
def test_one_cause_of_many_rows_is_told_once(tmp_path, column, cells, reason):
    n = 1200
    since = {"household_id": ["h1"], "valid_from": "2019-01-01"}
    homes = pd.DataFrame(since | {"township": "东", "village": "上", "registration": "general"})
    people = pd.DataFrame(since | {"member_id": "m1", "birth_month": "1980-01"})
    income = pd.DataFrame({"household_id": "h1", "month": "2020-01", "source": "wage", "amount": range(n)})
    income = income.assign(row_id=[f"r{i}" for i in range(n)], **{column: (cells * n)[:n]})
    for name, frame in (("households", homes), ("members", people), ("income", income)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(DataRefused, match=rf"{n} of {n} rows cannot be used \({reason} {n}\)") as refused:
        read_county(tmp_path)
    count, *examples = refused.value.rejected.to_dict("records")
    assert (count["column"], count["reason"]) == (column, reason)
    assert str(n) in count["detail"]
    assert [row["row"] for row in examples] == list(range(2, 22))
    assert {row["reason"] for row in examples} == {reason}
    summary, _ = check_county(tmp_path, tmp_path / "out")
    assert summary["refused"]
    assert summary["tables"]["income"]["rejected_by_reason"] == {reason: n}
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 10_000
    # Whoever wants to go on all the same has every row.
    assert len(read_county(tmp_path, max_rejected=1).rejected) == n


@pytest.mark.parametrize("format", ["csv", "parquet", "xlsx"])
def test_round_trip(tmp_path, format):
    # Whatever files the rows come in, the same known rows have the same fingerprint.
    county = from_frames(exports.frames(exports.clean()), About(recording_delay_days=20))
    write_county(county, tmp_path, format)
    again = read_county(tmp_path)
    assert len(again.rejected) == 0
    assert again.about == county.about
    same(again, county)


def test_frames_round_trip(tmp_path):
    frames = exports.frames(exports.clean())
    same(read_county(write_county(frames, tmp_path)), from_frames(frames))


def test_a_folder_name_is_no_pattern(tmp_path):
    frames = exports.frames(exports.core())
    same(read_county(write_county(frames, tmp_path / "导出 [1]*'s")), from_frames(frames))


def test_duckdb_file(tmp_path):
    frames = exports.frames(exports.clean())
    path = tmp_path / "county.duckdb"
    with duckdb.connect(str(path)) as con:
        for name, frame in frames.items():
            con.register("frame", frame)
            con.execute(f'CREATE TABLE "{contract().tables[name].zh}" AS SELECT * FROM frame')
    same(read_county(path), from_frames(frames))


def test_corrections_stay(tmp_path):
    # Equal keys, later recorded_on: a correction. Both rows are read; the day decides which holds.
    rows = exports.core()
    rows["members"].append(rows["members"][0] | {"health": "chronic", "recorded_on": "2020-02-01"})
    rows["income"][0] |= {"row_id": "r1", "recorded_on": "2020-02-01"}
    rows["income"].append(rows["income"][0] | {"amount": 1, "recorded_on": "2020-03-01"})
    county = read_county(exports.write_chinese(tmp_path, rows))
    assert len(county.rejected) == 0
    held = [
        known_county(county, day)
        .rows(PRESENT_MEMBERS)
        .filter(lambda t: t.member_id == "h01-head")
        .to_pandas()
        .health[0]
        for day in ("2020-01-31", "2020-02-01")
    ]
    assert held == ["healthy", "chronic"]


def test_equal_event_rows_are_two_events_only_where_something_differs(tmp_path):
    rows = exports.core()
    wage = {"household_id": "h01", "month": "2021-01", "source": "wage", "amount": 500}
    # Equal in every column: a duplicate row. With another row_id, or another word in a column that the
    # contract does not know, two earners.
    rows["income"] += [wage, wage, wage | {"row_id": "a"}, wage | {"row_id": "b"}]
    folder = exports.write_chinese(tmp_path, rows)
    rejected = read_tables(folder).county.rejected
    assert rejected[["row", "reason"]].to_numpy().tolist() == [[75, "duplicate row"]]
    path = folder / "收入.csv"
    lines = path.read_text(encoding="gb18030").splitlines()
    noted = [line + f",{i}" for i, line in enumerate(lines)]
    path.write_text("\n".join(["备注".join((lines[0] + ",", "")), *noted[1:]]), encoding="gb18030")
    county = read_county(folder)
    assert len(county.rejected) == 0
    assert "收入.csv: columns not read: 备注" in county.notes


def test_annual_totals_and_one_snapshot(tmp_path):
    folder = exports.write_chinese(tmp_path, exports.annual())
    # Undated rows of households and members are refused without the day of the snapshot.
    with pytest.raises(DataRefused, match="no date known"):
        read_county(folder)
    county = read_county(folder, snapshot_on="2021-04-15")
    assert set(county.frame("households").known_on.astype(str)) == {"2021-04-15"}
    income = county.frame("income")
    # A total is known entry_lag_months (3) after the end of its span.
    assert set(income.known_on.astype(str)) == {"2019-03-31", "2020-03-31", "2021-03-31"}
    assert float(income.amount.min()) == -500  # business_net may be negative
    (folder / "about.yaml").write_text(
        "snapshot_on: 2021-04-15\nentry_lag_months: 1\nauthor: 王\n", encoding="utf-8"
    )
    other = read_county(folder)
    assert set(other.frame("income").known_on.astype(str)) == {"2019-01-31", "2020-01-31", "2021-01-31"}
    assert any("author" in note for note in other.notes)
    same(other, from_frames(exports.frames(exports.annual()), other.about))


def test_months_and_dates_in_every_form(tmp_path):
    forms = [
        "2021-05",
        "202105",
        "2021/5",
        "2021年5月",
        "2021-05-17",
        "20210517",
        "44317",
        "2021-05-17 00:00:00",
    ]
    rows = exports.core()
    rows["income"] = [
        {"household_id": "h01", "month": form, "source": "wage", "amount": i, "recorded_on": "2021年6月3日"}
        for i, form in enumerate(forms)
    ]
    county = read_county(exports.write_chinese(tmp_path, rows))
    income = county.frame("income")
    assert set(income.month_to) == {2021 * 12 + 4}
    assert set(income.known_on.astype(str)) == {"2021-06-03"}


def test_absent_tables_are_said_once(tmp_path):
    rows = exports.core()
    county = read_county(exports.write_chinese(tmp_path, rows))
    assert sum("no spending table" in note for note in county.notes) == 1
    assert not county.has("spending")


def test_truth_is_never_data(tmp_path):
    frames = exports.frames(exports.core())
    write_county(frames, tmp_path)
    pd.DataFrame({"household_id": ["h01"], "probability": [0.5]}).to_parquet(tmp_path / "truth.parquet")
    pd.DataFrame({"household_id": ["h01"], "chance": [0.5]}).to_parquet(tmp_path / "lower_bound.parquet")
    county = read_county(tmp_path)
    assert set(county.tables) == set(frames)
    assert not any("truth" in note or "lower_bound" in note for note in county.notes)


def _without_column(folder: Path) -> None:
    path = folder / "收入.csv"
    path.write_text(path.read_text(encoding="gb18030").replace("金额", "数目"), encoding="gb18030")


def _twice(folder: Path) -> None:
    (folder / "income.csv").write_text("household_id,month,source,amount\n", encoding="utf-8")


def _two_headers(folder: Path) -> None:
    path = folder / "农户.csv"
    path.write_text(path.read_text(encoding="gb18030").replace("低保", "household_id"), encoding="gb18030")


def _ten_thousands(folder: Path) -> None:
    path = folder / "收入.csv"
    path.write_text(path.read_text(encoding="gb18030").replace("金额", "金额（万元）"), encoding="gb18030")


REFUSED = {
    "missing table": (lambda f: (f / "收入.csv").unlink(), "no table income 收入"),
    "missing column": (_without_column, r"收入\.csv: no column amount 金额.*数目"),
    "amounts in 10,000 yuan": (_ten_thousands, "no column amount"),
    "empty file": (lambda f: (f / "农户.csv").write_bytes(b""), "农户.csv: the file is empty"),
    "header only": (
        lambda f: (f / "农户.csv").write_text("户编号,乡镇,行政村,户类型\n", "gb18030"),
        "no row",
    ),
    "no text": (lambda f: (f / "农户.csv").write_bytes(b"\x00\x00\x01\n" * 9), "zero bytes"),
    "not CSV at all": (lambda f: (f / "农户.csv").write_bytes(bytes(range(128, 256)) * 20), "neither UTF-8"),
    "table twice": (_twice, "both hold the table income"),
    "column twice": (_two_headers, "both mean household_id"),
    "broken about": (lambda f: (f / "about.yaml").write_text("snapshot_on: soon\n"), "snapshot_on"),
    "about is no mapping": (lambda f: (f / "about.yaml").write_text("- a\n"), "about.yaml"),
    "broken parquet": (lambda f: (f / "visits.parquet").write_bytes(b"PAR1 nonsense PAR1"), "visits.parquet"),
    "broken workbook": (lambda f: (f / "坐标.xlsx").write_bytes(b"PK nonsense"), "坐标.xlsx"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(tmp_path, kind):
    spoil, message = REFUSED[kind]
    rows = exports.core()
    folder = exports.write_chinese(tmp_path, rows)
    spoil(folder)
    with pytest.raises(InputRefused, match=message):
        read_county(folder)


def test_tables_are_read_from_workbooks_of_any_format(tmp_path):
    rows = exports.core()
    folder = exports.write_chinese(tmp_path / "csv", rows)
    plain = read_county(folder)
    # An export that is a web page under a workbook's name, and one that is text under it.
    cells = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in line.split(",")) + "</tr>"
        for line in (folder / "农户.csv").read_text(encoding="gb18030").splitlines()
    )
    (folder / "农户.xls").write_text(f"<table>{cells}</table>", encoding="gb18030")
    (folder / "农户.csv").unlink()
    text = (folder / "收入.csv").read_text(encoding="gb18030")
    (folder / "收入.xls").write_text(text.replace(",", "\t"), encoding="utf-16")
    (folder / "收入.csv").unlink()
    county = read_county(folder)
    same(county, plain)


def test_names_that_are_nearly_a_tables_are_told_with_the_table(tmp_path):
    folder = exports.write_chinese(tmp_path, exports.core())
    (folder / "监测名单.csv").write_text("户编号\nh1\n", encoding="utf-8")
    (folder / "incone.xls").write_text("a\tb\n1\t2\n", encoding="utf-8")
    (folder / "监测说明.docx").write_bytes(b"PK")
    book = openpyxl.Workbook()
    book.active.title = "封面"
    book.create_sheet("帮扶措施")
    book.create_sheet("程序")
    book.save(folder / "其他.xlsx")
    notes = read_county(folder).notes
    for file, name in (("监测名单.csv", "监测"), ("incone.xls", "income"), ("其他.xlsx:帮扶措施", "帮扶")):
        wanted = f"{file} was not read: its name is nearly that of the table {name}"
        assert any(note.startswith(wanted) for note in notes)
    assert "其他.xlsx:封面, 监测说明.docx is no table of the contract and was not read" in notes


def test_a_table_with_a_password_is_refused_with_what_to_do(tmp_path):
    folder = exports.write_chinese(tmp_path, exports.core())
    with zipfile.ZipFile(folder / "监测.ods", "w") as archive:
        archive.writestr("content.xml", "")
        archive.writestr("META-INF/manifest.xml", "<encryption-data/>")
    with pytest.raises(InputRefused, match=r"监测\.ods is protected by a password; open it, remove"):
        read_county(folder)


def test_an_empty_optional_file_is_an_absent_table(tmp_path):
    folder = exports.write_chinese(tmp_path, exports.core())
    (folder / "支出.csv").write_bytes(b"")
    county = read_county(folder)
    assert not county.has("spending")
    assert any("支出.csv is empty" in note for note in county.notes)


def test_nothing_there_is_refused(tmp_path):
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "x.txt"):
        if path.suffix:
            path.write_text("x")
        with pytest.raises(InputRefused):
            read_county(path)


def test_unknown_households_take_their_rows_along(tmp_path):
    rows = exports.core()
    # A household whose own row is rejected stays known by its number; only one without any row does not.
    rows["households"][0]["registration"] = "?"
    rows["households"][1]["household_id"] = ""
    reading = read_tables(exports.write_chinese(tmp_path, rows))
    nothing_is_lost(reading)
    counts = reading.tables["income"].kept_out["reason"].value_counts().to_dict()
    assert counts == {"unknown id": len(exports.MONTHS)}
    assert set(reading.county.frame("members").household_id) == set(
        reading.county.frame("households").household_id
    )


def test_later_rows_never_change_what_was_kept(tmp_path):
    # Adding rows recorded later, good or bad, leaves every earlier day as it was.
    rows, _ = exports.with_mistakes()
    before = read_county(exports.write_chinese(tmp_path / "before", rows), max_rejected=1)
    late = "2023-01-01"
    rows["members"] += [
        rows["members"][0] | {"recorded_on": late, "health": "chronic"},
        rows["members"][2] | {"recorded_on": late, "household_id": "h07", "valid_from": "2017-06-01"},
        rows["members"][4] | {"recorded_on": late, "valid_from": "2018-06-01", "valid_to": "2017-01-01"},
    ]
    rows["income"] += [rows["income"][0] | {"recorded_on": late}, rows["income"][1] | {"recorded_on": late}]
    rows["income"].insert(0, rows["income"][2] | {"recorded_on": late})
    after = read_county(exports.write_chinese(tmp_path / "after", rows), max_rejected=1)
    assert len(after.rejected) == len(before.rejected) + 2
    for day in ("2019-12-31", "2020-12-31", "2022-12-31"):
        assert point_in_time.fingerprint(before, day) == point_in_time.fingerprint(after, day)
    assert point_in_time.fingerprint(before, late) != point_in_time.fingerprint(after, late)


def test_about_is_read(tmp_path):
    folder = exports.write_chinese(tmp_path, exports.core())
    said = {"data_through": dt.date(2020, 11, 30), "recording_delay_days": 30}
    (folder / "about.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    county = read_county(folder)
    assert county.data_through == said["data_through"]
    assert county.about.recording_delay_days == 30


# The second look at the tables kept: it passes what reading keeps and fails on anything else.


def county_with(table: str, **change):
    frames = exports.frames(exports.clean())
    frames[table] = frames[table].assign(**change)
    return county_of_frames(frames)


def test_clean_tables_pass_the_second_look():
    county = from_frames(exports.frames(exports.clean()))
    for name, rows in county.tables.items():
        verify_table(county.con, name, rows)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("income", {"source": "lottery"}),
        ("income", {"household_id": None}),
        ("spending", {"amount": -1.0}),
        ("members", {"disability_grade": 5}),
        ("members", {"birth_month": "1066-10"}),
        ("households", {"registration": None}),
        ("assets", {"valid_from": pd.NaT}),  # known from no day at all
    ],
)
def test_each_rule_of_the_contract_is_looked_at(table, change):
    # `county_of_frames` checks nothing, so it can hold what reading never lets through.
    county = county_with(table, **change)
    with pytest.raises(InputRefused, match=f"^{table}: "):
        verify_table(county.con, table, county.tables[table])


def test_types_and_columns_are_looked_at():
    county = from_frames(exports.frames(exports.core()))
    rows = county.tables["income"]
    for other in (rows.drop("row_id"), rows.mutate(amount=rows.amount.cast("float64"))):
        with pytest.raises(InputRefused, match="not those of the contract"):
            verify_table(county.con, "income", other)
