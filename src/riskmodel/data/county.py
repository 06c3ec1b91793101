"""`County`: checked, canonical tables as Ibis expressions on an embedded DuckDB; made of frames, written."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import ibis
import pandas as pd
import pyarrow as pa
import yaml
from ibis.expr.operations import DatabaseTable, DummyTable

from riskmodel.data import compiled
from riskmodel.data.claims import CLAIM, CLAIMS, set_claims_apart
from riskmodel.data.compiled import Shape
from riskmodel.data.lineage import county_lineage
from riskmodel.data.plausibility import last_month_of_records
from riskmodel.data.schema import (
    LARGE_TABLES,
    SPAN_TABLES,
    About,
    canonical_schema,
    contract,
    empty_table,
    known_on,
    month_end,
    month_text,
    to_month_end,
)
from riskmodel.errors import InputRefused, UsageError
from riskmodel.io import atomic, open_engine, write_frame, write_text

T = TypeVar("T")
HELD = "county"  # the engine's database that holds the tables
VERSIONED = {"households": "household_id", "members": "member_id"}


def compress_tables(con: Any) -> None:
    """Compress what came into the tables of an engine from `open_engine`."""
    con.raw_sql(f"CHECKPOINT {HELD}")


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
    cells
        Optional cells that could not be read and are null, with ``file``, ``sheet``, ``row``, ``column``,
        ``text``, ``reason``.
    say
        Returns ``notes``.
    """

    con: Any
    tables: Mapping[str, ibis.Table]
    about: About = field(default_factory=About)
    rejected: pd.DataFrame = field(default_factory=pd.DataFrame)
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    say: Callable[[], tuple[str, ...]] = tuple
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
            (`riskmodel.data.compiled.store_query`) or as an expression.

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

    @contextlib.contextmanager
    def with_temporary_tables(self) -> Iterator[None]:
        """Let go of the tables that `once` keeps while the body runs, when it ends: nobody asks again."""
        before = set(self._kept)
        try:
            yield
        finally:
            # What came last goes first: it may read from tables kept before it.
            for key in reversed([k for k in self._kept if k not in before]):
                if isinstance(self._kept[key], ibis.Table):
                    name = self._kept.pop(key).op().name
                    views = f"SELECT 1 FROM duckdb_views() WHERE view_name = '{name}'"
                    kind = "VIEW" if self.con.raw_sql(views).fetchall() else "TABLE"
                    self.con.raw_sql(f'DROP {kind} "{name}"')

    @property
    def cached(self) -> Mapping[Hashable, Any]:
        """What `once` has kept so far, by its key."""
        return self._kept

    def frame(self, name: str) -> pd.DataFrame:
        """Return a canonical table as a pandas frame, for a look in a notebook."""
        return self.table(name).to_pandas()

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is said once of the county (absent tables, findings)."""
        return self.say()

    @property
    def losses(self) -> pd.DataFrame:
        """Whose rows were kept out or counted once, and whose cells could not be read: table ``losses``."""
        return self.once("losses", lambda: self.frame("losses"))

    @cached_property
    def facts(self) -> Mapping[str, bool]:
        """What kinds of rows there are at all; lets callers skip work that could change nothing.

        Returns
        -------
        mapping
            ``corrected.T`` (T can hold corrected rows), ``versions.households`` and ``versions.members``
            (one of them has several rows), ``spans.T`` (T has totals over several months), ``early.T`` (T has
            rows recorded before their household was), ``stateless.households`` (one is known by its number
            alone), ``business_net``, ``undated.support`` (a measure is there of which the date is not known).
        """
        found = compiled.fetch_arrow(compiled.Columns(self.con, self.tables), _kinds_of_rows).to_pylist()[0]
        return {kind: bool(there) for kind, there in found.items()}  # null: there is no row

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
            ``about.data_through``, else the last day of the month that `records_through` gives for all rows.

        Raises
        ------
        InputRefused
            If there is neither.
        """
        if self.about.data_through:
            return self.about.data_through
        last = self.records_through(dt.date.max, dt.date.max)
        if last is None:
            raise InputRefused("no income row, and no data_through in about.yaml: add YYYY-MM-DD there")
        return month_end(last)

    def records_through(self, as_of: dt.date, known_by: dt.date) -> int | None:
        """Return the last month in which a tenth of the households valid at as-of have an income row.

        Parameters
        ----------
        as_of, known_by
            The day spoken of, and the day up to which rows may be seen.

        Returns
        -------
        int or None
            Month ordinal, from the rows alone whatever ``about.yaml`` says; None where there is none.
        """
        names = {name: self.table(name).get_name() for name in ("households", "income") if self.has(name)}
        if len(names) < 2:
            return None
        return self.once(
            ("records through", as_of, known_by),
            lambda: last_month_of_records(
                self.con,
                county_lineage(self, as_of, known_by),
                as_of=as_of,
                known_by=known_by,
                snapshot_on=self.about.snapshot_on,
                **names,
            ),
        )

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


