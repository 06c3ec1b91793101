"""Writing forms: which there are pages or rows for, a file for the county or one a township."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from riskmodel.forms.declaration import Form, choose_forms
from riskmodel.forms.filling import fill_word, fill_workbook
from riskmodel.forms.national import write_national_export
from riskmodel.forms.records import FormRecords, Record
from riskmodel.forms.sources import PAGES, ROWS, not_made

WHOLE_COUNTY = "全县"


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
        return WrittenForm(form.id, form.zh, skipped=f"没有数据表：{'、'.join(missing)}")
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
        return WrittenForm(form.id, form.zh, skipped="没有需要填写的内容")
    files = [fill_word(form, part, _path(out, form, place), own) for place, part in _parts(form, pages, data)]
    return WrittenForm(form.id, form.zh, tuple(files), len(pages))


def _write_sheets(data: FormRecords, form: Form, out: Path, own: Path | None) -> WrittenForm:
    rows = [(sheet, ROWS[sheet.rows](data, dict(sheet.params))) for sheet in form.sheets]
    number = sum(1 for _, part in rows for row in part if not row.get("is_total"))
    if not number:
        return WrittenForm(form.id, form.zh, skipped="没有需要填写的内容")
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
        files.append(fill_workbook(form, own_rows, place or WHOLE_COUNTY, data.as_of, path, own))
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
