"""Evaluation: what a score is worth, alone and against the rules, with village-bootstrap intervals.

Functions on arrays for single statistics; `pooled`, `by_fold`, `curves` and `compare` on the tidy frame of
predictions: ``household_id, as_of, fold, township, village, persons, model, score, probability, y, flagged,
rule_rank``.
"""

from riskmodel.evaluation.bootstrap import Resamples, percentile_interval, two_sided_p, village_resamples
from riskmodel.evaluation.budget import Budget, at_budget
from riskmodel.evaluation.calibration import brier, calibration_intercept, calibration_slope, reliability
from riskmodel.evaluation.compare import Comparison, compare
from riskmodel.evaluation.paired import DeLong, delong, holm, mcnemar_exact
from riskmodel.evaluation.ranking import auc, average_precision
from riskmodel.evaluation.summary import by_fold, curves, pooled
from riskmodel.evaluation.table import LEAKAGE_AUC, METRICS, Metric, net_benefit

__all__ = [
    "LEAKAGE_AUC",
    "METRICS",
    "Budget",
    "Comparison",
    "DeLong",
    "Metric",
    "Resamples",
    "at_budget",
    "auc",
    "average_precision",
    "brier",
    "by_fold",
    "calibration_intercept",
    "calibration_slope",
    "compare",
    "curves",
    "delong",
    "holm",
    "mcnemar_exact",
    "net_benefit",
    "percentile_interval",
    "pooled",
    "reliability",
    "two_sided_p",
    "village_resamples",
]
