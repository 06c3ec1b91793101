"""A county as it was known at some moments: made once, handed down to rules, features, targets and scores.

Its relations stand in the engine under a name each, so every query that looks at a table looks at the same
known rows, and what was known is decided in this package alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from riskmodel.data import (
    LARGE_TABLES,
    County,
    Shape,
    canonical_schema,
    contract,
    county_lineage,
    fetch_arrow,
    known_name,
    name_query,
    store_query,
    unfused_selects,
)
from riskmodel.errors import UsageError
from riskmodel.households import accounts, point_in_time
from riskmodel.households.accounts import INCOMES, KEY
from riskmodel.households.build_records import RecordsReader, first_month, known_records
from riskmodel.households.county_parts import CountyPart, CountyParts, divide_county, households_in_part
from riskmodel.households.income import income_accounts
from riskmodel.households.joined_numbers import IDENTITY_COLUMNS, identity_tables
from riskmodel.households.panel import households_known
from riskmodel.households.periods import AccountingPeriod
from riskmodel.households.point_in_time import CLOCK, HOUSEHOLD_STATES, PRESENT_MEMBERS, DateLike, Moment

LINKS = "household_links"
AsOf: TypeAlias = DateLike | Iterable[DateLike] | Moment | Iterable[Moment]
_MADE_OF_ROWS = {
    HOUSEHOLD_STATES: point_in_time.household_states,
    PRESENT_MEMBERS: point_in_time.present_members,
}


@dataclass(frozen=True)
class KnownCounty:
    """A county cut to what was known at one or several moments.

    Each relation is made when it is first asked for and kept with the county, whoever asks. Compiled queries
    (`riskmodel.data.fetch_frame` and its like) take a known county as they take a county; the function that
    writes one then finds the known rows of a table under ``rows``.

    Parameters
    ----------
    county
        The checked tables.
    moments
        Distinct and in order, as `riskmodel.households.point_in_time.as_moments` gives them.
    """

    county: County
    moments: tuple[Moment, ...]

    @property
    def con(self) -> Any:
        """The engine."""
        return self.county.con

    @property
    def tables(self) -> Mapping[str, ir.Table]:
        """The county's tables, and the known rows of each."""
        return _Tables(self)

    @property
    def shape(self) -> Shape:
        """What queries are written from; the same for all moments."""
        return self.county.once("known shape", lambda: _shape(self.county))

    @property
    def clock(self) -> ir.Table:
        """The moments as a table, see `riskmodel.households.point_in_time.moment_table`."""

        def make() -> ir.Table:
            return store_query(self.county, _as_it_is, rows=point_in_time.moment_table(self.moments))

        return self._once("clock", make)

    @property
    def as_of(self) -> dt.date:
        """The day spoken of; where there are several, the last."""
        return self.moments[-1].as_of

    def has(self, name: str) -> bool:
        """Say whether the source had this table."""
        return self.county.has(name)

    def rows(self, name: str) -> ir.Table:
        """Return the rows of a contract table known at each moment, or one of the relations made of them.

        Parameters
        ----------
        name
            A table of the contract; `HOUSEHOLD_STATES` (one row a household and moment) or `PRESENT_MEMBERS`
            (one row a member present, with the ``age`` in years).

        Returns
        -------
        ibis.Table
            The table's columns and those of `riskmodel.households.point_in_time.moment_table`, corrections
            resolved; no row where the county lacks the table.
        """
        # Of one moment they are kept; of many they are too many, and made anew in every query that asks.
        write = store_query if len(self.moments) == 1 and name not in LARGE_TABLES else name_query
        if name in _MADE_OF_ROWS:
            return self._once("known", lambda: write(self, _MADE_OF_ROWS[name]), name)
        inputs = {"clock": self.clock, **self._identity()}
        return self._once("known", lambda: write(self.county, point_in_time.known_rows, name, **inputs), name)

    def _identity(self) -> dict[str, ir.Table]:
        """Return who is who at the moments, as tables of the engine; none without links."""
        if not self.county.has(LINKS):
            return {}

        def make() -> dict[str, ir.Table]:
            made = identity_tables(self.county, self.moments)
            return {name: store_query(self.county, _as_it_is, rows=table) for name, table in made.items()}

        with unfused_selects():
            return self.county.once(("identity", self.moments), make)

    def accounts(
        self, period: AccountingPeriod | None = None, reader: RecordsReader | None = None
    ) -> ir.Table:
        """Return the quantities of every household known at each moment.

        Parameters
        ----------
        period
            Twelve months by default.
        reader
            Looks at the records of each moment, in the pass that makes the accounts where there are none yet.

        Returns
        -------
        ibis.Table
            One row per ``household_id, as_of``, see `riskmodel.households.accounts.household_accounts`.
        """
        period = period or AccountingPeriod()
        return self._with_money("accounts", accounts.household_accounts, period, reader)

    def persons(self, period: AccountingPeriod, reader: RecordsReader | None = None) -> ir.Table:
        """Return ``household_id, as_of, persons``: of the accounts where these are made, else alone."""
        if self._is_made("accounts", period):
            return self.accounts(period, reader).select(*KEY, "persons")
        return self._with_money("persons", accounts.household_persons, period, reader)

    def incomes(self, period: AccountingPeriod | None = None) -> ir.Table:
        """Return incomes per head alone, with ``persons, weight, income_basis, income_reason, period_to``.

        Lines and labels look at many windows: of moments that look back nothing else is computed.
        """
        period = period or AccountingPeriod()
        if all(m.known_by == m.as_of for m in self.moments):
            return self.accounts(period).select(*INCOMES)
        return self._with_money("incomes", accounts.household_incomes, period)

    def _with_money(
        self,
        what: Literal["accounts", "incomes", "persons"],
        build: Callable[..., ir.Table],
        period: AccountingPeriod,
        reader: RecordsReader | None = None,
    ) -> ir.Table:
        anew = not self._is_made(what, period)

        def make() -> ir.Table:
            if not anew:
                wider = self._of_more_moments(what, period)
                return store_query(self.county, _at_moments, wider=wider, clock=self.clock)
            asked = "all" if what == "accounts" else what
            parts = self.record_parts if reader is None else None
            money = income_accounts(self.county, self.moments, period, reader, asked, parts)
            return store_query(self, build, money=money)

        table = self._once(what, make, period)
        if reader is not None and not anew:
            for records in known_records(self.county, self.moments, reader.counts_rows):
                reader.read(records)
        return table

    @property
    def record_parts(self) -> CountyParts | None:
        """What the county is divided into where its records are too many to be read at once.

        The accounts of a household are the same in whatever part it is, so that there is one division for all
        moments, of the last of those that were first asked for.
        """
        if isinstance(self.county, CountyPart):
            return None

        def make() -> CountyParts | None:
            ids = households_known(self.county)["household_id"].combine_chunks()
            if len(ids) <= households_in_part():
                return None
            return divide_county(self.county, ids, KnownCounty(self.county, self.moments[-1:]).townships)

        return self.county.once("record parts", make)

    @property
    def townships(self) -> pd.Series:
        """Where each household lives that is known at the moment, by number."""
        return fetch_arrow(self, _townships).to_pandas().set_index("household_id")["township"]

    def _is_made(self, what: str, period: AccountingPeriod) -> bool:
        """Say whether a relation is there already, of these moments or of more."""
        made = (what, self.moments, period) in self.county.cached
        return made or self._of_more_moments(what, period) is not None

    def _of_more_moments(self, what: str, period: AccountingPeriod) -> ir.Table | None:
        """Return what was made before of these moments and others; each moment's rows are its own."""
        for key, table in self.county.cached.items():
            if isinstance(key, tuple) and key[0] == what and key[2:] == (period,) and self._is_part(key[1]):
                return table
        return None

    def _is_part(self, moments: tuple[Moment, ...]) -> bool:
        """Say whether the moments are some of others, each of a day of its own, looking back as far."""
        one_a_day = len({m.as_of for m in moments}) == len(moments)
        part = one_a_day and set(self.moments) < set(moments)
        return part and first_month(self.county, self.moments) == first_month(self.county, moments)

    def _once(self, what: str, make: Callable[[], ir.Table], *of: Hashable) -> ir.Table:
        """Make a relation when it is first asked for, always in one way of writing queries: one text each."""
        with unfused_selects():
            return self.county.once((what, self.moments, *of), make)

    @property
    def fingerprint(self) -> str:
        """The content hash of every row known at the last moment."""
        return point_in_time.fingerprint(self.county, self.moments[-1].known_by)


