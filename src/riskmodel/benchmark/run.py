"""Run a benchmark: every panel, model and rule set, into one MLflow experiment and one set of tables.

A benchmark that was killed goes on where it stopped: a panel is kept under a digest of all that its figures
follow from: its declaration and the benchmark's, the experiment, its feature set, the data file's bytes, the
parts of the program that make figures, and the libraries. If any of it changes the panel is run again; a
change to the page or to a verb runs nothing again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from riskmodel import features, models
from riskmodel.benchmark import panels
from riskmodel.benchmark.panels import Benchmark, CountySize, Panel, Report
from riskmodel.errors import InputRefused, UsageError, did_you_mean
from riskmodel.io import Checkpoints, file_digest, inputs_digest, read_table, write_table
from riskmodel.runs import (
    environment,
    run_finished,
    start_run,
)

FOLDER = "panels"
_PREDICTIONS = "predictions"
# The two checkpoints of a panel: its files, and the MLflow run they were logged under.
_PANEL, _RUN = "panel", "run"
# What in the package can change a figure: modules and declarations of these parts.
_ENDINGS = (".py", ".yaml")
_PARTS = ("benchmark", "data", "evaluation", "features", "households", "models", "rules", "runs", "targets")
_ONLY_SIMULATED = ("simulate",)
# Parts of the benchmark that only show or keep what was measured.
_SHOWN = ("findings", "page", "tables")
# MLflow's own tag: its page folds the children under their parent.
_PARENT = "mlflow.parentRunId"
_COMPARED = ("delta_recall", "delta_low", "delta_high", "p_bootstrap", "p_holm", "overlap")


@dataclass(frozen=True)
class PanelOutput:
    """What a panel gave: tables by name, predictions (households numbered anew), notes, facts, seconds."""

    tables: dict[str, pd.DataFrame]
    predictions: pd.DataFrame
    notes: list[dict[str, str]]
    facts: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class PanelJob:
    """One panel to run: the benchmark with the models that can be fitted here, the folder, the data file."""

    bench: Benchmark
    panel: Panel
    out: Path
    file: Path | None
    quick: bool

    @property
    def folder(self) -> Path:
        """Where the panel is kept when it is done."""
        return self.out / FOLDER / self.panel.id

    @property
    def size(self) -> CountySize:
        """How large its county is, if it is simulated."""
        return self.bench.quick_size if self.quick else self.bench.size

    @property
    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self.folder, folder="")

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """All that the panel's figures follow from."""
        bench, panel = self.bench, self.panel
        out: dict[str, Any] = {
            "bench": bench.model_dump(mode="json", exclude={"panels", "title", "size", "quick_size"}),
            "panel": panel.model_dump(mode="json", exclude={"title", "short", "about", "quick"}),
            "size": self.size.model_dump(),
            "file": file_digest(self.file) if self.file and self.file.is_file() else None,
            "program": _program_digest(panel.source == "simulate"),
            "environment": environment(),
        }
        if panel.experiment is not None:
            exp = bench.experiment_of(panel)
            out["experiment"] = exp.model_dump(mode="json")
            out["features"] = features.load_feature_set(exp.feature_set).model_dump(mode="json")
        return out

    @property
    def digest(self) -> str:
        """A hash of all that the panel's figures follow from (64 hexadecimal digits)."""
        return inputs_digest(self.inputs)

    def save(self, output: PanelOutput) -> None:
        """Keep what the panel gave; the checkpoint, which says that it is whole, is written last."""
        frames = {_PREDICTIONS: output.predictions, **output.tables}
        paths = [write_table(frame, self.folder / f"{name}.parquet") for name, frame in frames.items()]
        content = {
            "tables": list(output.tables), "notes": output.notes, "facts": output.facts,
            "seconds": output.seconds,
        }  # fmt: skip
        self._checkpoints.write(_PANEL, {"digest": self.digest}, paths, content)

    def read(self) -> PanelOutput | None:
        """Return what was kept of the panel; None if there is nothing, or it was made otherwise."""
        if not self._checkpoints.is_done(_PANEL, {"digest": self.digest}):
            return None
        content = self._checkpoints.result(_PANEL)
        tables = {name: self._table(name) for name in content["tables"]}
        return PanelOutput(
            tables, self._table(_PREDICTIONS), content["notes"], content["facts"], content["seconds"]
        )

    def _table(self, name: str) -> pd.DataFrame:
        return read_table(self.folder / f"{name}.parquet")

    def log(self, output: PanelOutput, store: Path) -> str:
        """Log the panel unless this store holds it; return its run, the parent of one run a model."""
        inputs = {"digest": self.digest, "store": str(store.resolve())}
        if self._checkpoints.is_done(_RUN, inputs):
            known: str = self._checkpoints.result(_RUN)
            if run_finished(known, store):
                return known
        run_id = _log_panel(self, output, store)
        self._checkpoints.write(_RUN, inputs, [], run_id)
        return run_id


