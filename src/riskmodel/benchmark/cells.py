"""Cells and tables of the bench's page: text in both languages, a value with its interval below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from riskmodel import models

Words = Mapping[str, str]
Cell = dict[str, Any]
Table = dict[str, Any]


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
    return {"text": number(value, digits, sign), "small": small, "kind": ""}


def p_value(value: Any) -> Cell:
    """Return a p value's cell; below a thousandth it is not told apart."""
    return plain("<0.001" if value is not None and value < 0.001 else number(value))


def plain(text: str, kind: str = "") -> Cell:
    """Return a cell of one text in every language."""
    return {"text": text, "small": "", "kind": kind}


def named(words: Words, small: str = "") -> Cell:
    """Return a cell of words in both languages."""
    return {**words, "small": small, "kind": ""}


def table(
    title: Words,
    heads: Sequence[Words],
    rows: Sequence[Sequence[Cell]],
    *,
    best: int | None = None,
    note: Words | None = None,
    closed: bool = False,
    wide: bool = False,
) -> Table:
    """Return a table as the page's template takes it; a closed one opens at a click, a wide one is text."""
    made = [{"cells": list(cells), "best": i == best} for i, cells in enumerate(rows)]
    return {
        "title": title, "heads": list(heads), "rows": made, "note": note, "closed": closed, "wide": wide,
    }  # fmt: skip


def name_of(model: str) -> dict[str, str]:
    """Return what a model is called in both languages.

    Parameters
    ----------
    model : str

    Returns
    -------
    dict
    """
    if model == "oracle":
        return w("真实风险", "the truth")
    found = models.model_entry(model) if models.is_model(model) else None
    return w(found.zh, found.en) if found else w(model, model)
