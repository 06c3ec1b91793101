"""Sentences are read back and held against the data, over many households."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from riskmodel import explanation
from riskmodel.errors import UsageError
from riskmodel.explanation.wording import load_wording

NUMBER = r"-?[\d,]+(?:\.\d+)?"
GENERIC = re.compile(
    rf"^(?P<name>.+)：(?P<value>{NUMBER})(?P<unit> 元|%| 个月| 人| 年| 次)?"
    rf"(?:，(?P<than>低于|高于)(?P<whose>本村|全县)中位数（(?P<median>{NUMBER})(?: 元|%| 个月| 人| 年)?）)?$"
)
LEVEL = re.compile(rf"^人均纯收入 (?P<pcni>{NUMBER}) 元，低于监测线 (?P<line>{NUMBER}) 元$")
FELL = re.compile(
    rf"^人均纯收入 (?P<pcni>{NUMBER}) 元，比上年的 (?P<before>{NUMBER}) 元减少 (?P<share>{NUMBER})%$"
)
ABOVE = re.compile(
    rf"^人均纯收入 (?P<pcni>{NUMBER}) 元，(?P<only>只?)比监测线 (?P<line>{NUMBER}) 元高 (?P<share>{NUMBER})%$"
)


def number(text: str) -> float:
    return float(text.replace(",", ""))


def shown(value: float, unit: str) -> float:
    scale = 100.0 if unit in ("share", "ratio") else 1.0
    return half_up(value * scale)


def half_up(value: float) -> float:
    """As a spreadsheet rounds."""
    return float(np.sign(value) * np.floor(round(abs(value), 9) + 0.5))


def everything_on_record(index: pd.Index) -> pd.DataFrame:
    causes = [c for c in explanation.cause_words("zh") if c not in ("income", "context", "none")]
    return pd.DataFrame(True, index=index, columns=causes)


@pytest.fixture(scope="module", params=[0, 1, 2])
def explained(request, make_inputs, meta):
    parts, X, rules = make_inputs(400, seed=request.param)
    on_record = everything_on_record(X.index)
    return parts, X, rules, explanation.write_reasons(parts, X, meta, rules, "zh", on_record=on_record)


def test_generic_sentences_bear_out(explained, meta) -> None:
    _, X, rules, said = explained
    by_name = meta[meta["explainable"]].set_index("zh")
    assert by_name.index.is_unique  # else a sentence would not say which figure it quotes
    place = rules["township"] + rules["village"]
    read = 0
    for k in (1, 2, 3):
        for household, text in said[f"reason_{k}"].items():
            match = GENERIC.match(text)
            if not match or match["name"] not in by_name.index:
                continue
            read += 1
            about = by_name.loc[match["name"]]
            assert number(match["value"]) == shown(X.loc[household, about["id"]], about["unit"]), text
            if match["median"] is None:
                continue
            whose = place == place[household] if match["whose"] == "本村" else place.notna()
            neighbours = X.loc[whose, about["id"]].dropna()
            assert number(match["median"]) == shown(neighbours.median(), about["unit"]), text
            assert len(neighbours) >= load_wording().village_minimum
            # The reader sees a comparison that holds on what is printed.
            value, median = number(match["value"]), number(match["median"])
            assert value < median if match["than"] == "低于" else value > median, text
            assert abs(value - median) >= 0.05 * abs(median), text  # nearer than that nobody calls it below
            # Below is a risk where risk falls with the figure, above where it rises.
            assert about["direction"] == (-1 if match["than"] == "低于" else 1)
    assert read > 300


def test_income_sentences_bear_out(explained) -> None:
    _, _, rules, said = explained
    seen = {"level": 0, "fell": 0, "above": 0}
    for k in (1, 2, 3):
        for household, text in said[f"reason_{k}"].items():
            row = rules.loc[household]
            if match := LEVEL.match(text):
                seen["level"] += 1
                assert number(match["pcni"]) == half_up(row["pcni"])
                assert number(match["line"]) == 6000 > number(match["pcni"])
            elif match := FELL.match(text):
                seen["fell"] += 1
                assert number(match["before"]) == half_up(row["previous_pcni"]) > number(match["pcni"])
                assert number(match["share"]) == half_up(100 * (1 - row["pcni"] / row["previous_pcni"]))
            elif match := ABOVE.match(text):
                seen["above"] += 1
                assert number(match["pcni"]) == half_up(row["pcni"]) >= number(match["line"])
                assert number(match["share"]) == half_up(100 * (row["pcni"] / 6000 - 1))
                assert (match["only"] == "只") == (number(match["share"]) < 10), text
    assert all(seen.values()), seen


def test_names_distinct_causes_by_falling_contribution(explained, meta) -> None:
    parts, _, _, said = explained
    sums = explanation.sum_by_cause(parts, meta).rename(columns=explanation.cause_words("zh"))
    for household, row in said.iterrows():
        causes = [row[f"cause_{k}"] for k in (1, 2, 3) if row[f"cause_{k}"]]
        sizes = [row[f"contribution_{k}"] for k in range(1, len(causes) + 1)]
        assert len(set(causes)) == len(causes)
        assert sizes == sorted(sizes, reverse=True)
        assert all(size > 0 for size in sizes)
        assert sizes == pytest.approx([sums.loc[household, c] for c in causes])


def test_where_there_is_no_cause_there_is_no_sentence_and_no_number(explained) -> None:
    said = explained[3]
    for k in (1, 2, 3):
        empty = said[f"cause_{k}"] == ""
        assert (said.loc[empty, f"reason_{k}"] == "").all()
        assert said.loc[empty, f"contribution_{k}"].isna().all()
        assert (said.loc[~empty, f"reason_{k}"] != "").all()
    assert (said["cause_3"] == "").any()  # never padded to three


def test_no_internal_id_and_no_unfilled_slot(explained, make_inputs, meta) -> None:
    parts, X, rules, said = explained
    english = explanation.write_reasons(parts, X, meta, rules, "en")
    for k in (1, 2, 3):
        zh = " ".join(said[f"reason_{k}"]) + " ".join(said[f"cause_{k}"])
        assert not re.search(r"[A-Za-z_{}]|nan", zh)
        en = " ".join(english[f"reason_{k}"]) + " ".join(english[f"cause_{k}"])
        assert not re.search(r"[_{}\u3000-\u9fff]|\bnan\b", en)


def test_languages_say_the_same(explained, meta) -> None:
    parts, X, rules, zh = explained
    en = explanation.write_reasons(parts, X, meta, rules, "en", on_record=everything_on_record(X.index))
    words = dict(
        zip(explanation.cause_words("zh").values(), explanation.cause_words("en").values(), strict=True)
    ) | {"": ""}
    for k in (1, 2, 3):
        assert list(zh[f"cause_{k}"].map(words)) == list(en[f"cause_{k}"])
        pd.testing.assert_series_equal(zh[f"contribution_{k}"], en[f"contribution_{k}"])


def test_a_missing_value_is_never_quoted(make_inputs, meta) -> None:
    parts, X, rules = make_inputs(200)
    blank = X.copy()
    blank[:] = np.nan
    assert (explanation.write_reasons(parts, blank, meta, rules, "zh")["reason_1"] == "").all()


def test_only_explainable_features_speak(make_inputs, meta) -> None:
    parts, X, rules = make_inputs(200)
    silenced = meta.assign(explainable=meta["id"].eq("disabled"))
    said = explanation.write_reasons(parts, X, silenced, rules, "zh")
    spoken = set(said["reason_1"]) - {""}
    assert spoken
    assert all(text.startswith("残疾人数：") for text in spoken)
    assert (said["reason_2"] == "").all()


def test_only_what_raises_the_risk_is_a_reason(make_inputs, meta) -> None:
    parts, X, rules = make_inputs(100)
    assert (explanation.write_reasons(-parts.abs(), X, meta, rules, "zh")["reason_1"] == "").all()


def test_the_strongest_true_feature_of_a_cause_speaks(make_inputs, meta) -> None:
    parts, X, rules = make_inputs(40)
    parts[:] = 0.0
    parts["disabled"], parts["disabled_severe"] = 0.2, 0.1
    X["disabled"], X["disabled_severe"] = [2.0, 0.0] * 20, 1.0
    said = explanation.write_reasons(parts, X, meta, rules, "zh")
    # Nobody disabled is no reason, however the model weighs it; then the next feature speaks.
    assert list(said["reason_1"][:2]) == ["残疾人数：2 人", "一二级残疾人数：1 人"]
    assert said["contribution_1"].to_numpy() == pytest.approx(0.3)


def test_ties_go_by_the_contracts_order(make_inputs, meta) -> None:
    parts, X, rules = make_inputs(10)
    parts[:] = 0.0
    parts["disabled"] = parts["sick"] = 0.25
    X["disabled"] = X["sick"] = 1.0
    on_record = everything_on_record(X.index)
    said = explanation.write_reasons(parts, X, meta, rules, "zh", on_record=on_record)
    assert set(zip(said["cause_1"], said["cause_2"], strict=True)) == {("因病", "因残")}


def test_an_official_cause_is_named_only_where_it_is_on_record(make_inputs, meta) -> None:
    parts, X, rules = make_inputs(400)
    rng = np.random.default_rng(3)
    on_record = everything_on_record(X.index)
    on_record[:] = rng.random(on_record.shape) < 0.3
    sums = explanation.sum_by_cause(parts, meta)
    for lang in ("zh", "en"):
        said = explanation.write_reasons(parts, X, meta, rules, lang, on_record=on_record)
        official = explanation.cause_words(lang)
        code = {word: c for c, word in official.items() if c in on_record}
        plain = {word: c for c, word in explanation.domain_words(lang).items()}
        assert not set(code) & set(plain)
        named, neutral = 0, 0
        for k in (1, 2, 3):
            for household, word in said[f"cause_{k}"].items():
                if not word:
                    continue
                cause = code.get(word) or plain[word]
                assert bool(on_record.loc[household].get(cause, False)) == (word in code), (household, word)
                named, neutral = named + (word in code), neutral + (word not in code)
                assert said.loc[household, f"contribution_{k}"] == pytest.approx(sums.loc[household, cause])
        assert named > 100
        assert neutral > 100
    # Where nothing is known of the records, no official cause is said at all.
    alone = explanation.write_reasons(parts, X, meta, rules, "zh")
    assert not set(code) & set(alone[[f"cause_{k}" for k in (1, 2, 3)]].to_numpy().ravel())


def test_a_small_village_is_never_quoted(make_inputs, meta) -> None:
    # The median of four households and oneself would print a neighbour's figure.
    parts, X, rules = make_inputs(68)
    assert rules.groupby(["township", "village"]).size().max() < load_wording().village_minimum
    said = explanation.write_reasons(parts, X, meta, rules, "zh")
    assert not said.filter(like="reason").apply(lambda c: c.str.contains("本村中位数")).any(axis=None)
    assert said.filter(like="reason").apply(lambda c: c.str.contains("全县中位数")).any(axis=None)


def test_a_period_that_is_no_year_is_not_called_one(make_inputs, meta) -> None:
    parts, X, rules = make_inputs(300)
    monthly = rules.assign(period_from="2021-06", period_to="2021-06")
    text = " ".join(
        explanation.write_reasons(parts, X, meta, monthly, "zh").filter(like="reason").to_numpy().ravel()
    )
    assert "比上一期的" in text
    assert "比上年的" not in text


def test_rows_must_be_the_same_households_in_the_same_order(make_inputs, meta) -> None:
    parts, X, rules = make_inputs(20)
    with pytest.raises(UsageError, match="same index"):
        explanation.write_reasons(parts, X, meta, rules[::-1], "zh")
    with pytest.raises(UsageError, match="same columns"):
        explanation.write_reasons(parts[parts.columns[::-1]], X, meta, rules, "zh")
