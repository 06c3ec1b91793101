"""Which columns say what others give, by their headers: sums, net income, years beside their months."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from riskmodel.importing.guess_columns import SheetColumns
from riskmodel.importing.item_columns import summed_items
from riskmodel.importing.mapping import CheckMap, TableMap
from riskmodel.importing.sheet_layout import Header
from riskmodel.importing.vocabulary import Definition

_SUMS = ("total", "income", "spending")


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
    dated = [
        (h, m)
        for h in sheet.visible()
        if h.meanings
        and (m := h.meanings[0]).role in ("months", "item")
        and m.span
        and h.column in sheet.used
    ]
    out = []
    for header, meaning in dated:
        span = meaning.span
        if span is None or span.first == span.last or sheet.use(header) in read:
            continue
        same = [(h, m.span) for h, m in dated if m.span and m.name == meaning.name]
        of_year = [(h, one) for h, one in same if (one.year, one.back) == (span.year, span.back)]
        months = {
            one.first: h
            for h, one in of_year
            if one.first == one.last and span.first <= one.first <= span.last
        }
        if len(months) == span.last - span.first + 1:
            parts = _names(sheet, months.values())
            out.append(CheckMap(column=sheet.use(header), of="total", parts=parts))
    return out


__all__ = ["result_checks"]
