"""The county's visits as they stand in its own file: household ids, and every row of each household."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from riskmodel.data import (
    Lineage,
    Link,
    LinkFacts,
    Links,
    RawTable,
    TableFile,
    cell_text,
    codes,
    find_sources,
    open_raw_table,
    parse_date,
    table_file,
)
from riskmodel.io import open_engine
from riskmodel.scoring.filled_list import Visit, accepted_words, parted_causes
from riskmodel.scoring.office_files import unescaped_id

TABLE = "visits"


@dataclass(frozen=True)
class RecordedVisit:
    """A row of the county's visits; ``holds`` says that no later row of its number replaced it."""

    date: dt.date
    outcome: str | None
    cause: str | None
    other_causes: str | None = None
    decision: str | None = None
    row_id: str | None = None
    recorded_on: dt.date | None = None
    holds: bool = True

    def agrees(self, visit: Visit) -> bool:
        """Say whether it is this visit; of rows by other hands outcome and cause are compared alone."""
        if (self.date, self.outcome, self.cause) != (visit.date, visit.outcome, visit.cause):
            return False
        return self.row_id is None or visit.finding[2:] == (self.other_causes, self.decision)


@dataclass(frozen=True)
class RecordedVisits:
    """What a county holds: its table of visits, household ids, and what is written of each visit.

    Rows go by the number that a household has now; ``current`` says which that is for an earlier one.
    """

    table: TableFile
    households: frozenset[str]
    rows: Mapping[str, Sequence[RecordedVisit]]
    current: Mapping[str, str]

    def rows_of(self, household: str) -> Sequence[RecordedVisit]:
        """Return what is written of a household, under whatever number."""
        return self.rows.get(self.current.get(household, household), ())


def read_recorded_visits(data: str | Path, day: dt.date) -> RecordedVisits:
    """Read a county's household ids, visits and, as known at a day, links as they stand; nothing else."""
    folder = Path(data)
    sources, _ = find_sources(folder)
    by_table = {s.table: s for s in sources}
    con = open_engine([s.path for s in sources if s.kind in ("parquet", "duckdb")])
    households, _ = open_raw_table(con, by_table["households"])
    ids = frozenset(_texts(households, "household_id")) if households else frozenset()
    source = by_table.get(TABLE)
    raw = open_raw_table(con, source)[0] if source else None
    links = by_table.get("household_links")
    current = _current_numbers(open_raw_table(con, links)[0], day) if links else {}
    rows = _recorded_rows(raw, current) if raw is not None else {}
    return RecordedVisits(table_file(folder, TABLE, by_table, raw, households), ids, rows, current)


def _recorded_rows(raw: RawTable, current: Mapping[str, str]) -> dict[str, list[RecordedVisit]]:
    """Return the rows of the table by household; of equal numbers the one recorded last holds."""
    names = ("household_id", "date", "outcome", "cause", "other_causes", "decision", "row_id", "recorded_on")
    out: dict[str, list[RecordedVisit]] = {}
    last: dict[str, dt.date] = {}
    for household, day, outcome, cause, others, decision, row_id, known in zip(
        *[_texts(raw, c) for c in names], strict=True
    ):
        date = parse_date(day)[0]
        if household is None or date is None:
            continue
        recorded_on = parse_date(known)[0] if known else None
        causes = ";".join(str(_code("cause", part)) for part in parted_causes(others)) or None
        row = RecordedVisit(
            date, _code("outcome", outcome), _code("cause", cause), causes, _code("decision", decision),
            row_id, recorded_on,
        )  # fmt: skip
        out.setdefault(current.get(household, household), []).append(row)
        if row_id is not None:
            last[row_id] = max(last.get(row_id, dt.date.min), recorded_on or dt.date.min)

    def holds(row: RecordedVisit) -> bool:
        return row.row_id is None or (row.recorded_on or dt.date.min) >= last[row.row_id]

    return {home: [replace(row, holds=holds(row)) for row in rows] for home, rows in out.items()}


def _current_numbers(raw: RawTable | None, day: dt.date) -> dict[str, str]:
    """Return the number in use of every household that got another one, as known at a day."""
    if raw is None:
        return {}
    words = {word: code for code, zh in codes("household_links", "kind").items() for word in (code, zh)}
    columns = [_texts(raw, c) for c in ("old_id", "new_id", "kind", "date", "recorded_on")]
    links = []
    for old, new, kind, date, known in zip(*columns, strict=True):
        happened = parse_date(date)[0]
        if old and new and kind in words and happened is not None:
            links.append(Link(old, new, words[kind], happened, parse_date(known)[0] or happened))
    return Lineage(Links(tuple(links)), LinkFacts(), day, day).joined


def _texts(raw: RawTable, column: str) -> list[Any]:
    rows = raw.rows.order_by("row_").to_pyarrow()
    if column not in raw.at:
        return [None] * rows.num_rows
    texts = [cell_text(v) for v in rows[raw.at[column]].to_pylist()]
    return [unescaped_id(t) if t and column == "household_id" else t for t in texts]


def _code(column: str, word: str | None) -> str | None:
    return None if word is None else accepted_words(column).get(word.lower(), word)
