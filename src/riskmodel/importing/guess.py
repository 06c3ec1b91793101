"""Proposing a map: which sheet feeds which table, by its headers, its titles and what its cells hold.

What is sure is proposed; what is not is a question that names the file, the sheet and the column, and the
sheet is not
read until a person has answered by editing the map. A sheet without any number of a household or person is no
record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from riskmodel.data import contract
from riskmodel.data.sources import table_of
from riskmodel.grids import Grid
from riskmodel.i18n import Message
from riskmodel.importing import cell_reading as cells
from riskmodel.importing.mapping import (
    UNITS,
    AmountMap,
    CheckMap,
    ColumnMap,
    ImportMap,
    SheetMap,
    TableMap,
    span_of,
)
from riskmodel.importing.sheet_layout import Header, SheetLayout, text_of
from riskmodel.importing.vocabulary import Meaning, Vocabulary, normalise_word

_SAMPLE = 400
_KEYS = ("household_id", "person_number", "member_id")
_HOUSEHOLD_COLUMNS = ("township", "village", "group", "natural_village")
_SUMMARY = re.compile(r"汇总|合计表|透视|统计汇总|说明|目录|填表")


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


@dataclass(frozen=True)
class SheetGuess:
    """What is proposed for one sheet, why, and what is not sure."""

    spec: SheetMap
    comments: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def sure(self) -> bool:
        """Whether nothing must be answered before it is read."""
        return not any(q.blocking for q in self.questions)


@dataclass
class _Sheet:
    """One sheet while its map is made."""

    grid: Grid
    layout: SheetLayout
    words: Vocabulary
    questions: list[Question] = field(default_factory=list)
    used: set[int] = field(default_factory=set)

    # ------------------------------------------------------------ what stands in the columns

    def sample(self, header: Header) -> list[object]:
        """Return some cells of a column that hold something, from all over the sheet."""
        step = max(1, len(self.layout.data_rows) // _SAMPLE)
        rows = self.layout.data_rows[::step]
        lines = (self.grid.rows[row - 1] for row in rows)
        return [v for line in lines if header.column < len(line) and text_of(v := line[header.column])]

    def visible(self) -> list[Header]:
        return [h for h in self.layout.headers if not h.hidden]

    def _fits(self, header: Header, meaning: Meaning) -> bool:
        """Say whether the cells of a column look like what a near spelling of its header would mean."""
        sample = self.sample(header)
        if not sample:
            return False
        if meaning.role in ("item", "months", "check", "part"):
            read = cells.read_amounts(sample, Decimal(1), self.words.kinds, may_be_negative=True)
        elif meaning.column in ("household_id", "member_id"):
            read = cells.read_ids(sample)
        elif meaning.column in ("person_number", "head_number"):
            read = cells.read_person_numbers(sample)
        elif (known := self.words.words(meaning.name)) and meaning.role == "column":
            read = cells.read_words(sample, known, several=True, boolean=self.words.words("booleans"))
        else:
            return False
        return sum(fault is None for fault in read.faults) >= 0.9 * len(sample)

    def find(self, *names: str) -> Header | None:
        """Return the visible column that means one of the names, in their order; near spellings last."""
        for name in names:
            exact, near = [], []
            for header in self.visible():
                for meaning in header.meanings:
                    if meaning.role == "column" and name in (meaning.name, meaning.column):
                        (exact if meaning.sure == 1 else near).append((header, meaning))
                        break
            if exact:
                if len(exact) > 1 and name in (*_KEYS, "amount"):
                    self._ask_two([h for h, _ in exact], name)
                return exact[0][0]
            for header, meaning in near:
                if self._fits(header, meaning):
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
        self.questions.append(
            Question(self.grid.file, self.grid.sheet, where, kind, text or where, blocking=blocking)
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
            if header is None or (header.column in self.used and name not in ("household_id", "recorded_on")):
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
            read = cells.read_person_numbers(sample)
            if len(sample) >= 3 and sum(f is None for f in read.faults) >= 0.9 * len(sample):
                return header
        return None


def guess_sheet(grid: Grid, layout: SheetLayout, words: Vocabulary) -> SheetGuess:
    """Propose what is read of one sheet.

    Parameters
    ----------
    grid, layout
        The sheet and how it is laid out.
    words
        The vocabulary.

    Returns
    -------
    SheetGuess
        A map of it, or why it is skipped, and what must be asked.
    """
    pattern = {"file": grid.file, "sheet": grid.sheet}
    if not any(text_of(v) for line in grid.rows for v in line):
        return SheetGuess(SheetMap(**pattern, skip="empty"), ("empty",))
    if not layout.headers or not layout.data_rows:
        return SheetGuess(SheetMap(**pattern, skip="no header found"), ("no header found",))
    sheet = _Sheet(grid, layout, words)
    own = table_of(grid.sheet) or table_of(re.sub(r"\.\w+$", "", grid.file))
    links = _links(sheet)
    key = sheet.key()
    if not links and not {"household_id", "person_number", "member_id"} & set(key):
        return _without_key(sheet, pattern)
    tables = [links] if links else [t for t in _tables(sheet, key, own) if t]
    if not tables:
        sheet.ask("no table", None, " · ".join(h.text for h in sheet.visible())[:120])
        return SheetGuess(
            SheetMap(**pattern, skip="not understood"), (), tuple(sheet.questions), _unread(sheet)
        )
    spec = SheetMap(
        **pattern,
        tables=tuple(tables),
        checks=tuple(_checks(sheet)),
        fill_down=tuple(_fill_down(sheet, key)),
    )
    return SheetGuess(spec, tuple(_comments(sheet)), tuple(sheet.questions), _unread(sheet))


def _without_key(sheet: _Sheet, pattern: dict[str, str]) -> SheetGuess:
    """Skip a sheet without any number; one that looks like records is asked about."""
    amounts = [h for h in sheet.visible() if h.meanings and h.meanings[0].role in ("item", "months")]
    named = sheet.find("name", "head_name")
    if named and amounts and len(sheet.layout.data_rows) >= 3 and not _SUMMARY.search(sheet.grid.sheet):
        sheet.ask("no number", named)
        return SheetGuess(SheetMap(**pattern, skip="no household number"), (), tuple(sheet.questions), ())
    return SheetGuess(SheetMap(**pattern, skip="no household number"), ("no household number",))


def _tables(sheet: _Sheet, key: dict[str, ColumnMap], own: str | None) -> list[TableMap | None]:
    monitoring = _monitoring(sheet, key)
    support = None if monitoring else _support(sheet, key)
    amounts = _amounts(sheet, key) if not (monitoring or support) else _dated_items(sheet, key)
    members = _members(sheet, key)
    events = None
    if not (monitoring or support or members or amounts):
        events = _risk_events(sheet, key)
    households = _households(sheet, key, repeated=members is not None)
    out = [households, members, *amounts, events, monitoring, support]
    if not any(out) and own:
        out.append(_by_contract(sheet, key, own))
    elif not any(out):
        out.append(next((t for name in _OTHER_TABLES if (t := _by_contract(sheet, key, name))), None))
    return out


_OTHER_TABLES = (
    "visits",
    "assets",
    "warnings",
    "procedure",
    "jobs",
    "medical",
    "indicators",
    "unrecorded",
    "recorded",
)


def _by_contract(sheet: _Sheet, key: dict[str, ColumnMap], table: str) -> TableMap | None:
    """Return a table whose required columns all stand under the contract's own headers."""
    spec = contract().tables[table]
    known = {n: c for n, c in key.items() if n in spec.columns}
    columns = sheet.columns(table, list(spec.columns), known=known)
    missing = [n for n, c in spec.columns.items() if c.required and n not in columns]
    return None if missing else TableMap(table=table, columns=columns)


