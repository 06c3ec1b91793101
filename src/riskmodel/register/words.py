"""The ledger's words (``words.yaml``): what things are called, and which written words mean which code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from riskmodel.data import codes
from riskmodel.errors import UsageError
from riskmodel.io.specs import Spec, load

Lang = Literal["zh", "en"]
UNKNOWN = "unknown"


class Word(Spec):
    """One name in both languages, and further words that mean it."""

    zh: str
    en: str
    also: tuple[str, ...] = ()

    def say(self, lang: Lang) -> str:
        """Return the name in one language."""
        return self.zh if lang == "zh" else self.en


class Line(Word):
    """One line of the ledger; ``sign`` says what it does to the closing stock (0: nothing)."""

    sign: Literal[-1, 0, 1]
    persons_only: bool = False
    optional: bool = False


class Book(Spec):
    """All words of the ledger."""

    version: Literal[1]
    categories: dict[str, Word]
    lines: dict[str, Line]
    stocks: dict[str, Word]
    increase: dict[str, Word]
    decrease: dict[str, Word]
    findings: dict[str, Word]
    words: dict[str, Word]


@cache
def book() -> Book:
    """Return the packaged words (parsed once).

    Examples
    --------
    >>> book().lines["eliminated"].sign
    -1
    """
    return load(Path(__file__).with_name("words.yaml"), Book)


def check_lang(lang: str) -> Lang:
    """Return the language if there is one of that name.

    Raises
    ------
    UsageError
        Otherwise.
    """
    if lang not in ("zh", "en"):
        raise UsageError(f"language {lang!r} is unknown; allowed: zh, en")
    return "zh" if lang == "zh" else "en"


@cache
def category_code(written: str | None) -> str:
    """Return the id of a category as a register wrote it; a word that nobody declared stays as it is.

    Examples
    --------
    >>> category_code("边缘户"), category_code("marginal"), category_code("重点户"), category_code(None)
    ('marginal', 'marginal', '重点户', 'unknown')
    """
    text = (written or "").strip()
    for code, word in book().categories.items():
        if text == code or text in (word.zh, *word.also) or text.lower() == word.en:
            return code
    return text or UNKNOWN


@cache
def reason_code(direction: Literal["increase", "decrease"], written: str) -> str:
    """Return why a person came or went; a reason that belongs to the other direction says nothing here.

    Returns
    -------
    str
        A code of ``words.yaml``; ``other`` for words that nobody declared (free text is not repeated),
        ``unstated`` where the words speak of the other direction.

    Examples
    --------
    >>> reason_code("increase", "婚入"), reason_code("decrease", "婚入"), reason_code("decrease", "因病死亡")
    ('married_in', 'unstated', 'died')
    """
    words = {"increase": book().increase, "decrease": book().decrease}
    own = _matches(written.strip(), words.pop(direction))
    if own:
        return own
    ((_, other),) = words.items()
    return "unstated" if _matches(written.strip(), other) else "other"


def _matches(text: str, words: dict[str, Word]) -> str | None:
    named = {code: w for code, w in words.items() if code not in ("other", "unstated")}
    for code, word in named.items():
        if text.lower() in (code, word.en) or text in (word.zh, *word.also):
            return code
    for code, word in named.items():
        if any(part in text for part in (word.zh, *word.also)):
            return code
    return None


def phrase(name: str, lang: Lang, /, **values: object) -> str:
    """Return a heading or sentence, its places filled in.

    Examples
    --------
    >>> phrase("below", "zh", edge=7000)
    '7000元以下'
    """
    return book().words[name].say(lang).format(**values)


def category_name(code: str, lang: Lang) -> str:
    """Return a category's name; one that nobody declared is its own name."""
    word = book().categories.get(code)
    return word.say(lang) if word else code


def code_name(table: str, column: str, code: str, lang: Lang) -> str:
    """Return the contract's word for a code in zh, the code in plain words in en.

    Examples
    --------
    >>> code_name("risk_events", "cause", "illness", "zh")
    '因病'
    >>> code_name("support", "measure", "public_post", "en")
    'public post'
    """
    return codes(table, column).get(code, code) if lang == "zh" else code.replace("_", " ")


def category_order(found: set[str]) -> list[str]:
    """Return categories in declared order, then undeclared ones by name; ``unknown`` comes last."""
    declared = [c for c in book().categories if c in found and c != UNKNOWN]
    others = sorted(found - set(book().categories))
    return declared + others + ([UNKNOWN] if UNKNOWN in found else [])
