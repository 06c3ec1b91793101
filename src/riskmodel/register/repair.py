"""Finding the fewest changed cells that mend the broken relations of a published ledger."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from riskmodel.register.relation import Relation, Sum

# Three errors that hang together are still told cell by cell; with more the printed table cannot say which.
MOST_TOGETHER = 3
# Supports tried in one tangle of broken relations before it is told group by group (seconds at most).
MOST_SUPPORTS = 20_000


@dataclass(frozen=True)
class Repair:
    """One cell, a value for it, and the broken relations (by id) that it mends."""

    path: str
    value: Fraction
    mends: frozenset[int]


def named_cells(every: list[Relation], cells: dict[str, Fraction]) -> dict[str, Fraction]:
    """Return the cells that explain broken relations, with the values that mend them.

    Parameters
    ----------
    every : list of Sum or Share
    cells : dict
        Path to printed value.

    Returns
    -------
    dict
        Path to expected value; broken relations that no cell explains are not in it.
    """
    named: dict[str, Fraction] = {}
    now = dict(cells)
    while step := _one(every, now) or _together(every, now):
        named |= step
        now |= step
    return named


def _one(every: list[Relation], cells: dict[str, Fraction]) -> dict[str, Fraction]:
    """Return one cell that alone mends more than one relation, better than any rival."""
    found = single_repairs(every, cells, least=2)
    for repair in found:
        rivals = [r for r in found if r is not repair and r.mends & repair.mends]
        if all(len(r.mends) < len(repair.mends) for r in rivals):
            return {repair.path: repair.value}
    return {}


def single_repairs(every: list[Relation], cells: dict[str, Fraction], least: int) -> list[Repair]:
    """Return every change of one cell that mends broken relations and breaks none that holds.

    Parameters
    ----------
    every, cells
        As in `named_cells`.
    least : int
        How many relations it must mend.

    Returns
    -------
    list of Repair
        In the order of the cells.
    """
    broken = [r for r in every if not r.holds(cells)]
    of = _by_cell(every)
    out = []
    for path in cells:
        values = {v for r in broken if path in r.terms for v in r.values_for(path, cells)}
        for value in sorted(v for v in values if _printable(v, path) and v != cells[path]):
            mends = _mends(of[path], {**cells, path: value}, cells)
            if mends is not None and len(mends) >= least:
                out.append(Repair(path, value, mends))
    return out


def _printable(value: Fraction, path: str) -> bool:
    """Say whether a value could stand in a cell: nothing is negative, households and persons are whole."""
    return value >= 0 and (value.denominator == 1 or path.endswith(".share_pct"))


def _mends(
    near: list[Relation], changed: dict[str, Fraction], cells: dict[str, Fraction]
) -> frozenset[int] | None:
    """Return the relations that a change mends; None if it breaks one or asks for a broken count."""
    mended = set()
    for relation in near:
        if relation.holds(changed):
            if not relation.holds(cells):
                mended.add(id(relation))
        elif relation.holds(cells):
            return None
    return frozenset(mended)


def _by_cell(every: list[Relation]) -> dict[str, list[Relation]]:
    out: dict[str, list[Relation]] = {}
    for relation in every:
        for path in relation.terms:
            out.setdefault(path, []).append(relation)
    return out


def _together(every: list[Relation], cells: dict[str, Fraction]) -> dict[str, Fraction]:
    """Return cells that together mend a whole tangle of broken relations, in the only way there is."""
    for tangle in _tangles([r for r in every if not r.holds(cells)]):
        for size in range(2, min(MOST_TOGETHER, len(tangle) - 1) + 1):
            found = _explanations(tangle, every, cells, size)
            if not found:
                continue
            sure = dict(set(found[0].items()).intersection(*(f.items() for f in found)))
            # A cell in one broken relation only is not told from the others of its group.
            sure = {p: v for p, v in sure.items() if sum(p in r.terms for r in tangle) > 1}
            if sure:
                return sure
            break
    return {}


def _tangles(broken: list[Relation]) -> list[list[Relation]]:
    """Split broken relations into groups that share cells, directly or through one another."""
    out: list[list[Relation]] = []
    for relation in broken:
        touching = [t for t in out if any(set(r.terms) & set(relation.terms) for r in t)]
        out = [t for t in out if t not in touching]
        out.append([r for t in touching for r in t] + [relation])
    return out


def _explanations(
    tangle: list[Relation], every: list[Relation], cells: dict[str, Fraction], size: int
) -> list[dict[str, Fraction]]:
    """Return every set of ``size`` changed cells that mends the whole tangle and breaks nothing."""
    of = _by_cell(every)
    found: dict[frozenset[str], dict[str, Fraction]] = {}
    supports = _supports(tangle, size)
    if supports is None:
        return []
    for support in supports:
        near = list({id(r): r for p in support for r in of[p]}.values())
        values = _solve(sorted(support), [r for r in near if isinstance(r, Sum)], cells)
        if values is None:
            continue
        changed = {**cells, **values}
        if all(r.holds(changed) for r in tangle) and all(r.holds(changed) for r in near):
            found[support] = values
    return list(found.values())


def _supports(tangle: list[Relation], size: int) -> list[frozenset[str]] | None:
    """Return the sets of cells that touch every broken relation; None if there are too many to try."""
    out: set[frozenset[str]] = {frozenset()}
    for relation in tangle:
        grown: set[frozenset[str]] = set()
        for support in out:
            if support & set(relation.terms):
                grown.add(support)
            elif len(support) < size:
                grown |= {support | {path} for path in relation.terms}
        out = grown
        if len(out) > MOST_SUPPORTS:
            return None
    return sorted((s for s in out if len(s) == size), key=sorted)


def _solve(paths: list[str], sums: list[Sum], cells: dict[str, Fraction]) -> dict[str, Fraction] | None:
    """Return the values of some cells that make all sums hold; None if there are none or many."""
    rows = [[Fraction(r.terms.get(p, 0)) for p in paths] + [-r.residual(cells)] for r in sums]
    pivots = 0
    for column in range(len(paths)):
        pivot = next((i for i in range(pivots, len(rows)) if rows[i][column]), None)
        if pivot is None:
            return None
        rows[pivots], rows[pivot] = rows[pivot], rows[pivots]
        top = [x / rows[pivots][column] for x in rows[pivots]]
        rows = [
            top if i == pivots else [x - row[column] * t for x, t in zip(row, top, strict=True)]
            for i, row in enumerate(rows)
        ]
        pivots += 1
    if any(row[-1] for row in rows[pivots:]):
        return None
    values = {p: cells[p] + rows[i][-1] for i, p in enumerate(paths)}
    whole = all(v >= 0 and v.denominator == 1 and v != cells[p] for p, v in values.items())
    return values if whole else None
