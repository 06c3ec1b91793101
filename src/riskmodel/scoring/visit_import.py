"""Importing a filled list into a county's visits: new ones are added in the table's own format, each once.

What is there stays, what contradicts it is shown, and the table is replaced whole or not at all.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from riskmodel.data import (
    GRID,
    KEY_VARIABLE,
    Lineage,
    Link,
    LinkFacts,
    Links,
    RawTable,
    Source,
    cell_text,
    codes,
    column_words,
    contract,
    find_sources,
    header_row,
    open_raw_table,
    parse_date,
    pseudonym,
)
from riskmodel.errors import InputRefused
from riskmodel.grids import BOM, find_encoding
from riskmodel.i18n import counted
from riskmodel.io import atomic
from riskmodel.scoring.office_files import (
    TITLE_LINES,
    FilledList,
    Visit,
    accepted_words,
    guess_delimiter,
    read_filled_list,
    unescaped_id,
)
from riskmodel.scoring.visit_faults import Conflict, Finding, Problem, fault, finding_text

TABLE = "visits"
COLUMNS = ("household_id", "date", "outcome", "cause", "selected_by", "decision", "chance", "recorded_on")
_KEYED = re.compile(r"[0-9a-f]{32}")  # what `riskmodel.data.pseudonym` makes


@dataclass(frozen=True)
class VisitTable:
    """The county's table of visits as it stands in its file; ``path`` need not be there yet.

    ``kind`` is parquet, csv, xlsx or duckdb, ``inside`` the sheet or table in the file; ``headers`` are
    empty where there is no table yet, ``at`` gives a column's position in them. ``chinese`` says that headers
    and words are. ``seen`` is size and time of the file when it was read.
    """

    path: Path
    kind: str
    inside: str | None
    headers: tuple[str, ...]
    at: dict[str, int]
    chinese: bool
    seen: tuple[int, int] | None = None

    def header(self, column: str) -> str:
        """Return what a column that is not there yet is to be called."""
        return column_words(TABLE)[column] if self.chinese else column

    def cell(self, column: str, visit: Visit, recorded_on: dt.date) -> Any:
        """Return one value as it is written: codes in the file's own language, None where there is none."""
        value = recorded_on if column == "recorded_on" else getattr(visit, column)
        words = contract().tables[TABLE].columns
        if self.chinese and column in words and isinstance(value, str) and column != "household_id":
            return (words[column].codes or contract().tables["risk_events"].columns["cause"].codes)[value]
        return value

    def new_columns(self, visits: Sequence[Visit]) -> list[str]:
        """Return the columns that the table lacks and these visits fill."""
        needed = [c for c in COLUMNS if c == "recorded_on" or any(getattr(v, c) is not None for v in visits)]
        return [c for c in needed if c not in self.at]

    def columns(self, visits: Sequence[Visit]) -> list[str]:
        """Return the columns of a row in file order; an empty name where the file has a column of its own."""
        place = {position: column for column, position in self.at.items()}
        return [place.get(i, "") for i in range(len(self.headers))] + self.new_columns(visits)

    def rows(self, visits: Sequence[Visit], recorded_on: dt.date) -> list[list[Any]]:
        """Return the visits as rows of the table."""
        columns = self.columns(visits)
        return [[self.cell(c, v, recorded_on) if c in COLUMNS else None for c in columns] for v in visits]


@dataclass(frozen=True)
class RecordedVisits:
    """What a county holds: its table of visits, household ids, and what is written of each visit.

    Findings go by the number that a household has now; ``current`` says which that is for an earlier one.
    """

    table: VisitTable
    households: frozenset[str]
    findings: dict[tuple[str, dt.date], set[Finding]]
    current: Mapping[str, str]

    def findings_of(self, visit: Visit) -> set[Finding]:
        """Return what is written of a household on the day of a visit, under whatever number."""
        number = self.current.get(visit.household_id, visit.household_id)
        return self.findings.get((number, visit.date), set())


@dataclass(frozen=True)
class VisitImport:
    """What became of a filled list.

    Parameters
    ----------
    path
        The table of visits.
    added
        Visits that are new.
    already
        Number of visits that were there with the same finding and cause.
    conflicts
        Visits of which the table says something else; it is left as it is.
    problems
        Entries that cannot be used.
    empty
        Number of households not visited yet.
    """

    path: Path
    added: tuple[Visit, ...]
    already: int
    conflicts: tuple[Conflict, ...]
    problems: tuple[Problem, ...]
    empty: int

    @property
    def summary(self) -> dict[str, Any]:
        """Counts for a machine, and every fault in words."""
        outcomes = Counter(v.outcome for v in self.added)
        return {
            "visits": str(self.path),
            "added": len(self.added),
            "already_there": self.already,
            "not_filled": self.empty,
            "outcomes": {k: outcomes[k] for k in sorted(outcomes)},
            "conflicts": [str(c) for c in self.conflicts],
            "problems": [str(p) for p in self.problems],
        }

    @property
    def faults(self) -> pd.DataFrame:
        """Problems and conflicts as a table: ``cell, household_id, column, value, reason``."""
        rows = [(p.cell, p.household_id, p.column, p.value, p.reason) for p in self.problems]
        rows += [(c.cell, c.household_id, "outcome", finding_text(c.written), str(c)) for c in self.conflicts]
        return pd.DataFrame(rows, columns=["cell", "household_id", "column", "value", "reason"])


