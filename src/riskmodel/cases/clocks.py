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

    ``at_least``: a lower limit, the end may not come before it. ``channel``: of cases that came by it alone.
    """

    id: str
    start: frozenset[str]
    end: frozenset[str]
    limit: float
    unit: str
    at_least: bool = False
    waits: str | None = None
    channel: str | None = None


def limits_of(ruleset: RuleSet, procedure: Procedure) -> list[Limit]:
    """Return a rule set's limits between states of a case, then those that it leaves open."""
    out = []
    for clock in ruleset.clocks:
        start, end = _states(clock.start, procedure), _states(clock.end, procedure)
        if start and end:
            of = (clock.id, start, end, clock.limit, clock.unit, clock.at_least)
            out.append(Limit(*of, channel=_channel(clock.start)))
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
    if _channel(end) and end.startswith("risk_events"):
        return frozenset({"clue"})
    named = {code for code, s in procedure.states.items() if end in s.rows or _word_of(end) in (s.word, code)}
    # A column without a value (`visits.date`) is every state of that table.
    table = end.partition(".")[0] if "=" not in end else None
    of_table = {
        code
        for code, s in procedure.states.items()
        if table in ("visits", "support") and any(r.partition(".")[0] == table for r in s.rows)
    }
    return frozenset(named | of_table)


def _channel(end: str | None) -> str | None:
    """Return the channel of the cases that a clock from this end is of; None for all."""
    if end is None:
        return None
    if end.startswith("warnings."):
        return "department_screening"
    return end.partition("risk_events.channel=")[2] or None


def _word_of(end: str) -> str | None:
    table, _, rest = end.partition(".")
    return rest.partition("=")[2] if table in ("procedure", "cases") and "=" in rest else None


def due_on(start: dt.date, limit: Limit, calendar: Calendar) -> dt.date:
    """Return the last day on which a limit is kept; of a lower limit the first."""
    return calendar.due_date(start, limit.limit, limit.unit, at_least=limit.at_least)


def has_ended(limit: Limit, reached: Mapping[str, dt.date], begun: dt.date) -> dt.date | None:
    """Return the day on which a limit's end, or a state beyond it, was reached; None where it was not."""
    states = declared().states
    last = max(states[s].phase for s in limit.end)
    beyond = {s for s in reached if not states[s].side and last and states[s].phase > last}
    days = [reached[s] for s in {*limit.end, *beyond} if s in reached and reached[s] >= begun]
    return min(days, default=None)


def running(
    limits: Iterable[Limit],
    reached: Mapping[str, dt.date],
    counts_from: Mapping[str, dt.date],
    channel: str | None,
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
    channel
        By which the case came.
    calendar
        Free days.
    """
    out = []
    for limit in limits:
        begun = [reached[s] for s in limit.start if s in reached]
        if limit.channel not in (None, channel):
            continue
        if begun and has_ended(limit, reached, min(begun)) is None:
            first = min(counts_from.get(s, reached[s]) for s in limit.start if s in reached)
            out.append((due_on(first, limit, calendar), limit))
    return sorted(out, key=lambda pair: (pair[0], pair[1].id))
