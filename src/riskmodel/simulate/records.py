"""From one block's history to rows of the contract: income and spending.

Every row gets the day it was recorded. Rows recorded after the last simulated day are not in the tables:
the office does not have them yet.

From one block's history to rows of the contract: households and members, version by version.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from riskmodel.data import month_end
from riskmodel.simulate.history import CATEGORIES, RECORDS, SOURCES, Block, Plan, pack, stream, unpack
from riskmodel.simulate.months import first_day
from riskmodel.simulate.parameters import STAGES, ParameterArrays
from riskmodel.simulate.population import Places
from riskmodel.simulate.state import CAPACITY, HEALTH, RELATIONS, SLOTS, Array, Ints, State, logged_columns

EPOCH = np.datetime64("1970-01-01")


def day_numbers(dates: list[object]) -> Ints:
    """Return dates as days since 1970."""
    return (np.array(dates, dtype="datetime64[D]") - EPOCH).astype(np.int64)


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
        self.end = int(day_numbers([month_end(self.plan.last)])[0])

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
        first = (
            (np.asarray(month, dtype=np.int64) - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]")
        )
        return (first - EPOCH).astype(np.int64) + self.rng.integers(low - 1, high, np.size(month))

    def late(self, n: int | tuple[int, ...], mean: float | Array, prompt: float = 0.0) -> Ints:
        """Draw days from a thing to its record: 0 for the prompt, else exponential up to the promise."""
        r = self.t.profile.recording
        wait = 1 + (self.rng.exponential(mean, n)).astype(np.int64)
        return np.where(self.rng.random(n) < prompt, 0, np.minimum(wait, r.most_days))

    def known(self, table: pa.Table) -> pa.Table:
        """Drop what was recorded after the last simulated day."""
        on = table["recorded_on"].cast(pa.int32()).to_numpy()
        return table.filter(pa.array(on <= self.end)) if (on > self.end).any() else table


def income_and_spending(writer: RecordWriter, block: Block) -> dict[str, pa.Table]:
    """Return the rows of ``income`` and ``spending``: one a household, month and kind with an amount."""
    living_costs(writer, block)
    r = writer.t.profile.recording
    shape = block.income.shape[1:]
    # One writing-up a household and month: what is late is late for all of its rows.
    delay = writer.late(shape, r.mean_days, r.prompt).astype(np.int16)
    out = {}
    for name, cube, kind, kinds in (
        ("income", block.income, "source", SOURCES),
        ("spending", block.spending, "category", CATEGORIES),
    ):
        row, month, code = np.nonzero(np.moveaxis(cube, 0, -1))
        ends = day_numbers([month_end(writer.plan.first + k) for k in range(shape[1])])
        months = [first_day(writer.plan.first + k).strftime("%Y-%m") for k in range(shape[1])]
        columns = {
            "household_id": writer.ids(row + writer.base),
            "month": category_array(month, months),
            kind: category_array(code, kinds),
            "amount": pa.array(cube[code, row, month].astype(np.int64)),
            "recorded_on": date_array(ends[month] + delay[row, month]),
        }
        out[name] = writer.known(pa.table(columns))
    return out


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
    first = day == int(day_numbers([first_day(block.began)])[0])
    wrong = first & (writer.rng.random(row.size) < writer.t.profile.recording.corrected)
    recorded = np.where(first, day, day + writer.late(row.size, writer.t.profile.recording.event_mean_days))
    # A wrong first entry (water, here) is put right some months later under the same key.
    again = np.flatnonzero(wrong)
    fixed = recorded[again] + writer.rng.integers(60, 900, again.size)
    water = writer.rng.random(n) >= writer.t.profile.people.unsafe_water
    true_water = water[row]
    written = np.where(wrong, ~true_water, true_water)
    lifted_year = first_day(block.began).year - writer.rng.integers(
        0, writer.t.profile.people.lifted_years, n
    )
    tekun, relocated = _single_elder(s), writer.rng.random(n) < writer.t.profile.people.relocated
    group = writer.rng.integers(1, 7, n)
    at = np.concatenate([np.arange(row.size), again])
    who = row[at]
    town = where.township_of_village[s.village[who]]
    village = [
        f"{township_name(int(where.township_of_village[v]))}{v + 1:03d}村"
        for v in range(where.township_of_village.size)
    ]
    table = pa.table(
        {
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
        }
    )
    return writer.known(table).sort_by([("household_id", "ascending"), ("recorded_on", "ascending")])


def _single_elder(s: State) -> Array:
    return (s.persons == 1) & (s.elders == 1) & (s.dibao > 0)


def _house_versions(writer: RecordWriter, block: Block) -> tuple[Ints, Ints, Array, Array]:
    """Return (column, day, housing safe, allowance) of every version of a household, in order."""
    s = block.start
    n = s.n
    changes = [
        (np.full(n, block.began - 1), np.arange(n), np.ones(n, np.int8), (s.dibao > 0).astype(np.int8))
    ]
    for month, column, safe in block.houses:
        changes.append((month, column, safe.astype(np.int8), np.full(column.size, -1, np.int8)))
    for month, household, measure, _, _, until in block.log.aid:
        fallback = measure == -1
        column = household[fallback] - writer.base
        none = np.full(column.size, -1, np.int8)
        changes.append((month[fallback], column, none, np.ones(column.size, np.int8)))
        changes.append((until[fallback] + 1, column, none, (s.dibao[column] > 0).astype(np.int8)))
    month, column, safe, dibao = (np.concatenate(part) for part in zip(*changes, strict=True))
    keep = month <= writer.plan.last
    order = np.lexsort((month[keep], column[keep]))
    month, column, safe, dibao = (part[keep][order] for part in (month, column, safe, dibao))
    safe, dibao = _carry(safe), _carry(dibao)
    last = np.append((month[1:] != month[:-1]) | (column[1:] != column[:-1]), True)
    start = int(day_numbers([first_day(block.began)])[0])
    day = np.where(month < block.began, start, writer.day(np.maximum(month, block.began), 2))
    return column[last], day[last], safe[last].astype(bool), dibao[last].astype(bool)


def _carry(values: Ints) -> Ints:
    """Replace -1 by the last value before it (each household's first version holds all)."""
    known = np.where(values >= 0, np.arange(values.size), 0)
    return values[np.maximum.accumulate(known)]


def member_rows(writer: RecordWriter, block: Block) -> pa.Table:
    """Return the rows of ``members``: a version for every change, the one before closed by a correction."""
    v = _versions(writer, block)
    state = unpack(v["packed"])
    insured = block.start.insured[v["column"]]
    closed = np.flatnonzero(v["closes"] >= 0)
    open_rows = {"at": np.arange(v["column"].size), "to": np.full(v["column"].size, -1), "on": v["recorded"]}
    close_rows = {"at": closed, "to": v["to"][closed], "on": v["closes"][closed]}
    at = np.concatenate([open_rows["at"], close_rows["at"]])
    to = np.concatenate([open_rows["to"], close_rows["to"]])
    on = np.concatenate([open_rows["on"], close_rows["on"]])
    health = np.concatenate([_misread(writer, v, state["health"]), state["health"][closed]])
    late = np.flatnonzero(health[: v["column"].size] != state["health"])
    fixed = v["recorded"][late] + writer.rng.integers(60, 900, late.size)
    at, to, on = np.concatenate([at, late]), np.concatenate([to, to[late]]), np.concatenate([on, fixed])
    health = np.concatenate([health, state["health"][late]])
    serial = [f"{name}-{k:02d}" for name in writer.names for k in range(100)]
    reason = np.where(to >= 0, v["why"][at], v["came"][at])
    table = pa.table(
        {
            "member_id": category_array(v["column"][at] * 100 + v["serial"][at], serial),
            "household_id": writer.ids(v["column"][at] + writer.base),
            "birth_month": category_array(*_birth_text(state["birth"][at])),
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
        }
    )
    return writer.known(table).sort_by([("member_id", "ascending"), ("recorded_on", "ascending")])


def _birth_text(birth: Ints) -> tuple[Ints, list[str]]:
    low = int(birth.min())
    return birth - low, [first_day(m).strftime("%Y-%m") for m in range(low, int(birth.max()) + 1)]


def _misread(writer: RecordWriter, v: dict[str, Array], health: Array) -> Array:
    """Return health as first written: wrong for a few who never change afterwards."""
    alone = (v["closes"] < 0) & (v["serial_first"])
    wrong = alone & (writer.rng.random(health.size) < writer.t.profile.recording.corrected)
    return np.where(wrong, np.where(health == 0, 1, 0), health)


def _versions(writer: RecordWriter, block: Block) -> dict[str, Array]:
    """Return every version of every member, ordered by household, place and time."""
    month, slot, column, packed = _changes(block)
    start = int(day_numbers([first_day(block.began)])[0])
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
    away, who = logged_columns(block.log.moves, 2)
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
    out[order] = index - np.maximum.accumulate(np.where(starts, index, 0)) + 1
    known = np.where(new, np.arange(column.size), 0)
    return out[np.maximum.accumulate(known)]
