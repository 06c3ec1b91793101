"""Names of persons taken out of what an import says: they are typed where something else is to stand.

Two rules: a name that stands in a column of names anywhere in the files is struck out wherever it is said
again; and of a cell that is to hold an amount, a day or a number, only words are shown that are known to
say something of it (待核, 约, #REF!).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

import pandas as pd

from riskmodel.data import contract
from riskmodel.grids import Grid
from riskmodel.importing.distinct import of_each
from riskmodel.importing.findings import MASK, Finding, without_personal_numbers
from riskmodel.importing.header_words import half_width, normalise_word
from riskmodel.importing.people import plain_name
from riskmodel.importing.sheet_layout import SheetLayout, text_of
from riskmodel.importing.vocabulary import Vocabulary

_NAME_COLUMNS = ("name", "head_name", "person_name")
_LETTERS = re.compile(r"[^\W\d_]+")
_LONGEST_NAME = 24
_SIGNED = re.compile(r"((?:人|员|领导|干部)(?:签字|签名|姓名)?\s*[:：]\s*)[^\s,，;；:：]+")
# Columns of places are the office's own words for them; ids are replaced where the map says so.
_KEPT = ("household_id", "member_id", "row_id", "old_id", "new_id", "township", "village", "group")


def known_words(text: str, words: Collection[str]) -> str:
    """Return a cell's text with all letters struck out that make up no known words.

    Parameters
    ----------
    text
        What stands in the cell.
    words
        Normalised words that say something of an amount or a day.

    Examples
    --------
    >>> known_words("约3000元 某甲", {"约", "元"}), known_words("#REF!", {"ref"})
    ('约3000元 ***', '#REF!')
    """
    if text.isascii() and not any(c.isalpha() for c in text):
        return text
    return _LETTERS.sub(lambda match: match[0] if _made_of(match[0], words) else MASK, text)


def _made_of(letters: str, words: Collection[str]) -> bool:
    rest = normalise_word(letters)
    while rest:
        size = next((n for n in range(min(len(rest), 8), 0, -1) if rest[:n] in words), 0)
        if not size:
            return False
        rest = rest[size:]
    return True


def cell_mask(words: Vocabulary) -> Callable[[object], str]:
    """Return a function that says what a cell of an amount or a day holds, without what may be a name."""
    listed = ("no_amount", "maybe_nothing", "shown_words")
    known: frozenset[str] = frozenset().union(*(words.kinds.get(name, ()) for name in listed))
    return lambda value: known_words(text_of(value)[:40], known)


def names_in(sheets: Iterable[tuple[Grid, SheetLayout]], words: Vocabulary) -> frozenset[str]:
    """Return the names of persons that stand in columns of names.

    Parameters
    ----------
    sheets
        Every sheet with its layout.
    words
        A name that is a word of one of its lists is none.
    """
    cells: set[object] = set()
    for grid, layout in sheets:
        columns = [
            h.column
            for h in layout.headers
            if h.meanings and h.meanings[0].column in _NAME_COLUMNS and h.meanings[0].sure == 1
        ]
        for row in layout.data_rows if columns else ():
            line = grid.rows[row - 1]
            cells.update(line[c] for c in columns if c < len(line))
    out = {plain_name(half_width(text_of(cell))) for cell in cells}
    coded = {word for listed in words.values.values() for word in listed}
    return frozenset(
        name
        for name in out
        if 2 <= len(name) <= _LONGEST_NAME and not name.isdigit() and name.lower() not in coded
    )


def name_mask(names: frozenset[str]) -> Callable[[str], str]:
    """Return a function that strikes names out of a text, and what a form says of who signed it."""
    sizes = sorted({len(name) for name in names}, reverse=True)
    known: dict[str, str] = {}

    def mask(text: str) -> str:
        if text not in known:
            known[text] = _SIGNED.sub(rf"\1{MASK}", _without(text, names, sizes))
        return known[text]

    return mask


def _without(text: str, names: Collection[str], sizes: Iterable[int]) -> str:
    if text.isascii() and not any(c.isalpha() for c in text):
        return text
    out, at, plain = [], 0, half_width(text)
    while at < len(plain):
        size = next((n for n in sizes if plain[at : at + n] in names), 0)
        out.append(MASK if size else plain[at])
        at += size or 1
    return "".join(out) if MASK in out else text


def without_names(item: Finding, mask: Callable[[str], str]) -> Finding:
    """Return a finding with the names struck out of what it says."""
    text = mask(item.text)
    values = {k: mask(v) if isinstance(v, str) else v for k, v in item.values.items()}
    return item if (text, values) == (item.text, item.values) else replace(item, text=text, values=values)


def tables_without_names(
    tables: dict[str, pd.DataFrame], mask: Callable[[str], str]
) -> dict[str, pd.DataFrame]:
    """Return tables with names struck out of their columns of free text.

    Parameters
    ----------
    tables
        As the contract has them, as text.
    mask
        As `name_mask` returns it.
    """
    out = {}
    for name, frame in tables.items():
        spec = contract().tables[name].columns
        free = [c for c in frame if c not in _KEPT and (c not in spec or spec[c].type == "text")]
        out[name] = frame.copy() if free else frame
        for column in free:
            texts = of_each(list(frame[column]), lambda value: _masked(value, mask))
            out[name][column] = pd.Series(texts, index=frame.index, dtype=object)
    return out


def _masked(value: object, mask: Callable[[str], str]) -> object:
    return mask(without_personal_numbers(value)) if isinstance(value, str) else value


__all__ = ["cell_mask", "known_words", "name_mask", "names_in", "tables_without_names", "without_names"]
