"""Expressions: what is refused and why, and that a parsed one is never changed."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from riskmodel.rules import (
    ArrayBackend,
    Coded,
    ExpressionError,
    Scope,
    array_figures,
    evaluate_condition,
    parse_expression,
)
from riskmodel.rules.expression import RowTest, row_tests


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("some(assets)", "rows of assets cannot be seen here"),
        ("any_cause()", r"any_cause\(…\) cannot be seen here"),
        ("code + 1 > 1", "types do not fit"),
        ("a + b", "is not true or false"),
        ("c > 1", "unknown name 'c'; allowed: a, b, code"),
        ("drop(a) > 1", "takes 2 arguments"),
        ("count_met() > 1", "takes 1 or more arguments"),
        ("a in b", "must be a list of codes"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(text: str, message: str) -> None:
    names = {"a": np.array([1.0]), "b": np.array([2.0]), "code": Coded(np.array([0]), ("lifted", "general"))}
    scope = Scope(ArrayBackend((1,)), names, figure=array_figures({}))
    with pytest.raises(ExpressionError, match=message):
        evaluate_condition(text, scope)


def test_a_parsed_expression_is_never_changed() -> None:
    (test,) = row_tests(parse_expression("some(members, age < child_age)"))
    assert test.with_values({"child_age": 16}) == RowTest("members", "age < 16")
    assert ast.unparse(test.node) == "age < child_age"
