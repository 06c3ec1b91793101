"""Lists as they come back from an office: edited by other programs, rows and columns moved, ids keyed."""

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
from riskmodel.data.personal import pseudonym
from riskmodel.errors import InputRefused
from riskmodel.scoring.office_files import pseudonymise_names, read_names

TODAY = dt.date(2021, 7, 20)
SOFFICE = shutil.which("soffice")
# One visit a row, as different hands write it: text dates, a serial number, a time, spaces of every width.
WRITTEN = [
    {"核查结果": " 属实 ", "核查日期": "2021年7月3日", "风险原因": "因病\u3000"},
    {"核查结果": "不属实\u00a0", "核查日期": "2021/7/4", "核查人": "李某"},
    {"核查结果": "未见", "核查日期": 44382},
    {"核查结果": "属实", "核查日期": dt.datetime(2021, 7, 6, 10, 30), "处理意见": "拟纳入"},
    {"核查结果": "属实", "核查日期": "20210707"},
    {"核查结果": "不属实", "核查日期": "2021.7.8", "处理意见": "无风险", "备注": "=1+1"},
]
SAID = [
    (dt.date(2021, 7, 3), "confirmed", "illness", None),
    (dt.date(2021, 7, 4), "not_confirmed", None, None),
    (dt.date(2021, 7, 5), "absent", None, None),
    (dt.date(2021, 7, 6), "confirmed", None, "enter"),
    (dt.date(2021, 7, 7), "confirmed", None, None),
    (dt.date(2021, 7, 8), "not_confirmed", None, "no_risk"),
]


@pytest.fixture(scope="module")
def worklist(make_scores) -> scoring.Worklist:
    return scoring.build_worklist(make_scores(24, seed=4), visits=12, by="township")


@pytest.fixture
def filled(worklist, tmp_path) -> Path:
    path = presentation.write_worklist(worklist, tmp_path / "list.xlsx")
    book = openpyxl.load_workbook(path)
    page = book["核查名单"]
    columns = [c.value for c in page[1]]
    for row, values in enumerate(WRITTEN, start=2):
        for name, value in values.items():
            page.cell(row, columns.index(name) + 1).value = value
    book.save(path)
    return path


def check(path: Path, worklist: scoring.Worklist) -> None:
    """What was read is what was written, whoever saved the file."""
    read = scoring.read_filled_list(path)
    assert not read.problems
    assert [(v.date, v.outcome, v.cause, v.decision) for v in read.visits] == SAID
    first = worklist.listed.head(len(SAID))
    assert [v.household_id for v in read.visits] == list(first["household_id"])
    assert [v.selected_by for v in read.visits] == list(first["selected_by"])
    assert [v.chance for v in read.visits] == pytest.approx(list(first["chance"]), abs=1e-6)


def test_dates_as_text_numbers_and_times_and_words_between_spaces(filled, worklist) -> None:
    check(filled, worklist)


