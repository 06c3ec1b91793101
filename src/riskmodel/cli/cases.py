"""The verb of cases: what is due and late, steps recorded, periods closed, departments' lists taken in."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from riskmodel.cli.common import (
    READING,
    REFUSED,
    AsOfOption,
    DataArgument,
    JsonFlag,
    LangOption,
    LineOption,
    ParamOption,
    ReadingOptions,
    say,
    tell,
    verb,
)
from riskmodel.i18n import counted

if TYPE_CHECKING:
    from riskmodel.cases import CaseBook, Recording

SHOWN = 20  # refusals said on stderr; all of them stand in the file
RULES = "national-2021"

RulesetOption = Annotated[
    str, typer.Option("--ruleset", metavar="ID", help="Whose procedure and limits hold.")
]
CalendarOption = Annotated[
    Path | None, typer.Option("--calendar", metavar="FILE", help="Days off beside the packaged ones, YAML.")
]
DecidesOption = Annotated[
    str | None, typer.Option("--decides", help="Who decides: county or township; the rule set's by default.")
]
ClosesOption = Annotated[
    str | None, typer.Option("--closes", help="Who closes: county or township; the rule set's by default.")
]
RecordedOption = Annotated[
    str | None, typer.Option("--recorded-on", metavar="DATE", help="When the office came to know it: today.")
]
RoleOption = Annotated[str, typer.Option("--role", help="household, village, township, county, department.")]


class _Cases(TyperGroup):
    """A verb with verbs below it: what names none of them is DATA."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take a call that begins with data for the overview."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


case_commands = typer.Typer(
    cls=_Cases,
    help="Cases from clue to look-back: DATA --as-of DATE says what is due, late, and waiting for whom.",
    no_args_is_help=True,
)


def _book(
    data: Path, day: Any, ruleset: str, reading: ReadingOptions, out: Path | None,
    param: list[str] | None = None, line: list[str] | None = None, **options: Any,
) -> CaseBook:  # fmt: skip
    from riskmodel import cases
    from riskmodel.data import secret_key
    from riskmodel.households import known_county, to_date
    from riskmodel.rules import load_rules, read_overrides

    chosen = load_rules(ruleset)
    options["params"] = read_overrides(chosen, param, line, [to_date(day)])
    key = secret_key() if reading.pseudonymise else None
    county = reading.read_county(data, out=out, as_of=day)
    log = cases.open_case_log(data, key)
    if (row := log.broken_at()) is not None:
        say(f"warning: {log.path}: row {row} is not as it was written: the file was changed by hand")
    return cases.open_case_book(known_county(county, day), chosen, log, **options)


@case_commands.command("show")
@verb
def show(
    data: DataArgument,
    as_of: AsOfOption,
    ruleset: RulesetOption = RULES,
    param: ParamOption = None,
    line: LineOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help=".xlsx: all sheets; .csv, .parquet: the cases."),
    ] = None,
    calendar: CalendarOption = None,
    decides: DecidesOption = None,
    closes: ClosesOption = None,
    lang: LangOption = "zh",
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Say what is due, what is late and for whom each case waits."""
    from riskmodel import cases, presentation
    from riskmodel.io import write_table

    folder = out.parent if out else None
    options = {"calendar": calendar, "decides": decides, "closes": closes}
    book = _book(data, as_of, ruleset, reading, folder, param, line, **options)
    overview = cases.Overview(book)
    summary = overview.summary
    if out is not None and out.suffix.lower() == ".xlsx":
        summary["out"] = str(presentation.write_case_sheets(overview, out, lang))
    elif out is not None:
        summary["out"] = str(write_table(book.cases, out))
    for word in cases.unknown_words(book.known):
        say(f"note: step {word!r} of table procedure is no step of a case")
    tell(summary, as_json)


@case_commands.command("record")
@verb
def record(
    data: DataArgument,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE", help="Steps, a row each: .xlsx or .csv.")
    ] = None,
    household: Annotated[str | None, typer.Option("--household", metavar="ID", help="Whose case.")] = None,
    step: Annotated[str | None, typer.Option("--step", help="Where the case comes to, code or word.")] = None,
    date: Annotated[str | None, typer.Option("--date", metavar="DATE", help="When it happened.")] = None,
    role: Annotated[str | None, typer.Option("--role", help="Who acted: code or word.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Office or village.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Local user id; no name.")] = None,
    ground: Annotated[str | None, typer.Option("--ground", help="The facts it rests on.")] = None,
    document: Annotated[str | None, typer.Option("--document", help="Number of the paper.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="What a new case is about.")] = None,
    case: Annotated[str | None, typer.Option("--case", metavar="ID", help="Which of several cases.")] = None,
    corrects: Annotated[
        str | None, typer.Option("--corrects", metavar="N", help="Row of the log that this replaces.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="What else the step needs; repeatable."),
    ] = None,
    ruleset: RulesetOption = RULES,
    param: ParamOption = None,
    line: LineOption = None,
    calendar: CalendarOption = None,
    decides: DecidesOption = None,
    closes: ClosesOption = None,
    recorded_on: RecordedOption = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Judge only, write nothing.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where refusals go: case-refusals.csv.")
    ] = None,
    lang: LangOption = "zh",
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Record steps of cases: each is judged, written to the case log and into the county's tables.

    Exits with 1 where a step was refused: it stands in the file of refusals, the others were recorded.
    """
    from riskmodel import cases
    from riskmodel.errors import UsageError
    from riskmodel.households import to_date
    from riskmodel.i18n import check_language
    from riskmodel.io import write_table

    language = check_language(lang)
    if sheet is not None:
        entries, faults = cases.read_step_sheet(sheet)
    else:
        own = {"household_id": household, "step": step, "date": date, "role": role}
        if missing := [name for name, value in own.items() if value is None]:
            raise UsageError(f"--sheet, or: {', '.join(missing)} must be given")
        more = {"unit": unit, "user": user, "ground": ground, "document": document, "kind": kind,
                "case_id": case, "corrects": corrects}  # fmt: skip
        pairs = {k: v for k, v in {**own, **more, **_pairs(given or [])}.items() if v is not None}
        values, faults = cases.read_values(pairs)
        entries = [] if faults else [cases.entry_of(values)]
    day = to_date(recorded_on) if recorded_on else dt.date.today()
    options = {"calendar": calendar, "decides": decides, "closes": closes}
    book = _book(data, day, ruleset, reading, out.parent if out else None, param, line, **options)
    assert isinstance(book.log, cases.CaseLog)
    done = cases.Recorder(data, book, book.log, {}).record(entries, dry=dry)
    refusals = cases.refusal_rows(done, faults, language)
    summary = _summary(done, dry)
    if len(refusals):
        path = write_table(refusals, out or (sheet.parent if sheet else Path()) / "case-refusals.csv")
        for reason, where in list(zip(refusals["reason"], refusals["cell"], strict=True))[:SHOWN]:
            say(f"warning: {where}: {reason}" if where else f"warning: {reason}")
        number = counted(len(refusals), "step was", "steps were")
        say(f"warning: {number} not recorded; see {path}")
        summary |= {"refused": len(refusals), "refusals": str(path)}
    tell(summary, as_json)
    if len(refusals):
        raise typer.Exit(REFUSED)


