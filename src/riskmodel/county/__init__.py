"""Reading, checking and holding a county's tables."""

from riskmodel.county.county import About, County, from_frames
from riskmodel.county.read import read
from riskmodel.county.write import write

__all__ = ["About", "County", "from_frames", "read", "write"]
