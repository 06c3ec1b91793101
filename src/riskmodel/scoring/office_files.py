"""Files of an office as they stand: rows, what is hidden or merged, properties; names to join."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from riskmodel.data import (
    TITLE_LINES,
    cell_text,
    guess_delimiter,
    normal_header,
    open_workbook,
    pseudonym,
)
from riskmodel.errors import InputRefused
from riskmodel.grids import BOM, find_encoding
from riskmodel.households import KnownCounty, current_ids
from riskmodel.io import FORMULA_SIGNS
from riskmodel.scoring.joins import dropped_zeros

NAME_COLUMNS = ("own_id", "head_name", "contact", "phone")
HEADERS = {
    "household_id": ("household_id", "户编号", "household"),
    "head_name": ("head_name", "name", "户主", "户主姓名", "姓名"),
    "contact": ("contact", "contact_person", "联系人", "帮扶联系人", "帮扶责任人"),
    "phone": ("phone", "telephone", "联系电话", "电话", "手机"),
}
Row = Sequence[Any]


class OfficeSheet(NamedTuple):
    """Rows as they stand, what is hidden, and merged areas.

    An area is (first row, last row, first column, last column): rows count from 1, columns from 0.
    """

    title: str
    rows: list[Row]
    hidden: bool = False
    hidden_rows: frozenset[int] = frozenset()
    merged: tuple[tuple[int, int, int, int], ...] = ()


class OfficeFile(NamedTuple):
    """The sheets (one without a title for CSV), and the workbook's properties."""

    sheets: list[OfficeSheet]
    properties: dict[str, str]


def read_office_file(path: Path, what: str) -> OfficeFile:
    """Read an ``.xlsx`` or ``.csv`` (UTF-8 or GB18030); ``what`` it should be stands in the refusals."""
    ending = path.suffix.lower()
    if ending not in (".xlsx", ".csv"):
        raise InputRefused(f"{path.name}: give {what} as .csv or .xlsx")
    if not path.is_file():
        raise InputRefused(f"{path}: no such file; give {what} as .csv or .xlsx")
    if ending == ".csv":
        return OfficeFile([OfficeSheet("", _csv_rows(path))], {})
    workbook = open_workbook(path)
    sheets = [
        OfficeSheet(
            sheet.title,
            list(sheet.iter_rows(values_only=True)),
            sheet.sheet_state != "visible",
            frozenset(n for n, row in sheet.row_dimensions.items() if row.hidden),
            tuple((a.min_row, a.max_row, a.min_col - 1, a.max_col - 1) for a in sheet.merged_cells.ranges),
        )
        for sheet in workbook.worksheets
    ]
    return OfficeFile(sheets, {p.name: str(p.value) for p in workbook.custom_doc_props})


def _csv_rows(path: Path) -> list[Row]:
    data = path.read_bytes().removeprefix(BOM)
    encoding, clean = find_encoding(data, path.name)
    if not clean:
        raise InputRefused(f"{path.name}: holds bytes that are not {encoding}; save it as CSV UTF-8")
    text = data.decode(encoding)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=guess_delimiter(text)))


def find_headers(cells: Row, names: Mapping[str, str]) -> dict[str, int]:
    """Return where columns stand in a row, from 0, by normalised headers; the first of equals counts."""
    out: dict[str, int] = {}
    for position, cell in enumerate(cells):
        column = names.get(normal_header(cell)) if isinstance(cell, str) else None
        if column is not None:
            out.setdefault(column, position)
    return out


