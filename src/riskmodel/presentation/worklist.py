"""The worklist as its reader sees it: rows in words, and the workbook that an office prints and fills in.

Codes become words, reasons stand in one cell, spans are text; the workbook opens clean, prints on A4 and
takes what visits find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.errors import UsageError
from riskmodel.explanation import MeasureLibrary
from riskmodel.i18n import Language, check_language, pair, section, text
from riskmodel.io import column_values, records
from riskmodel.presentation.list_duties import (
    clock_words,
    duty_lines,
    listed_rule_sets,
    phrase,
    urgency_words,
)
from riskmodel.presentation.list_facts import fact_cells, hint_cells, with_facts, written_lines
from riskmodel.presentation.list_summary import overload, summary_lines
from riskmodel.presentation.table import Cell, Column, Kind, Row, Table, plain_value
from riskmodel.presentation.workbook import HEADER_HEIGHT, Workbook, lines_table, open_workbook
from riskmodel.rules import dropped_in_words
from riskmodel.scoring import (
    ENTRY_KINDS,
    LIST_PROPERTIES,
    RECORD_COLUMNS,
    Worklist,
    code_words,
    declared_columns,
    join_names,
    list_log,
)
from riskmodel.scoring import Column as ListColumn

OPTIONAL = ("tier", "interval", "rule_conditions", "group", "persons", "registration", "in_register",
            "last_visit", "last_outcome", "card", "held_until", "own_id", "head_name", "contact", "phone",
            "trip", "records", "questions", "measures", "clock")  # fmt: skip
SOURCES_OF = {
    "records": ("lag_months", "doubts"),
    "questions": ("question_lines",),
    "measures": ("measure_lines",),
    "reasons": ("reason_1",),
    "interval": ("probability_low", "probability_high"),
}


def list_columns(rows: pd.DataFrame) -> list[ListColumn]:
    """Return the declared columns that have something to say for these rows, and those to be filled in."""
    return [c for c in declared_columns() if c.kind in ENTRY_KINDS or _present(rows, c)]


def _present(rows: pd.DataFrame, column: ListColumn) -> bool:
    if column.id == "facts":
        return bool({"fact_lines", "rule_conditions"} & set(rows))
    needed = SOURCES_OF.get(column.id, (column.id,))
    if not all(c in rows for c in needed):
        return False
    if column.id == "records":
        return any(rules.describe_records(row, "en") for row in _of_records(rows))
    # A column that the contract fixes stays even if empty; one that a county may lack does not.
    return column.id not in OPTIONAL or bool(rows[list(needed)].replace("", None).notna().any(axis=None))


def rows_in_words(rows: pd.DataFrame, columns: list[ListColumn], lang: Language) -> pd.DataFrame:
    """Return the rows as they are read: text, numbers, dates; None where nothing is to be written."""
    made: Mapping[str, Callable[[pd.DataFrame, Language], list[object]]] = {
        "facts": _facts,
        "urgency": urgency_words,
        "clock": clock_words,
        "questions": written_lines("question_lines"),
        "measures": written_lines("measure_lines"),
        "reasons": hint_cells,
        "interval": _intervals,
        "planned": _yes_no("planned"),
        "in_register": _yes_no("in_register"),
        "rule_category": _categories,
        "rule_conditions": _conditions,
        "records": _records,
    }
    coded = code_words(lang)
    out: dict[str, list[object]] = {}
    for column in columns:
        if column.kind in ENTRY_KINDS:
            out[column.id] = [None] * len(rows)
        elif column.id in made:
            out[column.id] = made[column.id](rows, lang)
        else:
            words = coded.get(column.id, {})
            out[column.id] = [_plain(v, words) for v in column_values(rows[column.id])]
    return pd.DataFrame(out, index=rows.index, columns=[c.id for c in columns], dtype=object)


def _plain(value: object, words: Mapping[str, str]) -> object:
    value = plain_value(value)
    return words.get(value, value) if isinstance(value, str) else value


def _yes_no(column: str) -> Callable[[pd.DataFrame, Language], list[object]]:
    def write(rows: pd.DataFrame, lang: Language) -> list[object]:
        yes, no = phrase("yes", lang), phrase("no", lang)
        return [None if v is None or v != v else yes if v else no for v in column_values(rows[column])]

    return write


def _facts(rows: pd.DataFrame, lang: Language) -> list[object]:
    none: list[object] = [None] * len(rows)
    conditions = _conditions(rows, lang) if "rule_conditions" in rows else none
    cells = fact_cells(rows, conditions, lang)
    owed = duty_lines(rows, lang)
    return ["\n".join(str(part) for part in pair if part) or None for pair in zip(owed, cells, strict=True)]


def _records(rows: pd.DataFrame, lang: Language) -> list[object]:
    """Return what is late or in doubt, a sentence a line."""
    return ["\n".join(rules.describe_records(row, lang)) or None for row in _of_records(rows)]


def _of_records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what is told of a household's records, by the columns that tell it."""
    return records(rows[[c for c in (*RECORD_COLUMNS, "unknown") if c in rows]])


