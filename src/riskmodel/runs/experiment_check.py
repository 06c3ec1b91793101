"""Everything that is wrong with an experiment, at once: its file, rule set, feature set, and how data fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from riskmodel import features, rules
from riskmodel.data import County
from riskmodel.errors import RiskmodelError
from riskmodel.features import feature_set_faults
from riskmodel.io import find_declaration, folder, read_yaml
from riskmodel.models import is_available, model_entry
from riskmodel.runs.data_fit import fit_to_data
from riskmodel.runs.design_matrix import resolve_feature_set
from riskmodel.runs.experiment import Experiment, load_experiment, locate_declaration, temporal_folds

T = TypeVar("T")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Parameters
    ----------
    part
        ``experiment``, ``ruleset``, ``feature_set``, ``models`` or ``data``.
    text
        What is wrong, with the allowed values.
    """

    part: str
    text: str


class _Faults:
    """What was found so far, each thing once."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, part: str, texts: Iterable[str]) -> None:
        said = {fault.text for fault in self.found}
        self.found += [Fault(part, t) for t in dict.fromkeys(texts) if t and t not in said]

    def attempt(self, part: str, work: Callable[[], T]) -> T | None:
        """Do a step; keep its refusal, line by line, and go on."""
        try:
            return work()
        except RiskmodelError as exc:
            self.add(part, str(exc).splitlines())
            return None


def check_experiment(name: str | Path, county: County | None = None) -> list[Fault]:
    """Find all that is wrong with an experiment, instead of the first thing.

    Parameters
    ----------
    name
        Id or file of the experiment.
    county
        Data to hold it against: dates, folds, coverage, items of indicators.

    Returns
    -------
    list of Fault
        Empty where it can be run.

    Raises
    ------
    UsageError
        If there is no such experiment.
    """
    path = find_declaration(name, folder("experiments"), "experiment")
    faults = _Faults()
    given = faults.attempt("experiment", lambda: read_yaml(path))
    if not isinstance(given, dict):
        faults.add("experiment", () if given is None else [f"{path}: (top): write a mapping of keys"])
        return faults.found
    exp = faults.attempt("experiment", lambda: load_experiment(path))
    _check_rules(given, path, faults)
    chosen = _check_features(given, path, faults)
    models = given.get("models")
    for model in models if isinstance(models, list) else ():
        entry = faults.attempt("experiment", lambda model=model: model_entry(str(model)))  # type: ignore[misc]
        if entry is not None and not is_available(str(model)):
            faults.add(
                "models", [f"{model}: its library is not installed: pip install 'riskmodel[{entry.extra}]'"]
            )
    if exp is not None and chosen is not None:
        faults.attempt("feature_set", lambda: resolve_feature_set(exp))
    if county is not None:
        if chosen is not None:
            faults.add("data", _absent_items(chosen, county))
        if exp is not None and exp.groups:
            items = set(county.table("indicators")["item"].to_pyarrow().to_pylist())
            faults.add(
                "data", [f"groups: indicators have no item {g!r}" for g in exp.groups if g not in items]
            )
        if exp is not None and not any(f.part in ("ruleset", "feature_set") for f in faults.found):
            _check_fit(exp, county, faults)
    return faults.found


def _check_rules(given: dict[str, Any], path: Path, faults: _Faults) -> None:
    name = given.get("ruleset")
    if not isinstance(name, str):
        return
    found = faults.attempt("ruleset", lambda: locate_declaration(path, "ruleset", name))
    ruleset = None if found is None else faults.attempt("ruleset", lambda: rules.load_rules(found))
    if ruleset is not None:
        params = given.get("params")
        faults.attempt("ruleset", lambda: ruleset.values(params if isinstance(params, dict) else {}))


def _check_features(given: dict[str, Any], path: Path, faults: _Faults) -> features.FeatureSet | None:
    name = given.get("feature_set")
    if not isinstance(name, str):
        return None
    found = faults.attempt("feature_set", lambda: locate_declaration(path, "feature_set", name))
    if found is None:
        return None
    wrong = faults.attempt("feature_set", lambda: feature_set_faults(found))
    if wrong:
        faults.add("feature_set", wrong)
    return features.load_feature_set(found) if wrong == [] else None


def _absent_items(chosen: features.FeatureSet, county: County) -> list[str]:
    """Say which items of indicators, asked for by features, the county does not have."""
    asked: dict[str, list[str]] = {}
    for f in chosen.features:
        if f.source == "indicators":
            asked.setdefault(str(f.column), []).append(f.id)
    if not asked:
        return []
    if not county.has("indicators"):
        return [f"no table indicators, of which {len(asked)} items are asked for: {', '.join(sorted(asked))}"]
    there = set(county.table("indicators")["item"].to_pyarrow().to_pylist())
    return [
        f"indicators have no item {item!r}: feature {', '.join(ids)} would be empty"
        for item, ids in sorted(asked.items())
        if item not in there
    ]


def _check_fit(exp: Experiment, county: County, faults: _Faults) -> None:
    fit = faults.attempt("data", lambda: fit_to_data(exp, county))
    days = None if fit is None else fit.days
    faults.attempt("data", lambda: temporal_folds(exp if fit is None else fit.experiment, county, days))
