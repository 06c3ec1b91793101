"""Columns that say what others give: persons, sums, net income; where they say something else, it is asked.

Amounts are taken from the parts: a sum beside them is what somebody has reckoned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from riskmodel.importing.findings import Findings
from riskmodel.importing.people import People
from riskmodel.importing.sheet_rows import SheetRows
from riskmodel.io import records

_CENT = Decimal("0.01")
_MANY = 20  # so many disagreements, and most of a column, are told once: it means something else
Costs = Mapping[tuple[object, object, object], Decimal | None]


def compare_results(sheets: Sequence[SheetRows], people: People, findings: Findings) -> None:
    """Ask where a column of results says something else than its parts.

    Parameters
    ----------
    sheets
        What every sheet gave.
    people
        The households, for the number of persons.
    findings
        Gets a question for each cell; one for a column most of whose cells disagree.
    """
    counts = _present(people)
    costs = _production(sheets) if any(_wants_costs(sheet) for sheet in sheets) else {}
    for sheet in sheets:
        net = _net_incomes(sheet, costs)
        persons = {c["row"]: c["value"] for c in sheet.checks if c["of"] == "persons"}
        columns: dict[tuple[int, str], list[tuple[dict[str, Any], Decimal]]] = {}
        for check in sheet.checks:
            given = _given(check, sheet, people, counts, net, persons)
            if given is not None:
                columns.setdefault((check["col"], check["of"]), []).append((check, given))
        for (_, of), compared in columns.items():
            _ask(sheet, of, compared, findings)


def _given(
    check: Mapping[str, Any],
    sheet: SheetRows,
    people: People,
    counts: Mapping[str, int],
    net: Mapping[int, Decimal],
    persons: Mapping[int, Decimal],
) -> Decimal | None:
    """Return what the parts of a result give; None where they do not all say it."""
    of, row = check["of"], check["row"]
    if of == "persons":
        household = check["household_id"]
        return Decimal(counts[household]) if household in counts and _is_present(sheet, people) else None
    if of in ("total", "parts"):
        return _sum(check["parts"])
    if of == "net_income":
        return net.get(row)
    if of == "pcni" and persons.get(row) and row in net:
        return net[row] / persons[row]
    return None


def _ask(
    sheet: SheetRows, of: str, compared: Sequence[tuple[dict[str, Any], Decimal]], findings: Findings
) -> None:
    wrong = [(check, given) for check, given in compared if not _near(check["value"], given, of)]
    if of == "parts" and 2 * sum(given < check["value"] for check, given in wrong) > len(compared):
        # Only some of the parts stand beside it: more than all of it they cannot be.
        wrong = [(check, given) for check, given in wrong if given > check["value"]]
    many = len(wrong) > _MANY and 2 * len(wrong) > len(compared)
    for check, given in wrong[:1] if many else wrong:
        place = check["file"], check["sheet"], sheet.grid.address(check["row"], check["col"])
        said = {"text": f"{check['value'].normalize():f}", "given": f"{_shown(given, of):f}"}
        household = "" if many else check["household_id"] or ""
        kind = "check column" if many else f"check {of}"
        findings.add("asked", kind, place, household_id=household, n=len(wrong), **said)


def _shown(given: Decimal, of: str) -> Decimal:
    return given.quantize(_CENT) if of == "pcni" else given.normalize()


def _near(said: Decimal, given: Decimal, of: str) -> bool:
    if of == "persons":
        return said == given
    return abs(said - given) <= max(Decimal(1), abs(given) / 100)


def _sum(parts: Sequence[Decimal | None]) -> Decimal | None:
    return None if any(p is None for p in parts) else sum((p for p in parts if p is not None), Decimal(0))


def _is_present(sheet: SheetRows, people: People) -> bool:
    """Say whether a sheet shows the present state, not that of an earlier list."""
    return not people.lists or sheet.snapshot_on is None or sheet.snapshot_on >= people.lists[-1]


def _present(people: People) -> dict[str, int]:
    """Return how many members each household has at the end of the lists."""
    members = people.members
    if not len(members):
        return {}
    current = members[members["valid_to"].isna()]
    counts = current.groupby("household_id")["member_id"].nunique()
    return {str(household): int(n) for household, n in counts.items()}


# ---------------------------------------------------------------- net income


def _wants_costs(sheet: SheetRows) -> bool:
    """Say whether a sheet states net income and gross business income without what the business costs."""
    stated = any(c["of"] in ("net_income", "pcni") for c in sheet.checks)
    return stated and "business" in _items(sheet, "income") and "production" not in _items(sheet, "spending")


def _items(sheet: SheetRows, table: str) -> set[object]:
    return {item for frame in sheet.tables.get(table, []) for item in frame["item"].unique()}


def _production(sheets: Sequence[SheetRows]) -> dict[tuple[object, object, object], Decimal | None]:
    """Return production spending by household and span; None where it cannot be read."""
    out: dict[tuple[object, object, object], Decimal | None] = {}
    for sheet in sheets:
        for frame in sheet.tables.get("spending", []):
            if "household_id" not in frame:
                continue
            for row in records(frame[frame["item"] == "production"]):
                key, amount = (row["household_id"], row["month_from"], row["month_to"]), row["amount"]
                lost = amount is None or pd.isna(amount) or (key in out and out[key] != amount)
                out[key] = None if lost else amount
    return out


def _net_incomes(sheet: SheetRows, costs: Costs) -> dict[int, Decimal]:
    """Return the net income that the parts of each row give, where all of them can be read."""
    if not any(c["of"] in ("net_income", "pcni") for c in sheet.checks):
        return {}
    elsewhere = _wants_costs(sheet)
    out: dict[int, Decimal] = {}
    lost: set[int] = set()
    spans: dict[int, set[tuple[object, object, object]]] = {}
    for table in ("income", "spending"):
        for frame in sheet.tables.get(table, []):
            wanted = frame["item"].eq("production") if table == "spending" else frame["item"].ne("claim")
            own = frame[wanted & ~frame["earlier"].eq(True)]
            for row in records(own):
                at, amount = row["row"], row["amount"]
                spans.setdefault(at, set()).add((row.get("household_id"), row["month_from"], row["month_to"]))
                if amount is None or pd.isna(amount):
                    lost.add(at)
                else:
                    out[at] = out.get(at, Decimal(0)) + (amount if table == "income" else -amount)
    for at in out if elsewhere else ():
        spent = [costs.get(span) for span in spans[at]]
        if any(amount is None for amount in spent):
            lost.add(at)
        else:
            out[at] -= sum((amount for amount in spent if amount is not None), Decimal(0))
    return {row: value for row, value in out.items() if row not in lost}


__all__ = ["compare_results"]
