"""A filled list comes back: entries are added once, faults named by cell, nothing is overwritten."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from riskmodel import data, presentation, scoring
from riskmodel.errors import InputMissing, InputRefused
from riskmodel.households import known_county
from riskmodel.scoring.recorded_visits import read_recorded_visits

TODAY = dt.date(2021, 7, 20)
FINDINGS = [("属实", "因病"), ("不属实", None), ("未见", None)]


@pytest.fixture(scope="module")
def scores(make_scores) -> pd.DataFrame:
    scores = make_scores(24, seed=4)
    scores.loc[scores.index[0], ["household_id", "flagged", "rule_category"]] = ["=1+1", True, "marginal"]
    return scores


@pytest.fixture(scope="module")
def template(scores, tmp_path_factory) -> Path:
    """A list on which the first three households were visited, as an office fills it in."""
    worklist = scoring.build_worklist(scores, visits=12, by="township")
    path = presentation.write_worklist(worklist, tmp_path_factory.mktemp("list") / "list.xlsx")
    presentation.record_list(worklist, path.parent, "zh")
    book = openpyxl.load_workbook(path)
    for i, (outcome, cause) in enumerate(FINDINGS, start=2):
        put(book, i, 核查结果=outcome, 风险原因=cause, 核查日期=dt.date(2021, 7, i), 核查人="张三")
    book.save(path)
    return path


@pytest.fixture
def filled(template, tmp_path) -> Path:
    shutil.copytree(template.parent / "lists", tmp_path / "lists")
    return Path(shutil.copy(template, tmp_path / "list.xlsx"))


def put(book: openpyxl.Workbook, row: int, sheet: str = "核查名单", **values: object) -> None:
    page = book[sheet]
    columns = [c.value for c in page[1]]
    for name, value in values.items():
        page.cell(row, columns.index(name) + 1).value = value


def edited(path: Path, row: int, sheet: str = "核查名单", **values: object) -> Path:
    book = openpyxl.load_workbook(path)
    put(book, row, sheet, **values)
    book.save(path)
    return path


def tables(scores: pd.DataFrame, *, chinese: bool = False) -> dict[str, pd.DataFrame]:
    ids = list(scores["household_id"])
    n = len(ids)
    frames = {
        "households": pd.DataFrame(
            {"household_id": ids, "township": "东河镇", "village": "上坝村", "registration": "general",
             "valid_from": "2019-01-01"}
        ),
        "members": pd.DataFrame(
            {"member_id": [f"m{i}" for i in range(n)], "household_id": ids, "birth_month": "1980-01",
             "valid_from": "2019-01-01"}
        ),
        "income": pd.DataFrame({"household_id": ids, "month": "2021-06", "source": "wage", "amount": 900.0}),
    }  # fmt: skip
    if chinese:
        said = data.schema.contract().tables
        frames = {
            name: frame.rename(columns={c: s.zh for c, s in said[name].columns.items()})
            for name, frame in frames.items()
        }
    return frames


def visits_of(folder: Path) -> pd.DataFrame:
    """The visits as the county reads them; nothing may be rejected."""
    found = data.read_county(folder, max_rejected=1)
    frame = found.frame("visits").sort_values(["date", "household_id"], ignore_index=True)
    assert not len(found.rejected[found.rejected["file"].str.contains("visit|核查")])
    return frame


def make(folder: Path, frames: dict[str, pd.DataFrame], form: str) -> Path:
    if form == "duckdb":
        import duckdb

        folder.mkdir()
        with duckdb.connect(str(folder / "data.duckdb")) as con:
            for name, frame in frames.items():
                con.register("frame_", frame)
                con.execute(f"CREATE TABLE {name} AS SELECT * FROM frame_")
        return folder / "data.duckdb"
    folder.mkdir()
    for name, frame in frames.items():
        if form == "parquet":
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        elif form == "xlsx":
            frame.to_excel(folder / f"{name}.xlsx", index=False)
        else:
            frame.to_csv(folder / f"{name}.csv", index=False, encoding=form)
    return folder


@pytest.mark.parametrize(
    ("form", "with_visits"),
    [("utf-8-sig", True), ("gb18030", False), ("parquet", True), ("parquet", False), ("xlsx", True),
     ("duckdb", True), ("duckdb", False)],
)  # fmt: skip
def test_added_once_in_the_format_that_is_there(scores, filled, tmp_path, form, with_visits) -> None:
    # "=1+1" is an id that a spreadsheet would spoil; the county's own reader refuses it, so it stays out.
    frames = tables(scores[scores["household_id"] != "=1+1"], chinese=form == "gb18030")
    old = 0
    if with_visits:
        before = pd.DataFrame(
            {"household_id": [frames["households"].iloc[0, 0]], "date": ["2021-03-01"], "outcome": ["absent"]}
        )
        frames["visits"] = before
        old = 1
    data = make(tmp_path / "data", frames, form)
    book = openpyxl.load_workbook(filled)
    ids = [
        book["核查名单"].cell(r, [c.value for c in book["核查名单"][1]].index("户编号") + 1).value
        for r in (2, 3, 4)
    ]
    result = scoring.import_visits(filled, data, TODAY)
    usable = [i for i in ids if i != "'=1+1"]
    assert len(result.added) == len(usable) >= 2
    found = visits_of(data)
    assert len(found) == old + len(usable)
    new = found[found["date"] > pd.Timestamp("2021-06-30")]
    assert set(new["household_id"]) == set(usable)
    said = {(v.household_id, v.outcome, v.cause or "") for v in result.added}
    assert set(zip(new["household_id"], new["outcome"], new["cause"].fillna(""), strict=True)) == said
    assert set(new["selected_by"]) == {"rule"}
    assert new["row_id"].nunique() == len(usable)
    # Known from the day the office took them in, not from the day of the visit: no earlier as-of sees them.
    assert set(new["known_on"]) == {pd.Timestamp(TODAY)}
    # Once more, on another day: nothing is added and not a byte of the table moves.
    bytes_before = result.path.read_bytes()
    again = scoring.import_visits(filled, data, TODAY + dt.timedelta(days=9))
    assert (len(again.added), again.already, again.conflicts) == (0, len(usable), ())
    assert result.path.read_bytes() == bytes_before


def test_a_file_saved_as_gb18030_csv_by_a_spreadsheet_is_the_same_list(scores, filled, tmp_path) -> None:
    data = make(tmp_path / "data", tables(scores), "parquet")
    rows = list(openpyxl.load_workbook(filled)["核查名单"].iter_rows(values_only=True))
    text = io.StringIO()
    # Excel writes dates of a Chinese machine as 2021/7/2.
    rows = [[f"{c.year}/{c.month}/{c.day}" if isinstance(c, dt.datetime) else c for c in row] for row in rows]
    csv.writer(text).writerows(rows)
    (tmp_path / "csv").mkdir()
    path = tmp_path / "csv" / "list.csv"
    path.write_bytes(text.getvalue().encode("gb18030"))
    from_csv, from_xlsx = scoring.read_filled_list(path), scoring.read_filled_list(filled)
    assert [v.content for v in from_csv.visits] == [v.content for v in from_xlsx.visits]
    assert len(scoring.import_visits(path, data, TODAY).added) == 3
    assert scoring.import_visits(filled, data, TODAY).already == 3


def test_a_finding_of_other_hands_is_a_conflict_and_nothing_is_overwritten(scores, filled, tmp_path) -> None:
    household = scoring.read_filled_list(filled).visits[0].household_id
    row = {"household_id": household, "date": "2021-07-02", "outcome": "not_confirmed", "cause": None}
    frames = tables(scores) | {"visits": pd.DataFrame([row])}
    data = make(tmp_path / "data", frames, "utf-8-sig")
    before = (data / "visits.csv").read_bytes()
    again = scoring.import_visits(filled, data, TODAY, dry=True)
    assert len(again.added) == 2
    assert (data / "visits.csv").read_bytes() == before
    (conflict,) = again.conflicts
    assert conflict.household_id == household
    assert "confirmed / illness here but not confirmed in the data" in str(conflict)
    assert "名单上为“属实 / 因病”，数据中为“不属实”" in str(conflict)
    assert str(conflict).startswith("核查名单!")


def test_a_later_import_corrects_and_the_first_finding_stays_readable(scores, filled, tmp_path) -> None:
    data = make(tmp_path / "data", tables(scores), "parquet")
    first = scoring.import_visits(filled, data, TODAY)
    household = first.added[1].household_id
    old = Path(shutil.copy(filled, tmp_path / "old.xlsx"))
    later = TODAY + dt.timedelta(days=3)
    edited(filled, 3, 核查结果="属实", 风险原因="因病")
    result = scoring.import_visits(filled, data, later)
    assert (len(result.added), len(result.corrected), result.already) == (0, 1, 2)
    county = all_visits(data)
    rows = county[county["household_id"] == household].sort_values("known_on")
    assert rows["outcome"].tolist() == ["not_confirmed", "confirmed"]
    assert rows["row_id"].nunique() == 1
    # Every day sees what was known then; the corrected finding is still there to be read.
    known = {day: visits_known(data, day, household) for day in (TODAY, later)}
    assert known == {TODAY: ["not_confirmed"], later: ["confirmed"]}
    # The same again is nothing new, and a workbook of before does not bring the old finding back.
    assert scoring.import_visits(filled, data, later).already == 3
    stale = scoring.import_visits(old, data, later)
    assert (len(stale.added), len(stale.corrected), len(stale.conflicts)) == (0, 0, 1)
    assert "已被更正的旧内容" in str(stale.conflicts[0])
    # Corrected once more on the same day: it counts from the next, two rows of a day would void each other.
    again = scoring.import_visits(edited(filled, 3, 核查结果="未见"), data, later)
    assert len(again.corrected) == 1
    assert visits_known(data, later + dt.timedelta(days=1), household) == ["absent"]


def test_a_wrong_date_is_corrected_and_a_second_visit_is_one_more(scores, filled, tmp_path) -> None:
    data = make(tmp_path / "data", tables(scores), "parquet")
    scoring.import_visits(filled, data, TODAY)
    edited(filled, 3, 核查日期=dt.date(2021, 7, 9))  # somebody was met: the date was wrong
    edited(filled, 4, 核查结果="属实", 核查日期=dt.date(2021, 7, 15))  # nobody was: they came again
    result = scoring.import_visits(filled, data, TODAY + dt.timedelta(days=1))
    assert (len(result.corrected), len(result.added), result.already) == (1, 1, 1)
    county = all_visits(data)
    moved, second = result.corrected[0].household_id, result.added[0].household_id
    assert county.loc[county["household_id"] == moved, "row_id"].nunique() == 1
    assert county.loc[county["household_id"] == second, "row_id"].nunique() == 2
    assert visits_known(data, TODAY + dt.timedelta(days=1), second) == ["absent", "confirmed"]


def all_visits(folder: Path) -> pd.DataFrame:
    """Every row that is usable; the id that looks like a formula is refused by the county's own reader."""
    return data.read_county(folder, max_rejected=1).frame("visits")


