"""The county's table of visits as it stands in its file: what it holds already, and how it is written to.

Adding rows to a table in the format it has, all at once or not at all.

Taking a filled list into a county: what is new is added, what is there stays, what clashes is shown.
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
    KEY_VARIABLE,
    Raw,
    Source,
    cell_text,
    contract,
    find_encoding,
    find_sources,
    header_row,
    open_raw,
    parse_date,
    pseudonym,
)
from riskmodel.errors import InputRefused
from riskmodel.io.files import atomic
from riskmodel.scoring.filled_lists import (
    TITLE_LINES,
    FilledList,
    Problem,
    Visit,
    accepted_words,
    read_filled_list,
    unescaped_id,
)

TABLE = "visits"
COLUMNS = ("household_id", "date", "outcome", "cause", "selected_by", "decision", "chance", "recorded_on")
_RECORDED_ZH = "录入日期"


@dataclass(frozen=True)
class VisitTable:
    """Where visits are to be written.

    Parameters
    ----------
    path : Path
        The file; not there yet where the county has no visits.
    kind : str
        ``parquet``, ``csv``, ``xlsx`` or ``duckdb``.
    inside : str or None
        Sheet or table in the file.
    headers : tuple of str
        As they stand; empty where there is no table yet.
    at : mapping
        Column of the contract to its position in ``headers``.
    chinese : bool
        Headers and words are Chinese.
    seen : tuple of int or None
        Size and time of the file when it was read; None where there is none.
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
        if not self.chinese:
            return column
        return _RECORDED_ZH if column == "recorded_on" else contract().tables[TABLE].columns[column].zh

    def cell(self, column: str, visit: Visit, recorded_on: dt.date) -> Any:
        """Return one value as it is written: codes in the file's own language, None where nothing is said."""
        value = recorded_on if column == "recorded_on" else getattr(visit, column)
        words = contract().tables[TABLE].columns
        if self.chinese and column in words and isinstance(value, str) and column != "household_id":
            spec = words[column]
            known = spec.codes or contract().tables["risk_events"].columns["cause"].codes
            return known[value]
        return value

    def added(self, visits: Sequence[Visit]) -> list[str]:
        """Return the columns that the table lacks and these visits fill."""
        needed = [c for c in COLUMNS if c == "recorded_on" or any(getattr(v, c) is not None for v in visits)]
        return [c for c in needed if c not in self.at]


@dataclass(frozen=True)
class RecordedVisits:
    """What a county holds already.

    Parameters
    ----------
    target : Target
    households : frozenset of str
    visits : dict
        ``(household_id, date)`` to what is written of that day: ``(outcome, cause)`` pairs.
    """

    target: VisitTable
    households: frozenset[str]
    visits: dict[tuple[str, dt.date], set[tuple[str | None, str | None]]]


def read_recorded_visits(data: str | Path) -> RecordedVisits:
    """Read a county's household ids and visits as they stand; nothing else of it is read.

    Parameters
    ----------
    data : str or Path

    Returns
    -------
    Held

    Raises
    ------
    InputRefused
        If the county has no readable table of households.
    """
    folder = Path(data)
    sources, _ = find_sources(folder)
    by_table = {s.table: s for s in sources}
    con = ibis.duckdb.connect()
    households, _ = open_raw(con, by_table["households"])
    ids = frozenset(_texts(households, "household_id")) if households else frozenset()
    source = by_table.get(TABLE)
    raw = open_raw(con, source)[0] if source else None
    visits: dict[tuple[str, dt.date], set[tuple[str | None, str | None]]] = {}
    if raw is not None:
        columns = [_texts(raw, c) for c in ("household_id", "date", "outcome", "cause")]
        for household, day, outcome, cause in zip(*columns, strict=True):
            date = parse_date(day)[0]
            if household is not None and date is not None:
                said = (_code("outcome", outcome), _code("cause", cause))
                visits.setdefault((household, date), set()).add(said)
    return RecordedVisits(_target(folder, by_table, raw, households), ids, visits)


def _texts(raw: Raw, column: str) -> list[Any]:
    rows = raw.rows.order_by("row_").to_pyarrow()
    if column not in raw.at:
        return [None] * rows.num_rows
    texts = [cell_text(v) for v in rows[raw.at[column]].to_pylist()]
    return [unescaped_id(t) if t and column == "household_id" else t for t in texts]


