"""Forecasting: where each household will stand, how many the county must expect, where trouble gathers.

`build` gives a county's whole `Outlook`; `households` the households alone; `stress_test` what a scenario
(`read_scenario`, `scenarios`) would do to them; `evaluate_households` how good household forecasts were.
"""

from __future__ import annotations

from riskmodel.forecasting.evaluate import Evaluation
from riskmodel.forecasting.evaluate import evaluate as evaluate_households
from riskmodel.forecasting.gather import MEASURES
from riskmodel.forecasting.household import HORIZONS, HouseholdForecast
from riskmodel.forecasting.household import build as households
from riskmodel.forecasting.outlook import Outlook, build, check_horizon, check_past, horizons
from riskmodel.forecasting.scenario import LARGEST, Scenario, Shock
from riskmodel.forecasting.scenario import available as scenarios
from riskmodel.forecasting.scenario import read as read_scenario
from riskmodel.forecasting.stress import Stress
from riskmodel.forecasting.stress import build as stress_test

__all__ = [
    "HORIZONS",
    "LARGEST",
    "MEASURES",
    "Evaluation",
    "HouseholdForecast",
    "Outlook",
    "Scenario",
    "Shock",
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
