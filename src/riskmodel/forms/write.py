"""Writing forms: where pages and rows come from, a file for the county or one a township, filling it in.

A page or row is cut to what its form declares before a template sees it.
"""

from __future__ import annotations

import copy
import datetime as dt
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import contract
from riskmodel.errors import InputRefused
from riskmodel.forms import first_use, households, procedure, reports, statistics, tables
from riskmodel.forms.declaration import Form, FormSheet, available_forms, choose_forms
from riskmodel.forms.national import write_national_export
from riskmodel.forms.records import FormRecords, Record, phrase, yes_no
from riskmodel.forms.templates import import_word, make_template
from riskmodel.i18n import join, spoken_language, text
from riskmodel.io import office_file, safe_text, template_faults, word_templates

Page = Mapping[str, Any]
_PLACE = re.compile(r"\{\{\s*(?:([rp])\.)?(\w+)\s*\}\}")
LINE_POINTS = 14  # of a line in a cell
WRITTEN_LINES = 2  # room for the pen in a row that has cells to fill in
ONLY_PLACES = frozenset({"where", "as_of"})  # of a sheet beside its rows


def _template_bytes(form: Form, own: Path | None) -> bytes:
    """Return a form's template: the office's own where there is one, else made of the declaration."""
    if own is not None and (own / f"{form.id}{form.ending}").is_file():
        return (own / f"{form.id}{form.ending}").read_bytes()
    return _made_template(form.id)


@cache
def _made_template(form_id: str) -> bytes:
    return make_template(available_forms()[form_id])


def fill_word(form: Form, pages: Sequence[Page], path: Path, own: Path | None = None) -> Path:
    """Write a Word form, a part of it for each page.

    Raises
    ------
    InputRefused
        If the office's template asks for what the form does not print.
    """
    document = import_word().DocxTemplate(io.BytesIO(_template_bytes(form, own)))
    shown = [_cut(page, form) for page in pages]
    allowed = [f"p.{k}" for k in form.page_keys] + [
        f"r.{k}" for keys in form.table_keys.values() for k in keys
    ]
    with template_faults(f"{form.id}.docx", allowed):
        document.render({"pages": shown}, word_templates(), autoescape=True)
    with office_file(path) as temporary:
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

    book = load_workbook(io.BytesIO(_template_bytes(form, own)))
    for sheet, rows in sheets:
        if sheet.name not in book.sheetnames:
            raise InputRefused(
                f"template {form.id}.xlsx has no sheet {sheet.name!r}; leave its name as it was"
            )
        _fill_sheet(form, book[sheet.name], sheet, rows, {"where": where, "as_of": f"{as_of:%Y-%m-%d}"})
    with office_file(path) as temporary:
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
    for i, record in enumerate(rows or [{keys[min(keys)]: phrase("none")}]):
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
        return yes_no(value)
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


Pages = Callable[[FormRecords, Record], list[Record]]
# Adding one is a function and its name here.
PAGES: dict[str, Pages] = {
    "to_visit": households.pages_to_visit,
    "to_enter": households.pages_to_enter,
    "plans": households.pages_of_plans,
    "eliminated": households.pages_eliminated,
    "lifted_or_watched": households.pages_of_registered,
    "appraisal": procedure.pages_of_appraisal,
    "publicity": procedure.pages_of_publicity,
    "result": procedure.pages_of_result,
    "reply": procedure.pages_of_reply,
    "clear_cards": procedure.pages_of_clear_cards,
    "month": reports.pages_of_month,
    "quarter": reports.pages_of_quarter,
    "first_use": first_use.pages_of_first_use,
}
ROWS: dict[str, Pages] = {
    "list": tables.rows_of_list,
    "warnings": tables.rows_of_warnings,
    "problems": tables.rows_of_problems,
    "township": procedure.rows_of_township,
    "county": procedure.rows_of_county,
    "elimination": procedure.rows_of_elimination,
    "progress": reports.rows_of_progress,
    "scale_risk": reports.rows_of_scale_risk,
    "stocks": statistics.rows_of_stocks,
    "visited": statistics.rows_of_visits,
    "lists": statistics.rows_of_lists,
    "causes": statistics.rows_of_causes,
    "bands": statistics.rows_of_bands,
    "measures": statistics.rows_of_measures,
}


