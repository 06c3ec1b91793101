"""The register's accounts and the office tables written out: workbook, page, tables, JSON, findings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.i18n import Language, Nouns, check_language
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
    dates_in_words,
    income_bands,
    office_table_specs,
    phrase,
    register_vocabulary,
)

PrintedRow = tuple[Value, ...]
HOUSEHOLDS, PAIR = ("hh",), ("hh", "p")
KINDS: dict[str, Kind] = {"percent": "share"}  # of columns that are no counts
PERSONS_ONLY = "natural"  # births and deaths change persons, never the number of households


def ratio(part: int | None, whole: int | None) -> float | None:
    """Return a share, None where there is nothing to be a share of."""
    return None if part is None or not whole else part / whole


def _two_ways(
    frame: pd.DataFrame, row: str, column: str, values: list[str]
) -> dict[tuple[str, ...], list[int]]:
    """Return counts by row and column, with sums over columns under the column ``all``."""
    summed = frame.groupby(row, sort=False)[values].sum().reset_index().assign(**{column: ALL})
    return counts_by_key(pd.concat([frame, summed], ignore_index=True), [row, column], values)


@dataclass(frozen=True)
class _Printer:
    """Prints one table of the accounts in one language: its columns by category, its rows, its totals."""

    accounts: RegisterAccounts
    lang: Language
    id: str
    sheet: str
    title: str
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """The office table that is printed."""
        return self.accounts.tables[self.id]

    @property
    def wide(self) -> tuple[str, ...]:
        """The categories, their sum last."""
        return (*self.accounts.categories, ALL)

    def say(self, name: str, **values: Any) -> str:
        """Return a phrase of the register in the table's language."""
        return phrase(name, self.lang, **values)

    def total_or(self, code: str, name: Callable[[str, Language], str] | None = None) -> str:
        """Return what a code is called; the sum over all is the total."""
        return self.say("total") if code == ALL else name(code, self.lang) if name else code

    def label(self, name: str) -> Column:
        """Return a column that labels rows."""
        return Column(self.say(name), "label")

    def under(self, top: str, *names: str) -> list[Column]:
        """Return columns of counts and shares under one heading."""
        return [Column(self.say(name), KINDS.get(name, "count"), group=top) for name in names]

    def by_category(self, first: str, *names: str) -> list[Column]:
        """Return a label, then the same columns under each category and under the total."""
        tops = [self.total_or(code, category_name) for code in self.wide]
        return [self.label(first), *(column for top in tops for column in self.under(top, *names))]

    def row(self, first: str, values: Callable[[str], Sequence[Value]]) -> PrintedRow:
        """Return a row: its label, then the values of each category and of the total."""
        return (first, *(value for code in self.wide for value in values(code)))

    def table(
        self,
        columns: Sequence[Column],
        rows: Sequence[PrintedRow],
        totals: Collection[int] = (),
        labels: int = 1,
    ) -> Table:
        """Return the printed table; ``totals`` are the rows that sum others, ``labels`` say what a row is."""
        marked = [Row(row, "total" if i in totals else "") for i, row in enumerate(rows)]
        return Table(
            list(columns),
            marked,
            id=self.id,
            sheet=self.sheet,
            title=self.title,
            notes=self.notes,
            labels=labels,
        )

    def causes(self) -> list[Table]:
        """Causes of households under watch: those ever identified, and those still open on a second sheet."""
        return [self._causes("ever", self.title), self._causes("open", f"{self.title} 2")]

    def _causes(self, stock: str, sheet: str) -> Table:
        frame = self.frame[self.frame["stock"] == stock]
        cells = _two_ways(frame, "cause", "category", ["hh", "p", "also_hh"])
        order = list(dict.fromkeys(frame["cause"]))
        sums = {c: [sum(cells.get((k, c), [0, 0])[i] for k in order) for i in (0, 1)] for c in self.wide}

        def counts(cause: str, c: str) -> list[Value]:
            hh, p = sums[c] if cause == ALL else cells.get((cause, c), [0, 0])[:2]
            return [hh, p, ratio(hh, sums[c][0])]

        rows = [(*self.row(_cause(k, self.lang), partial(counts, k)), cells[k, ALL][2]) for k in order]
        rows.append((*self.row(self.say("total"), partial(counts, ALL)), None))
        columns = [*self.by_category("cause", *PAIR, "percent"), *self.under(self.say("also"), *HOUSEHOLDS)]
        title = f"{self.title}（{register_vocabulary().stocks[stock].text(self.lang)}）"
        own = replace(self, id=f"{self.id}-{stock}", sheet=sheet, title=title)
        return own.table(columns, rows, {len(order)})

    def dynamic(self) -> list[Table]:
        """How many were registered, left and remain."""
        frame = self.frame
        cells = _two_ways(frame[frame["category"] != ALL], "line", "category", ["hh", "p"])

        def counts(line: str, c: str) -> list[Value]:
            hh, p = cells.get((line, c), [0, 0])
            return [None if line.startswith(PERSONS_ONLY) else hh, p]

        lines = office_table_specs().dynamic
        rows = [self.row(word.text(self.lang), partial(counts, line)) for line, word in lines.items()]
        registered = frame.loc[frame["line"] == "registered", "p"].sum()
        remaining = cells.get(("remaining", ALL), [0, 0])[1]
        share = ratio(remaining, int(registered))
        of = () if share is None else (
            self.say("of_registered", p=remaining, of=registered, share=f"{share:.2%}"),
        )  # fmt: skip
        own = replace(self, notes=(*self.notes, *of))
        return [own.table(self.by_category("line", *PAIR), rows, {len(rows) - 1})]

    def natural(self) -> list[Table]:
        """Persons who came and left by reason, below the sum of each direction."""
        rows: list[PrintedRow] = []
        totals = []
        for direction in ("increase", "decrease"):
            words = getattr(register_vocabulary(), direction)
            cells = _two_ways(self.frame[self.frame["direction"] == direction], "reason", "category", ["p"])

            def persons(reasons: Iterable[str], c: str, cells: Any = cells) -> list[Value]:
                return [sum(cells.get((reason, c), [0])[0] for reason in reasons)]

            totals.append(len(rows))
            rows.append(self.row(self.say(direction), partial(persons, words)))
            rows += [self.row(f"　{w.text(self.lang)}", partial(persons, [r])) for r, w in words.items()]
        return [self.table(self.by_category("reason", "p"), rows, totals)]

    def measures(self) -> list[Table]:
        """Households, persons and items of support by measure."""
        cells = _two_ways(self.frame, "measure", "category", ["hh", "p", "items", "of_hh"])

        def counts(measure: str, c: str) -> list[Value]:
            *figures, of = cells.get((measure, c), [0, 0, 0, 0])
            return [*figures, ratio(figures[0], of)]

        order = list(dict.fromkeys(self.frame["measure"]))
        rows = [self.row(_measure(m, self.lang), partial(counts, m)) for m in order]
        totals = [i for i, measure in enumerate(order) if measure == ANY]
        return [self.table(self.by_category("measure", *PAIR, "items", "percent"), rows, totals)]

    def single_cause(self) -> list[Table]:
        """Support of households with one cause, by cause and measure."""
        frame = self.frame
        used = {ANY, *frame.loc[frame["hh"] > 0, "measure"]}
        measures = [m for m in dict.fromkeys(frame["measure"]) if m in used]
        columns = [self.label("cause"), *self.under(self.say("single"), *HOUSEHOLDS)]
        columns += [c for m in measures for c in self.under(_measure(m, self.lang), *HOUSEHOLDS, "percent")]
        cells = _two_ways(frame, "measure", "cause", ["hh", "of_hh"])
        rows: list[PrintedRow] = []
        for cause in dict.fromkeys([*frame["cause"], ALL]):
            of = cells[ANY, cause][1]
            shares = [v for m in measures for v in (cells[m, cause][0], ratio(cells[m, cause][0], of))]
            rows.append((self.total_or(cause, _cause), of, *shares))
        return [self.table(columns, rows, {len(rows) - 1})]

    def bands(self) -> list[Table]:
        """Households and persons by income band, in each township and group."""
        keys, bands = ["township", "group", "band"], income_bands()
        summed = self.frame.groupby(keys[1:], sort=False)[[*PAIR]].sum().reset_index().assign(township=ALL)
        cells = counts_by_key(pd.concat([self.frame, summed], ignore_index=True), keys, [*PAIR])
        columns = [self.label("township"), self.label("group")]
        columns += [c for band in bands for c in self.under(_band(band, self.lang), *PAIR, "percent")]
        rows: list[PrintedRow] = []
        totals: list[int] = []
        for township in [*sorted(set(self.frame["township"])), ALL]:
            for group, word in office_table_specs().groups.items():
                counts = [cells[township, group, band] for band in bands]
                hh, p = map(sum, zip(*counts, strict=True))
                shares = [v for c in counts for v in (*c, ratio(c[0], hh))]
                totals += [len(rows)] if township == ALL else []
                rows.append((self.total_or(township), word.text(self.lang), *shares, hh, p))
        return [self.table([*columns, *self.under(self.say("total"), *PAIR)], rows, totals, labels=2)]

    def workload(self) -> list[Table]:
        """Visits, proposals and confirmations in each township."""
        lines = office_table_specs().workload
        known = counts_by_key(self.frame.dropna(), ["township", "line"], ["n"])
        places = list(dict.fromkeys(self.frame["township"]))
        # A sum with nothing known in it is unknown, not zero.
        values_of = {line: [known[t, line][0] for t in places if (t, line) in known] for line in lines}
        known |= {(ALL, line): [sum(values)] for line, values in values_of.items() if values}
        rows: list[PrintedRow] = []
        for place in [*places, ALL]:
            counts = {line: known[place, line][0] if (place, line) in known else None for line in lines}
            confirmed = ratio(counts["households_confirmed"], counts["households_met"])
            rows.append((self.total_or(place, _place), *counts.values(), confirmed))
        columns = [self.label("township"), *(Column(w.text(self.lang), "count") for w in lines.values())]
        return [self.table([*columns, Column(self.say("yield"), "share")], rows, {len(rows) - 1})]

    def lines_by_category(self, stock: str) -> Table:
        """One stock of the register: each line of its account, by category."""
        lines = register_vocabulary().lines
        every = self.accounts.by("stock", "category")
        every = every[every["stock"] == stock]
        cells = self._with_total(every, "category", stock)
        shown = _shown(every, stock)
        rows = [self.row(lines[n].text(self.lang), partial(_pair, cells, line=n)) for n in shown]
        totals = [i for i, line in enumerate(shown) if line in ("opening", "closing")]
        return self.table(self.by_category("line", *PAIR), rows, totals)

    def lines_by_township(self) -> Table:
        """Households under watch: each line of their account, by township."""
        lines = register_vocabulary().lines
        every = self.accounts.by("stock", "township")
        every = every[every["stock"] == "open"]
        cells = self._with_total(every, "township", "open")
        shown = _shown(every, "open")
        first = {line: 1 if lines[line].persons_only else 0 for line in shown}
        columns = [self.label("township")]
        columns += [c for n in shown for c in self.under(lines[n].text(self.lang), *PAIR[first[n] :])]
        places = sorted(set(self.accounts.lines["township"]), key=lambda t: (t == UNKNOWN, t))
        rows: list[PrintedRow] = [
            (self.total_or(t, _place), *(v for n in shown for v in _pair(cells, t, n)[first[n] :]))
            for t in (*places, ALL)
        ]
        return self.table(columns, rows, {len(rows) - 1})

    def _with_total(self, every: pd.DataFrame, key: str, stock: str) -> dict[tuple[str, ...], list[int]]:
        """Return counts by key and line, those of the whole stock under the key ``all``."""
        total = self.accounts.by("stock")
        total = total[total["stock"] == stock].assign(**{key: ALL})
        return counts_by_key(pd.concat([every, total], ignore_index=True), [key, "line"], [*PAIR])

    def findings(self) -> Table:
        """Contradictions of the register, household by household."""
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
        found = findings_in_words(self.accounts, self.lang)
        own = self if len(found) else replace(self, notes=(*self.notes, self.say("no_findings")))
        rows = list(found.itertuples(index=False, name=None))
        return own.table([self.label(name) for name in names], rows, labels=2)


