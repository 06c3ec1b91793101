"""The six steps of a month: each takes what stands, writes its files, and says what it made.

Running a month: step after step, each skipped where its marker says that it is done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import data as counties
from riskmodel import presentation, register, rules, scoring
from riskmodel.data import County, DataRefused
from riskmodel.errors import InputMissing
from riskmodel.households import DateLike, point_in_time
from riskmodel.io import files
from riskmodel.io.checkpoints import Checkpoints, folder_digest
from riskmodel.month import settings
from riskmodel.month.settings import NO_SHEETS, MonthOptions, MonthSettings
from riskmodel.presentation import with_rules
from riskmodel.runs import LoadedModel, load_model

LANGS = ("zh", "en")
PAGE_ROWS = 20_000  # households on one page; the browser test holds it to that
Made = tuple[list[Path], dict[str, Any]]


@dataclass
class MonthContext:
    """What the steps of one month share; heavy parts are made when first asked for.

    Parameters
    ----------
    data, out, store : Path
    settings : Settings
    say : callable
    model : LoadedModel, optional
        If it is loaded already.
    """

    data: Path
    out: Path
    store: Path
    settings: MonthSettings
    say: Callable[[str], None]
    model: LoadedModel | None = None
    chosen: scoring.Worklist | None = field(default=None, init=False)
    _county: County | None = field(default=None, init=False)

    @property
    def county(self) -> County:
        """The county, read once a run."""
        if self._county is None:
            self._county = counties.read_county(self.data, **self.settings.reading)
        return self._county

    @cached_property
    def loaded(self) -> LoadedModel:
        """The model at the version of this month."""
        return self.model or load_model(self.settings.model, self.store)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Verdicts of the model's rule set at as-of: written, scored beside and reported from one table."""
        params = dict(self.loaded.card["params"])
        return rules.evaluate_rules(self.county, self.loaded.ruleset, self.settings.as_of, params=params)

    def keep(self, county: County) -> None:
        """Take over a county that a step has read."""
        self._county = county

    def scores(self, lang: str) -> pd.DataFrame:
        """Return the month's scores as the step `score_households` wrote them."""
        return files.read_table(self.out / score_file(lang))


def score_file(lang: str) -> str:
    """Return where the scores in one language stand below the month's folder."""
    return f"scores.{lang}.parquet"


def check_data(work: MonthContext) -> Made:
    """Check the tables; refuse what cannot be used."""
    summary, found = counties.check_county(work.data, work.out / "check", lang=work.settings.lang,
                                    **work.settings.reading)  # fmt: skip
    if summary["refused"] or found is None:
        rejected = found.rejected if found else pd.DataFrame()
        raise DataRefused("; ".join(summary["refusals"]), rejected)
    warnings = point_in_time.dates_outside_records(found, work.settings.as_of)
    for warning in warnings:
        work.say(f"warning: {warning}")
    work.keep(found)
    rows = {name: table["kept"] for name, table in summary["tables"].items()}
    made = _files(work.out / "check")
    told = {"rows": rows, "data_through": found.data_through.isoformat()}
    return made, told | ({"warnings": warnings} if warnings else {})


def apply_rules(work: MonthContext) -> Made:
    """Judge every household by the rule set that the model stands beside."""
    ruleset, verdicts = work.loaded.ruleset, work.verdicts
    path = files.write_table(verdicts, work.out / "rules" / f"{ruleset.id}.csv")
    counts = verdicts["category"].value_counts().sort_index()
    told = {"ruleset": ruleset.id, "flagged": int(verdicts["flagged"].sum())}
    return [path], {**told, "categories": {str(k): int(v) for k, v in counts.items()}}


def score_households(work: MonthContext) -> Made:
    """Score every household, with reasons in both languages, and log what the scores were made of."""
    made = scoring.score_in_languages(work.county, work.loaded, work.settings.as_of, LANGS, work.verdicts)
    paths = [files.write_table(made[lang], work.out / score_file(lang)) for lang in LANGS]
    card = {k: work.loaded.card[k] for k in ("feature_set", "ruleset", "params", "events", "horizon_months")}
    paths.append(files.write_json(card, work.out / "made_with.json"))
    return paths, scoring.log_scores(made["zh"], work.loaded, work.store)


