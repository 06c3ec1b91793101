"""Queries compiled once for all counties of one shape, then run on each with its own rows.

Ibis and sqlglot take several times longer to write a large query than the engine takes to answer it. Here a
query is written by a function that sees a county's `Shape` (tables, columns, kinds of rows), never a row of
it; what differs from run to run (as-of dates, lines, scores) comes in as an input table. The text is
decided by the function, the arguments, the inputs' columns and what it asks of the shape, and kept by
exactly these: `_Asked` takes down each question and its answer. Tables are placeholders in it.

Texts live as long as the process; those that this package's own functions write are also kept on disk
(`riskmodel.data.query_store`).
"""

from __future__ import annotations

import datetime as dt
import gc
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol, TypeAlias

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from pydantic import BaseModel

from riskmodel.data.query_store import read_entry, write_entry
from riskmodel.data.schema import About, canonical_schema, empty_table
from riskmodel.io import Registry


class Holder(Protocol):
    """A county, or one as known at some moments, as far as queries on it are concerned."""

    @property
    def con(self) -> Any:
        """The engine."""

    @property
    def tables(self) -> Mapping[str, ir.Table]:
        """The tables that the engine holds."""

    @property
    def shape(self) -> Shape:
        """What queries are written from."""


Input: TypeAlias = pa.Table | ir.Table | None
Build = Callable[..., ir.Table]

# A text is at most some 200 kB and has some ten questions; a run over several counties and rule sets needs
# fewer than a hundred texts.
MOST_ENTRIES = 5_000
_PLACEHOLDER = re.compile(r'"@(county|input):([^"]+)"')
_SCALARS = (str, int, float, bool, type(None))
_PACKAGE = f"{__name__.partition('.')[0]}."
_KNOWN = "known "  # before the name of a table of which only the rows known at some moments count


def known_name(name: str) -> str:
    """Return the name that a holder gives to the known rows of a table, see `Shape.rows`."""
    return f"{_KNOWN}{name}"


@dataclass(frozen=True)
class Shape:
    """Everything about a county that decides how a query on it is written; none of its rows.

    It stands in for a `County` wherever a query is only written: ``has``, ``table``, ``facts`` and ``about``
    answer as the county's own do.

    Parameters
    ----------
    schemas : tuple
        Name and schema of each table that the source had.
    kinds : tuple
        Name and value of each of `County.facts`.
    about : About
        What queries ask of it, all else left at its default.
    """

    schemas: tuple[tuple[str, ibis.Schema], ...]
    kinds: tuple[tuple[str, bool], ...]
    about: About

    @cached_property
    def facts(self) -> Mapping[str, bool]:
        """What kinds of rows there are at all, see `County.facts`."""
        return dict(self.kinds)

    @cached_property
    def _tables(self) -> dict[str, ir.Table]:
        return {name: ibis.table(schema, name=f"@county:{name}") for name, schema in self.schemas}

    @cached_property
    def _columns(self) -> dict[str, str]:
        return {name: repr(_columns_key(schema)) for name, schema in self.schemas}

    def has(self, name: str) -> bool:
        """Say whether the source had this table."""
        return name in self._tables

    def table(self, name: str) -> ir.Table:
        """Return a placeholder of a canonical table; one that is absent has its columns and no row."""
        return self._tables[name] if self.has(name) else empty_table(canonical_schema(name))

    def rows(self, name: str) -> ir.Table:
        """Return a placeholder of the known rows of a table, see `riskmodel.households.KnownCounty`."""
        return self._tables[known_name(name)]

    def answer(self, question: str) -> str:
        """Return what it says to a question that `_Asked` took down, as text."""
        kind, _, name = question.partition(" ")
        if kind == "has":
            return str(self.has(name))
        if kind == "table":
            return self._columns.get(name, "absent")
        if kind == "fact":
            return str(self.facts.get(name))
        return repr(self.about.model_dump()) if kind == "about" else repr(self._columns)


