"""How one sheet is laid out: title, header of one or more rows, records, and what is no record.

Offices put titles, units and dates above the header, merge groups over it, write subtotals between the
records and
notes below them, and repeat the header on every printed page. Nothing is dropped here: every row below the
header is
either a row of data or a skipped row with its kind.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from riskmodel.grids import Grid
from riskmodel.importing.distinct import of_each
from riskmodel.importing.header_words import half_width, normalise_header, normalise_word, unit_in
from riskmodel.importing.title_facts import TitleFacts, title_facts
from riskmodel.importing.vocabulary import Definition, Vocabulary

_SEARCHED_ROWS = 20  # a header below that is none
_HEADER_ROWS = 3  # the most rows that one header has
_TITLE_CELL = re.compile(r"\(?(计量)?单位\s*:|(填报|填表|制表|导出|截至|截止|数据|统计)[^:]{0,6}[:\d]")
_TITLE_END = re.compile(r"(表|台账|台帐|名册|名单|清单|系统|报告)(\(.*\))?$")
_UNIT_CELL = re.compile(r"\(?(?:单位:?)?(?:元|万元|千元|百元|人|亩|个|月|岁|%|元/年|万)\)?")
_ID = re.compile(r"['’=\"\s]*[A-Za-z0-9０-９][\w\s.\-+０-９]{3,}\"?")
_EXAMPLE = "示例"  # a number that begins so marks a row of the template that shows how to fill in


@dataclass(frozen=True)
class Header:
    """The header of one column.

    Parameters
    ----------
    column
        From 0.
    path
        Its words from the outermost group to its own.
    hidden
        Whether the column is hidden.
    meanings
        What it may mean, the surest first.
    """

    column: int
    path: tuple[str, ...]
    hidden: bool
    meanings: tuple[Definition, ...]

    @property
    def text(self) -> str:
        """The words as a person would name the column: 收入/工资性收入."""
        return "/".join(re.sub(r"\s+", "", part) for part in self.path)

    @property
    def own(self) -> str:
        """The column's own words, without its groups."""
        return re.sub(r"\s+", "", self.path[-1]) if self.path else ""


@dataclass(frozen=True)
class SkippedRow:
    """A row below the header that is no record: its number, its kind and what it says."""

    row: int
    kind: str
    text: str


@dataclass(frozen=True)
class SheetLayout:
    """Where what stands in a sheet.

    Parameters
    ----------
    headers
        One for each column that has one.
    header_rows
        Row numbers from 1; empty where no header was found.
    data_rows
        Row numbers of the records.
    skipped
        The other rows below the header that hold something.
    facts
        What titles and names say.
    """

    headers: tuple[Header, ...]
    header_rows: tuple[int, ...]
    data_rows: tuple[int, ...]
    skipped: tuple[SkippedRow, ...]
    facts: TitleFacts

    def header(self, text: str) -> Header | None:
        """Return the column of a name: its whole path, or its own words where only one column has them."""
        wanted = normalise_header(text.rpartition("#")[0] if re.search(r"#\d+$", text) else text)
        place = int(text.rpartition("#")[2]) - 1 if re.search(r"#\d+$", text) else 0
        whole = [h for h in self.headers if normalise_header(h.text) == wanted]
        own = whole or [h for h in self.headers if normalise_header(h.own) == wanted]
        shown = [h for h in own if not h.hidden] or own
        return shown[place] if place < len(shown) else None

    def alike(self, meanings: Sequence[Definition]) -> Header | None:
        """Return the one visible column whose words mean the same as other known words."""
        wanted = [(m.role, m.name, m.inverted, m.span) for m in meanings if m.sure == 1]
        found = [
            h
            for h in self.headers
            if not h.hidden and h.meanings and h.meanings[0].sure == 1
            if (m := h.meanings[0]) and (m.role, m.name, m.inverted, m.span) in wanted[:1]
        ]
        return found[0] if len(found) == 1 else None