def read_names(path: str | Path) -> pd.DataFrame:
    """Read the office's file of names, which are joined while a list is written and kept nowhere else.

    Parameters
    ----------
    path
        ``.csv`` (UTF-8 or GB18030) or ``.xlsx``, with the household's number and any of: name of its head,
        contact person, telephone.

    Returns
    -------
    DataFrame
        ``household_id`` and those of ``head_name, contact, phone`` that the file has; one row a household.

    Raises
    ------
    InputRefused
        If it cannot be read, has no such columns, or names a household twice and differently.
    """
    source = Path(path)
    rows = read_office_file(source, "the names").sheets[0].rows
    known = {normal_header(word): name for name, words in HEADERS.items() for word in words}
    for top, cells in enumerate(rows[:TITLE_LINES]):
        at = find_headers(cells, known)
        if "household_id" in at and len(at) > 1:
            return _names_below(rows[top + 1 :], at, source.name)
    allowed = "; ".join(f"{name}: {' or '.join(words)}" for name, words in HEADERS.items())
    raise InputRefused(f"{source.name}: no header with the household's number and a name ({allowed})")


def _names_below(rows: Sequence[Row], at: dict[str, int], file: str) -> pd.DataFrame:
    columns = {n: [cell_text(r[i]) if i < len(r) else None for r in rows] for n, i in at.items()}
    names = pd.DataFrame(columns, dtype=object).dropna(subset=["household_id"]).drop_duplicates()
    repeated = names["household_id"][names["household_id"].duplicated()]
    if len(repeated):
        raise InputRefused(f"{file}: household {repeated.iloc[0]!r} stands there twice and differently")
    return names.reset_index(drop=True)


def pseudonymise_names(names: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """Return names for a county with keyed ids: the office's own number goes along as a name does.

    Parameters
    ----------
    names
        From `read_names`.
    key
        The secret key (`riskmodel.data.secret_key`).

    Returns
    -------
    DataFrame
        The same rows, ``household_id`` keyed, ``own_id`` as the office writes it.
    """
    own = names["household_id"]
    return names.assign(own_id=own, household_id=[pseudonym(str(i), key) for i in own])


def names_by_current_number(names: pd.DataFrame, known: KnownCounty) -> pd.DataFrame:
    """Return names under the numbers in use; where a file has the old and the new number, the new one goes.

    Parameters
    ----------
    names
        From `read_names`, with the office's own numbers, of which some may be old.
    known
        The county as known at the list's day.

    Returns
    -------
    DataFrame
        One row a household.
    """
    current = current_ids(known, names["household_id"])
    own = current == names["household_id"]
    out = names.assign(household_id=current)[own | ~current.isin(names["household_id"])]
    return out.drop_duplicates("household_id").reset_index(drop=True)


def names_met(names: pd.DataFrame, listed: Iterable[str]) -> str:
    """Return how many listed households have a name, and whether a spreadsheet dropped zeros."""
    ids, named = list(map(str, listed)), list(names["household_id"].astype(str))
    met = f"names: {len(set(ids) & set(named))} of the {len(ids)} listed households have one"
    if lost := dropped_zeros(named, ids):
        first, padded = next(iter(lost.items()))
        return f"{met}; did a spreadsheet drop the leading zeros of the file ({first} for {padded})?"
    return met


def join_names(rows: pd.DataFrame, names: pd.DataFrame | None) -> pd.DataFrame:
    """Return rows of a list with names beside them.

    Parameters
    ----------
    rows
        With ``household_id``.
    names
        From `read_names`; None leaves the rows as they are.

    Returns
    -------
    DataFrame
        The same rows in the same order.
    """
    if names is None or rows.empty:
        return rows
    return rows.merge(names, on="household_id", how="left", validate="m:1")


def unescaped_id(text: str) -> str:
    """Return an id without the apostrophe that keeps a spreadsheet from taking it for a formula.

    Examples
    --------
    >>> [unescaped_id(text) for text in ("'=1+1", "h'1")]
    ['=1+1', "h'1"]
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_SIGNS) else text


def cell_name(sheet: str, number: int, position: int) -> str:
    """Return how a spreadsheet calls a cell, from its row (from 1) and column (from 0).

    Examples
    --------
    >>> cell_name("核查名单", 12, 15), cell_name("", 3, 26)
    ('核查名单!P12', 'AA3')
    """
    from openpyxl.utils import get_column_letter

    name = f"{get_column_letter(position + 1)}{number}"
    return f"{sheet}!{name}" if sheet else name
