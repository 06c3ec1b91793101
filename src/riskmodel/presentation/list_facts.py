"""What stands on a list of facts and hints: lines of the records first, and the model's apart from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from riskmodel import rules
from riskmodel.explanation import MeasureLibrary, Reader, write_fact_sheets
from riskmodel.i18n import Language, text
from riskmodel.io import column_values, records
from riskmodel.scoring import Worklist

REASONS = 3
BY_SCORE = ("chance", "beyond", "quota")  # why a household stands here that no rule names
GROUNDS = ("flagged", "urgency", "duties", "clock", "case_state", "rule_conditions", "rule_category",
           "income_reason")  # fmt: skip  # why it is on the list


def _phrase(name: str, lang: Language, /, **values: object) -> str:
    return text(f"worklist.words.{name}", lang, **values)


def with_facts(
    worklist: Worklist,
    rows: pd.DataFrame,
    lang: Language,
    library: MeasureLibrary | None = None,
    reader: Reader = "office",
) -> pd.DataFrame:
    """Return rows of a list with what is on record of each, what to ask and what could help, line by line.

    For the village nothing is left beside the facts that would tell why a household is on the list.
    """
    if reader == "village":
        rows = rows.drop(columns=[c for c in GROUNDS if c in rows])
    if worklist.facts.empty or rows.empty:
        return rows
    found = write_fact_sheets(worklist.facts, list(rows["household_id"]), lang, reader, library)
    sheets = [found[i] for i in rows["household_id"]]
    return rows.assign(
        fact_lines=["\n".join(s.facts) for s in sheets],
        question_lines=["\n".join(s.questions) for s in sheets],
        measure_lines=[_phrase("list_join", lang).join(s.measures) for s in sheets],
    )


def written_lines(column: str) -> Callable[[pd.DataFrame, Language], list[object]]:
    """Return what writes a column of lines that stand on the rows already."""
    return lambda rows, lang: [text or None for text in column_values(rows[column])]


def fact_cells(rows: pd.DataFrame, conditions: Sequence[object], lang: Language) -> list[object]:
    """Return one cell a household: the rules' grounds and the facts on record; or the lot, the card."""
    flagged = rows["flagged"].eq(True) if "flagged" in rows else pd.Series(False, rows.index)
    urgency = rows["urgency"] if "urgency" in rows else pd.Series("", rows.index)
    alone = {"lot": "by_lot"}
    facts = column_values(rows["fact_lines"]) if "fact_lines" in rows else [""] * len(rows)
    blind = _unknown_incomes(rows, lang)
    out: list[object] = []
    columns = (conditions, facts, column_values(flagged), column_values(urgency), blind)
    for grounds, told, is_flagged, code, why in zip(*columns, strict=True):
        lines = [_phrase(alone[code], lang)] if code in alone else []
        lines += [why] if why and not told else []
        lines += [_phrase("by_rule", lang, said=grounds)] if is_flagged and grounds else []
        lines += [told] if told else []
        if not lines and code in BY_SCORE:
            lines = [_phrase("by_score", lang)]
        if not lines and code == "distance":
            lines = [_phrase("by_distance", lang)]
        out.append("\n".join(lines) or None)
    return out


def hint_cells(rows: pd.DataFrame, lang: Language) -> list[object]:
    """Return one cell a household: what the model adds to the facts."""
    urgency = rows["urgency"] if "urgency" in rows else pd.Series("", rows.index)
    out: list[object] = []
    for said, code in zip(_sentences(rows, lang), column_values(urgency), strict=True):
        lines = [f"{i}. {sentence}" for i, sentence in enumerate(said, 1)]
        if not lines and code in BY_SCORE:
            lines = [_phrase("by_many", lang)]
        out.append("\n".join(lines) or None)
    return out


def _unknown_incomes(rows: pd.DataFrame, lang: Language) -> list[str | None]:
    """Return why an income is unknown, where the list cannot judge for that reason."""
    if "income_reason" not in rows:
        return [None] * len(rows)
    codes = column_values(rows["income_reason"].where(rows["pcni"].isna()))
    named = [rules.name_reasons(c, lang) for c in codes]
    return [_phrase("by_unknown", lang, said=said[0]) if said else None for said in named]


def _sentences(rows: pd.DataFrame, lang: Language) -> list[list[str]]:
    """Return what the model says of each household, at most `REASONS` sentences each."""
    out: list[list[str]] = []
    numbered = [k for k in range(1, REASONS + 1) if f"reason_{k}" in rows]
    parts = [f"{part}_{k}" for k in numbered for part in ("cause", "reason")]
    for row in records(rows[[c for c in parts if c in rows]]):
        sentences = [
            _phrase("reason_line", lang, cause=row.get(f"cause_{k}", ""), reason=row[f"reason_{k}"])
            for k in numbered
            if isinstance(row[f"reason_{k}"], str) and row[f"reason_{k}"]
        ]
        out.append(sentences)
    return out
