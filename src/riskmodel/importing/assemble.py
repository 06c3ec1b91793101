"""From what all sheets give to the tables of the contract, with what is unknown and what must be asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pandas as pd

from riskmodel.data import contract
from riskmodel.data.schema import CODE_COLUMN, month_text
from riskmodel.importing.amounts import gather_amounts
from riskmodel.importing.convert import SheetRows
from riskmodel.importing.coverage import gather_coverage, month_end
from riskmodel.importing.events import (
    ask_missing_links,
    gather_events,
    gather_links,
    recoded_numbers,
)
from riskmodel.importing.findings import Findings
from riskmodel.importing.mapping import ImportMap
from riskmodel.importing.people import People, gather_people
from riskmodel.importing.unit_slips import find_unit_slips

_CENT = Decimal("0.01")


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
    people = gather_people(sheets, findings)
    links = gather_links(sheets, people, findings)
    moved = ask_missing_links(people, links, findings)
    tables: dict[str, pd.DataFrame] = {"households": people.households, "members": people.members}
    unrecorded = list(people.unrecorded)
    recorded: list[dict[str, Any]] = []
    spans: list[int] = []
    slips = find_unit_slips(sheets)
    recodes = recoded_numbers(links)
    for table in ("income", "spending"):
        rows, unknown = gather_amounts(sheets, table, people, findings, slips=slips, recodes=recodes)
        unrecorded += unknown
        if not len(rows):
            continue
        monthly = rows[rows["month_from"] == rows["month_to"]].rename(columns={"month_to": "month"})
        known, parts = gather_coverage(monthly, table, sheets, people, moved, findings)
        recorded += known
        unrecorded += parts
        spans += [int(m) for m in rows["month_to"]]
        tables[table] = _table(rows.rename(columns={"item": CODE_COLUMN[table]}), table)
    _outlast(unrecorded, recorded)
    _compare_results(sheets, tables, people, findings)
    tables |= gather_events(sheets, people, findings)
    if len(links):
        tables["household_links"] = links
    tables["recorded"] = _spans_as_text(pd.DataFrame(recorded), "recorded")
    given = tables.get("unrecorded", pd.DataFrame())
    tables["unrecorded"] = pd.concat(
        [given, _spans_as_text(pd.DataFrame(unrecorded), "unrecorded")], ignore_index=True
    )
    out = {name: _as_text(frame, name) for name, frame in tables.items() if len(frame)}
    return Assembled(out, _about(sheets, plan, spans), findings)


def _outlast(unrecorded: Sequence[dict[str, Any]], recorded: Sequence[dict[str, Any]]) -> None:
    """Date what is unknown no earlier than its month is on record: a later ``recorded`` row would lift it."""
    written: dict[tuple[str, str, int], dt.date] = {
        (row["household_id"], row["of"], int(row["month_from"])): row["recorded_on"] for row in recorded
    }
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
        cells = frame[name].astype(object)
        out[name] = pd.Series([_cell(v, kind) for v in cells], dtype=object)
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


def _about(sheets: Sequence[SheetRows], plan: ImportMap, spans: Sequence[int]) -> dict[str, Any]:
    """Return what ``about.yaml`` says: the snapshot's day, until when records reach."""
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
    through = plan.data_through or (month_end(max(spans)) if spans else None)
    if through:
        out["data_through"] = through
    if plan.time_zone:
        out["time_zone"] = plan.time_zone
    return out


def _has_undated_rows(sheet: SheetRows) -> bool:
    """Say whether a list of households or members has rows that do not say since when they hold."""
    frames = [f for table in ("households", "members") for f in sheet.tables.get(table, [])]
    return any("valid_from" not in f or f["valid_from"].isna().any() for f in frames)


# ---------------------------------------------------------------- results beside their parts


def _compare_results(
    sheets: Sequence[SheetRows], tables: dict[str, pd.DataFrame], people: People, findings: Findings
) -> None:
    """Ask where a column of results says something else than its parts."""
    counts = _present(people)
    for sheet in sheets:
        net = _net_incomes(sheet)
        for check in sheet.checks:
            said, household = check["value"], check["household_id"]
            given = None
            if check["of"] == "persons":
                given = counts.get(household)
            elif check["of"] in ("total", "parts"):
                given = _sum(check["parts"])
            elif check["of"] == "net_income":
                given = net.get(check["row"])
            if given is None or _near(said, Decimal(given), check["of"]):
                continue
            place = check["file"], check["sheet"], sheet.grid.address(check["row"], check["col"])
            findings.add(
                "asked",
                f"check {check['of']}",
                place,
                text=f"{said.normalize():f}",
                household_id=household or "",
                given=f"{Decimal(given).normalize():f}",
            )
        _compare_per_head(sheet, net, findings)


def _compare_per_head(sheet: SheetRows, net: dict[int, Decimal], findings: Findings) -> None:
    """Ask where net income a head times persons is not the net income that the parts give."""
    persons = {c["row"]: c["value"] for c in sheet.checks if c["of"] == "persons"}
    for check in sheet.checks:
        if check["of"] != "pcni" or not persons.get(check["row"]) or check["row"] not in net:
            continue
        given = net[check["row"]] / persons[check["row"]]
        if not _near(check["value"], given, "pcni"):
            place = check["file"], check["sheet"], sheet.grid.address(check["row"], check["col"])
            findings.add(
                "asked", "check pcni", place, text=f"{check['value'].normalize():f}",
                household_id=check["household_id"] or "", given=f"{given.quantize(_CENT):f}",
            )  # fmt: skip


def _near(said: Decimal, given: Decimal, of: str) -> bool:
    if of == "persons":
        return said == given
    return abs(said - given) <= max(Decimal(1), abs(given) / 100)


def _sum(parts: Sequence[Decimal | None]) -> Decimal | None:
    return None if any(p is None for p in parts) else sum((p for p in parts if p is not None), Decimal(0))


def _present(people: People) -> dict[str, int]:
    """Return how many members each household has at the end of the lists."""
    members = people.members
    if not len(members):
        return {}
    current = members[members["valid_to"].isna()]
    return current.groupby("household_id")["member_id"].nunique().to_dict()


def _net_incomes(sheet: SheetRows) -> dict[int, Decimal]:
    """Return the net income that the parts of each row give, where all of them can be read."""
    if not any(c["of"] in ("net_income", "pcni") for c in sheet.checks):
        return {}
    out: dict[int, Decimal] = {}
    lost: set[int] = set()
    for table in ("income", "spending"):
        for frame in sheet.tables.get(table, []):
            for row, item, amount in zip(frame["row"], frame["item"], frame["amount"], strict=True):
                if table == "spending" and item != "production":
                    continue
                if amount is None or pd.isna(amount):
                    lost.add(row)
                else:
                    out[row] = out.get(row, Decimal(0)) + (amount if table == "income" else -amount)
    return {row: value for row, value in out.items() if row not in lost}
