"""Whether a step may be taken: who may, from which state, what must be there; a refusal says why."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from riskmodel.cases.cases import CaseBook
from riskmodel.cases.clocks import due_on
from riskmodel.cases.declaration import EXITS, SideStep, Transition, declared
from riskmodel.cases.follow import WATCHED, Case, Following
from riskmodel.data import parse_date
from riskmodel.households import HOUSEHOLD_STATES
from riskmodel.i18n import Message, both, text
from riskmodel.register import find_empty_households

# An identity number or a mobile phone number inside a text: the log holds neither.
_PERSONAL = re.compile(r"(?<!\d)(?:[1-9]\d{16}[\dXx]|1[3-9]\d{9})(?!\d)")
_ALL_FOUR = frozenset({"measures", "guarantees", "income", "spending"})


@dataclass(frozen=True)
class StepEntry:
    """A step as somebody enters it.

    Parameters
    ----------
    household_id
        The office's own number.
    to
        The state it leads to, a code of ``states.yaml``.
    date
        When it happened.
    role, unit, user
        Who: role, office or village, and a local user id. No name.
    kind
        What the case is about, where the step opens one.
    case_id
        Which case, where the household has several.
    ground
        The facts it rests on.
    document
        Number of the paper.
    given
        What else was given, by the names of ``needs`` in ``states.yaml``, and ``channel, cause, list, way,
        amount, decision``.
    facts
        Numbers of the rows relied on.
    corrects
        Number of the log's row that this one replaces.
    cell
        Where it stands in a sheet.
    """

    household_id: str
    to: str
    date: dt.date
    role: str
    unit: str | None = None
    user: str | None = None
    kind: str | None = None
    case_id: str | None = None
    ground: str | None = None
    document: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    corrects: int | None = None
    cell: str = ""

    def value(self, need: str) -> Any:
        """Return what was given under the name of a need."""
        if need in ("ground", "document"):
            return getattr(self, need)
        return self.given.get(need)


def fault(about: str, **values: Any) -> Message:
    """Return why a step is refused (an entry of ``cases.refused``)."""
    return Message(f"cases.refused.{about}", values)


@dataclass(frozen=True)
class Judge:
    """Judges steps against the cases of a county as known on the day of recording.

    Parameters
    ----------
    book
        The cases.
    """

    book: CaseBook

    @cached_property
    def registrations(self) -> dict[str, str]:
        """The registration of each household known, by number."""
        t = self.book.known.rows(HOUSEHOLD_STATES)
        frame = t.select("household_id", "registration").to_pandas()
        return dict(zip(frame["household_id"].astype(str), frame["registration"], strict=True))

    @property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The rule set's verdict on each household: whether its records are whole, and whether it is held."""
        return self.book.verdicts

    @cached_property
    def empty(self) -> dict[str, str]:
        """Households of whom nobody is present, with what is to be cleared up; empty where it is clear."""
        found = find_empty_households(self.book.known)
        return dict(zip(found["household_id"].astype(str), found["why"], strict=True))

    @cached_property
    def stated(self) -> frozenset[str]:
        """Households whose months on record are stated, not inferred from the rows that are there."""
        known, out = self.book.known, set[str]()
        if known.has("recorded"):
            rows = known.rows("recorded")
            out |= set(rows.filter(rows["of"] == "income").household_id.to_pandas().astype(str))
        about = known.county.about
        if about.coverage == "whole":
            starts, homes = about.records_from, known.townships
            homes = homes[homes.isin(list(starts))] if isinstance(starts, dict) else homes
            out |= set(homes.index.astype(str))
        return frozenset(out | {h for h, v in self.verdicts.items() if v["income_basis"] == "total"})

    def plain_faults(self, entry: StepEntry) -> Iterator[Message]:
        """Yield what is wrong of an entry whatever its case: names, dates, people's data, a score."""
        states = self.book.procedure.states
        if entry.to not in states:
            yield fault("no such step", step=entry.to, ruleset=self.book.ruleset.id)
            return
        if entry.household_id not in self.registrations:
            yield fault("unknown household", household=entry.household_id)
        if entry.date > self.book.known.as_of:
            yield fault("in the future", day=entry.date, recorded_on=self.book.known.as_of)
        if entry.role not in declared().roles or entry.role == "none":
            yield fault("no such role", role=entry.role, roles=_words("roles", [*declared().roles][:-1]))
        texts = [entry.ground, entry.document, entry.unit, entry.user, *map(str, entry.given.values())]
        said = " ".join(t for t in texts if t)
        if _PERSONAL.search(said):
            yield fault("personal data")
        score = next((w for w in declared().no_ground if w in said.lower()), None)
        if score is not None:
            yield fault("a score is no ground", word=score)

    def faults(self, entry: StepEntry, home: Following, case: Case | None, kind: str) -> Iterator[Message]:
        """Yield why a step may not be taken in a case (none: it would open one)."""
        side = declared().side_steps.get(entry.to)
        if side is not None:
            if case is None:
                yield fault("no case", household=entry.household_id)
            else:
                yield from self._of_move(entry, home, case, side)
            return
        state = "start" if case is None else case.state
        moves = [m for m in self.book.procedure.moves_to(entry.to, kind) if state in m.start]
        joins = case is not None and entry.to == "clue"
        if not moves and not joins:
            yield self._not_from_here(entry, state, kind)
        elif case is not None and entry.date < case.since and entry.corrects is None:
            yield fault("before the step it follows", day=entry.date, since=case.since)
        elif moves:
            yield from self._of_move(entry, home, case, moves[0])

    def _not_from_here(self, entry: StepEntry, state: str, kind: str) -> Message:
        onward = [m.to for m in self.book.procedure.moves_from(state, kind)]
        back = [s for m in self.book.procedure.moves_to(entry.to, kind) for s in m.start]
        return fault(
            "not from here",
            step=_words("states", [entry.to]),
            state=both("cases.words.no case") if state == "start" else _words("states", [state]),
            onward=_words("states", onward),
            before=_words("states", [s for s in back if s != "start"]),
        )

    def _of_move(
        self, entry: StepEntry, home: Following, case: Case | None, move: Transition | SideStep
    ) -> Iterator[Message]:
        if entry.role not in move.who:
            who = _words("roles", list(move.who))
            yield fault("not by this role", step=_words("states", [entry.to]), who=who)
        missing = [n for n in move.needs if not self._is_there(n, entry, home, case)]
        if missing:
            yield fault("missing", step=_words("states", [entry.to]), needs=_words("needs", missing))
            yield from self._why(missing, entry, case)

    def _is_there(self, name: str, entry: StepEntry, home: Following, case: Case | None) -> bool:
        need = declared().needs[name]
        if need.check:
            return bool(getattr(self, f"_has_{name}")(entry, home, case))
        value = entry.value(name)
        if value is None or value == "":
            return False
        if need.type == "bool":
            return value is True or str(value).lower() in ("true", "1", "yes", text("cases.yes_no.yes", "zh"))
        if need.type == "date":
            return parse_date(value)[0] is not None
        if need.type == "number":
            number = pd.to_numeric(pd.Series([value]), errors="coerce").iloc[0]
            return bool(number >= (need.least or 0))
        return True

    def _why(self, missing: list[str], entry: StepEntry, case: Case | None) -> Iterator[Message]:
        """Yield what a missing condition rests on: when publicity ends, what is in doubt of the records."""
        if "posted" in missing and case is not None and (end := self.publicity_ends(case)) is not None:
            yield fault("publicity ends", day=end)
        if "steady_records" in missing:
            yield fault("records", why=self._record_doubts(entry.household_id))
        if "all_left" in missing:
            yield fault(
                "not gone", why=both(f"register.empty.{self.empty.get(entry.household_id, 'somebody')}")
            )
        if "right_exit" in missing:
            lifted = self.registrations.get(entry.household_id) == "lifted"
            yield fault("which exit", step=_words("states", ["label_withdrawn" if lifted else "removed"]))

    def _has_applied(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        return case is not None and "applied" in case.reached

    def _has_visited(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        return case is not None and "verified" in case.reached

    def _has_heard(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        return case is not None and "heard" in case.reached

    def _has_posted(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        end = None if case is None else self.publicity_ends(case)
        return end is None or entry.date >= end

    def publicity_ends(self, case: Case) -> dt.date | None:
        """Return the first day on which a case's publicity may end; None where it has none."""
        begun = case.reached.get("publicised")
        limits = [m for m in self.book.limits if m.at_least and "publicised" in m.start]
        if begun is None or not limits:
            return None
        return max(due_on(begun, m, self.book.calendar) for m in limits)

    def _has_objections_answered(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        if case is None or "objection" not in case.reached:
            return True
        return case.reached.get("objector_answered", dt.date.min) >= case.reached["objection"]

    def _has_conditions(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        given = {part.strip() for part in re.split(r"[;；、,，]", str(entry.given.get("conditions") or ""))}
        words = {w.zh: code for code, w in declared().conditions.items()}
        met = {words.get(part, part) for part in given}
        return "natural" in met or met >= _ALL_FOUR

    def _has_steady_records(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        return not self._record_doubts(entry.household_id)["en"]

    def _record_doubts(self, household: str) -> dict[str, str]:
        """Return what is shifted, inferred or in doubt of a household's records; empty texts for nothing."""
        if household not in self.verdicts:
            return both("cases.records.unknown")
        row = self.verdicts[household]
        found = []
        if pd.notna(row["income_reason"]) and row["income_reason"]:
            found.append(both("cases.records.no income", why=str(row["income_reason"])))
        if pd.notna(row["lag_months"]) and row["lag_months"] > 0:
            found.append(both("cases.records.late", months=int(row["lag_months"])))
        if row["doubts"]:
            found.append(both("cases.records.doubtful", doubts=str(row["doubts"])))
        if household not in self.stated:
            found.append(both("cases.records.inferred"))
        return {lang: "; ".join(f[lang] for f in found) for lang in ("zh", "en")}

    def missing_for_elimination(self, household: str) -> dict[str, str]:
        """Return what the records lack for an elimination, in both languages; empty texts for nothing.

        The household's consent and the visit are asked for beside it, always.
        """
        verdict = self.verdicts.get(household)
        if verdict is None:
            return both("cases.records.unknown")
        found = []
        if (doubts := self._record_doubts(household))["en"]:
            found.append(doubts)
        if verdict["outcome"] == "hold_no_labour":
            found.append(both("cases.records.held"))
        outcome = next((o for o in self.book.ruleset.outcomes if o.outcome == "eliminate"), None)
        if outcome is not None and verdict["outcome"] != "eliminate":
            found.append(
                both("cases.records.conditions", met=verdict["conditions"], unknown=verdict["unknown"])
            )
        return {lang: "; ".join(f[lang] for f in found) for lang in ("zh", "en")}

    def _has_not_held(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        verdict = self.verdicts.get(entry.household_id)
        return verdict is not None and verdict["outcome"] != "hold_no_labour"

    def _has_right_exit(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        lifted = self.registrations.get(entry.household_id) == "lifted"
        return entry.to not in EXITS or (entry.to == "label_withdrawn") == lifted

    def _has_all_left(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        return self.empty.get(entry.household_id) == ""

    def _has_watched(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        return home.standing == WATCHED

    def _has_not_watched(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        return home.standing != WATCHED

    def _has_was_eliminated(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        return home.standing == "eliminated"

    def _has_filed_if_lifted(self, entry: StepEntry, home: Following, case: Case | None) -> bool:
        lifted = self.registrations.get(entry.household_id) == "lifted"
        return not lifted or (case is not None and "filed" in case.reached)


def _words(what: str, codes: list[str]) -> dict[str, str]:
    """Return the words of states, roles or needs in both languages."""
    declared_words = getattr(declared(), what)
    distinct = list(dict.fromkeys(codes))
    zh = "、".join(declared_words[c].zh for c in distinct) or text("cases.words.nothing", "zh")
    return {"zh": zh, "en": ", ".join(f"{declared_words[c].en} ({c})" for c in distinct) or "none"}
