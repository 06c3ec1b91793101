"""Rows of sheets: the eight initial lists, warnings to be answered by department, problems of the records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pandas as pd

from riskmodel.cases import declared
from riskmodel.forms.records import (
    FormRecords,
    Record,
    cause_words,
    day_text,
    gaps,
    listed,
    phrase,
    standing,
    word,
)
from riskmodel.i18n import text
from riskmodel.io import records
from riskmodel.register import UNKNOWN as NO_CATEGORY
from riskmodel.register import category_name

PROPOSED = 5  # phase of a case from which it stands on a list
INCOME_ACTION, FURTHER_SUPPORT, NATURAL = 6, 7, 8


def list_members(data: FormRecords) -> dict[int, list[Record]]:
    """Return the eight initial lists (附件2-2): cases proposed and not yet decided, and what the rules add.

    List 6 is of those whose income calls for an action, 7 of those under watch whose elimination nobody
    proposes, 8 of members who came or went in the month. Of whom nobody is present, list 8 holds those whose
    every leaving is recorded with its reason; the others are problems to be cleared up, and no natural
    change yet. No list depends on a score.
    """
    lists: dict[int, list[Record]] = {number: [] for number in range(1, 9)}
    states = declared().states
    for case in records(data.cases):
        state = states[case["state"]]
        open_ = not case["closed"] and not state.refusal and PROPOSED <= state.phase < 11
        if (
            open_
            and case["list"] is not None
            and case["list"] == case["list"]
            and case["household_id"] in data.homes
        ):
            lists[int(case["list"])].append(case_row(data, case))
    leaving = {row["household_id"] for row in lists[5]} | {row["household_id"] for row in lists[4]}
    for household, home in data.homes.items():
        conditions = str(home["conditions"] or "").split(";")
        if home["income_plan"] is True or "income_action" in conditions:
            lists[INCOME_ACTION].append(_home_row(data, household))
        if home["in_register"] and household not in leaving:
            lists[FURTHER_SUPPORT].append(_home_row(data, household))
    lists[NATURAL] += [
        row for row in natural_changes(data, *data.month)
        if (home := data.homes[row["household_id"]])["in_register"] or home["registration"] == "lifted"
    ]  # fmt: skip
    lists[NATURAL] = [row for row in lists[NATURAL] if row["household_id"] not in data.unclear]
    place = {h: i for i, h in enumerate(data.homes)}
    for rows in lists.values():
        rows.sort(key=lambda row: place[row["household_id"]])
        for i, row in enumerate(rows, 1):
            row["number"] = i
    return lists


def _home_row(data: FormRecords, household: str) -> Record:
    home = data.homes[household]
    words = [word("support", "measure", s["measure"]) for s in data.of("support", household)]
    category = home["register_category"] if home["in_register"] else home["rule_category"]
    named = (
        category_name(category, "zh") if isinstance(category, str) and category not in ("none", "") else ""
    )
    return {
        "household_id": household, "township": home["township"], "village": home["village"],
        "group": home["group"], "head_name": home["head_name"], "persons": home["persons"],
        "registration": word("households", "registration", home["registration"]),
        "category": "" if category == NO_CATEGORY else named, "standing": standing(home),
        "pcni": home["pcni"],
        "reference_income_pc": home["reference_income_pc"], "gaps": gaps(home),
        "causes": cause_words(home["register_causes"]) or cause_words(home["main_cause"]),
        "support": listed(dict.fromkeys(words)),
        "facts": listed(_facts(data, household), "clause"),
    }  # fmt: skip


def _facts(data: FormRecords, household: str) -> Iterator[str]:
    for event in data.of("risk_events", household)[-3:]:
        cause = word("risk_events", "cause", event["cause"])
        yield phrase("facts.row", date=day_text(event["date"]), cause=cause)
    for visit in data.of("visits", household)[-1:]:
        outcome = word("visits", "outcome", visit["outcome"])
        yield phrase("facts.visit", date=day_text(visit["date"]), outcome=outcome)


def case_row(data: FormRecords, case: Record) -> Record:
    """Return what lists say of a case: its household, its list, where it stands and until when."""
    states = declared().states
    return {
        **_home_row(data, case["household_id"]), "list": case["list"], "case_id": case["case_id"],
        "state": states[case["state"]].zh, "since": case["since"].date(), "reached": case["reached"] or "",
        "waiting_for": declared().roles[case["waiting_for"]].zh,
        "due_on": None if pd.isna(case["due_on"]) else case["due_on"].date(),
    }  # fmt: skip


def natural_changes(data: FormRecords, first: dt.date, last: dt.date) -> list[Record]:
    """Return members who came or went in a period, with the reason that is on record."""
    out = []
    for row in data.rows("members"):
        household = str(row["household_id"])
        for column in ("valid_from", "valid_to"):
            day = row[column]
            if day is None or not first <= day.date() <= last:
                continue
            out.append({
                **_home_row(data, household), "direction": phrase(f"changes.{column}"), "date": day.date(),
                "relation": word("members", "relation", row["relation"]),
                "reason": row["change_reason"] or phrase("changes.no_reason"),
            })  # fmt: skip
    return out


def rows_of_list(data: FormRecords, params: Record) -> list[Record]:
    """Rows of one of the eight lists, of the households asked for."""
    rows = list_members(data)[int(params["list"])]
    return [row for row in rows if not data.only or row["household_id"] in data.only]


def rows_of_warnings(data: FormRecords, params: Record) -> list[Record]:
    """Warnings that departments pushed, with what became of each; the finding goes back to the department."""
    out = []
    for row in data.rows("warnings"):
        out.append({
            **_home_row(data, str(row["household_id"])),
            "department": row["department"] or phrase("no_department"),
            "pushed_on": _day(row["pushed_on"]), "forwarded_on": _day(row["forwarded_on"]),
            "due": _day(row["due_on"]), "visited": _day(row["checked_on"]), "result": row["result"],
        })  # fmt: skip
    out.sort(key=lambda r: (r["department"], r["pushed_on"] or dt.date.min, r["household_id"]))
    return out


def _day(value: object) -> dt.date | None:
    return None if value is None else value.date()  # type: ignore[attr-defined]


COMPLETE, ACCURATE, TIMELY = "complete", "accurate", "timely"
MEMBER_CELLS = ("health", "work_capacity", "schooling", "insured")


def rows_of_problems(data: FormRecords, params: Record) -> list[Record]:
    """Problems by household and person under the three questions 全面? 准确? 及时? (004 二(五))."""
    out = []
    for household, home in data.homes.items():
        for question, problem in _problems(data, household, home):
            words = {"question": phrase(f"problems.{question}"), "problem": problem}
            out.append({**_home_row(data, household), **words})
    for i, row in enumerate(out, 1):
        row["number"] = i
    return out


def _problems(data: FormRecords, household: str, home: Record) -> Iterator[tuple[str, str]]:
    if home["in_register"] or home["registration"] == "lifted":
        yield from _missing(data, household, home)
        if why := data.unclear.get(household):
            yield ACCURATE, phrase("problems.unclear", why=text(f"register.empty.{why}", "zh"))
    if home["in_register"]:
        yield from _register_problems(data, household, home)
        if data.known.has("support"):
            yield from _support_problems(data, household, home)


def _missing(data: FormRecords, household: str, home: Record) -> Iterator[tuple[str, str]]:
    if home["pcni"] != home["pcni"]:
        yield COMPLETE, phrase("problems.income")
    for column in MEMBER_CELLS:
        lacking = sum(m[column] is None for m in data.members.get(household, ()))
        if lacking:
            named = phrase(f"problems.member_columns.{column}")
            yield COMPLETE, phrase("problems.members", n=lacking, column=named)
    for column in ("housing_safe", "water_safe"):
        if home[column] is None or home[column] != home[column]:
            yield COMPLETE, phrase(f"problems.{column}")


def _register_problems(data: FormRecords, household: str, home: Record) -> Iterator[tuple[str, str]]:
    causes = str(home["register_causes"] or "")
    if not cause_words(home["register_causes"]):
        yield COMPLETE, phrase("problems.no_cause")
    if home["persons"] == 0 and household not in data.unclear:
        yield ACCURATE, phrase("problems.no_members")
    if home["gap_housing"] is True and not _has(data, household, "housing"):
        yield ACCURATE, phrase("problems.no_housing_measure")
    if "illness" in causes and home["spending_medical"] == 0:
        yield ACCURATE, phrase("problems.no_medical")


def _has(data: FormRecords, household: str, measure: str) -> bool:
    return any(s["measure"] == measure for s in data.of("support", household))


def _support_problems(data: FormRecords, household: str, home: Record) -> Iterator[tuple[str, str]]:
    since = home["register_date"]
    measures = {s["measure"] for s in data.of("support", household)}
    if not measures and since is not None and (data.as_of - since.date()).days > 31:
        yield TIMELY, phrase("problems.no_support")
    if measures == {"social_security"} and home["labour"]:
        yield ACCURATE, phrase("problems.only_allowance")
    if measures == {"other"}:
        yield ACCURATE, phrase("problems.only_other")
