"""Models: scikit-learn estimators with a margin in log-odds, arrays and plain values for state.

Every one has ``fit(X, y, groups=None)``, ``predict_proba``, ``margin`` and ``get_params``. An experiment
names them by `MODELS`, and wraps them in `CalibratedScore` on held-out villages.
"""

from riskmodel.models.affine_calibration import BootstrapInterval, fit_affine
from riskmodel.models.base import (
    DesignMatrix,
    MarginClassifier,
    OneClassError,
    Population,
    PreparedRows,
    village_draws,
    village_folds,
)
from riskmodel.models.baselines import PastIncome, PermanentIncome, VillageRate
from riskmodel.models.boosting import Boosting, LightBoosting
from riskmodel.models.calibrated import CalibratedScore, VennAbers, VennAbersScore
from riskmodel.models.explainable_boosting import AdditiveBoosting
from riskmodel.models.few_events import FewEventsFallback, PlainModel, fallback_of
from riskmodel.models.hazard import DiscreteHazard
from riskmodel.models.line_copies import LineCopies
from riskmodel.models.logit import ClusterLogit, PenalisedLogit
from riskmodel.models.registry import (
    MODELS,
    TRADITIONS,
    ModelEntry,
    Tradition,
    build_model,
    check_parameters,
    fit_model,
    is_available,
    is_model,
    model_entry,
    model_names,
    model_tables,
    simple_orders,
    takes_line_copies,
    trusted_types,
)
from riskmodel.models.rule_verdict import RuleVerdict
from riskmodel.models.scorecard import Scorecard, scorecard_tables
from riskmodel.models.shared_fits import shared_fits
from riskmodel.models.stack import MeanMargin, Stack
from riskmodel.models.vulnerability import Vulnerability

__all__ = [
    "MODELS",
    "TRADITIONS",
    "AdditiveBoosting",
    "Boosting",
    "BootstrapInterval",
    "CalibratedScore",
    "ClusterLogit",
    "DesignMatrix",
    "DiscreteHazard",
    "FewEventsFallback",
    "LightBoosting",
    "LineCopies",
    "MarginClassifier",
    "MeanMargin",
    "ModelEntry",
    "OneClassError",
    "PastIncome",
    "PenalisedLogit",
    "PermanentIncome",
    "PlainModel",
    "Population",
    "PreparedRows",
    "RuleVerdict",
    "Scorecard",
    "Stack",
    "Tradition",
    "VennAbers",
    "VennAbersScore",
    "VillageRate",
    "Vulnerability",
    "build_model",
    "check_parameters",
    "fallback_of",
    "fit_affine",
    "fit_model",
    "is_available",
    "is_model",
    "model_entry",
    "model_names",
    "model_tables",
    "scorecard_tables",
    "shared_fits",
    "simple_orders",
    "takes_line_copies",
    "trusted_types",
    "village_draws",
    "village_folds",
]
