r"""The truth: chances of label events, from many simulated futures of each household.

From the state at an as-of month every household is run on ``futures`` times by the same code (`history`) that
made its history, each branch with its own chance (also of what townships share). Each life is booked
twice: with the register's support, and with all support ended at as-of.

.. math:: \hat p = k / B, \quad se = \sqrt{\tilde p (1 - \tilde p) / B}, \quad \tilde p = (k + 1/2) / (B + 1)

with B the futures in which the label is known: a household that moves away or dies out has none (contract).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from riskmodel.simulate import office
from riskmodel.simulate.history import (
    FUTURES,
    TRUTH,
    Block,
    Plan,
    SimulationSpec,
    advance_households,
    advance_office,
    below,
)
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import ParameterArrays
from riskmodel.simulate.records import (
    RecordWriter,
    category_array,
    date_array,
    last_day,
)
from riskmodel.simulate.state import (
    Bools,
    Floats,
    Ints,
    OfficeState,
    State,
    draw_month,
    stream,
)

COLUMNS = 32_768
EVENTS = ("below_line", "identified", "confirmed")


@dataclass(frozen=True)
class EventProbabilities:
    """Counts of futures, each (events, households): with support and without, of ``futures`` each.

    ``known`` and ``known_unsupported`` are the futures whose label is known: below the line or not, by those
    who are still there at the end; identified, by those and by whom the register took in before they left;
    confirmed, by those whom a visit met.
    """

    supported: Ints
    unsupported: Ints
    known: Ints
    known_unsupported: Ints
    futures: int

    @property
    def probability(self) -> Floats:
        """The chance of each event given that its label is known; NaN where it never is."""
        return _share(self.supported, self.known)

    @property
    def probability_unsupported(self) -> Floats:
        """The same without support."""
        return _share(self.unsupported, self.known_unsupported)

    @property
    def error(self) -> Floats:
        """Monte-Carlo standard error of the supported chance; never zero."""
        p = (self.supported + 0.5) / (self.known + 1)
        return np.sqrt(p * (1 - p) / np.maximum(self.known, 1))


def event_probabilities(
    now: State,
    books: OfficeState,
    month: int,
    horizon: int,
    t: ParameterArrays,
    rule: FlagRule,
    *,
    futures: int,
    seed: int,
    block: int,
) -> EventProbabilities:
    """Count the futures in which each label event happens."""
    per = max(1, COLUMNS // futures)
    starts = range(0, now.n, per)

    def batch(first: int) -> tuple[Ints, ...]:
        rng = stream(seed, FUTURES, month, horizon, block, first)
        stop = min(first + per, now.n)
        return _run(
            now.repeat(first, stop, futures),
            books.repeat(first, stop, futures),
            rng,
            month,
            horizon,
            t,
            rule,
            futures,
        )

    # numpy lets go of the interpreter's lock in its loops, so two threads use two cores.
    with ThreadPoolExecutor(max_workers=2) as pool:
        parts = list(pool.map(batch, starts))
    k, k_bare, known, known_bare = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return EventProbabilities(k, k_bare, known, known_bare, futures)


def _share(k: Ints, of: Ints) -> Floats:
    return np.divide(k, of, out=np.full(k.shape, np.nan), where=of > 0)


def _run(
    s: State,
    b: OfficeState,
    rng: np.random.Generator,
    month: int,
    horizon: int,
    t: ParameterArrays,
    rule: FlagRule,
    futures: int,
) -> tuple[Ints, ...]:
    bare = b.copy()
    office.stop_all_support(bare)
    entered, confirmed, answered = np.zeros((3, 2, s.n), dtype=bool)
    for ahead in range(month + 1, month + horizon + 1):
        z = draw_month(rng, s.n, ahead, t.profile.shocks.disaster_months)
        flow = advance_households(s, z, ahead, t)
        for k, books in enumerate((b, bare)):
            _, rows = advance_office(books, s, flow, z, ahead, t, rule, supported=k == 0)
            entered[k, rows] = True
            answers, confirms = office.visited(books, z, ahead, t)
            answered[k] |= answers
            confirmed[k] |= confirms
    there = s.persons > 0
    happened = [np.stack([below(s, books, t), entered[k], confirmed[k]]) for k, books in enumerate((b, bare))]
    known = [np.stack([there, there | entered[k], answered[k]]) for k in range(2)]
    return tuple(each.reshape(len(EVENTS), -1, futures).sum(axis=2) for each in (*happened, *known))


def _columns_asked(spec: SimulationSpec, state: State) -> Ints:
    """Return the columns of a block whose truth is asked for: all, or those of a sample drawn by the seed."""
    if spec.truth_sample is None or spec.truth_sample >= spec.plan.households:
        return np.arange(state.n)
    rng = stream(spec.plan.seed, TRUTH)
    chosen = rng.choice(spec.plan.households, spec.truth_sample, replace=False, shuffle=False)
    return np.flatnonzero(np.isin(state.household, chosen))


def truth_rows(
    spec: SimulationSpec, block: int, history: Block, writer: RecordWriter, t: ParameterArrays
) -> pa.Table:
    """Return a block's rows of ``truth.parquet``: a row a household, date, horizon and event."""
    parts = [
        _truth_at(spec, block, history, writer, t, month, ahead)
        for month in spec.truth_at
        for ahead in spec.horizons
    ]
    return pa.concat_tables(parts) if parts else TRUTH_SCHEMA.empty_table()