def _links(sheet: _Sheet) -> TableMap | None:
    if not (sheet.find("household_links.old_id") and sheet.find("household_links.new_id")):
        return None
    names = ("old_id", "new_id", "kind", "date", "recorded_on")
    columns = sheet.columns("household_links", names, known={})
    if "date" not in columns and (header := sheet.find("date", "valid_from")):
        columns["date"] = ColumnMap(column=sheet.use(header))
    return TableMap(table="household_links", columns=columns) if {"kind", "date"} <= set(columns) else None


def _households(sheet: _Sheet, key: dict[str, ColumnMap], *, repeated: bool) -> TableMap | None:
    if "household_id" not in key or not sheet.find("households.registration", "village"):
        return None
    spec = contract().tables["households"].columns
    names = [n for n in spec if n not in ("valid_from", "weight")]
    columns = sheet.columns("households", [*names, "lifted"], known={"household_id": key["household_id"]})
    if "registration" not in columns and "village" not in columns:
        return None
    if "group" not in columns and (header := sheet.find("natural_village")):
        columns["group"] = ColumnMap(column=sheet.use(header))
    date = sheet.find("households.valid_from") or (None if repeated else sheet.find("valid_from"))
    if date:
        columns["valid_from"] = ColumnMap(column=sheet.use(date))
    if header := sheet.find("recorded_on"):
        columns["recorded_on"] = ColumnMap(column=sheet.use(header))
    return TableMap(table="households", columns=columns, once=repeated)


