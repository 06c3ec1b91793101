"""The data dictionary: what each feature declares, and why one is missing."""

from __future__ import annotations

import pytest

from riskmodel import features
from riskmodel.data import from_frames

from .test_build import HOUSEHOLD, plain


@pytest.mark.parametrize("name", features.available_feature_sets())
def test_describe_prints_every_feature_with_all_it_declares(name: str) -> None:
    fs = features.load_feature_set(name)
    table = features.describe_features(fs)
    assert table["id"].tolist() == fs.names
    wanted = ["zh", "en", "unit_zh", "aggregate", "known_on", "missing", "cause", "role", "how", "null_means"]
    assert table[wanted].notna().all(axis=None)
    assert (table[wanted] != "").all(axis=None)


def test_reasons_name_why_a_feature_is_missing() -> None:
    reasons = features.explain_missing(from_frames(plain()), HOUSEHOLD, "2021-06-30").set_index("id")
    # No spending table: production costs are unknown, and so is net income and what stands on it.
    assert reasons.loc["pcni", ["missing", "reason"]].tolist() == [3, "production_unknown"]
    assert reasons.loc["pcni_log", "reason"] == "production_unknown"
    assert reasons.loc["years_since_lifted", "reason"] == "as_accounting"
    assert reasons.loc["income_wage_3m", ["missing", "needs_monthly", "reason"]].tolist() == [
        1,
        1,
        "needs_monthly",
    ]
    assert reasons.loc["events_12m", "reason"] == "table_absent"
    assert reasons.loc["events_12m", "share"] == 1
    assert reasons.loc["months_since_identified", "reason"] == "table_absent"
    assert reasons.loc["persons", "reason"] == ""
