"""Pages of one household each: what the office holds of it, in words, with room for what a visit finds."""

from __future__ import annotations

import pandas as pd

from riskmodel.forms.records import (
    INCOMES,
    RIGID,
    FormRecords,
    Record,
    cause_words,
    day_text,
    gaps,
    listed,
    month_text,
    phrase,
    standing,
    word,
    yes_no,
    yuan,
)

ADULT = 18
FLAGS = ("dibao", "tekun", "relocated", "housing_safe", "water_safe")


def household_page(data: FormRecords, household: str) -> Record:
    """Return what is known of a household, in words; what is unknown is empty."""
    home = data.homes[household]
    page: Record = {
        "household_id": household, "township": home["township"], "village": home["village"],
        "group": home["group"], "as_of": day_text(data.as_of), "where": _where(home),
        **{name: home[name] for name in ("head_name", "contact", "phone")},
        "registration": word("households", "registration", home["registration"]),
        "lifted_year": "" if pd.isna(home["lifted_year"]) else f"{home['lifted_year']:.0f}",
        **{name: yes_no(home[name]) for name in FLAGS},
        "persons": home["persons"], "labour": home["labour"], "standing": standing(home),
        "causes": cause_words(home["register_causes"]) or cause_words(home["main_cause"]),
        "gaps": gaps(home),
        "schooling_gap": yes_no(home["gap_schooling"]), "medical_gap": yes_no(home["gap_medical"]),
        "pcni": yuan(home["pcni"]), "net_income": yuan(home["net_income"]),
        "reference_income_pc": yuan(home["reference_income_pc"]),
        "period": _period(home), "production": yuan(home["spending_production"]),
        **{f"income_{name}": yuan(home[f"income_{name}"]) for name in INCOMES},
        **{f"spending_{name}": yuan(home[f"spending_{name}"]) for name in RIGID},
        "rigid": yuan(home["rigid"]),
    }  # fmt: skip
    page |= {
        "members": [_member(m, i) for i, m in enumerate(data.members.get(household, ()), 1)],
        "events": [_event(e) for e in data.of("risk_events", household)],
        "support": [_support(s) for s in data.of("support", household)],
        "visits": [_visit(v) for v in data.of("visits", household)],
        "register": [_register(m) for m in data.of("monitoring", household)],
        "warnings": [_warning(w) for w in data.of("warnings", household)],
    }
    page["adults"] = [m for m in page["members"] if m["age"] >= ADULT]
    page["facts"] = [{"fact": fact} for fact in facts(data, page, household)]
    page["has_facts"] = bool(page["facts"])
    return page


def _where(home: Record) -> str:
    return f"{home['township']}{home['village']}{home['group'] or ''}"


def _period(home: Record) -> str:
    if home["period_from"] != home["period_from"]:
        return ""
    return phrase(
        "household.period", first=month_text(home["period_from"]), last=month_text(home["period_to"])
    )


def _member(row: Record, number: int) -> Record:
    grade = row["disability_grade"]
    health = word("members", "health", row["health"])
    disability = (
        phrase("household.disability", grade=f"{grade:.0f}") if grade is not None and grade > 0 else ""
    )
    return {
        "number": number, "relation": word("members", "relation", row["relation"]),
        "sex": word("members", "sex", row["sex"]), "birth_month": month_text(row["birth_month"]),
        "age": row["age"], "schooling": word("members", "schooling", row["schooling"]),
        "health": listed((health, disability)),
        "work_capacity": word("members", "work_capacity", row["work_capacity"]),
        "insured": yes_no(row["insured"]), "resident": yes_no(row["resident"]),
    }  # fmt: skip


def _event(row: Record) -> Record:
    return {
        "date": day_text(row["date"]), "cause": word("risk_events", "cause", row["cause"]),
        "loss": yuan(row["loss"]), "channel": word("risk_events", "channel", row["channel"]),
    }  # fmt: skip


def _support(row: Record) -> Record:
    known = row.get("date_known") is not False
    return {
        "date": day_text(row["date"]) if known else phrase("household.no_date"),
        "measure": word("support", "measure", row["measure"]), "detail": row.get("detail") or "",
        "cause": word("support", "cause", row["cause"]), "amount": yuan(row["amount"]),
        "end_date": day_text(row["end_date"]),
    }  # fmt: skip


