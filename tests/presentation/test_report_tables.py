"""What is reached of the attainable, as the page shows it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from riskmodel.evaluation import Budget, compare_with_true_risk
from riskmodel.i18n import section
from riskmodel.presentation import report_html
from riskmodel.presentation.report_parts import bins_table, oracle_table


@pytest.fixture(scope="module")
def known() -> dict[str, pd.DataFrame]:
    """A model that knows half of the log-odds, and one that knows nothing, against exact chances."""
    rng = np.random.default_rng(2)
    n = 4000
    seen, unseen = rng.normal(size=(2, n))
    chance = 1 / (1 + np.exp(3 - seen - unseen))
    rows = pd.DataFrame(
        {"household_id": [f"H{i:04d}" for i in range(n)], "as_of": pd.Timestamp("2020-06-30")}
    )
    rows = rows.assign(fold="2020-06-30", township="t", village="v", y=rng.random(n) < chance, persons=3)
    half = 1 / (1 + np.exp(2.7 - seen))
    found = pd.concat(
        [
            rows.assign(model=name, probability=p, probability_low=p * 0.5, probability_high=p * 1.5)
            for name, p in (("logit", half), ("rule", np.full(n, chance.mean())))
        ]
    ).assign(flagged=False, score=lambda t: t.probability)
    truth = rows[["household_id", "as_of"]].assign(probability=chance, mc_error=1e-3)
    report = compare_with_true_risk(found, truth, Budget(share=0.05))
    return {"true_risk": report.table, "true_risk_bins": report.bins}


def test_shares_of_the_oracle_stand_below_the_figures(known: dict[str, pd.DataFrame]) -> None:
    table = oracle_table(known["true_risk"], "logit")
    by = {row.values[0]["en"]: row for row in table.rows}
    frame = known["true_risk"].set_index("model")
    model, oracle = (by[name] for name in (table.rows[0].values[0]["en"], "true probability (ceiling)"))
    assert model.full[1].small == f"{frame.auc_share['logit']:.0%}"
    assert 0.7 < frame.auc_share["logit"] < 1
    assert oracle.full[1].small == ""
    assert float(oracle.values[1]) > float(model.values[1])
    assert [row.mark for row in table.rows].count("best") == 1


def test_bins_are_the_champion_s_own(known: dict[str, pd.DataFrame]) -> None:
    table = bins_table(known["true_risk_bins"], "logit")
    assert len(table.rows) == 10
    foretold = [float(row.values[2].rstrip("%")) for row in table.rows]
    assert foretold == sorted(foretold)
    # Half and one and a half times a calibrated chance holds the mean truth of every bin.
    assert {row.values[5] for row in table.rows} == {"✓"}


def test_the_page_shows_both_and_leaves_them_out_without_a_truth(given, known) -> None:
    words = section("report")["page"]
    shown = report_html(dataclasses.replace(given, **known))
    for key in ("attainable", "attainable_bins"):
        assert words[key]["zh"] in shown
        assert words[key]["zh"] not in report_html(given)
