"""Importing a filled list into a county's visits: new ones are added in the table's own format, each once.

What is there stays, what contradicts it is shown, and the table is replaced whole or not at all.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import (
    KEY_VARIABLE,
    Lineage,
    Link,
    LinkFacts,
    Links,
    RawTable,
    TableFile,
    append_rows,
    cell_text,
    codes,
    find_sources,
    open_raw_table,
    parse_date,
    pseudonym,
    table_file,
)
from riskmodel.errors import InputRefused
from riskmodel.i18n import counted
from riskmodel.io import open_engine
from riskmodel.scoring.office_files import (
    FilledList,
    Visit,
    accepted_words,
    read_filled_list,
    unescaped_id,
)
from riskmodel.scoring.visit_faults import Conflict, Finding, Problem, fault, finding_text

TABLE = "visits"
COLUMNS = ("household_id", "date", "outcome", "cause", "selected_by", "decision", "chance", "recorded_on")
_KEYED = re.compile(r"[0-9a-f]{32}")  # what `riskmodel.data.pseudonym` makes


@dataclass(frozen=True)
class RecordedVisits:
    """What a county holds: its table of visits, household ids, and what is written of each visit.

    Findings go by the number that a household has now; ``current`` says which that is for an earlier one.
    """

    table: TableFile
    households: frozenset[str]
    findings: dict[tuple[str, dt.date], set[Finding]]
    current: Mapping[str, str]

    def findings_of(self, visit: Visit) -> set[Finding]:
        """Return what is written of a household on the day of a visit, under whatever number."""
        number = self.current.get(visit.household_id, visit.household_id)
        return self.findings.get((number, visit.date), set())


@dataclass(frozen=True)
class VisitImport:
    """What became of a filled list.

    Parameters
    ----------
    path
        The table of visits.
    added
        Visits that are new.
    already
        Number of visits that were there with the same finding and cause.
    conflicts
        Visits of which the table says something else; it is left as it is.
    problems
        Entries that cannot be used.
    empty
        Number of households not visited yet.
    """

    path: Path
    added: tuple[Visit, ...]
    already: int
    conflicts: tuple[Conflict, ...]
    problems: tuple[Problem, ...]
    empty: int

    @property
    def summary(self) -> dict[str, Any]:
        """Counts for a machine, and every fault in words."""
        outcomes = Counter(v.outcome for v in self.added)
        return {
            "visits": str(self.path),
            "added": len(self.added),
            "already_there": self.already,
            "not_filled": self.empty,
            "outcomes": {k: outcomes[k] for k in sorted(outcomes)},
            "conflicts": [str(c) for c in self.conflicts],
            "problems": [str(p) for p in self.problems],
        }

    @property
    def faults(self) -> pd.DataFrame:
        """Problems and conflicts as a table: ``cell, household_id, column, value, reason``."""
        rows = [(p.cell, p.household_id, p.column, p.value, p.reason) for p in self.problems]
        rows += [(c.cell, c.household_id, "outcome", finding_text(c.written), str(c)) for c in self.conflicts]
        return pd.DataFrame(rows, columns=["cell", "household_id", "column", "value", "reason"])


def import_visits(
    path: str | Path, data: str | Path, recorded_on: dt.date, *, dry: bool = False, key: bytes | None = None
) -> VisitImport:
    """Add the visits of a filled list to a county's table, each once.

    A visit is known by its household and day. The same finding and cause again is the same visit and is
    not added twice; another finding is a conflict, shown and left alone. The note and the visitor's name
    stay in the office's workbook: they may name people.

    Parameters
    ----------
    path
        The filled list (see `read_filled_list`).
    data
        The county, a folder, a workbook or a DuckDB file; its table of visits keeps its format and is
        replaced whole or not at all.
    recorded_on
        The day on which the office came to know these visits: no earlier as-of sees them.
    dry
        Check only.
    key
        `riskmodel.data.secret_key`, where the list was made with ``--pseudonymise``: its keyed ids are
        turned back into the office's own, which is what the table of visits holds.

    Returns
    -------
    VisitImport
        What was added, what was there, conflicts and problems.

    Raises
    ------
    InputRefused
        If list or county cannot be read, the list's ids are keyed and the key is not given (or is another),
        the list has entries and not one of them can be used, or the table was changed meanwhile.
    """
    recorded = read_recorded_visits(data, recorded_on)
    filled = _with_own_ids(Path(path), read_filled_list(path), recorded, key)
    problems = [*filled.problems]
    new: list[Visit] = []
    conflicts: list[Conflict] = []
    already = 0
    for visit in filled.visits:
        recorded_findings = recorded.findings_of(visit)
        finding = (visit.outcome, visit.cause)
        if (problem := _problem(visit, recorded, recorded_on)) is not None:
            problems.append(problem)
        elif finding in recorded_findings:
            already += 1
        elif recorded_findings:
            sides = (finding, tuple(sorted(recorded_findings, key=str)))
            conflicts.append(Conflict(visit.cell, visit.household_id, visit.date, *sides))
        else:
            new.append(visit)
    if problems and not (new or already or conflicts):
        shown = "; ".join(str(p) for p in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        name = Path(path).name
        entries = counted(len(problems), "entry", "entries")
        raise InputRefused(f"{name}: none of {entries} can be used: {shown}{more}")
    if not dry:
        append_visits(recorded.table, sorted(new, key=lambda v: (v.date, v.household_id)), recorded_on)
    return VisitImport(
        recorded.table.path, tuple(new), already, tuple(conflicts), tuple(problems), filled.empty
    )


def _with_own_ids(path: Path, filled: FilledList, recorded: RecordedVisits, key: bytes | None) -> FilledList:
    """Return the list with the office's own ids where they are keyed."""
    own: Mapping[str, str] = {} if key is None else {pseudonym(h, key): h for h in recorded.households}
    unknown = [v for v in filled.visits if v.household_id not in recorded.households]
    keyed = [v for v in unknown if _KEYED.fullmatch(v.household_id)]
    if keyed and not any(v.household_id in own for v in keyed):
        mend = (
            f"the secret key in {KEY_VARIABLE} is not the one that the list was made with"
            if key is not None
            else f"give --pseudonymise, and in {KEY_VARIABLE} the secret key that the list was made with"
        )
        ids = counted(len(keyed), "household id is", "household ids are")
        raise InputRefused(f"{path.name}: {ids} keyed ({keyed[0].cell}): {mend}")
    visits = (replace(v, household_id=own.get(v.household_id, v.household_id)) for v in filled.visits)
    return replace(filled, visits=tuple(visits))