def visits_known(folder: Path, day: dt.date, household: str) -> list[str]:
    rows = known_county(data.read_county(folder, max_rejected=1), day).rows("visits")
    frame = rows.filter(rows.household_id == household).to_pandas().sort_values("date")
    return frame["outcome"].tolist()


def test_several_causes_the_main_one_first_and_names_and_notes_stay_out_of_the_data(
    scores, filled, tmp_path
) -> None:
    data = make(tmp_path / "data", tables(scores, chinese=True), "utf-8-sig")
    edited(
        filled,
        3,
        核查结果="属实",
        风险原因="因学；因病；因学",
        核查人="王某某",
        备注="家里正在盖房，联系人李某",
    )
    result = scoring.import_visits(filled, data, TODAY)
    assert not result.problems
    (visit,) = [v for v in result.added if v.cause == "schooling"]
    assert visit.other_causes == "illness"
    text = result.path.read_text(encoding="utf-8-sig")
    assert "王某某" not in text
    assert "李某" not in text
    assert all_visits(data).set_index("household_id").loc[visit.household_id, "cause"] == "schooling"
    assert scoring.import_visits(filled, data, TODAY).already == len(result.added)
    # They stay where the list's log is, for the owner alone.
    (home,) = (tmp_path / "lists").glob("*-returned")
    kept = sorted(home.glob("*.xlsx"))
    assert [p.read_bytes() for p in kept] == [filled.read_bytes()]
    notes = pd.read_csv(home / "notes.csv", dtype=str)
    assert notes["note"].tolist() == ["家里正在盖房，联系人李某"]
    assert "王某某" not in (home / "notes.csv").read_text(encoding="utf-8")
    assert all(p.stat().st_mode & 0o077 == 0 for p in home.iterdir())