_SHAPES: dict[str, Callable[[_Printer], list[Table]]] = {
    "causes": _Printer.causes,
    "dynamic": _Printer.dynamic,
    "natural": _Printer.natural,
    "measures": _Printer.measures,
    "single_cause": _Printer.single_cause,
    "bands": _Printer.bands,
    "workload": _Printer.workload,
}


def office_tables(accounts: RegisterAccounts, lang: Language, period: str) -> list[Table]:
    """Return the printed office tables; one whose data are absent says so and has no rows."""
    out: list[Table] = []
    for name, spec in office_table_specs().tables.items():
        title = phrase("table", lang, number=spec.number, name=spec.text(lang))
        notes = [period, spec.note.text(lang)]
        notes += [phrase("percent_is", lang, of=spec.of.text(lang))] if spec.of else []
        notes.append(phrase("source", lang, source=spec.source))
        if name not in accounts.tables:
            notes.append(phrase("absent", lang, tables=", ".join(spec.needs)))
        printer = _Printer(accounts, lang, name, title, title, tuple(notes))
        out += (
            _SHAPES[name](printer)
            if name in accounts.tables
            else [printer.table([printer.label("line")], [])]
        )
    return out


def _cause(code: str, lang: Language) -> str:
    return phrase("unknown", lang) if code == UNKNOWN else code_name("risk_events", "cause", code, lang)


