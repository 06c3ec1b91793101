"""Several tables on one sheet, and tables with households side by side: each becomes a sheet of its own.

A piece of a sheet keeps the sheet's rows and columns, with those of the other tables left blank, so that a
cell has one address everywhere. It is named after its sheet: ``收支``, ``收支#2``.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from riskmodel.grids import Grid
from riskmodel.importing.header_words import half_width, normalise_header
from riskmodel.importing.sheet_layout import find_header, text_of
from riskmodel.importing.title_facts import TitleFacts, title_facts
from riskmodel.importing.vocabulary import Vocabulary

_KEYS = ("household_id", "person_number", "member_id")
_KNOWN_SHARE = 0.6  # of the cells of a header row that stands between records
_SEARCHED_COLUMNS = 3  # the labels of a table on its side stand in one of the first
_MOST_LABELS = 60
_ID = re.compile(r"['’=\"\s]*[A-Za-z0-9]*\d{4,}\w*\"?(\.0)?")
_NUMBER = re.compile(r"[-+￥¥]?[\d,]+(\.\d+)?[%元万]*")
_ONE_PERSON = ("户主姓名", "姓名", "户主")


def tables_in(grid: Grid, words: Vocabulary) -> list[Grid]:
    """Return the tables of a sheet, each as a sheet; the sheet itself where it holds one.

    Parameters
    ----------
    grid
        A sheet.
    words
        What headers mean.
    """
    grid = _without_a_name(grid)
    if turned := _turned(grid, words):
        return [turned]
    pieces = [piece for part in _below(grid, words) for piece in _side_by_side(part, words)]
    if len(pieces) == 1:
        return [grid]
    return [
        replace(piece, sheet=f"{grid.sheet}#{at}" if at > 1 else grid.sheet)
        for at, piece in enumerate(pieces, 1)
    ]


def _texts(line: Sequence[object]) -> dict[int, str]:
    return {c: text for c, value in enumerate(line) if (text := text_of(value))}


def _without_a_name(grid: Grid) -> Grid:
    """Return a form of one household, whose sheet is named after a person, under its place in the file."""
    bare = re.sub(r"[\d\W_]+", "", grid.sheet)
    if not 2 <= len(bare) <= 4 or len(grid.rows) > _MOST_LABELS:
        return grid
    for line in grid.rows:
        cells = list(_texts(line).values())
        for label, value in itertools.pairwise(cells):
            if normalise_header(label) in _ONE_PERSON and re.sub(r"[\d\W_]+", "", value) == bare:
                return replace(grid, sheet=f"#{sum(map(ord, grid.sheet)) % 10_000}")
    return grid


# ---------------------------------------------------------------- one below another


def _below(grid: Grid, words: Vocabulary) -> list[Grid]:
    """Return the tables that stand below one another with headers, or units and years, of their own."""
    first = find_header(grid, words)
    if not first:
        return [grid]
    starts = _starts(grid, first, words)
    if len(starts) == 1:
        return [grid]
    above = [_row_text(grid, row) for row in range(1, first[0])]
    common = list(range(1, first[0] - 1)) if sum(map(bool, above)) > 1 else []
    ends = [*(start - 1 for start in starts[1:]), len(grid.rows)]
    blank: list[Any] = [None] * grid.width
    out = []
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        kept = {*(common if at else range(1, first[0])), *range(start, end + 1)}
        out.append(
            replace(grid, rows=[line if row in kept else blank for row, line in enumerate(grid.rows, 1)])
        )
    return out


def _starts(grid: Grid, first: Sequence[int], words: Vocabulary) -> list[int]:
    """Return the first row of each table: of the titles above its header."""
    starts = [first[0]]
    headers = [set(_texts(grid.rows[row - 1]).values()) for row in first]
    facts = _block_facts(grid, 1, first[0] - 1)
    is_header = _HeaderWords(words)
    for row in range(first[-1] + 1, len(grid.rows)):
        texts = is_header.row(grid.rows[row - 1])
        if not texts or not _is_key_row(texts, words):
            continue
        start = row
        while start - 1 > starts[-1] and _is_title_row(grid, start - 1):
            start -= 1
        own = _block_facts(grid, start, row - 1)
        same = set(texts) in headers  # repeated on a printed page
        if same and not _says_otherwise(own, facts):
            continue
        starts.append(start)
        headers = headers if same else [set(texts)]
        facts = _joined(own, facts) if same else own
    return starts


class _HeaderWords:
    """Which texts are headers, each looked up once."""

    def __init__(self, words: Vocabulary) -> None:
        self.words, self.known = words, dict[str, bool]()

    def __call__(self, text: str) -> bool:
        if text not in self.known:
            plain = len(text) <= 20 and not any(c.isdigit() for c in text)
            meanings = self.words.meanings([text]) if plain else ()
            self.known[text] = any(m.sure == 1 and m.role != "months" for m in meanings)
        return self.known[text]

    def row(self, line: Sequence[object]) -> list[str]:
        """Return the texts of a row of headers between records; nothing of any other row."""
        first = list(itertools.islice((value for value in line if value is not None), 2))
        if len(first) < 2 or not all(isinstance(v, str) and self(v.strip()) for v in first):
            return []
        shown = [value for value in line if value is not None]
        if any(isinstance(value, int | float | dt.date) for value in shown):
            return []
        texts = list(_texts(line).values())
        return texts if sum(map(self, texts)) >= _KNOWN_SHARE * len(texts) else []


def _is_key_row(texts: Sequence[str], words: Vocabulary) -> bool:
    names = {m.column for text in texts for m in words.meanings([text])[:1] if m.role == "column"}
    return bool(names & {*_KEYS, "name", "head_name"})


def _row_text(grid: Grid, row: int) -> str:
    return " ".join(_texts(grid.rows[row - 1]).values())


def _is_title_row(grid: Grid, row: int) -> bool:
    """Say whether a row between two tables is blank or a title: a few words, no number of its own."""
    cells = _texts(grid.rows[row - 1])
    if any(isinstance(value, int | float) for value in grid.rows[row - 1]):
        return False
    if any(_ID.fullmatch(text) or _NUMBER.fullmatch(text) for text in cells.values()):
        return False
    return len(cells) <= 3 or not re.search(r"合计|小计|总计", cells[min(cells)])


def _block_facts(grid: Grid, first: int, last: int) -> TitleFacts:
    return title_facts([_row_text(grid, row) for row in range(max(first, 1), last + 1)], "", "")


def _says_otherwise(own: TitleFacts, before: TitleFacts) -> bool:
    """Say whether titles name another unit, year or period than those of the table above."""
    pairs = ((own.unit, before.unit), (own.year, before.year), (own.months, before.months))
    return any(new is not None and new != old for new, old in pairs)


def _joined(own: TitleFacts, before: TitleFacts) -> TitleFacts:
    return replace(
        own, unit=own.unit or before.unit, year=own.year or before.year, months=own.months or before.months
    )


# ---------------------------------------------------------------- side by side


def _side_by_side(grid: Grid, words: Vocabulary) -> list[Grid]:
    """Return the tables that stand beside one another, each with a number of its own."""
    rows = find_header(grid, words)
    if not rows:
        return [grid]
    best = max(rows, key=lambda row: len(_known_in(list(_texts(grid.rows[row - 1]).values()), words)))
    header = {c: normalise_header(t) for c, t in _texts(grid.rows[best - 1]).items()}
    keys = [c for c, text in header.items() if _is_number_header(text, words)]
    starts = [min(header)]
    for key in keys[1:]:
        start = key
        while start - 1 in header and start - 1 > starts[-1]:
            start -= 1
        if start > starts[-1] and start - 1 not in header:
            starts.append(start)  # a blank column between
        elif key > starts[-1] and _repeats(header, starts[-1], key):
            starts.append(key)
        elif key - 1 > starts[-1] and _repeats(header, starts[-1], key - 1):
            starts.append(key - 1)  # 序号 before the number
    if len(starts) == 1:
        return [grid]
    ends = [*starts[1:], grid.width]
    return [
        _columns_of(grid, rows[0], a if at else 0, b)
        for at, (a, b) in enumerate(zip(starts, ends, strict=True))
    ]


def _is_number_header(text: str, words: Vocabulary) -> bool:
    return any(m.sure == 1 and m.column == "household_id" for m in words.meanings([text])[:1])


def _repeats(header: dict[int, str], first: int, second: int) -> bool:
    """Say whether the headers from one column on are those from an earlier one on again."""
    width = second - first
    return width >= 2 and all(header.get(first + at) == header.get(second + at) for at in range(width))


def _columns_of(grid: Grid, header_row: int, first: int, last: int) -> Grid:
    """Return a sheet with some columns only; titles above others hold where these columns have none."""
    out = []
    for row, line in enumerate(grid.rows, 1):
        own = [value if first <= c < last else None for c, value in enumerate(line)]
        keep = row < header_row and not any(value is not None for value in own)
        out.append(list(line) if keep else own)
    return replace(grid, rows=out)


# ---------------------------------------------------------------- households as columns


def _turned(grid: Grid, words: Vocabulary) -> Grid | None:
    """Return a table whose households are columns with its rows and columns exchanged."""
    if len(grid.rows) > 4 * _MOST_LABELS:
        return None
    rows = find_header(grid, words)
    across = len(_known_in(list(_texts(grid.rows[rows[-1] - 1]).values()), words)) if rows else 0
    for column in range(min(_SEARCHED_COLUMNS, grid.width)):
        labels = {
            row: text
            for row, line in enumerate(grid.rows[:_MOST_LABELS], 1)
            if (text := text_of(line[column]))
        }
        known = _known_in(list(labels.values()), words)
        number = next((row for row, text in labels.items() if _is_number_header(text, words)), None)
        if number is None or len(known) < 3 or len(known) <= across:
            continue
        ids = [text for c, text in _texts(grid.rows[number - 1]).items() if c > column]
        if len(ids) < 2 or sum(bool(_ID.fullmatch(half_width(text))) for text in ids) < 0.7 * len(ids):
            continue
        first = number
        while first > 1 and labels.get(first - 1) in known and len(_texts(grid.rows[first - 2])) > 1:
            first -= 1
        return _exchanged(grid, first, column)
    return None


def _known_in(texts: Sequence[str], words: Vocabulary) -> set[str]:
    return {text for text in texts if any(m.sure == 1 for m in words.meanings([text])[:1])}


def _exchanged(grid: Grid, first: int, column: int) -> Grid:
    titles = [_row_text(grid, row) for row in range(1, first)]
    block = grid.rows[first - 1 :]
    width = len(block)
    rows: list[list[Any]] = [[title or None, *[None] * (width - 1)] for title in titles]
    rows += [[line[c] for line in block] for c in range(column, grid.width)]
    hidden_columns = frozenset(row - first for row in grid.hidden_rows if row >= first)
    hidden_rows = frozenset(c - column + len(titles) + 1 for c in grid.hidden_columns if c >= column)
    return replace(
        grid,
        rows=rows,
        hidden_rows=hidden_rows,
        hidden_columns=hidden_columns,
        merged=(),
        formulas=frozenset(),
        faults={},
        formats=None,
        turned=(first, column, len(titles)),
    )


__all__ = ["tables_in"]
