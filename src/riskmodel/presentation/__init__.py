"""Everything that people read: pages, workbooks, charts, tables, in Chinese and English."""

from __future__ import annotations

from riskmodel.presentation.case_sheets import case_table, write_case_sheets
from riskmodel.presentation.chart import Axis, Chart, Interval, Plot, intervals, use_chinese
from riskmodel.presentation.forecast_page import (
    ForecastInput,
    forecast_chapter,
    forecast_input,
    read_forecast,
    write_forecast,
)
from riskmodel.presentation.list_duties import plan_words
from riskmodel.presentation.list_summary import list_headlines
from riskmodel.presentation.model_pages import write_model_card, write_monitor
from riskmodel.presentation.office_page import OFFICE_PAGE, write_office_page
from riskmodel.presentation.page import (
    Bullets,
    Charts,
    Facts,
    Heading,
    Html,
    Link,
    Links,
    Numbers,
    PageSection,
    Paragraph,
    page_html,
    section_html,
    templates,
)
from riskmodel.presentation.paper import write_paper, write_run_paper
from riskmodel.presentation.register_tables import write_register
from riskmodel.presentation.report import (
    REPORT_SECTIONS,
    ReportSection,
    report_html,
    report_section,
    write_report,
)
from riskmodel.presentation.report_input import ReportInput, histories, read_run, weighted_yield, yields
from riskmodel.presentation.report_parts import line_style
from riskmodel.presentation.rules_page import with_rules, write_rules_page
from riskmodel.presentation.table import Cell, Column, Row, Table, Words
from riskmodel.presentation.township_books import record_list, write_township_books
from riskmodel.presentation.visit_sheets import print_pdf, write_visit_sheets
from riskmodel.presentation.workbook import open_workbook
from riskmodel.presentation.worklist import list_columns, rows_in_words, write_worklist

__all__ = [
    "OFFICE_PAGE",
    "REPORT_SECTIONS",
    "Axis",
    "Bullets",
    "Cell",
    "Chart",
    "Charts",
    "Column",
    "Facts",
    "ForecastInput",
    "Heading",
    "Html",
    "Interval",
    "Link",
    "Links",
    "Numbers",
    "PageSection",
    "Paragraph",
    "Plot",
    "ReportInput",
    "ReportSection",
    "Row",
    "Table",
    "Words",
    "case_table",
    "forecast_chapter",
    "forecast_input",
    "histories",
    "intervals",
    "line_style",
    "list_columns",
    "list_headlines",
    "open_workbook",
    "page_html",
    "plan_words",
    "print_pdf",
    "read_forecast",
    "read_run",
    "record_list",
    "report_html",
    "report_section",
    "rows_in_words",
    "section_html",
    "templates",
    "use_chinese",
    "weighted_yield",
    "with_rules",
    "write_case_sheets",
    "write_forecast",
    "write_model_card",
    "write_monitor",
    "write_office_page",
    "write_paper",
    "write_register",
    "write_report",
    "write_rules_page",
    "write_run_paper",
    "write_township_books",
    "write_visit_sheets",
    "write_worklist",
    "yields",
]
