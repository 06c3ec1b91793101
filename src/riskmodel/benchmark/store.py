"""Where panels that are done are kept: files with a checkpoint, and MLflow runs.

A benchmark that was killed goes on where it stopped: a panel is kept under a digest of all that its figures
follow from: its declaration and the benchmark's, the experiment, its feature set, the data file's bytes, the
parts of the program that make figures, and the libraries. If any of it changes the panel is run again; a
change to the page or to a verb runs nothing again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import features, models
from riskmodel.benchmark.declaration import Benchmark, Panel
from riskmodel.io import Checkpoints, file_digest, inputs_digest, read_table, write_table
from riskmodel.runs import environment, run_finished, start_run

FOLDER = "panels"
_PREDICTIONS = "predictions"
# The two checkpoints of a panel: its files, and the MLflow run they were logged under.
_PANEL, _RUN = "panel", "run"
# What in the package can change a figure: modules and declarations of these parts.
_ENDINGS = (".py", ".yaml")
_PARTS = ("benchmark", "data", "evaluation", "features", "households", "models", "rules", "runs", "targets")
_ONLY_SIMULATED = ("simulate",)
# Parts of the benchmark that only show or keep what was measured.
_SHOWN = ("cells", "details", "figures", "findings", "page", "store", "tables", "views")
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
    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self.folder, folder="")

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """All that the panel's figures follow from."""
        bench, panel = self.bench, self.panel
        out: dict[str, Any] = {
            "bench": bench.model_dump(mode="json", exclude={"panels", "title", "size", "quick_size"}),
            "panel": panel.model_dump(mode="json", exclude={"title", "short", "about", "quick"}),
            "size": (bench.quick_size if self.quick else bench.size).model_dump(),
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
            "panel": panel.id, "source": panel.source, "experiment": panel.experiment or "matrix",
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
        compared = output.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
        opened.metrics({k: v for k, v in _figures(compared, name).items() if k in _COMPARED})
        if "truth" in output.tables:
            true = _figures(output.tables["truth"], name)
            opened.metrics({f"truth_{k}": v for k, v in true.items() if k not in ("n", "n_events")})


def _figures(table: pd.DataFrame, name: str) -> dict[str, float]:
    """Return the numbers of a model's row; nothing where it has none."""
    rows: list[dict[Any, Any]] = table[table["model"] == name].to_dict("records")
    return {
        str(k): float(v)
        for k, v in (rows[0] if rows else {}).items()
        if isinstance(v, int | float) and not isinstance(v, bool)
    }
