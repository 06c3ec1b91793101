"""Reading a county: files to checked, canonical tables.

Every row kept out is accounted for in ``rejected.csv``: whole and unchanged, with file, row number, column
and reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from riskmodel.data.claims import CLAIMS, lost_claims, set_claims_apart
from riskmodel.data.conflicts import (
    duplicate_keys,
    duplicate_rows,
    duplicate_totals,
    fault_rows,
    overlapping_stays,
    unknown_ids,
)
from riskmodel.data.county import HELD, County, compress_tables
from riskmodel.data.file_formats import ROW
from riskmodel.data.lineage import Lineage
from riskmodel.data.link_facts import facts_of_links
from riskmodel.data.links import Links, stored_links
from riskmodel.data.losses import LOSSES, find_losses, stored_cells
from riskmodel.data.off_record import (
    DOUBTS,
    UNRECORDED,
    append_rows,
    counted_once,
    effects_of,
    exists,
    households_without_state,
    rejected_parts,
    withdraw_rows,
)
from riskmodel.data.parse import EXTRA, parse_table
from riskmodel.data.personal import pseudonymise_table as keyed
from riskmodel.data.personal import refuse_personal_data, secret_key
from riskmodel.data.plausibility import (
    beyond_records,
    coverage_notices,
    implausible_rows,
    last_month_of_records,
    link_notices,
)
from riskmodel.data.rejected import (
    cell_texts,
    count_causes,
    fault_counts,
    first_faults,
    most_listed,
    one_cause,
    rejected_examples,
    rejected_rows,
    unread_cells,
)
from riskmodel.data.schema import (
    SPAN_TABLES,
    About,
    contract,
    month_end,
    month_ordinal,
    table_words,
)
from riskmodel.data.snapshots import delay_notices, snapshot_notices
from riskmodel.data.sources import RawTable, Source, find_sources, open_raw_table
from riskmodel.data.verification import verify_table
from riskmodel.errors import InputRefused, SpecError, nearest
from riskmodel.i18n import Message, section
from riskmodel.io import first_line, open_engine, parse_spec, read_yaml

MAX_REJECTED = 0.05


class DataRefused(InputRefused):
    """The data was read and cannot be used; ``rejected`` holds the rows that are to be mended."""

    def __init__(
        self, message: str, rejected: pd.DataFrame, tables: Mapping[str, TableRead] | None = None
    ) -> None:
        super().__init__(message)
        self.rejected = rejected
        self.tables = tables or {}


@dataclass
class TableRead:
    """What became of one table while it was read."""

    raw: RawTable
    n_read: int
    rows: ir.Table
    kept_out: pd.DataFrame = field(default_factory=lambda: fault_rows([], "", ""))
    # Optional cells that cannot be read, of rows that are used: ``row, column, reason, text``.
    cells: pd.DataFrame = field(default_factory=lambda: fault_rows([], "", ""))
    # What can be read of rows that are kept out before they come into the table.
    parts: list[pd.DataFrame] = field(default_factory=list)
    # Stays of members that count only from a later day on: until then persons are unknown.
    waiting: pd.DataFrame | None = None
    n_equal: int = 0
    # Where one cause takes more of a table than may be kept out: ``column, reason, n`` of each, and how many
    # rows are kept out; ``kept_out`` then holds the first of them only.
    causes: pd.DataFrame | None = None
    n_lost: int = 0

    @property
    def n_rejected(self) -> int:
        """Rows kept out."""
        return self.n_lost or int(self.kept_out["row"].nunique())

    @property
    def share_rejected(self) -> float:
        """Rows that cannot be used as a share of the rows read, 0 where none was read.

        Rows equal to another that is counted are not among them.
        """
        return (self.n_rejected - self.n_equal) / self.n_read if self.n_read else 0.0


@dataclass(frozen=True)
class Reading:
    """A county as read, with what happened to each of its tables (`check_county` reports it)."""

    county: County
    tables: Mapping[str, TableRead]
    notices: tuple[Message, ...]


def read_county(
    data: str | Path,
    *,
    max_rejected: float = MAX_REJECTED,
    pseudonymise: bool = False,
    snapshot_on: str | dt.date | None = None,
) -> County:
    """Read a county in the form of the data contract and check every row.

    Parameters
    ----------
    data
        A folder of ``.csv``, ``.parquet``, ``.xlsx`` files named after the tables (English or Chinese), a
        workbook with one sheet a table, or a DuckDB file; ``about.yaml`` beside the tables is read.
    max_rejected
        Share of a table's rows that may be kept out.
    pseudonymise
        Replace household and member ids by keyed hashes and drop personal columns, instead of refusing.
        The key is taken from the environment variable ``RISKMODEL_PSEUDONYM_KEY``.
    snapshot_on
        From when rows of ``households`` and ``members`` without any date are known; overrides about.yaml.

    Returns
    -------
    County
        ``rejected`` holds the rows kept out, ``cells`` the optional cells that could not be read, ``notes``
        what is said once.

    Raises
    ------
    InputRefused
        If a required table or column is missing, a file cannot be read, a column holds personal data, or
        more of a table than ``max_rejected`` is kept out (a `DataRefused`, with the rows).
    UsageError
        If ``pseudonymise`` is asked for without a key.
    """
    reading = read_tables(data, max_rejected=max_rejected, pseudonymise=pseudonymise, snapshot_on=snapshot_on)
    faults = refusals(reading.tables, max_rejected)
    if faults:
        raise DataRefused("; ".join(faults), reading.county.rejected)
    return reading.county


def refusals(tables: Mapping[str, TableRead], max_rejected: float) -> list[str]:
    """Say why what was read cannot be used; nothing where it can."""
    out = []
    for name, table in tables.items():
        if table.share_rejected > max_rejected:
            causes = table.kept_out.assign(n=1) if table.causes is None else table.causes
            reasons = causes.groupby("reason")["n"].sum().sort_values(ascending=False, kind="stable")
            most = ", ".join(f"{reason} {n}" for reason, n in reasons.head(3).items())
            out.append(
                f"{table.raw.file}: {table.n_rejected - table.n_equal} of {table.n_read} rows cannot be used "
                f"({most}), more "
                f"than {max_rejected:.0%}; mend them (rejected.csv lists them) or raise --max-rejected"
            )
        elif name in contract().required and table.n_read == 0:
            out.append(f"{table.raw.file}: no row; the table {name} is required")
    return out


def read_tables(
    data: str | Path,
    *,
    max_rejected: float = 1,
    pseudonymise: bool = False,
    snapshot_on: str | dt.date | None = None,
) -> Reading:
    """Read and check all tables, without judging how much was kept out (see `read_county`).

    Only where one cause alone takes more of a large table than ``max_rejected`` a `DataRefused` is raised at
    once: what follows from that cause would be told once a row.
    """
    folder = Path(data)
    key = secret_key() if pseudonymise else None
    sources, notices = find_sources(folder)
    about, further = _about(folder, snapshot_on)
    return read_sources(sources, about, [*notices, *further], key, max_rejected)


def read_sources(
    sources: Sequence[Source],
    about: About,
    notices: list[Message],
    key: bytes | None = None,
    max_rejected: float = 1,
) -> Reading:
    """Read and check the tables of a county, wherever they stand; ``notices`` are what was noticed before."""
    con = open_engine([source.path for source in sources if source.kind in ("parquet", "duckdb")], HELD)
    tables: dict[str, TableRead] = {}
    for source in sources:
        try:
            read_one, further = _read_one(con, source, about, key, max_rejected)
        except duckdb.Error as exc:
            raise InputRefused(f"{source.file}: cannot be read ({first_line(exc)})") from exc
        notices += further
        if read_one is not None:
            tables[source.table] = read_one
            compress_tables(con)
        elif source.table in contract().required:
            raise InputRefused(f"{source.file}: the file is empty; the table {source.table} is required")
    _refuse_one_cause(tables, max_rejected)
    links = stored_links(con, tables["household_links"].rows) if "household_links" in tables else Links(())
    if "members" in tables:
        notices += _without_overlaps(con, tables["members"], links)
    # A household is known by its number although its own row was rejected.
    parts = rejected_parts(con, tables["households"], about)
    known = set(households_without_state(con, parts)["household_id"])
    stated = con.con.execute("SELECT DISTINCT household_id FROM households").fetchall()
    known |= links.joined_with(known.union(number for (number,) in stated)) if links.rows else set()
    for name, table in tables.items():
        _keep_out(con, table, unknown_ids(con, name, known))
    born_after = int(tables["members"].kept_out["reason"].eq("birth after recording").sum())
    set_claims_apart(con)
    held = {name: table.rows for name, table in tables.items()}
    notices += snapshot_notices(con, about, held, born_after)
    notices += delay_notices(con, about, "recorded" in tables)
    ever = dt.date.max
    lineage = Lineage(links, facts_of_links(con, links, {name: name for name in tables}), ever, ever)
    notices += link_notices(lineage)
    notices += _within_records(con, tables, about, lineage)
    _refuse_one_cause(tables, max_rejected)
    return _finish(con, tables, about, notices)


def _refuse_one_cause(tables: Mapping[str, TableRead], max_rejected: float) -> None:
    """Refuse tables of which one cause takes more than may be kept out, with its count and first rows."""
    for table in tables.values():
        if table.causes is None and table.share_rejected > max_rejected:
            causes = count_causes(table.kept_out)
            if one_cause(causes["n"], table.n_read, max_rejected):
                table.causes, table.n_lost = causes, table.n_rejected
    if all(table.causes is None for table in tables.values()):
        return
    told = [
        rejected_rows(t.raw, t.kept_out)
        if t.causes is None
        else rejected_examples(t.raw, t.kept_out, t.causes)
        for t in tables.values()
        if t.share_rejected > max_rejected
    ]
    raise DataRefused("; ".join(refusals(tables, max_rejected)), _joined(told), tables)


def _within_records(con: Any, tables: dict[str, TableRead], about: About, lineage: Lineage) -> list[Message]:
    """Keep out months beyond the county's span, and say what ``about.yaml`` leaves open or gets wrong."""
    notices = coverage_notices(con, about, tables)
    day, through = about.data_through, None
    if day is None:
        ever = dt.date.max
        through = last_month_of_records(
            con,
            lineage,
            as_of=ever,
            known_by=ever,
            snapshot_on=about.snapshot_on,
        )
        if through is not None:
            notices.append(Message("data.notices.records end", {"day": month_end(through)}))
    else:
        through = month_ordinal(day.year, day.month)
    if through is None:
        return notices
    for name, table in tables.items():
        faults, further = beyond_records(con, name, table.raw.at, through, stated=day is not None)
        _keep_out(con, table, faults)
        notices += further
    return notices


