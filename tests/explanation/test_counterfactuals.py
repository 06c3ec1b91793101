"""Counterfactuals: what is made of a quantity moves with it, by the very arithmetic of the features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel import explanation, features, simulate
from riskmodel.data import About, from_frames
from riskmodel.errors import UsageError
from riskmodel.explanation.counterfactuals import (
    _OPERATIONS,
    SOURCES,
    FeatureChanger,
    _bounded,
    movable_features,
)

SET = features.load_feature_set("household-v1")
LINE = 6000.0


@pytest.fixture(scope="module")
def X() -> pd.DataFrame:
    drawn = simulate.simulate_county(households=70, months=36, seed=3, truth_at=[])
    county = from_frames(drawn.frames, About.model_validate(drawn.about))
    return features.build_features(county, SET, str(drawn.about["data_through"]))[SET.names]


def signed_log(x):
    return np.sign(x) * np.log1p(np.abs(x))


def identities(row: pd.Series) -> dict[str, tuple[float, float]]:
    """Every figure of income beside what it must be, written out by hand."""
    p, net = row["pcni"], row["pcni"] * row["persons"]
    return {
        "pcni_log": (row["pcni_log"], signed_log(p)),
        "net_income_log": (row["net_income_log"], signed_log(net)),
        "line_distance": (row["line_distance"], p - LINE),
        "below_line": (row["below_line"], float(p < LINE)),
        "near_line": (row["near_line"], float(p < 1.5 * LINE)),
        "pcni_change": (row["pcni_change"], p - row["previous_pcni"]),
        "income_drop": (row["income_drop"], max(-3, 1 - p / row["previous_pcni"])),
        "pcni_growth_2": (row["pcni_growth_2"], min(5, p / row["before_previous_pcni"] - 1)),
        "pcni_to_village": (row["pcni_to_village"], np.clip(p / row["village_pcni"], -5, 10)),
        "after_rigid_per_head": (row["after_rigid_per_head"], p - row["rigid_per_head"]),
        "periods_below_line": (
            row["periods_below_line"],
            row["below_line"] + row["previous_below_line"] + row["before_previous_below_line"],
        ),
        "gross": (row["gross_income"], sum(row[f"{s}_income_per_head"] for s in SOURCES) * row["persons"]),
        "wage_share": (row["wage_share"], row["wage_income_per_head"] * row["persons"] / row["gross_income"]),
        "business": (row["business_income"], row["business_income_per_head"] * row["persons"]),
        "growth_3m": (
            row["income_wage_3m_growth"],
            min(5, row["income_wage_3m"] / row["income_wage_3m_year_before"] - 1)
            if row["income_wage_3m_year_before"] > 0
            else np.nan,
        ),
    }


def holds(row: pd.Series) -> None:
    for name, (given, must) in identities(row).items():
        assert given == pytest.approx(must, rel=1e-9, abs=1e-6, nan_ok=True), name


def whole(X: pd.DataFrame) -> pd.DataFrame:
    needed = ["pcni", "previous_pcni", "before_previous_pcni", "village_pcni", "business_income_per_head"]
    rows = X[X[needed].notna().all(axis=1) & (X["previous_pcni"] > 0) & (X["before_previous_pcni"] > 0)]
    assert len(rows) >= 20
    return rows


def test_the_identities_hold_of_what_the_features_are(X) -> None:
    # Else they would not be worth holding after a change.
    for _, row in whole(X).head(20).iterrows():
        holds(row)


def test_the_identities_hold_after_every_change(X) -> None:
    changer, rows = FeatureChanger(SET), whole(X)
    for i, quantity in enumerate(["pcni", *(f"{s}_income_per_head" for s in SOURCES)] * 2):
        start = rows.iloc[[i]]
        now = float(start[quantity].iloc[0])
        after = changer.change(start, quantity, np.array([now + 500.0, now + 20_000.0]))
        assert after[quantity].tolist() == pytest.approx([now + 500.0, now + 20_000.0])
        assert not np.array_equal(after["pcni_log"], np.repeat(start["pcni_log"].to_numpy(), 2))
        # Costs stay: net income and its sources rise by the same.
        costs = sum(after[f"{s}_income_per_head"] for s in SOURCES) - after["pcni"]
        before = sum(float(start[f"{s}_income_per_head"].iloc[0]) for s in SOURCES) - float(
            start["pcni"].iloc[0]
        )
        assert costs.tolist() == pytest.approx([before, before], abs=1e-6)
        for _, row in after.iterrows():
            holds(row)


def test_what_does_not_stand_on_the_quantity_stays_to_the_bit(X) -> None:
    start = whole(X).iloc[[0]]
    after = FeatureChanger(SET).change(start, "insured", np.array([float(start["insured"].iloc[0]) + 1]))
    different = [c for c in X if not np.array_equal(after[c], start[c].to_numpy(), equal_nan=True)]
    assert set(different) == {"insured", "insured_share"}
    still = FeatureChanger(SET).change(start, "pcni", start["pcni"].to_numpy())
    pd.testing.assert_frame_equal(still, start.reset_index(drop=True), check_dtype=False)


def test_where_the_year_before_is_unknown_spending_is_measured_by_this_years_income(X) -> None:
    start = whole(X).iloc[[0]].assign(previous_pcni=np.nan, rigid_per_head=1000.0, rigid_ratio=0.5)
    after = FeatureChanger(SET).change(start, "pcni", np.array([4000.0, -5.0]))
    # 1,000 of 4,000; an income that is none at all is the declared bound of ten years' income.
    assert after["rigid_ratio"].tolist() == [0.25, 10.0]


def test_the_arithmetic_is_the_features_own(X) -> None:
    changer, tested = FeatureChanger(SET), set()
    at = {c: X[c].to_numpy(float) for c in X}
    for f in SET.features:
        if f.source != "features":
            continue
        parts = [
            changer._value(r, at)
            for r in ([*f.of, "accounting.persons"] if f.aggregate == "per_head" else f.of)
        ]
        if all(p is not None for p in parts):
            made = _bounded(f, _OPERATIONS[f.aggregate](parts, np.full(len(X), LINE * f.factor)))
            assert made == pytest.approx(at[f.id], rel=1e-9, abs=1e-6, nan_ok=True), f.id
            tested.add(f.aggregate)
    # Each kind of arithmetic that the set uses has been compared with what DuckDB made.
    assert tested >= {f.aggregate for f in SET.features if f.source == "features"} - {"missing"}


def test_quantities_are_no_function_of_one_another() -> None:
    found = movable_features(SET)
    assert {"pcni", "wage_income_per_head", "gap_housing"} <= set(found)
    assert not {
        "pcni_log",
        "net_income_log",
        "line_distance",
        "pcni_change",
        "income_drop",
        "below_line",
    } & set(found)
    # The same count over a longer window goes with the shorter one.
    assert "support_12m" in found
    assert "support_24m" not in found
    assert "line_log" not in movable_features(features.load_feature_set("eph-v1"))


def test_one_account_is_one_quantity_in_the_panels() -> None:
    panel = features.load_feature_set("eph-v1")
    row = pd.DataFrame([dict.fromkeys(panel.names, 1.0)]).assign(
        line_ratio=2.0, line_share=0.5, line_log=np.log(2)
    )
    row = row.assign(line_log_1=0.0, line_log_change=np.log(2))
    after = FeatureChanger(panel).change(row, "line_ratio", np.array([4.0]))
    got = after[["line_share", "line_log", "line_log_change"]].iloc[0].tolist()
    assert got == pytest.approx([0.25, np.log(4), np.log(4)])


class OfIncome:
    """Looks at the logarithm and the distance to the line: moved alone, either would be believed."""

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        z = 4 - 0.5 * X["pcni_log"] - X["line_distance"] / 4000
        p = 1 / (1 + np.exp(-z.to_numpy(float)))
        return np.column_stack([1 - p, p])


def test_what_would_change_names_quantities_and_says_what_moves_with_them(X) -> None:
    rows = whole(X).reset_index(drop=True)
    row = int(rows["pcni"].argmin())
    start = OfIncome().predict_proba(rows.iloc[[row]])[0, 1]
    made = explanation.find_counterfactuals(
        OfIncome(), rows, row, features.describe_features(SET), float(start) / 2, feature_set=SET
    )
    assert len(made)
    assert set(made["feature"]) <= set(movable_features(SET))
    alone = made[~made["together"]].set_index("feature").loc["pcni"]
    assert {"pcni_log", "line_distance", "net_income_log"} <= set(alone["moved_with"].split("; "))
    # What is said of the chance is so, both figures moved.
    then = rows.iloc[[row]].assign(pcni_log=signed_log(alone["then"]), line_distance=alone["then"] - LINE)
    assert OfIncome().predict_proba(then)[0, 1] == pytest.approx(alone["probability"])


class Known:
    """Log-odds = −4 + a + 2·b − c: what lowers the chance, and by how much, is known."""

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        z = -4 + X["a"].fillna(0) + 2 * X["b"] - X["c"]
        p = 1 / (1 + np.exp(-z.to_numpy(dtype=float)))
        return np.column_stack([1 - p, p])


@pytest.fixture(scope="module")
def three() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.uniform(0, 3, 400) for name in "abc"})
    frame.iloc[0] = [3.0, 2.9, 0.1]
    return frame


@pytest.fixture(scope="module")
def declared() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": list("abc"),
            "zh": "甲",
            "en": "x",
            "unit": "yuan",
            "changeable": [True, True, False],
            "direction": [1, 0, -1],
        }
    )


def test_only_changeable_features_and_only_values_that_are_there(three, declared) -> None:
    made = explanation.find_counterfactuals(Known(), three, 0, declared, 0.1)
    assert set(made["feature"]) <= {"a", "b"}
    for row in made.to_dict("records"):
        assert row["then"] in set(three[row["feature"]])
    alone = made[~made["together"]]
    # −4 + 3 + 2·b − 0.1 ≤ log(0.1 / 0.9) only for b ≤ −0.55: no household has it; alone, b cannot do it;
    # −4 + a + 5.8 − 0.1 needs a below −3.9: nor can a.
    assert alone.empty


def test_the_nearest_value_that_is_enough_is_named(three, declared) -> None:
    made = explanation.find_counterfactuals(Known(), three, 0, declared, 0.6)
    (alone,) = made[~made["together"]].to_dict("records")
    # −4 + 3 + 2·b − 0.1 = log(0.6 / 0.4) = 0.405 at b = 0.753; the grid steps are quantiles 4 % apart.
    assert alone["feature"] == "b"
    assert alone["then"] <= 0.753
    assert alone["then"] > 0.753 - 2 * 0.04 * 3
    assert alone["probability"] <= 0.6


def test_no_change_for_the_worse_is_offered(three, declared) -> None:
    # Were `b` declared to lower the risk, falling b would be a change for the worse: it is not offered,
    # whatever this model says of it.
    made = explanation.find_counterfactuals(Known(), three, 0, declared.assign(direction=[1, -1, -1]), 0.6)
    assert set(made["feature"]) == {"a"}


def test_together_goes_down_step_by_step_and_says_whether_it_is_enough(three, declared) -> None:
    made = explanation.find_counterfactuals(Known(), three, 0, declared, 0.1)
    together = made[made["together"]]
    assert list(together["step"]) == [1, 2]
    assert together["probability"].is_monotonic_decreasing
    # b first: its whole range is worth 5.8 log-odds, a's 3.
    assert list(together["feature"]) == ["b", "a"]
    assert bool(together["reached"].iloc[-1]) == (together["probability"].iloc[-1] <= 0.1)
    assert together["reached"].iloc[-1]


def test_nothing_to_say_where_the_chance_is_low_or_nothing_can_lower_it(three, declared) -> None:
    low = int(np.argmin(Known().predict_proba(three)[:, 1]))
    assert explanation.find_counterfactuals(Known(), three, low, declared, 0.5).empty
    assert explanation.find_counterfactuals(Known(), three, 0, declared.assign(changeable=False), 0.1).empty
    with pytest.raises(UsageError, match="target"):
        explanation.find_counterfactuals(Known(), three, 0, declared, 0.0)
