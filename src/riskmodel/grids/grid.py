"""A sheet as it stands in its file: cells, and what the file says of them beyond their values."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from riskmodel.i18n import Message


@dataclass(frozen=True)
class CellError:
    """A cell that holds an error of its spreadsheet instead of a value.

    Parameters
    ----------
    code
        As the spreadsheet shows it, such as ``#REF!``; ``######`` where a negative or zero number is
        formatted as a date.
    """

    code: str

    def __str__(self) -> str:
        return self.code


Cell = None | str | int | float | bool | dt.date | dt.datetime | CellError
Area = tuple[int, int, int, int]
"""First row, first column, last row, last column; rows from 1, columns from 0, both ends included."""


@dataclass(frozen=True)
class Skipped:
    """A file, or a sheet of one, that holds no table that can be read.

    Parameters
    ----------
    file, sheet
        As in `Grid`; the sheet is empty where the whole file is meant.
    why
        The reason, with what to do about it.
    """

    file: str
    sheet: str
    why: Message


@dataclass(eq=False)
class Grid:
    """The cells of one sheet, of a text file, or of a table of a web page or database.

    Parameters
    ----------
    file, sheet
        The file as people know it (within a folder, the path from there), and its sheet or table; the sheet
        is empty in a file that has only one.
    rows
        All rows from the first of the sheet on, equally long; trailing empty rows and columns are left out.
        Blank cells are None. An integral number is an int, unless it has more than 15 digits: then the
        spreadsheet has rounded it, and it is a float.
    hidden_rows, hidden_columns
        Rows counted from 1, columns from 0.
    merged
        Merged areas; all cells but the first of each are None.
    formulas
        Row and column of the cells that are computed; their values are those computed last. A formula
        that was never computed has the value None.
    visible
        Whether the sheet can be seen in the file.
    date1904
        Whether the serial numbers of dates count from 1904 instead of 1900.
    faults
        Row to what the file format did to it, as a key of the reasons of rejected rows: ``broken quotes``,
        ``wrong encoding``, ``wrong number of fields``.
    notices
        What to tell of the file as a whole.
    formats
        Returns row and column to number format; asked only once and only when needed.
    turned
        Where rows and columns have been exchanged: the first row and the first column of the file's table,
        and how many rows of titles stand above; empty otherwise.
    places
        Cells (``C14``) and rows (``row 14``) of a sheet that is put together from others, and where each
        stands in the file.
    """

    file: str
    sheet: str
    rows: list[list[Cell]]
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    merged: tuple[Area, ...] = ()
    formulas: frozenset[tuple[int, int]] = frozenset()
    visible: bool = True
    date1904: bool = False
    faults: Mapping[int, str] = field(default_factory=dict)
    notices: tuple[Message, ...] = ()
    formats: Callable[[], Callable[[int, int], str]] | None = field(default=None, repr=False)
    turned: tuple[int, int, int] | tuple[()] = ()
    places: Mapping[str, str] = field(default_factory=dict, repr=False)
    _format_at: Callable[[int, int], str] | None = field(default=None, init=False, repr=False)

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.rows[0]) if self.rows else 0

    def address(self, row: int, column: int) -> str:
        """Return the name of a cell, such as ``C14``.

        Parameters
        ----------
        row
            From 1.
        column
            From 0.

        Examples
        --------
        >>> Grid("x.csv", "", []).address(14, 2)
        'C14'
        """
        return f"{column_letters(column)}{row}"

    def place_in_file(self, where: str) -> str:
        """Return where a cell or row of a turned sheet stands in its file: its rows are columns there.

        Parameters
        ----------
        where
            A cell such as ``C14``, or ``row 14``.

        Examples
        --------
        >>> Grid("x.xlsx", "", [], turned=(2, 0, 1)).place_in_file("C6")
        'E4'
        """
        if where in self.places:
            return self.places[where]
        found = re.fullmatch(r"(?:([A-Z]+)|row )(\d+)", where)
        if not self.turned or not found:
            return where
        first, left, titles = self.turned
        letters = column_letters(left + int(found[2]) - 1 - titles)
        if not found[1]:
            return f"column {letters}"
        column = 0
        for letter in found[1]:
            column = column * 26 + ord(letter) - ord("A") + 1
        return f"{letters}{first + column - 1}"

    def number_format(self, row: int, column: int) -> str:
        """Return the number format of a cell, ``General`` where it has none or the file type keeps none.

        Parameters
        ----------
        row
            From 1.
        column
            From 0.
        """
        if self._format_at is None:
            self._format_at = self.formats() if self.formats else _general
        return self._format_at(row, column)


def _general(row: int, column: int) -> str:
    return "General"


def column_letters(column: int) -> str:
    """Return the letters of a column counted from 0.

    Examples
    --------
    >>> column_letters(0), column_letters(26), column_letters(16383)
    ('A', 'AA', 'XFD')
    """
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str | bytes) -> int:
    """Return the column, counted from 0, of its letters.

    Examples
    --------
    >>> column_number("XFD")
    16383
    """
    number = 0
    for code in letters if isinstance(letters, bytes) else letters.encode():
        number = number * 26 + code - 64
    return number - 1


def trim(rows: list[list[Cell]]) -> list[list[Cell]]:
    """Return rows of equal length without trailing empty rows and columns; changes them in place.

    Rows without a cell share one list, because a sheet can have a million of them.
    """
    used = [_used(row) for row in rows]
    width = max(used, default=0)
    blank: list[Cell] = [None] * width
    while used and not used[-1]:
        used.pop()
    del rows[len(used) :]
    for i, row in enumerate(rows):
        if not used[i]:
            rows[i] = blank
        elif len(row) > width:
            del row[width:]
        elif len(row) < width:
            row += [None] * (width - len(row))
    return rows


def _used(row: list[Cell]) -> int:
    count = len(row)
    while count and row[count - 1] is None:
        count -= 1
    return count
