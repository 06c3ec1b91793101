"""The tables of the data contract as declared in ``contract.yaml``: columns, types, codes, keys.

A *canonical* table is what every module above reads. It has all contract columns under their English
names (typed nulls where the source lacks one), English codes, amounts as DECIMAL(18,4) yuan, and months
as **month ordinals** (``year * 12 + month - 1``), so that "the 12 months up to" is a subtraction.
``month`` becomes ``month_from`` = ``month_to``; every row gains ``known_on``, the day from which the
office knew it (contract, "Input").
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import ibis
import ibis.expr.datatypes as dt
from pydantic import Field

from riskmodel.io.specs import Spec, load

ColumnType = Literal[
    "id", "text", "code", "codes", "bool", "date", "month", "year", "grade", "amount", "number"
]

_IBIS_TYPES: dict[str, dt.DataType] = {
    "id": dt.string,
    "text": dt.string,
    "code": dt.string,
    "codes": dt.string,
    "bool": dt.boolean,
    "date": dt.date,
    "month": dt.int32,
    "year": dt.int32,
    "grade": dt.int32,
    "amount": dt.Decimal(18, 4),
    "number": dt.float64,
}
SPAN_TABLES = ("income", "spending")


class Column(Spec):
    """One column: its Chinese header, type, and its codes (English code to Chinese word)."""

    zh: str
    type: ColumnType
    required: bool = False
    codes: dict[str, str] = Field(default_factory=dict)
    codes_of: str | None = None


class Table(Spec):
    """One table: its Chinese name, key columns, the column that dates its rows, and its columns."""

    zh: str
    key: tuple[str, ...] = ()
    event_date: str | None = None
    columns: dict[str, Column]


class Contract(Spec):
    """All tables; ``required`` ones must be there."""

    version: int
    required: tuple[str, ...]
    tables: dict[str, Table]


@cache
def contract() -> Contract:
    """Return the packaged data contract (parsed once)."""
    return load(Path(__file__).with_name("contract.yaml"), Contract)


def codes(table: str, column: str) -> dict[str, str]:
    """Return a column's codes as ``{english: chinese}``, in contract order.

    Parameters
    ----------
    table, column : str

    Returns
    -------
    dict
        Empty where the column has no codes.

    Examples
    --------
    >>> list(codes("income", "source"))
    ['wage', 'business', 'property', 'transfer', 'business_net']
    >>> codes("support", "cause")["illness"]
    '因病'
    """
    col = contract().tables[table].columns[column]
    if col.codes_of:
        other_table, other_column = col.codes_of.split(".")
        return codes(other_table, other_column)
    return dict(col.codes)


def canonical_schema(table: str) -> ibis.Schema:
    """Return names and types of a canonical table (see the module's first lines).

    Parameters
    ----------
    table : str

    Returns
    -------
    ibis.Schema
        Contract columns (without ``month`` for income and spending), then ``known_on``.
    """
    fields: dict[str, dt.DataType] = {}
    for name, col in contract().tables[table].columns.items():
        if table in SPAN_TABLES and name == "month":
            continue
        fields[name] = _IBIS_TYPES[col.type]
    fields["known_on"] = dt.date
    return ibis.schema(fields)


def ibis_type(kind: str) -> dt.DataType:
    """Return the Ibis type of a contract type (months are ordinals).

    Examples
    --------
    >>> str(ibis_type("amount")), str(ibis_type("month"))
    ('decimal(18, 4)', 'int32')
    """
    return _IBIS_TYPES[kind]


def month_ordinal(year: int, month: int) -> int:
    """Return the ordinal of a calendar month.

    Examples
    --------
    >>> month_ordinal(2021, 1) - month_ordinal(2020, 12)
    1
    """
    return year * 12 + month - 1


def month_text(ordinal: int) -> str:
    """Return a month ordinal as ``YYYY-MM``.

    Examples
    --------
    >>> month_text(month_ordinal(2021, 5))
    '2021-05'
    """
    return f"{ordinal // 12:04d}-{ordinal % 12 + 1:02d}"
