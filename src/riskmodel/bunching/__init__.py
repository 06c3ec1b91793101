"""Incomes heaped at a line: a check of records by their density, where no single row shows anything."""

from riskmodel.bunching.density import Jump, Slope, jump, slope
from riskmodel.bunching.find import LEVEL, Heaps, Threshold, heaps, yearly
from riskmodel.bunching.told import check_heaps, sentences

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