def test_edited_source_chance_and_facts_are_told_and_the_log_holds(scores, filled, tmp_path) -> None:
    data = make(tmp_path / "data", tables(scores), "parquet")
    logged = {v.household_id: (v.selected_by, v.chance) for v in scoring.read_filled_list(filled).visits}
    edited(filled, 2, 来源="随机", 入选概率=0.25, 人均纯收入=1.0)
    edited(filled, 3, 入选概率="约一半", 来源="抽的")
    result = scoring.import_visits(filled, data, TODAY)
    assert {v.household_id: (v.selected_by, v.chance) for v in result.added} == logged
    told = {(n.cell, n.column) for n in result.notices}
    assert {(c, k) for c, k in told if c.endswith("2")} == {
        (c, k) for c, k in told if c.endswith("2") and k in ("selected_by", "chance", "pcni")
    }
    assert len([k for c, k in told if c.endswith("2")]) == 3
    assert {k for c, k in told if c.endswith("3")} == {"selected_by", "chance"}
    assert not result.problems


def test_a_list_whose_log_is_elsewhere_or_lost_is_refused_until_it_is_said(scores, filled, tmp_path) -> None:
    folder = make(tmp_path / "data", tables(scores), "parquet")
    moved = tmp_path / "months" / "2021-06-30"
    moved.mkdir(parents=True)
    shutil.move(tmp_path / "lists", moved / "lists")
    with pytest.raises(InputMissing, match=r"the log of list 2021-06-30-[0-9a-f]{16} is not here; say with"):
        scoring.import_visits(filled, folder, TODAY)
    assert len(scoring.import_visits(filled, folder, TODAY, lists=[tmp_path / "months"]).added) == 3
    # A file that names no list: its visits are taken, without the source and chance that it claims.
    book = openpyxl.load_workbook(filled)
    for name in list(book.custom_doc_props.names):
        del book.custom_doc_props[name]
    put(book, 2, 核查日期=dt.date(2021, 7, 9))
    book.save(filled)
    result = scoring.import_visits(filled, folder, TODAY)
    assert {v.selected_by for v in result.added} == {None}
    assert [n.cell for n in result.notices] == ["list.xlsx"]


