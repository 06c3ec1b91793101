"""Forecasting: where each household will stand, how many the county must expect, where trouble gathers.

`build` gives a county's whole `Outlook`; `households` the households alone; `stress` what a `scenario` would
do to them; `evaluate` how good household forecasts were.
"""

from __future__ import annotations

from riskmodel.forecast.evaluate import evaluate
from riskmodel.forecast.household import HORIZONS, HouseholdForecast
from riskmodel.forecast.household import build as households
from riskmodel.forecast.outlook import Outlook, build
from riskmodel.forecast.scenario import Scenario, available
from riskmodel.forecast.scenario import read as scenario
from riskmodel.forecast.stress import Stress
from riskmodel.forecast.stress import build as stress

__all__ = [
    "HORIZONS",
    "HouseholdForecast",
    "Outlook",
    "Scenario",
    "Stress",
    "available",
    "build",
    "evaluate",
    "households",
    "scenario",
    "stress",
]
