"""Figures for which the contract has no column: land, roads, incomes as reported, kept in ``indicators``.

A figure that a sheet gives for a year (income a head as the office reckons it) is dated by the end of that
year, one of another moment (at identification, after elimination) by it, any other by the day of the list.

Which columns of a sheet are figures kept in ``indicators``, and of which moment each is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from riskmodel.data import month_end
from riskmodel.importing import cell_reading as cells
from riskmodel.importing.findings import Findings, cell_place
from riskmodel.importing.guess_columns import SheetColumns
from riskmodel.importing.header_words import moment_of, normalise_header
from riskmodel.importing.mapping import ColumnMap, TableMap
from riskmodel.importing.sheet_layout import Header, text_of
from riskmodel.importing.sheet_rows import is_empty
from riskmodel.importing.vocabulary import Definition, Vocabulary
from riskmodel.io import records

# Of a year of account; and of money, in the unit of the sheet.
YEARLY = frozenset({"pcni_reported", "net_income_reported", "persons_year"})
_MONEY = (
    "pcni_", "net_income_", "claims", "compliant_self_paid", "production_", "reference_income", "wage_",
    "business_", "property_", "transfer_",
)  # fmt: skip


def figure_rows(
    table: TableMap,
    base: pd.DataFrame,
    columns: Sequence[tuple[int, str, Sequence[object]]],
    words: Mapping[str, Any],
    unit_of: Callable[[int], Decimal],
    ends: Sequence[dt.date | None],
    day: dt.date | None,
    findings: Findings,
) -> pd.DataFrame:
    """Return one row of ``indicators`` for each figure that a sheet gives.

    Parameters
    ----------
    table
        What the map says of it.
    base
        Whose each row of the sheet is; with ``date`` where the map names a column of days.
    columns
        Column, name of the figure and cells of each.
    words
        ``booleans`` (yes and no) and the kinds of words of amounts.
    unit_of
        Column to yuan to one of its unit.
    ends
        Last day of the year that each row speaks of; None where no year is said.
    day
        Of the list.
    findings
        Gets the cells that cannot be read, and households of which two rows say different things.

    Returns
    -------
    DataFrame
        Of one figure and day one row a household; members' own figures are added up.
    """
    dated = "date" in table.columns
    parts = []
    for column, item, raw in columns:
        unit = unit_of(column) if item.startswith(_MONEY) else Decimal(1)
        part = base.assign(item=item, col=column, text=[text_of(v) for v in raw])
        part["value"] = pd.Series(_values(raw, unit, words), index=base.index, dtype=object)
        if not dated:
            own = (
                base["recorded_on"]
                if "recorded_on" in base
                else pd.Series(None, index=base.index, dtype=object)
            )
            written = own.where(own.notna(), day)
            days = [_day(end, day, yearly=item in YEARLY) for end, day in zip(ends, written, strict=True)]
            part["date"] = pd.Series(days, index=part.index, dtype=object)
            part["recorded_on"] = written
        parts.append(part)
    if not parts:
        return pd.DataFrame()
    out = pd.concat(parts, ignore_index=True).astype(object)
    for row in records(out[out["value"].isna() & out["text"].ne("")]):
        findings.add(
            "null",
            "unreadable cell",
            cell_place(row),
            text=row["text"],
            household_id=row["household_id"] or "",
        )
    out = out[out["value"].notna() & out["date"].notna() & out["household_id"].notna()]
    key = ["household_id", "date", "item"]
    if not table.once:
        sums = out.groupby(key, sort=False)["value"].transform("sum")
        return out.assign(value=sums).drop_duplicates(key)
    out = out.drop_duplicates([*key, "value"])
    twice = out.duplicated(key)
    for row in records(out[twice]):
        place = cell_place(row)
        findings.add("asked", "figures differ", place, text=row["text"], household_id=row["household_id"])
    return out[~twice]


def _day(end: dt.date | None, day: object, *, yearly: bool) -> dt.date | None:
    """Return the day of a figure: its year's end unless the list is older, else the list's day."""
    listed = day if isinstance(day, dt.date) else None
    if yearly and end is not None:
        return min(end, listed) if listed else end
    return listed or end


def year_end(year: object, first_month: int) -> dt.date | None:
    """Return the last day of a year of account.

    Examples
    --------
    >>> year_end(2021, 1), year_end(2021, 10)
    (datetime.date(2021, 12, 31), datetime.date(2021, 9, 30))
    """
    if is_empty(year):
        return None
    return month_end(int(year) * 12 + (11 if first_month == 1 else first_month - 2))  # type: ignore[call-overload]


def _values(raw: Sequence[object], unit: Decimal, words: Mapping[str, Any]) -> list[Decimal | None]:
    """Return numbers; yes is 1 and no is 0."""
    read = cells.read_amounts(raw, unit, words["kinds"], may_be_negative=True)
    said = cells.read_words(raw, words["booleans"])
    return [
        number if number is not None else None if word is None else Decimal(word == "true")
        for number, word in zip(read.values, said.values, strict=True)
    ]


def amounts_less(read: cells.ColumnRead, less: cells.ColumnRead) -> cells.ColumnRead:
    """Return amounts without what a second column takes off; a blank there takes nothing off.

    Examples
    --------
    >>> amounts_less(cells.ColumnRead([Decimal(9), Decimal(9)], [None, None]),
    ...              cells.ColumnRead([Decimal(2), None], [None, "blank"])).values
    [Decimal('7'), Decimal('9')]
    """
    values, faults = [], []
    for value, fault, off, why in zip(read.values, read.faults, less.values, less.faults, strict=True):
        unread = why if why not in (None, cells.BLANK) else None
        values.append(None if value is None or unread else max(value - (off or Decimal(0)), Decimal(0)))
        faults.append(fault or unread)
    return cells.ColumnRead(values, faults, read.notes)


_RESULTS = {
    "persons": "persons_reported",
    "persons_year": "persons_year",
    "net_income": "net_income_reported",
    "pcni": "pcni_reported",
}
# In a register, what was lacking at identification; it is no state of today.
_GAP_WORDS = re.compile(r"出现|损毁|失学辍学")
_GAPS = {"housing_safe": "gap_housing", "water_safe": "gap_water", "dropped_out": "gap_schooling"}
_OF_MEMBERS = frozenset({"public_post_months"})
_MOMENTS = {"identified": "identified_on", "eliminated": "eliminated_on"}


def figure_tables(sheet: SheetColumns, key: Mapping[str, ColumnMap]) -> list[TableMap]:
    """Return the maps of a sheet's figures: those of the list, of identification and of elimination.

    Parameters
    ----------
    sheet
        The sheet; columns that are read as figures are noted as used.
    key
        The columns that say whose a row is.
    """
    if "household_id" not in key:
        return []
    register = sheet.find("monitoring.identified_on") is not None
    found: dict[tuple[str, bool], dict[str, str]] = {}
    for header in sheet.visible():
        moment, item = figure_of(header, sheet.words, register=register)
        if item:
            group = found.setdefault((moment, item in _OF_MEMBERS), {})
            if item not in group.values():
                group[sheet.use(header)] = item
    made = (_table(sheet, key, moment, figures) for (moment, _), figures in found.items())
    return [table for table in made if table]


def with_subsidy(sheet: SheetColumns, tables: Sequence[TableMap]) -> list[TableMap]:
    """Take from production spending the subsidy that lowers it, where the sheet has a column of it."""
    subsidies = [h for h in sheet.visible() if any(m.name == "production_subsidy" for m in h.meanings)]
    if not subsidies:
        return list(tables)
    text = sheet.use(subsidies[0])
    out = []
    for table in tables:
        amounts = [
            a.model_copy(update={"less": text}) if (table.table, a.item) == ("spending", "production") else a
            for a in table.amounts
        ]
        out.append(table.model_copy(update={"amounts": tuple(amounts)}))
    return out


def _table(
    sheet: SheetColumns, key: Mapping[str, ColumnMap], moment: str, figures: dict[str, str]
) -> TableMap | None:
    columns = {"household_id": key["household_id"]}
    if moment:
        date = sheet.find(f"monitoring.{_MOMENTS[moment]}")
        if date is None:
            return None
        columns["date"] = ColumnMap(column=sheet.use(date))
    else:
        facts, day, year = sheet.layout.facts, sheet.find("recorded_on"), sheet.find("year")
        if not (facts.snapshot_on or facts.recorded_on or facts.year or day or year):
            sheet.ask("figures without a day", None, " · ".join(figures), blocking=False)
            return None
        if day:
            columns["recorded_on"] = ColumnMap(column=sheet.use(day))
        if year and YEARLY & set(figures.values()):
            columns["year"] = ColumnMap(column=sheet.use(year))
    return TableMap(
        table="indicators", columns=columns, figures=figures, once=not _OF_MEMBERS & set(figures.values())
    )


def figure_of(header: Header, words: Vocabulary, *, register: bool) -> tuple[str, str]:
    """Return the moment and the name of a figure; no name where a column is none."""
    own = normalise_header(header.own)
    moment, bare = moment_of(own)
    for group in header.path[:-1]:
        moment = moment or moment_of(normalise_header(group))[0]
    meanings = [m for m in (words.meanings([bare]) if moment else header.meanings) if m.sure == 1]
    for meaning in meanings:
        name = _name(meaning, header, moment, register=register)
        if name:
            if name.startswith("gap_") and register:
                moment = moment or "identified"
            return moment, f"{name}_{moment}" if moment and not name.startswith("gap_") else name
    return "", ""


def is_gap(header: Header) -> bool:
    """Say whether a column states what is lacking: of a register, at identification; else today."""
    return bool(_GAP_WORDS.search(header.own))


def _name(definition: Definition, header: Header, moment: str, *, register: bool) -> str:
    if definition.role == "figure":
        if definition.name == "road_distance":
            return _distance("".join(header.path))
        return definition.name
    if definition.role == "check":
        return _RESULTS.get(definition.name, "")
    if definition.role == "column":
        return _GAPS.get(definition.column, "") if (register or moment) and is_gap(header) else ""
    if definition.role != "item":
        return ""
    if definition.name == "income.claim":
        return "claims"
    if definition.name == "spending.medical" and "合规" in header.own:
        return "compliant_self_paid"
    return definition.column if moment else ""


def _distance(text: str) -> str:
    """Return the name of a distance with its unit; none where the header does not say it."""
    if re.search(r"公里|千米|km", text, re.IGNORECASE):
        return "road_distance_km"
    return "road_distance_m" if re.search(r"米|[（(]m", text, re.IGNORECASE) else ""
