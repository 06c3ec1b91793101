"""Evaluation: what a score is worth, alone and against the rules, with village-bootstrap intervals.

Functions on arrays for single statistics; `pooled`, `by_fold`, `curves` and `compare` on the tidy frame of
predictions: ``household_id, as_of, fold, township, village, persons, model, score, probability, y, flagged,
rule_rank``.
"""

from riskmodel.evaluation.bootstrap import Resamples, percentile_interval, two_sided_p, village_resamples
from riskmodel.evaluation.budget import Budget, at_budget, quotas
from riskmodel.evaluation.calibration import brier, calibration_intercept, calibration_slope, reliability
from riskmodel.evaluation.compare import Comparison, compare
from riskmodel.evaluation.decision import net_benefit_curve
from riskmodel.evaluation.events import by_event
from riskmodel.evaluation.fairness import gaps
from riskmodel.evaluation.frame import codes
from riskmodel.evaluation.lead import SCORE, LeadTime, first_seen, kaplan_meier, lead_time, listed
from riskmodel.evaluation.leaks import leaks
from riskmodel.evaluation.lists import list_kernel, rank
from riskmodel.evaluation.paired import DeLong, delong, holm, mcnemar_exact
from riskmodel.evaluation.planning import (
    design_effect,
    precision_interval,
    precision_power,
    smallest_difference,
    visits_needed,
)
from riskmodel.evaluation.ranking import auc, auc_kernel, average_precision
from riskmodel.evaluation.selective import support_bounds, weighted_rate, worst_case
from riskmodel.evaluation.size import (
    DISCORDANT,
    LIFTS,
    planned,
    village_correlation,
    visits_planned,
    what_can_be_shown,
)
from riskmodel.evaluation.summary import by_fold, curves, pooled
from riskmodel.evaluation.table import FURTHER, LEAKAGE_AUC, METRICS, Metric, net_benefit
from riskmodel.evaluation.targeting import crra_welfare, targeting
from riskmodel.evaluation.verdict import names as model_names
from riskmodel.evaluation.visited import represented, selected
from riskmodel.evaluation.visits import VisitsEquivalent, visits_equivalent
from riskmodel.evaluation.yields import MONTHS, PUBLISHED, by_source, last_visits, weighted, wilson

__all__ = [
    "DISCORDANT",
    "FURTHER",
    "LEAKAGE_AUC",
    "LIFTS",
    "METRICS",
    "MONTHS",
    "PUBLISHED",
    "SCORE",
    "Budget",
    "Comparison",
    "DeLong",
    "LeadTime",
    "Metric",
    "Resamples",
    "VisitsEquivalent",
    "at_budget",
    "auc",
    "auc_kernel",
    "average_precision",
    "brier",
    "by_event",
    "by_fold",
    "by_source",
    "calibration_intercept",
    "calibration_slope",
    "codes",
    "compare",
    "crra_welfare",
    "curves",
    "delong",
    "design_effect",
    "first_seen",
    "gaps",
    "holm",
    "kaplan_meier",
    "last_visits",
    "lead_time",
    "leaks",
    "list_kernel",
    "listed",
    "mcnemar_exact",
    "model_names",
    "net_benefit",
    "net_benefit_curve",
    "percentile_interval",
    "planned",
    "pooled",
    "precision_interval",
    "precision_power",
    "quotas",
    "rank",
    "reliability",
    "represented",
    "selected",
    "smallest_difference",
    "support_bounds",
    "targeting",
    "two_sided_p",
    "village_correlation",
    "village_resamples",
    "visits_equivalent",
    "visits_needed",
    "visits_planned",
    "weighted",
    "weighted_rate",
    "what_can_be_shown",
    "wilson",
    "worst_case",
]
