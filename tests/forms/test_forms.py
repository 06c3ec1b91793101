"""Every form is declared in Chinese, prints no score, is filled from the data and cut to what it declares."""

from __future__ import annotations

import re

import openpyxl
import pytest

from riskmodel.data import contract
from riskmodel.errors import InputRefused, UsageError
from riskmodel.forms import FormRecords, available_forms, write_form_templates, write_forms
from riskmodel.forms.declaration import SCORE_WORDS, Form
from riskmodel.forms.tables import list_members, rows_of_problems
from riskmodel.forms.write import PAGES, ROWS
from riskmodel.i18n import speaking
from riskmodel.io import collect_backups

from .conftest import NAMES, all_text, records_of, sheet_rows, word_text
from .small_county import small_county, small_frames

HAN = re.compile(r"[\u4e00-\u9fff]")
FORMS = available_forms()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_is_whole_in_chinese_and_names_what_exists(form):
    assert HAN.search(form.zh)
    assert form.source
    for block in form.blocks:
        assert all(HAN.search(name) for name, _ in block.fields)
        assert all(HAN.search(column.zh) for column in block.table)
    for sheet in form.sheets:
        assert sheet.rows in ROWS
        assert HAN.search(sheet.title)
        assert all(HAN.search(c.zh) or c.zh.isdigit() for c in sheet.columns)
    assert form.kind != "word" or form.pages in PAGES


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_no_form_has_a_column_for_what_a_model_says(form):
    assert not [key for key in form.every_key if any(word in key for word in SCORE_WORDS)]
    columns = [c.zh for part in (*form.sheets,) for c in part.columns]
    columns += [c.zh for block in form.blocks for c in block.table]
    words = " ".join([form.zh, *columns, *(name for block in form.blocks for name, _ in block.fields)])
    assert not [w for w in ("概率", "得分", "评分", "分数", "排名", "模型", "可能性") if w in words]


def test_a_form_that_asks_for_a_score_is_refused_where_it_is_declared():
    sheet = {"name": "a", "title": "甲", "rows": "list", "columns": [{"key": "probability", "zh": "概率"}]}
    with pytest.raises(ValueError, match="never prints what a model says: probability"):
        Form.model_validate({"version": 1, "id": "x", "zh": "甲", "en": "a", "source": "s", "kind": "sheet",
                             "sheets": [sheet]})  # fmt: skip


# Their figures go through the register of several periods: seconds each.
OF_PERIODS = ("month-analysis", "quarter-report", "statistics", "national-export")


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("forms")
    return {one.id: one for one in write_forms(small, out, [f for f in FORMS if f not in OF_PERIODS])}


def test_every_form_is_made_or_says_why_not(written):
    assert set(written) == set(FORMS) - set(OF_PERIODS)
    check_forms(written)


@pytest.mark.slow
def test_forms_of_periods_are_made(small, tmp_path):
    check_forms({one.id: one for one in write_forms(small, tmp_path, OF_PERIODS)})


def check_forms(written):
    """Hold that each is made and says nothing of a model."""
    assert not {k: w.skipped for k, w in written.items() if not w.files and not w.skipped}
    assert not [w.skipped for w in written.values() if w.skipped]
    # How a list chose a household, and with what chance, is on none of them.
    text = "\n".join(all_text(path) for one in written.values() for path in one.files)
    assert not re.search(r"\bmodel\b|\brandom\b|{{|{%", text)


def test_lists_and_collection_sheets_hold_what_is_on_record(written):
    east = next(p for p in written["initial-lists"].files if "东乡" in p.name)
    heads = {n: sheet_rows(east, n) for n in openpyxl.load_workbook(east).sheetnames}
    of = {
        name: [str(v) for row in rows for v in row if re.fullmatch(r"h\d", str(v))]
        for name, rows in heads.items()
    }
    assert of["1 新识别"] == ["h2"]
    assert of["5 拟消除"] == ["h3"]
    assert of["4 清退"] == ["h7"]
    assert of["7 进一步帮扶"] == ["h1"]
    west = next(p for p in written["initial-lists"].files if "西乡" in p.name)
    assert [r[3] for r in sheet_rows(west, "6 户户增收") if str(r[3]).startswith("h")] == ["h5", "h8"]
    assert ("h8", "新生儿") in [(r[3], r[9]) for r in sheet_rows(west, "8 自然变更")]
    text = word_text(next(p for p in written["collection"].files if "东乡" in p.name))
    assert all(part in text for part in ("2021-02-10", "因病", "健康帮扶", "1975-03", "7,200"))


