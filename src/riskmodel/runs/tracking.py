"""MLflow, and nothing else knows of it: runs, metrics, models without pickle, aliases.

One SQLite file holds runs and registry, artefacts lie beside it; no server, no network, no telemetry. A
model is stored with skops, loaded with a trust list that stands in `riskmodel.models`, and only after its
file's hash equals the one written down at registration: a changed file is refused before it is opened.
Nothing personal is logged: households are numbered anew in every run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.errors import InputMissing, InputRefused, UsageError, did_you_mean
from riskmodel.features import FeatureSet
from riskmodel.rules import RuleSet

FORMAT = 1
CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"  # the champion before, to go back to
MODEL_FILE = "model.skops"
_SHOWN_RUNS = 10
_PACKAGES = (
    "riskmodel",
    "numpy",
    "pandas",
    "scikit-learn",
    "statsmodels",
    "shap",
    "mlflow",
    "skops",
    "duckdb",
    "ibis-framework",
)


@dataclass(frozen=True, repr=False)
class LoadedModel:
    """A registered model with everything needed to score as it was trained.

    Attributes
    ----------
    name, alias, version
        Under which it is registered, as text.
    run_id
        The run that trained it.
    kind
        Which of the run's models it is (``logit``, …).
    model
        The fitted model.
    card
        What it was logged with: feature set, rule set, horizon, events, reference contributions.
    """

    name: str
    alias: str
    version: str
    run_id: str
    kind: str
    model: models.CalibratedScore
    card: Mapping[str, Any]

    def __repr__(self) -> str:
        return (
            f"LoadedModel({self.name}@{self.alias}: {self.kind}, version {self.version}, run {self.run_id})"
        )

    @property
    def feature_set(self) -> FeatureSet:
        """The feature set exactly as it was trained on, whatever the declarations say now."""
        return FeatureSet.model_validate(self.card["feature_set"])

    @property
    def ruleset(self) -> RuleSet:
        """The rule set exactly as it was compared with."""
        return RuleSet.model_validate(self.card["ruleset"])


def environment() -> dict[str, str]:
    """Return Python's and the main packages' versions."""
    out = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            out[name] = importlib.metadata.version(name)
    return out


def _mlflow() -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import mlflow.sklearn

    # Set after the import, which sets them louder: database migrations are no news to an office.
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return mlflow


def _client(store: Path, *, create: bool = False) -> Any:
    path = Path(store).resolve()
    if not create and not path.is_file():
        raise InputMissing(f"no model store at {store}; run `riskmodel train` first, or give --store")
    if path.exists() and not _is_store(path):
        raise InputRefused(f"{store} is not an MLflow store; give another file as --store")
    path.parent.mkdir(parents=True, exist_ok=True)
    mlflow = _mlflow()
    uri = f"sqlite:///{path}"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def _is_store(path: Path) -> bool:
    """Say whether a file is a SQLite database of MLflow's, or an empty one that it may fill."""
    if not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as opened:
            tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError:
        # Locked, for one: MLflow waits for it, and says what is wrong.
        return True
    except sqlite3.DatabaseError:
        return False
    return not tables or "alembic_version" in tables


class RunWriter:
    """An open MLflow run that is written to; opened by `start_run`."""

    def __init__(self, client: Any, run_id: str, store: Path) -> None:
        self._client = client
        self.run_id = run_id
        self._store = store

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters as text, in one batch."""
        from mlflow.entities import Param

        params = [
            Param(n, v if isinstance(v, str) else json.dumps(v, ensure_ascii=False, default=str))
            for n, v in values.items()
        ]
        self._client.log_batch(self.run_id, params=params)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log metrics in one batch; values that are not numbers are left out, not written as 0."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        known = [Metric(n, float(v), now, step) for n, v in values.items() if v is not None and v == v]
        self._client.log_batch(self.run_id, metrics=known)

    def table(self, frame: pd.DataFrame, name: str) -> None:
        """Log a frame as Parquet (``name`` without ending)."""
        from tempfile import TemporaryDirectory

        folder, _, stem = name.rpartition("/")
        with TemporaryDirectory() as tmp:
            path = Path(tmp) / f"{stem}.parquet"
            frame.to_parquet(path, index=False)
            self._client.log_artifact(self.run_id, str(path), folder or None)

    def document(self, content: Mapping[str, Any], name: str) -> None:
        """Log a document as JSON (``name`` with ending)."""
        self._client.log_dict(self.run_id, dict(content), name)

    def log_model(self, kind: str, model: Any, card: Mapping[str, Any]) -> str:
        """Log one model with its card (plain values); return the model file's SHA-256."""
        mlflow = _mlflow()
        _client(self._store)
        with warnings.catch_warnings(), mlflow.start_run(run_id=self.run_id, log_system_metrics=False):
            # Our estimators take anything scikit-learn takes and check it themselves.
            warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType")
            info = mlflow.sklearn.log_model(
                model,
                name=kind,
                serialization_format="skops",
                skops_trusted_types=models.trusted_types(),
                pip_requirements=[f"{n}=={v}" for n, v in environment().items() if n != "python"],
            )
        digest = _sha256(Path(mlflow.artifacts.download_artifacts(info.model_uri)) / MODEL_FILE)
        card = {"format": FORMAT, "kind": kind, "model_sha256": digest, "model_uri": info.model_uri, **card}
        self.document(card, f"cards/{kind}.json")
        return digest

    def register(self, name: str, kind: str, aliases: tuple[str, ...]) -> str:
        """Register one of the run's models as a name's next version, with aliases; return the version."""
        with contextlib.suppress(_mlflow().MlflowException):
            self._client.create_registered_model(name)
        card = _artifact(self._client, self.run_id, f"cards/{kind}.json")
        version = self._client.create_model_version(
            name,
            source=card["model_uri"],
            run_id=self.run_id,
            tags={"kind": kind, "model_sha256": card["model_sha256"]},
        ).version
        for alias in aliases:
            self._client.set_registered_model_alias(name, alias, version)
        return str(version)


