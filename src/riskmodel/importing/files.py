"""The whole way: what an office hands over, read into the contract's tables, and an account of all of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import contract, secret_key
from riskmodel.grids import Grid
from riskmodel.i18n import Language, Message, section
from riskmodel.importing.assemble import Assembled, assemble
from riskmodel.importing.convert import SheetReader
from riskmodel.importing.corrections import Correction, apply_corrections
from riskmodel.importing.findings import Finding, Findings, tell_unread_columns
from riskmodel.importing.guess import SheetGuess, guess_sheet, skipped_sheet
from riskmodel.importing.guess_columns import Question
from riskmodel.importing.mapping import ImportMap, SheetMap
from riskmodel.importing.masking import name_mask, names_in, tables_without_names, without_names
from riskmodel.importing.pseudonyms import pseudonymise, refuse_identity_numbers
from riskmodel.importing.sheet_layout import SheetLayout, find_layout
from riskmodel.importing.sheet_rows import SheetRows, unread_columns
from riskmodel.importing.sources import Sheets, read_sheets
from riskmodel.importing.vocabulary import Vocabulary, vocabulary
from riskmodel.io import records


@dataclass(frozen=True)
class SourceAccount:
    """What became of one sheet: its rows, and why it was left where it was.

    Parameters
    ----------
    file, sheet
        Which.
    rows
        Rows below the header that hold something.
    used
        Rows that a table of the contract was made from.
    rejected
        Rows that are out although they are records.
    skipped
        Rows that are no records: totals, notes, repeated headers.
    why
        Why nothing was read of it: words of a map's ``skip``, or a message; empty where something was.
    unread
        Columns that were not read, each with why (a key of the catalogue under ``importing.unread``).
    township
        The one that its title or name says.
    """

    file: str
    sheet: str
    rows: int
    used: int = 0
    rejected: int = 0
    skipped: int = 0
    why: str | Message = ""
    unread: tuple[tuple[str, str], ...] = ()
    township: str = ""


@dataclass
class ImportResult:
    """What an import gave.

    Parameters
    ----------
    plan
        The map that was followed.
    assembled
        Tables, ``about.yaml`` and findings.
    sources
        One account for each sheet and file.
    questions
        What must be answered before a sheet is read.
    comments
        Of each sheet of the map.
    """

    plan: ImportMap
    assembled: Assembled
    sources: list[SourceAccount]
    questions: list[Question]
    guesses: list[SheetGuess]
    corrections: list[Correction] = field(default_factory=list)
    waiting: list[Correction] = field(default_factory=list)

    def as_dict(self, language: Language = "zh") -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "tables": {name: _counts(frame) for name, frame in self.assembled.tables.items()},
            "sources": [_source(one, language) for one in self.sources],
            "asked": [*(question_as_dict(q, language) for q in self.questions), *self._asked(language)],
            "unknown": _unknown(self.assembled.tables.get("unrecorded")),
        }

    def unread(self, language: Language = "zh") -> list[dict[str, str]]:
        """Return the columns from which nothing was read, each with file, sheet and why."""
        return [
            {
                "file": one.file,
                "sheet": one.sheet,
                "column": column,
                "why": Message(f"importing.unread.{why}").text(language),
            }
            for one in self.sources
            for column, why in one.unread
        ]

    def _asked(self, language: Language) -> list[dict[str, str]]:
        return [
            {
                "file": f.file,
                "sheet": f.sheet,
                "where": f.where,
                "text": f.text,
                "question": f.message().text(language),
            }
            for f in self.assembled.findings.of("asked")
        ]

    @property
    def blocking(self) -> list[Question]:
        """The questions without whose answer a sheet was not read."""
        return [q for q in self.questions if q.blocking]


def _counts(frame: pd.DataFrame) -> dict[str, int]:
    households = frame["household_id"].nunique() if "household_id" in frame else 0
    return {"rows": len(frame), "households": int(households)}


def _source(one: SourceAccount, language: Language) -> dict[str, Any]:
    fields = ("file", "sheet", "rows", "used", "rejected", "skipped")
    why = one.why if isinstance(one.why, str) else one.why.text(language)
    return {name: getattr(one, name) for name in fields} | {"why": why}


def skip_reason(skip: str) -> str | Message:
    """Return why a sheet is skipped: a message where the map holds one of the package's own reasons."""
    return Message(f"importing.why.{skip}") if skip in section("importing.why") else skip


def question_as_dict(one: Question, language: Language) -> dict[str, str]:
    """Return a question as ``--json`` prints it."""
    return {
        "file": one.file, "sheet": one.sheet, "where": one.where, "text": one.text,
        "question": one.message().text(language),
    }  # fmt: skip


