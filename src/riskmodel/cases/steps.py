"""What the county's tables say of cases, as steps: one row a step, in the order in which they happened.

Warnings, applications, visits, rows of the procedure, the register and support are read as known at a day.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from riskmodel.cases.declaration import declared
from riskmodel.households import KnownCounty

STEP_COLUMNS = (
    "household_id", "to", "date", "recorded_on", "role", "unit", "ground", "document", "corrects", "kind",
    "cause", "channel", "list", "category", "number", "case_id", "row_id", "source",
    "counts_from",
)  # fmt: skip
LOG_ROW = "case-step-"  # how rows of the tables that the log wrote are numbered
# How a warning's result is read; anything else is a visit whose finding is not recorded.
_NOT_TRUE, _TRUE = (
    ("不属实", "无风险", "排除", "not_confirmed", "not confirmed"),
    ("属实", "confirmed", "有风险"),
)
# Whoever writes a row of these tables, where no log says it.
_ROLES = {"clue": "department", "to_verify": "county"}


def steps_of_tables(known: KnownCounty, without_logged: bool = False) -> pd.DataFrame:
    """Return what the tables say.

    Parameters
    ----------
    known
        The county as known at a day.
    without_logged
        Leave out the rows that a case log wrote there: it says more of them.

    Returns
    -------
    DataFrame
        Columns `STEP_COLUMNS`; ``to`` is a state, in order of household, date and phase.
    """
    parts = [
        _warnings(known),
        _applications(known),
        _visits(known),
        _procedure(known),
        _register(known),
        _support(known),
    ]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(STEP_COLUMNS), dtype=object)
    out = pd.concat(parts, ignore_index=True).reindex(columns=list(STEP_COLUMNS))
    if without_logged:
        out = out[~out["row_id"].astype(str).str.startswith(LOG_ROW)]
    return in_order(out.assign(source="table"))


def in_order(steps: pd.DataFrame) -> pd.DataFrame:
    """Return steps by household, day, how far each leads, day of recording and number; None for missing."""
    steps = steps.astype(object).where(steps.notna(), None)
    order = {code: i for i, code in enumerate(declared().states)}
    phases = {code: (s.side, s.phase, order[code]) for code, s in declared().states.items()}
    keys = pd.DataFrame(
        {
            "household": steps["household_id"].astype(str),
            "date": pd.to_datetime(steps["date"]),
            "logged": steps["number"].notna(),
            "number": pd.to_numeric(steps["number"]).fillna(0),
            "phase": [phases[to] for to in steps["to"]],
            "recorded": pd.to_datetime(steps["recorded_on"]),
        },
        index=steps.index,
    )
    return steps.loc[
        keys.sort_values(["household", "date", "logged", "number", "phase", "recorded"], kind="stable").index
    ].reset_index(drop=True)


def _fetch(known: KnownCounty, table: str, *columns: str) -> pd.DataFrame:
    """Return known rows dated by the day, with ``recorded_on``; empty where there is no such table."""
    if not known.has(table):
        return pd.DataFrame(columns=["household_id", "recorded_on", *columns])
    t = known.rows(table)
    have = [c for c in columns if c in t.columns]
    out = (
        t.select("household_id", *have, recorded_on=t.known_on)
        .to_pandas()
        .reindex(columns=["household_id", "recorded_on", *columns])
    )
    out["household_id"] = out["household_id"].astype(str)
    return out


def _until(rows: pd.DataFrame, known: KnownCounty, column: str = "date") -> pd.DataFrame:
    """Keep what has happened by the day: a date after it is a plan."""
    day = pd.to_datetime(rows[column])
    return rows[day.notna() & (day <= pd.Timestamp(known.as_of))]


def _warnings(known: KnownCounty) -> pd.DataFrame:
    rows = _fetch(
        known, "warnings", "department", "pushed_on", "forwarded_on", "checked_on", "result", "row_id"
    )
    rows["channel"], rows["unit"] = "department_screening", rows["department"]
    pushed = rows.assign(to="clue", date=rows["pushed_on"])
    forwarded = rows.assign(to="to_verify", date=rows["forwarded_on"])
    checked = rows.assign(to=[_finding(r) for r in rows["result"]], date=rows["checked_on"])
    out = pd.concat([_until(part, known) for part in (pushed, forwarded, checked)], ignore_index=True)
    return out.assign(role=[_ROLES.get(to, "village") for to in out["to"]])


def _finding(result: Any) -> str:
    """Return the finding that a warning's result states; a date of the visit alone states none."""
    text = "" if result is None or result != result else str(result).lower()
    if any(word in text for word in _NOT_TRUE):
        return "not_confirmed"
    return "verified" if any(word in text for word in _TRUE) else "visited"


def _applications(known: KnownCounty) -> pd.DataFrame:
    rows = _until(_fetch(known, "risk_events", "date", "cause", "channel", "row_id"), known)
    # Other channels say how the office found what is on record: only an application waits for an answer.
    rows = rows[rows["channel"] == "household_application"]
    # The office can answer from the day on which it wrote the application down.
    return rows.assign(to="clue", role="household", counts_from=rows["recorded_on"])


def _visits(known: KnownCounty) -> pd.DataFrame:
    rows = _until(
        _fetch(known, "visits", "date", "outcome", "cause", "selected_by", "decision", "row_id"), known
    )
    words = {"confirmed": "verified", "not_confirmed": "not_confirmed", "absent": "absent"}
    # Which list chose the household is not of the case: a score leaves no trace here, not even as a source.
    rows["channel"] = rows.pop("selected_by").map({"application": "household_application"})
    rows = rows.assign(to=rows.pop("outcome").map(words), role="village")
    decided = rows[(rows["to"] == "verified") & rows["decision"].isin(["no_risk", "pass_on"])]
    after = decided["decision"].map({"no_risk": "not_proposed", "pass_on": "referred"})
    return pd.concat([rows, decided.assign(to=after, row_id=None)], ignore_index=True)


def _procedure(known: KnownCounty) -> pd.DataFrame:
    rows = _until(_fetch(known, "procedure", "step", "date", "row_id"), known)
    words = {s.word: code for code, s in declared().states.items() if s.word}
    words |= dict.fromkeys(declared().proposal_words, "proposed")
    step = rows.pop("step").astype(str).str.strip()
    rows = rows.assign(to=step.map(words), kind=step.map(declared().proposal_words))
    rows = rows[rows["to"].notna()]
    return rows.assign(role=None)


def unknown_words(known: KnownCounty) -> list[str]:
    """Return the steps of table ``procedure`` that no state is called, in order."""
    rows = _fetch(known, "procedure", "step")
    known_words = {s.word for s in declared().states.values()} | set(declared().proposal_words)
    return sorted(set(rows["step"].astype(str).str.strip()) - known_words)


def _register(known: KnownCounty) -> pd.DataFrame:
    rows = _until(_fetch(known, "monitoring", "date", "event", "category", "causes", "row_id"), known)
    events = {s.event: code for code, s in declared().states.items() if s.event}
    rows["cause"] = rows.pop("causes").astype("string").str.split(";").str[0]
    return rows.assign(to=rows.pop("event").map(events), role="county")


def _support(known: KnownCounty) -> pd.DataFrame:
    rows = _until(_fetch(known, "support", "date", "cause", "row_id"), known)
    return rows.assign(to="supported", role="department")
