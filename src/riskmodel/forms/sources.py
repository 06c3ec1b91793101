"""Where pages and rows of forms come from, by the names that declarations use."""

from __future__ import annotations

from collections.abc import Callable

from riskmodel.forms import first_use, households, procedure, reports, statistics, tables
from riskmodel.forms.declaration import Form
from riskmodel.forms.records import FormRecords, Record

Pages = Callable[[FormRecords, Record], list[Record]]
# Adding one is a function and its name here.
PAGES: dict[str, Pages] = {
    "to_visit": households.pages_to_visit,
    "to_enter": households.pages_to_enter,
    "plans": households.pages_of_plans,
    "eliminated": households.pages_eliminated,
    "lifted_or_watched": households.pages_of_registered,
    "appraisal": procedure.pages_of_appraisal,
    "publicity": procedure.pages_of_publicity,
    "result": procedure.pages_of_result,
    "reply": procedure.pages_of_reply,
    "clear_cards": procedure.pages_of_clear_cards,
    "month": reports.pages_of_month,
    "quarter": reports.pages_of_quarter,
    "first_use": first_use.pages_of_first_use,
}
ROWS: dict[str, Pages] = {
    "list": tables.rows_of_list,
    "warnings": tables.rows_of_warnings,
    "problems": tables.rows_of_problems,
    "township": procedure.rows_of_township,
    "county": procedure.rows_of_county,
    "elimination": procedure.rows_of_elimination,
    "progress": reports.rows_of_progress,
    "scale_risk": reports.rows_of_scale_risk,
    "stocks": statistics.rows_of_stocks,
    "visited": statistics.rows_of_visits,
    "lists": statistics.rows_of_lists,
    "causes": statistics.rows_of_causes,
    "bands": statistics.rows_of_bands,
    "measures": statistics.rows_of_measures,
}


def not_made(data: FormRecords, form: Form) -> str:
    """Return why a rule set's procedure has no such form, empty where it has."""
    state = form.params.get("state")
    if state and state not in data.book.procedure.states:
        return f"规则 {data.ruleset.id} 的程序没有这一步"
    return ""
