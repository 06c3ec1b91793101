"""Does the model still fit the county? Drift, missingness, calibration and yield, and an alarm page."""

from __future__ import annotations

from riskmodel.monitor.drift import drift
from riskmodel.monitor.outcome import outcomes
from riskmodel.monitor.page import write
from riskmodel.monitor.psi import Psi, psi
from riskmodel.monitor.run import Monitored, monitor

__all__ = ["Monitored", "Psi", "drift", "monitor", "outcomes", "psi", "write"]
