"""Sums by official cause lose nothing and know only the contract's causes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel import explanation
from riskmodel.data.schema import codes
from riskmodel.errors import SpecError
from riskmodel.explanation.contributions import all_causes


def test_adds_up_and_each_feature_counts_once(make_inputs, meta) -> None:
    parts, _, _ = make_inputs(50)
    sums = explanation.sum_by_cause(parts, meta)
    np.testing.assert_allclose(sums.sum(axis=1), parts.sum(axis=1), atol=1e-12)
    for cause in sums:
        own = meta.loc[meta["cause"] == cause, "id"]
        np.testing.assert_allclose(sums[cause], parts[own].sum(axis=1), atol=1e-12)


def test_causes_stand_in_the_order_of_the_contract(make_inputs, meta) -> None:
    official = list(codes("risk_events", "cause"))
    assert all_causes()[: len(official)] == official
    found = list(explanation.sum_by_cause(make_inputs(3)[0], meta).columns)
    assert found == [c for c in all_causes() if c in found]


def test_undeclared_feature_or_cause_is_refused(make_inputs, meta) -> None:
    parts, _, _ = make_inputs(3)
    with pytest.raises(SpecError, match="pcni"):
        explanation.sum_by_cause(parts, meta[meta["id"] != "pcni"])
    with pytest.raises(SpecError, match="weather"):
        explanation.sum_by_cause(parts, meta.assign(cause="weather"))


def test_index_is_kept() -> None:
    parts = pd.DataFrame({"a": [1.0, 2.0]}, index=["h9", "h1"])
    sums = explanation.sum_by_cause(parts, pd.DataFrame({"id": ["a"], "cause": ["illness"]}))
    assert list(sums.index) == ["h9", "h1"]
