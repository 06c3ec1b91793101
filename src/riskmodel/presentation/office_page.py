"""The office's page of a month: today's counts by township, then the list with its facts.

What compares models stands on the researcher's page (`riskmodel.presentation.report`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from riskmodel.explanation import FactSheet, MeasureLibrary, write_fact_sheets
from riskmodel.i18n import Language, check_language, section, text
from riskmodel.io import records, write_text
from riskmodel.presentation.list_facts import hint_cells
from riskmodel.presentation.list_summary import answer_lines
from riskmodel.presentation.page import asset, render
from riskmodel.presentation.worklist import list_columns, rows_in_words
from riskmodel.register import TO_CLARIFY
from riskmodel.scoring import Worklist
from riskmodel.version import __version__

FORMAT = 1
OFFICE_PAGE = "office.html"
COUNTS = ("households", "flagged", "listed", "planned", "waiting", "unknown", "held", "gone")
BESIDE = ("township", "village", "group", "persons", "rule_category", "urgency")


def write_office_page(
    worklist: Worklist,
    scores: pd.DataFrame,
    path: str | Path,
    lang: str = "zh",
    library: MeasureLibrary | None = None,
) -> Path:
    """Write the office's page of a month's list.

    Parameters
    ----------
    worklist : Worklist
        `riskmodel.scoring.build_worklist`, of a county.
    scores : DataFrame
        Of every household at the list's day: ``household_id, township, flagged``.
    path : str or Path
        Ends in ``.html``.
    lang : {"zh", "en"}
        Language of the page.
    library : MeasureLibrary, optional
        The office's measures and questions; the packaged ones by default.

    Returns
    -------
    Path
        The page: it loads nothing, and the same list gives the same bytes.
    """
    return write_text(office_html(worklist, scores, check_language(lang), library), path)


def count_by_township(worklist: Worklist, scores: pd.DataFrame) -> pd.DataFrame:
    """Return `COUNTS` of each township, in households, with a last row that sums them (index empty)."""
    listed = worklist.listed
    frames: Mapping[str, pd.DataFrame] = {
        "households": scores,
        "flagged": scores[scores["flagged"].eq(True)],
        "listed": listed,
        "planned": worklist.planned,
        "waiting": listed[~listed["planned"].astype(bool) & listed["owed"].astype(bool)],
        "unknown": worklist.unknown,
        "held": worklist.held,
        "gone": worklist.gone,
    }
    by_place = {
        name: frame["township"].astype(str).value_counts() if len(frame) else pd.Series(dtype="int64")
        for name, frame in frames.items()
    }
    out = pd.DataFrame(by_place).reindex(columns=list(COUNTS)).fillna(0).astype(int).sort_index()
    return pd.concat([out, out.sum().to_frame("").T])


def office_html(
    worklist: Worklist, scores: pd.DataFrame, lang: Language, library: MeasureLibrary | None = None
) -> str:
    """Return the page as HTML text."""
    words = section("office_page", lang)
    counts = count_by_township(worklist, scores)
    total = {str(name): int(n) for name, n in counts.iloc[-1].items()}
    day = worklist.as_of.isoformat()
    overdue = int((worklist.listed["due_date"] < pd.Timestamp(worklist.as_of)).sum())
    figures = {**total, "as_of": day, "overdue": overdue, **_open_points(worklist)}
    lines = answer_lines(worklist, lang)
    lines += [
        text(f"office_page.{name}", lang, **figures)
        for name in ("overdue", "waiting", "warnings", "unknown", "clarify", "gone")
        if figures[name]
    ]
    rows = [(str(place) or words["total"], list(own)) for place, own in
            zip(counts.index, counts.itertuples(index=False, name=None), strict=True)]  # fmt: skip
    html = render(
        "office.html.j2", lang=lang, version=__version__, kind=f"office page, format {FORMAT}", single=False,
        title=text("office_page.title", lang, as_of=day), css=Markup(asset("page.css") + asset("office.css")),
        headline=text("office_page.headline", lang, **figures), lines=lines, words=words, townships=rows,
        note=text("office_page.townships_note", lang, as_of=day),
        places=[name for name, _ in rows[:-1]], homes=_homes(worklist, lang, library),
    )  # fmt: skip
    return worklist.nouns.page(html)


def _open_points(worklist: Worklist) -> dict[str, int]:
    """Return how many warnings wait, and how many households are to be cleared up."""
    facts = worklist.facts
    if facts.empty:
        return {"warnings": 0, "clarify": 0}
    return {
        "warnings": int((facts["kind"].eq("warning") & facts["until"].isna()).sum()),
        "clarify": int((facts["kind"].eq("nobody") & facts["code"].eq(TO_CLARIFY)).sum()),
    }


def _due_words(due: dt.date, as_of: dt.date, lang: Language) -> str:
    late = (as_of - due).days
    return text(
        "office_page.past_due" if late > 0 else "office_page.due", lang, day=due.isoformat(), late=late
    )


def _homes(worklist: Worklist, lang: Language, library: MeasureLibrary | None) -> list[dict[str, Any]]:
    listed = worklist.listed
    if listed.empty:
        return []
    shown = records(rows_in_words(listed, list_columns(listed), lang))
    sheets: Mapping[str, FactSheet] = {}
    if len(worklist.facts):
        sheets = write_fact_sheets(worklist.facts, list(listed["household_id"]), lang, library=library)
    hints = hint_cells(listed, lang)
    join = section("worklist.words", lang)["list_join"]
    out = []
    for row, words, hint in zip(records(listed), shown, hints, strict=True):
        sheet = sheets.get(row["household_id"], FactSheet())
        own = {n: words[n] for n in BESIDE if words.get(n) is not None}
        if "persons" in own:
            own["persons"] = text("office_page.persons", lang, n=int(row["persons"]))
        # Where a case is under way or a visit was made, none is asked for by a day.
        if pd.notna(row["due_date"]):
            own["due"] = _due_words(row["due_date"].date(), worklist.as_of, lang)
        out.append(
            {
                "title": f"{row['position']}. {row['household_id']}",
                "township": str(row["township"]),
                "kind": "planned" if row["planned"] else "waiting",
                "beside": "　".join(str(words) for words in own.values()),
                "facts": sheet.facts,
                "questions": sheet.questions,
                "measures": join.join(sheet.measures),
                "records": words.get("records"),
                "hints": str(hint).split("\n") if hint else [],
            }
        )
    return out