def list_visits(work: MonthContext) -> Made:
    """List whom to visit: the workbook, and each household's chance of being on it."""
    made = _chosen(work)
    if len(made.planned) < made.visits:
        work.say(f"warning: {made.visits} visits, but only {len(made.planned)} households to plan them for")
    paths = _printed(work, made, work.out, None)
    paths.append(files.write_table(made.selection, work.out / "worklist-chances.csv"))
    paths.append(files.write_table(made.listed, work.out / "worklist.parquet"))
    return paths, {k: round(v, 6) for k, v in made.totals.items()}


def _chosen(work: MonthContext) -> scoring.Worklist:
    if work.chosen is None:
        settings = work.settings
        work.chosen = scoring.build_worklist(
            work.scores(settings.lang),
            visits=settings.visits,
            random_share=settings.random_share,
            by=None if settings.by == NO_SHEETS else settings.by,  # type: ignore[arg-type]  # build checks
            quota=settings.quota,
            floor=settings.floor,
            beyond=settings.beyond,
            county=work.county,
            seed=settings.seed,
        )
    return work.chosen


def _printed(
    work: MonthContext, made: scoring.Worklist, folder: Path, names: pd.DataFrame | None
) -> list[Path]:
    """Write workbook and visit sheets; a workbook that is filled in is put aside, never written over."""
    lang, target = work.settings.lang, folder / "worklist.xlsx"
    if kept := scoring.back_up_filled_list(target):
        work.say(f"note: {target.name} was filled in: kept as {kept}; take it in: visits import")
    library = work.settings.measures
    return [
        presentation.write_worklist(made, target, lang, names),
        presentation.write_visit_sheets(made, folder / "visit-sheets.html", lang, names, library),
    ]


def write_named_lists(work: MonthContext, names: pd.DataFrame) -> list[Path]:
    """Write list and sheets once more, with names, beside the month: nothing of the month holds one."""
    made = _chosen(work)
    listed = set(made.listed["household_id"].astype(str))
    known = listed & set(names["household_id"].astype(str))
    work.say(f"names: {len(known)} of the {len(listed)} listed households have one")
    return _printed(work, made, named_lists_folder(work.out), names)


def named_lists_folder(out: Path) -> Path:
    """Return where the lists with names of a month go."""
    return out.with_name(f"{out.name}-with-names")


def write_month_report(work: MonthContext) -> Made:
    """Write the report: the run, this month's list with histories, and the page of rules and changes."""
    chosen = files.read_table(work.out / "worklist.parquet")
    on_list = list(chosen["household_id"])
    shown = {lang: _with_plan(_for_page(work.scores(lang), on_list), chosen, lang) for lang in LANGS}
    histories = presentation.histories(work.county, work.settings.as_of, on_list)
    found = presentation.yields(work.county, work.settings.as_of)
    given = presentation.read_run(work.settings.run_id, work.store, shown, histories, found)
    given = replace(given, weighted_yield=presentation.weighted_yield(work.county, work.settings.as_of))
    given = with_rules(
        given,
        work.county,
        work.loaded.ruleset,
        work.settings.as_of,
        work.out / "report",
        params=dict(work.loaded.card["params"]),
        verdicts=work.verdicts,
        lang=work.settings.lang,
    )
    page = presentation.write_report(given, work.out / "report", work.settings.lang)
    return _files(work.out / "report"), {"page": page.name}


def _files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]


def _with_plan(scores: pd.DataFrame, chosen: pd.DataFrame, lang: str) -> pd.DataFrame:
    """Return scores with each household's place on the list, and in words how it came there."""
    told = chosen[["household_id", "position", "planned"]].assign(plan=presentation.plan_words(chosen, lang))
    out = scores.merge(told, on="household_id", how="left", validate="1:1")
    return out.assign(planned=out["planned"].eq(True))


def _for_page(scores: pd.DataFrame, on_list: list[str]) -> pd.DataFrame:
    """Return the rows that a page holds at ease: everybody on the list, then the highest scores."""
    listed = scores["household_id"].isin(on_list)
    room = max(0, PAGE_ROWS - int(listed.sum()))
    return scores[listed | (~listed & ((~listed).cumsum() <= room))].reset_index(drop=True)


def balance_register(work: MonthContext) -> Made:
    """Balance the register over the calendar month up to as-of."""
    if not work.county.has("monitoring"):
        return [], {"ledger": "no table monitoring: there is no register to balance"}
    last = work.settings.as_of
    made = register.build_register_accounts(work.county, last.replace(day=1), last)
    paths = presentation.write_register(made, work.out / "ledger", work.settings.lang)
    return sorted(paths.values()), _plain(register.summarise_accounts(made))


def _plain(value: Any) -> Any:
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value


