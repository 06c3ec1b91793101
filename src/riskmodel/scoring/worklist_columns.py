"""The worklist's columns, as ``worklist_columns.yaml`` declares them, and the words of its codes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from riskmodel.data import codes
from riskmodel.i18n import Language, Words, section
from riskmodel.io import Spec, load_spec

Kind = Literal[
    "text", "wrap", "id", "integer", "yuan", "percent", "chance", "date", "pick", "entry", "date_entry"
]
ENTRY_KINDS = ("pick", "entry", "date_entry")


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


@cache
def declared_columns() -> tuple[Column, ...]:
    """Return the list's columns in their order, named in both languages (parsed once)."""
    layout = load_spec(Path(__file__).with_name("worklist_columns.yaml"), Columns).columns
    words = section("worklist.columns")
    return tuple(
        Column.model_validate(c.model_dump() | words[c.id]["name"] | {"meaning": words[c.id]["meaning"]})
        for c in layout
    )


def code_words(lang: Language) -> dict[str, dict[str, str]]:
    """Return the words of every coded column of the list.

    Parameters
    ----------
    lang
        ``zh`` (the contract's words) or ``en``.

    Returns
    -------
    dict
        ``{column: {code: word}}``, drop-down lists included.
    """
    words = {
        "registration": codes("households", "registration"),
        "last_outcome": codes("visits", "outcome"),
        "selected_by": codes("visits", "selected_by"),
        "outcomes": codes("visits", "outcome"),
        "causes": codes("risk_events", "cause"),
    }
    if lang == "en":
        words = {column: {code: code.replace("_", " ") for code in known} for column, known in words.items()}
    colours = section("worklist.tiers", lang)
    return {**words, **section("worklist.choices", lang), "tier": colours, "card": colours}
