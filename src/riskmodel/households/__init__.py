"""Point in time, household accounts and targets: what every later computation stands on."""

from riskmodel.households.accounts import TOTAL_MONTHS, WATCHED_EVENTS
from riskmodel.households.bunching import Threshold, bunching_check
from riskmodel.households.income import PREFIXES, RIGID_CATEGORIES
from riskmodel.households.known import AsOf, KnownCounty, known_county
from riskmodel.households.periods import AccountingPeriod
from riskmodel.households.point_in_time import (
    HOUSEHOLD_STATES,
    PRESENT_MEMBERS,
    DateLike,
    Moment,
    add_months,
    as_moments,
    dates_outside_records,
    fingerprint,
    last_complete_month,
    to_date,
    valid_on,
    window_end,
)

__all__ = [
    "HOUSEHOLD_STATES",
    "PREFIXES",
    "PRESENT_MEMBERS",
    "RIGID_CATEGORIES",
    "TOTAL_MONTHS",
    "WATCHED_EVENTS",
    "AccountingPeriod",
    "AsOf",
    "DateLike",
    "KnownCounty",
    "Moment",
    "Threshold",
    "add_months",
    "as_moments",
    "bunching_check",
    "dates_outside_records",
    "fingerprint",
    "known_county",
    "last_complete_month",
    "to_date",
    "valid_on",
    "window_end",
]
