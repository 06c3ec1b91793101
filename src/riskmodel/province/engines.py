"""Where the counties of a province run: in processes of this machine, or in the executors of Spark.

Either way it is `riskmodel.province.county_run.run_county` that runs, once a county.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from riskmodel.errors import UsageError
from riskmodel.io import limit_resources
from riskmodel.province.county_run import CountyTask, error_text, failed_record, run_county

Engine = Literal["local", "spark"]
Record = dict[str, Any]
Report = Callable[[Record], None]
_QUERIES = "RISKMODEL_QUERY_CACHE"  # see `riskmodel.data.compiled`
_TABLE_ENGINE_SHARE = (
    0.8  # of the machine's memory, as DuckDB takes by itself; shared by the counties at once
)


@dataclass(frozen=True)
class Limits:
    """What one county may use: the table engine's memory, and threads."""

    memory: str | None = None
    threads: int | None = None

    def shared_by(self, jobs: int) -> Limits:
        """Return the limits with what was not said filled in: an equal share of this machine."""
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        share = f"{max(256, int(_TABLE_ENGINE_SHARE * pages / jobs / 2**20))}MiB"
        threads = self.threads or max(1, (os.cpu_count() or 1) // jobs)
        return Limits(self.memory or share, threads)


def run_in_processes(
    run: Callable[[Any], Record],
    fail: Callable[[Any, str], Record],
    tasks: Sequence[Any],
    jobs: int,
    limits: Limits,
    report: Report,
) -> None:
    """Run tasks in processes of this machine, a fresh one a task; report each as it ends.

    Parameters
    ----------
    run
        A function of a module, which is given a task and raises nothing.
    fail
        Makes the record of a task whose process ended without one, from the task and what is known of it.
    tasks
        What to run.
    jobs
        How many at once.
    limits
        Of each.
    report
        Called with each record, from this thread.
    """
    each = limits.shared_by(jobs)
    folder = tempfile.TemporaryDirectory(prefix="riskmodel-queries-")
    with folder as queries, ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting = [pool.submit(_in_a_process, run, fail, task, each, queries) for task in tasks]
        for done in as_completed(waiting):
            report(done.result())


def run_local(tasks: Sequence[CountyTask], jobs: int, limits: Limits, report: Report) -> None:
    """Run counties in processes of this machine; parameters as of `run_in_processes`."""
    run_in_processes(run_county, failed_record, tasks, jobs, limits, report)


def _prepare(limits: Limits, queries: str) -> None:
    """Make a fresh process ready, before it loads anything heavy."""
    limit_resources(limits.memory, limits.threads)
    # Queries hold columns and parameters, no row: what one county's process compiled serves the next.
    os.environ.setdefault(_QUERIES, queries)


def _in_a_process(
    run: Callable[[Any], Record], fail: Callable[[Any, str], Record], task: Any, limits: Limits, queries: str
) -> Record:
    # A pool for each task: one that is killed (out of memory) breaks its own pool, and no other's.
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(
            1, mp_context=context, initializer=_prepare, initargs=(limits, queries)
        ) as pool:
            return pool.submit(run, task).result()
    except BrokenProcessPool:
        return fail(
            task,
            "its process ended without a word: it could not start, or was killed for want of memory "
            "(fewer --jobs, less --memory)",
        )
    except Exception as exc:
        return fail(task, error_text(exc))


SPARK_MISSING = (
    "--engine spark needs PySpark, which is not here: pip install 'riskmodel[spark]' (and Java 17 or later); "
    "--engine local needs neither"
)
JAVA_MISSING = (
    "--engine spark needs Java 17 or later, which is not here: install one (apt install openjdk-17-jre, "
    "conda install openjdk) or set JAVA_HOME; --engine local needs none"
)


def check_spark() -> None:
    """Refuse Spark where PySpark or Java is missing, before any work is done.

    Raises
    ------
    UsageError
        With what to install.
    """
    from importlib.util import find_spec

    if find_spec("pyspark") is None:
        raise UsageError(SPARK_MISSING)
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and (Path(home) / "bin" / "java").exists())):
        raise UsageError(JAVA_MISSING)


def run_on_spark(tasks: Sequence[CountyTask], jobs: int, limits: Limits, report: Report) -> None:
    """Run counties in the executors of Spark, a partition a county; report them when all have ended.

    Parameters
    ----------
    tasks
        The counties to run; their tables and folders must be seen under the same path by driver and
        executors.
    jobs
        Cores of a local Spark; where ``spark-submit`` gave a master, that decides.
    limits
        Of each county.
    report
        Called with each county's record.

    Raises
    ------
    UsageError
        If PySpark or Java is missing.
    """
    check_spark()
    session, started = _session(jobs)
    by_name = {task.source.name: task for task in tasks}
    memory, threads = limits.memory, limits.threads or 1

    # Arrow batches, not pandas frames: PySpark 4.3 warns that it does not fully support pandas 3, also where,
    # as here, no frame is made.
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        limit_resources(memory, threads)
        for batch in batches:
            for name in batch.column("county").to_pylist():
                record = json.dumps(run_county(by_name[name]), ensure_ascii=False)
                yield pa.RecordBatch.from_pydict({"county": [name], "record": [record]})

    try:
        names = session.sparkContext.parallelize([(name,) for name in by_name], len(by_name))
        counties = session.createDataFrame(names, "county string")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
            rows = counties.mapInArrow(run, "county string, record string").collect()
        records = {row["county"]: json.loads(row["record"]) for row in rows}
    except Exception as exc:
        # A worker that is killed again and again ends the job; what other executors wrote stands.
        records, why = {}, f"the Spark job ended: {type(exc).__name__}; its log says more"
    else:
        why = "Spark gave no row for it"
    finally:
        if started:
            session.stop()
    for name, task in by_name.items():
        report(records.get(name) or task.standing_record() or failed_record(task, why))


def _session(jobs: int) -> tuple[Any, bool]:
    """Return the session of ``spark-submit``, or a local one, and whether it was started here."""
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        return active, False
    builder = SparkSession.builder.appName("riskmodel province")
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # not from spark-submit: this machine, this interpreter
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.master(os.environ.get("SPARK_MASTER", f"local[{jobs}]"))
        builder = builder.config("spark.ui.enabled", "false")
    return builder.getOrCreate(), True


ENGINES: dict[Engine, Callable[[Sequence[CountyTask], int, Limits, Report], None]] = {
    "local": run_local,
    "spark": run_on_spark,
}
