"""The office's month in one go: check, rules, score, list, report, ledger; and the months gone by."""

from __future__ import annotations

from riskmodel.month.archive import (
    OF_MODEL,
    STEPS,
    MonthOptions,
    MonthSettings,
    RulesSaid,
    list_months,
    past_scores,
    read_month_scores,
    read_settings,
    scores_by_month,
)
from riskmodel.month.pipeline import Month, run_month

__all__ = [
    "OF_MODEL",
    "STEPS",
    "Month",
    "MonthOptions",
    "MonthSettings",
    "RulesSaid",
    "list_months",
    "past_scores",
    "read_month_scores",
    "read_settings",
    "run_month",
    "scores_by_month",
]
