"""Steps recorded: what is refused and why, what is written where, how a wrong entry is put right."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from riskmodel.cases import (
    CaseBook,
    Overview,
    Recorder,
    Recording,
    StepEntry,
    close_period,
    find_cases,
    open_case_book,
    open_case_log,
)
from riskmodel.data import read_county
from riskmodel.households import known_county
from riskmodel.register import build_register_accounts

from . import small

WHOLE = "coverage: whole\nrecords_from: 2019-01\ndata_through: 2022-12-31\n"


def recorder(folder: Path, day: str, ruleset: str = "national-2021") -> Recorder:
    log = open_case_log(folder)
    return Recorder(folder, book(folder, day, ruleset), log, {})


def book(folder: Path, day: str, ruleset: str = "national-2021") -> CaseBook:
    known = known_county(read_county(folder), day)
    return open_case_book(known, ruleset, open_case_log(folder))


def step(household: str, to: str, day: str, role: str, **more: Any) -> StepEntry:
    own = {n: more.pop(n) for n in ("unit", "kind", "case_id", "ground", "document", "corrects") if n in more}
    return StepEntry(household, to, dt.date.fromisoformat(day), role, given=more, **own)


def households(folder: Path, first: str, last: str) -> dict[str, int]:
    """Return the lines of the ledger of the stock in the register that hold any household."""
    by_line = build_register_accounts(read_county(folder), first, last).by("stock")
    counts = {r[1]: int(r[-2]) for r in by_line.itertuples(index=False, name=None) if r[0] == "open"}
    return {line: n for line, n in counts.items() if n and line != "opening_then"}


IDENTIFY = (
    (
        "clue",
        "2022-05-02",
        "household",
        {"channel": "household_application", "cause": "illness", "ground": "申请书"},
    ),
    ("to_verify", "2022-05-03", "township", {"due_on": "2022-05-06", "persons_named": 2}),
    ("verified", "2022-05-05", "village", {"signed": True, "ground": "医疗票据", "causes": "illness"}),
    ("applied", "2022-05-06", "household", {"document": "申-1"}),
    ("proposed", "2022-05-07", "village", {"causes": "illness", "measures": "health"}),
    ("appraised", "2022-05-09", "village", {"meeting": "18/0/1", "document": "评-3"}),
    ("publicised", "2022-05-10", "village", {"document": "公-3"}),
    ("publicity_over", "2022-05-16", "village", {}),
    ("township_checked", "2022-05-18", "township", {"document": "乡-2"}),
    ("compared", "2022-05-20", "county", {"ground": "十部门比对无异常"}),
    ("decided", "2022-05-23", "county", {"document": "批-9", "category": "marginal", "causes": "illness"}),
    ("entered", "2022-05-25", "township", {"document": "系统-77"}),
    ("planned", "2022-05-26", "department", {"measures": "health"}),
    ("supported", "2022-06-01", "department", {"measure": "health", "cause": "illness"}),
)


def identify(household: str, until: str = "supported") -> list[StepEntry]:
    codes = [to for to, *_ in IDENTIFY]
    kept = IDENTIFY[: codes.index(until) + 1]
    return [step(household, to, day, role, **given) for to, day, role, given in kept]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """A recorder that is only asked, never told: nothing is written."""
    return recorder(make_folder(tmp_path_factory.mktemp("untouched")), "2022-06-02")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


def make_folder(tmp_path: Path) -> Path:
    homes = ("h1", "h2", "h3")
    tables = {"households": small.households(homes=homes), "members": small.members(homes)}
    spending = pd.DataFrame(
        {"household_id": ["h1"], "month": "2021-01", "category": "medical", "amount": [1]}
    )
    return small.write(
        tmp_path / "county", tables | {"income": small.income(homes, 900), "spending": spending}, WHOLE
    )


def why(recording: Recording) -> str:
    return " | ".join(refusal.text("en") for refusal in recording.refused)


def test_a_case_is_lived_through_and_register_ledger_and_cases_follow(folder: Path) -> None:
    done = recorder(folder, "2022-06-02").record(identify("h1"))
    assert why(done) == ""
    assert done.rows == {"monitoring": 1, "procedure": 12, "visits": 1, "support": 1, "risk_events": 1}
    known = known_county(read_county(folder), "2022-07-01")
    (with_log,) = find_cases(known, "national-2021", open_case_log(folder)).to_dict("records")
    assert (with_log["state"], with_log["closed"], with_log["standing"]) == ("supported", True, "watched")
    # The tables alone tell the same, for whoever has no log.
    (alone,) = find_cases(known, "national-2021").to_dict("records")
    assert {k: alone[k] for k in ("state", "kind", "opened_on", "standing")} == {
        k: with_log[k] for k in ("state", "kind", "opened_on", "standing")
    }
    assert households(folder, "2022-05-01", "2022-07-01") == {"identified": 1, "closing": 1}
    # Recorded on 2 June: no earlier as-of knows of it.
    assert find_cases(known_county(read_county(folder), "2022-06-01"), "national-2021").empty


SIGNED = {"signed": True, "ground": "票据"}
PROPOSED = {"causes": "illness", "measures": "health"}
REFUSED = {
    "a step too early": (("proposed", "2022-05-04", "village", PROPOSED), "not from to be verified"),
    "a role that may not": (("verified", "2022-05-04", "county", SIGNED), "is for: village"),
    "what is missing": (("verified", "2022-05-04", "village", {"ground": "票据"}), "visit record signed"),
    "a day before": (("verified", "2022-05-01", "village", SIGNED), "before the step it follows"),
    "a day to come": (("verified", "2023-05-01", "village", SIGNED), "after it was recorded"),
    "an unknown step": (("publicized", "2022-05-04", "village", {}), "not in the procedure"),
    "a score": (("verified", "2022-05-04", "village", SIGNED | {"ground": "模型分"}), "no score or model"),
    "a number": (("verified", "2022-05-04", "village", SIGNED | {"ground": "13812345678"}), "phone number"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_what_is_wrong_and_writes_nothing(untouched: Recorder, name: str) -> None:
    (to, day, role, given), said = REFUSED[name]
    entry = step("h1", to, day, role, **given)
    done = untouched.record([*identify("h1", "to_verify"), entry], dry=True)
    assert len(done.recorded) == 2
    assert said in why(done)
    assert not untouched.log.exists


def test_publicity_may_not_end_before_its_days_are_over(untouched: Recorder) -> None:
    early = step("h1", "publicity_over", "2022-05-14", "village")
    done = untouched.record([*identify("h1", "publicised"), early], dry=True)
    assert "posted for the full time" in why(done)
    assert "2022-05-15 at the earliest" in why(done)


def test_an_objection_is_answered_before_publicity_ends(untouched: Recorder) -> None:
    objected = [
        *identify("h1", "publicised"),
        step("h1", "objection", "2022-05-12", "village", ground="有车"),
    ]
    end = step("h1", "publicity_over", "2022-05-17", "village")
    answered = step("h1", "objector_answered", "2022-05-15", "village", answer="车已报废")
    assert "objections answered" in why(untouched.record([*objected, end], dry=True))
    assert why(untouched.record([*objected, answered, end], dry=True)) == ""


def test_a_refusal_to_the_household_is_owed_an_explanation_and_may_be_reviewed(folder: Path) -> None:
    no = step("h1", "not_confirmed", "2022-05-05", "village", signed=True, reason="收入已恢复")
    recorder(folder, "2022-05-06").record([*identify("h1", "to_verify"), no])

    def case(day: str) -> dict[str, Any]:
        return book(folder, day).cases.to_dict("records")[-1]

    assert (case("2022-05-20")["clock"], case("2022-05-20")["late"], case("2022-05-20")["closed"]) == (
        "explanation", True, False
    )  # fmt: skip
    recorder(folder, "2022-05-21").record(
        [step("h1", "explained", "2022-05-21", "village", ground="入户说明")]
    )
    assert case("2022-05-21")["closed"]
    recorder(folder, "2022-05-23").record(
        [step("h1", "review_asked", "2022-05-23", "household", ground="书面")]
    )
    asked = case("2022-05-24")
    assert (asked["clock"], asked["waiting_for"], asked["closed"]) == ("review", "township", False)
    recorder(folder, "2022-05-30").record(
        [step("h1", "review_answered", "2022-05-30", "township", answer="维持")]
    )
    assert case("2022-05-30")["closed"]
    # Being refused bars nobody.
    again = recorder(folder, "2022-06-20").record(
        [step("h1", "clue", "2022-06-20", "village", channel="cadre_screening", ground="住院")]
    )
    assert why(again) == ""
    assert len(book(folder, "2022-06-20").cases) == 2


def test_a_wrong_entry_is_put_right_by_a_new_row_and_the_old_stays_readable(folder: Path) -> None:
    recorder(folder, "2022-05-06").record(identify("h1", "verified"))
    (wrong,) = [r["number"] for r in open_case_log(folder).rows() if r["to_state"] == "verified"]
    right = {"corrects": wrong, "signed": True, "reason": "记错户"}
    recorder(folder, "2022-05-08").record([step("h1", "not_confirmed", "2022-05-05", "village", **right)])
    assert book(folder, "2022-05-07").cases["state"].tolist() == ["verified"]
    assert book(folder, "2022-05-08").cases["state"].tolist() == ["not_confirmed"]
    rows = open_case_log(folder).rows()
    assert [r["to_state"] for r in rows] == ["clue", "to_verify", "verified", "not_confirmed"]
    assert rows[-1]["corrects"] == wrong
    assert open_case_log(folder).broken_at() is None
    # The table of visits says so too, from the day of the correction on.
    for day, outcome in (("2022-05-07", "confirmed"), ("2022-05-09", "not_confirmed")):
        visits = known_county(read_county(folder), day).rows("visits").to_pandas()
        assert visits["outcome"].tolist() == [outcome]
    twice = recorder(folder, "2022-05-09").record(
        [step("h1", "not_confirmed", "2022-05-05", "village", **right)]
    )
    assert "correct that one" in why(twice)


def test_a_decision_is_corrected_by_a_new_decision_alone(folder: Path) -> None:
    recorder(folder, "2022-06-02").record(identify("h1"))
    rows = {r["to_state"]: r["number"] for r in open_case_log(folder).rows()}
    there = recorder(folder, "2022-06-10")
    undo = step("h1", "corrected", "2022-06-09", "county", corrects=rows["decided"], reason="有误")
    assert "only a new decision" in why(there.record([undo], dry=True))
    rest = step(
        "h1", "not_confirmed", "2022-05-05", "village", corrects=rows["verified"], signed=True, reason="误"
    )
    assert "later steps rest" in why(there.record([rest], dry=True))


def test_a_closed_period_is_not_rewritten_and_what_comes_later_is_late(folder: Path) -> None:
    close_period(open_case_log(folder), dt.date(2022, 6, 8), dt.date(2022, 6, 8), "county", "振兴局", "u1")
    done = recorder(folder, "2022-06-20").record(identify("h1"))
    assert len(done.late) == len(done.recorded) == len(IDENTIFY)
    # The figures of May stay as they were reported; what was entered late comes into June's as restated.
    assert households(folder, "2022-05-01", "2022-06-08") == {}
    assert households(folder, "2022-06-09", "2022-06-30") == {"restated": 1, "opening": 1, "closing": 1}


def test_life_in_danger_is_helped_before_the_paper(folder: Path) -> None:
    first = [
        *identify("h1", "clue"),
        step("h1", "emergency_support", "2022-05-02", "township", measure="social_help", ground="房屋倒塌"),
    ]
    done = recorder(folder, "2022-05-03").record(first)
    assert why(done) == ""
    assert done.rows["support"] == 1
    assert book(folder, "2022-05-03").cases["state"].tolist() == ["clue"]


def test_nobody_changes_the_log(folder: Path) -> None:
    import sqlite3

    recorder(folder, "2022-05-06").record(identify("h1", "to_verify"))
    path = open_case_log(folder).path
    with sqlite3.connect(path) as con:
        for statement in ("UPDATE entries SET role = 'x'", "DELETE FROM entries"):
            with pytest.raises(sqlite3.DatabaseError, match="case log is never"):
                con.execute(statement)
        con.execute("DROP TRIGGER entries_stay")
        con.execute("UPDATE entries SET role = 'county' WHERE number = 2")
    assert open_case_log(folder).broken_at() == 2


def test_what_was_interrupted_is_written_with_the_next_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from riskmodel.cases import record as module

    monkeypatch.setattr(module, "write_table_rows", lambda data, log: {})
    recorder(folder, "2022-05-06").record(identify("h1", "to_verify"))
    monkeypatch.undo()
    done = recorder(folder, "2022-05-07").record(
        [step("h1", "verified", "2022-05-05", "village", signed=True, ground="票据")]
    )
    assert done.rows == {"risk_events": 1, "procedure": 2, "visits": 1}
    again = recorder(folder, "2022-05-08").record([])
    assert again.rows == {}


WATCHED = {"h1": "lifted", "h2": "general", "h3": "general", "h4": "general", "h5": "general"}
CLOSE = {"consent": True, "conditions": "measures;guarantees;income;spending", "ground": "四项标准逐项核对"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Households under watch: h1 lifted; h3 without labour; h4's records end early; h5's are inferred."""
    homes = tuple(WATCHED)
    people = small.members(homes)
    people.loc[people["household_id"] == "h3", "work_capacity"] = "none"
    money = small.income(homes, 900)
    money = money[~((money["household_id"] == "h4") & (money["month"] > "2022-03"))]
    stated = money[money["household_id"] != "h5"].groupby("household_id")["month"].agg(["min", "max"])
    tables = {
        "households": small.households(homes=homes).assign(registration=list(WATCHED.values())),
        "members": people,
        "income": money,
        "spending": pd.DataFrame(
            {"household_id": homes, "month": "2021-01", "category": "medical", "amount": 1}
        ),
        "recorded": pd.concat(
            [
                stated.reset_index().rename(columns={"min": "month_from", "max": "month_to"}).assign(of=of)
                for of in ("income", "spending")
            ]
        ).assign(recorded_on="2022-05-31"),
        "monitoring": small.register(*[(h, "2021-01-10", "identified") for h in homes]),
        "support": pd.DataFrame(
            {"household_id": homes, "date": "2021-02-01", "measure": "health", "cause": "illness"}
        ),
    }
    return recorder(small.write(tmp_path_factory.mktemp("watched") / "county", tables), "2022-06-02")


