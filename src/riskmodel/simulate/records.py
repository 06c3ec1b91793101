"""From one block's history to rows of the contract.

Households and members version by version; from the log risk events, register, support, visits, assets, and
``procedure``: every step between a confirmed visit and the register. Income and spending are in
`riskmodel.simulate.income_records`.
A confirmed household is published in its village; publicity lasts until the office's month of approval,
where an objection may end it.

Every row gets the day it was recorded. Rows recorded after the last simulated day are not in the tables:
the office does not have them yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from riskmodel.simulate import office
from riskmodel.simulate.history import RECORDS, Block, Plan, pack, unpack
from riskmodel.simulate.parameters import CAUSES, STAGES, ParameterArrays
from riskmodel.simulate.population import Places
from riskmodel.simulate.state import (
    CAPACITY,
    HEALTH,
    RELATIONS,
    SLOTS,
    Array,
    Ints,
    stream,
)


def first_day(month: Ints | int) -> Ints:
    """Return the first days of months (``year * 12 + month - 1``) as days since 1970.

    Examples
    --------
    >>> first_day(1970 * 12 + 1).item()
    31
    """
    first = np.asarray(np.asarray(month, dtype=np.int64) - 1970 * 12).astype("datetime64[M]")
    return first.astype("datetime64[D]").astype(np.int64)


def last_day(month: Ints | int) -> Ints:
    """Return the last days of months as days since 1970."""
    return first_day(np.asarray(month) + 1) - 1


def month_names(first: int, stop: int) -> list[str]:
    """Return months as ``YYYY-MM``, ``stop`` excluded."""
    return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(first, stop)]


def category_array(
    codes: Ints, values: tuple[str, ...] | list[str], missing: Array | None = None
) -> pa.Array:
    """Return codes as text; null where ``missing``."""
    index = pa.array(np.asarray(codes, dtype=np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(index, pa.array(list(values), pa.string())).cast(pa.string())


def date_array(day: Ints, missing: Array | None = None) -> pa.Array:
    """Return days since 1970 as dates; null where ``missing``."""
    return pa.array(np.asarray(day, dtype=np.int32), mask=missing).cast(pa.date32())


@dataclass
class RecordWriter:
    """Dates and recording delays for one block, from the block's own stream of records."""

    plan: Plan
    block: int
    t: ParameterArrays

    def __post_init__(self) -> None:
        self.rng = stream(self.plan.seed, RECORDS, self.block)
        self.base = self.block * self.plan.block
        self.end = int(last_day(self.plan.last))

    @cached_property
    def names(self) -> list[str]:
        """Household ids of the block."""
        size = min(self.plan.block, self.plan.households - self.base)
        return [f"H{self.base + i + 1:07d}" for i in range(size)]

    def ids(self, household: Ints) -> pa.Array:
        """Return the ids of households named by their row in the county."""
        return category_array(household - self.base, self.names)

    def day(self, month: Ints, low: int = 1, high: int = 28) -> Ints:
        """Draw a day within each month, between two days of the month, as days since 1970."""
        return first_day(month) + self.rng.integers(low - 1, high, np.size(month))

    def late(self, n: int | tuple[int, ...], mean: float | Array, prompt: float = 0.0) -> Ints:
        """Draw days from a thing to its record: 0 for the prompt, else exponential up to the promise."""
        r = self.t.profile.recording
        wait = 1 + (self.rng.exponential(mean, n)).astype(np.int64)
        return np.where(self.rng.random(n) < prompt, 0, np.minimum(wait, r.most_days))

    def table(self, columns: dict[str, pa.Array], order: tuple[str, ...] = ()) -> pa.Table:
        """Return a table in some order, without what was recorded after the last simulated day."""
        table = pa.table(columns)
        on = table["recorded_on"].cast(pa.int32()).to_numpy()
        known = table.filter(pa.array(on <= self.end)) if (on > self.end).any() else table
        return known.sort_by([(name, "ascending") for name in order]) if order else known


REASONS = ("死亡", "婚出", "出生", "婚入", "整户迁出")
DIED, MARRIED_OUT, BORN, MARRIED_IN, MOVED = range(5)


