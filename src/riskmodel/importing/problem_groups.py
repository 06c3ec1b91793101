"""Many cells of one kind are one line of a problem list, with their count and their places.

What is filled in beside such a line holds for each of its places: it is taken apart again when it comes back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from riskmodel.i18n import Language, section, text
from riskmodel.importing.findings import Finding, problem_number
from riskmodel.importing.spans import month_runs

_MANY = 20  # so many cells of one column that hold the same are one line
_MOST_RUNS = 200  # named in one line
_PLACE = re.compile(r"([A-Z]{0,3}|row )(\d+)")
_NAMED = re.compile(r"([A-Z]{1,3})(\d+)(?::[A-Z]{1,3}(\d+))?|(?:row |第)(\d+)(?:-(\d+))?")
_KIND = 4  # letters of a line's number that say its kind


def group_findings(items: Sequence[Finding], townships: Sequence[str]) -> list[list[Finding]]:
    """Return findings in groups: one each, but for many of one kind, column, content and township.

    Parameters
    ----------
    items
        Findings of cells and rows.
    townships
        Of each, empty where it is not known.
    """
    groups: dict[object, list[Finding]] = {}
    for at, (item, township) in enumerate(zip(items, townships, strict=True)):
        place = _PLACE.fullmatch(item.where)
        key = (item.file, item.sheet, place[1], item.kind, item.text, township) if place else at
        groups.setdefault(key, []).append(item)
    out: list[list[Finding]] = []
    for group in groups.values():
        out += [group] if len(group) >= _MANY else [[item] for item in group]
    return out


def name_places(wheres: Iterable[str], language: Language) -> list[str]:
    """Return the places of one column, or of rows, by runs: C5:C9、C12; in pieces that fit into a cell."""
    places = [(found[1], int(found[2])) for where in wheres if (found := _PLACE.fullmatch(where))]
    column = places[0][0]
    named = []
    for first, last in month_runs(sorted({row for _, row in places})):
        if column == "row ":
            named.append(
                text("importing.report.row", language, n=first if first == last else f"{first}-{last}")
            )
        else:
            named.append(f"{column}{first}" if first == last else f"{column}{first}:{column}{last}")
    separator = text("common.separators.list", language)
    return [separator.join(named[at : at + _MOST_RUNS]) for at in range(0, len(named), _MOST_RUNS)]


def places_in(where: str) -> list[str]:
    """Return the single places that a line names.

    Examples
    --------
    >>> places_in("C5:C7、C12"), places_in("第5-6行")
    (['C5', 'C6', 'C7', 'C12'], ['row 5', 'row 6'])
    """
    out = []
    for column, first, last, row, last_row in _NAMED.findall(where):
        start, end = int(first or row), int(last or last_row or first or row)
        out += [f"{column or 'row '}{n}" for n in range(start, end + 1)]
    return out


def group_number(item: Finding, where: str) -> str:
    """Return the number of a line of several places; it ends with a sign of their kind."""
    digest = problem_number(item.file, item.sheet, where, item.kind)
    return f"{digest}-{_sign(item.kind)}"


def numbers_of(number: str, file: str, sheet: str, where: str) -> dict[str, str]:
    """Return the places of a line with the number of each; of a line of one place, that."""
    digest, _, sign = number.partition("-")
    kind = next((k for k in section("importing.findings") if sign and _sign(k) == sign), None)
    if kind is None:
        return {where: digest}
    return {place: problem_number(file, sheet, place, kind) for place in places_in(where)}


def _sign(kind: str) -> str:
    return hashlib.sha256(kind.encode()).hexdigest()[:_KIND].upper()
