"""From rows of a worklist to what its reader sees: words for codes, reasons in one cell, spans as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from riskmodel.i18n import Language, check_language, section, text
from riskmodel.scoring import ENTRY_KINDS, Column, code_words, declared_columns

OPTIONAL = (
    "tier",
    "interval",
    "rule_conditions",
    "group",
    "persons",
    "registration",
    "in_register",
    "last_visit",
    "last_outcome",
    "card",
    "held_until",
    "own_id",
    "head_name",
    "contact",
    "phone",
    "trip",
)
SOURCES_OF = {
    "reasons": ("reason_1",),
    "interval": ("probability_low", "probability_high"),
}
REASONS = 3


def phrase(name: str, lang: Language, /, **values: object) -> str:
    """Return a phrase of the worklist in one language, its places filled in."""
    return text(f"worklist.words.{name}", lang, **values)


def list_columns(rows: pd.DataFrame) -> list[Column]:
    """Return the declared columns that have something to say for these rows, and those to be filled in."""
    return [c for c in declared_columns() if c.kind in ENTRY_KINDS or _present(rows, c)]


def _present(rows: pd.DataFrame, column: Column) -> bool:
    needed = SOURCES_OF.get(column.id, (column.id,))
    if not all(c in rows for c in needed):
        return False
    # A column that the contract fixes stays even if empty; one that a county may lack does not.
    return column.id not in OPTIONAL or bool(rows[list(needed)].replace("", None).notna().any(axis=None))


def rows_in_words(rows: pd.DataFrame, columns: list[Column], lang: Language) -> pd.DataFrame:
    """Return the rows as they are read: text, numbers, dates; None where nothing is to be written."""
    made: Mapping[str, Callable[[pd.DataFrame, Language], list[object]]] = {
        "reasons": _why,
        "interval": _intervals,
        "planned": _yes_no("planned"),
        "in_register": _yes_no("in_register"),
        "rule_category": _categories,
        "rule_conditions": _conditions,
    }
    coded = code_words(lang)
    out: dict[str, list[object]] = {}
    for column in columns:
        if column.kind in ENTRY_KINDS:
            out[column.id] = [None] * len(rows)
        elif column.id in made:
            out[column.id] = made[column.id](rows, lang)
        else:
            words = coded.get(column.id, {})
            out[column.id] = [_plain(v, words) for v in rows[column.id]]
    return pd.DataFrame(out, index=rows.index, columns=[c.id for c in columns], dtype=object)


def _plain(value: object, words: Mapping[str, str]) -> object:
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    return words.get(value, value) if isinstance(value, str) else value


def _yes_no(column: str) -> Callable[[pd.DataFrame, Language], list[object]]:
    def write(rows: pd.DataFrame, lang: Language) -> list[object]:
        yes, no = phrase("yes", lang), phrase("no", lang)
        return [None if pd.isna(v) else yes if v else no for v in rows[column]]

    return write


def reasons(rows: pd.DataFrame, lang: Language) -> list[list[str]]:
    """Return what the model says of each household, at most `REASONS` sentences each."""
    out: list[list[str]] = []
    numbered = [k for k in range(1, REASONS + 1) if f"reason_{k}" in rows]
    parts = [f"{part}_{k}" for k in numbered for part in ("cause", "reason")]
    for row in rows[[c for c in parts if c in rows]].to_dict("records"):
        sentences = [
            phrase("reason_line", lang, cause=row.get(f"cause_{k}", ""), reason=row[f"reason_{k}"])
            for k in numbered
            if isinstance(row[f"reason_{k}"], str) and row[f"reason_{k}"]
        ]
        out.append(sentences)
    return out


def plan_words(listed: pd.DataFrame, lang: str) -> list[str]:
    """Return in words how each household came onto the list and when it is to be visited.

    Parameters
    ----------
    listed : DataFrame
        ``Worklist.listed``.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    list of str
        One text a household, in the order of the list.
    """
    language = check_language(lang)
    coded = code_words(language)
    out = []
    for row in listed[["position", "planned", "selected_by", "urgency", "due_date"]].to_dict("records"):
        source, why = coded["selected_by"][row["selected_by"]], coded["urgency"][row["urgency"]]
        line = "plan_line" if row["planned"] else "plan_waits"
        due = f"{pd.Timestamp(row['due_date']):%Y-%m-%d}"
        out.append(phrase(line, language, position=row["position"], source=source, why=why, due=due))
    return out


def _why(rows: pd.DataFrame, lang: Language) -> list[object]:
    """Return one cell a household: the rules' grounds, the model's reasons, or that it was drawn."""
    rules = _conditions(rows, lang) if "rule_conditions" in rows else [None] * len(rows)
    flagged = rows["flagged"].eq(True) if "flagged" in rows else pd.Series(False, rows.index)
    urgency = rows["urgency"] if "urgency" in rows else pd.Series("", rows.index)
    alone = {"lot": "by_lot", "card_due": "by_card", "chance": "by_many", "beyond": "by_many"}
    blind = _unknown_incomes(rows, lang)
    out: list[object] = []
    for grounds, given, is_flagged, code, why in zip(
        rules, reasons(rows, lang), flagged, urgency, blind, strict=True
    ):
        head = [why] if why else []
        head += [phrase("by_rule", lang, said=grounds)] if is_flagged and grounds else []
        lines = head + [f"{i}. {sentence}" for i, sentence in enumerate(given, 1)]
        if code in alone and (not lines or code in ("lot", "card_due")):
            lines = [phrase(alone[code], lang), *lines]
        out.append("\n".join(lines) or None)
    return out


def _unknown_incomes(rows: pd.DataFrame, lang: Language) -> list[str | None]:
    """Return why an income is unknown, where the list cannot judge for that reason."""
    if "income_reason" not in rows:
        return [None] * len(rows)
    causes = section("rules.reasons", lang)
    codes = rows["income_reason"].where(rows["pcni"].isna())
    known = [c if isinstance(c, str) and c in causes else None for c in codes]
    return [phrase("by_unknown", lang, said=causes[c]) if c else None for c in known]


def _intervals(rows: pd.DataFrame, lang: Language) -> list[object]:
    ends = rows[["probability_low", "probability_high"]].to_numpy(dtype=float)
    return [f"{low:.1%}–{high:.1%}" if np.isfinite(low + high) else None for low, high in ends]


def _categories(rows: pd.DataFrame, lang: Language) -> list[object]:
    own = {"none": phrase("none", lang), "unknown": phrase("unknown", lang)}
    known = own | {c: w for (kind, c), w in _rule_words(rows, lang).items() if kind == "category"}
    return [_plain(v, known) for v in rows["rule_category"]]


def _conditions(rows: pd.DataFrame, lang: Language) -> list[object]:
    words = _rule_words(rows, lang)
    known = {c: w for (kind, c), w in words.items() if kind == "condition"}
    reviewed = {c for kind, c in words if kind == "review"}
    join = phrase("colon_join", lang)
    out: list[object] = []
    for value in rows["rule_conditions"]:
        ids = [part for part in str(value).split(";") if part] if isinstance(value, str) else []
        # Conditions of a review (what an elimination needs) are not why a household was flagged.
        ids = [i for i in ids if i not in reviewed]
        out.append(join.join(known.get(i, i) for i in ids) or None)
    return out


def _rule_words(rows: pd.DataFrame, lang: Language) -> dict[tuple[str, str], str]:
    """Return what the rule sets of these rows call their categories and conditions."""
    from riskmodel import rules

    out: dict[tuple[str, str], str] = {}
    for name in sorted(set(rows.get("ruleset", pd.Series(dtype=object)).dropna())):
        if name not in rules.available_rule_sets():
            continue
        found = rules.load_rules(name)
        for kind, pairs in (
            ("category", [(c.id, c) for c in found.categories]),
            ("condition", list(found.conditions.items())),
        ):
            out |= {(kind, i): (w.zh if lang == "zh" else w.en) for i, w in pairs}
        out |= {("review", i): c.zh for i, c in found.conditions.items() if c.applies is not None}
    return out
