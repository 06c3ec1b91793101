"""One YAML, one reproducible run: cohort, temporal splits, models, predictions on what came later."""

from riskmodel.runs.experiment.declared import Experiment, load
from riskmodel.runs.experiment.run import ExperimentResult, run

__all__ = ["Experiment", "ExperimentResult", "load", "run"]
