"""A township's workbook tells nothing of why a household is on the list: not in words, order or looks."""

from __future__ import annotations

import datetime as dt
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from riskmodel import presentation, scoring
from riskmodel.errors import InputMissing, InputRefused
from riskmodel.presentation.township_books import COLLECTOR_COLUMNS
from riskmodel.scoring.list_log import LISTS, find_list_log, list_log, write_list_log
from riskmodel.scoring.office_files import read_names

SOURCES = ("selected_by", "chance", "probability", "urgency", "planned", "rule_category", "rule_conditions",
           "line", "reasons", "tier", "interval", "card", "trip")  # fmt: skip


@pytest.fixture(scope="module")
def worklist(make_scores) -> scoring.Worklist:
    scores = make_scores(60, seed=3).assign(flagged=lambda s: s.index % 3 == 0)
    scores.loc[scores["flagged"], "rule_category"] = "marginal"
    scores["in_cohort"] = (
        scores.index % 2 == 0
    )  # a forecast that is none is printed in grey on the county's list
    made = scoring.build_worklist(scores, visits=40, random_share=0.3)
    assert set(made.planned["selected_by"]) == set(scoring.worklist.SOURCES) - {"application"}
    return made


@pytest.fixture(scope="module")
def books(worklist, tmp_path_factory) -> list[Path]:
    return presentation.write_township_books(worklist, tmp_path_factory.mktemp("books"))


def swapped(worklist: scoring.Worklist) -> scoring.Worklist:
    """The same households listed from other sources, in another order, with other scores and verdicts."""
    rng = np.random.default_rng(1)
    listed = worklist.listed.copy()
    planned = listed["planned"].to_numpy()
    order = rng.permutation(planned.sum())
    for column in (*SOURCES[:4], "rule_category", "flagged", "tier", "probability_low", "probability_high",
                   "reason_1", "cause_1", "in_cohort"):  # fmt: skip
        listed.loc[planned, column] = listed.loc[planned, column].to_numpy()[order]
    listed = pd.concat([listed[planned].sample(frac=1, random_state=2), listed[~planned]], ignore_index=True)
    listed["position"] = np.arange(1, len(listed) + 1)
    return replace(worklist, listed=listed)


