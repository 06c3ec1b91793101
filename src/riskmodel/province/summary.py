"""The provincial summary: a row a county and one for the province, as CSV, workbook and JSON, zh and en."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from riskmodel import rules
from riskmodel.households import to_date
from riskmodel.i18n import LANGUAGES, both, text
from riskmodel.io import write_json
from riskmodel.presentation import Column, Row, Table, open_workbook

FORMAT = 1
# Sums of households or rows; the largest; and what is broken down by a reason.
SUMS = (
    "households", "flagged", "unknown", "late", "doubtful", "depends", "incomplete", "dropped", "rows",
    "rejected", "listed", "planned", "expected",
)  # fmt: skip
LARGEST = "lag_months_max"
BY_REASON = {"unknown_by_reason": "unknown", "doubts": "doubtful"}
COLUMNS = (
    "households", "flagged", "unknown", "late", "lag_months_max", "doubtful", "depends", "incomplete",
    "dropped", "listed", "planned", "expected", "rows", "rejected", "data_through",
)  # fmt: skip
Record = Mapping[str, Any]


def province_totals(records: Iterable[Record]) -> dict[str, Any]:
    """Return the figures of the counties that stand, added up.

    Parameters
    ----------
    records
        As `riskmodel.province.run_county` returns them; those that failed have no figures.

    Returns
    -------
    dict
        The sums; the largest lag; ``unknown_by_reason`` and ``doubts``, households by reason, and
        ``categories``. What no county has (a list, where none was asked for) is left out.

    Examples
    --------
    >>> province_totals([{"figures": {"households": 3, "flagged": 1}}, {"figures": {"households": 4}}])
    {'households': 7, 'flagged': 1}
    """
    figures = [record["figures"] for record in records if record["figures"]]
    out: dict[str, Any] = {}
    for name in SUMS:
        values = [f[name] for f in figures if name in f]
        if values:
            out[name] = round(sum(values), 6)
    if lags := [f[LARGEST] for f in figures if LARGEST in f]:
        out[LARGEST] = max(lags)
    for name in (*BY_REASON, "categories"):
        counts: Counter[str] = Counter()
        for f in figures:
            counts.update(f.get(name, {}))
        if counts:
            out[name] = dict(sorted(counts.items()))
    return out


def write_summary(records: Sequence[Record], out: Path, as_of: str) -> dict[str, Any]:
    """Write ``summary.json``, and ``summary.LANG.csv`` and ``summary.LANG.xlsx`` in both languages.

    Parameters
    ----------
    records
        One a county, as `riskmodel.province.run_county` returns them.
    out
        The province's folder.
    as_of
        The day, ISO text.

    Returns
    -------
    dict
        `province_totals`.
    """
    totals = province_totals(records)
    stand = sum(bool(record["figures"]) for record in records)
    content = {
        "format": FORMAT,
        "as_of": as_of,
        "counties": len(records),
        "counties_that_stand": stand,
        "totals": totals,
        "by_county": [
            {k: record[k] for k in ("county", "state", "error")} | {"figures": record["figures"]}
            for record in records
        ],
        "words": _words(totals),
    }
    write_json(content, out / "summary.json")
    table = _table(records, totals, stand, as_of)
    for lang in LANGUAGES:
        table.to_csv(out / f"summary.{lang}.csv", lang)
        with open_workbook(out / f"summary.{lang}.xlsx", lang, to_date(as_of)) as book:
            table.to_sheet(book)
    return totals


def _words(totals: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return what the names in the JSON mean, in both languages."""
    named = {name: both(f"province.columns.{name}") for name in ("county", "state", *COLUMNS)}
    for name in BY_REASON:
        named |= {why: _reason(why) for why in totals.get(name, {})}
    return named


def _reason(why: str) -> dict[str, str]:
    """Return a reason in words; one that the catalogue does not know keeps its name."""
    said = {lang: rules.name_reasons(why, lang) for lang in LANGUAGES}
    return {
        lang: "；".join(names) if names and lang == "zh" else "; ".join(names) or why
        for lang, names in said.items()
    }


def _table(records: Sequence[Record], totals: Mapping[str, Any], stand: int, as_of: str) -> Table:
    reasons = [(name, why) for name in BY_REASON for why in totals.get(name, {})]
    columns = [
        Column(both("province.columns.county"), "label", "county"),
        Column(both("province.columns.state"), "label", "state"),
        *(Column(both(f"province.columns.{c}"), _kind(c), c) for c in COLUMNS),
        *(
            Column(_reason(why), "count", f"{BY_REASON[name]}: {why}", both(f"province.columns.{name}"))
            for name, why in reasons
        ),
        Column(both("province.columns.error"), "wrap", "error", width=60),
    ]
    rows = [
        Row(
            [
                record["county"],
                both(f"province.states.{record['state']}"),
                *_cells(record["figures"], reasons),
                record["error"],
            ],
            "alarm" if record["state"] == "failed" else "",
        )
        for record in records
    ]
    whole = both("province.whole", n=stand, of=len(records))
    rows.append(Row([both("province.province"), whole, *_cells(totals, reasons), None], "total"))
    title = both("province.title", as_of=as_of)
    notes = [both("province.note"), both("province.reasons_note")]
    return Table(columns, rows, title=title, sheet=text("province.sheet", "zh"), notes=notes, labels=1)


def _kind(column: str) -> Any:
    return {"expected": "number", "data_through": "date", LARGEST: "integer"}.get(column, "count")


def _cells(figures: Mapping[str, Any], reasons: Sequence[tuple[str, str]]) -> list[Any]:
    """Return a row's cells; a county that failed has none, a reason that does not occur counts as 0."""
    if not figures:
        return [None] * (len(COLUMNS) + len(reasons))
    cells = [_day(figures[c]) if c == "data_through" and c in figures else figures.get(c) for c in COLUMNS]
    return [*cells, *(figures.get(name, {}).get(why, 0) for name, why in reasons)]


def _day(text: str) -> Any:
    return to_date(text)
