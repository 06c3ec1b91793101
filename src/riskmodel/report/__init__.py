"""A run's report: one self-contained HTML page in Chinese and English, its tables and its figures."""

from __future__ import annotations

from riskmodel.report.histories import histories
from riskmodel.report.inputs import ReportInput, read_run
from riskmodel.report.outlook import OutlookInput, chapter, outlook_input, read_outlook, write_outlook
from riskmodel.report.write import write, write_run
from riskmodel.report.yields import weighted_yield, yields

__all__ = [
    "OutlookInput",
    "ReportInput",
    "chapter",
    "histories",
    "outlook_input",
    "read_outlook",
    "read_run",
    "weighted_yield",
    "write",
    "write_outlook",
    "write_run",
    "yields",
]
