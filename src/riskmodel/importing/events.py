"""Risks, register, measures and the other dated tables of all sheets, and changes of household numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel.data import contract
from riskmodel.importing.convert import SheetRows
from riskmodel.importing.findings import Findings
from riskmodel.importing.people import People, cell_place

_TABLES = (
    "risk_events", "monitoring", "support", "assets", "visits", "warnings", "procedure", "jobs", "medical",
    "indicators", "unrecorded", "recorded", "coordinates",
)  # fmt: skip


def gather_events(sheets: Sequence[SheetRows], people: People, findings: Findings) -> dict[str, pd.DataFrame]:
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
        for record in frame.astype(object).where(frame.notna(), None).to_dict("records"):
            row = {str(k): v for k, v in record.items()}
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
        out.append(base | {"event": "identified", "date": row.get("identified_on")})
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
    return {**base, "event": "eliminated", "date": date, "category": None, "causes": None}


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
        findings.add(
            "rejected", kind, cell_place(row), household_id=household or "", column=f"{table}.{missing[0]}"
        )
        return False
    return True


def gather_links(sheets: Sequence[SheetRows], people: People, findings: Findings) -> pd.DataFrame:
    """Return the changes of household numbers; those of unknown numbers are out."""
    columns = [*contract().tables["household_links"].columns, "recorded_on"]
    good = []
    for sheet in sheets:
        for frame in sheet.tables.get("household_links", []):
            for row in frame.astype(object).where(frame.notna(), None).to_dict("records"):
                missing = [n for n in ("old_id", "new_id", "kind", "date") if not row.get(n)]
                if missing:
                    findings.add(
                        "rejected", "required cell", cell_place(row), column=f"household_links.{missing[0]}"
                    )
                elif people.known and not {row["old_id"], row["new_id"]} & people.known:
                    findings.add(
                        "rejected",
                        "link to nowhere",
                        cell_place(row),
                        text=f"{row['old_id']} → {row['new_id']}",
                    )
                else:
                    good.append(row)
    frame = pd.DataFrame(good).reindex(columns=columns).astype(object)
    return frame.where(frame.notna(), None).drop_duplicates().reset_index(drop=True)


def recoded_numbers(links: pd.DataFrame) -> dict[str, tuple[str, int]]:
    """Return the old numbers of recodes with the new one and its first whole month."""
    out: dict[str, tuple[str, int]] = {}
    for row in links.to_dict("records") if len(links) else []:
        if row["kind"] == "recode":
            day = row["date"]
            out[row["old_id"]] = row["new_id"], day.year * 12 + day.month - 1 + (day.day > 1)
    return out


def ask_missing_links(people: People, links: pd.DataFrame, findings: Findings) -> dict[str, str]:
    """Ask where all members of a household go on under another number and no link says so.

    Returns
    -------
    dict
        Old number to the new one that is proposed; nothing is linked before a person confirms it.
    """
    linked = set(links["old_id"]) | set(links["new_id"]) if len(links) else set()
    homes: dict[str, set[str]] = {}
    for key, places in people.persons.items():
        for _, household, _, _ in places:
            homes.setdefault(household, set()).add(key)
    out: dict[str, str] = {}
    first = dict(zip(people.households["household_id"], people.households["valid_from"], strict=True))
    for household, keys in homes.items():
        if household in linked:
            continue
        others = {
            h for key in keys for _, h, _, _ in people.persons[key] if h != household and h not in linked
        }
        for other in sorted(others):
            shared = len(keys & homes[other])
            later = first.get(other) and (not first.get(household) or first[other] > first[household])
            if later and shared >= 0.5 * len(keys) and shared >= 1:
                out[household] = other
                text = f"{household} → {other}"
                findings.add(
                    "asked", "link missing", ("", "", ""), text=text, household_id=household, n=shared
                )
                break
    return out
