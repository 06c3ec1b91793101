"""Reading, checking and holding a county's tables."""

from riskmodel.county.check import check, later_lines
from riskmodel.county.county import About, County, from_frames
from riskmodel.county.read import DataRefused, read
from riskmodel.county.rejects import write_rejected
from riskmodel.county.write import write

__all__ = [
    "About",
    "County",
    "DataRefused",
    "check",
    "from_frames",
    "later_lines",
    "read",
    "write",
    "write_rejected",
]
