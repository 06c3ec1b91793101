"""Reading a county: files to checked, canonical tables.

Every row kept out is accounted for in ``rejected.csv``: whole and unchanged, with file, row number, column
and reason.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from riskmodel.data.conflicts import (
    duplicate_keys,
    duplicate_rows,
    fault_rows,
    overlapping_stays,
    unknown_ids,
)
from riskmodel.data.county import County
from riskmodel.data.file_formats import ROW
from riskmodel.data.links import IDENTITY, Links, identity_table, stored_links
from riskmodel.data.parse import EXTRA, parse_table
from riskmodel.data.personal import pseudonymise_table as keyed
from riskmodel.data.personal import refuse_personal_data, secret_key
from riskmodel.data.plausibility import beyond_records, coverage_notices, implausible_rows
from riskmodel.data.records_end import last_month_of_records
from riskmodel.data.schema import (
    About,
    canonical_schema,
    codes,
    contract,
    month_end,
    month_ordinal,
    table_words,
)
from riskmodel.data.sources import RawTable, Source, find_sources, open_raw_table
from riskmodel.data.values import FIRST_YEAR, LAST_YEAR
from riskmodel.errors import InputRefused, SpecError, nearest
from riskmodel.i18n import Message, both, section
from riskmodel.io import first_line, parse_spec, read_yaml, write_csv

REJECTED_FILE = "rejected.csv"
WHOLE_ROW = "*"  # stands for a column where no single one is to blame
COLUMNS = ["file", "row", "column", "reason", "detail"]
_DATES = {"date": "2021-05-31", "month": "2021-05", "year": "2021"}
_MOST_ALLOWED = 20


def rejected_rows(raw: RawTable, faults: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one file that are kept out, each once."""
    if faults.empty:
        return pd.DataFrame(columns=COLUMNS)
    wanted = ibis.memtable(pa.table({"wanted_": pa.array(sorted(set(faults["row"])), pa.int64())}))
    found = raw.rows.semi_join(wanted, raw.rows[ROW] == wanted.wanted_).order_by(ROW)
    texts = found.select(row=found[ROW], **{c: found[c].cast("string") for c in raw.headers})
    cells = texts.to_pandas().set_index("row")
    described = _fault_texts(raw, faults, cells)
    own = cells.rename(columns=_free_names(raw.headers.values(), raw.headers))
    out = described.join(own, how="left").reset_index().assign(file=raw.file)
    return out[[*COLUMNS, *own.columns]]


