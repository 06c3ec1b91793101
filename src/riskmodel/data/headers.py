"""From the headers of a file to the columns of the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from riskmodel.data.schema import SPAN_TABLES, contract
from riskmodel.errors import InputRefused

RECORDED_ON = {"recorded_on": "录入日期"}
# A unit of 万元 is left standing: the column is then missing, better than read 10,000 times too small.
_REMARK = re.compile(r"[（(](?:元|人民币|人民币元|yuan|CNY|必填|required)[)）]", re.IGNORECASE)


def normal(header: str) -> str:
    """Return a header without case, spaces, stars and unit remarks.

    Examples
    --------
    >>> normal(" Household ID*"), normal("金额（元）"), normal("金额（万元）")
    ('household_id', '金额', '金额（万元）')
    """
    text = _REMARK.sub("", header.replace("\ufeff", "")).strip().strip("*＊").strip()
    return re.sub(r"[\s\-]+", "_", text).lower()


def aliases(table: str) -> dict[str, str]:
    """Return ``{normalised header: column}`` of a table, in both languages, ``recorded_on`` included.

    Examples
    --------
    >>> aliases("income")["收入类别"], aliases("income")["录入日期"]
    ('source', 'recorded_on')
    """
    zh = {name: column.zh for name, column in contract().tables[table].columns.items()} | RECORDED_ON
    return {normal(name): name for name in zh} | {normal(word): name for name, word in zh.items()}


def match(table: str, headers: Sequence[str], file: str) -> dict[str, int]:
    """Return which column stands where in a file.

    Parameters
    ----------
    table : str
    headers : sequence of str
    file : str
        Named in the error.

    Returns
    -------
    dict
        Column of the contract to its position.

    Raises
    ------
    InputRefused
        If two headers mean one column, or a required column is missing.
    """
    known = aliases(table)
    found: dict[str, int] = {}
    for position, header in enumerate(headers):
        column = known.get(normal(header))
        if column is None:
            continue
        if column in found:
            both = f"{headers[found[column]]!r} and {header!r}"
            raise InputRefused(f"{file}: {both} both mean {column}; keep one of them")
        found[column] = position
    missing = _missing(table, found)
    if missing:
        columns = contract().tables[table].columns
        wanted = ", ".join(f"{name} {columns[name].zh}" for name in missing)
        there = ", ".join(str(h) for h in headers) or "none"
        raise InputRefused(f"{file}: no column {wanted}; the headers found are: {there}")
    return found


def _missing(table: str, found: Iterable[str]) -> list[str]:
    there = set(found)
    missing = [n for n, c in contract().tables[table].columns.items() if c.required and n not in there]
    if table in SPAN_TABLES and "month" not in there and not {"month_from", "month_to"} <= there:
        missing.append("month")
    return missing


def known_headers(table: str, cells: Iterable[str]) -> set[str]:
    """Return the columns of a table that a row of cells names."""
    known = aliases(table)
    return {known[normal(cell)] for cell in cells if normal(cell) in known}


def header_row(table: str, rows: Sequence[Sequence[str]]) -> int:
    """Return which of a file's first rows is the header: the first with two known headers, else the first.

    Parameters
    ----------
    table : str
    rows : sequence of sequence of str
        The first rows, as text.

    Returns
    -------
    int
        Its position; a title above the header is then skipped.

    Examples
    --------
    >>> header_row("income", [["某县收入表", "", ""], ["户编号", "月份", "金额"]])
    1
    """
    for position, row in enumerate(rows):
        if len(known_headers(table, row)) >= 2:
            return position
    return next((p for p, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)