def test_hidden_and_merged_cells_are_told_and_the_rest_is_taken(scores, filled, tmp_path) -> None:
    folder = make(tmp_path / "data", tables(scores), "parquet")
    book = openpyxl.load_workbook(filled)
    page = book["核查名单"]
    at = [c.value for c in page[1]].index("核查结果") + 1
    page.row_dimensions[2].hidden = True
    page.merge_cells(start_row=3, end_row=4, start_column=at, end_column=at)
    other = next(s for s in book.sheetnames if s.endswith("河镇"))
    put(book, 2, other, 核查结果="属实", 核查日期=dt.date(2021, 7, 8))
    book[other].sheet_state = "hidden"
    book.save(filled)
    result = scoring.import_visits(filled, folder, TODAY)
    assert len(result.added) == 1
    letter = openpyxl.utils.get_column_letter(at)
    assert {p.cell for p in result.problems} == {f"核查名单!{letter}3:{letter}4", f"{other}!{letter}2"}
    assert any(n.cell == f"核查名单!{letter}2" and "hidden" in n.reason for n in result.notices)


@pytest.mark.parametrize(
    ("values", "cell", "reason"),
    [
        ({"核查结果": "属实吧"}, "outcome", "'属实吧' is not on the list; choose 属实 (confirmed)"),
        ({"核查结果": None, "处理意见": "拟纳入"}, "outcome", "no finding although the row is filled"),
        ({"核查日期": "去年"}, "visited_on", "'去年' is no date"),
        ({"核查日期": None}, "visited_on", "no date of the visit"),
        ({"核查日期": dt.date(2020, 7, 2)}, "visited_on", "is before the list was made (2021-06-30)"),
        ({"核查日期": dt.date(2022, 7, 2)}, "visited_on", "after the day it was recorded"),
        ({"风险原因": "因懒"}, "cause", "'因懒' is not on the list"),
        ({"户编号": "H99999"}, "household_id", "is not in the county's table of households"),
        ({"核查结果": "不属实", "处理意见": "拟纳入"}, "decision", "cannot both be"),
    ],
)
def test_each_fault_is_named_by_its_cell_and_the_rest_is_used(
    scores, filled, tmp_path, values, cell, reason
) -> None:
    data = make(tmp_path / "data", tables(scores), "parquet")
    result = scoring.import_visits(edited(filled, 2, **values), data, TODAY)
    assert len(result.added) == 2
    (problem,) = result.problems
    assert problem.column == cell
    assert problem.cell.startswith("核查名单!")
    assert problem.cell.endswith("2")
    chinese, _, english = problem.reason.partition(" / ")
    assert reason in english
    # The office that filled it in reads Chinese.
    assert re.search("[\u4e00-\u9fff]", chinese)


