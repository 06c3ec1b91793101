"""The registry of models: what an experiment may name, and all that the package knows of each by name.

A model is one `ModelEntry`, registered in the file of its estimator. Experiments, the trust list of saved
models, explanations, charts, tables and documentation read the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, Literal

import pandas as pd
from sklearn.utils.validation import has_fit_parameter

from riskmodel.errors import SpecError, did_you_mean
from riskmodel.i18n import both, pair, same
from riskmodel.io import Registry
from riskmodel.models.affine_calibration import BootstrapInterval
from riskmodel.models.base import Population
from riskmodel.models.calibrated import CalibratedScore
from riskmodel.models.few_events import FewEventsFallback, PlainModel
from riskmodel.models.line_copies import LineCopies

Words = Mapping[str, str]
RULE = "rule"


@dataclass(frozen=True)
class Tradition:
    """Where a model comes from: its name, and the colour its members share in charts by tradition."""

    name: str
    colour: str

    @property
    def words(self) -> Words:
        """Its name in both languages."""
        return both(f"models.traditions.{self.name}")


# Colours that colour-blind readers tell apart (Okabe and Ito 2008).
TRADITIONS: Mapping[str, Tradition] = {
    name: Tradition(name, colour)
    for name, colour in {
        "rules": "#6b7280",
        "poverty": "#d97706",
        "econometrics": "#cc79a7",
        "survival": "#56b4e9",
        "scorecards": "#b45309",
        "machine learning": "#0072b2",
    }.items()
}


@dataclass(frozen=True)
class ModelEntry:
    """One model that an experiment can name.

    Attributes
    ----------
    name
        As experiments write it.
    zh, en
        What it is called.
    description_zh, description_en
        What it is, in one sentence.
    factory
        Makes an estimator that is not fitted, from parameters.
    saves
        Types a saved model may hold that are neither scikit-learn's nor numpy's public ware, its own class
        first; a type that is not ours by its dotted name.
    needs
        Which table goes in as X: the feature set's columns (``features``); the rules' columns
        ``flagged, gap`` (``rules``); the column ``village`` (``place``); or the features with
        ``rule:pcni, rule:line`` beside them (``both``).
    tradition
        Where it comes from: a key of `TRADITIONS`.
    checked_against
        Independent figures or software that the tests hold it against.
    tests
        The tests that do, as ``file::function`` below ``tests``.
    contributions
        How its margin is explained: by its own ``contributions`` (``linear``), by the trees of ``ensemble_``
        (``trees``), by those of its ``bases_``, weighed (``bases``), or not (``none``).
    calibrated
        Whether `fit_model` wraps it in `CalibratedScore`. The rules' rates are rates already, and a
        calibrator's slope of 0 would hide a ranking that is worse than chance; so are the villages', who
        cannot be held out.
    simple
        Whether an office can do it with pencil and paper, or does already.
    simple_order
        Whether it orders by one to three figures on record, by the village, or as the rules do: what
        learning from many columns has to beat.
    many_columns
        Whether it weighs all columns freely, which few events cannot carry: an experiment's ``fallback`` then
        stands in for it.
    extra, library
        Optional extra of the package that brings its library, and the module that must be there; empty where
        none is needed.
    population
        Whether it is also fitted on households outside the cohort.
    several_lines
        Whether it stands for a fit at several lines (`LineCopies`), which an experiment must then declare.
    tables
        Returns the tables that a fitted model itself is (effects, a scorecard), by name; none without.
    short_zh, short_en
        A name for the margin of a chart, where the full one is too long.
    sentence_zh, sentence_en
        What it is called within a sentence, where not by its name.
    style
        Colour and dashes of its line in charts; the spare ones where not given.
    order
        Place in tables.
    ruleset
        For ``rule-ID`` and ``conditions-ID``: the rule set it follows; empty for the experiment's own.
    """

    name: str
    zh: str
    en: str
    description_zh: str
    description_en: str
    factory: Callable[..., Any]
    saves: tuple[type | str, ...]
    needs: Literal["features", "rules", "place", "both"]
    tradition: str
    checked_against: str
    tests: tuple[str, ...]
    contributions: Literal["linear", "trees", "bases", "none"] = "none"
    calibrated: bool = True
    simple: bool = False
    simple_order: bool = False
    many_columns: bool = False
    extra: str = ""
    library: str = ""
    population: bool = False
    several_lines: bool = False
    tables: Callable[[Any], dict[str, pd.DataFrame]] | None = None
    short_zh: str = ""
    short_en: str = ""
    sentence_zh: str = ""
    sentence_en: str = ""
    style: tuple[str, str] = ("#56b4e9", "1 2")
    order: int = 1000
    ruleset: str = ""

    @property
    def explained(self) -> bool:
        """Whether contributions add up to its margin and are shown."""
        return self.contributions != "none"

    @property
    def words(self) -> Words:
        """Its name in both languages."""
        return pair(self)

    @property
    def short(self) -> Words:
        """Its name in both languages, short enough for the margin of a chart."""
        return {lang: short or self.words[lang] for lang, short in pair(self, "short").items()}


# What may stand before a rule set's id: its verdict with the distance to the line, or its conditions' count.
_OF_RULESET = ("rule-", "conditions-")


def _entry_problems(entry: ModelEntry) -> list[str]:
    """Return what is wrong with an entry whose fields are of the declared types."""
    wrong = []
    if entry.tradition not in TRADITIONS:
        wrong.append(f"tradition is {entry.tradition!r}; allowed: {', '.join(TRADITIONS)}")
    if not entry.tests:
        wrong.append("tests is empty: name the test that holds it against checked_against")
    if bool(entry.extra) != bool(entry.library):
        wrong.append("extra and library go together: the optional extra, and the module that it brings")
    for prefix in _OF_RULESET:
        if entry.name.startswith(prefix):
            wrong.append(f"names that begin with {prefix} are those of rule sets")
    return wrong


MODELS: Registry[ModelEntry] = Registry("model", "riskmodel.models", _entry_problems)


def is_available(name: str) -> bool:
    """Say whether a model's library is installed.

    Parameters
    ----------
    name
        Of a model.

    Returns
    -------
    bool
        True where it needs none.

    Raises
    ------
    SpecError
        If there is no such model.
    """
    library = model_entry(name).library
    return not library or find_spec(library) is not None


def is_model(name: str) -> bool:
    """Say whether an experiment may name it.

    Parameters
    ----------
    name
        Of a model, perhaps.

    Returns
    -------
    bool
        True for a key of `MODELS`, ``rule-ID`` or ``conditions-ID``.
    """
    return name in MODELS or any(name.startswith(p) and len(name) > len(p) for p in _OF_RULESET)


def model_entry(name: str) -> ModelEntry:
    """Look one model up.

    Parameters
    ----------
    name
        A key of `MODELS`, ``rule-ID`` or ``conditions-ID``.

    Returns
    -------
    ModelEntry
        What is known of it.

    Raises
    ------
    SpecError
        If there is none of that name; the message lists those there are.
    """
    if name in MODELS:
        return MODELS[name]
    for prefix in _OF_RULESET:
        ruleset = name.removeprefix(prefix)
        if name.startswith(prefix) and ruleset:
            words = both(f"models.of_ruleset.{prefix}", ruleset=ruleset)
            return replace(
                MODELS[RULE], name=name, zh=words["zh"], en=words["en"], ruleset=ruleset, sentence_zh="",
                sentence_en="",
            )  # fmt: skip
    raise MODELS.unknown(name, ", and rule-ID or conditions-ID of a rule set")


def model_names(name: str) -> Words:
    """Return what a model is called within a sentence.

    Parameters
    ----------
    name
        Of a model; one that is not registered stands for itself.

    Returns
    -------
    mapping
        ``zh`` and ``en``.
    """
    if not is_model(name):
        return same(name)
    entry = model_entry(name)
    return {lang: word or entry.words[lang] for lang, word in pair(entry, "sentence").items()}


def simple_orders(names: Iterable[str]) -> list[str]:
    """Return the models that order households without learning from many columns.

    Parameters
    ----------
    names
        Models, such as those of a run; one that is not registered is left out.

    Returns
    -------
    list of str
        Those that an office could do with pencil and paper by the experiment's own rule set, in their order.
    """
    entries = [model_entry(name) for name in names if is_model(name)]
    return [entry.name for entry in entries if entry.simple_order and not entry.ruleset]


def build_model(name: str, params: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
    """Make one model that is not fitted.

    Parameters
    ----------
    name
        A key of `MODELS`.
    params
        Constructor parameters.
    seed
        Its ``random_state``, where it takes one and ``params`` does not give it.

    Returns
    -------
    estimator
        Not fitted.

    Raises
    ------
    SpecError
        If the model or one of its parameters is unknown.
    """
    arguments = dict(params or {})
    if "random_state" in check_parameters(name, arguments):
        arguments.setdefault("random_state", seed)
    return model_entry(name).factory(**arguments)


def check_parameters(name: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Refuse parameters that a model does not take.

    Parameters
    ----------
    name
        Of a model, or ``rule-ID`` and ``conditions-ID`` of a rule set.
    params
        Constructor parameters; their values are not looked at.

    Returns
    -------
    tuple of str
        The parameters that it takes.

    Raises
    ------
    SpecError
        If the model or one of its parameters is unknown; the likeliest name is asked for.
    """
    takes = tuple(model_entry(name).factory().get_params(deep=False))
    unknown = sorted(set(params) - set(takes))
    if unknown:
        meant = did_you_mean(unknown[0], takes)
        raise SpecError(
            f"model {name!r} has no parameter {', '.join(unknown)}; it takes: "
            f"{', '.join(takes) or 'none'}{meant}"
        )
    return takes


