"""What headers and words of offices' files mean, and looking one up.

Sources: header and value lists seen in public tools that read the exports of the national monitoring system,
and in published collection forms; the contract's own names and words count as well.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from riskmodel.data import codes, contract
from riskmodel.importing.header_words import (
    YEARS_BACK,
    Span,
    group_span,
    half_width,
    joined_spans,
    moment_of,
    normalise_header,
    normalise_word,
    span_in,
    unit_in,
    years_back,
)
from riskmodel.io import read_yaml

FOLDER = Path(__file__).with_name("vocabulary")
Role = Literal["column", "item", "part", "check", "figure", "other", "months"]
# A near spelling is proposed from this likeness on, and always asked.
_NEAR = 0.84
_ONE_OFF = 5  # a header of so many characters may have one wrong
# Characters that are typed for one another.
_ALIKE = str.maketrans("人末巳己帐干曰囗戸戶別況況狀號碼員縣鎮鄉", "入未已已账千日口户户别况况状号码员县镇乡")
_BRACKETED = re.compile(r"[(\[（【〔][^()\[\]（）【】〔〕]*[)\]）】〕]")
_OF_WHICH = re.compile(r"^(其中|#|其中:|其中：)")
# Columns that set an amount beside another one, or say what is planned: no amounts of the year.
_COMPARISON = re.compile(
    r"同期|增减|增长|增幅|同比|环比|占比|比重|比例|百分比|[%％]|排名|^(上|去|前)(一)?年(?!底)|^(预计|预测|目标|测算|计划|拟)"
    r"|^\d{4}年(预计|预测|目标|计划)|(更正|修改|订正|调整)前|^原(金额|值|数)"
    r"|人均(?!.*纯收入|.*可支配收入|收入$)|[亩户月]均|/[人亩]"
)
_EARLIER_ITEM = re.compile(
    r"^([上去前])一?年度?(?:同期|同月)?(?![底末初])(.+)$|^(.+?)\(?([上去前])一?年度?(?:同期|同月)?\)?$"
)


@dataclass(frozen=True)
class Definition:
    """What a header means.

    Parameters
    ----------
    role
        A ``column`` of the contract, an ``item`` (amounts of one source or category), a ``part`` of an item,
        a ``check`` (a result), a ``figure`` (kept in ``indicators``), ``other`` (read past) or ``months``.
    name
        ``table.column``, or a bare column that belongs to whichever table the sheet feeds; of an item
        ``income.wage``; of others their kind.
    sure
        1 for a word of the vocabulary, less for a near spelling.
    inverted
        Whether the header says the opposite of the column.
    unit
        Yuan to one of the column's units, where the header names it.
    span
        Which months, of role ``months`` or where an item's header names them too.
    """

    role: Role
    name: str
    sure: float = 1.0
    inverted: bool = False
    unit: Decimal | None = None
    span: Span | None = None

    @property
    def table(self) -> str:
        """The table of ``table.column`` or of an item; empty where any table may have it."""
        return self.name.partition(".")[0] if "." in self.name else ""

    @property
    def column(self) -> str:
        """The bare column, item or kind."""
        return self.name.rpartition(".")[2]


def _of_a_moment(definition: Definition) -> bool:
    """Say whether a column shows a state or a sum, which a group of another moment makes another one."""
    return definition.role != "column" or definition.table in ("households", "members")


@dataclass(frozen=True)
class Vocabulary:
    """Headers and words, each normalised, to what they mean.

    Parameters
    ----------
    headers
        Normalised header to its meanings.
    values
        ``table.column`` to ``{normalised word: code}``.
    kinds
        Further word lists: ``no_amount``, ``total_rows``, ….
    """

    headers: Mapping[str, tuple[Definition, ...]]
    values: Mapping[str, Mapping[str, str]]
    kinds: Mapping[str, frozenset[str]]

    def meanings(self, path: Sequence[str]) -> list[Definition]:
        """Return what a header may mean, the surest first.

        Parameters
        ----------
        path
            Its parts from the outer group to the column's own words.

        Returns
        -------
        list of Definition
            Empty where nothing like it is known.
        """
        words = [part for part in path if str(part).strip()]
        if not words:
            return []
        own, unit = words[-1], unit_in(words[-1])
        of_which = any(_OF_WHICH.match(half_width(word).strip()) for word in words)
        word = normalise_header(_OF_WHICH.sub("", half_width(own).strip()).lstrip(":："))
        found = self._own(word)
        if of_which:
            found = [replace(m, role="part") if m.role == "item" else m for m in found] or [
                Definition("part", "")
            ]
        if groups := words[:-1]:
            if found and found[0].name == "comparison" and (back := years_back(own)):
                found = [Definition("months", "amount", span=Span(1, 12, back=back))]
            found = self._in_groups(found, groups)
            unit = unit or next((u for group in reversed(groups) if (u := unit_in(group))), None)
        return [replace(m, unit=m.unit or unit) for m in found]

    def _own(self, word: str) -> list[Definition]:
        """Return what a header's own normalised words mean, without its groups."""
        if word in self.headers:
            return list(self.headers[word])
        if span := span_in(word):
            return [Definition("months", "amount", span=span)]
        if found := next((f for split in _items_and_spans(word) if (f := self._of_span(*split))), None):
            return found
        if earlier := self._of_earlier_year(word):
            return earlier
        if _COMPARISON.search(word):
            return [Definition("other", "comparison")]
        moment, rest = moment_of(word)
        if moment and rest and self._known(rest):
            return [Definition("other", "moment")]
        return list(self._known(word)) or self._near(word)

    def _of_earlier_year(self, word: str) -> list[Definition]:
        """Return the amounts that words mean, of the year before what the sheet is of."""
        if (back := years_back(word)) and not re.search("同", word):
            return [Definition("months", "amount", span=Span(1, 12, back=back))]
        if not (found := _EARLIER_ITEM.match(word)):
            return []
        span = Span(1, 12, back=YEARS_BACK[found[1] or found[4]])
        if months := span_in(found[2] or found[3]):
            return [Definition("months", "amount", span=replace(months, back=span.back))]
        known = (m for m in self._known(found[2] or found[3]) if m.role in ("item", "check", "part"))
        return [replace(m, span=span) for m in known]

    def _of_span(self, word: str, span: Span) -> list[Definition]:
        """Return the amounts that words mean, of the months that stand beside them."""
        whole = (span.first, span.last, span.year) == (1, 12, None)
        known = (m for m in self._known(word) if m.role in ("item", "check", "part"))
        return [m if whole else replace(m, span=span) for m in known]

    def _in_groups(self, own: list[Definition], groups: Sequence[str]) -> list[Definition]:
        """Return what a header means under its groups: of which source, year and moment its amounts are."""
        plain = [normalise_header(group) for group in groups]
        moment = any(moment_of(group)[0] for group in plain)
        compared = any(
            _COMPARISON.search(group)
            and (group not in self.headers or re.match("[亩户月]均", group))
            and not years_back(group)
            for group in plain
        )
        if moment or compared:
            kind = "moment" if moment else "comparison"
            return [Definition("other", kind) if _of_a_moment(m) or compared else m for m in own]
        if own and own[0].role == "months":
            items = (m for group in reversed(plain) for m in self._own(group) if m.role == "item")
            if item := next((m for m in items if m.sure == 1), None):
                own = [replace(item, span=joined_spans(own[0].span, item.span))]
        spans = [span for group in reversed(plain) if (span := group_span(group))]
        if not spans:
            return own
        dated = ("item", "part", "months", "check")
        return [replace(m, span=joined_spans(m.span, spans[0])) if m.role in dated else m for m in own]

    def _known(self, word: str) -> tuple[Definition, ...]:
        for variant in _variants(word):
            if variant in self.headers:
                return self.headers[variant]
        return ()

    def _near(self, word: str) -> list[Definition]:
        # Numbers and dates stand beside headers in the rows that are searched; they are like nothing.
        if len(word) < 3 or 2 * sum(c.isdigit() for c in word) >= len(word):
            return []
        if alike := self.headers.get(word.translate(_ALIKE)):
            return [replace(m, sure=0.9) for m in alike]
        near = difflib.get_close_matches(word, self.headers, n=1, cutoff=_NEAR) or self._one_off(word)
        likeness = difflib.SequenceMatcher(None, word, near[0]).ratio() if near else 0.0
        return [replace(m, sure=round(likeness * 0.9, 2)) for m in self.headers[near[0]]] if near else []

    def _one_off(self, word: str) -> list[str]:
        """Return the only known header from which a long one differs in one character."""
        if len(word) < _ONE_OFF:
            return []
        found = [
            known
            for known in self.headers
            if len(known) == len(word) and sum(a != b for a, b in zip(known, word, strict=True)) == 1
        ]
        return found if len({self.headers[known][0].name for known in found}) == 1 else []

    def parts(self, words: Iterable[str]) -> set[str]:
        """Return those words of a column of sources that name only a part of one: 低保金."""
        listed = self.kinds.get("part_words", frozenset())
        headers = ((word, self.headers.get(normalise_header(word), ())) for word in words)
        return {
            word
            for word, found in headers
            if normalise_word(word) in listed or any(m.role == "part" and m.name for m in found)
        }

    def words(self, name: str) -> Mapping[str, str]:
        """Return the words of ``table.column``: normalised word to code."""
        return self.values.get(name, {})

    def extended(self, words: Mapping[str, Mapping[str, str]]) -> Vocabulary:
        """Return the vocabulary with a county's own words added: ``{table.column: {word: code}}``."""
        values = {name: dict(table) for name, table in self.values.items()}
        for name, table in words.items():
            values.setdefault(name, {}).update({normalise_word(w): code for w, code in table.items()})
        return replace(self, values=values)


