"""The page of a benchmark: whole, in both languages, with the findings of its tables."""

import html
import re

import pandas as pd
import pytest

from riskmodel import benchmark
from riskmodel.evaluation import Budget
from riskmodel.runs import Evaluation

from ..predictions import EVENT, FIRST_SEEN, noisy_predictions


@pytest.fixture(scope="module")
def found():
    return noisy_predictions()


def page_of(found, small, out):
    evaluation = Evaluation(found, Budget(share=0.05), "rule", EVENT, first_seen=FIRST_SEEN, replicates=60)
    tables, notes = evaluation.further(), evaluation.notes
    one = benchmark.PanelResult(small.panels[0], "run", tables, notes, 1.0)
    done = benchmark.BenchmarkResult(
        small, True, [one], {"eph-entry": "its file is not given"}, {"ebm": "not installed"}
    )
    return done, benchmark.write_benchmark_page(done, out)


def test_the_page_is_whole_speaks_both_languages_and_asks_the_network_for_nothing(found, small, tmp_path):
    done, page = page_of(found, small, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"https?://", text)
    for must in (
        "References",
        "参考文献",
        "Limits",
        "its file is not given",
        "not installed",
        "Holm",
        "quick",
    ):
        assert must in text
    by_auc, by_list, tested = (said.text("en") for said in benchmark.benchmark_findings(done)[:3])
    # The logit has the least noise by construction: the page must not call the simple method the winner.
    assert "on 0 of 1 panels a simple method" in by_auc
    assert by_auc.endswith("An elaborate method wins on: Simulated county: average.")
    assert "The list at the same visits" in by_list
    assert "after Holm" in tested
    for said in (by_auc, by_list, tested):
        assert said in html.unescape(text)
    assert list((tmp_path / "figures").glob("default-*.svg"))
    whole = pd.read_csv(tmp_path / "tables" / "bench.csv")
    # One row a model, and what stands there is what the panel's own tables say.
    assert whole["model"].tolist() == done.done[0].tables["metrics"]["model"].tolist()
    assert whole["auc"].to_numpy() == pytest.approx(done.done[0].tables["metrics"]["auc"].to_numpy())
    words = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert f"{whole.set_index('model').loc['logit', 'auc']:.3f}" in words
    # The same input gives the same bytes.
    assert page_of(found, small, tmp_path / "again")[1].read_bytes() == page.read_bytes()