def test_names_stand_on_forms_that_are_given_them_and_are_no_formula(tmp_path):
    data = records_of(names=NAMES)
    plan, lists = write_forms(data, tmp_path, ["plan", "initial-lists"])
    assert "丙某" in "".join(word_text(p) for p in plan.files)
    cells = [c for p in lists.files for s in openpyxl.load_workbook(p) for row in s.iter_rows() for c in row]
    assert any(c.value == "'=乙某" for c in cells)
    assert all(c.data_type != "f" for c in cells)


def test_an_office_changes_a_template_and_cannot_ask_it_for_more(small, tmp_path):
    import docx

    own = tmp_path / "own"
    assert {p.stem for p in write_form_templates(own)} == {f.id for f in FORMS.values() if f.kind != "export"}
    document = docx.Document(str(own / "plan.docx"))
    document.paragraphs[1].insert_paragraph_before("本县补充：{{ p.causes }}")
    document.save(str(own / "plan.docx"))
    (one,) = write_forms(small, tmp_path / "out", ["plan"], own)
    assert "本县补充：因病、因学" in word_text(one.files[0])
    document.paragraphs[1].insert_paragraph_before("{{ p.probability }}")
    document.save(str(own / "bad" / "plan.docx") if (own / "bad").mkdir() is None else "")
    with pytest.raises(InputRefused, match=r"plan\.docx: .*probability.*it may use: .*p\.causes"):
        write_forms(small, tmp_path / "out", ["plan"], own / "bad")
    book = openpyxl.load_workbook(own / "problems.xlsx")
    page = book.worksheets[0]
    row = next(c.row for r in page.iter_rows() for c in r if "{{ r." in str(c.value))
    page.cell(row, 1).value = "{{ r.rank }}"
    book.save(own / "bad" / "problems.xlsx")
    with pytest.raises(InputRefused, match=rf"sheet 问题清单, cell A{row}: the form does not print 'rank'"):
        write_forms(small, tmp_path / "out", ["problems"], own / "bad")


def test_an_unknown_form_is_named(small, tmp_path):
    with pytest.raises(UsageError, match=r"no form 'plans'.*plan"):
        write_forms(small, tmp_path, ["plans"])


def test_what_a_county_has_no_table_for_is_said(tmp_path):
    from .small_county import small_frames

    frames = {k: v for k, v in small_frames().items() if k != "warnings"}
    from riskmodel.data.frames import from_frames
    from riskmodel.data.schema import About

    county = from_frames(frames, About(coverage="whole", records_from="2019-01"))
    records = records_of(county=county)
    (one,) = write_forms(records, tmp_path, ["department-feedback"])
    assert one.skipped == "the county has no table warnings"
    with speaking("zh"):
        (one,) = write_forms(records, tmp_path, ["department-feedback"])
    assert one.skipped == f"没有数据表：{contract().tables['warnings'].zh}"


@pytest.mark.parametrize("form", ["plan", "problems"])
def test_what_an_office_wrote_into_a_form_is_kept(small, tmp_path, form):
    (one,) = write_forms(small, tmp_path, [form])
    one.files[0].write_bytes(b"filled in")
    with collect_backups() as kept:
        write_forms(small, tmp_path, [form])
    assert [p.read_bytes() for p in kept] == [b"filled in"]
    assert one.files[0].read_bytes() != b"filled in"


def test_a_household_of_whom_nobody_is_left_is_a_natural_change_only_where_that_is_clear():
    def gone(reason: str | None) -> FormRecords:
        members = small_frames()["members"].copy()
        mine = members["household_id"].eq("h1")
        members["valid_to"] = members["household_id"].map({"h1": "2021-06-08"})
        members.loc[mine, "change_reason"] = ["死亡", reason]
        return records_of(county=small_county(members=members))

    def listed_and_problem(data: FormRecords) -> tuple[list[str], list[str]]:
        rows = [r["household_id"] for r in list_members(data)[8]]
        said = [r["problem"] for r in rows_of_problems(data, {}) if "成员" in r["problem"]]
        return rows, [text for text in said if "待核清" in text]

    clear, unclear = gone("嫁出"), gone(None)
    assert listed_and_problem(clear) == (["h1", "h1", "h8"], [])
    assert clear.unclear == {}
    # Nobody said why the second one left: not a natural change, but a question.
    assert unclear.unclear == {"h1": "no_reason"}
    rows, said = listed_and_problem(unclear)
    assert rows == ["h8"]
    assert len(said) == 1
    assert "有成员离开没有写明原因" in said[0]