@contextlib.contextmanager
def start_run(
    experiment: str, store: str | Path, name: str, tags: Mapping[str, str] | None = None
) -> Iterator[RunWriter]:
    """Open a run; it is marked failed if the body raises.

    Parameters
    ----------
    experiment
        MLflow experiment, made if it is not there.
    store
        MLflow's SQLite file, made if it is not there.
    name
        The run's name.
    tags
        Tag to text; default none.

    Yields
    ------
    RunWriter
        What parameters, metrics, tables and models are logged with.
    """
    store = Path(store)
    client = _client(store, create=True)
    existing = client.get_experiment_by_name(experiment)
    if existing is None:
        where = (store.resolve().parent / "mlartifacts").as_uri()
        experiment_id = client.create_experiment(experiment, artifact_location=f"{where}/{experiment}")
    else:
        experiment_id = existing.experiment_id
    run = client.create_run(experiment_id, run_name=name, tags=dict(tags or {}))
    writer = RunWriter(client, run.info.run_id, store)
    writer.document(environment(), "environment.json")
    try:
        yield writer
    except BaseException:
        client.set_terminated(writer.run_id, status="FAILED")
        raise
    client.set_terminated(writer.run_id, status="FINISHED")


def load_model(name_at_alias: str, store: str | Path) -> LoadedModel:
    """Load a registered model by ``NAME@ALIAS`` (or ``NAME@VERSION``).

    Parameters
    ----------
    name_at_alias
        Such as ``county@champion`` or ``county@3``.
    store
        MLflow's SQLite file.

    Returns
    -------
    LoadedModel
        The model with the feature set and rule set that it was trained on.

    Raises
    ------
    UsageError
        If the name, alias or store is not there.
    InputRefused
        If the model's file is not the one that was registered, or was written by another release and holds
        what this one does not know.
    """
    name, sign, alias = name_at_alias.partition("@")
    if not sign or not name or not alias:
        raise UsageError(f"model {name_at_alias!r}: write NAME@ALIAS, such as county@{CHAMPION}")
    client = _client(Path(store))
    version = _version(client, name, alias)
    kind = version.tags["kind"]
    card = _artifact(client, version.run_id, f"cards/{kind}.json")
    if card.get("format") != FORMAT:
        raise InputRefused(
            f"{name_at_alias}: format {card.get('format')!r} is not {FORMAT}; train again with this riskmodel"
        )
    mlflow = _mlflow()
    path = Path(mlflow.artifacts.download_artifacts(card["model_uri"])) / MODEL_FILE
    if _sha256(path) != version.tags["model_sha256"]:
        raise InputRefused(f"{name_at_alias}: the model file is not the one that was registered; train again")
    return LoadedModel(
        name=name,
        alias=alias,
        version=str(version.version),
        run_id=version.run_id,
        kind=kind,
        model=_open(client, version, path, name_at_alias),
        card=card,
    )


@dataclass(frozen=True)
class RegisteredModel:
    """One version of a registered model: where it comes from, not the model itself."""

    name: str
    version: str
    run_id: str
    kind: str


def find_model(name_at_alias: str, store: str | Path) -> RegisteredModel | None:
    """Return which version ``NAME@ALIAS`` stands for; None if it stands for none or there is no store.

    Parameters
    ----------
    name_at_alias
        Such as ``county@champion``.
    store
        MLflow's SQLite file.

    Returns
    -------
    RegisteredModel or None
        Where the model comes from; `load_model` loads it.
    """
    try:
        return require_model(name_at_alias, store)
    except (InputMissing, UsageError):
        # Asking is no error: a first training has no champion yet.
        return None


def require_model(name_at_alias: str, store: str | Path) -> RegisteredModel:
    """Return which version ``NAME@ALIAS`` stands for; UsageError or InputMissing if there is none."""
    name, _, alias = name_at_alias.partition("@")
    version = _version(_client(Path(store)), name, alias)
    return RegisteredModel(name, str(version.version), version.run_id, version.tags["kind"])


