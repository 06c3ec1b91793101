"""What comes back: a filled list is read, checked against the county, and added to its visits, once."""

from __future__ import annotations

from riskmodel.worklist.returned.aside import set_aside
from riskmodel.worklist.returned.filled import Filled, read_filled
from riskmodel.worklist.returned.take import Taken, take

__all__ = ["Filled", "Taken", "read_filled", "set_aside", "take"]
