"""From what all sheets give to the tables of the contract, with what is unknown and what must be asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pandas as pd

from riskmodel.data import CLAIM, CODE_COLUMN, contract, month_end, month_text
from riskmodel.importing.amounts import collect_amounts
from riskmodel.importing.blank_months import without_months
from riskmodel.importing.coverage import collect_coverage
from riskmodel.importing.findings import Findings, cell_place
from riskmodel.importing.id_reading import level_zeros
from riskmodel.importing.jobs import collect_jobs, unknown_wages
from riskmodel.importing.mapping import ImportMap
from riskmodel.importing.people import (
    People,
    ask_missing_links,
    collect_links,
    collect_people,
    recoded_numbers,
)
from riskmodel.importing.result_checks import compare_results
from riskmodel.importing.sheet_rows import SheetRows
from riskmodel.io import records

_MADE_OF = {"date": "identified_on"}  # a required column that another one gives
_TABLES = (
    "risk_events", "monitoring", "support", "assets", "visits", "warnings", "procedure", "medical",
    "indicators", "unrecorded", "recorded", "coordinates",
)  # fmt: skip
# So many times smaller or larger than the household's other years and than its sheet's rows; the units in use
# are
# 10,000 apart, and no household earns a three-hundredth of what it earned the year before in every source.
_TIMES = 300
_TIMES_ALONE = 1_000  # for a household without another year
_FEWEST_ROWS = 10


@dataclass
class Assembled:
    """A county as its files give it.

    Parameters
    ----------
    tables
        Table of the contract to its rows, as text where the contract writes text.
    about
        What ``about.yaml`` says.
    findings
        What is to be said of cells and rows.
    """

    tables: dict[str, pd.DataFrame]
    about: dict[str, Any]
    findings: Findings = field(default_factory=Findings)


def assemble(sheets: Sequence[SheetRows], plan: ImportMap, findings: Findings) -> Assembled:
    """Put what all sheets give together.

    Parameters
    ----------
    sheets
        What every sheet gave.
    plan
        The whole map.
    findings
        Those that reading the sheets made; more are added.

    Returns
    -------
    Assembled
        Tables, ``about.yaml`` and findings.
    """
    _restore_zeros(sheets, findings)
    people = collect_people(sheets, findings)
    links = collect_links(sheets, people, findings)
    moved = ask_missing_links(people, links, findings)
    tables: dict[str, pd.DataFrame] = {"households": people.households, "members": people.members}
    unrecorded = list(people.unrecorded)
    recorded: list[pd.DataFrame] = []
    spans: list[int] = []
    slips = find_unit_slips(sheets)
    recodes = recoded_numbers(links)
    jobs, job_rows = collect_jobs(sheets, people, findings)
    if len(jobs):
        tables["jobs"] = jobs
    for table in ("income", "spending"):
        rows, unknown, absent = collect_amounts(sheets, table, people, findings, slips=slips, recodes=recodes)
        unrecorded += unknown
        if table == "income":
            through = max((s.snapshot_on for s in sheets if s.snapshot_on), default=None)
            unrecorded += unknown_wages(job_rows, rows, unrecorded, findings, through)
        if not len(rows):
            continue
        # Claims are no income: they put no month on record.
        monthly = rows[(rows["month_from"] == rows["month_to"]) & rows["item"].ne(CLAIM)].rename(
            columns={"month_to": "month"}
        )
        known, parts = collect_coverage(monthly, table, sheets, people, moved, findings)
        recorded.append(without_months(known, absent))
        unrecorded += parts
        spans.append(int(rows["month_to"].max()))
        tables[table] = _table(rows.rename(columns={"item": CODE_COLUMN[table]}), table)
    on_record = pd.concat(recorded, ignore_index=True) if recorded else pd.DataFrame()
    _outlast(unrecorded, on_record)
    compare_results(sheets, people, findings)
    tables |= collect_events(sheets, people, findings)
    if len(links):
        tables["household_links"] = links
    tables["recorded"] = _spans_as_text(on_record, "recorded")
    given = tables.get("unrecorded", pd.DataFrame())
    tables["unrecorded"] = pd.concat(
        [given, _spans_as_text(pd.DataFrame(unrecorded), "unrecorded")], ignore_index=True
    )
    out = {name: _as_text(frame, name) for name, frame in tables.items() if len(frame)}
    return Assembled(out, _about(sheets, plan, spans, findings), findings)


def _restore_zeros(sheets: Sequence[SheetRows], findings: Findings) -> None:
    """Give household and member numbers the leading zeros that other sheets have; tell it once a table."""
    placed = [(s, table, frame) for s in sheets for table, some in s.tables.items() for frame in some]
    frames = [frame for _, _, frame in placed]
    lists = {at for at, (_, table, _) in enumerate(placed) if table in ("households", "members")}
    for columns in (("household_id", "old_id", "new_id"), ("member_id",)):
        for at, n in level_zeros(frames, columns, lists).items():
            grid = placed[at][0].grid
            findings.add("told", "zeros restored", (grid.file, grid.sheet, ""), n=n)


def _outlast(unrecorded: Sequence[dict[str, Any]], recorded: pd.DataFrame) -> None:
    """Date what is unknown no earlier than its month is on record: a later ``recorded`` row would lift it."""
    if not len(recorded):
        return
    some = recorded[recorded["household_id"].isin({row["household_id"] for row in unrecorded})]
    keys = zip(some["household_id"], some["of"], some["month_from"], strict=True)
    written: dict[tuple[str, str, int], dt.date] = dict(zip(keys, some["recorded_on"], strict=True))
    for row in unrecorded:
        if row["month_from"] is None or row["month_to"] is None:
            continue
        months = range(int(row["month_from"]), int(row["month_to"]) + 1)
        days = [d for m in months if (d := written.get((row["household_id"], row["of"], m)))]
        if days:
            own = row["recorded_on"]
            row["recorded_on"] = max([*days, own] if isinstance(own, dt.date) else days)


def _table(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return amounts as the contract has them: a month, or a span."""
    single = rows["month_from"] == rows["month_to"]
    frame = rows.assign(month=rows["month_from"].where(single, None))
    frame[["month_from", "month_to"]] = frame[["month_from", "month_to"]].astype(object).where(~single, None)
    columns = [*contract().tables[table].columns, "recorded_on"]
    return frame.reindex(columns=columns).astype(object)


