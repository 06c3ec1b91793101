"""What is said: every sentence in both languages, every reason used, every place filled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import riskmodel.data.messages as module
from riskmodel.data.messages import Notice, line, messages, reason_text
from riskmodel.data.schema import contract

COUNTY = Path(module.__file__).parent
# The check of heaped incomes says its sentences from a room above the county.
FILES = [*COUNTY.glob("*.py"), *(COUNTY.parent / "bunching").glob("*.py")]
SOURCE = "\n".join(p.read_text(encoding="utf-8") for p in FILES)
PLACES = re.compile(r"{(\w+)")


def test_every_sentence_is_used():
    said = messages()
    for key in [*said.reasons, *said.notices, *said.quality]:
        assert f'"{key}"' in SOURCE or f"'{key}'" in SOURCE, key
    assert set(said.without) < set(contract().tables)


def test_both_languages_have_the_same_places():
    said = messages()
    for both in [*said.reasons.values(), *said.quality.values()]:
        zh, en = (set(PLACES.findall(text)) for text in (both.zh, both.en))
        assert {p.removesuffix("_zh") for p in zh} == {p.removesuffix("_zh") for p in en}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_sentences_can_be_said(lang):
    for reason in messages().reasons:
        assert "{" not in reason_text(reason, lang, given="x", allowed="y", other=3)
    places = dict.fromkeys(("table", "file", "what", "n", "zh", "without_zh", "without_en"), "x")
    for key in messages().notices:
        assert "{" not in Notice(key, places).text(lang)
    assert "{" not in line("refused", lang, what="x")
