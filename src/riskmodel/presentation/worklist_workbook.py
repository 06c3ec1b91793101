"""The worklist as a workbook for an ordinary office: opens clean, prints on A4, takes down what was found.

The summary sheet: what the list covers, how to read it, which data and model made it.
"""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import UsageError
from riskmodel.i18n import LANGUAGES, section, text
from riskmodel.io import files
from riskmodel.presentation.workbook import Cells, sheet_name, wrapped_lines
from riskmodel.presentation.worklist_words import list_columns, shaped
from riskmodel.scoring import ENTRIES, Column, Lang, Worklist, book, check_lang, code_words, join_names

MISSING = "—"
MADE_BY = ("horizon_months", "model", "model_version", "run_id", "feature_set", "ruleset", "data_fingerprint")


def summary_lines(worklist: Worklist, lang: Lang) -> list[tuple[str, str]]:
    """Return the summary as (name, text) pairs; a heading has no text.

    Parameters
    ----------
    worklist : Worklist
    lang : str

    Returns
    -------
    list of (str, str)
    """
    facts = summary_facts(worklist)
    out = []
    for part, words in section("worklist.summary").items():
        out.append((words["heading"][lang], ""))
        for line, said in words["lines"].items():
            if line == "curve":
                out += curve_lines(worklist, lang)
                continue
            key = f"worklist.summary.{part}.lines.{line}.text"
            out.append((said["name"][lang], text(key, lang, **facts) if "text" in said else str(facts[line])))
    return out


def curve_lines(worklist: Worklist, lang: Lang) -> list[tuple[str, str]]:
    """Return what more visits would reach, one line a number of visits."""
    words = book().words
    out = []
    for found in worklist.curve.to_dict("records"):
        row = {str(k): v for k, v in found.items()}
        name = words["more" if row["more"] else "more_none"].say(lang).format(**row)
        known = row["low"] == row["low"] and row["high"] == row["high"]
        interval = words["more_interval"].say(lang).format(**row) if known else ""
        out.append((name, words["more_text"].say(lang).format(**row, interval=interval)))
    return out


def summary_facts(worklist: Worklist) -> dict[str, Any]:
    """Return every figure that the summary quotes: counts as int, expected numbers as float."""
    expected = ("expected", "expected_planned", "expected_flagged")
    facts: dict[str, Any] = {k: v if k in expected else int(v) for k, v in worklist.totals.items()}
    facts["waiting"] = facts["flagged"] + facts["card_due"] - facts["planned_rule"]
    facts["quota"] = {lang: _quotas(worklist, lang) for lang in LANGUAGES}
    facts["covered"] = facts["expected_planned"] / facts["expected"] if facts["expected"] else 0.0
    facts["beyond"] = book().words[f"beyond_{worklist.beyond}"]
    facts |= {"as_of": worklist.as_of, "random_share": worklist.random_share, "seed": worklist.seed}
    rows = pd.concat([worklist.listed, worklist.unknown], ignore_index=True)
    for column in MADE_BY:
        values = sorted({str(v) for v in rows[column].dropna()}) if column in rows else []
        facts[column] = ", ".join(values) or MISSING
    return facts


def _quotas(worklist: Worklist, lang: Lang) -> str:
    words = book().words
    if not worklist.quotas:
        return words["quota_none"].say(lang)
    asked = [
        words[f"quota_{'each' if q.each else 'share'}_{q.place}"].say(lang).format(each=q.each, share=q.share)
        for q in worklist.quotas
    ]
    placed = int(worklist.totals["planned_quota"])
    told = words["colon_join"].say(lang).join(asked)
    return words["quota_told"].say(lang).format(asked=told, floor=worklist.floor, placed=placed)


ZOOM = 90  # percent; all columns up to the reasons are then in sight on a laptop
LINE_HEIGHT = 14.0  # points, one line of 10-point text
HEADER_HEIGHT = 34.0  # points, two lines of header
A4 = 9  # Excel's paper code
FROZEN_THROUGH = "household_id"  # the columns that say which household it is stay in sight
FORETELLING = ("probability", "tier", "interval")
WAITING_TINT = "#EEF1F5"
NOT_ON_UNKNOWN = (
    "position",
    "planned",
    "selected_by",
    "urgency",
    "rule_conditions",
    "chance",
    "trip",
    "held_until",
)
NOT_ON_HELD = (*NOT_ON_UNKNOWN[:-1], "due_date")
# A list is protected against slips, not against people: no password, and filters and widths stay free.
FREE = {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True}