def _fault_texts(raw: RawTable, faults: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Return ``column, reason, detail`` of each row, several faults joined."""
    place = {name: position for position, name in enumerate(contract().tables[raw.table].columns)}
    ordered = faults.assign(place=faults["column"].map(place).fillna(-1))
    ordered = ordered.drop_duplicates(["row", "column", "reason"]).sort_values(
        ["row", "place"], kind="stable"
    )
    parts = []
    for (column, reason), some in ordered.groupby(["column", "reason"], sort=False):
        column, reason = str(column), str(reason)
        cell = raw.at.get(column)
        given = cells[cell].reindex(some["row"]).fillna("").array if cell else ""
        header = raw.headers[cell] if cell else column or WHOLE_ROW
        part = _explain(some.assign(given=given), reason, _allowed(raw.table, column, reason))
        parts.append(part.assign(column=header))
    described = pd.concat(parts).sort_values(["row", "place"], kind="stable")
    several = described["row"].duplicated(keep=False)
    texts = ["column", "reason", "detail"]
    joined = described[several].groupby("row")[texts].agg("; ".join)
    return pd.concat([described[~several].set_index("row")[texts], joined]).sort_index()


def _explain(some: pd.DataFrame, reason: str, allowed: str) -> pd.DataFrame:
    """Attach the sentence of a reason, made once for each distinct cell."""
    keys = ["given", "other"]
    distinct = some[keys].drop_duplicates()
    others = distinct["other"].astype("string").fillna("")
    sentences = [_detail(reason, repr(g), allowed, o) for g, o in zip(distinct["given"], others, strict=True)]
    return some.merge(distinct.assign(detail=sentences), on=keys, how="left")


def _detail(reason: str, given: str, allowed: str, other: str) -> str:
    words = both(f"data.reasons.{reason}", given=given, allowed=allowed, other=other)
    return f"{words['zh']} / {words['en']}"


def _allowed(table: str, column: str, reason: str) -> str:
    """Return what may stand in a column, for the sentence of a reason."""
    if reason == "unknown id":
        home = "members" if column == "member_id" else "households"
        return f"{home} {contract().tables[home].zh}"
    columns = contract().tables[table].columns
    kind = columns[column].type if column in columns else "date"
    if reason == "unparsable date":
        return _DATES.get(kind, _DATES["date"])
    if reason != "unknown code":
        return ""
    if kind == "bool":
        return "是 True 1, 否 False 0"
    if kind == "grade":
        return "0–4"
    words = [f"{code} {zh}" for code, zh in codes(table, column).items()]
    return ", ".join(words[:_MOST_ALLOWED])


def _free_names(headers: Iterable[str], cells: Iterable[str]) -> dict[str, str]:
    """Name the row's own cells by their headers, kept apart from our columns and from one another."""
    names: dict[str, str] = {}
    taken = set(COLUMNS)
    for cell, header in zip(cells, headers, strict=True):
        name = header or "(no header)"
        while name in taken:
            name += " (source)"
        taken.add(name)
        names[cell] = name
    return names


def write_rejected(rejected: pd.DataFrame, folder: str | Path) -> Path:
    """Write ``rejected.csv`` (UTF-8 with BOM, so that Excel shows the Chinese) into a folder.

    The cells are written as they came: the contract wants them whole and unchanged.

    Parameters
    ----------
    rejected
        ``County.rejected``.
    folder
        Made if it is not there.

    Returns
    -------
    Path
        The file; it has only a header where nothing was kept out.
    """
    frame = rejected if len(rejected.columns) else pd.DataFrame(columns=COLUMNS)
    return write_csv(frame, Path(folder) / REJECTED_FILE)


MAX_REJECTED = 0.05
_RANGES = {
    "grade": (0, 4),
    "year": (FIRST_YEAR, LAST_YEAR),
    "month": (FIRST_YEAR * 12, LAST_YEAR * 12 + 11),
}


class DataRefused(InputRefused):
    """The data was read and cannot be used; ``rejected`` holds the rows that are to be mended."""

    def __init__(self, message: str, rejected: pd.DataFrame) -> None:
        super().__init__(message)
        self.rejected = rejected


@dataclass
class TableRead:
    """What became of one table while it was read."""

    raw: RawTable
    n_read: int
    rows: ir.Table
    faults: list[pd.DataFrame] = field(default_factory=list)
    kept_out: pd.DataFrame = field(default_factory=lambda: fault_rows([], "", ""))

    @property
    def n_rejected(self) -> int:
        """Rows kept out."""
        return int(self.kept_out["row"].nunique())

    @property
    def share_rejected(self) -> float:
        """Rows kept out as a share of the rows read, 0 where none was read."""
        return self.n_rejected / self.n_read if self.n_read else 0.0


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
        ``rejected`` holds the rows kept out, ``notes`` what is said once.

    Raises
    ------
    InputRefused
        If a required table or column is missing, a file cannot be read, a column holds personal data, or
        more of a table than ``max_rejected`` is kept out (a `DataRefused`, with the rows).
    UsageError
        If ``pseudonymise`` is asked for without a key.
    """
    reading = read_tables(data, pseudonymise=pseudonymise, snapshot_on=snapshot_on)
    faults = refusals(reading, max_rejected)
    if faults:
        raise DataRefused("; ".join(faults), reading.county.rejected)
    return reading.county


def refusals(reading: Reading, max_rejected: float) -> list[str]:
    """Say why a reading cannot be used; nothing where it can."""
    out = []
    for name, table in reading.tables.items():
        if table.share_rejected > max_rejected:
            reasons = table.kept_out["reason"].value_counts()
            most = ", ".join(f"{reason} {n}" for reason, n in reasons.head(3).items())
            out.append(
                f"{table.raw.file}: {table.n_rejected} of {table.n_read} rows cannot be used ({most}), more "
                f"than {max_rejected:.0%}; mend them (rejected.csv lists them) or raise --max-rejected"
            )
        elif name in contract().required and table.n_read == 0:
            out.append(f"{table.raw.file}: no row; the table {name} is required")
    return out


def read_tables(
    data: str | Path, *, pseudonymise: bool = False, snapshot_on: str | dt.date | None = None
) -> Reading:
    """Read and check all tables, without judging how much was kept out (see `read_county`)."""
    folder = Path(data)
    key = secret_key() if pseudonymise else None
    sources, notices = find_sources(folder)
    about, further = _about(folder, snapshot_on)
    notices += further
    con = ibis.duckdb.connect()
    con.raw_sql(f"SET temp_directory = '{Path(tempfile.gettempdir()) / 'riskmodel-duckdb'}'")
    tables: dict[str, TableRead] = {}
    for source in sources:
        try:
            read_one, further = _read_one(con, source, about, key)
        except duckdb.Error as exc:
            raise InputRefused(f"{source.file}: cannot be read ({first_line(exc)})") from exc
        notices += further
        if read_one is not None:
            tables[source.table] = read_one
        elif source.table in contract().required:
            raise InputRefused(f"{source.file}: the file is empty; the table {source.table} is required")
    for name, table in tables.items():
        _keep_out(con, table, unknown_ids(con, name))
    notices += _within_records(con, tables, about)
    return _finish(con, tables, about, notices)


def _within_records(con: Any, tables: dict[str, TableRead], about: About) -> list[Message]:
    """Keep out months beyond the county's span, and say what ``about.yaml`` leaves open or gets wrong."""
    notices = coverage_notices(con, about, tables)
    day, through = about.data_through, None
    if day is None:
        ever = dt.date.max
        held = tables.get("household_links")
        links = stored_links(con, held.rows) if held else Links(())
        through = last_month_of_records(
            con, links.at(ever, ever), as_of=ever, known_by=ever, snapshot_on=about.snapshot_on
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
    con: Any, source: Source, about: About, key: bytes | None
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
    table = TableRead(raw, n_read=_count(con, raw.rows), rows=rows)
    _note(table, pd.DataFrame(raw.faults, columns=["row", "column", "reason"]))
    if _count(con, rows) + table.n_rejected < table.n_read:
        _note(table, parsed.faults())
    faults, further = implausible_rows(con, source.table, raw.at)
    notices += further
    _keep_out(con, table, faults)
    _keep_out(con, table, duplicate_rows(con, source.table))
    _keep_out(con, table, duplicate_keys(con, source.table))
    if source.table == "members":
        faults, later = overlapping_stays(con)
        _keep_out(con, table, faults)
        if len(later):
            _defer(con, source.table, later)
            notices.append(Message("data.notices.deferred rows", {"table": source.table, "n": len(later)}))
    return table, notices


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
    con.raw_sql(f'DELETE FROM "{table.raw.table}" WHERE {ROW} IN (SELECT row FROM out_)')
    con.con.unregister("out_")


def _defer(con: Any, name: str, later: pd.DataFrame) -> None:
    con.con.register("later_", pa.Table.from_pandas(later, preserve_index=False))
    con.raw_sql(f'UPDATE "{name}" AS t SET known_on = l.known_on FROM later_ AS l WHERE t.{ROW} = l.row')
    con.con.unregister("later_")


def _finish(con: Any, tables: dict[str, TableRead], about: About, notices: list[Message]) -> Reading:
    """Strip what only reading needed, look at the result once more, and say what is absent."""
    parts = [rejected_rows(t.raw, t.kept_out) for t in tables.values()]
    rejected = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    for name, table in tables.items():
        con.raw_sql(f'ALTER TABLE "{name}" DROP COLUMN {ROW}')
        con.raw_sql(f'ALTER TABLE "{name}" DROP COLUMN {EXTRA}')
        table.rows = con.table(name)
        verify_table(con, name, table.rows)
        if table.n_rejected:
            places = {"file": table.raw.file, "n": table.n_read, "what": table.n_rejected}
            notices.append(Message("data.notices.rejected rows", places))
    notices += [_absent(name) for name in section("data.without") if name not in tables]
    _clean_up(con)
    held = {name: table.rows for name, table in tables.items()}
    if "household_links" in held:
        held[IDENTITY] = identity_table(con, held["household_links"])
    county = County(
        con=con,
        tables=held,
        about=about,
        rejected=rejected,
        notes=tuple(notice.text("en") for notice in notices),
    )
    return Reading(county, tables, tuple(notices))


def verify_table(con: Any, name: str, rows: ir.Table) -> None:
    """Refuse a canonical table that breaks the contract: a second look at what parsing kept."""
    expected = canonical_schema(name)
    kinds = {column: kind.copy(nullable=True) for column, kind in rows.schema().items()}
    if kinds != {column: kind.copy(nullable=True) for column, kind in expected.items()}:
        raise InputRefused(f"{name}: columns {dict(kinds)} are not those of the contract")
    counts = ", ".join(f"count(*) FILTER ({_violation(name, column)})" for column in expected)
    found = con.raw_sql(f'SELECT {counts} FROM "{name}"').fetchall()[0]
    broken = [f"{column} ({n} rows)" for column, n in zip(expected, found, strict=True) if n]
    if broken:
        raise InputRefused(f"{name}: the rows kept break the contract in {', '.join(broken)}")


def _violation(table: str, column: str) -> str:
    """Return the SQL condition of cells that the contract does not allow in a column."""
    spec = contract().tables[table].columns.get(column)
    required = column in ("month_from", "month_to", "known_on") or (spec is not None and spec.required)
    out = [f'"{column}" IS NULL'] if required else []
    if spec is not None and spec.type == "code":
        allowed = ", ".join(f"'{code}'" for code in codes(table, column))
        out.append(f'"{column}" NOT IN ({allowed})')
    elif spec is not None and spec.type in _RANGES:
        low, high = _RANGES[spec.type]
        out.append(f'"{column}" NOT BETWEEN {low} AND {high}')
    elif spec is not None and spec.type == "amount" and table != "income":
        out.append(f'"{column}" < 0')
    return " OR ".join(out) or "false"


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
