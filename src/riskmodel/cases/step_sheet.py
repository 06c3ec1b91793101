"""Steps entered in a sheet: a row a step; what cannot be read is told by its cell."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from riskmodel.cases.declaration import declared
from riskmodel.cases.judge import StepEntry, fault
from riskmodel.data import (
    TITLE_LINES,
    cell_text,
    codes,
    guess_delimiter,
    normal_header,
    open_workbook,
    parse_date,
)
from riskmodel.errors import InputRefused
from riskmodel.grids import BOM, find_encoding
from riskmodel.i18n import Message, section

# Columns of a sheet beside what a step may need; the first four are required.
REQUIRED = ("household_id", "step", "date", "role")
OWN = (*REQUIRED, "unit", "user", "kind", "case_id", "ground", "document", "corrects")
GIVEN = ("channel", "cause", "list", "way", "amount")
_CODED = {
    "channel": ("risk_events", "channel"),
    "cause": ("risk_events", "cause"),
    "causes": ("risk_events", "cause"),
    "measure": ("support", "measure"),
    "measures": ("support", "measure"),
    "way": ("monitoring", "way"),
}


@dataclass(frozen=True)
class CellFault:
    """A cell that cannot be used."""

    cell: str
    column: str
    value: str
    why: Message


def read_code(column: str, text: str) -> tuple[str | None, Message | None]:
    """Return a code from a word in either language, several parted by semicolons; or what is allowed.

    Examples
    --------
    >>> read_code("causes", "因病;因学")[0], read_code("step", "初步名单")[0]
    ('illness;schooling', 'proposed')
    """
    words = _words(column)
    parts = [p.strip() for p in text.replace("；", ";").replace("、", ";").split(";") if p.strip()]
    unknown = [p for p in parts if p.lower() not in words]
    if unknown or not parts:
        allowed = ", ".join(dict.fromkeys(words.values()))
        return None, fault("no such code", column=column, text=text, allowed=allowed)
    return ";".join(words[p.lower()] for p in parts), None


@cache
def _words(column: str) -> dict[str, str]:
    """Return what may be written in a coded column, to its code."""
    if column in _CODED:
        table, name = _CODED[column]
        out = {zh: code for code, zh in codes(table, name).items()}
        return {**out, **{code: code for code in out.values()}}
    every: dict[str, Mapping[str, Any]] = {
        "step": declared().states,
        "role": declared().roles,
        "kind": declared().kinds,
    }
    known = every[column]
    out = {}
    for code, words in known.items():
        names = (code, words.zh, words.en.lower(), getattr(words, "word", None))
        out |= {name: code for name in names if name}
    return out


def is_coded(column: str) -> bool:
    """Say whether a column holds codes."""
    return column in _CODED or column in ("step", "role", "kind")


@cache
def _headers() -> dict[str, str]:
    """Return normalised headers in both languages to columns."""
    own = section("cases.columns")
    out: dict[str, str] = {}
    for name in OWN:
        words = own[name]
        out |= {normal_header(w): name for w in (name, words["zh"], words["en"])}
    for name, need in declared().needs.items():
        if not need.check or name == "conditions":
            out |= {normal_header(w): name for w in (name, need.zh, need.en)}
    given = section("cases.given")
    for name in GIVEN:
        out |= {normal_header(w): name for w in (name, given[name]["zh"], given[name]["en"])}
    return out


def read_step_sheet(path: str | Path) -> tuple[list[StepEntry], list[CellFault]]:
    """Read steps from a workbook or CSV file.

    Parameters
    ----------
    path
        ``.xlsx`` or ``.csv``, headers in either language: those of `REQUIRED`, and any that a step needs.

    Returns
    -------
    entries : list of StepEntry
        In the order of the rows, each with its cell.
    faults : list of CellFault
        Cells that cannot be used; their rows are no entries.

    Raises
    ------
    InputRefused
        If it cannot be read, or no sheet has the headers.
    """
    source = Path(path)
    entries: list[StepEntry] = []
    faults: list[CellFault] = []
    seen = False
    for title, rows in sheets_of(source):
        for top, cells in enumerate(rows[:TITLE_LINES]):
            at = _columns_at(cells)
            if all(name in at for name in REQUIRED):
                seen = True
                for number, row in enumerate(rows[top + 1 :], start=top + 2):
                    if any(cell_text(c) for c in row):
                        _read_row(_Row(title, number, at, row), entries, faults)
                break
    if not seen:
        heads = ", ".join(f"{w['zh']} ({w['en']})" for n in REQUIRED for w in [section("cases.columns")[n]])
        raise InputRefused(f"{source.name}: no sheet with the headers {heads}")
    return entries, faults


def sheets_of(path: Path) -> Iterator[tuple[str, list[Sequence[Any]]]]:
    """Yield title and rows of each sheet of a workbook; a CSV file is one without a title."""
    if not path.is_file():
        raise InputRefused(f"{path}: no such file; give it as .xlsx or .csv")
    if path.suffix.lower() == ".csv":
        data = path.read_bytes().removeprefix(BOM)
        text = data.decode(find_encoding(data, path.name)[0], errors="replace")
        yield "", list(csv.reader(io.StringIO(text, newline=""), delimiter=guess_delimiter(text)))
    elif path.suffix.lower() == ".xlsx":
        for sheet in open_workbook(path).worksheets:
            yield sheet.title, [list(row) for row in sheet.iter_rows(values_only=True)]
    else:
        raise InputRefused(f"{path.name}: give it as .xlsx or .csv")


def _columns_at(cells: Sequence[Any]) -> dict[str, int]:
    out: dict[str, int] = {}
    for position, cell in enumerate(cells):
        column = _headers().get(normal_header(cell)) if isinstance(cell, str) else None
        if column is not None:
            out.setdefault(column, position)
    return out


@dataclass(frozen=True)
class _Row:
    sheet: str
    number: int
    at: Mapping[str, int]
    cells: Sequence[Any]

    def raw(self, column: str) -> Any:
        i = self.at.get(column)
        return self.cells[i] if i is not None and i < len(self.cells) else None

    def cell(self, column: str) -> str:
        from openpyxl.utils import get_column_letter

        name = f"{get_column_letter(self.at[column] + 1)}{self.number}"
        return f"{self.sheet}!{name}" if self.sheet else name


def _read_row(row: _Row, entries: list[StepEntry], faults: list[CellFault]) -> None:
    values: dict[str, Any] = {}
    before = len(faults)
    for column in row.at:
        text = cell_text(row.raw(column))
        if text is None or text == "":
            if column in REQUIRED:
                words = {lang: section("cases.columns")[column][lang] for lang in ("zh", "en")}
                faults.append(CellFault(row.cell(column), column, "", fault("empty cell", column=words)))
            continue
        value, wrong = _read(column, text, row.raw(column))
        if wrong is not None:
            faults.append(CellFault(row.cell(column), column, text, wrong))
        values[column] = value
    if len(faults) == before:
        entries.append(entry_of(values, row.cell("step")))


def _read(column: str, text: str, raw: Any) -> tuple[Any, Message | None]:
    if is_coded(column):
        return read_code(column, text)
    if column == "date" or (column in declared().needs and declared().needs[column].type == "date"):
        day, unreadable = parse_date(raw)
        return day, fault("no date", text=text) if day is None or unreadable else None
    if column in ("corrects", "list"):
        number = text.partition(".")[0]
        allowed = "1, 2, 3 …"
        wrong = None if number.isdigit() else fault("no such code", column=column, text=text, allowed=allowed)
        return int(number) if wrong is None else None, wrong
    return text, None


def entry_of(values: Mapping[str, Any], cell: str = "") -> StepEntry:
    """Return an entry from values by column, already read."""
    given = {k: _plain(v) for k, v in values.items() if k not in OWN}
    return StepEntry(
        household_id=str(values["household_id"]),
        to=str(values["step"]),
        date=values["date"],
        role=str(values["role"]),
        unit=values.get("unit"),
        user=values.get("user"),
        kind=values.get("kind"),
        case_id=values.get("case_id"),
        ground=values.get("ground"),
        document=values.get("document"),
        corrects=values.get("corrects"),
        given=given,
        cell=cell,
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value


def read_values(pairs: Mapping[str, str]) -> tuple[dict[str, Any], list[CellFault]]:
    """Return values as a sheet's row would give them, from texts by column."""
    values: dict[str, Any] = {}
    faults = []
    for column, text in pairs.items():
        value, wrong = _read(column, text, text)
        if wrong is not None:
            faults.append(CellFault(column, column, text, wrong))
        values[column] = value
    return values, faults
