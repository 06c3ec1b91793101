"""The contract as pandera schemas: types, codes, ranges and required cells of every canonical table.

Reading drops what breaks a rule row by row, with its reason; this is the independent second look at what
is kept, run inside the database. A failure here is an error of the reader, and is never passed on.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir

from riskmodel.county.schema import canonical_schema, codes, contract
from riskmodel.county.values import FIRST_YEAR, LAST_YEAR
from riskmodel.errors import InputRefused

if TYPE_CHECKING:
    from pandera.ibis import DataFrameSchema


@cache
def schema_of(table: str) -> DataFrameSchema:
    """Return the pandera schema of a canonical table, made from the contract.

    Parameters
    ----------
    table : str

    Returns
    -------
    pandera.ibis.DataFrameSchema
    """
    import pandera.ibis as pa

    spec = contract().tables[table].columns
    always = {"month_from", "month_to", "known_on"}
    columns = {}
    for name, kind in canonical_schema(table).items():
        required = name in always or (name in spec and spec[name].required)
        columns[name] = pa.Column(kind, _checks(table, name), nullable=not required)
    return pa.DataFrameSchema(columns, strict=True, name=table)


def _checks(table: str, name: str) -> list[Any]:
    import pandera.ibis as pa

    column = contract().tables[table].columns.get(name)
    if column is None:
        return []
    if column.type == "code":
        return [pa.Check.isin(list(codes(table, name)))]
    if column.type == "grade":
        return [pa.Check.in_range(0, 4)]
    if column.type == "year":
        return [pa.Check.in_range(FIRST_YEAR, LAST_YEAR)]
    if column.type == "month":
        return [pa.Check.in_range(FIRST_YEAR * 12, LAST_YEAR * 12 + 11)]
    if column.type == "amount" and table != "income":
        return [pa.Check.ge(0)]
    return []


def validate(table: str, rows: ir.Table) -> None:
    """Check a canonical table against its schema.

    Parameters
    ----------
    table : str
    rows : ibis.Table

    Raises
    ------
    InputRefused
        Naming the table and the check that failed.
    """
    from pandera.errors import SchemaError, SchemaErrors

    try:
        schema_of(table).validate(rows)
    except (SchemaError, SchemaErrors) as exc:
        raise InputRefused(f"{table}: the rows kept break the contract: {exc}") from exc
