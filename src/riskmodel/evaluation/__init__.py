"""Evaluation: what a score is worth, alone and against the rules, with village-bootstrap intervals.

Functions on arrays for single statistics; `pooled_metrics`, `metrics_by_fold`, `metric_curves` and `compare`
on the tidy frame of predictions: ``household_id, as_of, fold, township, village, persons, model, score,
probability, y, flagged, rule_rank``. They return numbers, codes and messages (`riskmodel.i18n.Message`).
"""

from riskmodel.evaluation.claims import claim_messages, list_claims
from riskmodel.evaluation.compare import Comparison, baseline_words, compare
from riskmodel.evaluation.curves import net_benefit, net_benefit_curve, reliability
from riskmodel.evaluation.lead_time import (
    SCORE_PREFIX,
    LeadTime,
    first_listings,
    followed_models,
    kaplan_meier,
    lead_time,
)
from riskmodel.evaluation.list_metrics import crra_welfare, targeting_measures
from riskmodel.evaluation.lists import (
    Budget,
    ListCounts,
    list_at_budget,
    list_deployed,
    list_kernel,
    quotas,
    rank_rows,
)
from riskmodel.evaluation.metrics import LEAKAGE_AUC, METRICS, Metric, table_metrics
from riskmodel.evaluation.model_choice import ModelChoice, choose_models
from riskmodel.evaluation.paired_lists import (
    DeLong,
    Difference,
    compare_fixed_lists,
    delong,
    holm,
    mcnemar_exact,
)
from riskmodel.evaluation.pooling import pool_counties
from riskmodel.evaluation.power import (
    comparison_power,
    poisson_interval,
    power_table,
    precision_plan,
    village_correlation,
    wilson_interval,
)
from riskmodel.evaluation.predictions import (
    Resamples,
    label_by_findings,
    percentile_interval,
    sorted_codes,
    two_sided_p,
    village_resamples,
)
from riskmodel.evaluation.score_metrics import (
    auc,
    auc_kernel,
    average_precision,
    brier,
    calibration_intercept,
    calibration_slope,
)
from riskmodel.evaluation.selective_labels import (
    PUBLISHED_YIELD,
    YIELD_MONTHS,
    finding_messages,
    metrics_by_findings,
    recent_visits,
    support_bounds,
    weighted_rate,
    weighted_yield,
    worst_case_bounds,
    yield_by_source,
)
from riskmodel.evaluation.summary import (
    group_gaps,
    metric_curves,
    metric_difference,
    metrics_by_event,
    metrics_by_fold,
    pooled_metrics,
)
from riskmodel.evaluation.true_risk import (
    ATTAINABLE,
    TrueRiskReport,
    bracket_message,
    compare_with_true_risk,
    true_risk_messages,
)
from riskmodel.evaluation.visits_equivalent import VisitsEquivalent, visits_equivalent
from riskmodel.planning import (
    DISCORDANT,
    LIFTS,
    design_effect,
    precision_interval,
    precision_power,
    smallest_difference,
    visits_needed,
)

__all__ = [
    "ATTAINABLE",
    "DISCORDANT",
    "LEAKAGE_AUC",
    "LIFTS",
    "METRICS",
    "PUBLISHED_YIELD",
    "SCORE_PREFIX",
    "YIELD_MONTHS",
    "Budget",
    "Comparison",
    "DeLong",
    "Difference",
    "LeadTime",
    "ListCounts",
    "Metric",
    "ModelChoice",
    "Resamples",
    "TrueRiskReport",
    "VisitsEquivalent",
    "auc",
    "auc_kernel",
    "average_precision",
    "baseline_words",
    "bracket_message",
    "brier",
    "calibration_intercept",
    "calibration_slope",
    "choose_models",
    "claim_messages",
    "compare",
    "compare_fixed_lists",
    "compare_with_true_risk",
    "comparison_power",
    "crra_welfare",
    "delong",
    "design_effect",
    "finding_messages",
    "first_listings",
    "followed_models",
    "group_gaps",
    "holm",
    "kaplan_meier",
    "label_by_findings",
    "lead_time",
    "list_at_budget",
    "list_claims",
    "list_deployed",
    "list_kernel",
    "mcnemar_exact",
    "metric_curves",
    "metric_difference",
    "metrics_by_event",
    "metrics_by_findings",
    "metrics_by_fold",
    "net_benefit",
    "net_benefit_curve",
    "percentile_interval",
    "poisson_interval",
    "pool_counties",
    "pooled_metrics",
    "power_table",
    "precision_interval",
    "precision_plan",
    "precision_power",
    "quotas",
    "rank_rows",
    "recent_visits",
    "reliability",
    "smallest_difference",
    "sorted_codes",
    "support_bounds",
    "table_metrics",
    "targeting_measures",
    "true_risk_messages",
    "two_sided_p",
    "village_correlation",
    "village_resamples",
    "visits_equivalent",
    "visits_needed",
    "weighted_rate",
    "weighted_yield",
    "wilson_interval",
    "worst_case_bounds",
    "yield_by_source",
]