def _unknown(frame: pd.DataFrame | None) -> list[dict[str, str]]:
    fields = ("household_id", "of", "item", "month_from", "month_to", "why")
    if frame is None:
        return []
    plain = frame.reindex(columns=fields).astype(object)
    plain = plain.where(plain.notna(), "")
    return [{k: str(v) for k, v in row.items()} for row in records(plain)]


def guess_files(sheets: Sheets, words: Vocabulary | None = None) -> tuple[ImportMap, list[SheetGuess]]:
    """Propose a map of all sheets; hidden sheets are skipped, and said."""
    known = words or vocabulary()
    mask = name_mask(names_in(sheets.grids, known))
    guesses = [
        guess_sheet(grid, layout, known) if grid.visible else skipped_sheet(grid, "hidden sheet")
        for grid, layout in sheets.grids
    ]
    guesses = [_without_names(guess, mask) for guess in _months_in_series(sheets, guesses)]
    return ImportMap(sheets=tuple(_with_questions(g) for g in guesses)), guesses


def _with_questions(one: SheetGuess) -> SheetMap:
    """Return what is proposed of a sheet, with the kinds of the questions that must be answered first."""
    kinds = dict.fromkeys(q.kind for q in one.questions if q.blocking)
    return one.spec.model_copy(update={"unanswered": tuple(kinds)})


def _still_open(plan: ImportMap, sheets: Sheets) -> list[Question]:
    """Return the questions that nobody has taken out of a map."""
    specs = [(grid, plan.sheet(grid.file, grid.sheet)) for grid, _ in sheets.grids]
    return [
        Question(grid.file, grid.sheet, "", "unanswered", ", ".join(spec.unanswered))
        for grid, spec in specs
        if spec and spec.unanswered
    ]


def _months_in_series(sheets: Sheets, guesses: Sequence[SheetGuess]) -> list[SheetGuess]:
    """Take one month for what it says where sheets or files of one kind go from month to month."""
    kinds: dict[object, set[object]] = {}

    def kind(grid: Grid, layout: SheetLayout) -> object:
        names = re.sub(r"[\d\W_]+", "", f"{Path(grid.file).stem} {grid.sheet}")
        return names, tuple(header.text for header in layout.headers)

    for grid, layout in sheets.grids:
        if layout.facts.months and layout.facts.month_doubtful:
            kinds.setdefault(kind(grid, layout), set()).add(layout.facts.months)
    return [
        replace(one, questions=tuple(q for q in one.questions if q.kind != "month or year"))
        if len(kinds.get(kind(grid, layout), ())) > 1 and not layout.facts.sum_so_far
        else one
        for (grid, layout), one in zip(sheets.grids, guesses, strict=True)
    ]


def _without_names(guess: SheetGuess, mask: Callable[[str], str]) -> SheetGuess:
    """Return a guess whose questions and comments name nobody."""
    asked = tuple(replace(q, text=mask(q.text)) for q in guess.questions)
    return replace(guess, questions=asked, comments=tuple(map(mask, guess.comments)))


def import_files(
    sources: Sequence[str | Path],
    plan: ImportMap | None = None,
    corrections: Sequence[Correction] = (),
    *,
    pseudonymise_ids: bool = False,
) -> ImportResult:
    """Read files into the tables of the contract.

    Parameters
    ----------
    sources
        Files or folders.
    plan
        What is read of them; proposed, and used where it is sure, where left out.
    corrections
        What townships say of problems of an earlier import.
    pseudonymise_ids
        Whether the numbers of households and members are replaced by keyed hashes, whatever the map says.

    Returns
    -------
    ImportResult
        Tables, accounts and questions.

    Raises
    ------
    InputMissing
        If there is no such file or folder.
    InputRefused
        If numbers of households or members are identity numbers, and are not replaced.
    """
    words = vocabulary().extended(plan.words) if plan else vocabulary()
    return import_sheets(read_sheets(sources, words), plan, corrections, pseudonymise_ids=pseudonymise_ids)


