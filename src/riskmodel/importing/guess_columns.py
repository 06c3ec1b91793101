"""What the columns of a sheet mean, by their headers and their cells, and which of them are amounts.

What is not sure becomes a `Question`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from riskmodel.grids import Grid
from riskmodel.i18n import Message
from riskmodel.importing import cell_reading as cells
from riskmodel.importing.findings import without_personal_numbers
from riskmodel.importing.guess_ledgers import (
    amounts_by_table,
    chosen_tables,
    item_of_titles,
    said_table,
    title_texts,
    two_directions,
    unit_column,
)
from riskmodel.importing.id_reading import read_ids, read_person_numbers
from riskmodel.importing.item_columns import ItemColumns, arrange_items
from riskmodel.importing.mapping import (
    AmountMap,
    ColumnMap,
    TableMap,
    without_sums,
)
from riskmodel.importing.sheet_layout import Header, SheetLayout, text_of
from riskmodel.importing.vocabulary import Definition, Vocabulary

_SAMPLE = 400
_KEYS = ("household_id", "person_number", "member_id")
AmountColumn = tuple[Header, Definition, bool]  # the last: whether it is a part that is added up


@dataclass(frozen=True)
class Question:
    """What a person must say before a sheet, or a column of it, is read.

    Parameters
    ----------
    file, sheet, where
        Of what.
    kind
        Key under ``importing.questions``.
    text
        What stands there.
    blocking
        Whether the sheet is not read until it is answered.
    """

    file: str
    sheet: str
    where: str
    kind: str
    text: str = ""
    blocking: bool = True

    def message(self) -> Message:
        """Return the question as a person reads it."""
        return Message(f"importing.questions.{self.kind}", {"text": self.text, "where": self.where})


@dataclass
class SheetColumns:
    """One sheet while its map is made."""

    grid: Grid
    layout: SheetLayout
    words: Vocabulary
    questions: list[Question] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    arranged: list[ItemColumns] | None = None

    # ------------------------------------------------------------ what stands in the columns

    def sample(self, header: Header) -> list[object]:
        """Return some cells of a column that hold something, from all over the sheet."""
        step = max(1, len(self.layout.data_rows) // _SAMPLE)
        rows = self.layout.data_rows[::step]
        lines = (self.grid.rows[row - 1] for row in rows)
        return [v for line in lines if header.column < len(line) and text_of(v := line[header.column])]

    def visible(self) -> list[Header]:
        """Return the columns that are not hidden."""
        return [h for h in self.layout.headers if not h.hidden]

    def fits(self, header: Header, definition: Definition) -> bool:
        """Say whether the cells of a column look like what a near spelling of its header would mean."""
        sample = self.sample(header)
        if not sample:
            return False
        if definition.role in ("item", "months", "check", "part"):
            read = cells.read_amounts(sample, Decimal(1), self.words.kinds, may_be_negative=True)
        elif definition.column in ("household_id", "member_id"):
            read = read_ids(sample)
        elif definition.column in ("person_number", "head_number"):
            read = read_person_numbers(sample)
        elif (known := self.words.words(definition.name)) and definition.role == "column":
            read = cells.read_words(sample, known, several=True, boolean=self.words.words("booleans"))
        else:
            return False
        return sum(fault is None for fault in read.faults) >= 0.9 * len(sample)

    def find(self, *names: str) -> Header | None:
        """Return the visible column that means one of the names, in their order; near spellings last."""
        for name in names:
            exact: list[tuple[Header, Definition]] = []
            near: list[tuple[Header, Definition]] = []
            for header in self.visible():
                for meaning in header.meanings:
                    if meaning.role == "column" and name in (meaning.name, meaning.column):
                        (exact if meaning.sure == 1 else near).append((header, meaning))
                        break
            if exact:
                if (
                    len(exact) > 1
                    and name in (*_KEYS, "amount")
                    and not two_directions([h for h, _ in exact])
                ):
                    self._ask_two([h for h, _ in exact], name)
                return exact[0][0]
            for header, meaning in near:
                if self.fits(header, meaning):
                    self.ask("near header", header, blocking=False)
                    return header
        return None

    def by_values(
        self, names: Iterable[str], taken: Iterable[Header | None] = ()
    ) -> tuple[Header, str] | None:
        """Return the column whose cells are words of one of the code lists, and which."""
        taken_columns = {h.column for h in taken if h}
        best: tuple[float, Header, str] | None = None
        for header in self.visible():
            if header.column in taken_columns:
                continue
            sample = self.sample(header)
            for name in names if sample else ():
                read = cells.read_words(sample, self.words.words(name), several=True)
                share = sum(f is None for f in read.faults) / len(sample)
                if share >= 0.7 and (best is None or share > best[0]):
                    best = share, header, name
        return (best[1], best[2]) if best else None

    def ask(self, kind: str, header: Header | None = None, text: str = "", *, blocking: bool = True) -> None:
        """Note a question."""
        where = header.text if header else ""
        shown = without_personal_numbers(text or where)
        self.questions.append(
            Question(self.grid.file, self.grid.sheet, where, kind, shown, blocking=blocking)
        )

    def _ask_two(self, headers: Sequence[Header], name: str) -> None:
        same = len({h.text for h in headers}) == 1
        self.ask("two columns", headers[1], f"{name}: {' · '.join(h.text for h in headers)}", blocking=same)

    def use(self, header: Header | None) -> str:
        """Return the name of a column in the map, and note that it is read."""
        if header is None:
            return ""
        self.used.add(header.column)
        same = [h for h in self.visible() if h.text == header.text]
        place = next(i for i, h in enumerate(same) if h.column == header.column) if header in same else 0
        return f"{header.text}#{place + 1}" if place else header.text

    def items(self) -> list[ItemColumns]:
        """Return the columns of amounts by what they are of."""
        if self.arranged is None:
            self.arranged = arrange_items(self.visible(), self.words, self.fits)
        return self.arranged

    # ------------------------------------------------------------ tables

    def columns(
        self, table: str, names: Sequence[str], *, known: dict[str, ColumnMap]
    ) -> dict[str, ColumnMap]:
        """Return the columns of a table that the sheet has, besides those known."""
        out = dict(known)
        for name in names:
            if name in out:
                continue
            header = self.find(f"{table}.{name}", name)
            if header is None or (
                header.column in self.used and name not in ("household_id", "row_id", "recorded_on")
            ):
                continue
            meaning = next(
                m
                for m in header.meanings
                if m.role == "column" and name in (m.column, m.name.rpartition(".")[2])
            )
            out[name] = ColumnMap(column=self.use(header), inverted=meaning.inverted)
        return out

    def key(self) -> dict[str, ColumnMap]:
        """Return the columns that say whose a row is."""
        out: dict[str, ColumnMap] = {}
        for name in _KEYS:
            if header := self.find(name):
                out[name] = ColumnMap(column=self.use(header))
        if "person_number" not in out and (header := self._number_column()):
            out["person_number"] = ColumnMap(column=self.use(header))
        if header := self.find("name"):
            out["name"] = ColumnMap(column=self.use(header))
        return out

    def _number_column(self) -> Header | None:
        """Return a column without a known header whose cells are valid identity numbers."""
        for header in self.visible():
            if header.meanings or not (sample := self.sample(header)):
                continue
            read = read_person_numbers(sample)
            if len(sample) >= 3 and sum(f is None for f in read.faults) >= 0.9 * len(sample):
                return header
        return None


# ---------------------------------------------------------------- amounts


def amount_tables(sheet: SheetColumns, key: dict[str, ColumnMap]) -> list[TableMap]:
    """Return the maps of incomes and spendings of a sheet."""
    time = _time(sheet)
    base = {n: c for n, c in key.items() if n in ("household_id", "member_id", "person_number", "name")}
    for name in ("row_id", "recorded_on"):
        if header := sheet.find(name):
            base[name] = ColumnMap(column=sheet.use(header))
    months = [h for h in sheet.visible() if h.meanings and h.meanings[0].role == "months"]
    if len(months) >= 2:
        return _by_months(sheet, months, base | time)
    items = _items(sheet)
    if items:
        return _by_items(sheet, items, base | time)
    amount = sheet.find("amount")
    if amount is None:
        return []
    return _long(sheet, amount, base | time)


def dated_amount_tables(sheet: SheetColumns, key: dict[str, ColumnMap]) -> list[TableMap]:
    """Return the amounts of a register whose year a column, its group or its header says.

    Those without a year may be of the twelve months before identification: they are left and asked about.
    """
    items = _items(sheet)
    year = sheet.find("year")
    dated = items if year else [one for one in items if one[1].span and one[1].span.year]
    for header, _, _ in [one for one in items if one not in dated][:1]:
        sheet.ask("amounts of a register", header, blocking=False)
    if not dated:
        return []
    names = ("household_id", "member_id", "person_number", "name")
    known = {n: c for n, c in key.items() if n in names}
    return _by_items(sheet, dated, known | ({"year": ColumnMap(column=sheet.use(year))} if year else {}))


def _time(sheet: SheetColumns) -> dict[str, ColumnMap]:
    """Return the columns that say of when an amount is."""
    out: dict[str, ColumnMap] = {}
    for name in ("month_from", "month_to"):
        if header := sheet.find(name):
            out[name] = ColumnMap(column=sheet.use(header))
    if len(out) == 2:
        return out
    for name in ("month", "period", "year"):
        if header := sheet.find(name):
            sample = sheet.sample(header)
            # 年 and 月 side by side are one month in two columns.
            if name == "month" and sheet.find("year") and _only_months(sample):
                out["year"] = ColumnMap(column=sheet.use(sheet.find("year")))
            out[name] = ColumnMap(column=sheet.use(header))
            if name != "period":
                break
    if "period" in out and (header := sheet.find("year")):
        out["year"] = ColumnMap(column=sheet.use(header))
    return {n: c for n, c in out.items() if n not in ("month_from", "month_to")}


def _only_months(sample: Sequence[object]) -> bool:
    return bool(sample) and all(re.fullmatch(r"\d{1,2}(月|月份)?", cells.cell_word(v)) for v in sample)


def _needs_year(sheet: SheetColumns, time: dict[str, ColumnMap], amounts: Sequence[AmountMap]) -> None:
    facts = sheet.layout.facts
    said = {"month", "year", "month_from"} & set(time) or facts.year or facts.months
    if "period" in time and (header := sheet.layout.header(time["period"].column or "")):
        spans = cells.read_spans(sheet.sample(header), year=None).values
        said = said or all(span and span.year for span in spans)
    if not said and not all(a.year for a in amounts):
        sheet.ask("no year")
    stated = {"month", "year", "month_from", "period"} & set(time) or all(a.months or a.year for a in amounts)
    part = facts.months and facts.months[1] - facts.months[0] < 11
    yearly = "year" in time and not {"month", "month_from", "period"} & set(time)
    if part and ((facts.month_doubtful and not stated) or (yearly and not all(a.months for a in amounts))):
        sheet.ask("month or year", None, facts.said["months"])
    if facts.two_years and not ({"year", "month_from"} & set(time) or all(a.year for a in amounts)):
        header = sheet.layout.header(time["month"].column or "") if "month" in time else None
        if header is None or _only_months(sheet.sample(header)):
            sheet.ask("year over two", None, facts.said["two_years"][:60])
    others = sheet.words.kinds.get("other_amounts", frozenset())
    for text in () if stated else dict.fromkeys(title_texts(sheet)):
        if any(word in re.sub(r"\d\s*月", "", text) for word in others):
            sheet.ask("other amounts", None, text[:60])
            break


def _items(sheet: SheetColumns) -> list[AmountColumn]:
    """Return the columns that are amounts of one source or category, or of a part that no column sums up."""
    out: list[AmountColumn] = []
    for one in sheet.items():
        if len(one.wholes) > 1:
            sheet.ask("two columns", one.wholes[1][0], " · ".join(h.text for h, _ in one.wholes))
        if one.wholes:
            header, meaning = one.wholes[0]
            if meaning.sure < 1:
                sheet.ask("near header", header, blocking=False)
            out.append((header, meaning, False))
            continue
        own = Definition("item", one.name, span=one.span)
        out += [(header, own, True) for header in one.parts]
        sheet.ask("parts without total", one.parts[0], " · ".join(h.text for h in one.parts), blocking=False)
    return sorted(out, key=lambda one: one[0].column)


def _by_items(
    sheet: SheetColumns, items: Sequence[AmountColumn], known: dict[str, ColumnMap]
) -> list[TableMap]:
    amounts: dict[str, list[AmountMap]] = {}
    for header, meaning, part in items:
        span = meaning.span
        months = None if span is None or (span.first, span.last) == (1, 12) else f"{span.first}-{span.last}"
        one = AmountMap(
            column=sheet.use(header),
            item=meaning.column,
            months=months,
            year=span.year if span else None,
            cumulative=bool(span and span.cumulative),
            years_back=span.back if span else 0,
            part=part,
        )
        amounts.setdefault(meaning.table, []).append(one)
    listed = [a for group in amounts.values() for a in group]
    _needs_year(sheet, known, listed)
    _check_unit(sheet, [h for h, _, _ in items])
    persons = bool(sheet.find("members.relation"))
    own = {h.text for h, m, part in items if persons and _differ_by_member(sheet, [(h, m, part)], known)}
    return [
        TableMap(table=table, columns=known, amounts=without_sums(some), once=persons and once)
        for table, group in amounts.items()
        for once in (True, False)
        if (some := [a for a in group if (a.column not in own) == once])
    ]


def _by_months(sheet: SheetColumns, months: Sequence[Header], known: dict[str, ColumnMap]) -> list[TableMap]:
    """Return the maps of a sheet with one column a month, quarter or half-year."""
    amounts = []
    for header in months:
        span = header.meanings[0].span
        if span is None:
            continue
        text = str(span.first) if span.first == span.last else f"{span.first}-{span.last}"
        whole = (span.first, span.last) == (1, 12)
        amounts.append(
            AmountMap(
                column=sheet.use(header),
                months=None if whole else text,
                year=span.year,
                cumulative=span.cumulative,
                years_back=span.back,
            )
        )
    known = {n: c for n, c in known.items() if n != "month"}
    _needs_year(sheet, known, amounts)
    _check_unit(sheet, months)
    return _of_items(sheet, known, without_sums(amounts))


def _differ_by_member(
    sheet: SheetColumns, items: Sequence[AmountColumn], known: dict[str, ColumnMap]
) -> bool:
    """Say whether the rows of one household hold amounts of their own, not the household's repeated."""
    key = known.get("household_id")
    header = sheet.layout.header(key.column) if key and key.column else None
    if header is None:
        return False
    found: dict[tuple[str, int], list[str]] = {}
    for row in sheet.layout.data_rows:
        line = sheet.grid.rows[row - 1]
        household = text_of(line[header.column]) if header.column < len(line) else ""
        for item, _, _ in items if household else ():
            if item.column < len(line) and (text := text_of(line[item.column])):
                found.setdefault((household, item.column), []).append(text)
    several = [texts for texts in found.values() if len(texts) > 1 and set(texts) != {"0"}]
    return len(several) >= 3 and sum(len(set(t)) > 1 for t in several) > len(several) / 2


