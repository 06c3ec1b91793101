"""Who is whom, what is on record, point in time, and household accounts: what all later steps stand on."""

from riskmodel.households.accounts import TOTAL_MONTHS, WATCHED_EVENTS
from riskmodel.households.availability import Need, availability_check
from riskmodel.households.build_records import known_records
from riskmodel.households.bunching import Threshold, bunching_check
from riskmodel.households.income import PREFIXES, RIGID_CATEGORIES
from riskmodel.households.known import (
    AsOf,
    KnownCounty,
    KnownPart,
    all_numbers,
    current_ids,
    known_county,
    known_parts,
)
from riskmodel.households.known_records import KnownRecords, reaches_into
from riskmodel.households.panel import UNIT, read_records
from riskmodel.households.periods import AccountingPeriod, choose_period
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
from riskmodel.households.reasons import holes_in_window
from riskmodel.households.recent import calendar_sums, recent_sums, township_records

__all__ = [
    "HOUSEHOLD_STATES",
    "PREFIXES",
    "PRESENT_MEMBERS",
    "RIGID_CATEGORIES",
    "TOTAL_MONTHS",
    "UNIT",
    "WATCHED_EVENTS",
    "AccountingPeriod",
    "AsOf",
    "DateLike",
    "KnownCounty",
    "KnownPart",
    "KnownRecords",
    "Moment",
    "Need",
    "Threshold",
    "add_months",
    "all_numbers",
    "as_moments",
    "availability_check",
    "bunching_check",
    "calendar_sums",
    "choose_period",
    "current_ids",
    "dates_outside_records",
    "fingerprint",
    "holes_in_window",
    "known_county",
    "known_parts",
    "known_records",
    "last_complete_month",
    "reaches_into",
    "read_records",
    "recent_sums",
    "to_date",
    "township_records",
    "valid_on",
    "window_end",
]
