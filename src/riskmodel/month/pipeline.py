"""A month in seven steps, each writing its files and a checkpoint; one whose checkpoint holds is skipped."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import cases, presentation, register, rules, scoring
from riskmodel.data import County, DataRefused, check_county, read_county, secret_key
from riskmodel.errors import InputMissing
from riskmodel.households import DateLike, KnownCounty, dates_outside_records, known_county, to_date
from riskmodel.i18n import counted
from riskmodel.io import (
    Checkpoints,
    collect_backups,
    folder_digest,
    folder_lock,
    inputs_digest,
    read_table,
    refuse_open_files,
    write_json,
    write_table,
    written_files,
)
from riskmodel.month import archive
from riskmodel.month.archive import NO_SHEETS, STEPS, MonthOptions, MonthSettings, score_file
from riskmodel.runs import LoadedModel, load_model

_LOG = logging.getLogger(__name__)
LANGS = ("zh", "en")
TOWNSHIPS = "townships"
PAGE_ROWS = 20_000  # households on one page; the browser test holds it to that
StepResult = tuple[list[Path], dict[str, Any]]  # files written, and what the step reports of itself


@dataclass
class MonthContext:
    """What the steps of one month share; heavy parts are made when first asked for."""

    data: Path
    out: Path
    store: Path
    settings: MonthSettings
    say: Callable[[str], None]
    model: LoadedModel | None = None

    @cached_property
    def county(self) -> County:
        """The county, read once a run (by the check, where that step has to be done)."""
        return read_county(self.data, **self.settings.reading)

    @cached_property
    def known(self) -> KnownCounty:
        """The county as known at as-of: what every step looks at."""
        return known_county(self.county, self.settings.as_of)

    @cached_property
    def loaded(self) -> LoadedModel:
        """The model at the version of this month."""
        return self.model or load_model(self.settings.model, self.store)

    @cached_property
    def case_log(self) -> cases.CaseLog:
        """The county's case log, which need not be there."""
        key = secret_key() if self.settings.pseudonymise else None
        return cases.open_case_log(self.data, key)

    @cached_property
    def ruleset(self) -> rules.RuleSet:
        """The rule set of this month: one that was asked for, else the model's."""
        return self.settings.rules or self.loaded.ruleset

    @cached_property
    def params(self) -> dict[str, Any]:
        """Its parameters, the line among them."""
        own = self.settings.params
        return dict(self.loaded.card["params"] if own is None else own)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Verdicts of the month's rules at as-of: written, scored beside and reported from one table."""
        return rules.evaluate_rules(self.known, self.ruleset, params=self.params)

    @cached_property
    def earlier_verdicts(self) -> pd.DataFrame:
        """Verdicts of the month before, as known then: who is newly found, and what changed."""
        return rules.judge_month_before(self.known, self.ruleset, self.params)

    @cached_property
    def worklist(self) -> scoring.Worklist:
        """The month's list, from the scores that stand on disk."""
        settings = self.settings
        by = None if settings.by == NO_SHEETS else settings.by
        return scoring.build_worklist(
            self.scores(settings.lang), visits=settings.visits, random_share=settings.random_share,
            by=by,  # type: ignore[arg-type]  # build_worklist checks it
            quota=settings.quota, floor=settings.floor, beyond=settings.beyond, county=self.known,
            seed=settings.seed, params=self.params, calendar=settings.calendar, ruleset=self.ruleset,
            earlier_verdicts=self.earlier_verdicts, case_log=self.case_log if self.case_log.exists else None,
        )  # fmt: skip

    def scores(self, lang: str) -> pd.DataFrame:
        """Return the month's scores as the step `score_households` wrote them."""
        return read_table(self.out / score_file(lang))


def check_data(context: MonthContext) -> StepResult:
    """Check the tables; refuse what cannot be used."""
    settings = context.settings
    summary, county = check_county(
        context.data, context.out / "check", lang=settings.lang, **settings.reading
    )
    if summary["refused"] or county is None:
        rejected = county.rejected if county else pd.DataFrame()
        raise DataRefused("; ".join(summary["refusals"]), rejected)
    warnings = dates_outside_records(county, settings.as_of)
    for warning in warnings:
        context.say(f"warning: {warning}")
    context.county = county
    rows = {name: table["kept"] for name, table in summary["tables"].items()}
    result = {"rows": rows, "data_through": county.data_through.isoformat()}
    return _files(context.out / "check"), result | ({"warnings": warnings} if warnings else {})


