"""Official rule sets as versioned data, and the one engine that evaluates them."""

from riskmodel.rules.backends import ArrayBackend, Bools, Coded, Truth, array_figures, certain
from riskmodel.rules.changes import changes, changes_by_township, tell_change
from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.evaluate import evaluate, evaluate_each
from riskmodel.rules.explain import explain, parameter_table
from riskmodel.rules.expression import ExpressionError, Scope, evaluate_condition, evaluate_expression, parse
from riskmodel.rules.history import history
from riskmodel.rules.library import available, listing, load
from riskmodel.rules.lines import absolute, lines, relative_line
from riskmodel.rules.parameters import RelativeLine, parse_overrides
from riskmodel.rules.procedure import clocks, result_lists, scale_risk, size_check

__all__ = [
    "ArrayBackend",
    "Bools",
    "Coded",
    "ExpressionError",
    "RelativeLine",
    "RuleSet",
    "Scope",
    "Truth",
    "absolute",
    "array_figures",
    "available",
    "certain",
    "changes",
    "changes_by_township",
    "clocks",
    "evaluate",
    "evaluate_condition",
    "evaluate_each",
    "evaluate_expression",
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
    "tell_change",
]
