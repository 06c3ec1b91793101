"""What the local page knows and does, without a browser: folder, check, month, files, returned workbooks."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import string
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.app import tasks
from riskmodel.app.case_table import CaseRecords
from riskmodel.app.jobs import Job, Task, start_job
from riskmodel.app.tables import GridTable, frame_table, household_table
from riskmodel.data import contract, month_end, month_ordinal
from riskmodel.errors import InputMissing, InputRefused, UsageError
from riskmodel.forms import read_signature, record_signature
from riskmodel.households import to_date
from riskmodel.i18n import Language, text, translate
from riskmodel.io import Checkpoints, write_json
from riskmodel.month import MonthSettings, RulesSaid, read_settings
from riskmodel.rules import RuleSet
from riskmodel.scoring import SETTLED_FILE, Choice, Conflict, Settled

REMEMBERED = "office-page.json"
CHECK_FOLDER = "check"
RULE_SET = "national-2021"
FORMS_ENDING = "-forms"
MOST_PROBLEMS = 2000  # rows of a problem list on the page; the file holds all
_MONTHS_OFFERED = 24
_SHARE_VISITED = 0.05  # proposed the first time: the share that lists are measured at
_FEWEST_VISITS = 10
_TABLES = {".csv", ".xlsx", ".parquet", ".xls", ".ods", ".duckdb"}


@dataclass(frozen=True)
class OfficeFile:
    """A file that can be downloaded: its key in the catalogue, its path below the month's folder."""

    key: str
    name: str
    opens: bool = False  # a page, to be looked at and printed in the browser


FILES = (
    OfficeFile("list", "worklist.xlsx"),
    OfficeFile("sheets", "visit-sheets.html", opens=True),
    OfficeFile("report", "report/report.html", opens=True),
    OfficeFile("ledger", "ledger/ledger.xlsx"),
    OfficeFile("ledger_page", "ledger/ledger.html", opens=True),
    OfficeFile("problems", "check/rejected.csv"),
    OfficeFile("cells", "check/cells.csv"),
    OfficeFile("suspects", "check/suspects.csv"),
    OfficeFile("quality", "check/quality.md"),
)
OF_CHECK = ("problems", "cells", "suspects", "quality")


@dataclass(frozen=True)
class FolderEntry:
    """A folder that can be chosen: its path, and how many tables it seems to hold."""

    path: Path
    tables: int