def write_worklist(
    worklist: Worklist, path: str | Path, lang: str = "zh", names: pd.DataFrame | None = None
) -> Path:
    """Write the workbook: the list, a sheet per place if asked, unknown incomes, summary, dictionary.

    The same worklist gives the same bytes. No cell holds a formula; text that a spreadsheet could take
    for one gets an apostrophe in front. Nothing on it says what income would take a household off it.

    Parameters
    ----------
    worklist : Worklist
    path : str or Path
        Ends in ``.xlsx``; replaced whole or not at all.
    lang : str
        ``zh`` or ``en``.
    names : DataFrame, optional
        `riskmodel.scoring.office_files.read_names`: joined here and kept nowhere else.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If the path does not end in ``.xlsx`` or the language is unknown.
    """
    import xlsxwriter

    language = check_lang(lang)
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise UsageError(f"{target.name!r}: a worklist is a workbook; write a name that ends in .xlsx")
    buffer = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, {"in_memory": True, **plain}) as workbook:
        title = book().words["title"].say(language).format(as_of=worklist.as_of.isoformat())
        created = dt.datetime.combine(worklist.as_of, dt.time())
        workbook.set_properties({"title": title, "author": "riskmodel", "created": created})
        # A filled list says by itself of which day it is (`riskmodel visits import`).
        workbook.set_custom_property("riskmodel_as_of", worklist.as_of.isoformat(), "text")
        _write_sheets(workbook, worklist, language, title, names)
    with files.atomic(target) as temporary:
        temporary.write_bytes(buffer.getvalue())
    return target


def _tables(
    worklist: Worklist, lang: Lang, names: pd.DataFrame | None
) -> list[tuple[str, pd.DataFrame, list[Column]]]:
    """Return the tables of the workbook: name, rows, columns; fixed sheets go by their key in the book."""
    rows = join_names(worklist.listed, names)
    columns = [c for c in list_columns(rows) if c.id != "held_until"]
    out = [("list", rows, columns)]
    if worklist.by:
        # Village by village, as a tour goes; who is not planned comes last.
        toured = rows.sort_values(["planned", "trip", "position"], ascending=[False, True, True])
        out += [(f" {place}", own, columns) for place, own in toured.groupby(worklist.by, sort=True)]
    for name, beside, left_out in (
        ("unknown", worklist.unknown, NOT_ON_UNKNOWN),
        ("held", worklist.held, NOT_ON_HELD),
    ):
        told = join_names(beside, names)
        if name == "unknown" or len(told):
            out.append((name, told, [c for c in list_columns(told) if c.id not in left_out]))
    return out


def _write_sheets(
    workbook: Any, worklist: Worklist, lang: Lang, title: str, names: pd.DataFrame | None
) -> None:
    cells = Cells(workbook, lang)
    used: set[str] = set()
    # Names of the fixed sheets come first: a township called like one of them gets a number.
    fixed = {k: sheet_name(w.say(lang), used) for k, w in book().sheets.items()}
    tables = _tables(worklist, lang, names)
    for name, rows, chosen in tables:
        sheet = workbook.add_worksheet(fixed.get(name) or sheet_name(name.strip(), used))
        _table(sheet, cells, rows, chosen, worklist.as_of, lang)
        sheet.protect("", FREE)
        _print_setup(sheet, f"{title}　{sheet.get_name()}", lang, landscape=True)
    columns = tables[0][2]
    heads = [book().words[w].say(lang) for w in ("item", "content")]
    _two_columns(
        workbook, cells, fixed["summary"], heads, summary_lines(worklist, lang), (26, 86), title, lang
    )
    heads = [book().words[w].say(lang) for w in ("column", "meaning")]
    meanings = [(c.say(lang), c.meaning.text(lang)) for c in columns]
    _two_columns(workbook, cells, fixed["dictionary"], heads, meanings, (18, 94), title, lang)


