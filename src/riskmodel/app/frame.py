"""The page's frame: head, progress of what runs, tabs; what all views share. Loaded with NiceGUI only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from riskmodel.app.desk import Desk
from riskmodel.app.jobs import Job
from riskmodel.app.tables import GridColumn, GridTable
from riskmodel.errors import RiskmodelError
from riskmodel.i18n import section
from riskmodel.month import OF_MODEL, STEPS, RulesSaid
from riskmodel.rule_files import describe_rule_sets

POLL_SECONDS = 0.4
_CHARACTER = 9  # pixels of a character's width in a grid
_FORMATS = {
    "yuan": "value == null ? '' : Math.round(value).toLocaleString('en-US')",
    "percent": "value == null ? '' : (100 * value).toFixed(1) + '%'",
}
_NUMBERS = ("integer", "yuan", "percent", "chance")


class Frame:
    """One opened page: the desk behind it, its tabs, and the parts that are drawn anew.

    Parameters
    ----------
    desk
        What all pages of this program share.
    shut_down
        Ends the program.
    """

    def __init__(self, desk: Desk, shut_down: Callable[[], None]) -> None:
        self.desk = desk
        self.shut_down = shut_down
        self.parts: list[Callable[[], Any]] = []
        self.tabs: Any = None
        self.refresh_job: Callable[[], Any] = lambda: None
        self._seen: tuple[Any, ...] = ()

    def words(self, key: str, /, **values: Any) -> str:
        """Return a phrase of the page."""
        return self.desk.words(key, **values)

    def attempt(self, action: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Do what a click asks; an error raised on purpose is shown as its sentence."""
        try:
            return action(*given, **named)
        except RiskmodelError as exc:
            ui.notify(self.desk.say(str(exc)), type="negative", multi_line=True, timeout=0, close_button="✕")
            return None
        finally:
            self.refresh_job()

    def draw(self, views: Mapping[str, Callable[[Frame], None]]) -> None:
        """Draw the whole page: a tab a view."""
        ui.add_css(
            ".nicegui-content{padding:0.75rem 1rem} .wrap{white-space:pre-line} "
            "body{font-family:'Microsoft YaHei','PingFang SC','Noto Sans CJK SC',sans-serif}"
        )
        self._head()
        self._job_bar()
        with ui.tabs().classes("w-full").props("align=left dense no-caps") as self.tabs:
            for name in views:
                ui.tab(name, label=self.words(f"tabs.{name}")).mark(f"tab-{name}").classes(f"rm-tab-{name}")
        start = "data" if self.desk.day is None or self.desk.data is None else "month"
        with ui.tab_panels(self.tabs, value=start, animated=False).classes("w-full").props("keep-alive"):
            for name, view in views.items():
                with ui.tab_panel(name):
                    self._part(view)
        ui.timer(POLL_SECONDS, self._poll)

    def _part(self, view: Callable[[Frame], None]) -> None:
        @ui.refreshable
        def part() -> None:
            view(self)

        part()
        self.parts.append(part.refresh)

    def refresh(self) -> None:
        """Draw every view anew."""
        for part in self.parts:
            part()

    def _head(self) -> None:
        with ui.header().classes("items-center q-py-xs bg-blue-grey-8"):
            ui.label(self.words("title")).classes("text-h6")
            ui.space()
            ui.label(self.words("offline")).classes("text-caption")
            ui.button(self.words("language"), on_click=self._switch_language).props("flat color=white").mark(
                "language"
            )
            ui.button(self.words("stop"), on_click=self._stop).props("flat color=white").mark("stop").classes(
                "rm-stop"
            )

    def _switch_language(self) -> None:
        self.desk.lang = "en" if self.desk.lang == "zh" else "zh"
        ui.navigate.to("/")

    def _stop(self) -> None:
        with ui.dialog(value=True).props("persistent"), ui.card():
            ui.label(self.words("stopped")).mark("stopped").classes("rm-stopped")
        self.shut_down()

    # --- what runs

    def _job_bar(self) -> None:
        @ui.refreshable
        def bar() -> None:
            if self.desk.job is not None:
                self._job(self.desk.job)

        bar()
        self.refresh_job = bar.refresh

    def _job(self, job: Job) -> None:
        with ui.card().classes("w-full q-pa-sm").mark("job").classes("rm-job"):
            if job.running:
                with ui.row().classes("w-full items-center no-wrap"):
                    ui.spinner(size="1.2em")
                    ui.label(self.words(f"running.{job.kind}")).classes("text-weight-medium")
                    ui.label(self._where(job))
                    ui.space()
                    ui.button(
                        self.words("job.cancel"), on_click=lambda: self.attempt(self.desk.cancel)
                    ).props("dense outline").mark("cancel").classes("rm-cancel")
                ui.linear_progress(value=round(job.share, 2), show_value=False).props(
                    "indeterminate" if not job.steps else ""
                ).mark("progress").classes("rm-progress")
                return
            colour = {"done": "positive", "cancelled": "warning"}.get(job.state, "negative")
            with ui.row().classes("w-full items-center"):
                said = self.words(f"job.{job.state}", what=self.words(f"jobs.{job.kind}"))
                badge = ui.badge(said, color=colour).classes("text-body2")
                badge.mark(f"job-{job.state}").classes(f"rm-job-{job.state}")
                if job.error:
                    ui.label(self.desk.say(job.error)).classes("wrap").mark("job-error").classes(
                        "rm-job-error"
                    )
            for line in [line for line in job.lines if line.startswith(("warning", "note"))][-5:]:
                ui.label(self.desk.say(line)).classes("text-caption")

    def _where(self, job: Job) -> str:
        if not job.steps:
            return self.desk.say(job.lines[-1]) if job.lines else ""
        what = job.lines[-1].partition(" ")[2] if job.lines else ""
        if job.kind == "month" and job.step <= len(STEPS):
            what = self.words(f"steps.{list(STEPS)[job.step - 1]}")
        return self.words("job.step", step=job.step, steps=job.steps, what=what)

    def _poll(self) -> None:
        """Look at what runs; draw only what has changed."""
        job = self.desk.job
        settled = self.desk.settle()
        seen = (id(job), job.state, len(job.lines), self.desk.revision) if job else (self.desk.revision,)
        if settled or seen != self._seen:
            changed = settled or (self._seen and self._seen[-1] != seen[-1])
            self._seen = seen
            self.refresh_job()
            if changed:
                self.refresh()

    # --- tables

    def grid(self, table: GridTable, height: str = "24rem", **more: Any) -> Any:
        """Draw a table: sorted and filtered by its headings, words in the page's language."""
        options: dict[str, Any] = {
            "columnDefs": [_column(column) for column in table.columns],
            "rowData": table.rows,
            "defaultColDef": {
                "sortable": True,
                "resizable": True,
                "filter": True,
                "suppressHeaderMenuButton": False,
            },
            "localeText": dict(section("local_page.grid", self.desk.lang)),
            "pagination": True,
            "paginationPageSize": 100,
            "paginationPageSizeSelector": [50, 100, 500],
            "suppressFieldDotNotation": True,
            "enableCellTextSelection": True,
            **more,
        }
        grid = ui.aggrid(options, auto_size_columns=False).classes("w-full").style(f"height:{height}")
        return grid


