"""A year of a small county lived through by script: nothing is lost, and register, ledger and cases agree."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel.cases import Overview, StepEntry, open_case_log
from riskmodel.data import read_county
from riskmodel.households import known_county
from riskmodel.register import build_register_accounts

from . import small
from .test_record import CLOSE, WHOLE, book, recorder, step, why

HOMES = tuple(f"k{i:02d}" for i in range(24))
SEED = 7  # chosen once; any will do


@pytest.fixture
def county(tmp_path: Path) -> Path:
    rows = small.households(homes=("h1",)).to_dict("records")[0]
    homes = pd.DataFrame([{**rows, "household_id": h, "township": f"{h[1:2]}乡"} for h in HOMES])
    people = small.members(("h1",)).to_dict("records")[0]
    members = pd.DataFrame([{**people, "household_id": h, "member_id": f"{h}-1"} for h in HOMES])
    spending = pd.DataFrame({"household_id": HOMES, "month": "2020-01", "category": "medical", "amount": 1})
    tables = {
        "households": homes,
        "members": members,
        "income": small.income(HOMES, 900),
        "spending": spending,
    }
    return small.write(tmp_path / "county", tables, WHOLE)


def monday(month: int) -> dt.date:
    first = dt.date(2022, month, 3)
    return first + dt.timedelta(days=(7 - first.weekday()) % 7)


def plan(month: int, rng: np.random.Generator, state: dict[str, str]) -> list[StepEntry]:
    """Return what happens in a month: new clues, findings with refusals, cases to their end, eliminations."""
    day = monday(month)

    def at(days: int) -> str:
        return (day + dt.timedelta(days=days)).isoformat()

    out: list[StepEntry] = []
    free = [h for h in HOMES if state.get(h, "outside") == "outside"]
    for home in rng.choice(free, size=min(3, len(free)), replace=False).tolist() if free else []:
        out += [
            step(home, "clue", at(0), "village", channel="cadre_screening", ground="住院自付较高"),
            step(home, "to_verify", at(1), "township", due_on=at(4), persons_named=2),
        ]
        if rng.random() < 0.4:
            out.append(step(home, "not_confirmed", at(2), "village", signed=True, reason="医保已报销"))
            out.append(step(home, "explained", at(3), "village", ground="入户说明"))
            continue
        out += [
            step(home, "verified", at(2), "village", signed=True, ground="医疗票据", causes="illness"),
            step(home, "applied", at(3), "household", document="申"),
            step(home, "proposed", at(4), "village", causes="illness", measures="health"),
            step(home, "appraised", at(5), "village", meeting="20/0/0", document="评"),
            step(home, "publicised", at(6), "village", document="公"),
            step(home, "publicity_over", at(12), "village"),
            step(home, "township_checked", at(13), "township", document="乡"),
            step(home, "compared", at(14), "county", ground="比对"),
        ]
        if rng.random() < 0.2:
            out.append(step(home, "not_approved", at(15), "county", document="批", reason="名下有经营实体"))
            continue
        decided = {"document": "批", "category": "marginal", "causes": "illness"}
        out += [
            step(home, "decided", at(15), "county", **decided),
            step(home, "entered", at(16), "township", document="系统"),
            step(home, "supported", at(17), "department", measure="health", cause="illness"),
        ]
        state[home] = f"watched {month}"
    old = [h for h, s in state.items() if s.startswith("watched") and int(s.split()[1]) <= month - 6]
    for home in old[:1]:
        out += [
            step(home, "proposed", at(0), "village", kind="eliminate", **CLOSE),
            step(home, "verified", at(1), "village", signed=True, ground="入户"),
            step(home, "appraised", at(2), "village", meeting="20/0/0", document="评"),
            step(home, "publicised", at(3), "village", document="公"),
            step(home, "publicity_over", at(9), "village"),
            step(home, "township_checked", at(10), "township", document="乡"),
            step(home, "assessed", at(11), "county", ground="评估组"),
            step(home, "eliminated", at(12), "county", **{**CLOSE, "document": "批"}),
        ]
        state[home] = "eliminated"
    return out


@pytest.mark.parametrize("months", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_a_year_of_cases_loses_nothing(county: Path, months: int) -> None:
    rng, state, asked = np.random.default_rng(SEED), dict[str, str](), 0
    watched: dict[int, int] = {}
    for month in range(1, months + 1):
        entries = plan(month, rng, state)
        last = dt.date(2022, month, 28)
        done = recorder(county, last.isoformat()).record(entries)
        assert why(done) == ""
        asked += len(entries)
        watched[month] = sum(s.startswith("watched") for s in state.values())
    log = open_case_log(county)
    # Every step is in the log, in its order, and the log is whole.
    assert len(log.rows()) == asked
    assert log.broken_at() is None
    tables = read_county(county)
    for month, number in watched.items():
        day = dt.date(2022, month, 28).isoformat()
        # The ledger's stock is what the script knows, and its flows close on it (it refuses if they do not).
        first = dt.date(2022, month, 1)
        lines = build_register_accounts(tables, first, day).by("stock")
        stock = {r[1]: int(r[-2]) for r in lines.itertuples(index=False, name=None) if r[0] == "open"}
        assert stock.get("closing", 0) == number
        # So is the standing of the cases: from the log, and from the tables alone.
        there = book(county, day)
        standing = {home.household_id: home.standing for home, _ in there.followed}
        assert sum(s == "watched" for s in standing.values()) == number
    # A month later every case has come to its end, each refusal is explained but those of the county.
    overview = Overview(book(county, "2022-12-31"))
    refused = [r["household_id"] for r in log.rows() if r["to_state"] == "not_approved"]
    opened = overview.tables["open"]
    assert sorted(opened["household_id"]) == sorted(refused)
    assert sorted(overview.tables["explanations"]["household_id"]) == sorted(refused)
    cases = overview.book.cases
    assert set(cases["household_id"]) == {r["household_id"] for r in log.rows()}
    assert len(cases) == len({r["case_id"] for r in log.rows()})
    # What the tables hold of the log is all of it: nothing is written twice, nothing is missing.
    assert recorder(county, "2022-12-31").record([]).rows == {}
    kept = {c["clock"]: c for c in overview.tables["clocks"].to_dict("records")}
    assert kept["publicity"]["broken"] == 0
    assert kept["publicity"]["in_time"] == sum(r["to_state"] == "publicity_over" for r in log.rows())
    known = known_county(tables, "2022-12-31")
    assert len(known.rows("monitoring").to_pandas()) == sum(
        r["to_state"] in ("decided", "eliminated") for r in log.rows()
    )
