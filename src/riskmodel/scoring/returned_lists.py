"""Workbooks that came back, each tied to the list it was made from: source and chance come from its log.

What was edited, belongs elsewhere or says the opposite of another workbook is told by cell.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import cell_text, parse_date
from riskmodel.errors import InputMissing, InputRefused
from riskmodel.io import file_digest, write_csv
from riskmodel.scoring.filled_list import (
    FilledList,
    ListRow,
    Visit,
    read_filled_list,
    without_repeats,
)
from riskmodel.scoring.list_log import LISTS, ListLog, find_list_log
from riskmodel.scoring.office_files import unescaped_id
from riskmodel.scoring.visit_faults import Problem, fault

ENDINGS = (".xlsx", ".csv")
RETURNED_COLUMNS = ("file", "township", "digest", "recorded_on")
NOTE_COLUMNS = ("row_id", "household_id", "date", "note", "file", "cell")
_SPACE = re.compile(r"\s+")
_PRIVATE = 0o600  # visitors' names stand in a returned workbook


@dataclass(frozen=True)
class ReturnedLists:
    """All that came back, put together.

    Parameters
    ----------
    visits
        Each once, with source and chance from the log of its list.
    problems
        Entries and files that cannot be used.
    notices
        What is told although the entry was taken.
    empty
        Number of households without an entry.
    lists
        The files that could be read, with their paths.
    logs
        The logs of their lists, by number.
    """

    visits: tuple[Visit, ...]
    problems: tuple[Problem, ...]
    notices: tuple[Problem, ...]
    empty: int
    lists: tuple[tuple[Path, FilledList], ...]
    logs: Mapping[str, ListLog] = field(default_factory=dict)


def returned_files(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return the workbooks that are meant: files as they are given, of a folder all that could be lists.

    Raises
    ------
    InputMissing
        If a folder holds none.
    """
    out: list[Path] = []
    for path in map(Path, [given] if isinstance(given, str | Path) else given):
        if not path.is_dir():
            out.append(path)
            continue
        found = [
            p
            for p in sorted(path.iterdir())
            if p.suffix.lower() in ENDINGS
            and not p.name.startswith((".", "~$"))
            and not p.stem.endswith("faults")
        ]
        if not found:
            raise InputMissing(f"{path}: holds no filled list ({', '.join(ENDINGS)})")
        out += found
    return list(dict.fromkeys(out))


def read_returned_lists(paths: Sequence[Path], folders: Sequence[str | Path] = ()) -> ReturnedLists:
    """Read workbooks that came back.

    Parameters
    ----------
    paths
        From `returned_files`.
    folders
        Where the logs of lists may stand, beside the folders of the workbooks themselves.

    Returns
    -------
    ReturnedLists
        A file that cannot be used is a problem among others if there are several.

    Raises
    ------
    InputRefused
        If there is one file and it cannot be read.
    InputMissing
        If the log of its list is not in the folders.
    """
    lists: list[tuple[Path, FilledList]] = []
    logs: dict[str, ListLog] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            filled = read_filled_list(path, prefix=len(paths) > 1)
            if filled.list_id is not None and filled.list_id not in logs:
                own = [parent for parent in path.absolute().parents[:3] if (parent / LISTS).is_dir()]
                logs[filled.list_id] = find_list_log(filled.list_id, [*own, *folders])
        except InputRefused as exc:
            if len(paths) == 1:
                raise
            problems.append(Problem(path.name, "", "", "", fault("unusable file", said=str(exc))))
            continue
        lists.append((path, filled))
    notices: list[Problem] = []
    visits: list[Visit] = []
    for _, filled in lists:
        log = logs.get(filled.list_id or "")
        problems += filled.problems
        notices += [*filled.notices, *_edited_cells(filled, log)]
        if log is None:
            notices.append(Problem(filled.file, "", "selected_by", "", fault("no list")))
        for visit in filled.visits:
            joined, problem = _with_log(replace(visit, file=filled.file), filled, log)
            visits += [joined] if problem is None else []
            problems += [] if problem is None else [problem]
    distinct, contradictions = without_repeats(visits)
    empty = sum(filled.empty for _, filled in lists)
    return ReturnedLists(
        tuple(distinct), (*problems, *contradictions), tuple(notices), empty, tuple(lists), logs
    )


