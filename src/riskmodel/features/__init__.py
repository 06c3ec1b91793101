"""Features declared in YAML, for many as-of dates in one pass: from the monthly panel, the rest by Ibis."""

from riskmodel.features.build import build_features, build_features_at_lines, line_features
from riskmodel.features.declaration import Feature, FeatureSet, without_roles
from riskmodel.features.dictionary import describe_features, explain_missing
from riskmodel.features.library import available_feature_sets, feature_set_faults, load_feature_set
from riskmodel.features.records import MAX_LINE_SHARE

__all__ = [
    "MAX_LINE_SHARE",
    "Feature",
    "FeatureSet",
    "available_feature_sets",
    "build_features",
    "build_features_at_lines",
    "describe_features",
    "explain_missing",
    "feature_set_faults",
    "line_features",
    "load_feature_set",
    "without_roles",
]
