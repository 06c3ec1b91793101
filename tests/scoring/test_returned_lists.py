"""Townships' books go out blind and come back: joined to their log, told by cell, counted by township."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from riskmodel import data as county
from riskmodel import presentation, scoring
from riskmodel.errors import InputMissing
from riskmodel.scoring.list_log import list_log

TODAY = dt.date(2021, 7, 20)
SOFFICE = shutil.which("soffice")
ANSWERS = [("属实", "因病；因学"), ("不属实", None), ("未见", None), (None, None)]


@pytest.fixture(scope="module")
def scores(make_scores) -> pd.DataFrame:
    return make_scores(48, seed=6)


@pytest.fixture(scope="module")
def worklist(scores) -> scoring.Worklist:
    return scoring.build_worklist(scores, visits=30, random_share=0.3)


@pytest.fixture
def office(worklist, scores, tmp_path) -> Path:
    """A county, its month with log and workbooks, and a folder into which the workbooks come back."""
    ids = list(scores["household_id"])
    own = {"household_id": ids, "township": "东河镇", "village": "上坝村", "registration": "general"}
    frames = {
        "households": pd.DataFrame(own | {"valid_from": "2019-01-01"}),
        "members": pd.DataFrame(
            {"member_id": [f"m{i}" for i in ids], "household_id": ids, "birth_month": "1980-01",
             "valid_from": "2019-01-01"}
        ),
        "income": pd.DataFrame({"household_id": ids, "month": "2021-06", "source": "wage", "amount": 900.0}),
    }  # fmt: skip
    (tmp_path / "county").mkdir()
    for name, frame in frames.items():
        frame.to_parquet(tmp_path / "county" / f"{name}.parquet", index=False)
    month = tmp_path / "months" / "2021-06-30"
    presentation.record_list(worklist, month, "zh", split=True)
    presentation.write_township_books(worklist, month / "townships")
    (tmp_path / "back").mkdir()
    return tmp_path


def fill(source: Path, target: Path, answers: list[tuple[str | None, str | None]] = ANSWERS) -> Path:
    """Fill in a township's workbook as a village team does: every fourth household is left."""
    book = openpyxl.load_workbook(source)
    page = book.worksheets[0]
    at = {c.value: c.column for c in page[1]}
    for row in range(2, page.max_row + 1):
        outcome, cause = answers[row % len(answers)]
        if outcome is not None:
            page.cell(row, at["核查结果"]).value = outcome
            page.cell(row, at["风险原因"]).value = cause
            page.cell(row, at["核查日期"]).value = dt.date(2021, 7, 1 + row % 9)
            page.cell(row, at["核查人"]).value = "王某某"
    book.save(target)
    return target


def put(path: Path, row: int, **values: object) -> Path:
    book = openpyxl.load_workbook(path)
    page = book.worksheets[0]
    at = {c.value: c.column for c in page[1]}
    for name, value in values.items():
        page.cell(row, at[name]).value = value
    book.save(path)
    return path


def cell(path: Path, row: int, name: str) -> str:
    page = openpyxl.load_workbook(path).worksheets[0]
    return str(page.cell(row, [c.value for c in page[1]].index(name) + 1).value)


def books(office: Path) -> list[Path]:
    return sorted((office / "months" / "2021-06-30" / "townships").glob("*.xlsx"))


def take(office: Path, *paths: Path, day: dt.date = TODAY, **options: object) -> scoring.VisitImport:
    return scoring.import_visits(
        list(paths) or office / "back", office / "county", day, lists=[office / "months"], **options
    )  # fmt: skip


def test_filled_blind_they_come_back_with_source_and_chance(office, worklist) -> None:
    given = books(office)
    for path in given[:-1]:
        fill(path, office / "back" / path.name)
    result = take(office)
    assert not result.problems
    assert not result.notices
    log = worklist.planned.set_index("household_id")
    assert result.added
    for visit in result.added:
        assert (visit.selected_by, visit.chance) == (
            log.loc[visit.household_id, "selected_by"],
            pytest.approx(log.loc[visit.household_id, "chance"], abs=1e-15),
        )
    visits = county.read_county(office / "county").frame("visits")
    assert len(visits) == len(result.added)
    assert set(visits["selected_by"]) == {"rule", "model", "random"}
    assert set(visits.loc[visits["cause"] == "illness", "other_causes"]) == {"schooling"}
    # The same folder again: nothing is new, and nothing moves.
    before = result.path.read_bytes()
    again = take(office, day=TODAY + dt.timedelta(days=2))
    assert (again.added, again.corrected, again.already) == ((), (), len(result.added))
    assert result.path.read_bytes() == before


def test_who_has_not_returned_and_how_far_each_township_is(office, worklist) -> None:
    given = books(office)
    for path in given[:-1]:
        fill(path, office / "back" / path.name)
    result = take(office)
    progress = result.progress.set_index("township")
    assert result.not_returned == [given[-1].stem]
    planned = worklist.planned["township"].value_counts()
    assert progress["given"].to_dict() == planned.to_dict()
    last = progress.loc[given[-1].stem]
    assert (last["visited"], last["open"], last["overdue"]) == (0, last["given"], 0)
    sums = progress[["visited", "absent", "open"]].sum(axis=1)
    assert (sums == progress["given"]).all()
    assert (progress["confirmed"] + progress["not_confirmed"] == progress["visited"]).all()
    outcomes = pd.Series([v.outcome for v in result.added]).value_counts()
    assert progress["confirmed"].sum() == outcomes["confirmed"]
    assert progress["absent"].sum() == outcomes["absent"]
    # Asked later by itself: the same figures, and what was due is late now.
    due = worklist.planned["due_date"].max().date() + dt.timedelta(days=1)
    later = scoring.visit_progress(office / "county", [office / "months"], due).set_index("township")
    assert later["visited"].to_dict() == progress["visited"].to_dict()
    assert (later["overdue"] == later["open"] + later["absent"]).all()
    assert later["returned"].to_dict() == progress["returned"].to_dict()
    with pytest.raises(InputMissing, match="no list in"):
        scoring.visit_progress(office / "county", [office / "nowhere"], due)


