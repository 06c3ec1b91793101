"""The case log: every step of every case, once written never changed.

It is one SQLite file in the county's folder. Triggers refuse every update and delete, each row holds a
digest that rests on the row before it (so that a row changed behind the program's back is found), a write is
on the disk before it is said to be done, and of several programs one writes at a time. A text file of chained
rows would be as readable, but locks and durable writes would then be ours to get right on every system.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.cases.declaration import declared
from riskmodel.cases.steps import LOG_ROW, STEP_COLUMNS
from riskmodel.data import pseudonym
from riskmodel.errors import InputRefused
from riskmodel.households import KnownCounty, current_ids

LOG_NAME = "cases-log.sqlite"
VERSION = 1
STEP, PERIOD, LIST = (
    "step",
    "period",
    "list",
)  # kinds of rows: a step, a period closed, a department's list taken in
# Columns of the file; ``content`` is JSON: what else a row says (ground, what was given, facts, parameters).
COLUMNS = (
    "entry", "case_id", "household_id", "kind", "from_state", "to_state", "happened_on", "recorded_on",
    "recorded_at", "role", "unit", "user", "ruleset", "document", "corrects", "content",
)  # fmt: skip
_TABLE = """
CREATE TABLE IF NOT EXISTS entries (
  number INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL, case_id TEXT, household_id TEXT, kind TEXT,
  from_state TEXT, to_state TEXT, happened_on TEXT, recorded_on TEXT NOT NULL, recorded_at TEXT NOT NULL,
  role TEXT, unit TEXT, user TEXT, ruleset TEXT, document TEXT, corrects INTEGER REFERENCES entries (number),
  content TEXT NOT NULL, digest TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE UPDATE ON entries
  BEGIN SELECT RAISE(ABORT, 'the case log is never changed: a correction is a new row'); END;
CREATE TRIGGER IF NOT EXISTS entries_are_kept BEFORE DELETE ON entries
  BEGIN SELECT RAISE(ABORT, 'the case log is never shortened'); END;
"""
_WAIT = 30.0  # seconds for another program's write to end


def log_path(data: str | Path) -> Path:
    """Return where a county's case log is: in its folder, or beside its file.

    Examples
    --------
    >>> log_path("county.duckdb").name
    'county-cases-log.sqlite'
    """
    path = Path(data)
    return path / LOG_NAME if path.is_dir() else path.with_name(f"{path.stem}-{LOG_NAME}")


def digest_of(row: Mapping[str, Any], before: str) -> str:
    """Return a row's digest, which rests on that of the row before it."""
    text = json.dumps({c: row[c] for c in COLUMNS}, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


@dataclass(frozen=True)
class CaseLog:
    """A county's case log.

    Parameters
    ----------
    path
        The file; it need not be there yet.
    key
        Where the county was read with ``--pseudonymise``: the log holds the office's own numbers.
    """

    path: Path
    key: bytes | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever recorded."""
        return self.path.is_file()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the log for writing: all rows of the body are written, or none.

        Raises
        ------
        InputRefused
            If another program holds it, or the file is no case log.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            con = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
        except (sqlite3.Error, OSError) as exc:
            raise InputRefused(f"{self.path}: cannot be opened as a case log ({exc})") from exc
        try:
            con.execute("PRAGMA synchronous = EXTRA")
            con.executescript(_TABLE)
            con.execute("BEGIN IMMEDIATE")
            if con.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
                raise InputRefused(f"{self.path}: was written by a later version of this program")
            con.execute(f"PRAGMA user_version = {VERSION}")
            yield con
            con.execute("COMMIT")
        except sqlite3.OperationalError as exc:
            raise InputRefused(f"{self.path}: another program writes to it; try again ({exc})") from exc
        except sqlite3.DatabaseError as exc:
            raise InputRefused(f"{self.path}: is no case log ({exc})") from exc
        finally:
            con.close()  # rolls back what was not committed

    def append(self, con: sqlite3.Connection, **row: Any) -> int:
        """Write one row and return its number; ``content`` is a mapping."""
        full = {c: row.get(c) for c in COLUMNS}
        full["content"] = json.dumps(
            row.get("content") or {}, ensure_ascii=False, sort_keys=True, default=str
        )
        for name in ("happened_on", "recorded_on"):
            full[name] = None if full[name] is None else str(full[name])[:10]
        full["recorded_at"] = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        last = con.execute("SELECT digest FROM entries ORDER BY number DESC LIMIT 1").fetchone()
        values = [*full.values(), digest_of(full, last[0] if last else "")]
        marks = ", ".join("?" * len(values))
        names = ", ".join(f'"{c}"' for c in (*COLUMNS, "digest"))
        return int(con.execute(f"INSERT INTO entries ({names}) VALUES ({marks})", values).lastrowid or 0)

    def rows(self) -> list[dict[str, Any]]:
        """Return every row as written, in order, ``content`` as a mapping.

        Raises
        ------
        InputRefused
            If the file is no case log.
        """
        if not self.exists:
            return []
        try:
            with contextlib.closing(
                sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=_WAIT)
            ) as con:
                con.row_factory = sqlite3.Row
                read = [dict(row) for row in con.execute("SELECT * FROM entries ORDER BY number")]
        except sqlite3.Error as exc:
            raise InputRefused(f"{self.path}: is no case log ({exc})") from exc
        return [{**row, "content": json.loads(row["content"])} for row in read]

    def rows_by(self, day: dt.date) -> list[dict[str, Any]]:
        """Return the rows recorded by a day."""
        return [row for row in self.rows() if row["recorded_on"] <= str(day)]

    def broken_at(self) -> int | None:
        """Return the number of the first row that is missing or not as it was written."""
        before, expected = "", 1
        for row in self.rows():
            number, digest = row.pop("number"), row.pop("digest")
            row["content"] = json.dumps(row["content"], ensure_ascii=False, sort_keys=True)
            if number != expected or digest_of(row, before) != digest:
                return expected
            before, expected = digest, expected + 1
        return None

    def closed_through(self, by: dt.date) -> dt.date | None:
        """Return the last day of the periods that were closed by a day; None where none was."""
        days = [
            row["happened_on"]
            for row in self.rows()
            if row["entry"] == PERIOD and row["recorded_on"] <= str(by)
        ]
        return dt.date.fromisoformat(max(days)) if days else None

    def steps_known(self, known: KnownCounty) -> pd.DataFrame:
        """Return the steps recorded by the day, without those corrected by then.

        Columns are `riskmodel.cases.steps.STEP_COLUMNS`, with ``late`` (recorded after a period was closed).
        """
        by = str(known.moments[-1].known_by)
        rows = [r for r in self.rows() if r["entry"] == STEP and r["recorded_on"] <= by]
        corrected = {r["corrects"] for r in rows if r["corrects"] is not None}
        kept = [
            as_step(r) for r in rows if r["number"] not in corrected and r["to_state"] in declared().states
        ]
        out = pd.DataFrame(kept, columns=[*STEP_COLUMNS, "late"], dtype=object)
        if self.key is not None:
            out["household_id"] = [pseudonym(h, self.key) for h in out["household_id"]]
        out = out[pd.to_datetime(out["date"]) <= pd.Timestamp(known.as_of)]
        if len(out):
            out["household_id"] = current_ids(known, out["household_id"].astype(str))
        return out.reset_index(drop=True)


def as_step(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the log as a step."""
    content = row["content"]
    given = content.get("given", {})
    causes = given.get("causes")
    return {
        "household_id": row["household_id"],
        "to": row["to_state"],
        "date": pd.Timestamp(row["happened_on"]),
        "recorded_on": pd.Timestamp(row["recorded_on"]),
        "role": row["role"],
        "unit": row["unit"],
        "ground": content.get("ground"),
        "document": row["document"],
        "corrects": row["corrects"],
        "kind": row["kind"],
        "cause": str(causes).split(";")[0] if causes else given.get("cause"),
        "channel": given.get("channel"),
        "list": given.get("list"),
        "category": given.get("category"),
        "number": row["number"],
        "case_id": row["case_id"],
        "row_id": f"{LOG_ROW}{row['number']}",
        "source": "log",
        "late": bool(content.get("late")),
    }


def open_case_log(data: str | Path, key: bytes | None = None) -> CaseLog:
    """Return the case log of a county, which need not be there yet.

    Parameters
    ----------
    data
        The county: a folder, a workbook or a DuckDB file.
    key
        `riskmodel.data.secret_key`, where the county is read with ``--pseudonymise``.

    Returns
    -------
    CaseLog
        In the folder, or beside the file.
    """
    return CaseLog(log_path(data), key)