def _long(sheet: SheetColumns, amount: Header, known: dict[str, ColumnMap]) -> list[TableMap]:
    """Return the maps of a sheet with one amount a row."""
    one = AmountMap(column=sheet.use(amount))
    if not {"month", "year", "month_from", "period"} & set(known):
        date = sheet.find("date")
        if date:
            known = known | {"month": ColumnMap(column=sheet.use(date))}
    _needs_year(sheet, known, [one])
    if unit := unit_column(sheet):
        known = known | {"amount_unit": ColumnMap(column=sheet.use(unit))}
    else:
        _check_unit(sheet, [amount])
    return _of_items(sheet, known, (one,))


def _of_items(
    sheet: SheetColumns, known: dict[str, ColumnMap], amounts: tuple[AmountMap, ...]
) -> list[TableMap]:
    """Return one map for each table whose words stand in the column of sources or categories."""
    names = {"income.source": "income", "spending.category": "spending"}
    header = sheet.find("item", "income.source", "spending.category")
    candidates = [header] if header else []
    if header is None and (found := sheet.by_values(names)):
        candidates = [found[0]]
    for column in candidates:
        sample = sheet.sample(column)
        if not sample:
            continue
        shares = {}
        for name, table in names.items():
            read = cells.read_words(sample, sheet.words.words(name))
            shares[table] = sum(f is None for f in read.faults) / len(sample)
        said = said_table(sheet)
        chosen = chosen_tables(shares, said)
        if not chosen:
            sheet.ask("unknown items", column, " ".join(sorted({text_of(v) for v in sample})[:8]))
            return []
        _ask_unknown_items(sheet, column, [n for n, t in names.items() if t in chosen])
        text = sheet.use(column)
        own = amounts_by_table(sheet, amounts)
        return [
            TableMap(table=table, columns=known | {"item": ColumnMap(column=text)}, amounts=own[table])
            for table in chosen
        ]
    if item := item_of_titles(sheet):
        table, _, code = item.partition(".")
        return [TableMap(table=table, columns=known | {"item": ColumnMap(value=code)}, amounts=amounts)]
    sheet.ask("no item")
    return []


