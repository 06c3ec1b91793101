"""The register's words: every code is named in both languages, and what is written finds its code."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.data import codes
from riskmodel.register.vocabulary import (
    category_code,
    category_name,
    in_line_order,
    order_categories,
    reason_code,
    register_vocabulary,
)


@pytest.mark.parametrize("part", ["categories", "lines", "stocks", "increase", "decrease", "findings"])
def test_every_code_is_named_in_both_languages(part):
    terms = getattr(register_vocabulary(), part)
    assert terms
    assert all(term.zh and term.en for term in terms.values())


def test_every_event_of_the_register_is_a_line():
    assert set(codes("monitoring", "event")) <= set(register_vocabulary().lines)


def test_every_name_and_synonym_is_read_back_as_its_category():
    for code, term in register_vocabulary().categories.items():
        assert {category_code(word) for word in (code, term.zh, term.en, *term.synonyms)} == {code}


def test_a_category_that_nobody_declared_is_its_own_name_and_stands_before_the_unknown():
    assert category_name(category_code(" 重点户 "), "en") == "重点户"
    assert order_categories({"unknown", "重点户", "marginal"}) == ["marginal", "重点户", "unknown"]


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_every_word_for_a_reason_is_read_back_in_its_direction(direction):
    terms = getattr(register_vocabulary(), direction)
    for code, term in terms.items():
        if code not in ("other", "unstated"):
            assert {reason_code(direction, word) for word in (term.zh, *term.synonyms)} == {code}


# The words of the national system for why persons come and go, each in its own direction.
NATIONAL = {
    "increase": {
        "新生儿": "born", "嫁入": "married_in", "婚入": "married_in", "户籍迁入": "moved_in",
        "刑满": "released", "判刑释放": "released", "补办户籍": "registered", "收养": "adopted",
        "失联人员回归": "returned", "其他转入": "other",
    },
    "decrease": {
        "死亡": "died", "嫁出": "married_out", "婚出": "married_out", "判刑收监": "imprisoned",
        "户籍迁出": "moved_out", "出国定居": "moved_out", "其他转出": "other", "整户消亡": "died",
        "整户外迁": "moved_out",
    },
}  # fmt: skip


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_words_of_the_national_system_mean_something_in_their_own_direction_alone(direction):
    opposite = "increase" if direction == "decrease" else "decrease"
    for word, code in NATIONAL[direction].items():
        assert reason_code(direction, word) == code, word
        assert reason_code(opposite, word) == "unstated", word


def test_lines_stand_in_declared_order_below_their_keys():
    lines = pd.DataFrame(
        {"stock": ["open", "ever", "open"], "line": ["closing", "closing", "opening"], "hh": 1, "p": 2}
    )
    out = in_line_order(lines, ["stock"])
    assert out[["stock", "line"]].to_numpy().tolist() == [
        ["ever", "closing"],
        ["open", "opening"],
        ["open", "closing"],
    ]
