"""Verbs of the county office: scores, the list of visits, findings of visits, the report, the month."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from riskmodel.cli.common import (
    READING,
    REFUSED,
    STORE,
    AsOfOption,
    BeyondOption,
    CalendarOption,
    DataArgument,
    JsonFlag,
    LangOption,
    LineOption,
    MeasuresOption,
    NamesOption,
    ParamOption,
    Pseudonymise,
    QuotaOption,
    ReadingOptions,
    SplitOption,
    StoreOption,
    read_people,
    say,
    tell,
    verb,
    warn,
)
from riskmodel.i18n import counted

if TYPE_CHECKING:
    import pandas as pd

    from riskmodel.cases import CaseLog
    from riskmodel.data import County
    from riskmodel.presentation import ReportInput
    from riskmodel.scoring import Worklist


@verb
def score(
    data: DataArgument,
    model: Annotated[str, typer.Option("--model", metavar="NAME@ALIAS", help="Such as county@champion.")],
    as_of: AsOfOption,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help=".parquet, .csv or .xlsx")],
    lang: LangOption = "zh",
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Score every household with a registered model, its rule verdict beside it."""
    from riskmodel import scoring
    from riskmodel.households import to_date
    from riskmodel.io import write_table
    from riskmodel.runs import load_model

    to_date(as_of)
    loaded = load_model(model, store)
    county = reading.read_county(data, out=out.parent, as_of=as_of)
    say(f"scoring with {loaded.name} version {loaded.version} ({loaded.kind})")
    scores = scoring.score(county, loaded, as_of, lang)
    write_table(scores, out, sheet="scores")
    for doubt in scoring.scoring_warnings(county, loaded, scores):
        warn(doubt)
    summary = scoring.log_scores(scores, loaded, store)
    tell({"out": str(out), **summary}, as_json)


