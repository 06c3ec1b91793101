"""Hand-made sheets, and what an import makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from riskmodel.grids import Grid
from riskmodel.importing import (
    Correction,
    ImportMap,
    ImportResult,
    Sheets,
    guess_files,
    import_sheets,
    vocabulary,
)
from riskmodel.importing.mapping import SheetMap, TableMap
from riskmodel.importing.sheet_layout import find_layout
from riskmodel.io import records

ROSTER_HEADER = [
    "乡镇",
    "行政村",
    "户编号",
    "户类型",
    "姓名",
    "身份证号",
    "与户主关系",
    "健康状况",
    "是否参保",
]


def grid(
    rows: Sequence[Sequence[object]], file: str = "表.xlsx", sheet: str = "Sheet1", **marks: Any
) -> Grid:
    """Return a sheet; short rows are filled with blanks."""
    width = max((len(row) for row in rows), default=0)
    cells: list[Any] = [[*row, *[None] * (width - len(row))] for row in rows]
    return Grid(file, sheet, cells, **marks)


def sheets(*grids: Grid) -> Sheets:
    """Return sheets as reading files gives them."""
    return Sheets(tuple((one, find_layout(one, vocabulary())) for one in grids), ())


def imported(
    *grids: Grid, plan: ImportMap | None = None, corrections: Sequence[Correction] = ()
) -> ImportResult:
    """Import sheets."""
    result = import_sheets(sheets(*grids), plan, corrections)
    # Hand-made lists show no day; that this is asked has a test of its own.
    found = result.assembled.findings
    found.items = [item for item in found.items if item.kind != "no day of the list"]
    return result


def guessed(one: Grid) -> SheetMap:
    """Return the map that is proposed of a sheet."""
    return guess_files(sheets(one))[0].sheets[0]


def tables_of(one: Grid) -> dict[str, TableMap]:
    """Return the tables that a sheet is proposed to feed."""
    return {table.table: table for table in guessed(one).tables}


def columns_of(one: Grid, table: str) -> dict[str, str | None]:
    """Return the columns of a table and the headers that they are proposed to come from."""
    return {name: column.column for name, column in tables_of(one)[table].columns.items()}


def rows_of(result: ImportResult, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return some columns of a table, sorted; missing cells are empty."""
    frame = result.assembled.tables.get(table)
    if frame is None:
        return []
    chosen = frame.reindex(columns=list(columns)).astype(object)
    return sorted(tuple(row.values()) for row in records(chosen.where(chosen.notna(), "")))


def money(result: ImportResult, table: str = "income") -> dict[tuple[str, str, str], float]:
    """Return the sum of amounts by household, span and item."""
    code = {"income": "source", "spending": "category"}[table]
    out: dict[tuple[str, str, str], float] = {}
    for household, month, first, last, item, amount in rows_of(
        result, table, "household_id", "month", "month_from", "month_to", code, "amount"
    ):
        key = household, month or f"{first}..{last}", item
        out[key] = out.get(key, 0.0) + float(amount)
    return out


def unknown(result: ImportResult) -> set[tuple[str, ...]]:
    """Return household, table, item, first and last month and reason of what is unknown."""
    return set(rows_of(result, "unrecorded", "household_id", "of", "item", "month_from", "month_to", "why"))


def kinds(result: ImportResult, *handlings: str) -> list[str]:
    """Return the kinds of findings of some handlings, or of all, in their order."""
    listed = result.assembled.findings.items
    return [f.kind for f in listed if not handlings or f.handling in handlings]


def places(result: ImportResult, kind: str) -> list[str]:
    """Return where the findings of a kind stand."""
    return [f.where for f in result.assembled.findings.items if f.kind == kind]


def person_number(birth: str, order: int, area: str = "539901") -> str:
    """Return an identity number that checks: area, YYYYMMDD, order (odd: male)."""
    digits = f"{area}{birth}{order:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    rest = sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11
    return digits + "10X98765432"[rest]


def roster(households: Iterable[str], **more: Any) -> Grid:
    """Return a list of households with two members each."""
    rows: list[list[object]] = [list(ROSTER_HEADER)]
    for at, household in enumerate(households):
        place = ["东河镇" if at % 2 == 0 else "西山乡", "上村", household, "脱贫户" if at % 3 else "一般农户"]
        rows.append([*place, f"甲{at}", person_number("19700315", 2 * at + 1), "户主", "健康", "是"])
        rows.append([*place, f"乙{at}", person_number("19720810", 2 * at), "配偶", "慢性病", "否"])
    return grid(rows, more.pop("file", "花名册.xlsx"), **more)


def long_rows(
    months: Sequence[str], amounts: Mapping[str, object], item: str = "工资性收入"
) -> list[list[object]]:
    """Return one row a household and month: household, month, item, amount."""
    return [[h, month, item, amount] for month in months for h, amount in amounts.items()]