def test_columns_moved_titles_above_rows_deleted_copied_and_added(filled, worklist, tmp_path) -> None:
    page = openpyxl.load_workbook(filled)["核查名单"]
    rows = [list(r) for r in page.iter_rows(values_only=True)]
    head, body = rows[0], rows[1:]
    order = list(reversed(range(len(head))))
    body = [*body[:6], body[1], *body[9:]]  # one row copied, two deleted
    new = dict.fromkeys(head)
    new |= {"户编号": "H09999", "核查结果": "属实", "核查日期": "2021-07-09"}  # a household of their own
    body.append([new[name] for name in head])
    book = openpyxl.Workbook()
    book.active.append(["某县防止返贫核查名单"])
    book.active.append([])
    for row in (head, *body):
        # Headers come back with a space or a line break where somebody widened the column.
        book.active.append([f" {row[i]}\n" if row is head else row[i] for i in order])
    path = tmp_path / "moved.xlsx"
    book.save(path)
    read = scoring.read_filled_list(path)
    assert not read.problems
    assert [(v.date, v.outcome, v.cause, v.decision) for v in read.visits[:6]] == SAID
    (own,) = read.visits[6:]
    # Nobody put it on a list: no source and no chance are guessed.
    assert (own.household_id, own.selected_by, own.chance) == ("H09999", None, None)


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="needs LibreOffice (soffice)")
@pytest.mark.parametrize("form", ["xlsx", "csv:Text - txt - csv (StarCalc):44,34,76,1", "ods"])
def test_saved_by_libreoffice_it_is_the_same_list(filled, worklist, tmp_path, form) -> None:
    out = tmp_path / "out"
    home = f"-env:UserInstallation=file://{tmp_path}/home"
    command = [str(SOFFICE), home, "--headless", "--convert-to", form, "--outdir", str(out), str(filled)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    path = next(out.iterdir())
    if path.suffix == ".ods":
        with pytest.raises(InputRefused, match=r"or one of its sheets, as \.csv or \.xlsx"):
            scoring.read_filled_list(path)
        return
    check(path, worklist)
    # The list's day survives the other program, so that a wrong year is still found out.
    assert scoring.read_filled_list(path).as_of == (None if path.suffix == ".csv" else dt.date(2021, 6, 30))


def data_of(ids: list[str], folder: Path) -> Path:
    folder.mkdir()
    own = {"household_id": ids, "township": "东河镇", "village": "上坝村", "registration": "general"}
    frames = {
        "households": pd.DataFrame(own | {"valid_from": "2019-01-01"}),
        "members": pd.DataFrame(
            {"member_id": [f"m{i}" for i in ids], "household_id": ids, "birth_month": "1980-01",
             "valid_from": "2019-01-01"}
        ),
        "income": pd.DataFrame({"household_id": ids, "month": "2021-06", "source": "wage", "amount": 900.0}),
    }  # fmt: skip
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def test_a_list_with_keyed_ids_is_taken_in_under_the_offices_own(make_scores, tmp_path, monkeypatch) -> None:
    key = b"a secret of the office"
    monkeypatch.setenv("RISKMODEL_PSEUDONYM_KEY", key.decode())
    scores = make_scores(24, seed=4)
    data = data_of(list(scores["household_id"]), tmp_path / "data")
    # As `riskmodel score --pseudonymise` writes them, and the county reads the same ids.
    coded = scores.assign(household_id=[pseudonym(h, key) for h in scores["household_id"]])
    worklist = scoring.build_worklist(coded, visits=12)
    known = set(county.read_county(data, pseudonymise=True).frame("households")["household_id"])
    assert set(worklist.listed["household_id"]) <= known
    # The office's file of names says who is meant; its own number goes along, at output only.
    names = tmp_path / "names.csv"
    own = dict(zip(coded["household_id"], scores["household_id"], strict=True))
    lines = "".join(f"{h},某{h[-2:]}\n" for h in scores["household_id"])
    names.write_text("户编号,户主姓名\n" + lines, encoding="utf-8")
    people = pseudonymise_names(read_names(names), key)
    path = presentation.write_worklist(worklist, tmp_path / "list.xlsx", names=people)
    presentation.record_list(worklist, tmp_path, "zh")
    book = openpyxl.load_workbook(path)
    page = book["核查名单"]
    columns = [c.value for c in page[1]]
    at = {name: columns.index(name) + 1 for name in ("户编号", "本单位户号", "核查结果", "核查日期")}
    plain = [page.cell(r, at["本单位户号"]).value for r in (2, 3)]
    assert plain == [own[page.cell(r, at["户编号"]).value] for r in (2, 3)]
    for row in (2, 3):
        page.cell(row, at["核查结果"]).value = "属实"
        page.cell(row, at["核查日期"]).value = dt.date(2021, 7, 5)
    book.save(path)
    with pytest.raises(InputRefused, match=r"2 household ids are keyed .*: give --pseudonymise, and in RISK"):
        scoring.import_visits(path, data, TODAY)
    with pytest.raises(InputRefused, match="is not the one that the list was made with"):
        scoring.import_visits(path, data, TODAY, key=b"another")
    assert not (data / "visits.parquet").exists()
    result = scoring.import_visits(path, data, TODAY, key=key)
    # In the office's books the visit stands under the office's own number.
    assert sorted(pd.read_parquet(result.path)["household_id"]) == sorted(plain)
    assert scoring.import_visits(path, data, TODAY, key=key).already == 2
