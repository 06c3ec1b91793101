"""A workbook a township, for those who visit: recorded facts and room for findings, one layout for everybody.

Nothing in it tells why a household is on the list: no source, chance, probability, place on the list,
verdict or line; households stand by village, group and number; the day is the earliest of the village, as one
trip reaches all of it. If visitors knew who was chosen by a score, what they confirm would depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import cell_text
from riskmodel.explanation import MeasureLibrary
from riskmodel.i18n import Language, both, check_language, section, text
from riskmodel.io import remove_stale_office_files
from riskmodel.presentation.list_facts import with_facts
from riskmodel.presentation.table import Row, Table, plain_value
from riskmodel.presentation.workbook import GIVEN, lines_table, open_workbook
from riskmodel.presentation.worklist import (
    list_columns,
    list_headings,
    list_hints,
    rows_in_words,
)
from riskmodel.scoring import (
    ENTRY_KINDS,
    LIST_PROPERTIES,
    NAME_COLUMNS,
    Column,
    ListLog,
    Worklist,
    join_names,
    list_log,
    write_list_log,
)

# What a collector sees, in this order; of what a county may lack, the columns that anybody on the list fills.
COLLECTOR_COLUMNS = (
    "position", "village", "group", "household_id", "own_id", "head_name", "persons", "registration",
    "last_visit", "facts", "questions", "due_date", "outcome", "decision", "cause", "visited_on", "visitor",
    "note", "contact", "phone",
)  # fmt: skip
BESIDE_THE_PAGE = ("contact", "phone")
# Characters: together they fit an A4 page across at a readable size.
COLLECTOR_WIDTHS = {
    "position": 4, "group": 5, "household_id": 10, "head_name": 7, "persons": 4, "registration": 7,
    "last_visit": 10, "facts": 33, "questions": 24, "outcome": 7, "decision": 7, "cause": 9, "visited_on": 9,
    "visitor": 7, "note": 12,
}  # fmt: skip
GUIDE_WIDTHS = (18, 94)  # characters
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # in a file's name on Windows
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def write_township_books(
    worklist: Worklist,
    folder: str | Path,
    lang: str = "zh",
    names: pd.DataFrame | None = None,
    library: MeasureLibrary | None = None,
) -> list[Path]:
    """Write one workbook a township with its planned visits; those of an earlier list are removed.

    Parameters
    ----------
    worklist
        `riskmodel.scoring.build_worklist`.
    folder
        Of the workbooks, named by township. What an office wrote there is kept under another name.
    lang
        ``zh`` or ``en``.
    names
        Joined here and kept nowhere else.
    library
        The office's measures and questions; the packaged ones by default.

    Returns
    -------
    list of Path
        The workbooks, by township; the same list gives the same bytes.
    """
    language, home = check_language(lang), Path(folder)
    log = list_log(worklist)
    rows = with_facts(worklist, collector_rows(worklist, names), language, library, "village")
    columns = collector_columns(rows)
    words = rows_in_words(rows, columns, language)
    paths: list[Path] = []
    used: set[str] = set()
    for township, own in rows.groupby("township", sort=True):
        path = home / _file_name(str(township), used)
        _write_book(path, worklist, log, str(township), columns, words.loc[own.index], language)
        paths.append(path)
    remove_stale_office_files(home, paths)
    return paths


def collector_rows(worklist: Worklist, names: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the planned visits as collectors see them: by village, group and number, a serial a township."""
    rows = worklist.planned.copy()
    by = ["township", "village", *(["group"] if "group" in rows else []), "household_id"]
    rows = rows.sort_values(by, ignore_index=True)
    rows["due_date"] = rows.groupby(["township", "village"])["due_date"].transform("min")
    rows["position"] = rows.groupby("township").cumcount() + 1
    return join_names(rows, names)


def collector_columns(rows: pd.DataFrame) -> list[Column]:
    """Return the declared columns that collectors see, alike for every township and household."""
    present = {c.id: c for c in list_columns(rows)}
    names = [name for name in COLLECTOR_COLUMNS if name in present]
    own: dict[str, dict[str, Any]] = {n: {"printed": n not in BESIDE_THE_PAGE} for n in names}
    for name, width in COLLECTOR_WIDTHS.items():
        own.setdefault(name, {})["width"] = width
    own.setdefault("facts", {}).update(both("township_books.facts"))
    return [present[name].model_copy(update=own[name]) for name in names]


