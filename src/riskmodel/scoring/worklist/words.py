"""The workbook's words, as ``words.yaml`` declares them: columns, drop-downs, summary, in zh and en."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from riskmodel.data import codes
from riskmodel.errors import UsageError
from riskmodel.io.specs import Spec, load

Lang = Literal["zh", "en"]
Kind = Literal[
    "text", "wrap", "id", "integer", "yuan", "percent", "chance", "date", "pick", "entry", "date_entry"
]
ENTRIES = ("pick", "entry", "date_entry")


class Words(Spec):
    """One phrase in both languages."""

    zh: str
    en: str

    def say(self, lang: Lang) -> str:
        """Return the phrase in one language."""
        return self.zh if lang == "zh" else self.en


class Column(Words):
    """One column of the list: header, what it means, how it is written."""

    id: str
    kind: Kind
    width: int
    means_zh: str
    means_en: str
    printed: bool = True
    choices: str | None = None


class Line(Spec):
    """One line of the summary: a heading, or a name with text (by default the value of that name)."""

    heading: Words | None = None
    id: str = ""
    zh: str = ""
    en: str = ""
    text: Words | None = None


class Book(Spec):
    """Everything the workbook says."""

    version: int
    sheets: dict[str, Words]
    columns: tuple[Column, ...]
    tiers: dict[str, Words]
    choices: dict[str, dict[str, Words]]
    words: dict[str, Words]
    summary: tuple[Line, ...]


@cache
def book() -> Book:
    """Return the packaged words (parsed once)."""
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


def code_words(lang: Lang) -> dict[str, dict[str, str]]:
    """Return the words of every coded column, ``{column: {code: word}}``; the contract's words in zh.

    Parameters
    ----------
    lang : str

    Returns
    -------
    dict
    """
    found = {
        "registration": codes("households", "registration"),
        "last_outcome": codes("visits", "outcome"),
        "selected_by": codes("visits", "selected_by"),
        "outcomes": codes("visits", "outcome"),
        "causes": codes("risk_events", "cause"),
    }
    if lang == "en":
        found = {column: {code: code.replace("_", " ") for code in known} for column, known in found.items()}
    own = {name: {code: w.say(lang) for code, w in c.items()} for name, c in book().choices.items()}
    colours = {code: w.say(lang) for code, w in book().tiers.items()}
    return {**found, **own, "tier": colours, "card": colours}