ELIMINATE = {
    "consent missing": ("h1", {**CLOSE, "consent": False}, "consent of the household"),
    "a condition missing": ("h1", {**CLOSE, "conditions": "measures;income"}, "the four conditions"),
    "no labour": ("h3", CLOSE, "no household without labour"),
    "records shifted": ("h4", CLOSE, "lag"),
    "records inferred": ("h5", CLOSE, "inferred"),
    "a score": ("h1", {**CLOSE, "ground": "概率低于 0.05"}, "no score or model"),
}


@pytest.mark.parametrize("name", ELIMINATE)
def test_an_elimination_is_refused_with_what_is_missing(watched: Recorder, name: str) -> None:
    household, given, said = ELIMINATE[name]
    entry = step(household, "proposed", "2022-06-01", "village", kind="eliminate", **given)
    assert said in why(watched.record([entry], dry=True))


def test_an_elimination_goes_the_same_road_and_opens_no_second_case(watched: Recorder) -> None:
    road = [
        step("h2", "proposed", "2022-05-05", "village", kind="eliminate", **CLOSE),
        step("h2", "verified", "2022-05-06", "village", signed=True, ground="入户"),
        step("h2", "appraised", "2022-05-09", "village", meeting="20/0/0", document="评-5"),
        step("h2", "publicised", "2022-05-10", "village", document="公-5"),
        step("h2", "publicity_over", "2022-05-16", "village"),
        step("h2", "township_checked", "2022-05-18", "township", document="乡-5"),
        step("h2", "assessed", "2022-05-20", "county", ground="评估组逐户评估"),
    ]
    end = {**CLOSE, "document": "批-5"}
    decided = step("h2", "eliminated", "2022-05-23", "county", **end)
    assert why(watched.record([*road, decided], dry=True)) == ""
    assert "is for: county" in why(
        watched.record([*road, step("h2", "eliminated", "2022-05-23", "township", **end)], dry=True)
    )
    # The assessment group may say no: then it is explained, and the household stays under watch.
    failed = step("h2", "assessment_failed", "2022-05-20", "county", reason="收入不稳")
    assert why(watched.record([*road[:-1], failed], dry=True)) == ""
    second = step("h2", "proposed", "2022-05-17", "village", kind="eliminate", **CLOSE)
    assert "not from publicity over" in why(watched.record([*road[:5], second], dry=True))