def _column(column: GridColumn) -> dict[str, Any]:
    out: dict[str, Any] = {
        "field": column.id,
        "headerName": column.name,
        "width": max(70, (column.width + 3) * _CHARACTER),
        "filter": "agNumberColumnFilter" if column.kind in _NUMBERS else "agTextColumnFilter",
    }
    if column.kind in _FORMATS:
        out[":valueFormatter"] = (
            f"params => {{ const value = params.value; return {_FORMATS[column.kind]}; }}"
        )
    if column.kind in _NUMBERS:
        out["type"] = "rightAligned"
    if column.kind == "wrap":
        out |= {"width": 420, "tooltipField": column.id}
    return out


def rule_fields(frame: Frame, day: dt.date) -> tuple[Callable[[], RulesSaid], Callable[[dt.date], None]]:
    """Draw the fields of rule set, line and parameters; return what reads them, and what fills them in."""
    named = {row["id"]: row[f"name_{frame.desk.lang}"] for row in describe_rule_sets()}
    sets = {OF_MODEL: frame.words("month.of_model"), **named}
    with ui.expansion(frame.words("month.rules")).classes("w-full").mark("rules"):
        ui.label(frame.words("month.rules_how")).classes("text-caption text-grey-8 wrap")
        ruleset = ui.select(sets, label=frame.words("month.ruleset")).classes("w-96").mark("ruleset")
        line = ui.input(frame.words("month.line")).classes("w-96 rm-line").mark("line")
        params = ui.input(frame.words("month.params")).classes("w-96").mark("params")

    def propose(of: dt.date) -> None:
        said = frame.desk.rules_proposed(of)
        if said.ruleset not in sets:  # of a file: it is kept, and can be exchanged for one of these
            sets[said.ruleset] = said.ruleset
        ruleset.set_options(sets, value=said.ruleset)
        line.value, params.value = said.line, said.params

    propose(day)
    return lambda: RulesSaid(str(ruleset.value), line.value or "", params.value or ""), propose
