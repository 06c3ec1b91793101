"""Incomes heaped at a line: a check of records by their density, where no single row shows anything."""

from riskmodel.households.bunching.density import (
    LEVEL,
    Heaps,
    Jump,
    Slope,
    Threshold,
    heaps,
    jump,
    slope,
    yearly,
)
from riskmodel.households.bunching.told import check_heaps, sentences

__all__ = [
    "LEVEL",
    "Heaps",
    "Jump",
    "Slope",
    "Threshold",
    "check_heaps",
    "heaps",
    "jump",
    "sentences",
    "slope",
    "yearly",
]