def test_a_clearance_needs_visit_hearing_and_the_exit_of_its_registration(watched: Recorder) -> None:
    def road(home: str, end: str, *, heard: bool = True) -> list[StepEntry]:
        hearing = [step(home, "heard", "2022-05-07", "village", document="听-1")] if heard else []
        return [
            step(home, "proposed", "2022-05-05", "village", kind="remove", reason="入册前已有公职人员"),
            step(home, "verified", "2022-05-06", "village", signed=True, ground="核实"),
            *hearing,
            step(home, "appraised", "2022-05-09", "village", meeting="20/0/0", document="评-6"),
            step(home, "publicised", "2022-05-10", "village", document="公-6"),
            step(home, "publicity_over", "2022-05-16", "village"),
            step(home, "township_checked", "2022-05-18", "township", document="乡-6"),
            step(home, "compared", "2022-05-20", "county", ground="比对"),
            step(home, end, "2022-05-23", "county", document="批-6"),
        ]

    assert why(watched.record(road("h1", "label_withdrawn"), dry=True)) == ""
    assert why(watched.record(road("h2", "removed"), dry=True)) == ""
    assert "label withdrawn" in why(watched.record(road("h1", "removed"), dry=True))
    assert "household heard" in why(watched.record(road("h2", "removed", heard=False), dry=True))
    assert "lag" in why(watched.record(road("h4", "removed")[:1], dry=True))


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (("死亡", "嫁出"), ""),
        (("死亡", None), "somebody left without a clear reason"),
        (("死亡", "stays"), "somebody is present"),
    ],
)
def test_a_natural_change_asks_that_every_leaving_is_recorded_with_its_reason(
    reasons: tuple[str | None, ...], said: str, tmp_path: Path
) -> None:
    home = small.members(["h1"])
    people = [
        home.assign(
            member_id=f"h1-{i}",
            valid_to=None if reason == "stays" else f"2022-04-{10 + i}",
            change_reason=None if reason == "stays" else reason,
            recorded_on="2022-04-30",
        )
        for i, reason in enumerate(reasons)
    ]
    income = small.income(["h1"]).query("month < '2022-04'")
    tables = {
        "households": small.households(),
        "members": pd.concat([*people, small.members(["h2"])]),
        "income": income,
        "monitoring": small.register(("h1", "2021-01-10", "identified"), ("h2", "2021-01-10", "identified")),
    }
    taken = recorder(small.write(tmp_path / "county", tables), "2022-06-02")
    proposed = step("h1", "proposed", "2022-05-05", "village", kind="natural", reason="整户自然减少")
    gone = step("h1", "gone", "2022-05-20", "county", document="自-1", reason="整户自然减少")
    told = why(taken.record([proposed, gone], dry=True))
    assert (said in told) if said else (told == "")
    (row,) = Overview(taken.book).tables["nobody"].to_dict("records") or [{}]
    if said.endswith("present"):
        assert row == {}
    else:
        assert (row["household_id"], row["proposed"], row["missing"]["en"]) == ("h1", False, said)