def _about(data: Path, snapshot_on: str | dt.date | None) -> tuple[About, list[Message]]:
    path = (data if data.is_dir() else data.parent) / "about.yaml"
    try:
        content: Any = read_yaml(path) if path.is_file() else {}
        content = {} if content is None else content
        if snapshot_on is not None and isinstance(content, dict):
            content = {**content, "snapshot_on": snapshot_on}
        about = parse_spec(content, About, path)
    except SpecError as exc:
        raise InputRefused(str(exc)) from exc
    names = [str(k) for k in content if k not in About.model_fields]
    near = {name: nearest(name, About.model_fields) for name in sorted(names)}
    unread = ", ".join(f"{name} ({meant}?)" if meant else name for name, meant in near.items())
    return about, [Message("data.notices.unknown about key", {"what": unread})] if unread else []


def _read_one(
    con: Any, source: Source, about: About, key: bytes | None, max_rejected: float
) -> tuple[TableRead | None, list[Message]]:
    """Read one table and keep out what is wrong by itself or clashes within the table."""
    raw, notices = open_raw_table(con, source, about.time_zone)
    if raw is None:
        return None, notices
    if key is None:
        refuse_personal_data(raw)
    else:
        raw, further = keyed(con, raw, key)
        notices += further
    parsed = parse_table(con, raw, about)
    rows = parsed.store(source.table)
    table = TableRead(
        raw, n_read=_count(con, raw.rows), rows=rows, cells=cell_texts(raw, parsed.unread_cells())
    )
    _note(table, pd.DataFrame(raw.faults, columns=["row", "column", "reason"]))
    if raw.faults:
        table.parts.append(parsed.parts_of_rows_with_errors())
    lost = table.n_read - table.n_rejected - _count(con, rows)
    if lost > most_listed(table.n_read, max_rejected):
        causes = fault_counts(parsed)
        if one_cause(causes["n"], table.n_read, max_rejected):
            _note(table, first_faults(parsed))
            table.causes, table.n_lost = causes, lost
            return table, notices
    if lost:
        faults, parts = parsed.faults()
        _note(table, faults)
        table.parts.append(parts)
    faults, further = implausible_rows(con, source.table, raw.at)
    notices += further
    _keep_out(con, table, faults)
    _keep_out(con, table, duplicate_rows(con, source.table))
    if source.table in SPAN_TABLES and len(table.kept_out):
        table.n_equal = int(counted_once(rejected_parts(con, table, about)).sum())
    _keep_out(con, table, duplicate_keys(con, source.table))
    if source.table in SPAN_TABLES:
        for faults in duplicate_totals(con, source.table):
            _keep_out(con, table, faults)
    return table, notices


