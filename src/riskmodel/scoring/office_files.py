"""Files that an office keeps itself: rows of a workbook or CSV, and names and telephones to join."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from riskmodel.data import cell_text, find_encoding, normal_header, open_workbook, pseudonym
from riskmodel.errors import InputRefused

NAME_COLUMNS = ("own_id", "head_name", "contact", "phone")
HEADERS = {
    "household_id": ("household_id", "户编号", "household"),
    "head_name": ("head_name", "name", "户主", "户主姓名", "姓名"),
    "contact": ("contact", "contact_person", "联系人", "帮扶联系人", "帮扶责任人"),
    "phone": ("phone", "telephone", "联系电话", "电话", "手机"),
}
TITLE_LINES = 10  # an office puts a title or two above the header
BOM = b"\xef\xbb\xbf"
Row = Sequence[Any]


class OfficeFile(NamedTuple):
    """Rows of each sheet as they stand (one sheet without a title for CSV), and the workbook's properties."""

    sheets: list[tuple[str, list[Row]]]
    properties: dict[str, str]


def read_office_file(path: Path, what: str) -> OfficeFile:
    """Read an ``.xlsx`` or ``.csv`` (UTF-8 or GB18030); ``what`` it should be stands in the refusals."""
    ending = path.suffix.lower()
    if ending not in (".xlsx", ".csv"):
        raise InputRefused(f"{path.name}: give {what} as .csv or .xlsx")
    if not path.is_file():
        raise InputRefused(f"{path}: no such file; give {what} as .csv or .xlsx")
    if ending == ".csv":
        return OfficeFile([("", _csv_rows(path))], {})
    workbook = open_workbook(path)
    sheets = [(sheet.title, list(sheet.iter_rows(values_only=True))) for sheet in workbook.worksheets]
    return OfficeFile(sheets, {p.name: str(p.value) for p in workbook.custom_doc_props})


def _csv_rows(path: Path) -> list[Row]:
    data = path.read_bytes().removeprefix(BOM)
    encoding, clean = find_encoding(data, path.name)
    if not clean:
        raise InputRefused(f"{path.name}: holds bytes that are not {encoding}; save it as CSV UTF-8")
    text = data.decode(encoding)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=guess_delimiter(text)))


def guess_delimiter(text: str) -> str:
    """Return the sign that stands most often at the head of a CSV file: comma, tab or semicolon."""
    return max(",\t;", key=text[:4096].count)


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
    _, rows = read_office_file(source, "the names").sheets[0]
    known = {normal_header(word): name for name, words in HEADERS.items() for word in words}
    for top, cells in enumerate(rows[:TITLE_LINES]):
        at = find_headers(cells, known)
        if "household_id" in at and len(at) > 1:
            return _names_below(rows[top + 1 :], at, source.name)
    wanted = "; ".join(f"{name}: {' or '.join(words)}" for name, words in HEADERS.items())
    raise InputRefused(f"{source.name}: no header with the household's number and a name ({wanted})")


def _names_below(rows: Sequence[Row], at: dict[str, int], file: str) -> pd.DataFrame:
    columns = {n: [cell_text(r[i]) if i < len(r) else None for r in rows] for n, i in at.items()}
    names = pd.DataFrame(columns, dtype=object).dropna(subset=["household_id"]).drop_duplicates()
    twice = names["household_id"][names["household_id"].duplicated()]
    if len(twice):
        raise InputRefused(f"{file}: household {twice.iloc[0]!r} stands there twice and differently")
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
