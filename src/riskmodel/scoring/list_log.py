"""The log of a list: who was on it, from what source and with what chance, sealed by the list's own number.

The log stays with the county. A workbook that goes out carries the number alone, and what comes back is
joined to its log by it: source and chance are never read from a file that went through many hands.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

import pandas as pd

from riskmodel.errors import InputMissing, InputRefused
from riskmodel.io import write_text
from riskmodel.scoring.worklist import Worklist

LISTS = "lists"  # the folder of the logs, beside a list
LOG_COLUMNS = ("household_id", "as_of", "township", "village", "selected_by", "planned", "chance", "due_date")
LIST_ID = re.compile(r"(\d{4}-\d{2}-\d{2})-[0-9a-f]{16}")
# What a workbook says of itself, as properties of the document.
LIST_PROPERTIES = {name: f"riskmodel_{name}" for name in ("list", "township", "as_of", "lang")}


@dataclass(frozen=True)
class ListLog:
    """The log of one list.

    Parameters
    ----------
    id
        Date of the list and digest of the log: a log whose bytes have changed has another one.
    rows
        One row a household of the list, of unknown income and held back, as text: `LOG_COLUMNS`.
    folder
        Where it stands; None where it is not written yet.
    """

    id: str
    rows: pd.DataFrame
    folder: Path | None = None

    @property
    def as_of(self) -> dt.date:
        """Date of the list."""
        return dt.date.fromisoformat(self.id[:10])

    @cached_property
    def by_household(self) -> dict[str, dict[str, str]]:
        """The rows by household."""
        return {str(row["household_id"]): row for row in self.rows.to_dict("records")}  # type: ignore[misc]

    def cells(self, layout: str, lang: str) -> dict[str, dict[str, str]]:
        """Return what the locked cells of a layout said, by household and column; empty if not on record."""
        path = cells_path(self.folder, self.id, layout, lang) if self.folder else None
        if path is None or not path.is_file():
            return {}
        rows = _read(path.read_text(encoding="utf-8"))
        return {str(row.pop("household_id")): row for row in rows.to_dict("records")}  # type: ignore[misc]


def cells_path(folder: Path, list_id: str, layout: str, lang: str) -> Path:
    """Return where it is on record what the cells of a list said."""
    return folder / f"{list_id}.{layout}.{lang}.csv"


def list_log(worklist: Worklist) -> ListLog:
    """Return the log of a list.

    Parameters
    ----------
    worklist
        From `riskmodel.scoring.build_worklist`.

    Returns
    -------
    ListLog
        The same list gives the same number.
    """
    parts = [
        frame.reindex(columns=LOG_COLUMNS)
        for frame in (worklist.listed, worklist.unknown, worklist.held)
        if len(frame)
    ]
    rows = pd.concat([part.astype(object) for part in parts]) if parts else pd.DataFrame(columns=LOG_COLUMNS)
    rows = rows.sort_values("household_id", ignore_index=True)
    for day in ("as_of", "due_date"):
        rows[day] = [f"{pd.Timestamp(v):%Y-%m-%d}" if pd.notna(v) else "" for v in rows[day]]
    rows["planned"] = ["1" if v is True or v == 1 else "0" for v in rows["planned"]]
    rows["chance"] = [repr(float(v)) if pd.notna(v) else "" for v in rows["chance"]]
    rows = rows.where(rows.notna(), "").astype(str)
    return ListLog(f"{worklist.as_of.isoformat()}-{_digest(_text(rows))}", rows)


def write_list_log(
    worklist: Worklist, folder: str | Path, cells: Mapping[tuple[str, str], pd.DataFrame] | None = None
) -> ListLog:
    """Write the log of a list beside it, under the list's number; logs of other lists stay.

    Parameters
    ----------
    worklist
        From `riskmodel.scoring.build_worklist`.
    folder
        The folder of the list: the log stands in ``lists`` below it.
    cells
        What the locked cells of each layout and language say, a row a household: an edited one is then told.

    Returns
    -------
    ListLog
        As `list_log`.
    """
    log, home = list_log(worklist), Path(folder) / LISTS
    write_text(_text(log.rows), home / f"{log.id}.csv")
    for (layout, lang), frame in (cells or {}).items():
        write_text(_text(frame), cells_path(home, log.id, layout, lang))
    return ListLog(log.id, log.rows, home)


def find_list_log(list_id: str, folders: Iterable[str | Path]) -> ListLog:
    """Find the log of a list by its number.

    Parameters
    ----------
    list_id
        As a workbook carries it.
    folders
        Where lists may stand: their ``lists`` are looked into, and those of the folders (months) in them.

    Returns
    -------
    ListLog
        With the folder that it stands in.

    Raises
    ------
    InputMissing
        If none of the folders has it.
    InputRefused
        If the log is no longer what was written: its bytes have another digest than its number says.
    """
    name = f"{list_id}.csv"
    for folder in map(Path, folders):
        for path in (folder / LISTS / name, folder / name, *sorted(folder.glob(f"*/{LISTS}/{name}"))):
            if LIST_ID.fullmatch(list_id) and path.is_file():
                return _checked(list_id, path)
    raise InputMissing(
        f"the log of list {list_id} is not here; say with --lists where the folder of its month (or of its "
        "list) is: source and chance stand there alone"
    )


def known_lists(folders: Iterable[str | Path]) -> list[Path]:
    """Return the logs in folders of lists and of months."""
    found = set()
    for folder in map(Path, folders):
        for pattern in (f"{LISTS}/*.csv", f"*/{LISTS}/*.csv"):
            found |= {path for path in folder.glob(pattern) if LIST_ID.fullmatch(path.stem)}
    return sorted(found, key=lambda path: (path.stem, str(path)))


def _checked(list_id: str, path: Path) -> ListLog:
    text = path.read_text(encoding="utf-8")
    if _digest(text) != list_id[11:]:
        raise InputRefused(f"{path}: the log is not what was written then; take it from the backup")
    return ListLog(list_id, _read(text), path.parent)


def _read(text: str) -> pd.DataFrame:
    return pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)


def _text(rows: pd.DataFrame) -> str:
    return rows.to_csv(index=False, lineterminator="\n")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
