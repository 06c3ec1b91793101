"""What an experiment file may say: one YAML declares one reproducible run."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from riskmodel.errors import SpecError
from riskmodel.evaluation import Budget
from riskmodel.i18n import Words, section
from riskmodel.io import Spec, find_declaration, folder, load_spec
from riskmodel.models import MODELS, is_model, model_entry
from riskmodel.targets import COHORTS, Event, Horizon

# What the found events are called in a sentence, by the first event of the experiment.
EVENT_WORDS: Mapping[str, Mapping[str, str]] = section("evaluation.events")
Role = Literal["register", "support", "context"]


class AsOf(Spec):
    """Which as-of dates: given, or every so many months back from the last one whose label can be known."""

    dates: tuple[dt.date, ...] = ()
    every_months: int = Field(default=3, ge=1, le=24)
    history_months: int = Field(default=12, ge=1)
    first: dt.date | None = None
    last: dt.date | None = None


class Split(Spec):
    """How time is split: rolling folds, or one cut at a date.

    ``train_until`` sees outcomes and records up to that day only; ``test_from`` is the first test as-of, or,
    with ``by: outcome``, the first day of a test's outcome, whatever its as-of. ``unseen_households`` leaves
    out of the test who was trained on.
    """

    folds: int = Field(default=3, ge=1, le=20)
    train_until: dt.date | None = None
    test_from: dt.date | None = None
    test_until: dt.date | None = None
    by: Literal["as_of", "outcome"] = "as_of"
    unseen_households: bool = False

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.train_until is None) != (self.test_from is None):
            raise ValueError("train_until and test_from go together: give both, or folds alone")
        if self.train_until and self.test_from and self.train_until > self.test_from:
            raise ValueError("train_until lies after test_from: the test would be trained on")
        if self.by == "outcome" and not (self.test_from and self.unseen_households):
            raise ValueError(
                "by: outcome tests households at as-of dates before the last training outcome: it needs "
                "test_from and unseen_households: true"
            )
        return self


class VisitBudget(Spec):
    """How many households can be visited an as-of date: a number, or a share of the cohort."""

    visits: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.visits is None) == (self.share is None):
            raise ValueError("give either visits (a number) or share (of the cohort)")
        return self

    @property
    def per_date(self) -> Budget:
        """The same as `riskmodel.evaluation` takes it."""
        return Budget(visits=self.visits, share=self.share)


class Experiment(Spec):
    """A declared run; see ``experiments/county.yaml`` for one with every key."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = 1
    title: Words
    cohort: tuple[str, ...]
    ruleset: str
    params: dict[str, Any] = Field(default_factory=dict)
    feature_set: str
    leave_out: tuple[Role, ...] = ()
    events: tuple[Event, ...] = ("below_line",)
    horizon: Horizon
    as_of: AsOf = AsOf()
    split: Split = Split()
    models: tuple[str, ...]
    model_params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    calibration: Literal["holdout", "cross"] = "holdout"
    champion: str
    budget: VisitBudget
    # Every so many months after the first test date the models' lists are drawn up again, for lead time.
    follow_months: int | None = Field(default=None, ge=1, le=12)
    bootstrap: int = Field(default=400, ge=20, le=10_000)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _names(self) -> Self:
        wrong = [c for c in self.cohort if c not in COHORTS]
        if wrong or not self.cohort:
            raise ValueError(f"cohort {wrong or list(self.cohort)}: allowed are {', '.join(COHORTS)}")
        wrong = [m for m in (*self.models, *self.model_params) if not is_model(m)]
        if wrong:
            raise ValueError(
                f"models {wrong}: allowed are {', '.join(MODELS)}, and rule-ID or conditions-ID of a rule set"
            )
        if self.champion not in self.models:
            raise ValueError(f"champion {self.champion!r} is not among models {list(self.models)}")
        if model_entry(self.champion).ruleset:
            raise ValueError(f"champion {self.champion!r} follows another rule set than the experiment's")
        return self

    @property
    def digest(self) -> str:
        """A content hash of the declaration (64 hexadecimal digits)."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def load_experiment(name: str | Path) -> Experiment:
    """Read an experiment by id (``"county"``) or path.

    Parameters
    ----------
    name
        Id of a declaration that comes with riskmodel, or a YAML file.

    Returns
    -------
    Experiment
        The checked declaration.

    Raises
    ------
    SpecError
        If the file is wrong: file, key and allowed values are named.
    UsageError
        If there is no such file.
    """
    path = find_declaration(name, folder("experiments"), "experiment")
    exp = load_spec(path, Experiment)
    beside = path.parent / exp.ruleset
    if exp.ruleset.endswith(".yaml"):
        if not beside.is_file():
            raise SpecError(f"{path}: ruleset: no file {exp.ruleset!r} beside the experiment")
        exp = exp.model_copy(update={"ruleset": str(beside)})
    return exp
