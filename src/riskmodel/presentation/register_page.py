"""The register's ledger written out: workbook, page, figures for machines, findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from riskmodel.i18n import Language, check_language
from riskmodel.io import write_json, write_table, write_text
from riskmodel.presentation.page import Link, Links, PageSection, Paragraph, page_html
from riskmodel.presentation.register_tables import findings_in_words, register_tables
from riskmodel.presentation.table import Table
from riskmodel.presentation.workbook import open_workbook
from riskmodel.register import RegisterAccounts, accounts_as_dict, phrase

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
