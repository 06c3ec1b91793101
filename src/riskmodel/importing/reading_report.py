"""The account of an import as a workbook for the office: what was read, and one list of problems a township.

The lists go down to the townships and come back (`riskmodel.importing.corrections`): what is
written in the column of corrections is taken in place of the cell, and the problem is closed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from riskmodel.data import codes, contract, table_words
from riskmodel.errors import InputRefused
from riskmodel.i18n import Language, text
from riskmodel.importing.corrections import STORED, Correction, corrections_frame
from riskmodel.importing.destination import ACCOUNT, is_import, note_written, refuse_destination
from riskmodel.importing.files import ImportResult
from riskmodel.importing.findings import PROBLEM_COLUMNS, Finding, Findings, problem_number
from riskmodel.importing.guess_columns import Question
from riskmodel.importing.problem_groups import group_findings, group_number, name_places, numbers_of
from riskmodel.io import new_workbook, office_file, records, write_cell, write_table, write_text

_PROBLEMS = "problems.csv"  # every problem of the last import, so that it can be said what is closed
_REPORTS = ("reading.xlsx", _PROBLEMS, STORED)
# In characters of a digit's width; together a line of A4 on its side in a readable size.
_WIDTHS = {
    "number": 10, "township": 9, "village": 9, "household_id": 14, "file": 16, "sheet": 9, "where": 7,
    "content": 13, "problem": 30, "mend": 22, "handling": 11, "correction": 14, "remark": 10,
}  # fmt: skip
_SOURCE_WIDTHS = {
    "file": 28, "sheet": 14, "rows": 7, "used": 7, "rejected": 7, "skipped": 9, "why": 34, "unread": 50,
}  # fmt: skip
_SUMMARY_WIDTH = 72
_LINE = 14  # points
_FONT = {"font_name": "宋体", "font_size": 10}
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

    Raises
    ------
    InputRefused
        If files of the folder that no import wrote would be overwritten or mixed with the tables, or if
        nothing was read and an earlier import stands there.
    """
    folder = Path(into)
    taken = [folder / name for name in _REPORTS]
    if not result.assembled.tables and is_import(folder):
        raise InputRefused(f"{folder}: nothing was read; the tables of the earlier import stay as they are")
    refuse_destination(folder, taken=taken, tables=result.assembled.tables)
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in result.assembled.tables.items():
        write_table(frame, folder / f"{name}.csv")
    about = {k: v.isoformat() if isinstance(v, dt.date) else v for k, v in result.assembled.about.items()}
    write_text(yaml.safe_dump(about, sort_keys=False, allow_unicode=True), folder / "about.yaml")
    more = {"findings": _finding_counts(result.assembled.findings), "unread": result.unread(language)}
    account = result.as_dict(language) | more
    households = result.assembled.tables.get("households")
    said = {(s.file, s.sheet): s.township for s in result.sources}
    problems = problem_table(result.assembled.findings.items, result.questions, households, language, said)
    closed = _closed(folder, result.corrections, problems)
    write_reading_workbook(folder / "reading.xlsx", account, problems, closed, language)
    if result.corrections or (folder / STORED).is_file():
        write_table(corrections_frame([*result.corrections, *result.waiting]), folder / STORED)
    write_table(pd.concat([problems, closed]).drop_duplicates("number"), folder / _PROBLEMS)
    names = [*(f"{name}.csv" for name in result.assembled.tables), "about.yaml", *_REPORTS]
    account = note_written(folder, [name for name in names if (folder / name).is_file()], account)
    write_text(json.dumps(account, ensure_ascii=False, indent=1), folder / ACCOUNT)
    return {name: len(frame) for name, frame in result.assembled.tables.items()}


