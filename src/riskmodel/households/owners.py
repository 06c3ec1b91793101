"""To which household the rows of each number belong at a moment, once links act."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from riskmodel.data import Identity, first_month_from
from riskmodel.households.coverage import NEVER, OPEN, Spans
from riskmodel.households.panel import Panel, Rows


@dataclass(frozen=True)
class Owners:
    """To which household the rows of each number belong at a moment, by household number.

    Parameters
    ----------
    owner
        The household under which each goes on.
    leaf
        The same, merges aside.
    merged_from
        The first month after its merge by leaf, `NEVER` without one.
    own_from
        First month whose rows are the household's own, `OPEN` but for children of a split.
    """

    owner: np.ndarray
    leaf: np.ndarray
    merged_from: np.ndarray
    own_from: np.ndarray

    @classmethod
    def of(cls, identity: Identity, number: dict[str, int], new: frozenset[str]) -> Owners:
        """Return the owners of all numbers; ``new`` ones began with a merge."""
        n = len(number)
        own = np.arange(n)
        owners = cls(own, own.copy(), np.full(n, NEVER), np.full(n, OPEN))
        owner, leaf = own.copy(), own.copy()
        for name in identity.joined:
            if name in number:
                owner[number[name]] = number.get(identity.current(name), number[name])
                leaf[number[name]] = number.get(identity.leaf(name), number[name])
        for name, day in identity.merged_on.items():
            if name in number and name not in new:
                owners.merged_from[number[name]] = first_month_from(day)
        for name, day in identity.split_on.items():
            if name in number:
                owners.own_from[number[name]] = first_month_from(day)
        return replace(owners, owner=owner, leaf=leaf)


def own_spans(spans: Spans, owner: np.ndarray, own_from: np.ndarray) -> Spans:
    """Return spans under their owners; what is before a split is the parent's."""
    begun = own_from[spans.household]
    own = spans.month_to >= begun
    return Spans(
        owner[spans.household][own], np.maximum(spans.month_from, begun)[own], spans.month_to[own]
    )  # fmt: skip


def mixed_sources(
    panel: Panel, totals: dict[str, Rows], owner: np.ndarray
) -> dict[tuple[str, int], np.ndarray]:
    """Return of which codes a number brings months to a household to which another brings totals.

    The totals do not cover what the other number earned or spent, and are not added to its months.
    """
    joined = np.isin(owner, owner[owner != np.arange(len(owner))])
    out = {}
    for table, rows in totals.items():
        for place in np.unique(rows.code[joined[rows.household]]):
            by_total = np.zeros(len(owner), bool)
            by_total[rows.household[rows.code == place]] = True
            months = panel.counts[table][place].any(axis=1) & ~by_total & joined
            owners = np.intersect1d(owner[by_total & joined], owner[months])
            if len(owners):
                out[table, int(place)] = owners
    return out


def own_totals(rows: Rows, owner: np.ndarray, own_from: np.ndarray) -> Rows:
    """Return totals under their owners; equal spans of several parents are added up."""
    rows = rows.where(rows.month_from >= own_from[rows.household])
    rows = replace(rows, household=owner[rows.household])
    key = np.stack([rows.household, rows.code, rows.month_from, rows.month_to])
    kinds, first, places = np.unique(key, axis=1, return_index=True, return_inverse=True)
    amount = np.zeros(kinds.shape[1], np.int64)
    np.add.at(amount, places.ravel(), rows.amount)
    return replace(rows.where(first), amount=amount)
