"""The tables that offices publish: two rebuilt cell by cell, the others against counts by hand."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from riskmodel.data import About, from_frames
from riskmodel.register import build_register_accounts, check_published, published_form
from riskmodel.register.office_tables import TABLES, office_table_specs

from .conftest import frames_of
from .published_figures import BY_CAUSE, CAUSES, DECREASE, DYNAMIC, INCREASE, by_cause, quarter
from .small_county import small_county


@pytest.fixture(scope="module")
def caused():
    return build_register_accounts(by_cause(), "2020-01-01", "2020-03-31")


@pytest.fixture(scope="module")
def moved():
    return build_register_accounts(quarter(), "2020-01-01", "2020-03-31")


def test_every_declared_table_has_a_function_and_every_function_a_declaration():
    assert list(TABLES) == list(office_table_specs().tables)


def test_category_by_cause_comes_out_as_published_cell_by_cell(caused):
    # 000 §1: nine causes by two categories, in households and persons; every other cause is 0.
    table = caused.tables["causes"]
    for stock in ("ever", "open"):
        result = table[table["stock"] == stock].set_index(["category", "cause"])
        for category, counts in BY_CAUSE.items():
            for cause, pair in zip(CAUSES, counts[:-1], strict=True):
                assert tuple(result.loc[(category, cause), ["hh", "p"]]) == pair, (category, cause)
            summed = result.loc[category]
            assert (summed["hh"].sum(), summed["p"].sum()) == counts[-1]
            assert summed.loc[~summed.index.isin(CAUSES), ["hh", "p"]].to_numpy().sum() == 0
    assert (table["also_hh"] == 0).all()


def test_the_published_quarter_comes_out_cell_by_cell(moved):
    # 000 §5: what happened in the quarter, what remained, who came and went and why.
    table = moved.tables["dynamic"].set_index(["line", "category"])
    for line, counts in DYNAMIC.items():
        for category, pair in counts.items():
            assert tuple(table.loc[(line, category), ["hh", "p"]]) == pair, (line, category)
    assert tuple(table.loc[("total", "marginal"), ["hh", "p"]]) == (317, 1142)
    assert tuple(table.loc[("removed", "marginal"), ["hh", "p"]]) == (4, 0)
    natural = moved.tables["natural"].set_index(["category", "direction", "reason"])["p"]
    for direction, printed in (("increase", INCREASE), ("decrease", DECREASE)):
        for category, reasons in printed.items():
            assert natural.loc[category, direction].to_dict() == reasons
    lifted = table.loc[("registered", "all"), "p"]
    remaining = sum(p for _, p in DYNAMIC["remaining"].values())
    assert round(remaining / lifted, 4) == 0.0391


def test_what_is_rebuilt_passes_the_check_of_published_tables(moved, caused):
    for accounts in (moved, caused):
        answer = check_published(published_form(accounts))
        assert answer["balanced"]
        assert answer["relations_checked"] > 10
    row = published_form(moved)["categories"]["marginal"]
    # The cell that is misprinted as 129 follows from the households.
    assert row["eliminated"] == {"hh": 192, "p": 702}


def test_the_figures_used_here_are_those_of_the_source(shared_data):
    source = yaml.safe_load((shared_data.parent / "domain" / "published.yaml").read_text(encoding="utf-8"))
    for category, counts in source["category_by_cause_000_1"].items():
        printed = dict(zip((*CAUSES, "total"), BY_CAUSE[category], strict=True))
        assert {cause: (c["hh"], c["p"]) for cause, c in counts.items()} == printed
    for line in DYNAMIC:
        printed = {c: (v["hh"], v["p"]) for c, v in source["dynamic_000_5"][line].items()}
        assert printed == DYNAMIC[line]


def with_tables(**more: list[dict]):
    """Return the small county with further tables, and households of known income."""
    frames = frames_of(small_county())
    return from_frames(frames | {name: pd.DataFrame(rows) for name, rows in more.items()})


SUPPORT = [
    {"household_id": "h1", "date": "2020-06-01", "measure": "health"},
    {"household_id": "h1", "date": "2020-07-01", "measure": "health"},
    {"household_id": "h1", "date": "2021-02-01", "measure": "industry"},
    {"household_id": "h2", "date": "2020-07-01", "measure": "industry", "end_date": "2020-12-31"},
    {"household_id": "h3", "date": "2021-03-31", "measure": "employment"},
    {"household_id": "h3", "date": "2021-04-01", "measure": "health"},
    {"household_id": "h4", "date": "2021-02-01", "measure": "health"},
]


def test_measures_count_households_once_and_say_what_their_share_is_of():
    # h2's measure ended before the quarter, h3's second begins after it, h4 is struck off: none counts.
    tables = build_register_accounts(with_tables(support=SUPPORT), "2021-01-01", "2021-03-31").tables
    result = tables["measures"].set_index(["category", "measure"])
    columns = ["hh", "p", "items", "of_hh"]
    assert result.loc[("unstable_lifted", "health"), columns].tolist() == [1, 4, 2, 1]
    assert result.loc[("unstable_lifted", "any"), columns].tolist() == [1, 4, 3, 1]
    assert result.loc[("marginal", "employment"), columns].tolist() == [1, 4, 1, 2]
    assert result.loc[("marginal", "employment"), "share"] == 0.5
    assert result.loc[("marginal", "industry"), columns].tolist() == [0, 0, 0, 2]
    single = tables["single_cause"].set_index(["cause", "measure"])
    # h1 has two causes and is not single; h3 (illness) and h2 (disaster) are.
    assert single.loc[("illness", "any"), ["hh", "of_hh"]].tolist() == [1, 1]
    assert single.loc[("illness", "health"), ["hh", "of_hh"]].tolist() == [0, 1]
    assert single.loc[("disaster", "any"), ["hh", "of_hh"]].tolist() == [0, 1]
    assert pd.isna(single.loc[("schooling", "any"), "share"])


def test_tables_whose_data_are_absent_are_left_out_not_zero(small):
    assert "measures" not in small.tables
    assert "single_cause" not in small.tables
    workload = small.tables["workload"].set_index(["line", "township"])["n"]
    assert workload.loc["households_visited"].isna().all()
    assert workload.loc["newly_identified"].to_dict() == {"东乡": 0, "西乡": 1}


def test_further_causes_stand_apart_from_the_main_one(small):
    table = small.tables["causes"]
    result = table[table["stock"] == "open"].set_index(["category", "cause"])
    columns = ["hh", "p", "also_hh", "also_p"]
    assert result.loc[("unstable_lifted", "illness"), columns].tolist() == [1, 4, 0, 0]
    assert result.loc[("unstable_lifted", "schooling"), columns].tolist() == [0, 0, 1, 4]


def test_bands_take_the_lower_bound_in_and_the_upper_out():
    ids = ["a", "b", "c", "d", "e", "f"]
    incomes = dict(zip(ids, [6999.99, 7000, 7999, 8000, 10000, None], strict=True))
    state = {"township": "t", "village": "v", "registration": "general", "valid_from": "2019-01-01"}
    frames = {
        "households": [{"household_id": h, **state} for h in ids],
        "members": [
            {"member_id": h, "household_id": h, "birth_month": "1980-01", "valid_from": "2019-01-01"}
            for h in ids
        ],
        "income": [
            {"household_id": h, "month": "2020-12", "source": "wage", "amount": amount}
            for h, amount in incomes.items()
            if amount is not None
        ],
        "spending": [{"household_id": "a", "month": "2020-12", "category": "living", "amount": 1}],
        "monitoring": [
            {"household_id": "d", "date": "2020-12-01", "event": "identified", "category": "marginal"}
        ],
    }
    # All is on record, though there are rows of one month alone.
    whole = About(coverage="whole", records_from="2019-01", data_through="2020-12-31")
    county = from_frames({name: pd.DataFrame(rows) for name, rows in frames.items()}, whole)
    bands = (
        build_register_accounts(county, "2020-10-01", "2020-12-31")
        .tables["bands"]
        .set_index(["group", "band"])
    )
    general = bands.loc["general"]["hh"].to_dict()
    assert general == {"below": 1, "7000-8000": 2, "8000-9000": 0, "9000-10000": 0, "above": 1, "unknown": 1}
    # A watched household is counted there alone; the shares of a kind of household are of that kind.
    assert bands.loc[("monitored", "8000-9000"), ["hh", "share"]].tolist() == [1, 1.0]
    assert bands.loc[("general", "7000-8000"), "share"] == pytest.approx(0.4)
    assert bands["hh"].sum() == len(ids)


def test_workload_counts_warnings_by_row_and_households_once():
    warnings = [
        {
            "household_id": "h1",
            "pushed_on": "2021-01-05",
            "forwarded_on": "2021-01-07",
            "checked_on": "2021-01-20",
        },
        {"household_id": "h1", "pushed_on": "2021-02-05"},
        {
            "household_id": "h3",
            "pushed_on": "2021-03-30",
            "forwarded_on": "2021-04-02",
            "checked_on": "2021-04-09",
        },
        {"household_id": "h3", "pushed_on": "2020-12-30", "checked_on": "2021-01-09"},
    ]
    visits = [
        {"household_id": "h1", "date": "2021-01-20", "outcome": "absent"},
        {"household_id": "h1", "date": "2021-01-22", "outcome": "confirmed"},
        {"household_id": "h2", "date": "2021-02-22", "outcome": "absent"},
        {"household_id": "h4", "date": "2021-03-31", "outcome": "not_confirmed"},
    ]
    workload = build_register_accounts(
        with_tables(warnings=warnings, visits=visits), "2021-01-01", "2021-03-31"
    ).tables["workload"]
    result = workload.groupby("line", sort=False)["n"].sum().to_dict()
    # As known at the end, what was passed on or checked in April had not been.
    assert result == {
        "warnings_pushed": 3,
        "households_warned": 2,
        "households_compared": 1,
        "households_checked": 1,
        "households_visited": 3,
        "households_met": 2,
        "households_confirmed": 1,
        "newly_identified": 1,
    }