def _without_overlaps(con: Any, members: TableRead, links: Links) -> list[Message]:
    """Keep out members who would be in two households at once, or let their rows wait."""
    faults, later = overlapping_stays(con, links)
    _keep_out(con, members, faults)
    if not len(later):
        return []
    members.waiting = _defer(con, "members", later)
    return [Message("data.notices.deferred rows", {"table": "members", "n": len(later)})]


def _count(con: Any, t: ir.Table) -> int:
    return int(con.raw_sql(f'SELECT count(*) FROM "{t.op().name}"').fetchall()[0][0])


def _note(table: TableRead, faults: pd.DataFrame) -> None:
    if len(faults):
        other = faults["other"] if "other" in faults else pd.array([pd.NA] * len(faults), "Int64")
        faults = faults.assign(other=other).astype({"row": "int64"})
        table.kept_out = pd.concat([table.kept_out, faults], ignore_index=True)


def _keep_out(con: Any, table: TableRead, faults: pd.DataFrame) -> None:
    """Take rows out of a table and note why."""
    if faults.empty:
        return
    _note(table, faults)
    con.con.register("out_", pa.table({"row": pa.array(sorted(set(faults["row"])), pa.int64())}))
    withdraw_rows(con, table.raw.table, "SELECT row FROM out_")
    con.con.unregister("out_")