def set_alias(name: str, alias: str, version: str, store: str | Path) -> None:
    """Point an alias of a registered model at a version."""
    _client(Path(store)).set_registered_model_alias(name, alias, version)


def _open(client: Any, version: Any, path: Path, name_at_alias: str) -> Any:
    """Return a registered model; one that another release wrote is refused in words that say what to do."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(models.trusted_types()))
        if not unknown:
            return skops.io.load(path, trusted=models.trusted_types())
    except (UntrustedTypesFoundException, ImportError, AttributeError, KeyError, ValueError) as exc:
        unknown = [f"what it cannot read ({type(exc).__name__}: {exc})"]
    here = environment()
    trained = _artifact(client, version.run_id, "environment.json")
    with_ = " and ".join(f"{n} {trained.get(n, 'unknown')}" for n in ("riskmodel", "scikit-learn"))
    raise InputRefused(
        f"{name_at_alias} (version {version.version}) was trained with {with_}, and holds "
        f"{', '.join(unknown)}, which riskmodel {here.get('riskmodel', '')} with scikit-learn "
        f"{here['scikit-learn']} does not load. Train it again with this release (riskmodel train), or use "
        "the release that it was trained with"
    )


def _version(client: Any, name: str, alias: str) -> Any:
    try:
        if alias.isdigit():
            return client.get_model_version(name, alias)
        return client.get_model_version_by_alias(name, alias)
    except _mlflow().MlflowException as exc:
        known = [f"{m.name}@{a}" for m in client.search_registered_models() for a in m.aliases]
        meant = did_you_mean(f"{name}@{alias}", known)
        raise UsageError(
            f"no model {name}@{alias}; known: "
            f"{', '.join(sorted(known)) or 'none: run riskmodel train'}{meant}"
        ) from exc


def read_document(run_id: str, name: str, store: str | Path) -> Any:
    """Return a JSON document of a run; raises as `read_table`."""
    return _artifact(_client(Path(store)), run_id, name)


def run_status(run_id: str, store: str | Path) -> str:
    """Return how a run ended (``FINISHED``, ``FAILED``, …); InputMissing if it is not there."""
    return str(_known_run(_client(Path(store)), run_id).info.status)


def run_finished(run_id: str, store: str | Path) -> bool:
    """Say whether a store holds a run that ended well; False also where there is no store."""
    try:
        return run_status(run_id, store) == "FINISHED"
    except InputMissing:
        return False


def table_names(run_id: str, store: str | Path) -> tuple[str, ...]:
    """Return the names of a run's tables, sorted; InputMissing if the run is not there."""
    client = _client(Path(store))
    _known_run(client, run_id)
    return tuple(sorted(Path(file.path).stem for file in client.list_artifacts(run_id, "tables")))


def read_table(run_id: str, name: str, store: str | Path) -> pd.DataFrame:
    """Return a table of a run, by the name given to `RunWriter.table`.

    InputMissing if the run is not there (those that are, are named); UsageError if it has no such table.
    """
    return pd.read_parquet(_fetch(_client(Path(store)), run_id, f"{name}.parquet"))


def _fetch(client: Any, run_id: str, name: str) -> Path:
    try:
        return Path(client.download_artifacts(run_id, name))
    except (_mlflow().MlflowException, OSError) as exc:
        _known_run(client, run_id)
        raise UsageError(f"run {run_id} has no {name} in this store; see `riskmodel train --json`") from exc


def _known_run(client: Any, run_id: str) -> Any:
    """Return a run; one that the store does not hold is refused, naming the newest that it does."""
    try:
        return client.get_run(run_id)
    except _mlflow().MlflowException as exc:
        homes = [home.experiment_id for home in client.search_experiments()]
        newest = client.search_runs(homes, order_by=["attributes.start_time DESC"], max_results=_SHOWN_RUNS)
        known = ", ".join(run.info.run_id for run in newest) or "none: run `riskmodel train`"
        raise InputMissing(f"no such run: {run_id}; runs there are: {known}") from exc


def _artifact(client: Any, run_id: str, name: str) -> Any:
    return json.loads(_fetch(client, run_id, name).read_text(encoding="utf-8"))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class LoggedRun:
    """What a finished run was started with and measured, without its files."""

    run_id: str
    started: dt.datetime  # UTC
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


def find_runs(store: str | Path, tag: str, value: str) -> list[LoggedRun]:
    """Return the finished runs that carry a tag, the earliest first; none where there is no store."""
    try:
        client = _client(Path(store))
    except InputMissing:
        return []
    homes = [home.experiment_id for home in client.search_experiments()]
    asked = f"tags.{tag} = '{value}' and attributes.status = 'FINISHED'"
    runs = client.search_runs(homes, asked, order_by=["attributes.start_time ASC"]) if homes else []
    return [
        LoggedRun(
            run.info.run_id,
            dt.datetime.fromtimestamp(run.info.start_time / 1000, dt.UTC),
            dict(run.data.tags),
            dict(run.data.metrics),
        )
        for run in runs
    ]
