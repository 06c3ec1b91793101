"""Models: scikit-learn estimators with a margin in log-odds, arrays and plain values for state.

Every one has ``fit(X, y, groups=None)``, ``predict_proba``, ``margin`` and ``get_params``. An experiment
names them by `registry.MODELS`, and wraps them in `CalibratedScore` on held-out villages.
"""

from riskmodel.models.affine import fit_affine
from riskmodel.models.base import OneClass, Population
from riskmodel.models.boosting import Boosting
from riskmodel.models.calibrated import CalibratedScore, fit_calibrated
from riskmodel.models.hazard import DiscreteHazard
from riskmodel.models.inference import ClusterLogit
from riskmodel.models.interval import BootstrapInterval
from riskmodel.models.logit import PastIncome, PenalisedLogit
from riskmodel.models.optional import AdditiveBoosting, LightBoosting
from riskmodel.models.permanent import PermanentIncome
from riskmodel.models.registry import MODELS, Entry, available, entry, fit_model, known, make, trusted_types
from riskmodel.models.rule import RuleVerdict
from riskmodel.models.scorecard import Scorecard, exported_card
from riskmodel.models.split import village_draws
from riskmodel.models.stack import Stack
from riskmodel.models.vennabers import VennAbers, VennAbersScore
from riskmodel.models.village import VillageRate
from riskmodel.models.vulnerability import Vulnerability

__all__ = [
    "MODELS",
    "AdditiveBoosting",
    "Boosting",
    "BootstrapInterval",
    "CalibratedScore",
    "ClusterLogit",
    "DiscreteHazard",
    "Entry",
    "LightBoosting",
    "OneClass",
    "PastIncome",
    "PenalisedLogit",
    "PermanentIncome",
    "Population",
    "RuleVerdict",
    "Scorecard",
    "Stack",
    "VennAbers",
    "VennAbersScore",
    "VillageRate",
    "Vulnerability",
    "available",
    "entry",
    "exported_card",
    "fit_affine",
    "fit_calibrated",
    "fit_model",
    "known",
    "make",
    "trusted_types",
    "village_draws",
]
