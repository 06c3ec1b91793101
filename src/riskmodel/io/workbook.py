"""Workbooks: the one place that opens one for writing, and how a value goes into a cell."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskmodel.errors import RiskmodelError

if TYPE_CHECKING:
    import pandas as pd

# Written in place of the hour, so that a workbook's bytes depend on its content alone.
CREATED = dt.date(2020, 1, 1)
# Text stays text: nothing that was read becomes a formula, a link or a number.
_PLAIN = {
    "in_memory": True,
    "remove_timezone": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


@contextlib.contextmanager
def new_workbook(path: str | Path, created: dt.date = CREATED, **properties: str) -> Iterator[Any]:
    """Give a workbook that is written when the body ends.

    Parameters
    ----------
    path
        Where to; give a temporary path (`riskmodel.io.files.atomic`) to replace a file whole or not at all.
    created
        Stands in the file as the day it was made.
    **properties
        Further properties of the document, such as ``title``.

    Yields
    ------
    xlsxwriter.Workbook
    """
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), _PLAIN) as book:
        book.set_properties({**properties, "created": dt.datetime.combine(created, dt.time())})
        yield book


def write_cell(sheet: Any, row: int, column: int, value: object, style: Any = None) -> None:
    """Write one value as what it is; a missing one is an empty cell, an infinite one its word.

    Raises
    ------
    RiskmodelError
        If the workbook cannot hold it (a text beyond 32,767 characters, a row too many).
    """
    if type(value) is str:
        done = sheet.write_string(row, column, value, style)
    elif value is None:
        done = sheet.write_blank(row, column, None, style)
    else:
        done = _write_other(sheet, row, column, value, style)
    if done != 0:
        where = f"row {row + 1}, column {column + 1}"
        raise RiskmodelError(f"cell in {where} does not fit into a workbook: {value!r:.80}")


def _write_other(sheet: Any, row: int, column: int, value: Any, style: Any) -> Any:
    """Write a number, a day, a truth value, a missing value, or anything else as its text."""
    import numpy as np
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return sheet.write_blank(row, column, None, style)
    if isinstance(value, bool | np.bool_):
        return sheet.write_boolean(row, column, bool(value), style)
    if isinstance(value, int | float | np.integer | np.floating) and math.isfinite(value):
        return sheet.write_number(row, column, float(value), style)
    if isinstance(value, dt.date):
        day = value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
        return sheet.write_datetime(row, column, day, style)
    return sheet.write_string(row, column, str(value), style)


def write_frame(frame: pd.DataFrame, path: str | Path, sheet: str, *, for_people: bool = True) -> None:
    """Write a data frame as the only sheet of a workbook.

    Parameters
    ----------
    frame
        Its columns are the header.
    path
        As in `new_workbook`.
    sheet
        The sheet's name.
    for_people
        Days as text and the header bold and fixed; else days as day cells, as the data contract has them.
    """
    with new_workbook(path) as book:
        page = book.add_worksheet(sheet)
        bold = book.add_format({"bold": True}) if for_people else None
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for j, name in enumerate(frame.columns):
            page.write_string(0, j, str(name), bold)
            for i, value in enumerate(frame[name].astype(object), 1):
                is_day = isinstance(value, dt.date) and value == value
                shown = value.isoformat()[:10] if for_people and is_day else value
                write_cell(page, i, j, shown, day if is_day and not for_people else None)
        if for_people:
            page.freeze_panes(1, 0)
