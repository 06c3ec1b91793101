"""Proposing a map: which sheet feeds which table, by its headers, its titles and what its cells hold.

What is sure is proposed; what is not is a question that names the file, the sheet and the column, and the
sheet is not
read until a person has answered by editing the map. A sheet without any number of a household or person is no
record.

Columns of a sheet that say the same; whether a column is the household's or a member's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from riskmodel.data import contract, table_of
from riskmodel.grids import Grid
from riskmodel.importing import cell_reading as cells
from riskmodel.importing.figures import figure_tables, is_gap, with_subsidy
from riskmodel.importing.guess_columns import Question, SheetColumns, amount_tables, dated_amount_tables
from riskmodel.importing.guess_ledgers import goes_on_below, ledger_item, title_texts
from riskmodel.importing.header_words import normalise_word
from riskmodel.importing.jobs import is_plan, jobs_table
from riskmodel.importing.mapping import (
    UNITS,
    ColumnMap,
    ImportMap,
    SheetMap,
    TableMap,
)
from riskmodel.importing.result_checks import result_checks
from riskmodel.importing.sheet_layout import Header, SheetLayout, text_of
from riskmodel.importing.vocabulary import Vocabulary

# Columns of which a sheet may have several that say the same, or that fill one another's blanks.
_SEVERAL = (
    "registration",
    "housing_safe",
    "water_safe",
    "relocated",
    "dibao",
    "tekun",
    "insured",
    "origin_cause",
)
_STATES = re.compile(r"^脱贫(标志|状态|属性)$")


def add_further_columns(sheet: SheetColumns, table: str, columns: dict[str, ColumnMap]) -> None:
    """Add to the columns of a table those of the sheet that say the same: 危房等级 beside 是否危房户."""
    register = sheet.find("monitoring.identified_on") is not None
    for name in _SEVERAL:
        if name not in columns:
            continue
        found = []
        for header in sheet.visible():
            meaning = next((m for m in header.meanings if m.role == "column" and m.column == name), None)
            fits = meaning is not None and meaning.sure == 1 and meaning.table in ("", table)
            if meaning and fits and not (register and is_gap(header)):
                found.append((header, meaning))
        gap = sheet.layout.header(columns[name].column or "") if register and not found else None
        if gap is not None:
            del columns[name]  # what was lacking at identification is no state of today
            sheet.used.discard(gap.column)
        # A word of the state of 脱贫 says more than one of the kind of household.
        found.sort(key=lambda one: not _STATES.match(one[0].own))
        if len(found) < 2:
            continue
        first, *rest = [ColumnMap(column=sheet.use(h), inverted=m.inverted) for h, m in found]
        if name == "origin_cause":
            columns[name] = first.model_copy(update={"more": tuple(c.column for c in rest)})
        else:
            columns[name] = first.model_copy(update={"also": tuple(rest)})


def differs_within_households(sheet: SheetColumns, header: Header, key: Mapping[str, ColumnMap]) -> bool:
    """Say whether a column holds different things on the rows of one household."""
    own = sheet.layout.header(key["household_id"].column or "") if "household_id" in key else None
    said: dict[str, set[str]] = {}
    for row in sheet.layout.data_rows if own else ():
        line = sheet.grid.rows[row - 1]
        if own and max(own.column, header.column) < len(line) and (text := text_of(line[header.column])):
            said.setdefault(text_of(line[own.column]), set()).add(text)
    return any(len(texts) > 1 for texts in said.values())


_HOUSEHOLD_COLUMNS = ("township", "village", "group", "natural_village")
_SUMMARY = re.compile(r"汇总|合计表|透视|统计汇总|说明|目录|填表")


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
    if not any(text_of(v) for line in grid.rows for v in line):
        return skipped_sheet(grid, "empty")
    sheet = SheetColumns(grid, layout, words)
    if not layout.headers or not layout.data_rows:
        _ask_about_labels(sheet)
        return skipped_sheet(grid, "no header", sheet.questions)
    _ask_about_legends(sheet)
    own = table_of(grid.sheet) or table_of(re.sub(r"\.\w+$", "", grid.file))
    links = _links(sheet)
    key = sheet.key()
    if not links and not {"household_id", "person_number", "member_id"} & set(key):
        return _without_key(sheet)
    tables = [links] if links else [t for t in _tables(sheet, key, own) if t]
    if not tables and is_plan(sheet):
        return skipped_sheet(grid, "planned work", sheet.questions, _unread(sheet))
    checks = result_checks(sheet, tables)
    tables = tables if links else [*with_subsidy(sheet, tables), *figure_tables(sheet, key)]
    if not tables:
        sheet.ask("no table", None, " · ".join(h.text for h in sheet.visible())[:120])
        return skipped_sheet(grid, "not understood", sheet.questions, _unread(sheet))
    spec = SheetMap(
        file=grid.file,
        sheet=grid.sheet,
        tables=tuple(tables),
        checks=tuple(checks),
        fill_down=tuple(_fill_down(sheet, key)),
    )
    return SheetGuess(spec, tuple(_comments(sheet)), tuple(sheet.questions), _unread(sheet))


def skipped_sheet(
    grid: Grid, why: str, questions: Sequence[Question] = (), unread: Sequence[str] = ()
) -> SheetGuess:
    """Return that nothing is read of a sheet, and why (a key of the catalogue under ``importing.why``)."""
    spec = SheetMap(file=grid.file, sheet=grid.sheet, skip=why)
    return SheetGuess(spec, (), tuple(questions), tuple(unread))


def _ask_about_labels(sheet: SheetColumns) -> None:
    """Ask about a sheet without a header that speaks of persons or households: a form, or another list."""
    texts = {text_of(v) for line in sheet.grid.rows[:60] for v in line if isinstance(v, str)}
    known = {
        m.name
        for text in texts
        if len(text) <= 12
        for m in sheet.words.meanings([text])[:1]
        if m.sure == 1 and m.role in ("column", "item")
    }
    personal = known & {"household_id", "person_number", "name", "head_name", "member_id"}
    if personal and len(known) >= 2 and len(sheet.grid.rows) >= 3:
        sheet.ask(
            "no table", None, " · ".join(sorted(text for text in texts if sheet.words.meanings([text])))[:80]
        )


def _ask_about_legends(sheet: SheetColumns) -> None:
    """Ask about notes that give colours and strokes a meaning, which cells do not say."""
    legends = sheet.words.kinds.get("legend_words", frozenset())
    notes = [row.text for row in sheet.layout.skipped if row.kind == "note"]
    for text in dict.fromkeys([*title_texts(sheet), *notes]):
        if any(word in text for word in legends):
            sheet.ask("legend", None, text[:60], blocking=False)


def _without_key(sheet: SheetColumns) -> SheetGuess:
    """Skip a sheet without any number; one that looks like records is asked about."""
    meant = {m.name for h in sheet.visible() for m in h.meanings[:1]}
    roles = {m.role for h in sheet.visible() for m in h.meanings[:1]}
    amounts = roles & {"item", "months"} or any(
        name.startswith(("households.", "members.")) for name in meant
    )
    place = meant & {"village", "township"}
    named = sheet.find("name", "head_name")
    if (
        named
        and (amounts or place)
        and len(sheet.layout.data_rows) >= 3
        and not _SUMMARY.search(sheet.grid.sheet)
    ):
        sheet.ask("no number", named)
    return skipped_sheet(sheet.grid, "no household number", sheet.questions)


def _tables(sheet: SheetColumns, key: dict[str, ColumnMap], own: str | None) -> list[TableMap | None]:
    monitoring = _monitoring(sheet, key)
    support = None if monitoring else _support(sheet, key)
    amounts = amount_tables(sheet, key) if not (monitoring or support) else dated_amount_tables(sheet, key)
    members = _members(sheet, key)
    events = None
    if not (monitoring or support or members or amounts):
        events = _risk_events(sheet, key)
    households = _households(sheet, key, repeated=members is not None)
    measures = None if support else _measures(sheet, key, repeated=members is not None)
    out = [households, members, *amounts, events, monitoring, support, measures, jobs_table(sheet, key)]
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


def _by_contract(sheet: SheetColumns, key: dict[str, ColumnMap], table: str) -> TableMap | None:
    """Return a table whose required columns all stand under the contract's own headers."""
    spec = contract().tables[table]
    known = {n: c for n, c in key.items() if n in spec.columns}
    columns = sheet.columns(table, [*spec.columns, "recorded_on"], known=known)
    missing = [n for n, c in spec.columns.items() if c.required and n not in columns]
    return None if missing else TableMap(table=table, columns=columns)