def _code(column: str, word: str | None) -> str | None:
    return None if word is None else accepted_words(column).get(word.lower(), word)


def _target(folder: Path, sources: dict[str, Source], raw: Raw | None, households: Raw | None) -> VisitTable:
    source = sources.get(TABLE)
    chinese = _is_chinese(raw or households)
    if source is not None:
        inside = source.inside if isinstance(source.inside, str) else getattr(source.inside, "title", None)
        headers = tuple(raw.headers.values()) if raw else ()
        at = {c: int(cell[1:]) for c, cell in raw.at.items()} if raw else {}
        return VisitTable(source.path, source.kind, inside, headers, at, chinese, file_stamp(source.path))
    model = sources["households"]
    inside = (contract().tables[TABLE].zh if chinese else TABLE) if model.kind in ("xlsx", "duckdb") else None
    path = model.path
    if model.path.parent == folder and model.kind in ("csv", "parquet", "xlsx"):
        path = folder / f"{contract().tables[TABLE].zh if chinese else TABLE}.{model.kind}"
    if model.kind == "duckdb":
        inside = TABLE
    return VisitTable(path, model.kind, inside, (), {}, chinese, file_stamp(path))


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from a changed one: size and time; None where there is none."""
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _is_chinese(raw: Raw | None) -> bool:
    return raw is not None and not raw.headers[raw.at["household_id"]].isascii()


_BOM = b"\xef\xbb\xbf"


def append_visits(target: VisitTable, visits: Sequence[Visit], recorded_on: dt.date) -> Path:
    """Add visits to the table, keeping its format, its headers, its words and what it holds.

    Parameters
    ----------
    target : Target
    visits : sequence of Visit
    recorded_on : date
        The day the office came to know them: written beside each, so that no earlier as-of sees them.

    Returns
    -------
    Path
        The file, replaced whole; untouched where there is nothing to add.

    Raises
    ------
    InputRefused
        If the file is no longer the one that was read: what another import wrote is never lost.
    """
    writers: Mapping[str, Callable[..., None]] = {
        "csv": _csv,
        "parquet": _parquet,
        "xlsx": _xlsx,
        "duckdb": _duckdb,
    }
    if visits:
        with atomic(target.path) as temporary:
            writers[target.kind](target, visits, recorded_on, temporary)
            if file_stamp(target.path) != target.seen:
                raise InputRefused(f"{target.path}: was changed by someone else meanwhile; import again")
    return target.path


def _columns(target: VisitTable, visits: Sequence[Visit]) -> list[str]:
    """Return the columns of a row in file order; an empty name where the file has a column of its own."""
    place = {position: column for column, position in target.at.items()}
    return [place.get(i, "") for i in range(len(target.headers))] + target.added(visits)


def _rows(target: VisitTable, visits: Sequence[Visit], recorded_on: dt.date) -> list[list[Any]]:
    columns = _columns(target, visits)
    known = set(COLUMNS)
    return [[target.cell(c, v, recorded_on) if c in known else None for c in columns] for v in visits]


def _csv(target: VisitTable, visits: Sequence[Visit], recorded_on: dt.date, out: Path) -> None:
    data = target.path.read_bytes() if target.path.is_file() else _BOM
    bom = _BOM if data.startswith(_BOM) else b""
    encoding, _ = find_encoding(data.removeprefix(_BOM), target.path.name)
    # Bytes that are no text stay what they are.
    text = data.removeprefix(_BOM).decode(encoding, errors="surrogateescape")
    end = "\r\n" if "\r\n" in text else "\n"
    added = target.added(visits)
    body = _text_rows(_rows(target, visits, recorded_on), _delimiter(text), end)
    if text and not text.endswith("\n"):
        text += end
    if added:
        text = _widened(text, [target.header(c) for c in added], end)
    out.write_bytes(bom + (text + body).encode(encoding, errors="surrogateescape"))


def _delimiter(text: str) -> str:
    head = text[:4096]
    return max(",\t;", key=head.count)


def _text_rows(rows: Sequence[Sequence[Any]], delimiter: str, end: str) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows(rows)
    return buffer.getvalue()


def _widened(text: str, headers: list[str], end: str) -> str:
    """Return the text with columns added on the right of the header and of every row below it."""
    if not text.strip():
        return _text_rows([headers], ",", end)
    delimiter = _delimiter(text)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    top = header_row(TABLE, rows[:TITLE_LINES])
    wide = len(rows[top])
    filled = [row + [""] * (wide - len(row)) for row in rows]
    blank = [""] * len(headers)
    wider = [row if i < top else row + (headers if i == top else blank) for i, row in enumerate(filled)]
    return _text_rows(wider, delimiter, end)


def _parquet(target: VisitTable, visits: Sequence[Visit], recorded_on: dt.date, out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    old = pq.read_table(target.path) if target.path.is_file() else None
    columns = _columns(target, visits)
    cells = list(zip(*_rows(target, visits, recorded_on), strict=True))
    fields, arrays = [], []
    for i, (column, values) in enumerate(zip(columns, cells, strict=True)):
        own = old.schema.field(i) if old is not None and i < len(target.headers) else None
        if own is None:
            kinds = {"chance": pa.float64(), "date": pa.date32(), "recorded_on": pa.date32()}
            own = pa.field(target.header(column), kinds.get(column, pa.string()))
        plain = own.type.value_type if pa.types.is_dictionary(own.type) else own.type
        fields.append(pa.field(own.name, plain))
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
    if pa.types.is_integer(kind):
        return int(value)
    return value


def _xlsx(target: VisitTable, visits: Sequence[Visit], recorded_on: dt.date, out: Path) -> None:
    import openpyxl

    there = target.path.is_file()
    book = openpyxl.load_workbook(target.path) if there else openpyxl.Workbook()
    if not there:
        book.active.title = target.inside
    sheet = book[target.inside] if target.inside in book.sheetnames else book.create_sheet(target.inside)
    filled = [[("" if c is None else str(c)) for c in row] for row in sheet.iter_rows(values_only=True)]
    top = header_row(TABLE, filled[:TITLE_LINES]) if target.headers else 0
    last = max((i for i, row in enumerate(filled) if any(row)), default=-1)
    for j, column in enumerate(target.added(visits), start=len(target.headers) + 1):
        sheet.cell(top + 1, j, target.header(column))
    for i, row in enumerate(_rows(target, visits, recorded_on), start=max(last, top) + 2):
        for j, value in enumerate(row, start=1):
            if value is not None:
                cell = sheet.cell(i, j, value)
                if isinstance(value, dt.date):
                    cell.number_format = "yyyy-mm-dd"
                elif isinstance(value, str):
                    cell.data_type = "s"  # an id that begins with = is no formula
    book.save(out)


def _duckdb(target: VisitTable, visits: Sequence[Visit], recorded_on: dt.date, out: Path) -> None:
    import duckdb

    shutil.copyfile(target.path, out)
    name = '"' + str(target.inside).replace('"', '""') + '"'
    kinds = {"date": "DATE", "recorded_on": "DATE", "chance": "DOUBLE"}
    added = target.added(visits)
    columns = [(target.header(c), kinds.get(c, "VARCHAR")) for c in added]
    with duckdb.connect(str(out)) as con:
        if not target.headers:
            told = ", ".join(f'"{n}" {k}' for n, k in columns)
            con.execute(f"CREATE TABLE {name} ({told})")
        else:
            for header, kind in columns:
                con.execute(f'ALTER TABLE {name} ADD COLUMN "{header}" {kind}')
        rows = _rows(target, visits, recorded_on)
        con.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)


_KEYED = re.compile(r"[0-9a-f]{32}")  # what `riskmodel.data.personal.pseudonym` makes


@dataclass(frozen=True)
class Conflict:
    """A visit that says something else than the county's table says of the same household and day."""

    cell: str
    household_id: str
    date: dt.date
    written: tuple[str | None, str | None]
    there: tuple[tuple[str | None, str | None], ...]

    def __str__(self) -> str:
        have = "; ".join(_said(pair) for pair in self.there)
        return (
            f"{self.cell}: household {self.household_id} on {self.date} is {_said(self.written)} here but "
            f"{have} in the data; nothing was changed: mend one of them"
        )


