"""One walker, two backends: every operator and function gives the same answer on columns and on arrays.

The expected truth tables of three-valued logic are SQL's (Kleene 1938); ``reference.py`` reads the official
rules independently of both.
"""

from __future__ import annotations

import ast
import math
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.rules import (
    ArrayBackend,
    Coded,
    Scope,
    array_figures,
    certain,
    evaluate_condition,
    evaluate_expression,
    parse_expression,
)
from riskmodel.rules.backends import Truth, household_scope
from riskmodel.rules.expression import FUNCTIONS, OPERATORS

WORDS = ("lifted", "general")
# Together they use every operator and every function that needs no table of the county.
EXPRESSIONS = (
    "a < b", "a <= 1", "a > b", "a >= b", "a == b", "a != b", "a in [0, 1]", "a not in [0, 1]",
    "code == 'lifted'", "code != 'lifted'", "code in ['lifted']", "code not in ['lifted', 'general']",
    "p and q", "p or q", "not p", "not (p and q) or a < 1", "0 < a <= b", "nothing > 1", "not nothing",
    "a + b > 1", "a - b > 0", "a * b > 0", "a / b > 1", "-a < 0", "drop(a, b) >= 0.5", "ratio(a, b) > 1",
    "met(p)", "not met(a < b)", "count_met(p, q, a < b) >= 2", "known(a)", "known(p)", "not known(a / b)",
    "known(code)", "given(nothing)", "given(limit) and a < limit", "a / 3 * 3 == a",
)  # fmt: skip
CONSTANT = {
    "nothing > 1",
    "not nothing",
    "known(code)",
    "given(nothing)",
    "code not in ['lifted', 'general']",
}
numbers = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.1, 0.3, 1.0, 2.0, 1e9]))
truths = st.sampled_from([True, False, None])
rows = st.lists(st.tuples(numbers, numbers, truths, truths, st.sampled_from(WORDS)), min_size=1, max_size=8)


def by_columns(text: str, table: pd.DataFrame) -> list[bool | None]:
    types = {"a": "float64", "b": "float64", "p": "boolean", "q": "boolean", "code": "string"}
    whole = table.assign(i=range(len(table))).where(table.notna().assign(i=True), None)
    t = ibis.memtable(whole, schema=ibis.schema(types | {"i": "int64"}))
    names = {n: t[n] for n in types} | {"nothing": None, "limit": 1.5}
    answer = evaluate_condition(text, household_scope(names, {}, t))
    out = ibis.duckdb.connect().to_pyarrow(t.select("i", answer=answer).order_by("i"))
    return out["answer"].to_pylist()


def truth_array(values: pd.Series) -> Truth:
    listed = values.tolist()
    return Truth(np.array([v is True for v in listed]), np.array([v is False for v in listed]))


def array_scope(table: pd.DataFrame) -> Scope:
    names: dict[str, Any] = {n: table[n].to_numpy(float) for n in ("a", "b")}
    names |= {n: truth_array(table[n]) for n in ("p", "q")}
    names["code"] = Coded(np.array([WORDS.index(w) for w in table["code"]]), WORDS)
    return Scope(ArrayBackend((len(table),)), names | {"nothing": None, "limit": 1.5})


def by_arrays(text: str, table: pd.DataFrame) -> list[bool | None]:
    answer = evaluate_condition(text, array_scope(table))
    assert not (answer.yes & answer.no).any()
    return [True if y else False if n else None for y, n in zip(answer.yes, answer.no, strict=True)]


def frame(values: list[tuple]) -> pd.DataFrame:
    out = pd.DataFrame(values, columns=["a", "b", "p", "q", "code"])
    return out.astype({"a": float, "b": float, "p": object, "q": object})


