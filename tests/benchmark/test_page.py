"""The page of a benchmark: whole, in both languages, with the findings of its tables."""

import html
import re

import pandas as pd
import pytest

from riskmodel import benchmark


def test_the_page_is_whole_speaks_both_languages_and_asks_the_network_for_nothing(result, tmp_path):
    page = benchmark.write_benchmark_page(result, tmp_path)
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
    for message in benchmark.benchmark_findings(result):
        assert message.text("en") in html.unescape(text)
    assert list((tmp_path / "figures").glob("default-*.svg"))
    whole = pd.read_csv(tmp_path / "tables" / "bench.csv")
    # One row a model, and what stands there is what the panel's own tables say.
    assert whole["model"].tolist() == result.panels[0].tables["metrics"]["model"].tolist()
    assert whole["auc"].to_numpy() == pytest.approx(result.panels[0].tables["metrics"]["auc"].to_numpy())
    words = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert f"{whole.set_index('model').loc['logit', 'auc']:.3f}" in words
    # The same input gives the same bytes.
    assert benchmark.write_benchmark_page(result, tmp_path / "again").read_bytes() == page.read_bytes()
