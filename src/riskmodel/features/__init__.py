"""Features declared in YAML, compiled to Ibis, for many as-of dates in one pass."""

from riskmodel.features.build import build
from riskmodel.features.declaration import Feature, FeatureSet, without
from riskmodel.features.dictionary import describe, reasons_missing
from riskmodel.features.library import available, load
from riskmodel.features.observations import MOST_SHARE

__all__ = [
    "MOST_SHARE",
    "Feature",
    "FeatureSet",
    "available",
    "build",
    "describe",
    "load",
    "reasons_missing",
    "without",
]