@dataclass
class Desk:
    """The state of the page: one office, one county, one job at a time.

    Parameters
    ----------
    months
        Folder of all months.
    store
        MLflow's SQLite file.
    data
        The county's folder; None until one is chosen.
    lang
        Of the page.
    """

    months: Path
    store: Path
    data: Path | None = None
    lang: Language = "zh"
    day: dt.date | None = None
    job: Job | None = None
    checked: dict[str, Any] | None = None
    taken: list[tasks.ListTaken] = field(default_factory=list)
    cases: CaseRecords | None = None
    filled: list[dict[str, Any]] = field(default_factory=list)
    revision: int = 0  # goes up when something is to be drawn anew
    settled: list[Any] = field(default_factory=list)
    _settling: Any = None
    _settled: Job | None = None
    _table: tuple[Any, GridTable] | None = None
    _uploads: Path | None = None

    def __post_init__(self) -> None:
        remembered = _remembered(self.months / REMEMBERED)
        if self.data is None and remembered.get("data") and Path(remembered["data"]).exists():
            self.data = Path(remembered["data"])
        if made := self.made_days():
            self.day = made[-1]

    def words(self, key: str, /, **values: Any) -> str:
        """Return a phrase of the page in its language."""
        return text(f"local_page.{key}", self.lang, **values)

    def say(self, sentence: str) -> str:
        """Return a sentence of the program (an error, a warning) in the page's language."""
        return translate(sentence, self.lang)

    # --- the county's folder

    def choose(self, folder: str | Path) -> None:
        """Take a county's folder or file, remember it, and check it; InputMissing if it is not there."""
        path = Path(str(folder).strip().strip('"')).expanduser()  # Windows copies a path with its quotes
        if not str(folder).strip() or not path.exists():
            raise InputMissing(f"{path}: no such folder or file")
        self._refuse_while_busy()
        self.data, self.checked = path.absolute(), None
        write_json({"data": str(self.data)}, self.months / REMEMBERED)
        self.check()

    def check(self) -> Job:
        """Start the check of the county's tables."""
        given = {"out": self.months / CHECK_FOLDER, "store": self.store, "lang": self.lang}
        return self._start("check", tasks.check, data=self.county, **given)

    @property
    def county(self) -> Path:
        """The chosen folder; UsageError if none is."""
        if self.data is None:
            raise UsageError(text("local_page.errors.choose first", "en"))
        return self.data

    @staticmethod
    def folders(at: Path) -> list[FolderEntry]:
        """Return the folders in a folder that can be chosen, by name; one that may not be read has none."""
        try:
            inside = sorted((p for p in at.iterdir() if p.is_dir() and not p.name.startswith(".")), key=str)
        except OSError:
            return []
        return [FolderEntry(path, _tables_in(path)) for path in inside]

    @staticmethod
    def drives() -> list[Path]:
        """Return where to begin to look: the home folder, this folder and, on Windows, the drives."""
        letters = string.ascii_uppercase if os.name == "nt" else ""
        drives = [Path(f"{letter}:\\") for letter in letters if Path(f"{letter}:\\").exists()]
        return list(dict.fromkeys([Path.cwd(), Path.home(), *drives]))

    # --- what the check found

    @property
    def usable(self) -> bool:
        """Whether the tables were checked and can be used."""
        return bool(self.checked) and not self.checked["refused"]  # type: ignore[index]

    @property
    def model(self) -> str | None:
        """The model that makes the lists, as NAME@VERSION; None where none is trained."""
        return self.checked["model"] if self.checked else None

    def findings(self) -> list[str]:
        """Return what the check has to say in sentences: why the tables cannot be used, and its notices."""
        if self.checked is None:
            return []
        return [*self.checked["refusals"], *(notice[self.lang] for notice in self.checked["notices"])]

    def checked_tables(self) -> GridTable:
        """Return the county's tables: file, rows read, kept and kept out."""
        found = self.checked["tables"] if self.checked else {}
        named = {k: self.words(f"tables.{k}") for k in ("table", "file", "read", "kept", "rejected", "late")}
        rows = [
            {
                "table": contract().tables[name].zh if self.lang == "zh" else name,
                **{k: table[k] for k in ("file", "read", "kept", "rejected")},
                "late": None if table.get("late_share") is None else f"{table['late_share']:.1%}",
            }
            for name, table in found.items()
        ]
        return frame_table(pd.DataFrame(rows, columns=list(named)), named)

    def problems(self) -> GridTable:
        """Return the problem list: rows kept out and cells that cannot be read, with file, row and reason."""
        columns = ("file", "sheet", "row", "column", "text", "reason", "detail")
        named = {c: self.words(f"problems.{c}") for c in columns}
        folder, parts = self.months / CHECK_FOLDER, []
        for name in ("rejected.csv", "cells.csv"):
            if (folder / name).is_file():
                parts.append(pd.read_csv(folder / name, dtype=str, encoding="utf-8-sig"))
        parts = [part[[c for c in columns if c in part]] for part in parts if len(part)]
        frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["file"])
        return frame_table(frame, named, MOST_PROBLEMS)

    # --- first use

    @property
    def signed(self) -> bool:
        """Whether the page of first use is signed for this county; it is asked once."""
        return self.data is not None and read_signature(self.data) is not None

    def sign(self, by: str, on: str, document: str) -> None:
        """Write down who signed the page of first use; UsageError if somebody, day or document is missing."""
        record_signature(self.county, by, to_date(on), document, dt.date.today())
        self.revision += 1

    # --- the month

    def days(self) -> list[dt.date]:
        """Return the last days of months that can be made, the newest first."""
        through = (self.checked or {}).get("data_through")
        last = dt.date.fromisoformat(str(through)[:10]) if through else dt.date.today()
        day = month_end(month_ordinal(last.year, last.month))
        out: list[dt.date] = []
        while len(out) < _MONTHS_OFFERED:
            if day <= last:
                out.append(day)
            day = day.replace(day=1) - dt.timedelta(days=1)
        return out

    def visits_proposed(self, day: dt.date) -> int:
        """Return how many visits to propose: as this month or the last one was made, else one in twenty."""
        made = [d for d in self.made_days() if d <= day]
        if made:
            return self.settings(made[-1]).visits
        tables = self.checked["tables"] if self.checked else {}
        homes = tables.get("households", {}).get("kept", 0)
        return max(_FEWEST_VISITS, round(homes * _SHARE_VISITED, -1)) if homes else _FEWEST_VISITS

    def rules_proposed(self, day: dt.date) -> RulesSaid:
        """Return the rules that a month was asked to judge by; the model's the first time."""
        return self.settings(day).rules_said if day in self.made_days() else RulesSaid()

    def made_days(self) -> list[dt.date]:
        """Return the months whose list stands, the oldest first."""
        if not self.months.is_dir():
            return []
        made = [p.parent.name for p in self.months.glob("*/worklist.parquet")]
        return sorted(dt.date.fromisoformat(name) for name in made if _is_day(name))

    def settings(self, day: dt.date) -> MonthSettings:
        """Return what a month was made with; InputMissing where there is none."""
        settings = read_settings(self.folder(day))
        if settings is None:
            raise InputMissing(text("local_page.errors.no month", "en", folder=self.folder(day)))
        return settings

    def folder(self, day: dt.date) -> Path:
        """Return a month's folder."""
        return self.months / day.isoformat()

    def train(self) -> Job:
        """Start the training of the county's model."""
        return self._start("train", tasks.train, data=self.county, store=self.store)

    def make_month(
        self, day: dt.date, visits: int, names: Path | None = None, by: RulesSaid | None = None
    ) -> Job:
        """Start a month; one made before keeps model and language, and rules where no others are said."""
        if visits < 1:
            raise UsageError(text("local_page.errors.no visits", "en"))
        if not self.signed:
            raise UsageError(text("local_page.errors.not signed", "en"))
        # Its own words stay, so that making it again gives the same files.
        options: dict[str, Any] = {"visits": int(visits)}
        if read_settings(self.folder(day)) is None:
            options["lang"] = self.lang
        if by is not None and by != self.rules_proposed(day):
            options |= by.options
        self.day = day
        given = {"out": self.months, "store": self.store, "options": options, "names": names}
        return self._start("month", tasks.make_month, data=self.county, day=day, **given)

    def summary(self, day: dt.date) -> dict[str, Any]:
        """Return what each step of a month reported of itself."""
        steps = Checkpoints(self.folder(day))
        return {step: steps.result(step) or {} for step in ("check", "rules", "score", "worklist", "ledger")}

    def households(self, day: dt.date) -> GridTable:
        """Return a month's households in words; kept until the list or the language changes."""
        path = self.folder(day) / "worklist.parquet"
        key = (day, self.lang, path.stat().st_mtime_ns if path.is_file() else 0)
        if self._table is None or self._table[0] != key:
            self._table = key, household_table(self.folder(day), self.lang)
        return self._table[1]

    @property
    def yes(self) -> str:
        """What a column says where something holds."""
        return text("worklist.words.yes", self.lang)

    # --- files

    def files(self, day: dt.date, of_check: bool = False) -> list[OfficeFile]:
        """Return the files of a month that stand, in the order they are offered."""
        if of_check:
            found = [f for f in FILES if f.key in OF_CHECK]
            return [f for f in found if (self.months / f.name).is_file()]
        return [f for f in FILES if (self.folder(day) / f.name).is_file()]

    def fill_forms(self, day: dt.date) -> Job:
        """Start filling the forms of the documents for a month that is made."""
        given = {"day": day, "month": self.folder(day), "out": self.forms_folder(day), "names": None}
        return self._start("forms", tasks.fill_forms, data=self.county, **given)

    def forms_folder(self, day: dt.date) -> Path:
        """Return where the forms of a month stand: beside it, as they are no part of it."""
        return self.months / f"{day.isoformat()}{FORMS_ENDING}"

    def forms(self, day: dt.date) -> list[str]:
        """Return the filled forms of a month, as paths below their folder."""
        folder = self.forms_folder(day)
        found = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith("."))
        return [path.relative_to(folder).as_posix() for path in found]

    def file(self, day: str, name: str) -> Path | None:
        """Return a file that may be sent to the browser: one that is offered, and no other."""
        if day.endswith(FORMS_ENDING) and _is_day(own := day.removesuffix(FORMS_ENDING)):
            there = dt.date.fromisoformat(own)
            return self.forms_folder(there) / name if name in self.forms(there) else None
        offered = {f.name for f in FILES}
        if name not in offered or not (day == CHECK_FOLDER or _is_day(day)):
            return None
        path = self.months / name if day == CHECK_FOLDER else self.months / day / name
        return path if path.is_file() else None

    # --- what came back from the townships

    def upload_folder(self) -> Path:
        """Return a folder for files that were dropped in; it goes when they are taken in or the page ends."""
        if self._uploads is None:
            self._uploads = Path(tempfile.mkdtemp(prefix="riskmodel-office-"))
        return self._uploads

    def add_upload(self, name: str, content: bytes) -> Path:
        """Keep a file that was dropped in until it is used; its name loses all that is no name."""
        # A browser may send a path, and Windows' own separator is none elsewhere.
        path = self.upload_folder() / (name.replace("\\", "/").rpartition("/")[2] or "list.xlsx")
        path.write_bytes(content)
        return path

    def uploads(self) -> list[Path]:
        """Return the workbooks that wait to be taken in, by name."""
        return sorted(self._uploads.glob("*.*")) if self._uploads else []

    def drop_uploads(self) -> None:
        """Delete the files that were dropped in."""
        if self._uploads is not None:
            shutil.rmtree(self._uploads, ignore_errors=True)
            self._uploads = None

    def take_lists(self, recorded_on: str) -> Job:
        """Start taking the waiting workbooks in; UsageError if there are none, or the day is none."""
        if not self.uploads():
            raise UsageError(text("local_page.errors.nothing dropped", "en"))
        day = to_date(recorded_on)
        given = {"data": self.county, "recorded_on": day, "months": self.months}
        return self._start("visits", tasks.take_lists, files=self.uploads(), **given)

    def faults(self) -> GridTable:
        """Return what of the last workbooks is to be mended, cell by cell."""
        columns = ("file", "cell", "household_id", "value", "reason")
        found = [(t.name, p) for t in self.taken if t.result for p in t.result.problems]
        rows = [(name, p.cell, p.household_id, p.value, self._own_half(p.reason)) for name, p in found]
        named = {c: self.words(f"returned.{c}") for c in columns}
        return frame_table(pd.DataFrame(rows, columns=list(columns)), named)

    def open_conflicts(self) -> list[tuple[str, Conflict]]:
        """Return the contradictions that nobody has settled yet, with the file that each stands in."""
        found = [(taken.name, c) for taken in self.taken if taken.result for c in taken.result.conflicts]
        return [(name, conflict) for name, conflict in found if conflict not in self.settled]

    def settle_conflict(self, conflict: Conflict, choice: Choice, by: str, ground: str) -> Job:
        """Start writing what a person chose; UsageError if nobody is named."""
        if not by.strip():
            raise UsageError(text("local_page.errors.nobody", "en"))
        self._settling = conflict
        chosen = [Settled(conflict, choice, by.strip(), ground.strip())]
        given = {"recorded_on": dt.date.today(), "log": self.months / SETTLED_FILE}
        return self._start("settle", tasks.settle, settled=chosen, data=self.county, **given)

    def _own_half(self, reason: str) -> str:
        """Return one language of a reason that is written in both."""
        zh, _, en = reason.partition(" / ")
        return zh if self.lang == "zh" else en or zh

    # --- cases

    def find_cases(self, as_of: str) -> Job:
        """Start looking for the cases as known at a day; UsageError if the day is none."""
        ruleset, params = self.rules
        given = {"day": to_date(as_of), "ruleset": ruleset, "params": params}
        return self._start("cases", tasks.find_cases, data=self.county, **given)

    @property
    def rules(self) -> tuple[str | RuleSet, Mapping[str, str]]:
        """The rule set whose clocks and conditions hold, with parameters: those of the open month, if any."""
        if self.day is None or self.day not in self.made_days():
            return RULE_SET, {}
        made = self.settings(self.day)
        return made.rules or made.ruleset, made.params or {}

    @property
    def newest_day(self) -> dt.date:
        """The last day that the data speak of, or today if that is earlier."""
        through = (self.checked or {}).get("data_through")
        last = dt.date.fromisoformat(str(through)[:10]) if through else self.day
        return min(last or dt.date.today(), dt.date.today())

    # --- jobs

    def _start(self, kind: str, task: Task, /, **given: Any) -> Job:
        self._refuse_while_busy()
        self.job = start_job(kind, task, **given)
        return self.job

    def _refuse_while_busy(self) -> None:
        if self.job is not None and self.job.running:
            raise InputRefused(text("local_page.errors.busy", "en"))

    def settle(self) -> bool:
        """Take the result of a job that has ended into the state; say whether there was one."""
        job = self.job
        if job is None or job.running or job is self._settled:
            return False
        self._settled = job
        self.revision += 1
        if job.state == "done":
            if job.kind == "check":
                self.checked = job.result
            elif job.kind == "train" and self.checked is not None:
                self.checked = self.checked | {"model": job.result.get("model") or "county@champion"}
            elif job.kind == "forms":
                self.filled = job.result
            elif job.kind == "cases":
                self.cases = job.result
            elif job.kind == "settle":
                self.settled.append(self._settling)
            elif job.kind == "visits":
                self.taken, self.settled = job.result, []
                self.drop_uploads()
        if job.state in ("cancelled", "fault") and self.day is not None:
            Checkpoints(self.folder(self.day)).remove_partial_files()
        return True

    def cancel(self) -> None:
        """End the job that runs, if one does; what was not written whole is removed."""
        if self.job is not None:
            self.job.cancel()

    def close(self) -> None:
        """End what runs and delete what was dropped in: the page is going."""
        self.cancel()
        self.settle()
        self.drop_uploads()


def _remembered(path: Path) -> Mapping[str, Any]:
    import json

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _tables_in(folder: Path) -> int:
    try:
        return sum(p.suffix.lower() in _TABLES for p in folder.iterdir())
    except OSError:
        return 0


def _is_day(name: str) -> bool:
    try:
        return dt.date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False
