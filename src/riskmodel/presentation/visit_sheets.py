"""Visit sheets: one printable page a village (more if it is long), to take along and to write on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import UsageError
from riskmodel.explanation import FactSheet, MeasureLibrary, general_sheet, load_measures, write_fact_sheets
from riskmodel.i18n import Language, check_language
from riskmodel.io import atomic, records, write_text
from riskmodel.presentation.page import asset, render
from riskmodel.presentation.township_books import collector_rows
from riskmodel.presentation.worklist import list_columns, phrase, rows_in_words
from riskmodel.scoring import NAME_COLUMNS, Worklist, code_words, declared_columns
from riskmodel.version import __version__

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "msedge", "chrome")
# Where Windows keeps them: neither is on the path there, and Edge is on every machine.
WINDOWS_BROWSERS = ("Microsoft/Edge/Application/msedge.exe", "Google/Chrome/Application/chrome.exe")
WINDOWS_FOLDERS = ("ProgramFiles(x86)", "ProgramFiles", "LocalAppData")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu")
PRINT_SECONDS = 300
# What is on record; no line, card, verdict or place on the list, which would tell who chose the household.
FIGURES = ("persons", "registration", "in_register", "last_visit", "last_outcome", "due_date")
CARD_LINES = 12  # members, measures or visits on one sheet; of visits and measures the latest
BLANKS = {"visited_on": False, "visitor": False, "cause": True, "note": True}  # entry to whether it is wide


def write_visit_sheets(
    worklist: Worklist,
    path: str | Path,
    lang: str = "zh",
    names: pd.DataFrame | None = None,
    library: MeasureLibrary | None = None,
) -> Path:
    """Write the visit sheets of all planned visits as one HTML page, a printed page a village.

    A sheet carries what is on record of the household, what to ask, what could help if the visit confirms,
    and room for the finding, in one layout for everybody. It tells nothing of why a household is on the list
    (no source, chance, probability, reason of the model, verdict or line) and nothing of what would take it
    off: it is read in the village, and what a visit confirms must not depend on who was chosen by a score.

    Parameters
    ----------
    worklist : Worklist
        `riskmodel.scoring.build_worklist`.
    path : str or Path
        Ends in ``.html``.
    lang : {"zh", "en"}
        Language of the sheets.
    names : DataFrame, optional
        Joined here and kept nowhere else.
    library : Library, optional
        The office's measures and questions; the packaged ones by default.

    Returns
    -------
    Path
        Written whole or not at all; the same list gives the same bytes.
    """
    language = check_language(lang)
    return write_text(visit_sheets_html(worklist, language, names, library or load_measures()), path)


def visit_sheets_html(
    worklist: Worklist, lang: Language, names: pd.DataFrame | None, library: MeasureLibrary
) -> str:
    """Return the sheets as HTML text."""
    rows = collector_rows(worklist, names)
    shown = records(rows_in_words(rows, list_columns(rows), lang))
    title = phrase("title", lang, as_of=worklist.as_of.isoformat())
    facts = {}
    if len(worklist.facts):
        facts = write_fact_sheets(worklist.facts, list(rows["household_id"]), lang, "village", library)
    of_village: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row, words in zip(records(rows), shown, strict=True):
        place = (row["township"], row["village"])
        sheet = facts.get(row["household_id"]) or general_sheet(lang, library)
        of_village.setdefault(place, []).append(_household(row, words, sheet, lang, library))
    villages = []
    for (township, village), homes in of_village.items():
        head = phrase("sheet_head", lang, n=len(homes), title=title)
        villages.append({"title": f"{township}　{village}", "head": head, "households": homes})
    html = render(
        "visit-sheets.html.j2", lang=lang, version=__version__, kind="visit sheets", single=True, title=title,
        css=asset("visit-sheets.css"), villages=villages, foot=phrase("sheet_foot", lang),
        entries=_entries(lang),
    )  # fmt: skip
    return worklist.nouns.page(html)


def _household(
    row: Mapping[Any, Any],
    shown: Mapping[Any, Any],
    sheet: FactSheet,
    lang: Language,
    library: MeasureLibrary,
) -> dict[str, Any]:
    measures = phrase("list_join", lang).join(sheet.measures) or phrase("no_measures", lang)
    parts: list[dict[str, Any]] = []
    if sheet.facts:
        parts.append({"title": phrase("sheet_facts", lang), "tag": "ol", "lines": sheet.facts})
    for name in ("members", "support", "visits"):
        if lines := getattr(sheet, name)[:CARD_LINES]:
            joined = phrase("colon_join", lang).join(lines)
            parts.append({"title": phrase(f"sheet_{name}", lang), "text": joined})
    parts.append({"title": phrase("sheet_ask", lang), "tag": "ul", "lines": sheet.questions})
    note = library.note.text(lang)
    parts.append({"title": phrase("sheet_help", lang), "text": measures, "note": note})
    return {
        "title": f"{row['position']}. {row['household_id']}",
        "beside": "　".join(str(shown[n]) for n in (*NAME_COLUMNS, "group") if shown.get(n)),
        "figures": [(_column(n, lang), _figure(v)) for n in FIGURES if (v := shown.get(n)) is not None],
        "parts": [{"text": "", "note": "", **part} for part in parts],
    }


def _figure(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


@cache
def _column(name: str, lang: Language) -> str:
    return next(c for c in declared_columns() if c.id == name).text(lang)


def _entries(lang: Language) -> dict[str, Any]:
    """Return what is filled in on a visit: boxes to tick, lines to write on."""
    words = code_words(lang)
    boxes = [
        f"{_column(name, lang)}　" + "　".join("□ " + word for word in words[kind].values())
        for name, kind in (("outcome", "outcomes"), ("decision", "decisions"))
    ]
    return {"boxes": boxes, "lines": [(_column(name, lang), wide) for name, wide in BLANKS.items()]}


def find_browser() -> str | None:
    """Return a browser that prints to PDF: one on the path, else Edge or Chrome where Windows keeps them."""
    homes = [Path(os.environ[name]) for name in WINDOWS_FOLDERS if os.environ.get(name)]
    installed = [str(home / own) for own in WINDOWS_BROWSERS for home in homes if (home / own).is_file()]
    on_path = (program for name in BROWSERS if (program := shutil.which(name)))
    return next(on_path, next(iter(installed), None))


def print_pdf(html: str | Path, pdf: str | Path) -> Path:
    """Print an HTML page to PDF with the machine's own browser, offline.

    Parameters
    ----------
    html : str or Path
        The page.
    pdf : str or Path
        The file to write.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        If there is no chromium, or it fails; the HTML page prints as well from any browser.
    """
    browser = find_browser()
    if browser is None:
        raise UsageError(f"no {' or '.join(BROWSERS)} here to make a PDF; print {html} from any browser")
    with tempfile.TemporaryDirectory() as home:
        printed = Path(home) / "sheets.pdf"
        own = [f"--user-data-dir={home}", "--no-pdf-header-footer", f"--print-to-pdf={printed}"]
        command = [browser, *FLAGS, *own, Path(html).resolve().as_uri()]
        done = subprocess.run(command, capture_output=True, timeout=PRINT_SECONDS, check=False)
        if done.returncode or not printed.is_file():
            message = done.stderr.decode(errors="replace")[-200:]
            raise UsageError(f"{browser} could not print {html}: {message}")
        with atomic(pdf) as temporary:
            temporary.write_bytes(printed.read_bytes())
    return Path(pdf)
