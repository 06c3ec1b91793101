"""Twelve months covered by totals: exactly tiled, never split, never added to months.

A total over several months says nothing of its single months. Twelve months are covered for a source if
totals tile them exactly; the tiling with the fewest totals counts (contract, "Coverage", Totals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskmodel.households.panel import Rows

YEAR = 12
_NONE = np.iinfo(np.int32).max // 2
TOLERANCE = 0.01  # two tilings that differ by more are a finding


@dataclass(frozen=True)
class Tiling:
    """Tilings of the twelve months that end in each month of an axis.

    Parameters
    ----------
    covered
        ``[household, month]``: whether totals tile the twelve months up to the month.
    amount
        Their sum in panel units, 0 where not covered.
    differs
        Whether another tiling differs by more than one per cent.
    """

    covered: np.ndarray
    amount: np.ndarray
    differs: np.ndarray


def tile_years(rows: Rows, households: int, first: int, months: int) -> Tiling:
    """Tile the twelve months that end in each month with the totals of one code.

    Parameters
    ----------
    rows
        Totals of one code that hold, at most one for a household and span.
    households
        How many households there are.
    first, months
        The axis of last months.
    """
    rows = rows.where(rows.month_to - rows.month_from < YEAR)
    lengths = (rows.month_to - rows.month_from + 1).astype(np.int64)
    # Pieces may end up to eleven months before the first month asked for.
    shift, width = first - YEAR, months + YEAR
    pieces = {}
    for length in np.unique(lengths):
        one = rows.where((lengths == length) & (rows.month_to >= shift) & (rows.month_to < shift + width))
        there = np.zeros((households, width), bool)
        amount = np.zeros((households, width), np.int64)
        there[one.household, one.month_to - shift] = True
        amount[one.household, one.month_to - shift] = one.amount
        pieces[int(length)] = (there, amount)
    empty = np.zeros((households, width), np.int64)
    # By length covered: fewest totals, their sum, and the least and largest sum of any tiling.
    best: dict[int, _Best] = {0: (np.zeros((households, width), np.int32), empty, empty, empty)}
    for covered in range(1, YEAR + 1):
        options = [
            _extended(best[covered - length], there, amount, length)
            for length, (there, amount) in pieces.items()
            if covered - length in best
        ]
        if options:
            best[covered] = _fewest(options)
    if YEAR not in best:
        nothing = np.zeros((households, months), bool)
        return Tiling(nothing, np.zeros((households, months), np.int64), nothing)
    count, amount, least, largest = (values[:, YEAR:] for values in best[YEAR])
    covered_all = count < _NONE
    spread = np.maximum(amount - least, largest - amount)
    differs = covered_all & (spread > TOLERANCE * np.abs(amount))
    return Tiling(covered_all, np.where(covered_all, amount, 0), differs)


_Best = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _extended(shorter: _Best, there: np.ndarray, amount: np.ndarray, length: int) -> _Best:
    """Put a total at the end of what ends where it begins."""
    count, total, least, largest = (_later(values, length) for values in shorter)
    possible = there & (count < _NONE)
    return (
        np.where(possible, count + 1, _NONE).astype(np.int32),
        np.where(possible, total + amount, 0),
        np.where(possible, least + amount, 0),
        np.where(possible, largest + amount, 0),
    )


def _later(values: np.ndarray, months: int) -> np.ndarray:
    """Move values to later months; what comes from before the axis is not there."""
    fill = _NONE if values.dtype == np.int32 else 0
    out = np.full_like(values, fill)
    out[:, months:] = values[:, :-months]
    return out


def _fewest(options: list[_Best]) -> _Best:
    count, total, least, largest = options[0]
    for other in options[1:]:
        there, known = other[0] < _NONE, count < _NONE
        fewer = other[0] < count
        least = np.where(there & known, np.minimum(least, other[2]), np.where(there, other[2], least))
        largest = np.where(there & known, np.maximum(largest, other[3]), np.where(there, other[3], largest))
        total = np.where(fewer, other[1], total)
        count = np.minimum(count, other[0])
    return count, total, least, largest


def fewest_totals(rows: Rows, start: int, stop: int) -> list[int]:
    """Return the places of the fewest totals that tile ``[start, stop)`` exactly; none where none do."""
    best: dict[int, list[int]] = {start: []}
    for place in sorted(range(len(rows)), key=lambda i: (int(rows.month_from[i]), -int(rows.month_to[i]))):
        begin, end = int(rows.month_from[place]), int(rows.month_to[place]) + 1
        if begin in best and len(best[begin]) + 1 < len(best.get(end, range(len(rows) + 2))):
            best[end] = [*best[begin], place]
    return best.get(stop, [])
