"""Shaping the ledger itself into printed tables: by category, by township, and what is doubtful in it."""

from __future__ import annotations

import pandas as pd

from riskmodel.register.build import Ledger
from riskmodel.register.grid import Column, Grid, Value, heads, label, lookup, pair
from riskmodel.register.shape_tables import office_grids
from riskmodel.register.words import UNKNOWN, Lang, book, code_name, phrase


def grids(ledger: Ledger, lang: Lang) -> tuple[Grid, ...]:
    """Return every printed table of a ledger, in the order of sheets.

    Parameters
    ----------
    ledger : Ledger
    lang : str

    Returns
    -------
    tuple of Grid
    """
    period = phrase("period", lang, first=ledger.first, last=ledger.last)
    notes = tuple(phrase(name, lang) for name in ("balances", "restated", "present"))
    own = (
        _by_category(ledger, "open", "ledger", lang, (period, *notes)),
        _by_category(ledger, "ever", "ever", lang, (period, *notes[1:])),
        _by_township(ledger, lang, (period, *notes)),
    )
    return (*own, *office_grids(ledger, lang, period), _findings(ledger, lang, period))


def _shown(lines: pd.DataFrame, stock: str) -> list[str]:
    """Return the lines to print: the optional ones only where they hold anything.

    Elimination and what undoes it do not move the stock of all ever identified; there they are optional.
    """
    held = set(lines.loc[(lines["hh"] != 0) | (lines["p"] != 0), "line"])
    still = ("rolled_back", "re_marked", "eliminated") if stock == "ever" else ()
    return [n for n, word in book().lines.items() if n in held or not (word.optional or n in still)]


def _by_category(ledger: Ledger, stock: str, name: str, lang: Lang, notes: tuple[str, ...]) -> Grid:
    every = ledger.by("stock", "category")
    every = every[every["stock"] == stock]
    cells = lookup(every, ["category", "line"], ["hh", "p"])
    total = lookup(ledger.by("stock"), ["stock", "line"], ["hh", "p"])
    shown = _shown(every, stock)
    columns = [label("line", lang)]
    for top in heads(ledger.categories, lang):
        columns += pair(top, lang)
    rows = []
    for line in shown:
        row: list[Value] = [book().lines[line].say(lang)]
        for category in ledger.categories:
            row += _cells(cells, (category, line), line)
        rows.append((*row, *_cells(total, (stock, line), line)))
    return Grid(
        id=name,
        sheet=phrase(name, lang),
        title=f"{phrase('title', lang)}　{phrase(name, lang)}",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=notes,
        totals=frozenset(i for i, line in enumerate(shown) if line in ("opening", "closing")),
    )


def _cells(cells: dict[tuple[str, ...], list[int]], key: tuple[str, str], line: str) -> list[Value]:
    """Return households and persons of one line; no households where a line has persons only."""
    hh, p = cells.get(key, [0, 0])
    return [None if book().lines[line].persons_only else hh, p]


def _by_township(ledger: Ledger, lang: Lang, notes: tuple[str, ...]) -> Grid:
    every = ledger.by("stock", "township")
    every = every[every["stock"] == "open"]
    places = lookup(every, ["township", "line"], ["hh", "p"])
    total = lookup(ledger.by("stock"), ["stock", "line"], ["hh", "p"])
    shown = _shown(every, "open")
    columns = [label("township", lang)]
    for line in shown:
        top = book().lines[line].say(lang)
        both = pair(top, lang)
        columns += both[1:] if book().lines[line].persons_only else both
    names = sorted(set(ledger.lines["township"]), key=lambda t: (t == UNKNOWN, t))
    rows: list[tuple[Value, ...]] = []
    for name in names:
        cells = [v for line in shown for v in _township_cells(places, (name, line), line)]
        rows.append((phrase("unknown", lang) if name == UNKNOWN else name, *cells))
    cells = [v for line in shown for v in _township_cells(total, ("open", line), line)]
    rows.append((phrase("total", lang), *cells))
    return Grid(
        id="townships",
        sheet=phrase("townships", lang),
        title=f"{phrase('title', lang)}　{phrase('townships', lang)}",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=notes,
        totals=frozenset({len(rows) - 1}),
    )


def _township_cells(cells: dict[tuple[str, ...], list[int]], key: tuple[str, str], line: str) -> list[Value]:
    both = _cells(cells, key, line)
    return both[1:] if book().lines[line].persons_only else both


def _findings(ledger: Ledger, lang: Lang, period: str) -> Grid:
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
    told = told_findings(ledger, lang)
    return Grid(
        id="findings",
        sheet=phrase("findings", lang),
        title=phrase("findings", lang),
        columns=tuple(Column(phrase(n, lang), "", "text") for n in names),
        rows=tuple(told[list(told.columns)].itertuples(index=False, name=None)),
        notes=(period,) if len(told) else (period, phrase("no_findings", lang)),
        stub=2,
    )


def told_findings(ledger: Ledger, lang: Lang) -> pd.DataFrame:
    """Return the findings in words.

    Returns
    -------
    DataFrame
        Text columns ``household_id, township, date, event, finding, earlier_event, earlier_date,
        in_period``; empty where there is none.
    """
    found = ledger.findings

    def event(code: object) -> str | None:
        return code_name("monitoring", "event", code, lang) if isinstance(code, str) else None

    def day(stamp: pd.Timestamp) -> str | None:
        return None if pd.isna(stamp) else stamp.date().isoformat()

    return pd.DataFrame(
        {
            "household_id": found["household_id"],
            "township": found["township"].where(found["township"] != UNKNOWN, phrase("unknown", lang)),
            "date": [day(d) for d in found["date"]],
            "event": [event(e) for e in found["event"]],
            "finding": [book().findings[f].say(lang) for f in found["finding"]],
            "earlier_event": [event(e) for e in found["earlier_event"]],
            "earlier_date": [day(d) for d in found["earlier_date"]],
            "in_period": [phrase("yes" if i else "no", lang) for i in found["in_period"]],
        },
        dtype=object,
    )
