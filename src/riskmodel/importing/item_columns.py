"""Which columns are amounts of a source or category as a whole, and which only of a part of it.

转移性收入 is a whole, 低保金 and 养老金 are parts of it; below a group 转移性收入 all columns are parts but
its 小计. A word that may be either (务工收入) is a part where the whole or other parts stand beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from riskmodel.importing.header_words import Span, normalise_word, span_in, years_back
from riskmodel.importing.sheet_layout import Header
from riskmodel.importing.vocabulary import Definition, Vocabulary

_OF_WHICH = re.compile(r"^(?:其中|#)")


@dataclass
class ItemColumns:
    """The columns of one source or category and span.

    Parameters
    ----------
    name
        ``income.wage``.
    span
        Of which months, where the headers say it.
    wholes
        Columns of all of it, with what their headers mean; two contradict one another.
    parts
        Columns of parts of it.
    """

    name: str
    span: Span | None
    wholes: list[tuple[Header, Definition]] = field(default_factory=list)
    parts: list[Header] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The leftmost column."""
        return min(h.column for h in (*(h for h, _ in self.wholes), *self.parts))


def arrange_items(
    headers: Sequence[Header], words: Vocabulary, is_amount: Callable[[Header, Definition], bool]
) -> list[ItemColumns]:
    """Return the columns of amounts by what they are of, from left to right.

    Parameters
    ----------
    headers
        The visible columns.
    words
        What headers mean.
    is_amount
        Whether the cells of a column are amounts; asked of near spellings and of unknown headers.
    """
    made = _Arrangement(words)
    for header in headers:
        made.add(header, *_kind(header, words, is_amount))
    return made.settled()


class _Arrangement:
    """Columns of amounts while they are gone through from left to right."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words
        self.columns: dict[tuple[str, Span | None], ItemColumns] = {}
        self.either: list[tuple[ItemColumns, Header, Definition]] = []
        self.run: list[ItemColumns] = []  # what the parts are of that stand side by side, before a 小计
        self.left: Definition | None = None  # the whole directly to the left

    def add(self, header: Header, kind: str, definition: Definition | None) -> None:
        """Take in the next column."""
        if definition is None and self.left and (back := years_back(header.own)):
            kind, definition = (
                "whole",
                replace(self.left, span=replace(self.left.span or Span(1, 12), back=back)),
            )
        if definition is None and len(self.run) >= 2 and _is_subtotal(header, self.words):
            one = self.run[0]
            if all(other is one for other in self.run):
                kind, definition = "whole", Definition("item", one.name, unit=_unit(header), span=one.span)
        self.left = definition if kind == "whole" else None
        if definition is None:
            self.run = []
            return
        key = definition.name, definition.span
        one = self.columns.setdefault(key, ItemColumns(*key))
        self.run = [] if kind == "whole" else [*self.run, one]
        if kind == "whole":
            one.wholes.append((header, definition))
        elif kind == "either":
            self.either.append((one, header, definition))
        else:
            one.parts.append(header)

    def settled(self) -> list[ItemColumns]:
        """Return the columns, those that may be either settled by what stands beside them."""
        for one, header, definition in self.either:
            alone = sum(other is one for other, _, _ in self.either) == 1
            if one.wholes or one.parts or not alone:
                one.parts.append(header)
            else:
                one.wholes.append((header, replace(definition, role="item")))
        found = [one for one in self.columns.values() if one.wholes or one.parts]
        for one in found:
            one.parts.sort(key=lambda h: h.column)
        return sorted(found, key=lambda one: one.first)


def _kind(
    header: Header, words: Vocabulary, is_amount: Callable[[Header, Definition], bool]
) -> tuple[str, Definition | None]:
    """Return whether a column is of a whole, a part or either, and of what."""
    item = next((m for m in header.meanings if m.role == "item"), None)
    part = next((m for m in header.meanings if m.role == "part" and m.name), None)
    if item and item.sure < 1 and not is_amount(header, item):
        return "", None
    group = _group_item(header, words)
    if group and not (item and item.name != group.name):
        if _is_subtotal(header, words):
            span = header.meanings[0].span or group.span
            return "whole", Definition("item", group.name, unit=_unit(header), span=span)
        if item and (not part or span_in(header.own)):
            return "whole", item
        known = item or part or (None if header.meanings else group)
        if known is None or not (item or part or is_amount(header, group)):
            return "", None
        return "part", Definition("part", group.name, unit=_unit(header), span=known.span or group.span)
    if item:
        return ("either" if part else "whole"), item
    if part and _is_item_of_a_sum(header, words):
        return "either", part
    return ("part", part) if part else ("", None)


def _is_item_of_a_sum(header: Header, words: Vocabulary) -> bool:
    """Say whether 其中 stands before a whole source: beside 收入合计 it is one of what that adds up."""
    own = words.meanings([_OF_WHICH.sub("", header.own).lstrip(":：")])
    return bool(own) and own[0].role == "item" and own[0].sure == 1


def _group_item(header: Header, words: Vocabulary) -> Definition | None:
    """Return the source or category that the nearest group over a column names."""
    for at in range(len(header.path) - 1, 0, -1):
        found = [m for m in words.meanings(header.path[:at]) if m.role == "item" and m.sure == 1]
        if found:
            return found[0]
    return None


def _is_subtotal(header: Header, words: Vocabulary) -> bool:
    """Say whether a column says 小计 or 合计 of what stands beside it."""
    return normalise_word(header.own) in words.kinds["total_rows"]


def _unit(header: Header) -> Decimal | None:
    return header.meanings[0].unit if header.meanings else None


def summed_items(
    arranged: Sequence[ItemColumns], table: str, span: Span | None
) -> Iterator[tuple[Header, ...]]:
    """Yield the columns of each source or category of a table that a sum over all of them adds up."""
    for one in arranged:
        if one.name.partition(".")[0] == table and one.span == span and one.name != "income.claim":
            yield (one.wholes[0][0],) if one.wholes else tuple(one.parts)


__all__ = ["ItemColumns", "arrange_items", "summed_items"]
