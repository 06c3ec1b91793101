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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

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


def run_local(tasks: Sequence[CountyTask], jobs: int, limits: Limits, report: Report) -> None:
    """Run counties in processes of this machine, a fresh one a county; report each as it ends.

    Parameters
    ----------
    tasks
        The counties to run.
    jobs
        How many at once.
    limits
        Of each.
    report
        Called with each county's record, from this thread.
    """
    each = limits.shared_by(jobs)
    folder = tempfile.TemporaryDirectory(prefix="riskmodel-queries-")
    with folder as queries, ThreadPoolExecutor(max_workers=jobs) as pool:
        for done in as_completed([pool.submit(_in_a_process, task, each, queries) for task in tasks]):
            report(done.result())


def _prepare(limits: Limits, queries: str) -> None:
    """Make a fresh process ready, before it loads anything heavy."""
    limit_resources(limits.memory, limits.threads)
    # Queries hold columns and parameters, no row: what one county's process compiled serves the next.
    os.environ.setdefault(_QUERIES, queries)


def _in_a_process(task: CountyTask, limits: Limits, queries: str) -> Record:
    # A pool for each county: one that is killed (out of memory) breaks its own pool, and no other county.
    context = multiprocessing.get_context("spawn")
    given = (limits, queries)
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=_prepare, initargs=given) as pool:
            return pool.submit(run_county, task).result()
    except BrokenProcessPool:
        return failed_record(
            task, "its process was killed, most likely for want of memory: fewer --jobs, or less --memory"
        )
    except Exception as exc:
        return failed_record(task, error_text(exc))


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

    def run(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        limit_resources(memory, threads)
        for frame in frames:
            for name in frame["county"]:
                record = json.dumps(run_county(by_name[str(name)]), ensure_ascii=False)
                yield pd.DataFrame({"county": [str(name)], "record": [record]}, dtype=object)

    try:
        names = session.sparkContext.parallelize([(name,) for name in by_name], len(by_name))
        counties = session.createDataFrame(names, "county string")
        rows = counties.mapInPandas(run, "county string, record string").collect()
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
        report(records.get(name) or task.kept() or failed_record(task, why))


def _session(jobs: int) -> tuple[Any, bool]:
    """Return the session of ``spark-submit``, or a local one, and whether it was started here."""
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        return active, False
    builder = SparkSession.builder.appName("riskmodel province")
    if not os.environ.get(
        "SPARK_ENV_LOADED"
    ):  # no spark-submit: the interpreter that runs now, on this machine
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.master(os.environ.get("SPARK_MASTER", f"local[{jobs}]"))
        builder = builder.config("spark.ui.enabled", "false")
    return builder.getOrCreate(), True


ENGINES: dict[Engine, Callable[[Sequence[CountyTask], int, Limits, Report], None]] = {
    "local": run_local,
    "spark": run_on_spark,
}