@dataclass(frozen=True)
class _Tables(Mapping[str, ir.Table]):
    """A known county's tables and relations, each made when it is looked up."""

    known: KnownCounty

    def __getitem__(self, name: str) -> ir.Table:
        if name in self.known.county.tables:
            return self.known.county.tables[name]
        return self.known.rows(name.removeprefix(known_name("")))

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.known.shape.schemas)

    def __len__(self) -> int:
        return len(self.known.shape.schemas)


def _shape(county: County) -> Shape:
    """Return a county's shape with its known relations: the columns of their tables and the clock's."""
    schemas = {name: canonical_schema(name) for name in contract().tables}
    schemas |= {name: table.schema() for name, table in county.tables.items()}
    schemas |= {HOUSEHOLD_STATES: schemas["households"], PRESENT_MEMBERS: schemas["members"]}
    clock: dict[str, Any] = dict(CLOCK)
    if county.has(LINKS):
        for name, columns in IDENTITY_COLUMNS.items():
            schemas[name] = ibis.schema({**schemas[name], **columns})
    relations = {known_name(name): ibis.schema({**schema, **clock}) for name, schema in schemas.items()}
    present = known_name(PRESENT_MEMBERS)
    relations[present] = ibis.schema({**relations[present], "age": "int32"})
    return Shape((*county.shape.schemas, *relations.items()), county.shape.kinds, county.shape.about)


