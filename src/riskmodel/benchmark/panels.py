"""A benchmark's panels: what is declared, where the data come from, and how one is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from riskmodel import data as counties
from riskmodel import models, simulate
from riskmodel.data import County
from riskmodel.errors import InputMissing, UsageError
from riskmodel.i18n import Words
from riskmodel.importing import IMPORTERS, import_panel
from riskmodel.io import Spec, find_declaration, folder, load_spec
from riskmodel.rules import available_rule_sets
from riskmodel.runs import (
    Experiment,
    ExperimentResult,
    VisitBudget,
    evaluate,
    load_experiment,
    read_truth,
    run_experiment,
    score_columns,
    select_truth,
)
from riskmodel.targets import KEY

Report = Callable[[str], None]

ALL = "all"


class CountySize(Spec):
    """How large a simulated county is, and over how many futures its truth is averaged."""

    households: int = Field(ge=100)
    months: int = Field(ge=36)
    futures: int = Field(default=1000, ge=10)


class Panel(Spec):
    """One panel: a simulated county, or an imported panel.

    ``about`` says what it is, ``short`` is its name where there is little room. ``experiment`` says cohort,
    dates and label. ``leave_out`` names models that make no sense on it;
    ``model_params`` goes on top of the benchmark's; ``like: ID`` takes over whatever is not said from an
    earlier panel.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: Words
    short: Words | None = None
    about: Words | None = None
    source: str
    experiment: str
    profile: str = "default"
    seed: int = Field(default=0, ge=0)
    baseline: str = "rule"
    with_rulesets: bool = False
    leave_out: tuple[str, ...] = ()
    model_params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    quick: bool = True

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        known = ["simulate", *IMPORTERS]
        if source not in known:
            raise ValueError(f"no source {source!r}; there are: {', '.join(known)}")
        return source

    @property
    def brief(self) -> dict[str, str]:
        """Its name where there is little room, in both languages."""
        return (self.short or self.title).model_dump()