def _members(sheet: _Sheet, key: dict[str, ColumnMap]) -> TableMap | None:
    if not sheet.find("members.relation", "members.birth_month", "members.health", "members.schooling"):
        return None
    if not {"household_id", "member_id", "person_number"} & set(key):
        return None
    names = [n for n in contract().tables["members"].columns if n not in ("member_id", "household_id")]
    known = {n: c for n, c in key.items() if n in ("household_id", "member_id", "person_number", "name")}
    columns = sheet.columns("members", [*names, "insured_employee", "education", "recorded_on"], known=known)
    if not {"relation", "birth_month", "person_number"} & set(columns):
        return None
    return TableMap(table="members", columns=columns)


def _cause(sheet: _Sheet) -> tuple[Header | None, list[Header]]:
    """Return the column of risks and further ones; never the causes of a first registration."""
    found = [
        h
        for h in sheet.visible()
        if any(m.role == "column" and m.column == "cause" and m.sure == 1 for m in h.meanings)
        or (re.search(r"风险\d$", h.own) and "消除" not in h.own)
    ]
    return (found[0] if found else None), found[1:]


def _monitoring(sheet: _Sheet, key: dict[str, ColumnMap]) -> TableMap | None:
    identified = sheet.find("monitoring.identified_on")
    category, event = sheet.find("monitoring.category"), sheet.find("monitoring.event")
    if event and not identified:
        read = cells.read_words(sheet.sample(event), sheet.words.words("monitoring.event"))
        event = event if any(f is None for f in read.faults) else None
    if not (identified or event):
        return None
    known = {n: c for n, c in key.items() if n == "household_id"}
    if not known:
        return None
    cause, more = _cause(sheet)
    if cause:
        further = tuple(sheet.use(h) for h in more)
        known["causes"] = ColumnMap(column=sheet.use(cause), more=further)
    if category:
        known["category"] = ColumnMap(column=sheet.use(category))
    if event and not identified:
        columns = sheet.columns("monitoring", ("event", "date", "row_id", "recorded_on"), known=known)
        return TableMap(table="monitoring", columns=columns) if "date" in columns else None
    names = ("identified_on", "eliminated_on", "eliminated", "way", "recorded_on")
    for name in names:
        if name == "way":
            continue
        if header := sheet.find(f"monitoring.{name}", name):
            known[name] = ColumnMap(column=sheet.use(header))
    return TableMap(table="monitoring", columns=known)


def _support(sheet: _Sheet, key: dict[str, ColumnMap]) -> TableMap | None:
    if not sheet.find("support.measure") or "household_id" not in key:
        return None
    known = {"household_id": key["household_id"]}
    cause, _ = _cause(sheet)
    if cause:
        known["cause"] = ColumnMap(column=sheet.use(cause))
    names = ("measure", "date", "amount", "end_date", "row_id", "recorded_on")
    columns = sheet.columns("support", names, known=known)
    return TableMap(table="support", columns=columns) if {"measure", "date"} <= set(columns) else None


def _risk_events(sheet: _Sheet, key: dict[str, ColumnMap]) -> TableMap | None:
    cause, _ = _cause(sheet)
    if cause is None and not (found := sheet.by_values(["risk_events.cause"])):
        return None
    header = cause or found[0]
    if "household_id" not in key:
        return None
    known = {"household_id": key["household_id"], "cause": ColumnMap(column=sheet.use(header))}
    names = ("date", "loss", "channel", "row_id", "recorded_on")
    columns = sheet.columns("risk_events", names, known=known)
    return TableMap(table="risk_events", columns=columns) if "date" in columns else None


# ---------------------------------------------------------------- amounts


def _amounts(sheet: _Sheet, key: dict[str, ColumnMap]) -> list[TableMap]:
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


