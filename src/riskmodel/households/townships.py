"""When a township's records begin, where they have holes, and whose rows cease while its others go on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from riskmodel.households.coverage import (
    NEVER,
    OPEN,
    TABLES,
    OnRecord,
    Places,
    Splits,
    Townships,
)
from riskmodel.households.panel import Panel, Rows

START_SHARE = 4  # a township's records begin where a quarter of its households have an income row
LEAST_HOUSEHOLDS = 5  # with rows before and after, for a township's empty month to be a hole
STOPPED_SHARE = 0.75


def township_records(
    panel: Panel, totals: Mapping[str, Rows], places: Places, splits: Splits | None = None
) -> Townships:
    """Return when the townships' records begin and where they have holes, from the rows of all households."""
    households, months = places.township.shape
    axis = panel.first + np.arange(months)
    income = panel.present("income")[:, :months]
    any_row = income | panel.present("spending")[:, :months]
    only_totals = _has_total(totals, households) & ~any_row.any(axis=1)
    since = np.where(only_totals, months, np.clip(places.first_possible - panel.first, 0, months))
    late = np.flatnonzero((since > 0) & ~only_totals)  # who has totals alone has no income by months
    if len(late):
        income = income.copy()
        income[late] &= np.arange(months) >= since[late, None]
    counted, with_income = _since(since, months, places), _by_township(income, places)
    with_row, within = _by_township(any_row, places), _between(any_row)
    if splits is not None:
        before = axis < splits.until[:, None]
        could = before & (axis >= splits.first_possible[:, None]) & ~splits.only_totals[:, None]
        masks = (could, could & splits.income, before & splits.any_row)
        more = [_of_few(mask, splits.township, len(places.names)) for mask in masks]
        counted, with_income, with_row = (
            a + b for a, b in zip((counted, with_income, with_row), more, strict=True)
        )
        within |= _between(splits.any_row)
    begun = (counted > 0) & (with_income * START_SHARE >= counted)
    starts = np.where(begun.any(axis=1), axis[0] + np.argmax(begun, axis=1), NEVER)
    hole = (with_row == 0) & within
    if hole.any():  # seldom: who has rows before and after is asked only then
        wanting = _by_township(_around(any_row) & ~any_row, places)
        if splits is not None:
            around = before & _around(splits.any_row) & ~splits.any_row
            wanting = wanting + _of_few(around, splits.township, len(places.names))
        hole &= wanting >= LEAST_HOUSEHOLDS
    return Townships(starts, np.vstack([hole, np.zeros((1, months), bool)]), splits)


def _between(row: np.ndarray) -> np.ndarray:
    """Return which months have rows of anybody before and after them."""
    return _around(row.any(axis=0)[np.newaxis])[0]


def _around(row: np.ndarray) -> np.ndarray:
    """Return ``[household, month]``: whether there are rows before the month and after it."""
    before = np.logical_or.accumulate(row, axis=1)
    return np.asarray(before & np.logical_or.accumulate(row[:, ::-1], axis=1)[:, ::-1])


def _by_township(mask: np.ndarray, places: Places) -> np.ndarray:
    """Count households by ``[township, month]``."""
    stayed, groups, townships = places.stayed
    counts = np.zeros((len(places.names), mask.shape[1]), np.int64)
    if len(stayed):
        counts[townships] = np.add.reduceat(mask[stayed], groups, axis=0, dtype=np.int64)
    for household in places.moved:
        months = np.flatnonzero(mask[household] & (places.township[household] >= 0))
        np.add.at(counts, (places.township[household][months], months), 1)
    return counts


def _since(place: np.ndarray, months: int, places: Places) -> np.ndarray:
    """Count households by ``[township, month]`` from a place on the axis of each on."""
    stayed, _, _ = places.stayed
    begun = np.zeros((len(places.names), months + 1), np.int64)
    np.add.at(begun, (places.township[stayed, 0], place[stayed]), 1)
    counts = np.cumsum(begun[:, :-1], axis=1)
    for household in places.moved:
        there = np.arange(place[household], months)
        there = there[places.township[household, there] >= 0]
        np.add.at(counts, (places.township[household, there], there), 1)
    return counts


def _of_few(mask: np.ndarray, township: np.ndarray, townships: int) -> np.ndarray:
    """Count a few households by ``[township, month]``."""
    months = mask.shape[1]
    key = township * months + np.arange(months)
    inside = mask & (township >= 0)
    counts = np.bincount(key[inside].ravel(), minlength=townships * months)
    return counts.reshape(townships, months)


def stopped(
    on: OnRecord,
    panel: Panel,
    places: Places,
    totals: Mapping[str, Rows],
    tables: tuple[str, ...] = TABLES,
    splits: Splits | None = None,
) -> np.ndarray:
    """Return whose rows ceased while three quarters of the township's households go on (``maybe_stopped``).

    The month that counts is the first after a household's last row in which it had a row the year before.
    Where the county states what is on record, nobody can be late.

    Parameters
    ----------
    on, panel, places, totals
        As known at a day.
    tables
        Those that there are.
    splits
        Households of before a split.
    """
    months = places.township.shape[1]
    row = (panel.present("income") | panel.present("spending"))[:, :months]
    out = np.zeros(len(row), bool)
    ceased = np.flatnonzero((on.last_row > OPEN) & (on.last_row < min(on.written_up, on.first + months - 1)))
    axis = on.first + np.arange(months)
    missed = (axis > on.last_row[ceased, None]) & (axis <= on.written_up)
    missed[:, 12:] &= row[ceased, :-12]
    missed[:, :12] = False
    some = missed.any(axis=1)
    ceased, month = ceased[some], np.argmax(missed[some], axis=1)
    inferred = ~on.named[places.township[ceased, month]]
    stated = np.logical_and.reduce([on.stated[table][ceased] for table in tables])
    only_totals = _has_total(totals, len(row)) & ~row.any(axis=1)
    for place in np.unique(month):
        counted = (places.first_possible <= on.first + place) & ~only_totals & places.known
        township = places.township[:, place]
        n = np.bincount(township[counted], minlength=len(places.names))
        with_row = np.bincount(township[counted & row[:, place]], minlength=len(places.names))
        if splits is not None:
            there = (splits.first_possible <= on.first + place) & (on.first + place < splits.until)
            there &= ~splits.only_totals & (splits.township[:, place] >= 0)
            n += np.bincount(splits.township[there, place], minlength=len(n))
            there &= splits.any_row[:, place]
            with_row += np.bincount(splits.township[there, place], minlength=len(n))
        goes_on = (n > 0) & (with_row >= STOPPED_SHARE * n)
        mine = (month == place) & inferred & ~stated
        out[ceased[mine]] = goes_on[township[ceased[mine]]]
    return out


def _has_total(totals: Mapping[str, Rows], households: int) -> np.ndarray:
    out = np.zeros(households, bool)
    for rows in totals.values():
        out[rows.household] = True
    return out
