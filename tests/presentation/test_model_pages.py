"""The page that watches a model in use: the gravest alarm first, in both languages."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from riskmodel import presentation
from riskmodel.evaluation import yield_by_source
from riskmodel.scoring.monitoring import MonitoringResult, measure_drift

from ..scoring.test_monitoring import county, judged


class Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def monitored(**facts: str) -> MonitoringResult:
    """Return what was measured where the score, a feature and the calibration have moved."""
    rng = np.random.default_rng(3)
    before = pd.DataFrame({"probability": rng.random(500), "x": rng.normal(size=500)})
    now = pd.DataFrame({"probability": rng.random(500) ** 3, "x": rng.normal(size=500) + 2})
    names = pd.DataFrame({"id": ["probability", "x"], "zh": ["模型概率", "甲"], "en": ["probability", "a"]})
    visits = pd.DataFrame({"selected_by": "rule", "outcome": ["confirmed", "absent", "not_confirmed"]})
    return MonitoringResult(
        about={"model": "county", "version": "3", "run_id": "r", "as_of": "2022-01-31",
               "reference": "2021-01-31", "data_fingerprint": "f", **facts},
        drift=measure_drift(before, now, names),
        outcomes=judged(county(), 0.05),
        yields=yield_by_source(visits),
    )  # fmt: skip


def test_the_alarm_page_names_the_gravest_first_in_both_languages_and_no_household(tmp_path) -> None:
    found = monitored()
    grades = [a["grade"] for a in found.alarms]
    # The score that moved and the calibration are alarms; a feature that moved is a look, however far.
    assert grades == ["alarm", "alarm", "look"]
    text = presentation.write_monitor(found, tmp_path).read_text(encoding="utf-8")
    parser = Texts()
    parser.feed(text)
    said = "".join(parser.texts)
    assert "模型概率 的分布变了" in said
    assert "observed / expected 20 / 3.0" in said
    assert "h00" not in said
    assert (tmp_path / "monitor.json").is_file()
    assert pd.read_csv(tmp_path / "drift.csv").shape[0] == 2