def township_name(k: int) -> str:
    """Return the name of the township with this number.

    Examples
    --------
    >>> township_name(0)
    '01镇'
    """
    return f"{k + 1:02d}镇"


def household_rows(writer: RecordWriter, block: Block, where: Places) -> pa.Table:
    """Return the rows of ``households``: one at the start, and one for every change of house or allowance."""
    s = block.start
    n = s.n
    row, day, safe, dibao = _house_versions(writer, block)
    first = day == first_day(block.began)
    wrong = first & (writer.rng.random(row.size) < writer.t.profile.recording.corrected)
    recorded = np.where(first, day, day + writer.late(row.size, writer.t.profile.recording.event_mean_days))
    # A wrong first entry (water, here) is put right some months later under the same key.
    again = np.flatnonzero(wrong)
    fixed = recorded[again] + writer.rng.integers(60, 900, again.size)
    water = writer.rng.random(n) >= writer.t.profile.people.unsafe_water
    true_water = water[row]
    written = np.where(wrong, ~true_water, true_water)
    lifted_year = block.began // 12 - writer.rng.integers(0, writer.t.profile.people.lifted_years, n)
    tekun = (s.persons == 1) & (s.elders == 1) & (s.dibao > 0)
    relocated = writer.rng.random(n) < writer.t.profile.people.relocated
    group = writer.rng.integers(1, 7, n)
    at = np.concatenate([np.arange(row.size), again])
    who = row[at]
    town = where.township_of_village[s.village[who]]
    village = [f"{township_name(t)}{v + 1:03d}村" for v, t in enumerate(where.township_of_village.tolist())]
    return writer.table({
        "household_id": writer.ids(who + writer.base),
        "township": category_array(town, [township_name(k) for k in range(where.townships)]),
        "village": category_array(s.village[who], village),
        "registration": category_array(s.lifted[who], ("general", "lifted")),
        "lifted_year": pa.array(lifted_year[who].astype(np.int32), mask=~s.lifted[who]),
        "dibao": pa.array(dibao[at]),
        "tekun": pa.array(tekun[who]),
        "group": category_array(group[who], [f"{k}组" for k in range(8)]),
        "relocated": pa.array(relocated[who] & s.lifted[who]),
        "housing_safe": pa.array(safe[at]),
        "water_safe": pa.array(np.concatenate([written, true_water[again]])),
        "valid_from": date_array(day[at]),
        "recorded_on": date_array(np.concatenate([recorded, fixed])),
    }, ("household_id", "recorded_on"))  # fmt: skip


def _house_versions(writer: RecordWriter, block: Block) -> tuple[Ints, Ints, Array, Array]:
    """Return (column, day, housing safe, allowance) of every version of a household, in order."""
    s = block.start
    n = s.n
    changes = [
        (np.full(n, block.began - 1), np.arange(n), np.ones(n, np.int8), (s.dibao > 0).astype(np.int8))
    ]
    for month, column, safe in block.houses:
        changes.append((month, column, safe.astype(np.int8), np.full(column.size, -1, np.int8)))
    for month, household, measure, _, _, until in block.log.aid.parts:
        fallback = measure == -1
        column = household[fallback] - writer.base
        none = np.full(column.size, -1, np.int8)
        changes.append((month[fallback], column, none, np.ones(column.size, np.int8)))
        changes.append((until[fallback] + 1, column, none, (s.dibao[column] > 0).astype(np.int8)))
    month, column, safe, dibao = (np.concatenate(part) for part in zip(*changes, strict=True))
    keep = month <= writer.plan.last
    order = np.lexsort((month[keep], column[keep]))
    month, column, safe, dibao = (part[keep][order] for part in (month, column, safe, dibao))
    # Each household's first version holds both.
    safe, dibao = _carry(safe, safe >= 0), _carry(dibao, dibao >= 0)
    last = np.append((month[1:] != month[:-1]) | (column[1:] != column[:-1]), True)
    start = first_day(block.began)
    day = np.where(month < block.began, start, writer.day(np.maximum(month, block.began), 2))
    return column[last], day[last], safe[last].astype(bool), dibao[last].astype(bool)


