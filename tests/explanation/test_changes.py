"""What would have to change: on a model whose answer is known, within what households really have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel.errors import SpecError, UsageError
from riskmodel.explanation import cause_codes, find_counterfactuals, load_measures


class Known:
    """Log-odds = −4 + a + 2·b − c: what lowers the chance, and by how much, is known."""

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        z = -4 + X["a"].fillna(0) + 2 * X["b"] - X["c"]
        p = 1 / (1 + np.exp(-z.to_numpy(dtype=float)))
        return np.column_stack([1 - p, p])


@pytest.fixture(scope="module")
def X() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.uniform(0, 3, 400) for name in "abc"})
    frame.iloc[0] = [3.0, 2.9, 0.1]
    return frame


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
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


def test_only_changeable_features_and_only_values_that_are_there(X, features) -> None:
    made = find_counterfactuals(Known(), X, 0, features, 0.1)
    assert set(made["feature"]) <= {"a", "b"}
    for row in made.to_dict("records"):
        assert row["then"] in set(X[row["feature"]])
    alone = made[~made["together"]]
    # −4 + 3 + 2·b − 0.1 ≤ log(0.1 / 0.9) only for b ≤ −0.55: no household has it; alone, b cannot do it;
    # −4 + a + 5.8 − 0.1 needs a below −3.9: nor can a.
    assert alone.empty


def test_the_nearest_value_that_is_enough_is_named(X, features) -> None:
    made = find_counterfactuals(Known(), X, 0, features, 0.6)
    (alone,) = made[~made["together"]].to_dict("records")
    # −4 + 3 + 2·b − 0.1 = log(0.6 / 0.4) = 0.405 at b = 0.753; the grid steps are quantiles 4 % apart.
    assert alone["feature"] == "b"
    assert alone["then"] <= 0.753
    assert alone["then"] > 0.753 - 2 * 0.04 * 3
    assert alone["probability"] <= 0.6


def test_no_change_for_the_worse_is_offered(X, features) -> None:
    # Were `b` declared to lower the risk, falling b would be a change for the worse: it is not offered,
    # whatever this model says of it.
    made = find_counterfactuals(Known(), X, 0, features.assign(direction=[1, -1, -1]), 0.6)
    assert set(made["feature"]) == {"a"}


def test_together_goes_down_step_by_step_and_says_whether_it_is_enough(X, features) -> None:
    made = find_counterfactuals(Known(), X, 0, features, 0.1)
    together = made[made["together"]]
    assert list(together["step"]) == [1, 2]
    assert together["probability"].is_monotonic_decreasing
    # b first: its whole range is worth 5.8 log-odds, a's 3.
    assert list(together["feature"]) == ["b", "a"]
    assert bool(together["reached"].iloc[-1]) == (together["probability"].iloc[-1] <= 0.1)
    assert together["reached"].iloc[-1]


def test_nothing_to_say_where_the_chance_is_low_or_nothing_can_lower_it(X, features) -> None:
    low = int(np.argmin(Known().predict_proba(X)[:, 1]))
    assert find_counterfactuals(Known(), X, low, features, 0.5).empty
    assert find_counterfactuals(Known(), X, 0, features.assign(changeable=False), 0.1).empty
    with pytest.raises(UsageError, match="target"):
        find_counterfactuals(Known(), X, 0, features, 0.0)


def test_measures_fit_the_published_table_of_single_causes(tmp_path) -> None:
    library = load_measures()
    # 001 §10: of 2,772 households with illness alone 2,364 had health support; each share is at most 1.
    assert library.causes["illness"].of == 2772
    assert library.causes["illness"].measures[0].households == 2364
    for fit in library.causes.values():
        assert fit.measures
        assert fit.ask
        known = [m.households for m in fit.measures if m.households is not None]
        assert known == sorted(known, reverse=True)
    assert library.measures(["illness", "disability"], "zh") == ["健康帮扶", "综合保障", "社会帮扶"]
    path = tmp_path / "own.yaml"
    path.write_text(
        "version: 1\nsource: x\nnote: {zh: 甲, en: a}\ncauses: {illness: {measures: [{id: gold}]}}\n"
    )
    with pytest.raises(SpecError, match="unknown measure"):
        load_measures(path)


def test_every_official_cause_has_questions_and_measures() -> None:
    from riskmodel.explanation.contributions import all_causes

    assert set(load_measures().causes) == set(all_causes()) - {"none"}
    assert cause_codes(["因病", "不是原因"], "zh") == ["illness"]
