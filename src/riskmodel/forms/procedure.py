"""Papers of the procedure: appraisal, publicity, township and county, elimination, the result.

Publicity is built from an allow-list of columns (`PUBLIC`): whatever else is known of a household, or stands
in a table, cannot come onto it. Elimination is prepared from the four conditions of the rule set alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from riskmodel.cases import declared
from riskmodel.forms.households import ADULT, household_page
from riskmodel.forms.records import FormRecords, Record, day_text, phrase
from riskmodel.forms.tables import case_row, list_members
from riskmodel.io import records

# All that a public paper may say of a household (W1 and 004 三（七）): who and how many, and on which list.
PUBLIC = ("number", "village", "group", "head_name", "persons", "list_name")
PUBLISHED = (1, 2, 3, 4, 5)
DECIDED = ("decided", "re_marked", "rolled_back", "removed", "label_withdrawn", "eliminated", "gone")
# The conditions of elimination that rule sets share, in their order; natural elimination stands apart.
CONDITIONS = {"supported": "c1", "no_gap": "c2", "income_stable": "c3", "rigid_settled": "c4"}


def list_name(number: object) -> str:
    """Return what one of the eight lists is called.

    Examples
    --------
    >>> list_name(6)
    '万元以下户户增收帮扶对象'
    """
    return declared().lists[str(number)].zh


def _of_cases(data: FormRecords, states: Iterable[str], lists: Iterable[int] = range(1, 9)) -> list[Record]:
    """Return the cases that stand in some states and on some lists, by place."""
    cases = data.cases[~data.cases["closed"] & data.cases["state"].isin(list(states))]
    return _rows(data, cases[cases["list"].isin(list(lists))])


def _rows(data: FormRecords, cases: pd.DataFrame) -> list[Record]:
    place = {h: i for i, h in enumerate(data.homes)}
    rows = [case_row(data, c) for c in records(cases) if c["household_id"] in place]
    rows = [r for r in rows if not data.only or r["household_id"] in data.only]
    rows.sort(key=lambda r: (place[r["household_id"]], r["list"]))
    for i, row in enumerate(rows, 1):
        row |= {"number": i, "list_name": list_name(int(row["list"]))}
    return rows


def _by_village(rows: list[Record]) -> Iterator[tuple[tuple[str, str], list[Record]]]:
    of: dict[tuple[str, str], list[Record]] = {}
    for row in rows:
        of.setdefault((str(row["township"]), str(row["village"])), []).append(row)
    for place, part in of.items():
        yield place, [{**row, "number": i} for i, row in enumerate(part, 1)]


def pages_of_appraisal(data: FormRecords, params: Record) -> list[Record]:
    """Pages of villages with the households that go to the meeting (004 三(六))."""
    rows = _of_cases(data, ("proposed", "heard", "verified", "sent_back"), PUBLISHED)
    lists = list_members(data)
    rows += [{**row, "list_name": list_name(n)} for n in (6, 8) for row in lists[n]]
    rows = [r for r in rows if not data.only or r["household_id"] in data.only]
    return [
        {"township": township, "village": village, "as_of": day_text(data.as_of), "rows": part}
        for (township, village), part in _by_village(rows)
    ]


def public_row(data: FormRecords, row: Record) -> Record:
    """Return what a public paper may say of a household: the allow-list, and no name of a minor."""
    head = next((m for m in data.members.get(row["household_id"], ()) if m["relation"] == "head"), None)
    out = {key: row[key] for key in PUBLIC}
    return out | {"head_name": phrase("minor")} if head is not None and head["age"] < ADULT else out


def pages_of_publicity(data: FormRecords, params: Record) -> list[Record]:
    """Pages of villages with the households of lists 1 to 5 that passed the meeting; list 6 never."""
    rows = _of_cases(data, ("appraised", "publicised", "objection"), PUBLISHED)
    posted = data.book.steps[data.book.steps["to"] == "publicised"].groupby("case_id")["date"].max()
    return [
        _notice(data, place, day, part)
        for place, own in _by_village(rows)
        for day, part in _by_day(own, posted)
    ]


def _notice(data: FormRecords, place: tuple[str, str], day: str, rows: list[Record]) -> Record:
    """Return a village's notice: until when it stays up follows from the rule set's clock of publicity."""
    limit = next((c for c in data.book.limits if c.at_least and "publicised" in c.start), None)
    length, down = "", None
    if limit is not None:
        length = phrase(f"length.{limit.unit}", n=f"{limit.limit:.0f}")
        if day:
            down = data.book.calendar.due_date(pd.Timestamp(day), limit.limit, limit.unit, at_least=True)
    return {
        "township": place[0], "village": place[1], "length": length, "posted_on": day,
        "take_down": day_text(down),
        "rows": [{**public_row(data, r), "number": i} for i, r in enumerate(rows, 1)],
    }  # fmt: skip


def _by_day(rows: list[Record], posted: pd.Series) -> Iterator[tuple[str, list[Record]]]:
    """Give the cases that were posted together; those not yet posted under an empty day."""
    of: dict[str, list[Record]] = {}
    for row in rows:
        of.setdefault(str(posted.get(row["case_id"], ""))[:10], []).append(row)
    yield from of.items()


def _decided(data: FormRecords, states: Iterable[str]) -> list[Record]:
    """Return the cases decided in the month, with what was decided."""
    cases, (first, last) = data.cases, data.month
    wanted = set(states)
    inside = pd.to_datetime(cases["since"]).between(pd.Timestamp(first), pd.Timestamp(last))
    rows = cases[inside & cases["reached"].fillna("").map(lambda r: bool(wanted & set(r.split(";"))))]
    out = _rows(data, rows[rows["list"].notna()])
    for row in out:
        step = next(s for s in reversed(row["reached"].split(";")) if s in wanted)
        row["decision"] = declared().states[step].zh
    return out


def pages_of_result(data: FormRecords, params: Record) -> list[Record]:
    """Pages of villages with what was decided in the month, by the allow-list of public papers."""
    rows = [r for r in _decided(data, DECIDED) if int(r["list"]) in PUBLISHED]
    return [
        {
            "township": township, "village": village,
            "rows": [
                {**public_row(data, r), "decision": r["decision"], "number": i} for i, r in enumerate(part, 1)
            ],
        }
        for (township, village), part in _by_village(rows)
    ]  # fmt: skip


def pages_of_reply(data: FormRecords, params: Record) -> list[Record]:
    """Pages of townships with the county's decisions of the month, refusals too."""
    rows = _decided(data, (*DECIDED, "not_approved", "assessment_failed"))
    townships = dict.fromkeys(str(r["township"]) for r in rows)
    out = []
    for township in townships:
        part = [{**r, "number": i} for i, r in enumerate((r for r in rows if r["township"] == township), 1)]
        out.append({
            "township": township, "rows": part, "households": len(part),
            "people": int(sum(r["persons"] for r in part)),
        })  # fmt: skip
    return out


