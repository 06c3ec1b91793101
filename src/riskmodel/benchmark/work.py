"""One panel from its data to its tables; a process of its own can do it."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from riskmodel import models
from riskmodel.benchmark import kept, matrix, panels
from riskmodel.benchmark.declared import Bench, Panel
from riskmodel.benchmark.kept import Found
from riskmodel.evaluation import Budget
from riskmodel.runs import Evaluation, Experiment, ExperimentResult, evaluate, run_experiment, select_truth
from riskmodel.targets import KEY

_KIB_IN_GIB = 2**20
_ASKED = {"zh": "下一年贫困", "en": "girls poor a year later"}


@dataclass(frozen=True)
class Job:
    """One panel to run.

    Attributes
    ----------
    bench : Bench
        With the models that can be fitted here.
    panel : Panel
    out : Path
        The bench's folder.
    file : Path, optional
        The panel's own file.
    quick : bool
    """

    bench: Bench
    panel: Panel
    out: Path
    file: Path | None
    quick: bool

    @property
    def folder(self) -> Path:
        """Where the panel is kept when it is done."""
        return self.out / kept.FOLDER / self.panel.id


def work(job: Job, say: Callable[[str], None]) -> bool:
    """Run one panel and keep it, unless it is kept already.

    Parameters
    ----------
    job : Job
    say : callable
        Is told progress.

    Returns
    -------
    bool
        False if it was there already.

    Raises
    ------
    UsageError, InputRefused
        If its data are not here or too few.
    """
    mark = kept.digest(job.bench, job.panel, job.quick, job.file)
    if kept.read(job.folder, mark) is not None:
        say(f"panel {job.panel.id}: done before, kept in {job.folder}")
        return False
    say(f"panel {job.panel.id}")
    told = _named(say, job.panel.id)
    began, cpu = time.monotonic(), time.process_time()
    # The fits are many and small: threads would mostly wait for each other.
    with threadpool_limits(limits=1):
        found, tables, notes, facts = (_matrix if job.panel.experiment is None else _county)(job, told)
    facts["cpu_seconds"] = round(time.process_time() - cpu)
    facts["peak_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_IN_GIB, 2)
    coded = found.assign(household_id=pd.factorize(found["household_id"], sort=True)[0])
    kept.write(Found(tables, coded, notes, facts, time.monotonic() - began), job.folder, mark)
    return True


def _named(say: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda text: say(f"{name}: {text}")


_Made = tuple[pd.DataFrame, dict[str, pd.DataFrame], list[dict[str, str]], dict[str, Any]]


def _county(job: Job, say: Callable[[str], None]) -> _Made:
    """Run a panel that is a county: simulated, or imported."""
    bench, panel = job.bench, job.panel
    exp = bench.experiment_of(panel)
    size = bench.quick_size if job.quick else bench.size
    say("data")
    source = panels.open_county(panel, size, job.out / "data" / panel.id, job.file)
    kept_fits: list[dict[str, Any]] = []
    result = run_experiment(
        exp, source.county, say, final=False, on_fold=lambda fold, train, fits: kept_fits.append(fits)
    )
    say("evaluating")
    found = evaluate(
        exp, result.predictions, baseline=panel.baseline, truth=select_truth(exp, source.truth),
        first_seen=result.first_seen, replicates=bench.bootstrap, test_replicates=bench.bootstrap_test,
        seed=bench.seed,
    )  # fmt: skip
    tables, notes = found.further(), found.notes
    tables |= {**_kept(kept_fits[-1]), "folds": result.folds, "leaks": result.leaks}
    facts = _facts(result.predictions, len(result.background.columns)) | _of_experiment(exp, result)
    if panel.source == "simulate":
        facts["simulated"] = {**size.model_dump(), "profile": panel.profile, "seed": panel.seed}
    return result.predictions, tables, [*result.notes, *notes], facts


def _matrix(job: Job, say: Callable[[str], None]) -> _Made:
    """Run a panel that is a ready matrix."""
    bench, panel = job.bench, job.panel
    file = panels.needed(panel, job.file)
    found, fitted, folds = matrix.predictions(bench, panel, bench.models_of(panel), file, say)
    say("evaluating")
    budget = Budget(visits=bench.budget.visits, share=bench.budget.share)
    evaluated = Evaluation(
        found, budget, panel.baseline, (_ASKED["zh"], _ASKED["en"]),
        replicates=bench.bootstrap, test_replicates=bench.bootstrap_test, seed=bench.seed,
    )  # fmt: skip
    tables, notes = evaluated.further(), evaluated.notes
    facts = _facts(found, len(matrix.FEATURES))
    facts |= {"cohort": "not_poor_now", "event": "poor_next_year", "horizon_months": 12, "ruleset": None,
              "feature_set": None, "calibration": "cross", "budget": bench.budget.model_dump()}  # fmt: skip
    return found, tables | _kept(fitted) | {"folds": folds}, notes, facts


def _facts(found: pd.DataFrame, features: int) -> dict[str, Any]:
    """Count what the test is made of."""
    rows = found[found["model"] == found["model"].iloc[0]]
    return {
        "households": int(rows["household_id"].nunique()),
        "villages": len(rows[["township", "village"]].drop_duplicates()),
        "townships": int(rows["township"].nunique()),
        "dates": len(rows[KEY[1]].unique()),
        "features": features,
        "n_models": len(found["model"].unique()),
    }


def _of_experiment(exp: Experiment, result: ExperimentResult) -> dict[str, Any]:
    return {
        "cohort": ", ".join(exp.cohort),
        "event": exp.events[0],
        "horizon_months": exp.horizon.months,
        "next": exp.horizon.next,
        "ruleset": exp.ruleset,
        "feature_set": exp.feature_set,
        "calibration": exp.calibration,
        "budget": exp.budget.model_dump(),
        "fingerprint": result.fingerprint,
        "leaks_suspected": int(result.leaks["suspected"].sum()),
    }


def _kept(fitted: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the tables that a fitted model itself is: effects with standard errors, the scorecard."""
    out = {}
    if "cluster_logit" in fitted:
        out["effects"] = fitted["cluster_logit"].base_.effects()
    if "scorecard" in fitted:
        out |= models.exported_card(fitted["scorecard"])
    return out


def absent(bench: Bench) -> dict[str, str]:
    """Return the models whose library is not installed, with the reason.

    Parameters
    ----------
    bench : Bench

    Returns
    -------
    dict
    """
    return {
        m: f"the extra {models.entry(m).extra!r} is not installed"
        for m in bench.models
        if not models.available(m)
    }
