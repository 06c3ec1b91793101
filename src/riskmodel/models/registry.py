"""The declared table of models: what an experiment may name, what each needs, who is explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from riskmodel.errors import SpecError
from riskmodel.models.base import Population
from riskmodel.models.boosting import Boosting
from riskmodel.models.calibrated import fit_calibrated
from riskmodel.models.hazard import DiscreteHazard
from riskmodel.models.inference import ClusterLogit
from riskmodel.models.logit import PastIncome, PenalisedLogit
from riskmodel.models.optional import AdditiveBoosting, LightBoosting
from riskmodel.models.permanent import PermanentIncome
from riskmodel.models.rule import RuleVerdict
from riskmodel.models.scorecard import Scorecard
from riskmodel.models.stack import Stack
from riskmodel.models.vennabers import VennAbersScore
from riskmodel.models.village import VillageRate
from riskmodel.models.vulnerability import Vulnerability


@dataclass(frozen=True)
class Entry:
    """One model that an experiment can name.

    Attributes
    ----------
    name, zh, en : str
    factory : callable
        Makes an estimator that is not fitted, from parameters.
    needs : {"features", "rules", "place", "both"}
        Which table goes in as X: the feature set's columns; the rules' columns ``flagged, gap``; the column
        ``village``; or the features with ``rule:pcni, rule:line`` beside them.
    explained : bool
        Whether contributions add up to its margin and are shown.
    contributions : {"linear", "trees", "none"}
        How: its own ``contributions``, or the trees of ``ensemble_``.
    calibrated : bool
        Whether `fit_model` wraps it in `CalibratedScore`. The rules' rates are rates already, and a
        calibrator's slope of 0 would hide a ranking that is worse than chance; so are the villages', who
        cannot be held out.
    family : str
        The tradition it comes from, for tables: rules, poverty, survival, econometrics, scorecards,
        machine learning.
    extra : str
        Optional extra of the package that brings its library; empty where none is needed.
    ruleset : str
        For ``rule-ID`` and ``conditions-ID``: the rule set it follows; empty for the experiment's own.
    population : bool
        Whether it is also fitted on households outside the cohort.
    """

    name: str
    zh: str
    en: str
    factory: Callable[..., Any]
    needs: Literal["features", "rules", "place", "both"]
    explained: bool
    contributions: Literal["linear", "trees", "none"]
    calibrated: bool
    family: str = "machine learning"
    extra: str = ""
    ruleset: str = ""
    population: bool = False


def _logit(**params: Any) -> PenalisedLogit:
    return PenalisedLogit(**{"C": "cv", **params})


def _hazard(**params: Any) -> DiscreteHazard:
    return DiscreteHazard(**{"alpha": "cv", **params})


def _venn(**params: Any) -> VennAbersScore:
    return VennAbersScore(**{"base": PenalisedLogit(C="cv"), **params})


_RULES, _POVERTY, _SURVIVAL, _ECONOMETRICS = "rules", "poverty", "survival", "econometrics"
_CARDS = "scorecards"

MODELS: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("rule", "规则判定", "rule verdict", RuleVerdict, "rules", False, "none", False, _RULES),
        Entry(
            "past_income",
            "仅往期收入",
            "past income alone",
            PastIncome,
            "features",
            True,
            "linear",
            True,
            _POVERTY,
        ),
        Entry(
            "permanent_income",
            "往期收入加权（永久收入）",
            "past weighted income (permanent income)",
            PermanentIncome,
            "features",
            True,
            "linear",
            True,
            _POVERTY,
        ),
        Entry("logit", "惩罚逻辑回归", "penalised logit", _logit, "features", True, "linear", True),
        Entry("boosting", "梯度提升树", "gradient boosting", Boosting, "features", True, "trees", True),
        Entry("village", "仅所在村", "village alone", VillageRate, "place", False, "none", False, _POVERTY),
        Entry(
            "vulnerability",
            "贫困脆弱性（三步FGLS）",
            "vulnerability (three-step FGLS)",
            Vulnerability,
            "both",
            False,
            "none",
            True,
            _POVERTY,
            population=True,
        ),
        Entry(
            "hazard",
            "离散时间风险（cloglog）",
            "discrete-time hazard (cloglog)",
            _hazard,
            "features",
            False,
            "none",
            True,
            _SURVIVAL,
        ),
        Entry(
            "cluster_logit",
            "逻辑回归（按村聚类标准误）",
            "logit, village-robust",
            ClusterLogit,
            "features",
            True,
            "linear",
            True,
            _ECONOMETRICS,
        ),
        Entry("scorecard", "评分卡", "scorecard", Scorecard, "features", True, "linear", True, _CARDS),
        Entry(
            "ebm",
            "可解释提升机",
            "explainable boosting",
            AdditiveBoosting,
            "features",
            True,
            "linear",
            True,
            extra="ebm",
        ),
        Entry(
            "lightgbm", "LightGBM", "LightGBM", LightBoosting, "features", True, "linear", True, extra="boost"
        ),
        Entry("stack", "堆叠", "stack", Stack, "features", False, "none", True),
        Entry(
            "logit_venn",
            "逻辑回归（Venn–Abers 校准）",
            "logit, Venn–Abers",
            _venn,
            "features",
            False,
            "none",
            False,
        ),
    )
}
# What may stand before a rule set's id: its verdict with the distance to the line, or its conditions' count.
_OF_RULESET = {"rule-": ("规则", "rules"), "conditions-": ("满足条件数", "conditions met,")}
# Libraries of the optional extras, by the module that must be there.
_LIBRARIES = {"boost": "lightgbm", "ebm": "interpret"}


def available(name: str) -> bool:
    """Say whether a model's library is installed.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    from importlib.util import find_spec

    extra = entry(name).extra
    return not extra or find_spec(_LIBRARIES[extra]) is not None


