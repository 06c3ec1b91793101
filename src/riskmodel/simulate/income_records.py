"""Income and spending of one block by the month, and ``recorded``: which months are written up, and when.

A household's month is written up as a whole, on one day. Two modes of a profile break what an office hopes
for: months of bad luck that come later than others, and households that are written up no longer once their
wages end.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from riskmodel.simulate.history import CATEGORIES, RECORDS, SOURCES, Block
from riskmodel.simulate.recording_parameters import CeasingRecords, UnluckyMonths
from riskmodel.simulate.records import RecordWriter, category_array, date_array, last_day, month_names
from riskmodel.simulate.state import Array, Bools, Ints, stream

NEVER = 30_000  # days after a month's end: beyond every simulated day, the month is never written up
MODES = 1  # the stream of the modes, beside the block's own: other tables stay the same with them and without
QUARTER, YEAR = 3, 12
USUAL_MONTHS = 6  # whose mean wage is what a household usually has


def income_and_spending(writer: RecordWriter, block: Block) -> dict[str, pa.Table]:
    """Return the rows of ``income`` and ``spending``: one a household, month and kind with an amount.

    With them ``recorded``, where the profile states its coverage.
    """
    living_costs(writer, block)
    delay = recording_delays(writer, block)
    out = {}
    for name, cube, kind, kinds in (
        ("income", block.income, "source", SOURCES),
        ("spending", block.spending, "category", CATEGORIES),
    ):
        least = max(writer.t.profile.recording.least_amount, 1)
        row, month, code = np.nonzero(np.moveaxis(cube, 0, -1) >= least)
        out[name] = writer.table({
            "household_id": writer.ids(row + writer.base),
            "month": category_array(month, month_names(writer.plan.first, writer.plan.last + 1)),
            kind: category_array(code, kinds),
            "amount": pa.array(cube[code, row, month].astype(np.int64)),
            "recorded_on": date_array(last_day(writer.plan.first + month) + delay[row, month]),
        })  # fmt: skip
    if writer.t.profile.recording.states_coverage:
        out["recorded"] = recorded_months(writer, block, delay)
    return out


def recorded_months(writer: RecordWriter, block: Block, delay: Array) -> pa.Table:
    """Return the rows of ``recorded``: which months of whom have been written up, and when."""
    row, month = np.nonzero(block.persons > 0)
    names = category_array(month, month_names(writer.plan.first, writer.plan.last + 1))
    on = date_array(last_day(writer.plan.first + month) + delay[row, month])
    ids = writer.ids(row + writer.base)
    both = [
        writer.table({
            "household_id": ids, "of": category_array(np.zeros_like(row), (of,)),
            "month_from": names, "month_to": names, "recorded_on": on,
        })
        for of in ("income", "spending")
    ]  # fmt: skip
    return pa.concat_tables(both)


def recording_delays(writer: RecordWriter, block: Block) -> Ints:
    """Return days from the end of each month until it is written up, ``[household, month]``; or `NEVER`."""
    r = writer.t.profile.recording
    # One writing-up a household and month: what is late is late for all of its rows.
    delay = writer.late(block.persons.shape, r.mean_days, r.prompt).astype(np.int16)
    rng = stream(writer.plan.seed, RECORDS, writer.block, MODES)
    if r.unlucky is not None:
        wait = 1 + rng.exponential(r.unlucky.mean_days, delay.shape).astype(np.int64)
        late = unlucky_months(block, writer, r.unlucky) & (rng.random(delay.shape) < r.unlucky.share)
        delay = np.where(late, np.maximum(delay, np.minimum(wait, r.most_days)), delay).astype(np.int16)
    if r.ceasing is not None:
        delay[silent_months(block.income[SOURCES.index("wage")], r.ceasing, rng)] = NEVER
    return delay


def unlucky_months(block: Block, writer: RecordWriter, mode: UnluckyMonths) -> Bools:
    """Return months of a recent adverse event or of a fall of income, ``[household, month]``."""
    out = np.zeros(block.persons.shape, bool)
    month, household, *_ = block.log.events.columns()
    for k in range(mode.months):
        place = month - writer.plan.first + k
        inside = (place >= 0) & (place < writer.plan.months)
        out[household[inside] - writer.base, place[inside]] = True
    sums = np.cumsum(block.income.sum(axis=0, dtype=np.int64), axis=1)
    recent = sums.copy()
    recent[:, QUARTER:] -= sums[:, :-QUARTER]
    # The same months a year before: seasons are no fall. The first year has nothing to fall from.
    out[:, YEAR:] |= recent[:, YEAR:] < (1 - mode.fall) * recent[:, :-YEAR]
    return out


def silent_months(wages: Ints, mode: CeasingRecords, rng: np.random.Generator) -> Bools:
    """Return months that are never written up because wages ended, ``[household, month]``.

    Parameters
    ----------
    wages
        Yuan, ``[household, month]``. They end with the first of two months below a share of the mean of the
        six before: one month at home in spring is no end.
    mode
        How often the records cease with them, and for how long.
    rng
        The source of chance.
    """
    households, months = wages.shape
    until = np.zeros(households, dtype=np.int64)
    silent = np.zeros(wages.shape, bool)
    low, high = mode.months
    for k in range(months):
        draw = rng.random((3, households))
        if USUAL_MONTHS <= k < months - 1:
            least = mode.below * wages[:, k - USUAL_MONTHS : k].mean(axis=1)
            ends = (least > 0) & (wages[:, k : k + 2] < least[:, None]).all(axis=1) & (until <= k)
            ceases = ends & (draw[0] < mode.share)
            length = low + (draw[1] * (high - low + 1)).astype(np.int64)
            length = np.where(draw[2] < mode.for_good, months, length)
            until = np.where(ceases, k + length, until)
        silent[:, k] = until > k
    return silent


def living_costs(writer: RecordWriter, block: Block) -> None:
    """Write living costs, by the quarter: a floor a head and a share of what the household usually has."""
    p = writer.t.profile.income.living
    s = block.start
    quarter = 3 * (p.floor * s.persons + p.share * s.usual / 12)
    months = np.arange(writer.plan.months)
    ends = months[(writer.plan.first + months) % 3 == 2]
    noise = np.exp(writer.rng.normal(0, 0.15, (s.n, ends.size)))
    there = block.persons[:, ends] > 0
    block.spending[CATEGORIES.index("living")][:, ends] = np.rint(quarter[:, None] * noise) * there