class Benchmark(Spec):
    """A declared benchmark; see ``experiments/bench.yaml``.

    ``models`` and ``rulesets`` may end with ``all``: whatever else is registered or packaged takes part, but
    for what ``leave_out`` names. Models fitted at several lines take part where the panel's experiment
    declares these (``augment_lines``).

    ``bootstrap`` village resamples make the intervals, ``bootstrap_test`` those of the primary test, whose p
    values Holm multiplies by the number of models.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = 1
    title: Words
    models: tuple[str, ...]
    model_params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    rulesets: tuple[str, ...] = ()
    size: CountySize
    quick_size: CountySize
    budget: VisitBudget
    bootstrap: int = Field(default=400, ge=20, le=10_000)
    bootstrap_test: int = Field(default=2000, ge=20, le=100_000)
    seed: int = Field(default=0, ge=0)
    panels: tuple[Panel, ...]

    @model_validator(mode="before")
    @classmethod
    def _all(cls, content: Any) -> Any:
        """Write out the models and rule sets that ``all`` stands for."""
        if not isinstance(content, dict):
            return content
        out = {key: value for key, value in content.items() if key != "leave_out"}
        left = content.get("leave_out", [])
        known = {"models": list(models.MODELS), "rulesets": available_rule_sets()}
        wrong = [name for name in left if not any(name in names for names in known.values())]
        if wrong:
            raise ValueError(f"leave_out: {', '.join(map(str, wrong))}: no such model or packaged rule set")
        for key, names in known.items():
            named = content.get(key)
            if isinstance(named, list | tuple) and ALL in named:
                own = [name for name in named if name != ALL]
                out[key] = [*own, *(n for n in names if n not in own and n not in left)]
        return out

    @model_validator(mode="before")
    @classmethod
    def _like(cls, content: Any) -> Any:
        """Fill a panel that is ``like`` an earlier one with what it does not say itself."""
        if not isinstance(content, dict) or not isinstance(content.get("panels"), list):
            return content
        panels: dict[Any, dict[str, Any]] = {}
        for panel in content["panels"]:
            if not isinstance(panel, dict):
                return content
            own = {k: v for k, v in panel.items() if k != "like"}
            if "like" in panel and panel["like"] not in panels:
                raise ValueError(
                    f"panel {panel.get('id')!r} is like {panel['like']!r}, which is no earlier panel"
                )
            panels[panel.get("id")] = {**panels.get(panel.get("like"), {}), **own}
        return {
            **content,
            "panels": list(panels.values()) if len(panels) == len(content["panels"]) else content["panels"],
        }

    @model_validator(mode="after")
    def _names(self) -> Self:
        named = [*self.models, *self.model_params, *(m for p in self.panels for m in p.model_params)]
        wrong = sorted({m for m in named if m not in models.MODELS})
        if wrong or not self.panels:
            raise ValueError(
                f"models {wrong}: allowed are {', '.join(models.MODELS)}; at least one panel is needed"
            )
        ids = [panel.id for panel in self.panels]
        if len(set(ids)) < len(ids):
            raise ValueError(f"panels {ids}: every id once")
        return self

    def left_out(self) -> dict[str, str]:
        """Return the models that are fitted on no panel, with the reason."""
        missing = [m for m in self.models if not models.is_available(m)]
        declared = [load_experiment(panel.experiment) for panel in self.panels]
        unasked = [m for m in self.models if not any(may_take_part(exp, m) for exp in declared)]
        return {
            **dict.fromkeys(unasked, "no panel's experiment declares lines to ask about (augment_lines)"),
            **{m: f"the extra {models.model_entry(m).extra!r} is not installed" for m in missing},
        }

    def models_of(self, panel: Panel) -> tuple[str, ...]:
        """Return the models of a panel, rule sets included."""
        chosen = [m for m in self.models if m not in panel.leave_out]
        if panel.with_rulesets:
            chosen += [f"{kind}-{name}" for name in self.rulesets for kind in ("rule", "conditions")]
        return tuple(chosen)

    def params_of(self, panel: Panel) -> dict[str, dict[str, Any]]:
        """Return the model parameters of a panel: the benchmark's, then the panel's."""
        names = {*self.model_params, *panel.model_params}
        return {
            n: {**self.model_params.get(n, {}), **panel.model_params.get(n, {})}
            for n in sorted(names)
            if n in self.models_of(panel)
        }

    def experiment_of(self, panel: Panel) -> Experiment:
        """Return a panel's experiment with the benchmark's models, visits and seed."""
        exp = load_experiment(panel.experiment)
        models = tuple(m for m in self.models_of(panel) if may_take_part(exp, m))
        changed = {
            "models": models,
            "model_params": {
                **{k: v for k, v in exp.model_params.items() if k in models},
                **self.params_of(panel),
            },
            "champion": exp.champion if exp.champion in models else models[-1],
            "budget": self.budget if panel.source == "simulate" else exp.budget,
            "augment_lines": exp.augment_lines and exp.augment_lines.among(models),
            "follow_months": 1,
            "bootstrap": self.bootstrap,
            "seed": self.seed,
        }
        return Experiment.model_validate(exp.model_copy(update=changed).model_dump())


def may_take_part(exp: Experiment, name: str) -> bool:
    """Say whether an experiment declares the lines that a model fitted at several of them needs."""
    if not models.model_entry(name).several_lines:
        return True
    return exp.augment_lines is not None and name in exp.augment_lines.models


def load_benchmark(name: str | Path) -> Benchmark:
    """Read a benchmark's declaration by id (``"bench"``) or path.

    Parameters
    ----------
    name
        Id of a declaration that comes with riskmodel, or a YAML file.

    Returns
    -------
    Benchmark
        The checked declaration.

    Raises
    ------
    SpecError
        If the file is wrong: file, key and allowed values are named.
    UsageError
        If there is no such file.
    """
    return load_spec(find_declaration(name, folder("experiments"), "benchmark"), Benchmark)


def open_county(
    panel: Panel, size: CountySize, folder: Path, file: Path | None
) -> tuple[County, pd.DataFrame | None]:
    """Simulate or import a panel's county and read it, with the simulator's truth where it is simulated."""
    if panel.source == "simulate":
        simulated = simulate.simulate_county(
            households=size.households, months=size.months, seed=panel.seed, profile=panel.profile,
            futures=size.futures,
        )  # fmt: skip
        simulate.write_simulated_county(simulated, folder)
        return counties.read_county(folder), read_truth(folder)
    needed = require_file(panel, file) if IMPORTERS[panel.source].data is None else None
    import_panel(panel.source, folder, needed)
    return counties.read_county(folder), None


def require_file(panel: Panel, file: Path | None) -> Path:
    """Return the file of a panel that needs one."""
    option = f"--{panel.source.replace('_', '-')} FILE"
    if file is None:
        raise UsageError(f"{panel.source}: its file is not given ({option})")
    if not file.is_file():
        raise InputMissing(f"{panel.source}: there is no file {file.name} where {option} points to")
    return file


# No rule set can be judged on a ready matrix: nobody is flagged or ranked.
_NO_RULES: dict[str, Any] = {"township": "-", "persons": 1, "flagged": False, "rule_rank": np.nan}


def fit_and_predict(
    train: pd.DataFrame,
    test: pd.DataFrame,
    columns: Sequence[str],
    names: Sequence[str],
    params: Mapping[str, dict[str, Any]] | None = None,
    seed: int = 0,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fit models on a ready matrix and predict its test rows.

    Parameters
    ----------
    train, test
        ``household_id`` (its own cluster: it comes back at every date), ``y`` (0/1), the features; of the
        test also ``as_of``, and ``group_…`` columns where gaps are to be looked at.
    columns
        The features.
    names
        Models that take features.
    params
        Model to its parameters; default none.
    seed
        Of every fit.

    Returns
    -------
    predictions
        Tidy predictions as `riskmodel.evaluation` takes them, without rules: nobody flagged, no rank.
    fitted
        The fitted models by name. Every household serves to fit and, left out in turn, to calibrate.
    """
    X, parts, fitted = train[list(columns)], [], {}
    groups = [c for c in test.columns if c.startswith("group_")]
    rows = test[["household_id", "as_of", "y", *groups]].assign(
        **_NO_RULES, fold=test["as_of"].astype(str), village=test["household_id"]
    )
    with models.shared_fits():
        for name in names:
            fitted[name] = models.fit_model(
                name, X, train["y"].astype(int).to_numpy(), train["household_id"].to_numpy(), seed,
                (params or {}).get(name), scheme="cross",
            )  # fmt: skip
    for name in names:
        parts.append(rows.assign(model=name, **score_columns(fitted[name], test[list(columns)])))
    return pd.concat(parts, ignore_index=True), fitted


