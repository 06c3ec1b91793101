"""A known county in parts of whole townships, for what is made household by household or of neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data import LARGE_TABLES, Shape, name_query, store_query
from riskmodel.households.build_records import RecordsReader, known_records
from riskmodel.households.county_parts import CountyPart, divide_county
from riskmodel.households.known import KnownCounty
from riskmodel.households.periods import AccountingPeriod


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


def _as_it_is(county: Shape, rows: ir.Table) -> ir.Table:
    return rows
