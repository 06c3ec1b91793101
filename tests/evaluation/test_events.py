"""Each label event judges the same lists apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskmodel.evaluation import pooled
from riskmodel.evaluation.events import by_event


def two_models(n: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    risk = rng.normal(-2, 1.2, n)
    fell = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(float)
    flagged = rng.random(n) < 0.05
    base = pd.DataFrame(
        {
            "household_id": [f"h{i:04d}" for i in range(n)],
            "as_of": pd.Timestamp("2020-12-31"),
            "fold": "a",
            "township": "t",
            "village": [f"v{i % 30}" for i in range(n)],
            "persons": 3,
            "flagged": flagged,
            "y": fell,
            "label_below_line": fell,
            # The register writes down whom the rule flags, and nobody else.
            "label_identified": flagged.astype(float),
            # Nobody was visited: no finding is known.
            "label_confirmed": np.nan,
        }
    )
    rule = base.assign(
        model="rule", score=np.where(flagged, 1.0, 0.0), probability=np.where(flagged, 0.5, 0.1)
    )
    logit = base.assign(model="logit", score=risk, probability=1 / (1 + np.exp(-risk)))
    return pd.concat([rule, logit], ignore_index=True)


def test_the_register_crowns_the_rule_and_income_does_not() -> None:
    found = two_models()
    table = by_event(found, {"share": 0.05}, replicates=50).set_index(["event", "model"])
    assert set(table.index.get_level_values("event")) == {"below_line", "identified"}
    # By its own writing the rule is perfect, though its list has nothing to do with who falls.
    assert table.loc[("identified", "rule"), "auc"] == 1
    assert abs(table.loc[("below_line", "rule"), "auc"] - 0.5) < 0.08
    assert table.loc[("below_line", "logit"), "auc"] > 0.75
    assert table.loc[("identified", "logit"), "n_events"] == found["flagged"].sum() / 2
    # The trained event's row is the pooled metrics' own.
    same = pooled(found, {"share": 0.05}, replicates=50).set_index("model")
    for name in ("auc", "auc_low", "recall_at_budget", "recall_at_budget_high"):
        assert table.loc[("below_line", "logit"), name] == same.loc["logit", name]


def test_without_other_events_there_is_no_table() -> None:
    found = two_models().drop(columns=["label_below_line", "label_identified", "label_confirmed"])
    assert by_event(found, {"share": 0.05}, replicates=20).empty
