"""Rows whose number a spreadsheet has rounded: whose they may be is unknown there, and never 0."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel.importing import cell_reading as cells
from riskmodel.importing.findings import Findings, cell_place
from riskmodel.importing.people import People
from riskmodel.importing.sheet_rows import SheetRows, is_empty

_SCIENTIFIC = re.compile(r"(\d)(?:\.(\d+))?[eE]\+?(\d+)")
_KEPT_DIGITS = 15  # as many as a spreadsheet keeps of a number
# A list of payments holds few of a county: where an identity number leaves more households than these,
# nothing is known of any of them, and the row is only rejected and told.
_MOST_MEANT = 10
_WHAT = ["item", "month_from", "month_to"]


def households_meant(
    lost: Sequence[dict[str, Any]],
    others: pd.DataFrame,
    table: str,
    sheets: Sequence[SheetRows],
    people: People,
    findings: Findings,
) -> Iterator[dict[str, Any]]:
    """Yield lost rows under each household whose they may be, and ask about each.

    These are the households, without an amount of that source and time, whose number begins with the digits
    that are left; where no number does, all of the sheet's townships.

    Parameters
    ----------
    lost
        Amounts without a household.
    others
        Those with one.
    table
        ``income`` or ``spending``.
    sheets, people
        What every sheet gave; households and persons.
    findings
        Gets a question for each row.
    """
    rounded = [row for row in lost if _is_rounded(row)]
    if not rounded:
        return
    numbers = _Numbers({household: {household} for household in people.known})
    persons = _Numbers({key: {p[1] for p in places} for key, places in people.persons.items()})
    columns = ["household_id", *_WHAT]
    some = others[others["item"].isin({row["item"] for row in rounded})]
    stated = {_key(*values) for values in some[columns].itertuples(index=False, name=None)}
    homes = dict(zip(people.households["household_id"], people.households["township"], strict=True))
    own: dict[int, set[str]] = {}
    done: set[tuple[object, ...]] = set()
    asked: set[tuple[int, int]] = set()
    for row in rounded:
        at = int(row["sheet_no"])
        if row.get("household_id_fault") == cells.ROUNDED:
            meant = numbers.like(_raw(row, sheets[at], f"{table}.household_id", findings))
            if not meant and at not in own:
                places = {homes.get(h) for h in others.loc[others["sheet_no"] == at, "household_id"]}
                own[at] = {h for h, town in homes.items() if town in places or not places}
            meant = meant or own[at]
        else:
            meant = persons.like(_raw(row, sheets[at], f"{table}.person_number", findings))
        what = tuple(row[name] for name in _WHAT)
        without = {h for h in meant if _key(h, *what) not in stated} or meant
        if row.get("household_id_fault") != cells.ROUNDED and len(without) > _MOST_MEANT:
            continue
        for household in sorted(without):
            if (key := _key(household, *what)) not in done:
                done.add(key)
                yield {**row, "household_id": household}
        if without and (at, row["row"]) not in asked:
            asked.add((at, row["row"]))
            whose = next(iter(without)) if len(without) == 1 else ""
            findings.add(
                "asked", "rounded number may be", cell_place(row), household_id=whose, n=len(without)
            )


def _is_rounded(row: Mapping[str, Any]) -> bool:
    faults = row.get("household_id_fault"), row.get("person_number_fault")
    return is_empty(row["household_id"]) and cells.ROUNDED in faults


def _key(*values: object) -> tuple[object, ...]:
    return tuple(None if is_empty(value) else value for value in values)


def _raw(row: Mapping[str, Any], sheet: SheetRows, name: str, findings: Findings) -> object:
    """Return the cell of a row that holds a number."""
    column = findings.columns.get((row["file"], row["sheet"], name))
    line = sheet.grid.rows[int(row["row"]) - 1]
    return line[column] if column is not None and column < len(line) else None


class _Numbers:
    """Known numbers in their order, to find those of which a rounded one may be."""

    def __init__(self, homes: Mapping[str, set[str]]) -> None:
        digits = ((re.sub(r"[Xx]$", "0", number), found) for number, found in homes.items())
        pairs = sorted(((int(n), sorted(found)) for n, found in digits if n.isascii() and n.isdecimal()))
        self.values = [number for number, _ in pairs]
        self.homes = [found for _, found in pairs]
        self.found: dict[object, set[str]] = {}

    def like(self, value: object) -> set[str]:
        """Return the households of the numbers that a rounded one may have been."""
        if value not in self.found:
            reach = _reach(value)
            first, last = (0, 0)
            if reach:
                first, last = bisect_left(self.values, reach[0]), bisect_right(self.values, reach[1])
            self.found[value] = {home for homes in self.homes[first:last] for home in homes}
        return self.found[value]


def _reach(value: object) -> tuple[int, int] | None:
    """Return the smallest and the largest number that a rounded one may have been.

    Examples
    --------
    >>> _reach("5.39901E+11")
    (539900000001, 539901999999)
    """
    if isinstance(value, float | int):
        unit = 10 ** max(len(str(int(value))) - _KEPT_DIGITS, 0)
        return int(value) - unit + 1, int(value) + unit - 1
    if not (found := _SCIENTIFIC.fullmatch(re.sub(r"\s+", "", str(value)))):
        return None
    decimals = found[2] or ""
    power = int(found[3]) - len(decimals)
    if not 0 <= power <= 30:
        return None
    number, unit = int(found[1] + decimals) * 10**power, 10**power
    return number - unit + 1, number + unit - 1


__all__ = ["households_meant"]