@settings(max_examples=25, deadline=None)
@given(values=rows, text=st.sampled_from(EXPRESSIONS))
def test_both_backends_give_one_answer(values: list[tuple], text: str) -> None:
    table = frame(values)
    assert by_columns(text, table) == by_arrays(text, table)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_both_backends_give_one_answer_on_every_case(text: str) -> None:
    some, three = [None, -1.0, 0.0, 0.3, 1.0, 2.0], [True, False, None]
    places = [(i, j) for i in range(6) for j in range(6)]
    table = frame([(some[i], some[j], three[i % 3], three[j % 3], WORDS[(i + j) % 2]) for i, j in places])
    got = by_columns(text, table)
    assert got == by_arrays(text, table)
    # No expression is idle but those that are meant to be.
    assert (len(set(got)) == 1) == (text in CONSTANT)


def test_the_expressions_use_every_operator_and_function() -> None:
    nodes = [node for text in EXPRESSIONS for node in ast.walk(parse_expression(text))]
    assert set(OPERATORS) <= {type(n) for n in nodes}
    called = {n.func.id for n in nodes if isinstance(n, ast.Call)}
    assert called == {name for name, f in FUNCTIONS.items() if f.apply is not None and f.of != "rows"}


def test_logic_is_three_valued() -> None:
    # Kleene's tables: unknown only where what is missing could change the answer.
    table = frame([(None, None, p, q, "lifted") for p in (True, False, None) for q in (True, False, None)])
    assert by_arrays("p and q", table) == [True, False, None, False, False, False, None, False, None]
    assert by_arrays("p or q", table) == [True, True, True, True, False, None, True, None, None]
    assert by_arrays("not p", table) == [False] * 3 + [True] * 3 + [None] * 3


def test_thresholds_are_compared_after_rounding() -> None:
    # 0.1 + 0.2 is 0.30000000000000004 in binary; nine decimals (official rules, "Exactly") make it 0.3.
    table = frame([(0.1, 0.2, True, True, "lifted")])
    assert by_columns("a + b <= 0.3", table) == by_arrays("a + b <= 0.3", table) == [True]


def test_a_comparison_with_a_null_constant_is_unknown_in_both_backends() -> None:
    # An amount that an office has not set is null. Were the comparison false, its opposite would be true.
    table = frame([(1.0, 1.0, True, True, "lifted")])
    for text in ("nothing > 1", "not (a > nothing)", "a == nothing"):
        assert by_columns(text, table) == by_arrays(text, table) == [None]


def test_rows_are_counted_in_arrays() -> None:
    there = np.array([[True, True, True], [True, False, True]])
    ages = Scope(ArrayBackend(there.shape), {"age": np.array([[3.0, 70, np.nan], [np.nan, 1, np.nan]])})
    scope = Scope(ArrayBackend((3,)), {}, figure=array_figures({"members": (ages, there)}))
    assert evaluate_expression("count(members, age < 16)", scope).tolist() == [1.0, 0.0, 0.0]
    assert evaluate_expression("count(members)", scope).tolist() == [2.0, 1.0, 2.0]
    some = evaluate_condition("some(members, age < 16)", scope)
    assert (some.yes.tolist(), some.no.tolist()) == ([True, False, False], [False, True, True])
    # Of the third household no age is known: `some` is sure of nobody, `some_or_unknown` leaves it open.
    open_ = evaluate_condition("some_or_unknown(members, age < 16)", scope)
    assert (open_.yes.tolist(), open_.no.tolist()) == ([True, False, False], [False, True, False])
    unsure = evaluate_condition("some_or_unknown(members, age < 16)", scope)
    # The first has a child whatever the other's age; of the third's members no age is known.
    assert (unsure.yes.tolist(), unsure.no.tolist()) == ([True, False, False], [False, True, False])


def test_certain_truth_is_nowhere_unknown() -> None:
    held = certain(np.array([True, False]))
    assert (held.yes | held.no).all()
    assert math.isnan(evaluate_expression("1 / 0", Scope(ArrayBackend(()), {})))
