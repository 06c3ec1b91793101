"""The worklist's columns, as ``worklist_columns.yaml`` declares them, and the words of its codes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from riskmodel.data import codes
from riskmodel.i18n import Language, Words, check_language, section
from riskmodel.io.specs import Spec, load_spec

Lang = Language
check_lang = check_language
Kind = Literal[
    "text", "wrap", "id", "integer", "yuan", "percent", "chance", "date", "pick", "entry", "date_entry"
]
ENTRIES = ("pick", "entry", "date_entry")


class ColumnSpec(Spec):
    """How a column of the list is written."""

    id: str
    kind: Kind
    width: int
    printed: bool = True
    choices: str | None = None


class Column(ColumnSpec, Words):
    """A column with its heading and what it means."""

    meaning: Words


class Columns(Spec):
    """All columns in their order."""

    version: Literal[1]
    columns: tuple[ColumnSpec, ...]


class Book(Spec):
    """Columns and phrases of the worklist."""

    sheets: dict[str, Words]
    columns: tuple[Column, ...]
    words: dict[str, Words]


@cache
def book() -> Book:
    """Return the packaged columns and phrases (parsed once)."""
    declared = load_spec(Path(__file__).with_name("worklist_columns.yaml"), Columns).columns
    named = section("worklist")
    columns = [
        c.model_dump() | named["columns"][c.id]["name"] | {"meaning": named["columns"][c.id]["meaning"]}
        for c in declared
    ]
    return Book.model_validate({"sheets": named["sheets"], "columns": columns, "words": named["words"]})


def code_words(lang: Language) -> dict[str, dict[str, str]]:
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
    colours = section("worklist.tiers", lang)
    return {**found, **section("worklist.choices", lang), "tier": colours, "card": colours}
