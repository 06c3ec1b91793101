"""Limits of a case: which clock runs in which state, and the day on which it ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from riskmodel.cases.declaration import Procedure, declared
from riskmodel.rules import Calendar, RuleSet

REFUSAL = "refusal"  # start of the clock that every refusal sets running


@dataclass(frozen=True)
class Limit:
    """A limit between two states.

    ``at_least`` is a lower limit: the end may not come before it. ``end`` may be several states.
    """

    id: str
    start: frozenset[str]
    end: frozenset[str]
    limit: float
    unit: str
    at_least: bool = False
    waits: str | None = None


def limits_of(ruleset: RuleSet, procedure: Procedure) -> list[Limit]:
    """Return a rule set's limits between states of a case, then those that it leaves open."""
    out = []
    for clock in ruleset.clocks:
        start, end = _states(clock.start, procedure), _states(clock.end, procedure)
        if start and end:
            out.append(Limit(clock.id, start, end, clock.limit, clock.unit, clock.at_least))
    taken = {limit.id for limit in out}
    refusals = frozenset(code for code, s in declared().states.items() if s.refusal)
    for own in declared().clocks:
        if own.id not in taken:
            start = refusals if own.start == REFUSAL else frozenset({own.start})
            out.append(
                Limit(own.id, start, frozenset({own.end}), own.limit, own.unit, own.at_least, own.waits)
            )
    return out


def _states(end: str | None, procedure: Procedure) -> frozenset[str]:
    """Return the states that an end of a rule set's clock stands for; none where it is no state of a case."""
    if end is None:
        return frozenset()
    named = {code for code, s in procedure.states.items() if end in s.rows or _word_of(end) in (s.word, code)}
    # A column without a value (`visits.date`) is every state of that table.
    table = end.partition(".")[0] if "=" not in end else None
    of_table = {
        code
        for code, s in procedure.states.items()
        if table in ("visits", "support") and any(r.partition(".")[0] == table for r in s.rows)
    }
    return frozenset(named | of_table)


def _word_of(end: str) -> str | None:
    table, _, rest = end.partition(".")
    return rest.partition("=")[2] if table in ("procedure", "cases") and "=" in rest else None


def due_on(start: dt.date, limit: Limit, calendar: Calendar) -> dt.date:
    """Return the last day on which a limit is kept; of a lower limit the first."""
    return calendar.due_date(start, limit.limit, limit.unit, at_least=limit.at_least)


def running(
    limits: Iterable[Limit],
    reached: Mapping[str, dt.date],
    counts_from: Mapping[str, dt.date],
    calendar: Calendar,
) -> list[tuple[dt.date, Limit]]:
    """Return the limits of a case that began and have not ended, by the day on which each ends.

    Parameters
    ----------
    limits
        From `limits_of`.
    reached
        The states that the case came to, each with the last day on which it did.
    counts_from
        Of some states, a later day from which their limits count.
    calendar
        Free days.
    """
    out = []
    for limit in limits:
        begun = [reached[s] for s in limit.start if s in reached]
        ended = [reached[s] for s in limit.end if s in reached]
        if begun and not (ended and max(ended) >= min(begun)):
            first = min(counts_from.get(s, reached[s]) for s in limit.start if s in reached)
            out.append((due_on(first, limit, calendar), limit))
    return sorted(out, key=lambda pair: (pair[0], pair[1].id))
