"""Scores, the worklist, returned visits and monitoring."""

from riskmodel.scoring.worklist.names import keyed, read_names
from riskmodel.scoring.worklist.plan import Beyond
from riskmodel.scoring.worklist.quota import parse
from riskmodel.scoring.worklist.select import FLOOR, Worklist

__all__ = ["FLOOR", "Beyond", "Worklist", "keyed", "parse", "read_names"]