def _intervals(rows: pd.DataFrame, lang: Language) -> list[object]:
    ends = rows[["probability_low", "probability_high"]].to_numpy(dtype=float)
    return [f"{low:.1%}–{high:.1%}" if np.isfinite(low + high) else None for low, high in ends]


def _categories(rows: pd.DataFrame, lang: Language) -> list[object]:
    own = {"none": phrase("none", lang), "unknown": phrase("unknown", lang)}
    known = own | {c: w for (kind, c), w in _rule_words(rows, lang).items() if kind == "category"}
    return [_plain(v, known) for v in column_values(rows["rule_category"])]


def _conditions(rows: pd.DataFrame, lang: Language) -> list[object]:
    words = _rule_words(rows, lang)
    known = {c: w for (kind, c), w in words.items() if kind == "condition"}
    reviewed = {c for kind, c in words if kind == "review"}
    join = phrase("colon_join", lang)
    out: list[object] = []
    for value in column_values(rows["rule_conditions"]):
        ids = [part for part in str(value).split(";") if part] if isinstance(value, str) else []
        # Conditions of a review (what an elimination needs) are not why a household was flagged.
        ids = [i for i in ids if i not in reviewed]
        out.append(join.join(known.get(i, i) for i in ids) or None)
    return out


def _rule_words(rows: pd.DataFrame, lang: Language) -> dict[tuple[str, str], str]:
    """Return what the rule sets of these rows call their categories and conditions."""
    out: dict[tuple[str, str], str] = {}
    for ruleset in listed_rule_sets(rows):
        out |= {("category", category.id): pair(category)[lang] for category in ruleset.categories}
        for name, condition in ruleset.conditions.items():
            out["condition" if condition.applies is None else "review", name] = pair(condition)[lang]
    return out


ZOOM = 90  # percent; all columns up to the reasons are then in sight on a laptop
FROZEN_THROUGH = "household_id"  # the columns that say which household it is stay in sight
FORECAST_COLUMNS = ("probability", "tier", "interval")
NOT_ON_UNKNOWN = ("position", "planned", "selected_by", "urgency", "rule_conditions", "chance", "trip",
                  "clock", "held_until")  # fmt: skip
NOT_ON_HELD = (*NOT_ON_UNKNOWN[:-1], "due_date")
DROPPED_COLUMNS: tuple[tuple[str, Kind, int], ...] = (
    ("household_id", "id", 14), ("township", "text", 10), ("village", "text", 10), ("as_of", "date", 11),
    ("ruleset", "text", 14), ("category", "wrap", 14), ("flagged", "text", 9), ("in_register", "text", 9),
    ("flagged_before", "text", 10), ("flagged_if", "wrap", 24), ("pcni", "yuan", 11),
    ("verdict_if_both", "wrap", 14), ("pcni_if_both", "yuan", 12), ("doubts", "wrap", 22),
    ("why", "wrap", 30), ("rows", "wrap", 30),
)  # fmt: skip
SUMMARY_WIDTHS, DICTIONARY_WIDTHS = (26, 86), (18, 94)  # characters


