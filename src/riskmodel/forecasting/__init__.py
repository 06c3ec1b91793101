"""Forecasting: household incomes, counts of newly monitored households, stress tests and early warnings.

`forecast` gives a county's whole `Outlook`; `forecast_households` the households alone; `stress_test` what a
scenario (`read_scenario`, `available_scenarios`) would do to them;
`evaluate_household_forecasts` how accurate household forecasts were.
"""

from __future__ import annotations

from riskmodel.forecasting.household import HORIZONS, MEASURES, HouseholdForecast, forecast_households
from riskmodel.forecasting.household_evaluation import Evaluation, evaluate_household_forecasts
from riskmodel.forecasting.outlook import Outlook, check_horizon, check_past, forecast, horizons
from riskmodel.forecasting.stress import (
    LARGEST,
    Scenario,
    Shock,
    Stress,
    available_scenarios,
    read_scenario,
    stress_test,
)

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
    "available_scenarios",
    "check_horizon",
    "check_past",
    "evaluate_household_forecasts",
    "forecast",
    "forecast_households",
    "horizons",
    "read_scenario",
    "stress_test",
]
