"""Filling templates in: a page or row is cut to what its form declares before a template sees it."""

from __future__ import annotations

import copy
import datetime as dt
import io
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import InputRefused
from riskmodel.forms.declaration import Form, FormSheet, available_forms
from riskmodel.forms.templates import import_word, make_template
from riskmodel.io import atomic, safe_text, template_faults, word_templates

Page = Mapping[str, Any]
_PLACE = re.compile(r"\{\{\s*(?:([rp])\.)?(\w+)\s*\}\}")
LINE_POINTS = 14  # of a line in a cell
WRITTEN_LINES = 2  # room for the pen in a row that has cells to fill in
ONLY_PLACES = frozenset({"where", "as_of"})  # of a sheet beside its rows


@cache
def _template_bytes(form_id: str, own: Path | None) -> bytes:
    """Return a form's template: the office's own where there is one, else made of the declaration."""
    form = available_forms()[form_id]
    if own is not None and (own / f"{form_id}{form.ending}").is_file():
        return (own / f"{form_id}{form.ending}").read_bytes()
    return make_template(form)


def fill_word(form: Form, pages: Sequence[Page], path: Path, own: Path | None = None) -> Path:
    """Write a Word form, a part of it for each page.

    Raises
    ------
    InputRefused
        If the office's template asks for what the form does not print.
    """
    document = import_word().DocxTemplate(io.BytesIO(_template_bytes(form.id, own)))
    shown = [_cut(page, form) for page in pages]
    allowed = [f"p.{k}" for k in form.page_keys] + [
        f"r.{k}" for keys in form.table_keys.values() for k in keys
    ]
    with template_faults(f"{form.id}.docx", allowed):
        document.render({"pages": shown}, word_templates(), autoescape=True)
    with atomic(path) as temporary:
        document.save(str(temporary))
    return path


def _cut(page: Page, form: Form) -> dict[str, Any]:
    """Return what a form declares of a page: nothing else can be printed, whatever the template asks."""
    out: dict[str, Any] = {key: _text(page.get(key)) for key in form.page_keys}
    for name, keys in form.table_keys.items():
        out[name] = [{key: _text(row.get(key)) for key in keys} for row in page.get(name) or ()]
    return out


def _text(value: Any) -> Any:
    """Return a value as a paper shows it; what is unknown stays blank, for the pen."""
    if isinstance(value, bool):
        return value  # of a condition; what is printed as 是 or 否 comes as that word
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return ""
    if isinstance(value, dt.date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, float):
        return f"{value:,.0f}"
    return str(value)


def fill_workbook(
    form: Form, sheets: Sequence[tuple[FormSheet, Sequence[Page]]], where: str, as_of: dt.date, path: Path,
    own: Path | None = None,
) -> Path:  # fmt: skip
    """Write an Excel form: a row of places becomes a row for each record, what stands below moves down.

    Raises
    ------
    InputRefused
        If the office's template lacks a sheet, or asks for what the form does not print.
    """
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(_template_bytes(form.id, own)))
    for sheet, rows in sheets:
        if sheet.name not in book.sheetnames:
            raise InputRefused(
                f"template {form.id}.xlsx has no sheet {sheet.name!r}; leave its name as it was"
            )
        _fill_sheet(form, book[sheet.name], sheet, rows, {"where": where, "as_of": f"{as_of:%Y-%m-%d}"})
    with atomic(path) as temporary:
        book.save(temporary)
    return path


def _fill_sheet(
    form: Form, page: Any, sheet: FormSheet, rows: Sequence[Page], top: Mapping[str, str]
) -> None:
    at, keys = _row_of_places(form, page, sheet, top)
    below = [
        (cell.row, cell.column, cell.value, copy.copy(cell._style))
        for line in page.iter_rows(min_row=at + 1)
        for cell in line
    ]
    merged = [m for m in list(page.merged_cells.ranges) if m.min_row > at]
    for area in merged:
        page.unmerge_cells(str(area))
    heights = {r: page.row_dimensions[r].height for r, *_ in below}
    for row, column, _, _ in below:
        page.cell(row, column).value = None
    styles = {column: copy.copy(page.cell(at, column)._style) for column in range(1, page.max_column + 1)}
    shift = max(len(rows), 1) - 1
    for row, column, value, style in below:
        cell = page.cell(row + shift, column)
        cell.value, cell._style = value, style
        page.row_dimensions[row + shift].height = heights[row]
    for area in merged:
        area.shift(row_shift=shift)
        page.merge_cells(str(area))
    # An empty list is told, so that nobody takes it for one that was not made.
    for i, record in enumerate(rows or [{keys[min(keys)]: "无"}]):
        _write_row(page, at + i, keys, styles, record)


def _write_row(page: Any, row: int, keys: Mapping[int, str], styles: Mapping[int, Any], record: Page) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    lines = 1 if len(keys) == len(styles) else WRITTEN_LINES
    for column, style in styles.items():
        cell = page.cell(row, column)
        cell._style = copy.copy(style)
        key = keys.get(column)
        cell.value = _value(record.get(key)) if key else None
        if isinstance(cell.value, str):
            width = page.column_dimensions[get_column_letter(column)].width
            lines = max(lines, -(-sum(1 + (ord(c) > 255) for c in cell.value) // max(2, int(width) - 1)))
        if record.get("is_total"):
            cell.font = Font(name=cell.font.name, size=cell.font.size, bold=True)
    # Not every program fits the height of a row to what wraps in it.
    page.row_dimensions[row].height = LINE_POINTS * lines


def _value(value: Any) -> Any:
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, str):
        return safe_text(value)
    if hasattr(value, "item"):
        return value.item()
    return value.date() if isinstance(value, dt.datetime) else value


def _row_of_places(
    form: Form, page: Any, sheet: FormSheet, top: Mapping[str, str]
) -> tuple[int, dict[int, str]]:
    """Fill the places above the rows in; return the row of places and what stands in each column."""
    found: dict[int, dict[int, str]] = {}
    for line in page.iter_rows():
        for cell in line:
            if not isinstance(cell.value, str) or "{{" not in cell.value:
                continue
            for of, key in _PLACE.findall(cell.value):
                allowed = sheet.keys if of else ONLY_PLACES
                if key not in allowed:
                    where = f"template {form.id}.xlsx, sheet {page.title}, cell {cell.coordinate}"
                    known = ", ".join(sorted({f"r.{k}" for k in sheet.keys} | ONLY_PLACES))
                    raise InputRefused(f"{where}: the form does not print {key!r}; it may use: {known}")
                if of:
                    found.setdefault(cell.row, {})[cell.column] = key
            cell.value = _PLACE.sub(lambda m: top.get(m[2], m[0]), cell.value)
    if len(found) != 1:
        raise InputRefused(
            f"template {form.id}.xlsx, sheet {page.title}: one row of places {{{{ r.… }}}} is needed"
        )
    return next(iter(found.items()))
