"""Run a benchmark: every panel, model and rule set, into one MLflow experiment and one set of tables."""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from riskmodel import models
from riskmodel.benchmark import panels
from riskmodel.benchmark.declaration import Benchmark, Panel
from riskmodel.benchmark.store import PanelJob, PanelOutput
from riskmodel.errors import InputRefused, UsageError, did_you_mean
from riskmodel.i18n import both
from riskmodel.io import write_table
from riskmodel.runs import Evaluation, Experiment, ExperimentResult, evaluate, run_experiment, select_truth
from riskmodel.targets import KEY

_LOG = logging.getLogger(__name__)
_KIB_IN_GIB = 2**20


def run_panel(job: PanelJob, say: Callable[[str], None]) -> bool:
    """Run one panel and keep it, unless it is kept already; say whether it was run."""
    if job.read() is not None:
        say(f"panel {job.panel.id}: done before, kept in {job.folder}")
        return False
    say(f"panel {job.panel.id}")

    def report(text: str) -> None:
        say(f"{job.panel.id}: {text}")

    start, cpu = time.monotonic(), time.process_time()
    run_source = _run_waves if job.panel.experiment is None else _run_county
    # The fits are many and small: threads would mostly wait for each other.
    with threadpool_limits(limits=1):
        predictions, tables, notes, facts = run_source(job, report)
    facts["cpu_seconds"] = round(time.process_time() - cpu)
    facts["peak_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_IN_GIB, 2)
    numbered = predictions.assign(household_id=pd.factorize(predictions["household_id"], sort=True)[0])
    job.save(PanelOutput(tables, numbered, notes, facts, time.monotonic() - start))
    return True


_Panel = tuple[pd.DataFrame, dict[str, pd.DataFrame], list[dict[str, str]], dict[str, Any]]


def _run_county(job: PanelJob, say: Callable[[str], None]) -> _Panel:
    """Run a panel that is a county: simulated, or imported."""
    bench, panel = job.bench, job.panel
    exp = bench.experiment_of(panel)
    size = bench.quick_size if job.quick else bench.size
    say("data")
    source = panels.open_county(panel, size, job.out / "data" / panel.id, job.file)
    fold_models: list[dict[str, Any]] = []
    result = run_experiment(
        exp, source.county, say, final=False, on_fold=lambda fold, train, fits: fold_models.append(fits)
    )
    say("evaluating")
    evaluation = evaluate(
        exp, result.predictions, baseline=panel.baseline, truth=select_truth(exp, source.truth),
        first_seen=result.first_seen, replicates=bench.bootstrap, test_replicates=bench.bootstrap_test,
        seed=bench.seed,
    )  # fmt: skip
    tables, notes = evaluation.further(), evaluation.notes
    tables |= {**_model_tables(fold_models[-1]), "folds": result.folds, "leaks": result.leaks}
    facts = _count(result.predictions, len(result.background.columns)) | _experiment_facts(exp, result)
    if panel.source == "simulate":
        facts["simulated"] = {**size.model_dump(), "profile": panel.profile, "seed": panel.seed}
    return result.predictions, tables, [*(note.both() for note in result.notes), *notes], facts


def _run_waves(job: PanelJob, say: Callable[[str], None]) -> _Panel:
    """Run a panel that is a ready matrix of waves."""
    bench, panel = job.bench, job.panel
    file = panels.require_file(panel, job.file)
    predictions, fitted, folds = panels.predict_waves(bench, panel, bench.models_of(panel), file, say)
    say("evaluating")
    event = both("benchmark.sentences.poor next year")
    evaluation = Evaluation(
        predictions, bench.budget.per_date, panel.baseline, event,
        replicates=bench.bootstrap, test_replicates=bench.bootstrap_test, seed=bench.seed,
    )  # fmt: skip
    tables, notes = evaluation.further(), evaluation.notes
    facts = _count(predictions, len(panels.FEATURES))
    facts |= {"cohort": "not_poor_now", "event": "poor_next_year", "horizon_months": 12, "ruleset": None,
              "feature_set": None, "calibration": "cross", "budget": bench.budget.model_dump()}  # fmt: skip
    return predictions, tables | _model_tables(fitted) | {"folds": folds}, notes, facts


def _count(predictions: pd.DataFrame, features: int) -> dict[str, Any]:
    """Count what the test is made of."""
    rows = predictions[predictions["model"] == predictions["model"].iloc[0]]
    return {
        "households": int(rows["household_id"].nunique()),
        "villages": len(rows[["township", "village"]].drop_duplicates()),
        "townships": int(rows["township"].nunique()),
        "dates": len(rows[KEY[1]].unique()),
        "features": features,
        "n_models": len(predictions["model"].unique()),
    }


def _experiment_facts(exp: Experiment, result: ExperimentResult) -> dict[str, Any]:
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


def _model_tables(fitted: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the tables that fitted models themselves are: effects with standard errors, the scorecard."""
    return {k: v for name, model in fitted.items() for k, v in models.model_tables(name, model).items()}


def missing_libraries(bench: Benchmark) -> dict[str, str]:
    """Return the models whose library is not installed, with the reason."""
    return {
        m: f"the extra {models.model_entry(m).extra!r} is not installed"
        for m in bench.models
        if not models.is_available(m)
    }


# Each process of a pair has one core: more threads than that only fight each other.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class PanelResult:
    """What one panel gave.

    Attributes
    ----------
    panel
        Its declaration.
    run_id
        Its MLflow run, the parent of one run a model.
    tables
        ``metrics, comparison, deployed, visits, lead, gaps, support, net_benefit, planning, ordering, folds,
        leaks``, ``truth`` and ``unsupported`` where they are known, ``effects`` (village-robust logit) and
        ``scorecard``.
    notes
        What a reader must know, in ``zh`` and ``en``.
    seconds
        Of the run that made it.
    facts
        What the panel is: households, villages, dates, label, budget, and what it cost.
    """

    panel: Panel
    run_id: str
    tables: dict[str, pd.DataFrame]
    notes: list[dict[str, str]]
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchmarkResult:
    """A whole benchmark.

    Attributes
    ----------
    bench
        Its declaration.
    quick
        Whether in the quick size.
    done
        The panels that were run, in the order of the declaration.
    skipped
        Panel id to the reason it was not run.
    left_out
        Model to the reason it was not fitted anywhere.
    seconds
        From beginning to end; short where panels were kept from before.
    jobs
        Panels run at once.
    """

    bench: Benchmark
    quick: bool
    done: list[PanelResult]
    skipped: dict[str, str]
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    jobs: int = 1

    def table(self, name: str) -> pd.DataFrame:
        """Return one table over all panels, the panel's id in front; empty where no panel has it."""
        parts = [r.tables[name].assign(panel=r.panel.id) for r in self.done if name in r.tables]
        if not parts:
            return pd.DataFrame()
        whole = pd.concat(parts, ignore_index=True)
        return whole[["panel", *(c for c in whole.columns if c != "panel")]]


def run_benchmark(
    bench: Benchmark,
    out: str | Path,
    store: str | Path,
    *,
    quick: bool = False,
    sources: Mapping[str, Path] | None = None,
    only: Iterable[str] | None = None,
    progress: Callable[[str], None] | None = None,
    jobs: int = 1,
) -> BenchmarkResult:
    """Run a bench, or what is left of one that was stopped.

    Parameters
    ----------
    bench
        The declaration.
    out
        Folder of the panels' data and of the tables. A panel that is whole there, made from the same
        declarations, data and program, is not run again.
    store
        MLflow's SQLite file; all runs go into one experiment, the benchmark's id.
    quick
        Only the panels marked so, simulated ones in their small size.
    sources
        Source (``eph``, ``teen_poverty``) to its file.
    only
        Panel ids; default all.
    progress
        Called with a line of text at each step; with several jobs a module's own function: it is called in
        other processes.
    jobs
        How many panels are run at once, each in a process of its own with one thread.

    Returns
    -------
    BenchmarkResult
        Every panel's tables; they are written as CSV too.

    Raises
    ------
    UsageError
        If ``only`` names no panel of the bench.
    """
    start, say = time.monotonic(), progress or _LOG.info
    missing = missing_libraries(bench)
    fittable = bench.model_copy(update={"models": tuple(m for m in bench.models if m not in missing)})
    todo, skipped = _choose_panels(bench, only, quick)
    files_of = dict(sources or {})
    panel_jobs = [PanelJob(fittable, p, Path(out), files_of.get(p.source), quick) for p in todo]
    done: dict[str, PanelResult] = {}
    for job, reason in _run_panels(panel_jobs, jobs, say):
        if reason is not None:
            skipped[job.panel.id] = reason
            say(f"panel {job.panel.id} is skipped: {reason}")
        else:
            done[job.panel.id] = _read_panel(job, Path(store))
    order = [p.id for p in bench.panels]
    result = BenchmarkResult(
        bench, quick, sorted(done.values(), key=lambda r: order.index(r.panel.id)),
        {k: skipped[k] for k in order if k in skipped}, missing, time.monotonic() - start, jobs,
    )  # fmt: skip
    for name in sorted({n for r in result.done for n in r.tables}):
        write_table(result.table(name), Path(out) / "tables" / f"{name}.csv")
    return result


def _choose_panels(
    bench: Benchmark, only: Iterable[str] | None, quick: bool
) -> tuple[list[Panel], dict[str, str]]:
    there = [p.id for p in bench.panels]
    wanted = list(only or there)
    unknown = [w for w in wanted if w not in there]
    if unknown:
        raise UsageError(
            f"no panel {', '.join(unknown)}; there are: {', '.join(there)}{did_you_mean(unknown[0], there)}"
        )
    skipped = {p.id: "not asked for" for p in bench.panels if p.id not in wanted}
    skipped |= {
        p.id: "left out of the quick size"
        for p in bench.panels
        if quick and not p.quick and not only and p.id not in skipped
    }
    return [p for p in bench.panels if p.id not in skipped], skipped


def _run_panels(
    panel_jobs: list[PanelJob], jobs: int, say: Callable[[str], None]
) -> Iterator[tuple[PanelJob, str | None]]:
    """Run panels, one after the other or some at once; give each with the reason it was skipped for."""
    if jobs < 2 or len(panel_jobs) < 2:
        for job in panel_jobs:
            yield job, _skip_reason(job, functools.partial(run_panel, job, say))
        return
    with _one_thread(), ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        # Imported panels are the longest and stand last in a declaration: begun first, none is waited for.
        running: list[tuple[PanelJob, Future[bool]]] = [
            (job, pool.submit(run_panel, job, say)) for job in sorted(panel_jobs, key=_is_simulated)
        ]
        for job, future in running:
            yield job, _skip_reason(job, future.result)


def _is_simulated(job: PanelJob) -> bool:
    return job.panel.source == "simulate"


def _skip_reason(job: PanelJob, run_it: Callable[[], bool]) -> str | None:
    try:
        run_it()
    except (UsageError, InputRefused) as exc:
        return str(exc)
    except BrokenProcessPool as exc:
        raise InputRefused(
            f"the process of panel {job.panel.id} or of one beside it was ended from outside (memory?); "
            "what is done is kept: run the same again with --jobs 1"
        ) from exc
    return None


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _read_panel(job: PanelJob, store: Path) -> PanelResult:
    """Read a panel that is done, and log it unless this store holds it."""
    output = job.read()
    if output is None:
        raise InputRefused(f"{job.folder}: what was kept of the panel cannot be read; delete it, run again")
    run_id = job.log(output, store)
    return PanelResult(job.panel, run_id, output.tables, output.notes, output.seconds, output.facts)
