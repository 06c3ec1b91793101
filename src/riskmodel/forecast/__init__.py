"""Forecasting: where each household will stand, how many the county must expect, where trouble gathers."""

from __future__ import annotations

from riskmodel.forecast.household import HORIZONS, HouseholdForecast
from riskmodel.forecast.household import build as households

__all__ = ["HORIZONS", "HouseholdForecast", "households"]