def _pairs(given: list[str]) -> dict[str, str]:
    from riskmodel.errors import UsageError

    out = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"--set {text!r}: write NAME=VALUE")
        out[name.strip()] = value.strip()
    return out


def _summary(done: Recording, dry: bool) -> dict[str, Any]:
    return {
        "recorded": [{"row": n, "case": case, "step": entry.to} for n, case, entry in done.recorded],
        "tables": done.rows,
        "late": list(done.late),
        "refused": 0,
        "dry_run": dry,
    }


@case_commands.command("close")
@verb
def close(
    data: DataArgument,
    through: Annotated[str, typer.Option("--through", metavar="DATE", help="Last day of the period.")],
    role: RoleOption = "county",
    unit: Annotated[str | None, typer.Option("--unit", help="Office.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Local user id; no name.")] = None,
    recorded_on: RecordedOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Close a period: what is recorded later of its days counts in the next one and is listed as late."""
    from riskmodel import cases
    from riskmodel.households import to_date

    day = to_date(recorded_on) if recorded_on else dt.date.today()
    number = cases.close_period(cases.open_case_log(data), to_date(through), day, role, unit, user)
    tell({"closed_through": through, "row": number}, as_json)


@case_commands.command("match")
@verb
def match(
    listed: Annotated[Path, typer.Argument(metavar="LIST", help="A department's list, .xlsx or .csv.")],
    into: Annotated[Path, typer.Option("--into", metavar="DATA", help="The county's folder or file.")],
    people: Annotated[
        Path,
        typer.Option("--people", metavar="FILE", help="The office's persons: identity and household."),
    ],
    department: Annotated[str, typer.Option("--department", help="Whose list it is.")],
    purpose: Annotated[str, typer.Option("--purpose", help="What it is used for; kept.")],
    basis: Annotated[str, typer.Option("--basis", help="The legal basis; kept.")],
    pushed_on: Annotated[str, typer.Option("--pushed-on", metavar="DATE", help="The day of the list.")],
    ruleset: RulesetOption = RULES,
    recorded_on: RecordedOption = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Office.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Local user id; no name.")] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Judge only, write nothing.")] = False,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Match a department's list to households by keyed hashes: a clue for each, the others dropped."""
    from riskmodel import cases
    from riskmodel.data import secret_key
    from riskmodel.households import to_date

    found = cases.match_list(listed, people, secret_key(), purpose=purpose, basis=basis)
    day = to_date(recorded_on) if recorded_on else dt.date.today()
    book = _book(into, day, ruleset, reading, None)
    assert isinstance(book.log, cases.CaseLog)
    entries = found.entries(department, to_date(pushed_on), purpose)
    if not dry:
        said = {"department": department, "purpose": purpose, "basis": basis, "pushed_on": pushed_on}
        cases.log_list(book.log, found, day, role="county", unit=unit, user=user, **said)
    done = cases.Recorder(into, book, book.log, {}).record(entries, dry=dry)
    counts = {n: getattr(found, n) for n in ("rows", "matched", "unmatched", "unreadable")}
    recorded = _summary(done, dry)
    tell({**counts, "households": len(found.households), **recorded, "refused": len(done.refused)}, as_json)
