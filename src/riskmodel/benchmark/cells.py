"""Cells and tables of the benchmark's page: a value with its interval below it, words in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from riskmodel import models
from riskmodel.presentation import Cell, Column, Row, Table, Words


def w(zh: str, en: str) -> dict[str, str]:
    """Return one text in both languages."""
    return {"zh": zh, "en": en}


def number(value: Any, digits: int = 3, sign: bool = False) -> str:
    """Return a number as text; a dash where there is none.

    Examples
    --------
    >>> number(0.1234), number(2, 1, sign=True), number(float("nan"))
    ('0.123', '+2.0', '–')
    """
    if value is None or value != value:
        return "–"
    # Minus zero is zero to a reader.
    value = round(float(value), digits) + 0.0
    return f"{value:{'+' if sign else ''}.{digits}f}"


def cell(value: Any, low: Any = None, high: Any = None, *, digits: int = 3, sign: bool = False) -> Cell:
    """Return a number's cell, its interval small below it."""
    has = low is not None and low == low
    small = f"{number(low, digits, sign)} … {number(high, digits, sign)}" if has else ""
    return Cell(number(value, digits, sign), small)


def p_value(value: Any) -> Cell:
    """Return a p value's cell; below a thousandth it is given as that."""
    return plain("<0.001" if value is not None and value < 0.001 else number(value))


def plain(text: str, mark: str = "") -> Cell:
    """Return a cell of one text in every language."""
    return Cell(text, mark=mark)


def named(words: Words, small: str = "") -> Cell:
    """Return a cell of words in both languages."""
    return Cell(words, small)


def table(
    title: Words,
    heads: Sequence[Words],
    rows: Sequence[Sequence[Cell]],
    *,
    best: int | None = None,
    note: Words | None = None,
    folded: bool = False,
    wide: bool = False,
) -> Table:
    """Return a table whose first column says what a row is; a folded one opens at a click."""
    columns = [Column(head, "number" if k else "text") for k, head in enumerate(heads)]
    marked = [Row(cells, "best" if i == best else "") for i, cells in enumerate(rows)]
    return Table(columns, marked, title=title, notes=(note,) if note else (), folded=folded, wide=wide)


def name_of(model: str) -> dict[str, str]:
    """Return what a model is called in both languages."""
    if model == "oracle":
        return w("真实风险", "the truth")
    found = models.model_entry(model) if models.is_model(model) else None
    return w(found.zh, found.en) if found else w(model, model)
