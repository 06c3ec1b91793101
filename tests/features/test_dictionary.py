"""The data dictionary: what each feature declares, and why one is missing."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import features
from riskmodel.data import About, from_frames

from .test_build import HOUSEHOLD, plain


@pytest.mark.parametrize("name", features.available_feature_sets())
def test_describe_prints_every_feature_with_all_it_declares(name: str) -> None:
    fs = features.load_feature_set(name)
    table = features.describe_features(fs)
    assert table["id"].tolist() == [f.id for f in fs.features]
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


def test_reasons_name_what_is_not_on_record_and_pass_on_to_what_stands_on_it() -> None:
    # b's records are written up until April, of a's a month was lost; both are said.
    frames = plain()
    frames["income"] = frames["income"].dropna(subset="month").drop(columns=["month_from", "month_to"])
    spans = {"of": "income", "recorded_on": "2021-06-30"}
    frames["recorded"] = pd.DataFrame(
        [{"household_id": h, "month_from": "2019-01", "month_to": last} | spans
         for h, last in (("a", "2021-06"), ("b", "2021-04"), ("c", "2021-06"))]
    )  # fmt: skip
    lost = {"household_id": "a", "month_from": "2020-02", "month_to": "2020-02", "why": "burnt"}
    frames["unrecorded"] = pd.DataFrame([lost | spans])
    county = from_frames(frames, About(income_is_net=True))
    reasons = features.explain_missing(county, HOUSEHOLD, "2021-06-30").set_index("id")["reasons"]
    assert reasons["income_wage_12m"] == "not_yet_recorded 1"
    assert reasons["income_wage_24m"] == "burnt 1; not_yet_recorded 1"
    # A ratio has no value where a part has none, for that part's reason; c never earned anything.
    assert reasons["income_wage_12m_of_24m"] == "burnt 1; not_yet_recorded 1; null_if_input_null 1"
    # To the last month on record only the lost month is wanting.
    late = features.explain_missing(county, "household-lagged-v1", "2021-06-30").set_index("id")["reasons"]
    assert late["income_wage_12m"] == ""
    assert late["income_wage_24m"] == "burnt 1"


def test_the_dictionary_says_what_coverage_does_to_a_window() -> None:
    means = features.describe_features("household-lagged-v1").set_index("id")["null_means"]
    assert means["income_wage_12m"].startswith("null where a month of the window is not on record")
    assert means["wage_rate_12m"].startswith("null where fewer than 6 months of the window are on record")
    assert means["events_12m"] == "no row is 0; null where the table is absent"
