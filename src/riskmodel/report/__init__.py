"""A run's report: one self-contained HTML page in Chinese and English, its tables and its figures."""

from __future__ import annotations

from riskmodel.report.histories import histories
from riskmodel.report.inputs import ReportInput, read_run
from riskmodel.report.write import write, write_run
from riskmodel.report.yields import yields

__all__ = ["ReportInput", "histories", "read_run", "write", "write_run", "yields"]
