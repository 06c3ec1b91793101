r"""The truth: chances of label events, from many simulated futures of each household.

From the state at an as-of month every household is run on ``futures`` times by the same code (`process`) that
made its history, each branch with its own chance (also of what townships share). Each life is booked
twice: with the register's support, and with all support ended at as-of.

.. math:: \hat p = k / B, \quad se = \sqrt{\tilde p (1 - \tilde p) / B}, \quad \tilde p = (k + 1/2) / (B + 1)

with B the futures in which the label is known: a household that moves away or dies out has none (contract).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from riskmodel.simulate import office, random_draws
from riskmodel.simulate.history import FUTURES, advance_households, advance_office, below, stream
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import ParameterArrays
from riskmodel.simulate.state import Floats, Ints, OfficeState, State

COLUMNS = 32_768
EVENTS = ("below_line", "identified", "confirmed")


@dataclass(frozen=True)
class EventProbabilities:
    """Counts of futures, each (events, households): with support and without, of ``futures`` each.

    ``seen`` and ``seen_unsupported`` are the futures whose label is known: below the line or not, by those
    who are still there at the end; identified, by those and by whom the register took in before they left;
    confirmed, by those whom a visit met.
    """

    supported: Ints
    unsupported: Ints
    seen: Ints
    seen_unsupported: Ints
    futures: int

    @property
    def probability(self) -> Floats:
        """The chance of each event given that its label is known; NaN where it never is."""
        return _share(self.supported, self.seen)

    @property
    def probability_unsupported(self) -> Floats:
        """The same without support."""
        return _share(self.unsupported, self.seen_unsupported)

    @property
    def error(self) -> Floats:
        """Monte-Carlo standard error of the supported chance; never zero."""
        p = (self.supported + 0.5) / (self.seen + 1)
        return np.sqrt(p * (1 - p) / np.maximum(self.seen, 1))


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
    k, k_bare, seen, seen_bare = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return EventProbabilities(k, k_bare, seen, seen_bare, futures)


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
        z = random_draws.draw(rng, s.n, ahead, t.profile.shocks.disaster_months)
        flow = advance_households(s, z, ahead, t)
        for k, books in enumerate((b, bare)):
            _, rows = advance_office(books, s, flow, z, ahead, t, rule, supported=k == 0)
            entered[k, rows] = True
            met, held = office.visited(books, z, ahead, t)
            answered[k] |= met
            confirmed[k] |= held
    there = s.persons > 0
    happened = [np.stack([below(s, kept, t), entered[k], confirmed[k]]) for k, kept in enumerate((b, bare))]
    known = [np.stack([there, there | entered[k], answered[k]]) for k in range(2)]
    return tuple(each.reshape(len(EVENTS), -1, futures).sum(axis=2) for each in (*happened, *known))