def _table(
    sheet: Any, cells: Cells, rows: pd.DataFrame, columns: list[Column], as_of: dt.date, lang: Lang
) -> None:
    last = len(rows)
    sheet.set_row(0, HEADER_HEIGHT)
    for j, column in enumerate(columns):
        sheet.set_column(j, j, column.width)
        sheet.write_string(0, j, column.say(lang), cells.header(column.kind in ENTRIES))
    values = shaped(rows, columns, lang)
    waiting = ~rows["planned"].to_numpy(dtype=bool) if "planned" in rows else [False] * last
    beyond = ~rows["in_cohort"].eq(True).to_numpy() if "in_cohort" in rows else [False] * last
    for i, row in enumerate(values.itertuples(index=False)):
        tint = WAITING_TINT if waiting[i] else None
        sheet.set_row(i + 1, LINE_HEIGHT * max(2, _lines(row, columns)) + 4)
        for j, (column, value) in enumerate(zip(columns, row, strict=True)):
            # A chance that is no forecast is printed in grey.
            pale = bool(beyond[i]) and column.id in FORETELLING
            cells.write(sheet, i + 1, j, value, cells.body(column, tint, pale=pale))
    if last:
        sheet.autofilter(0, 0, last, len(columns) - 1)
        _entries(sheet, columns, last, as_of, lang)
    sheet.print_area(0, 0, last, sum(c.printed for c in columns) - 1)
    ids = [c.id for c in columns]
    sheet.freeze_panes(1, ids.index(FROZEN_THROUGH) + 1)
    sheet.set_zoom(ZOOM)


def _lines(row: tuple[object, ...], columns: list[Column]) -> int:
    # What stands beside the printed page must not stretch it.
    printed = [(v, c) for v, c in zip(row, columns, strict=True) if c.printed]
    texts = [(v, c.width) for v, c in printed if isinstance(v, str)]
    return max((wrapped_lines(text, width) for text, width in texts), default=1)


def _entries(sheet: Any, columns: list[Column], last: int, as_of: dt.date, lang: Lang) -> None:
    words = code_words(lang)
    for j, column in enumerate(columns):
        if column.kind == "pick":
            allowed = list(words[column.choices or ""].values())
            rule: dict[str, object] = {"validate": "list", "source": allowed}
            hint = book().words["pick_hint"].say(lang)
        elif column.kind == "date_entry":
            rule = {"validate": "date", "criteria": ">=", "value": as_of}
            hint = book().words["date_hint"].say(lang)
        else:
            continue
        shown = {"input_title": column.say(lang), "input_message": hint, "error_message": hint}
        sheet.data_validation(1, j, last, j, {**rule, **shown})


def _two_columns(
    workbook: Any,
    cells: Cells,
    name: str,
    heads: list[str],
    lines: list[tuple[str, str]],
    widths: tuple[int, int],
    title: str,
    lang: Lang,
) -> None:
    sheet = workbook.add_worksheet(name)
    sheet.set_row(0, HEADER_HEIGHT / 1.5)
    plain = {"border": 1, "border_color": "#D0D7E2", "text_wrap": True, "indent": 1}
    strong = cells.format(**plain, bold=True)
    heading = cells.format(
        bold=True, font_size=11, font_color="#1F3A5F", bg_color="#E6ECF4", border=1, border_color="#D0D7E2"
    )
    for j, (head, width) in enumerate(zip(heads, widths, strict=True)):
        sheet.set_column(j, j, width)
        sheet.write_string(0, j, head, cells.header(entry=False))
    for i, (left, right) in enumerate(lines, 1):
        height = max(wrapped_lines(left, widths[0]), wrapped_lines(right, widths[1]))
        sheet.set_row(i, LINE_HEIGHT * height + 6)
        cells.write(sheet, i, 0, left, strong if right else heading)
        cells.write(sheet, i, 1, right or None, cells.format(**plain) if right else heading)
    sheet.freeze_panes(1, 0)
    sheet.protect("", FREE)
    _print_setup(sheet, title, lang, landscape=False)


def _print_setup(sheet: Any, title: str, lang: Lang, *, landscape: bool) -> None:
    if landscape:
        sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
    # & opens a code in headers and footers; two of them stand for the sign itself.
    sheet.set_header("&L&10" + title.replace("&", "&&"))
    sheet.set_footer("&R&9" + book().words["page"].say(lang))
