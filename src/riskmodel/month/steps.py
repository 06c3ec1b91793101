"""The six steps of a month: each takes what stands, writes its files, and says what it made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import data as counties
from riskmodel import presentation, register, rules
from riskmodel.data import County, DataRefused
from riskmodel.households import point_in_time
from riskmodel.io import files
from riskmodel.month.settings import NO_SHEETS, Settings
from riskmodel.presentation import with_rules
from riskmodel.runs import tracking
from riskmodel.scoring import score, worklist
from riskmodel.scoring.worklist import returned

LANGS = ("zh", "en")
PAGE_ROWS = 20_000  # households on one page; the browser test holds it to that
Made = tuple[list[Path], dict[str, Any]]


@dataclass
class Work:
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
    settings: Settings
    say: Callable[[str], None]
    model: tracking.LoadedModel | None = None
    chosen: worklist.Worklist | None = field(default=None, init=False)
    _county: County | None = field(default=None, init=False)

    @property
    def county(self) -> County:
        """The county, read once a run."""
        if self._county is None:
            self._county = counties.read(self.data, **self.settings.reading)
        return self._county

    @cached_property
    def loaded(self) -> tracking.LoadedModel:
        """The model at the version of this month."""
        return self.model or tracking.load_model(self.settings.model, self.store)

    def keep(self, county: County) -> None:
        """Take over a county that a step has read."""
        self._county = county

    def scores(self, lang: str) -> pd.DataFrame:
        """Return the month's scores as the step `scored` wrote them."""
        return files.read_table(self.out / score_file(lang))


def score_file(lang: str) -> str:
    """Return where the scores in one language stand below the month's folder."""
    return f"scores.{lang}.parquet"


def checked(work: Work) -> Made:
    """Check the tables; refuse what cannot be used."""
    summary, found = counties.check(work.data, work.out / "check", lang=work.settings.lang,
                                    **work.settings.reading)  # fmt: skip
    if summary["refused"] or found is None:
        rejected = found.rejected if found else pd.DataFrame()
        raise DataRefused("; ".join(summary["refusals"]), rejected)
    warnings = point_in_time.outside(found, work.settings.as_of)
    for warning in warnings:
        work.say(f"warning: {warning}")
    work.keep(found)
    rows = {name: table["kept"] for name, table in summary["tables"].items()}
    made = _files(work.out / "check")
    told = {"rows": rows, "data_through": found.data_through.isoformat()}
    return made, told | ({"warnings": warnings} if warnings else {})


def judged(work: Work) -> Made:
    """Judge every household by the rule set that the model stands beside."""
    ruleset = work.loaded.ruleset
    verdicts = rules.evaluate(
        work.county, ruleset, work.settings.as_of, params=dict(work.loaded.card["params"])
    )
    path = files.write_table(verdicts, work.out / "rules" / f"{ruleset.id}.csv")
    counts = verdicts["category"].value_counts().sort_index()
    told = {"ruleset": ruleset.id, "flagged": int(verdicts["flagged"].sum())}
    return [path], {**told, "categories": {str(k): int(v) for k, v in counts.items()}}


def scored(work: Work) -> Made:
    """Score every household, with reasons in both languages, and log what the scores were made of."""
    made = score.by_language(work.county, work.loaded, work.settings.as_of, LANGS)
    paths = [files.write_table(made[lang], work.out / score_file(lang)) for lang in LANGS]
    card = {k: work.loaded.card[k] for k in ("feature_set", "ruleset", "params", "events", "horizon_months")}
    paths.append(files.write_json(card, work.out / "made_with.json"))
    return paths, score.log(made["zh"], work.loaded, work.store)


def listed(work: Work) -> Made:
    """List whom to visit: the workbook, and each household's chance of being on it."""
    made = _chosen(work)
    if len(made.planned) < made.visits:
        work.say(f"warning: {made.visits} visits, but only {len(made.planned)} households to plan them for")
    paths = _printed(work, made, work.out, None)
    paths.append(files.write_table(made.selection, work.out / "worklist-chances.csv"))
    paths.append(files.write_table(made.listed, work.out / "worklist.parquet"))
    return paths, {k: round(v, 6) for k, v in made.totals.items()}


def _chosen(work: Work) -> worklist.Worklist:
    if work.chosen is None:
        settings = work.settings
        work.chosen = worklist.build(
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


def _printed(work: Work, made: worklist.Worklist, folder: Path, names: pd.DataFrame | None) -> list[Path]:
    """Write workbook and visit sheets; a workbook that is filled in is put aside, never written over."""
    lang, target = work.settings.lang, folder / "worklist.xlsx"
    if kept := returned.set_aside(target):
        work.say(f"note: {target.name} was filled in: kept as {kept}; take it in: visits import")
    library = work.settings.measures
    return [
        presentation.write_worklist(made, target, lang, names),
        presentation.write_visit_sheets(made, folder / "visit-sheets.html", lang, names, library),
    ]


def named(work: Work, names: pd.DataFrame) -> list[Path]:
    """Write list and sheets once more, with names, beside the month: nothing of the month holds one."""
    made = _chosen(work)
    listed = set(made.listed["household_id"].astype(str))
    known = listed & set(names["household_id"].astype(str))
    work.say(f"names: {len(known)} of the {len(listed)} listed households have one")
    return _printed(work, made, named_folder(work.out), names)


def named_folder(out: Path) -> Path:
    """Return where the lists with names of a month go."""
    return out.with_name(f"{out.name}-with-names")


def reported(work: Work) -> Made:
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


def balanced(work: Work) -> Made:
    """Balance the register over the calendar month up to as-of."""
    if not work.county.has("monitoring"):
        return [], {"ledger": "no table monitoring: there is no register to balance"}
    last = work.settings.as_of
    made = register.build(work.county, last.replace(day=1), last)
    paths = presentation.write_register(made, work.out / "ledger", work.settings.lang)
    return sorted(paths.values()), _plain(register.summary(made))


def _plain(value: Any) -> Any:
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value
