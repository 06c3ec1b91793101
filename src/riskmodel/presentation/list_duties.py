"""Why each household stands on the list, in words: duties, days and limits, and what is under way."""

from __future__ import annotations

import pandas as pd

from riskmodel import rules
from riskmodel.cases import declared
from riskmodel.i18n import Language, check_language, pair, section, text
from riskmodel.io import column_values, records
from riskmodel.presentation.table import NOTHING
from riskmodel.rules import RuleSet
from riskmodel.scoring import CARD_RULESET, code_words, duty_rules


def phrase(name: str, lang: Language, /, **values: object) -> str:
    """Return a phrase of the worklist in one language, its places filled in."""
    return text(f"worklist.words.{name}", lang, **values)


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
    sources, out = code_words(language)["selected_by"], []
    rows = records(listed[["position", "planned", "selected_by", "owed", "due_date"]])
    for row, why in zip(rows, urgency_words(listed, language), strict=True):
        line = "plan_line" if row["planned"] else "plan_waits" if row["owed"] else "plan_stands"
        due = f"{row['due_date']:%Y-%m-%d}" if pd.notna(row["due_date"]) else NOTHING
        source = sources[row["selected_by"]]
        out.append(phrase(line, language, position=row["position"], source=source, why=why, due=due))
    return out


def urgency_words(rows: pd.DataFrame, lang: Language) -> list[object]:
    """Return why each household stands where it does: all its duties, or how it was chosen."""
    words, join = code_words(lang)["urgency"], phrase("colon_join", lang)
    duties = rows["duties"] if "duties" in rows else pd.Series("", rows.index)
    out: list[object] = []
    for all_of, code in zip(column_values(duties), column_values(rows["urgency"]), strict=True):
        codes = next((v for v in (all_of, code) if isinstance(v, str) and v), "")
        out.append(join.join(words[c] for c in codes.split(";")) if codes else None)
    return out


def clock_words(rows: pd.DataFrame, lang: Language) -> list[object]:
    """Return which limit sets the day of each household."""
    words = dict(section("worklist.clocks", lang)) | {c.id: pair(c)[lang] for c in declared().clocks}
    for ruleset in (*listed_rule_sets(rows), rules.load_rules(CARD_RULESET)):
        words = {c.id: pair(c)[lang] for c in ruleset.clocks} | words
    for ruleset in listed_rule_sets(rows):
        words |= {c.id: pair(c)[lang] for c in ruleset.clocks}
    return [words.get(str(v), v) if isinstance(v, str) else None for v in column_values(rows["clock"])]


def duty_lines(rows: pd.DataFrame, lang: Language) -> list[str | None]:
    """Return what is owed to each household and by when, or that nothing is asked now and why."""
    if "duties" not in rows:
        return [None] * len(rows)
    states = declared().states
    out: list[str | None] = []
    columns = (urgency_words(rows, lang), clock_words(rows, lang), records(rows[
        [c for c in ("duties", "urgency", "due_date", "case_state") if c in rows]]))  # fmt: skip
    for words, clock, row in zip(*columns, strict=True):
        code = row["urgency"]
        if isinstance(row["duties"], str) and row["duties"]:
            said = phrase("by_clock", lang, said=clock) if clock else ""
            out.append(phrase("by_duty", lang, duties=words, due=f"{row['due_date']:%Y-%m-%d}", clock=said))
        elif code in duty_rules().standing:
            state = states.get(str(row.get("case_state")))
            out.append(phrase(f"by_{code}", lang, state=pair(state)[lang] if state else NOTHING))
        else:
            out.append(None)
    return out


def listed_rule_sets(rows: pd.DataFrame) -> list[RuleSet]:
    """Return the rule sets that the verdicts of a list name, as far as they are here."""
    names = set(rows["ruleset"].dropna()) if "ruleset" in rows else set()
    return [rules.load_rules(name) for name in sorted(names & set(rules.available_rule_sets()))]