@verb
def worklist(
    scores: Annotated[Path, typer.Argument(metavar="SCORES", help="What `riskmodel score` wrote.")],
    visits: Annotated[int, typer.Option("--visits", min=1, help="How many can be visited.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="list.xlsx")] = Path("out/list.xlsx"),
    data: Annotated[Path | None, typer.Option("--data", metavar="DATA", help="Histories, visits.")] = None,
    random_share: Annotated[
        float, typer.Option("--random-share", min=0, max=1, help="Share of visits that is drawn.")
    ] = 0.05,
    by: Annotated[
        Literal["township", "village", "none"], typer.Option("--by", help="A sheet for each.")
    ] = "township",
    split: SplitOption = None,
    quota: QuotaOption = None,
    floor: Annotated[
        float, typer.Option("--floor", min=0, max=1, help="Probability a quota asks for.")
    ] = 0.1,
    beyond: BeyondOption = None,
    names: NamesOption = None,
    sheets: Annotated[
        Path | None, typer.Option("--sheets", metavar="FILE", help="Visit sheets, .html or .pdf.")
    ] = None,
    measures: MeasuresOption = None,
    calendar: CalendarOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random share.")] = 0,
    lang: LangOption = "zh",
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """List whom to check, in order, and why: a workbook for the office."""
    from riskmodel import presentation, scoring
    from riskmodel.explanation import load_measures
    from riskmodel.households import known_county
    from riskmodel.io import collect_backups, read_table, refuse_open_file, writable, write_table

    writable(out, endings=(".xlsx",))
    refuse_open_file(out)
    people = read_people(names, reading.pseudonymise)
    library = load_measures(measures)
    table = read_table(scores)
    county = None
    if data:
        days = sorted({str(day)[:10] for day in table["as_of"]}) if "as_of" in table else None
        county = reading.read_county(data, out=out.parent, as_of=days)
    listed = scoring.build_worklist(
        table, visits=visits, random_share=random_share, by=None if by == "none" else by, quota=quota,
        floor=floor, beyond=beyond or scoring.BEYOND, county=county, seed=seed, calendar=calendar,
        case_log=_case_log(data, reading),
    )  # fmt: skip
    _warn_of_list(table, county, listed)
    for headline in presentation.list_headlines(listed, lang):
        warn(headline)
    if county is not None and people is not None:
        people = scoring.names_by_current_number(people, known_county(county, listed.as_of))
    if people is not None:
        say(scoring.names_met(people, listed.listed["household_id"]))
    is_split = split not in (None, "none")
    presentation.record_list(listed, out.parent, lang, split=is_split, library=library)
    with collect_backups() as kept:
        presentation.write_worklist(listed, out, lang, people, library)
        books = out.with_name(f"{out.stem}-townships")
        townships = (
            presentation.write_township_books(listed, books, lang, people, library) if is_split else []
        )
    for path in kept:
        warn(f"{path} is what was filled in; take it in with riskmodel visits import")
    # Whoever evaluates the visits must know how likely each household was to be on the list.
    chances = write_table(listed.selection, out.with_name(f"{out.stem}-chances.csv"))
    summary: dict[str, object] = {"out": str(out), "chances": str(chances)}
    if is_split:
        summary["townships"] = [str(path) for path in townships]
    if sheets is not None:
        page = presentation.write_visit_sheets(listed, sheets.with_suffix(".html"), lang, people, library)
        summary["sheets"] = str(
            presentation.print_pdf(page, sheets) if sheets.suffix.lower() == ".pdf" else page
        )
    tell({**summary, **listed.totals}, as_json)


def _case_log(data: Path | None, reading: ReadingOptions) -> CaseLog | None:
    """Return a county's case log, where anything was recorded."""
    from riskmodel.cases import open_case_log
    from riskmodel.data import secret_key

    if data is None:
        return None
    log = open_case_log(data, secret_key() if reading.pseudonymise else None)
    return log if log.exists else None


def _warn_of_list(scores: pd.DataFrame, county: County | None, listed: Worklist) -> None:
    """Warn where scores and data are not of one county, and where there are more visits than households."""
    from riskmodel.households import fingerprint

    fingerprints = set(scores["data_fingerprint"].astype(str)) if "data_fingerprint" in scores else set()
    if county is not None and fingerprints and fingerprints != {fingerprint(county, listed.as_of)}:
        warn(f"what these data say of {listed.as_of} is not what was scored: score again, or give those data")
    if listed.unmet:
        homes = counted(listed.unmet, "household")
        warn(f"{homes} of the scores not in the data: nothing else is known of them")
    if len(listed.planned) < listed.visits:
        homes = counted(len(listed.planned), "household")
        warn(f"{counted(listed.visits, 'visit')}, but only {homes} to plan for")


@verb
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run id, as `riskmodel train` prints it.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")],
    scores: Annotated[Path | None, typer.Option("--scores", metavar="FILE", help="The list to show.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATA", help="Charts, visits, rules.")
    ] = None,
    forecast: Annotated[
        Path | None, typer.Option("--forecast", metavar="DIR", help="What `riskmodel forecast` wrote.")
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Also DIR/paper: methods, tables as LaTeX and Word, SVG, BibTeX.")
    ] = False,
    lang: LangOption = "zh",
    store: StoreOption = STORE,
    as_json: JsonFlag = False,
) -> None:
    """Write a run's report: one self-contained HTML page, zh and en."""
    from riskmodel import presentation
    from riskmodel.i18n import check_language
    from riskmodel.io import read_table

    shown = read_table(scores) if scores else None
    content = presentation.read_run(run, store, None if shown is None else {lang: shown}, choice=True)
    if data is not None:
        content = _with_county(content, READING.read_county(data, out=out), shown, out, lang)
    if forecast is not None:
        content = dataclasses.replace(content, outlook=presentation.read_forecast(forecast))
    page = presentation.write_report(content, out, lang)
    summary = {"out": str(page), "rules": str(out / content.rules_page) if content.rules_page else None}
    if paper:
        presentation.write_run_paper(content, store, out / "paper", check_language(lang))
        summary["paper"] = str(out / "paper" / "paper.docx")
    tell(summary, as_json)


def _with_county(
    content: ReportInput, county: County, shown: pd.DataFrame | None, out: Path, lang: str
) -> ReportInput:
    """Add what only the county's own tables tell: histories, findings of visits, the page of rules."""
    from dataclasses import replace

    from riskmodel import presentation
    from riskmodel.presentation import with_rules
    from riskmodel.rule_files import available_rule_sets

    day = county.data_through if shown is None else str(shown["as_of"].iloc[0])[:10]
    if shown is not None:
        listed = presentation.histories(county, day, list(shown["household_id"]))
        findings, weighted = presentation.yields(county, day), presentation.weighted_yield(county, day)
        content = replace(content, histories=listed, yields=findings, weighted_yield=weighted)
    ruleset, params = content.experiment["ruleset"], content.experiment.get("params")
    if ruleset not in available_rule_sets() and not Path(ruleset).is_file():
        say(f"note: the run's rule set {ruleset} is not here; the page of rules is left out")
        return content
    return with_rules(content, county, ruleset, day, out, params=params, lang=lang)


@verb
def why(
    data: DataArgument,
    household: Annotated[str, typer.Option("--household", metavar="ID", help="Whose score.")],
    model: Annotated[str, typer.Option("--model", metavar="NAME@ALIAS", help="Such as county@champion.")],
    as_of: AsOfOption,
    target: Annotated[float, typer.Option("--target", min=0.001, max=0.999, help="Chance to fall to.")] = 0.1,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Say what would have to change for a score to fall: for analysts, never to be printed for a village."""
    from riskmodel import scoring
    from riskmodel.io import write_table
    from riskmodel.runs import load_model

    loaded = load_model(model, store)
    county = reading.read_county(data, as_of=as_of)
    changes = scoring.score_counterfactuals(county, loaded, as_of, household, target)
    if out is not None:
        write_table(changes, out)
    if as_json:
        tell({"household_id": household, "target": target, "changes": changes.to_dict("records")}, as_json)
        return
    say("for analysts only: how other households fare, not what becomes of this one")
    if changes.empty:
        say(f"nothing to show: the score is at most {target:.1%} already, or no change brings it there")
        return
    typer.echo(changes.drop(columns=["zh"]).to_string(index=False))


MONTHS = Path("out/months")
ListsOption = Annotated[
    list[Path] | None,
    typer.Option("--lists", metavar="DIR", help="Where a list's log is: months (out/months), or its folder."),
]
visit_commands = typer.Typer(
    help="Findings of visits, as they come back from the villages.", no_args_is_help=True
)
SHOWN = 20  # faults said on stderr; all of them stand in the file


@visit_commands.callback()
def visits() -> None:
    """Hold the verbs of visits together: with one verb alone the name would be dropped."""


@visit_commands.command("import")
@verb
def take_in(
    filled: Annotated[
        list[Path], typer.Argument(metavar="LIST…", help="Filled lists, .xlsx or .csv, or a folder of them.")
    ],
    into: Annotated[Path, typer.Option("--into", metavar="DATA", help="The county's folder or file.")],
    recorded_on: Annotated[
        str | None,
        typer.Option("--recorded-on", metavar="DATE", help="When the office came to know them: today."),
    ] = None,
    lists: ListsOption = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Check only, add nothing.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where faults go: LIST-faults.csv.")
    ] = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Add the findings of filled lists to the county's visits, each once; corrections keep what was there.

    Exits with 1 where an entry was not taken in: it stands in the faults file, the others were added.
    """
    from riskmodel import scoring
    from riskmodel.data import secret_key
    from riskmodel.households import to_date
    from riskmodel.io import write_table

    day = to_date(recorded_on) if recorded_on else dt.date.today()
    key = secret_key() if pseudonymise else None
    result = scoring.import_visits(filled, into, day, dry=dry, key=key, lists=lists or [MONTHS], say=say)
    faults = result.faults
    summary = result.summary
    refused = int((~faults["taken"].astype(bool)).sum())
    if len(faults):
        path = write_table(faults, out or filled[0].with_name(f"{filled[0].stem}-faults.csv"))
        for fault in [*summary["problems"], *summary["conflicts"], *summary["notices"]][:SHOWN]:
            say(f"warning: {fault}")
        if refused:
            say(f"warning: {counted(refused, 'entry was', 'entries were')} not taken in; see {path}")
        summary["faults"] = str(path)
    if missing := summary.get("not_returned"):
        say(f"not returned yet: {', '.join(missing)}")
    tell({**summary, "dry_run": dry}, as_json)
    if refused:
        # Each entry is what somebody saw at a household: nothing goes on before it is mended.
        raise typer.Exit(REFUSED)


@visit_commands.command("progress")
@verb
def progress(
    into: Annotated[Path, typer.Argument(metavar="DATA", help="The county's folder or file.")],
    lists: ListsOption = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="Today by default.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Say how far each list has come, by township: given, visited, absent, confirmed, open, overdue."""
    from riskmodel import scoring
    from riskmodel.data import secret_key
    from riskmodel.households import to_date
    from riskmodel.io import write_table

    day = to_date(as_of) if as_of else dt.date.today()
    table = scoring.visit_progress(into, lists or [MONTHS], day, secret_key() if pseudonymise else None)
    if out is not None:
        write_table(table, out)
    if as_json:
        tell({"rows": table.to_dict("records"), "out": str(out) if out else None}, as_json)
        return
    typer.echo(table.to_string(index=False))


@verb
def month(
    data: DataArgument,
    as_of: AsOfOption,
    visits: Annotated[
        int | None, typer.Option("--visits", min=1, help="How many can be visited; said once.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME@ALIAS", help="Default county@champion.")
    ] = None,
    random_share: Annotated[
        float | None, typer.Option("--random-share", min=0, max=1, help="Share of visits that is drawn.")
    ] = None,
    by: Annotated[
        Literal["township", "village", "none"] | None,
        typer.Option("--by", help="A sheet for each: township."),
    ] = None,
    split: SplitOption = None,
    quota: QuotaOption = None,
    floor: Annotated[
        float | None, typer.Option("--floor", min=0, max=1, help="Probability a quota asks for: 0.1.")
    ] = None,
    beyond: BeyondOption = None,
    names: NamesOption = None,
    measures: MeasuresOption = None,
    calendar: CalendarOption = None,
    ruleset: Annotated[
        str | None,
        typer.Option(
            "--ruleset", metavar="ID", help="That judges, an id or a YAML; model: the model's (default)."
        ),
    ] = None,
    param: ParamOption = None,
    line: LineOption = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the random share.")] = None,
    lang: Annotated[str | None, typer.Option("--lang", help="zh or en: outputs and messages.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of all months.")] = MONTHS,
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Check, judge, score, list, report and balance a month in one go; a killed run is taken up again."""
    from riskmodel import month as monthly
    from riskmodel.explanation import load_measures
    from riskmodel.rules import read_calendar

    options = monthly.MonthOptions(
        model=model, visits=visits, random_share=random_share, by=by, split=split,
        quota=tuple(quota) if quota else None, floor=floor, beyond=beyond,
        measures=load_measures(measures) if measures else None, seed=seed,
        calendar=read_calendar(calendar) if calendar else None, lang=lang, ruleset=ruleset,
        params=tuple(param) if param else None, line=tuple(line) if line else None,
    )  # fmt: skip
    people = read_people(names, reading.pseudonymise)
    result = monthly.run_month(
        data, as_of, out, store=store, options=options, names=people, say=say, **reading.options
    )
    tell(result.summary, as_json)


@verb
def months(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of all months.")] = MONTHS,
    household: Annotated[
        list[str] | None, typer.Option("--household", metavar="ID", help="Its scores; repeatable.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATA", help="Finds scores under earlier numbers too.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: outputs and messages.")] = "zh",
    as_json: JsonFlag = False,
) -> None:
    """Say what made each month, or the scores of households month by month, exactly as made then."""
    from riskmodel import month as monthly
    from riskmodel.io import write_table

    if household and data is not None:
        from riskmodel.data import read_county
        from riskmodel.households import all_numbers, known_county

        county = read_county(data)
        household = all_numbers(known_county(county, county.known_through), household)

    table = monthly.scores_by_month(out, household, lang) if household else monthly.list_months(out)
    if to is not None:
        write_table(table, to)
    if as_json:
        tell({"rows": table.to_dict("records"), "out": str(to) if to else None}, as_json)
        return
    short = ["as_of", "household_id", "probability", "rank", "rule_category", "model", "model_version"]
    shown = table[short] if household else table.drop(columns=["feature_set_hash"])
    typer.echo(shown.to_string(index=False))
