"""The leak detector finds planted leaks of each kind and leaves honest columns alone."""

import numpy as np
import pandas as pd
import pytest

from riskmodel import evaluation


def test_each_planted_leak_is_found_and_honest_columns_are_not():
    rng = np.random.default_rng(5)
    n = 2000
    y = (rng.random(n) < 0.05).astype(float)
    X = pd.DataFrame({
        # A cause is written when a household is identified: only those have one.
        "cause": np.where(y == 1, rng.integers(1, 9, n), np.nan),
        # The category is known for all, and tells the event.
        "category": y * 2 + rng.normal(0, 0.1, n),
        # Support that begins at identification, with a few others.
        "support_started": np.where((y == 1) | (rng.random(n) < 0.003), 1.0, np.nan),
        # Honest: a strong predictor, a source missing in some villages, noise.
        "income": rng.normal(0, 1, n) - 1.5 * y,
        "medical": np.where(rng.random(n) < 0.4, np.nan, rng.normal(0, 1, n) + y),
        "noise": rng.normal(size=n),
    })  # fmt: skip
    table = evaluation.find_leaks(X, y, {"cause": "register", "support_started": "support"})
    assert set(table.loc[table["suspected"], "column"]) == {"cause", "category", "support_started"}
    assert table["suspected"].tolist() == sorted(table["suspected"], reverse=True)
    why = table.set_index("column")["why"]
    assert "written by the office (role register)" in why["cause"]
    assert "its values alone" in why["category"]


def test_a_column_known_for_two_events_is_not_suspected():
    rng = np.random.default_rng(7)
    y = (rng.random(1500) < 0.04).astype(float)
    known = np.r_[np.flatnonzero(y == 1)[:2], np.flatnonzero(y == 0)[:30]]
    rare = np.full(1500, np.nan)
    rare[known] = np.r_[99.0, 98.0, np.arange(30.0)]
    table = evaluation.find_leaks(pd.DataFrame({"rare": rare}), y)
    assert not table["suspected"].any()


def test_one_class_only_is_refused():
    with pytest.raises(ValueError, match="one class only"):
        evaluation.find_leaks(pd.DataFrame({"a": [1.0, 2.0]}), [0, 0])
