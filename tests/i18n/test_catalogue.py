"""The catalogue of words is whole: both languages, the same places, keys that are found or refused."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
import string
from pathlib import Path

import pytest

from riskmodel import i18n
from riskmodel.errors import SpecError, UsageError
from riskmodel.i18n import Message, Words
from riskmodel.i18n.catalogue import checked, entries
from riskmodel.io.specs import read_yaml

ENTRIES = [pair for subject in i18n.subjects() for pair in entries(i18n.section(subject), subject)]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_entry_has_both_languages_and_the_same_places() -> None:
    assert len(ENTRIES) > 50
    wrong = [key for key, words in ENTRIES if places(words["zh"]) != places(words["en"])]
    assert not wrong
    assert all(isinstance(words[lang], str) for _, words in ENTRIES for lang in i18n.LANGUAGES)


def test_every_place_has_a_name() -> None:
    # A place without a name ({} or {0}) cannot be filled by `text`.
    wrong = [key for key, words in ENTRIES for p in places(words["zh"]) if not p.isidentifier()]
    assert not wrong


def test_text_both_and_section_agree() -> None:
    key = "data.notices.unknown file"
    assert i18n.both(key, what="x") == {lang: i18n.text(key, lang, what="x") for lang in i18n.LANGUAGES}
    assert (
        i18n.section("data.notices")["unknown file"]["en"].format(what="x") == i18n.both(key, what="x")["en"]
    )
    assert (
        i18n.section("data.notices", "zh")["unknown file"]
        == i18n.section("data.notices")["unknown file"]["zh"]
    )


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("data.notices.unknown fil", "did you mean unknown file"),
        ("dota.notices", "did you mean data"),
        ("data.notices.unknown file.zh", "unknown"),
        ("data.notices", "section"),
    ],
)
def test_a_missing_key_is_an_error_that_names_near_ones(key: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        i18n.text(key, "en")


def test_a_place_that_is_not_filled_is_an_error() -> None:
    with pytest.raises(UsageError, match="what"):
        i18n.text("data.notices.unknown file", "en")


def test_a_message_goes_through_json_and_nests() -> None:
    inner = Message("data.without.support")
    message = Message(
        "data.notices.absent table", {"table": {"zh": "帮扶", "en": "support"}, "without": inner}
    )
    again = Message.from_dict(json.loads(json.dumps(message.as_dict(), ensure_ascii=False)))
    assert again == message
    assert again.both() == message.both()
    assert inner.text("zh") in message.text("zh")
    assert "support table" in message.text("en")


def test_words_and_dates_fill_places() -> None:
    pair = Words(zh="甲", en="A")
    assert i18n.text("data.notices.unknown file", "zh", what=pair).startswith("甲")
    assert i18n.text("data.notices.unknown file", "en", what=dt.date(2020, 6, 30)).startswith("2020-06-30")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"a": {"zh": "甲"}}, "a: needs zh and en"),
        ({"a": {"zh": "甲", "en": 3}}, "a: needs zh and en, both text"),
        ({"a": {"b": ["x"]}}, r"a\.b\.0: write \{zh"),
        ({"a": {"same": "x", "en": "x"}}, "a: needs zh and en"),
        ({"a.b": {"zh": "甲", "en": "A"}}, "without a dot"),
        ({"a": {True: {"zh": "甲", "en": "A"}}}, "must be text"),
        (["x"], "mapping"),
    ],
)
def test_a_subject_is_checked_when_it_is_read(content: object, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        checked(content, "subject.yaml")


def test_same_stands_for_both_languages() -> None:
    assert checked({"a": {"same": "MASE"}}, "x") == {"a": {"zh": "MASE", "en": "MASE"}}


def test_a_key_given_twice_is_refused(tmp_path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("a: {same: x}\na: {same: y}\n", encoding="utf-8")
    with pytest.raises(SpecError, match="'a' stands twice"):
        read_yaml(path)


def test_an_unknown_language_is_refused() -> None:
    assert i18n.check_language("zh") == "zh"
    with pytest.raises(UsageError, match="language 'fr' is unknown; allowed: zh, en"):
        i18n.check_language("fr")


# Nouns that a sentence counts.
COUNTED = (
    "months years days dates rows cells columns places households persons villages townships visits events "
    "entries features groups panels futures looks outcomes"
)


def test_a_number_with_its_noun_is_written_for_one_too() -> None:
    assert i18n.fill("{n:month|months}", n=1) == "1 month"
    assert i18n.fill("{n:,|row was|rows were} read", n=1200) == "1,200 rows were read"
    # A count may come as text, and a sentence may hold other formats beside.
    assert i18n.fill("{n:household is|households are} {share:.0%}", n="1", share=0.5) == "1 household is 50%"
    assert i18n.fill("{n:.1f|month|months}", n=1) == "1.0 months"


def test_no_english_sentence_says_1_months() -> None:
    # A place before a plural noun has to be written {n:month|months}. Not counted: shares and decimals,
    # places that hold words, and limits that are never one.
    words = "|".join(COUNTED.split())
    plural = re.compile(r"\{(?!(?:kind|fewest|most|given)\b)\w+(?::,)?\} (?:[a-z]+ )?(?:" + words + r")\b")
    assert not [key for key, entry in ENTRIES if plural.search(entry["en"])]


# Modules that may hold Chinese outside the catalogue, and why.
CHINESE = {
    "what is read: headers and cells as offices write them": {
        "cases/steps.py", "data/append.py", "data/personal.py",
        "data/schema.py", "data/suspects.py", "data/values.py", "scoring/office_files.py",
    },
    "units as rule sets are written with": {"rules/declaration.py"},
    "rows of the simulated county": {"simulate/records.py", "simulate/office_files.py"},
    "what is read of an office's files, and the maps that say so": {
        "grids/marks.py",
        "importing/blocks.py", "importing/cell_reading.py", "importing/corrections.py",
        "importing/figures.py", "importing/guess.py", "importing/guess_columns.py",
        "importing/guess_ledgers.py", "importing/header_words.py", "importing/item_columns.py",
        "importing/jobs.py", "importing/mapping.py", "importing/masking.py", "importing/panel_map.py",
        "importing/place_names.py", "importing/problem_groups.py", "importing/reading_report.py",
        "importing/sheet_layout.py", "importing/sources.py", "importing/states.py", "importing/template.py",
        "importing/title_facts.py", "importing/versions.py", "importing/vocabulary.py",
        "importing/word_columns.py",
    },
    "a font, and the product's name": {"presentation/workbook.py", "cli/app.py"},
    "names that a metric registers": {
        "evaluation/curves.py", "evaluation/lead_time.py", "evaluation/list_metrics.py",
        "evaluation/visits_equivalent.py", "evaluation/score_metrics.py",
    },
    "names that a model registers": {
        "models/baselines.py", "models/boosting.py", "models/explainable_boosting.py", "models/hazard.py",
        "models/logit.py", "models/rule_verdict.py", "models/scorecard.py", "models/stack.py",
        "models/vulnerability.py",
    },
}  # fmt: skip


def test_words_for_people_stand_in_the_catalogue() -> None:
    root = Path(i18n.__file__).parents[1]
    found = {
        file.relative_to(root).as_posix()
        for file in root.rglob("*.py")
        if re.search("[\u4e00-\u9fff]", text := file.read_text(encoding="utf-8")) and _chinese_values(text)
    }
    assert found == set().union(*CHINESE.values())


def _chinese_values(source: str) -> bool:
    """Say whether Chinese stands in a value, docstrings and comments left aside."""
    nodes = list(ast.walk(ast.parse(source)))
    told = {id(n.value) for n in nodes if isinstance(n, ast.Expr)}
    values = (n.value for n in nodes if isinstance(n, ast.Constant) and id(n) not in told)
    return any(isinstance(v, str) and re.search("[\u4e00-\u9fff]", v) for v in values)
