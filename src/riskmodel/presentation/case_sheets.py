"""The workbook of a county's cases: what is due, late, waiting for whom; facts of the procedure, no score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.cases import Overview, declared
from riskmodel.data import codes
from riskmodel.i18n import Language, Nouns, check_language, pair, section
from riskmodel.presentation.table import Column, Kind, Row, Table, in_language, plain_value
from riskmodel.presentation.workbook import open_workbook

_KINDS: Mapping[str, Kind] = {
    "since": "date", "due_on": "date", "from": "date", "until_at_least": "date", "decided_on": "date",
    "last_visit": "date", "eliminated_on": "date", "looked_back_on": "date", "started_on": "date",
    "ended_on": "date", "date": "date", "recorded_on": "date", "days": "integer", "cases": "integer",
    "oldest_days": "integer", "every_days": "integer", "warnings": "integer", "waiting": "integer",
    "visited": "integer", "confirmed": "integer", "not_confirmed": "integer", "started": "integer",
    "in_time": "integer", "broken": "integer", "running": "integer", "number": "integer",
    "corrects": "integer",
    "household_id": "id", "case_id": "id", "missing": "wrap", "reason": "wrap", "clock": "wrap",
}  # fmt: skip
_COUNTED_LATE = ("waiting", "warnings")  # tables in which ``late`` is a number


def case_table(overview: Overview, name: str, language: Language) -> Table:
    """Return one of the tables of an overview in words.

    Parameters
    ----------
    overview
        Of `riskmodel.cases.Overview`.
    name
        One of `riskmodel.cases.OVERVIEW`.
    language
        Of headings and words.

    Returns
    -------
    Table
        As pages and workbooks take it.
    """
    frame, sheets, headings = (
        overview.tables[name],
        section("cases.sheets", language),
        section("cases.columns", language),
    )
    columns = []
    for column in frame.columns:
        kind = _KINDS.get(column, "integer" if column == "late" and name in _COUNTED_LATE else "text")
        columns.append(Column(headings[column], kind, key=column))
    words = _Words(overview)
    rows = [
        Row(
            [
                in_language(words.of(name, column, value), language)
                for column, value in zip(frame.columns, row, strict=True)
            ]
        )
        for row in frame.astype(object).itertuples(index=False, name=None)
    ]
    return Table(columns, rows, id=name, title=sheets[name]["name"], notes=[sheets[name]["note"]])


class _Words:
    """Words of the codes in an overview."""

    def __init__(self, overview: Overview) -> None:
        own = {c.id: pair(c) for c in declared().clocks}
        self._clocks = own | {c.id: pair(c) for c in overview.book.ruleset.clocks}
        self._causes = {code: {"zh": zh, "en": code} for code, zh in codes("risk_events", "cause").items()}

    def of(self, table: str, column: str, value: Any) -> Any:
        """Return a value as it is shown."""
        plain = plain_value(value)
        if plain is None or plain is pd.NaT:
            return None
        if column in ("state", "owed"):
            return pair(declared().states[str(plain)])
        if column == "kind":
            return pair(declared().kinds[str(plain)])
        if column == "waiting_for":
            return pair(declared().roles[str(plain)])
        if column == "list":
            return pair(declared().lists[str(int(plain))])  # type: ignore[arg-type]
        if column == "clock":
            return self._clocks.get(str(plain), plain)
        if column == "cause":
            return self._causes.get(str(plain), plain)
        if column in ("late", "applied", "proposed") and table not in _COUNTED_LATE:
            return section("cases.yes_no")["yes" if plain else "no"]
        if isinstance(value, pd.Timestamp):
            return value.date()
        return value


def write_case_sheets(overview: Overview, path: str | Path, lang: str = "zh") -> Path:
    """Write the workbook of the cases: a sheet for each table that has a row, the first always.

    Parameters
    ----------
    overview
        Of `riskmodel.cases.Overview`.
    path
        ``.xlsx``; what an office wrote into an earlier one is kept.
    lang : {"zh", "en"}
        Language of the workbook.

    Returns
    -------
    Path
        The workbook.
    """
    language, target = check_language(lang), Path(path)
    nouns = Nouns.of(overview.book.known.county.about)
    with open_workbook(target, language, overview.as_of, nouns) as book:
        for name, frame in overview.tables.items():
            if len(frame) or name == "open":
                case_table(overview, name, language).to_sheet(book)
    return target