def _carry(values: Ints, known: Array) -> Ints:
    """Replace what is not known by the last known value before it."""
    return values[np.maximum.accumulate(np.where(known, np.arange(values.size), 0))]


def member_rows(writer: RecordWriter, block: Block) -> pa.Table:
    """Return the rows of ``members``: a version for every change, the one before closed by a correction."""
    v = _versions(writer, block)
    state = unpack(v["packed"])
    n, insured = v["column"].size, block.start.insured[v["column"]]
    closed = np.flatnonzero(v["closes"] >= 0)
    misread = _misread(writer, v, state["health"])
    late = np.flatnonzero(misread != state["health"])
    fixed = v["recorded"][late] + writer.rng.integers(60, 900, late.size)
    # Every version as first written, then those that are closed, then health put right.
    at = np.concatenate([np.arange(n), closed, late])
    to = np.concatenate([np.full(n, -1), v["to"][closed], np.full(late.size, -1)])
    on = np.concatenate([v["recorded"], v["closes"][closed], fixed])
    health = np.concatenate([misread, state["health"][at[n:]]])
    birth, oldest = state["birth"][at], int(state["birth"].min())
    serial = [f"{name}-{k:02d}" for name in writer.names for k in range(100)]
    reason = np.where(to >= 0, v["why"][at], v["came"][at])
    return writer.table({
        "member_id": category_array(v["column"][at] * 100 + v["serial"][at], serial),
        "household_id": writer.ids(v["column"][at] + writer.base),
        "birth_month": category_array(birth - oldest, month_names(oldest, int(birth.max()) + 1)),
        "sex": category_array(state["sex"][at], ("male", "female")),
        "relation": category_array(state["relation"][at], RELATIONS),
        "schooling": category_array(state["school"][at], STAGES),
        "health": category_array(health, HEALTH),
        "disability_grade": pa.array(state["grade"][at].astype(np.int32)),
        "work_capacity": category_array(state["capacity"][at], CAPACITY),
        "insured": pa.array(insured[at]),
        "hukou": pa.array(np.ones(at.size, dtype=bool)),
        "resident": pa.array(state["away"][at] == 0),
        "valid_from": date_array(v["from"][at]),
        "valid_to": date_array(np.maximum(to, 0), to < 0),
        "change_reason": category_array(np.maximum(reason, 0), REASONS, reason < 0),
        "recorded_on": date_array(on),
    }, ("member_id", "recorded_on"))  # fmt: skip


def _misread(writer: RecordWriter, v: dict[str, Array], health: Array) -> Array:
    """Return health as first written: wrong for a few who never change afterwards."""
    alone = (v["closes"] < 0) & (v["serial_first"])
    wrong = alone & (writer.rng.random(health.size) < writer.t.profile.recording.corrected)
    return np.where(wrong, np.where(health == 0, 1, 0), health)


def _versions(writer: RecordWriter, block: Block) -> dict[str, Array]:
    """Return every version of every member, ordered by household, place and time."""
    month, slot, column, packed = _changes(block)
    start = first_day(block.began)
    old = month < block.began
    day = np.where(old, start, writer.day(np.maximum(month, block.began), 2))
    late = np.where(old, 0, writer.late(day.size, writer.t.profile.recording.event_mean_days))
    place = column * SLOTS + slot
    follows = np.append(place[1:] == place[:-1], False)
    recorded = _in_order(day + late, place)
    here = packed != 0
    birth, sex = unpack(packed)["birth"], unpack(packed)["sex"]
    # A place is filled again by somebody else when another birth month or sex stands there.
    same = np.append(False, (place[1:] == place[:-1]) & here[1:] & here[:-1])
    same &= (birth == np.roll(birth, 1)) & (sex == np.roll(sex, 1))
    new = here & ~same
    after = np.roll(np.arange(place.size), -1)
    leaves = follows & ~(here[after] & same[after])
    why = np.where(_leaves_by_marriage(packed), MARRIED_OUT, DIED)
    away, who = block.log.moves.columns()
    moved = np.full(block.start.n, -1)
    moved[who - writer.base] = away
    why = np.where(month[after] == moved[column], MOVED, why)
    out: dict[str, Array] = {
        "column": column,
        "packed": packed,
        "from": day,
        "to": np.where(follows, day[after], -1),
        "recorded": recorded,
        "closes": np.where(follows, recorded[after], -1),
        "serial": _serials(column, slot, day, new),
        "serial_first": new,
        "why": np.where(leaves, why, -1),
        "came": np.where(new & ~old, np.where(birth == month, BORN, MARRIED_IN), -1),
    }
    return {name: values[here] for name, values in out.items()}


