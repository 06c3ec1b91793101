"""Return-to-poverty risk scores beside the official rules.

>>> import riskmodel as rm
>>> rm.rules.load("national-2021").flagged_categories
('unstable_lifted', 'marginal', 'sudden_hardship')
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Loaded when first asked for: importing riskmodel itself stays light.
_PARTS = (
    "accounting",
    "asof",
    "bench",
    "bunching",
    "cards",
    "cohorts",
    "county",
    "evaluation",
    "experiment",
    "explain",
    "features",
    "forecast",
    "labels",
    "ledger",
    "models",
    "monitor",
    "month",
    "promotion",
    "report",
    "rules",
    "score",
    "simulate",
    "tracking",
    "training",
    "worklist",
)

if TYPE_CHECKING:
    from riskmodel import (
        accounting,
        asof,
        bench,
        bunching,
        cards,
        cohorts,
        county,
        evaluation,
        experiment,
        explain,
        features,
        forecast,
        labels,
        ledger,
        models,
        monitor,
        month,
        promotion,
        report,
        rules,
        score,
        simulate,
        tracking,
        training,
        worklist,
    )
    from riskmodel.county import County, read

__all__ = [
    "County",
    "accounting",
    "asof",
    "bench",
    "bunching",
    "cards",
    "cohorts",
    "county",
    "evaluation",
    "experiment",
    "explain",
    "features",
    "forecast",
    "labels",
    "ledger",
    "models",
    "monitor",
    "month",
    "promotion",
    "read",
    "report",
    "rules",
    "score",
    "simulate",
    "tracking",
    "training",
    "worklist",
]


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"riskmodel.{name}")
    if name in ("read", "County"):
        return getattr(importlib.import_module("riskmodel.county"), name)
    raise AttributeError(f"module 'riskmodel' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
