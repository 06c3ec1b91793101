"""Experiments: declaration, training, tracking, comparison and promotion of models."""

from riskmodel.runs.comparison import EVENT_WORDS, StoredComparison, read_comparison
from riskmodel.runs.design_matrix import model_inputs
from riskmodel.runs.experiment import Experiment, Title, VisitBudget, load_experiment
from riskmodel.runs.fitting import DECLARED, ExperimentResult, run_experiment
from riskmodel.runs.outcomes import HOUSEHOLD_GROUPS
from riskmodel.runs.promotion import MIN_GROUP_EVENTS, TEST_ROW, Decision, fairness_groups, promote
from riskmodel.runs.tracking import LoadedModel, load_model
from riskmodel.runs.training import TrainedRun, read_truth, train

__all__ = [
    "DECLARED",
    "EVENT_WORDS",
    "HOUSEHOLD_GROUPS",
    "MIN_GROUP_EVENTS",
    "TEST_ROW",
    "Decision",
    "Experiment",
    "ExperimentResult",
    "LoadedModel",
    "StoredComparison",
    "Title",
    "TrainedRun",
    "VisitBudget",
    "fairness_groups",
    "load_experiment",
    "load_model",
    "model_inputs",
    "promote",
    "read_comparison",
    "read_truth",
    "run_experiment",
    "train",
]
