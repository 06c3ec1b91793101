"""Why a score is what it is: additive contributions, their sums by official cause, and plain sentences.

This package alone uses shap, and only when a tree model is explained.
"""

from __future__ import annotations

from riskmodel.explanation.additive import contributions
from riskmodel.explanation.causes import by_cause
from riskmodel.explanation.changes import changes
from riskmodel.explanation.measures import Library, cause_codes, load_measures
from riskmodel.explanation.reasons import reasons
from riskmodel.explanation.wording import Wording, cause_words, load_wording

__all__ = [
    "Library", "Wording", "by_cause", "cause_codes", "cause_words", "changes", "contributions",
    "load_measures", "load_wording", "reasons",
]  # fmt: skip