def import_sheets(
    sheets: Sheets,
    plan: ImportMap | None = None,
    corrections: Sequence[Correction] = (),
    *,
    pseudonymise_ids: bool = False,
) -> ImportResult:
    """Read sheets, however they were come by, into the tables of the contract.

    Parameters
    ----------
    sheets
        What `read_sheets` returned.
    plan, corrections, pseudonymise_ids
        As in `import_files`.

    Returns
    -------
    ImportResult
        Tables, accounts and questions.

    Raises
    ------
    InputRefused
        If numbers of households or members are identity numbers, and are not replaced.
    """
    words = vocabulary().extended(plan.words) if plan else vocabulary()
    sheets, used, outdated = _corrected(sheets, corrections, words)
    guesses: list[SheetGuess] = []
    if plan is None:
        plan, guesses = guess_files(sheets, words)
        questions = [q for g in guesses for q in g.questions]
    else:
        questions = _still_open(plan, sheets)
    blocked = {(q.file, q.sheet) for q in questions if q.blocking}
    findings = Findings(
        confirmed=frozenset(c.number for c in used if c.action == "confirm"),
        turned={(grid.file, grid.sheet): grid for grid, _ in sheets.grids if grid.turned or grid.places},
    )
    for one in outdated:
        place = one.file, one.sheet, one.where
        findings.add("told", "correction outdated", place, text=one.value or one.action)
    rows: list[SheetRows] = []
    accounts: list[tuple[Grid, SheetLayout, str, SheetRows | None]] = []
    for grid, layout in sheets.grids:
        spec = plan.sheet(grid.file, grid.sheet)
        why = "not in the map" if spec is None else spec.skip
        if (grid.file, grid.sheet) in blocked:
            why = "asked"
        if spec is None or why:
            accounts.append((grid, layout, why, None))
            continue
        if spec.header_rows:
            layout = find_layout(grid, words, spec.header_rows)
        read = SheetReader(grid, layout, spec, plan, words, findings).read()
        tell_unread_columns(grid, layout, spec, findings)
        rows.append(read)
        accounts.append((grid, layout, "", read))
    assembled = assemble(rows, plan, findings)
    mask = name_mask(names_in(sheets.grids, words))
    findings.items = [without_names(item, mask) for item in findings.items]
    assembled = replace(assembled, tables=tables_without_names(assembled.tables, mask))
    kinds = ("household", "member") if pseudonymise_ids else plan.pseudonyms
    refuse_identity_numbers(assembled.tables, kinds)
    if kinds:
        tables, said = pseudonymise(assembled.tables, assembled.findings, kinds, secret_key())
        assembled = replace(assembled, tables=tables, findings=said)
    listed = [_account(*one, findings, words) for one in accounts]
    listed += [SourceAccount(s.file, s.sheet, 0, why=s.why) for s in sheets.skipped]
    out = {one.number for one in (*used, *outdated)}
    waiting = [one for one in corrections if one.number not in out]
    return ImportResult(plan, assembled, listed, questions, guesses, used, waiting)


def _corrected(
    sheets: Sheets, corrections: Sequence[Correction], words: Vocabulary
) -> tuple[Sheets, list[Correction], list[Correction]]:
    """Return the sheets with what the townships have corrected, and what `apply_corrections` says of it."""
    if not corrections:
        return sheets, [], []
    grids, used, outdated = apply_corrections([grid for grid, _ in sheets.grids], corrections)
    laid_out = tuple(
        (new, layout if new is old else find_layout(new, words))
        for new, (old, layout) in zip(grids, sheets.grids, strict=True)
    )
    return replace(sheets, grids=laid_out), used, outdated


def _account(
    grid: Grid,
    layout: SheetLayout,
    why: str,
    read: SheetRows | None,
    findings: Findings,
    words: Vocabulary,
) -> SourceAccount:
    filled = len(layout.data_rows) + len(layout.skipped)
    if read is None:
        return SourceAccount(grid.file, grid.sheet, filled, skipped=filled, why=skip_reason(why))
    out = _rejected_rows(grid, findings.items)
    rejected = len(out & set(layout.data_rows))
    used = len(layout.data_rows) - rejected
    unread = unread_columns(read.spec, layout, words)
    place = read.spec.township or layout.facts.township
    return SourceAccount(
        grid.file, grid.sheet, filled, used, rejected, len(layout.skipped), "", unread, place
    )


def _rejected_rows(grid: Grid, items: Sequence[Finding]) -> set[int]:
    out = set()
    for item in items:
        if item.handling == "rejected" and (item.file, item.sheet) == (grid.file, grid.sheet):
            digits = "".join(c for c in item.where if c.isdigit())
            out.add(int(digits or 0))
    return out


def map_comments(guesses: Sequence[SheetGuess], language: Language = "zh") -> dict[int, list[str]]:
    """Return what is written above each sheet of a proposed map: what was found, and what is not sure."""
    out = {}
    for place, one in enumerate(guesses):
        unread = [f"unread: {', '.join(one.unread)}"] if one.unread else []
        asked = [f"? {q.where}: {q.message().text(language)}" for q in one.questions]
        out[place] = [*one.comments, *unread, *asked]
    return out


def missing_tables(result: ImportResult) -> list[str]:
    """Return the tables that a county must have and that an import did not give."""
    return [name for name in contract().required if name not in result.assembled.tables]
