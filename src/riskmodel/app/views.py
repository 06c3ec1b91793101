"""The views of the page, one a tab: each draws what the desk knows and hands clicks to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nicegui import events, ui

from riskmodel.app.case_table import CaseRecords, case_table, step_table, waiting_counts
from riskmodel.app.desk import CHECK_FOLDER, Desk, OfficeFile
from riskmodel.app.frame import Frame, rule_fields
from riskmodel.app.tables import KEY, GridTable
from riskmodel.i18n import join
from riskmodel.scoring import Choice, Conflict, Finding, finding_words


def data_view(frame: Frame) -> None:
    """Choose the folder; what the check found, and its problem list."""
    desk = frame.desk
    with ui.row().classes("w-full items-end no-wrap"):
        path = (
            ui.input(frame.words("data.folder"), value=str(desk.data or ""))
            .classes("grow")
            .mark("folder")
            .classes("rm-folder")
        )
        ui.button(frame.words("data.browse"), on_click=lambda: _pick_folder(frame, path)).props("outline")
        ui.button(
            frame.words("data.choose" if desk.checked is None else "data.again"),
            on_click=lambda: frame.attempt(desk.choose, path.value),
        ).mark("choose").classes("rm-choose")
    if desk.checked is None:
        ui.label(frame.words("data.not_checked" if desk.data else "no_county")).classes("text-grey-8")
        return
    through = str(desk.checked.get("data_through") or "")[:10]
    said = frame.words("data.usable", day=through) if desk.usable else frame.words("data.refused")
    ui.label(said).classes(f"text-subtitle1 text-{'positive' if desk.usable else 'negative'}").mark(
        "usable"
    ).classes("rm-usable")
    for sentence in desk.findings():
        ui.label(f"• {desk.say(sentence)}").classes("wrap")
    _links(frame, CHECK_FOLDER, desk.files(dt.date.min, of_check=True))
    if (tables := desk.checked_tables()).rows:
        ui.label(frame.words("data.tables")).classes("text-subtitle2")
        frame.grid(tables, height=f"{min(20, 6 + 2.7 * len(tables.rows))}rem", pagination=False)
    problems = desk.problems()
    if problems.rows:
        ui.label(frame.words("data.problems", n=len(problems.rows))).classes("text-subtitle2").mark(
            "problems"
        )
        frame.grid(problems)
    else:
        ui.label(frame.words("data.no_problems")).mark("problems").classes("rm-problems")


def _pick_folder(frame: Frame, path: Any) -> None:
    """Walk through folders of this computer until one is taken."""
    with ui.dialog(value=True) as dialog, ui.card().style("min-width:36rem"):
        ui.label(frame.words("data.picker")).classes("text-h6")
        start = Path(path.value) if path.value and Path(path.value).is_dir() else Path.cwd()
        at = {"folder": start}

        @ui.refreshable
        def listing() -> None:
            ui.label(str(at["folder"])).classes("text-weight-medium")
            with ui.row():
                for place in Desk.drives():
                    ui.button(str(place), on_click=lambda place=place: go(place)).props("dense flat no-caps")
            with ui.scroll_area().style("height:20rem"), ui.list().props("dense separator").classes("w-full"):
                ui.item(f"⬆ {frame.words('data.up')}", on_click=lambda: go(at["folder"].parent))
                for entry in Desk.folders(at["folder"]):
                    name = frame.words("data.entry", name=entry.path.name, tables=entry.tables)
                    ui.item(f"📁 {name}", on_click=lambda entry=entry: go(entry.path))

        def go(folder: Path) -> None:
            at["folder"] = folder
            listing.refresh()

        def take() -> None:
            path.value = str(at["folder"])
            dialog.close()

        listing()
        with ui.row().classes("w-full justify-end"):
            ui.button(frame.words("data.cancel"), on_click=dialog.close).props("flat")
            ui.button(frame.words("data.take"), on_click=take).mark("take-folder").classes("rm-take-folder")


def month_view(frame: Frame) -> None:
    """Choose month and visits, make the list, see what was made."""
    desk = frame.desk
    if not desk.usable:
        ui.label(frame.words("month.first")).classes("text-grey-8")
    elif not desk.signed:
        _first_use(frame)
    elif desk.model is None:
        ui.label(frame.words("month.no_model")).mark("no-model").classes("rm-no-model")
        ui.button(frame.words("month.train"), on_click=lambda: frame.attempt(desk.train)).mark(
            "train"
        ).classes("rm-train")
    else:
        _make_month(frame)
    made = desk.made_days()
    if desk.day in made:
        _month_summary(frame, desk.day)
    if made:
        ui.label(frame.words("month.made")).classes("text-subtitle2 q-mt-md")
    for day in reversed(made):
        counts = desk.summary(day)["worklist"]
        with ui.row().classes("items-center"):
            planned, listed = int(counts.get("planned", 0)), int(counts.get("listed", 0))
            ui.label(frame.words("month.row", day=day, planned=planned, listed=listed))
            ui.button(frame.words("month.open"), on_click=lambda day=day: _open(frame, day)).props(
                "dense flat"
            )


def _first_use(frame: Frame) -> None:
    """Ask, once, who signed the page of first use."""
    desk = frame.desk
    ui.label(frame.words("sign.title")).classes("text-weight-medium wrap").mark("first-use")
    ui.label(frame.words("sign.how")).classes("text-caption")
    with ui.row().classes("items-end"):
        by = ui.input(frame.words("sign.by")).classes("w-64 rm-signed-by").mark("signed-by")
        on = ui.input(frame.words("sign.on"), value=dt.date.today().isoformat())
        document = ui.input(frame.words("sign.document")).classes("rm-document").mark("document")
        save = ui.button(
            frame.words("sign.save"),
            on_click=lambda: frame.attempt(desk.sign, by.value or "", on.value or "", document.value or ""),
        )
        save.mark("sign").classes("rm-sign")


def _make_month(frame: Frame) -> None:
    desk = frame.desk
    days = desk.days()
    chosen = desk.day if desk.day in days else days[0]
    names: dict[str, Path] = {}

    async def keep_names(event: events.UploadEventArguments) -> None:
        names["file"] = desk.add_upload(event.file.name, await event.file.read())

    ui.label(frame.words("month.model", model=desk.model)).classes("text-grey-8")
    with ui.row().classes("items-end"):
        options = {day.isoformat(): day.isoformat() for day in days}
        day = (
            ui.select(options, label=frame.words("month.day"), value=chosen.isoformat())
            .classes("w-56")
            .mark("day")
            .classes("rm-day")
        )
        visits = ui.number(
            frame.words("month.visits"), value=desk.visits_proposed(chosen), min=1, precision=0
        )
        visits.classes("w-56").mark("visits").classes("rm-visits")

        def propose() -> None:
            visits.value = desk.visits_proposed(dt.date.fromisoformat(day.value))
            propose_rules(dt.date.fromisoformat(day.value))

        def make() -> None:
            asked = dt.date.fromisoformat(day.value)
            frame.attempt(desk.make_month, asked, int(visits.value or 0), names.get("file"), rules_said())

        day.on_value_change(propose)
        ui.button(frame.words("month.make"), on_click=make).mark("make").classes("rm-make")
    with ui.expansion(frame.words("month.names")).classes("w-full"):
        ui.upload(on_upload=keep_names, auto_upload=True).props("accept=.csv,.xlsx").classes("w-full")
    rules_said, propose_rules = rule_fields(frame, chosen)


def _month_summary(frame: Frame, day: dt.date) -> None:
    desk = frame.desk
    steps = desk.summary(day)
    counts = {"households": steps["score"].get("households"), "flagged": steps["score"].get("flagged")}
    counts |= {name: steps["worklist"].get(name) for name in ("listed", "planned", "unknown")}
    with ui.row().mark("summary").classes("rm-summary"):
        for name, count in counts.items():
            if count is not None:
                with ui.card().classes("q-pa-sm items-center"):
                    ui.label(f"{int(count):,}").classes("text-h5")
                    ui.label(frame.words(f"month.{name}")).classes("text-caption")


def _open(frame: Frame, day: dt.date) -> None:
    frame.desk.day = day
    frame.refresh()
    frame.tabs.set_value("households")


def households_view(frame: Frame) -> None:
    """Filter and look at households."""
    desk = frame.desk
    day = desk.day
    if day is None or day not in desk.made_days():
        ui.label(frame.words("households.none")).classes("text-grey-8")
        return
    table = frame.attempt(desk.households, day)
    if table is not None:
        _household_grid(frame, day, table)


def _household_grid(frame: Frame, day: dt.date, table: GridTable) -> None:
    everything = frame.words("households.all")
    yes = frame.desk.yes

    def choices(column: str, **where: str | None) -> list[str]:
        return [everything, *table.values(column, **where)]

    def asked(box: Any) -> str | None:
        return None if box.value in (None, everything) else str(box.value)

    with ui.row().classes("w-full items-end"):
        ui.label(f"{frame.words('households.month')} {day}").classes("text-weight-medium")
        township = ui.select(choices("township"), value=everything, label=frame.words("households.township"))
        village = ui.select(choices("village"), value=everything, label=frame.words("households.village"))
        township.classes("w-40").mark("township").classes("rm-township")
        village.classes("w-48").mark("village").classes("rm-village")
        planned = (
            ui.switch(frame.words("households.planned"), value=True).mark("planned").classes("rm-planned")
        )
        search = ui.input(frame.words("households.search")).props("clearable debounce=300").classes("w-64")
        search.mark("search").classes("rm-search")
        count = ui.label().mark("count").classes("rm-count")
    ui.label(frame.words("households.hint")).classes("text-caption text-grey-8")
    grid = frame.grid(
        GridTable(table.columns, []),
        height="30rem",
        rowSelection={"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
    )
    grid.options["columnDefs"] = [
        {**c, "pinned": "left"} if c["field"] == KEY else c for c in grid.options["columnDefs"]
    ]
    grid.mark("households").classes("rm-households")

    def fill() -> None:
        where = {"township": asked(township), "village": asked(village)}
        rows = table.filtered(search.value or "", **where, planned=yes if planned.value else None)
        grid.options["rowData"] = rows
        grid.update()
        count.set_text(frame.words("households.shown", shown=f"{len(rows):,}", all=len(table.rows)))

    def of_township() -> None:
        village.set_options(choices("village", township=asked(township)), value=everything)
        fill()

    township.on_value_change(of_township)
    for box in (village, planned, search):
        box.on_value_change(fill)
    grid.on("cellClicked", lambda event: _card(frame, table, event.args["data"][KEY]), args=["data"])
    ui.label(frame.words("households.no_score")).classes("text-caption text-grey-8")
    fill()


def _card(frame: Frame, table: GridTable, household: str) -> None:
    """Show all that the list says of a household."""
    row = table.row(household)
    if row is None:
        return
    with (
        ui.dialog(value=True) as dialog,
        ui.card().style("min-width:44rem;max-width:60rem").mark("card").classes("rm-card"),
    ):
        ui.label(household).classes("text-h6")
        with ui.grid(columns="10rem 1fr").classes("w-full gap-1"):
            for column in table.columns:
                if column.id != KEY and row.get(column.id) not in (None, ""):
                    ui.label(column.name).classes("text-grey-8")
                    ui.label(_shown(row[column.id], column.kind)).classes("wrap")
        ui.button(frame.words("households.close"), on_click=dialog.close).props("flat").classes("self-end")


def _shown(value: Any, kind: str) -> str:
    if kind in ("yuan", "integer") and isinstance(value, int | float):
        return f"{value:,.0f}"
    return f"{value:.1%}" if kind == "percent" else str(value)


def files_view(frame: Frame) -> None:
    """Download list, sheets, report and ledger of the open month."""
    desk = frame.desk
    if desk.day is None or desk.day not in desk.made_days():
        ui.label(frame.words("files.none")).classes("text-grey-8")
        return
    ui.label(f"{frame.words('households.month')} {desk.day}").classes("text-subtitle1")
    _links(frame, desk.day.isoformat(), desk.files(desk.day))
    folder = desk.folder(desk.day)
    ui.label(frame.words("files.folder", folder=folder)).classes("text-caption text-grey-8")
    if (named := folder.with_name(f"{folder.name}-with-names")).is_dir():
        ui.label(frame.words("files.named", folder=named)).classes("text-caption text-grey-8")
    _forms(frame, desk.day)


def _forms(frame: Frame, day: dt.date) -> None:
    """Fill and download the forms of the documents."""
    desk = frame.desk
    ui.separator()
    with ui.row().classes("items-center"):
        ui.label(frame.words("files.forms"))
        if desk.data is not None:
            ui.button(frame.words("files.fill"), on_click=lambda: frame.attempt(desk.fill_forms, day)).mark(
                "fill-forms"
            ).classes("rm-fill-forms")
    for one in desk.filled:
        if one["skipped"]:
            said = frame.words("files.skipped", form=one["zh"], why=one["skipped"])
            ui.label(said).classes("text-caption text-grey-8")
    with ui.element("div").style("columns:2;width:100%").mark("forms").classes("rm-forms"):
        for name in desk.forms(day):
            address = f"/files/{desk.forms_folder(day).name}/{quote(name)}"
            ui.link(name, address, new_tab=False).classes("block")


def _links(frame: Frame, folder: str, files: list[OfficeFile]) -> None:
    with ui.list().props("dense"):
        for file in files:
            with ui.row().classes("items-center gap-2"):
                ui.icon("print" if file.opens else "download")
                address = f"/files/{folder}/{file.name}"
                ui.link(frame.words(f"files.{file.key}"), address, new_tab=file.opens).classes(
                    f"rm-file-{file.key}"
                )


def returned_view(frame: Frame) -> None:
    """Take filled workbooks of the townships in; what has to be mended, cell by cell."""
    desk = frame.desk

    async def keep(event: events.MultiUploadEventArguments) -> None:
        for file in event.files:
            desk.add_upload(file.name, await file.read())
        waiting.refresh()

    ui.upload(
        label=frame.words("returned.drop"), multiple=True, auto_upload=True, on_multi_upload=keep
    ).props("accept=.xlsx,.csv").classes("w-full").mark("drop").classes("rm-drop")

    def clear() -> None:
        desk.drop_uploads()
        waiting.refresh()

    @ui.refreshable
    def waiting() -> None:
        if not (files := desk.uploads()):
            return
        ui.label(frame.words("returned.waiting", names=join(p.name for p in files)[frame.desk.lang])).mark(
            "waiting"
        ).classes("rm-waiting")
        with ui.row().classes("items-end"):
            on = ui.input(frame.words("returned.recorded_on"), value=dt.date.today().isoformat())
            ui.button(
                frame.words("returned.take"), on_click=lambda: frame.attempt(desk.take_lists, on.value)
            ).mark("take").classes("rm-take")
            ui.button(frame.words("returned.clear"), on_click=clear).props("flat")

    waiting()
    for taken in desk.taken:
        if taken.result is None:
            ui.label(frame.words("returned.refused", name=taken.name, why=desk.say(taken.error))).classes(
                "text-negative wrap"
            ).mark("taken").classes("rm-taken")
            continue
        r = taken.result
        numbers = {"added": len(r.added), "already": r.already, "empty": r.empty}
        numbers |= {"problems": len(r.problems), "conflicts": len(r.conflicts)}
        ui.label(frame.words("returned.added", name=taken.name, **numbers)).mark("taken").classes("rm-taken")
    _conflicts(frame)
    if (faults := desk.faults()).rows:
        ui.label(frame.words("returned.problems")).classes("text-subtitle2")
        frame.grid(faults, height="16rem").mark("faults").classes("rm-faults")


def _conflicts(frame: Frame) -> None:
    """Show both findings of each contradiction; a person chooses."""
    desk, lang = frame.desk, frame.desk.lang
    found = desk.open_conflicts()
    if not found:
        return
    ui.label(frame.words("returned.conflicts", n=len(found))).classes("text-subtitle2")
    with ui.row():
        by = ui.input(frame.words("returned.by")).mark("settled-by").classes("rm-settled-by")
        ground = ui.input(frame.words("returned.ground")).classes("w-96")
    for file, conflict in found:
        with ui.card().classes("w-full q-pa-sm"):
            place = {"file": file, "cell": conflict.cell, "household": conflict.household_id}
            ui.label(frame.words("returned.conflict", **place, day=conflict.date)).classes(
                "text-weight-medium"
            )
            if conflict.about == "superseded":
                ui.label(frame.words("returned.superseded")).classes("text-caption")
            sides: tuple[tuple[str, str, Choice, Sequence[Finding]], ...] = (
                ("on_list", "take_list", "written", [conflict.written]),
                ("in_data", "keep_data", "recorded", conflict.recorded),
            )
            for said, verb, choice, findings in sides:
                with ui.row().classes("items-center"):
                    ui.label(frame.words(f"returned.{said}", finding=finding_words(findings)[lang])).classes(
                        "w-96"
                    )

                    def choose(conflict: Conflict = conflict, choice: Choice = choice) -> None:
                        frame.attempt(
                            desk.settle_conflict, conflict, choice, by.value or "", ground.value or ""
                        )

                    button = ui.button(frame.words(f"returned.{verb}"), on_click=choose).props(
                        "dense outline"
                    )
                    button.mark(verb).classes(f"rm-{verb}")


def cases_view(frame: Frame) -> None:
    """Show what waits, for whom, until when, and the steps of a case; there is no score here."""
    desk = frame.desk
    if desk.data is None:
        ui.label(frame.words("no_county")).classes("text-grey-8")
        return
    with ui.row().classes("items-end"):
        shown = desk.cases.day if desk.cases else desk.newest_day.isoformat()
        day = ui.input(frame.words("cases.day"), value=shown).classes("w-40").mark("cases-day")
        ui.button(frame.words("cases.find"), on_click=lambda: frame.attempt(desk.find_cases, day.value)).mark(
            "find-cases"
        ).classes("rm-find-cases")
    ui.label(frame.words("cases.no_score")).classes("text-caption text-grey-8")
    if desk.cases is not None:
        _case_grid(frame, desk.cases)


def _case_grid(frame: Frame, records: CaseRecords) -> None:
    lang = frame.desk.lang
    table = case_table(records, lang)
    everything = frame.words("households.all")
    with ui.row():
        for role, number, overdue in waiting_counts(records, lang):
            ui.badge(frame.words("cases.waiting", role=role, n=number, late=overdue)).classes("text-body2")
    with ui.row().classes("w-full items-end"):
        boxes = {
            column: ui.select([everything, *table.values(column)], value=everything, label=frame.words(label))
            for column, label in (
                ("waiting_for", "cases.waits_for"),
                ("kind", "cases.kind"),
                ("township", "households.township"),
            )
        }
        for column, box in boxes.items():
            box.classes("w-40").mark(f"cases-{column}")
        late = ui.switch(frame.words("cases.late"))
        only_open = (
            ui.switch(frame.words("cases.open"), value=True).mark("cases-open").classes("rm-cases-open")
        )
        count = ui.label().mark("cases-count").classes("rm-cases-count")
    ui.label(frame.words("cases.hint", ruleset=records.ruleset)).classes("text-caption text-grey-8")
    grid = frame.grid(GridTable(table.columns, []), height="26rem").mark("cases").classes("rm-cases")

    def fill() -> None:
        where = {c: None if box.value == everything else str(box.value) for c, box in boxes.items()}
        rows = table.filtered("", **where)
        rows = [r for r in rows if (r["late"] or not late.value) and not (r["closed"] and only_open.value)]
        grid.options["rowData"] = rows
        grid.update()
        count.set_text(frame.words("cases.shown", shown=len(rows), all=len(table.rows)))

    def steps(event: Any) -> None:
        case = event.args["data"]
        with (
            ui.dialog(value=True) as dialog,
            ui.card().style("min-width:60rem").mark("steps").classes("rm-steps"),
        ):
            ui.label(f"{case['household_id']} {case['kind']}").classes("text-h6")
            frame.grid(step_table(records, case["case_id"], lang), height="20rem", pagination=False)
            ui.button(frame.words("households.close"), on_click=dialog.close).props("flat").classes(
                "self-end"
            )

    for switch in (late, only_open):
        switch.on_value_change(fill)
    for box in boxes.values():
        box.on_value_change(fill)
    grid.on("cellClicked", steps, args=["data"])
    fill()


VIEWS = {
    "data": data_view,
    "month": month_view,
    "households": households_view,
    "files": files_view,
    "returned": returned_view,
    "cases": cases_view,
}
