"""The registry of metrics: complete, ordered, and open to a metric that stands in one file (this one)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from riskmodel import evaluation
from riskmodel.errors import SpecError
from riskmodel.evaluation import METRICS, Metric, table_metrics
from riskmodel.presentation.report_parts import fold_table, metrics_table


def rank_correlation(y: np.ndarray, score: np.ndarray):
    """Prepare a metric of this test: Somers' D, which is 2·AUC − 1."""
    kernel = evaluation.auc_kernel(y, score)
    return lambda weight: 2 * kernel(weight) - 1


# All that a metric needs to be computed with intervals, shown and documented.
SOMERS = Metric(
    "rank_twin", zh="Somers D", en="Somers' D", formula="2·AUC − 1", source="Somers 1962", better="higher",
    needs="score", checked_against="twice the AUC less one", tests=("evaluation/test_metrics.py::x",),
    kernel=rank_correlation, order=15, shown_in=("summary", "periods"),
)  # fmt: skip
FOUND_TWICE = Metric(
    "missed_share", zh="漏掉的份额", en="share missed", formula="1 − TP/(TP + FN)", source="here",
    better="lower", needs="list", checked_against="recall", tests=("evaluation/test_metrics.py::x",),
    of_list=lambda counts: 1 - counts.hits / counts.events, derived=True, share=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zh": ""}, "metric 'rank_twin' cannot be registered: zh is empty"),
        ({"better": "more"}, "better must be 'higher' or 'lower' .*; given the text 'more'"),
        ({"shown_in": ("sumary",)}, "shown_in names 'sumary'; allowed: summary, periods"),
        ({"tests": ()}, "tests is empty"),
        ({"of_list": lambda counts: counts.hits}, "give kernel or of_list, not both"),
        ({"needs": "list"}, "needs is 'list', which takes of_list in place of kernel"),
        ({"kernel": None, "of_list": lambda counts: counts.hits}, "needs is 'score', which takes kernel"),
        ({"kernel": None}, "shown in tables, but has neither"),
        # The mistakes of a kernel: one figure, a figure a row, a figure of no weightings, an error.
        ({"kernel": lambda y, s: lambda w: float(s.mean())}, "of shape .2,.; it returned a single float"),
        ({"kernel": lambda y, s: lambda w: w * s}, r"returned an array of shape \(2, 8\)"),
        ({"kernel": lambda y, s: s.mean()}, r"tried on 8 rows it failed: TypeError: .* not callable"),
        ({"kernel": lambda y: 1.0}, r"tried on 8 rows it failed: TypeError: .* positional argument"),
    ],
)
def test_a_metric_that_is_not_whole_is_refused_where_it_is_registered(wrong, said):
    with pytest.raises(SpecError, match=said):
        METRICS.register(dataclasses.replace(SOMERS, **wrong))
    assert "rank_twin" not in METRICS


def test_a_kernel_that_gives_another_shape_on_the_run_s_own_rows_is_named():
    def fickle(y, score):
        return lambda weight: weight.sum(axis=1) if len(y) == 8 else weight.sum()

    rows = evaluation.metrics.ScoredRows(
        np.array([0.0, 1.0, 0.0]),
        np.arange(3.0),
        np.full(3, 0.5),
        np.zeros(3, dtype=int),
        evaluation.Budget(visits=1),
    )
    with (
        METRICS.including(dataclasses.replace(SOMERS, kernel=fickle)),
        pytest.raises(
            SpecError, match=r"metric rank_twin: kernel\(y, score\)\(weights\) must return one value"
        ),
    ):
        evaluation.metrics.prepare_metrics(rows)(np.ones((4, 3)))


def test_every_metric_is_described_and_those_of_the_table_are_computed_one_way():
    for name, metric in METRICS.items():
        assert metric.name == name
        texts = (metric.zh, metric.en, metric.formula, metric.source, metric.checked_against, metric.tests)
        assert all(texts), name
        assert not (metric.kernel and metric.of_list), name
        assert (metric.of_list is None) or metric.needs == "list", name
    # One test at one budget: everything else of the table that needs the list is declared derived.
    assert [m.name for m in table_metrics() if m.needs == "list" and not m.derived] == ["recall_at_budget"]


def test_a_metric_of_one_file_is_computed_and_reported_and_leaves_no_trace(predictions):
    before = list(METRICS)
    with METRICS.including(SOMERS), METRICS.including(FOUND_TWICE):
        assert list(METRICS)[1] == "rank_twin"
        pooled = evaluation.pooled_metrics(predictions, {"share": 0.05}, replicates=20)
        assert pooled["rank_twin"].to_numpy() == pytest.approx(2 * pooled["auc"] - 1)
        assert pooled["rank_twin_low"].to_numpy() == pytest.approx(2 * pooled["auc_low"] - 1)
        assert pooled["missed_share"].to_numpy() == pytest.approx(1 - pooled["recall_at_budget"])
        folds = evaluation.metrics_by_fold(predictions, {"share": 0.05}, replicates=20)
        for table in (metrics_table(pooled, "logit"), fold_table(folds)):
            heads = [str(getattr(head, "words", head)) for head in table.columns]
            assert any("Somers" in head for head in heads)
    assert list(METRICS) == before
    assert "rank_twin" not in evaluation.pooled_metrics(predictions, {"share": 0.05}, replicates=2)


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(SpecError, match="metric 'auc' is registered twice"):
        METRICS.register(Metric(**{**SOMERS.__dict__, "name": "auc"}))
