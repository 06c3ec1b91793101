"""The register's accounts and the office tables written out: workbook, page, tables, JSON, findings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.i18n import Language, check_language
from riskmodel.io import write_json, write_table, write_text
from riskmodel.presentation.page import Link, Links, PageSection, Paragraph, page_html
from riskmodel.presentation.table import Column, Kind, Row, Table, Value
from riskmodel.presentation.workbook import open_workbook
from riskmodel.register import (
    ALL,
    ANY,
    UNKNOWN,
    RegisterAccounts,
    accounts_as_dict,
    category_name,
    code_name,
    counts_by_key,
    income_bands,
    office_table_specs,
    phrase,
    register_vocabulary,
)

PrintedRow = tuple[Value, ...]


def printed(
    id: str,  # the anchor on a page
    sheet: str,
    title: str,
    columns: Sequence[Column],
    rows: Sequence[PrintedRow],
    notes: Sequence[str] = (),
    totals: Collection[int] = (),
    labels: int = 1,
) -> Table:
    """Return a printed table; ``totals`` are the rows that sum others, ``labels`` say what a row is."""
    marked = [Row(row, "total" if i in totals else "") for i, row in enumerate(rows)]
    return Table(list(columns), marked, id=id, sheet=sheet, title=title, notes=notes, labels=labels)


def ratio(part: int | None, whole: int | None) -> float | None:
    """Return a share, None where there is nothing to be a share of."""
    return None if part is None or not whole else part / whole


def pair(top: str, lang: Language, *, percent: bool = False, items: bool = False) -> tuple[Column, ...]:
    """Return the columns households and persons under one heading, and what else is asked for."""
    names: list[tuple[str, Kind]] = [("hh", "count"), ("p", "count")]
    if items:
        names.append(("items", "count"))
    if percent:
        names.append(("percent", "share"))
    return tuple(Column(phrase(name, lang), kind, group=top) for name, kind in names)


def label(name: str, lang: Language) -> Column:
    """Return a column that labels rows."""
    return Column(phrase(name, lang), "label")


def heads(categories: Iterable[str], lang: Language) -> list[str]:
    """Return the headings of categories, the total last."""
    return [*(category_name(c, lang) for c in categories), phrase("total", lang)]


def office_tables(accounts: RegisterAccounts, lang: Language, period: str) -> list[Table]:
    """Return the printed office tables; one whose data are absent says so and has no rows."""
    out: list[Table] = []
    for name, spec in office_table_specs().tables.items():
        title = phrase("table", lang, number=spec.number, name=spec.text(lang))
        notes = [period, spec.note.text(lang)]
        notes += [phrase("percent_is", lang, of=spec.of.text(lang))] if spec.of else []
        notes.append(phrase("source", lang, source=spec.source))
        if name in accounts.tables:
            out += _SHAPES[name](accounts, name, title, tuple(notes), lang)
        else:
            absent = phrase("absent", lang, tables=", ".join(spec.needs))
            out.append(printed(name, title, title, (label("line", lang),), (), (*notes, absent)))
    return out


def _two_ways(
    frame: pd.DataFrame, row: str, column: str, values: list[str]
) -> dict[tuple[str, ...], list[int]]:
    """Return counts by row and column, with sums over columns under the column ``all``."""
    summed = frame.groupby(row, sort=False)[values].sum().reset_index().assign(**{column: ALL})
    return counts_by_key(pd.concat([frame, summed], ignore_index=True), [row, column], values)


def _causes(
    accounts: RegisterAccounts, name: str, title: str, notes: tuple[str, ...], lang: Language
) -> list[Table]:
    frame = accounts.tables[name]
    out = []
    for stock in ("ever", "open"):
        some = frame[frame["stock"] == stock]
        cells = _two_ways(some, "cause", "category", ["hh", "p", "also_hh"])
        order = list(dict.fromkeys(some["cause"]))
        wide = [*accounts.categories, ALL]
        sums = {c: [sum(cells.get((cause, c), [0, 0])[i] for cause in order) for i in (0, 1)] for c in wide}
        columns = [label("cause", lang)]
        for top in heads(accounts.categories, lang):
            columns += pair(top, lang, percent=True)
        columns.append(Column(phrase("hh", lang), "count", group=phrase("also", lang)))
        rows: list[tuple[Value, ...]] = []
        for cause in order:
            row: list[Value] = [_cause(cause, lang)]
            for c in wide:
                hh, p = cells.get((cause, c), [0, 0])[:2]
                row += [hh, p, ratio(hh, sums[c][0])]
            rows.append((*row, cells[cause, ALL][2]))
        last = [v for c in wide for v in (*sums[c], ratio(sums[c][0], sums[c][0]))]
        rows.append((phrase("total", lang), *last, None))
        heading = f"{title}（{register_vocabulary().stocks[stock].text(lang)}）"
        sheet = title if stock == "ever" else f"{title} 2"
        out.append(printed(f"{name}-{stock}", sheet, heading, columns, rows, notes, {len(order)}))
    return out


def _dynamic(
    accounts: RegisterAccounts, name: str, title: str, notes: tuple[str, ...], lang: Language
) -> list[Table]:
    frame = accounts.tables[name]
    cells = _two_ways(frame[frame["category"] != ALL], "line", "category", ["hh", "p"])
    columns = [label("line", lang)]
    for top in heads(accounts.categories, lang):
        columns += pair(top, lang)
    rows = []
    for line, word in office_table_specs().dynamic.items():
        row: list[Value] = [word.text(lang)]
        for c in (*accounts.categories, ALL):
            hh, p = cells.get((line, c), [0, 0])
            row += [None if line.startswith("natural") else hh, p]
        rows.append(tuple(row))
    registered = frame.loc[frame["line"] == "registered", "p"].sum()
    remaining = cells.get(("remaining", ALL), [0, 0])[1]
    share = ratio(remaining, int(registered))
    percent = "" if share is None else f"{share:.2%}"
    of = phrase("of_registered", lang, p=remaining, of=registered, share=percent)
    totals = {len(rows) - 1}
    return [printed(name, title, title, columns, rows, (*notes, of) if percent else notes, totals)]


def _natural(
    accounts: RegisterAccounts, name: str, title: str, notes: tuple[str, ...], lang: Language
) -> list[Table]:
    frame = accounts.tables[name]
    columns = [label("reason", lang)]
    columns += [Column(phrase("p", lang), "count", group=top) for top in heads(accounts.categories, lang)]
    rows: list[tuple[Value, ...]] = []
    totals = []
    for direction, words in (
        ("increase", register_vocabulary().increase),
        ("decrease", register_vocabulary().decrease),
    ):
        some = frame[frame["direction"] == direction]
        cells = _two_ways(some, "reason", "category", ["p"])
        wide = (*accounts.categories, ALL)
        totals.append(len(rows))
        sums = [sum(cells.get((reason, c), [0])[0] for reason in words) for c in wide]
        rows.append((phrase(direction, lang), *sums))
        for reason, word in words.items():
            rows.append((f"　{word.text(lang)}", *(cells.get((reason, c), [0])[0] for c in wide)))
    return [printed(name, title, title, columns, rows, notes, frozenset(totals))]


def _measures(
    accounts: RegisterAccounts, name: str, title: str, notes: tuple[str, ...], lang: Language
) -> list[Table]:
    frame = accounts.tables[name]
    cells = _two_ways(frame, "measure", "category", ["hh", "p", "items", "of_hh"])
    columns = [label("measure", lang)]
    for top in heads(accounts.categories, lang):
        columns += pair(top, lang, percent=True, items=True)
    order = list(dict.fromkeys(frame["measure"]))
    rows = []
    for measure in order:
        row: list[Value] = [_measure(measure, lang)]
        for c in (*accounts.categories, ALL):
            hh, p, items, of = cells.get((measure, c), [0, 0, 0, 0])
            row += [hh, p, items, ratio(hh, of)]
        rows.append(tuple(row))
    totals = frozenset({order.index(ANY)} if ANY in order else ())
    return [printed(name, title, title, columns, rows, notes, totals)]


def _single_cause(
    accounts: RegisterAccounts, name: str, title: str, notes: tuple[str, ...], lang: Language
) -> list[Table]:
    frame = accounts.tables[name]
    given = set(frame.loc[frame["hh"] > 0, "measure"])
    measures = [m for m in dict.fromkeys(frame["measure"]) if m in given or m == ANY]
    columns = [label("cause", lang), Column(phrase("hh", lang), "count", group=phrase("single", lang))]
    for measure in measures:
        columns += [
            Column(phrase("hh", lang), "count", group=_measure(measure, lang)),
            Column(phrase("percent", lang), "share", group=_measure(measure, lang)),
        ]
    cells = _two_ways(frame, "measure", "cause", ["hh", "of_hh"])
    rows = []
    for cause in dict.fromkeys([*frame["cause"], ALL]):
        of = cells[ANY, cause][1]
        row: list[Value] = [phrase("total", lang) if cause == ALL else _cause(cause, lang), of]
        for measure in measures:
            hh = cells[measure, cause][0]
            row += [hh, ratio(hh, of)]
        rows.append(tuple(row))
    return [printed(name, title, title, columns, rows, notes, {len(rows) - 1})]


def _bands(
    accounts: RegisterAccounts, name: str, title: str, notes: tuple[str, ...], lang: Language
) -> list[Table]:
    frame = accounts.tables[name]
    columns = [label("township", lang), label("group", lang)]
    for band in income_bands():
        columns += pair(_band(band, lang), lang, percent=True)
    columns += pair(phrase("total", lang), lang)
    summed = (
        frame.groupby(["group", "band"], sort=False)[["hh", "p"]].sum().reset_index().assign(township=ALL)
    )
    keys = ["township", "group", "band"]
    cells = counts_by_key(pd.concat([frame, summed], ignore_index=True), keys, ["hh", "p"])
    rows: list[tuple[Value, ...]] = []
    totals: list[int] = []
    for township in [*sorted(set(frame["township"])), ALL]:
        for group, word in office_table_specs().groups.items():
            counts = [cells[township, group, band] for band in income_bands()]
            hh, p = (sum(c[i] for c in counts) for i in (0, 1))
            row: list[Value] = [phrase("total", lang) if township == ALL else township, word.text(lang)]
            for c in counts:
                row += [c[0], c[1], ratio(c[0], hh)]
            totals += [len(rows)] if township == ALL else []
            rows.append((*row, hh, p))
    return [printed(name, title, title, columns, rows, notes, frozenset(totals), labels=2)]


def _workload(
    accounts: RegisterAccounts, name: str, title: str, notes: tuple[str, ...], lang: Language
) -> list[Table]:
    frame = accounts.tables[name]
    columns = [label("township", lang)]
    columns += [Column(word.text(lang), "count") for word in office_table_specs().workload.values()]
    columns.append(Column(phrase("yield", lang), "share"))
    lines = list(office_table_specs().workload)
    known = counts_by_key(frame.dropna(), ["township", "line"], ["n"])
    places = list(dict.fromkeys(frame["township"]))
    # A sum with nothing known in it is unknown, not zero.
    values_of = {line: [known[t, line][0] for t in places if (t, line) in known] for line in lines}
    known |= {(ALL, line): [sum(values)] for line, values in values_of.items() if values}
    rows: list[tuple[Value, ...]] = []
    for place in [*places, ALL]:
        counts = {line: known[place, line][0] if (place, line) in known else None for line in lines}
        shown = {ALL: phrase("total", lang), UNKNOWN: phrase("unknown", lang)}.get(place, place)
        confirmed = ratio(counts["households_confirmed"], counts["households_met"])
        rows.append((shown, *counts.values(), confirmed))
    return [printed(name, title, title, columns, rows, notes, {len(rows) - 1})]


_SHAPES: dict[str, Callable[[RegisterAccounts, str, str, tuple[str, ...], Language], list[Table]]] = {
    "causes": _causes,
    "dynamic": _dynamic,
    "natural": _natural,
    "measures": _measures,
    "single_cause": _single_cause,
    "bands": _bands,
    "workload": _workload,
}


def _cause(code: str, lang: Language) -> str:
    return phrase("unknown", lang) if code == UNKNOWN else code_name("risk_events", "cause", code, lang)


def _measure(code: str, lang: Language) -> str:
    return phrase("any", lang) if code == ANY else code_name("support", "measure", code, lang)


def _band(band: str, lang: Language) -> str:
    edges = office_table_specs().bands
    if band == "below":
        return phrase("below", lang, edge=edges[0])
    if band == "above":
        return phrase("above", lang, edge=edges[-1])
    if band == UNKNOWN:
        return phrase("income_unknown", lang)
    low, high = band.split("-")
    return phrase("between", lang, low=low, high=high)


def register_tables(accounts: RegisterAccounts, lang: Language) -> tuple[Table, ...]:
    """Return every printed table of the accounts, in the order of sheets."""
    period = phrase("period", lang, first=accounts.first, last=accounts.last)
    notes = tuple(phrase(name, lang) for name in ("balances", "restated", "present"))
    own = (
        _by_category(accounts, "open", "ledger", lang, (period, *notes)),
        _by_category(accounts, "ever", "ever", lang, (period, *notes[1:])),
        _by_township(accounts, lang, (period, *notes)),
    )
    return (*own, *office_tables(accounts, lang, period), _findings(accounts, lang, period))


def _shown(lines: pd.DataFrame, stock: str) -> list[str]:
    """Return the lines to print; those that do not move the stock only where they hold anything."""
    held = set(lines.loc[(lines["hh"] != 0) | (lines["p"] != 0), "line"])
    still = ("rolled_back", "re_marked", "eliminated") if stock == "ever" else ()
    return [
        n for n, word in register_vocabulary().lines.items() if n in held or not (word.optional or n in still)
    ]


def _by_category(
    accounts: RegisterAccounts, stock: str, name: str, lang: Language, notes: tuple[str, ...]
) -> Table:
    every = accounts.by("stock", "category")
    every = every[every["stock"] == stock]
    cells = counts_by_key(every, ["category", "line"], ["hh", "p"])
    total = counts_by_key(accounts.by("stock"), ["stock", "line"], ["hh", "p"])
    shown = _shown(every, stock)
    columns = [label("line", lang)]
    for top in heads(accounts.categories, lang):
        columns += pair(top, lang)
    rows = []
    for line in shown:
        row: list[Value] = [register_vocabulary().lines[line].text(lang)]
        for category in accounts.categories:
            row += _cells(cells, (category, line), line)
        rows.append((*row, *_cells(total, (stock, line), line)))
    return printed(
        id=name,
        sheet=phrase(name, lang),
        title=f"{phrase('title', lang)}　{phrase(name, lang)}",
        columns=columns,
        rows=rows,
        notes=notes,
        totals=frozenset(i for i, line in enumerate(shown) if line in ("opening", "closing")),
    )


def _cells(cells: dict[tuple[str, ...], list[int]], key: tuple[str, str], line: str) -> list[Value]:
    """Return households and persons of one line; no households where a line has persons only."""
    hh, p = cells.get(key, [0, 0])
    return [None if register_vocabulary().lines[line].persons_only else hh, p]


def _by_township(accounts: RegisterAccounts, lang: Language, notes: tuple[str, ...]) -> Table:
    every = accounts.by("stock", "township")
    every = every[every["stock"] == "open"]
    places = counts_by_key(every, ["township", "line"], ["hh", "p"])
    total = counts_by_key(accounts.by("stock"), ["stock", "line"], ["hh", "p"])
    shown = _shown(every, "open")
    columns = [label("township", lang)]
    for line in shown:
        top = register_vocabulary().lines[line].text(lang)
        both = pair(top, lang)
        columns += both[1:] if register_vocabulary().lines[line].persons_only else both
    names = sorted(set(accounts.lines["township"]), key=lambda t: (t == UNKNOWN, t))
    rows: list[tuple[Value, ...]] = []
    for name in names:
        cells = [v for line in shown for v in _township_cells(places, (name, line), line)]
        rows.append((phrase("unknown", lang) if name == UNKNOWN else name, *cells))
    cells = [v for line in shown for v in _township_cells(total, ("open", line), line)]
    rows.append((phrase("total", lang), *cells))
    return printed(
        id="townships",
        sheet=phrase("townships", lang),
        title=f"{phrase('title', lang)}　{phrase('townships', lang)}",
        columns=columns,
        rows=rows,
        notes=notes,
        totals={len(rows) - 1},
    )


def _township_cells(cells: dict[tuple[str, ...], list[int]], key: tuple[str, str], line: str) -> list[Value]:
    both = _cells(cells, key, line)
    return both[1:] if register_vocabulary().lines[line].persons_only else both


def _findings(accounts: RegisterAccounts, lang: Language, period: str) -> Table:
    names = (
        "household",
        "township",
        "date",
        "event",
        "finding",
        "earlier_event",
        "earlier_date",
        "in_period",
    )
    findings = findings_in_words(accounts, lang)
    return printed(
        id="findings",
        sheet=phrase("findings", lang),
        title=phrase("findings", lang),
        columns=tuple(Column(phrase(n, lang), "label") for n in names),
        rows=tuple(findings[list(findings.columns)].itertuples(index=False, name=None)),
        notes=(period,) if len(findings) else (period, phrase("no_findings", lang)),
        labels=2,
    )


def findings_in_words(accounts: RegisterAccounts, lang: Language) -> pd.DataFrame:
    """Return the findings in words."""
    rows = accounts.findings

    def event(code: object) -> str | None:
        return code_name("monitoring", "event", code, lang) if isinstance(code, str) else None

    def day(stamp: pd.Timestamp) -> str | None:
        return None if pd.isna(stamp) else stamp.date().isoformat()

    return pd.DataFrame(
        {
            "household_id": rows["household_id"],
            "township": rows["township"].where(rows["township"] != UNKNOWN, phrase("unknown", lang)),
            "date": [day(d) for d in rows["date"]],
            "event": [event(e) for e in rows["event"]],
            "finding": [register_vocabulary().findings[f].text(lang) for f in rows["finding"]],
            "earlier_event": [event(e) for e in rows["earlier_event"]],
            "earlier_date": [day(d) for d in rows["earlier_date"]],
            "in_period": [phrase("yes" if i else "no", lang) for i in rows["in_period"]],
        },
        dtype=object,
    )


# A page with more rows than this is slow to open; the workbook and findings.csv hold them all.
MOST_ROWS = 1000
FORMAT = 1


def write_register(accounts: RegisterAccounts, out: str | Path, lang: str = "zh") -> dict[str, Path]:
    """Write ``ledger.xlsx``, ``ledger.html``, ``ledger.json`` and ``findings.csv`` into a folder.

    The same ledger gives the same bytes. Findings name households by their number only.

    Parameters
    ----------
    accounts
        `riskmodel.register.build_register_accounts`.
    out : str or Path
        A folder; made if it is not there.
    lang : {"zh", "en"}
        Language of workbook, page and findings.

    Returns
    -------
    dict
        File name to path.

    Raises
    ------
    UsageError
        If the language is unknown or the folder cannot be written to.
    """
    language, folder = check_language(lang), Path(out)
    tables = register_tables(accounts, language)
    with open_workbook(folder / "ledger.xlsx", language, accounts.last) as book:
        for table in tables:
            table.to_sheet(book)
    findings = findings_in_words(accounts, language).rename(columns={"finding": "meaning"})
    findings.insert(0, "finding", accounts.findings["finding"].to_numpy())
    title = f"{phrase('title', language)}　{accounts.first} — {accounts.last}"
    fingerprint = phrase("fingerprint", language, fingerprint=accounts.data_fingerprint)
    return {
        "ledger.xlsx": folder / "ledger.xlsx",
        "ledger.html": write_text(
            register_html(tables, title, language, fingerprint), folder / "ledger.html"
        ),
        "ledger.json": write_json(accounts_as_dict(accounts), folder / "ledger.json"),
        "findings.csv": write_table(findings, folder / "findings.csv"),
    }


def register_html(tables: tuple[Table, ...], title: str, lang: Language, foot: str = "") -> str:
    """Return printed tables as one page in one language: no script, nothing fetched."""
    links = Links("", [Link(table.sheet, f"#{table.id}") for table in tables])
    shown: list[Any] = [links, *(_section(table, lang) for table in tables)]
    shown += [Paragraph(foot, "note")] if foot else []
    return page_html(title, shown, language=lang, kind=f"ledger format {FORMAT}", single=True)


def _section(table: Table, lang: Language) -> PageSection:
    notes: list[Any] = [Paragraph(note, "note") for note in table.notes]
    if len(table.rows) > MOST_ROWS:
        notes.append(Paragraph(phrase("cut", lang, shown=MOST_ROWS, all=len(table.rows)), "note"))
    bare = replace(table, title="", id="", notes=(), rows=table.rows[:MOST_ROWS])
    return PageSection(table.id, table.title, [*notes, bare])
