"""Every sentence that the code says in English has its Chinese, with the same places.

A sentence that is new: add ``{en: …, zh: …}`` to ``words/errors.yaml`` or ``words/progress.yaml``, its places
named as the failure shows them, without a word before it ("warning: ").
"""

from __future__ import annotations

import re
import string
import time
from collections.abc import Iterator

import pytest

from riskmodel import i18n
from riskmodel.i18n import Sentences, translate

from .code_sentences import every_sentence

# What a Chinese sentence keeps: calls and code, options, keys and values of declarations.
KEPT = re.compile(
    r"""`[^`]*` | '[^']*' | \{[^}]*\} | \[[^\]]*\] | \([A-Za-z][^)]*\) | (?:pip|apt|conda)\ install\ \S+
    | riskmodel(?:\ [a-z]+)? (?:\ [A-Z]+|\ --?[\w-]+)* | [a-z_.]+:\ \S+""",
    re.VERBOSE,
)


def filled(template: str) -> Iterator[tuple[str, set[str]]]:
    """Yield a template as the code would fill it, for many and for one, and what fills it."""
    for number in ("7", "1"):
        text, values = "", set()
        for part, name, spec, _ in string.Formatter().parse(template):
            text += part
            if name is not None and "|" in (spec or ""):
                one, many = str(spec).split("|")[-2:]
                text += f"{number} {one if number == '1' else many}"
                values.add(number)
            elif name is not None:
                text += f"«{name}»"
                values.add(f"«{name}»")
        yield text, values


def english(chinese: str) -> list[str]:
    """Return what is still English: two words that follow each other."""
    return re.findall(r"[A-Za-z]{2,} [a-z]{2,}", KEPT.sub("·", chinese))


def test_every_sentence_of_the_code_has_its_chinese() -> None:
    missing = []
    for one in every_sentence():
        for text, values in filled(one.text):
            said = translate(text, "zh")
            if said == text or english(said) or not all(value in said for value in values):
                missing.append(f"{one.file}:{one.line}: {one.text}")
                break
    assert not missing, "\n".join(missing)


def test_no_sentence_stands_twice() -> None:
    for subject in ("errors", "progress"):
        found = [w["en"] for _, w in i18n.catalogue.entries(i18n.section(subject), subject)]
        assert len(found) == len(set(found))


def test_what_the_scan_finds_is_no_accident() -> None:
    found = {one.text for one in every_sentence()}
    assert len(found) > 500
    assert "{path}: no such file" in found
    assert any("{rows:row|rows} rejected" in text for text in found)


@pytest.mark.parametrize(
    ("english_text", "chinese"),
    [
        ("a.csv: no such file", "a.csv：没有这个文件"),
        ("riskmodel: a.csv: no such file", "riskmodel：a.csv：没有这个文件"),
        (
            "warning: 1 row rejected, kept whole in out/rejected.csv",
            "警告：剔除 1 行，原样保存在 out/rejected.csv",
        ),
        (
            "no rule set 'nationl-2021'; known: a, b; or give a path to a .yaml file; did you mean a?",
            "没有规则集 'nationl-2021'；可用：a, b；或给出 .yaml 文件的路径；是否指 a？",
        ),
        (
            "a.yaml: x: no such key; did you mean y? (allowed: y, z)",
            "a.yaml: x：没有这个键；是否指 y？（可用：y, z）",
        ),
        # A sentence that a computing layer says in both languages is known by its English too.
        ("notes.txt is no table of the contract and was not read", "notes.txt 不是约定的表，未读取"),
        ("nobody said this before", "nobody said this before"),
    ],
)
def test_a_sentence_is_read_back_and_said_in_chinese(english_text: str, chinese: str) -> None:
    assert translate(english_text, "zh") == chinese
    assert translate(english_text, "en") == english_text


def test_lines_and_parts_are_translated_one_by_one() -> None:
    found = Sentences(
        [{"en": "{path}: no such file", "zh": "{path}：没有这个文件"}, {"en": "done", "zh": "完成"}]
    )
    assert found.chinese("a: no such file\nb: no such file\nelse") == "a：没有这个文件\nb：没有这个文件\nelse"
    assert found.chinese("done; else; done") == "完成；else；完成"
    assert found.chinese("else") is None
    assert found.chinese("") is None


def test_the_template_that_has_most_in_common_wins() -> None:
    found = Sentences(
        [
            {"en": "no {what}", "zh": "没有{what}"},
            {"en": "no {what} here, try {other}", "zh": "这里没有{what}，试{other}"},
        ]
    )
    assert found.chinese("no table here, try b") == "这里没有table，试b"


def test_a_long_message_takes_no_time() -> None:
    text = "; ".join(f"{i}.csv: {'x' * 50} no such {'file ' * 20}" for i in range(50))
    translate("a: no such file", "zh")
    begin = time.perf_counter()
    translate(text, "zh")
    assert time.perf_counter() - begin < 2