def _said(pair: tuple[str | None, str | None]) -> str:
    return " / ".join(part for part in pair if part)


@dataclass(frozen=True)
class VisitImport:
    """What became of a filled list.

    Parameters
    ----------
    path : Path
        The table of visits.
    added : tuple of Visit
    already : int
        Visits that were there with the same finding and cause.
    conflicts : tuple of Conflict
    problems : tuple of Problem
    empty : int
        Households not visited yet.
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
        rows += [(c.cell, c.household_id, "outcome", _said(c.written), str(c)) for c in self.conflicts]
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
    path : str or Path
        The filled list (see `read_filled`).
    data : str or Path
        The county, a folder, a workbook or a DuckDB file; its table of visits keeps its format and is
        replaced whole or not at all.
    recorded_on : date
        The day on which the office came to know these visits.
    dry : bool
        Check only.
    key : bytes, optional
        `riskmodel.data.personal.secret_key`, where the list was made with ``--pseudonymise``: its keyed
        ids are turned back into the office's own, which is what the table of visits holds.

    Returns
    -------
    Taken

    Raises
    ------
    InputRefused
        If list or county cannot be read, the list's ids are keyed and the key is not given (or is another),
        or the list has entries and not one of them can be used.
    """
    filled = read_filled_list(path)
    known = read_recorded_visits(data)
    filled = _own_ids(Path(path), filled, known, key)
    problems = [*filled.problems]
    new: list[Visit] = []
    conflicts: list[Conflict] = []
    already = 0
    for visit in filled.visits:
        problem = _problem(visit, known, recorded_on)
        there = known.visits.get((visit.household_id, visit.date), set())
        said = (visit.outcome, visit.cause)
        if problem is not None:
            problems.append(problem)
        elif said in there:
            already += 1
        elif there:
            told = tuple(sorted(there, key=str))
            conflicts.append(Conflict(visit.cell, visit.household_id, visit.date, said, told))
        else:
            new.append(visit)
    if problems and not (new or already or conflicts):
        raise InputRefused(_nothing_usable(Path(path), filled, problems))
    if not dry:
        append_visits(known.target, sorted(new, key=lambda v: (v.date, v.household_id)), recorded_on)
    return VisitImport(
        known.target.path, tuple(new), already, tuple(conflicts), tuple(problems), filled.empty
    )


