"""Whom to visit, in what order and why: the list, its random share, and its workbook."""

from __future__ import annotations

from riskmodel.scoring.worklist.select import Worklist, build
from riskmodel.scoring.worklist.shape import plan_words
from riskmodel.scoring.worklist.sheets import print_pdf, write_sheets
from riskmodel.scoring.worklist.xlsx import write_xlsx

__all__ = ["Worklist", "build", "plan_words", "print_pdf", "write_sheets", "write_xlsx"]
