"""Experiments: declaration, training, tracking, comparison and promotion of models."""

from riskmodel.runs.assessment import Evaluation, evaluate, is_simple, winner
from riskmodel.runs.design_matrix import model_inputs
from riskmodel.runs.experiment import EVENT_WORDS, Experiment, VisitBudget, load_experiment
from riskmodel.runs.fitting import DECLARED, ExperimentResult, run_experiment, score_columns
from riskmodel.runs.outcomes import HOUSEHOLD_GROUPS, select_truth
from riskmodel.runs.promotion import (
    MIN_GROUP_EVENTS,
    TEST_ROW,
    Decision,
    fairness_groups,
    listed_at_budget,
    promote,
)
from riskmodel.runs.run import Run, RunComparison, compare, open_run
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
from riskmodel.runs.training import TrainedRun, read_truth, train

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "DECLARED",
    "EVENT_WORDS",
    "HOUSEHOLD_GROUPS",
    "MIN_GROUP_EVENTS",
    "TEST_ROW",
    "Decision",
    "Evaluation",
    "Experiment",
    "ExperimentResult",
    "LoadedModel",
    "RegisteredModel",
    "Run",
    "RunComparison",
    "TrainedRun",
    "VisitBudget",
    "compare",
    "environment",
    "evaluate",
    "fairness_groups",
    "find_model",
    "is_simple",
    "listed_at_budget",
    "load_experiment",
    "load_model",
    "model_inputs",
    "open_run",
    "promote",
    "read_truth",
    "run_experiment",
    "run_finished",
    "score_columns",
    "select_truth",
    "start_run",
    "train",
    "winner",
]
