"""Why a score is what it is: additive contributions, their sums by official cause, and plain sentences.

This package alone uses shap, and only when a tree model is explained.
"""

from __future__ import annotations

from riskmodel.explain.additive import contributions
from riskmodel.explain.causes import by_cause
from riskmodel.explain.changes import changes
from riskmodel.explain.measures import Library, cause_codes, load_measures
from riskmodel.explain.reasons import reasons
from riskmodel.explain.wording import Wording, cause_words, load_wording

__all__ = [
    "Library", "Wording", "by_cause", "cause_codes", "cause_words", "changes", "contributions",
    "load_measures", "load_wording", "reasons",
]  # fmt: skip
