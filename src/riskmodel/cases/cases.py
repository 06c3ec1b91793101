"""Cases of a county as known at a day: where each stands, whom it waits for, until when.

A case is made of what was known by the day: the tables of the county and, where there is one, its case log.
No score, model or forecast is read here, and none can be: this package stands below them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from riskmodel.cases.clocks import Limit, limits_of, running
from riskmodel.cases.declaration import Procedure, declared, load_procedure
from riskmodel.cases.follow import Case, Following, follow
from riskmodel.cases.steps import in_order, steps_of_tables
from riskmodel.households import KnownCounty
from riskmodel.rules import Calendar, RuleSet, evaluate_rules, load_rules, read_calendar

CASE_COLUMNS = (
    "case_id", "household_id", "kind", "state", "since", "opened_on", "channel", "cause", "list",
    "waiting_for", "clock", "due_on", "late", "closed", "standing", "reached",
)  # fmt: skip
READ_STEP_COLUMNS = (
    "case_id", "household_id", "from", "to", "date", "recorded_on", "role", "unit", "ground", "document",
    "corrects", "number", "source",
)  # fmt: skip
_DATES = ("since", "opened_on", "due_on", "date", "recorded_on")
_OF_VERDICTS = (
    "income_reason", "lag_months", "doubts", "outcome", "income_basis", "visit_every_days",
    "conditions", "unknown",
)  # fmt: skip
CalendarLike = Calendar | str | Path | Mapping[str, Any] | None


class CaseLog(Protocol):
    """A county's own record of steps."""

    def steps_known(self, known: KnownCounty) -> pd.DataFrame:
        """Return the steps recorded by the day, as `steps_of_tables` gives those of tables."""


@dataclass(frozen=True)
class CaseBook:
    """The cases of a county as known at a day.

    Parameters
    ----------
    known
        The county as known at one day.
    ruleset
        Whose clocks and procedure hold.
    procedure
        The moves of the rule set, with who decides.
    log
        The county's case log; what was recorded in it by the day counts.
    calendar
        Free days.
    judged
        The rule set's verdicts as of the day, where they are made already.
    params
        Overrides of the rule set's parameters, for verdicts that are not.
    """

    known: KnownCounty
    ruleset: RuleSet
    procedure: Procedure
    log: CaseLog | None
    calendar: Calendar
    judged: pd.DataFrame | None = None
    params: Mapping[str, Any] | None = None

    @cached_property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """What the rule set says of each household's records, cadence of visits and outcome."""
        judged = self.judged
        if judged is None:
            judged = evaluate_rules(self.known, self.ruleset, params=self.params)
        rows = judged[list(_OF_VERDICTS)].to_dict("records")
        ids = judged["household_id"].astype(str)
        return {h: {str(k): v for k, v in row.items()} for h, row in zip(ids, rows, strict=True)}

    @cached_property
    def limits(self) -> list[Limit]:
        """The limits of the cases."""
        return limits_of(self.ruleset, self.procedure)

    @cached_property
    def raw_steps(self) -> pd.DataFrame:
        """Every step known by the day, those of the log without what was corrected."""
        tables = steps_of_tables(self.known, without_logged=self.log is not None)
        if self.log is None:
            return tables
        logged = self.log.steps_known(self.known)
        logged = logged[logged["to"].isin(list(declared().states))]
        parts = [part for part in (tables, logged) if len(part)]
        if not parts:
            return tables
        return in_order(pd.concat(parts, ignore_index=True))

    @cached_property
    def followed(self) -> list[tuple[Following, list[tuple[dict[str, Any], Case | None, str | None]]]]:
        """Each household with its cases and steps."""
        steps = self.raw_steps
        if steps.empty:
            return []
        dates = pd.to_datetime(steps["date"]).dt.date
        explained = steps["to"].isin(["explained"]) | steps["number"].notna()
        begun = dates[explained].min() if explained.any() else None
        records = steps.assign(date=dates).to_dict("records")
        return list(
            follow(
                ({str(k): v for k, v in record.items()} for record in records),
                has_support=self.known.has("support"),
                keeps_entries=bool((steps["to"] == "entered").any()),
                explanations_from=begun,
            )
        )

    @cached_property
    def cases(self) -> pd.DataFrame:
        """One row a case, see `find_cases`."""
        rows = [self._row(case, home) for home, _ in self.followed for case in home.cases]
        return _frame(rows, CASE_COLUMNS)

    @cached_property
    def steps(self) -> pd.DataFrame:
        """One row a step that belongs to a case, see `read_steps`."""
        return _frame(list(self._steps()), READ_STEP_COLUMNS)

    def _steps(self) -> Iterator[dict[str, Any]]:
        for _, taken in self.followed:
            for step, case, before in taken:
                if case is not None:
                    yield {**step, "case_id": case.case_id, "from": before}

    def _row(self, case: Case, home: Following) -> dict[str, Any]:
        clocks = [] if case.closed else self._running(case)
        due, limit = clocks[0] if clocks else (None, None)
        lower = limit is not None and limit.at_least
        waits = "none" if case.closed else self._waits(case, limit)
        return {
            "case_id": case.case_id,
            "household_id": case.household_id,
            "kind": case.kind,
            "state": case.state,
            "since": case.since,
            "opened_on": case.opened_on,
            "channel": case.channel,
            "cause": case.cause,
            "list": case.list,
            "waiting_for": waits,
            "clock": None if limit is None else limit.id,
            "due_on": due,
            "late": due is not None and not lower and due < self.known.as_of,
            "closed": case.closed,
            "standing": home.standing,
            "reached": ";".join(case.reached),
        }

    def _running(self, case: Case) -> list[tuple[dt.date, Limit]]:
        clocks = running(self.limits, case.reached, case.counts_from, case.channel, self.calendar)
        if declared().states[case.state].refusal or case.state == "withdrawn":
            return [pair for pair in clocks if pair[1].waits is not None]
        return clocks

    def _waits(self, case: Case, limit: Limit | None) -> str:
        if limit is not None and limit.waits is not None:
            return limit.waits
        state = declared().states[case.state]
        if case.state == "clue" and case.channel == "department_screening":
            return "county"  # a department's batch is handed on by the county
        if case.state == "verified" and self.procedure.variant.application == "required":
            return "household" if case.kind in ("identify", "re_mark") else "village"
        entered = "entered" in case.reached
        return "department" if entered and not state.refusal and state.phase >= 11 else state.waits