def _with_log(visit: Visit, filled: FilledList, log: ListLog | None) -> tuple[Visit, Problem | None]:
    """Return a visit with source and chance of its list's log; one of another township is refused."""
    plain = replace(visit, selected_by=None, chance=None, list_id=log.id if log else None)
    row = log.by_household.get(visit.household_id) if log else None
    if row is None:
        return plain, None
    if filled.township and row["township"] != filled.township:
        reason = fault("other township", township=filled.township, own=row["township"])
        return plain, Problem(visit.cell, visit.household_id, "household_id", visit.household_id, reason)
    if not row["selected_by"]:
        return plain, None
    chance = float(row["chance"]) if row["chance"] else None
    return replace(plain, selected_by=row["selected_by"], chance=chance), None


def _edited_cells(filled: FilledList, log: ListLog | None) -> Iterator[Problem]:
    """Tell of locked cells that no longer say what they said."""
    if log is None:
        return
    logged = log.cells("township" if filled.township else "county", filled.lang or "")
    for row in filled.rows:
        yield from _edited_of(row, logged.get(row.household_id, {}))


def _edited_of(row: ListRow, logged: Mapping[str, str]) -> Iterator[Problem]:
    for column, (cell, value) in row.cells.items():
        if column in logged and not same_cell(logged[column], value):
            text = cell_text(value) or ""
            reason = fault("edited cell", text=text, logged=logged[column])
            yield Problem(cell, row.household_id, column, text, reason)


def same_cell(logged: str, value: Any) -> bool:
    """Say whether a cell still says what it said, however a spreadsheet stored it.

    Examples
    --------
    >>> [same_cell("0.25", v) for v in (0.25, "0.250", 0.26)]
    [True, True, False]
    >>> same_cell("2021-07-30 00:00:00", dt.datetime(2021, 7, 30)), same_cell("", None)
    (True, True)
    """
    text = unescaped_id(cell_text(value) or "")
    if _SPACE.sub("", text) == _SPACE.sub("", logged):
        return True
    with contextlib.suppress(ValueError):
        return math.isclose(float(text), float(logged), rel_tol=1e-9, abs_tol=1e-12)
    day, _ = parse_date(logged[:10]) if logged[:4].isdigit() else (None, None)
    return day is not None and parse_date(value)[0] == day


def keep_returned(returned: ReturnedLists, recorded_on: dt.date, row_ids: Mapping[Visit, str]) -> None:
    """Keep workbooks that came back, and their notes, beside the log of their list: never in the data.

    Visitors' names and notes stand there, so only the owner may read these files. The same workbook again
    is kept once.
    """
    for path, filled in returned.lists:
        log = returned.logs.get(filled.list_id or "")
        if log is None or log.folder is None:
            continue
        home = returned_folder(log)
        home.mkdir(parents=True, exist_ok=True)
        before = read_returned(log)
        digest = file_digest(path)
        if digest not in set(before["digest"]):
            name = f"{len(before) + 1:03d} {path.name}"
            (home / name).write_bytes(path.read_bytes())
            (home / name).chmod(_PRIVATE)
            row = [[name, filled.township or "", digest, recorded_on.isoformat()]]
            _write(pd.concat([before, pd.DataFrame(row, columns=RETURNED_COLUMNS)]), home / "returned.csv")
        notes = [
            [row_ids[v], v.household_id, v.date.isoformat(), v.note, v.file, v.cell]
            for v in returned.visits
            if v.note and v.file == filled.file and v in row_ids
        ]
        if notes:
            table = pd.concat(
                [_table(home / "notes.csv", NOTE_COLUMNS), pd.DataFrame(notes, columns=NOTE_COLUMNS)]
            )
            _write(table.drop_duplicates(), home / "notes.csv")


def returned_folder(log: ListLog) -> Path:
    """Return where the workbooks of a list are kept once they came back."""
    return (log.folder or Path()) / f"{log.id}-returned"


def read_returned(log: ListLog) -> pd.DataFrame:
    """Return which workbooks of a list came back: `RETURNED_COLUMNS`, as text."""
    return _table(returned_folder(log) / "returned.csv", RETURNED_COLUMNS)


def _table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame(columns=list(columns), dtype=str)
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _write(table: pd.DataFrame, path: Path) -> None:
    write_csv(table, path).chmod(_PRIVATE)
