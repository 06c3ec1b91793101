"""The summary sheet: what the list covers, how to read it, which data and model made it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from riskmodel.scoring.worklist.select import Worklist
from riskmodel.scoring.worklist.words import Lang, book

MISSING = "—"
MADE_BY = ("horizon_months", "model", "model_version", "run_id", "feature_set", "ruleset", "data_fingerprint")


def summary_lines(worklist: Worklist, lang: Lang) -> list[tuple[str, str]]:
    """Return the summary as (name, text) pairs; a heading has no text.

    Parameters
    ----------
    worklist : Worklist
    lang : str

    Returns
    -------
    list of (str, str)
    """
    facts = summary_facts(worklist)
    out = []
    for line in book().summary:
        if line.id == "curve":
            out += curve_lines(worklist, lang)
            continue
        if line.heading is not None:
            out.append((line.heading.say(lang), ""))
            continue
        name = line.zh if lang == "zh" else line.en
        text = line.text.say(lang).format(**facts) if line.text else str(facts[line.id])
        out.append((name, text))
    return out


def curve_lines(worklist: Worklist, lang: Lang) -> list[tuple[str, str]]:
    """Return what more visits would reach, one line a number of visits."""
    words = book().words
    out = []
    for found in worklist.curve.to_dict("records"):
        row = {str(k): v for k, v in found.items()}
        name = words["more" if row["more"] else "more_none"].say(lang).format(**row)
        known = row["low"] == row["low"] and row["high"] == row["high"]
        interval = words["more_interval"].say(lang).format(**row) if known else ""
        out.append((name, words["more_text"].say(lang).format(**row, interval=interval)))
    return out


def summary_facts(worklist: Worklist) -> dict[str, Any]:
    """Return every figure that the summary quotes: counts as int, expected numbers as float."""
    expected = ("expected", "expected_planned", "expected_flagged")
    facts: dict[str, Any] = {k: v if k in expected else int(v) for k, v in worklist.totals.items()}
    facts["waiting"] = facts["flagged"] + facts["card_due"] - facts["planned_rule"]
    facts |= {"quota_zh": _quotas(worklist, "zh"), "quota_en": _quotas(worklist, "en")}
    facts["covered"] = facts["expected_planned"] / facts["expected"] if facts["expected"] else 0.0
    kept = book().words[f"beyond_{worklist.beyond}"]
    facts |= {"beyond_zh": kept.zh, "beyond_en": kept.en}
    facts |= {"as_of": worklist.as_of, "random_share": worklist.random_share, "seed": worklist.seed}
    rows = pd.concat([worklist.listed, worklist.unknown], ignore_index=True)
    for column in MADE_BY:
        values = sorted({str(v) for v in rows[column].dropna()}) if column in rows else []
        facts[column] = ", ".join(values) or MISSING
    return facts


def _quotas(worklist: Worklist, lang: Lang) -> str:
    words = book().words
    if not worklist.quotas:
        return words["quota_none"].say(lang)
    asked = [
        words[f"quota_{'each' if q.each else 'share'}_{q.place}"].say(lang).format(each=q.each, share=q.share)
        for q in worklist.quotas
    ]
    placed = int(worklist.totals["planned_quota"])
    told = words["colon_join"].say(lang).join(asked)
    return words["quota_told"].say(lang).format(asked=told, floor=worklist.floor, placed=placed)
