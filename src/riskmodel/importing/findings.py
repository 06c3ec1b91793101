"""What an import says of what it read: questions, and cells or rows that could not be taken as they stand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from riskmodel.grids import Grid, column_letters
from riskmodel.i18n import Message
from riskmodel.importing.mapping import SheetMap
from riskmodel.importing.sheet_layout import Header, SheetLayout, text_of
from riskmodel.importing.vocabulary import vocabulary

# What a problem list holds, in its order; `correction` and `remark` are filled in by the township.
PROBLEM_COLUMNS = (
    "number", "township", "village", "household_id", "file", "sheet", "where", "content", "problem",
    "mend", "handling", "correction", "remark",
)  # fmt: skip
# What became of it: the row is out, the cell is null, the amount is unknown (`unrecorded`), the row or cell
# is used as it stands and a person is asked, or it was read in a way worth telling.
Handling = Literal["rejected", "null", "unknown", "asked", "told"]


# Identity numbers and mobile telephones, wherever they stand: in a cell of amounts as well.
_PERSONAL = re.compile(
    r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]|(?<!\d)1[3-9]\d{9}(?!\d)"
)


MASK = "***"


def without_personal_numbers(text: str) -> str:
    """Return a text with identity numbers and telephones struck out.

    Examples
    --------
    >>> without_personal_numbers("11010519491231002x 待核"), without_personal_numbers("12,345.60")
    ('*** 待核', '12,345.60')
    """
    return _PERSONAL.sub(MASK, text)


def problem_number(file: str, sheet: str, where: str, kind: str) -> str:
    """Return the number under which a problem is known, however often the files are read."""
    digest = hashlib.sha256("\x1f".join((file, sheet, where, kind)).encode()).hexdigest()
    return digest[:8].upper()


@dataclass(frozen=True)
class Finding:
    """One cell or row of which something is to be said.

    Parameters
    ----------
    handling
        What became of it.
    kind
        A key of the catalogue under ``importing.findings``, such as ``unreadable amount``.
    file, sheet, where
        Where it stands; ``where`` is a cell (C14), a row (row 14) or a column.
    text
        What stands there, without personal data.
    household_id
        Whose it is, where that is known.
    values
        What fills the places of the sentence.
    """

    handling: Handling
    kind: str
    file: str
    sheet: str
    where: str
    text: str = ""
    household_id: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def message(self) -> Message:
        """Return what a person is told."""
        return Message(f"importing.findings.{self.kind}.what", {"text": self.text, **self.values})

    def advice(self) -> Message:
        """Return what a person can do."""
        return Message(f"importing.findings.{self.kind}.mend", {"text": self.text, **self.values})


@dataclass
class Findings:
    """All findings of an import, in the order in which they were made.

    ``confirmed`` are the numbers of problems that a township has found to be right as they stand: they are
    not asked again. ``turned`` are the sheets whose rows are columns of their files. ``columns`` says which
    column of a sheet fills ``table.column``, and ``shown`` what stands in a cell (row, column, and which it
    is) without personal data: a fault found later names its cell.
    """

    items: list[Finding] = field(default_factory=list)
    confirmed: frozenset[str] = frozenset()
    turned: Mapping[tuple[str, str], Grid] = field(default_factory=dict)
    columns: dict[tuple[str, str, str], int] = field(default_factory=dict, repr=False)
    shown: dict[tuple[str, str], Callable[[int, int, str], str]] = field(default_factory=dict, repr=False)

    def add(self, handling: Handling, kind: str, place: tuple[str, str, str], **more: Any) -> None:
        """Add one; ``place`` is file, sheet and cell or row."""
        household = more.pop("household_id", "")
        if turned := self.turned.get(place[:2]):
            place = (*place[:2], turned.place_in_file(place[2]))
        plain = {k: without_personal_numbers(v) if isinstance(v, str) else v for k, v in more.items()}
        if handling in ("asked", "told") and problem_number(*place, kind) in self.confirmed:
            return
        text = plain.pop("text", "")
        self.items.append(Finding(handling, kind, *place, text, household, plain))

    def cell_of(self, row: Mapping[str, Any], *names: str) -> tuple[tuple[str, str, str], str]:
        """Return the place of what a row says of the first of some columns, and what stands there.

        Parameters
        ----------
        row
            With file, sheet and row number.
        *names
            As ``table.column``; where the sheet has none of them, it is the row itself.
        """
        sheet = row["file"], row["sheet"]
        for name in names:
            if (column := self.columns.get((*sheet, name))) is not None:
                return cell_place(row, column), self.shown[sheet](int(row["row"]), column, name)
        return cell_place(row), ""

    def of(self, *handlings: Handling) -> Iterator[Finding]:
        """Yield those of some handlings."""
        return (item for item in self.items if item.handling in handlings)

    def __len__(self) -> int:
        return len(self.items)


def cell_place(row: Mapping[str, Any], column: int | None = None) -> tuple[str, str, str]:
    """Return file, sheet and cell (or row) of a row."""
    at = row["col"] if column is None else column
    number = int(row["row"])
    return (
        row["file"],
        row["sheet"],
        f"{column_letters(int(at))}{number}" if at is not None and at >= 0 else f"row {number}",
    )


# ---------------------------------------------------------------- columns of which nothing is read

# What nobody misses: serial numbers, remarks, what may not be stored.
_SAID = ("comparison", "moment")
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
    words = vocabulary()
    named = (layout.header(t) or layout.alike(words.meanings([t])) for t in _texts(spec.model_dump()))
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
    if meaning and (meaning.column in _LEFT or (meaning.role == "other" and meaning.column not in _SAID)):
        return ""  # known, and left for a reason that the list of files gives
    if header.hidden:
        return "hidden column"
    other = meaning and (meaning.column in _SAID or (meaning.span and meaning.span.back))
    if other:
        return "column of another period"
    return "sum not compared" if meaning and meaning.role == "check" else "column not read"


def _holds_something(grid: Grid, layout: SheetLayout, column: int) -> bool:
    lines = (grid.rows[row - 1] for row in layout.data_rows)
    return any(column < len(line) and text_of(line[column]) for line in lines)
