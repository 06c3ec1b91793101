"""Export in the layout of the national monitoring system: 户信息 and 监测对象信息, one row a person.

Two title rows, the header on the third, codes in the system's own words, months as ``YYYYMM``; blank where
the county does not know. The importer of that layout reads it back (`riskmodel.importing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from riskmodel.forms.declaration import forms_folder
from riskmodel.forms.records import FormRecords, Record, month_text, phrase
from riskmodel.io import Spec, load_spec, new_workbook, office_file, safe_text, write_cell
from riskmodel.register import category_name


class ExportColumn(Spec):
    """A column of the system: its header, what it holds, and in which words."""

    zh: str
    key: str
    words: dict[str, str] = Field(default_factory=dict)


class ExportFile(Spec):
    """One file of the system."""

    file: str
    title: str
    watched_only: bool = False
    columns: tuple[ExportColumn, ...]


class NationalLayout(Spec):
    """The whole layout (``reports/templates/forms/layout/national.yaml``)."""

    version: int
    files: tuple[ExportFile, ...]


def national_layout() -> NationalLayout:
    """Return the declared layout."""
    return load_spec(forms_folder() / "layout" / "national.yaml", NationalLayout)


def write_national_export(data: FormRecords, out: Path) -> tuple[list[Path], int]:
    """Write both files of the system; return them and how many persons they hold."""
    paths, number = [], 0
    for spec in national_layout().files:
        wanted = data.asked(data.watched if spec.watched_only else list(data.homes))
        path = out / f"{spec.file}_{data.as_of:%Y%m%d}.xlsx"
        rows = list(_rows(data, spec, wanted))
        with office_file(path) as temporary, new_workbook(temporary, data.as_of) as book:
            _write(book.add_worksheet(spec.title), spec, rows, data)
        paths.append(path)
        number += len(rows)
    return paths, number


def _rows(data: FormRecords, spec: ExportFile, households: Sequence[str]) -> Iterator[list[Any]]:
    for household in households:
        home = _home(data, household)
        # A household whose members all left is told by its row, without a person.
        for member in data.members.get(household, [{}]):
            record = {**home, **{f"m_{k}": v for k, v in member.items()}}
            yield [_cell(column, record) for column in spec.columns]


def _home(data: FormRecords, household: str) -> Record:
    home = data.homes[household]
    register = data.of("monitoring", household)
    watched = home["in_register"]
    entries = [m for m in register if m["event"] in ("identified", "rolled_back", "re_marked")]
    last = entries[-1] if entries and watched else None
    causes = str(last["causes"]).split(";") if last is not None and last["causes"] else []
    category = str(home["register_category"]) if watched and home["register_category"] else None
    out: Record = {
        **home, "household_id": household, "year": _year(home),
        "watched_category": category_name(category, "zh") if category and category != "unknown" else None,
        "identified_on": f"{last['date']:%Y%m}" if last is not None else None,
        "eliminated": False if watched else None,
        "lifted_flag": home["registration"],
        **{f"cause_{i}": causes[i - 1] if len(causes) >= i else None for i in range(1, 6)},
    }  # fmt: skip
    measures: dict[str, list[str]] = {}
    for row in data.of("support", household):
        measures.setdefault(f"measure_{row['measure']}", []).append(row.get("detail") or phrase("yes"))
    return out | {k: ",".join(dict.fromkeys(v)) for k, v in measures.items()}


def _year(home: Mapping[str, Any]) -> int | None:
    """Return the year of account: that in which the period ends, where it is twelve whole months."""
    return None if home["period_to"] != home["period_to"] else int(home["period_to"]) // 12


def _cell(column: ExportColumn, record: Mapping[str, Any]) -> Any:
    value = record.get(column.key)
    if value is None or value != value:
        return None
    if column.words:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return column.words.get(text)
    if column.key.endswith("birth_month"):
        return month_text(value).replace("-", "")
    if isinstance(value, str):
        return safe_text(value)
    return round(float(value), 2) if not isinstance(value, int) else value


def _write(sheet: Any, spec: ExportFile, rows: Sequence[Sequence[Any]], data: FormRecords) -> None:
    sheet.write_string(0, 0, spec.title)
    sheet.write_string(1, 0, phrase("data_of", date=data.as_of))
    for j, column in enumerate(spec.columns):
        sheet.write_string(2, j, column.zh)
        sheet.set_column(j, j, max(10, 2 * len(column.zh)))
    for i, row in enumerate(rows, 3):
        for j, value in enumerate(row):
            write_cell(sheet, i, j, value)
    sheet.freeze_panes(3, 2)
