"""Cases as the page shows them: what waits, for whom, until when. No score is among the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskmodel.app.tables import GridTable, frame_table
from riskmodel.cases import declared
from riskmodel.data import codes
from riskmodel.i18n import Language, section

# An elimination and a clearance are prepared from these: only these columns are ever shown.
CASE_COLUMNS = (
    "household_id", "township", "kind", "state", "waiting_for", "clock", "due_on", "late", "since", "channel",
    "cause", "list", "standing", "opened_on", "closed", "case_id",
)  # fmt: skip
STEP_COLUMNS = ("date", "to", "role", "unit", "ground", "document", "recorded_on", "source")


@dataclass(frozen=True)
class CaseRecords:
    """A day's cases and steps, in codes, with the names of the rule set's limits."""

    day: str
    ruleset: str
    cases: pd.DataFrame
    steps: pd.DataFrame
    clocks: dict[str, dict[str, str]]


def case_table(records: CaseRecords, lang: Language) -> GridTable:
    """Return open cases first, what is late and due soonest on top, in words."""
    frame = records.cases.sort_values(["closed", "due_on", "household_id"], na_position="last")
    clocks = {code: words[lang] for code, words in records.clocks.items()}
    return frame_table(_in_words(frame, lang, clocks), _names(CASE_COLUMNS, lang))


def step_table(records: CaseRecords, case: str, lang: Language) -> GridTable:
    """Return the steps of a case in their order, in words."""
    steps = records.steps[records.steps["case_id"] == case].sort_values(["date", "recorded_on"])
    return frame_table(_in_words(steps, lang, {}), _names(STEP_COLUMNS, lang))


def waiting_counts(records: CaseRecords, lang: Language) -> list[tuple[str, int, int]]:
    """Return of whom open cases wait: role in words, how many, how many late."""
    open_cases = records.cases[~records.cases["closed"]]
    roles = declared().roles
    out = []
    for code, group in open_cases.groupby("waiting_for", sort=False):
        out.append((roles[str(code)].text(lang), len(group), int(group["late"].sum())))
    return sorted(out, key=lambda row: -row[1])


def _names(columns: tuple[str, ...], lang: Language) -> dict[str, str]:
    named = section("local_page.case_columns", lang)
    return {column: named[column] for column in columns}


def _in_words(frame: pd.DataFrame, lang: Language, clocks: dict[str, str]) -> pd.DataFrame:
    said, yes_no = declared(), section("local_page.yes_no", lang)
    states = {code: words.text(lang) for code, words in said.states.items()}
    words: dict[str, dict[Any, str]] = {
        "kind": {code: kind.text(lang) for code, kind in said.kinds.items()},
        "state": states,
        "to": states,
        "waiting_for": {code: role.text(lang) for code, role in said.roles.items()},
        "role": {code: role.text(lang) for code, role in said.roles.items()},
        "standing": {code: word.text(lang) for code, word in said.standings.items()},
        "clock": clocks,
        "late": {True: yes_no["yes"], False: ""},
        "closed": {True: yes_no["yes"], False: ""},
    }
    if lang == "zh":
        words["channel"] = dict(codes("risk_events", "channel"))
        words["cause"] = dict(codes("risk_events", "cause"))
    words["list"] = {number: name.text(lang) for number, name in said.lists.items()}
    out = frame.copy()
    for column in out.columns.intersection(list(words)):
        known = words[column]
        out[column] = [_word(value, known) for value in out[column]]
    return out


def _word(value: Any, known: dict[Any, str]) -> Any:
    if value is None or value is pd.NA or value != value:
        return None
    return known.get(value, known.get(str(value), value))