def _variants(word: str) -> Iterator[str]:
    """Yield a header as it stands, then without what does not change its meaning."""
    yield word
    bare = normalise_header(_BRACKETED.sub("", word))
    yield bare
    for form in (word, bare):
        yield re.sub(r"^(是否|有无|家庭|本户|农户|户)", "", form)
        yield re.sub(r"^(个人|本人|成员|更正后|订正后|核定|核实后|调整后|修改后|最终)", "", form)
        yield re.sub(r"(情况|状况|信息|代码|名称)$", "", form)
        yield re.sub(r"^(本年度?|当年|全年|年度)", "", form)
        yield re.sub(r"(合计|小计|总计|总额|金额|数额)$", "", form)


def _items_and_spans(word: str) -> Iterator[tuple[str, Span]]:
    """Yield the ways in which ``1月工资性收入`` or ``工资性收入2021年第一季度`` may be item and months."""
    for cut in range(1, len(word)):
        for head, tail in ((word[:cut], word[cut:]), (word[cut:], word[:cut])):
            if (span := span_in(tail.strip("_-()"))) and not span_in(head):
                yield head.strip("_-()"), span


def _headers(content: Mapping[str, Any]) -> Iterator[tuple[str, Definition]]:
    for name, words in content["columns"].items():
        yield from ((word, Definition("column", name)) for word in words)
    for name, words in content["inverted"].items():
        yield from ((word, Definition("column", name, inverted=True)) for word in words)
    for role in ("item", "part", "check", "figure", "other"):
        for name, words in content[f"{role}s"].items():
            yield from ((word, Definition(role, name)) for word in words)


