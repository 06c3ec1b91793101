"""Whom a list misses and whom it has visited in vain, described by a small tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.evaluation.lists import Budget, list_at_budget
from riskmodel.evaluation.predictions import check_predictions, float_column, sorted_codes
from riskmodel.i18n import Message, join, section

# Nothing is shown of fewer distinct households.
LEAST_HOUSEHOLDS = 10
_DEPTH = 3
# A split that takes off less impurity than this says nothing worth a line (Gini: one half at most).
_LEAST_DECREASE = 0.005
_COLUMNS = ("question", "conditions", "cases", "households", "errors", "share", "share_all")
_CONDITION = re.compile(r"(?P<column>.+?)(?P<sign>[=≠≤>])(?P<value>.+)")
_Condition = tuple[tuple[str, str], str]  # ((column, sign), value)
QUESTIONS = ("missed", "in_vain")


def describe_errors(
    predictions: pd.DataFrame, budget: Budget | Mapping[str, Any], model: str
) -> pd.DataFrame:
    """Describe who was missed by a model's list, and who was visited in vain, by a tree of three questions.

    Parameters
    ----------
    predictions
        As for `compare`; what it may ask about: ``group_…`` (yes, no, missing), ``persons``, ``pcni`` over
        ``line``, ``flagged``. Townships are left out: they would name places, not reasons.
    budget
        Visits at each as-of date.
    model
        Whose list.

    Returns
    -------
    DataFrame
        One row a leaf: ``question`` (``missed``: of those who had the event, not listed; ``in_vain``: of
        those listed, without the event), ``conditions`` (such as ``flagged≠yes;line_ratio>1.50``; empty
        where no split is worth a line), ``cases`` (household-dates), ``households``, ``errors, share`` and
        ``share_all`` (of all cases of the question), the highest share first. A household weighs one in the
        tree however many dates it has; a question of fewer than ten households is left out. It describes
        these rows and tests nothing.
    """
    rows = check_predictions(predictions).frame
    rows = rows[rows["model"] == model].reset_index(drop=True)
    listed = list_at_budget(sorted_codes(rows["as_of"]), float_column(rows, "score"), Budget.of(budget))
    event = float_column(rows, "y") == 1
    columns = _asked_columns(rows)
    parts = []
    for question, asked, wrong in (("missed", event, ~listed), ("in_vain", listed, ~event)):
        leaves = _leaves(columns[asked], wrong[asked], rows.loc[asked, "household_id"])
        parts += [{"question": question, **leaf} for leaf in leaves]
    table = pd.DataFrame(parts, columns=list(_COLUMNS))
    order = {question: i for i, question in enumerate(QUESTIONS)}
    return table.sort_values(
        ["question", "share"], key=lambda c: c.map(order) if c.name == "question" else -c, kind="stable",
        ignore_index=True,
    )  # fmt: skip


def _asked_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what the tree may ask: yes-or-no columns as ``name=value`` (1 or 0), and numbers as they are."""
    out: dict[str, Any] = {}
    for name in (c for c in rows.columns if c.startswith("group_")):
        values = sorted(rows[name].dropna().astype(str).unique())
        for value in ["yes"] if set(values) <= {"yes", "no"} else values:
            out[f"{name}={value}"] = rows[name].eq(value).fillna(False).astype(float)
    if "flagged" in rows:
        out["flagged=yes"] = rows["flagged"].astype(bool).astype(float)
    if "persons" in rows:
        out["persons"] = float_column(rows, "persons")
    if {"pcni", "line"} <= set(rows.columns):
        ratio = float_column(rows, "pcni") / float_column(rows, "line")
        out["line_ratio=known"] = np.isfinite(ratio).astype(float)
        out["line_ratio"] = ratio
    table = pd.DataFrame(out, index=rows.index, dtype=float)
    # A number that is not known stands in the middle: whether it is known is a question of its own.
    return table.fillna(table.median()).fillna(0.0)


