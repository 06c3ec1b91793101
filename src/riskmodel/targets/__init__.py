"""Labels (what happened after as-of) and cohorts (who was at risk at as-of)."""

from riskmodel.targets.cohorts import COHORTS, build_cohorts, count_unknown_incomes
from riskmodel.targets.flag_outcomes import FLAGGED_ALREADY
from riskmodel.targets.income_outcomes import below_line_outcomes, label_at
from riskmodel.targets.labels import (
    END_OF_TIME,
    EVENTS,
    KEY,
    Event,
    Horizon,
    build_targets,
)
from riskmodel.targets.windows import known_later, numbers_at_end

__all__ = [
    "COHORTS",
    "END_OF_TIME",
    "EVENTS",
    "FLAGGED_ALREADY",
    "KEY",
    "Event",
    "Horizon",
    "below_line_outcomes",
    "build_cohorts",
    "build_targets",
    "count_unknown_incomes",
    "known_later",
    "label_at",
    "numbers_at_end",
]
