"""Whom to visit, in what order and why: the list, its random share, and its workbook."""

from __future__ import annotations

from riskmodel.worklist.select import Worklist, build
from riskmodel.worklist.xlsx import write_xlsx

__all__ = ["Worklist", "build", "write_xlsx"]