def _links(sheet: SheetColumns) -> TableMap | None:
    if not (sheet.find("household_links.old_id") and sheet.find("household_links.new_id")):
        return None
    names = ("old_id", "new_id", "kind", "date", "recorded_on")
    columns = sheet.columns("household_links", names, known={})
    if "date" not in columns and (header := sheet.find("date", "valid_from")):
        columns["date"] = ColumnMap(column=sheet.use(header))
    return TableMap(table="household_links", columns=columns) if {"kind", "date"} <= set(columns) else None


def _households(sheet: SheetColumns, key: dict[str, ColumnMap], *, repeated: bool) -> TableMap | None:
    category = sheet.find("monitoring.category")
    if "household_id" not in key or not (sheet.find("households.registration", "village") or category):
        return None
    spec = contract().tables["households"].columns
    names = [n for n in spec if n not in ("valid_from", "weight")]
    columns = sheet.columns("households", [*names, "lifted"], known={"household_id": key["household_id"]})
    if "registration" not in columns and "village" not in columns:
        return None
    for name in ("dibao", "tekun"):  # of any member, and so the household's
        if name not in columns and (header := sheet.find(f"households.{name}")):
            columns[name] = ColumnMap(column=sheet.use(header))
    if "registration" not in columns and category:  # of 监测对象类别 all but 突发严重困难户 say it
        columns["registration"] = ColumnMap(column=sheet.use(category))
    add_further_columns(sheet, "households", columns)
    if "group" not in columns and (header := sheet.find("natural_village")):
        columns["group"] = ColumnMap(column=sheet.use(header))
    date = sheet.find("households.valid_from") or (None if repeated else sheet.find("valid_from"))
    if date:
        columns["valid_from"] = ColumnMap(column=sheet.use(date))
    if header := sheet.find("recorded_on"):
        columns["recorded_on"] = ColumnMap(column=sheet.use(header))
    return TableMap(table="households", columns=columns, once=repeated)


