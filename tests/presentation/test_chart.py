"""Charts are well-formed, stay inside their frame, and say the same in both languages."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import matplotlib
import matplotlib.pyplot as plt
import pytest

from riskmodel.data.schema import contract
from riskmodel.i18n import section, subjects
from riskmodel.presentation.chart import HEIGHT, LEFT, TOP, WIDTH, Axis, Plot, element, use_chinese
from riskmodel.presentation.report_parts import report_charts

NAMES = {"gain", "roc", "precision_recall", "reliability", "delta", "auc"}
XML = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def charts(given) -> dict[str, str]:
    return {c.name: c.svg for c in report_charts(given)}


def test_every_chart_is_drawn_and_is_xml(charts) -> None:
    assert set(charts) == NAMES
    for svg in charts.values():
        ET.fromstring(svg)


def test_no_point_leaves_the_chart(charts) -> None:
    for name, svg in charts.items():
        root = ET.fromstring(svg)
        _, _, width, height = (float(v) for v in root.attrib["viewBox"].split())
        for line in root.iter(f"{XML}polyline"):
            for pair in line.attrib["points"].split():
                x, y = (float(v) for v in pair.split(","))
                assert LEFT - 0.1 <= x <= width, name
                assert TOP - 0.1 <= y <= height, name
        for dot in root.iter(f"{XML}circle"):
            assert 0 <= float(dot.attrib["cx"]) <= width, name


def test_each_text_stands_in_both_languages(charts) -> None:
    for svg in charts.values():
        spoken = [t.attrib.get("lang") for t in ET.fromstring(svg).iter(f"{XML}text")]
        assert spoken.count("zh") == spoken.count("en") > 0


def test_a_file_of_one_language_holds_one(given) -> None:
    for svg in (c.svg for c in report_charts(given, ["en"])):
        assert not re.search(r"[\u4e00-\u9fff]", svg)


def test_curves_start_and_end_where_they_must(charts) -> None:
    # Nobody visited finds nobody, everybody visited finds everybody: (0, 0) and (1, 1).
    for name in ("gain", "roc"):
        plot = Plot(Axis({"zh": "", "en": ""}, 0, 1), Axis({"zh": "", "en": ""}, 0, 1), {"zh": "", "en": ""})
        ends = {"{:.1f},{:.1f}".format(*plot.at(v, v)) for v in (0, 1)}
        for line in ET.fromstring(charts[name]).iter(f"{XML}polyline"):
            points = line.attrib["points"].split()
            assert {points[0], points[-1]} == ends, name


def test_a_run_without_rules_has_no_difference_chart(make_given) -> None:
    charts = report_charts(make_given(comparison=None, deployed=None))
    assert {chart.name for chart in charts} == NAMES - {"delta"}


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.042, [0, 0.01, 0.02, 0.03, 0.04]),
        (-0.1, 0.1, [-0.1, -0.05, 0, 0.05, 0.1]),
    ],
)
def test_ticks_are_round(low, high, ticks) -> None:
    assert Axis({"zh": "", "en": ""}, low, high).ticks() == pytest.approx(ticks)


def test_text_is_escaped() -> None:
    assert element("text", "<b>&") == "<text>&lt;b&gt;&amp;</text>"
    assert element("g", aria_label='"') == '<g aria-label="&quot;"/>'


def test_the_frame_fits_the_drawing() -> None:
    plot = Plot(Axis({"zh": "", "en": ""}, 0, 1), Axis({"zh": "", "en": ""}, 0, 1), {"zh": "t", "en": "t"})
    assert plot.at(0, 0)[0] == LEFT
    assert plot.at(1, 1)[0] < WIDTH
    assert plot.at(0, 1)[1] == TOP
    assert plot.at(0, 0)[1] < HEIGHT


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