TRUTH_SCHEMA = pa.schema(
    [
        ("household_id", pa.string()),
        ("as_of", pa.date32()),
        ("horizon_months", pa.int32()),
        ("event", pa.string()),
        ("probability", pa.float64()),
        ("probability_unsupported", pa.float64()),
        ("mc_error", pa.float64()),
        ("outcome", pa.int8()),
    ]
)


def _truth_at(
    spec: SimulationSpec,
    block: int,
    history: Block,
    writer: RecordWriter,
    t: ParameterArrays,
    month: int,
    h: int,
) -> pa.Table:
    plan = spec.plan
    state, books = history.snapshots[month]
    rows = _columns_asked(spec, state)
    if not rows.size:
        return TRUTH_SCHEMA.empty_table()
    state, books = state.take(rows), books.take(rows)
    chances = event_probabilities(
        state, books, month, h, t, spec.rule, futures=spec.futures, seed=plan.seed, block=block
    )
    n, events = state.n, len(EVENTS)
    outcome, null = _outcomes(plan, history, rows, month, h)
    table = pa.table(
        {
            "household_id": writer.ids(np.tile(state.household, events)),
            "as_of": date_array(np.full(n * events, last_day(month))),
            "horizon_months": pa.array(np.full(n * events, h, dtype=np.int32)),
            "event": category_array(np.repeat(np.arange(events), n), EVENTS),
            "probability": pa.array(chances.probability.ravel()),
            "probability_unsupported": pa.array(chances.probability_unsupported.ravel()),
            "mc_error": pa.array(chances.error.ravel()),
            "outcome": pa.array(outcome.ravel(), mask=null.ravel()),
        },
        schema=TRUTH_SCHEMA,
    )
    # Who is gone by as-of, or whom no future has a label for, has no chance to speak of.
    known = (state.persons > 0) & (np.minimum(chances.known, chances.known_unsupported) > 0)
    return table.filter(pa.array(known.ravel()))


def _outcomes(plan: Plan, history: Block, rows: Ints, month: int, h: int) -> tuple[Ints, Bools]:
    """Return what happened in the window by event, and where that is not known."""
    events = len(EVENTS)
    if month + h > plan.last:
        return np.zeros((events, rows.size), dtype=np.int8), np.ones((events, rows.size), dtype=bool)
    k = month - plan.first
    there, entered = history.persons[:, k + h] > 0, history.entered[:, k + 1 : k + h + 1].any(axis=1)
    answered, confirmed = np.zeros((2, there.size), dtype=bool)
    when, household, result, _, _ = history.log.visits.columns()
    within = (when > month) & (when <= month + h) & (result != office.OUTCOMES.index("absent"))
    answered[household[within] - history.start.household[0]] = True
    within &= result == office.OUTCOMES.index("confirmed")
    confirmed[household[within] - history.start.household[0]] = True
    happened = np.stack([history.below[:, k + h], entered, confirmed])
    # Who has left is nobody's zero; who was taken in before leaving was taken in; nobody met, nothing known.
    unknown = np.stack([~there, ~there & ~entered, ~answered])
    return happened[:, rows].astype(np.int8), unknown[:, rows]
