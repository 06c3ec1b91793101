"""Experiments: declaration, training, tracking, comparison and promotion of models."""

from riskmodel.runs.assessment import Evaluation, evaluate, is_simple, winner
from riskmodel.runs.design_matrix import (
    DesignMatrix,
    build_design_matrix,
    model_inputs,
    rank_by_rules,
    resolve_feature_set,
)
from riskmodel.runs.experiment import EVENT_WORDS, Experiment, Fold, VisitBudget, load_experiment
from riskmodel.runs.experiment_check import Fault, check_experiment
from riskmodel.runs.external import (
    RECALIBRATED,
    ExternalValidation,
    log_validation,
    validate_counties,
    validate_model,
    validation_facts,
)
from riskmodel.runs.fitting import DECLARED, ExperimentResult, fit_rows, run_experiment, score_columns
from riskmodel.runs.gate import MIN_GROUP_EVENTS, Check, GateResult, judge_champion
from riskmodel.runs.model_choice import choice_messages, model_choice
from riskmodel.runs.outcomes import HOUSEHOLD_GROUPS, select_truth
from riskmodel.runs.preregistration import plan_message, preregister
from riskmodel.runs.promotion import (
    TEST_ROW,
    Decision,
    fairness_groups,
    listed_at_budget,
    promote,
)
from riskmodel.runs.reporting import guideline_evidence
from riskmodel.runs.run import Run, RunComparison, compare, open_run
from riskmodel.runs.run_rows import FoldRows, RunRows, collect_rows
from riskmodel.runs.tracking import (
    CHALLENGER,
    CHAMPION,
    LoadedModel,
    RegisteredModel,
    environment,
    find_model,
    load_model,
    run_finished,
    start_run,
)
from riskmodel.runs.training import TrainedRun, evaluate_and_log, read_truth, train

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "DECLARED",
    "EVENT_WORDS",
    "HOUSEHOLD_GROUPS",
    "MIN_GROUP_EVENTS",
    "RECALIBRATED",
    "TEST_ROW",
    "Check",
    "Decision",
    "DesignMatrix",
    "Evaluation",
    "Experiment",
    "ExperimentResult",
    "ExternalValidation",
    "Fault",
    "Fold",
    "FoldRows",
    "GateResult",
    "LoadedModel",
    "RegisteredModel",
    "Run",
    "RunComparison",
    "RunRows",
    "TrainedRun",
    "VisitBudget",
    "build_design_matrix",
    "check_experiment",
    "choice_messages",
    "collect_rows",
    "compare",
    "environment",
    "evaluate",
    "evaluate_and_log",
    "fairness_groups",
    "find_model",
    "fit_rows",
    "guideline_evidence",
    "is_simple",
    "judge_champion",
    "listed_at_budget",
    "load_experiment",
    "load_model",
    "log_validation",
    "model_choice",
    "model_inputs",
    "open_run",
    "plan_message",
    "preregister",
    "promote",
    "rank_by_rules",
    "read_truth",
    "resolve_feature_set",
    "run_experiment",
    "run_finished",
    "score_columns",
    "select_truth",
    "start_run",
    "train",
    "validate_counties",
    "validate_model",
    "validation_facts",
    "winner",
]
