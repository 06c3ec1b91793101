"""Recording steps: each is judged, written to the case log, and then into the county's tables."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.cases.cases import CaseBook
from riskmodel.cases.declaration import DECISIONS, declared
from riskmodel.cases.follow import KIND_OF_DECISION, Case, Following, follow
from riskmodel.cases.judge import Judge, StepEntry, fault
from riskmodel.cases.log import PERIOD, STEP, CaseLog, as_step
from riskmodel.cases.step_sheet import CellFault
from riskmodel.cases.steps import in_order
from riskmodel.cases.table_rows import write_table_rows
from riskmodel.errors import UsageError
from riskmodel.households import current_ids
from riskmodel.i18n import Language, Message, pair

# Rows of these steps stand in tables in which nothing can be taken back, only said better.
_LASTING = ("clue", "supported", "emergency_support")


@dataclass(frozen=True)
class Refusal:
    """A step that was not taken, and why."""

    entry: StepEntry
    why: tuple[Message, ...]

    def text(self, language: Any) -> str:
        """Return the reasons in one language, with the cell they stand in."""
        said = "; ".join(m.text(language) for m in self.why)
        return f"{self.entry.cell}: {said}" if self.entry.cell else said


@dataclass(frozen=True)
class Recording:
    """What became of steps.

    Parameters
    ----------
    recorded
        Log's number, case and step of each that was taken.
    refused
        Those that were not.
    rows
        Rows written into the county's tables, by table.
    late
        Numbers of steps that happened in a period closed before: they count in the next one.
    """

    recorded: tuple[tuple[int, str, StepEntry], ...]
    refused: tuple[Refusal, ...]
    rows: dict[str, int]
    late: tuple[int, ...]


@dataclass
class Recorder:
    """Records steps in a county's case log.

    Parameters
    ----------
    data
        The county's folder or file.
    book
        Its cases as known on the day of recording, with the log.
    log
        The case log.
    params
        Overrides of the rule set, written beside each step.
    """

    data: Path
    book: CaseBook
    log: CaseLog
    params: dict[str, Any]

    def record(self, entries: Sequence[StepEntry], *, dry: bool = False) -> Recording:
        """Judge steps in their order and write those that may be taken.

        Parameters
        ----------
        entries
            In the order in which they happened.
        dry
            Judge only.

        Returns
        -------
        Recording
            What was written, and what was refused and why.
        """
        if dry:
            return self._record(entries, None)
        # What a step is judged by is read while nobody else can write.
        with self.log.writing() as con:
            recording = self._record(entries, con)
        return replace(recording, rows=write_table_rows(self.data, self.log))

    def _record(self, entries: Sequence[StepEntry], con: sqlite3.Connection | None) -> Recording:
        judge, recorded_on = Judge(self.book), self.book.known.as_of
        refused: list[Refusal] = []
        taken: list[tuple[int, str, StepEntry]] = []
        late: list[int] = []
        closed = self.log.closed_through(recorded_on)
        homes = _Homes(self.book, self.log)
        for entered in entries:
            entry = replace(entered, household_id=homes.current(entered.household_id))
            why, case, kind = self._judge(judge, entry, homes)
            if why:
                refused.append(Refusal(entry, tuple(why)))
                continue
            is_late = closed is not None and entry.date <= closed
            row = self._row(entry, case, kind, is_late, recorded_on)
            number = homes.add(row)
            if con is not None:
                self.log.append(con, **row)
            taken.append((number, row["case_id"], entry))
            late += [number] if is_late else []
        return Recording(tuple(taken), tuple(refused), {}, tuple(late))

    def _judge(self, judge: Judge, entry: StepEntry, homes: _Homes) -> tuple[list[Message], Case | None, str]:
        why = list(judge.plain_faults(entry))
        home = homes.follow(entry.household_id)
        if why:
            return why, None, ""
        if entry.corrects is not None:
            why = homes.correction_faults(entry)
            if why:
                return why, None, ""
            home = homes.follow(entry.household_id, without=entry.corrects)
            if entry.to == "corrected":
                case_id = homes.row(entry.corrects)["case_id"]
                case = next((c for c in home.cases if c.case_id == case_id), None)
                kind = homes.row(entry.corrects)["kind"]
                case = case or Case(case_id, entry.household_id, kind, entry.date, home.standing)
                return [], case, case.kind
        case, kind, unclear = self._case_of(entry, home)
        if unclear is not None:
            return [unclear], None, ""
        return list(judge.faults(entry, home, case, kind)), case, kind

    def _case_of(self, entry: StepEntry, home: Following) -> tuple[Case | None, str, Message | None]:
        """Return the case that a step belongs to, and the kind of case it is or opens."""
        procedure = self.book.procedure
        if entry.case_id is not None:
            found = next((c for c in home.cases if c.case_id == entry.case_id), None)
            missing = fault("no case", household=entry.household_id)
            return found, found.kind if found else "", None if found else missing
        side = declared().states[entry.to].side
        kind = entry.kind or KIND_OF_DECISION.get(entry.to)
        cases = [c for c in home.cases if not c.closed or (side and c is home.cases[-1])]
        cases = [c for c in cases if kind in (None, c.kind)]
        if side:
            owed = [c for c in cases if entry.to == "explained" and c.unexplained]
            cases = (owed or cases)[-1:]
            return (cases[0], cases[0].kind, None) if cases else (None, "", None)
        can = [c for c in cases if any(c.state in m.start for m in procedure.moves_to(entry.to, c.kind))]
        if entry.to == "clue":
            # A refusal stays open until it is explained: what comes later is a case of its own.
            ended = {code for code, s in declared().states.items() if s.refusal} | {"withdrawn"}
            into = [c for c in cases if c.kind in ("identify", "re_mark") and not c.is_decided]
            can = [c for c in into if c.state not in ended][-1:]
        if len(can) > 1:
            return None, "", fault("which case", cases=", ".join(c.case_id for c in can))
        if can:
            return can[0], can[0].kind, None
        kind = kind or self._kind_opened(entry, home)
        opens = kind is not None and any("start" in m.start for m in procedure.moves_to(entry.to, kind))
        if opens and not self._one_is_open(kind, cases):
            return None, str(kind), None
        # Nothing fits: the refusal names what the open case may do instead.
        last = cases[-1] if cases else None
        return last, last.kind if last else (kind or "identify"), None

    def _one_is_open(self, kind: str | None, cases: Iterable[Case]) -> bool:
        """Say whether a case of a kind goes on already: one on the way in, one of each kind out."""
        into = ("identify", "re_mark", "roll_back")
        refusal = {code for code, s in declared().states.items() if s.refusal}
        going = [c for c in cases if not c.is_decided and c.state not in refusal]
        return any(c.kind == kind or (kind in into and c.kind in into) for c in going)

    def _kind_opened(self, entry: StepEntry, home: Following) -> str | None:
        listed = {k.list: code for code, k in declared().kinds.items()}
        if entry.given.get("list"):
            return listed.get(int(entry.given["list"]))
        if entry.to == "proposed":
            return None
        return "re_mark" if home.standing == "eliminated" else "identify"

    def _row(
        self, entry: StepEntry, case: Case | None, kind: str, late: bool, recorded_on: dt.date
    ) -> dict[str, Any]:
        case_id = case.case_id if case else f"{entry.household_id}-{entry.date:%Y%m%d}-{kind}"
        content = {
            "ground": entry.ground,
            "given": {k: v for k, v in entry.given.items() if v is not None},
            "facts": list(entry.facts),
            "fingerprint": self.book.known.fingerprint,
            "params": self.params,
            "procedure": self.book.procedure.variant.model_dump(exclude_defaults=True),
        }
        return {
            "entry": STEP,
            "case_id": case_id,
            "household_id": entry.household_id,
            "kind": kind,
            "from_state": None if case is None else case.state,
            "to_state": entry.to,
            "happened_on": entry.date,
            "recorded_on": recorded_on,
            "role": entry.role,
            "unit": entry.unit,
            "user": entry.user,
            "ruleset": self.book.ruleset.id,
            "document": entry.document,
            "corrects": entry.corrects,
            "content": content | ({"late": True} if late else {}),
        }


class _Homes:
    """Households with their steps, and the steps that are being recorded."""

    def __init__(self, book: CaseBook, log: CaseLog) -> None:
        self._book = book
        steps = book.raw_steps
        dates = pd.to_datetime(steps["date"]).dt.date
        records = steps.assign(date=dates).to_dict("records") if len(steps) else []
        self._steps: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            self._steps.setdefault(str(record["household_id"]), []).append(
                {str(k): v for k, v in record.items()}
            )
        self._rows = {r["number"]: r for r in log.rows()}
        self._next = max(self._rows, default=0) + 1
        told = (steps["to"] == "explained") | steps["number"].notna()
        self._begun = min(dates[told], default=None)
        self._entries = bool((steps["to"] == "entered").any()) if len(steps) else False

    def current(self, household: str) -> str:
        """Return the number under which a household goes on."""
        return str(current_ids(self._book.known, pd.Series([household])).iloc[0])

    def row(self, number: int) -> dict[str, Any]:
        """Return a row of the log."""
        return self._rows[number]

    def follow(self, household: str, without: int | None = None) -> Following:
        """Return a household's cases, as if a step had not been recorded where one is named."""
        steps = [s for s in self._steps.get(household, []) if without is None or s["number"] != without]
        begun = self._begun or self._book.known.as_of
        followed = follow(steps, has_support=True, keeps_entries=self._entries, explanations_from=begun)
        return next((home for home, _ in followed), Following(household, True, self._entries, begun))

    def add(self, row: dict[str, Any]) -> int:
        """Take a step that was judged right among the household's, and return the number it will have."""
        number = self._next
        self._next += 1
        full = {
            **row,
            "number": number,
            "happened_on": str(row["happened_on"]),
            "recorded_on": str(row["recorded_on"]),
        }
        self._rows[number] = full
        step = as_step(full)
        step = {**step, "date": row["happened_on"]}
        corrected = row["corrects"]
        kept = self._steps.get(row["household_id"], [])
        steps = [s for s in kept if corrected is None or s["number"] != corrected]
        ordered = in_order(pd.DataFrame([*steps, step], dtype=object)).to_dict("records")
        self._steps[row["household_id"]] = [
            {str(k): v for k, v in s.items()} | {"date": pd.Timestamp(s["date"]).date()} for s in ordered
        ]
        self._begun = min(self._begun or row["happened_on"], row["happened_on"])
        self._entries = self._entries or row["to_state"] == "entered"
        return number

    def correction_faults(self, entry: StepEntry) -> list[Message]:
        """Return why a row cannot be corrected by a step."""
        number = entry.corrects
        row = self._rows.get(number or 0)
        if row is None or row["entry"] != STEP:
            return [fault("no such row", number=number)]
        if row["household_id"] != entry.household_id:
            return [fault("of another household", number=number, household=row["household_id"])]
        if not entry.given.get("reason"):
            words = pair(declared().needs["reason"])
            return [fault("missing", step=pair(declared().states[entry.to]), needs=words)]
        by = next((r["number"] for r in self._rows.values() if r["corrects"] == number), None)
        if by is not None:
            return [fault("corrected before", number=number, by=by)]
        if row["to_state"] in DECISIONS:
            return [fault("a decision stands", number=number)]
        step = pair(declared().states[row["to_state"]])
        if row["to_state"] in _LASTING and entry.to != row["to_state"]:
            return [fault("cannot be undone", step=step)]
        corrected = {r["corrects"] for r in self._rows.values()}
        later = [
            n
            for n, r in self._rows.items()
            if r["entry"] == STEP
            and n > (number or 0)
            and r["case_id"] == row["case_id"]
            and n not in corrected
            and not declared().states[r["to_state"]].side
        ]
        if later and entry.to != row["to_state"] and not declared().states[row["to_state"]].side:
            return [fault("others rest on it", number=number, later=", ".join(map(str, later)))]
        return []