def _changes(block: Block) -> list[Array]:
    """Return month, place, column and packed state of every member's changes, the start first."""
    slot, column = np.nonzero(block.start.m.here)
    packed = pack(block.start.m)[slot, column]
    start = (np.full(slot.size, block.began - 1), slot, column, packed)
    parts = [np.concatenate(part) for part in zip(start, *block.members, strict=True)]
    order = np.lexsort((parts[0], parts[1], parts[2]))
    return [part[order] for part in parts]


def _leaves_by_marriage(packed: Ints) -> Array:
    state = unpack(packed)
    return (state["sex"] == 1) & (state["relation"] == RELATIONS.index("child")) & (state["school"] == 0)


def _in_order(recorded: Ints, place: Ints) -> Ints:
    """Return records of one place in strict order: a change is never written before the one before it."""
    step = np.arange(recorded.size)
    first = np.append(True, place[1:] != place[:-1])
    # Cumulative maximum within a place: lift each place above all days of those before it.
    lift = np.cumsum(first) * 10_000_000
    return np.maximum.accumulate(recorded - step + lift) - lift + step


def _serials(column: Ints, slot: Ints, day: Ints, new: Array) -> Ints:
    """Return each person's number in the household: in the order they came, then by place."""
    out = np.zeros(column.size, dtype=np.int64)
    persons = np.flatnonzero(new)
    order = persons[np.lexsort((slot[persons], day[persons], column[persons]))]
    starts = np.append(True, column[order][1:] != column[order][:-1])
    index = np.arange(order.size)
    out[order] = index - _carry(index, starts) + 1
    return _carry(out, new)


# Month and household to the day of something that befell them, as days since 1970.
Days = dict[tuple[int, int], int]
BY_DATE = ("household_id", "date", "recorded_on")
STEPS = ("入户核查", "公示开始", "公示期满", "公示异议", "县级审定")
VISIT, BEGUN, OVER, OBJECTION, APPROVED = range(5)


def procedure_rows(writer: RecordWriter, block: Block, confirmed: Days, entered: Days) -> pa.Table:
    """Return the rows of ``procedure``."""
    begun = np.array([(house, month, day) for (month, house), day in confirmed.items()], dtype=np.int64)
    begun = begun.reshape(-1, 3)
    over, household, ended = block.log.publicity.columns()
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
    return writer.table({
        "household_id": writer.ids(who),
        "step": category_array(step, STEPS),
        "date": date_array(day),
        "recorded_on": date_array(day + writer.late(day.size, 3, 0.5)),
    }, ("household_id", "date", "step"))  # fmt: skip


ASSETS = {"car": 0.16, "machinery": 0.05, "commercial_housing": 0.04, "shop": 0.03, "company": 0.01,
          "public_employee": 0.01}  # fmt: skip


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


def _risk_events(writer: RecordWriter, block: Block) -> pa.Table:
    month, household, cause, loss = block.log.events.columns()
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
    return writer.table({
        "household_id": writer.ids(household[at]),
        "date": date_array(day[at]),
        "cause": category_array(cause[at], CAUSES),
        "loss": pa.array(np.rint(np.concatenate([written, loss[wrong]])).astype(np.int64)),
        "channel": category_array(channel[at], list(r.channels)),
        "row_id": category_array(at, number),
        "recorded_on": date_array(np.concatenate([recorded, fixed])),
    }, BY_DATE)  # fmt: skip