def _measure(code: str, lang: Language) -> str:
    return phrase("any", lang) if code == ANY else code_name("support", "measure", code, lang)


def _place(name: str, lang: Language) -> str:
    return phrase("unknown", lang) if name == UNKNOWN else name


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
    balances, restated, present = (phrase(name, lang) for name in ("balances", "restated", "present"))

    def own(id: str, name: str, *notes: str) -> _Printer:
        sheet = phrase(name, lang)
        title = sheet if name == "findings" else f"{phrase('title', lang)}　{sheet}"
        return _Printer(accounts, lang, id, sheet, title, (period, *notes))

    return (
        own("ledger", "ledger", balances, restated, present).lines_by_category("open"),
        own("ever", "ever", restated, present).lines_by_category("ever"),
        own("townships", "townships", balances, restated, present).lines_by_township(),
        *office_tables(accounts, lang, period),
        own("findings", "findings").findings(),
    )


def _shown(lines: pd.DataFrame, stock: str) -> list[str]:
    """Return the lines to print; those that do not move the stock only where they hold anything."""
    held = set(lines.loc[(lines["hh"] != 0) | (lines["p"] != 0), "line"])
    still = ("rolled_back", "re_marked", "eliminated") if stock == "ever" else ()
    return [
        n for n, word in register_vocabulary().lines.items() if n in held or not (word.optional or n in still)
    ]


