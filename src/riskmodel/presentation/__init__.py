"""A run's report: one self-contained HTML page in Chinese and English, its tables and its figures."""

from __future__ import annotations

from riskmodel.presentation.chart import Axis, Interval, Plot, intervals
from riskmodel.presentation.figures import SPARE, STYLES
from riskmodel.presentation.forecast_page import (
    OutlookInput,
    chapter,
    outlook_input,
    read_outlook,
    write_outlook,
)
from riskmodel.presentation.household_list import histories
from riskmodel.presentation.inputs import ReportInput, read_run
from riskmodel.presentation.rules_page import with_rules, write_rules
from riskmodel.presentation.words import templates
from riskmodel.presentation.write import write, write_run
from riskmodel.presentation.yields import weighted_yield, yields

__all__ = [
    "SPARE",
    "STYLES",
    "Axis",
    "Interval",
    "OutlookInput",
    "Plot",
    "ReportInput",
    "chapter",
    "histories",
    "intervals",
    "outlook_input",
    "read_outlook",
    "read_run",
    "templates",
    "weighted_yield",
    "with_rules",
    "write",
    "write_outlook",
    "write_rules",
    "write_run",
    "yields",
]
