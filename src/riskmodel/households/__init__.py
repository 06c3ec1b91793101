"""Point in time, household accounts and targets: what every later computation stands on."""

from riskmodel.households.accounts import RIGID, WATCHED, Period
from riskmodel.households.bunching import Threshold, bunching_check
from riskmodel.households.known_county import AsOf, KnownCounty, known_county
from riskmodel.households.point_in_time import DateLike, Moment, When, fingerprint, to_date

__all__ = [
    "RIGID",
    "WATCHED",
    "AsOf",
    "DateLike",
    "KnownCounty",
    "Moment",
    "Period",
    "Threshold",
    "When",
    "bunching_check",
    "fingerprint",
    "known_county",
    "to_date",
]