def not_made(data: FormRecords, form: Form) -> str:
    """Return why a rule set's procedure has no such form, empty where it has."""
    state = form.params.get("state")
    if state and state not in data.book.procedure.states:
        return text("forms.not_made.no_step", spoken_language(), ruleset=data.ruleset.id)
    return ""


@dataclass(frozen=True)
class WrittenForm:
    """What became of a form: its files, how many pages or rows they hold, or why there is none."""

    id: str
    zh: str
    files: tuple[Path, ...] = ()
    entries: int = 0
    skipped: str = ""


def write_forms(
    data: FormRecords, out: str | Path, ids: Sequence[str] | None = None, templates: str | Path | None = None
) -> list[WrittenForm]:
    """Write forms filled from a county's data.

    Parameters
    ----------
    data
        The county as known at a day, its rule set, and names to join.
    out
        Folder, made if it is not there; each form has one of its own in it.
    ids
        Which forms; all that are not made on request by default.
    templates
        The office's own templates by the form's id (`write_form_templates`); those that are not there are
        made of the declarations.

    Returns
    -------
    list of WrittenForm
        One a form, in their order; what could not be filled in says why.

    Raises
    ------
    UsageError
        If there is none of an id.
    InputRefused
        If a template asks for what its form does not print, or figures that must add up do not.
    InputMissing
        If Word forms are asked for and docxtpl is not installed.
    """
    own = Path(templates) if templates else None
    return [_write_form(data, form, Path(out), own) for form in choose_forms(list(ids) if ids else None)]


def _write_form(data: FormRecords, form: Form, out: Path, own: Path | None) -> WrittenForm:
    missing = [name for name in form.needs if not data.known.has(name)]
    if missing:
        tables = join([{"zh": contract().tables[name].zh, "en": name} for name in missing])
        why = text("forms.not_made.tables", spoken_language(), tables=tables)
        return WrittenForm(form.id, form.zh, skipped=why)
    if reason := not_made(data, form):
        return WrittenForm(form.id, form.zh, skipped=reason)
    if form.kind == "export":
        paths, number = write_national_export(data, out / form.id)
        return WrittenForm(form.id, form.zh, tuple(paths), number)
    if form.kind == "word":
        return _write_word(data, form, out, own)
    return _write_sheets(data, form, out, own)


def _write_word(data: FormRecords, form: Form, out: Path, own: Path | None) -> WrittenForm:
    pages = PAGES[form.pages](data, dict(form.params))
    if not pages:
        return WrittenForm(form.id, form.zh, skipped=text("forms.not_made.nothing", spoken_language()))
    files = [fill_word(form, part, _path(out, form, place), own) for place, part in _parts(form, pages, data)]
    return WrittenForm(form.id, form.zh, tuple(files), len(pages))


def _write_sheets(data: FormRecords, form: Form, out: Path, own: Path | None) -> WrittenForm:
    rows = [(sheet, ROWS[sheet.rows](data, dict(sheet.params))) for sheet in form.sheets]
    number = sum(1 for _, part in rows for row in part if not row.get("is_total"))
    if not number:
        return WrittenForm(form.id, form.zh, skipped=text("forms.not_made.nothing", spoken_language()))
    key = form.file
    places: list[str | None] = [None]
    if key != "county":
        places = sorted({str(row[key]) for _, part in rows for row in part if row.get(key)})  # type: ignore[assignment]
    files = []
    for place in places:
        own_rows = [
            (sheet, [r for r in part if place is None or r.get(key) == place]) for sheet, part in rows
        ]
        path = _path(out, form, place)
        files.append(fill_workbook(form, own_rows, place or phrase("levels.county"), data.as_of, path, own))
    return WrittenForm(form.id, form.zh, tuple(files), number)


def _parts(form: Form, pages: list[Record], data: FormRecords) -> list[tuple[str | None, list[Record]]]:
    if form.file == "county" or data.only:
        return [(None, pages)]
    places = sorted({str(page[form.file]) for page in pages})
    return [(place, [p for p in pages if p[form.file] == place]) for place in places]


def _path(out: Path, form: Form, place: str | None) -> Path:
    """Return where a file goes: a place's name is nobody's choice and may hold what no file name can."""
    plain = re.sub(r'[\\/:*?"<>|\x00-\x1f]', " ", place or "").strip(" .")
    name = f"{form.zh}-{plain}" if plain else form.zh
    return out / form.id / f"{name}{form.ending}"
