"""Published tables as they are typed in: wrong files are refused, naming file and key."""

from __future__ import annotations

import pytest

from riskmodel.errors import InputMissing, SpecError
from riskmodel.register import check_published
from riskmodel.register.published import read_published_table, table_relations


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("categories: {a: {totl: {hh: 2}}}", "categories.a.totl"),
        ("categories: {a: {total: {hh: '2'}}}", "categories.a.total.hh"),
        ("categories: {a: {total: {hh: -2}}}", "categories.a.total.hh"),
        ("categories: {a: {total: {hh: 2.5}}}", "categories.a.total.hh"),
        ("categories: {a: {total: {hh: true}}}", "categories.a.total.hh"),
        ("categories: {a: {total: {houses: 2}}}", "categories.a.total.houses"),
        ("categories: {a: {share_pct: a third}}", "categories.a.share_pct"),
        ("categories: {a: {share_pct: .inf}}", "categories.a.share_pct"),
        ("categories: [1]", "categories"),
        ("total: {total: {hh: 1}}", "categories"),
        ("categories: {}\nfoo: 1", "foo"),
        ("categories: {}\ncauses_of: identifed", "causes_of"),
        ("categories: {a: {total: {hh: 1, hh: 2}}}", "'hh'"),
        ("[1, 2]", "(top)"),
        ("{", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_naming_file_and_key(tmp_path, text, key):
    file = tmp_path / "published.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        check_published(file)
    assert key in str(refused.value)
    assert "published.yaml" in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputMissing, match=r"none\.yaml"):
        check_published(tmp_path / "none.yaml")


def test_a_share_keeps_the_digits_that_were_typed(tmp_path):
    file = tmp_path / "published.yaml"
    row = "{remaining: {p: 4, hh: 1}, total: {hh: 2}, share_pct: 72.30}"
    file.write_text(f"categories: {{a: {row}}}\ncauses: {{illness: {{hh: 2}}}}", encoding="utf-8")
    cells = read_published_table(file).cells()
    assert list(cells) == [
        "categories.a.total.hh",
        "categories.a.remaining.hh",
        "categories.a.remaining.p",
        "categories.a.share_pct",
        "causes.illness.hh",
    ]
    assert str(cells["categories.a.share_pct"]) == "72.30"


def test_relations_are_those_whose_cells_are_all_printed():
    row = {"total": {"hh": 3}, "eliminated": {"hh": 1}, "remaining": {"hh": 2}}
    table = {"categories": {"a": row, "b": {"total": {"hh": 1}}}, "total": {"total": {"hh": 4}}}
    relations = table_relations(read_published_table(table))
    assert [r.where for r in relations] == ["categories.a.total.hh", "total.total.hh"]
