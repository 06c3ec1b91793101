"""The office's month in one go: check, rules, score, list, report, ledger; and the months gone by."""

from __future__ import annotations

from riskmodel.month.archive import months, past, scores
from riskmodel.month.run import STEPS, Month, run
from riskmodel.month.settings import Settings, Wishes

__all__ = ["STEPS", "Month", "Settings", "Wishes", "months", "past", "run", "scores"]
