"""Point in time, household accounts and targets: what every later computation stands on."""

from riskmodel.households.accounts import RIGID_CATEGORIES, WATCHED_EVENTS, AccountingPeriod
from riskmodel.households.bunching import Threshold, bunching_check
from riskmodel.households.known_county import AsOf, KnownCounty, known_county
from riskmodel.households.point_in_time import DateLike, Moment, Moments, fingerprint, to_date

__all__ = [
    "RIGID_CATEGORIES",
    "WATCHED_EVENTS",
    "AccountingPeriod",
    "AsOf",
    "DateLike",
    "KnownCounty",
    "Moment",
    "Moments",
    "Threshold",
    "bunching_check",
    "fingerprint",
    "known_county",
    "to_date",
]
