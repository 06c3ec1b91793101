"""Official rule sets as versioned data, and the one engine that evaluates them."""

from riskmodel.rules.arrays import Bools, Coded, Seen, Truth, sure, truth
from riskmodel.rules.changes import changes, changes_by_township, tell_change
from riskmodel.rules.clocks import clocks
from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.evaluate import evaluate, evaluate_each
from riskmodel.rules.explain import explain, parameter_table
from riskmodel.rules.expression import ExpressionError, parse
from riskmodel.rules.history import history
from riskmodel.rules.library import available, listing, load
from riskmodel.rules.lines import absolute, lines, relative_line
from riskmodel.rules.parameters import RelativeLine, parse_overrides
from riskmodel.rules.screens import result_lists, scale_risk, size_check
from riskmodel.rules.wording import REASONS

__all__ = [
    "REASONS",
    "Bools",
    "Coded",
    "ExpressionError",
    "RelativeLine",
    "RuleSet",
    "Seen",
    "Truth",
    "absolute",
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
    "parse",
    "parse_overrides",
    "relative_line",
    "result_lists",
    "scale_risk",
    "size_check",
    "sure",
    "tell_change",
    "truth",
]
