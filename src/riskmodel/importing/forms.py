"""Forms of one household a sheet: labels with their values beside them, and small tables below.

Forms of a file that ask the same become one sheet with a row a household, and one for each of their tables.
A cell of those is told as sheet and cell of the file: ``#12!C4``, the twelfth sheet's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from riskmodel.grids import Cell, Grid
from riskmodel.importing.sheet_layout import text_of
from riskmodel.importing.title_facts import title_facts
from riskmodel.importing.vocabulary import Vocabulary, half_width

_MOST_ROWS = 80
_FEWEST_PAIRS = 4
_HEADER_SHARE = 0.8
_KEYS = ("household_id", "person_number", "head_number", "member_id")
_ID = re.compile(r"['’=\"\s]*[A-Za-z0-9]*\d{4,}\w*\"?(\.0)?")

Place = tuple[int, int]


@dataclass
class _Table:
    """A table on a form: its header by column, and its rows."""

    header: dict[int, str]
    rows: list[tuple[int, dict[int, Cell]]] = field(default_factory=list)


@dataclass
class _Form:
    """What one form says: label to value and its place; its tables; its titles; how much is left over."""

    sheet: int
    grid: Grid
    pairs: dict[str, tuple[Cell, Place]] = field(default_factory=dict)
    tables: list[_Table] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    key: str = ""
    left: int = 0

    @property
    def kind(self) -> object:
        """What forms have in common that become one sheet."""
        facts = title_facts(self.titles, "", "")
        said = facts.unit, facts.year, facts.months, facts.recorded_on, facts.snapshot_on
        return (
            self.grid.file,
            self.key,
            tuple(self.pairs),
            tuple(tuple(t.header.values()) for t in self.tables),
            said,
        )


def merge_forms(grids: Sequence[Grid], words: Vocabulary) -> list[Grid]:
    """Return the sheets of a file, its forms of one household joined to lists.

    Parameters
    ----------
    grids
        The sheets of some files, in their order.
    words
        What labels mean.
    """
    out: list[Grid] = []
    kinds: dict[object, list[_Form]] = {}
    sheets: Counter[str] = Counter()
    for grid in grids:
        sheets[grid.file] += 1
        at = sheets[grid.file]
        form = _read_form(grid, at, words) if grid.visible and len(grid.rows) <= _MOST_ROWS else None
        if form is None:
            out.append(grid)
        else:
            kinds.setdefault(form.kind, []).append(form)
    for forms in kinds.values():
        out += _lists(forms)
    return out


def _read_form(grid: Grid, sheet: int, words: Vocabulary) -> _Form | None:
    """Return what a form says; None where a sheet is none."""
    form = _Form(sheet, grid)
    table: _Table | None = None
    for row, line in enumerate(grid.rows, 1):
        cells = [(c, text) for c, value in enumerate(line) if (text := text_of(value))]
        labels = [_is_label(text, words) for _, text in cells]
        if len(cells) < 2:
            table = None
            form.titles += [text for _, text in cells]
        elif _is_table_header(grid, row, labels, words):
            table = _Table(dict(cells))
            form.tables.append(table)
        elif table is not None and not labels[0]:
            table.rows.append((row, {c: line[c] for c in table.header}))
        else:
            table = None
            _add_pairs(form, row, line, cells, labels)
    keys = [
        label
        for label, (value, _) in form.pairs.items()
        if any(m.column in _KEYS for m in words.meanings([label])[:1])
        and _ID.fullmatch(half_width(text_of(value)))
    ]
    form.key = keys[0] if keys else ""
    whole = form.left * _FEWEST_PAIRS <= len(form.pairs)  # a table on its side has a value a household
    return form if keys and len(form.pairs) >= _FEWEST_PAIRS and whole else None


def _is_table_header(grid: Grid, row: int, labels: Sequence[bool], words: Vocabulary) -> bool:
    """Say whether a row of labels stands above rows of values."""
    if len(labels) < 3 or not all(labels[:2]) or sum(labels) < _HEADER_SHARE * len(labels):
        return False
    below = [text for value in grid.rows[row] if (text := text_of(value))] if row < len(grid.rows) else []
    return len(below) >= 2 and not _is_label(below[0], words)


def _is_label(text: str, words: Vocabulary) -> bool:
    short = len(text) <= 20 and not re.fullmatch(r"[\d.,\-+]+", text)
    return short and any(m.sure == 1 for m in words.meanings([text])[:1])


def _add_pairs(
    form: _Form, row: int, line: Sequence[Cell], cells: list[tuple[int, str]], labels: list[bool]
) -> None:
    """Add the labels of a row, each with the cell behind it."""
    # 户类型 脱贫户 低保户 是: a value may be a word that is a label elsewhere; then its column decides.
    first = cells[0][0]
    even = all(label for (c, _), label in zip(cells, labels, strict=True) if (c - first) % 2 == 0)
    at = 0
    while at < len(cells):
        column, text = cells[at]
        if not labels[at]:
            form.left += 1
            at += 1
            continue
        after = cells[at + 1][0] if at + 1 < len(cells) else -1
        valued = after == column + 1 if even else after >= 0 and not labels[at + 1]
        place = after if valued else column + 1
        form.pairs.setdefault(text, (line[place] if valued else None, (row, place)))
        at += 2 if valued else 1


def _lists(forms: list[_Form]) -> list[Grid]:
    """Return forms that ask the same as one list, and one for each of their tables."""
    first, last = forms[0], forms[-1]
    name = f"#{first.sheet}-{last.sheet}" if last is not first else f"#{first.sheet}"
    titles = [t for t in first.titles if title_facts([t], "", "") != title_facts([], "", "")]
    labels = list(first.pairs)
    lines = [([form.pairs[n][0] for n in labels], form, [form.pairs[n][1] for n in labels]) for form in forms]
    out = [_grid(first.grid.file, name, titles, labels, lines)]
    for at, table in enumerate(first.tables):
        columns = list(table.header)
        header = [first.key, *table.header.values()]
        rows = []
        for form in forms:
            key, place = form.pairs[form.key]
            for row, cells in form.tables[at].rows:
                if any(text_of(value) for value in cells.values()):
                    rows.append(([key, *cells.values()], form, [place, *((row, c) for c in columns)]))
        out.append(_grid(first.grid.file, f"{name}#{at + 2}", titles, header, rows))
    return out


def _grid(
    file: str,
    sheet: str,
    titles: Sequence[str],
    header: Sequence[str],
    lines: Sequence[tuple[list[Cell], _Form, list[Place]]],
) -> Grid:
    width = len(header)
    rows: list[list[Cell]] = [[title, *[None] * (width - 1)] for title in titles]
    rows.append(list(header))
    places: dict[str, str] = {}
    plain = Grid(file, sheet, rows)
    for values, form, cells in lines:
        rows.append(values)
        places[f"row {len(rows)}"] = f"#{form.sheet}"
        for column, (row, at) in enumerate(cells):
            places[plain.address(len(rows), column)] = f"#{form.sheet}!{plain.address(row, at)}"
    return Grid(file, sheet, rows, places=places)


__all__ = ["merge_forms"]
