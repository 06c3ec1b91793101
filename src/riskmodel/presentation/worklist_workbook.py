"""The worklist as a workbook for an ordinary office: opens clean, prints on A4, takes what visits find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import UsageError
from riskmodel.i18n import LANGUAGES, Language, check_language, section, text
from riskmodel.presentation.table import NOTHING, Cell, Column, Row, Table
from riskmodel.presentation.workbook import HEADER_HEIGHT, Workbook, lines_table, open_workbook
from riskmodel.presentation.worklist_words import list_columns, phrase, rows_in_words
from riskmodel.scoring import Column as ListColumn
from riskmodel.scoring import Worklist, code_words, join_names

ZOOM = 90  # percent; all columns up to the reasons are then in sight on a laptop
FROZEN_THROUGH = "household_id"  # the columns that say which household it is stay in sight
FORECAST_COLUMNS = ("probability", "tier", "interval")
NOT_ON_UNKNOWN = ("position", "planned", "selected_by", "urgency", "rule_conditions", "chance", "trip",
                  "held_until")  # fmt: skip
NOT_ON_HELD = (*NOT_ON_UNKNOWN[:-1], "due_date")
MADE_BY = ("horizon_months", "model", "model_version", "run_id", "feature_set", "ruleset", "data_fingerprint")
SUMMARY_WIDTHS, DICTIONARY_WIDTHS = (26, 86), (18, 94)  # characters


def write_worklist(
    worklist: Worklist, path: str | Path, lang: str = "zh", names: pd.DataFrame | None = None
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
    with open_workbook(target, language, worklist.as_of, title=title, author="riskmodel") as book:
        # A filled list says by itself of which day it is (`riskmodel visits import`).
        book.book.set_custom_property("riskmodel_as_of", day, "text")
        _write_sheets(book, worklist, title, names)
    return target


def _write_sheets(book: Workbook, worklist: Worklist, title: str, names: pd.DataFrame | None) -> None:
    lang = book.language
    # Names of the fixed sheets come first: a township called like one of them gets a number.
    fixed = {key: book.name(name) for key, name in section("worklist.sheets", lang).items()}
    hints = {"pick": phrase("pick_hint", lang), "date_entry": phrase("date_hint", lang)}
    footer = phrase("page", lang)
    lists = _lists(worklist, names)
    for key, rows, columns in lists:
        name = fixed.get(key) or book.name(key.strip())
        book.form(
            _list_table(rows, columns, lang), name=name, title=f"{title}　{name}", footer=footer,
            earliest=worklist.as_of, hints=hints, zoom=ZOOM, least_lines=2, spare=4, landscape=True,
        )  # fmt: skip
    meanings = [(c.text(lang), c.meaning.text(lang)) for c in lists[0][2]]
    for key, heads, lines, widths in (
        ("summary", ("item", "content"), summary_lines(worklist, lang), SUMMARY_WIDTHS),
        ("dictionary", ("column", "meaning"), meanings, DICTIONARY_WIDTHS),
    ):
        table = lines_table([phrase(head, lang) for head in heads], widths, lines)
        book.form(
            table, name=fixed[key], title=title, footer=footer, header_height=HEADER_HEIGHT / 1.5
        )  # fmt: skip


def _lists(
    worklist: Worklist, names: pd.DataFrame | None
) -> list[tuple[str, pd.DataFrame, list[ListColumn]]]:
    """Return the lists of the workbook: name, rows, columns; fixed sheets go by their key in the words."""
    rows = join_names(worklist.listed, names)
    columns = [c for c in list_columns(rows) if c.id != "held_until"]
    out = [("list", rows, columns)]
    if worklist.by:
        # Village by village, as a tour goes; who is not planned comes last.
        toured = rows.sort_values(["planned", "trip", "position"], ascending=[False, True, True])
        out += [(f" {place}", own, columns) for place, own in toured.groupby(worklist.by, sort=True)]
    for name, others, left_out in (
        ("unknown", worklist.unknown, NOT_ON_UNKNOWN),
        ("held", worklist.held, NOT_ON_HELD),
    ):
        own = join_names(others, names)
        if name == "unknown" or len(own):
            out.append((name, own, [c for c in list_columns(own) if c.id not in left_out]))
    return out


def _list_table(rows: pd.DataFrame, columns: list[ListColumn], lang: Language) -> Table:
    """Return a list as a table: who waits is tinted, a chance that is no forecast is printed in grey."""
    choices = code_words(lang)
    heads = [
        Column(
            c.text(lang), c.kind, key=c.id, width=c.width, printed=c.printed,
            choices=tuple(choices[c.choices].values()) if c.choices else (),
        )
        for c in columns
    ]  # fmt: skip
    waiting = ~rows["planned"].to_numpy(dtype=bool) if "planned" in rows else [False] * len(rows)
    beyond = ~rows["in_cohort"].eq(True).to_numpy() if "in_cohort" in rows else [False] * len(rows)
    pale = [c.id in FORECAST_COLUMNS for c in columns]
    shown = rows_in_words(rows, columns, lang).itertuples(index=False, name=None)
    table_rows = [
        Row(
            [Cell(v, mark="pale" if no_forecast and p else "") for v, p in zip(values, pale, strict=True)],
            "waiting" if waits else "",
        )
        for values, waits, no_forecast in zip(shown, waiting, beyond, strict=True)
    ]
    return Table(heads, table_rows, labels=[c.id for c in columns].index(FROZEN_THROUGH) + 1)


def summary_lines(worklist: Worklist, lang: Language) -> list[tuple[str, str]]:
    """Return the summary as (name, text) pairs; a heading has no text."""
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


def curve_lines(worklist: Worklist, lang: Language) -> list[tuple[str, str]]:
    """Return what more visits would reach, one line a number of visits."""
    out = []
    for step in worklist.curve.to_dict("records"):
        row = {str(k): v for k, v in step.items()}
        name = phrase("more" if row["more"] else "more_none", lang, **row)
        known = row["low"] == row["low"] and row["high"] == row["high"]
        interval = phrase("more_interval", lang, **row) if known else ""
        out.append((name, phrase("more_text", lang, **row, interval=interval)))
    return out


def summary_facts(worklist: Worklist) -> dict[str, Any]:
    """Return every figure that the summary quotes: counts as int, expected numbers as float."""
    expected = ("expected", "expected_planned", "expected_flagged")
    facts: dict[str, Any] = {k: v if k in expected else int(v) for k, v in worklist.totals.items()}
    facts["waiting"] = facts["flagged"] + facts["card_due"] - facts["planned_rule"]
    facts["quota"] = {lang: _quotas(worklist, lang) for lang in LANGUAGES}
    facts["covered"] = facts["expected_planned"] / facts["expected"] if facts["expected"] else 0.0
    facts["beyond"] = section("worklist.words")[f"beyond_{worklist.beyond}"]
    facts |= {"as_of": worklist.as_of, "random_share": worklist.random_share, "seed": worklist.seed}
    rows = pd.concat([worklist.listed, worklist.unknown], ignore_index=True)
    for column in MADE_BY:
        values = sorted({str(v) for v in rows[column].dropna()}) if column in rows else []
        facts[column] = ", ".join(values) or NOTHING
    return facts


def _quotas(worklist: Worklist, lang: Language) -> str:
    if not worklist.quotas:
        return phrase("quota_none", lang)
    asked = [
        phrase(f"quota_{'each' if q.each else 'share'}_{q.place}", lang, each=q.each, share=q.share)
        for q in worklist.quotas
    ]
    placed = int(worklist.totals["planned_quota"])
    joined_up = phrase("colon_join", lang).join(asked)
    return phrase("quota_told", lang, asked=joined_up, floor=worklist.floor, placed=placed)
