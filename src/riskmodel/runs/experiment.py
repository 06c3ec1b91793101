"""What an experiment file may say: one YAML declares one reproducible run.

Its as-of dates and temporal folds on a county: what is trained on must have been over, and recorded, before
the first test as-of.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from riskmodel import features, rules
from riskmodel.data import County, month_end
from riskmodel.errors import InputRefused, SpecError
from riskmodel.evaluation import Budget
from riskmodel.households import add_months, last_complete_month, window_end
from riskmodel.i18n import Words, section
from riskmodel.io import Spec, find_declaration, folder, load_spec
from riskmodel.models import MODELS, check_parameters, is_model, model_entry, takes_line_copies
from riskmodel.targets import COHORTS, Event, Horizon

# What the found events are called in a sentence, by the first event of the experiment.
EVENT_WORDS: Mapping[str, Mapping[str, str]] = section("evaluation.events")
# Roles and groups of features that a declaration may leave out.
LeftOut = Literal["register", "support", "context", "optional", "mirrors_simulator"]
# What the county experiment can be trained on, at the simulator's rate of falls (5 % a year), with its three
# folds (tests/runs/test_training.py); said wherever a county is too small.
ENOUGH = "as a rule 900 households over 54 months, or 700 over 66, are enough"


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


class Gate(Spec):
    """What a model must show before it takes charge of the list; shares are of recall.

    Attributes
    ----------
    margin
        How much recall the model's list may lose to the best simple order's before it counts as worse: the
        lower end of the difference's interval must lie above minus this.
    group_margin
        The same for the recall of a group of households.
    calibration
        Least and most of expected over observed events; its interval must meet them.
    """

    margin: float = Field(default=0.03, gt=0, lt=1)
    group_margin: float = Field(default=0.10, gt=0, lt=1)
    calibration: tuple[float, float] = (0.8, 1.25)


class Fallback(Spec):
    """Which plain model stands in for those of many columns where few households had the event.

    Distinct households with the event are counted in the rows that a model is fitted on; each part of the
    villages that calibrates decides from its own.
    """

    model: str
    below_events: int = Field(default=100, ge=2)

    @field_validator("model")
    @classmethod
    def _few_columns(cls, name: str) -> str:
        try:
            entry = model_entry(name)
        except SpecError as exc:
            raise ValueError(str(exc)) from exc
        if entry.needs != "features" or entry.many_columns or not entry.calibrated:
            raise ValueError(
                f"{name!r} cannot stand in: name a model of few columns of the feature set, such as "
                "past_income with its columns in model_params"
            )
        return name


class LineAugmentation(Spec):
    """Models that learn from their rows asked again at other lines, so many times the line (above 1).

    A household is asked where it stands above the other line too; it and its copies weigh one.
    """

    factors: tuple[float, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)

    def among(self, models: Sequence[str]) -> LineAugmentation | None:
        """Return the same of some models only; None where it is said of none of them."""
        kept = tuple(name for name in self.models if name in models)
        return self.model_copy(update={"models": kept}) if kept else None

    @field_validator("factors")
    @classmethod
    def _above_one(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 1 < f <= 10 for f in factors) or len(set(factors)) < len(factors):
            raise ValueError(
                f"factors {list(factors)}: different numbers above 1 (at most 10); the line itself is always "
                "asked, and below it stand households that are not in the cohort"
            )
        return factors

    @field_validator("models")
    @classmethod
    def _able(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unable = [name for name in names if is_model(name) and not takes_line_copies(name)]
        if unable:
            able = [name for name in MODELS if takes_line_copies(name)]
            raise ValueError(
                f"{', '.join(unable)} cannot be fitted at several lines; these can: {', '.join(able)}"
            )
        return names


class Experiment(Spec):
    """A declared run; see ``experiments/county.yaml`` for one with every key."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = 1
    title: Words
    cohort: tuple[str, ...]
    ruleset: str
    params: dict[str, Any] = Field(default_factory=dict)
    feature_set: str
    leave_out: tuple[LeftOut, ...] = ()
    events: tuple[Event, ...] = ("below_line",)
    horizon: Horizon
    as_of: AsOf = AsOf()
    split: Split = Split()
    models: tuple[str, ...]
    model_params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    augment_lines: LineAugmentation | None = None
    calibration: Literal["holdout", "cross"] = "holdout"
    champion: str
    # What the champion must show before it takes charge; null where its outcomes cannot judge it.
    gate: Gate | None = Gate()
    fallback: Fallback | None = None
    budget: VisitBudget
    # Whether metrics, calibration and their intervals count a household by its sampling weight.
    weighted: bool = False
    # Indicators that are no features, by which errors are looked at apart.
    groups: tuple[str, ...] = ()
    # Every so many months after the first test date the models' lists are drawn up again, for lead time.
    follow_months: int | None = Field(default=None, ge=1, le=12)
    bootstrap: int = Field(default=400, ge=20, le=10_000)
    seed: int = Field(default=0, ge=0)

    @field_validator("models", "model_params")
    @classmethod
    def _known_models(cls, named: Any) -> Any:
        """Refuse models that are not known, and parameters that a model does not take."""
        for name in named:
            try:
                check_parameters(name, named[name] if isinstance(named, dict) else {})
            except SpecError as exc:
                raise ValueError(str(exc)) from exc
        return named

    @field_validator("cohort")
    @classmethod
    def _known_cohorts(cls, cohort: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [c for c in cohort if c not in COHORTS]
        if wrong or not cohort:
            raise ValueError(f"cohort {wrong or list(cohort)}: allowed are {', '.join(COHORTS)}")
        return cohort

    @model_validator(mode="after")
    def _names(self) -> Self:
        if self.champion not in self.models:
            raise ValueError(f"champion {self.champion!r} is not among models {list(self.models)}")
        if self.weighted and "confirmed" in self.events:
            raise ValueError("weighted: findings of visits have weights of their own; leave it out")
        if model_entry(self.champion).ruleset:
            raise ValueError(f"champion {self.champion!r} follows another rule set than the experiment's")
        return self

    @model_validator(mode="after")
    def _lines(self) -> Self:
        """Refuse other lines where no line makes the label, and models made for several without them."""
        lines = self.augment_lines
        augmented = () if lines is None else lines.models
        lacking = [m for m in self.models if model_entry(m).several_lines and m not in augmented]
        if lacking:
            raise ValueError(
                f"{', '.join(lacking)}: fitted at several lines; name them and the lines, augment_lines: "
                f"{{factors: [1.2, 1.45, 1.75, 2.1], models: [{', '.join(lacking)}]}}"
            )
        if lines is None:
            return self
        absent = [m for m in lines.models if m not in self.models]
        if absent:
            raise ValueError(f"augment_lines: {', '.join(absent)} not among models {list(self.models)}")
        others = [e for e in self.events if e != "below_line"]
        if others:
            raise ValueError(
                f"augment_lines: the label {', '.join(others)} is a person's or the register's answer at the "
                "line in force; nobody answered at another one. Only events: [below_line] can be asked again"
            )
        if "fell_before" in self.cohort:
            raise ValueError(
                "augment_lines: who fell before below a higher line is not in the cohort fell_before; leave "
                "augment_lines out, or take another cohort"
            )
        return self

    @property
    def digest(self) -> str:
        """A content hash of the declaration (64 hexadecimal digits).

        A rule set or feature set of a file counts by what it says, wherever the file lies.
        """
        # What was added later counts only where it is said: digests of earlier declarations stay.
        later = ("weighted", "groups", "fallback", "augment_lines")
        unsaid = {key for key in later if not getattr(self, key)}
        unsaid |= {"gate"} if self.gate == Gate() else set()
        declared = self.model_dump(mode="json", exclude=unsaid) | {
            "ruleset": _content(self.ruleset, rules.load_rules),
            "feature_set": _content(self.feature_set, features.load_feature_set),
        }
        return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def _content(name: str, load: Callable[[str], Spec]) -> Any:
    """Return what a declaration's file says; the id itself of a packaged one."""
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        return name
    return load(name).model_dump(mode="json") if path.is_file() else path.stem


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
    found = {key: locate_declaration(path, key, getattr(exp, key)) for key in _PACKAGED}
    return exp.model_copy(update=found)


# Which ids come with riskmodel, of the declarations that an experiment names.
_PACKAGED: Mapping[str, Callable[[], list[str]]] = {
    "ruleset": rules.available_rule_sets,
    "feature_set": features.available_feature_sets,
}


def locate_declaration(experiment: Path, key: str, given: str) -> str:
    """Return where a rule set or feature set of an experiment stands.

    A file is looked for beside the experiment, then in the working folder, then among the packaged ones.

    Parameters
    ----------
    experiment
        The experiment's own file.
    key
        ``ruleset`` or ``feature_set``.
    given
        What the experiment says: an id, or a file.

    Returns
    -------
    str
        An id or a path.

    Raises
    ------
    SpecError
        If a file is named that is nowhere.
    """
    name = Path(given)
    if name.suffix not in {".yaml", ".yml"}:
        return given
    beside = experiment.parent / name
    if beside.is_file():
        return str(beside)
    if name.is_file():
        warnings.warn(
            f"{experiment}: {key}: {given} is found from the working folder; write it as seen from the "
            "experiment's own folder",
            stacklevel=3,
        )
        return given
    if name.stem in _PACKAGED[key]():
        return name.stem
    raise SpecError(f"{experiment}: {key}: no file {given!r} beside the experiment, and no packaged one")


@dataclass(frozen=True)
class Fold:
    """One temporal split.

    Attributes
    ----------
    name
        Names the fold in tables: the first test as-of.
    train, test
        As-of dates.
    seen_by
        Training labels see rows recorded by this day only.
    """

    name: str
    train: tuple[dt.date, ...]
    test: tuple[dt.date, ...]
    seen_by: dt.date


def as_of_dates(exp: Experiment, county: County) -> tuple[dt.date, ...]:
    """Return the as-of dates of an experiment on this county, in order.

    Where the declaration gives none: month ends, every ``every_months`` back from the last one whose label
    window (and recording delay) is over by ``data_through``, down to ``history_months`` after the first
    month with income.
    """
    if exp.as_of.dates:
        return tuple(sorted(exp.as_of.dates))
    first_month = county.table("income").month_from.min().to_pyarrow().as_py()
    if first_month is None:
        raise InputRefused("no income row: nothing can be learned; check the income table")
    earliest = month_end(int(first_month) + exp.as_of.history_months - 1)
    last = exp.as_of.last or _last_labelled(exp, county)
    earliest = max(earliest, exp.as_of.first or earliest)
    days = []
    ordinal = last_complete_month(last)
    if exp.as_of.last is None and 12 % exp.as_of.every_months == 0:
        # Quarter, half-year and year ends stay where they are as the records grow.
        ordinal -= (ordinal + 1) % exp.as_of.every_months
    while month_end(ordinal) >= earliest:
        days.append(month_end(ordinal))
        ordinal -= exp.as_of.every_months
    if not days:
        months = exp.as_of.history_months + exp.horizon.months
        raise InputRefused(
            f"the records end on {county.data_through}: at least {months} months are needed, "
            f"{exp.as_of.history_months} of history and {exp.horizon.months} for the label; {ENOUGH}"
        )
    return tuple(sorted(days))


def _last_labelled(exp: Experiment, county: County) -> dt.date:
    final = county.data_through - dt.timedelta(days=county.about.recording_delay_days)
    day = add_months(final, -exp.horizon.months)
    ordinal = last_complete_month(day)
    while window_end(month_end(ordinal), exp.horizon.months) > final:
        ordinal -= 1
    return month_end(ordinal)


def temporal_folds(
    exp: Experiment, county: County, days: tuple[dt.date, ...] | None = None
) -> tuple[Fold, ...]:
    """Return the temporal folds, the earliest first.

    Rolling folds test one as-of date each, the latest ones; training as-of dates end at least one horizon
    and the recording delay before it (the embargo). ``days`` are as-of dates, where some were left out.
    """
    days = as_of_dates(exp, county) if days is None else days
    delay = dt.timedelta(days=county.about.recording_delay_days)
    if exp.split.train_until and exp.split.test_from:
        return (_fixed(exp, days, delay, exp.split.train_until, exp.split.test_from),)
    out = []
    for day in days[-exp.split.folds :]:
        train = tuple(d for d in days if window_end(d, exp.horizon.months) + delay <= day)
        if train:
            out.append(Fold(day.isoformat(), train, (day,), day))
    if not out:
        raise InputRefused(
            f"as-of dates {days[0]} to {days[-1]} are too close together for a training window of "
            f"{exp.horizon.months} months before a test: a longer history is needed "
            f"(about {exp.as_of.history_months + 2 * exp.horizon.months + 1} months); {ENOUGH}"
        )
    return tuple(out)


def _fixed(
    exp: Experiment, days: tuple[dt.date, ...], delay: dt.timedelta, until: dt.date, since: dt.date
) -> Fold:
    # With ``next`` the window ends at the next observation, so labels themselves say whether it is over.
    ends = {d: d if exp.horizon.next else window_end(d, exp.horizon.months) + delay for d in days}
    over = [d for d, end in ends.items() if end <= until]
    last = exp.split.test_until or dt.date.max
    reach = exp.horizon.months if exp.split.by == "outcome" else 0
    test = [d for d in days if since <= window_end(d, reach) and d <= last]
    if not over or not test:
        raise InputRefused(f"no as-of date before {until} to train on, or none from {since} to test on")
    return Fold(since.isoformat(), tuple(over), tuple(test), until)
