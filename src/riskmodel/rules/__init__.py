"""Official rule sets as versioned data, and the one engine that evaluates them."""

from riskmodel.rule_files import available_rule_sets
from riskmodel.rules.backends import ArrayBackend, Bools, Coded, Truth, array_figures, certain
from riskmodel.rules.calendar import Calendar, read_calendar
from riskmodel.rules.completeness import describe_records, name_reasons
from riskmodel.rules.declaration import RelativeLine, RuleSet, parameter_text
from riskmodel.rules.dropped import dropped_check, dropped_in_words, find_dropped, with_other_readings
from riskmodel.rules.engine import absolute_line, poverty_lines, relative_line
from riskmodel.rules.evaluate import RECORDS_INCOMPLETE, evaluate_history, evaluate_rule_sets, evaluate_rules
from riskmodel.rules.explain import (
    count_changes_by_township,
    describe_change,
    explain_verdict,
    find_verdict_changes,
    judge_month_before,
)
from riskmodel.rules.expression import (
    ExpressionError,
    Scope,
    evaluate_condition,
    evaluate_expression,
    parse_expression,
)
from riskmodel.rules.library import list_rule_sets, load_rules, parameter_table
from riskmodel.rules.overrides import read_overrides
from riskmodel.rules.procedure import assess_scale_risk, check_size, check_time_limits, result_lists
from riskmodel.rules.quantities import condition_quantities, name_quantity, quantity_words

__all__ = [
    "RECORDS_INCOMPLETE",
    "ArrayBackend",
    "Bools",
    "Calendar",
    "Coded",
    "ExpressionError",
    "RelativeLine",
    "RuleSet",
    "Scope",
    "Truth",
    "absolute_line",
    "array_figures",
    "assess_scale_risk",
    "available_rule_sets",
    "certain",
    "check_size",
    "check_time_limits",
    "condition_quantities",
    "count_changes_by_township",
    "describe_change",
    "describe_records",
    "dropped_check",
    "dropped_in_words",
    "evaluate_condition",
    "evaluate_expression",
    "evaluate_history",
    "evaluate_rule_sets",
    "evaluate_rules",
    "explain_verdict",
    "find_dropped",
    "find_verdict_changes",
    "judge_month_before",
    "list_rule_sets",
    "load_rules",
    "name_quantity",
    "name_reasons",
    "parameter_table",
    "parameter_text",
    "parse_expression",
    "poverty_lines",
    "quantity_words",
    "read_calendar",
    "read_overrides",
    "relative_line",
    "result_lists",
    "with_other_readings",
]