def _cause_text(causes: Ints) -> pa.Array:
    named = np.array([*CAUSES, ""], dtype=object)[causes]
    text = [";".join(c for c in row if c) or None for row in named]
    return pa.array(text, pa.string())


def _monitoring(writer: RecordWriter, block: Block) -> tuple[pa.Table, Days]:
    month, household, event, category, causes = block.log.register.columns()
    causes = causes.reshape(-1, office.MAX_CAUSES)
    day = writer.day(month, 14, 24)
    table = writer.table({
        "household_id": writer.ids(household),
        "date": date_array(day),
        "event": category_array(event, office.EVENTS),
        "category": category_array(category, office.CATEGORIES, category == len(office.CATEGORIES) - 1),
        "causes": _cause_text(causes),
        "recorded_on": date_array(day + writer.late(day.size, 4, 0.5)),
    }, BY_DATE)  # fmt: skip
    entry = np.isin(event, (office.IDENTIFIED, office.ROLLED_BACK, office.RE_MARKED))
    keys = zip(month[entry].tolist(), household[entry].tolist(), strict=True)
    return table, dict(zip(keys, day[entry].tolist(), strict=True))


def _support(writer: RecordWriter, block: Block, entered: Days) -> pa.Table:
    month, household, measure, cause, amount, until = block.log.aid.columns()
    known = [entered[key] for key in zip(month.tolist(), household.tolist(), strict=True)]
    # Support follows the register within days, in the same month.
    day = np.array(known, dtype=np.int64) + writer.rng.integers(0, 5, month.size)
    kinds = [writer.t.profile.support.measures[c].measure for c in CAUSES] + [office.SECOND]
    return writer.table({
        "household_id": writer.ids(household),
        "date": date_array(day),
        "measure": category_array(np.where(measure < 0, len(CAUSES), measure), kinds),
        "cause": category_array(cause, CAUSES),
        "amount": pa.array((amount * (until - month)).astype(np.int64)),
        "end_date": date_array(last_day(until)),
        "recorded_on": date_array(day + writer.late(day.size, 6, 0.4)),
    }, BY_DATE)  # fmt: skip


def _visits(writer: RecordWriter, block: Block) -> tuple[pa.Table, Days]:
    month, household, outcome, cause, by = block.log.visits.columns()
    day = writer.day(month, 20, 28)
    table = writer.table({
        "household_id": writer.ids(household),
        "date": date_array(day),
        "outcome": category_array(outcome, office.OUTCOMES),
        "cause": category_array(np.maximum(cause, 0), CAUSES, cause < 0),
        "selected_by": category_array(by, office.SELECTED),
        "recorded_on": date_array(day + writer.late(day.size, 3, 0.6)),
    }, BY_DATE)  # fmt: skip
    confirmed = outcome == office.OUTCOMES.index("confirmed")
    keys = zip(month[confirmed].tolist(), household[confirmed].tolist(), strict=True)
    return table, dict(zip(keys, day[confirmed].tolist(), strict=True))


def _assets(writer: RecordWriter, block: Block) -> pa.Table:
    s = block.start
    rich = np.argsort(np.argsort(s.usual / s.persons)) / s.n
    # Twice the share among the richest, none among the poorest.
    chance = 2 * rich[:, None] * np.array(list(ASSETS.values()))
    row, kind = np.nonzero(writer.rng.random(chance.shape) < chance)
    start = first_day(block.began)
    bought = start + writer.rng.integers(0, 300, row.size)
    authorised = bought + writer.rng.integers(30, 900, row.size)
    consents = writer.rng.random(row.size) < 0.7
    return writer.table({
        "household_id": writer.ids(row + writer.base),
        "kind": category_array(kind, list(ASSETS)),
        "valid_from": date_array(bought),
        "authorised_on": date_array(authorised, ~consents),
        "recorded_on": date_array(np.where(consents, authorised, bought)),
    }, ("household_id", "recorded_on"))  # fmt: skip
