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
from riskmodel.simulate.records import RecordWriter, category_array, date_array, day_numbers
from riskmodel.simulate.state import Ints, logged_columns

# Month and household to the day of something that befell them, as days since 1970.
Days = dict[tuple[int, int], int]
STEPS = ("入户核查", "公示开始", "公示期满", "公示异议", "县级审定")
VISIT, BEGUN, OVER, OBJECTION, APPROVED = range(5)


def procedure_rows(writer: RecordWriter, block: Block, confirmed: Days, entered: Days) -> pa.Table:
    """Return the rows of ``procedure``."""
    begun = np.array([(house, month, day) for (month, house), day in confirmed.items()], dtype=np.int64)
    begun = begun.reshape(-1, 3)
    over, household, ended = logged_columns(block.log.publicity, 3)
    passed, objected = ended == office.PASSED, ended == office.OBJECTED
    keys = zip(over[passed].tolist(), household[passed].tolist(), strict=True)
    approved = np.array([entered[key] for key in keys], dtype=np.int64)
    parts = [
        (VISIT, begun[:, 0], begun[:, 2]),
        (BEGUN, begun[:, 0], begun[:, 2] + writer.rng.integers(1, 4, len(begun))),
        (OVER, household[passed], approved - writer.rng.integers(2, 5, approved.size)),
        (OBJECTION, household[objected], writer.day(over[objected], 6, 13)),
        (APPROVED, household[passed], approved),
    ]
    step = np.concatenate([np.full(who.size, k) for k, who, _ in parts])
    who, day = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    table = pa.table(
        {
            "household_id": writer.ids(_ints(who)),
            "step": category_array(step, STEPS),
            "date": date_array(day),
            "recorded_on": date_array(day + writer.late(day.size, 3, 0.5)),
        }
    )
    return writer.known(table).sort_by([(name, "ascending") for name in ("household_id", "date", "step")])


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


def event_tables(writer: RecordWriter, block: Block) -> dict[str, pa.Table]:
    """Return the tables that stand on events."""
    register, entered = _monitoring(writer, block)
    tables = {"risk_events": _risk_events(writer, block), "monitoring": register}
    tables["support"] = _support(writer, block, entered)
    tables["visits"], confirmed = _visits(writer, block)
    tables["assets"] = _assets(writer, block)
    # Last: what it draws moves no other table's bytes.
    tables["procedure"] = procedure_rows(writer, block, confirmed, entered)
    return tables


def _sorted(writer: RecordWriter, table: pa.Table) -> pa.Table:
    by = [name for name in ("household_id", "date", "recorded_on") if name in table.column_names]
    return writer.known(table).sort_by([(name, "ascending") for name in by])


def _risk_events(writer: RecordWriter, block: Block) -> pa.Table:
    month, household, cause, loss = logged_columns(block.log.events, 4)
    n, r = month.size, writer.t.profile.recording
    day = writer.day(month)
    shares = np.array([c.share for c in r.channels.values()])
    channel = writer.rng.choice(len(shares), n, p=shares)
    recorded = day + writer.late(n, np.array([c.mean_days for c in r.channels.values()])[channel])
    wrong = np.flatnonzero((writer.rng.random(n) < r.corrected) & (loss > 0))
    written = loss.astype(np.float64).copy()
    written[wrong] *= writer.rng.choice([0.1, 0.5, 2.0, 10.0], wrong.size)
    # A loss first written wrong is put right under the same row_id, within the promised delay.
    fixed = np.minimum(recorded[wrong] + writer.rng.integers(1, 60, wrong.size), day[wrong] + r.most_days)
    fixed = np.maximum(fixed, recorded[wrong] + 1)
    at = np.concatenate([np.arange(n), wrong])
    number = [f"E{writer.block:04d}{k + 1:07d}" for k in range(n)]
    table = pa.table(
        {
            "household_id": writer.ids(household[at]),
            "date": date_array(day[at]),
            "cause": category_array(cause[at], CAUSES),
            "loss": pa.array(np.rint(np.concatenate([written, loss[wrong]])).astype(np.int64)),
            "channel": category_array(channel[at], list(r.channels)),
            "row_id": category_array(at, number),
            "recorded_on": date_array(np.concatenate([recorded, fixed])),
        }
    )
    return _sorted(writer, table)


