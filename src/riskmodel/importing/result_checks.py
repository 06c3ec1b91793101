"""Columns that say what others give: persons, sums, net income, years beside their months.

Amounts are taken from the parts: a sum beside them is what somebody has reckoned. Where it says something
else, it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from riskmodel.importing.findings import Findings
from riskmodel.importing.guess_columns import SheetColumns
from riskmodel.importing.header_words import Span
from riskmodel.importing.item_columns import summed_items
from riskmodel.importing.mapping import CheckMap, TableMap
from riskmodel.importing.people import People
from riskmodel.importing.sheet_layout import Header
from riskmodel.importing.sheet_rows import SheetRows
from riskmodel.importing.vocabulary import Definition
from riskmodel.io import records

_CENT = Decimal("0.01")
_SUMS = ("total", "income", "spending")
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
        persons |= {c["row"]: c["value"] for c in sheet.checks if c["of"] == "persons_year" and c["value"]}
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


# ---------------------------------------------------------------- which columns, by their headers


def result_checks(sheet: SheetColumns, tables: Iterable[TableMap]) -> list[CheckMap]:
    """Return the columns of a sheet that are compared with what their parts give.

    Parameters
    ----------
    sheet
        The sheet; columns that are compared are noted as used.
    tables
        What is read of it.
    """
    return [*_results(sheet), *_parts_of_wholes(sheet), *_sums_of_months(sheet, tables)]


def _results(sheet: SheetColumns) -> list[CheckMap]:
    out = []
    for header in sheet.visible():
        meaning = header.meanings[0] if header.meanings else None
        if meaning is None or meaning.role != "check" or header.column in sheet.used:
            continue
        if meaning.span and meaning.span.back:
            continue  # of a year whose parts do not stand beside it
        if meaning.column not in _SUMS:
            out.append(CheckMap(column=sheet.use(header), of=meaning.column))
        elif parts := _summed(header, meaning, sheet):
            out.append(CheckMap(column=sheet.use(header), of="total", parts=_names(sheet, parts)))
    return out


def _names(sheet: SheetColumns, headers: Iterable[Header]) -> tuple[str, ...]:
    return tuple(sheet.use(header) for header in headers)


def _parts_of_wholes(sheet: SheetColumns) -> list[CheckMap]:
    """Return the amounts whose parts stand beside them."""
    return [
        CheckMap(column=sheet.use(one.wholes[0][0]), of="parts", parts=_names(sheet, one.parts))
        for one in sheet.items()
        if one.wholes and one.parts
    ]


def _summed(total: Header, definition: Definition, sheet: SheetColumns) -> Sequence[Header]:
    """Return what a column of sums adds up: months, the items of its group, of its year, or to its left."""
    group = total.path[:-1]
    own = [h for h in sheet.visible() if group and h.path[:-1] == group and h.meanings]
    if definition.column == "total":
        months = [h for h in own if h.meanings[0].role == "months"]
        months = months or [h for h in sheet.visible() if h.meanings and h.meanings[0].role == "months"]
        if beside := _without_sums(months):
            return beside
    table = "spending" if definition.column == "spending" else "income"
    if definition.column != "total" or definition.span:
        return [h for one in summed_items(sheet.items(), table, definition.span) for h in one]
    return _to_the_left(total, sheet, bool(group))


def _to_the_left(total: Header, sheet: SheetColumns, grouped: bool) -> list[Header]:
    """Return the sources between the sum before and this one, or those of its group; of one table only."""
    wholes = {h.column for one in sheet.items() for h, _ in one.wholes}
    ends = [
        h.column
        for h in sheet.visible()
        if h.column < total.column and h.meanings and h.meanings[0].role == "check"
        and h.meanings[0].column in _SUMS and h.column not in wholes
    ]  # fmt: skip
    found: list[Header] = []
    tables: set[str] = set()
    for one in sheet.items():
        columns = [h for h, _ in one.wholes[:1]] or one.parts
        inside = [
            h
            for h in columns
            if (
                h.path[:-1] == total.path[:-1] if grouped else max(ends, default=-1) < h.column < total.column
            )
        ]
        if inside and len(inside) == len(columns):
            found += inside
            tables.add(one.name.partition(".")[0])
    return found if len(found) >= 2 and len(tables) == 1 else []


def _without_sums(headers: Sequence[Header]) -> list[Header]:
    """Return the columns of amounts without quarters, half-years and years that others add up to."""
    single = [h for h in headers if (span := h.meanings[0].span) and span.first == span.last]
    return single if len(single) >= 2 else list(headers)


def _sums_of_months(sheet: SheetColumns, tables: Iterable[TableMap]) -> list[CheckMap]:
    """Return the years, half-years and quarters that are not read because all their months are."""
    read = {amount.column for table in tables for amount in table.amounts}
    months_alone = (
        (h, h.meanings[0].span, "") for h in sheet.visible() if h.meanings and h.meanings[0].role == "months"
    )
    of_items = ((h, m.span or Span(1, 12), one.name) for one in sheet.items() for h, m in one.wholes[:1])
    dated = [(h, s, name) for h, s, name in (*months_alone, *of_items) if s and h.column in sheet.used]
    out = []
    for header, span, name in dated:
        if span.first == span.last or sheet.use(header) in read:
            continue
        months = {
            one.first: h
            for h, one, of in dated
            if (of, one.year, one.back) == (name, span.year, span.back)
            if one.first == one.last and span.first <= one.first <= span.last
        }
        if len(months) == span.last - span.first + 1:
            parts = _names(sheet, months.values())
            out.append(CheckMap(column=sheet.use(header), of="total", parts=parts))
    return out


__all__ = ["compare_results", "result_checks"]
