"""What a county's cases owe: due, late, waiting for whom; tables of codes, words are the presentation's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from riskmodel.cases.cases import CaseBook
from riskmodel.cases.clocks import Limit, due_on, has_ended
from riskmodel.cases.declaration import ENTRIES, declared
from riskmodel.cases.follow import ELIMINATED, WATCHED, Case
from riskmodel.cases.judge import Judge
from riskmodel.cases.log import STEP, CaseLog
from riskmodel.households import HOUSEHOLD_STATES
from riskmodel.i18n import both, same
from riskmodel.register import find_empty_households

# The tables in their order, each with its columns; ``tests/cases`` hold that no score stands among them.
_HOME = ("township", "village", "household_id")
_CASE = (*_HOME, "case_id", "kind", "state", "since", "days")
OVERVIEW: dict[str, tuple[str, ...]] = {
    "open": (*_CASE, "list", "cause", "waiting_for", "clock", "due_on", "late"),
    "waiting": ("township", "waiting_for", "cases", "late", "oldest_days"),
    "candidates": (*_CASE, "cause", "applied"),
    "publicity": (*_CASE, "list", "from", "until_at_least"),
    "deciding": (*_CASE, "list", "waiting_for"),
    "not_entered": (*_CASE, "decided_on"),
    "no_measure": (*_CASE, "decided_on", "due_on", "late"),
    "visits_due": (*_HOME, "last_visit", "every_days", "due_on", "late"),
    "look_backs": (*_HOME, "eliminated_on", "looked_back_on", "due_on", "late"),
    "eliminations": (*_HOME, "case_id", "state", "since", "proposed", "missing"),
    "nobody": (*_HOME, "left_on", "proposed", "missing"),
    "explanations": (*_CASE, "owed", "due_on", "late"),
    "warnings": ("department", "warnings", "waiting", "visited", "confirmed", "not_confirmed", "late"),
    "clocks": ("clock", "started", "in_time", "broken", "running"),
    "broken": (*_HOME, "case_id", "clock", "started_on", "due_on", "ended_on"),
    "late_entries": (
        "number", "household_id", "case_id", "state", "date", "recorded_on", "corrects", "reason", "late"
    ),
}  # fmt: skip
_DATES = ("since", "from", "until_at_least", "decided_on", "due_on", "last_visit", "eliminated_on",
          "looked_back_on", "left_on", "started_on", "ended_on", "date", "recorded_on")  # fmt: skip
_LOOK_BACK = "look_back"
# Steps that some counties never write down: what is missing of them says then nothing.
_KEPT = {"entries": "entered", "explanations": "explained"}


@dataclass(frozen=True)
class Overview:
    """The cases of a county, told as what is to be done.

    Parameters
    ----------
    book
        The cases as known at a day.
    """

    book: CaseBook

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of `OVERVIEW`, in codes and dates."""
        out = {}
        for name, columns in OVERVIEW.items():
            rows = list(getattr(self, f"_{name}")())
            frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
            for column in set(columns) & set(_DATES):
                frame[column] = pd.to_datetime(frame[column]).astype("datetime64[s]")
            out[name] = frame
        return out

    @property
    def summary(self) -> dict[str, Any]:
        """Counts for a machine."""
        tables, opened = self.tables, self.tables["open"]
        rows: dict[str, Any] = {
            n: len(t) for n, t in tables.items() if n not in ("open", "waiting", "clocks")
        }
        counts: dict[str, Any] = {
            "as_of": self.as_of.isoformat(),
            "ruleset": self.book.ruleset.id,
            "open": len(opened),
            "late": int(opened["late"].astype(bool).sum()),
            "waiting_for": _counted(opened["waiting_for"]),
            "states": _counted(opened["state"]),
        }
        recorded = {f"{what}_recorded": self._keeps(state) for what, state in _KEPT.items()}
        return {**counts, **rows, "clocks": tables["clocks"].to_dict("records"), **recorded}

    @property
    def as_of(self) -> dt.date:
        """The day spoken of."""
        return self.book.known.as_of

    @cached_property
    def _places(self) -> dict[str, tuple[str, str]]:
        t = self.book.known.rows(HOUSEHOLD_STATES)
        frame = t.select("household_id", "township", "village").to_pandas()
        places = zip(frame["household_id"].astype(str), frame["township"], frame["village"], strict=True)
        return {home: (township, village) for home, township, village in places}

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        """Every case with its place, in the order of the places."""
        rows: list[dict[str, Any]] = []
        cases = [case for home, _ in self.book.followed for case in home.cases]
        for case, row in zip(cases, self.book.cases.to_dict("records"), strict=True):
            days = (self.as_of - row["since"].date()).days
            of_case: dict[str, Any] = {str(k): v for k, v in row.items()}
            rows.append(self._home(case.household_id) | of_case | {"days": days, "of": case})
        return sorted(
            rows, key=lambda r: (str(r["township"]), str(r["village"]), r["household_id"], r["since"])
        )

    @cached_property
    def _going(self) -> list[dict[str, Any]]:
        return [row for row in self._rows if not row["closed"]]

    def _home(self, household: str) -> dict[str, Any]:
        township, village = self._places.get(household, (None, None))
        return {"township": township, "village": village, "household_id": household}

    def _keeps(self, state: str) -> bool:
        steps = self.book.raw_steps
        return bool((steps["to"] == state).any()) if len(steps) else False

    def _open(self) -> Iterator[dict[str, Any]]:
        yield from sorted(self._going, key=lambda r: (r["due_on"] is pd.NaT, r["due_on"] or pd.Timestamp.max))

    def _waiting(self) -> Iterator[dict[str, Any]]:
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self._going:
            groups.setdefault((str(row["township"]), row["waiting_for"]), []).append(row)
        for (township, role), rows in sorted(groups.items()):
            late, oldest = sum(r["late"] for r in rows), max(r["days"] for r in rows)
            out = {"township": township, "waiting_for": role, "cases": len(rows)}
            yield {**out, "late": late, "oldest_days": oldest}

    def _candidates(self) -> Iterator[dict[str, Any]]:
        """Yield who was confirmed and waits for the village's list."""
        for row in self._going:
            if row["state"] in ("verified", "applied", "heard") and row["kind"] != "eliminate":
                yield {**row, "applied": "applied" in row["of"].reached}

    def _publicity(self) -> Iterator[dict[str, Any]]:
        judge = Judge(self.book)
        for row in self._going:
            if row["state"] in ("publicised", "objection"):
                begun = row["of"].reached.get("publicised")
                yield {**row, "from": begun, "until_at_least": judge.publicity_ends(row["of"])}

    def _deciding(self) -> Iterator[dict[str, Any]]:
        waits = ("publicity_over", "township_checked", "compared", "comparison_hit", "assessed", "filed")
        yield from (row for row in self._going if row["state"] in waits)

    def _not_entered(self) -> Iterator[dict[str, Any]]:
        if self._keeps("entered"):
            for row in self._going:
                if (decided := _decided_on(row["of"])) is not None and "entered" not in row["of"].reached:
                    yield {**row, "decided_on": decided}

    def _no_measure(self) -> Iterator[dict[str, Any]]:
        for row in self._going:
            decided, reached = _decided_on(row["of"]), row["of"].reached
            if decided is not None and not {"supported", "emergency_support"} & set(reached):
                yield {**row, "decided_on": decided}

    def _visits_due(self) -> Iterator[dict[str, Any]]:
        """Yield households under watch whose next visit is due by the rule set's cadence."""
        verdicts = self.book.verdicts
        every = {
            h: int(v["visit_every_days"]) for h, v in verdicts.items() if pd.notna(v["visit_every_days"])
        }
        last = self._last_visits
        for home in sorted(every, key=lambda h: self._places.get(h, ("", ""))):
            begun = last.get(home) or self._watched_since.get(home)
            if begun is None:
                continue
            due = begun + dt.timedelta(days=every[home])
            if due <= self.as_of:
                out = {"last_visit": last.get(home), "every_days": every[home], "due_on": due}
                yield {**self._home(home), **out, "late": due < self.as_of}

    @cached_property
    def _last_visits(self) -> dict[str, dt.date]:
        steps = self.book.raw_steps
        if steps.empty:
            return {}
        seen = steps[steps["to"].isin(["verified", "not_confirmed", "visited"])]
        days = pd.to_datetime(seen["date"]).groupby(seen["household_id"]).max()
        return {str(home): day.date() for home, day in days.items()}

    @cached_property
    def _watched_since(self) -> dict[str, dt.date]:
        out: dict[str, dt.date] = {}
        for home, _ in self.book.followed:
            decided = [d for c in home.cases if (d := _decided_on(c)) is not None]
            if home.standing == WATCHED and decided:
                out[home.household_id] = max(decided)
        return out

    def _look_backs(self) -> Iterator[dict[str, Any]]:
        """Yield eliminated households whose look-back is due by the rule set's clock, if it has one."""
        clock = next((c for c in self.book.ruleset.clocks if c.id == _LOOK_BACK), None)
        if clock is None:
            return
        for home, _ in self.book.followed:
            if home.standing != ELIMINATED:
                continue
            out = [c.reached["eliminated"] for c in home.cases if "eliminated" in c.reached]
            begun = home.looked_back or max(out, default=None)
            if begun is None:
                continue
            due = self.book.calendar.due_date(begun, clock.limit, clock.unit)
            days = {"eliminated_on": max(out, default=None), "looked_back_on": home.looked_back}
            yield {**self._home(home.household_id), **days, "due_on": due, "late": due < self.as_of}

    def _eliminations(self) -> Iterator[dict[str, Any]]:
        """Yield cases of elimination, and whom the four conditions seem to fit; each with what is missing."""
        judge, seen = Judge(self.book), set()
        for row in self._going:
            if row["kind"] == "eliminate":
                seen.add(row["household_id"])
                yield {**row, "proposed": True, "missing": judge.missing_for_elimination(row["household_id"])}
        watched = [home.household_id for home, _ in self.book.followed if home.standing == WATCHED]
        for household in watched:
            fits = self.book.verdicts.get(household, {}).get("outcome") == "eliminate"
            if fits and household not in seen:
                missing = judge.missing_for_elimination(household)
                yield {**self._home(household), "proposed": False, "missing": missing}

    def _nobody(self) -> Iterator[dict[str, Any]]:
        """Yield households under watch of whom nobody is present, with what is to be cleared up."""
        proposed = {row["household_id"] for row in self._going if row["kind"] == "natural"}
        watched = {home.household_id for home, _ in self.book.followed if home.standing == WATCHED}
        found = find_empty_households(self.book.known)
        for row in found[found["household_id"].isin(watched)].to_dict("records"):
            household, why = row["household_id"], row["why"]
            missing = both(f"register.empty.{why}") if why else same("")
            out = {"left_on": row["left_on"], "proposed": household in proposed, "missing": missing}
            yield {**self._home(household), **out}

    def _explanations(self) -> Iterator[dict[str, Any]]:
        """Yield what households are owed: the reason of a refusal, or the answer of a review."""
        for row in self._going:
            case: Case = row["of"]
            if "review_asked" in case.reached and "review_answered" not in case.reached:
                yield {**row, "owed": "review_answered"}
            elif declared().states[case.state].refusal and case.unexplained:
                yield {**row, "owed": "explained"}

    def _warnings(self) -> Iterator[dict[str, Any]]:
        """Yield departments' warnings: how many wait, were visited, and what was found, to be answered."""
        units = {
            step["case_id"]: step["unit"]
            for step in self.book.steps.to_dict("records")
            if step["to"] == "clue" and step["unit"]
        }
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in self._rows:
            if row["channel"] == "department_screening" and row["case_id"] in units:
                groups.setdefault(units[row["case_id"]], []).append(row)
        for department, rows in sorted(groups.items()):
            reached = [set(r["of"].reached) for r in rows]
            found = [{"visited", "verified", "not_confirmed"} & r for r in reached]
            yield {
                "department": department,
                "warnings": len(rows),
                "waiting": sum(not f for f in found),
                "visited": sum(bool(f) for f in found),
                "confirmed": sum("verified" in f for f in found),
                "not_confirmed": sum("not_confirmed" in f for f in found),
                "late": sum(r["late"] for r in rows),
            }

    @cached_property
    def _limits_begun(self) -> list[tuple[dict[str, Any], Limit, dt.date, dt.date, dt.date | None]]:
        """Every limit that ever began in a case: since when, until when, and when it ended."""
        out = []
        for row in self._rows:
            case: Case = row["of"]
            for limit in self.book.limits:
                begun = [case.reached[s] for s in limit.start if s in case.reached]
                if not begun or limit.channel not in (None, case.channel):
                    continue
                first = min(
                    case.counts_from.get(s, case.reached[s]) for s in limit.start if s in case.reached
                )
                ended = has_ended(limit, case.reached, min(begun))
                if ended is None and case.closed:
                    continue  # came to nothing before: nobody was waited for
                out.append((row, limit, first, due_on(first, limit, self.book.calendar), ended))
        return out

    def _clocks(self) -> Iterator[dict[str, Any]]:
        for limit in self.book.limits:
            of = [(due, ended) for _, each, _, due, ended in self._limits_begun if each.id == limit.id]
            broken = sum(_is_broken(limit, due, ended, self.as_of) for due, ended in of)
            running = sum(
                ended is None and not _is_broken(limit, due, ended, self.as_of) for due, ended in of
            )
            counts = {"started": len(of), "in_time": len(of) - broken - running, "broken": broken}
            yield {"clock": limit.id, **counts, "running": running}

    def _broken(self) -> Iterator[dict[str, Any]]:
        for row, limit, first, due, ended in self._limits_begun:
            if _is_broken(limit, due, ended, self.as_of):
                days = {"started_on": first, "due_on": due, "ended_on": ended}
                yield {**row, "clock": limit.id, **days}

    def _late_entries(self) -> Iterator[dict[str, Any]]:
        """Yield corrections, and what was recorded after its period was closed."""
        if not isinstance(self.book.log, CaseLog):
            return
        for row in self.book.log.rows():
            content = row["content"]
            if row["entry"] == STEP and row["recorded_on"] <= str(self.as_of):
                if row["corrects"] is None and not content.get("late"):
                    continue
                yield {
                    **row,
                    "state": row["to_state"],
                    "date": row["happened_on"],
                    "reason": content.get("given", {}).get("reason"),
                    "late": bool(content.get("late")),
                }


def _decided_on(case: Case) -> dt.date | None:
    """Return when the county decided that a household enters the register."""
    return max((case.reached[s] for s in ENTRIES if s in case.reached), default=None)


def _is_broken(limit: Limit, due: dt.date, ended: dt.date | None, as_of: dt.date) -> bool:
    if limit.at_least:
        return ended is not None and ended < due
    return (ended or as_of) > due


def _counted(values: pd.Series) -> dict[str, int]:
    counts = values.astype(str).value_counts().sort_index()
    return {str(k): int(v) for k, v in zip(counts.index, counts.to_numpy(), strict=True)}