def _defer(con: Any, name: str, later: pd.DataFrame) -> pd.DataFrame:
    """Let rows count only from a later day; return whose they are, and from when until when they wait."""
    con.con.register("later_", pa.Table.from_pandas(later, preserve_index=False))
    waiting = con.con.execute(
        "SELECT t.household_id, t.member_id, t.valid_from, t.known_on, l.known_on AS until "
        f'FROM "{name}" t JOIN later_ l ON t.{ROW} = l.row'
    ).df()
    con.raw_sql(f'UPDATE "{name}" AS t SET known_on = l.known_on FROM later_ AS l WHERE t.{ROW} = l.row')
    con.con.unregister("later_")
    return waiting


def _finish(con: Any, tables: dict[str, TableRead], about: About, notices: list[Message]) -> Reading:
    """Strip what only reading needed, look at the result once more, and say what is absent."""
    rejected = _joined([rejected_rows(t.raw, t.kept_out) for t in tables.values()])
    cells = _joined([unread_cells(t.raw, t.cells) for t in tables.values()])
    parts = {name: rejected_parts(con, table, about) for name, table in tables.items()}
    parts["income"], claims = lost_claims(parts["income"])
    effects = effects_of(con, tables, parts)
    losses = find_losses(con, tables, parts)
    for name, table in tables.items():
        con.raw_sql(f'ALTER TABLE "{name}" DROP COLUMN {ROW}')
        con.raw_sql(f'ALTER TABLE "{name}" DROP COLUMN {EXTRA}')
        table.rows = con.table(name)
        verify_table(con, name, table.rows)
        if table.n_rejected:
            places = {"file": table.raw.file, "n": table.n_read, "what": table.n_rejected}
            notices.append(Message("data.notices.rejected rows", places))
        if len(table.cells):
            places = {"file": table.raw.file, "n": len(table.cells), "what": _counted(table)}
            notices.append(Message("data.notices.unread cells", places))
    notices += [_absent(name) for name in section("data.without") if name not in tables]
    notices += [notice for name, table in tables.items() if (notice := _unused(name, table)) is not None]
    _clean_up(con)
    compress_tables(con)
    if LOSSES in tables:
        cells = _joined([cells, stored_cells(con.table(LOSSES).to_pandas())])
    effects.store(con)
    if len(losses):
        append_rows(con, LOSSES, losses)
    if len(claims):
        append_rows(con, CLAIMS, claims)
    held = {name: table.rows for name, table in tables.items()}
    made = {UNRECORDED: effects.unrecorded, DOUBTS: effects.doubts, LOSSES: losses}
    held |= {name: con.table(name) for name, rows in made.items() if len(rows)}
    if exists(con, CLAIMS):
        held[CLAIMS] = con.table(CLAIMS)
    county = County(
        con=con,
        tables=held,
        about=about,
        rejected=rejected,
        cells=cells,
        say=lambda: tuple(notice.text("en") for notice in notices),
    )
    return Reading(county, tables, tuple(notices))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def _counted(table: TableRead) -> str:
    """Return the headers of a file's unreadable cells with their numbers."""
    counts = table.cells["column"].value_counts().sort_index()
    return ", ".join(f"{table.raw.headers[table.raw.at[str(c)]]} {n}" for c, n in counts.items())


def _absent(name: str) -> Message:
    values = {"table": table_words(name), "without": Message(f"data.without.{name}")}
    return Message("data.notices.absent table", values)


def _clean_up(con: Any) -> None:
    """Let go of the raw tables and of an attached file."""
    for kind in ("view", "table"):
        leftover = con.raw_sql(f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE temporary AND NOT internal")
        for (name,) in leftover.fetchall():
            if name.startswith(("raw_", "keyed_")):
                con.raw_sql(f'DROP {kind} "{name}"')
    con.raw_sql("DETACH DATABASE IF EXISTS source")


def _unused(name: str, table: TableRead) -> Message | None:
    """Say which columns of a table are there and looked at by nothing."""
    columns = {c: spec for c, spec in contract().tables[name].columns.items() if c in table.raw.at}
    unused = [c for c, spec in columns.items() if spec.unused]
    if not unused:
        return None
    what = {"zh": "、".join(columns[c].zh for c in unused), "en": ", ".join(unused)}
    return Message("data.notices.unused columns", {"table": table_words(name), "what": what})
