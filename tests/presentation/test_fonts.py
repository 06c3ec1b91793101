"""Figures in notebooks show Chinese, not boxes."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from riskmodel.data.schema import contract
from riskmodel.i18n import section, subjects
from riskmodel.presentation.chart import use_chinese


def texts(node) -> str:
    if isinstance(node, dict):
        return "".join(texts(v) for v in node.values())
    if isinstance(node, list):
        return "".join(texts(v) for v in node)
    return str(node)


def test_every_word_of_contract_and_report_has_its_glyph() -> None:
    # A missing glyph is a warning in matplotlib; the test run turns warnings into errors.
    words = sorted(
        set(
            "".join(texts(section(subject)) for subject in subjects())
            + "".join(t.zh + "".join(c.zh for c in t.columns.values()) for t in contract().tables.values())
        )
    )
    with matplotlib.rc_context():
        assert "Noto Sans SC" in use_chinese()
        figure, axis = plt.subplots()
        axis.set_title("".join(words).replace("$", ""))
        axis.set_xlabel("人均纯收入 −6,000 元")
        figure.savefig(io.BytesIO(), format="png")
        plt.close(figure)


def test_without_it_the_same_figure_would_warn() -> None:
    # So the test above cannot pass for want of a check.
    with matplotlib.rc_context({"font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"]}):
        figure, axis = plt.subplots()
        axis.set_title("返贫")
        with pytest.warns(UserWarning, match="missing"):
            figure.savefig(io.BytesIO(), format="png")
        plt.close(figure)
