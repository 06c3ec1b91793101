"""The contract as pandera schemas: types, codes, ranges and required cells of every canonical table.

Reading drops what breaks a rule row by row, with its reason; this is the independent second look at what
is kept. A failure here is an error of the reader, and is never passed on.

A check of single cells holds of a column exactly when it holds of its distinct values, and a check of a
range when it holds of the least and the greatest. So pandera is given a few *witness* rows a table,
gathered in one query, instead of fifteen million.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import pandas as pd

from riskmodel.data.schema import canonical_schema, codes, contract
from riskmodel.data.values import FIRST_YEAR, LAST_YEAR
from riskmodel.errors import InputRefused

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

_FEW_VALUES = ("code", "grade", "bool")


@cache
def schema_of(table: str) -> DataFrameSchema:
    """Return the pandera schema of a canonical table, made from the contract."""
    import pandera.pandas as pa

    spec = contract().tables[table].columns
    always = {"month_from", "month_to", "known_on"}
    columns = {}
    for name in canonical_schema(table):
        required = name in always or (name in spec and spec[name].required)
        columns[name] = pa.Column(checks=_checks(table, name), nullable=not required)
    return pa.DataFrameSchema(columns, strict=True, name=table)


def _checks(table: str, name: str) -> list[Any]:
    import pandera.pandas as pa

    column = contract().tables[table].columns.get(name)
    if column is None:
        return []
    ranges = {
        "grade": (0, 4),
        "year": (FIRST_YEAR, LAST_YEAR),
        "month": (FIRST_YEAR * 12, LAST_YEAR * 12 + 11),
    }
    if column.type == "code":
        return [pa.Check.isin(list(codes(table, name)))]
    if column.type in ranges:
        return [pa.Check.in_range(*ranges[column.type])]
    if column.type == "amount" and table != "income":
        return [pa.Check.ge(0)]
    return []


def witnesses(con: Any, table: str) -> pd.DataFrame:
    """Return a few rows that hold every value a check could fail on."""
    spec = contract().tables[table].columns
    names = list(canonical_schema(table))
    parts = []
    for name in names:
        few = name in spec and spec[name].type in _FEW_VALUES
        values = f'list(DISTINCT "{name}")' if few else f'[min("{name}"), max("{name}")]'
        parts += [values, f'count(*) > count("{name}")']
    found = con.raw_sql(f'SELECT {", ".join(parts)} FROM "{table}"').fetchall()[0]
    columns = {}
    for name, values, has_null in zip(names, found[::2], found[1::2], strict=True):
        columns[name] = [v for v in values or [] if v is not None] + [None] * bool(has_null)
    longest = max(len(values) for values in columns.values())
    return pd.DataFrame({n: _padded(values, longest) for n, values in columns.items()}, dtype=object)


def _padded(values: list[Any], length: int) -> list[Any]:
    return values + values[-1:] * (length - len(values))


def validate(con: Any, table: str, rows: ir.Table) -> None:
    """Check a canonical table against its schema."""
    from pandera.errors import SchemaErrors

    kinds = {name: kind.copy(nullable=True) for name, kind in rows.schema().items()}
    if kinds != {name: kind.copy(nullable=True) for name, kind in canonical_schema(table).items()}:
        raise InputRefused(f"{table}: columns {dict(kinds)} are not those of the contract")
    try:
        schema_of(table).validate(witnesses(con, table), lazy=True)
    except SchemaErrors as exc:
        raise InputRefused(f"{table}: the rows kept break the contract: {exc}") from exc
