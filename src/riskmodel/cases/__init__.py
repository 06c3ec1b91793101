"""A household's case from clue to look-back: states, moves, clocks, the log, who waits for whom."""

from riskmodel.cases.cases import CaseBook, find_cases, open_case_book, read_steps
from riskmodel.cases.declaration import declared, load_procedure, state
from riskmodel.cases.judge import StepEntry
from riskmodel.cases.log import CaseLog, log_path, open_case_log
from riskmodel.cases.match import ListMatch, log_list, match_list
from riskmodel.cases.overview import OVERVIEW, Overview
from riskmodel.cases.record import Recorder, Recording, Refusal, close_period, refusal_rows
from riskmodel.cases.step_sheet import CellFault, entry_of, read_step_sheet, read_values
from riskmodel.cases.steps import unknown_words

__all__ = [
    "OVERVIEW",
    "CaseBook",
    "CaseLog",
    "CellFault",
    "ListMatch",
    "Overview",
    "Recorder",
    "Recording",
    "Refusal",
    "StepEntry",
    "close_period",
    "declared",
    "entry_of",
    "find_cases",
    "load_procedure",
    "log_list",
    "log_path",
    "match_list",
    "open_case_book",
    "open_case_log",
    "read_step_sheet",
    "read_steps",
    "read_values",
    "refusal_rows",
    "state",
    "unknown_words",
]
