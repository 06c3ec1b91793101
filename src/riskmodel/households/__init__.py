"""Point in time, household accounts and targets: what every later computation stands on."""

from riskmodel.households.accounts import RIGID, WATCHED, Period
from riskmodel.households.bunching import Threshold, bunching_check
from riskmodel.households.point_in_time import DateLike, Moment, When, fingerprint, to_date

__all__ = [
    "RIGID",
    "WATCHED",
    "DateLike",
    "Moment",
    "Period",
    "Threshold",
    "When",
    "bunching_check",
    "fingerprint",
    "to_date",
]
