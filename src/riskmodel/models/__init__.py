"""Models: scikit-learn estimators with a margin in log-odds, arrays and plain values for state.

Every one has ``fit(X, y, groups=None)``, ``predict_proba``, ``margin`` and ``get_params``. An experiment
names them by `registry.MODELS`, and wraps them in `CalibratedScore` on held-out villages.
"""

from riskmodel.models.boosting import Boosting
from riskmodel.models.calibrated import CalibratedScore, fit_calibrated
from riskmodel.models.interval import BootstrapInterval
from riskmodel.models.logit import PastIncome, PenalisedLogit
from riskmodel.models.registry import MODELS, Entry, entry, fit_model, make, trusted_types
from riskmodel.models.rule import RuleVerdict

__all__ = [
    "MODELS",
    "Boosting",
    "BootstrapInterval",
    "CalibratedScore",
    "Entry",
    "PastIncome",
    "PenalisedLogit",
    "RuleVerdict",
    "entry",
    "fit_calibrated",
    "fit_model",
    "make",
    "trusted_types",
]