def _contract_headers() -> Iterator[tuple[str, Definition]]:
    """Yield the contract's own headers, in both languages."""
    for table, spec in contract().tables.items():
        for column, declared in {} if spec.derived else spec.columns.items():
            yield from ((word, Definition("column", f"{table}.{column}")) for word in (column, declared.zh))


@cache
def vocabulary() -> Vocabulary:
    """Return the packaged vocabulary (read once)."""
    headers: dict[str, list[Definition]] = {}
    for word, meaning in [*_headers(read_yaml(FOLDER / "headers.yaml")), *_contract_headers()]:
        known = headers.setdefault(normalise_header(word), [])
        # A bare column of the first list says the same for every table.
        if not any(
            m.column == meaning.column and m.role == meaning.role and m.table in ("", meaning.table)
            for m in known
        ):
            known.append(meaning)
    content = read_yaml(FOLDER / "words.yaml")
    values = {name: _code_words(words) for name, words in content.items() if isinstance(words, dict)}
    for table, spec in contract().tables.items():
        for column in spec.columns:
            own = {normalise_word(w): code for code, zh in codes(table, column).items() for w in (code, zh)}
            if own:
                values[f"{table}.{column}"] = own | values.get(f"{table}.{column}", {})
    kinds = {
        name: frozenset(map(normalise_word, words))
        for name, words in content.items()
        if isinstance(words, list)
    }
    return Vocabulary({word: tuple(found) for word, found in headers.items()}, values, kinds)


def _code_words(words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {normalise_word(word): str(code) for code, listed in words.items() for word in listed}