class _Asked(Mapping[str, bool]):
    """A shape that takes down what it is asked; as a mapping it is the shape's facts."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.questions: list[str] = []

    def _note(self, question: str) -> None:
        if question not in self.questions:
            self.questions.append(question)

    @property
    def facts(self) -> Mapping[str, bool]:
        """The facts; each that is looked up is noted."""
        return self

    @property
    def about(self) -> About:
        """What is said of the county; noted whole."""
        self._note("about")
        return self._shape.about

    @property
    def schemas(self) -> tuple[tuple[str, ibis.Schema], ...]:
        """All tables; noted whole."""
        self._note("all")
        return self._shape.schemas

    def has(self, name: str) -> bool:
        """Say whether the source had this table."""
        self._note(f"has {name}")
        return self._shape.has(name)

    def table(self, name: str) -> ir.Table:
        """Return a placeholder of a table."""
        self._note(f"table {name}")
        return self._shape.table(name)

    def rows(self, name: str) -> ir.Table:
        """Return a placeholder of a table's known rows."""
        self._note(f"table {known_name(name)}")
        return self._shape.rows(name)

    def __getitem__(self, name: str) -> bool:
        self._note(f"fact {name}")
        return self._shape.facts[name]

    def __iter__(self) -> Iterator[str]:
        raise TypeError("a query asks for single facts of a county, so that it is kept by these alone")

    def __len__(self) -> int:
        return len(self._shape.facts)


@dataclass(frozen=True)
class Columns:
    """Tables of which nothing but their columns is known, as a county's are before its facts are."""

    con: Any
    tables: Mapping[str, ir.Table] = field(default_factory=dict)

    @cached_property
    def shape(self) -> Shape:
        """The tables' columns."""
        return Shape(tuple((name, t.schema()) for name, t in self.tables.items()), (), About())


@dataclass(frozen=True)
class Query:
    """A compiled query: its text with placeholders for tables, the columns it returns, and whose it is."""

    text: str
    schema: ibis.Schema
    build: str

    @cached_property
    def create_text(self) -> str:
        """The query with every column cast to its declared type, as a table of it must have them."""
        columns = self.schema.to_sqlglot_column_defs("duckdb")
        cast = (
            f"CAST({c.this.sql('duckdb')} AS {c.kind.sql('duckdb')}) AS {c.this.sql('duckdb')}"
            for c in columns
        )
        return f"SELECT {', '.join(cast)} FROM ({self.text})"


class _Cache:
    """Queries by what they were written from; may be asked from several threads.

    A key leads to a question about the shape, the key with its answer to the next one, and the last answer
    to the query: the function that writes it asks the same questions wherever it gets the same answers.
    The least recently used entries go first.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, str | Query] = OrderedDict()

    def get(self, key: str, shape: Shape, make: Callable[[_Asked], Query], on_disk: bool = False) -> Query:
        """Return the query of a key and a shape, made on the first call."""
        at = key
        while (entry := self._entry(at, on_disk)) is not None:
            if isinstance(entry, Query):
                return entry
            at = _answered(at, entry, shape)
        asked = _Asked(shape)
        query = make(asked)  # not under the lock: two threads may both write the same text
        at = key
        for question in asked.questions:
            self._keep(at, question, on_disk)
            at = _answered(at, question, shape)
        self._keep(at, query, on_disk)
        return query

    def _entry(self, key: str, on_disk: bool) -> str | Query | None:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        entry = _read(key) if on_disk else None
        if entry is not None:
            self._remember(key, entry)
        return entry

    def _keep(self, key: str, entry: str | Query, on_disk: bool) -> None:
        self._remember(key, entry)
        if on_disk:
            _write(key, entry)

    def _remember(self, key: str, entry: str | Query) -> None:
        with self._lock:
            self._entries[key] = entry
            while len(self._entries) > self.most:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget every query."""
        with self._lock:
            self._entries.clear()

    def queries(self, build: Build | None = None) -> list[Query]:
        """Return all queries, or those that a function wrote."""
        with self._lock:
            found = [entry for entry in self._entries.values() if isinstance(entry, Query)]
        return [query for query in found if build is None or query.build == _function_key(build)]


def _answered(key: str, question: str, shape: Shape) -> str:
    return sha256(f"{key} {question}: {shape.answer(question)}".encode()).hexdigest()


CACHE = _Cache(MOST_ENTRIES)


