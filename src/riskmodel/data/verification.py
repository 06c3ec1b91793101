"""A second look at the canonical tables: what the contract does not allow is in none of them."""

from __future__ import annotations

from typing import Any

import ibis.expr.types as ir

from riskmodel.data.schema import SPAN_TABLES, canonical_schema, codes, contract
from riskmodel.data.values import FIRST_YEAR, LAST_YEAR
from riskmodel.errors import InputRefused

_RANGES = {
    "grade": (0, 4),
    "year": (FIRST_YEAR, LAST_YEAR),
    "month": (FIRST_YEAR * 12, LAST_YEAR * 12 + 11),
}


def verify_table(con: Any, name: str, rows: ir.Table) -> None:
    """Refuse a canonical table that breaks the contract: a second look at what parsing kept."""
    expected = canonical_schema(name)
    kinds = {column: kind.copy(nullable=True) for column, kind in rows.schema().items()}
    if kinds != {column: kind.copy(nullable=True) for column, kind in expected.items()}:
        raise InputRefused(f"{name}: columns {dict(kinds)} are not those of the contract")
    counts = ", ".join(f"count(*) FILTER ({column_violation(name, column)})" for column in expected)
    found = con.raw_sql(f'SELECT {counts} FROM "{name}"').fetchall()[0]
    broken = [f"{column} ({n} rows)" for column, n in zip(expected, found, strict=True) if n]
    if broken:
        raise InputRefused(f"{name}: the rows kept break the contract in {', '.join(broken)}")


def column_violation(table: str, column: str) -> str:
    """Return the SQL condition of cells that the contract does not allow in a column."""
    spec = contract().tables[table].columns.get(column)
    spans = column in ("month_from", "month_to") and table in SPAN_TABLES
    required = spans or column == "known_on" or (spec is not None and spec.required)
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
