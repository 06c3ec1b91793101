"""Work away from home: spells, months and monthly wages of persons, kept in ``jobs`` and apart from income.

A monthly wage times months is no income that anybody has written down: wages come from the sheets of incomes.
Where those say nothing of a household's wages of months in which one of its members has worked for pay, its
wages of these months are unknown, not 0.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskmodel.data import contract, month_ordinal
from riskmodel.importing.findings import Findings, cell_place
from riskmodel.importing.guess_columns import SheetColumns
from riskmodel.importing.header_words import half_width, normalise_word
from riskmodel.importing.id_reading import person_key
from riskmodel.importing.mapping import ColumnMap, TableMap
from riskmodel.importing.people import People, plain_name
from riskmodel.importing.sheet_layout import text_of
from riskmodel.importing.sheet_rows import SheetRows, is_empty
from riskmodel.importing.vocabulary import vocabulary
from riskmodel.io import records

_KEYS = ("household_id", "member_id", "person_number", "name")
_TO = r"(?:至|到|[-~—–－]{1,2})"
_YEAR = r"(?:((?:19|20)\d{2})(?:年|[./-])?)"
_MONTH = r"(\d{1,2})(?:月份?)?(?:[./-]?\d{1,2}[日号]?)?底?"
_TWO_YEARS = re.compile(rf"^{_YEAR}{_MONTH}{_TO}{_YEAR}{_MONTH}$")
_ONE_YEAR = re.compile(rf"^{_YEAR}?{_MONTH}{_TO}{_MONTH}$")
_OPEN = re.compile(rf"^{_YEAR}?{_MONTH}(?:起|{_TO}?(?:今|现在|目前))$")
_COUNT = re.compile(r"^(\d{1,2}(?:\.\d+)?)(?:个月|个)?$")
_SEVERAL = re.compile(r"[、,，;；]|及|和")
_MONTHS_OF_A_YEAR = 12


@dataclass(frozen=True)
class Spell:
    """Months in which somebody worked, as ordinals; ``last`` is None where it goes on."""

    first: int
    last: int | None


# ---------------------------------------------------------------- which columns


def jobs_table(sheet: SheetColumns, key: Mapping[str, ColumnMap]) -> TableMap | None:
    """Return the map of a sheet's columns about work away from home.

    Parameters
    ----------
    sheet
        The sheet; its columns that are read are noted as used.
    key
        The columns that say whose a row is.
    """
    person = {"member_id", "person_number"} & set(key) or {"household_id", "name"} <= set(key)
    if not person or is_plan(sheet):
        return None
    begins, ends = sheet.find("jobs.month_from", "month_from"), sheet.find("jobs.month_to", "month_to")
    lasts, number = sheet.find("jobs.work_time", "jobs.months"), sheet.find("jobs.months")
    of_work = sheet.find("jobs.monthly_income", "jobs.place", "jobs.working")
    if not (lasts or (begins and of_work)):
        return None
    dated = begins or sheet.find("year") or sheet.layout.facts.year or _says_years(sheet)
    if not dated:
        return None
    columns = {name: key[name] for name in _KEYS if name in key}
    found = {name: sheet.find(f"jobs.{name}") for name in ("place", "channel", "income", "monthly_income")}
    found |= {name: sheet.find(name) for name in ("year", "recorded_on")}
    found |= {"working": sheet.find("jobs.working"), "month_from": begins, "month_to": ends}
    found |= {"work_time": lasts, "months": number if number is not lasts else None}
    columns |= {name: ColumnMap(column=sheet.use(header)) for name, header in found.items() if header}
    return TableMap(table="jobs", columns=columns)


def is_plan(sheet: SheetColumns) -> bool:
    """Say whether a sheet holds what is planned, and not what was done."""
    return any(h.meanings and h.meanings[0].column == "planned_work" for h in sheet.visible())


def _says_years(sheet: SheetColumns) -> bool:
    header = sheet.find("jobs.work_time", "jobs.months")
    sample = [text_of(v) for v in sheet.sample(header)] if header else []
    return bool(sample) and sum(bool(re.search(r"(19|20)\d{2}", t)) for t in sample) > len(sample) / 2


# ---------------------------------------------------------------- what cells say


def read_work_time(text: object, year: int | None) -> tuple[list[Spell], float | None, bool]:
    """Return the spells that a cell names, or how many months; and whether it can be read.

    Parameters
    ----------
    text
        ``3月-11月``, ``2021.3-2022.1``, ``2-5月、8-10月``, ``全年``, ``9``, ``9个月``.
    year
        Of months without a year.

    Examples
    --------
    >>> read_work_time("3月-11月", 2021)[0] == [Spell(2021 * 12 + 2, 2021 * 12 + 10)]
    True
    >>> read_work_time("9个月", 2021), read_work_time("9月", 2021)
    (([], 9.0, True), ([], None, False))
    """
    word = re.sub(r"\s+", "", half_width(text_of(text)))
    if not word:
        return [], None, True
    if found := _COUNT.match(word):
        months = float(found[1])
        return ([], months, True) if months <= _MONTHS_OF_A_YEAR else ([], None, False)
    if normalise_word(word) in vocabulary().kinds["whole_year"]:
        whole = [Spell(month_ordinal(year, 1), month_ordinal(year, 12))] if year else []
        return whole, None if year else 12.0, True
    spells = [_spell(part, year) for part in _SEVERAL.split(word) if part]
    known = [spell for spell in spells if spell]
    return (known, None, True) if known and len(known) == len(spells) else ([], None, False)


def _spell(word: str, year: int | None) -> Spell | None:
    if found := _TWO_YEARS.match(word):
        return _valid(int(found[1]), found[2], int(found[3]), found[4])
    if found := _ONE_YEAR.match(word):
        # 3-11 alone may be a day that a spreadsheet has made of it.
        own = int(found[1]) if found[1] else year if "月" in word else None
        return _valid(own, found[2], own, found[3]) if own else None
    if (found := _OPEN.match(word)) and (own := int(found[1]) if found[1] else year):
        return Spell(month_ordinal(own, int(found[2])), None) if 1 <= int(found[2]) <= 12 else None
    return None


def _valid(first_year: int, first: str, last_year: int, last: str) -> Spell | None:
    if not (1 <= int(first) <= 12 and 1 <= int(last) <= 12):
        return None
    spell = Spell(month_ordinal(first_year, int(first)), month_ordinal(last_year, int(last)))
    return spell if spell.last is not None and spell.first <= spell.last else None


# ---------------------------------------------------------------- rows


def collect_jobs(
    sheets: Sequence[SheetRows], people: People, findings: Findings
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the table of jobs, and its rows with whose household they are and where they stand.

    Parameters
    ----------
    sheets
        What every sheet gave.
    people
        Whose the rows are.
    findings
        Gets rows of nobody, and times that cannot be read.
    """
    rows: list[dict[str, Any]] = []
    for sheet in sheets:
        own: list[dict[str, Any]] = []
        for frame in sheet.tables.get("jobs", []):
            for row in records(frame.astype(object).where(frame.notna(), None)):
                own += _rows(row, sheet, people, findings)
        if any(row["monthly_income"] for row in own):
            findings.add("told", "monthly wages", (sheet.grid.file, sheet.grid.sheet, ""))
        rows += own
    columns = [*contract().tables["jobs"].columns, "recorded_on"]
    frame = (
        pd.DataFrame(rows, columns=None if rows else columns, dtype=object)
        .reindex(columns=columns)
        .astype(object)
    )
    return frame.where(frame.notna(), None).drop_duplicates().reset_index(drop=True), rows