def query(county: Holder, build: Build, *arguments: Any, **inputs: Input) -> Query:
    """Return a query compiled for a county's shape, from the cache where it was compiled before."""
    schemas = {name: None if t is None else _schema(t) for name, t in inputs.items()}
    columns = [(name, schema and _columns_key(schema)) for name, schema in schemas.items()]
    parts = (_key(build), [_key(a) for a in arguments], columns, ibis.options.sql.fuse_selects)

    def make(asked: _Asked) -> Query:
        given = {n: None if s is None else ibis.table(s, name=f"@input:{n}") for n, s in schemas.items()}
        with _no_collection():
            expression = build(asked, *arguments, **given)
            return Query(county.con.compile(expression), expression.schema(), _function_key(build))

    key = sha256(repr(parts).encode()).hexdigest()
    return CACHE.get(key, county.shape, make, on_disk=_is_of_package(parts))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Let no garbage be looked for while a query is written: its many small objects are all in use."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def store_query(
    county: Holder,
    build: Build,
    *arguments: Any,
    name: str | None = None,
    temporary: bool = True,
    **inputs: Input,
) -> ir.Table:
    """Run a query and keep its answer as a table of the county's connection, temporary by default."""
    name = name or f"kept_{uuid.uuid4().hex}"
    compiled = query(county, build, *arguments, **inputs)
    with _bound(county, compiled.create_text, inputs) as text:
        county.con.con.execute(f'CREATE {"TEMP " if temporary else ""}TABLE "{name}" AS {text}')
    return _stored(county.con, name, compiled.schema) if temporary else county.con.table(name)


def name_query(county: Holder, build: Build, *arguments: Any, **inputs: ir.Table) -> ir.Table:
    """Give a query a name in the county's connection; it is run whenever other queries read from it."""
    name = f"named_{uuid.uuid4().hex}"
    compiled = query(county, build, *arguments, **inputs)
    with _bound(county, compiled.text, inputs) as text:
        county.con.con.execute(f'CREATE TEMP VIEW "{name}" AS {text}')
    return _stored(county.con, name, compiled.schema)


def fetch_frame(county: Holder, build: Build, *arguments: Any, **inputs: Input) -> pd.DataFrame:
    """Run a query and return its answer as Ibis' ``to_pandas`` would."""
    compiled = query(county, build, *arguments, **inputs)
    return as_pandas(_run(county, compiled, inputs), compiled.schema)


def fetch_arrow(county: Holder, build: Build, *arguments: Any, **inputs: Input) -> pa.Table:
    """Run a query and return its answer as the engine gives it."""
    return _run(county, query(county, build, *arguments, **inputs), inputs)


def fetch_batches(county: Holder, build: Build, *arguments: Any, **inputs: Input) -> Iterator[pa.RecordBatch]:
    """Run a query and yield its answer bit by bit, an empty one first; ask nothing else until it ends."""
    with _bound(county, query(county, build, *arguments, **inputs).text, inputs) as text:
        reader = county.con.con.sql(text).to_arrow_reader(2**20)
        yield pa.RecordBatch.from_pylist([], reader.schema)
        yield from reader


def _run(county: Holder, compiled: Query, inputs: Mapping[str, Input]) -> pa.Table:
    with _bound(county, compiled.text, inputs) as text:
        return county.con.con.sql(text).to_arrow_table()


def fetch_table(county: Holder, table: ir.Table) -> pd.DataFrame:
    """Return a stored table, or some of its columns, as Ibis' ``to_pandas`` would."""
    return fetch_frame(county, _itself, table=table)


def _itself(county: Shape, table: ir.Table) -> ir.Table:
    return table


def as_pandas(answer: pa.Table, schema: ibis.Schema) -> pd.DataFrame:
    """Return an answer of the engine with the types that Ibis gives."""
    # Not with the package: verbs that read no table start without the engine.
    from ibis.backends.duckdb.converter import DuckDBPandasData

    # Ibis takes columns with nulls by their Python values, and so must we to give the same types.
    columns = {
        name: column.to_pylist() if _by_value(column) else column.to_pandas()
        for name, column in zip(answer.column_names, answer.columns, strict=True)
    }
    return DuckDBPandasData.convert_table(pd.DataFrame(columns), schema)


def _by_value(column: pa.ChunkedArray) -> bool:
    nested = pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type)
    return bool(nested or column.null_count)


def _stored(con: Any, name: str, schema: ibis.Schema) -> ir.Table:
    """Return a temporary table whose columns are known, without asking the engine for them."""
    namespace = ops.Namespace(catalog="temp", database="main")
    return ops.DatabaseTable(name, schema=schema, source=con, namespace=namespace).to_expr()


