"""What the last visits found, by source, as the office knew it at a date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel.data import County
from riskmodel.evaluation import MONTHS, PUBLISHED, by_source, last_visits, weighted, wilson
from riskmodel.households import DateLike
from riskmodel.presentation.tables import Cell, Head, Row, Table, number

COUNTS = ("visits", "confirmed", "not_confirmed", "absent")


def yields(county: County, as_of: DateLike, months: int = MONTHS) -> pd.DataFrame:
    """Return findings of the visits of the last months by source.

    Parameters
    ----------
    county : County
    as_of : date or ISO text
        Only visits made and recorded by then.
    months : int

    Returns
    -------
    DataFrame
        See `riskmodel.evaluation.yields.by_source`; no row where there was no visit.
    """
    return by_source(last_visits(county, as_of, months))


def weighted_yield(county: County, as_of: DateLike, months: int = MONTHS) -> pd.DataFrame:
    """Return the same visits weighted by the chances that their lists logged; parameters as of `yields`.

    Returns
    -------
    DataFrame
        See `riskmodel.evaluation.yields.weighted`.
    """
    return weighted(last_visits(county, as_of, months))


def yields_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return findings by source as the page shows them.

    Parameters
    ----------
    frame : DataFrame
        `yields`.
    book : mapping

    Returns
    -------
    Table
    """
    columns, values = book["columns"], book["values"]
    heads = [
        Head(columns["selected_by"], text=True),
        *(Head(columns[c]) for c in (*COUNTS, "yield", "bounds")),
    ]
    rows = []
    for row in frame.to_dict("records"):
        cells = [Cell(words=values[f"source_{row['selected_by']}"]), *(Cell(number(row[c])) for c in COUNTS)]
        known = row["rate"] == row["rate"]
        rate = f"{row['rate']:.1%}" if known else number(None)
        cells.append(Cell(rate, small=f"[{row['low']:.1%}, {row['high']:.1%}]" if known else ""))
        cells.append(Cell(f"{row['worst']:.0%}–{row['best']:.0%}" if row["absent"] else number(None)))
        rows.append(Row(cells))
    return Table(heads, rows)


def weighted_facts(frame: pd.DataFrame | None) -> dict[str, str] | None:
    """Return the weighted yield as text for the page's sentence; None where no list logged a chance."""
    if frame is None or frame.empty:
        return None
    row = frame.iloc[0]
    shares = {name: f"{row[name]:.1%}" for name in ("naive", "rate", "low", "high")}
    counts = {"n": "visits", "out": "left_out", "worth": "effective_n"}
    return shares | {name: f"{row[column]:.0f}" for name, column in counts.items()}


def published() -> dict[str, str]:
    """Return the published yield that stands beside, with its interval, as text."""
    hits, n = int(PUBLISHED["confirmed"]), int(PUBLISHED["checked"])
    low, high = wilson(hits, n)
    return {
        "confirmed": f"{hits}",
        "checked": f"{n}",
        "rate": f"{hits / n:.1%}",
        "low": f"{float(low):.1%}",
        "high": f"{float(high):.1%}",
    }