def _own_ids(path: Path, filled: FilledList, known: RecordedVisits, key: bytes | None) -> FilledList:
    """Return the list with the office's own ids where they are keyed."""
    own: Mapping[str, str] = {} if key is None else {pseudonym(h, key): h for h in known.households}
    strange = [v for v in filled.visits if v.household_id not in known.households]
    keyed = [v for v in strange if _KEYED.fullmatch(v.household_id)]
    if keyed and not any(v.household_id in own for v in keyed):
        told = (
            f"the secret key in {KEY_VARIABLE} is not the one that the list was made with"
            if key is not None
            else f"give --pseudonymise, and in {KEY_VARIABLE} the secret key that the list was made with"
        )
        raise InputRefused(f"{path.name}: {len(keyed)} household ids are keyed ({keyed[0].cell}): {told}")
    return replace(
        filled,
        visits=tuple(replace(v, household_id=own.get(v.household_id, v.household_id)) for v in filled.visits),
    )


def _problem(visit: Visit, known: RecordedVisits, recorded_on: dt.date) -> Problem | None:
    if visit.household_id not in known.households:
        hint = ""
        if visit.household_id.isdigit():
            padded = [h for h in known.households if h.lstrip("0") == visit.household_id]
            hint = f"; did a spreadsheet drop the zeros of {padded[0]}?" if len(padded) == 1 else ""
        reason = f"household {visit.household_id!r} is not in the county's table of households{hint}"
        return Problem(visit.cell, visit.household_id, "household_id", visit.household_id, reason)
    if visit.date > recorded_on:
        reason = f"the visit of {visit.date} is after the day it was recorded ({recorded_on}); check the date"
        return Problem(visit.cell, visit.household_id, "visited_on", str(visit.date), reason)
    return None


def _nothing_usable(path: Path, filled: FilledList, problems: list[Problem]) -> str:
    shown = "; ".join(str(p) for p in problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return f"{path.name}: none of {len(problems)} entries can be used: {shown}{more}"