def test_zeros_that_a_spreadsheet_dropped_are_guessed_at_in_words_only(make_scores, tmp_path) -> None:
    scores = make_scores(12, seed=1)
    scores["household_id"] = [f"{i:06d}" for i in range(1, 13)]
    data = make(tmp_path / "data", tables(scores), "utf-8-sig")
    path = tmp_path / "list.csv"
    path.write_text("户编号,核查结果,核查日期\n000002,属实,2021-07-01\n3,属实,2021-07-01\n", encoding="utf-8")
    result = scoring.import_visits(path, data, TODAY)
    assert [v.household_id for v in result.added] == ["000002"]
    assert "did a spreadsheet drop the zeros of 000003?" in result.problems[0].reason


def test_filled_on_the_list_or_on_the_township_sheet_is_one_visit(scores, filled, tmp_path) -> None:
    book = openpyxl.load_workbook(filled)
    columns = [c.value for c in book["核查名单"][1]]
    household, township = (book["核查名单"].cell(3, columns.index(c) + 1).value for c in ("户编号", "乡镇"))
    row = next(
        r[0].row for r in book[township].iter_rows(min_row=2) if r[columns.index("户编号")].value == household
    )
    same = edited(filled, row, township, 核查结果="不属实", 核查日期=dt.date(2021, 7, 3))
    read = scoring.read_filled_list(same)
    assert len(read.visits) == 3
    assert not read.problems
    other = scoring.read_filled_list(edited(same, row, township, 核查结果="属实"))
    assert len(other.visits) == 2
    assert "filled in twice and differently" in other.problems[0].reason


def test_nothing_but_faults_is_refused_and_no_list_is_refused(scores, filled, tmp_path) -> None:
    data = make(tmp_path / "data", tables(scores), "parquet")
    path = tmp_path / "bad.csv"
    path.write_text("户编号,核查结果,核查日期\nX,属实,2021-07-01\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="none of 1 entry can be used"):
        scoring.import_visits(path, data, TODAY)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="no sheet with the headers"):
        scoring.import_visits(path, data, TODAY)
    assert not (data / "visits.parquet").exists()


def test_an_untouched_list_adds_nothing(scores, tmp_path) -> None:
    data = make(tmp_path / "data", tables(scores), "parquet")
    worklist = scoring.build_worklist(scores, visits=12)
    presentation.record_list(worklist, tmp_path, "zh")
    result = scoring.import_visits(presentation.write_worklist(worklist, tmp_path / "list.xlsx"), data, TODAY)
    assert (result.added, result.problems, result.empty) == (
        (),
        (),
        len(worklist.listed) + len(worklist.unknown),
    )
    assert not result.path.exists()