def _dated_items(sheet: _Sheet, key: dict[str, ColumnMap]) -> list[TableMap]:
    """Return the amounts of a register whose year a column, its group or its header says.

    Those without a year may be of the twelve months before identification: they are left and asked about.
    """
    items = _items(sheet)
    year = sheet.find("year")
    dated = items if year else [one for one in items if one[1].span and one[1].span.year]
    for header, _ in [one for one in items if one not in dated][:1]:
        sheet.ask("amounts of a register", header, blocking=False)
    if not dated:
        return []
    names = ("household_id", "member_id", "person_number", "name")
    known = {n: c for n, c in key.items() if n in names}
    return _by_items(sheet, dated, known | ({"year": ColumnMap(column=sheet.use(year))} if year else {}))


def _time(sheet: _Sheet) -> dict[str, ColumnMap]:
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


def _needs_year(sheet: _Sheet, time: dict[str, ColumnMap], amounts: Sequence[AmountMap]) -> None:
    facts = sheet.layout.facts
    said = {"month", "year", "month_from"} & set(time) or facts.year or facts.months
    if not said and not all(a.year for a in amounts):
        sheet.ask("no year")


def _items(sheet: _Sheet) -> list[tuple[Header, Meaning]]:
    """Return the columns that are amounts of one source or category; of equal ones the visible one."""
    found: dict[tuple[str, object], list[tuple[Header, Meaning]]] = {}
    for header in sheet.layout.headers:
        meaning = next((m for m in header.meanings if m.role == "item"), None)
        if meaning is None:
            continue
        if meaning.sure < 1:
            if header.hidden or not sheet._fits(header, meaning):
                continue
            sheet.ask("near header", header, blocking=False)
        found.setdefault((meaning.name, meaning.span), []).append((header, meaning))
    out = []
    for listed in found.values():
        shown = [one for one in listed if not one[0].hidden]
        if len(shown) > 1:
            sheet.ask("two columns", shown[1][0], " · ".join(h.text for h, _ in shown))
        out += shown[:1]
    return sorted(out, key=lambda one: one[0].column)


def _by_items(
    sheet: _Sheet, items: Sequence[tuple[Header, Meaning]], known: dict[str, ColumnMap]
) -> list[TableMap]:
    amounts: dict[str, list[AmountMap]] = {}
    for header, meaning in items:
        span = meaning.span
        months = None if span is None or (span.first, span.last) == (1, 12) else f"{span.first}-{span.last}"
        one = AmountMap(
            column=sheet.use(header),
            item=meaning.column,
            months=months,
            year=span.year if span else None,
            cumulative=bool(span and span.cumulative),
        )
        amounts.setdefault(meaning.table, []).append(one)
    listed = [a for group in amounts.values() for a in group]
    _needs_year(sheet, known, listed)
    _check_unit(sheet, [h for h, _ in items])
    repeated = bool(sheet.find("members.relation")) and not _differ_by_member(sheet, items, known)
    return [
        TableMap(table=table, columns=known, amounts=_parts_only(group), once=repeated)
        for table, group in amounts.items()
    ]


def _marked_cumulative(amounts: Sequence[AmountMap]) -> tuple[AmountMap, ...]:
    """Mark spans that all begin with January and grow (1-3, 1-6, 1-9) as adding up from the year's begin."""
    by_item: dict[tuple[str | None, int | None], list[AmountMap]] = {}
    for one in amounts:
        by_item.setdefault((one.item, one.year), []).append(one)
    out = []
    for one in amounts:
        spans = [a.months for a in by_item[one.item, one.year] if a.months]
        growing = len(spans) >= 2 and all(m.startswith("1-") for m in spans)
        out.append(replace_amount(one, cumulative=one.cumulative or growing))
    return tuple(out)


def replace_amount(one: AmountMap, **changes: object) -> AmountMap:
    """Return an amount column with some of its fields changed."""
    return one.model_copy(update=changes)


def _by_months(sheet: _Sheet, months: Sequence[Header], known: dict[str, ColumnMap]) -> list[TableMap]:
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
            )
        )
    known = {n: c for n, c in known.items() if n != "month"}
    _needs_year(sheet, known, amounts)
    _check_unit(sheet, months)
    return _of_items(sheet, known, _parts_only(amounts))