def rows_of_township(data: FormRecords, params: Record) -> list[Record]:
    """Rows of the cases that wait for the township's check."""
    before = [s for s in ("publicity_over", "appraised") if s in data.book.procedure.states]
    states = before[:1] if "publicity_over" in before else before
    return _of_cases(data, [*states, "township_checked"])


def rows_of_county(data: FormRecords, params: Record) -> list[Record]:
    """Rows of the cases that wait for comparison and the county's decision."""
    return _of_cases(data, ("township_checked", "compared", "comparison_hit", "assessed", "filed"))


def _conditions(data: FormRecords, household: str) -> Record:
    home = data.homes[household]
    held = set(str(home["conditions"] or "").split(";"))
    unknown = set(str(home["unknown"] or "").split(";"))
    out: Record = {}
    for condition, key in CONDITIONS.items():
        if condition not in data.ruleset.conditions:
            out[key] = phrase("conditions.not_asked")
        else:
            found = "met" if condition in held else "cannot" if condition in unknown else "not_met"
            out[key] = phrase(f"conditions.{found}")
    whole = not unknown & {"records_incomplete", *CONDITIONS} and home["verdict_depends"] is not True
    late = home["lag_months"] != 0 or bool(home["doubts"])
    out["records"] = phrase("conditions.whole" if whole and not late else "conditions.doubtful")
    out["no_labour"] = phrase("conditions.no_labour") if home["labour"] == 0 else ""
    return out


def rows_of_elimination(data: FormRecords, params: Record) -> list[Record]:
    """Rows of households under watch whose elimination is proposed, with each condition, then the others.

    The conditions are those of the rule set on recorded facts; nothing else puts a household in this table or
    orders it.
    """
    proposed = {r["household_id"]: r for r in list_members(data)[5]}
    out = []
    for household in data.asked(data.watched):
        page, case = household_page(data, household), proposed.get(household)
        out.append({
            **page, "state": case["state"] if case else phrase("conditions.not_proposed"),
            "category": page["standing"], **_conditions(data, household),
        })  # fmt: skip
    out.sort(key=lambda r: r["household_id"] not in proposed)
    for i, row in enumerate(out, 1):
        row["number"] = i
    return out


def pages_of_clear_cards(data: FormRecords, params: Record) -> list[Record]:
    """Pages for households whose elimination was decided in the quarter: why, what stays, whom to call."""
    first, last = (pd.Timestamp(d) for d in data.quarter)
    out = []
    for household, home in data.homes.items():
        day = home["register_date"]
        if home["register_event"] != "eliminated" or day is None or not first <= day <= last:
            continue
        page = household_page(data, household)
        running = [s for s in page["support"] if not s["end_date"] or s["end_date"] >= day_text(data.as_of)]
        out.append({**page, "eliminated_on": day_text(day), "support": running})
    return [page for page in out if not data.only or page["household_id"] in data.only]
