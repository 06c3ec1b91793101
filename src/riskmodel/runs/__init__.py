"""Experiments: training, tracking, comparison and promotion of models."""

from riskmodel.runs.comparison import EVENT_WORDS, StoredComparison, read_comparison
from riskmodel.runs.experiment.declared import Budget, Experiment, Title, load
from riskmodel.runs.experiment.inputs import inputs
from riskmodel.runs.experiment.outcomes import GROUPS
from riskmodel.runs.experiment.run import DECLARED, ExperimentResult
from riskmodel.runs.promotion.checks import MIN_EVENTS
from riskmodel.runs.promotion.contenders import ROW, groups
from riskmodel.runs.tracking import LoadedModel

__all__ = [
    "DECLARED",
    "EVENT_WORDS",
    "GROUPS",
    "MIN_EVENTS",
    "ROW",
    "Budget",
    "Experiment",
    "ExperimentResult",
    "LoadedModel",
    "StoredComparison",
    "Title",
    "groups",
    "inputs",
    "load",
    "read_comparison",
]
