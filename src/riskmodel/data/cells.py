"""Ids, texts and amounts of a raw column, parsed in place: there are too many distinct ones to look up.

Three steps, each a column of its own, so that nothing is computed twice: what is given, its value, and
the reason where no value that holds comes of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from riskmodel.data.schema import ibis_type

_THOUSANDS = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?$"
# Wide and no-break spaces too: Excel leaves them behind.
_SPACE_AT_AN_END = "^[\\s\\v\\x{3000}\\x{a0}]|[\\s\\v\\x{3000}\\x{a0}]$"
_SPACES = "^[\\s\\v\\x{3000}\\x{a0}]+|[\\s\\v\\x{3000}\\x{a0}]+$"
_FORMULA = "^[=+@-]"
_NUMBERS = ("amount", "number")


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
    # Trimming every cell costs more than looking for the few that need it.
    return text.re_search(_SPACE_AT_AN_END).ifelse(text.re_replace(_SPACES, ""), text).nullif("")


def given(column: ir.Column, kind: str) -> ir.Value:
    """Return what a cell gives: trimmed text, or a number that is not NaN.

    Parameters
    ----------
    column : ibis column
    kind : str
        ``id``, ``text``, ``amount`` or ``number``.

    Returns
    -------
    ibis expression
        Null where nothing is given; NaN is how frames write a missing number, infinity is not.
    """
    if kind in _NUMBERS and column.type().is_floating():
        return column.isnan().ifelse(ibis.null(column.type()), column)
    if kind in _NUMBERS and column.type().is_numeric():
        return column
    return as_text(column)


def value(cell: ir.Value, kind: str) -> ir.Value:
    """Return the value of what is `given`, null where it has none."""
    if kind not in _NUMBERS:
        return cell
    target = ibis_type(kind)
    if not cell.type().is_string():
        finite = cell.isinf().ifelse(ibis.null(cell.type()), cell) if cell.type().is_floating() else cell
        return finite.try_cast(target)
    parsed = _plain(cell).try_cast(target)
    if target.is_floating():
        parsed = (parsed.isnan() | parsed.isinf()).ifelse(ibis.null(target), parsed)
    return parsed


def reason(cell: ir.Value, parsed: ir.Value, kind: str) -> ir.Value:
    """Return why a `given` cell has no `value` that holds, null where all is well."""
    nothing = ibis.null("string")
    if kind not in _NUMBERS:
        # A sign begins hardly any id, so the test for a number runs on hardly any.
        formula = cell.re_search(_FORMULA) & cell.try_cast("float64").isnull()
        return ibis.ifelse(formula, "formula-like cell", nothing)
    lost = cell.notnull() & parsed.isnull()
    if not cell.type().is_string():
        infinite = cell.isinf() if cell.type().is_floating() else ibis.literal(False)
        why = ibis.ifelse(infinite, "non-finite amount", "amount too large")
        return ibis.ifelse(lost, why, nothing)
    number = _plain(cell).try_cast("float64")
    why = ibis.cases(
        (number.isinf() | number.isnan(), "non-finite amount"),
        (number.notnull(), "amount too large"),
        (cell.re_search(_FORMULA), "formula-like cell"),
        else_="unparsable number",
    )
    return ibis.ifelse(lost, why, nothing)


def _plain(text: ir.StringValue) -> ir.StringValue:
    """Take the commas out of a number written in thousands."""
    grouped = text.re_search(_THOUSANDS).ifelse(text.replace(",", ""), ibis.null("string"))
    return text.contains(",").ifelse(grouped, text)
