"""Visit sheets: one printable page a village (more if it is long), to take along and to write on."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import UsageError
from riskmodel.explanation import Library, cause_codes, load_measures
from riskmodel.io import files
from riskmodel.presentation.words import templates
from riskmodel.presentation.worklist_words import list_columns, reasons, shaped
from riskmodel.scoring import NAME_COLUMNS as NAMES
from riskmodel.scoring import Lang, Words, Worklist, book, check_lang, code_words, join_names

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu")
PRINT_SECONDS = 300
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
FIGURES = ("persons", "registration", "in_register", "card", "pcni", "line", "rule_category", "last_visit",
           "last_outcome", "due_date")  # fmt: skip


def write_visit_sheets(
    worklist: Worklist,
    path: str | Path,
    lang: str = "zh",
    names: pd.DataFrame | None = None,
    library: Library | None = None,
) -> Path:
    """Write the visit sheets of all planned visits as one HTML page, a printed page a village.

    A sheet carries the household's own figures, the rules' verdict, the model's reasons, what to ask, what
    could help if the visit confirms, and room for the finding. It carries no probability and nothing of
    what would take a household off the list: it is read in the village.

    Parameters
    ----------
    worklist : Worklist
    path : str or Path
        Ends in ``.html``.
    lang : str
    names : DataFrame, optional
        Joined here and kept nowhere else.
    library : Library, optional
        The office's measures and questions; the packaged ones by default.

    Returns
    -------
    Path
        Written whole or not at all; the same list gives the same bytes.
    """
    language = check_lang(lang)
    return files.write_text(visit_sheets_html(worklist, language, names, library or load_measures()), path)


def visit_sheets_html(worklist: Worklist, lang: Lang, names: pd.DataFrame | None, library: Library) -> str:
    """Return the sheets as HTML text."""
    rows = join_names(worklist.planned, names).sort_values(["township", "trip", "village", "position"])
    told = shaped(rows, list_columns(rows), lang)
    title = book().words["title"].say(lang).format(as_of=worklist.as_of.isoformat())
    style = (templates() / "visit-sheets.css").read_text(encoding="utf-8")
    parts = [
        f'<!doctype html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"{_tag('title', title)}<style>{style}</style></head><body>",
    ]
    for (township, village), own in rows.groupby(["township", "village"], sort=False):
        head = _say("sheet_head", lang).format(n=len(own), trip=int(own["trip"].iloc[0]), title=title)
        parts.append(f"<section><header>{_tag('h1', f'{township}　{village}')}{_tag('p', head)}</header>")
        parts += [
            _household(row, told.loc[i].to_dict(), said, lang, library)
            for i, row, said in zip(own.index, own.to_dict("records"), reasons(own, lang), strict=True)
        ]
        parts.append(f'<p class="note">{escape(_say("sheet_foot", lang))}</p></section>')
    return "\n".join([*parts, "</body></html>\n"])


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _say(word: str, lang: Lang) -> str:
    found: Words = book().words[word]
    return found.say(lang)


def _household(
    row: Mapping[Any, Any], told: Mapping[Any, Any], said: list[str], lang: Lang, library: Library
) -> str:
    beside = [str(told[n]) for n in (*NAMES, "group", "selected_by") if told.get(n)]
    head = escape(f"{row['position']}. {row['household_id']}")
    out = [f"<article><h2>{head} {_tag('small', '　'.join(beside))}</h2>", _figures(told, lang)]
    if told.get("rule_conditions"):
        out += [_tag("h3", _column("rule_conditions", lang)), _tag("p", str(told["rule_conditions"]))]
    if said:
        out += [_tag("h3", _say("sheet_why", lang)), _list("ol", said)]
    causes = cause_codes((row.get(f"cause_{k}") for k in (1, 2, 3)), lang) or ["other"]
    out += [_tag("h3", _say("sheet_ask", lang)), _list("ul", library.questions(causes, lang))]
    helps = ("、" if lang == "zh" else ", ").join(library.measures(causes, lang))
    note = library.note.zh if lang == "zh" else library.note.en
    out += [_tag("h3", _say("sheet_help", lang)), f'<p>{escape(helps)}<br><span class="note">{escape(note)}']
    return "".join([*out, "</span></p>", _entries(lang), "</article>"])


def _figures(told: Mapping[Any, Any], lang: Lang) -> str:
    out = []
    for name in FIGURES:
        value = told.get(name)
        if value is None or value != value:
            continue
        text = f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else _number(value)
        out.append(f"<div><dt>{escape(_column(name, lang))}</dt><dd>{escape(text)}</dd></div>")
    return f"<dl>{''.join(out)}</dl>"


def _number(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def _column(name: str, lang: Lang) -> str:
    return next(c for c in book().columns if c.id == name).say(lang)


def _list(tag: str, items: list[str]) -> str:
    return f"<{tag}>{''.join(f'<li>{escape(text)}</li>' for text in items)}</{tag}>"


def _entries(lang: Lang) -> str:
    words = code_words(lang)
    out = []
    for name, kind in (("outcome", "outcomes"), ("decision", "decisions")):
        boxes = "　".join("□ " + word for word in words[kind].values())
        out.append(_tag("div", f"{_column(name, lang)}　{boxes}"))
    for name in ("visited_on", "visitor", "cause", "note"):
        wide = ' class="wide"' if name in ("cause", "note") else ""
        out.append(f"<div{wide}>{escape(_column(name, lang))}　<span class=line></span></div>")
    return f'<div class="fill">{"".join(out)}</div>'


def print_pdf(html: str | Path, pdf: str | Path) -> Path:
    """Print an HTML page to PDF with the machine's own browser, offline.

    Parameters
    ----------
    html, pdf : str or Path

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If there is no chromium, or it fails; the HTML page prints as well from any browser.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise UsageError(f"no {' or '.join(BROWSERS)} here to make a PDF; print {html} from any browser")
    with tempfile.TemporaryDirectory() as home:
        made = Path(home) / "sheets.pdf"
        own = [f"--user-data-dir={home}", "--no-pdf-header-footer", f"--print-to-pdf={made}"]
        command = [browser, *FLAGS, *own, Path(html).resolve().as_uri()]
        done = subprocess.run(command, capture_output=True, timeout=PRINT_SECONDS, check=False)
        if done.returncode or not made.is_file():
            said = done.stderr.decode(errors="replace")[-200:]
            raise UsageError(f"{browser} could not print {html}: {said}")
        with files.atomic(pdf) as temporary:
            temporary.write_bytes(made.read_bytes())
    return Path(pdf)
