"""`County`: checked, canonical tables as Ibis expressions on an embedded DuckDB."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import ibis
import pandas as pd
from ibis.expr.operations import DatabaseTable

from riskmodel.data.compiled import Shape, empty_table
from riskmodel.data.schema import SPAN_TABLES, About, canonical_schema, contract, known_on, month_end
from riskmodel.errors import InputRefused

T = TypeVar("T")
VERSIONED = {"households": "household_id", "members": "member_id"}


@dataclass(frozen=True)
class County:
    """A county's checked tables.

    Parameters
    ----------
    con
        The embedded DuckDB that holds the tables.
    tables
        Table name to canonical Ibis table, only those the source had.
    about
        What ``about.yaml`` says of the county as a whole.
    rejected
        Rows kept out, whole, with ``file``, ``row``, ``column``, ``reason``.
    notes
        What was said once while reading (absent tables, findings).
    """

    con: Any
    tables: Mapping[str, ibis.Table]
    about: About = field(default_factory=About)
    rejected: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {t.count().execute():,}" for name, t in self.tables.items())
        return f"County({counts} rows; {len(self.rejected)} rejected)"

    def has(self, name: str) -> bool:
        """Say whether the source had this table (an empty one counts: it says that nothing happened)."""
        return name in self.tables

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table; one that is absent comes back with its columns and no row.

        Parameters
        ----------
        name
            A table of the contract.

        Returns
        -------
        ibis.Table
            See `riskmodel.data.schema.canonical_schema`.
        """
        return self.tables[name] if name in self.tables else empty_table(canonical_schema(name))

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Compute something the first time it is asked for and keep it; tables never change, so nor does it.

        Parameters
        ----------
        key
            Names what is computed, whole: everything it depends on beside the county.
        make
            Returns a value that nobody changes, or a table: stored already
            (`riskmodel.data.compiled.store`) or as an expression.

        Returns
        -------
        Any
            The value; a table as a temporary table of ``con``.
        """
        if key not in self._kept:
            result: Any = make()
            if isinstance(result, ibis.Table) and not isinstance(result.op(), DatabaseTable):
                # Several counties may share one connection (the same tables with another `about`).
                result = self.con.create_table(f"kept_{uuid.uuid4().hex}", result, temp=True)
            self._kept[key] = result
        return self._kept[key]

    def frame(self, name: str) -> pd.DataFrame:
        """Return a canonical table as a pandas frame, for a look in a notebook."""
        return self.table(name).to_pandas()

    @cached_property
    def facts(self) -> Mapping[str, bool]:
        """What kinds of rows there are at all; lets callers skip work that could change nothing.

        Returns
        -------
        mapping
            ``corrected.T`` (T can hold corrected rows), ``versions.households`` and ``versions.members``
            (one of them has several rows), ``spans.T`` (T has totals over several months), ``business_net``.
        """
        out: dict[str, bool] = {}
        for name, t in self.tables.items():
            spec = contract().tables[name]
            out[f"corrected.{name}"] = _holds_corrections(t, spec.key)
        for name, key in VERSIONED.items():
            out[f"versions.{name}"] = name in self.tables and _repeats(self.tables[name], key)
        for name in SPAN_TABLES:
            if self.has(name):
                t = self.tables[name]
                out[f"spans.{name}"] = bool((t.month_from < t.month_to).any().to_pyarrow().as_py())
        income = self.table("income")
        out["business_net"] = bool((income.source == "business_net").any().to_pyarrow().as_py())
        return out

    @cached_property
    def shape(self) -> Shape:
        """What queries on the county are written from; counties of one shape share compiled queries."""
        schemas = tuple((name, t.schema()) for name, t in self.tables.items())
        return Shape(schemas, tuple(self.facts.items()), About(income_is_net=self.about.income_is_net))

    @cached_property
    def data_through(self) -> dt.date:
        """The day until which the county's records are whole.

        Returns
        -------
        date
            ``about.data_through``, else the last day of the latest month with income.

        Raises
        ------
        InputRefused
            If there is neither.
        """
        if self.about.data_through:
            return self.about.data_through
        last = self.table("income").month_to.max().to_pyarrow().as_py()
        if last is None:
            raise InputRefused("no income row, and no data_through in about.yaml: add YYYY-MM-DD there")
        return month_end(int(last))

    @cached_property
    def known_through(self) -> dt.date:
        """The day by which the records until ``data_through`` should have come in.

        Returns
        -------
        date
            ``recording_delay_days`` later; where income holds totals, also ``entry_lag_months`` later.
        """
        day = self.data_through + dt.timedelta(days=self.about.recording_delay_days)
        if not self.facts.get("spans.income"):
            return day
        total = pd.Timestamp(self.data_through) + pd.DateOffset(months=self.about.entry_lag_months)
        return max(day, (total + pd.offsets.MonthEnd(0)).date())


def _months(values: pd.Series) -> pd.Series:
    if pd.api.types.is_integer_dtype(values):
        return values.astype("Int32")
    stamp = pd.to_datetime(values, errors="raise")
    return (stamp.dt.year * 12 + stamp.dt.month - 1).astype("Int32")


def _repeats(t: ibis.Table, column: str) -> bool:
    counts = t.aggregate(rows=t.count(), ids=t[column].nunique()).to_pyarrow().to_pylist()[0]
    return bool(counts["ids"] < counts["rows"])


def _holds_corrections(t: ibis.Table, key: tuple[str, ...]) -> bool:
    """Say whether two rows have one key (null keys are equal to one another), or any row a ``row_id``."""
    if key:
        repeated = t.group_by(list(key)).agg(n=ibis._.count()).n.max().to_pyarrow().as_py()
        return (repeated or 0) > 1
    return "row_id" in t.columns and bool(t.row_id.notnull().any().to_pyarrow().as_py())


def from_frames(frames: Mapping[str, pd.DataFrame], about: About | None = None) -> County:
    """Build a county from clean frames in memory (tests, importers, simulators); nothing is checked.

    Parameters
    ----------
    frames
        Table name to a frame with contract columns; months as ``YYYY-MM`` text or ordinals, dates as
        anything pandas reads, ``recorded_on`` optional.
    about
        What ``about.yaml`` would say; by default nothing.

    Returns
    -------
    County
        On a connection of its own.

    Examples
    --------
    >>> from riskmodel.data.schema import month_ordinal
    >>> county = from_frames({"income": pd.DataFrame(
    ...     {"household_id": ["h1"], "month": ["2021-05"], "source": ["wage"], "amount": [900]})})
    >>> int(county.frame("income").month_to[0]) == month_ordinal(2021, 5)
    True
    """
    about = about or About()
    con = ibis.duckdb.connect()
    tables = {}
    for name, frame in frames.items():
        schema = canonical_schema(name)
        # pandas has no decimals: amounts travel as floats and are rounded once, by the cast.
        loose = {c: "float64" if t.is_decimal() else t for c, t in schema.items() if c != "known_on"}
        loose |= {"recorded_on": "date"}
        rows = ibis.memtable(_canonical(name, frame, list(loose)), schema=ibis.schema(loose))
        rows = rows.mutate(known_on=known_on(name, {c: rows[c] for c in loose}, about))
        tables[name] = con.create_table(name, rows.select(*schema).cast(dict(schema.items())))
    return County(con=con, tables=tables, about=about)


def _canonical(name: str, frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    spec = contract().tables[name]
    out = frame.reset_index(drop=True)
    if name in SPAN_TABLES and "month" in out:
        for end in ("month_from", "month_to"):
            out[end] = out[end].fillna(out["month"]) if end in out else out["month"]
    for column in columns:
        kind = spec.columns[column].type if column in spec.columns else "date"
        if column not in out:
            out[column] = None
        elif kind == "date":
            out[column] = pd.to_datetime(out[column]).dt.date
        elif kind == "month":
            out[column] = _months(out[column])
        out[column] = out[column].astype(object).where(out[column].notna(), None)
    return out[columns]