def test_lists_in_english_are_read_too_and_carry_chance_and_source(scores, tmp_path) -> None:
    worklist = scoring.build_worklist(scores, visits=12, random_share=0.5)
    path = presentation.write_worklist(worklist, tmp_path / "list.xlsx", "en")
    book = openpyxl.load_workbook(path)
    drawn = int(np.flatnonzero(worklist.planned["selected_by"].eq("random"))[-1])
    put(
        book,
        drawn + 2,
        "Worklist",
        **{"Finding": "confirmed", "Cause found": "illness", "Visited on": "2021-07-03"},
    )
    book.save(path)
    (visit,) = scoring.read_filled_list(path).visits
    row = worklist.planned.iloc[drawn]
    assert (visit.household_id, visit.selected_by) == (row["household_id"], "random")
    # The weight of the visit is 1 / chance: it must come back whole, not as printed.
    assert visit.chance == pytest.approx(row["chance"], abs=1e-12)


def test_two_imports_at_once_do_not_lose_one_another(scores, filled, tmp_path, monkeypatch) -> None:
    data = make(tmp_path / "data", tables(scores), "parquet")
    other = edited(Path(shutil.copy(filled, tmp_path / "other.xlsx")), 2, 核查日期=dt.date(2021, 7, 9))
    assert not scoring.import_visits(other, data, TODAY, dry=True).problems
    slow = read_recorded_visits(data, TODAY)
    # Another clerk's import ends between the reading and the writing of ours.
    scoring.import_visits(other, data, TODAY)
    monkeypatch.setattr(
        sys.modules[scoring.import_visits.__module__], "read_recorded_visits", lambda *_: slow
    )
    before = (data / "visits.parquet").read_bytes()
    with pytest.raises(InputRefused, match="changed by someone else"):
        scoring.import_visits(filled, data, TODAY)
    assert (data / "visits.parquet").read_bytes() == before


def test_a_visit_written_under_the_old_number_is_the_same_visit(filled, scores, tmp_path) -> None:
    import_filled = lambda day: scoring.import_visits(filled, folder, day, dry=True)  # noqa: E731
    book = openpyxl.load_workbook(filled)
    page = book["核查名单"]
    number = str(page.cell(3, [c.value for c in page[1]].index("户编号") + 1).value)
    frames = tables(scores)
    old = {"household_id": "former", "township": "东河镇", "village": "上坝村", "registration": "general"}
    frames["households"] = pd.concat(
        [frames["households"], pd.DataFrame([old | {"valid_from": "2015-01-01"}])], ignore_index=True
    )
    # The township wrote the visit down under the number that the household had before.
    frames["visits"] = pd.DataFrame(
        [{"household_id": "former", "date": "2021-07-03", "outcome": "not_confirmed"}]
    )
    frames["household_links"] = pd.DataFrame(
        [{"old_id": "former", "new_id": number, "kind": "recode", "date": "2021-07-01",
          "recorded_on": "2021-07-15"}]
    )  # fmt: skip
    folder = make(tmp_path / "county", frames, "utf-8")
    assert import_filled(dt.date(2021, 7, 10)).already == 0  # nobody knew yet
    told = import_filled(TODAY)
    assert told.already == 1
    assert number not in {v.household_id for v in told.added}


def test_visits_are_not_added_to_a_workbook_of_an_old_format(scores, tmp_path, filled):
    frames = tables(scores)
    folder = make(tmp_path / "data", frames, "utf-8")
    table = "<table><tr><td>household_id<td>date<td>outcome</table>"
    (folder / "visits.xls").write_text(table, encoding="utf-8")
    with pytest.raises(
        InputRefused, match=r"visits\.xls: visits cannot be added to such a file; save it as \.xlsx or \.csv"
    ):
        scoring.import_visits(filled, folder, TODAY)
    assert (folder / "visits.xls").read_text(encoding="utf-8") == table
