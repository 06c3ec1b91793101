"""Return-to-poverty risk scores beside the official rules.

>>> import riskmodel as rm
>>> rm.rules.load_rules("national-2021").flagged_categories
('unstable_lifted', 'marginal', 'sudden_hardship')
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Loaded when first asked for: importing riskmodel itself stays light.
_ROOMS = (
    "benchmark",
    "data",
    "evaluation",
    "explanation",
    "features",
    "forecasting",
    "households",
    "models",
    "month",
    "presentation",
    "register",
    "rules",
    "runs",
    "scoring",
    "simulate",
    "targets",
)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"riskmodel.{name}")
    if name in ("read_county", "County"):
        return getattr(importlib.import_module("riskmodel.data"), name)
    raise AttributeError(f"module 'riskmodel' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS, "County", "read_county"])