def _closed(folder: Path, corrections: Sequence[Correction], problems: pd.DataFrame) -> pd.DataFrame:
    """Return the problems of earlier imports that a correction has closed."""
    path = folder / _PROBLEMS
    before = pd.read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else problems.iloc[:0]
    given = {c.number: c for c in corrections}
    lines = zip(*(before[c] for c in ("number", "file", "sheet", "where")), strict=True)
    answers = {
        at: given[found]
        for at, line in zip(before.index, lines, strict=True)
        if (found := next((n for n in numbers_of(*line).values() if n in given), None))
    }
    gone = before[before.index.isin(list(answers)) & ~before["number"].isin(problems["number"])].copy()
    gone["correction"] = [answers[at].value or answers[at].action for at in gone.index]
    return gone.reindex(columns=list(PROBLEM_COLUMNS)).astype(object).fillna("")


def _finding_counts(findings: Findings) -> list[dict[str, Any]]:
    counts = Counter((f.handling, f.kind) for f in findings.items)
    return [{"handling": h, "kind": k, "n": n} for (h, k), n in counts.most_common()]


def problem_table(
    findings: Sequence[Finding],
    questions: Sequence[Question],
    households: pd.DataFrame | None,
    language: Language,
    townships: Mapping[tuple[str, str], str] | None = None,
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
    townships
        What the title or name of a file and sheet says, for problems of nobody that the table knows.

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

    def home(item: Finding) -> tuple[str, str]:
        """Return township and village: of the household, else the township of the sheet."""
        whole = (townships or {}).get((item.file, item.sheet), "") if item.where else ""
        return places.get(item.household_id, (whole, ""))

    for group in group_findings(findings, [home(item)[0] for item in findings]):
        rows |= _problem_rows(group, list(map(home, group)), language)
    frame = pd.DataFrame([{"number": number, **row} for number, row in rows.items()], dtype=object)
    frame = frame.reindex(columns=list(PROBLEM_COLUMNS)).astype(object).fillna("")
    order = ["township", "village", "household_id", "file", "sheet"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _problem_rows(
    group: Sequence[Finding], homes: Sequence[tuple[str, str]], language: Language
) -> dict[str, dict[str, Any]]:
    """Return the line of a finding, or of many of one kind, under its number."""
    villages = {village for _, village in homes}
    item = _in_words(group[0], language)
    row = {
        "township": homes[0][0],
        "village": villages.pop() if len(villages) == 1 else "",
        "household_id": item.household_id,
        "file": item.file,
        "sheet": item.sheet,
        "where": _row_words(item.where, language),
        "content": item.text,
        "problem": item.message().text(language),
        "mend": item.advice().text(language),
        "handling": text(f"importing.report.handlings.{item.handling}", language),
    }
    if len(group) == 1:
        return {problem_number(item.file, item.sheet, item.where, item.kind): row}
    counts = {"n": len(group), "k": len({one.household_id for one in group if one.household_id})}
    row |= {"household_id": "", "problem": row["problem"] + text("importing.report.many", language, **counts)}
    row |= {"mend": row["mend"] + text("importing.report.one of many", language)}
    named = name_places([one.where for one in group], language)
    return {group_number(group[0], where): row | {"where": where} for where in named}


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

    with office_file(path) as temporary, new_workbook(temporary, title=word("title")) as book:
        plain = _FONT | {"text_wrap": True, "valign": "top", "border": 1, "border_color": "#BFBFBF"}
        styles = {
            "title": book.add_format(_FONT | {"bold": True, "font_size": 14}),
            "head": book.add_format(plain | {"bold": True, "bg_color": "#DCE6F1"}),
            "cell": book.add_format(plain),
            "input": book.add_format(plain | {"bg_color": "#FFF9DB"}),
        }
        _summary_sheet(book, word, account, problems, closed, styles, language)
        _sources_sheet(book, word, account["sources"], _unread_by_sheet(account.get("unread", ())), styles)
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
        write_cell(sheet, row, 0, name, styles["cell"])
        write_cell(sheet, row, 1, int(n), styles["cell"])
        _set_height(sheet, row, [(str(name), _SUMMARY_WIDTH)])
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
    sheet.set_column(0, 0, _SUMMARY_WIDTH)
    sheet.set_column(1, 2, 14)
    _for_print(sheet, word, header=False)
    write_cell(sheet, 0, 0, word("title"), styles["title"])
    row = 2
    for column, key in enumerate(("table", "rows", "households")):
        write_cell(sheet, row, column, word(f"columns.{key}"), styles["head"])
    for name, counts in account["tables"].items():
        row += 1
        for column, value in enumerate((table_words(name)[language], counts["rows"], counts["households"])):
            write_cell(sheet, row, column, value, styles["cell"])
    row += 2
    row = _write_counts(sheet, row, "handling", problems, word, styles) + 1
    write_cell(sheet, row, 0, word("closed"), styles["cell"])
    write_cell(sheet, row, 1, len(closed), styles["cell"])
    row += 2
    row = _write_counts(sheet, row, "mend", problems, word, styles) + 2
    for key in ("how to", "how to confirm", "how to return"):
        write_cell(sheet, row, 0, word(key), styles["cell"])
        _set_height(sheet, row, [(word(key), _SUMMARY_WIDTH)])
        row += 1


def _for_print(sheet: Any, word: Any, *, header: bool = True) -> None:
    """Set a sheet up for paper: A4 on its side, one page wide, the header on every page, pages numbered."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer(f"&L&A&R{word('page')}")
    if header:
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)


def _set_height(sheet: Any, row: int, cells: Sequence[tuple[str, float]]) -> None:
    """Make a row as high as its longest text needs, each given with its column's width."""
    lines = (
        sum(max(1, math.ceil(_text_width(line) / width)) for line in value.split("\n"))
        for value, width in cells
    )
    sheet.set_row(row, _LINE * max(lines, default=1) + 2)


def _text_width(value: str) -> int:
    """Return the width of a text in digits; a Chinese character is as wide as two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in value)


def _unread_by_sheet(unread: Sequence[Mapping[str, str]]) -> dict[tuple[str, str], str]:
    """Return what is not read of each sheet: reason and columns, one reason a line."""
    by_why: dict[tuple[str, str], dict[str, list[str]]] = {}
    for one in unread:
        by_why.setdefault((one["file"], one["sheet"]), {}).setdefault(one["why"], []).append(one["column"])
    return {
        sheet: "\n".join(f"{why}：{'、'.join(columns)}" for why, columns in reasons.items())
        for sheet, reasons in by_why.items()
    }


def _sources_sheet(
    book: Any,
    word: Any,
    sources: Sequence[Mapping[str, Any]],
    unread: Mapping[tuple[str, str], str],
    styles: Mapping[str, Any],
) -> None:
    sheet = book.add_worksheet(word("sources"))
    widths = {k: v for k, v in _SOURCE_WIDTHS.items() if unread or k != "unread"}
    _for_print(sheet, word)
    for column, (key, width) in enumerate(widths.items()):
        sheet.set_column(column, column, width)
        write_cell(sheet, 0, column, word(f"columns.{key}"), styles["head"])
    for row, source in enumerate(sources, 1):
        line = {**source, "unread": unread.get((source["file"], source["sheet"]))}
        for column, key in enumerate(widths):
            write_cell(sheet, row, column, line[key], styles["cell"])
        _set_height(sheet, row, [(str(line[key] or ""), width) for key, width in widths.items()])


def _problem_sheet(book: Any, name: str, rows: pd.DataFrame, word: Any, styles: Mapping[str, Any]) -> None:
    sheet = book.add_worksheet(name)
    _for_print(sheet, word)
    sheet.autofilter(0, 0, len(rows), len(PROBLEM_COLUMNS) - 1)
    for column, key in enumerate(PROBLEM_COLUMNS):
        sheet.set_column(column, column, _WIDTHS[key])
        write_cell(sheet, 0, column, word(f"columns.{key}"), styles["head"])
    for at, record in enumerate(records(rows), 1):
        for column, key in enumerate(PROBLEM_COLUMNS):
            style = styles["input" if key in ("correction", "remark") else "cell"]
            write_cell(sheet, at, column, record[key] or None, style)
        _set_height(sheet, at, [(str(record[key] or ""), _WIDTHS[key]) for key in PROBLEM_COLUMNS])
