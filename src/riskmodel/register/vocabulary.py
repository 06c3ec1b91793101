"""The register's vocabulary: names of its codes, and which written words mean which code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from riskmodel.data import code_words
from riskmodel.i18n import Language, Words, section, text
from riskmodel.io import Spec, parse_spec, read_yaml

UNKNOWN = "unknown"


class Term(Words):
    """A code's name in both languages, and its synonyms."""

    synonyms: tuple[str, ...] = ()


class Line(Words):
    """One line of the accounts: what it does to the closing stock (0: nothing), and where it is printed."""

    sign: Literal[-1, 0, 1]
    persons_only: bool = False
    optional: bool = False


class RegisterVocabulary(Spec):
    """The register's codes and lines (``vocabulary.yaml``) with their names."""

    categories: dict[str, Term]
    lines: dict[str, Line]
    stocks: dict[str, Words]
    increase: dict[str, Term]
    decrease: dict[str, Term]
    findings: dict[str, Words]


@cache
def register_vocabulary() -> RegisterVocabulary:
    """Return the packaged codes and lines with their names (parsed once).

    Returns
    -------
    RegisterVocabulary
        ``categories, lines, stocks, increase, decrease, findings``: each a mapping from code to its term.

    Examples
    --------
    >>> register_vocabulary().lines["eliminated"].sign
    -1
    """
    path = Path(__file__).with_name("vocabulary.yaml")
    declared = read_yaml(path)
    named = section("register")
    parts: dict[str, Any] = {"stocks": named["stocks"], "findings": named["findings"]}
    parts["lines"] = {code: named["lines"][code] | line for code, line in declared["lines"].items()}
    for part in ("categories", "increase", "decrease"):
        parts[part] = {
            code: named[part][code] | {"synonyms": words} for code, words in declared[part].items()
        }
    return parse_spec(parts, RegisterVocabulary, path)


@cache
def category_code(written: str | None) -> str:
    """Return the id of a category as a register wrote it; a word that nobody declared stays as it is.

    Examples
    --------
    >>> category_code("边缘户"), category_code("marginal"), category_code("重点户"), category_code(None)
    ('marginal', 'marginal', '重点户', 'unknown')
    """
    text_written = (written or "").strip()
    for code, term in register_vocabulary().categories.items():
        if text_written in (code, term.zh, *term.synonyms) or text_written.lower() == term.en:
            return code
    return text_written or UNKNOWN


@cache
def reason_code(direction: Literal["increase", "decrease"], written: str) -> str:
    """Return the reason for an arrival or a departure as a code.

    ``other`` stands for words that nobody declared (free text is not repeated), ``unstated`` where the words
    belong to the other direction.

    Examples
    --------
    >>> reason_code("increase", "婚入"), reason_code("decrease", "婚入"), reason_code("decrease", "因病死亡")
    ('married_in', 'unstated', 'died')
    >>> reason_code("decrease", "失联"), reason_code("decrease", "失联人员回归")
    ('lost', 'unstated')
    """
    vocabulary = register_vocabulary()
    own, opposite = vocabulary.increase, vocabulary.decrease
    if direction == "decrease":
        own, opposite = opposite, own
    word = written.strip()
    # A whole word of the other direction is no word of this one, though it may contain one (失联人员回归).
    for matches in (_same_word, _contained_word):
        if code := matches(word, own):
            return code
        if matches(word, opposite):
            return "unstated"
    return "other"


def _same_word(written: str, terms: dict[str, Term]) -> str | None:
    named = (code for code, term in terms.items() if code != "unstated" and _is_word(written, code, term))
    return next(named, None)


def _is_word(written: str, code: str, term: Term) -> bool:
    return written.lower() in (code, term.en) or written in (term.zh, *term.synonyms)


def _contained_word(written: str, terms: dict[str, Term]) -> str | None:
    for code, term in terms.items():
        if code not in ("other", "unstated") and any(part in written for part in (term.zh, *term.synonyms)):
            return code
    return None


def phrase(name: str, lang: Language, /, **values: object) -> str:
    """Return a heading or sentence of the register's pages and workbooks.

    Parameters
    ----------
    name
        Key below ``register.words`` in the catalogue.
    lang
        ``zh`` or ``en``.
    **values
        What fills the places of the sentence.

    Returns
    -------
    str
        The phrase in that language.

    Examples
    --------
    >>> phrase("below", "zh", edge=7000)
    '7000元以下'
    """
    return text(f"register.words.{name}", lang, **values)


def category_name(code: str, lang: Language) -> str:
    """Return a category's name; one that nobody declared is its own name.

    Parameters
    ----------
    code
        Id of the category, or the word that the register holds.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        The name in that language.
    """
    term = register_vocabulary().categories.get(code)
    return term.text(lang) if term else code


def change_reason(direction: Literal["increase", "decrease"], code: str, lang: Language) -> str:
    """Return what the reason for an arrival or a departure is called.

    Parameters
    ----------
    direction
        ``increase`` or ``decrease``.
    code
        From `reason_code`.
    lang
        ``zh`` or ``en``.

    Examples
    --------
    >>> change_reason("decrease", "married_out", "en")
    'married out'
    """
    term: Term = getattr(register_vocabulary(), direction)[code]
    return term.text(lang)


def code_name(table: str, column: str, code: str, lang: Language) -> str:
    """Return the contract's word for a code in zh, the code in plain words in en.

    Parameters
    ----------
    table, column
        Where the contract declares the code.
    code
        The code; one that the contract does not know is returned as it is.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        The word in that language.

    Examples
    --------
    >>> code_name("risk_events", "cause", "illness", "zh")
    '因病'
    >>> code_name("support", "measure", "public_post", "en")
    'public post'
    """
    return code_words(table, column, code, spaced=True)[lang]


def order_categories(codes_used: set[str]) -> list[str]:
    """Return categories in declared order, then undeclared ones by name; ``unknown`` comes last."""
    declared = [c for c in register_vocabulary().categories if c in codes_used and c != UNKNOWN]
    others = sorted(codes_used - set(register_vocabulary().categories))
    return declared + others + ([UNKNOWN] if UNKNOWN in codes_used else [])


def in_line_order(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sort lines of the accounts by keys, then by the declared order of lines."""
    order = {line: i for i, line in enumerate(register_vocabulary().lines)}
    out = frame.sort_values(
        [*keys, "line"], key=lambda c: c.map(order) if c.name == "line" else c, kind="stable"
    )
    return out.reset_index(drop=True)[[*keys, "line", "hh", "p"]]