def _rows(
    row: dict[str, Any], sheet: SheetRows, people: People, findings: Findings
) -> Iterator[dict[str, Any]]:
    stated = ("work_time", "months", "month_from", "monthly_income", "income", "place")
    if all(is_empty(row.get(name)) for name in stated) or _is_no(row.get("working")):
        return
    member, household = _member(row, people)
    if member is None:
        findings.add("rejected", "unknown person", cell_place(row), household_id=household or "")
        return
    facts = sheet.layout.facts
    year = row.get("year") or sheet.spec.year or facts.year
    spells, months = _time(row, year, findings)
    base = {name: row.get(name) for name in ("place", "channel", "income", "monthly_income", "recorded_on")}
    base |= {"member_id": member, "household_id": household}
    base |= {name: row[name] for name in ("file", "sheet", "row", "col")}
    spans: list[tuple[int | None, int | None]] = [(spell.first, spell.last) for spell in spells]
    for first, last in spans or [(None, None)]:
        own = first // 12 if first is not None else year
        if own is None:
            findings.add("rejected", "no month", cell_place(row), household_id=household or "")
            continue
        whole = last is not None and first is not None and last // 12 == first // 12
        length = last - first + 1 if whole and last is not None and first is not None else months
        length = int(length) if length is not None and float(length).is_integer() else length
        yield base | {"year": int(own), "months": length, "month_from": first, "month_to": last}