def _write_book(
    path: Path,
    worklist: Worklist,
    log: ListLog,
    township: str,
    columns: list[Column],
    words: pd.DataFrame,
    lang: Language,
) -> None:
    day = worklist.as_of.isoformat()
    title = worklist.nouns.spoken(text("township_books.title", lang, township=township, as_of=day))
    properties = {"list": log.id, "township": township, "as_of": day, "lang": lang}
    with open_workbook(
        path, lang, worklist.as_of, worklist.nouns, title=title, author="riskmodel"
    ) as book:  # fmt: skip
        for name, value in properties.items():
            book.book.set_custom_property(LIST_PROPERTIES[name], value, "text")
        table = Table(
            list_headings(columns, lang), [Row(row) for row in words.itertuples(index=False, name=None)],
            labels=[c.id for c in columns].index("household_id") + 1,
        )  # fmt: skip
        book.form(
            table, name=book.name(township.strip()), title=f"{title}　{log.id}", least_lines=3,
            footer=book.said(text("township_books.footer", lang)), earliest=worklist.as_of,
            hints=list_hints(book), landscape=True,
        )  # fmt: skip
        facts: Mapping[str, Any] = {**properties, "list_id": log.id, "n": len(words)}
        lines = [
            (line["name"][lang], text(f"township_books.lines.{name}.text", lang, **facts))
            for name, line in section("township_books.lines").items()
        ]
        heads = [text(f"township_books.{name}", lang) for name in ("item", "content")]
        name = book.name(text("township_books.guide", lang))
        book.form(lines_table(heads, GUIDE_WIDTHS, lines), name=name, title=title, footer="")


def _file_name(township: str, used: set[str]) -> str:
    """Return a file's name that every system allows and that is not used yet; adds it to ``used``."""
    plain = _FORBIDDEN.sub(" ", township).strip(" .")[:80] or "-"
    plain = f"_{plain}" if _DEVICES.fullmatch(plain) else plain
    name, n = plain, 1
    while name.lower() in used:
        n += 1
        name = f"{plain} {n}"
    used.add(name.lower())
    return f"{name}.xlsx"


def record_list(
    worklist: Worklist,
    folder: str | Path,
    lang: str,
    *,
    split: bool = False,
    library: MeasureLibrary | None = None,
) -> ListLog:
    """Write the log of a list and what its locked cells say, so that an edited one is told by cell.

    Parameters
    ----------
    worklist
        `riskmodel.scoring.build_worklist`.
    folder
        The folder of the list.
    lang
        Language of the list.
    split
        Whether there are workbooks for townships too.
    library
        As the workbooks are written with.

    Returns
    -------
    ListLog
        `riskmodel.scoring.write_list_log`. Names stand in none of its files.
    """
    language = check_language(lang)
    frames = (worklist.listed, worklist.unknown, worklist.held)
    whole = pd.concat([f.astype(object) for f in frames if len(f)], ignore_index=True)
    whole = with_facts(worklist, whole, language, library)
    cells = {("county", lang): _locked_cells(worklist, whole, list_columns(whole), language)}
    if split:
        rows = with_facts(worklist, collector_rows(worklist), language, library, "village")
        cells["township", lang] = _locked_cells(worklist, rows, collector_columns(rows), language)
    return write_list_log(worklist, folder, cells)


def _locked_cells(
    worklist: Worklist, rows: pd.DataFrame, columns: list[Column], lang: Language
) -> pd.DataFrame:
    locked = [c for c in columns if c.kind not in ENTRY_KINDS and c.id not in NAME_COLUMNS]
    words = rows_in_words(rows, locked, lang)
    said: dict[str, list[str]] = {"household_id": list(rows["household_id"].astype(str))}
    for column in locked:
        if column.id != "household_id":
            spoken = column.id not in GIVEN
            said[column.id] = [_cell(v, worklist, spoken=spoken) for v in words[column.id]]
    return pd.DataFrame(said)


def _cell(value: object, worklist: Worklist, *, spoken: bool) -> str:
    value = plain_value(value)
    if isinstance(value, str):
        return (worklist.nouns.spoken(value) if spoken else value).strip()
    return cell_text(value) or ""