def import_visits(
    path: str | Path, data: str | Path, recorded_on: dt.date, *, dry: bool = False, key: bytes | None = None
) -> VisitImport:
    """Add the visits of a filled list to a county's table, each once.

    A visit is known by its household and day. The same finding and cause again is the same visit and is
    not added twice; another finding is a conflict, shown and left alone. The note and the visitor's name
    stay in the office's workbook: they may name people.

    Parameters
    ----------
    path
        The filled list (see `read_filled_list`).
    data
        The county, a folder, a workbook or a DuckDB file; its table of visits keeps its format and is
        replaced whole or not at all.
    recorded_on
        The day on which the office came to know these visits: no earlier as-of sees them.
    dry
        Check only.
    key
        `riskmodel.data.secret_key`, where the list was made with ``--pseudonymise``: its keyed ids are
        turned back into the office's own, which is what the table of visits holds.

    Returns
    -------
    VisitImport
        What was added, what was there, conflicts and problems.

    Raises
    ------
    InputRefused
        If list or county cannot be read, the list's ids are keyed and the key is not given (or is another),
        the list has entries and not one of them can be used, or the table was changed meanwhile.
    """
    recorded = read_recorded_visits(data, recorded_on)
    filled = _with_own_ids(Path(path), read_filled_list(path), recorded, key)
    problems = [*filled.problems]
    new: list[Visit] = []
    conflicts: list[Conflict] = []
    already = 0
    for visit in filled.visits:
        recorded_findings = recorded.findings_of(visit)
        finding = (visit.outcome, visit.cause)
        if (problem := _problem(visit, recorded, recorded_on)) is not None:
            problems.append(problem)
        elif finding in recorded_findings:
            already += 1
        elif recorded_findings:
            sides = (finding, tuple(sorted(recorded_findings, key=str)))
            conflicts.append(Conflict(visit.cell, visit.household_id, visit.date, *sides))
        else:
            new.append(visit)
    if problems and not (new or already or conflicts):
        shown = "; ".join(str(p) for p in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        name = Path(path).name
        entries = counted(len(problems), "entry", "entries")
        raise InputRefused(f"{name}: none of {entries} can be used: {shown}{more}")
    if not dry:
        append_visits(recorded.table, sorted(new, key=lambda v: (v.date, v.household_id)), recorded_on)
    return VisitImport(
        recorded.table.path, tuple(new), already, tuple(conflicts), tuple(problems), filled.empty
    )


def _with_own_ids(path: Path, filled: FilledList, recorded: RecordedVisits, key: bytes | None) -> FilledList:
    """Return the list with the office's own ids where they are keyed."""
    own: Mapping[str, str] = {} if key is None else {pseudonym(h, key): h for h in recorded.households}
    unknown = [v for v in filled.visits if v.household_id not in recorded.households]
    keyed = [v for v in unknown if _KEYED.fullmatch(v.household_id)]
    if keyed and not any(v.household_id in own for v in keyed):
        mend = (
            f"the secret key in {KEY_VARIABLE} is not the one that the list was made with"
            if key is not None
            else f"give --pseudonymise, and in {KEY_VARIABLE} the secret key that the list was made with"
        )
        ids = counted(len(keyed), "household id is", "household ids are")
        raise InputRefused(f"{path.name}: {ids} keyed ({keyed[0].cell}): {mend}")
    visits = (replace(v, household_id=own.get(v.household_id, v.household_id)) for v in filled.visits)
    return replace(filled, visits=tuple(visits))


def _problem(visit: Visit, recorded: RecordedVisits, recorded_on: dt.date) -> Problem | None:
    if visit.household_id not in recorded.households:
        home = visit.household_id
        padded = [h for h in recorded.households if h.lstrip("0") == home] if home.isdigit() else []
        about = "zeros dropped" if len(padded) == 1 else "unknown household"
        reason = fault(about, household=home, padded=padded[0] if padded else "")
        return Problem(visit.cell, home, "household_id", home, reason)
    if visit.date > recorded_on:
        reason = fault("too late", day=visit.date, recorded_on=recorded_on)
        return Problem(visit.cell, visit.household_id, "visited_on", str(visit.date), reason)
    return None


def read_recorded_visits(data: str | Path, day: dt.date) -> RecordedVisits:
    """Read a county's household ids, visits and, as known at a day, links as they stand; nothing else."""
    folder = Path(data)
    sources, _ = find_sources(folder)
    by_table = {s.table: s for s in sources}
    con = ibis.duckdb.connect()
    households, _ = open_raw_table(con, by_table["households"])
    ids = frozenset(_texts(households, "household_id")) if households else frozenset()
    source = by_table.get(TABLE)
    raw = open_raw_table(con, source)[0] if source else None
    links = by_table.get("household_links")
    current = _current_numbers(open_raw_table(con, links)[0], day) if links else {}
    findings: dict[tuple[str, dt.date], set[Finding]] = {}
    if raw is not None:
        columns = [_texts(raw, c) for c in ("household_id", "date", "outcome", "cause")]
        for household, day, outcome, cause in zip(*columns, strict=True):
            date = parse_date(day)[0]
            if household is not None and date is not None:
                finding = (_code("outcome", outcome), _code("cause", cause))
                findings.setdefault((current.get(household, household), date), set()).add(finding)
    return RecordedVisits(_visit_table(folder, by_table, raw, households), ids, findings, current)


def _current_numbers(raw: RawTable | None, day: dt.date) -> dict[str, str]:
    """Return the number in use of every household that got another one, as known at a day."""
    if raw is None:
        return {}
    words = {word: code for code, zh in codes("household_links", "kind").items() for word in (code, zh)}
    columns = [_texts(raw, c) for c in ("old_id", "new_id", "kind", "date", "recorded_on")]
    links = []
    for old, new, kind, date, known in zip(*columns, strict=True):
        happened = parse_date(date)[0]
        if old and new and kind in words and happened is not None:
            links.append(Link(old, new, words[kind], happened, parse_date(known)[0] or happened))
    return Lineage(Links(tuple(links)), LinkFacts(), day, day).joined


def _texts(raw: RawTable, column: str) -> list[Any]:
    rows = raw.rows.order_by("row_").to_pyarrow()
    if column not in raw.at:
        return [None] * rows.num_rows
    texts = [cell_text(v) for v in rows[raw.at[column]].to_pylist()]
    return [unescaped_id(t) if t and column == "household_id" else t for t in texts]


def _code(column: str, word: str | None) -> str | None:
    return None if word is None else accepted_words(column).get(word.lower(), word)


def _visit_table(
    folder: Path, sources: dict[str, Source], raw: RawTable | None, households: RawTable | None
) -> VisitTable:
    source, like = sources.get(TABLE), raw or households
    chinese = like is not None and not like.headers[like.at["household_id"]].isascii()
    if source is not None:
        headers = tuple(raw.headers.values()) if raw else ()
        at = {c: int(cell[1:]) for c, cell in raw.at.items()} if raw else {}
        seen = _file_stamp(source.path)
        return VisitTable(source.path, source.kind, source.sheet or None, headers, at, chinese, seen)
    # A table that is not there yet goes where the households are, in the same format.
    model = sources["households"]
    name = contract().tables[TABLE].zh if chinese else TABLE
    beside = model.path.parent == folder and model.kind != "duckdb"
    kind = "csv" if beside and model.kind == GRID else model.kind
    path = model.path.with_name(f"{name}.{kind}") if beside else model.path
    inside = {"xlsx": name, "duckdb": TABLE}.get(kind)
    return VisitTable(path, kind, inside, (), {}, chinese, _file_stamp(path))


def _file_stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from a changed one: size and time; None where there is none."""
    if not path.is_file():
        return None
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def append_visits(table: VisitTable, visits: Sequence[Visit], recorded_on: dt.date) -> None:
    """Add visits to the table, keeping its format, headers, words and rows; the file is replaced whole.

    The day of recording is written beside each, so that no earlier as-of sees them. Refused if the file is
    no longer the one that was read: what another import wrote is never lost.
    """
    writers: Mapping[str, Callable[..., None]] = {
        "csv": _append_csv,
        "parquet": _append_parquet,
        "xlsx": _append_xlsx,
        "duckdb": _append_duckdb,
    }
    if table.kind not in writers:
        raise InputRefused(
            f"{table.path.name}: visits cannot be added to such a file; save it as .xlsx or .csv"
        )
    if visits:
        with atomic(table.path) as temporary:
            writers[table.kind](table, visits, table.rows(visits, recorded_on), temporary)
            if _file_stamp(table.path) != table.seen:
                raise InputRefused(f"{table.path}: was changed by someone else meanwhile; import again")


def _append_csv(table: VisitTable, visits: Sequence[Visit], rows: list[list[Any]], out: Path) -> None:
    data = table.path.read_bytes() if table.path.is_file() else BOM
    bom = BOM if data.startswith(BOM) else b""
    encoding, _ = find_encoding(data.removeprefix(BOM), table.path.name)
    # Bytes that are no text stay what they are.
    text = data.removeprefix(BOM).decode(encoding, errors="surrogateescape")
    end = "\r\n" if "\r\n" in text else "\n"
    body = _csv_text(rows, guess_delimiter(text), end)
    if text and not text.endswith("\n"):
        text += end
    if added := table.new_columns(visits):
        text = _widened(text, [table.header(c) for c in added], end)
    out.write_bytes(bom + (text + body).encode(encoding, errors="surrogateescape"))


def _csv_text(rows: Sequence[Sequence[Any]], delimiter: str, end: str) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows(rows)
    return buffer.getvalue()


def _widened(text: str, headers: list[str], end: str) -> str:
    """Return the text with columns added on the right of the header and of every row below it."""
    if not text.strip():
        return _csv_text([headers], ",", end)
    delimiter = guess_delimiter(text)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    top = header_row(TABLE, rows[:TITLE_LINES])
    width = len(rows[top])
    filled = [row + [""] * (width - len(row)) for row in rows]
    blank = [""] * len(headers)
    wider = [row if i < top else row + (headers if i == top else blank) for i, row in enumerate(filled)]
    return _csv_text(wider, delimiter, end)


def _append_parquet(table: VisitTable, visits: Sequence[Visit], rows: list[list[Any]], out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    old = pq.read_table(table.path) if table.path.is_file() else None
    kinds = {"chance": pa.float64(), "date": pa.date32(), "recorded_on": pa.date32()}
    fields, arrays = [], []
    for i, (column, values) in enumerate(zip(table.columns(visits), zip(*rows, strict=True), strict=True)):
        if old is not None and i < len(table.headers):
            name, kind = old.schema.field(i).name, old.schema.field(i).type
        else:
            name, kind = table.header(column), kinds.get(column, pa.string())
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        fields.append(pa.field(name, plain))
        arrays.append(pa.array([_typed(v, plain) for v in values], plain))
    new = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    if old is not None:
        for field in fields[len(old.schema) :]:
            old = old.append_column(field, pa.nulls(old.num_rows, field.type))
        new = pa.concat_tables([old.cast(pa.schema(fields)), new])
    pq.write_table(new, out)


def _typed(value: Any, kind: Any) -> Any:
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return value.isoformat() if isinstance(value, dt.date) else str(value)
    if pa.types.is_timestamp(kind) and isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    return int(value) if pa.types.is_integer(kind) else value


def _append_xlsx(table: VisitTable, visits: Sequence[Visit], rows: list[list[Any]], out: Path) -> None:
    import openpyxl

    exists = table.path.is_file()
    book = openpyxl.load_workbook(table.path) if exists else openpyxl.Workbook()
    if not exists:
        book.active.title = table.inside
    sheet = book[table.inside] if table.inside in book.sheetnames else book.create_sheet(table.inside)
    filled = [[("" if c is None else str(c)) for c in row] for row in sheet.iter_rows(values_only=True)]
    top = header_row(TABLE, filled[:TITLE_LINES]) if table.headers else 0
    last = max((i for i, row in enumerate(filled) if any(row)), default=-1)
    for j, column in enumerate(table.new_columns(visits), start=len(table.headers) + 1):
        sheet.cell(top + 1, j, table.header(column))
    for i, row in enumerate(rows, start=max(last, top) + 2):
        for j, value in enumerate(row, start=1):
            if value is not None:
                cell = sheet.cell(i, j, value)
                if isinstance(value, dt.date):
                    cell.number_format = "yyyy-mm-dd"
                elif isinstance(value, str):
                    cell.data_type = "s"  # an id that begins with = is no formula
    book.save(out)


def _append_duckdb(table: VisitTable, visits: Sequence[Visit], rows: list[list[Any]], out: Path) -> None:
    import duckdb

    shutil.copyfile(table.path, out)
    name = '"' + str(table.inside).replace('"', '""') + '"'
    kinds = {"date": "DATE", "recorded_on": "DATE", "chance": "DOUBLE"}
    columns = [f'"{table.header(c)}" {kinds.get(c, "VARCHAR")}' for c in table.new_columns(visits)]
    with duckdb.connect(str(out)) as con:
        if not table.headers:
            con.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        else:
            for column in columns:
                con.execute(f"ALTER TABLE {name} ADD COLUMN {column}")
        con.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