def apply_rules(context: MonthContext) -> StepResult:
    """Judge every household by the month's rules."""
    ruleset, verdicts = context.ruleset, context.verdicts
    path = write_table(verdicts, context.out / "rules" / f"{ruleset.id}.csv")
    counts = verdicts["category"].value_counts().sort_index()
    result: dict[str, Any] = {"ruleset": ruleset.id, "flagged": int(verdicts["flagged"].sum())}
    result |= {"line": context.settings.line, "params": context.settings.params or {}}
    return [path], {**result, "categories": {str(k): int(v) for k, v in counts.items()}}


def score_households(context: MonthContext) -> StepResult:
    """Score every household, with reasons in both languages, and log what the scores were made of."""
    scores = scoring.score_in_languages(
        context.known, context.loaded, langs=LANGS, verdicts=context.verdicts, ruleset=context.ruleset,
        params=context.params,
    )  # fmt: skip
    paths = [write_table(scores[lang], context.out / score_file(lang)) for lang in LANGS]
    card = {k: context.loaded.card[k] for k in ("feature_set", "events", "horizon_months")}
    card |= {"ruleset": context.ruleset.model_dump(mode="json", by_alias=True)}
    card |= {"params": context.settings.params or context.params, "line": context.settings.line}
    paths.append(write_json(card, context.out / "made_with.json"))
    kind, why = scoring.answer_of(scores["zh"])
    said = {} if kind == scoring.OWN else {"answer": f"{kind}:{why}"}
    return paths, scoring.log_scores(scores["zh"], context.loaded, context.store) | said


def list_visits(context: MonthContext) -> StepResult:
    """List whom to visit: the workbook, and each household's chance of being on it."""
    worklist = context.worklist
    if len(worklist.planned) < worklist.visits:
        homes = counted(len(worklist.planned), "household")
        context.say(f"warning: {counted(worklist.visits, 'visit')}, but only {homes} to plan for")
    for headline in presentation.list_headlines(worklist, context.settings.lang):
        context.say(f"warning: {headline}")
    settings = context.settings
    presentation.record_list(
        worklist, context.out, settings.lang, split=settings.split != NO_SHEETS, library=settings.measures
    )
    paths = _write_lists(context, context.out, None)
    scores = context.scores(settings.lang)
    page = context.out / presentation.OFFICE_PAGE
    paths.append(presentation.write_office_page(worklist, scores, page, settings.lang, settings.measures))
    paths.append(write_table(worklist.selection, context.out / "worklist-chances.csv"))
    paths.append(write_table(worklist.listed, context.out / "worklist.parquet"))
    return paths, {k: None if v != v else round(v, 6) for k, v in worklist.totals.items()}


def _write_lists(context: MonthContext, folder: Path, names: pd.DataFrame | None) -> list[Path]:
    """Write workbooks and visit sheets; what an office wrote into one is kept under another name."""
    settings, worklist = context.settings, context.worklist
    with collect_backups() as kept:
        paths = [
            presentation.write_worklist(
                worklist, folder / "worklist.xlsx", settings.lang, names, settings.measures
            ),
            presentation.write_visit_sheets(
                worklist, folder / "visit-sheets.html", settings.lang, names, settings.measures
            ),
        ]
        if settings.split != NO_SHEETS:
            paths += presentation.write_township_books(
                worklist, folder / TOWNSHIPS, settings.lang, names, settings.measures
            )
    for path in kept:
        context.say(f"note: {path.name} is what was filled in, kept as {path}; take it in: visits import")
    return paths


def write_named_lists(context: MonthContext, names: pd.DataFrame) -> list[Path]:
    """Write list and sheets once more, with names, beside the month: nothing of the month holds one."""
    names = scoring.names_by_current_number(names, context.known)
    context.say(scoring.names_met(names, context.worklist.listed["household_id"]))
    return _write_lists(context, named_lists_folder(context.out), names)


def named_lists_folder(out: Path) -> Path:
    """Return where the lists with names of a month go."""
    return out.with_name(f"{out.name}-with-names")


def write_month_report(context: MonthContext) -> StepResult:
    """Write the report: the run, this month's list with histories, and the page of rules and changes."""
    county, as_of, lang = context.known, context.settings.as_of, context.settings.lang
    listed = read_table(context.out / "worklist.parquet")
    ids = list(listed["household_id"])
    scores = {code: _with_plan(_for_page(context.scores(code), ids), listed, code) for code in LANGS}
    histories = presentation.histories(county, as_of, ids)
    yields = presentation.yields(county, as_of)
    report = presentation.read_run(context.settings.run_id, context.store, scores, histories, yields)
    report = replace(report, weighted_yield=presentation.weighted_yield(county, as_of))
    folder = context.out / "report"
    report = presentation.with_rules(
        report,
        county,
        context.ruleset,
        as_of,
        folder,
        params=context.params,
        verdicts=context.verdicts,
        earlier_verdicts=context.earlier_verdicts,
        lang=lang,
    )
    page = presentation.write_report(report, folder, lang)
    return _files(folder), {"page": page.name}


