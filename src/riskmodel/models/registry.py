"""The declared table of models: what an experiment may name, what each needs, who is explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from riskmodel.errors import SpecError
from riskmodel.models.boosting import Boosting
from riskmodel.models.calibrated import fit_calibrated
from riskmodel.models.logit import PastIncome, PenalisedLogit
from riskmodel.models.rule import RuleVerdict


@dataclass(frozen=True)
class Entry:
    """One model that an experiment can name.

    Attributes
    ----------
    name, zh, en : str
    factory : callable
        Makes an estimator that is not fitted, from parameters.
    needs : {"features", "rules"}
        Which table goes in as X: the feature set's columns, or the rules' columns.
    explained : bool
        Whether contributions add up to its margin and are shown.
    contributions : {"linear", "trees", "none"}
        How: its own ``contributions``, or the trees of ``ensemble_``.
    calibrated : bool
        Whether `fit_model` wraps it in `CalibratedScore`. The rules' rates are rates already, and a
        calibrator's slope of 0 would hide a ranking that is worse than chance.
    """

    name: str
    zh: str
    en: str
    factory: Callable[..., Any]
    needs: Literal["features", "rules"]
    explained: bool
    contributions: Literal["linear", "trees", "none"]
    calibrated: bool


def _logit(**params: Any) -> PenalisedLogit:
    return PenalisedLogit(**{"C": "cv", **params})


MODELS: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("rule", "规则判定", "rule verdict", RuleVerdict, "rules", False, "none", False),
        Entry("past_income", "仅往期收入", "past income alone", PastIncome, "features", True, "linear", True),
        Entry("logit", "惩罚逻辑回归", "penalised logit", _logit, "features", True, "linear", True),
        Entry("boosting", "梯度提升树", "gradient boosting", Boosting, "features", True, "trees", True),
    )
}


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
    try:
        return MODELS[name]
    except KeyError:
        raise SpecError(f"no model {name!r}; known: {', '.join(MODELS)}") from None


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
    known = found.factory().get_params(deep=False)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise SpecError(
            f"model {name!r} has no parameter {', '.join(unknown)}; it takes: {', '.join(known) or 'none'}"
        )
    if "random_state" in known:
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

    Returns
    -------
    estimator
        With ``margin``, ``predict_proba`` and ``predict_interval``.
    """
    base = make(name, params, seed)
    if entry(name).calibrated:
        return fit_calibrated(base, X, y, groups, seed, share, scheme)
    return base.fit(X, y, groups=groups)


# Every type that is not scikit-learn's or numpy's public ware and may stand in a saved model. A file that
# holds any other type is refused: the list lives here, never in the file.
_TRUSTED: tuple[str, ...] = (
    "riskmodel.models.boosting.Boosting",
    "riskmodel.models.calibrated.CalibratedScore",
    "riskmodel.models.design.DesignMatrix",
    "riskmodel.models.interval.BootstrapInterval",
    "riskmodel.models.logit.PastIncome",
    "riskmodel.models.logit.PenalisedLogit",
    "riskmodel.models.rule.RuleVerdict",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


def trusted_types() -> list[str]:
    """Return the fixed list of types that a saved model may hold, for ``skops.io.load(trusted=...)``.

    Returns
    -------
    list of str
    """
    return list(_TRUSTED)