def _members(sheet: SheetColumns, key: dict[str, ColumnMap]) -> TableMap | None:
    said = ["members.relation", "members.birth_month", "members.health", "members.schooling"]
    if "person_number" in key and "household_id" not in key:  # a department's list of persons
        said += ["members.disability_grade", "members.insured", "members.work_capacity"]
    if not sheet.find(*said):
        return None
    if not {"household_id", "member_id", "person_number"} & set(key):
        return None
    own = ("member_id", "household_id", "dibao", "tekun")
    names = [n for n in contract().tables["members"].columns if n not in own]
    known = {n: c for n, c in key.items() if n in ("household_id", "member_id", "person_number", "name")}
    helpers = ("insured_employee", "education", "recorded_on", "dropout_reason")
    gaps = () if sheet.find("monitoring.identified_on") else ("dropped_out",)
    columns = sheet.columns("members", [*names, *helpers, *gaps], known=known)
    add_further_columns(sheet, "members", columns)
    for name in ("dibao", "tekun"):
        # Beside the household's columns they are the household's, unless its members differ.
        header = sheet.find(f"households.{name}", name)
        if header and (members_only(sheet) or differs_within_households(sheet, header, key)):
            columns[name] = ColumnMap(column=sheet.use(header))
    if not {"relation", "birth_month", "person_number"} & set(columns):
        return None
    return TableMap(table="members", columns=columns)


def members_only(sheet: SheetColumns) -> bool:
    """Say whether a sheet holds nothing of the household itself."""
    return sheet.find("households.registration", "village") is None


