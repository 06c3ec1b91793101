"""What a stored comparison says in sentences."""

from __future__ import annotations

import pandas as pd

from riskmodel.runs import run


def table(scopes: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"scope": scope, "at": at, "model": model, "delta_recall": delta}
        for scope, delta in scopes.items()
        for at in ("budget", "rule_quota")
        for model in ("logit", "boosting")
    ]
    return pd.DataFrame(rows)


def test_differences_by_test_period_stand_beside_the_pooled_one() -> None:
    said = run.fold_messages(table({"pooled": 0.02, "2019-06-30": 0.051, "2019-12-31": float("nan")}))
    assert len(said) == 2
    assert "penalised logit by test period" in said[0].text("en")
    # The pooled figure has a sentence of its own; a period without an event has no difference.
    assert said[0].text("en").endswith("2019-06-30 +5.1; 2019-12-31 —.")
    assert "分期的查全率差" in said[1].text("zh")
    # With one period there is nothing beside the pool.
    assert run.fold_messages(table({"pooled": 0.02, "2019-06-30": 0.02})) == []


def test_lists_as_deployed_are_told_with_what_tops_them_up() -> None:
    shared = {"scope": "pooled", "model": "logit", "visits": 40, "delta_low": -0.01, "delta_high": 0.21}
    rows = [
        {**shared, "list": "rules+model", "hits": 12.0, "hits_sd": 0.0, "delta_recall": 0.1},
        {**shared, "list": "rules+rules", "hits": 9.0, "hits_sd": 0.0, "delta_recall": 0.0},
        {**shared, "list": "rules+random", "hits": 5.25, "hits_sd": 1.5, "delta_recall": -0.12},
    ]
    (said,) = run.deployed_messages(pd.DataFrame(rows))
    assert "finds 12, by the rules' order 9, at random 5.2 ± 1.5" in said.text("en")
    assert "+10.0 points, -1.0 to +21.0" in said.text("en")
    assert "惩罚逻辑回归" in said.text("zh")
