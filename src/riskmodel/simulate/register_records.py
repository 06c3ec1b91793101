"""From one block's log to rows of the contract: risk events, register, support, visits, procedure, assets.

From one block's log to the table ``procedure``: every step between a confirmed visit and the register.

A confirmed household is published in its village; publicity lasts until the office's month of approval, where
an objection may end it. The dates of the first and the last step are those of the visit and of the register.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from riskmodel.simulate import office
from riskmodel.simulate.history import Block
from riskmodel.simulate.months import first_day
from riskmodel.simulate.parameters import CAUSES
from riskmodel.simulate.records import Clerk, dates, days, words
from riskmodel.simulate.state import Ints, columns

# Month and household to the day of something that befell them, as days since 1970.
Days = dict[tuple[int, int], int]
STEPS = ("入户核查", "公示开始", "公示期满", "公示异议", "县级审定")
VISIT, BEGUN, OVER, OBJECTION, APPROVED = range(5)


def procedure_rows(clerk: Clerk, block: Block, confirmed: Days, entered: Days) -> pa.Table:
    """Return the rows of ``procedure``.

    Parameters
    ----------
    clerk : Clerk
    block : Block
    confirmed : dict
        Days of the visits that confirmed.
    entered : dict
        Days of the register's entries.

    Returns
    -------
    pa.Table
        ``household_id, step, date, recorded_on``; a household that is published when the records end has no
        last step, nor has one of which nobody was left.
    """
    begun = np.array([(house, month, day) for (month, house), day in confirmed.items()], dtype=np.int64)
    begun = begun.reshape(-1, 3)
    over, household, ended = columns(block.log.publicity, 3)
    passed, objected = ended == office.PASSED, ended == office.OBJECTED
    keys = zip(over[passed].tolist(), household[passed].tolist(), strict=True)
    approved = np.array([entered[key] for key in keys], dtype=np.int64)
    parts = [
        (VISIT, begun[:, 0], begun[:, 2]),
        (BEGUN, begun[:, 0], begun[:, 2] + clerk.rng.integers(1, 4, len(begun))),
        (OVER, household[passed], approved - clerk.rng.integers(2, 5, approved.size)),
        (OBJECTION, household[objected], clerk.day(over[objected], 6, 13)),
        (APPROVED, household[passed], approved),
    ]
    step = np.concatenate([np.full(who.size, k) for k, who, _ in parts])
    who, day = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    table = pa.table(
        {
            "household_id": clerk.ids(_ints(who)),
            "step": words(step, STEPS),
            "date": dates(day),
            "recorded_on": dates(day + clerk.late(day.size, 3, 0.5)),
        }
    )
    return clerk.known(table).sort_by([(name, "ascending") for name in ("household_id", "date", "step")])


def _ints(values: Ints) -> Ints:
    return np.asarray(values, dtype=np.int64)


CONFIRMED = office.OUTCOMES.index("confirmed")
ASSETS = {
    "car": 0.16,
    "machinery": 0.05,
    "commercial_housing": 0.04,
    "shop": 0.03,
    "company": 0.01,
    "public_employee": 0.01,
}


def event_tables(clerk: Clerk, block: Block) -> dict[str, pa.Table]:
    """Return the tables that stand on events.

    Parameters
    ----------
    clerk : Clerk
    block : Block

    Returns
    -------
    dict
        ``risk_events, monitoring, support, visits, assets, procedure``; those of the warm-up included, as a
        register has them.
    """
    register, entered = _monitoring(clerk, block)
    tables = {"risk_events": _risk_events(clerk, block), "monitoring": register}
    tables["support"] = _support(clerk, block, entered)
    tables["visits"], confirmed = _visits(clerk, block)
    tables["assets"] = _assets(clerk, block)
    # Last: what it draws moves no other table's bytes.
    tables["procedure"] = procedure_rows(clerk, block, confirmed, entered)
    return tables


def _sorted(clerk: Clerk, table: pa.Table) -> pa.Table:
    by = [name for name in ("household_id", "date", "recorded_on") if name in table.column_names]
    return clerk.known(table).sort_by([(name, "ascending") for name in by])


def _risk_events(clerk: Clerk, block: Block) -> pa.Table:
    month, household, cause, loss = columns(block.log.events, 4)
    n, r = month.size, clerk.t.profile.recording
    day = clerk.day(month)
    shares = np.array([c.share for c in r.channels.values()])
    channel = clerk.rng.choice(len(shares), n, p=shares)
    recorded = day + clerk.late(n, np.array([c.mean_days for c in r.channels.values()])[channel])
    wrong = np.flatnonzero((clerk.rng.random(n) < r.corrected) & (loss > 0))
    written = loss.astype(np.float64).copy()
    written[wrong] *= clerk.rng.choice([0.1, 0.5, 2.0, 10.0], wrong.size)
    # A loss first written wrong is put right under the same row_id, within the promised delay.
    fixed = np.minimum(recorded[wrong] + clerk.rng.integers(1, 60, wrong.size), day[wrong] + r.most_days)
    fixed = np.maximum(fixed, recorded[wrong] + 1)
    at = np.concatenate([np.arange(n), wrong])
    number = [f"E{clerk.block:04d}{k + 1:07d}" for k in range(n)]
    table = pa.table(
        {
            "household_id": clerk.ids(household[at]),
            "date": dates(day[at]),
            "cause": words(cause[at], CAUSES),
            "loss": pa.array(np.rint(np.concatenate([written, loss[wrong]])).astype(np.int64)),
            "channel": words(channel[at], list(r.channels)),
            "row_id": words(at, number),
            "recorded_on": dates(np.concatenate([recorded, fixed])),
        }
    )
    return _sorted(clerk, table)


def _cause_text(causes: Ints) -> pa.Array:
    named = np.array([*CAUSES, ""], dtype=object)[causes]
    text = [";".join(c for c in row if c) or None for row in named]
    return pa.array(text, pa.string())


def _monitoring(clerk: Clerk, block: Block) -> tuple[pa.Table, Days]:
    month, household, event, category, causes = columns(block.log.register, 5)
    causes = causes.reshape(-1, office.MAX_CAUSES)
    day = clerk.day(month, 14, 24)
    table = pa.table(
        {
            "household_id": clerk.ids(household),
            "date": dates(day),
            "event": words(event, office.EVENTS),
            "category": words(category, office.CATEGORIES, category == len(office.CATEGORIES) - 1),
            "causes": _cause_text(causes),
            "recorded_on": dates(day + clerk.late(day.size, 4, 0.5)),
        }
    )
    entry = np.isin(event, (office.IDENTIFIED, office.ROLLED_BACK, office.RE_MARKED))
    keys = zip(month[entry].tolist(), household[entry].tolist(), strict=True)
    return _sorted(clerk, table), dict(zip(keys, day[entry].tolist(), strict=True))


def _support(clerk: Clerk, block: Block, entered: Days) -> pa.Table:
    month, household, measure, cause, amount, until = columns(block.log.aid, 6)
    known = [entered[key] for key in zip(month.tolist(), household.tolist(), strict=True)]
    # Support follows the register within days, in the same month.
    day = np.array(known, dtype=np.int64) + clerk.rng.integers(0, 5, month.size)
    kinds = [clerk.t.profile.support.measures[c].measure for c in CAUSES] + [office.SECOND]
    ends = days([first_day(int(m) + 1) for m in until]) - 1 if until.size else until
    table = pa.table(
        {
            "household_id": clerk.ids(household),
            "date": dates(day),
            "measure": words(np.where(measure < 0, len(CAUSES), measure), kinds),
            "cause": words(cause, CAUSES),
            "amount": pa.array((amount * (until - month)).astype(np.int64)),
            "end_date": dates(ends),
            "recorded_on": dates(day + clerk.late(day.size, 6, 0.4)),
        }
    )
    return _sorted(clerk, table)


def _visits(clerk: Clerk, block: Block) -> tuple[pa.Table, Days]:
    month, household, outcome, cause, by = columns(block.log.visits, 5)
    day = clerk.day(month, 20, 28)
    table = pa.table(
        {
            "household_id": clerk.ids(household),
            "date": dates(day),
            "outcome": words(outcome, office.OUTCOMES),
            "cause": words(np.maximum(cause, 0), CAUSES, cause < 0),
            "selected_by": words(by, office.SELECTED),
            "recorded_on": dates(day + clerk.late(day.size, 3, 0.6)),
        }
    )
    found = outcome == CONFIRMED
    keys = zip(month[found].tolist(), household[found].tolist(), strict=True)
    return _sorted(clerk, table), dict(zip(keys, day[found].tolist(), strict=True))


def _assets(clerk: Clerk, block: Block) -> pa.Table:
    s = block.start
    rich = np.argsort(np.argsort(s.usual / s.persons)) / s.n
    # Twice the share among the richest, none among the poorest.
    chance = 2 * rich[:, None] * np.array(list(ASSETS.values()))
    row, kind = np.nonzero(clerk.rng.random(chance.shape) < chance)
    start = int(days([first_day(block.began)])[0])
    bought = start + clerk.rng.integers(0, 300, row.size)
    authorised = bought + clerk.rng.integers(30, 900, row.size)
    seen = clerk.rng.random(row.size) < 0.7
    table = pa.table(
        {
            "household_id": clerk.ids(row + clerk.base),
            "kind": words(kind, list(ASSETS)),
            "valid_from": dates(bought),
            "authorised_on": dates(authorised, ~seen),
            "recorded_on": dates(np.where(seen, authorised, bought)),
        }
    )
    return _sorted(clerk, table)