def _cause_text(causes: Ints) -> pa.Array:
    named = np.array([*CAUSES, ""], dtype=object)[causes]
    text = [";".join(c for c in row if c) or None for row in named]
    return pa.array(text, pa.string())


def _monitoring(writer: RecordWriter, block: Block) -> tuple[pa.Table, Days]:
    month, household, event, category, causes = logged_columns(block.log.register, 5)
    causes = causes.reshape(-1, office.MAX_CAUSES)
    day = writer.day(month, 14, 24)
    table = pa.table(
        {
            "household_id": writer.ids(household),
            "date": date_array(day),
            "event": category_array(event, office.EVENTS),
            "category": category_array(category, office.CATEGORIES, category == len(office.CATEGORIES) - 1),
            "causes": _cause_text(causes),
            "recorded_on": date_array(day + writer.late(day.size, 4, 0.5)),
        }
    )
    entry = np.isin(event, (office.IDENTIFIED, office.ROLLED_BACK, office.RE_MARKED))
    keys = zip(month[entry].tolist(), household[entry].tolist(), strict=True)
    return _sorted(writer, table), dict(zip(keys, day[entry].tolist(), strict=True))


def _support(writer: RecordWriter, block: Block, entered: Days) -> pa.Table:
    month, household, measure, cause, amount, until = logged_columns(block.log.aid, 6)
    known = [entered[key] for key in zip(month.tolist(), household.tolist(), strict=True)]
    # Support follows the register within days, in the same month.
    day = np.array(known, dtype=np.int64) + writer.rng.integers(0, 5, month.size)
    kinds = [writer.t.profile.support.measures[c].measure for c in CAUSES] + [office.SECOND]
    ends = day_numbers([first_day(int(m) + 1) for m in until]) - 1 if until.size else until
    table = pa.table(
        {
            "household_id": writer.ids(household),
            "date": date_array(day),
            "measure": category_array(np.where(measure < 0, len(CAUSES), measure), kinds),
            "cause": category_array(cause, CAUSES),
            "amount": pa.array((amount * (until - month)).astype(np.int64)),
            "end_date": date_array(ends),
            "recorded_on": date_array(day + writer.late(day.size, 6, 0.4)),
        }
    )
    return _sorted(writer, table)


def _visits(writer: RecordWriter, block: Block) -> tuple[pa.Table, Days]:
    month, household, outcome, cause, by = logged_columns(block.log.visits, 5)
    day = writer.day(month, 20, 28)
    table = pa.table(
        {
            "household_id": writer.ids(household),
            "date": date_array(day),
            "outcome": category_array(outcome, office.OUTCOMES),
            "cause": category_array(np.maximum(cause, 0), CAUSES, cause < 0),
            "selected_by": category_array(by, office.SELECTED),
            "recorded_on": date_array(day + writer.late(day.size, 3, 0.6)),
        }
    )
    found = outcome == CONFIRMED
    keys = zip(month[found].tolist(), household[found].tolist(), strict=True)
    return _sorted(writer, table), dict(zip(keys, day[found].tolist(), strict=True))


def _assets(writer: RecordWriter, block: Block) -> pa.Table:
    s = block.start
    rich = np.argsort(np.argsort(s.usual / s.persons)) / s.n
    # Twice the share among the richest, none among the poorest.
    chance = 2 * rich[:, None] * np.array(list(ASSETS.values()))
    row, kind = np.nonzero(writer.rng.random(chance.shape) < chance)
    start = int(day_numbers([first_day(block.began)])[0])
    bought = start + writer.rng.integers(0, 300, row.size)
    authorised = bought + writer.rng.integers(30, 900, row.size)
    seen = writer.rng.random(row.size) < 0.7
    table = pa.table(
        {
            "household_id": writer.ids(row + writer.base),
            "kind": category_array(kind, list(ASSETS)),
            "valid_from": date_array(bought),
            "authorised_on": date_array(authorised, ~seen),
            "recorded_on": date_array(np.where(seen, authorised, bought)),
        }
    )
    return _sorted(writer, table)