def _differ_by_member(
    sheet: _Sheet, items: Sequence[tuple[Header, Meaning]], known: dict[str, ColumnMap]
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
        for item, _ in items if household else ():
            if item.column < len(line) and (text := text_of(line[item.column])):
                found.setdefault((household, item.column), []).append(text)
    several = [texts for texts in found.values() if len(texts) > 1 and set(texts) != {"0"}]
    return len(several) >= 3 and sum(len(set(t)) > 1 for t in several) > len(several) / 2


def _parts_only(amounts: Sequence[AmountMap]) -> tuple[AmountMap, ...]:
    """Return the amounts without those that only add up the months beside them.

    A year, half-year or quarter beside its single months is their sum (`_checks` compares it); a year beside
    sums that add up from January on is the last of them. A year beside quarters stays: which of them holds
    is settled row by row (`riskmodel.importing.amounts`).
    """
    out = []
    for one in amounts:
        beside = [
            a for a in amounts if (a.item, a.year) == (one.item, one.year) and a is not one and a.months
        ]
        first, last = span_of(one.months) if one.months else (1, 12)
        singles = {span_of(a.months)[0] for a in beside if a.months and "-" not in a.months}
        if first < last and len(singles & set(range(first, last + 1))) >= 2:
            continue
        growing = len(beside) >= 2 and all((a.months or "").startswith("1-") for a in beside)
        if not one.months and growing:
            one = replace_amount(one, months="1-12", cumulative=True)
        out.append(one)
    return _marked_cumulative(out)


def _long(sheet: _Sheet, amount: Header, known: dict[str, ColumnMap]) -> list[TableMap]:
    """Return the maps of a sheet with one amount a row."""
    one = AmountMap(column=sheet.use(amount))
    if not {"month", "year", "month_from", "period"} & set(known):
        date = sheet.find("date")
        if date:
            known = known | {"month": ColumnMap(column=sheet.use(date))}
    _needs_year(sheet, known, [one])
    _check_unit(sheet, [amount])
    return _of_items(sheet, known, (one,))


def _of_items(sheet: _Sheet, known: dict[str, ColumnMap], amounts: tuple[AmountMap, ...]) -> list[TableMap]:
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
        said = _said_table(sheet)
        chosen = _chosen_tables(shares, said)
        if not chosen:
            sheet.ask("unknown items", column, " ".join(sorted({text_of(v) for v in sample})[:8]))
            return []
        _ask_unknown_items(sheet, column, [n for n, t in names.items() if t in chosen])
        text = sheet.use(column)
        return [
            TableMap(table=table, columns=known | {"item": ColumnMap(column=text)}, amounts=amounts)
            for table in chosen
        ]
    if item := _item_of_titles(sheet):
        table, _, code = item.partition(".")
        return [TableMap(table=table, columns=known | {"item": ColumnMap(value=code)}, amounts=amounts)]
    sheet.ask("no item")
    return []


def _ask_unknown_items(sheet: _Sheet, column: Header, names: Sequence[str]) -> None:
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


def _chosen_tables(shares: dict[str, float], said: str) -> list[str]:
    """Return the tables whose words a column holds; a word of both lists belongs to what the titles say."""
    if said and shares[said] >= 0.5:
        return [said]
    high = [t for t, share in shares.items() if share >= 0.5]
    if len(high) == 2:
        best = max(shares, key=lambda t: shares[t])
        return [best] if shares[best] > min(shares.values()) else []
    if high:
        return high
    return [t for t, share in shares.items() if share > 0.05] if sum(shares.values()) >= 0.7 else []


def _said_table(sheet: _Sheet) -> str:
    """Return which of income and spending titles and headers speak of; empty where of both or none."""
    texts = [*_title_texts(sheet), *(h.text for h in sheet.visible())]
    income, spending = any("收入" in t for t in texts), any("支出" in t for t in texts)
    return "" if income == spending else "income" if income else "spending"


def _title_texts(sheet: _Sheet) -> list[str]:
    first = min(sheet.layout.header_rows)
    titles = [text_of(v) for line in sheet.grid.rows[: first - 1] for v in line if text_of(v)]
    return [*titles, sheet.grid.sheet, re.sub(r"\.\w+$", "", sheet.grid.file)]


def _item_of_titles(sheet: _Sheet) -> str | None:
    """Return the one source or category that titles and names speak of."""
    for text in _title_texts(sheet):
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


def _check_unit(sheet: _Sheet, headers: Sequence[Header]) -> None:
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
        sheet.ask("unit", headers[0], f"{sorted(values)[len(values) // 2]:f}")


# ---------------------------------------------------------------- checks and the rest


def _checks(sheet: _Sheet) -> list[CheckMap]:
    """Return the columns that say what their parts should give."""
    return [*_results(sheet), *_of_which(sheet)]


def _results(sheet: _Sheet) -> list[CheckMap]:
    out = []
    months = _without_sums([h for h in sheet.visible() if h.meanings and h.meanings[0].role == "months"])
    for header in sheet.visible():
        meaning = header.meanings[0] if header.meanings else None
        if meaning is None or meaning.role != "check" or header.column in sheet.used:
            continue
        parts = (
            tuple(sheet.use(h) for h in _summed(header, sheet, months)) if meaning.column == "total" else ()
        )
        if meaning.column == "total" and not parts:
            sheet.used.add(header.column)
            continue
        out.append(CheckMap(column=sheet.use(header), of=meaning.column, parts=parts))
    return out


def _of_which(sheet: _Sheet) -> list[CheckMap]:
    """Return the amounts whose parts stand beside them."""
    out = []
    parts: dict[str, list[Header]] = {}
    for header in sheet.visible():
        if header.meanings and header.meanings[0].role == "part" and header.column not in sheet.used:
            parts.setdefault(header.meanings[0].name, []).append(header)
    for name, listed in parts.items():
        sheet.used.update(header.column for header in listed)
        wholes = (h for h in sheet.visible() if any(m.role == "item" and m.name == name for m in h.meanings))
        if whole := next(wholes, None):
            out.append(CheckMap(column=whole.text, of="parts", parts=tuple(h.text for h in listed)))
    return out


def _summed(total: Header, sheet: _Sheet, months: Sequence[Header]) -> list[Header]:
    """Return what a 合计 adds up: the months, or the items of its own group."""
    group = total.path[:-1]
    own = [h for h in sheet.visible() if group and h.path[:-1] == group and h.meanings]
    return _without_sums([h for h in own if h.meanings[0].role in ("item", "months")]) or list(months)


def _without_sums(headers: Sequence[Header]) -> list[Header]:
    """Return the columns of amounts without quarters, half-years and years that others add up to."""
    single = [h for h in headers if (span := h.meanings[0].span) and span.first == span.last]
    return single if len(single) >= 2 else list(headers)


def _fill_down(sheet: _Sheet, key: dict[str, ColumnMap]) -> list[str]:
    """Return the household's columns where they stand only on the first of its rows."""
    if "household_id" not in key or not sheet.find("members.relation", "members.birth_month"):
        return []
    header = sheet.layout.header(key["household_id"].column or "")
    if header is None:
        return []
    merged = {
        row
        for r1, c1, r2, c2 in sheet.grid.merged
        if c1 <= header.column <= c2
        for row in range(r1 + 1, r2 + 1)
    }
    blank = []
    for row in sheet.layout.data_rows:
        line = sheet.grid.rows[row - 1]
        if row not in merged and not text_of(line[header.column] if header.column < len(line) else None):
            blank.append(row)
    if len(blank) < max(2, 0.05 * len(sheet.layout.data_rows)):
        return []
    columns = [header]
    for other in sheet.visible():
        if other.column == header.column or not other.meanings:
            continue
        meaning = other.meanings[0]
        if meaning.table == "households" or meaning.column in (
            *_HOUSEHOLD_COLUMNS,
            "head_name",
            "head_number",
        ):
            columns.append(other)
    return [h.text for h in columns]


def _comments(sheet: _Sheet) -> list[str]:
    facts = sheet.layout.facts
    out = []
    for name in ("unit", "year", "recorded_on", "snapshot_on", "township"):
        value = getattr(facts, name)
        if value:
            shown = next((u for u, v in UNITS.items() if v == value), value) if name == "unit" else value
            out.append(f"{name}: {shown} ({facts.said.get(name, '')[:60]})")
    return out


def _unread(sheet: _Sheet) -> tuple[str, ...]:
    """Return the columns that are not read."""
    return tuple(h.text for h in sheet.layout.headers if h.column not in sheet.used)


def guess_map(
    sheets: Sequence[tuple[Grid, SheetLayout]], words: Vocabulary
) -> tuple[ImportMap, list[SheetGuess]]:
    """Propose a map of all sheets.

    Parameters
    ----------
    sheets
        Every sheet with its layout.
    words
        The vocabulary.

    Returns
    -------
    plan : ImportMap
        One entry a sheet, in their order.
    guesses : list of SheetGuess
        The same with comments and questions.
    """
    guesses = [guess_sheet(grid, layout, words) for grid, layout in sheets]
    return ImportMap(sheets=tuple(g.spec for g in guesses)), guesses


__all__ = ["Question", "SheetGuess", "guess_map", "guess_sheet"]
