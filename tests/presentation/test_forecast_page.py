"""The chapter on what is ahead: fans with their bands, townships with their numbers, in both languages."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from riskmodel import presentation
from riskmodel.i18n import Nouns, nouns_of, section
from riskmodel.presentation import ForecastInput, ReportInput, chart, report_html


def _interval(mean: float) -> dict[str, float]:
    return {
        "mean": mean,
        "low_80": mean * 0.7,
        "high_80": mean * 1.3,
        "low_95": mean * 0.5,
        "high_95": mean * 1.6,
    }


@pytest.fixture(scope="module")
def given_outlook() -> ForecastInput:
    towns = ["东河镇", "西河镇"]
    townships = pd.DataFrame(
        [
            {"township": t, "cause": "all", "measure": m, "horizon_months": h, **_interval(v * k)}
            for h, k in ((3, 1.0), (6, 1.2), (12, 1.5))
            for m, v in (("households", 20.0), ("persons", 70.0), ("yuan", 250_000.0))
            for t in ["all", *towns]
        ]
    )
    households = pd.DataFrame(
        {"household_id": [f"H{i:03d}" for i in range(40)], "township": np.repeat(towns, 20),
         "pcni": np.where(np.arange(40) % 10 == 0, 4000.0, 9000.0), "line": 6000.0}
    )  # fmt: skip
    series = [
        ("county", "all", "all", 6.0),
        ("cause", "all", "illness", 4.0),
        ("cause", "all", "disaster", 2.0),
    ]
    series += [("township", t, "all", 3.0) for t in towns]
    label = ["level", "township", "cause"]
    counts = pd.DataFrame(
        [
            dict(zip(label, s[:3], strict=True)) | {"month": f"2021-{k:02d}"} | _interval(s[3])
            for s in series
            for k in range(1, 13)
        ]
    )
    past = pd.DataFrame(
        [
            dict(zip(label, s[:3], strict=True)) | {"month": f"2020-{k:02d}", "count": s[3]}
            for s in series
            for k in range(1, 13)
        ]
    )
    warnings = pd.DataFrame(
        {"township": ["西河镇", "东河镇"], "month": "2020-12", "count": [14.0, 2.0], "expected": [3.0, 2.0],
         "with_neighbours": ["东河镇", None], "p_adjusted": [0.001, 0.9], "alarm": [True, False],
         "what": "events", "reason_zh": "自然灾害集中发生",
         "reason_en": "a natural disaster struck many at once"}
    )  # fmt: skip
    tables = {
        "townships": townships,
        "households": households,
        "counts": counts,
        "past": past,
        "warnings": warnings,
    }
    meta = {
        "format": 2,
        "as_of": "2020-12-31",
        "horizon": 12,
        "line": 6000.0,
        "method": "mean",
        "choice": {
            "method": "mean",
            "why": "beaten",
            "rival": "mean",
            "mase": 0.8,
            "plain_mase": 1.0,
            "p": 0.02,
        },
        "notes": [{"zh": "<b>", "en": "<b>"}],
    }
    return ForecastInput(meta, tables)


def test_the_chapter_says_the_countys_number_in_both_languages(given_outlook: ForecastInput) -> None:
    text = str(presentation.forecast_chapter(given_outlook))
    # 20 × 1.5 households twelve months on, the 80 % interval 0.7 to 1.3 times that, 37.5 ten thousand yuan.
    said = (
        "12 个月后预计 30 户人均纯收入低于 6,000 元（80% 区间 21–39 户；现为 4 户），补足缺口一年约 38 万元"
    )
    assert said in text
    assert "In 12 months about 30 households are expected below 6,000 yuan" in text
    # Six a month, of the county, ahead and behind.
    assert "今后 12 个月预计新纳入监测 72 户（过去 12 个月 72 户）" in text
    assert text.count("<svg") == 4
    # Households that are below now, from the table itself: four, two in each township.
    assert "<td>4</td>" in text
    assert "&lt;b&gt;" in text


def test_only_alarms_are_listed_with_their_neighbours(given_outlook: ForecastInput) -> None:
    text = str(presentation.forecast_chapter(given_outlook))
    part = text[text.index("规模性返贫预警") :]
    assert part.count("自然灾害集中发生") == 1
    assert "西河镇<small>东河镇</small>" in part
    quiet = given_outlook.tables["warnings"].assign(alarm=False)
    still = ForecastInput(given_outlook.meta, {**given_outlook.tables, "warnings": quiet})
    assert "近两个月没有乡镇超出预期" in str(presentation.forecast_chapter(still))


def test_the_chapter_says_why_the_counts_go_by_their_method(given_outlook: ForecastInput) -> None:
    # The same four answers as `rolling.Choice`, in sentences an office can read.
    told = {
        "beaten": "By mean of twelve months: it beats seasonal naive (MASE 0.80 against 1.00, p = 0.020).",
        "not_significant": "errs less (MASE 0.80 against 1.00), but not significantly so (p = 0.020).",
        "plain_is_best": "no method errs less (MASE 1.00).",
        "untested": "fewer than five past days",
    }
    for why, said in told.items():
        choice = {**given_outlook.meta["choice"], "why": why}
        assert said in str(
            presentation.forecast_chapter(
                ForecastInput({**given_outlook.meta, "choice": choice}, given_outlook.tables)
            )
        )
    blank = dict.fromkeys(("mase", "plain_mase", "p")) | {
        "method": "seasonal_naive",
        "rival": "",
        "why": "untested",
    }
    text = str(
        presentation.forecast_chapter(
            ForecastInput({**given_outlook.meta, "choice": blank}, given_outlook.tables)
        )
    )
    assert "采用季节朴素：可比的以往时点不足五个" in text


def test_the_classifier_stands_beside_the_distribution(given_outlook: ForecastInput) -> None:
    classifier = pd.DataFrame(
        {"horizon_months": [12], "method": "panel", "distribution": 0.0613, "classifier": 0.0601,
         "difference": 0.0012, "low_95": -0.002, "high_95": 0.0044, "rows": 600}
    )  # fmt: skip
    text = str(
        presentation.forecast_chapter(
            ForecastInput(given_outlook.meta, {**given_outlook.tables, "classifier": classifier})
        )
    )
    assert "+0.0012<small>[-0.0020, +0.0044]</small>" in text
    assert "分布与分类器，谁更准" in text
    assert "分布与分类器，谁更准" not in str(presentation.forecast_chapter(given_outlook))


def test_the_chapter_says_whether_intervals_held(given_outlook: ForecastInput) -> None:
    # Of the methods that are used, in the order of the horizons; the others stand in the table alone.
    row = {"method": "panel", "crps": 1.0, "worse_than_best_p": 1.0, "brier": 0.1, "rows": 50, "chosen": True}
    row |= dict.fromkeys(("pinball_10", "pinball_50", "pinball_90"), 1.0)
    methods = pd.DataFrame(
        [
            row | {"horizon_months": 12, "coverage_80": 0.79, "coverage_95": 0.96},
            row | {"horizon_months": 3, "coverage_80": 0.81, "coverage_95": 0.94},
            row
            | {
                "horizon_months": 3,
                "coverage_80": 0.5,
                "coverage_95": 0.6,
                "chosen": False,
                "method": "naive",
            },
        ]
    )
    text = str(
        presentation.forecast_chapter(
            ForecastInput(given_outlook.meta, {**given_outlook.tables, "methods": methods})
        )
    )
    assert "those of 80 % held 81% / 79% and those of 95 % held 94% / 96%" in text
    assert "(3 / 12 months ahead)" in text
    assert "50% / 60%" in text


def test_a_report_has_the_chapter_where_a_forecast_is_given(
    given: ReportInput, given_outlook: ForecastInput
) -> None:
    assert 'id="outlook"' not in report_html(given)
    assert 'id="outlook"' in report_html(dataclasses.replace(given, outlook=given_outlook))


def test_counts_are_judged_by_step(given_outlook: ForecastInput) -> None:
    table = pd.DataFrame(
        {"method": ["mean", "ets"], "level": "county", "mase": [0.9, 1.1], "coverage_80": 0.8,
         "coverage_95": 0.95, "dm_p_holm": [np.nan, 0.4], "origins": 8}
    )  # fmt: skip
    steps = pd.DataFrame(
        {"method": "mean", "level": "county", "step": [12, 1, 6, 2], "mase": [1.25, 0.5, 0.75, 0.6]}
    )
    given = {**given_outlook.tables, "backtest": table, "backtest-steps": steps}
    text = str(presentation.forecast_chapter(ForecastInput(given_outlook.meta, given)))
    # The first, the second of four, and the last step; a method without steps has none.
    assert "0.90<small>0.50 (1) · 0.60 (2) · 1.25 (12)</small>" in text
    assert "<td>1.10</td>" in text


def test_bands_widen_and_stay_on_the_page(given_outlook: ForecastInput) -> None:
    words = section("forecast")["charts"]
    t = given_outlook.tables["townships"]
    ahead = t[(t["township"] == "all") & (t["measure"] == "households")]
    svg = chart.below_fan(4.0, ahead, words, words["below"])
    polygons = re.findall(r'<polygon points="([^"]+)"', svg)
    assert len(polygons) == 2
    heights = []
    for points in polygons:
        ys = [float(p.split(",")[1]) for p in points.split()]
        assert all(0 <= y <= 350 for y in ys)
        heights.append(abs(ys[3] - ys[4]))  # at the last horizon: up the one side, down the other
    assert heights[0] > heights[1] > 0


def test_the_chapter_of_a_panel_speaks_of_its_persons_and_clusters(given_outlook: ForecastInput) -> None:
    facts = Nouns("person", "cluster").facts()
    shown = nouns_of({**given_outlook.meta, **facts}).page(str(presentation.forecast_chapter(given_outlook)))
    text = re.sub(r"(<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>)", " ", shown, flags=re.DOTALL)
    assert "30 persons" in text or "30 人" in text
    assert re.findall(r"\b(?:households?|villages?)\b|(?<!农)村|户(?!籍)", text) == []