def write_worklist(
    worklist: Worklist,
    path: str | Path,
    lang: str = "zh",
    names: pd.DataFrame | None = None,
    library: MeasureLibrary | None = None,
) -> Path:
    """Write the workbook: the list, a sheet per place if asked, unknown incomes, summary, dictionary.

    The same worklist gives the same bytes. No cell holds a formula; text that a spreadsheet could take
    for one gets an apostrophe in front. Nothing on it says what income would take a household off it.

    Parameters
    ----------
    worklist : Worklist
        `riskmodel.scoring.build_worklist`.
    path : str or Path
        Ends in ``.xlsx``; replaced whole or not at all.
    lang : {"zh", "en"}
        Language of the workbook.
    names : DataFrame, optional
        `riskmodel.scoring.read_names`: joined here and kept nowhere else.
    library : MeasureLibrary, optional
        The office's measures and questions; the packaged ones by default.

    Returns
    -------
    Path
        The workbook.

    Raises
    ------
    UsageError
        If the path does not end in ``.xlsx`` or the language is unknown.
    """
    language = check_language(lang)
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise UsageError(f"{target.name!r}: a worklist is a workbook; write a name that ends in .xlsx")
    day = worklist.as_of.isoformat()
    title = phrase("title", language, as_of=day)
    title = worklist.nouns.spoken(title)
    with open_workbook(
        target, language, worklist.as_of, worklist.nouns, title=title, author="riskmodel"
    ) as book:
        # A filled list says by itself which list it is (`riskmodel visits import`).
        for name, value in (("list", list_log(worklist).id), ("as_of", day), ("lang", language)):
            book.book.set_custom_property(LIST_PROPERTIES[name], value, "text")
        _write_sheets(book, worklist, title, names, library)
    return target


def _write_sheets(
    book: Workbook,
    worklist: Worklist,
    title: str,
    names: pd.DataFrame | None,
    library: MeasureLibrary | None,
) -> None:
    lang = book.language
    # Names of the fixed sheets come first: a township called like one of them gets a number.
    fixed = {key: book.name(book.said(name)) for key, name in section("worklist.sheets", lang).items()}
    hints = list_hints(book)
    footer = book.said(phrase("page", lang))
    too_many = overload(worklist, lang)
    lists = _lists(worklist, names, lang, library)
    _, whole, own_columns = lists[0]
    told = rows_in_words(whole, own_columns, lang)
    one_rule_set = len(listed_rule_sets(whole)) <= 1  # codes have one meaning, whichever rows are looked at
    for i, (key, rows, columns) in enumerate(lists):
        name = fixed.get(key) or book.name(key.strip())
        of_list = i == 0 or (columns is own_columns and one_rule_set)
        words = told.loc[rows.index] if of_list else rows_in_words(rows, columns, lang)
        headed = f"{title}　{name}{too_many if i == 0 else ''}"
        book.form(
            _list_table(rows, columns, words, lang), name=name, title=headed, footer=footer,
            earliest=worklist.as_of, hints=hints, zoom=ZOOM, least_lines=2, spare=4, landscape=True,
        )  # fmt: skip
    if len(worklist.dropped):
        table = _dropped_table(worklist.dropped, lang)
        name = fixed["dropped"]
        book.form(table, name=name, title=f"{title}　{name}", footer=footer, zoom=ZOOM, landscape=True)
    meanings = [(c.text(lang), c.meaning.text(lang)) for c in lists[0][2]]
    for key, heads, lines, widths in (
        ("summary", ("item", "content"), summary_lines(worklist, lang), SUMMARY_WIDTHS),
        ("dictionary", ("column", "meaning"), meanings, DICTIONARY_WIDTHS),
    ):
        table = lines_table([phrase(head, lang) for head in heads], widths, lines)
        book.form(
            table, name=fixed[key], title=title, footer=footer, header_height=HEADER_HEIGHT / 1.5
        )  # fmt: skip