PanelRun = tuple[pd.DataFrame, dict[str, pd.DataFrame], list[dict[str, str]], dict[str, Any]]


def run_county(
    bench: Benchmark, panel: Panel, size: CountySize, folder: Path, file: Path | None, say: Report
) -> PanelRun:
    """Run a panel that is a county: simulated, or imported."""
    exp = bench.experiment_of(panel)
    say("data")
    county, truth = open_county(panel, size, folder, file)
    fold_models: list[dict[str, Any]] = []
    result = run_experiment(
        exp, county, say, final=False, on_fold=lambda fold, train, fits: fold_models.append(fits)
    )
    say("evaluating")
    evaluation = evaluate(
        exp, result.predictions, baseline=panel.baseline, truth=select_truth(exp, truth),
        first_seen=result.first_seen, replicates=bench.bootstrap, test_replicates=bench.bootstrap_test,
        seed=bench.seed,
    )  # fmt: skip
    tables, notes = evaluation.further(), evaluation.notes
    tables |= {**_model_tables(fold_models[-1]), "folds": result.folds, "leaks": result.leaks}
    facts = _count(result.predictions, len(result.background.columns)) | _experiment_facts(exp, result)
    if panel.source == "simulate":
        facts["simulated"] = {**size.model_dump(), "profile": panel.profile, "seed": panel.seed}
    return result.predictions, tables, [*(note.both() for note in result.notes), *notes], facts


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
        **result.nouns.facts(),
        "leaks_suspected": int(result.leaks["suspected"].sum()),
    }


def _model_tables(fitted: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the tables that fitted models themselves are: effects with standard errors, the scorecard."""
    return {k: v for name, model in fitted.items() for k, v in models.model_tables(name, model).items()}