def _program_digest(simulated: bool) -> str:
    home = Path(__file__).resolve().parents[1]
    parts = (*_PARTS, *(_ONLY_SIMULATED if simulated else ()))
    whole = hashlib.sha256()
    for path in sorted(p for p in home.rglob("*") if p.suffix in _ENDINGS):
        inside = path.relative_to(home).with_suffix("").parts
        if inside[0] in parts and not (inside[0] == "benchmark" and inside[1] in _SHOWN):
            whole.update("/".join(inside).encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()


def _log_panel(job: PanelJob, output: PanelOutput, store: Path) -> str:
    bench, panel = job.bench, job.panel
    tags = {"bench": bench.id, "panel": panel.id, "quick": str(job.quick).lower(), "digest": job.digest}
    names = list(dict.fromkeys(output.predictions["model"]))
    with start_run(bench.id, store, panel.id, tags) as opened:
        opened.params({
            "panel": panel.id, "source": panel.source, "experiment": panel.experiment,
            "models": names, "seed": bench.seed, "quick": job.quick,
            **{k: v for k, v in output.facts.items() if v is not None},
        })  # fmt: skip
        for name, frame in {_PREDICTIONS: output.predictions, **output.tables}.items():
            opened.table(frame, f"tables/{name}")
        opened.document(bench.model_dump(mode="json"), "bench.json")
        opened.metrics({"seconds": output.seconds})
        for name in names:
            _log_model(job, output, name, {**tags, _PARENT: opened.run_id}, store)
    return opened.run_id


def _log_model(job: PanelJob, output: PanelOutput, name: str, tags: dict[str, str], store: Path) -> None:
    params = job.bench.params_of(job.panel).get(name, {})
    tags = {**tags, "model": name, "family": models.model_entry(name).tradition}
    with start_run(job.bench.id, store, f"{job.panel.id}/{name}", tags) as opened:
        opened.params({"model": name, "panel": job.panel.id, **params})
        opened.metrics(_figures(output.tables["metrics"], name))
        compared = budget_comparison(output.tables)
        opened.metrics({k: v for k, v in _figures(compared, name).items() if k in _COMPARED})
        if "truth" in output.tables:
            true = _figures(output.tables["truth"], name)
            opened.metrics({f"truth_{k}": v for k, v in true.items() if k not in ("n", "n_events")})


def budget_comparison(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the comparison with the baseline at the budget, over all test dates."""
    return tables["comparison"].query("scope == 'pooled' and at == 'budget'")


def _figures(table: pd.DataFrame, name: str) -> dict[str, float]:
    """Return the numbers of a model's row; nothing where it has none."""
    rows: list[dict[Any, Any]] = table[table["model"] == name].to_dict("records")
    return {
        str(k): float(v)
        for k, v in (rows[0] if rows else {}).items()
        if isinstance(v, int | float) and not isinstance(v, bool)
    }


_LOG = logging.getLogger(__name__)
_KIB_IN_GIB = 2**20


def run_panel(job: PanelJob, say: Report) -> bool:
    """Run one panel and keep it, unless it is kept already; say whether it was run."""
    if job.read() is not None:
        say(f"panel {job.panel.id}: done before, kept in {job.folder}")
        return False
    say(f"panel {job.panel.id}")

    def report(text: str) -> None:
        say(f"{job.panel.id}: {text}")

    start, cpu = time.monotonic(), time.process_time()
    # The fits are many and small: threads would mostly wait for each other.
    with threadpool_limits(limits=1):
        folder = job.out / "data" / job.panel.id
        run = panels.run_county(job.bench, job.panel, job.size, folder, job.file, report)
    predictions, tables, notes, facts = run
    facts["cpu_seconds"] = round(time.process_time() - cpu)
    facts["peak_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_IN_GIB, 2)
    numbered = predictions.assign(household_id=pd.factorize(predictions["household_id"], sort=True)[0])
    job.save(PanelOutput(tables, numbered, notes, facts, time.monotonic() - start))
    return True


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
        leaks``, ``truth`` and ``unsupported`` where they are known, ``effects`` (village-robust logit),
        ``vulnerability_equations``, ``hazard_effects`` and ``scorecard``.
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
    panels
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
    panels: list[PanelResult]
    skipped: dict[str, str]
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    jobs: int = 1

    def table(self, name: str) -> pd.DataFrame:
        """Return one table over all panels, the panel's id in front; empty where no panel has it."""
        parts = [r.tables[name].assign(panel=r.panel.id) for r in self.panels if name in r.tables]
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
        Source (``eph``, ``teen-poverty``) to its file.
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
    left_out = bench.left_out()
    fittable = bench.model_copy(update={"models": tuple(m for m in bench.models if m not in left_out)})
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
        {k: skipped[k] for k in order if k in skipped}, left_out, time.monotonic() - start, jobs,
    )  # fmt: skip
    for name in sorted({n for r in result.panels for n in r.tables}):
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


def _run_panels(panel_jobs: list[PanelJob], jobs: int, say: Report) -> Iterator[tuple[PanelJob, str | None]]:
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
