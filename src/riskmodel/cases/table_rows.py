"""What a step of the case log writes into the county's tables, so that register, ledger and lists follow.

Each row carries the number of the log's step as its ``row_id``: what is not there yet is written when the
next step is recorded, whatever interrupted the last one, and a correction is a later row of the same number.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ibis

from riskmodel.cases.declaration import ENTRIES, declared
from riskmodel.cases.log import STEP, CaseLog
from riskmodel.cases.steps import LOG_ROW
from riskmodel.data import append_rows, cell_text, find_sources, open_raw_table, parse_date, table_file
from riskmodel.register import category_name

TABLES = ("monitoring", "procedure", "visits", "support", "warnings", "risk_events")
_OUTCOMES = {"verified": "confirmed", "not_confirmed": "not_confirmed", "absent": "absent"}
Row = dict[str, Any]


def rows_of_step(step: Mapping[str, Any], channel: str | None) -> dict[str, Row]:
    """Return the row that a step of the log is in each table.

    Parameters
    ----------
    step
        A row of the log.
    channel
        By which the case came.
    """
    given, to = step["content"].get("given", {}), step["to_state"]
    happened = dt.date.fromisoformat(step["happened_on"])
    base: Row = {"household_id": step["household_id"], "date": happened}
    out: dict[str, Row] = {}
    state = declared().states[to]
    if to == "clue":
        return {_clue_table(given): _clue(base, step, given)}
    if to in _OUTCOMES:
        applied = channel == "household_application"
        out["visits"] = {
            **base,
            "outcome": _OUTCOMES[to],
            "cause": _first(given.get("causes")) or given.get("cause"),
            "selected_by": "application" if applied else None,
        }
    word = state.word
    if to == "proposed":
        words = {kind: word for word, kind in declared().proposal_words.items()}
        word = word if step["kind"] == "identify" else words[step["kind"]]
    if to in ENTRIES:
        word = declared().states[ENTRIES[0]].word
    if word is not None:
        out["procedure"] = {**base, "step": word}
    if state.event is not None:
        category = given.get("category")
        out["monitoring"] = {
            **base,
            "event": state.event,
            "category": category and category_name(str(category), "zh"),
            "causes": given.get("causes"),
            "way": given.get("way"),
        }
    if to in ("supported", "emergency_support"):
        named = {name: given.get(name) for name in ("cause", "amount")}
        out["support"] = {**base, "measure": given["measure"], **named}
    return out


def _clue_table(given: Mapping[str, Any]) -> str:
    if given.get("channel") == "department_screening":
        return "warnings"
    return "risk_events" if given.get("cause") else "procedure"


def _clue(base: Row, step: Mapping[str, Any], given: Mapping[str, Any]) -> Row:
    table = _clue_table(given)
    if table == "warnings":
        return {"household_id": base["household_id"], "department": step["unit"], "pushed_on": base["date"]}
    if table == "risk_events":
        return {**base, "cause": given["cause"], "channel": given.get("channel")}
    return {**base, "step": declared().states["clue"].word}


def _first(codes: Any) -> str | None:
    return str(codes).split(";")[0] if codes else None


def versions(steps: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[tuple[dt.date, Row]]]:
    """Return every row that a log is in the tables, by table and ``row_id``, each with its later versions.

    A warning's row is written anew when it is handed on and when the visit is done.
    """
    out: dict[tuple[str, str], list[tuple[dt.date, Row]]] = {}
    root: dict[int, int] = {}
    channels: dict[str, str | None] = {}
    pushed: dict[str, tuple[str, Row]] = {}  # case to the open warning
    for step in steps:
        number, case = step["number"], step["case_id"]
        root[number] = root.get(step["corrects"], step["corrects"]) if step["corrects"] else number
        given, recorded = step["content"].get("given", {}), dt.date.fromisoformat(step["recorded_on"])
        if step["to_state"] == "clue":
            channels.setdefault(case, given.get("channel"))
        row_id = f"{LOG_ROW}{root[number]}"
        rows = rows_of_step(step, channels.get(case))
        if step["corrects"]:
            rows = {**_voided(out, row_id, rows, step), **rows}
        for table, row in rows.items():
            out.setdefault((table, row_id), []).append((recorded, {**row, "row_id": row_id}))
            if table == "warnings":
                pushed[case] = (row_id, row)
        if case in pushed and (more := _of_warning(step)):
            warning_id, row = pushed[case]
            pushed[case] = (warning_id, row | more)
            out["warnings", warning_id].append((recorded, row | more | {"row_id": warning_id}))
    return out


def _of_warning(step: Mapping[str, Any]) -> Row:
    """Return what a step adds to the row of the warning that its case began with."""
    to, happened = step["to_state"], dt.date.fromisoformat(step["happened_on"])
    if to == "to_verify":
        return {"forwarded_on": happened, "due_on": parse_date(step["content"]["given"].get("due_on"))[0]}
    found = to in ("verified", "not_confirmed")
    return {"checked_on": happened, "result": declared().states[to].zh} if found else {}


def _voided(
    out: Mapping[tuple[str, str], list[tuple[dt.date, Row]]],
    row_id: str,
    rows: Mapping[str, Row],
    step: Mapping[str, Any],
) -> dict[str, Row]:
    """Return what takes the place of rows whose table the correction says nothing of."""
    void: dict[str, Row] = {}
    for table, number in out:
        if number != row_id or table in rows:
            continue
        last = {k: v for k, v in out[table, number][-1][1].items() if k != "row_id"}
        if table == "procedure":
            void[table] = {**last, "step": declared().states["corrected"].word}
        elif table == "visits":
            # A visit that did not take place met nobody.
            void[table] = {**last, "outcome": "absent", "cause": None}
    return void


def write_table_rows(data: str | Path, log: CaseLog) -> dict[str, int]:
    """Write into a county's tables what its log holds and they lack.

    Parameters
    ----------
    data
        The county; each table keeps its format and is replaced whole or not at all.
    log
        Its case log.

    Returns
    -------
    dict
        Rows added, by table.

    Raises
    ------
    InputRefused
        If a table cannot be added to, or was changed meanwhile.
    """
    wanted = versions(r for r in log.rows() if r["entry"] == STEP)
    folder = Path(data)
    sources = {s.table: s for s in find_sources(folder)[0]}
    con = ibis.duckdb.connect()
    households, _ = open_raw_table(con, sources["households"])
    added = {}
    for table in TABLES:
        of_table = {row_id: rows for (name, row_id), rows in wanted.items() if name == table}
        if not of_table:
            continue
        raw = open_raw_table(con, sources[table])[0] if table in sources else None
        file = table_file(folder, table, sources, raw, households)
        there = _recorded_days(raw)
        rows = [row for row_id, each in of_table.items() for row in _pending(each, there.get(row_id, []))]
        if rows:
            append_rows(file, rows)
            added[table] = len(rows)
    return added


def _pending(each: list[tuple[dt.date, Row]], there: list[dt.date]) -> list[Row]:
    """Return the versions of a row that are not there yet, each recorded after the one before it.

    Of rows with one number the one recorded last holds, so that of two of one day neither would: what is
    corrected on the day of its entry is known from the next day on.
    """
    out: list[Row] = []
    last = max(there, default=dt.date.min)
    for recorded, row in each[len(there) :]:
        day = recorded if recorded > last else last + dt.timedelta(days=1)
        out.append({**row, "recorded_on": day})
        last = day
    return out


def _recorded_days(raw: Any) -> dict[str, list[dt.date]]:
    """Return the days of recording of every row of a table that a log wrote, by ``row_id``."""
    if raw is None or "row_id" not in raw.at or "recorded_on" not in raw.at:
        return {}
    rows = raw.rows.select(number=raw.at["row_id"], day=raw.at["recorded_on"]).to_pyarrow().to_pylist()
    out: dict[str, list[dt.date]] = {}
    for row in rows:
        number, day = cell_text(row["number"]), parse_date(row["day"])[0]
        if number and number.startswith(LOG_ROW) and day is not None:
            out.setdefault(number, []).append(day)
    return out
