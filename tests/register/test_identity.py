"""The register follows households through new numbers, merges and links that are recorded late."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.data import About, County
from riskmodel.data.county import county_of_frames
from riskmodel.households import all_numbers, current_ids, known_county
from riskmodel.register import build_register_accounts
from riskmodel.register.history import register_history
from riskmodel.scoring import names_by_current_number
from riskmodel.scoring.worklist import household_context

MONTHS = [str(m) for m in pd.period_range("2019-01", "2021-06", freq="M")]


def county(
    register: list[tuple], links: list[tuple], homes: tuple[str, ...] = ("old", "new"), **more: list[dict]
) -> County:
    """Households with a member and a wage each; ``new`` has members from the day of its link on."""
    since = {"old": "2015-01-01", "other": "2015-01-01"}
    day = links[0][3] if links else "2015-01-01"
    rows = {
        "households": [
            {"household_id": h, "township": "t", "village": "v", "registration": "lifted",
             "valid_from": since.get(h, day)} for h in homes
        ],
        "members": [
            {"member_id": h if h == "other" else "a", "household_id": h, "birth_month": "1980-01",
             "valid_from": since.get(h, day)} for h in homes
        ],
        "income": [
            {"household_id": "new" if m >= day[:7] and "new" in homes else "old", "month": m,
             "source": "wage", "amount": 1000} for m in MONTHS
        ],
        "monitoring": [
            dict(zip(("household_id", "date", "event", "category", "recorded_on"), row, strict=False))
            for row in register
        ],
        "household_links": [
            dict(zip(("old_id", "new_id", "kind", "date", "recorded_on"), row, strict=False)) for row in links
        ],
        **more,
    }  # fmt: skip
    about = About(coverage="whole", records_from="2019-01", data_through="2021-06-30", income_is_net=True)
    return county_of_frames({name: pd.DataFrame(r) for name, r in rows.items() if r}, about)


RECODE = [("old", "new", "recode", "2021-02-01", "2021-02-01")]
LATE = [("old", "new", "recode", "2021-02-01", "2021-05-10")]
WATCHED = ("old", "2020-03-01", "identified", "unstable_lifted")


def lines(c: County, first: str = "2021-01-01", last: str = "2021-03-31") -> dict[str, int]:
    frame = build_register_accounts(c, first, last).lines
    of_stock = frame[frame["stock"] == "open"].groupby("line")["hh"].sum()
    return {line: int(n) for line, n in of_stock.items() if n}


def test_a_renumbered_household_stays_in_the_register() -> None:
    c = county([WATCHED], RECODE)
    verdicts = rules.evaluate_rules(c, "national-2021", "2021-06-30")
    assert verdicts["household_id"].tolist() == ["new"]
    assert verdicts["outcome"].iloc[0] != ""  # only who is in the register has one
    assert lines(c) == {"opening_then": 1, "opening": 1, "closing": 1}


@pytest.mark.parametrize("anew", [[], [("new", "2021-02-01", "identified", "unstable_lifted")]])
def test_striking_off_the_old_number_is_no_removal(anew: list[tuple]) -> None:
    struck = ("old", "2021-02-01", "removed", None)
    c = county([WATCHED, struck, *anew], RECODE)
    assert lines(c) == {"opening_then": 1, "opening": 1, "closing": 1}
    assert known_county(c, "2021-06-30").accounts().to_pandas()["in_register"].tolist() == [True]
    accounts = build_register_accounts(c, "2021-01-01", "2021-03-31")
    assert accounts.findings.empty
    assert accounts.natural.empty  # the member stays where it was
    # A removal on another day is one.
    gone = county([WATCHED, ("old", "2021-03-05", "removed", None)], RECODE)
    assert lines(gone) == {"opening_then": 1, "opening": 1, "removed": 1}


def test_a_copied_register_row_is_the_same_row() -> None:
    copied = ("new", "2020-03-01", "identified", "unstable_lifted")
    c = county([WATCHED, copied], RECODE)
    assert lines(c) == {"opening_then": 1, "opening": 1, "closing": 1}
    assert build_register_accounts(c, "2021-01-01", "2021-03-31").findings.empty


def test_a_link_recorded_late_acts_from_its_recording() -> None:
    struck = ("old", "2021-02-01", "removed", None)
    anew = ("new", "2021-02-01", "identified", "unstable_lifted")
    c = county([WATCHED, struck, anew], LATE)
    # Until then the office knew two households: one removed, one identified.
    assert lines(c) == {"opening_then": 1, "opening": 1, "removed": 1, "identified": 1, "closing": 1}
    # Afterwards the quarter begins with one household, as it then knows.
    later = lines(c, "2021-04-01", "2021-06-30")
    assert later == {"opening_then": 1, "opening": 1, "closing": 1}
    before, after = known_county(c, "2021-05-09"), known_county(c, "2021-05-10")
    ids = pd.Series(["old", "new", "nobody"])
    assert current_ids(before, ids).tolist() == ["old", "new", "nobody"]
    assert current_ids(after, ids).tolist() == ["new", "new", "nobody"]
    assert all_numbers(before, ["new"]) == ["new"]
    assert all_numbers(after, ["new"]) == ["new", "old"]


MERGE = [("old", "other", "merge", "2021-02-01", "2021-02-01")]


def test_a_merged_household_has_the_strictest_state_of_its_parents() -> None:
    homes = ("old", "other")
    done = [
        ("other", "2019-03-01", "identified", "unstable_lifted"),
        ("other", "2021-01-15", "eliminated", None),
    ]
    c = county([WATCHED, *done], MERGE, homes)
    state = known_county(c, "2021-03-31").accounts().to_pandas().set_index("household_id")
    assert state.index.tolist() == ["other"]
    assert bool(state.loc["other", "in_register"])
    rows = register_history(known_county(c, "2021-03-31"))
    assert (
        rows["state"].tolist() == ["watched"] * 3
    )  # the other parent's elimination leaves one that is watched
    accounts = build_register_accounts(c, "2021-01-01", "2021-03-31")
    assert accounts.findings.empty
    # Two households then, one now: one line says so.
    assert lines(c) == {"opening_then": 2, "opening": 1, "restated": -1, "closing": 1}
    # From the merge on the register speaks of the one household.
    ended = county([WATCHED, *done, ("other", "2021-03-01", "eliminated", None)], MERGE, homes)
    assert not known_county(ended, "2021-03-31").accounts().to_pandas()["in_register"].any()
    assert lines(ended)["eliminated"] == 1


def test_visits_and_the_register_of_the_old_number_stand_on_the_list() -> None:
    visits = [{"household_id": "old", "date": "2020-12-01", "outcome": "confirmed"}]
    c = county([WATCHED], LATE, visits=visits)
    context = household_context(known_county(c, "2021-06-30")).set_index("household_id")
    assert context.index.tolist() == ["new"]
    assert context.loc["new", "last_visit"] == pd.Timestamp("2020-12-01")
    assert bool(context.loc["new", "in_register"])
    then = household_context(known_county(c, "2021-05-01")).set_index("household_id")
    assert pd.isna(then.loc["new", "last_visit"])


def test_names_of_the_old_number_are_found_under_the_new_one() -> None:
    c = county([WATCHED], LATE)
    names = pd.DataFrame({"household_id": ["old", "x"], "head_name": ["甲", "乙"]})
    after = names_by_current_number(names, known_county(c, "2021-06-30"))
    assert after["household_id"].tolist() == ["new", "x"]
    both = pd.DataFrame({"household_id": ["old", "new"], "head_name": ["甲", "丙"]})
    found = names_by_current_number(both, known_county(c, "2021-06-30"))
    assert found.to_dict("records") == [{"household_id": "new", "head_name": "丙"}]
    assert names_by_current_number(names, known_county(c, "2021-05-01")).equals(names)


def test_a_row_since_a_merge_replaces_what_its_parents_were() -> None:
    # old (watched) and other are merged, then eliminated as one; a year later the household is merged again
    # with one that was never in the register: nobody is watched, though one of the first parents once was.
    homes = ("old", "other", "new")
    twice = [*MERGE, ("other", "new", "merge", "2021-04-01", "2021-04-01")]
    done = ("other", "2021-03-01", "eliminated", None)
    c = county([WATCHED, done], twice, homes)
    state = known_county(c, "2021-06-30").accounts().to_pandas().set_index("household_id")
    assert state.index.tolist() == ["new"]
    assert (bool(state.loc["new", "in_register"]), state.loc["new", "register_event"]) == (
        False,
        "eliminated",
    )
    assert register_history(known_county(c, "2021-06-30"))["state"].tolist() == ["watched", "eliminated"]
    # Without that row the second merge takes over who is watched.
    watched = known_county(county([WATCHED], twice, homes), "2021-06-30").accounts().to_pandas()
    assert watched["in_register"].tolist() == [True]


def test_a_number_that_only_a_link_names_is_known() -> None:
    # The office went on under a new number in income alone: households and members still have the old one.
    renamed = [{"household_id": "new" if m >= "2021-02" else "old", "month": m,
                "source": "wage", "amount": 1000}
               for m in MONTHS]  # fmt: skip
    c = county([WATCHED], RECODE, ("old",), income=renamed)
    assert not len(c.rejected)
    row = known_county(c, "2021-06-30").accounts().to_pandas().iloc[0]
    assert (row["household_id"], row["net_income"], bool(row["in_register"])) == ("new", 12_000, True)


def test_a_household_that_a_split_ended_is_put_out_no_longer() -> None:
    split = [("old", "new", "split", "2021-02-01", "2021-02-01")]
    members = [
        {"member_id": "a", "household_id": "old", "birth_month": "1980-01", "valid_from": "2015-01-01",
         "valid_to": "2021-02-01"},
        {"member_id": "a", "household_id": "new", "birth_month": "1980-01", "valid_from": "2021-02-01"},
    ]  # fmt: skip
    c = county([WATCHED], split, members=members)
    put_out = known_county(c, "2021-06-30").accounts().to_pandas()
    assert put_out["household_id"].tolist() == ["new"]
    assert put_out["income_reason"].tolist() == ["split"]
    # Its entry stands in the register until the office strikes it off.
    assert lines(c)["closing"] == 1