def _time(row: dict[str, Any], year: int | None, findings: Findings) -> tuple[list[Spell], float | None]:
    """Return when somebody worked, by two columns of months or one of words."""
    spells, months, readable = read_work_time(row.get("work_time"), year)
    months = row.get("months") if months is None else months
    first, last = row.get("month_from"), row.get("month_to")
    if first is not None and not (last is not None and last < first):
        spells = [Spell(int(first), None if last is None else int(last))]
    elif first is not None:
        readable = False
    if not readable:
        shown = "" if first is not None else text_of(row.get("work_time"))
        household = row.get("household_id") or ""
        findings.add("asked", "work time", cell_place(row), text=shown, household_id=household)
    return spells, months


def _is_no(word: object) -> bool:
    return vocabulary().words("booleans").get(normalise_word(text_of(word))) == "false"


def _member(row: Mapping[str, Any], people: People) -> tuple[str | None, str | None]:
    """Return the member and the household of a row; no member where nobody is known by what it says."""
    household = row.get("household_id")
    if key := person_key(row.get("person_number")):
        places = people.persons.get(key, [])
        return (places[-1][0], places[-1][1]) if places else (None, household)
    member = row.get("member_id")
    if isinstance(member, str):
        homes = people.member_households.get(member)
        return (member, homes[-1][0]) if homes else (None if people.known else member, household)
    if household and not is_empty(row.get("name")):
        found = people.names.get((household, plain_name(row["name"])), set())
        if len(found) == 1:
            return next(iter(found)), household
    return None, household


# ---------------------------------------------------------------- wages beside them


def unknown_wages(
    jobs: Sequence[Mapping[str, Any]],
    income: pd.DataFrame,
    unrecorded: Sequence[Mapping[str, Any]],
    findings: Findings,
    end: dt.date | None,
) -> list[dict[str, Any]]:
    """Return wages that are unknown: somebody worked for pay, and no sheet says what the household earned.

    Parameters
    ----------
    jobs
        Rows of `collect_jobs`.
    income
        The household's incomes: household, item, first and last month.
    unrecorded
        What is unknown already.
    findings
        Gets a question for each household.
    end
        The day of the lists: until when spells that go on are known.
    """
    spans: dict[str, list[tuple[int, int, bool]]] = {}
    for household, item, first, last in _spans(income, unrecorded):
        spans.setdefault(household, []).append((first, last, item in ("wage", None)))
    out: dict[tuple[str, int, int], dict[str, Any]] = {}
    asked: set[str] = set()
    for job in jobs:
        household, span = job["household_id"], _paid_span(job, end)
        known = [s for s in spans.get(household, []) if span and s[0] <= span[1] and span[0] <= s[1]]
        if span is None or not known or any(of_wages for _, _, of_wages in known):
            continue
        out[household, *span] = {
            "household_id": household, "of": "income", "item": "wage", "month_from": span[0],
            "month_to": span[1], "why": "job_without_wage", "recorded_on": None,
        }  # fmt: skip
        if household not in asked:
            asked.add(household)
            findings.add("asked", "job without wage", cell_place(job), household_id=household)
    return list(out.values())


def _spans(
    income: pd.DataFrame, unrecorded: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, str | None, int, int]]:
    names = ["household_id", "item", "month_from", "month_to"]
    if len(income):
        yield from income[names].itertuples(index=False, name=None)
    for row in unrecorded:
        if row["of"] == "income" and row["month_from"] is not None and row["month_to"] is not None:
            yield row["household_id"], row["item"], int(row["month_from"]), int(row["month_to"])


def _paid_span(job: Mapping[str, Any], end: dt.date | None) -> tuple[int, int] | None:
    """Return the months in which somebody was paid; those of the year where only their number is known."""
    if not (job["monthly_income"] or job["income"]) or job["household_id"] is None:
        return None
    first, last = job["month_from"], job["month_to"]
    if first is None:
        year = int(job["year"])
        return month_ordinal(year, 1), month_ordinal(year, 12)
    through = month_ordinal(end.year, end.month) if end else first
    return int(first), int(last if last is not None else max(first, through))


__all__ = ["Spell", "collect_jobs", "is_plan", "jobs_table", "read_work_time", "unknown_wages"]
