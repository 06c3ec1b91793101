"""What is written: read back, it adds up, says what its percentages are of, and is the same every time."""

from __future__ import annotations

import datetime as dt
import json
from html.parser import HTMLParser

import openpyxl
import pandas as pd
import pytest

from riskmodel import presentation, register
from riskmodel.data import from_frames
from riskmodel.errors import UsageError
from riskmodel.presentation.register_tables import register_html, register_tables
from riskmodel.presentation.table import Column, Row, Table
from riskmodel.presentation.workbook import open_workbook
from riskmodel.register.vocabulary import register_vocabulary

from ..register.conftest import frames_of
from ..register.published_figures import BY_CAUSE, by_cause
from ..register.test_office_tables import SUPPORT, with_tables


@pytest.fixture(scope="module")
def full():
    """Return a ledger that has every table."""
    visits = [{"household_id": "h1", "date": "2021-01-22", "outcome": "confirmed"}]
    warnings = [{"household_id": "h1", "pushed_on": "2021-01-05"}]
    county = with_tables(support=SUPPORT, visits=visits, warnings=warnings)
    return register.build_register_accounts(county, "2021-01-01", "2021-03-31")


class Tables(HTMLParser):
    """Collects the rows of every section's table, spans spread out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._id, self._cell = "", None

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "section":
            self._id = named["id"]
            self.found[self._id] = []
        elif tag == "tr":
            self.found[self._id].append([])
        elif tag in ("td", "th"):
            self._cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.found[self._id][-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data


def html_tables(text: str) -> dict[str, list[list[str]]]:
    parser = Tables()
    parser.feed(text)
    return parser.found


def sheet_rows(path, name: str) -> list[list]:
    """Return the body rows of a sheet: those below its two header rows."""
    sheet = openpyxl.load_workbook(path)[name]
    rows = [list(r) for r in sheet.iter_rows(values_only=True)]
    top = next(i for i, r in enumerate(rows) if i > 1 and r[0] and all(x is None for x in rows[i - 1]))
    return rows[top + 2 :]


def test_a_ledger_writes_its_four_files(full, tmp_path):
    written = presentation.write_register(full, tmp_path)
    assert sorted(written) == ["findings.csv", "ledger.html", "ledger.json", "ledger.xlsx"]
    assert all(path.is_file() and path.parent == tmp_path for path in written.values())


def test_the_workbook_balances_when_added_up_by_its_reader(full, tmp_path):
    path = presentation.write_register(full, tmp_path)["ledger.xlsx"]
    signs = {word.zh: word.sign for word in register_vocabulary().lines.values()}
    rows = sheet_rows(path, "动态台账（未消除风险）")
    width = len(rows[0])
    for j in range(1, width):
        closing = next(r[j] for r in rows if r[0] == "期末数")
        assert closing == sum(signs[r[0]] * (r[j] or 0) for r in rows if r[0] != "期末数")
    for r in rows:
        # Categories add up to the total, in households and in persons.
        for unit in (0, 1):
            assert sum(r[1 + unit : width - 2 : 2] if r[1 + unit] is not None else [0]) == (
                r[width - 2 + unit] or 0
            )
    assert any(r[width - 1] for r in rows)


def test_the_published_table_is_in_workbook_and_page_with_its_totals(tmp_path):
    made = register.build_register_accounts(by_cause(), "2020-01-01", "2020-03-31")
    written = presentation.write_register(made, tmp_path)
    rows = {r[0]: r for r in sheet_rows(written["ledger.xlsx"], "表1 监测对象类别与致贫返贫原因")}
    page_rows = html_tables(written["ledger.html"].read_text(encoding="utf-8"))["causes-ever"]
    shown = {r[0]: r for r in page_rows}
    # Columns: cause, then households, persons, per cent for unstable_lifted, marginal, and both together.
    assert rows["合计"][1:3] == list(BY_CAUSE["unstable_lifted"][-1])
    assert rows["合计"][4:6] == list(BY_CAUSE["marginal"][-1])
    assert rows["合计"][7:9] == [986 + 542, 2173 + 1327]
    assert rows["因病"][4:6] == [457, 1088]
    assert rows["因病"][6] == pytest.approx(457 / 986)
    assert shown["因病"][4:7] == ["457", "1088", "46.3%"]
    assert shown["合计"][7:10] == ["1528", "3500", "100.0%"]
    for j in (1, 2, 4, 5, 7, 8):
        assert sum(r[j] for name, r in rows.items() if name != "合计") == rows["合计"][j]


def test_every_table_says_what_its_percentages_are_of(full):
    for lang in ("zh", "en"):
        for grid in register_tables(full, lang):
            shares = [c for c in grid.columns if c.kind == "share"]
            assert not shares or any(
                note.startswith("%：" if lang == "zh" else "%: ") for note in grid.notes
            ), grid.id


def test_totals_in_the_page_are_sums_of_what_stands_above_them(full):
    tables = {g.id: g for g in register_tables(full, "zh")}
    for name in ("townships", "workload"):
        grid = tables[name]
        body, last = [row.values for row in grid.rows[:-1]], grid.rows[-1].values
        for j, column in enumerate(grid.columns):
            if column.kind == "count":
                assert last[j] == sum(row[j] for row in body), (name, column)
    assert any(v for v in tables["workload"].rows[-1].values[1:])


def test_all_tables_are_there_in_both_languages_and_absent_ones_say_so(full, small):
    zh, en = register_tables(full, "zh"), register_tables(full, "en")
    assert [g.id for g in zh] == [g.id for g in en]
    assert {"ledger", "ever", "townships", "causes-ever", "dynamic", "natural", "measures", "bands"} <= {
        g.id for g in zh
    }
    for one, other in zip(zh, en, strict=True):
        assert len(one.rows) == len(other.rows)
        assert one.title != other.title
    (absent,) = [g for g in register_tables(small, "zh") if g.id == "measures"]
    assert absent.rows == []
    assert "缺少monitoring, support" in absent.notes[-1]
    with pytest.raises(UsageError, match="zh, en"):
        presentation.write_register(small, "unused", "fr")


def test_the_same_ledger_gives_the_same_bytes(full, tmp_path):
    first = presentation.write_register(full, tmp_path / "a")
    second = presentation.write_register(full, tmp_path / "b")
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes(), name


def test_the_json_holds_the_ledger_and_its_published_form(full, tmp_path):
    path = presentation.write_register(full, tmp_path)["ledger.json"]
    got = json.loads(path.read_text(encoding="utf-8"))
    assert got["format"] == "riskmodel-ledger/1"
    assert got["total"]["closing"] == {"hh": 2, "p": 8}
    assert got["total"]["ever"]["closing"] == {"hh": 3, "p": 9}
    assert got["categories"]["marginal"]["identified"] == {"hh": 1, "p": 4}
    assert got["townships"]["西乡"]["removed"] == {"hh": 1, "p": 1}
    assert got["total"]["natural_increase"] == {"p": 1}
    assert register.check_published(got["published"])["balanced"]
    assert register.summarise_accounts(full)["closing"] == got["total"]["closing"]


def test_findings_are_a_table_with_ids_words_and_dates(tmp_path):
    frames = frames_of(with_tables())
    more = pd.DataFrame(
        [{"household_id": "h3", "date": "2021-03-09", "event": "identified", "recorded_on": "2021-03-09"}]
    )
    frames["monitoring"] = pd.concat([frames["monitoring"], more], ignore_index=True)
    written = presentation.write_register(
        register.build_register_accounts(from_frames(frames), "2021-01-01", "2021-03-31"), tmp_path
    )
    (row,) = pd.read_csv(written["findings.csv"], encoding="utf-8-sig").to_dict("records")
    assert (row["finding"], row["household_id"], row["date"]) == ("identified_twice", "h3", "2021-03-09")
    assert (row["earlier_date"], row["meaning"]) == ("2021-03-01", "在册期间重复识别")


def test_text_from_data_is_neither_formula_nor_markup(tmp_path):
    grid = Table([Column("n", "label")], [Row(["=1+1"]), Row(["<b>&"])], id="t", sheet="a/b:c", title="x")
    path = tmp_path / "t.xlsx"
    with open_workbook(path, "zh", dt.date(2021, 1, 1)) as book:
        grid.to_sheet(book)
        grid.to_sheet(book)
    workbook = openpyxl.load_workbook(path)
    assert workbook.sheetnames == ["a b c", "a b c 2"]
    values = [r[0] for r in workbook["a b c"].iter_rows(values_only=True)]
    assert "'=1+1" in values
    assert all(c.data_type != "f" for r in workbook["a b c"].iter_rows() for c in r)
    text = register_html((grid,), "t", "en")
    assert "&lt;b&gt;&amp;" in text
    assert "<b>" not in text


def test_the_page_fetches_nothing(full):
    text = register_html(register_tables(full, "zh"), "t", "zh")
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert "src=" not in text


def test_a_long_table_is_cut_on_the_page_and_says_so():
    rows = [Row([str(i)]) for i in range(1500)]
    text = register_html((Table([Column("n", "label")], rows, title="t", labels=1),), "t", "en")
    assert "the first 1000 of 1500 rows" in text
    assert '<th scope="row">999</th>' in text
    assert '<th scope="row">1000</th>' not in text