def takes_line_copies(name: str) -> bool:
    """Say whether a model can be fitted on rows asked again at other lines.

    Parameters
    ----------
    name
        Of a model.

    Returns
    -------
    bool
        True where its ``fit`` takes `LineCopies`.
    """
    entry = model_entry(name)
    return entry.calibrated and entry.needs == "features" and has_fit_parameter(entry.factory(), "copies")


def fit_model(
    name: str,
    X: Any,
    y: Any,
    groups: Any,
    seed: int,
    params: Mapping[str, Any] | None = None,
    share: float = 0.25,
    scheme: Literal["holdout", "cross"] = "holdout",
    population: Population | None = None,
    fallback: PlainModel | None = None,
    households: Any = None,
    copies: LineCopies | None = None,
) -> Any:
    """Fit one declared model, calibrated on held-out villages where its entry says so.

    Parameters
    ----------
    name
        A key of `MODELS`.
    X : DataFrame of shape (n, …)
        The table the model ``needs``.
    y : array of shape (n,)
        0/1, no nulls.
    groups : array-like of shape (n,)
        Village of each row.
    seed
        Chooses the held-out villages and the resamples.
    params
        Constructor parameters.
    share
        Share of villages held out for the calibrator.
    scheme
        See `CalibratedScore`.
    population
        Households outside the cohort, for models that are fitted on them too.
    fallback
        What stands in for a model of many columns where few households had the event; see
        `FewEventsFallback`.
    households : array-like of shape (n,), optional
        Household of each row, to count those with the event.
    copies
        The rows at other lines, for models of which `takes_line_copies` holds.

    Returns
    -------
    estimator
        With ``margin``, ``predict_proba`` and ``predict_interval``.

    Raises
    ------
    SpecError
        If the model or one of its parameters is unknown.
    """
    entry, base = model_entry(name), build_model(name, params, seed)
    counted: dict[str, Any] = {}
    if fallback is not None and entry.many_columns:
        plain = build_model(fallback.name, fallback.params, seed)
        base = FewEventsFallback(base, plain, fallback.below_events)
        counted = {"households": households}
    if entry.calibrated:
        outside = population if entry.population else None
        score = CalibratedScore(base, share=share, scheme=scheme, random_state=seed)
        return score.fit(X, y, groups=groups, population=outside, copies=copies, **counted)
    if isinstance(base, CalibratedScore):
        base.set_params(share=share, scheme=scheme)
    return base.fit(X, y, groups=groups)


def model_tables(name: str, model: Any) -> dict[str, pd.DataFrame]:
    """Return the tables that a fitted model itself is: effects with standard errors, a scorecard.

    Parameters
    ----------
    name
        Of the model.
    model
        Fitted, calibrated or not.

    Returns
    -------
    dict
        Tables by name; empty for a model that is none.
    """
    tables = model_entry(name).tables
    return tables(model) if tables is not None else {}


def trusted_types() -> list[str]:
    """Return the types that a saved model may hold, for ``skops.io.load(trusted=...)``.

    The list lives here and in the entries, never in the file: a file that holds any other type is refused.

    Returns
    -------
    list of str
        Dotted names, sorted.
    """
    saved = {
        CalibratedScore,
        BootstrapInterval,
        FewEventsFallback,
        *(kind for e in MODELS.values() for kind in e.saves),
    }
    return sorted(
        kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}" for kind in saved
    )
