"""Official rule sets as versioned data, and the one engine that evaluates them."""

from riskmodel.rules.changes import changes, changes_by_township, tell_change
from riskmodel.rules.clocks import clocks
from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.evaluate import evaluate, evaluate_each
from riskmodel.rules.explain import explain, parameter_table
from riskmodel.rules.history import history
from riskmodel.rules.library import available, listing, load
from riskmodel.rules.lines import lines
from riskmodel.rules.parameters import parse_overrides
from riskmodel.rules.register import register_rule
from riskmodel.rules.screens import result_lists, scale_risk, size_check

__all__ = [
    "RuleSet",
    "available",
    "changes",
    "changes_by_township",
    "clocks",
    "evaluate",
    "evaluate_each",
    "explain",
    "history",
    "lines",
    "listing",
    "load",
    "parameter_table",
    "parse_overrides",
    "register_rule",
    "result_lists",
    "scale_risk",
    "size_check",
    "tell_change",
]
