"""A province: many counties, each run by itself through the county's own steps, and one summary."""

from __future__ import annotations

from riskmodel.province.counties import CountySource, find_counties
from riskmodel.province.county_run import CountyTask, ListOptions, ProvinceSettings, run_county
from riskmodel.province.pool import train_province
from riskmodel.province.province import Province, province_totals, run_province

__all__ = [
    "CountySource",
    "CountyTask",
    "ListOptions",
    "Province",
    "ProvinceSettings",
    "find_counties",
    "province_totals",
    "run_county",
    "run_province",
    "train_province",
]
