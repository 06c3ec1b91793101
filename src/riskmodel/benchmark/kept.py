"""Panels that are done, kept in the output folder: a bench that was killed goes on where it stopped.

A panel is kept under a digest of all that its figures follow from: its declaration and the bench's, the
experiment, its feature set, the data file's bytes, the parts of the program that make figures, and the
libraries. If any of it changes the panel is run again; a change to the page or to a verb runs nothing again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import features
from riskmodel.benchmark.declared import Bench, Panel
from riskmodel.io import files
from riskmodel.runs import tracking

FOLDER = "panels"
_ABOUT = "panel.json"
_RUN = "run.json"
_PREDICTIONS = "predictions"
# What in the package can change a figure: modules and declarations of these parts.
_ENDINGS = (".py", ".yaml")
_PARTS = ("benchmark", "data", "evaluation", "features", "households", "models", "rules", "runs", "targets")
_ONLY_SIMULATED = ("simulate",)
# Parts of the bench that only show what was found.
_SHOWN = ("cells", "details", "figures", "found", "kept", "logged", "page", "run", "summary", "views")


@dataclass(frozen=True)
class Found:
    """What a panel gave, before it is logged.

    Attributes
    ----------
    tables : dict of name to DataFrame
    predictions : DataFrame
        Households numbered anew: ids stay in the county.
    notes : list of dict with keys "zh", "en"
    facts : dict
        What the panel is: households, villages, dates, label, budget, and what it cost.
    seconds : float
    """

    tables: dict[str, pd.DataFrame]
    predictions: pd.DataFrame
    notes: list[dict[str, str]]
    facts: dict[str, Any]
    seconds: float


def digest(bench: Bench, panel: Panel, quick: bool, file: Path | None) -> str:
    """Hash all that a panel's figures follow from.

    Parameters
    ----------
    bench : Bench
        With the models that can be fitted here.
    panel : Panel
    quick : bool
    file : Path, optional
        The panel's own file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    said: dict[str, Any] = {
        "bench": bench.model_dump(mode="json", exclude={"panels", "title", "size", "quick_size"}),
        "panel": panel.model_dump(mode="json", exclude={"title", "short", "about", "quick"}),
        "size": (bench.quick_size if quick else bench.size).model_dump(),
        "file": _sha256(file) if file and file.is_file() else None,
        "program": _program(panel.source == "simulate"),
        "environment": tracking.environment(),
    }
    if panel.experiment is not None:
        exp = bench.experiment_of(panel)
        said["experiment"] = exp.model_dump(mode="json")
        said["features"] = features.load(exp.feature_set).model_dump(mode="json")
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def write(found: Found, folder: Path, mark: str) -> None:
    """Keep a panel; what says that it is whole is written last.

    Parameters
    ----------
    found : Found
    folder : Path
        The panel's own.
    mark : str
        Of `digest`.
    """
    for name, frame in {_PREDICTIONS: found.predictions, **found.tables}.items():
        files.write_table(frame, folder / f"{name}.parquet")
    files.write_json(
        {"digest": mark, "tables": list(found.tables), "notes": found.notes, "facts": found.facts,
         "seconds": found.seconds}, folder / _ABOUT,
    )  # fmt: skip


def read(folder: Path, mark: str) -> Found | None:
    """Read a panel that was kept.

    Parameters
    ----------
    folder : Path
    mark : str
        Of `digest`.

    Returns
    -------
    Found or None
        None where there is none, or it was made from anything else.
    """
    about = _json(folder / _ABOUT)
    if about is None or about.get("digest") != mark:
        return None
    names = [*about["tables"], _PREDICTIONS]
    if not all((folder / f"{name}.parquet").is_file() for name in names):
        return None
    tables = {name: files.read_table(folder / f"{name}.parquet") for name in about["tables"]}
    made = files.read_table(folder / f"{_PREDICTIONS}.parquet")
    return Found(tables, made, about["notes"], about["facts"], about["seconds"])


def logged(folder: Path, mark: str, store: Path) -> str | None:
    """Return the MLflow run of a kept panel, or None if this store does not hold it.

    Parameters
    ----------
    folder : Path
    mark : str
    store : Path

    Returns
    -------
    str or None
    """
    about = _json(folder / _RUN)
    there = about is not None and about["digest"] == mark and about["store"] == str(store.resolve())
    return about["run_id"] if there and about and tracking.run_finished(about["run_id"], store) else None


def note_run(folder: Path, mark: str, store: Path, run_id: str) -> None:
    """Write down under which run a kept panel was logged."""
    content = {"digest": mark, "store": str(store.resolve()), "run_id": run_id}
    files.write_json(content, folder / _RUN)


def _json(path: Path) -> Mapping[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _program(simulated: bool) -> str:
    home = Path(__file__).resolve().parents[1]
    parts = (*_PARTS, *(_ONLY_SIMULATED if simulated else ()))
    whole = hashlib.sha256()
    for path in sorted(p for p in home.rglob("*") if p.suffix in _ENDINGS):
        inside = path.relative_to(home).with_suffix("").parts
        if inside[0] in parts and not (inside[0] == "benchmark" and inside[1] in _SHOWN):
            whole.update("/".join(inside).encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()
