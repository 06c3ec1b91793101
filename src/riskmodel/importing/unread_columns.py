"""Columns of a sheet of which nothing is read: each is told, with what keeps it out."""

from __future__ import annotations

from collections.abc import Iterator

from riskmodel.grids import Grid, column_letters
from riskmodel.importing.findings import Findings
from riskmodel.importing.mapping import SheetMap
from riskmodel.importing.sheet_layout import Header, SheetLayout, text_of

# What nobody misses: serial numbers, remarks, what may not be stored.
_LEFT = ("serial", "remark", "place_above", "personal", "person_name", "name", "head_name", "person_number",
         "head_number")  # fmt: skip


def tell_unread_columns(grid: Grid, layout: SheetLayout, spec: SheetMap, findings: Findings) -> None:
    """Tell of every column that the map of a sheet does not name.

    Parameters
    ----------
    grid, layout
        The sheet and how it is laid out.
    spec
        What is read of it.
    findings
        Gets one finding a column that holds something.
    """
    named = (layout.header(text) for text in _texts(spec.model_dump()))
    read = {header.column for header in named if header}
    for header in layout.headers:
        if header.column in read or not _holds_something(grid, layout, header.column):
            continue
        if kind := _why(header):
            place = grid.file, grid.sheet, column_letters(header.column)
            findings.add("told", kind, place, text=header.text)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (*_texts(key), *_texts(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _why(header: Header) -> str:
    """Return why a column is not read, as a kind of finding; empty where that needs no saying."""
    meaning = header.meanings[0] if header.meanings else None
    if meaning and meaning.column in _LEFT:
        return ""
    if header.hidden:
        return "hidden column"
    other = meaning and (meaning.column in ("comparison", "moment") or (meaning.span and meaning.span.back))
    return "column of another period" if other else "column not read"


def _holds_something(grid: Grid, layout: SheetLayout, column: int) -> bool:
    lines = (grid.rows[row - 1] for row in layout.data_rows)
    return any(column < len(line) and text_of(line[column]) for line in lines)


__all__ = ["tell_unread_columns"]
