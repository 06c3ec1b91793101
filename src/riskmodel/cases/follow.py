"""Steps followed household by household: which case each belongs to, and where the case then stands.

A household's standing (outside, watched, eliminated, removed) is what its latest register row says. One case
on the way into the register and one on the way out may be open at a time; a new clue joins the open one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from riskmodel.cases.declaration import ENTRIES, EXITS, FINDINGS, declared

OUTSIDE, WATCHED, ELIMINATED, REMOVED = "outside", "watched", "eliminated", "removed"
STANDING_AFTER = {
    **dict.fromkeys(ENTRIES, WATCHED),
    "eliminated": ELIMINATED,
    "removed": REMOVED,
    "label_withdrawn": REMOVED,
    "gone": REMOVED,
}
KIND_OF_DECISION = {
    "decided": "identify",
    "re_marked": "re_mark",
    "rolled_back": "roll_back",
    "eliminated": "eliminate",
    "removed": "remove",
    "label_withdrawn": "remove",
    "gone": "natural",
}
IN, OUT = "in", "out"
_WAY = {"identify": IN, "re_mark": IN, "roll_back": IN, "eliminate": OUT, "remove": OUT, "natural": OUT}
_AFTER = ("entered", "planned", "supported", "under_watch")
_LOOK_BACKS = ("looked_back", "look_back_unsteady", "look_back_new_risk")
# The decision and the register's row of it may be some days apart, or the row may give the month alone.
_SAME_DECISION = dt.timedelta(days=62)


@dataclass
class Case:
    """A case while its steps are followed."""

    case_id: str
    household_id: str
    kind: str
    opened_on: dt.date
    standing: str
    state: str = "start"
    since: dt.date = dt.date.min
    channel: str | None = None
    cause: str | None = None
    list: int | None = None
    reached: dict[str, dt.date] = field(default_factory=dict)
    counts_from: dict[str, dt.date] = field(default_factory=dict)  # of states whose clocks begin later
    unexplained: int = 0
    closed: bool = False

    def move(self, to: str, day: dt.date) -> None:
        """Come into a state."""
        self.state, self.since = to, day
        self.reached[to] = day
        if declared().states[to].refusal:
            # What was explained of an earlier refusal does not explain this one.
            self.reached.pop("explained", None)
            self.unexplained += 1
        if to in ("proposed", *STANDING_AFTER) and self.list is None:
            self.list = declared().kinds[self.kind].list

    @property
    def is_decided(self) -> bool:
        """Whether the county has decided."""
        return any(s in self.reached for s in STANDING_AFTER)


@dataclass
class Following:
    """One household's cases while its steps are followed."""

    household_id: str
    has_support: bool
    keeps_entries: bool
    keeps_explanations_from: dt.date | None
    standing: str = OUTSIDE
    cases: list[Case] = field(default_factory=list)
    now: dict[str, Case | None] = field(default_factory=lambda: {IN: None, OUT: None})
    looked_back: dt.date | None = None

    def take(self, step: Mapping[str, Any]) -> tuple[Case | None, str | None]:
        """Follow one step; return its case and the state before, None where it has none or moves none."""
        to, day = step["to"], step["date"]
        if to in _LOOK_BACKS or (to in FINDINGS and self.standing == ELIMINATED):
            self.looked_back = day
        if declared().states[to].side:
            return self._side_step(step), None
        case = self._case_of(step)
        if case is None:
            return None, None
        before = case.state
        if not self._moves(case, step):
            return case, None
        case.move(to, day)
        if (counts := step.get("counts_from")) is not None:
            case.counts_from[to] = max(day, pd.Timestamp(counts).date())
        for name in ("channel", "cause", "list"):
            if step.get(name) is not None and (getattr(case, name) is None or name == "list"):
                setattr(case, name, step[name])
        if to in STANDING_AFTER and step.get("decides", True):
            self._decide(case, to, day)
        self._close(case)
        return case, before

    def _side_step(self, step: Mapping[str, Any]) -> Case | None:
        case = self._by_id(step) or self._latest_for(step["to"])
        if case is not None:
            case.reached[step["to"]] = step["date"]
            if step["to"] == "review_asked":
                case.reached.pop("review_answered", None)
            if step["to"] == "explained":
                case.unexplained = 0
            self._close(case)
        return case

    def _latest_for(self, side: str) -> Case | None:
        owed = [c for c in self.cases if c.unexplained] if side == "explained" else []
        return (owed or self.cases or [None])[-1]  # type: ignore[list-item]

    def _by_id(self, step: Mapping[str, Any]) -> Case | None:
        number = step.get("case_id")
        return next((c for c in self.cases if c.case_id == number), None) if number else None

    def _case_of(self, step: Mapping[str, Any]) -> Case | None:
        to, logged = step["to"], step.get("case_id") is not None
        if (found := self._by_id(step)) is not None:
            return found
        kind = step.get("kind") or KIND_OF_DECISION.get(to) or self._kind_by_standing(to)
        if kind is None:
            return None
        way = _WAY[kind]
        there = self.now[way]
        if there is not None and self._joins(there, step, kind):
            if to in STANDING_AFTER or (step.get("kind") and not there.is_decided):
                there.kind = kind
            if logged:
                there.case_id = str(step["case_id"])
            return there
        if to in _AFTER or to == "withdrawn":
            return None
        return self._open(step, kind)

    def _kind_by_standing(self, to: str) -> str | None:
        """Return what a step without a kind is about: a watched household's road leads out."""
        into = self.now[IN]
        if to in _AFTER:
            return into.kind if into is not None and into.is_decided else None
        if self.standing != WATCHED:
            return "re_mark" if self.standing == ELIMINATED else "identify"
        if to in ("clue", "to_verify", "visited"):
            return "identify"
        if to in (*FINDINGS, "not_proposed", "referred", "answered"):
            # A visit to a household under watch is no case, unless it answers a clue or is of its way out.
            if into is not None and not into.closed and not into.is_decided:
                return into.kind
            out = self.now[OUT]
            return out.kind if out is not None and not out.closed else None
        return "eliminate"

    def _joins(self, case: Case, step: Mapping[str, Any], kind: str) -> bool:
        to = step["to"]
        if case.is_decided:
            if to in _AFTER:
                return not case.closed
            near = step["date"] - case.since <= _SAME_DECISION
            return near and to in STANDING_AFTER and to in case.reached and case.kind == kind
        if case.state in ("withdrawn",) or declared().states[case.state].refusal:
            # A refusal ends the case; what comes later is a new one, also while the explanation is owed.
            return to in STANDING_AFTER and declared().states[case.state].phase >= 5
        return not case.closed

    def _open(self, step: Mapping[str, Any], kind: str) -> Case:
        opened = step["date"]
        number = step.get("case_id") or f"{self.household_id}-{opened:%Y%m%d}-{kind}"
        taken = sum(c.case_id.partition("#")[0] == number for c in self.cases)
        number = f"{number}#{taken + 1}" if taken else number
        case = Case(str(number), self.household_id, kind, opened, self.standing)
        self.cases.append(case)
        self.now[_WAY[kind]] = case
        return case

    def _moves(self, case: Case, step: Mapping[str, Any]) -> bool:
        """Say whether a step moves its case: an earlier phase that tables tell later does not."""
        to = step["to"]
        if step.get("number") is not None or case.state == "start":
            return True
        states = declared().states
        if case.is_decided and to in STANDING_AFTER:
            return case.standing != WATCHED or to in EXITS or to not in case.reached
        back = states[to].phase < states[case.state].phase
        allowed = any(case.state in m.start and m.to == to for m in declared().transitions)
        return not back or allowed

    def _decide(self, case: Case, to: str, day: dt.date) -> None:
        self.standing = STANDING_AFTER[to]
        if self.standing == ELIMINATED:
            self.looked_back = None
        other = self.now[OUT if _WAY[case.kind] == IN else IN]
        if other is not None and not other.closed and not other.unexplained:
            # The register has gone past it: an entry once out again, a way out once re-entered.
            other.closed = True
        if self.standing != WATCHED and (entry := self.now[IN]) is not None and entry.is_decided:
            entry.closed = True

    def _close(self, case: Case) -> None:
        owed = case.unexplained and self._explains(case)
        review = "review_asked" in case.reached and "review_answered" not in case.reached
        state = declared().states[case.state]
        if state.refusal or case.state == "withdrawn":
            case.closed = not owed and not review
        elif case.state in EXITS or case.state == "gone":
            case.closed = not review
        elif case.is_decided:
            supported = (
                "supported" in case.reached or "emergency_support" in case.reached or not self.has_support
            )
            entered = "entered" in case.reached or not self.keeps_entries
            case.closed = supported and entered and not review
        elif case.kind == "identify" and case.standing == WATCHED and case.state in FINDINGS:
            case.closed = case.state in ("verified", "not_confirmed") and not review

    def _explains(self, case: Case) -> bool:
        """Say whether explanations were recorded at all by then: before, none can be said to be owed."""
        begun = self.keeps_explanations_from
        return begun is not None and case.since >= begun


def follow(
    steps: Iterable[dict[str, Any]],
    *,
    has_support: bool,
    keeps_entries: bool,
    explanations_from: dt.date | None,
) -> Iterator[tuple[Following, list[tuple[dict[str, Any], Case | None, str | None]]]]:
    """Follow steps in their order (`riskmodel.cases.steps.in_order`), one household after another."""
    current: Following | None = None
    taken: list[tuple[dict[str, Any], Case | None, str | None]] = []
    for step in steps:
        if current is None or current.household_id != step["household_id"]:
            if current is not None:
                yield current, taken
            current, taken = (
                Following(step["household_id"], has_support, keeps_entries, explanations_from),
                [],
            )
        case, before = current.take(step)
        taken.append((step, case, before))
    if current is not None:
        yield current, taken
