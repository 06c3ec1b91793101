"""Writing a ledger: workbook, page, figures for machines, findings."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from riskmodel.io.files import write_json, write_table, write_text
from riskmodel.presentation.register_tables import (
    Column,
    Grid,
    Kind,
    Value,
    findings_in_words,
    register_tables,
)
from riskmodel.presentation.register_workbook import write_register_workbook
from riskmodel.register import Lang, Ledger, check_lang, figures, phrase

# A page with more rows than this is slow to open; the workbook and findings.csv hold them all.
MOST_ROWS = 1000
_STYLE = """
body{font-family:"Noto Sans SC","Microsoft YaHei","PingFang SC",sans-serif;color:#1a1a1a}
body{margin:2rem auto;max-width:80rem;padding:0 1rem;line-height:1.5}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2.2rem 0 .3rem}
nav a{margin-right:1rem;color:#1f3a5f}.note{color:#555;font-size:.85rem;margin:.1rem 0}
.wide{overflow-x:auto;margin-top:.6rem}table{border-collapse:collapse;font-size:.9rem}
th,td{border:1px solid #d0d7e2;padding:.25rem .55rem;text-align:right;white-space:nowrap}
thead th{background:#1f3a5f;color:#fff;text-align:center}tbody th,td.text{text-align:left;font-weight:normal}
tr.total th,tr.total td{font-weight:bold;background:#e6ecf4}
@media print{nav{display:none}section{break-inside:avoid}body{margin:0;max-width:none}}
"""


def write_register(ledger: Ledger, out: str | Path, lang: str = "zh") -> dict[str, Path]:
    """Write ``ledger.xlsx``, ``ledger.html``, ``ledger.json`` and ``findings.csv`` into a folder.

    The same ledger gives the same bytes. Findings name households by their number only.

    Parameters
    ----------
    ledger : Ledger
    out : str or Path
        A folder; made if it is not there.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    dict
        File name to path.

    Raises
    ------
    UsageError
        If the language is unknown or the folder cannot be written to.
    """
    language = check_lang(lang)
    shaped = register_tables(ledger, language)
    folder = Path(out)
    fingerprint = phrase("fingerprint", language, fingerprint=ledger.data_fingerprint)
    title = f"{phrase('title', language)}　{ledger.first} — {ledger.last}"
    html = register_html(shaped, title, language).replace(
        "</body>", f'<p class="note">{fingerprint}</p>\n</body>'
    )
    return {
        "ledger.xlsx": write_register_workbook(shaped, folder / "ledger.xlsx", ledger.last),
        "ledger.html": write_text(html, folder / "ledger.html"),
        "ledger.json": write_json(figures(ledger), folder / "ledger.json"),
        "findings.csv": write_table(_findings(ledger, language), folder / "findings.csv"),
    }


def _findings(ledger: Ledger, lang: Any) -> Any:
    """Return the findings in words, each with its id in front."""
    told = findings_in_words(ledger, lang).rename(columns={"finding": "meaning"})
    told.insert(0, "finding", ledger.findings["finding"].to_numpy())
    return told


def register_html(grids: Iterable[Grid], title: str, lang: Lang) -> str:
    """Return printed tables as one HTML page.

    Parameters
    ----------
    grids : iterable of Grid
    title : str
    lang : str

    Returns
    -------
    str
        A whole document; everything that comes from data is escaped.
    """
    every = list(grids)
    links = "".join(f'<a href="#{escape(g.id)}">{escape(g.sheet)}</a>' for g in every)
    body = "\n".join(_section(g, lang) for g in every)
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}">\n<head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n<nav>{links}</nav>\n{body}\n</body>\n</html>\n"
    )


def _section(grid: Grid, lang: Lang) -> str:
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in grid.notes)
    rows = "\n".join(_row(grid, i, row) for i, row in enumerate(grid.rows[:MOST_ROWS]))
    if len(grid.rows) > MOST_ROWS:
        notes += f'<p class="note">{escape(phrase("cut", lang, shown=MOST_ROWS, all=len(grid.rows)))}</p>'
    table = f'<div class="wide"><table>\n{_header(grid.columns)}\n<tbody>\n{rows}\n</tbody></table></div>'
    return (
        f'<section id="{escape(grid.id)}"><h2>{escape(grid.title)}</h2>{notes}'
        f"{table if grid.rows else ''}</section>"
    )


def _header(columns: tuple[Column, ...]) -> str:
    top, sub = [], []
    for name, group in groupby(columns, key=lambda c: c.top):
        same = list(group)
        if len(same) == 1 and not same[0].sub:
            top.append(f'<th scope="col" rowspan="2">{escape(name)}</th>')
            continue
        top.append(f'<th scope="colgroup" colspan="{len(same)}">{escape(name)}</th>')
        sub += [f'<th scope="col">{escape(column.sub)}</th>' for column in same]
    return f"<thead><tr>{''.join(top)}</tr><tr>{''.join(sub)}</tr></thead>"


def _row(grid: Grid, i: int, row: tuple[Value, ...]) -> str:
    cells = []
    for j, (column, value) in enumerate(zip(grid.columns, row, strict=True)):
        told = escape(text(value, column.kind))
        if j < grid.stub:
            cells.append(f'<th scope="row">{told}</th>')
        else:
            cells.append(f'<td class="text">{told}</td>' if column.kind == "text" else f"<td>{told}</td>")
    return f"<tr{' class=' + chr(34) + 'total' + chr(34) if i in grid.totals else ''}>{''.join(cells)}</tr>"


def text(value: Value, kind: Kind) -> str:
    """Return a value as it is printed; a missing one as an empty cell.

    Examples
    --------
    >>> text(0.7229, "share"), text(1144, "count"), text(None, "count")
    ('72.3%', '1144', '')
    """
    if value is None:
        return ""
    return f"{value:.1%}" if kind == "share" and not isinstance(value, str) else str(value)