def _files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]


def _with_plan(scores: pd.DataFrame, listed: pd.DataFrame, lang: str) -> pd.DataFrame:
    """Return scores with each household's place on the list, and in words how it came there."""
    plan = listed[["household_id", "position", "planned"]].assign(plan=presentation.plan_words(listed, lang))
    out = scores.merge(plan, on="household_id", how="left", validate="1:1")
    return out.assign(planned=out["planned"].eq(True))


def _for_page(scores: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    """Return the rows that a page holds at ease: everybody on the list, then the highest scores."""
    listed = scores["household_id"].isin(ids)
    room = max(0, PAGE_ROWS - int(listed.sum()))
    return scores[listed | (~listed & ((~listed).cumsum() <= room))].reset_index(drop=True)


def balance_register(context: MonthContext) -> StepResult:
    """Balance the register over the calendar month up to as-of."""
    if not context.county.has("monitoring"):
        return [], {"ledger": "no table monitoring: there is no register to balance"}
    last = context.settings.as_of
    made = register.build_register_accounts(context.known, last.replace(day=1), last)
    paths = presentation.write_register(made, context.out / "ledger", context.settings.lang)
    return sorted(paths.values()), _plain(register.summarise_accounts(made))


def list_cases(context: MonthContext) -> StepResult:
    """List what cases are due and late, and for whom each waits."""
    book = cases.open_case_book(context.known, context.ruleset, context.case_log, verdicts=context.verdicts)
    overview = cases.Overview(book)
    paths = [
        presentation.write_case_sheets(overview, context.out / "cases.xlsx", context.settings.lang),
        write_table(book.cases, context.out / "cases.parquet"),
    ]
    return paths, overview.summary


def _plain(value: Any) -> Any:
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value


_FUNCTIONS = (
    check_data,
    apply_rules,
    score_households,
    list_visits,
    write_month_report,
    balance_register,
    list_cases,
)
STEP_FUNCTIONS: Mapping[str, Callable[[MonthContext], StepResult]] = dict(zip(STEPS, _FUNCTIONS, strict=True))
# What each step follows from beside its settings: the folder's bytes, what is known of them at as-of, what
# the case log held by then, or the files of earlier steps. What changes is made anew downstream, all else
# stands: rows that came to be known after a month's day are read and change nothing of it, a late row that
# was known by then makes it anew (all of it: verdicts, scores, list, report and ledger look at most tables,
# and all name the data's fingerprint).
DATA, KNOWN, LOG = "data", "known", "case log"
READS: Mapping[str, tuple[str, ...]] = {
    "check": (DATA,),
    "rules": (KNOWN,),
    "score": (KNOWN,),
    "worklist": (KNOWN, LOG, "score"),
    "report": (KNOWN, "score", "worklist"),
    "ledger": (KNOWN,),
    "cases": (KNOWN, LOG),
}


@dataclass(frozen=True)
class Month:
    """A month as it stands after a run.

    Parameters
    ----------
    out
        The month's folder.
    settings
        What it was made with.
    summaries
        What each step reports of itself.
    done
        Steps that this run had to do; the others stood already.
    named_lists
        The list and sheets with names, where names were given: no part of the month.
    """

    out: Path
    settings: MonthSettings
    summaries: Mapping[str, Any]
    done: tuple[str, ...]
    named_lists: tuple[Path, ...] = ()

    @property
    def summary(self) -> dict[str, Any]:
        """What a verb prints."""
        return {
            "out": str(self.out),
            "as_of": self.settings.as_of.isoformat(),
            "model": self.settings.model,
            "done": list(self.done),
            "kept": [name for name in STEP_FUNCTIONS if name not in self.done],
            **({"with_names": [str(path) for path in self.named_lists]} if self.named_lists else {}),
            **{name: self.summaries[name] for name in STEP_FUNCTIONS},
        }


def run_month(
    data: str | Path,
    as_of: DateLike,
    out: str | Path,
    *,
    store: str | Path,
    options: MonthOptions | None = None,
    names: pd.DataFrame | None = None,
    say: Callable[[str], None] | None = None,
    **reading: Any,
) -> Month:
    """Make a month: check, rules, score, worklist, report, ledger, cases, each once.

    A run that was killed is taken up where it stopped. A month made before is made again with the model
    version and the settings of then, unless others are asked for; as only rows known at as-of count, its
    scores, list, report and ledger come out byte for byte the same, whatever was recorded since: they are
    not even made again unless what was known then is another (`READS`).

    Parameters
    ----------
    data
        The county: a folder, a workbook or a DuckDB file.
    as_of
        The month's last day, a date or ISO text.
    out
        The folder of all months; this one's is named by its date.
    store
        MLflow's SQLite file.
    options
        What is asked for; the number of visits must be said the first time.
    names
        From `riskmodel.scoring.read_names`: list and sheets are written again with them, into a folder of
        their own beside the month's, which holds none.
    say
        Is given a line of text on each step; the log by default.
    **reading
        ``max_rejected``, ``snapshot_on``, ``pseudonymise``, as `riskmodel.data.read_county` takes them.

    Returns
    -------
    Month
        Its folder, settings and what each step reports.

    Raises
    ------
    InputRefused
        If the data cannot be used.
    UsageError
        If there is no such model, the number of visits was never said, or another run works in the month.
    InputMissing
        If a workbook of the month is open in a spreadsheet.
    """
    say = say or _LOG.info
    day = to_date(as_of)
    folder = Path(out) / day.isoformat()
    # A mistyped folder must not touch a month that is made already.
    if not Path(data).exists():
        raise InputMissing(f"{data}: no such folder or file")
    for place in (folder, named_lists_folder(folder)):
        refuse_open_files(place)
    with folder_lock(folder, say):
        return _make_month(
            Path(data), day, folder, Path(store), options or MonthOptions(), names, say, reading
        )


def _make_month(
    data: Path,
    day: dt.date,
    folder: Path,
    store: Path,
    options: MonthOptions,
    names: pd.DataFrame | None,
    say: Callable[[str], None],
    reading: Mapping[str, Any],
) -> Month:
    """Do every step that is not done yet."""
    steps = Checkpoints(folder)
    steps.remove_partial_files()
    digest = folder_digest(data)
    resolved, model = archive.resolve_settings(folder, day, options, store, **reading)
    archive.write_settings(resolved, folder)
    context = MonthContext(data, folder, store, resolved, say, model)
    summaries: dict[str, Any] = {}
    done: list[str] = []
    for number, (name, step) in enumerate(STEP_FUNCTIONS.items(), start=1):
        inputs = _inputs(name, context, digest, steps)
        is_done = steps.is_done(name, inputs)
        say(f"{number}/{len(STEP_FUNCTIONS)} {name}{': stands' if is_done else ''}")
        if not is_done:
            with written_files() as written:
                made, told = step(context)
            # What stood in its folders from before and was not written now is no part of the step.
            made = [path for path in made if path in written]
            steps.remove_stale_files(name, made)
            steps.write(name, inputs, made, told)
            done.append(name)
        summaries[name] = steps.result(name) or {}
    named = tuple(write_named_lists(context, names)) if names is not None else ()
    earlier = named_lists_folder(folder)
    if names is None and "worklist" in done and earlier.is_dir():
        say(f"warning: {earlier} is of an earlier list: give --names again, or delete it")
    return Month(folder, resolved, summaries, tuple(done), named)


def _inputs(step: str, context: MonthContext, digest: str, steps: Checkpoints) -> dict[str, Any]:
    """Return all that a step's files follow from: its settings, and what `READS` declares."""
    out: dict[str, Any] = {"settings": context.settings.of(step)}
    for source in READS[step]:
        if source == DATA:
            out[DATA] = digest
        elif source == LOG:
            out[LOG] = inputs_digest({"rows": context.case_log.rows_by(context.settings.as_of)})
        elif source == KNOWN:
            out[KNOWN] = _known_digest(context, digest, steps)
        else:
            checkpoint = steps.read(source)
            out[source] = checkpoint["files"] if checkpoint else None
    return out


def _known_digest(context: MonthContext, digest: str, steps: Checkpoints) -> str:
    """Return a digest of what is known at as-of; kept, so that the same files are not read again."""
    inputs = {DATA: digest, "as_of": context.settings.as_of.isoformat(), "reading": context.settings.reading}
    if not steps.is_done(KNOWN, inputs):
        steps.write(KNOWN, inputs, [], inputs_digest(describe_known(context)))
    return str(steps.result(KNOWN))


def describe_known(context: MonthContext) -> dict[str, Any]:
    """Return all of a county that a month's files can tell beside its settings, in plain values."""
    county, day = context.county, pd.Timestamp(context.settings.as_of)
    # Rows that could not be used are in no fingerprint; list and report name them, with file and row.
    losses = county.losses
    losses = losses[losses["household_id"].notna() & (pd.to_datetime(losses["known_on"]) <= day)].astype(str)
    return {
        "rows": context.known.fingerprint,
        "losses": losses.sort_values(list(losses.columns)).to_csv(index=False),
        # Of the tables that the fingerprint passes over while no row is known, this one adds a column.
        "claims": county.has("claims"),
        # The day until which records are whole counts where it cuts: the fingerprint has it then.
        "about": county.about.model_dump(mode="json", exclude={"data_through"}),
    }
