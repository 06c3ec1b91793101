"""A workbook that an office fills in, which the packaged map ``template`` reads back.

Its sheets, headers, notes and examples stand in ``template.yaml``. Numbers are text cells, so that zeros at
their front stay; words have drop-downs; amounts and days are checked as they are typed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from riskmodel.data import codes
from riskmodel.io import new_workbook, office_file, read_yaml, write_cell

_ROWS = 5000  # rows with drop-downs and formats; what is typed below them is read as well
_FORMATS = {"id": "@", "text": "@", "month": "@", "date": "yyyy-mm-dd", "amount": "0.00"}
_FONT = {"font_name": "宋体", "font_size": 11}
_BOX = _FONT | {"border": 1, "border_color": "#BFBFBF", "text_wrap": True, "valign": "top"}
_HEAD = {"bold": True, "bg_color": "#DCE6F1"}
_MUST = {"bg_color": "#FCE4D6"}
_NARROWEST = {"id": 14, "date": 12, "amount": 11}
_ABOUT_WIDTHS = (12, 24, 62, 18)  # sheet, column, what to fill in, example
_WORDS = 255  # the longest list of words that a cell of Excel can offer


@cache
def _plan() -> Mapping[str, Any]:
    content: Mapping[str, Any] = read_yaml(Path(__file__).with_suffix(".yaml"))
    return content


def template_sheets() -> dict[str, list[str]]:
    """Return the sheets of the template and their headers."""
    return {name: [column["header"] for column in columns] for name, columns in _plan()["sheets"].items()}


def write_template(path: str | Path) -> Path:
    """Write the workbook.

    Parameters
    ----------
    path
        Where to; it ends with ``.xlsx``.

    Returns
    -------
    Path
        The workbook.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_template(Path(folder) / "template.xlsx").name
    'template.xlsx'
    """
    plan = _plan()
    with office_file(path) as temporary, new_workbook(temporary, title=plan["about"]) as book:
        _about_sheet(book, plan)
        for name, columns in plan["sheets"].items():
            _sheet(book, name, columns)
    return Path(path)


def _about_sheet(book: Any, plan: Mapping[str, Any]) -> None:
    """Write how to fill the workbook in, and what every column wants, to be printed and kept beside it."""
    sheet = book.add_worksheet(plan["about"])
    _for_print(sheet)
    head, must, may = (book.add_format(_BOX | more) for more in (_HEAD, _MUST, {}))
    title = book.add_format(_FONT | {"bold": True, "font_size": 14})
    for at, width in enumerate(_ABOUT_WIDTHS):
        sheet.set_column(at, at, width)
    write_cell(sheet, 0, 0, plan["title"], title)
    for row, line in enumerate(plan["lines"], 1):
        write_cell(sheet, row, 0, line, book.add_format(_FONT))
    row = len(plan["lines"]) + 2
    for at, word in enumerate(plan["about_columns"]):
        write_cell(sheet, row, at, word, head)
    for name, columns in plan["sheets"].items():
        for column in columns:
            row += 1
            style = must if column.get("required") else may
            for at, value in enumerate((name, column["header"], column["note"], column["example"])):
                write_cell(sheet, row, at, value or None, style)


def _sheet(book: Any, name: str, columns: Sequence[Mapping[str, Any]]) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 1)
    _for_print(sheet)
    sheet.repeat_rows(0)
    sheet.set_row(0, 32)
    must, may = (book.add_format(_BOX | _HEAD | more) for more in (_MUST, {}))
    example = _FONT | {"italic": True, "font_color": "#7F7F7F"}
    for at, column in enumerate(columns):
        number = {"num_format": _FORMATS.get(column["kind"], "General")}
        # Headers stand on two lines, so that a sheet prints on one page in a readable size.
        width = max(_NARROWEST.get(column["kind"], 10), len(column["header"]) + 2)
        sheet.set_column(at, at, width, book.add_format(_FONT | number))
        write_cell(sheet, 0, at, column["header"], must if column.get("required") else may)
        sheet.write_comment(0, at, _note(column))
        write_cell(sheet, 1, at, _example(column), book.add_format(number | example))
        if rule := _validation(column):
            sheet.data_validation(2, at, _ROWS, at, rule)


def _for_print(sheet: Any) -> None:
    """Set a sheet up for A4 on its side, one page wide."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    sheet.fit_to_pages(1, 0)


def _note(column: Mapping[str, Any]) -> str:
    shown = f"\n{_plan()['example']}：{column['example']}" if column["example"] else ""
    return f"{column['note']}{shown}"


def _example(column: Mapping[str, Any]) -> object:
    text = column["example"]
    if not text:
        return None
    if column["kind"] == "date":
        return dt.date.fromisoformat(text)
    return float(text) if column["kind"] in ("amount", "year", "grade") else text


def _validation(column: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what may be typed into a column; None where that is anything."""
    kind = column["kind"]
    blank = {"ignore_blank": True, "error_title": column["header"], "error_message": column["note"][:255]}
    words = {"yes": _plan()["yes"], "words": column.get("words", ()), "grade": ["0", "1", "2", "3", "4"]}.get(
        kind
    )
    if kind == "code":
        table, _, name = column["codes"].partition(".")
        words = list(codes(table, name).values())
    if words and len(",".join(words)) <= _WORDS:
        # A warning, not a stop: a word that the list lacks may be right, and is told when it is read.
        return blank | {"validate": "list", "source": list(words), "error_type": "warning"}
    if kind == "amount":
        limits = {"criteria": "between", "minimum": 0, "maximum": 100_000_000}
        return blank | {"validate": "decimal", **limits, "error_type": "warning"}
    if kind == "date":
        limits = {"criteria": "between", "minimum": dt.date(1900, 1, 1), "maximum": dt.date(2100, 12, 31)}
        return blank | {"validate": "date", **limits}
    if kind == "year":
        return blank | {"validate": "integer", "criteria": "between", "minimum": 1950, "maximum": 2100}
    return None