def _spans_as_text(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    columns = [*contract().tables[table].columns, "recorded_on"]
    return (
        frame.reindex(columns=columns).astype(object).drop_duplicates()
        if len(frame)
        else pd.DataFrame(columns=columns)
    )


def _as_text(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return a table with every cell as the contract writes it, as text."""
    spec = contract().tables[table].columns
    out = {}
    for name in frame.columns:
        kind = spec[name].type if name in spec else "date"
        numbers, distinct = pd.factorize(frame[name].astype(object))  # each distinct value once
        words = [*(_cell(v, kind) for v in distinct), None]
        out[name] = pd.Series([words[n] for n in numbers], dtype=object)
    text = pd.DataFrame(out)
    keep = [c for c in text if text[c].notna().any() or (c in spec and spec[c].required)]
    return text[keep]


def _cell(value: Any, kind: str) -> str | None:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    if kind == "month":
        return month_text(int(value)) if not isinstance(value, str) else value
    if kind == "date" and isinstance(value, dt.date):
        return value.isoformat()[:10]
    if kind == "bool":
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if kind in ("year", "grade"):
        return str(int(value))
    return str(value)


def _about(
    sheets: Sequence[SheetRows], plan: ImportMap, spans: Sequence[int], findings: Findings
) -> dict[str, Any]:
    """Return what ``about.yaml`` says: the snapshot's day, until when records reach.

    Lists that date no row and show no day are asked about: without it nobody of them is known at any date.
    """
    out: dict[str, Any] = {}
    rosters = [s for s in sheets if "members" in s.tables or "households" in s.tables]
    undated = [s for s in rosters if _has_undated_rows(s)]
    # What a title says of the state it shows outweighs the day in a file's name.
    said = [
        s.spec.snapshot_on or s.layout.facts.snapshot_on
        for s in undated
        if s.spec.snapshot_on or s.states_its_day
    ]
    days = said or [s.snapshot_on or s.recorded_on for s in undated or rosters]
    snapshot = plan.snapshot_on or max((d for d in days if d), default=None)
    if snapshot and undated:
        out["snapshot_on"] = snapshot
    elif undated:
        findings.add("asked", "no day of the list", (undated[0].grid.file, undated[0].grid.sheet, ""))
    through = plan.data_through or (month_end(max(spans)) if spans else None)
    if through:
        out["data_through"] = through
    if plan.time_zone:
        out["time_zone"] = plan.time_zone
    return out


def _has_undated_rows(sheet: SheetRows) -> bool:
    """Say whether a list of households or members has rows that do not say since when they hold."""
    frames = [f for table in ("households", "members") for f in sheet.tables.get(table, [])]
    return any(_undated(f).any() for f in frames)


def _undated(rows: pd.DataFrame) -> pd.Series:
    """Say which rows say neither since when they hold nor when they were written down."""
    dated = pd.Series(False, index=rows.index)
    for name in ("valid_from", "recorded_on"):
        dated |= rows[name].notna() if name in rows else False
    return ~dated


# ---------------------------------------------------------------- dated tables


def collect_events(
    sheets: Sequence[SheetRows], people: People, findings: Findings
) -> dict[str, pd.DataFrame]:
    """Return the dated tables that some sheet gives.

    Parameters
    ----------
    sheets
        What every sheet gave.
    people
        The households that there are.
    findings
        Gets the rows that are out.
    """
    out = {}
    for table in _TABLES:
        rows = [row for sheet in sheets for row in _rows(sheet, table, findings)]
        good = [row for row in rows if _is_whole(row, table, people, findings)]
        if rows:
            columns = [*contract().tables[table].columns, "recorded_on"]
            frame = pd.DataFrame(good).reindex(columns=columns).astype(object)
            out[table] = frame.where(frame.notna(), None).drop_duplicates().reset_index(drop=True)
    return out


def _rows(sheet: SheetRows, table: str, findings: Findings) -> list[dict[str, Any]]:
    out = []
    for frame in sheet.tables.get(table, []):
        for row in records(frame.astype(object).where(frame.notna(), None)):
            if table == "monitoring" and "event" not in row:
                out += _register_events(row, sheet, findings)
            else:
                out.append(row)
    return out


def _register_events(row: Mapping[str, Any], sheet: SheetRows, findings: Findings) -> list[dict[str, Any]]:
    """Return identification and elimination, where one row of a list holds both."""
    base = {k: v for k, v in row.items() if k not in ("identified_on", "eliminated_on", "eliminated")}
    out = []
    if row.get("identified_on") or row.get("category") or row.get("causes"):
        precision = row.get("identified_on_precision")
        identified = {"event": "identified", "date": row.get("identified_on"), "date_precision": precision}
        out.append(base | {"way": None} | identified)
    ended, said = row.get("eliminated_on"), row.get("eliminated")
    place, household = cell_place(row), row.get("household_id") or ""
    if ended and said is False:
        findings.add("asked", "eliminated contradicts", place, household_id=household)
    elif ended:
        out.append(_elimination(base, ended))
    elif said is True:
        findings.add("asked", "eliminated without date", place, household_id=household)
        if sheet.snapshot_on or sheet.recorded_on:
            out.append(_elimination(base, sheet.snapshot_on or sheet.recorded_on))
    return out


def _elimination(base: Mapping[str, Any], date: object) -> dict[str, Any]:
    own = {"event": "eliminated", "date": date, "category": None, "causes": None}
    return {**base, **own, "date_precision": base.get("eliminated_on_precision")}


def _is_whole(row: dict[str, Any], table: str, people: People, findings: Findings) -> bool:
    """Say whether a row has what its table requires; tell why it is out."""
    spec = contract().tables[table].columns
    household = row.get("household_id")
    if "household_id" in spec and people.known:
        if not household:
            findings.add("rejected", "no household number", cell_place(row))
            return False
        if household not in people.known:
            findings.add("rejected", "unknown household", cell_place(row), household_id=household)
            return False
    faults = dict(part.split(":", 1) for part in str(row.get("faults") or "").split(";") if ":" in part)
    missing = [name for name, column in spec.items() if column.required and row.get(name) in (None, "")]
    if missing:
        fault = faults.get(missing[0], "blank")
        kind = {"unknown word": "unknown required word", "impossible date": "impossible date"}.get(
            fault, "required cell"
        )
        place, text = findings.cell_of(row, f"{table}.{missing[0]}", f"{table}.{_MADE_OF.get(missing[0])}")
        more = {"household_id": household or "", "column": f"{table}.{missing[0]}"}
        findings.add("rejected", kind, place, text=text, **more)
        return False
    return True


# ---------------------------------------------------------------- units


def find_unit_slips(sheets: Sequence[SheetRows]) -> set[tuple[int, int]]:
    """Return the rows all of whose amounts together look typed in another unit.

    Parameters
    ----------
    sheets
        What every sheet gave.

    Returns
    -------
    set of (int, int)
        Place of the sheet in ``sheets``, and row number.
    """
    columns = ["row", "household_id", "month_from", "month_to", "amount"]
    frames = [
        frame[columns].assign(sheet_no=at)
        for at, sheet in enumerate(sheets)
        for table in ("income", "spending")
        for frame in sheet.tables.get(table, [])
        if {"household_id", "month_from", "amount"} <= set(frame)
    ]
    if not frames:
        return set()
    rows = pd.concat(frames, ignore_index=True)
    dated = (
        rows["month_from"].notna()
        & rows["month_to"].notna()
        & rows["amount"].notna()
        & rows["household_id"].notna()
    )
    rows = rows[dated]
    rows = rows[rows["month_to"].astype(int) - rows["month_from"].astype(int) >= 2]
    rows = rows.assign(value=rows["amount"].astype(float).abs())
    rows = rows[rows["value"] > 0]
    if not len(rows):
        return set()
    sums = rows.groupby(["sheet_no", "row", "household_id"], as_index=False).agg(
        value=("value", "sum"), n=("value", "size")
    )
    usual = sums.groupby("sheet_no")["value"].median()
    counts = sums.groupby("sheet_no")["value"].size()
    sums["sheet_ratio"] = sums["value"] / sums["sheet_no"].map(usual)
    sums = sums[sums["sheet_no"].map(counts) >= _FEWEST_ROWS]
    far = sums[(sums["sheet_ratio"] * _TIMES < 1) | (sums["sheet_ratio"] > _TIMES)]
    out = set()
    of_household = sums[sums["household_id"].isin(far["household_id"])].groupby("household_id")["sheet_ratio"]
    ratios = dict(iter(of_household))
    for at, row in zip(far.index, records(far), strict=True):
        own = ratios[row["household_id"]].drop(at)
        others = [r for r in own if 1 / _TIMES <= r <= _TIMES]
        times, usual_ratio = (_TIMES, sorted(others)[len(others) // 2]) if others else (_TIMES_ALONE, 1.0)
        ratio = row["sheet_ratio"] / usual_ratio
        if row["n"] >= 2 and (ratio * times < 1 or ratio > times):
            out.add((int(row["sheet_no"]), int(row["row"])))
    return out
