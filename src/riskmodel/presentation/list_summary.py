"""What a worklist says of itself: what must be known first, its figures, what more visits would add."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel.i18n import LANGUAGES, Language, both, check_language, join, same, section, text
from riskmodel.io import records
from riskmodel.models import is_model, model_entry, model_names
from riskmodel.presentation.list_duties import phrase
from riskmodel.presentation.table import NOTHING
from riskmodel.scoring import RECOMPUTED, SILENT, Worklist, answer_of

MADE_BY = ("horizon_months", "model", "model_version", "run_id", "feature_set", "ruleset", "assumptions",
           "data_fingerprint")  # fmt: skip
OF_PROBABILITY = ("expected",)  # what the summary tells of probabilities, where there are any
SNAPSHOT = re.compile(r"(?:^|;)snapshot_on=([0-9-]+)")


def overload(worklist: Worklist, lang: Language) -> str:
    """Return what stands in the title of the list where duties exceed the visits, else nothing."""
    facts = summary_facts(worklist)
    return text("worklist.headlines.title", lang, **facts) if facts["owed_waiting"] else ""


def summary_lines(worklist: Worklist, lang: Language) -> list[tuple[str, str]]:
    """Return the summary as (name, text) pairs; a heading has no text."""
    facts = summary_facts(worklist)
    out = headlines(worklist, lang)
    silent = facts["answer"] == SILENT
    for part, words in section("worklist.summary").items():
        if silent and part == "more":
            continue
        out.append((words["heading"][lang], ""))
        for line, said in words["lines"].items():
            if silent and line in OF_PROBABILITY:
                continue
            if line == "curve":
                out += curve_lines(worklist, lang)
                continue
            key = f"worklist.summary.{part}.lines.{line}.text"
            out.append((said["name"][lang], text(key, lang, **facts) if "text" in said else str(facts[line])))
    if found := SNAPSHOT.search(facts["assumptions"]):
        out.append((phrase("snapshot", lang), phrase("snapshot_text", lang, day=found[1])))
    return out


def headlines(worklist: Worklist, lang: Language) -> list[tuple[str, str]]:
    """Return what must be known before the list is used, as (name, text) pairs; often nothing."""
    facts = summary_facts(worklist)
    holds = {
        "silent": facts["answer"] == SILENT,
        "recomputed": facts["answer"] == RECOMPUTED,
        "duties": facts["owed_waiting"] > 0,
        "no_lot": facts["lot"] > 0 and not facts["planned_random"] and facts["owed"] > 0,
        "small_lot": 0 < facts["planned_random"] < facts["lot"] and facts["owed"] > 0,
        "holidays": facts["years"] != "",
    }
    facts["places"] = {
        each: phrase("colon_join", each).join(
            text("worklist.headlines.place", each, **row) for row in records(duties_by_township(worklist))
        )
        for each in LANGUAGES
    }
    return [
        (text(f"worklist.headlines.{key}.name", lang), text(f"worklist.headlines.{key}.text", lang, **facts))
        for key, is_so in holds.items()
        if is_so
    ]


def list_headlines(worklist: Worklist, lang: str) -> list[str]:
    """Return what must be known before a list is used.

    Parameters
    ----------
    worklist
        From `riskmodel.scoring.build_worklist`.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    list of str
        Duties that exceed the visits, by township; a lot that is too small or empty, with the visits that
        would restore it; years without holidays. Often nothing.
    """
    language = check_language(lang)
    return [": ".join(line) for line in headlines(worklist, language)]


def answer_lines(worklist: Worklist, lang: Language) -> list[str]:
    """Return what a list says of a model that other rules judge beside than it learnt from; often nothing."""
    facts = summary_facts(worklist)
    kind = facts["answer"]
    return [text(f"worklist.headlines.{kind}.text", lang, **facts)] if kind in (SILENT, RECOMPUTED) else []


def duties_by_township(worklist: Worklist) -> pd.DataFrame:
    """Return ``place, owed, planned, waiting`` of each township where visits are owed and cannot be made."""
    owed = worklist.listed[worklist.listed["owed"]]
    out = owed.groupby("township", sort=True)["planned"].agg(owed="size", planned="sum").reset_index()
    out = out.assign(waiting=out["owed"] - out["planned"]).rename(columns={"township": "place"})
    return out[out["waiting"] > 0].sort_values("waiting", ascending=False, kind="stable")


def curve_lines(worklist: Worklist, lang: Language) -> list[tuple[str, str]]:
    """Return what more visits would reach, one line a number of visits."""
    out = []
    for step in worklist.curve.to_dict("records"):
        row = {str(k): v for k, v in step.items()}
        name = phrase("more" if row["more"] else "more_none", lang, **row)
        known = row["low"] == row["low"] and row["high"] == row["high"]
        interval = phrase("more_interval", lang, **row) if known else ""
        more = row["expected"] - worklist.curve["expected"].iloc[0]
        gain = phrase("more_gain", lang, gain=more) if row["more"] else ""
        out.append((name, phrase("more_text", lang, **row, gain=gain, interval=interval)))
    return out


def summary_facts(worklist: Worklist) -> dict[str, Any]:
    """Return every figure that the summary quotes: counts as int, expected numbers as float."""
    expected = ("expected", "expected_planned", "expected_flagged")
    facts: dict[str, Any] = {k: v if k in expected else int(v) for k, v in worklist.totals.items()}
    facts["planned_duty"] = facts["planned_rule"] + facts["planned_application"]
    facts["owed_guarantees"] = facts["owed_guarantee"] + facts["owed_verify"]
    facts["owed_clocks"] = facts["owed_running_out"] + facts["owed_revisit"]
    facts["missed"] = facts["expected"] - facts["expected_planned"]
    facts["visits"], facts["lot"] = worklist.visits, round(worklist.random_share * worklist.visits)
    years = worklist.duties.missing_years if worklist.duties else ()
    facts["years"] = ", ".join(map(str, years))
    facts["quota"] = {lang: _quotas(worklist, lang) for lang in LANGUAGES}
    facts["answer"], why = answer_of(pd.concat([worklist.listed, worklist.unknown], ignore_index=True))
    facts["answer_why"] = section("worklist.answers")[why]
    facts["covered"] = facts["expected_planned"] / facts["expected"] if facts["expected"] else 0.0
    facts["beyond"] = section("worklist.words")[f"beyond_{worklist.beyond}"]
    facts |= {"as_of": worklist.as_of, "random_share": worklist.random_share, "seed": worklist.seed}
    rows = pd.concat([worklist.listed, worklist.unknown], ignore_index=True)
    for column in MADE_BY:
        values = sorted({str(v) for v in rows[column].dropna()}) if column in rows else []
        facts[column] = ", ".join(values) or NOTHING
    kinds = sorted(set(rows["model_kind"].dropna().astype(str))) if "model_kind" in rows else []
    facts["order"] = join([_order(kind) for kind in kinds]) if kinds else same(NOTHING)
    if facts["answer"] == SILENT:
        facts["order"] = section("worklist.words")["order_distance"]
    return facts


def _order(kind: str) -> Mapping[str, str]:
    """Return what orders the households that no rule flags; a simple order is called one."""
    words = model_names(kind)
    simple = is_model(kind) and model_entry(kind).simple_order
    return both("worklist.words.order_simple", model=words) if simple else words


def _quotas(worklist: Worklist, lang: Language) -> str:
    if not worklist.quotas:
        return phrase("quota_none", lang)
    asked = [
        phrase(f"quota_{'each' if q.each else 'share'}_{q.place}", lang, each=q.each, share=q.share)
        for q in worklist.quotas
    ]
    placed = int(worklist.totals["planned_quota"])
    joined_up = phrase("colon_join", lang).join(asked)
    return phrase("quota_told", lang, asked=joined_up, floor=worklist.floor, placed=placed)