_LOG = logging.getLogger(__name__)
# In order; a step's files go into the inputs of every later one, so what changes is made anew downstream.
STEPS: Mapping[str, Callable[[MonthContext], Made]] = {
    "check": check_data,
    "rules": apply_rules,
    "score": score_households,
    "worklist": list_visits,
    "report": write_month_report,
    "ledger": balance_register,
}
# Which earlier steps' files each step reads.
READS: Mapping[str, tuple[str, ...]] = {"worklist": ("score",), "report": ("score", "worklist")}


@dataclass(frozen=True)
class Month:
    """A month as it stands after a run.

    Parameters
    ----------
    out : Path
    settings : Settings
    told : mapping
        Step to its summary.
    done : tuple of str
        Steps that this run had to do; the others stood already.
    named : tuple of Path
        The list and sheets with names, where names were given: no part of the month.
    """

    out: Path
    settings: MonthSettings
    told: Mapping[str, Any]
    done: tuple[str, ...]
    named: tuple[Path, ...] = ()

    @property
    def summary(self) -> dict[str, Any]:
        """What a verb prints."""
        return {
            "out": str(self.out),
            "as_of": self.settings.as_of.isoformat(),
            "model": self.settings.model,
            "done": list(self.done),
            "kept": [name for name in STEPS if name not in self.done],
            **({"with_names": [str(path) for path in self.named]} if self.named else {}),
            **{name: self.told[name] for name in STEPS},
        }


def run_month(
    data: str | Path,
    as_of: DateLike,
    out: str | Path,
    *,
    store: str | Path,
    wishes: MonthOptions | None = None,
    names: pd.DataFrame | None = None,
    say: Callable[[str], None] | None = None,
    **reading: Any,
) -> Month:
    """Make a month: check, rules, score, worklist, report, ledger, each once.

    A run that was killed is taken up where it stopped. A month made before is made again with the model
    version and the settings of then, unless others are asked for; as only rows known at as-of count, its
    scores, list, report and ledger come out byte for byte the same, whatever was recorded since.

    Parameters
    ----------
    data : str or Path
        The county.
    as_of : date or ISO text
    out : str or Path
        The folder of all months; this one's is named by its date.
    store : str or Path
        MLflow's SQLite file.
    wishes : Wishes, optional
        What is asked for; the number of visits must be said the first time.
    names : DataFrame, optional
        `riskmodel.scoring.office_files.read_names`: list and sheets are written again with them, into
        a folder of their own beside the month's, which holds none.
    say : callable, optional
        Is told what is being done.
    **reading
        ``max_rejected``, ``snapshot_on``, ``pseudonymise``, as `riskmodel.data.read_county` takes them.

    Returns
    -------
    Month

    Raises
    ------
    InputRefused
        If the data cannot be used.
    UsageError
        If there is no such model, or the number of visits was never said.
    """
    tell = say or _LOG.info
    day = point_in_time.to_date(as_of)
    folder = Path(out) / day.isoformat()
    steps = Checkpoints(folder)
    steps.remove_partial_files()
    # A mistyped folder must not touch a month that is made already.
    if not Path(data).exists():
        raise InputMissing(f"{data}: no such folder or file")
    content = folder_digest(Path(data))
    settled, loaded = settings.resolve_settings(folder, day, wishes or MonthOptions(), store, **reading)
    settings.write_settings(settled, folder)
    work = MonthContext(Path(data), folder, Path(store), settled, tell, loaded)
    told: dict[str, Any] = {}
    done: list[str] = []
    for number, (name, step) in enumerate(STEPS.items(), start=1):
        inputs = _inputs(name, settled, content, folder)
        if steps.is_done(name, inputs):
            tell(f"{number}/{len(STEPS)} {name}: stands")
        else:
            tell(f"{number}/{len(STEPS)} {name}")
            made, summary = step(work)
            steps.write(name, inputs, made, summary)
            done.append(name)
        told[name] = steps.result(name) or {}
    with_names = tuple(write_named_lists(work, names)) if names is not None else ()
    beside = named_lists_folder(folder)
    if names is None and "worklist" in done and beside.is_dir():
        tell(f"warning: {beside} is of an earlier list: give --names again, or delete it")
    return Month(folder, settled, told, tuple(done), with_names)


def _inputs(name: str, settled: MonthSettings, content: str, folder: Path) -> dict[str, Any]:
    out: dict[str, Any] = {"data": content, "settings": settled.of(name)}
    for before in READS.get(name, ()):
        found = Checkpoints(folder).read(before)
        out[before] = found["files"] if found else None
    return out
