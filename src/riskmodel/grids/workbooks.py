"""Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods) as grids: values by one reader, all else from `marks`."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from riskmodel.errors import InputRefused
from riskmodel.grids.grid import Area, Cell, CellError, Grid, Skipped, column_letters, trim
from riskmodel.grids.marks import SheetMarks, XlsxParts, ods_marks
from riskmodel.grids.old_excel import OleFile, XlsBook
from riskmodel.i18n import Message

Marks = Callable[[int, str], SheetMarks | None]
Formats = Callable[[int, str], Callable[[], Callable[[int, int], str]] | None]

# The values of a sheet stand in memory as a full rectangle up to its last cell: at 32 bytes a cell, 4 GiB.
# A cell filled by a slip of the hand in the last row and column would need 500 GiB.
MOST_CELLS = 130_000_000
_LARGEST_EXACT = 1e15  # a spreadsheet keeps 15 digits


def read_workbook(path: Path, file: str, kind: str) -> tuple[list[Grid], list[Skipped]]:
    """Read the sheets of a workbook.

    Parameters
    ----------
    path
        Where it stands.
    file
        Its name.
    kind
        ``xlsx``, ``xlsb``, ``xls`` or ``ods``: what it is, whatever its name says.

    Returns
    -------
    grids : list of Grid
        Those with a cell that holds something, hidden ones too.
    skipped : list of Skipped
        The others, or the whole file, each with the reason.
    """
    import python_calamine as calamine

    try:
        marks, formats, date1904 = _MARKS[kind](path)
        with _named_as(kind, path) as named, calamine.load_workbook(named) as book:
            return _read_sheets(book, file, marks, formats, date1904, kind)
    except calamine.PasswordError:
        return [], [Skipped(file, "", Message("grids.skipped.password", {"file": file}))]
    except _BROKEN as exc:
        return [], [_broken(file, "", exc)]
    except calamine.CalamineError as exc:
        return [], [_broken(file, "", exc)]


# The reader of values believes the ending; these are the ones it knows.
_ENDINGS = {"xlsx": (".xlsx", ".xlsm"), "xlsb": (".xlsb",), "xls": (".xls",), "ods": (".ods",)}


@contextmanager
def _named_as(kind: str, path: Path) -> Iterator[Path]:
    """Give a path whose ending says what the file is: its own, or that of a copy."""
    if path.suffix.lower() in _ENDINGS[kind]:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copyfile(path, Path(folder) / f"copy.{kind}"))


_BROKEN = (
    *(InputRefused, OSError, KeyError, ValueError, IndexError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, ElementTree.ParseError, expat.ExpatError, EOFError),
)


def _broken(file: str, sheet: str, exc: BaseException) -> Skipped:
    values = {"file": file, "sheet": sheet or file, "why": str(exc) or type(exc).__name__}
    return Skipped(
        file, sheet, Message("grids.skipped.broken sheet" if sheet else "grids.skipped.broken", values)
    )


def _read_sheets(
    book: Any, file: str, marks: Marks, formats: Formats, date1904: bool, kind: str
) -> tuple[list[Grid], list[Skipped]]:
    import python_calamine as calamine

    grids: list[Grid] = []
    skipped: list[Skipped] = []
    for number, sheet in enumerate(book.sheets_metadata):
        values = {"file": file, "sheet": sheet.name}
        if sheet.typ != calamine.SheetTypeEnum.WorkSheet:
            skipped.append(Skipped(file, sheet.name, Message("grids.skipped.no cells", values)))
            continue
        try:
            found = marks(number, sheet.name)
            if found and found.last[0] * (found.last[1] + 1) > MOST_CELLS:
                values["cell"] = f"{column_letters(found.last[1])}{found.last[0]}"
                skipped.append(Skipped(file, sheet.name, Message("grids.skipped.far cell", values)))
                continue
            if found and not found.whole:
                skipped.append(Skipped(file, sheet.name, Message("grids.skipped.cut short", values)))
                continue
            cells = book.get_sheet_by_index(number)
            rows = _rows(cells)
        except (*_BROKEN, calamine.CalamineError) as exc:
            skipped.append(_broken(file, sheet.name, exc))
            continue
        merged = [(a + 1, b, c + 1, d) for (a, b), (c, d) in cells.merged_cell_ranges or []]
        grid = Grid(
            *(file, sheet.name, _with_errors(rows, found)),
            **_clipped(found or SheetMarks(), rows, merged),
            visible=sheet.visible == calamine.SheetVisibleEnum.Visible,
            date1904=date1904,
            notices=tuple(_notices(found, kind, values)),
            formats=formats(number, sheet.name),
        )
        if rows:
            grids.append(grid)
        else:
            skipped.append(Skipped(file, sheet.name, Message("grids.skipped.empty sheet", values)))
    return grids, skipped


def _notices(marks: SheetMarks | None, kind: str, values: dict[str, str]) -> Iterator[Message]:
    if marks is None:
        yield Message("grids.notices.marks unknown", {**values, "kind": kind})


def _rows(sheet: Any) -> list[list[Cell]]:
    """Return the rows of a sheet from its first on."""
    if sheet.start is None:
        return []
    once = dict[str, str]().setdefault  # equal texts share their memory
    rows: list[list[Cell]] = []
    # The reader gives the rows from the first of the sheet on, but only the columns from the first in use.
    indent: list[Cell] = [None] * sheet.start[1]
    for values in sheet.iter_rows():
        row = [*indent, *(_cell(value, once) for value in values)]
        rows.append(row if any(cell is not None for cell in row) else [])
    return trim(rows)


def _cell(value: Any, once: Callable[[str, str], str]) -> Cell:
    kind = type(value)
    if kind is str:
        return once(value, value) if value and not value.isspace() else None
    if kind is float:
        return int(value) if -_LARGEST_EXACT < value < _LARGEST_EXACT and value == int(value) else value
    if kind is dt.time:
        # A number below one that is formatted as a date. What is below zero comes as zero, too.
        seconds = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
        return seconds / 86400 if seconds else CellError("######")
    if kind is dt.timedelta:
        return value / dt.timedelta(days=1)
    return value


def _with_errors(rows: list[list[Cell]], marks: SheetMarks | None) -> list[list[Cell]]:
    """Put the errors where the reader of values left nothing, and return the rows."""
    errors = marks.errors if marks else {}
    if not errors:
        return rows
    last, width = max(row for row, _ in errors), max(column for _, column in errors) + 1
    width = max([width, *(len(row) for row in rows[:1])])
    rows.extend([] for _ in range(last - len(rows)))
    wanted = {row for row, _ in errors}
    for i, row in enumerate(rows, start=1):
        if i in wanted:
            # Empty rows share one list.
            rows[i - 1] = [*row, *[None] * (width - len(row))]
    for (row_number, column), code in errors.items():
        rows[row_number - 1][column] = CellError(code)
    return trim(rows)


def _clipped(marks: SheetMarks, rows: list[list[Cell]], merged: list[Area]) -> dict[str, Any]:
    """Return the marks that lie within the cells; formats and spans often run on to the end of the sheet."""
    height, width = len(rows), len(rows[0]) if rows else 0
    return {
        "hidden_rows": frozenset(row for row in marks.hidden_rows if row <= height),
        "hidden_columns": frozenset(column for column in marks.hidden_columns if column < width),
        "merged": tuple(a for a in marks.merged or merged if a[0] <= height and a[1] < width),
        "formulas": frozenset(p for p in marks.formulas if p[0] <= height and p[1] < width),
    }


def _xlsx(path: Path) -> tuple[Marks, Formats, bool]:
    parts = XlsxParts(path)
    return (
        lambda number, sheet: parts.marks(sheet),
        lambda number, sheet: lambda: parts.formats(sheet),
        parts.date1904,
    )


def _xls(path: Path) -> tuple[Marks, Formats, bool]:
    ole = OleFile(path.read_bytes())
    name = next(name for name in ("Workbook", "Book", *ole.streams) if name in ole.streams)
    book = XlsBook(ole.read(name))
    return (
        lambda number, sheet: book.marks(number),
        lambda number, sheet: lambda: book.formats(number),
        book.date1904,
    )


def _ods(path: Path) -> tuple[Marks, Formats, bool]:
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as stream:
        sheets = ods_marks(stream)
    return lambda number, sheet: sheets[number], lambda number, sheet: None, False


def _unknown(path: Path) -> tuple[Marks, Formats, bool]:
    return lambda number, sheet: None, lambda number, sheet: None, False


_MARKS: dict[str, Callable[[Path], tuple[Marks, Formats, bool]]] = {
    "xlsx": _xlsx,
    "xlsb": _unknown,
    "xls": _xls,
    "ods": _ods,
}