def close_period(
    log: CaseLog, through: dt.date, recorded_on: dt.date, role: str, unit: str | None, user: str | None
) -> int:
    """Close a period: what is recorded later of its days is late, and its figures stay as reported.

    Parameters
    ----------
    log
        The case log.
    through
        Last day of the period.
    recorded_on
        The day of closing.
    role, unit, user
        Who closes it; no name.

    Returns
    -------
    int
        Number of the log's row.

    Raises
    ------
    UsageError
        If the period is not over yet, or an earlier closing reaches further.
    """
    before = log.closed_through(recorded_on)
    if through > recorded_on or (before is not None and through <= before):
        raise UsageError(f"{through}: the period must be over on {recorded_on}, and reach beyond {before}")
    who = {"role": role, "unit": unit, "user": user}
    with log.writing() as con:
        return log.append(con, entry=PERIOD, happened_on=through, recorded_on=recorded_on, **who)


def refusal_rows(done: Recording, faults: Iterable[CellFault], language: Language) -> pd.DataFrame:
    """Return what was not recorded as a table: ``cell, household_id, step, value, reason``."""
    rows = [(f.cell, "", f.column, f.value, f.why.text(language)) for f in faults]
    for refusal in done.refused:
        entry = refusal.entry
        said = "; ".join(m.text(language) for m in refusal.why)
        rows.append((entry.cell, entry.household_id, entry.to, entry.date.isoformat(), said))
    return pd.DataFrame(rows, columns=["cell", "household_id", "step", "value", "reason"])