def test_two_books_that_say_the_opposite_are_told_by_cell_and_neither_is_taken(office) -> None:
    path = books(office)[0]
    one = fill(path, office / "back" / "a.xlsx", [("属实", None)])
    fill(path, office / "back" / "b.xlsx", [("属实", None)])
    household = cell(one, 3, "户编号")
    put(office / "back" / "b.xlsx", 3, 核查结果="不属实", 核查日期=dt.date(2021, 7, 12))
    result = take(office)
    assert household not in {v.household_id for v in result.added}
    (problem,) = result.problems
    assert problem.cell.startswith("[a.xlsx]")
    assert "[b.xlsx]" in problem.reason
    assert len(result.added) == openpyxl.load_workbook(path).worksheets[0].max_row - 2


def test_households_of_elsewhere_and_edited_facts_are_told_and_the_rest_is_taken(office, worklist) -> None:
    first, second = books(office)[:2]
    path = fill(first, office / "back" / first.name, [("属实", None)])
    strange = cell(second, 2, "户编号")
    off_list = worklist.unknown["household_id"].iloc[0]
    others = set(worklist.selection["household_id"]) - set(list_log(worklist).by_household)
    put(path, 2, 户编号=strange)
    put(path, 3, 户编号=next(iter(sorted(others))))
    put(path, 4, 走访期限=dt.date(2030, 1, 1), 序号=99)
    put(path, 5, 户编号="nobody")
    result = take(office)
    told = {(p.cell, p.household_id) for p in result.problems}
    column = openpyxl.utils.get_column_letter
    head = [c.value for c in openpyxl.load_workbook(path).worksheets[0][1]]
    at = {name: column(head.index(name) + 1) for name in ("核查结果", "走访期限", "序号", "户编号")}
    sheet = first.stem
    assert told == {(f"{sheet}!{at['核查结果']}2", strange), (f"{sheet}!{at['核查结果']}5", "nobody")}
    notices = {n.cell for n in result.notices}
    assert {f"{sheet}!{at['走访期限']}4", f"{sheet}!{at['序号']}4", f"{sheet}!{at['核查结果']}3"} <= notices
    own = next(v for v in result.added if v.household_id in others)
    assert (own.selected_by, own.chance) == (None, None)
    assert off_list not in {v.household_id for v in result.added}
    assert len(result.added) == openpyxl.load_workbook(path).worksheets[0].max_row - 3


def test_a_book_of_another_county_or_a_spoilt_one_keeps_no_other_out(office, make_scores) -> None:
    path = books(office)[0]
    fill(path, office / "back" / path.name)
    other = scoring.build_worklist(make_scores(40, seed=9), visits=20)
    foreign = presentation.write_township_books(other, office / "foreign")[0]
    fill(foreign, office / "back" / "foreign.xlsx")
    (office / "back" / "spoilt.xlsx").write_bytes(b"no workbook")
    (office / "back" / "~$open.xlsx").write_bytes(b"a lock")
    result = take(office)
    assert {p.cell for p in result.problems} == {"foreign.xlsx", "spoilt.xlsx"}
    assert result.added
    assert "--lists" in next(p.reason for p in result.problems if p.cell == "foreign.xlsx")


def test_a_book_of_an_earlier_list_is_joined_to_that_list(office, worklist, scores) -> None:
    """A month made anew with other places leaves the workbooks that are out what they were."""
    path = books(office)[0]
    fill(path, office / "back" / path.name)
    month = office / "months" / "2021-06-30"
    anew = scoring.build_worklist(scores, visits=10)
    presentation.record_list(anew, month, "zh", split=True)
    presentation.write_township_books(anew, month / "townships")
    result = take(office)
    assert not result.problems
    log = worklist.planned.set_index("household_id")
    assert all(v.selected_by == log.loc[v.household_id, "selected_by"] for v in result.added)
    assert set(result.progress["list"]) == {list_log(worklist).id}


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="needs LibreOffice (soffice)")
def test_saved_by_another_program_they_are_the_same_books(office) -> None:
    path = books(office)[0]
    fill(path, office / "filled.xlsx")
    home = f"-env:UserInstallation=file://{office}/home"
    command = [str(SOFFICE), home, "--headless", "--convert-to", "xlsx", "--outdir", str(office / "back"),
               str(office / "filled.xlsx")]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    plain = take(office, office / "filled.xlsx", dry=True)
    saved = take(office, dry=True)
    assert not saved.problems
    assert not saved.notices
    assert [v.content for v in saved.added] == [v.content for v in plain.added]
    assert [(v.selected_by, v.chance) for v in saved.added] == [
        (v.selected_by, v.chance) for v in plain.added
    ]
