"""Sheets with one amount a row: which table and item their amounts are of, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from riskmodel.importing.header_words import normalise_word
from riskmodel.importing.mapping import UNITS, AmountMap
from riskmodel.importing.sheet_layout import Header, text_of

if TYPE_CHECKING:
    from riskmodel.importing.guess_columns import SheetColumns

_DIRECTIONS = {"income": "收", "spending": "支"}


def chosen_tables(shares: dict[str, float], said: str) -> list[str]:
    """Return the tables whose words a column holds; a word of both lists belongs to what the titles say."""
    # Words that are of one list each are of two kinds of rows, half of each or not.
    if 0.7 <= sum(shares.values()) <= 1.05 and min(shares.values()) > 0.05:
        return list(shares)
    if said and shares[said] >= 0.5:
        return [said]
    high = [t for t, share in shares.items() if share >= 0.5]
    if len(high) == 2:
        best = max(shares, key=lambda t: shares[t])
        return [best] if shares[best] > min(shares.values()) else []
    if high:
        return high
    return [t for t, share in shares.items() if share > 0.05] if sum(shares.values()) >= 0.7 else []


def said_table(sheet: SheetColumns) -> str:
    """Return which of income and spending titles and headers speak of; empty where of both or none."""
    texts = [*title_texts(sheet), *(h.text for h in sheet.visible())]
    income, spending = any("收入" in t for t in texts), any("支出" in t for t in texts)
    return "" if income == spending else "income" if income else "spending"


def title_texts(sheet: SheetColumns) -> list[str]:
    """Return the titles above the header and the names of sheet and file."""
    first = min(sheet.layout.header_rows)
    titles = [text_of(v) for line in sheet.grid.rows[: first - 1] for v in line if text_of(v)]
    return [*titles, sheet.grid.sheet, re.sub(r"\.\w+$", "", sheet.grid.file)]


def item_of_titles(sheet: SheetColumns) -> str | None:
    """Return the one source or category that titles and names speak of."""
    for text in title_texts(sheet):
        word = normalise_word(text)
        found = {
            known: f"{name.partition('.')[0]}.{code}"
            for name in ("income.source", "spending.category")
            for known, code in sheet.words.words(name).items()
            if len(known) >= 2 and known in word
        }
        # 经营 inside 生产经营性支出 says nothing by itself.
        longest = {item for known, item in found.items() if not any(known in o for o in found if o != known)}
        if len(longest) == 1:
            return longest.pop()
    return None


def two_directions(headers: Sequence[Header]) -> bool:
    """Say whether two columns of amounts are one of incomes and one of spendings: 收入金额, 支出金额."""
    found = [[t for t, word in _DIRECTIONS.items() if word in h.own] for h in headers]
    return len(headers) == 2 and sorted(found) == [["income"], ["spending"]]


def amounts_by_table(sheet: SheetColumns, amounts: tuple[AmountMap, ...]) -> dict[str, tuple[AmountMap, ...]]:
    """Return the columns of amounts of each table: those of its direction, where two columns part them."""
    both = [h for h in sheet.visible() for m in h.meanings[:1] if m.sure == 1 and m.name == "amount"]
    if len(amounts) != 1 or not two_directions(both):
        return dict.fromkeys(_DIRECTIONS, amounts)
    out: dict[str, tuple[AmountMap, ...]] = {}
    for table, word in _DIRECTIONS.items():
        header = next(h for h in both if word in h.own)
        out[table] = (amounts[0].model_copy(update={"column": sheet.use(header)}),)
    return out


def unit_column(sheet: SheetColumns) -> Header | None:
    """Return the column that names the unit of each row's amount."""
    for header in sheet.visible():
        if any(m.column == "amount_unit" for m in header.meanings[:1]):
            words = {normalise_word(v) for v in sheet.sample(header)}
            if words and words <= set(UNITS):
                return header
    return None


def ledger_item(sheet: SheetColumns) -> Header | None:
    """Return the column of a ledger that names what each amount is of."""
    names = ("item", "source", "category")
    known = (h for h in sheet.visible() if h.meanings and h.meanings[0].sure == 1)
    return next((h for h in known if h.meanings[0].role == "column" and h.meanings[0].column in names), None)


def goes_on_below(sheet: SheetColumns, key: Header, item: Header) -> bool:
    """Say whether rows without a number are further items of the household above them.

    Each block must name different items: where one comes twice, a row may be of another household whose
    number is missing.
    """
    seen: set[str] = set()
    blank = 0
    for row in sheet.layout.data_rows:
        line = sheet.grid.rows[row - 1]
        number, word = (text_of(line[h.column]) if h.column < len(line) else "" for h in (key, item))
        if number:
            seen = {word}
        elif word in seen or not word:
            return False
        else:
            seen.add(word)
            blank += 1
    return blank >= 2
