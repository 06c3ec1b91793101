"""Why a score is what it is: additive contributions, their sums by official cause, and plain sentences.

This package alone uses shap, and only when a tree model is explained.
"""

from __future__ import annotations

from riskmodel.explanation.contributions import compute_contributions, sum_by_cause
from riskmodel.explanation.counterfactuals import find_counterfactuals
from riskmodel.explanation.reasons import county_medians, write_reasons, write_reasons_in
from riskmodel.explanation.wording import (
    MeasureLibrary,
    ReasonWording,
    cause_codes,
    cause_words,
    load_measures,
    load_wording,
)

__all__ = [
    "MeasureLibrary",
    "ReasonWording",
    "cause_codes",
    "cause_words",
    "compute_contributions",
    "county_medians",
    "find_counterfactuals",
    "load_measures",
    "load_wording",
    "sum_by_cause",
    "write_reasons",
    "write_reasons_in",
]  # fmt: skip
