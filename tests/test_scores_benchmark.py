"""`benchmarks/scores.py`: gains, shares and intervals by hand; lines that stand are not measured again."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "scores.py"


@pytest.fixture(scope="module")
def scores():
    spec = importlib.util.spec_from_file_location("benchmarks_scores", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def rows(seed: int, **recall: float) -> list[dict[str, object]]:
    plain = {"profile": "default", "seed": seed, "slope_true": 1.0, "calibration": 1.0, "recall": 0.2}
    return [plain | {"model": m, "auc_true": 0.5 + v / 2, "recall_true": v} for m, v in recall.items()]


def test_shares_are_of_the_mean_gain(scores) -> None:
    found = pd.DataFrame(
        rows(1, rule=0.2, run_rate=0.3, village=0.1, logit=0.35, attainable=0.4, oracle=0.5)
        + rows(2, rule=0.3, run_rate=0.3, village=0.1, logit=0.35, attainable=0.5, oracle=0.6)
    )
    table = scores.summary(found).set_index("model")
    logit = table.loc["logit"]
    assert logit["recall_true"] == pytest.approx(0.35)
    assert logit["recall_true_gain"] == pytest.approx(0.1)
    assert logit["recall_true_of_attainable"] == pytest.approx(0.1 / 0.2)
    assert logit["recall_true_of_oracle"] == pytest.approx(0.1 / 0.3)
    assert logit["recall_true_best_simple"] == "run_rate"
    assert logit["recall_true_over_simple"] == pytest.approx(0.05)
    # Two values, 12.706 standard errors: gains of .15 and .05.
    assert logit["recall_true_gain_half"] == pytest.approx(12.706 * 0.05, rel=1e-3)
    assert table.loc["attainable", "recall_true_of_attainable_half"] == pytest.approx(0, abs=1e-12)
    assert np.isnan(scores.mean_line("x", pd.Series([1.0]))["x_half"])
    assert "logit" in scores.printed(table.reset_index())


def test_what_stands_is_not_measured_again(scores, tmp_path, monkeypatch, capsys) -> None:
    out = tmp_path / "scores.jsonl"
    given = ["--seeds", "901:902", "--profile", "default", "--out", str(out)]
    args = scores.arguments(given)
    lines = [
        scores.line_key(args, "default", seed, "county")
        | {"code": "a", "rows": rows(seed, rule=0.2, logit=0.3, attainable=0.4, oracle=0.5)}
        for seed in (901, 902)
    ]
    out.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"cut off', encoding="utf-8")
    monkeypatch.setattr(scores, "learn", None)
    scores.main(given)
    assert "default" in capsys.readouterr().out
