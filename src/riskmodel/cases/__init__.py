"""A household's case from clue to look-back: states, moves, clocks, the log, who waits for whom."""

from riskmodel.cases.cases import CaseBook, find_cases, open_case_book, read_steps
from riskmodel.cases.declaration import declared, load_procedure, state
from riskmodel.cases.judge import StepEntry
from riskmodel.cases.log import CaseLog, log_path, open_case_log
from riskmodel.cases.record import Recorder, Recording, Refusal

__all__ = [
    "CaseBook",
    "CaseLog",
    "Recorder",
    "Recording",
    "Refusal",
    "StepEntry",
    "declared",
    "find_cases",
    "load_procedure",
    "log_path",
    "open_case_book",
    "open_case_log",
    "read_steps",
    "state",
]