def content(path: Path, list_id: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as packed:
        return {n: packed.read(n).replace(list_id.encode(), b"LIST") for n in packed.namelist()}


def test_source_score_and_order_move_no_byte_but_the_lists_number(worklist, books, tmp_path) -> None:
    """Whatever put a household there: sheet, styles, heights, strings and properties are the same bytes."""
    other = swapped(worklist)
    ids = list_log(worklist).id, list_log(other).id
    assert ids[0] != ids[1]
    again = presentation.write_township_books(other, tmp_path)
    assert [p.name for p in again] == [p.name for p in books]
    for first, second in zip(books, again, strict=True):
        assert content(first, ids[0]) == content(second, ids[1])


def test_only_the_townships_own_households_that_are_planned_each_once(worklist, books) -> None:
    found: dict[str, str] = {}
    for path in books:
        book = openpyxl.load_workbook(path)
        rows = list(book.worksheets[0].iter_rows(values_only=True))
        at = rows[0].index("户编号")
        for row in rows[1:]:
            assert row[at] not in found
            found[row[at]] = path.stem
    planned = worklist.planned
    assert found == dict(zip(planned["household_id"], planned["township"], strict=True))


def test_no_hidden_part_and_no_word_of_a_source(worklist, books) -> None:
    headings = {c.id: c.zh for c in scoring.declared_columns()}
    for path in books:
        book = openpyxl.load_workbook(path)
        page = book.worksheets[0]
        shown = [c.value for c in page[1]]
        assert not {headings[c] for c in SOURCES} & set(shown)
        assert set(shown) <= {"有记录的事实", *(headings[c] for c in COLLECTOR_COLUMNS if c != "facts")}
        assert all(s.sheet_state == "visible" for s in book.worksheets)
        assert not any(d.hidden for d in page.column_dimensions.values())
        assert not any(d.hidden for d in page.row_dimensions.values())
        # Headings of one look for all cells of a column: nothing is tinted or greyed by household.
        for column in page.iter_cols(min_row=2):
            assert (
                len({(c.fill.fgColor.rgb, c.font.color and c.font.color.rgb, c.font.b) for c in column}) == 1
            )
        text = b"".join(content(path, "").values()).decode(errors="ignore")
        assert not [w for w in ("规则", "模型", "随机", "抽签", "概率", "监测线") if w in text]


def test_a_visitor_knows_by_when_a_village_not_which_household_is_due(worklist, books) -> None:
    rows = []
    for path in books:
        page = openpyxl.load_workbook(path).worksheets[0]
        head = [c.value for c in page[1]]
        rows += [
            (path.stem, r[head.index("行政村")], r[head.index("走访期限")])
            for r in page.iter_rows(2, values_only=True)
        ]
    shown = pd.DataFrame(rows, columns=["township", "village", "due_date"]).groupby(["township", "village"])[
        "due_date"
    ]
    assert (shown.nunique() == 1).all()
    first = worklist.planned.groupby(["township", "village"])["due_date"].min()
    assert list(shown.min()) == list(first)


def test_the_log_is_found_by_the_lists_number_and_sealed_by_it(worklist, books, tmp_path) -> None:
    log = presentation.record_list(worklist, tmp_path / "2021-06-30", "zh", split=True)
    for path in books:
        properties = {p.name: p.value for p in openpyxl.load_workbook(path).custom_doc_props}
        assert properties["riskmodel_list"] == log.id
        assert properties["riskmodel_township"] == path.stem
    found = find_list_log(log.id, [tmp_path])
    row = worklist.planned.iloc[-1]
    logged = found.by_household[row["household_id"]]
    assert (logged["selected_by"], float(logged["chance"])) == (row["selected_by"], row["chance"])
    assert found.as_of == dt.date(2021, 6, 30)
    assert set(found.cells("township", "zh")) == set(worklist.planned["household_id"])
    assert "chance" in found.cells("county", "zh")[row["household_id"]]
    path = tmp_path / "2021-06-30" / LISTS / f"{log.id}.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("random", "rule", 1), encoding="utf-8")
    with pytest.raises(InputRefused, match="not what was written"):
        find_list_log(log.id, [tmp_path])
    with pytest.raises(InputMissing, match="--lists"):
        find_list_log("2021-06-30-" + "0" * 16, [tmp_path])


def test_a_list_made_anew_leaves_the_log_of_the_one_that_is_out(worklist, make_scores, tmp_path) -> None:
    first = write_list_log(worklist, tmp_path)
    second = write_list_log(scoring.build_worklist(make_scores(60, seed=3), visits=20), tmp_path)
    assert first.id != second.id
    assert find_list_log(first.id, [tmp_path]).rows.equals(first.rows)


def test_odd_names_of_townships_stay_in_the_folder_and_apart(make_scores, tmp_path) -> None:
    scores = make_scores(24, seed=2)
    odd = ["../../etc", "CON", "a/b", "A:B", "河 镇"]
    scores["township"] = [odd[i % 5] for i in range(24)]
    paths = presentation.write_township_books(scoring.build_worklist(scores, visits=24), tmp_path / "books")
    assert {p.parent for p in paths} == {tmp_path / "books"}
    assert len({p.name.lower() for p in paths}) == 5
    assert not [p for p in tmp_path.iterdir() if p.name != "books"]


def test_names_stand_in_a_book_only_if_given_and_a_filled_one_is_kept(worklist, tmp_path) -> None:
    household = worklist.planned["household_id"].iloc[0]
    names = tmp_path / "names.csv"
    names.write_text(f"户编号,户主姓名\n{household},王某某\n", encoding="utf-8")
    paths = presentation.write_township_books(worklist, tmp_path / "a", names=read_names(names))
    texts = {c.value for p in paths for s in openpyxl.load_workbook(p) for r in s.iter_rows() for c in r}
    assert "王某某" in texts
    log = presentation.record_list(worklist, tmp_path / "a", "zh", split=True)
    assert not [p for p in (log.folder or tmp_path).iterdir() if "王某某" in p.read_text(encoding="utf-8")]
    book = openpyxl.load_workbook(paths[0])
    book.worksheets[0].cell(2, 3).value = "remark"
    book.save(paths[0])
    bytes_before = paths[0].read_bytes()
    again = presentation.write_township_books(worklist, tmp_path / "a")
    assert again == paths
    assert paths[0].with_name(f"{paths[0].stem}-filled-1.xlsx").read_bytes() == bytes_before