def known(name: str) -> bool:
    """Say whether an experiment may name it: a key of `MODELS`, ``rule-ID`` or ``conditions-ID``."""
    return name in MODELS or any(name.startswith(p) and len(name) > len(p) for p in _OF_RULESET)


def entry(name: str) -> Entry:
    """Look one model up.

    Parameters
    ----------
    name : str

    Returns
    -------
    Entry

    Raises
    ------
    SpecError
        If there is none of that name; the message lists those there are.
    """
    if name in MODELS:
        return MODELS[name]
    for prefix, (zh, en) in _OF_RULESET.items():
        ruleset = name.removeprefix(prefix)
        if name.startswith(prefix) and ruleset:
            made = RuleVerdict
            return Entry(
                name,
                f"{zh} {ruleset}",
                f"{en} {ruleset}",
                made,
                "rules",
                False,
                "none",
                False,
                _RULES,
                "",
                ruleset,
            )
    raise SpecError(
        f"no model {name!r}; known: {', '.join(MODELS)}, and rule-ID or conditions-ID of a rule set"
    ) from None


def make(name: str, params: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
    """Make one model that is not fitted.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    params : mapping, optional
        Constructor parameters.
    seed : int, default 0
        Its ``random_state``, where it takes one and ``params`` does not give it.

    Returns
    -------
    estimator

    Raises
    ------
    SpecError
        If the model or one of its parameters is unknown.
    """
    found = entry(name)
    given = dict(params or {})
    takes = found.factory().get_params(deep=False)
    unknown = sorted(set(given) - set(takes))
    if unknown:
        raise SpecError(
            f"model {name!r} has no parameter {', '.join(unknown)}; it takes: {', '.join(takes) or 'none'}"
        )
    if "random_state" in takes:
        given.setdefault("random_state", seed)
    return found.factory(**given)


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
) -> Any:
    """Fit one declared model, calibrated on held-out villages where the table says so.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    X : DataFrame of shape (n, …)
        The table the model ``needs``.
    y : array of shape (n,)
        0/1, no nulls.
    groups : array-like of shape (n,)
        Village of each row.
    seed : int
    params : mapping, optional
        Constructor parameters.
    share : float, default 0.25
        Share of villages held out for the calibrator.
    scheme : {"holdout", "cross"}, default "holdout"
        See `CalibratedScore`.
    population : Population, optional
        Households outside the cohort, for models that are fitted on them too.

    Returns
    -------
    estimator
        With ``margin``, ``predict_proba`` and ``predict_interval``.
    """
    base = make(name, params, seed)
    if isinstance(base, VennAbersScore):
        base.set_params(share=share, scheme=scheme)
    if entry(name).calibrated:
        return fit_calibrated(
            base, X, y, groups, seed, share, scheme, population if entry(name).population else None
        )
    return base.fit(X, y, groups=groups)


# Every type that is not scikit-learn's or numpy's public ware and may stand in a saved model. A file that
# holds any other type is refused: the list lives here, never in the file.
_TRUSTED: tuple[str, ...] = (
    "riskmodel.models.boosting.Boosting",
    "riskmodel.models.calibrated.CalibratedScore",
    "riskmodel.models.design.DesignMatrix",
    "riskmodel.models.hazard.DiscreteHazard",
    "riskmodel.models.inference.ClusterLogit",
    "riskmodel.models.interval.BootstrapInterval",
    "riskmodel.models.logit.PastIncome",
    "riskmodel.models.logit.PenalisedLogit",
    "riskmodel.models.permanent.PermanentIncome",
    "riskmodel.models.optional.AdditiveBoosting",
    "riskmodel.models.optional.LightBoosting",
    "riskmodel.models.rule.RuleVerdict",
    "riskmodel.models.scorecard.Scorecard",
    "riskmodel.models.stack.Stack",
    "riskmodel.models.vennabers.VennAbers",
    "riskmodel.models.vennabers.VennAbersScore",
    "riskmodel.models.village.VillageRate",
    "riskmodel.models.vulnerability.Vulnerability",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


def trusted_types() -> list[str]:
    """Return the fixed list of types that a saved model may hold, for ``skops.io.load(trusted=...)``.

    Returns
    -------
    list of str
    """
    return list(_TRUSTED)
