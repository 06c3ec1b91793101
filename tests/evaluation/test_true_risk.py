"""The attainable: figures from shares of futures must meet those of the true chances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel.errors import InputRefused
from riskmodel.evaluation import true_risk
from riskmodel.evaluation.lists import Budget, list_members, quotas, rank_rows

N = 3000
BUDGET = Budget(share=0.05)


def chances(seed: int = 0, a: float = 0.5, b: float = 12.0) -> np.ndarray:
    return np.random.default_rng(seed).beta(a, b, N)


def exact(p: np.ndarray) -> tuple[float, float]:
    """The AUC of true chances by all pairs, and the recall of the list that they make."""
    beaten = p[:, None] * (1 - p[None, :]) * ((p[:, None] > p[None, :]) + 0.5 * (p[:, None] == p[None, :]))
    pairs = p[:, None] * (1 - p[None, :])
    np.fill_diagonal(beaten, 0)
    np.fill_diagonal(pairs, 0)
    date = np.zeros(p.size, dtype=np.int64)
    listed = list_members(date, rank_rows(date, -p), quotas(date, BUDGET))
    return beaten.sum() / pairs.sum(), p[listed].sum() / p.sum()


def test_expected_auc_is_that_of_all_pairs() -> None:
    p = chances()[:400]
    score = np.round(p + np.random.default_rng(1).normal(0, 0.05, p.size), 2)
    beaten = p[:, None] * (1 - p[None, :])
    np.fill_diagonal(beaten, 0)
    right = (score[:, None] > score[None, :]) + 0.5 * (score[:, None] == score[None, :])
    assert len(np.unique(score)) < p.size, "no ties: half the formula would be untested"
    assert true_risk.true_auc(p, score) == pytest.approx((beaten * right).sum() / beaten.sum(), abs=1e-12)


@pytest.mark.parametrize(("futures", "near"), [(1000, 0.003), (200, 0.02)])
def test_the_oracle_is_corrected_for_the_error_of_its_futures(futures: int, near: float) -> None:
    """Averaged over three counties; the plain figure of the same shares is off by several times as much."""
    off, plain = [], []
    for seed in range(3):
        p = chances(seed, 0.5, 25.0)
        share = np.random.default_rng(seed).binomial(futures, p) / futures
        date = np.zeros(N, dtype=np.int64)
        found = true_risk.oracle_figures(share, np.full(N, futures), date, BUDGET, seed)
        off.append(np.subtract(found, exact(p)))
        plain.append(true_risk.true_auc(share, share) - exact(p)[0])
    assert np.abs(np.mean(off, axis=0)).max() < near
    assert np.mean(plain) > 1.5 * abs(np.mean(off, axis=0)[0])


@pytest.mark.parametrize("futures", [200, 1000, 5000])
def test_futures_are_read_from_the_error(futures: int) -> None:
    k = np.array([0, 1, 3, futures // 50, futures // 2, futures - 1, futures])
    smooth = (k + 0.5) / (futures + 1)
    error = np.sqrt(smooth * (1 - smooth) / futures)
    assert (true_risk.count_futures(k / futures, error) == futures).all()


def frames(models: dict[str, np.ndarray], p: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(3)
    y = (rng.random(N) < p).astype(float)
    ids = [f"H{k:05d}" for k in range(N)]
    rows = []
    for model, probability in models.items():
        clipped = np.clip(probability, 1e-6, 1 - 1e-6)
        columns = {
            "household_id": ids,
            "as_of": pd.Timestamp("2020-12-31"),
            "fold": 1,
            "township": "t",
            "village": "v",
            "model": model,
            "score": np.log(clipped / (1 - clipped)),
            "probability": clipped,
            "probability_low": clipped * 0.8,
            "probability_high": clipped * 1.25,
            "y": y,
        }
        rows.append(pd.DataFrame(columns))
    share = rng.binomial(1000, p) / 1000
    smooth = (share * 1000 + 0.5) / 1001
    truth = pd.DataFrame(
        {
            "household_id": ids,
            "as_of": "2020-12-31",
            "probability": share,
            "probability_unsupported": np.minimum(share * 1.5, 1),
            "mc_error": np.sqrt(smooth * (1 - smooth) / 1000),
        }
    )
    return pd.concat(rows, ignore_index=True), truth


@pytest.fixture(scope="module")
def report() -> true_risk.TrueRiskReport:
    p = chances()
    noise = np.random.default_rng(5).normal(0, 1.0, N)
    odds = np.log(p.clip(1e-6) / (1 - p)) + noise
    blurred = 1 / (1 + np.exp(-odds))
    predictions, truth = frames({"perfect": p, "doubled": np.minimum(2 * p, 1), "blurred": blurred}, p)
    return true_risk.compare_with_true_risk(predictions, truth, BUDGET)


def test_who_knows_the_chances_reaches_all_of_it(report: true_risk.TrueRiskReport) -> None:
    row = report.table.set_index("model").loc["perfect"]
    assert row.auc_share == pytest.approx(1, abs=0.004)
    assert row.recall_share == pytest.approx(1, abs=0.02)
    assert (row.slope_true, row.intercept_true) == pytest.approx((1, 0), abs=0.02)
    # Its distance from the shares is their own error, which is taken out.
    assert row.error_true < 0.004
    # The lowest tenth holds two events in a thousand futures: its mean truth may miss a band of a fifth.
    assert row.bins == 10
    assert row.bins_covered >= 9


def test_a_blurred_score_reaches_less_and_a_doubled_one_is_uncalibrated(
    report: true_risk.TrueRiskReport,
) -> None:
    table = report.table.set_index("model")
    assert table.loc["blurred", "auc_share"] < 0.95
    assert table.loc["blurred", "recall_share"] < 0.9
    # Doubling orders as well as the truth does, and says twice the chance: only calibration shows it.
    assert table.loc["doubled", "auc_share"] == pytest.approx(1, abs=0.004)
    assert table.loc["doubled", "slope_true"] == pytest.approx(0.5, abs=0.03)
    assert table.loc["doubled", "bins_covered"] <= 1
    assert list(report.table.model)[-1] == true_risk.ORACLE
    assert len(report.bins) == 30


def test_the_effect_of_support_is_measured_and_stated(report: true_risk.TrueRiskReport) -> None:
    assert report.effect["unsupported"] == pytest.approx(1.5 * report.effect["supported"], rel=0.05)
    table = report.table.set_index("model").drop(index=true_risk.ORACLE)
    # Ending support raises every chance by half here: who is on top stays there, and holds the same share.
    assert table["recall_unsupported"].to_numpy() == pytest.approx(table["recall_true"].to_numpy(), abs=0.03)
    assert (table["auc_unsupported"] - table["auc_true"]).abs().max() < 0.03
    said = [m.both() for m in true_risk.true_risk_messages(report.table, report.effect)]
    assert f"AUC {table.loc['blurred', 'auc_unsupported']:.3f}" in said[2]["en"]
    assert len(said) == 4
    assert "support" in said[-1]["en"]
    assert "帮扶" in said[-1]["zh"]
    assert all(f"{v:.3f}" in said[0]["en"] for v in report.table.loc[0, ["auc_true", "oracle_auc"]])


def test_what_records_can_tell_stands_between_the_models_and_the_oracle() -> None:
    p = chances()
    predictions, truth = frames({"rule": np.full(N, p.mean()), "logit": p[::-1]}, p)
    learned = truth.assign(
        learned_chance=0.8 * p + 0.2 * p.mean(), learned_households=24_000.0, learned_columns=315.0
    )
    report = true_risk.compare_with_true_risk(predictions, learned, BUDGET)
    assert list(report.table.model) == ["rule", "logit", true_risk.ATTAINABLE, true_risk.ORACLE]
    assert set(report.bins.model) == {"rule", "logit"}
    row = report.table.set_index("model").loc[true_risk.ATTAINABLE]
    # Its order is that of the chances themselves, drawn in by a fifth; the others' figures stay as they were.
    assert (row.auc_true, row.recall_true) == pytest.approx(exact(p), abs=0.02)
    assert row.slope_true == pytest.approx(1 / 0.8, rel=0.02)
    assert (row.learned_households, row.learned_columns) == (24_000, 315)
    plain = true_risk.compare_with_true_risk(predictions, truth, BUDGET).table
    pd.testing.assert_frame_equal(
        report.table[report.table.model != true_risk.ATTAINABLE][plain.columns].reset_index(drop=True),
        plain, check_dtype=False,
    )  # fmt: skip
    said = true_risk.true_risk_messages(report.table, {})
    assert len(said) == 3
    sentence = said[-1].both()
    oracle = report.table.iloc[-1]
    for figure in (row.recall_true, row.auc_true, row.recall, oracle.recall_true, oracle.auc_true):
        assert f"{figure:.3f}" in sentence["en"]
        assert f"{figure:.3f}" in sentence["zh"]
    assert "24000 households" in sentence["en"].replace(",", "")
    # Of one household nothing is known: no row on other households than the models'.
    gap = learned.assign(learned_chance=learned["learned_chance"].mask(learned.index == 7))
    partly = true_risk.compare_with_true_risk(predictions, gap, BUDGET).table
    assert list(partly.model) == ["rule", "logit", true_risk.ORACLE]
    assert "--bracket" in true_risk.bracket_message(partly).text("en")


def test_truth_of_other_households_is_refused() -> None:
    predictions, truth = frames({"perfect": chances()}, chances())
    with pytest.raises(InputRefused, match="no prediction has a true chance"):
        true_risk.compare_with_true_risk(predictions, truth.assign(as_of="2019-12-31"), BUDGET)
