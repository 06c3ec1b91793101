"""Does the model still fit the county? Drift, missingness, calibration and yield."""

from __future__ import annotations

from riskmodel.scoring.monitor.drift import drift
from riskmodel.scoring.monitor.outcome import outcomes
from riskmodel.scoring.monitor.psi import Psi, psi
from riskmodel.scoring.monitor.run import Monitored, monitor

__all__ = ["Monitored", "Psi", "drift", "monitor", "outcomes", "psi"]
