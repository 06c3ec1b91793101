"""A model in use, watched: the page of alarms, drift, months that are over and yields, and its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.i18n import both, pair, section
from riskmodel.io import write_json, write_table, write_text
from riskmodel.presentation.page import Alarms, Facts, PageSection, Paragraph, Part, page_html
from riskmodel.presentation.table import NOTHING, Column, Row, Table
from riskmodel.scoring import MonitoringResult

FORMAT = 1
PAGE = "monitor.html"
SHOWN = 25  # features on the page; all of them stand in the table
COUNTS = ("visits", "confirmed", "not_confirmed", "absent")


def write_monitor(result: MonitoringResult, out: str | Path) -> Path:
    """Write the page of alarms and its tables into a folder.

    Parameters
    ----------
    result : MonitoringResult
        What `riskmodel.scoring.monitor` measured.
    out : str or Path
        ``monitor.html``, ``monitor.json``, ``drift.csv``, ``outcomes.csv``, ``yields.csv``, ``weighted.csv``.

    Returns
    -------
    Path
        The page. It holds no household.
    """
    folder = Path(out)
    for name in ("drift", "outcomes", "yields", "weighted"):
        write_table(getattr(result, name), folder / f"{name}.csv")
    write_json({"format": FORMAT, **result.summary}, folder / "monitor.json")
    return write_text(monitor_html(result), folder / PAGE)


def monitor_html(result: MonitoringResult, lang: str = "zh") -> str:
    """Return the page as text."""
    about = result.about
    alarms = [(a["grade"], pair(a)) for a in result.alarms]
    origin = [(both("monitor_page.run"), str(about["run_id"]))]
    origin.append((both("monitor_page.data"), str(about["data_fingerprint"])))
    parts: dict[str, list[Part]] = {
        "alarms": [Alarms(alarms) if alarms else Paragraph(both("monitor_page.none"), "ok")],
        "drift": [_drift(result.drift), Paragraph(both("monitor_page.drift_note"), "note")],
        "outcomes": [_outcomes(result.outcomes)],
        "yields": [_yields(result.yields), *_weighted(result.weighted)],
        "origin": [Facts(origin)],
    }
    return page_html(
        both("monitor_page.title"),
        [PageSection(name, both(f"monitor_page.{name}"), shown) for name, shown in parts.items()],
        language=lang,
        kind=f"monitor format {FORMAT}",
        below=f"{about['model']} v{about['version']}　{about['reference']} → {about['as_of']}",
    )


def _table(names: tuple[str, ...], rows: list[Row]) -> Table:
    words = section("monitor_page.columns")
    return Table([Column(words[n], "number" if k else "text") for k, n in enumerate(names)], rows)


def _drift(frame: pd.DataFrame) -> Table:
    figures, shares = ("psi", "psi_chance", "psi_limit"), ("missing_before", "missing_now")
    rows = []
    for r in frame.head(SHOWN).to_dict("records"):
        grade = r["status"] if r["status"] != "ok" else r["missing_status"]
        name = pair(r)
        rows.append(Row([name, *(f"{r[c]:.3f}" for c in figures), *(f"{r[c]:.0%}" for c in shares)], grade))
    return _table(("column", *figures, *shares), rows)


def _outcomes(frame: pd.DataFrame) -> Part:
    if frame.empty:
        return Paragraph(both("monitor_page.no_outcomes"), "note")
    names = ("month", "households", "expected", "observed", "interval", "listed", "hit")
    return _table(names, [Row(_outcome(r), r["status"]) for r in frame.to_dict("records")])


def _outcome(r: dict[Any, Any]) -> list[str]:
    counts = [f"{r['households']:,}", f"{r['expected']:.1f}", str(r["observed"])]
    interval = f"[{r['low']:.0f}, {r['high']:.0f}]"
    return [r["as_of"], *counts, interval, str(r["listed"]), str(r["listed_observed"])]


def _yields(frame: pd.DataFrame) -> Part:
    if frame.empty:
        return Paragraph(both("monitor_page.no_yields"), "note")
    sources, rows = section("monitor_page.sources"), []
    for r in frame.to_dict("records"):
        known = r["rate"] == r["rate"]
        rate = [f"{r['rate']:.1%}", f"[{r['low']:.1%}, {r['high']:.1%}]"] if known else [NOTHING, ""]
        source = sources.get(r["selected_by"], r["selected_by"])
        rows.append(Row([source, *(str(r[c]) for c in COUNTS), *rate, f"{r['worst']:.0%}–{r['best']:.0%}"]))
    return _table(("source", *COUNTS, "yield", "interval", "bounds"), rows)


def _weighted(frame: pd.DataFrame) -> list[Part]:
    if frame.empty:
        return []
    row = frame.iloc[0]
    shares = {name: f"{row[name]:.1%}" for name in ("rate", "low", "high")}
    counts = {"visits": f"{row['visits']:.0f}", "worth": f"{row['effective_n']:.0f}"}
    return [Paragraph(both("monitor_page.weighted", **shares, **counts))]