def _dropped_table(dropped: pd.DataFrame, lang: Language) -> Table:
    """Return the households that a row or cell which could not be used may have taken off the list."""
    words = dropped_in_words(dropped, lang).astype(object)
    shown = words.where(words.notna(), None)
    heads = [
        Column(heading, kind, key=column, width=width)
        for heading, (column, kind, width) in zip(shown.columns, DROPPED_COLUMNS, strict=True)
    ]
    return Table(heads, [Row([Cell(v) for v in row]) for row in shown.itertuples(index=False)], labels=1)


def _lists(
    worklist: Worklist, names: pd.DataFrame | None, lang: Language, library: MeasureLibrary | None
) -> list[tuple[str, pd.DataFrame, list[ListColumn]]]:
    """Return the lists of the workbook: name, rows, columns; fixed sheets go by their key in the words."""
    rows = with_facts(worklist, join_names(worklist.listed, names), lang, library)
    columns = [c for c in list_columns(rows) if c.id != "held_until"]
    out = [("list", rows, columns)]
    if worklist.by:
        # Village by village, as a tour goes; who is not planned comes last.
        toured = rows.sort_values(["planned", "trip", "position"], ascending=[False, True, True])
        out += [(f" {place}", own, columns) for place, own in toured.groupby(worklist.by, sort=True)]
    for name, others, left_out in (
        ("unknown", worklist.unknown, NOT_ON_UNKNOWN),
        ("held", worklist.held, NOT_ON_HELD),
        ("gone", worklist.gone, (*NOT_ON_HELD, "questions", "measures")),
    ):
        own = with_facts(worklist, join_names(others, names), lang, library)
        if name == "unknown" or len(own):
            out.append((name, own, [c for c in list_columns(own) if c.id not in left_out]))
    return out


def list_hints(book: Workbook) -> dict[str, str]:
    """Return what a spreadsheet says of cells to be filled in, by kind of column; ``cause`` has its own."""
    words = {"pick": "worklist.words.pick_hint", "date_entry": "worklist.words.date_hint",
             "cause": "township_books.several_hint"}  # fmt: skip
    return {name: book.said(text(key, book.language)) for name, key in words.items()}


def list_headings(columns: list[ListColumn], lang: Language) -> list[Column]:
    """Return the declared columns as columns of a table, with what may be chosen."""
    choices = code_words(lang)
    return [
        Column(
            c.text(lang), c.kind, key=c.id, width=c.width, printed=c.printed, several=c.several,
            choices=tuple(choices[c.choices].values()) if c.choices else (),
        )
        for c in columns
    ]  # fmt: skip


def _list_table(rows: pd.DataFrame, columns: list[ListColumn], words: pd.DataFrame, lang: Language) -> Table:
    """Return a list as a table: who waits is tinted, a chance that is no forecast is printed in grey."""
    waiting = ~rows["planned"].to_numpy(dtype=bool) if "planned" in rows else [False] * len(rows)
    beyond = ~rows["in_cohort"].eq(True).to_numpy() if "in_cohort" in rows else [False] * len(rows)
    pale = [c.id in FORECAST_COLUMNS for c in columns]
    shown = words.itertuples(index=False, name=None)
    table_rows = [
        Row(
            [Cell(v, mark="pale" if no_forecast and p else "") for v, p in zip(values, pale, strict=True)],
            "waiting" if waits else "",
        )
        for values, waits, no_forecast in zip(shown, waiting, beyond, strict=True)
    ]
    labels = [c.id for c in columns].index(FROZEN_THROUGH) + 1
    return Table(list_headings(columns, lang), table_rows, labels=labels)