def local_times(values: pd.Series, zone: str) -> pd.Series:
    """Return times as they stand on the clocks of a zone; those without an offset are local already."""
    stamps = pd.to_datetime(values)
    return stamps if stamps.dt.tz is None else stamps.dt.tz_convert(zone).dt.tz_localize(None)


def _months(values: pd.Series, zone: str) -> pd.Series:
    if pd.api.types.is_integer_dtype(values):
        return values.astype("Int32")
    stamp = local_times(values, zone)
    return (stamp.dt.year * 12 + stamp.dt.month - 1).astype("Int32")


def _kinds_of_rows(county: Shape) -> ibis.Table:
    """Return one row: `County.facts`."""
    out: dict[str, Any] = {}
    for name, _ in county.schemas:
        out[f"corrected.{name}"] = _holds_corrections(county.table(name), contract().tables[name].key)
    for name, key in VERSIONED.items():
        t = county.table(name)
        out[f"versions.{name}"] = t.agg(held=t[key].nunique() < t.count())
    for name in SPAN_TABLES:
        if county.has(name):
            t = county.table(name)
            out[f"spans.{name}"] = t.agg(held=(t.month_from < t.month_to).any())
    households = county.table("households")
    since = households.group_by("household_id").agg(since=households.known_on.min())
    for name, _ in county.schemas:
        t = county.table(name)
        # Of the large tables it is not asked: whoever reads them looks for itself.
        if "household_id" in t.columns and name not in ("households", *LARGE_TABLES):
            early = t.inner_join(since, "household_id")
            out[f"early.{name}"] = early.agg(held=(early.known_on < early.since).any())
    # Of them nothing is known but that they are there; a registration is required of every row that is read.
    out["stateless.households"] = households.agg(held=households.registration.isnull().any())
    income = county.table("income")
    support = county.table("support")
    out["undated.support"] = support.agg(held=(support.date_known == ibis.literal(False)).any())
    out["business_net"] = income.agg(held=(income.source == "business_net").any())
    return DummyTable({kind: t.held.as_scalar().op() for kind, t in out.items()}).to_expr()


def _holds_corrections(t: ibis.Table, key: tuple[str, ...]) -> ibis.Table:
    """Say whether two rows have one key (null keys are equal to one another), or any row a ``row_id``."""
    if key:
        repeated = t.group_by(list(key)).agg(n=ibis._.count())
        return repeated.agg(held=repeated.n.max() > 1)
    given = t.row_id.notnull() if "row_id" in t.columns else t[t.columns[0]].notnull() & False
    return t.agg(held=given.any())


def county_of_frames(frames: Mapping[str, pd.DataFrame], about: About | None = None) -> County:
    """Return a county of frames that keep to the contract: months as text or ordinals, codes in English.

    Nothing is checked; `riskmodel.data.frames.from_frames` asks whether frames keep to it.
    """
    about = about or About()
    con = open_engine(held=HELD)
    dated = About(snapshot_on=about.snapshot_on, entry_lag_months=about.entry_lag_months)
    tables = {}
    for name, frame in frames.items():
        # pandas has no decimals: amounts travel as floats and are rounded once, by the cast.
        loose = {c: "float64" if t.is_decimal() else t for c, t in canonical_schema(name).items()}
        loose = {c: t for c, t in loose.items() if c != "known_on"} | {"recorded_on": "date"}
        rows = _canonical(name, frame, list(loose), about.time_zone)
        arrow = pa.Table.from_pandas(rows, ibis.schema(loose).to_pyarrow(), preserve_index=False)
        tables[name] = compiled.store_query(
            compiled.Columns(con), _dated, name, dated, name=name, temporary=False, rows=arrow
        )
    if set_claims_apart(con):
        tables[CLAIMS] = con.table(CLAIMS)
    return County(con=con, tables=tables, about=about)


