"""Where pages and rows of forms come from, by the names that declarations use."""

from __future__ import annotations

from collections.abc import Callable

from riskmodel.forms import households, statistics, tables
from riskmodel.forms.declaration import Form
from riskmodel.forms.records import FormRecords, Record

Pages = Callable[[FormRecords, Record], list[Record]]
# Adding one is a function and its name here.
PAGES: dict[str, Pages] = {
    "to_visit": households.pages_to_visit,
    "to_enter": households.pages_to_enter,
    "plans": households.pages_of_plans,
    "eliminated": households.pages_eliminated,
}
ROWS: dict[str, Pages] = {
    "list": tables.rows_of_list,
    "warnings": tables.rows_of_warnings,
    "problems": tables.rows_of_problems,
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
