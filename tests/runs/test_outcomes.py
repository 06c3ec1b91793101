"""Kinds of household: told from what was known at as-of, unknown where a part of it is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskmodel import features
from riskmodel.runs.outcomes import HOUSEHOLD_GROUPS, household_groups


def test_a_single_parent_is_one_adult_without_a_spouse_with_a_child() -> None:
    X = pd.DataFrame(
        [[0, 1, 1, 0], [0, 1, 0, 2], [1, 1, 1, 0], [0, 2, 1, 0], [0, 1, 0, 0], [np.nan, 1, 1, 0]],
        columns=["spouse", "working_age", "children_0_5", "children_6_15"],
        dtype=float,
    )
    # Rows of the cohort are in an order of their own; ``row`` finds their features.
    rows = pd.DataFrame({"row": [5, 0, 1, 2, 3, 4]}, index=[10, 11, 12, 13, 14, 15])
    made = household_groups(rows, X)
    assert list(made.columns) == ["group_single_parent"]
    told = made["group_single_parent"]
    # An infant; two school children; a spouse; two adults; no child; and a spouse may or may not be there.
    assert told.loc[[11, 12]].eq("yes").all()
    assert told.loc[[13, 14, 15]].eq("no").all()
    assert pd.isna(told.loc[10])


def test_every_kind_is_told_by_features_that_the_household_set_has() -> None:
    names = set(features.load_feature_set("household-v1").names)
    for group in HOUSEHOLD_GROUPS.values():
        assert {feature for each, _ in group.where for feature in each} <= names
        assert group.zh
        assert group.en
