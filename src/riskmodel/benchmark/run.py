"""Run a bench: every panel, every model and rule set, into one MLflow experiment and one set of tables."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.benchmark import kept, logged
from riskmodel.benchmark.declared import Bench, Panel
from riskmodel.benchmark.work import Job, absent, work
from riskmodel.errors import InputRefused, UsageError
from riskmodel.io import files

# Each process of a pair has one core: more threads than that only fight each other.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class PanelRun:
    """What one panel gave.

    Attributes
    ----------
    panel : Panel
    run_id : str
        Its MLflow run, the parent of one run a model.
    tables : dict of name to DataFrame
        ``metrics, comparison, deployed, visits, lead, gaps, support, net_benefit, planning, ordering, folds,
        leaks``, ``truth`` and ``unsupported`` where they are known, ``effects`` (village-robust logit) and
        ``scorecard``.
    notes : list of dict with keys "zh", "en"
    seconds : float
        Of the run that made it.
    facts : dict
        What the panel is; see `riskmodel.benchmark.kept.Found`.
    """

    panel: Panel
    run_id: str
    tables: dict[str, pd.DataFrame]
    notes: list[dict[str, str]]
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchRun:
    """A whole bench.

    Attributes
    ----------
    bench : Bench
    quick : bool
    done : list of PanelRun
    skipped : dict
        Panel id to the reason it was not run.
    left_out : dict
        Model to the reason it was not fitted anywhere.
    seconds : float
        From beginning to end; short where panels were kept from before.
    jobs : int
        Panels run at once.
    """

    bench: Bench
    quick: bool
    done: list[PanelRun]
    skipped: dict[str, str]
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    jobs: int = 1

    def table(self, name: str) -> pd.DataFrame:
        """Return one table over all panels, the panel's id in front.

        Parameters
        ----------
        name : str

        Returns
        -------
        DataFrame
            Empty where no panel has it.
        """
        parts = [r.tables[name].assign(panel=r.panel.id) for r in self.done if name in r.tables]
        if not parts:
            return pd.DataFrame()
        whole = pd.concat(parts, ignore_index=True)
        return whole[["panel", *(c for c in whole.columns if c != "panel")]]


def run(
    bench: Bench,
    out: str | Path,
    store: str | Path,
    *,
    quick: bool = False,
    sources: Mapping[str, Path] | None = None,
    only: Iterable[str] | None = None,
    progress: Callable[[str], None] | None = None,
    jobs: int = 1,
) -> BenchRun:
    """Run a bench, or what is left of one that was stopped.

    Parameters
    ----------
    bench : Bench
    out : str or Path
        Folder of the panels' data and of the tables. A panel that is whole there, made from the same
        declarations, data and program, is not run again.
    store : str or Path
        MLflow's SQLite file; all runs go into one experiment, the bench's id.
    quick : bool, default False
        Only the panels marked so, simulated ones in their small size.
    sources : mapping, optional
        Source (``eph``, ``teen_poverty``) to its file.
    only : iterable of str, optional
        Panel ids; default all.
    progress : callable, optional
        With several jobs a module's own function: it is called in other processes.
    jobs : int, default 1
        How many panels are run at once, each in a process of its own with one thread.

    Returns
    -------
    BenchRun

    Raises
    ------
    UsageError
        If ``only`` names no panel of the bench.
    """
    began, say = time.monotonic(), progress or _silent
    away = absent(bench)
    thin = bench.model_copy(update={"models": tuple(m for m in bench.models if m not in away)})
    todo, skipped = _chosen(bench, only, quick)
    files_of = dict(sources or {})
    given = [Job(thin, p, Path(out), files_of.get(p.source), quick) for p in todo]
    done: dict[str, PanelRun] = {}
    for job, reason in _each(given, jobs, say):
        if reason is not None:
            skipped[job.panel.id] = reason
            say(f"panel {job.panel.id} is skipped: {reason}")
        else:
            done[job.panel.id] = _collect(job, Path(store))
    order = [p.id for p in bench.panels]
    result = BenchRun(
        bench, quick, sorted(done.values(), key=lambda r: order.index(r.panel.id)),
        {k: skipped[k] for k in order if k in skipped}, away, time.monotonic() - began, jobs,
    )  # fmt: skip
    for name in sorted({n for r in result.done for n in r.tables}):
        files.write_table(result.table(name), Path(out) / "tables" / f"{name}.csv")
    return result


def _silent(text: str) -> None:
    """Tell nobody."""


def _chosen(bench: Bench, only: Iterable[str] | None, quick: bool) -> tuple[list[Panel], dict[str, str]]:
    there = [p.id for p in bench.panels]
    wanted = list(only or there)
    unknown = [w for w in wanted if w not in there]
    if unknown:
        raise UsageError(f"no panel {', '.join(unknown)}; there are: {', '.join(there)}")
    skipped = {p.id: "not asked for" for p in bench.panels if p.id not in wanted}
    skipped |= {
        p.id: "left out of the quick size"
        for p in bench.panels
        if quick and not p.quick and not only and p.id not in skipped
    }
    return [p for p in bench.panels if p.id not in skipped], skipped


def _each(given: list[Job], jobs: int, say: Callable[[str], None]) -> Iterator[tuple[Job, str | None]]:
    """Run panels, one after the other or some at once; give each with the reason it was skipped for."""
    if jobs < 2 or len(given) < 2:
        for job in given:
            yield job, _reason(job, functools.partial(work, job, say))
        return
    with _one_thread(), ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        # Imported panels are the longest and stand last in a declaration: begun first, none is waited for.
        running: list[tuple[Job, Future[bool]]] = [
            (job, pool.submit(work, job, say)) for job in sorted(given, key=_is_simulated)
        ]
        for job, future in running:
            yield job, _reason(job, future.result)


def _is_simulated(job: Job) -> bool:
    return job.panel.source == "simulate"


def _reason(job: Job, run_it: Callable[[], bool]) -> str | None:
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


def _collect(job: Job, store: Path) -> PanelRun:
    """Read a panel that is done, and log it unless this store holds it."""
    mark = kept.digest(job.bench, job.panel, job.quick, job.file)
    found = kept.read(job.folder, mark)
    if found is None:
        raise InputRefused(f"{job.folder}: what was kept of the panel cannot be read; delete it, run again")
    run_id = kept.logged(job.folder, mark, store)
    if run_id is None:
        run_id = logged.log(job, found, mark, store)
        kept.note_run(job.folder, mark, store, run_id)
    return PanelRun(job.panel, run_id, found.tables, found.notes, found.seconds, found.facts)
