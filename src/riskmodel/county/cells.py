"""Ids, texts and amounts of a raw column, parsed in place: there are too many distinct ones to look up."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from riskmodel.county.schema import ibis_type

_THOUSANDS = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?$"
_WIDE_ENDS = "^[\\s\u3000\u00a0]+|[\\s\u3000\u00a0]+$"
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Cell:
    """A parsed column: its value, and the reason where there is none that holds."""

    value: ir.Value
    reason: ir.Value


def as_text(column: ir.Column) -> ir.StringValue:
    """Return a raw column as trimmed text, empty cells as null; whole floats without their ``.0``."""
    if column.type().is_floating():
        number = column.isnan().ifelse(ibis.null(column.type()), column)
        whole = number.try_cast("int64")
        return (number == whole).ifelse(whole.cast("string"), number.cast("string"))
    text: ir.StringValue = column.cast("string")
    # Wide and no-break spaces, which Excel leaves behind, are rare: only cells that hold one pay for them.
    wide = text.contains("\u3000") | text.contains("\u00a0")
    return wide.ifelse(text.re_replace(_WIDE_ENDS, ""), text).strip().nullif("")


def parse_in_place(column: ir.Column, kind: str) -> Cell:
    """Parse an id, text, amount or number column.

    Parameters
    ----------
    column : ibis column
    kind : str
        A type of the contract.

    Returns
    -------
    Cell
    """
    if kind in ("amount", "number"):
        return _number(column, ibis_type(kind))
    text = as_text(column)
    if not column.type().is_string():
        return Cell(text, ibis.null("string"))
    # A sign is the first character in hardly any id, so the test for a number runs on hardly any.
    formula = text.left(1).isin(_FORMULA) & text.try_cast("float64").isnull()
    return Cell(text, ibis.ifelse(formula, "formula-like cell", ibis.null("string")))


def _number(column: ir.Column, kind: dt.DataType) -> Cell:
    if column.type().is_numeric() and not column.type().is_floating():
        value = column.try_cast(kind)
        too_large = column.notnull() & value.isnull()
        return Cell(value, ibis.ifelse(too_large, "amount too large", ibis.null("string")))
    if column.type().is_floating():
        # NaN is how frames write a missing number; infinity is not.
        given = column.isnan().ifelse(ibis.null(column.type()), column)
        return _finite(
            given.isinf().ifelse(ibis.null(column.type()), given).try_cast(kind), given, given.notnull()
        )
    text = as_text(column)
    plain = text.contains(",").ifelse(
        text.re_search(_THOUSANDS).ifelse(text.replace(",", ""), ibis.null("string")), text
    )
    number = plain.try_cast("float64")
    value = number.isinf().ifelse(ibis.null("string"), plain).try_cast(kind)
    if kind.is_floating():
        value = value.isnan().ifelse(ibis.null(kind), value)
    return _finite(value, number, text.notnull(), text)


def _finite(value: ir.Value, number: ir.Value, given: ir.Value, text: ir.Value | None = None) -> Cell:
    """Attach the reason why something is given and no value comes of it."""
    reasons = [(number.isinf() | number.isnan(), "non-finite amount"), (number.notnull(), "amount too large")]
    if text is not None:
        reasons += [(text.left(1).isin(_FORMULA), "formula-like cell")]
    why = ibis.cases(*reasons, else_="unparsable number")
    return Cell(value, ibis.ifelse(given & value.isnull(), why, ibis.null("string")))