def _ask_unknown_items(sheet: SheetColumns, column: Header, names: Sequence[str]) -> None:
    """Name the words of a column of sources that none of the lists knows."""
    every = [
        text_of(line[column.column])
        for row in sheet.layout.data_rows
        if column.column < len(line := sheet.grid.rows[row - 1]) and text_of(line[column.column])
    ]
    unknown = [
        word
        for word in dict.fromkeys(every)
        if all(cells.read_words([word], sheet.words.words(name)).faults[0] for name in names)
    ]
    if unknown:
        sheet.ask("unknown items", column, " ".join(unknown[:8]), blocking=False)


def _check_unit(sheet: SheetColumns, headers: Sequence[Header]) -> None:
    """Ask for the unit where nothing names it and the amounts are too small for yuan."""
    facts = sheet.layout.facts
    if facts.unit or any(m.unit for h in headers for m in h.meanings[:1]):
        return
    values = [
        v
        for h in headers
        for v in cells.read_amounts(
            sheet.sample(h), Decimal(1), sheet.words.kinds, may_be_negative=True
        ).values
        if v and v > 0
    ]
    if len(values) >= 5 and sorted(values)[len(values) // 2] < 30:
        sheet.ask("unit", headers[0], f"{sorted(values)[len(values) // 2].normalize():f}")
