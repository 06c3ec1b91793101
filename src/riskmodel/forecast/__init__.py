"""Forecasting: where each household will stand, how many the county must expect, where trouble gathers.

`build` gives a county's whole `Outlook`; `households` the households alone; `stress_test` what a scenario
(`read_scenario`, `scenarios`) would do to them; `evaluate_households` how good household forecasts were.
"""

from __future__ import annotations

from riskmodel.forecast.evaluate import evaluate as evaluate_households
from riskmodel.forecast.household import HORIZONS, HouseholdForecast
from riskmodel.forecast.household import build as households
from riskmodel.forecast.outlook import Outlook, build, check_horizon, check_past, horizons
from riskmodel.forecast.scenario import Scenario
from riskmodel.forecast.scenario import available as scenarios
from riskmodel.forecast.scenario import read as read_scenario
from riskmodel.forecast.stress import Stress
from riskmodel.forecast.stress import build as stress_test

__all__ = [
    "HORIZONS",
    "HouseholdForecast",
    "Outlook",
    "Scenario",
    "Stress",
    "build",
    "check_horizon",
    "check_past",
    "evaluate_households",
    "horizons",
    "households",
    "read_scenario",
    "scenarios",
    "stress_test",
]
