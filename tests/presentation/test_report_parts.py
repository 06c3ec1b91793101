"""Tables of the report: what is reached of the attainable, targeting measures, yields of visits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from riskmodel import presentation
from riskmodel.evaluation import Budget, compare_with_true_risk, weighted_yield, yield_by_source
from riskmodel.i18n import section
from riskmodel.presentation import report_html
from riskmodel.presentation.report_parts import bins_table, oracle_table, targeting_table
from riskmodel.presentation.table import NOTHING, number


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


def test_a_file_holds_each_models_figures_against_the_truth(given, known, tmp_path) -> None:
    """Machines read these five columns by name: no more, no less, in this order."""
    presentation.write_report(dataclasses.replace(given, **known), tmp_path / "with")
    found = pd.read_csv(tmp_path / "with" / "tables" / "true_recall.csv")
    assert list(found.columns) == ["model", "auc_true", "recall_true", "oracle_auc", "oracle_recall"]
    assert list(found.model) == list(known["true_risk"].model)
    np.testing.assert_allclose(found.iloc[:, 1:], known["true_risk"][list(found.columns[1:])].astype(float))
    presentation.write_report(given, tmp_path / "without")
    assert not (tmp_path / "without" / "tables" / "true_recall.csv").exists()


def test_the_report_brackets_what_records_can_tell(given, known, tmp_path) -> None:
    """With a lower bound both ends stand in a sentence; without one it says how to get it."""
    frame = known["true_risk"]
    learned = frame[frame.model == "logit"].assign(
        model="attainable",
        learned_households=24_000.0,
        learned_columns=315.0,
        bins=np.nan,
        bins_covered=np.nan,
    )
    both = pd.concat([frame.iloc[:-1], learned, frame.iloc[-1:]], ignore_index=True)
    table = oracle_table(both, "logit")
    assert [row.values[-1] for row in table.rows] == [NOTHING, NOTHING, "24,000 · 315", NOTHING]
    figures = frame.set_index("model")
    with_bound = report_html(dataclasses.replace(given, **known | {"true_risk": both}))
    least, most = (f"{figures.recall_true[model]:.3f}" for model in ("logit", "oracle"))
    assert f"at least {least} and at most {most}" in with_bound
    assert f"至少 {least}，至多 {most}" in with_bound
    assert "--bracket" not in with_bound
    assert report_html(dataclasses.replace(given, **known)).count("--bracket") == 2  # once a language
    presentation.write_report(dataclasses.replace(given, **known | {"true_risk": both}), tmp_path)
    found = pd.read_csv(tmp_path / "tables" / "true_recall.csv")
    assert list(found.columns) == ["model", "auc_true", "recall_true", "oracle_auc", "oracle_recall"]
    assert list(found.model)[-2:] == ["attainable", "oracle"]


def test_targeting_measures_are_the_comparisons_and_old_runs_have_none(given) -> None:
    table = targeting_table(given.comparison)
    row = given.comparison.query("scope == 'pooled' and at == 'budget' and model == 'logit'").iloc[0]
    shown = next(r for r in table.rows if r.values[0]["en"] == "penalised logit")
    assert shown.values[1:] == [
        number(row[f"{n}_model"])
        for n in ("targeting_differential", "targeting_differential_errors", "cgh", "bpac")
    ]
    assert "targeting differential (coverage)" in report_html(given)
    # A run logged before these measures were has none of their columns, and its report is whole without.
    old = given.comparison.drop(columns=[c for c in given.comparison.columns if "targeting" in c])
    old = old.drop(columns=[c for c in old.columns if c.startswith(("cgh", "bpac", "welfare"))])
    assert targeting_table(old) is None


def visits_with_chances() -> pd.DataFrame:
    """20 flagged, of whom 10 are confirmed; a lot of 10 with a chance of 1/10, of whom 1 is."""
    rule = pd.DataFrame(
        {"selected_by": "rule", "outcome": ["confirmed", "not_confirmed"] * 10, "chance": 1.0}
    )
    lot = pd.DataFrame({"selected_by": "random", "outcome": ["confirmed"] + ["not_confirmed"] * 9})
    made = pd.concat([rule, lot.assign(chance=0.1)], ignore_index=True)
    return made.assign(village=[f"v{i % 6}" for i in range(len(made))])


def test_the_page_shows_them_in_both_languages_beside_the_published(make_given, tmp_path) -> None:
    said = ["rule"] * 40 + ["random"] * 10
    visits = pd.DataFrame({"selected_by": said, "outcome": ["confirmed"] * 12 + ["not_confirmed"] * 38})
    given = make_given(yields=yield_by_source(visits), weighted_yield=weighted_yield(visits_with_chances()))
    text = presentation.write_report(given, tmp_path).read_text(encoding="utf-8")
    assert "属实率约 16.7%" in text
    assert "are worth 14 visits of equal chance" in text
    assert "近一年入户核查的成效" in text
    assert "30.0%" in text
    assert "126" in text
    assert "383" in text
    assert "screened for illness costs beforehand" in text
    assert "近一年入户核查的成效" not in presentation.write_report(make_given(), tmp_path / "b").read_text(
        encoding="utf-8"
    )
