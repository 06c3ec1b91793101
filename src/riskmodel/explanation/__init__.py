"""Why a score is what it is: additive contributions, their sums by official cause, and plain sentences.

This package alone uses shap, and only when a tree model is explained.
"""

from __future__ import annotations

from riskmodel.explanation.contributions import compute_contributions, sum_by_cause
from riskmodel.explanation.counterfactuals import find_counterfactuals
from riskmodel.explanation.fact_words import FactSheet, Reader, general_sheet, write_fact_sheets
from riskmodel.explanation.facts import find_facts, find_listed_facts, recorded_causes
from riskmodel.explanation.reasons import county_medians, write_reasons, write_reasons_in
from riskmodel.explanation.wording import (
    MeasureLibrary,
    ReasonWording,
    cause_words,
    domain_words,
    load_measures,
    load_wording,
    proposed_measures,
)

__all__ = [
    "FactSheet",
    "MeasureLibrary",
    "Reader",
    "ReasonWording",
    "cause_words",
    "compute_contributions",
    "county_medians",
    "domain_words",
    "find_counterfactuals",
    "find_facts",
    "find_listed_facts",
    "general_sheet",
    "load_measures",
    "load_wording",
    "proposed_measures",
    "recorded_causes",
    "sum_by_cause",
    "write_fact_sheets",
    "write_reasons",
    "write_reasons_in",
]  # fmt: skip
