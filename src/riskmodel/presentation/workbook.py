"""Formats and single cells of the workbook; every text passes `safe_text`."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

import pandas as pd

from riskmodel.errors import RiskmodelError
from riskmodel.io.files import safe_text
from riskmodel.scoring import Column, Lang, book

SHEET_NAME_LIMIT = 31
FONT = {"zh": "等线", "en": "Calibri"}
NUMBER_FORMATS = {
    "integer": "0",
    "yuan": "#,##0",
    "percent": "0.0%",
    "chance": "0.000000",
    "date": "yyyy-mm-dd",
}


def sheet_name(wanted: str, used: set[str]) -> str:
    """Return a name that Excel allows and that is not used yet; adds it to ``used``.

    Examples
    --------
    >>> sheet_name("a/b", set()), sheet_name("A", {"a"})
    ('a b', 'A 2')
    """
    plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", wanted).strip(" '") or "-"
    name, n = plain[:SHEET_NAME_LIMIT], 1
    while name.lower() in used:
        n += 1
        name = f"{plain[: SHEET_NAME_LIMIT - len(str(n)) - 1]} {n}"
    used.add(name.lower())
    return name


def text_width(text: str) -> int:
    """Return the width of text in half-width characters; a Chinese character is two wide.

    Examples
    --------
    >>> text_width("人均 5")
    6
    """
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in text)


def wrapped_lines(text: str, width: int) -> int:
    """Return how many lines text takes in a column of so many characters (one character kept free)."""
    return sum(max(1, math.ceil(text_width(part) / max(1, width - 1))) for part in text.split("\n"))


class Cells:
    """The formats of one workbook, and writing one cell in them."""

    def __init__(self, workbook: Any, lang: Lang) -> None:
        self._workbook = workbook
        self._lang = lang
        self._made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def format(self, **properties: Any) -> Any:
        """Return a format with these properties, made once."""
        base = {"font_name": FONT[self._lang], "font_size": 10, "valign": "vcenter"}
        given = tuple(sorted({**base, **properties}.items()))
        if given not in self._made:
            self._made[given] = self._workbook.add_format(dict(given))
        return self._made[given]

    def header(self, entry: bool) -> Any:
        """Return the format of a header cell; columns to be filled in stand out."""
        colour = "#7A5C00" if entry else "#1F3A5F"
        return self.format(
            bold=True, font_color="#FFFFFF", bg_color=colour, border=1, border_color="#FFFFFF",
            text_wrap=True, align="center",
        )  # fmt: skip

    def body(self, column: Column, tint: str | None, *, pale: bool = False) -> Any:
        """Return the format of a data cell; a pale one is not to be relied upon."""
        properties: dict[str, Any] = {"border": 1, "border_color": "#D0D7E2"}
        if column.kind in NUMBER_FORMATS:
            properties["num_format"] = NUMBER_FORMATS[column.kind]
        elif column.kind == "date_entry":
            properties["num_format"] = NUMBER_FORMATS["date"]
        elif column.kind in ("text", "id", "wrap"):
            properties["num_format"] = "@"
        if column.kind == "wrap":
            properties |= {"text_wrap": True, "indent": 1}
        elif column.kind in ("text", "pick", "date", "integer"):
            properties |= {"align": "center", "text_wrap": column.kind == "text"}
        if column.kind in ("pick", "entry", "date_entry"):
            properties |= {"bg_color": "#FFF9E5", "locked": False}
        elif tint:
            properties["bg_color"] = tint
        if pale:
            properties["font_color"] = "#8A94A6"
        return self.format(**properties)

    def write(self, sheet: Any, row: int, col: int, value: object, style: Any) -> None:
        """Write one value: missing as an empty cell, infinite as words, text made safe.

        Raises
        ------
        RiskmodelError
            If the workbook cannot hold the value (a text beyond 32,767 characters, a row too many).
        """
        if value is None or value is pd.NaT or value != value:
            done = sheet.write_blank(row, col, None, style)
        elif isinstance(value, pd.Timestamp):
            done = sheet.write_datetime(row, col, value.to_pydatetime(), style)
        elif isinstance(value, str):
            done = sheet.write_string(row, col, safe_text(value), style)
        elif not math.isfinite(float(value)):  # type: ignore[arg-type]
            done = sheet.write_string(row, col, book().words["infinite"].say(self._lang), style)
        else:
            done = sheet.write_number(row, col, float(value), style)  # type: ignore[arg-type]
        if done != 0:
            raise RiskmodelError(
                f"cell in row {row + 1}, column {col + 1} does not fit into a workbook: {value!r:.80}"
            )
