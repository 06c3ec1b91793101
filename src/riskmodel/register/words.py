"""The register's words: what its codes are called, and which written words mean which code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from riskmodel.data import codes
from riskmodel.i18n import Language, Words, check_language, section, text
from riskmodel.io.specs import Spec, load_spec

Lang = Language
check_lang = check_language
UNKNOWN = "unknown"


class Word(Words):
    """A code's name in both languages, and further words that mean it."""

    also: tuple[str, ...] = ()


class LineSpec(Spec):
    """What a line of the ledger does to the closing stock (0: nothing), and where it is printed."""

    sign: Literal[-1, 0, 1]
    persons_only: bool = False
    optional: bool = False


class Line(Words, LineSpec):
    """One line of the ledger with its name."""


class Vocabulary(Spec):
    """The register's codes and lines, as ``vocabulary.yaml`` declares them."""

    version: Literal[1]
    lines: dict[str, LineSpec]
    categories: dict[str, tuple[str, ...]]
    increase: dict[str, tuple[str, ...]]
    decrease: dict[str, tuple[str, ...]]


class Book(Spec):
    """The register's codes and lines with their names."""

    categories: dict[str, Word]
    lines: dict[str, Line]
    stocks: dict[str, Words]
    increase: dict[str, Word]
    decrease: dict[str, Word]
    findings: dict[str, Words]


@cache
def book() -> Book:
    """Return the packaged codes with their names (parsed once).

    Examples
    --------
    >>> book().lines["eliminated"].sign
    -1
    """
    declared = load_spec(Path(__file__).with_name("vocabulary.yaml"), Vocabulary)
    named = section("register")
    parts: dict[str, Any] = {"stocks": named["stocks"], "findings": named["findings"]}
    parts["lines"] = {code: named["lines"][code] | line.model_dump() for code, line in declared.lines.items()}
    for part in ("categories", "increase", "decrease"):
        also = getattr(declared, part)
        parts[part] = {code: named[part][code] | {"also": words} for code, words in also.items()}
    return Book.model_validate(parts)


@cache
def category_code(written: str | None) -> str:
    """Return the id of a category as a register wrote it; a word that nobody declared stays as it is.

    Examples
    --------
    >>> category_code("边缘户"), category_code("marginal"), category_code("重点户"), category_code(None)
    ('marginal', 'marginal', '重点户', 'unknown')
    """
    given = (written or "").strip()
    for code, word in book().categories.items():
        if given == code or given in (word.zh, *word.also) or given.lower() == word.en:
            return code
    return given or UNKNOWN


@cache
def reason_code(direction: Literal["increase", "decrease"], written: str) -> str:
    """Return why a person came or went; a reason that belongs to the other direction says nothing here.

    Returns
    -------
    str
        A code of ``vocabulary.yaml``; ``other`` for words that nobody declared (free text is not repeated),
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


def _matches(given: str, words: dict[str, Word]) -> str | None:
    named = {code: w for code, w in words.items() if code not in ("other", "unstated")}
    for code, word in named.items():
        if given.lower() in (code, word.en) or given in (word.zh, *word.also):
            return code
    for code, word in named.items():
        if any(part in given for part in (word.zh, *word.also)):
            return code
    return None


def phrase(name: str, lang: Language, /, **values: object) -> str:
    """Return a heading or sentence, its places filled in.

    Examples
    --------
    >>> phrase("below", "zh", edge=7000)
    '7000元以下'
    """
    return text(f"register.words.{name}", lang, **values)


def category_name(code: str, lang: Language) -> str:
    """Return a category's name; one that nobody declared is its own name."""
    word = book().categories.get(code)
    return word.text(lang) if word else code


def code_name(table: str, column: str, code: str, lang: Language) -> str:
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