def _problem(visit: Visit, recorded: RecordedVisits, recorded_on: dt.date) -> Problem | None:
    if visit.household_id not in recorded.households:
        home = visit.household_id
        padded = [h for h in recorded.households if h.lstrip("0") == home] if home.isdigit() else []
        about = "zeros dropped" if len(padded) == 1 else "unknown household"
        reason = fault(about, household=home, padded=padded[0] if padded else "")
        return Problem(visit.cell, home, "household_id", home, reason)
    if visit.date > recorded_on:
        reason = fault("too late", day=visit.date, recorded_on=recorded_on)
        return Problem(visit.cell, visit.household_id, "visited_on", str(visit.date), reason)
    return None


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
    findings: dict[tuple[str, dt.date], set[Finding]] = {}
    if raw is not None:
        columns = [_texts(raw, c) for c in ("household_id", "date", "outcome", "cause")]
        for household, day, outcome, cause in zip(*columns, strict=True):
            date = parse_date(day)[0]
            if household is not None and date is not None:
                finding = (_code("outcome", outcome), _code("cause", cause))
                findings.setdefault((current.get(household, household), date), set()).add(finding)
    return RecordedVisits(table_file(folder, TABLE, by_table, raw, households), ids, findings, current)


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


def append_visits(table: TableFile, visits: Sequence[Visit], recorded_on: dt.date) -> None:
    """Add visits to the table, keeping its format, headers, words and rows; the file is replaced whole.

    The day of recording is written beside each, so that no earlier as-of sees them. Refused if the file is
    no longer the one that was read: what another import wrote is never lost.
    """
    values = [{c: getattr(v, c) for c in COLUMNS if c != "recorded_on"} for v in visits]
    append_rows(table, [{**row, "recorded_on": recorded_on} for row in values])
