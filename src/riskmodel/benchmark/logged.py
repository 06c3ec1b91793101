"""A panel in MLflow: one run, and under it one run a model or rule set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.benchmark.kept import Found
from riskmodel.benchmark.work import Job
from riskmodel.runs import tracking

# MLflow's own tag: its page folds the children under their parent.
_PARENT = "mlflow.parentRunId"
_COMPARED = ("delta_recall", "delta_low", "delta_high", "p_bootstrap", "p_holm", "overlap")


def log(job: Job, found: Found, mark: str, store: Path) -> str:
    """Log a panel into the bench's experiment.

    Parameters
    ----------
    job : Job
    found : Found
    mark : str
        Digest of what it was made from.
    store : Path
        MLflow's SQLite file.

    Returns
    -------
    str
        The panel's run; its models' runs name it as their parent.
    """
    bench, panel = job.bench, job.panel
    tags = {"bench": bench.id, "panel": panel.id, "quick": str(job.quick).lower(), "digest": mark}
    names = list(dict.fromkeys(found.predictions["model"]))
    with tracking.start_run(bench.id, store, panel.id, tags) as opened:
        opened.params({
            "panel": panel.id, "source": panel.source, "experiment": panel.experiment or "matrix",
            "models": names, "seed": bench.seed, "quick": job.quick,
            **{k: v for k, v in found.facts.items() if v is not None},
        })  # fmt: skip
        for name, frame in {"predictions": found.predictions, **found.tables}.items():
            opened.table(frame, f"tables/{name}")
        opened.document(bench.model_dump(mode="json"), "bench.json")
        opened.metrics({"seconds": found.seconds})
        for name in names:
            _model(job, found, name, {**tags, _PARENT: opened.run_id}, store)
    return opened.run_id


def _model(job: Job, found: Found, name: str, tags: dict[str, str], store: Path) -> None:
    entry = models.entry(name)
    given = job.bench.params_of(job.panel).get(name, {})
    tags = {**tags, "model": name, "family": entry.family}
    with tracking.start_run(job.bench.id, store, f"{job.panel.id}/{name}", tags) as opened:
        opened.params({"model": name, "panel": job.panel.id, **given})
        opened.metrics(_row(found.tables["metrics"], name))
        compared = found.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
        opened.metrics({k: v for k, v in _row(compared, name).items() if k in _COMPARED})
        if "truth" in found.tables:
            true = _row(found.tables["truth"], name)
            opened.metrics({f"truth_{k}": v for k, v in true.items() if k not in ("n", "n_events")})


def _row(table: pd.DataFrame, name: str) -> dict[str, float]:
    rows: list[dict[Any, Any]] = table[table["model"] == name].to_dict("records")
    return {
        str(k): float(v)
        for k, v in (rows[0] if rows else {}).items()
        if isinstance(v, int | float) and not isinstance(v, bool)
    }