def _leaves(
    columns: pd.DataFrame, wrong: NDArray[np.bool_], household: pd.Series
) -> Iterator[dict[str, Any]]:
    """Grow the tree and describe its leaves; nothing where there are too few households."""
    from sklearn.tree import DecisionTreeClassifier

    distinct = household.nunique()
    if distinct < LEAST_HOUSEHOLDS:
        return
    # Weights of a leaf add up to no more than its distinct households, so the least weight bounds them.
    weight = 1 / household.groupby(household).transform("size").to_numpy(dtype=float)
    tree = DecisionTreeClassifier(
        max_depth=_DEPTH, min_weight_fraction_leaf=min(0.5, LEAST_HOUSEHOLDS / distinct),
        min_impurity_decrease=_LEAST_DECREASE, random_state=0,
    )  # fmt: skip
    if columns.shape[1] == 0 or wrong.all() or not wrong.any():
        places: NDArray[np.int64] = np.zeros(len(columns), dtype=np.int64)
        said = {0: ""}
    else:
        tree.fit(columns.to_numpy(), wrong, sample_weight=weight)
        places, said = tree.apply(columns.to_numpy()), _conditions(tree.tree_, [str(c) for c in columns])
    for leaf, conditions in said.items():
        inside = places == leaf
        yield {
            "conditions": conditions, "cases": int(inside.sum()),
            "households": int(household[inside].nunique()), "errors": int(wrong[inside].sum()),
            "share": float(wrong[inside].mean()), "share_all": float(wrong.mean()),
        }  # fmt: skip


def _conditions(tree: Any, names: list[str]) -> dict[int, str]:
    """Return what leads to each leaf, by its number; of one number only the tightest limits."""
    said: dict[int, str] = {}

    def walk(node: int, held: dict[tuple[str, str], str]) -> None:
        if tree.children_left[node] < 0:
            said[node] = ";".join(f"{name}{sign}{value}" for (name, sign), value in held.items())
            return
        name, limit = names[tree.feature[node]], float(tree.threshold[node])
        below, above = _split_conditions(name, limit)
        for child, (key, value) in ((tree.children_left[node], below), (tree.children_right[node], above)):
            # A deeper limit of the same side is the tighter one and takes the place of the former.
            walk(int(child), held | {key: value})

    walk(0, {})
    return said


def _split_conditions(name: str, limit: float) -> tuple[_Condition, _Condition]:
    """Return the condition below and above a split."""
    if "=" in name:
        column, value = name.split("=", 1)
        return ((column, "≠"), value), ((column, "="), value)
    if name == "persons":
        return ((name, "≤"), f"{np.floor(limit):.0f}"), ((name, ">"), f"{np.floor(limit):.0f}")
    return ((name, "≤"), f"{limit:.2f}"), ((name, ">"), f"{limit:.2f}")


def conditions_in_words(conditions: str) -> dict[str, str]:
    """Say the conditions of a leaf of the tree of errors.

    Parameters
    ----------
    conditions
        As `describe_errors` gives them.

    Returns
    -------
    dict
        ``zh`` and ``en``.
    """
    words = section("choice.conditions")
    if not conditions:
        return dict(words["everybody"])
    return join([_condition(part) for part in conditions.split(";")], by="clause")


def _condition(written: str) -> Mapping[str, str]:
    found = _CONDITION.fullmatch(written)
    if found is None:
        raise ValueError(f"{written!r} is no condition of a tree")
    column, sign, value = found.group("column", "sign", "value")
    if column in ("persons", "line_ratio"):
        kind = "line_ratio known" if value == "known" else f"{column} {'most' if sign == '≤' else 'over'}"
        kind += " not" if sign == "≠" else ""
        counted = int(value) if column == "persons" else value
        return Message(f"choice.conditions.{kind}", {"value": counted}).both()
    holds = "holds" if sign == "=" else "not"
    if column == "flagged":
        return Message(f"choice.conditions.flagged {holds}").both()
    group = column.removeprefix("group_")
    named = section("runs.household_groups")
    name = named.get(group, group)
    if value == "yes":
        return Message(f"choice.conditions.group {holds}", {"group": name}).both()
    return Message(f"choice.conditions.value {holds}", {"group": name, "value": value}).both()
