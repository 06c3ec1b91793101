"""Why a score is what it is: additive contributions, their sums by official cause, and plain sentences.

This package alone uses shap, and only when a tree model is explained.
"""

from __future__ import annotations

from riskmodel.explain.additive import contributions
from riskmodel.explain.causes import by_cause
from riskmodel.explain.reasons import reasons
from riskmodel.explain.wording import Wording, cause_words, load_wording

__all__ = ["Wording", "by_cause", "cause_words", "contributions", "load_wording", "reasons"]
