"""Whom to visit, in what order and why: the list, its random share, and its workbook."""

from __future__ import annotations

from riskmodel.presentation.visit_sheets import print_pdf, write_sheets
from riskmodel.presentation.worklist_words import plan_words
from riskmodel.presentation.worklist_workbook import write_xlsx
from riskmodel.scoring.worklist.select import Worklist, build

__all__ = ["Worklist", "build", "plan_words", "print_pdf", "write_sheets", "write_xlsx"]
