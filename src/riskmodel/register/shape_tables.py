"""Shaping office tables into printed ones: totals, shares, headings in zh and en."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from riskmodel.register.build import Ledger
from riskmodel.register.county_tables import band_names
from riskmodel.register.grid import Column, Grid, Value, heads, label, lookup, pair, ratio
from riskmodel.register.office import ALL, ANY, declared
from riskmodel.register.words import UNKNOWN, Lang, book, code_name, phrase


def office_grids(ledger: Ledger, lang: Lang, period: str) -> list[Grid]:
    """Return the printed office tables; one whose data are absent says so and has no rows.

    Parameters
    ----------
    ledger : Ledger
    lang : str
    period : str
        The note that says which period it is.

    Returns
    -------
    list of Grid
    """
    out: list[Grid] = []
    for name, spec in declared().tables.items():
        title = phrase("table", lang, number=spec.number, name=spec.say(lang))
        notes = [period, spec.note.say(lang)]
        notes += [phrase("percent_is", lang, of=spec.of.say(lang))] if spec.of else []
        notes.append(phrase("source", lang, source=spec.source))
        if name in ledger.tables:
            out += _SHAPES[name](ledger, name, title, tuple(notes), lang)
        else:
            absent = phrase("absent", lang, tables=", ".join(spec.needs))
            out.append(Grid(name, title, title, (label("line", lang),), (), (*notes, absent)))
    return out


def _two_ways(
    frame: pd.DataFrame, row: str, column: str, values: list[str]
) -> dict[tuple[str, ...], list[int]]:
    """Return counts by row and column, with sums over columns under the column ``all``."""
    summed = frame.groupby(row, sort=False)[values].sum().reset_index().assign(**{column: ALL})
    return lookup(pd.concat([frame, summed], ignore_index=True), [row, column], values)


def _causes(ledger: Ledger, name: str, title: str, notes: tuple[str, ...], lang: Lang) -> list[Grid]:
    frame = ledger.tables[name]
    out = []
    for stock in ("ever", "open"):
        some = frame[frame["stock"] == stock]
        cells = _two_ways(some, "cause", "category", ["hh", "p", "also_hh"])
        order = list(dict.fromkeys(some["cause"]))
        wide = [*ledger.categories, ALL]
        sums = {c: [sum(cells.get((cause, c), [0, 0])[i] for cause in order) for i in (0, 1)] for c in wide}
        columns = [label("cause", lang)]
        for top in heads(ledger.categories, lang):
            columns += pair(top, lang, percent=True)
        columns.append(Column(phrase("also", lang), phrase("hh", lang), "count"))
        rows: list[tuple[Value, ...]] = []
        for cause in order:
            row: list[Value] = [_cause(cause, lang)]
            for c in wide:
                hh, p = cells.get((cause, c), [0, 0])[:2]
                row += [hh, p, ratio(hh, sums[c][0])]
            rows.append((*row, cells[cause, ALL][2]))
        last = [v for c in wide for v in (*sums[c], ratio(sums[c][0], sums[c][0]))]
        rows.append((phrase("total", lang), *last, None))
        told = f"{title}（{book().stocks[stock].say(lang)}）"
        sheet = title if stock == "ever" else f"{title} 2"
        out.append(
            Grid(f"{name}-{stock}", sheet, told, tuple(columns), tuple(rows), notes, frozenset({len(order)}))
        )
    return out


def _dynamic(ledger: Ledger, name: str, title: str, notes: tuple[str, ...], lang: Lang) -> list[Grid]:
    frame = ledger.tables[name]
    cells = _two_ways(frame[frame["category"] != ALL], "line", "category", ["hh", "p"])
    columns = [label("line", lang)]
    for top in heads(ledger.categories, lang):
        columns += pair(top, lang)
    rows = []
    for line, word in declared().dynamic.items():
        row: list[Value] = [word.say(lang)]
        for c in (*ledger.categories, ALL):
            hh, p = cells.get((line, c), [0, 0])
            row += [None if line.startswith("natural") else hh, p]
        rows.append(tuple(row))
    registered = frame.loc[frame["line"] == "registered", "p"].sum()
    remaining = cells.get(("remaining", ALL), [0, 0])[1]
    share = ratio(remaining, int(registered))
    told = "" if share is None else f"{share:.2%}"
    of = phrase("of_registered", lang, p=remaining, of=registered, share=told)
    totals = frozenset({len(rows) - 1})
    return [Grid(name, title, title, tuple(columns), tuple(rows), (*notes, of) if told else notes, totals)]


def _natural(ledger: Ledger, name: str, title: str, notes: tuple[str, ...], lang: Lang) -> list[Grid]:
    frame = ledger.tables[name]
    columns = [label("reason", lang)]
    columns += [Column(top, phrase("p", lang), "count") for top in heads(ledger.categories, lang)]
    rows: list[tuple[Value, ...]] = []
    totals = []
    for direction, words in (("increase", book().increase), ("decrease", book().decrease)):
        some = frame[frame["direction"] == direction]
        cells = _two_ways(some, "reason", "category", ["p"])
        wide = (*ledger.categories, ALL)
        totals.append(len(rows))
        sums = [sum(cells.get((reason, c), [0])[0] for reason in words) for c in wide]
        rows.append((phrase(direction, lang), *sums))
        for reason, word in words.items():
            rows.append((f"　{word.say(lang)}", *(cells.get((reason, c), [0])[0] for c in wide)))
    return [Grid(name, title, title, tuple(columns), tuple(rows), notes, frozenset(totals))]


def _measures(ledger: Ledger, name: str, title: str, notes: tuple[str, ...], lang: Lang) -> list[Grid]:
    frame = ledger.tables[name]
    cells = _two_ways(frame, "measure", "category", ["hh", "p", "items", "of_hh"])
    columns = [label("measure", lang)]
    for top in heads(ledger.categories, lang):
        columns += pair(top, lang, percent=True, items=True)
    order = list(dict.fromkeys(frame["measure"]))
    rows = []
    for measure in order:
        row: list[Value] = [_measure(measure, lang)]
        for c in (*ledger.categories, ALL):
            hh, p, items, of = cells.get((measure, c), [0, 0, 0, 0])
            row += [hh, p, items, ratio(hh, of)]
        rows.append(tuple(row))
    totals = frozenset({order.index(ANY)} if ANY in order else ())
    return [Grid(name, title, title, tuple(columns), tuple(rows), notes, totals)]


def _single_cause(ledger: Ledger, name: str, title: str, notes: tuple[str, ...], lang: Lang) -> list[Grid]:
    frame = ledger.tables[name]
    given = set(frame.loc[frame["hh"] > 0, "measure"])
    measures = [m for m in dict.fromkeys(frame["measure"]) if m in given or m == ANY]
    columns = [label("cause", lang), Column(phrase("single", lang), phrase("hh", lang), "count")]
    for measure in measures:
        columns += [
            Column(_measure(measure, lang), phrase("hh", lang), "count"),
            Column(_measure(measure, lang), phrase("percent", lang), "share"),
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
    return [Grid(name, title, title, tuple(columns), tuple(rows), notes, frozenset({len(rows) - 1}))]


def _bands(ledger: Ledger, name: str, title: str, notes: tuple[str, ...], lang: Lang) -> list[Grid]:
    frame = ledger.tables[name]
    columns = [label("township", lang), label("group", lang)]
    for band in band_names():
        columns += pair(_band(band, lang), lang, percent=True)
    columns += pair(phrase("total", lang), lang)
    summed = (
        frame.groupby(["group", "band"], sort=False)[["hh", "p"]].sum().reset_index().assign(township=ALL)
    )
    keys = ["township", "group", "band"]
    cells = lookup(pd.concat([frame, summed], ignore_index=True), keys, ["hh", "p"])
    rows: list[tuple[Value, ...]] = []
    totals: list[int] = []
    for township in [*sorted(set(frame["township"])), ALL]:
        for group, word in declared().groups.items():
            counts = [cells[township, group, band] for band in band_names()]
            hh, p = (sum(c[i] for c in counts) for i in (0, 1))
            row: list[Value] = [phrase("total", lang) if township == ALL else township, word.say(lang)]
            for c in counts:
                row += [c[0], c[1], ratio(c[0], hh)]
            totals += [len(rows)] if township == ALL else []
            rows.append((*row, hh, p))
    return [Grid(name, title, title, tuple(columns), tuple(rows), notes, frozenset(totals), stub=2)]


def _workload(ledger: Ledger, name: str, title: str, notes: tuple[str, ...], lang: Lang) -> list[Grid]:
    frame = ledger.tables[name]
    columns = [label("township", lang)]
    columns += [Column(word.say(lang), "", "count") for word in declared().workload.values()]
    columns.append(Column(phrase("yield", lang), "", "share"))
    lines = list(declared().workload)
    known = lookup(frame.dropna(), ["township", "line"], ["n"])
    places = list(dict.fromkeys(frame["township"]))
    # A sum with nothing known in it is unknown, not zero.
    found = {line: [known[t, line][0] for t in places if (t, line) in known] for line in lines}
    known |= {(ALL, line): [sum(values)] for line, values in found.items() if values}
    rows: list[tuple[Value, ...]] = []
    for place in [*places, ALL]:
        counts = {line: known[place, line][0] if (place, line) in known else None for line in lines}
        shown = {ALL: phrase("total", lang), UNKNOWN: phrase("unknown", lang)}.get(place, place)
        confirmed = ratio(counts["households_confirmed"], counts["households_met"])
        rows.append((shown, *counts.values(), confirmed))
    return [Grid(name, title, title, tuple(columns), tuple(rows), notes, frozenset({len(rows) - 1}))]


_SHAPES: dict[str, Callable[[Ledger, str, str, tuple[str, ...], Lang], list[Grid]]] = {
    "causes": _causes,
    "dynamic": _dynamic,
    "natural": _natural,
    "measures": _measures,
    "single_cause": _single_cause,
    "bands": _bands,
    "workload": _workload,
}


def _cause(code: str, lang: Lang) -> str:
    return phrase("unknown", lang) if code == UNKNOWN else code_name("risk_events", "cause", code, lang)


def _measure(code: str, lang: Lang) -> str:
    return phrase("any", lang) if code == ANY else code_name("support", "measure", code, lang)


def _band(band: str, lang: Lang) -> str:
    edges = declared().bands
    if band == "below":
        return phrase("below", lang, edge=edges[0])
    if band == "above":
        return phrase("above", lang, edge=edges[-1])
    if band == UNKNOWN:
        return phrase("income_unknown", lang)
    low, high = band.split("-")
    return phrase("between", lang, low=low, high=high)
