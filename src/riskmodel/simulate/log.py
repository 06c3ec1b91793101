"""What happens in the county's one history, noted as it happens; futures keep no log."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from riskmodel.simulate.state import Array


@dataclass
class Log:
    """Rows of what happened; every entry is a tuple of arrays of equal length, the month first."""

    events: list[tuple[Array, ...]] = field(default_factory=list)
    costs: list[tuple[Array, ...]] = field(default_factory=list)
    visits: list[tuple[Array, ...]] = field(default_factory=list)
    publicity: list[tuple[Array, ...]] = field(default_factory=list)
    register: list[tuple[Array, ...]] = field(default_factory=list)
    aid: list[tuple[Array, ...]] = field(default_factory=list)
    moves: list[tuple[Array, ...]] = field(default_factory=list)

    def _note(self, kind: str, month: int, *columns: Array) -> None:
        if columns[0].size:
            getattr(self, kind).append((np.full(columns[0].size, month, dtype=np.int32), *columns))

    def event(self, month: int, household: Array, cause: Array, loss: Array) -> None:
        """Note risk events: cause as its place in `params.CAUSES`, loss in yuan."""
        self._note("events", month, household, cause, loss)

    def cost(self, month: int, household: Array, category: Array, amount: Array) -> None:
        """Note what an event costs: category as its place in `lookup.RIGID`, -1 for other."""
        self._note("costs", month, household, category, amount)

    def moved(self, month: int, household: Array) -> None:
        """Note households that move away as a whole."""
        self._note("moves", month, household)

    def visit(self, month: int, household: Array, outcome: Array, cause: Array, by: Array) -> None:
        """Note home visits: outcome and selection as places in `office.OUTCOMES` and `office.SELECTED`."""
        self._note("visits", month, household, outcome, cause, by)

    def published(self, month: int, household: Array, ended: Array) -> None:
        """Note publicity that is over: how it ended as `office.PASSED`, `OBJECTED` or `LEFT`."""
        self._note("publicity", month, household, ended)

    def registered(self, month: int, household: Array, event: Array, category: Array, causes: Array) -> None:
        """Note the register's events; ``causes`` (n, 3), main one first, -1 for none."""
        self._note("register", month, household, event, category, causes)

    def aided(
        self, month: int, household: Array, measure: Array, cause: Array, amount: Array, until: Array
    ) -> None:
        """Note support: measure as its place in `office.MEASURES`, amount in yuan, last month of it."""
        self._note("aid", month, household, measure, cause, amount, until)


def columns(rows: list[tuple[Array, ...]], width: int) -> list[Array]:
    """Return logged rows as whole columns; empty ones if there is none.

    Parameters
    ----------
    rows : list of tuple of array
    width : int
        Number of columns expected.

    Returns
    -------
    list of array
    """
    if not rows:
        return [np.empty(0, dtype=np.int64)] * width
    return [np.concatenate(part) for part in zip(*rows, strict=True)]
