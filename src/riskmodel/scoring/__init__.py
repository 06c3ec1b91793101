"""Scores, the worklist, returned visits and monitoring."""

from riskmodel.scoring.answers import OWN, RECOMPUTED, SILENT, answer_of
from riskmodel.scoring.duties import CARD_RULESET, duty_rules
from riskmodel.scoring.filled_list import FilledList, read_filled_list
from riskmodel.scoring.list_log import LIST_PROPERTIES, ListLog, list_log, write_list_log
from riskmodel.scoring.monitoring import MonitoringResult, compare_outcomes, measure_drift, monitor
from riskmodel.scoring.office_files import (
    NAME_COLUMNS,
    join_names,
    names_by_current_number,
    names_met,
    pseudonymise_names,
    read_names,
)
from riskmodel.scoring.scores import (
    RECORD_COLUMNS,
    SCORE_COLUMNS,
    explain,
    log_scores,
    score,
    score_counterfactuals,
    score_in_languages,
    scoring_warnings,
)
from riskmodel.scoring.visit_conflicts import SETTLED_FILE, Choice, Settled, settle_conflicts
from riskmodel.scoring.visit_faults import Conflict, Finding, finding_words
from riskmodel.scoring.visit_import import VisitImport, import_visits, visit_progress
from riskmodel.scoring.visit_plan import BeyondForecast, parse_quotas, selection_probabilities
from riskmodel.scoring.worklist import (
    BEYOND,
    ENTRY_KINDS,
    QUOTA_FLOOR,
    Column,
    Worklist,
    build_worklist,
    code_words,
    declared_columns,
)

__all__ = [
    "BEYOND",
    "CARD_RULESET",
    "ENTRY_KINDS",
    "LIST_PROPERTIES",
    "NAME_COLUMNS",
    "OWN",
    "QUOTA_FLOOR",
    "RECOMPUTED",
    "RECORD_COLUMNS",
    "SCORE_COLUMNS",
    "SETTLED_FILE",
    "SILENT",
    "BeyondForecast",
    "Choice",
    "Column",
    "Conflict",
    "FilledList",
    "Finding",
    "ListLog",
    "MonitoringResult",
    "Settled",
    "VisitImport",
    "Worklist",
    "answer_of",
    "build_worklist",
    "code_words",
    "compare_outcomes",
    "declared_columns",
    "duty_rules",
    "explain",
    "finding_words",
    "import_visits",
    "join_names",
    "list_log",
    "log_scores",
    "measure_drift",
    "monitor",
    "names_by_current_number",
    "names_met",
    "parse_quotas",
    "pseudonymise_names",
    "read_filled_list",
    "read_names",
    "score",
    "score_counterfactuals",
    "score_in_languages",
    "scoring_warnings",
    "selection_probabilities",
    "settle_conflicts",
    "visit_progress",
    "write_list_log",
]
