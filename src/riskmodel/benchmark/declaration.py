"""What a benchmark file may say: which panels, which models and rule sets, how many visits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from riskmodel.i18n import Words
from riskmodel.io import Spec, find_declaration, folder, load_spec
from riskmodel.models import MODELS
from riskmodel.runs import Experiment, VisitBudget, load_experiment


class CountySize(Spec):
    """How large a simulated county is, and over how many futures its truth is averaged."""

    households: int = Field(ge=100)
    months: int = Field(ge=36)
    futures: int = Field(default=1000, ge=10)


class Panel(Spec):
    """One panel: a simulated county, an imported panel, or a ready matrix.

    ``about`` says what it is, ``short`` is its name where there is little room. ``experiment`` says cohort,
    dates and label (a matrix is ready without). ``leave_out`` names models that make no sense on it;
    ``model_params`` goes on top of the benchmark's; ``like: ID`` takes over whatever is not said from an
    earlier panel.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: Words
    short: Words | None = None
    about: Words | None = None
    source: Literal["simulate", "eph", "wagepan", "teen_poverty"]
    experiment: str | None = None
    profile: str = "default"
    seed: int = Field(default=0, ge=0)
    baseline: str = "rule"
    with_rulesets: bool = False
    leave_out: tuple[str, ...] = ()
    model_params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    quick: bool = True

    @property
    def brief(self) -> dict[str, str]:
        """Its name where there is little room, in both languages."""
        return (self.short or self.title).model_dump()

    @model_validator(mode="after")
    def _ready_or_not(self) -> Self:
        if (self.experiment is None) != (self.source == "teen_poverty"):
            raise ValueError("give an experiment, except for teen_poverty, which is a ready matrix")
        return self


class Benchmark(Spec):
    """A declared benchmark; see ``experiments/bench.yaml``.

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
        wrong = sorted({m for m in named if m not in MODELS})
        if wrong or not self.panels:
            raise ValueError(f"models {wrong}: allowed are {', '.join(MODELS)}; at least one panel is needed")
        ids = [panel.id for panel in self.panels]
        if len(set(ids)) < len(ids):
            raise ValueError(f"panels {ids}: every id once")
        return self

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
        exp = load_experiment(panel.experiment or "")
        models = self.models_of(panel)
        changed = {
            "models": models,
            "model_params": {
                **{k: v for k, v in exp.model_params.items() if k in models},
                **self.params_of(panel),
            },
            "champion": exp.champion if exp.champion in models else models[-1],
            "budget": self.budget if panel.source == "simulate" else exp.budget,
            "follow_months": 1,
            "bootstrap": self.bootstrap,
            "seed": self.seed,
        }
        return Experiment.model_validate(exp.model_copy(update=changed).model_dump())


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