def _frame(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    out = pd.DataFrame(rows, columns=list(columns), dtype=object)
    for name in columns:
        if name in _DATES:
            out[name] = pd.to_datetime(out[name]).astype("datetime64[s]")
        elif name in ("late", "closed"):
            out[name] = out[name].astype(bool)
        elif name in ("list", "number", "corrects"):
            out[name] = pd.to_numeric(out[name]).astype("Int64")
        else:
            out[name] = out[name].where(out[name].notna(), None)
    return out


def open_case_book(
    known: KnownCounty,
    ruleset: str | Path | RuleSet,
    log: CaseLog | None = None,
    calendar: CalendarLike = None,
    *,
    decides: str | None = None,
    closes: str | None = None,
    verdicts: pd.DataFrame | None = None,
    params: Mapping[str, Any] | None = None,
) -> CaseBook:
    """Return the cases of a county as known at a day, with their steps and limits.

    Parameters
    ----------
    known
        The county as known at one day.
    ruleset
        A packaged id, the path of a YAML, or a loaded set: its clocks, and its variant of the procedure.
    log
        The county's case log.
    calendar : path or mapping, optional
        What `riskmodel.rules.read_calendar` takes beside the packaged holidays.
    decides, closes : {"county", "township"}, optional
        Where a county differs from its rule set.
    verdicts
        Of `riskmodel.rules.evaluate_rules` as of the day, where they are made already.
    params
        Overrides of the rule set's parameters, where they are not.

    Returns
    -------
    CaseBook
        Made lazily.
    """
    loaded = load_rules(ruleset)
    free = read_calendar(calendar)
    procedure = load_procedure(loaded.id, decides, closes)
    return CaseBook(known, loaded, procedure, log, free, verdicts, params)


def find_cases(
    known: KnownCounty,
    ruleset: str | Path | RuleSet,
    log: CaseLog | None = None,
    calendar: CalendarLike = None,
) -> pd.DataFrame:
    """Return the cases of a county as known at a day.

    Parameters
    ----------
    known, ruleset, log, calendar
        As `open_case_book` takes them.

    Returns
    -------
    DataFrame
        One row a case: ``case_id, household_id, kind`` (identify, re_mark, eliminate, roll_back, remove,
        natural), ``state`` (a code of ``states.yaml``), ``since, opened_on, channel, cause, list`` (1–8 of
        附件2-2), ``waiting_for`` (household, village, township, county, department, none), ``clock`` (id of
        the limit that ends first), ``due_on, late, closed``, ``standing`` (outside, watched, eliminated,
        removed) and ``reached``, the states it came to, ``;``-joined in order.
    """
    return open_case_book(known, ruleset, log, calendar).cases


def read_steps(
    known: KnownCounty, log: CaseLog | None = None, ruleset: str | Path | RuleSet = "national-2021"
) -> pd.DataFrame:
    """Return the steps of all cases as known at a day.

    Parameters
    ----------
    known, log, ruleset
        As `open_case_book` takes them.

    Returns
    -------
    DataFrame
        One row a step: ``case_id, household_id, from`` (missing where the step moved nothing), ``to, date,
        recorded_on, role, unit, ground, document, corrects, number`` (of the log's row), ``source`` (table or
        log).
    """
    return open_case_book(known, ruleset, log).steps
