"""A household's case from clue to look-back: states, moves, clocks, the log, who waits for whom."""

from riskmodel.cases.cases import CaseBook, find_cases, open_case_book, read_steps
from riskmodel.cases.declaration import declared, load_procedure, state

__all__ = [
    "CaseBook",
    "declared",
    "find_cases",
    "load_procedure",
    "open_case_book",
    "read_steps",
    "state",
]
