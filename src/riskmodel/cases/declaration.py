"""What is declared of cases (``states.yaml``): states, moves, who may, and each rule set's variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from riskmodel.errors import UsageError, did_you_mean
from riskmodel.i18n import Words
from riskmodel.io import Spec, load_spec

Role: TypeAlias = Literal["household", "village", "township", "county", "department", "none"]
Kind: TypeAlias = Literal["identify", "re_mark", "roll_back", "remove", "eliminate", "natural"]
START = "start"
APPLICATION = "applied"


class State(Words):
    """Where a case stands; see the comments in ``states.yaml``."""

    waits: Role
    phase: int = 0
    word: str | None = None
    event: str | None = None
    rows: tuple[str, ...] = ()
    refusal: bool = False
    side: bool = False


class KindOfCase(Words):
    """What a case is about: the list of 附件2-2 that it stands on, and the decision it aims at."""

    list: int
    decision: str


class InitialList(Words):
    """One of the eight initial lists (附件2-2)."""

    published: bool = True


class Need(Words):
    """What must be there before a step: given with it, or looked up (``check``)."""

    type: Literal["text", "date", "number", "bool"] = "text"
    least: float | None = None
    check: bool = False


class Transition(Spec):
    """A move that is allowed."""

    start: tuple[str, ...]
    to: str
    who: tuple[Role, ...]
    needs: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()

    def is_of(self, kind: str) -> bool:
        """Say whether cases of a kind may move so."""
        return not self.kinds or kind in self.kinds


class SideStep(Spec):
    """Who may write what stands beside a case."""

    who: tuple[Role, ...]
    needs: tuple[str, ...] = ()


class CaseClock(Words):
    """A limit between two states of a case."""

    id: str
    start: str
    end: str
    limit: float
    unit: Literal["working_days", "days", "months", "day_of_month"]
    waits: Role
    source: str
    at_least: bool = False


class Variant(Spec):
    """What a rule set's procedure leaves out or has otherwise."""

    application: Literal["required", "optional", "none"] = "required"
    appraised_by: Literal["village_meeting", "committee"] = "village_meeting"
    decides: Literal["county", "township"] = "county"
    closes: Literal["county", "township"] = "county"
    visited_by: Literal["village", "insurer"] = "village"
    files: Literal["nobody", "province"] = "nobody"
    skip: tuple[str, ...] = ()
    source: str = ""


class Declaration(Spec):
    """The whole of ``states.yaml``."""

    version: Literal[1]
    roles: dict[str, Words]
    kinds: dict[str, KindOfCase]
    lists: dict[str, InitialList]
    standings: dict[str, Words]
    states: dict[str, State]
    proposal_words: dict[str, Kind]
    no_ground: tuple[str, ...]
    refused_lists: tuple[str, ...]
    conditions: dict[str, Words]
    needs: dict[str, Need]
    transitions: tuple[Transition, ...]
    side_steps: dict[str, SideStep]
    clocks: tuple[CaseClock, ...]
    variants: dict[str, Variant]


@cache
def declared() -> Declaration:
    """Return what is declared of cases."""
    return load_spec(Path(__file__).with_name("states.yaml"), Declaration)


@dataclass(frozen=True)
class Procedure:
    """The moves of one rule set: the declared ones without what the set leaves out.

    Parameters
    ----------
    variant
        What is left out, and who decides.
    """

    variant: Variant

    @cached_property
    def states(self) -> Mapping[str, State]:
        """The states that cases of the set can be in."""
        return {code: s for code, s in declared().states.items() if code not in self.variant.skip}

    @cached_property
    def transitions(self) -> tuple[Transition, ...]:
        """The moves that are allowed."""
        moves = list(declared().transitions)
        for state in self.variant.skip:
            moves = list(_without(state, moves))
        return tuple(self._of_variant(move) for move in moves)

    def _of_variant(self, move: Transition) -> Transition:
        variant = self.variant
        needs = move.needs
        if variant.application != "required":
            needs = tuple(n for n in needs if n != APPLICATION)
        if variant.files != "province":
            needs = tuple(n for n in needs if n != "filed_if_lifted")
        decider = variant.closes if move.to in EXITS else variant.decides
        who: tuple[Role, ...] = (decider,) if move.to in DECISIONS else move.who
        return move.model_copy(update={"needs": needs, "who": who})

    def moves_to(self, state: str, kind: str) -> list[Transition]:
        """Return the moves by which a case of a kind comes into a state."""
        return [m for m in self.transitions if m.to == state and m.is_of(kind)]

    def moves_from(self, state: str, kind: str) -> list[Transition]:
        """Return the moves that a case of a kind may make next."""
        return [m for m in self.transitions if state in m.start and m.is_of(kind)]


# States in which the household's standing changes, and those by which it leaves the register.
ENTRIES = ("decided", "re_marked", "rolled_back")
EXITS = ("eliminated", "removed", "label_withdrawn")
DECISIONS = (*ENTRIES, *EXITS)
FINDINGS = ("visited", "absent", "verified", "not_confirmed")


def _without(state: str, moves: Iterable[Transition]) -> Iterable[Transition]:
    """Leave a state out: what it leads to is reached from where one came to it."""
    every = list(moves)
    before = [s for m in every if m.to == state for s in m.start if s != state]
    for move in every:
        if move.to == state:
            continue
        # What leads back (an objection, to the list of the village) has nothing to lead back from.
        onward = declared().states[move.to].phase >= declared().states[state].phase
        if state in move.start:
            starts = [s for s in move.start if s != state] + (before if onward else [])
            move = move.model_copy(update={"start": tuple(dict.fromkeys(s for s in starts if s != move.to))})
        if move.start:
            yield move


@cache
def load_procedure(ruleset: str, decides: str | None = None, closes: str | None = None) -> Procedure:
    """Return the moves of a rule set.

    Parameters
    ----------
    ruleset
        Its id; a set that is not declared here has the default procedure.
    decides, closes : {"county", "township"}, optional
        Who decides, and who closes, where a county does it otherwise than its set.

    Returns
    -------
    Procedure
        With every state and move of the set.

    Raises
    ------
    UsageError
        If who decides is neither.
    """
    variants = declared().variants
    values = variants["default"].model_dump() | variants.get(ruleset, Variant()).model_dump(
        exclude_unset=True
    )
    for name, who in (("decides", decides), ("closes", closes)):
        if who is None:
            continue
        if who not in ("county", "township"):
            raise UsageError(f"{name} {who!r}: allowed: county, township")
        values[name] = who
    return Procedure(Variant.model_validate(values))


def state(code: str) -> State:
    """Return what is declared of a state.

    Raises
    ------
    UsageError
        If there is none of that name; a near one is named.
    """
    states = declared().states
    if code not in states:
        raise UsageError(f"no state {code!r}{did_you_mean(code, states)} (allowed: {', '.join(states)})")
    return states[code]
