"""Problem lists that come back from the townships: what they correct, and which problems they close.

In the column of corrections stands what the cell should hold; ``删除`` takes the row out; ``属实``
confirms it as it stands. Corrections change what was read, never the office's own files, and are
kept in the county's folder, so that the next import takes them in again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from riskmodel.errors import InputMissing, InputRefused
from riskmodel.grids import Grid, read_file
from riskmodel.i18n import section
from riskmodel.importing.findings import PROBLEM_COLUMNS, without_personal_numbers
from riskmodel.importing.header_words import normalise_word
from riskmodel.importing.problem_groups import numbers_of
from riskmodel.importing.sheet_layout import text_of
from riskmodel.io import records

STORED = "corrections.csv"
_DELETE = {"删除", "删除此行", "作废", "delete"}
_CONFIRM = {"属实", "确认", "无误", "正确", "confirmed", "ok"}
_CELL = re.compile(r"^([A-Z]{1,3})(\d+)$")
_ROW = re.compile(r"^(?:row |第)(\d+)行?$")


@dataclass(frozen=True)
class Correction:
    """What a township says of one problem.

    Parameters
    ----------
    number
        The problem's.
    file, sheet, where
        Where it stands.
    action
        ``set`` a cell, ``delete`` a row, or ``confirm`` that it is right.
    value
        What the cell holds from now on.
    before
        A digest of what stood there when the correction was first taken in; empty before that.
    """

    number: str
    file: str
    sheet: str
    where: str
    action: Literal["set", "delete", "confirm"]
    value: str = ""
    before: str = ""


def read_corrections(path: str | Path) -> list[Correction]:
    """Read what townships have filled in.

    Parameters
    ----------
    path
        A workbook of problem lists, any number of its sheets, or the kept ``corrections.csv``.

    Returns
    -------
    list of Correction
        One for each problem with an entry in the column of corrections.

    Raises
    ------
    InputMissing
        If there is no such file, or it cannot be opened.
    InputRefused
        If no sheet has the columns of a problem list.
    """
    try:
        grids, _ = read_file(Path(path), Path(path).name)
    except OSError as exc:
        raise InputMissing(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    headers = _header_words()
    out: list[Correction] = []
    found = False
    for grid in grids:
        at = _columns(grid, headers)
        if at is None:
            continue
        found = True
        out += [c for row in grid.rows[1:] for c in _corrections(row, at)]
    if not found:
        raise InputRefused(
            f"{path}: no sheet is a problem list of reading.xlsx; send back that workbook, filled in"
        )
    return out


def _header_words() -> dict[str, str]:
    """Return the headers of problem lists in both languages, to the column they name."""
    words = section("importing.report.columns")
    return {
        normalise_word(w): key for key in PROBLEM_COLUMNS for w in (words[key]["zh"], words[key]["en"], key)
    }


def _columns(grid: Grid, headers: dict[str, str]) -> dict[str, int] | None:
    if not grid.rows:
        return None
    at = {headers[w]: c for c, v in enumerate(grid.rows[0]) if (w := normalise_word(text_of(v))) in headers}
    return at if {"number", "file", "where", "correction"} <= set(at) else None


def _corrections(row: Sequence[object], at: dict[str, int]) -> list[Correction]:
    """Return what a line says: of each of its places, where it names several."""
    cells = {key: text_of(row[c]) if c < len(row) else "" for key, c in at.items()}
    given = cells["correction"]
    if not given or not cells["number"]:
        return []
    word = normalise_word(given)
    action: Literal["set", "delete", "confirm"] = (
        "delete" if word in _DELETE else "confirm" if word in _CONFIRM else "set"
    )
    file, sheet, value = cells["file"], cells.get("sheet", ""), given if action == "set" else ""
    numbers = numbers_of(cells["number"], file, sheet, cells["where"])
    return [Correction(number, file, sheet, where, action, value) for where, number in numbers.items()]


def apply_corrections(
    grids: Iterable[Grid], corrections: Sequence[Correction]
) -> tuple[list[Grid], list[Correction], list[Correction]]:
    """Put corrections in the place of what was read.

    Parameters
    ----------
    grids
        Every sheet.
    corrections
        What the townships say.

    Returns
    -------
    grids : list of Grid
        With the corrected cells; deleted rows are blank.
    used : list of Correction
        Those whose place was found, and holds what it held when the correction was first taken in.
    outdated : list of Correction
        Those whose place holds something else by now: they are not taken in.
    """
    by_sheet: dict[tuple[str, str], list[Correction]] = {}
    for one in corrections:
        by_sheet.setdefault((one.file, one.sheet), []).append(one)
    out, used, outdated = [], [], []
    for grid in grids:
        own = by_sheet.get((grid.file, grid.sheet), [])
        if not own or grid.turned or grid.places:  # its rows are not those of the file
            out.append(grid)
            continue
        rows: list[list[Any]] = [list(line) for line in grid.rows]
        for one in own:
            now = _digest(grid.rows, one)
            if one.before and now and one.before != now:
                outdated.append(one)
            elif _apply(rows, one):
                used.append(replace(one, before=now))
        out.append(replace(grid, rows=rows))
    return out, used, outdated


def _digest(rows: Sequence[Sequence[object]], one: Correction) -> str:
    """Return a digest of the cell, or the row, that a correction is about; without numbers of persons."""
    cell, row = _CELL.match(one.where), _ROW.match(one.where)
    number = int(cell[2]) if cell else int(row[1]) if row else 0
    if not 1 <= number <= len(rows):
        return ""
    line = rows[number - 1]
    column = _column_number(cell[1]) if cell else 0
    wanted = line[column : column + 1] if cell and one.action != "delete" else line
    plain = without_personal_numbers("\x1f".join(map(text_of, wanted)))
    return hashlib.sha256(plain.encode()).hexdigest()[:12]


def _apply(rows: list[list[Any]], one: Correction) -> bool:
    """Change the rows of a sheet; say whether the place was found."""
    cell, row = _CELL.match(one.where), _ROW.match(one.where)
    number = int(cell[2]) if cell else int(row[1]) if row else 0
    if not 1 <= number <= len(rows):
        return False
    if one.action == "delete":
        rows[number - 1] = [None] * len(rows[number - 1])
    elif one.action == "set":
        if not cell:
            return False
        column = _column_number(cell[1])
        if column >= len(rows[number - 1]):
            return False
        rows[number - 1][column] = one.value
    return True


def _column_number(letters: str) -> int:
    out = 0
    for letter in letters:
        out = out * 26 + ord(letter) - ord("A") + 1
    return out - 1


def stored_corrections(folder: Path) -> list[Correction]:
    """Return the corrections that earlier imports into a folder took in."""
    path = folder / STORED
    if not path.is_file():
        return []
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [Correction(**row) for row in records(frame)]


def merge_corrections(stored: Sequence[Correction], new: Sequence[Correction]) -> list[Correction]:
    """Return all corrections, of one problem the newest."""
    return list({one.number: one for one in (*stored, *new)}.values())


def corrections_frame(corrections: Sequence[Correction]) -> pd.DataFrame:
    """Return corrections as they are kept."""
    fields = ("number", "file", "sheet", "where", "action", "value", "before")
    return pd.DataFrame([{f: getattr(c, f) for f in fields} for c in corrections], columns=list(fields))
