"""The declared sentences and measures: whole, in both languages, in known codes and words an office uses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from riskmodel import explanation, features
from riskmodel.data.schema import codes
from riskmodel.errors import SpecError, UsageError
from riskmodel.explanation import load_measures
from riskmodel.explanation import wording as wording_module
from riskmodel.explanation.contributions import all_causes
from riskmodel.explanation.wording import PLACEHOLDER, Unit, load_wording
from riskmodel.io.specs import parse_spec, read_yaml

YAML = Path(wording_module.__file__).with_name("reasons.yaml")


def variants():
    return [v for t in load_wording().templates for v in t.variants]


def test_both_languages_quote_the_same_figures() -> None:
    # {number} with its unit in words is what the other language may write as {value}.
    def figures(text: str) -> set[str]:
        return {"value" if n == "number" else n for n in PLACEHOLDER.findall(text)}

    for v in variants():
        assert figures(v.zh) == figures(v.en), (v.zh, v.en)


def test_chinese_sentences_hold_no_latin_letter_and_english_ones_no_chinese() -> None:
    for v in variants():
        assert not re.search(r"[A-Za-z_]", PLACEHOLDER.sub("", v.zh)), v.zh
        assert not re.search(r"[\u3000-\u9fff]", v.en), v.en


def test_no_sentence_tells_what_is_missing_to_the_line() -> None:
    # 数字式增收: a printed gap is a target for numbers, not for incomes.
    for v in variants():
        assert not re.search(
            r"还差|差距|再增|增收|达到|short of|missing to|needs? .* more|raise", v.zh + v.en
        ), v


def test_every_explainable_feature_with_a_direction_has_a_sentence(meta) -> None:
    wording = load_wording()
    said = meta[meta["explainable"] & (meta["direction"] != 0)]
    silent = [r["id"] for r in said.to_dict("records") if wording.template_for(r) is None]
    # Findings of earlier visits carry no cause and are never named.
    assert silent == ["visit_not_confirmed"]
    assert len(said) > 100


def test_no_pattern_is_idle(meta) -> None:
    ids = [*meta["id"], *features.load_feature_set("household-v2").names]
    for template in load_wording().templates:
        for pattern in template.match:
            assert any(re.fullmatch(pattern.replace("*", ".*"), i) for i in ids), pattern


def test_logarithms_are_never_quoted(meta) -> None:
    rows = [r for r in meta.to_dict("records") if r["unit"] == "log_yuan"]
    assert rows
    assert all(load_wording().template_for(r) is None for r in rows)


def test_causes_are_called_as_in_the_contract() -> None:
    zh = explanation.cause_words("zh")
    assert {c: zh[c] for c in codes("risk_events", "cause")} == codes("risk_events", "cause")
    assert (zh["income"], zh["context"]) == ("收入", "村组情况")
    assert list(explanation.cause_words("en")) == list(zh)
    assert not any("_" in word for word in explanation.cause_words("en").values())


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (5200.4, "yuan", "5,200 元", "5,200 yuan"),
        (-0.4, "yuan", "0 元", "0 yuan"),
        (5480.5, "yuan", "5,481 元", "5,481 yuan"),  # as Excel shows it in the cell beside the reason
        (0.285, "share", "29%", "29%"),
        (0.355, "share", "36%", "36%"),
        (1.0, "months", "1 个月", "1 month"),
        (3.0, "months", "3 个月", "3 months"),
        (12.0, "persons", "12 人", "12"),
    ],
)
def test_numbers_are_printed_with_their_unit(value, unit, zh, en) -> None:
    # A half goes up, as in a spreadsheet; nothing may read "-0".
    u: Unit = load_wording().units[unit]
    assert u.texts([value], "zh") == [zh]
    assert u.texts([value], "en") == [en]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["templates"][0]["variants"][0].update(zh="{pcnj}"), "pcnj"),
        (lambda c: c["figures"]["pcni"].update(unit="furlong"), "furlong"),
        (lambda c: c["figures"]["above_line"].update(over="change"), "change"),
        (lambda c: c["figures"]["pcni"].update(column=None), "column"),
        (lambda c: c.pop("village_minimum"), "village_minimum"),
        (lambda c: c.update(village_minimum=1), "village_minimum"),
    ],
)
def test_an_offices_own_file_is_checked(change, says) -> None:
    content = read_yaml(YAML)
    change(content)
    with pytest.raises(SpecError, match=says):
        parse_spec(content, explanation.ReasonWording, "own.yaml")


def test_an_offices_own_file_is_used(tmp_path) -> None:
    text = YAML.read_text(encoding="utf-8").replace("低于监测线", "没有达到监测线以上")
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    own = explanation.load_wording(tmp_path / "own.yaml")
    assert any("没有达到监测线以上" in v.zh for t in own.templates for v in t.variants)


def test_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError, match="zh, en"):
        explanation.cause_words("fr")


def test_names_and_sentences_space_their_numbers_alike(meta) -> None:
    said = [v.zh for v in variants()] + list(meta["zh"])
    assert any("近 {window} 个月" in text for text in said)
    assert not [text for text in said if re.search(r"近[0-9{]", text)]


def test_measures_fit_the_published_table_of_single_causes(tmp_path) -> None:
    library = load_measures()
    # 001 §10: of 2,772 households with illness alone 2,364 had health support; each share is at most 1.
    assert library.causes["illness"].of == 2772
    assert library.causes["illness"].measures[0].households == 2364
    for fit in library.causes.values():
        assert fit.measures
        assert fit.ask
        known = [m.households for m in fit.measures if m.households is not None]
        assert known == sorted(known, reverse=True)
    assert library.measures(["illness", "disability"], "zh") == ["健康帮扶", "综合保障", "社会帮扶"]
    path = tmp_path / "own.yaml"
    path.write_text(
        "version: 1\nsource: x\nnote: {zh: 甲, en: a}\ncauses: {illness: {measures: [{id: gold}]}}\n"
    )
    with pytest.raises(SpecError, match="unknown measure"):
        load_measures(path)


def test_every_official_cause_has_questions_and_measures() -> None:
    assert set(load_measures().causes) == set(all_causes()) - {"none"}


def test_a_logarithm_is_told_as_the_multiple_or_change_that_it_is_of() -> None:
    times, change = (load_wording().units[u] for u in ("log_line", "log_change"))
    assert times.texts(times.natural(np.log([0.84, 2.0])), "zh") == ["0.84 倍", "2.00 倍"]
    assert change.texts(change.natural(np.log([0.5, 1.25])), "en") == ["-50%", "25%"]


def test_what_the_ledgers_pace_says_is_quoted_from_the_household(meta) -> None:
    others, meta = set(meta["id"]), features.describe_features("household-v2")
    rows = {r["id"]: r for r in meta.to_dict("records")}
    told = [i for i, r in rows.items() if r["explainable"] and i not in others]
    assert len(told) > 10
    assert [i for i in told if load_wording().template_for(rows[i]) is None] == []