def _schema(table: pa.Table | ir.Table) -> ibis.Schema:
    return table.schema() if isinstance(table, ir.Table) else ibis.Schema.from_pyarrow(table.schema)


def _columns_key(schema: ibis.Schema) -> list[tuple[str, str]]:
    return [(name, str(kind)) for name, kind in schema.items()]


def _function_key(build: Callable[..., Any]) -> str:
    name = getattr(build, "__qualname__", "<")
    if "<" in name or getattr(build, "__self__", None) is not None:
        raise TypeError(f"{build!r} is no function of a module: hand over what it carries as arguments")
    return f"{build.__module__}.{name}"


def _is_of_package(parts: Any) -> bool:
    """Say whether nothing but this package's files decides a text: no function or member of somebody else."""
    return all(name.startswith(_PACKAGE) for name in _functions(parts)) and not Registry.others


def _functions(part: Any) -> Iterator[str]:
    """Yield the functions that a key names."""
    if isinstance(part, tuple) and len(part) == 2 and part[0] == "function":
        yield str(part[1])
    elif isinstance(part, tuple | list):
        for inner in part:
            yield from _functions(inner)


def _key(value: Any) -> Any:
    """Return a value's part of the key: equal only where the text is sure to be equal (1 is not True)."""
    if isinstance(value, _SCALARS):
        return type(value).__name__, repr(value)
    if isinstance(value, Mapping):
        return "mapping", [(k, _key(v)) for k, v in value.items()]
    if isinstance(value, tuple | list):
        return type(value).__name__, [_key(v) for v in value]
    if isinstance(value, dt.date):
        raise TypeError(f"{value} would stand in the text: hand dates over in an input table")
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, BaseModel):
        return kind, repr(value.model_dump())
    if is_dataclass(value) and not isinstance(value, type):
        return kind, [(f.name, _key(getattr(value, f.name))) for f in fields(value)]
    if callable(value):
        return "function", _function_key(value)
    raise TypeError(f"a {kind} cannot be part of a compiled query's key")


def _read(key: str) -> str | Query | None:
    """Return the entry that another process left on disk, if there is a whole one."""
    content = read_entry(key)
    if content is None:
        return None
    if "question" in content:
        return str(content["question"])
    # A column of nulls has no name to read.
    with suppress(ibis.common.annotations.SignatureValidationError, KeyError, TypeError, ValueError):
        return Query(content["text"], ibis.schema(dict(content["schema"])), content["build"])
    return None


def _write(key: str, entry: str | Query) -> None:
    content: dict[str, Any] = {"question": entry}
    if isinstance(entry, Query):
        content = {"text": entry.text, "schema": _columns_key(entry.schema), "build": entry.build}
    write_entry(key, content)


@contextmanager
def _bound(county: Holder, text: str, inputs: Mapping[str, Input]) -> Iterator[str]:
    """Give a text in which the engine's names stand for the county's tables and for the inputs."""
    names: dict[str, str] = {}
    registered: list[str] = []

    def name(placeholder: re.Match[str]) -> str:
        kind, key = placeholder.groups()
        return names[key] if kind == "input" else _qualified(county.tables[key])

    try:
        for key, table in inputs.items():
            if isinstance(table, ir.Table):
                names[key] = _qualified(table)
            elif table is not None:
                registered.append(f"input_{uuid.uuid4().hex}")
                county.con.con.register(registered[-1], table)
                names[key] = f'"{registered[-1]}"'
        yield _PLACEHOLDER.sub(name, text)
    finally:
        for one in registered:
            county.con.con.unregister(one)


def _qualified(table: ir.Table) -> str:
    """Return the engine's name of a table that it holds, or the text for some columns of one."""
    op = table.op()
    if isinstance(op, ops.Project) and all(
        isinstance(value, ops.Field) and value.name == name for name, value in op.values.items()
    ):
        columns = ", ".join(f'"{name}"' for name in op.values)
        return f"(SELECT {columns} FROM {_qualified(op.parent.to_expr())})"
    if not isinstance(op, ops.DatabaseTable):
        raise TypeError("only tables that the engine holds can be read by a compiled query; store it first")
    parts = (op.namespace.catalog, op.namespace.database, op.name)
    return ".".join(f'"{part}"' for part in parts if part)