def _dated(county: Shape, name: str, about: About, rows: ibis.Table) -> ibis.Table:
    schema = canonical_schema(name)
    if "date_precision" in schema:
        rows = rows.mutate(date=to_month_end(rows.date, rows.date_precision))
    rows = rows.mutate(known_on=known_on(name, {c: rows[c] for c in rows.columns}, about))
    return rows.select(*schema).cast(dict(schema.items()))


def _canonical(name: str, frame: pd.DataFrame, columns: list[str], zone: str) -> pd.DataFrame:
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
            out[column] = local_times(out[column], zone).dt.date
        elif kind == "month":
            out[column] = _months(out[column], zone)
        out[column] = out[column].astype(object).where(out[column].notna(), None)
    return out[columns]


Format = Literal["parquet", "csv", "xlsx"]
_MOST_EXCEL_ROWS = 1_048_575


def write_county(
    county: County | Mapping[str, pd.DataFrame],
    folder: str | Path,
    format: Format = "parquet",  # the word that users look for
    about: About | None = None,
) -> Path:
    """Write tables as one file each, months as ``YYYY-MM``, dates as dates, codes in English.

    Parameters
    ----------
    county
        A county (``recorded_on`` is then the day from which each row was known), or contract-like frames by
        table name, written as they are apart from month ordinals.
    folder
        Made if it is not there; files of the same name are replaced.
    format
        Of each table; amounts stay exact in parquet.
    about
        Written as ``about.yaml``; by default a county's own, where it says anything.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        If the format is none of these, or a table is too long for Excel.
    """
    if format not in ("parquet", "csv", "xlsx"):
        raise UsageError(f"{format!r} is no format; write parquet, csv or xlsx")
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(county, County):
        about = about or county.about
        frames: Mapping[str, pd.DataFrame] = {
            name: _contract_form(name, county)
            for name in county.tables
            if not contract().tables[name].derived
        }
    else:
        frames = county
    for name, frame in frames.items():
        zone = (about or About()).time_zone
        _replace(out / f"{name}.{format}", _with_months(name, frame, zone), format)
    content = about.model_dump(mode="json", exclude_defaults=True) if about else {}
    if content:
        write_text(yaml.safe_dump(content, sort_keys=True), out / "about.yaml")
    return out


def _contract_form(name: str, county: County) -> pd.DataFrame:
    frame = county.frame(name).rename(columns={"known_on": "recorded_on"})
    if name == "income" and county.has(CLAIMS):
        claims = county.frame(CLAIMS).rename(columns={"known_on": "recorded_on"}).assign(source=CLAIM)
        frame = pd.concat([frame, claims], ignore_index=True)[list(frame.columns)]
    # A column without a value says nothing, and a typed one would not survive every format.
    optional = [c for c, spec in contract().tables[name].columns.items() if not spec.required and c in frame]
    return frame.drop(columns=[c for c in optional if frame[c].isna().all() and len(frame)])


def _with_months(name: str, frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    out = frame.copy()
    columns = contract().tables[name].columns
    for column in out.columns:
        kind = columns[column].type if column in columns else None
        if kind == "month" and pd.api.types.is_numeric_dtype(out[column]):
            words = {m: month_text(int(m)) for m in out[column].dropna().unique()}
            out[column] = out[column].map(words).astype("str")
        elif kind == "date" or column == "recorded_on":
            out[column] = local_times(out[column], zone).dt.date
    if name in SPAN_TABLES and "month" not in out and (out["month_from"] == out["month_to"]).all():
        out = out.rename(columns={"month_from": "month"}).drop(columns="month_to")
    return out


def _replace(path: Path, frame: pd.DataFrame, format: Format) -> None:
    with atomic(path) as temporary:
        if format == "parquet":
            frame.to_parquet(temporary, index=False)
        elif format == "csv":
            frame.to_csv(temporary, index=False, lineterminator="\n")
        elif len(frame) > _MOST_EXCEL_ROWS:
            raise UsageError(
                f"{path.stem}: {len(frame)} rows do not fit an Excel sheet; write parquet or csv"
            )
        else:
            write_frame(frame, temporary, path.stem, for_people=False)
