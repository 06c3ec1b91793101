"""Why a sum is not known: one word a reason, in the order in which the contract names them ("Coverage")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from riskmodel.households.coverage import NEVER, OPEN
from riskmodel.households.known_records import KnownRecords, reaches_into
from riskmodel.households.periods import Period
from riskmodel.households.statements import ROW_REJECTED, OffRecord
from riskmodel.households.sums import PRODUCTION, Sums

HOLES = ("split", "new_household", "before_records", "not_yet_recorded", "gap_in_records")


def reasons_unknown(
    known: KnownRecords, period: Period, now: Sums, usable: np.ndarray, members_off: OffRecord, follows: bool
) -> dict[str, np.ndarray]:
    """Return for whom each reason holds, in the order in which they are given.

    Parameters
    ----------
    known, period, now
        What is on record, the current period, and its sums.
    usable
        Whether there is a period that is not further behind than allowed.
    members_off
        Records of members that are off on the day on which persons are counted.
    follows
        Whether the period follows the records; otherwise its months after the last one on record are not
        recorded yet.
    """
    n = known.households
    holes = holes_in_window(known, known.tables, *period.bounds(0), follows)
    has_totals = np.zeros(n, bool)
    has_totals[known.with_totals] = True
    untiled = has_totals & ~period.chosen
    by_months = ~period.by_totals
    whole = known.on_record("income", *period.bounds(0))
    late = by_months & period.chosen & ~usable if follows else np.zeros(n, bool)
    reasons = {ROW_REJECTED: np.zeros(n, bool)}
    reasons |= {str(why): np.zeros(n, bool) for why in sorted(set(known.off.why)) if why != ROW_REJECTED}
    for why, mask in reasons.items():
        mask |= _off(known, period, why, now.net_throughout)
        mask[members_off.household[members_off.why == why]] = True
    costs_unclear = ~now.costs_clear  # clear where there is no table of spending
    reasons |= {
        "split": holes["split"],
        "new_household": holes["new_household"],
        "before_records": holes["before_records"] & ~untiled,
        "not_yet_recorded": late | (holes["not_yet_recorded"] & ~untiled),
        "income_stale": period.by_totals & ~usable,
        "not_tiled": untiled,
        "gap_in_records": (holes["gap_in_records"] | costs_unclear) & ~untiled,
        "no_income": by_months & period.chosen & whole & ~now.any_income,
        "production_unknown": ~now.costs_known & np.full(n, not known.county.has("spending")),
    }
    return reasons


def other_doubts(known: KnownRecords, period: Period) -> dict[str, np.ndarray]:
    """Return for whom each span taken off touches a sum of the period other than net income."""
    whys = sorted({str(why) for why in known.off.why[known.off.of != "members"]})
    return {why: _off(known, period, why) for why in whys}


def _off(
    known: KnownRecords, period: Period, why: str, net_throughout: np.ndarray | None = None
) -> np.ndarray:
    """Return whose period a span taken off for a reason reaches into; only what net income needs, if said."""
    off = known.off
    mask = np.isin(off.of, known.tables) & (off.why == why)
    if net_throughout is not None:
        # Production costs that are not subtracted are not wanting.
        costs = (off.item == PRODUCTION) & ~net_throughout[off.household]
        mask &= (off.of == "income") | (off.item == "") | costs
    start, stop = period.bounds(0)
    return reaches_into(off.where(mask), start, stop, known.households)


def holes_in_window(
    known: KnownRecords, tables: Sequence[str], start: np.ndarray, stop: np.ndarray, follows: bool = False
) -> dict[str, np.ndarray]:
    """Return for whom a month of a window is not on record, by why.

    Parameters
    ----------
    known
        What is on record.
    tables
        Of ``income`` and ``spending``, those that the window needs.
    start, stop
        The first month of the window and the one after its last, by household.
    follows
        Whether the window follows the records; otherwise its months after the last one on record are not
        recorded yet.
    """
    out = {name: np.zeros(known.households, bool) for name in HOLES}
    length = int((stop - start).max(initial=0))
    for table in tables:
        some = np.flatnonzero(~known.on_record(table, start, stop))
        if not len(some):
            continue
        months = start[some, None] + np.arange(length)
        missing = ~_at(known.on.months[table], some, months - known.panel.first) & (months < stop[some, None])
        for name, places, mask in _holes(known, table, some, months, missing):
            _note(out, name, known, table, some[places], months[places], mask, follows)
    return out


def _note(
    out: dict[str, np.ndarray], name: str, known: KnownRecords, table: str, some: np.ndarray,
    months: np.ndarray, mask: np.ndarray, follows: bool,
) -> None:  # fmt: skip
    """Mark for whom a word holds; a gap after the last month on record is not recorded yet."""
    if name == "gap_in_records" and not follows:
        recorded = known.on.months[table][some]
        last = known.on.first + recorded.shape[1] - 1 - np.argmax(recorded[:, ::-1], axis=1)
        late = mask & recorded.any(axis=1)[:, None] & (months > last[:, None])
        out["not_yet_recorded"][some[late.any(axis=1)]] = True
        mask = mask & ~late
    out[name][some[mask.any(axis=1)]] = True


def _holes(
    known: KnownRecords, table: str, some: np.ndarray, months: np.ndarray, missing: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the words for months that are not on record, with places among some households and months.

    What is wanting before a merge is what is wanting of a parent.
    """
    merged = known.merged
    if merged is not None:
        earlier, place = merged.of(known), np.full(known.households, -1)
        place[some] = np.arange(len(some))
        for household, begin, parents in zip(merged.household, merged.begin, merged.parents, strict=True):
            at = place[household]
            before = missing[at] & (months[at] < begin) if at >= 0 else np.zeros(0, bool)
            if not before.any():
                continue
            rows = np.repeat(months[at][None], len(parents), axis=0)
            theirs = before & ~_at(earlier.on.months[table], parents, rows - earlier.panel.first)
            for name, places, mask in _holes(earlier, table, parents, rows, theirs):
                yield name, np.full(len(places), at), mask
            missing = missing.copy()
            missing[at] &= months[at] >= begin
    for name, mask in _named(known, table, some, months, missing).items():
        yield name, np.arange(len(some)), mask