def _at_moments(county: Shape, wider: ir.Table, clock: ir.Table) -> ir.Table:
    return wider.semi_join(clock, "as_of")


def _as_it_is(county: Shape, rows: ir.Table) -> ir.Table:
    return rows


def _townships(county: Shape) -> ir.Table:
    return county.rows(HOUSEHOLD_STATES).select("household_id", "township")


def known_county(county: County | KnownCounty, as_of: AsOf | None = None) -> KnownCounty:
    """Return a county as known at some moments.

    Parameters
    ----------
    county
        A county, or one cut already, which is returned as it is.
    as_of
        Date, ISO text, `Moment`, or several; needed for a county that is not cut yet.

    Returns
    -------
    KnownCounty
        The view that entry points hand down.

    Raises
    ------
    UsageError
        If no date is given, one is no date, or it differs from the moments of a view.
    """
    if isinstance(county, KnownCounty):
        if as_of is not None and point_in_time.as_moments(as_of) != county.moments:
            days = ", ".join(str(m.as_of) for m in county.moments)
            raise UsageError(f"the county is known as of {days}: leave as_of out, or give the county itself")
        return county
    if as_of is None:
        raise UsageError("no as-of date given: a day (YYYY-MM-DD) for which the county is to be known")
    return KnownCounty(county, point_in_time.as_moments(as_of))


def current_ids(known: KnownCounty, ids: pd.Series) -> pd.Series:
    """Return the number under which each household goes on at the last moment.

    Parameters
    ----------
    known
        The county as known at some moments; links count by what was known at the last.
    ids
        Household numbers, old or new, also such as the county does not have.
    """
    moment = known.moments[-1]
    lineage = county_lineage(known.county, moment.as_of, moment.known_by)
    return ids.map(lambda number: lineage.current(str(number))) if lineage.joined else ids


def all_numbers(known: KnownCounty, ids: Iterable[str]) -> list[str]:
    """Return some households' numbers and every earlier one that goes on under them at the last moment.

    Parameters
    ----------
    known
        As in `current_ids`.
    ids
        Household numbers.
    """
    moment, wanted = known.moments[-1], list(ids)
    joined = county_lineage(known.county, moment.as_of, moment.known_by).joined
    return list(dict.fromkeys([*wanted, *(old for old, number in joined.items() if number in wanted)]))


@dataclass(frozen=True)
class KnownPart(KnownCounty):
    """The households of some townships, as known at a moment.

    Parameters
    ----------
    whole
        The county as known at the moment, of which rows and accounts are taken.
    """

    whole: KnownCounty = field(kw_only=True)

    @property
    def shape(self) -> Shape:
        """What queries are written from."""
        return self.whole.shape

    @property
    def fingerprint(self) -> str:
        """The content hash of every row of the county known at the moment."""
        return self.whole.fingerprint

    @cached_property
    def _part(self) -> CountyPart:
        assert isinstance(self.county, CountyPart)
        return self.county

    @property
    def _own(self) -> ir.Table:
        part = self._part
        ids = pa.table({"household_id": part.ids.filter(pa.array(part.own))})
        return self._once("own", lambda: store_query(self.whole, _as_it_is, rows=ids))

    def rows(self, name: str) -> ir.Table:
        """Return the known rows of a table that are of the part's households."""
        of_county, write = self.whole.rows(name), name_query if name in LARGE_TABLES else store_query
        if "household_id" not in of_county.columns:
            return of_county
        own = self._own
        return self._once("known", lambda: write(self.whole, _of_part, rows=of_county, own=own), name)

    def _with_money(
        self,
        what: Literal["accounts", "incomes", "persons"],
        build: Callable[..., ir.Table],
        period: AccountingPeriod,
        reader: RecordsReader | None = None,
    ) -> ir.Table:
        of_county, own = self.whole._with_money(what, build, period), self._own
        table = self._once(what, lambda: store_query(self.whole, _of_part, rows=of_county, own=own), period)
        if reader is not None:
            for records in known_records(self.county, self.moments, reader.counts_rows):
                reader.read(records)
        return table


def known_parts(known: KnownCounty) -> Iterator[KnownCounty]:
    """Yield a county in parts of whole townships, one after another; itself where it fits in memory.

    Neighbours of a village or township are in one part. What is of all households (a line relative to the
    county's incomes, medians of the county) is to be made of the whole.

    Parameters
    ----------
    known
        The county as known at one moment; a part is not to be used after the next one was asked for.
    """
    parts = known.record_parts if len(known.moments) == 1 else None
    if parts is None:
        yield known
        return
    townships = known.townships
    if not parts.holds_whole(townships):  # it was made of another day
        divided, moments = parts, known.moments
        parts = known.county.once(
            ("record parts", moments), lambda: divide_county(known.county, divided.ids, townships)
        )
    for part in parts:
        yield KnownPart(part, known.moments, whole=known)


def _of_part(county: Shape, rows: ir.Table, own: ir.Table) -> ir.Table:
    return rows.semi_join(own, "household_id")
