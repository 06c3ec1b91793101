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