def text_of(value: object) -> str:
    """Return a cell as a person reads it: whole floats without their ``.0``, days as ISO dates."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    return str(value).strip()


def joined_text(first: object, second: object) -> str | None:
    """Return two cells of words as one."""
    return ";".join(text for text in (text_of(first), text_of(second)) if text) or None


def find_layout(grid: Grid, words: Vocabulary, header_rows: Sequence[int] | None = None) -> SheetLayout:
    """Find title, header and records of a sheet.

    Parameters
    ----------
    grid
        The sheet.
    words
        What headers mean.
    header_rows
        Row numbers of the header, where the map says them; found by looking otherwise.

    Returns
    -------
    SheetLayout
        Without headers where no row looks like one.
    """
    rows = tuple(header_rows or find_header(grid, words))
    above = rows[0] - 1 if rows else min(len(grid.rows), 5)
    titles = [" ".join(_filled(grid, row).values()) for row in range(1, above + 1)]
    facts = title_facts(titles, grid.sheet, grid.file)
    if not rows:
        return SheetLayout((), (), (), (), facts)
    headers = _headers(grid, rows, words)
    units = {m.unit for h in headers if not h.hidden for m in h.meanings[:1] if m.unit}
    if facts.unit is None and len(units) == 1 and not _unit_only_in_some(headers):
        facts = replace(facts, unit=units.pop(), said=facts.said | {"unit": "header"})
    data, skipped = _sort_rows(grid, rows, headers, words)
    noted = {u for row in skipped if row.kind == "note" and "单位" in row.text and (u := unit_in(row.text))}
    if facts.unit is None and not units and len(noted) == 1:
        facts = replace(facts, unit=noted.pop(), said=facts.said | {"unit": "note"})
    return SheetLayout(headers, rows, tuple(data), tuple(skipped), facts)


def _unit_only_in_some(headers: Iterable[Header]) -> bool:
    """Say whether some amounts name a unit and others do not: then each is taken by itself."""
    amounts = [h for h in headers if h.meanings and h.meanings[0].role in ("item", "months")]
    return any(h.meanings[0].unit is None for h in amounts)


def _filled(grid: Grid, row: int) -> dict[int, str]:
    cells = grid.rows[row - 1] if 0 < row <= len(grid.rows) else []
    return {c: text for c, value in enumerate(cells) if (text := text_of(value))}


def find_header(grid: Grid, words: Vocabulary) -> tuple[int, ...]:
    """Return the rows of the header: those around the row with the most known headers."""
    best, best_score, searched = 0, 0.0, 0
    for row in range(1, len(grid.rows) + 1):
        cells = _filled(grid, row)
        searched += bool(cells)
        if searched > _SEARCHED_ROWS:
            break
        known = [m[0] for text in cells.values() if len(text) <= 40 and (m := words.meanings([text]))]
        score = sum(m.sure for m in known if m.sure == 1) + sum(0.5 for m in known if m.sure < 1)
        # A row of data holds words that are headers too (男, 2019); most of its cells are none.
        if len(known) >= max(2, len(cells) / 3) and score > best_score * 1.001:
            best, best_score = row, score
    if not best:
        return ()
    first = last = best
    while (
        first > 1
        and last - first + 1 < _HEADER_ROWS
        and _is_header_row(grid, first - 1, first, words, below=True)
    ):
        first -= 1
    while last - first + 1 < _HEADER_ROWS and _is_header_row(grid, last + 1, last, words, below=False):
        last += 1
    last += _is_unit_row(_filled(grid, last + 1))
    return tuple(range(first, last + 1))


def _is_unit_row(cells: dict[int, str]) -> bool:
    """Say whether a row below the header holds the units of its columns."""
    return bool(cells) and all(_UNIT_CELL.fullmatch(half_width(text)) for text in cells.values())


def _is_header_row(grid: Grid, row: int, neighbour: int, words: Vocabulary, *, below: bool) -> bool:
    """Say whether a row beside the best one is part of its header: groups above, sub-headers below."""
    cells, beside = _filled(grid, row), _filled(grid, neighbour)
    if len(cells) < 2 and not _merged_over(grid, row, neighbour):
        return False
    if any(len(text) > 40 or re.fullmatch(r"[-+\d.,]+", half_width(text)) for text in cells.values()):
        return False
    if below and _is_title(cells):
        return False
    known = sum(bool(words.meanings([text])) for text in cells.values())
    if below:  # the row above: at least two groups, or a known header beside a merged one
        return len(cells) >= 2 and (
            known >= 1 or len(cells) < len(beside) or _merged_over(grid, row, neighbour)
        )
    # the row below: only where it fills columns that the row above leaves open or groups
    new = [c for c in cells if c not in beside]
    return bool(new) and known >= max(1, len(cells) / 2)


def _is_title(cells: dict[int, str]) -> bool:
    """Say whether a row above the header is a title: it names a unit, a day or the table itself."""
    if any(_TITLE_CELL.match(half_width(text)) for text in cells.values()):
        return True
    first = half_width(cells[min(cells)])
    return len(cells) <= 3 and len(first) >= 8 and bool(_TITLE_END.search(first))


def _merged_over(grid: Grid, row: int, other: int) -> bool:
    """Say whether a merged area reaches over both rows."""
    return any(r1 <= min(row, other) and r2 >= max(row, other) for r1, _, r2, _ in grid.merged)


def _headers(grid: Grid, rows: Sequence[int], words: Vocabulary) -> tuple[Header, ...]:
    width = max((len(grid.rows[r - 1]) for r in rows if r <= len(grid.rows)), default=0)
    spread = [_spread(grid, row, rows, width) for row in rows]
    out = []
    for column in range(width):
        path: list[str] = []
        for line in spread:
            text = line.get(column, "")
            if text and path and _UNIT_CELL.fullmatch(half_width(text)):
                path[-1] = f"{path[-1]}({half_width(text).strip('()')})"
            elif text and (not path or normalise_header(path[-1]) != normalise_header(text)):
                path.append(text)
        if path:
            hidden = column in grid.hidden_columns
            out.append(Header(column, tuple(path), hidden, tuple(words.meanings(path))))
    return tuple(out)


def _spread(grid: Grid, row: int, rows: Sequence[int], width: int) -> dict[int, str]:
    """Return the header texts of a row by column, groups written over all columns that they cover."""
    cells = dict(_filled(grid, row))
    for r1, c1, r2, c2 in grid.merged:
        if r1 <= row <= r2 and (text := text_of(_at(grid, r1, c1))):
            cells.update(dict.fromkeys(range(c1, c2 + 1), text))
    if not grid.merged and row != rows[-1]:
        # A text file keeps no merged areas: a group reaches to the next one, where the row below has headers.
        below, last = _filled(grid, row + 1), ""
        for column in range(width):
            if column in cells:
                last = cells[column]
            elif last and column in below:
                cells[column] = last
    return cells


def _at(grid: Grid, row: int, column: int) -> object:
    cells = grid.rows[row - 1] if row <= len(grid.rows) else []
    return cells[column] if column < len(cells) else None


def _sort_rows(
    grid: Grid, rows: Sequence[int], headers: Sequence[Header], words: Vocabulary
) -> tuple[list[int], list[SkippedRow]]:
    """Sort the rows below the header into records and others."""
    own = {h.column: normalise_header(h.path[-1]) for h in headers}
    keys = _key_columns(headers)
    totals, notes = words.kinds["total_rows"], words.kinds["note_rows"]
    data: list[int] = []
    skipped: list[SkippedRow] = []
    plain = _rows_with_a_key(grid, rows[-1], keys, own)
    for row in range(rows[-1] + 1, len(grid.rows) + 1):
        if row > rows[-1] + 2 and row in plain:
            data.append(row)
            continue
        cells = _filled(grid, row)
        if not cells:
            continue
        if row <= rows[-1] + 2 and _is_numbering(list(cells.values())):
            kind = "repeated header"
        else:
            kind = _row_kind(cells, own, keys, totals, notes)
        if kind:
            skipped.append(SkippedRow(row, kind, " ".join(cells.values())[:80]))
        else:
            data.append(row)
    return data, skipped


def _is_numbering(texts: Sequence[str]) -> bool:
    """Say whether a row below the header numbers the columns (甲 乙 1 2 3), or gives their codes (AAC001)."""
    if len(texts) < 3:
        return False
    numbers = [int(text.strip("()（）")) for text in texts if re.fullmatch(r"[(（]?\d{1,2}[)）]?", text)]
    letters = [text for text in texts if re.fullmatch(r"[甲乙丙丁戊己庚辛A-Z—-]", text)]
    if len(numbers) + len(letters) == len(texts) and len(numbers) >= 3:
        return all(b - a == 1 for a, b in itertools.pairwise(numbers)) and numbers[0] <= 1
    return len(texts) >= 5 and all(re.fullmatch(r"[A-Za-z]{2,4}_?\d{2,5}[A-Za-z]?", text) for text in texts)


def _rows_with_a_key(grid: Grid, above: int, keys: Collection[int], own: Mapping[int, str]) -> set[int]:
    """Return the rows that are records for sure: a key column holds a number, none an example or a header."""
    numbered: set[int] = set()
    others: set[int] = set()
    for column in keys:
        cells = [line[column] if column < len(line) else None for line in grid.rows[above:]]

        def kind(value: object, header: str = own[column]) -> str:
            text = text_of(value)
            if text.startswith(_EXAMPLE) or (text and normalise_header(text) == header):
                return "other"
            return "number" if _ID.fullmatch(text) else ""

        kinds = of_each(cells, kind)
        numbered.update(row for row, one in enumerate(kinds, above + 1) if one == "number")
        others.update(row for row, one in enumerate(kinds, above + 1) if one == "other")
    return numbered - others


def _key_columns(headers: Sequence[Header]) -> set[int]:
    keys = ("household_id", "member_id", "person_number", "old_id", "new_id", "row_id")
    return {h.column for h in headers if any(m.column in keys for m in h.meanings[:1])}


def _row_kind(
    cells: dict[int, str], own: dict[int, str], keys: set[int], totals: frozenset[str], notes: frozenset[str]
) -> str:
    """Return what kind of row without a record it is; empty for a record."""
    if any(cells[c].startswith(_EXAMPLE) for c in keys if c in cells):
        return "example"
    has_key = _has_a_key(cells, keys)
    if has_key and not any(own.get(c) == normalise_header(cells[c]) for c in keys if c in cells):
        return ""
    words = {c: normalise_word(text) for c, text in cells.items()}
    matching = sum(own.get(c) == normalise_header(text) for c, text in cells.items())
    if matching >= max(2, 0.6 * len(cells)):
        return "repeated header"
    first = words[min(words)]
    texts = [w for w in words.values() if not re.fullmatch(r"[-+\d.,%]+", w)]
    if any(_is_total(word, totals) for word in texts[:3]) and not has_key:
        return "total"
    lone = len(cells) <= 2 and not has_key
    worded = len(texts) == len(cells)
    if any(first.startswith(note) for note in notes) and not has_key and (lone or worded):
        return "note"
    if lone and (len(first) > 20 or (worded and re.match(r"^\d{1,2}[.、．]", first))):
        return "note"
    if len(cells) == 1 and len(texts) == 1 and not has_key and not re.search(r"\d{4}", first):
        return "note"  # a village above its households
    if keys and keys.issuperset(cells) and set(words.values()) <= {""}:
        return "blank"
    return ""


def _is_total(word: str, totals: frozenset[str]) -> bool:
    return any(
        word == total or word.endswith((total, f"{total}:")) or word.startswith(f"{total}:")
        for total in totals
    )


def _has_a_key(cells: dict[int, str], keys: set[int]) -> bool:
    """Say whether a key column holds an id: digits or letters, at least four, or no key column is known."""
    return any(_ID.fullmatch(cells[c]) for c in keys if c in cells)


def filled_from_above(
    grid: Grid,
    header_end: int,
    rows: Sequence[int],
    columns: Sequence[int],
    marks: frozenset[str] = frozenset(),
) -> dict[int, dict[int, object]]:
    """Return what cells take from above: inside merged areas, in the columns of a repeated key, and 同上.

    Parameters
    ----------
    grid
        The sheet.
    header_end
        The last row of its header.
    rows
        Numbers of its records.
    columns
        The column of the key, then those that are blank where it is.
    marks
        Words that say the same as above, normalised.

    Returns
    -------
    dict
        Column to row to value.
    """
    out = _same_as_above(grid, rows, marks)
    for r1, c1, r2, c2 in grid.merged:
        if r2 > r1 > header_end:
            value = _at(grid, r1, c1)
            for column in range(c1, c2 + 1):
                out.setdefault(column, {}).update(dict.fromkeys(range(r1, r2 + 1), value))
    above = 0
    for row in rows if columns else ():
        if text_of(_at(grid, row, columns[0])):
            above = row
        elif above and row not in out.get(columns[0], {}):
            for column in columns:
                out.setdefault(column, {})[row] = _at(grid, above, column)
    return out


def _same_as_above(grid: Grid, rows: Sequence[int], marks: frozenset[str]) -> dict[int, dict[int, object]]:
    """Return what cells with 同上 or a ditto mark repeat."""
    known: dict[str, bool] = {}
    out: dict[int, dict[int, object]] = {}
    before = 0
    for row in rows if marks else ():
        for column, value in enumerate(grid.rows[row - 1]):
            if not isinstance(value, str) or len(value) > 4:
                continue
            if value not in known:
                known[value] = normalise_word(value) in marks
            if known[value] and before:
                own = out.setdefault(column, {})
                own[row] = own[before] if before in own else _at(grid, before, column)
        before = row
    return out


def is_merged_away(grid: Grid, row: int, column: int) -> bool:
    """Say whether a cell's content went to the cell above it."""
    return any(r1 < row <= r2 and c1 <= column <= c2 for r1, c1, r2, c2 in grid.merged)


__all__ = [
    "Header",
    "SheetLayout",
    "SkippedRow",
    "filled_from_above",
    "find_header",
    "find_layout",
    "is_merged_away",
    "text_of",
]
