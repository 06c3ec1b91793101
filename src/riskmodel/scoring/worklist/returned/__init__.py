"""What comes back: a filled list is read, checked against the county, and added to its visits, once."""

from __future__ import annotations

from riskmodel.scoring.worklist.returned.aside import set_aside
from riskmodel.scoring.worklist.returned.filled import Filled, read_filled
from riskmodel.scoring.worklist.returned.take import Taken, take

__all__ = ["Filled", "Taken", "read_filled", "set_aside", "take"]
