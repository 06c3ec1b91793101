"""Official rule sets as versioned data, and the one engine that evaluates them."""

from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.evaluate import evaluate, evaluate_each
from riskmodel.rules.library import available, listing, load
from riskmodel.rules.lines import lines
from riskmodel.rules.parameters import parse_overrides

__all__ = [
    "RuleSet",
    "available",
    "evaluate",
    "evaluate_each",
    "lines",
    "listing",
    "load",
    "parse_overrides",
]