def _cause(sheet: SheetColumns) -> tuple[Header | None, list[Header]]:
    """Return the column of risks and further ones; never the causes of a first registration."""
    found = [
        h
        for h in sheet.visible()
        if any(m.role == "column" and m.column == "cause" and m.sure == 1 for m in h.meanings)
        or (re.search(r"风险\d$", h.own) and "消除" not in h.own)
    ]
    return (found[0] if found else None), found[1:]


def _monitoring(sheet: SheetColumns, key: dict[str, ColumnMap]) -> TableMap | None:
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
        if header := sheet.find(f"monitoring.{name}", name):
            known[name] = ColumnMap(column=sheet.use(header))
    return TableMap(table="monitoring", columns=known)


def _support(sheet: SheetColumns, key: dict[str, ColumnMap]) -> TableMap | None:
    if not sheet.find("support.measure") or "household_id" not in key:
        return None
    known = {"household_id": key["household_id"]}
    cause, _ = _cause(sheet)
    if cause:
        known["cause"] = ColumnMap(column=sheet.use(cause))
    names = ("measure", "date", "amount", "end_date", "row_id", "recorded_on")
    columns = sheet.columns("support", names, known=known)
    return TableMap(table="support", columns=columns) if {"measure", "date"} <= set(columns) else None


def _measures(sheet: SheetColumns, key: dict[str, ColumnMap], *, repeated: bool) -> TableMap | None:
    """Return the measures that stand in columns of their own, whose cells name the steps taken."""
    known = sheet.words.words("support.measure")
    found = {}
    for header in sheet.visible():
        code = known.get(normalise_word(header.own))
        texts = [text_of(v) for v in sheet.sample(header)]
        amount = sum(bool(re.fullmatch(r"[\d.,]+", t)) for t in texts) > len(texts) / 2
        if code and header.column not in sheet.used and not amount:
            found[sheet.use(header)] = code
    if "household_id" not in key or (len(found) < 2 and "public_post" not in found.values()):
        return None
    known_columns = {"household_id": key["household_id"]}
    if day := sheet.find("recorded_on"):
        known_columns["recorded_on"] = ColumnMap(column=sheet.use(day))
    facts = sheet.layout.facts
    if not (facts.snapshot_on or facts.recorded_on or "recorded_on" in known_columns):
        sheet.ask("measures without a day", None, " · ".join(found), blocking=False)
        return None
    return TableMap(table="support", columns=known_columns, measures=found, once=repeated)


def _risk_events(sheet: SheetColumns, key: dict[str, ColumnMap]) -> TableMap | None:
    if sheet.find("visits.outcome"):
        return None  # a visit that found a risk is a visit
    header, _ = _cause(sheet)
    if header is None and (found := sheet.by_values(["risk_events.cause"])):
        header = found[0]
    if header is None or "household_id" not in key:
        return None
    known = {"household_id": key["household_id"], "cause": ColumnMap(column=sheet.use(header))}
    names = ("date", "loss", "channel", "row_id", "recorded_on")
    columns = sheet.columns("risk_events", names, known=known)
    return TableMap(table="risk_events", columns=columns) if "date" in columns else None


# ---------------------------------------------------------------- the rest


def _fill_down(sheet: SheetColumns, key: dict[str, ColumnMap]) -> list[str]:
    """Return the household's columns where they stand only on the first of its rows."""
    header = sheet.layout.header(key["household_id"].column or "") if "household_id" in key else None
    if header is None:
        return []
    if not sheet.find("members.relation", "members.birth_month"):
        item = ledger_item(sheet)
        return [header.text] if item and goes_on_below(sheet, header, item) else []
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


def _comments(sheet: SheetColumns) -> list[str]:
    facts = sheet.layout.facts
    out = []
    for name in ("unit", "year", "recorded_on", "snapshot_on", "township"):
        value = getattr(facts, name)
        if value:
            shown = next((u for u, v in UNITS.items() if v == value), value) if name == "unit" else value
            out.append(f"{name}: {shown} ({facts.said.get(name, '')[:60]})")
    return out


def _unread(sheet: SheetColumns) -> tuple[str, ...]:
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