def _pair(cells: dict[tuple[str, ...], list[int]], key: str, line: str) -> list[Value]:
    """Return households and persons of one line; no households where a line has persons only."""
    hh, p = cells.get((key, line), [0, 0])
    return [None if register_vocabulary().lines[line].persons_only else hh, p]


def findings_in_words(accounts: RegisterAccounts, lang: Language) -> pd.DataFrame:
    """Return the findings in words."""
    rows = dates_in_words(accounts.findings)

    def event(code: object) -> str | None:
        return code_name("monitoring", "event", code, lang) if isinstance(code, str) else None

    return pd.DataFrame(
        {
            "household_id": rows["household_id"],
            "township": rows["township"].where(rows["township"] != UNKNOWN, phrase("unknown", lang)),
            "date": rows["date"],
            "event": [event(e) for e in rows["event"]],
            "finding": [register_vocabulary().findings[f].text(lang) for f in rows["finding"]],
            "earlier_event": [event(e) for e in rows["earlier_event"]],
            "earlier_date": rows["earlier_date"],
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
    nouns = Nouns.of(accounts.known.county.about)
    with open_workbook(folder / "ledger.xlsx", language, accounts.last, nouns) as book:
        for table in tables:
            table.to_sheet(book)
    findings = findings_in_words(accounts, language).rename(columns={"finding": "meaning"})
    findings["meaning"] = findings["meaning"].map(nouns.spoken)
    findings.insert(0, "finding", accounts.findings["finding"].to_numpy())
    title = f"{phrase('title', language)}　{accounts.first} — {accounts.last}"
    fingerprint = phrase("fingerprint", language, fingerprint=accounts.data_fingerprint)
    return {
        "ledger.xlsx": folder / "ledger.xlsx",
        "ledger.html": write_text(
            nouns.page(register_html(tables, title, language, fingerprint)), folder / "ledger.html"
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