def _named(
    known: KnownRecords, table: str, some: np.ndarray, months: np.ndarray, missing: np.ndarray
) -> dict[str, np.ndarray]:
    """Return ``[household, month]`` of each word for a month that is not on record."""
    on, places = known.on, known.places
    first = places.first_possible[some, None]
    split = missing & (months < known.own_from[some, None])
    early = missing & ~split & (months < first)
    begun = on.starts[_township(known, some, np.clip(first, known.panel.first, None))]
    new = early & (first > OPEN) & (first > begun) & (begun < NEVER)
    start = on.starts[_township(known, some, months)].astype(np.int64)
    rows = on.first_row[some, None]
    open_start = places.open_start[some, None] & ~on.named[_township(known, some, months)] & (rows > OPEN)
    start = np.where(open_start, np.maximum(start, rows), start)
    own = on.own[table][some]
    stated = np.where(own.any(axis=1), on.first + np.argmax(own, axis=1), NEVER)
    start = np.where(on.stated[table][some, None], stated[:, None], start)
    before = missing & ~split & ~early & (months < start)
    gap = missing & ~split & ~early & ~before
    words = {"split": split, "new_household": new, "before_records": before | (early & ~new)}
    return words | {"gap_in_records": gap}


def _at(values: np.ndarray, some: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Look up ``[household, month]``; false beyond the axis."""
    months = values.shape[1]
    inside = (places >= 0) & (places < months)
    return np.asarray(values[some[:, None], np.clip(places, 0, months - 1)] & inside)


def _township(known: KnownRecords, some: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Return the number of the township lived in, −1 where none is known."""
    last = known.places.township.shape[1] - 1
    return np.asarray(known.places.township[some[:, None], np.clip(months - known.panel.first, 0, last)])
