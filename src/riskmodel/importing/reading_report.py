"""The account of an import as a workbook for the office: what was read, and one list of problems a township.

The lists go down to the townships and come back (`riskmodel.importing.corrections`): what is
written in the column of corrections is taken in place of the cell, and the problem is closed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from riskmodel.data.schema import codes, contract, table_words
from riskmodel.i18n import Language, text
from riskmodel.importing.corrections import STORED, Correction, corrections_frame
from riskmodel.importing.files import ImportResult
from riskmodel.importing.findings import PROBLEM_COLUMNS, Finding, Findings, problem_number
from riskmodel.importing.guess_columns import Question
from riskmodel.io import atomic, new_workbook, records, write_cell, write_table, write_text

_PROBLEMS = "problems.csv"  # every problem of the last import, so that it can be said what is closed
_WIDTHS = {"problem": 46, "mend": 34, "file": 26, "content": 16, "correction": 16, "remark": 16}
_UNSAFE = re.compile(r"[\[\]:*?/\\']")
_LONGEST_NAME = 31  # of a sheet


def write_import(result: ImportResult, into: str | Path, language: Language = "zh") -> dict[str, int]:
    """Write the tables, ``about.yaml`` and the account of an import.

    Parameters
    ----------
    result
        What `import_files` returned.
    into
        The folder.
    language
        Of the account.

    Returns
    -------
    dict
        Table to rows written.
    """
    folder = Path(into)
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in result.assembled.tables.items():
        write_table(frame, folder / f"{name}.csv")
    about = {k: v.isoformat() if isinstance(v, dt.date) else v for k, v in result.assembled.about.items()}
    write_text(yaml.safe_dump(about, sort_keys=False, allow_unicode=True), folder / "about.yaml")
    account = result.as_dict(language) | {"findings": _finding_counts(result.assembled.findings)}
    write_text(json.dumps(account, ensure_ascii=False, indent=1), folder / "reading.json")
    households = result.assembled.tables.get("households")
    problems = problem_table(result.assembled.findings.items, result.questions, households, language)
    closed = _closed(folder, result.corrections, problems)
    write_reading_workbook(folder / "reading.xlsx", account, problems, closed, language)
    if result.corrections or (folder / STORED).is_file():
        write_table(corrections_frame([*result.corrections, *result.waiting]), folder / STORED)
    write_table(pd.concat([problems, closed]).drop_duplicates("number"), folder / _PROBLEMS)
    return {name: len(frame) for name, frame in result.assembled.tables.items()}


def _closed(folder: Path, corrections: Sequence[Correction], problems: pd.DataFrame) -> pd.DataFrame:
    """Return the problems of earlier imports that a correction has closed."""
    path = folder / _PROBLEMS
    before = pd.read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else problems.iloc[:0]
    given = {c.number: c for c in corrections}
    gone = before[before["number"].isin(list(given)) & ~before["number"].isin(problems["number"])].copy()
    gone["correction"] = [given[n].value or given[n].action for n in gone["number"]]
    return gone.reindex(columns=list(PROBLEM_COLUMNS)).astype(object).fillna("")


def _finding_counts(findings: Findings) -> list[dict[str, Any]]:
    counts = Counter((f.handling, f.kind) for f in findings.items)
    return [{"handling": h, "kind": k, "n": n} for (h, k), n in counts.most_common()]


def problem_table(
    findings: Sequence[Finding],
    questions: Sequence[Question],
    households: pd.DataFrame | None,
    language: Language,
) -> pd.DataFrame:
    """Return one row for each problem, with where it stands and what can be done.

    Parameters
    ----------
    findings
        Of cells and rows.
    questions
        Of whole sheets.
    households
        The contract's table, for township and village; None where there is none.
    language
        Of the sentences.

    Returns
    -------
    DataFrame
        Columns `PROBLEM_COLUMNS`; one problem stands once, however many rows it made.
    """
    places = _places(households)
    rows: dict[str, dict[str, Any]] = {}
    for one in questions:
        number = problem_number(one.file, one.sheet, one.where, one.kind)
        row = {"file": one.file, "sheet": one.sheet, "where": one.where, "content": one.text}
        handling = "not read" if one.blocking else "asked"
        rows[number] = row | {
            "problem": one.message().text(language),
            "mend": text("importing.report.edit the map", language),
            "handling": text(f"importing.report.handlings.{handling}", language),
        }
    for item in findings:
        number = problem_number(item.file, item.sheet, item.where, item.kind)
        township, village = places.get(item.household_id, ("", ""))
        item = _in_words(item, language)
        rows[number] = {
            "township": township,
            "village": village,
            "household_id": item.household_id,
            "file": item.file,
            "sheet": item.sheet,
            "where": _row_words(item.where, language),
            "content": item.text,
            "problem": item.message().text(language),
            "mend": item.advice().text(language),
            "handling": text(f"importing.report.handlings.{item.handling}", language),
        }
    frame = pd.DataFrame([{"number": number, **row} for number, row in rows.items()], dtype=object)
    frame = frame.reindex(columns=list(PROBLEM_COLUMNS)).astype(object).fillna("")
    order = ["township", "village", "household_id", "file", "sheet"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _row_words(where: str, language: Language) -> str:
    """Return a place as the office writes it: row 14 is 第14行."""
    row = re.fullmatch(r"row (\d+)", where)
    return text("importing.report.row", language, n=row[1]) if row else where


def _in_words(item: Finding, language: Language) -> Finding:
    """Return a finding whose sentence names columns, sources and categories in words."""
    given = dict(item.values)
    for name in ("column", "columns", "item", "items"):
        if isinstance(value := given.get(name), str):
            given[name] = ", ".join(_word(w, language) for w in value.split(", "))
    return dataclasses.replace(item, values=given)


def _word(name: str, language: Language) -> str:
    if language == "en":
        return name
    table, _, column = name.rpartition(".")
    spec = contract().tables.get(table or "households")
    if spec and column in spec.columns:
        return spec.columns[column].zh
    return codes("income", "source").get(name) or codes("spending", "category").get(name, name)


def _places(households: pd.DataFrame | None) -> dict[str, tuple[str, str]]:
    if households is None or not len(households):
        return {}
    last = households.drop_duplicates("household_id", keep="last")
    return {
        h: (str(t or ""), str(v or ""))
        for h, t, v in zip(last["household_id"], last["township"], last["village"], strict=True)
    }


def write_reading_workbook(
    path: Path,
    account: Mapping[str, Any],
    problems: pd.DataFrame,
    closed: pd.DataFrame,
    language: Language,
) -> None:
    """Write the account and the problem lists.

    Parameters
    ----------
    path
        The workbook; it is replaced whole.
    account
        What ``--json`` prints.
    problems
        `problem_table`.
    closed
        Problems that corrections have closed, with the same columns.
    language
        Of headers and names.
    """

    def word(key: str) -> str:
        return text(f"importing.report.{key}", language)

    with atomic(path) as temporary, new_workbook(temporary, title=word("title")) as book:
        styles = {
            "head": book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1, "text_wrap": True}),
            "cell": book.add_format({"text_wrap": True, "valign": "top"}),
            "input": book.add_format({"text_wrap": True, "valign": "top", "bg_color": "#FFF9DB"}),
        }
        _summary_sheet(book, word, account, problems, closed, styles, language)
        _sources_sheet(book, word, account["sources"], styles)
        names = {word("summary"), word("sources")}
        for township, rows in _by_township(problems, word("no township")):
            _problem_sheet(book, _sheet_name(township, names), rows, word, styles)
        if len(closed):
            _problem_sheet(book, _sheet_name(word("closed"), names), closed, word, styles)


def _by_township(problems: pd.DataFrame, other: str) -> list[tuple[str, pd.DataFrame]]:
    named = problems["township"].where(problems["township"] != "", other)
    groups = dict(list(problems.groupby(named, sort=True)))
    return [(t, groups[t]) for t in sorted(groups, key=lambda t: (t == other, t))]


def _sheet_name(name: str, taken: set[str]) -> str:
    """Return a name that a workbook allows and that no other sheet has."""
    plain = _UNSAFE.sub(" ", name).strip()[:_LONGEST_NAME] or "-"
    out, n = plain, 1
    while out in taken:
        n += 1
        out = f"{plain[: _LONGEST_NAME - 4]} {n}"
    taken.add(out)
    return out


def _write_counts(
    sheet: Any, row: int, column: str, problems: pd.DataFrame, word: Any, styles: Mapping[str, Any]
) -> int:
    """Write how many problems there are by what stands in a column; return the last row."""
    write_cell(sheet, row, 0, word(f"columns.{column}"), styles["head"])
    write_cell(sheet, row, 1, word("columns.problems"), styles["head"])
    for name, n in problems[column].value_counts().items():
        row += 1
        write_cell(sheet, row, 0, name)
        write_cell(sheet, row, 1, int(n))
    return row


def _summary_sheet(
    book: Any,
    word: Any,
    account: Mapping[str, Any],
    problems: pd.DataFrame,
    closed: pd.DataFrame,
    styles: Mapping[str, Any],
    language: Language,
) -> None:
    sheet = book.add_worksheet(word("summary"))
    sheet.set_column(0, 0, 40)
    sheet.set_column(1, 3, 16)
    write_cell(sheet, 0, 0, word("title"), styles["head"])
    row = 2
    for column, key in enumerate(("table", "rows", "households")):
        write_cell(sheet, row, column, word(f"columns.{key}"), styles["head"])
    for name, counts in account["tables"].items():
        row += 1
        for column, value in enumerate((table_words(name)[language], counts["rows"], counts["households"])):
            write_cell(sheet, row, column, value)
    row += 2
    row = _write_counts(sheet, row, "handling", problems, word, styles) + 1
    write_cell(sheet, row, 0, word("closed"))
    write_cell(sheet, row, 1, len(closed))
    row += 2
    row = _write_counts(sheet, row, "mend", problems, word, styles) + 2
    for line in (word("how to"), word("how to confirm"), word("how to return")):
        write_cell(sheet, row, 0, line)
        row += 1


def _for_print(sheet: Any) -> None:
    """Set a sheet up for paper: landscape, one page wide, the header on every page."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _sources_sheet(
    book: Any, word: Any, sources: Sequence[Mapping[str, Any]], styles: Mapping[str, Any]
) -> None:
    sheet = book.add_worksheet(word("sources"))
    keys = ("file", "sheet", "rows", "used", "rejected", "skipped", "why")
    sheet.set_column(0, 1, 30)
    sheet.set_column(2, 5, 9)
    sheet.set_column(6, 6, 44)
    sheet.freeze_panes(1, 0)
    _for_print(sheet)
    for column, key in enumerate(keys):
        write_cell(sheet, 0, column, word(f"columns.{key}"), styles["head"])
    for row, source in enumerate(sources, 1):
        for column, key in enumerate(keys):
            write_cell(sheet, row, column, source[key], styles["cell"])


def _problem_sheet(book: Any, name: str, rows: pd.DataFrame, word: Any, styles: Mapping[str, Any]) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    _for_print(sheet)
    sheet.autofilter(0, 0, len(rows), len(PROBLEM_COLUMNS) - 1)
    for column, key in enumerate(PROBLEM_COLUMNS):
        sheet.set_column(column, column, _WIDTHS.get(key, 13))
        write_cell(sheet, 0, column, word(f"columns.{key}"), styles["head"])
    for at, record in enumerate(records(rows), 1):
        for column, key in enumerate(PROBLEM_COLUMNS):
            style = styles["input" if key in ("correction", "remark") else "cell"]
            write_cell(sheet, at, column, record[key] or None, style)