def _visit(row: Record) -> Record:
    # Which list chose the household is not said: it may have been a model.
    return {
        "date": day_text(row["date"]), "outcome": word("visits", "outcome", row["outcome"]),
        "cause": word("visits", "cause", row["cause"]),
        "decision": word("visits", "decision", row["decision"]),
    }  # fmt: skip


def _register(row: Record) -> Record:
    return {
        "date": day_text(row["date"]), "event": word("monitoring", "event", row["event"]),
        "causes": cause_words(row["causes"]),
    }  # fmt: skip


def _warning(row: Record) -> Record:
    return {
        "date": day_text(row["pushed_on"]), "department": row["department"] or "",
        "result": row["result"] or "", "visited": day_text(row["checked_on"]),
    }  # fmt: skip


def facts(data: FormRecords, page: Record, household: str) -> list[str]:
    """Return recorded facts of the last twelve months that led to a visit, in plain words.

    No line and no target figure is told, and nothing that only a model says.
    """
    home = data.homes[household]
    since = f"{data.as_of.replace(day=1, year=data.as_of.year - 1):%Y-%m-%d}"
    out = [
        phrase("facts.event_loss" if e["loss"] else "facts.event", **e)
        for e in page["events"]
        if e["date"] >= since
    ]
    out += [phrase("facts.warning", **w) for w in page["warnings"] if w["date"] >= since]
    if page["gaps"]:
        out.append(phrase("facts.gaps", gaps=page["gaps"]))
    if home["in_register"] and page["register"]:
        out.append(phrase("facts.watched", **page["register"][-1]))
    if home["pcni"] < home["line"]:
        out.append(phrase("facts.low_income", period=page["period"]))
    return out


def pages_to_visit(data: FormRecords, params: Record) -> list[Record]:
    """Pages of the households to visit."""
    return [household_page(data, h) for h in data.asked(data.to_visit)]


def pages_of_registered(data: FormRecords, params: Record) -> list[Record]:
    """Pages of those to visit who are lifted or under watch: base data are checked as well (004 三(四))."""
    own = [
        h for h in data.to_visit
        if data.homes[h]["in_register"] or data.homes[h]["registration"] == "lifted"
    ]  # fmt: skip
    out = []
    for household in data.asked(own):
        page = household_page(data, household)
        page["first_entry"] = next((r["date"] for r in page["register"] if r["event"]), "")
        out.append(page)
    return out


def pages_to_enter(data: FormRecords, params: Record) -> list[Record]:
    """Pages of the households that are to be entered or re-marked: confirmed by a visit, not watched."""
    cases = data.cases[~data.cases["closed"] & data.cases["kind"].isin(["identify", "re_mark"])]
    waiting = set(cases.loc[cases["state"].isin(["verified", "applied", "proposed"]), "household_id"])
    return [household_page(data, h) for h in data.asked([h for h in data.homes if h in waiting])]


def pages_of_plans(data: FormRecords, params: Record) -> list[Record]:
    """Pages of the households under watch, with the measures that stand and what the library proposes."""
    out = []
    for household in data.asked(data.watched):
        page = household_page(data, household)
        causes = [
            c for c in str(data.homes[household]["register_causes"] or "").split(";") if c and c != "nan"
        ]
        page["proposals"] = [
            {
                "cause": word("risk_events", "cause", cause),
                "measure": listed(word("support", "measure", m) for m in data.measures.get(cause, ())),
            }
            for cause in causes or ["other"]
        ]
        page["plan_reason"] = phrase(f"household.{'open_to_work' if page['labour'] else 'no_labour'}")
        out.append(page)
    return out


def pages_eliminated(data: FormRecords, params: Record) -> list[Record]:
    """Pages of the households whose risk was eliminated, the look-back still to come this quarter first."""
    since = data.quarter[0]
    gone = [h for h, home in data.homes.items() if home["register_event"] == "eliminated"]
    out = []
    for household in data.asked(gone):
        page, home = household_page(data, household), data.homes[household]
        last = page["visits"][-1]["date"] if page["visits"] else ""
        page["eliminated_on"] = day_text(home["register_date"])
        page["last_visit"] = last
        done = last >= f"{since:%Y-%m-%d}"
        page["looked_back"] = phrase(f"household.{'looked_back' if done else 'to_look_back'}")
        page["no_labour"] = phrase("household.without_labour") if home["labour"] == 0 else ""
        out.append(page)
    return out
