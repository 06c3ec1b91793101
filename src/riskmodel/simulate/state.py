"""The state of many households at the end of a month: arrays whose last axis is the household.

The same arrays serve the county's one history (one column a household) and its possible futures (one
column a household and branch); ``take`` turns the first into the second. `State` is how households live;
`OfficeState` is what they have earned and how the office stands to them. Support changes that only: it adds
income and covers own costs, and changes no hazard, so one life can be booked with support and without.
Amounts are whole yuan held in float32, which is exact below 16.7 million, so sums over 12 months are exact
in any order.

The chance of one month, drawn apart from what it does, so that two sets of books can share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]
Rows = Ints | slice

SLOTS = 8
HEAD, SPOUSE, FATHER, MOTHER, GRANDCHILD = 0, 1, 5, 6, 7
CHILDREN = (2, 3, 4)
RELATIONS = ("head", "spouse", "child", "parent", "grandchild", "other")
HEALTH = ("healthy", "chronic", "major_illness")
CAPACITY = ("none", "partial", "full")
NO_JOB, AT_HOME, AWAY = 0, 1, 2
OUTSIDE, PENDING, MONITORED, ELIMINATED = 0, 1, 2, 3
SUPPORT_SOURCES = ("wage", "business", "transfer")
SICK, JOB, FARM = 0, 1, 2
NEVER = -30000
RING = 24
ALL = slice(None)


class Columns:
    """Arrays that share their last axis."""

    def _each(self, change: Callable[[Array], Array]) -> Self:
        parts = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return type(self)(
            **{k: v._each(change) if isinstance(v, Columns) else change(v) for k, v in parts.items()}
        )

    def take(self, columns: Rows) -> Self:
        """Return some columns, each as often as it is named (a copy, unless a slice is given)."""
        return self._each(lambda values: values[..., columns])

    def repeat(self, first: int, stop: int, times: int) -> Self:
        """Return columns ``first`` to ``stop`` (exclusive), each ``times`` times."""
        return self._each(lambda values: values[..., first:stop].repeat(times, axis=-1))

    def copy(self) -> Self:
        """Return an independent copy."""
        return self._each(np.copy)


@dataclass
class Members(Columns):
    """Eight places a household, shape (8, n), filled where ``here``.

    ``birth`` is a month ordinal, ``sex`` 1 for female, ``grade`` of disability 0-4; ``relation``,
    ``school``, ``health``, ``capacity`` are places in `RELATIONS`, `parameters.STAGES`, `HEALTH`, `CAPACITY`;
    ``job`` is none, at home, or away.
    """

    birth: Ints
    sex: Ints
    relation: Ints
    school: Ints
    health: Ints
    grade: Ints
    capacity: Ints
    job: Ints
    here: Bools


@dataclass
class State(Columns):
    """How households live; every array has the household as its last axis.

    Fixed: ``household`` (row in the county), ``township``, ``village``, ``lifted``, ``kind`` (of farm),
    ``insured``, ``plan`` (production cost a year and unit), ``kin``, ``rent``, ``frailty`` (factor on
    hazards), ``diligence`` (chance of a visit to a flagged household), ``usual`` (income a year, as it was
    at the start), ``dibao`` (allowance a month).

    Kept from the members by `demography.refresh`: ``persons``, ``workers``, ``wage_units``, ``farm_units``,
    ``elders``, ``chronic``, ``school_cost`` (a year), and the monthly hazards ``hazard`` (10, n: by cause)
    and ``h_family`` (5, n: birth, death, marriage in and out, moving away) with their sums.

    Moving: log levels ``a_wage``, ``a_farm`` (growth and scars), ``u_wage``, ``u_farm`` (AR(1)), ``fallen``
    (what is left of sudden falls), ``debt`` (what falls take this month), ``owed`` (what they will yet take),
    ``reported`` (which part of wages and sales is reported), ``weather`` (this year's township shock),
    ``macro`` (factor), ``recent`` (fading count of shocks), ``loss`` and ``age`` (3, n: share lost and months
    in spell), ``bill`` (own medical cost still to come), ``last_cause`` (10, n: month of the last event) and
    ``last_any``.
    """

    household: Ints
    township: Ints
    village: Ints
    lifted: Bools
    kind: Ints
    insured: Bools
    plan: Floats
    kin: Floats
    rent: Floats
    frailty: Floats
    diligence: Floats
    usual: Floats
    dibao: Floats
    housing_safe: Bools
    m: Members
    persons: Floats
    workers: Floats
    wage_units: Floats
    farm_units: Floats
    elders: Floats
    chronic: Floats
    school_cost: Floats
    hazard: Floats
    hazard_sum: Floats
    h_family: Floats
    h_family_sum: Floats
    a_wage: Floats
    a_farm: Floats
    u_wage: Floats
    u_farm: Floats
    fallen: Floats
    debt: Floats
    owed: Floats
    reported: Floats
    weather: Floats
    macro: Floats
    recent: Floats
    loss: Floats
    age: Floats
    bill: Floats
    last_cause: Ints
    last_any: Ints

    @property
    def n(self) -> int:
        """Number of columns."""
        return int(self.household.size)


@dataclass
class OfficeState(Columns):
    """What households have earned, and how the office stands to them.

    ``net_ring`` (24, n), ``rigid_ring`` (12, n), ``persons_ring`` (13, n) by month, with the running sums
    ``net``, ``net_before`` and ``rigid`` over 12 months; ``status`` in the register ``since`` a month,
    ``due`` to enter, last ``visited``; support ``aid`` (a month) of ``aid_source``, ``aid_cover`` (share of
    own costs), ``aid_until`` (last month).
    """

    net_ring: Floats
    rigid_ring: Floats
    persons_ring: Floats
    net: Floats
    net_before: Floats
    rigid: Floats
    status: Ints
    since: Ints
    due: Ints
    visited: Ints
    aid: Floats
    aid_source: Ints
    aid_cover: Floats
    aid_until: Ints


@dataclass(frozen=True)
class RuleView:
    """What a register's rule may look at, at the end of ``month``: the quantities that official rules use.

    Households of whom nobody is left are among them, with no persons.

    Parameters
    ----------
    state
        Members, incomes, spells and causes at the month's end.
    books
        What the office knows and did: register, support, sums of the last twelve months in yuan.
    month
        Month ordinal (``year * 12 + month - 1``).
    """

    state: State
    books: OfficeState
    month: int

    @property
    def lifted(self) -> Bools:
        """Whether the household is registered as lifted (else general)."""
        return self.state.lifted

    @property
    def persons(self) -> Floats:
        """Members present."""
        return self.state.persons

    @property
    def labour(self) -> Floats:
        """Members who can work, fully or partly."""
        return self.state.workers

    @property
    def net(self) -> Floats:
        """Net income of the household in the 12 months up to now, yuan."""
        return self.books.net

    @property
    def previous_net(self) -> Floats:
        """The same of the 12 months before, yuan."""
        return self.books.net_before

    @property
    def pcni(self) -> Floats:
        """Net income a head of the 12 months up to now, yuan; NaN where nobody is left."""
        heads = np.where(self.state.persons > 0, self.state.persons, np.nan)
        return self.books.net / heads

    @property
    def previous_persons(self) -> Floats:
        """Members present 12 months ago."""
        return self.books.persons_ring[(self.month + 1) % 13]

    @property
    def rigid(self) -> Floats:
        """Own medical, education, housing, disaster and accident spending of 12 months, yuan a household."""
        return self.books.rigid

    def open(self, cause: int) -> Bools:
        """Return whether a cause (its place in `parameters.CAUSES`) befell within 12 months."""
        return self.state.last_cause[cause] > self.month - 12

    @property
    def has_open_cause(self) -> Bools:
        """Whether any cause befell within 12 months."""
        return self.state.last_any > self.month - 12


@dataclass
class LogRows:
    """Rows of one kind of event: tuples of ``width`` arrays of equal length, the month first."""

    width: int
    parts: list[tuple[Array, ...]] = field(default_factory=list)

    def add(self, month: int, *columns: Array) -> None:
        """Note what happened to some households in one month."""
        if columns[0].size:
            self.parts.append((np.full(columns[0].size, month, dtype=np.int32), *columns))

    def columns(self) -> list[Array]:
        """Return all rows as whole columns; empty ones if there is none."""
        if not self.parts:
            return [np.empty(0, dtype=np.int64)] * self.width
        return [np.concatenate(part) for part in zip(*self.parts, strict=True)]


class EventLog:
    """What happened, noted as it happens; every row begins with the month and the household.

    ``events``: cause as its place in `parameters.CAUSES`, loss in yuan. ``costs`` of an event: category as
    its place in `parameters.RIGID` (-1 for other), amount. ``visits``: outcome, cause and selection as places
    in `office.OUTCOMES`, `CAUSES` and `office.SELECTED`. ``publicity`` that is over: how it ended
    (`office.PASSED`, `OBJECTED`, `LEFT`). ``register``: event, category, causes (n, 3), the main one first,
    -1 for none. ``aid``: measure, cause, amount in yuan, its last month. ``moves``: households that move away
    as a whole.
    """

    def __init__(self) -> None:
        self.events, self.costs = LogRows(4), LogRows(4)
        self.visits, self.publicity, self.register = LogRows(5), LogRows(3), LogRows(5)
        self.aid, self.moves = LogRows(6), LogRows(2)


@dataclass(frozen=True)
class MonthDraws:
    """Draws of one month, one column a household: standard normals ``z_*`` and uniforms ``u_*`` on [0, 1).

    ``z_weather`` and ``z_macro`` are there in January, ``u_town`` (does a disaster strike the township?) in
    months of disasters: in the county's history households of one township share them; in the futures of
    one household each branch has its own. ``rng`` gives the draws that few columns need (how long, how
    much, who); what the office does must be the same in both books and so is drawn for all.
    """

    rng: np.random.Generator
    z_wage: Floats
    z_farm: Floats
    z_weather: Floats | None
    z_macro: Floats | None
    u_town: Floats | None
    u_shock: Floats
    u_family: Floats
    u_misc: Floats
    u_office: Floats
    u_visit: Floats
    u_outcome: Floats
    u_luck: Floats

    def few(self, n: int, rows: int = 1) -> Array:
        """Draw further uniforms for some columns, shape (rows, n), or (n,) for one row."""
        u = self.rng.random((rows, n), dtype=np.float32)
        return u[0] if rows == 1 else u


@dataclass(frozen=True)
class CommonShocks:
    """What a county's households share in one month: by township and farm kind, and for all."""

    weather: Floats
    macro: float
    disaster: Floats


def common_shocks(rng: np.random.Generator, townships: int, kinds: int) -> CommonShocks:
    """Draw a county's shared chance of one month."""
    return CommonShocks(
        weather=rng.standard_normal((townships, kinds), dtype=np.float32),
        macro=float(rng.standard_normal(dtype=np.float32)),
        disaster=rng.random(townships, dtype=np.float32),
    )


def draw_month(
    rng: np.random.Generator,
    n: int,
    month: int,
    disasters: tuple[int, ...],
    shared: CommonShocks | None = None,
    township: Ints | None = None,
    kind: Ints | None = None,
) -> MonthDraws:
    """Draw the chance of one month for n columns."""
    january, season = month % 12 == 0, month % 12 + 1 in disasters
    z = rng.standard_normal((2, n), dtype=np.float32)
    u = rng.random((7, n), dtype=np.float32)
    weather: Floats | None = None
    macro: Floats | None = None
    town: Floats | None = None
    if shared is not None and township is not None and kind is not None:
        if january:
            weather = shared.weather[township, kind]
            macro = np.full(n, shared.macro, dtype=np.float32)
        town = shared.disaster[township] if season else None
    else:
        weather, macro = rng.standard_normal((2, n), dtype=np.float32) if january else (None, None)
        town = rng.random(n, dtype=np.float32) if season else None
    return MonthDraws(rng, z[0], z[1], weather, macro, town, *u)


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the random stream of one purpose (and block, month, ...), the same for the same key."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *key])))
