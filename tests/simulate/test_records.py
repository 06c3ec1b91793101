"""Two clocks: nothing is written before it happens, and nothing later than promised."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel import rules, simulate
from riskmodel.data import About, from_frames
from riskmodel.simulate.parameters import Profile
from riskmodel.simulate.records import STEPS

HAPPENED = {
    "risk_events": "date",
    "monitoring": "date",
    "support": "date",
    "visits": "date",
    "households": "valid_from",
}


@pytest.mark.parametrize(("table", "column"), HAPPENED.items())
def test_nothing_is_recorded_before_it_happens(
    small: simulate.SimulatedCounty, table: str, column: str
) -> None:
    frame = small.frames[table]
    assert (frame.recorded_on >= frame[column]).all()


@pytest.mark.parametrize("table", ["income", "spending"])
def test_months_are_recorded_after_their_end_and_within_the_promise(
    small: simulate.SimulatedCounty, table: str
) -> None:
    frame = small.frames[table]
    end = pd.to_datetime(frame.month) + pd.offsets.MonthEnd(0)
    wait = (frame.recorded_on - end).dt.days
    assert wait.min() == 0
    assert wait.max() <= small.about["recording_delay_days"]
    # Most within 30 days, with a tail (brief of the data: late rows are what as-of cuts are for).
    assert (wait <= 30).mean() > 0.85
    assert (wait > 60).any()


def test_first_records_of_events_keep_the_promise(small: simulate.SimulatedCounty) -> None:
    promise = small.about["recording_delay_days"]
    for table in ("risk_events", "monitoring", "support", "visits"):
        frame = small.frames[table]
        assert (frame.recorded_on - frame.date).dt.days.max() <= promise, table


def test_nothing_is_recorded_after_the_data_end(small: simulate.SimulatedCounty) -> None:
    end = pd.Timestamp(small.about["data_through"])
    for name, frame in small.frames.items():
        assert (frame.recorded_on <= end).all(), name


def test_corrections_have_the_key_of_what_they_correct(small: simulate.SimulatedCounty) -> None:
    events = small.frames["risk_events"]
    again = events[events.row_id.duplicated(keep=False)]
    assert len(again), "no corrected event: the test would say nothing"
    assert again.groupby("row_id").loss.nunique().min() > 1
    for key in (["household_id", "date", "cause"],):
        assert (again.groupby("row_id")[key].nunique() == 1).all(axis=None)
    assert not events.duplicated(["row_id", "recorded_on"]).any()


@pytest.mark.parametrize(
    ("table", "key"),
    [("households", ["household_id", "valid_from"]), ("members", ["member_id", "valid_from"])],
)
def test_keys_are_corrected_never_duplicated(
    small: simulate.SimulatedCounty, table: str, key: list[str]
) -> None:
    frame = small.frames[table]
    assert frame.duplicated(key).any(), "no correction: the test would say nothing"
    # Two rows of one key recorded on one day would be a duplicate key, which the contract refuses.
    assert not frame.duplicated([*key, "recorded_on"]).any()


@pytest.mark.parametrize("day", ["2016-12-31", "2017-08-15", "2018-06-30", "2019-12-31"])
def test_no_two_versions_of_a_member_hold_on_one_day(small: simulate.SimulatedCounty, day: str) -> None:
    """In the state known at any day, validity never overlaps: what ends is closed with what follows it."""
    known = pd.Timestamp(day)
    m = small.frames["members"]
    m = m[m.recorded_on <= known].sort_values("recorded_on", kind="stable")
    m = m.drop_duplicates(["member_id", "valid_from"], keep="last").sort_values(["member_id", "valid_from"])
    following = m.groupby("member_id").valid_from.shift(-1)
    inner = following.notna()
    assert inner.any()
    assert (m.valid_to[inner] <= following[inner]).all()


def test_members_are_whole_people(small: simulate.SimulatedCounty) -> None:
    m = small.frames["members"]
    assert m.groupby("member_id")[["birth_month", "sex", "household_id"]].nunique().eq(1).all(axis=None)
    born = pd.to_datetime(m.birth_month)
    assert (m.valid_from >= born).all()
    assert (m.valid_to.dropna() > m.valid_from[m.valid_to.notna()]).all()


def test_every_household_has_one_head(small: simulate.SimulatedCounty) -> None:
    m = (
        small.frames["members"]
        .sort_values("recorded_on")
        .drop_duplicates(["member_id", "valid_from"], keep="last")
    )
    day = pd.Timestamp("2019-06-30")
    m = m[(m.valid_from <= day) & (m.valid_to.isna() | (m.valid_to > day))]
    heads = m[m.relation == "head"].groupby("household_id").size()
    assert (heads == 1).all()
    assert set(heads.index) == set(m.household_id)
    assert len(heads) > 270


def test_who_left_as_a_whole_has_no_member_and_no_money(ruler: simulate.SimulatedCounty) -> None:
    """After a whole household moved away or died out, nobody is a member and no money moves."""
    m = ruler.frames["members"].sort_values("recorded_on", kind="stable")
    m = m.drop_duplicates(["member_id", "valid_from"], keep="last")
    last = m.groupby("household_id").valid_to.max()[m.groupby("household_id").valid_to.count() > 0]
    still = set(m[m.valid_to.isna()].household_id)
    left = last[~last.index.isin(still)]
    assert len(left) >= 3, "nobody left: the test would say nothing"
    assert "整户迁出" in set(m.change_reason.dropna())
    for name in ("income", "spending"):
        rows = ruler.frames[name]
        rows = rows[rows.household_id.isin(left.index)]
        assert (pd.to_datetime(rows.month) <= rows.household_id.map(left)).all()


def test_support_follows_the_register_and_ends_later(small: simulate.SimulatedCounty) -> None:
    support, register = small.frames["support"], small.frames["monitoring"]
    entered = register[register.event.isin(["identified", "rolled_back", "re_marked"])]
    first = entered.groupby("household_id").date.min()
    assert (support.date >= support.household_id.map(first)).all()
    assert (support.end_date > support.date).all()
    assert np.isin(support.household_id.unique(), first.index).all()


def test_channels_differ_in_how_long_they_take(ruler: simulate.SimulatedCounty) -> None:
    """Departments push lists by the month, households tell at once: means of some hundred exponentials."""
    events = ruler.frames["risk_events"].drop_duplicates("row_id", keep="first")
    # Only events that every channel has had the time to tell of.
    events = events[events.date < events.date.max() - pd.Timedelta(days=120)]
    wait = (events.recorded_on - events.date).dt.days.groupby(events.channel).agg(["mean", "size"])
    declared = simulate.load_profile("default").recording.channels
    assert set(wait.index) <= set(declared)
    for name in ("household_application", "cadre_screening", "department_screening"):
        row = wait.loc[name]
        assert row["size"] > 100
        # The wait is at least a day, and cut at the promise, which shortens the slow ones a little.
        assert row["mean"] == pytest.approx(declared[name].mean_days + 0.5, rel=0.25)
    assert wait.loc["department_screening", "mean"] > 2 * wait.loc["household_application", "mean"]


ENTRIES = ("identified", "rolled_back", "re_marked")


@pytest.fixture(scope="module")
def contested() -> simulate.SimulatedCounty:
    """A busy office where a third of the cases meet an objection."""
    base = simulate.load_profile("default").model_dump()
    base["office"] |= {"objection": 0.33, "diligence": (0.3, 0.5)}
    return simulate.simulate_county(
        households=700, months=30, seed=4, profile=Profile.model_validate(base), futures=0
    )


def days(made: simulate.SimulatedCounty, step: str) -> pd.DataFrame:
    t = made.frames["procedure"]
    return t[t.step == step].sort_values(["household_id", "date"], ignore_index=True)


def test_first_and_last_step_are_the_visit_and_the_entry(contested: simulate.SimulatedCounty) -> None:
    visits, register = contested.frames["visits"], contested.frames["monitoring"]
    confirmed = visits[visits.outcome == "confirmed"].sort_values(["household_id", "date"])
    entered = register[register.event.isin(ENTRIES)].sort_values(["household_id", "date"])
    for step, own in (("入户核查", confirmed), ("县级审定", entered)):
        both = days(contested, step).merge(own, on=["household_id", "date"], how="outer", indicator=True)
        # Only what was recorded after the last day may be in one table and not in the other.
        apart = both[both._merge != "both"]
        assert len(both) > 25
        assert (apart.date > pd.Timestamp(contested.about["data_through"]) - pd.Timedelta(days=130)).all()
    assert set(contested.frames["procedure"].step) == set(STEPS)


def test_steps_come_in_order_and_objections_end_a_case(contested: simulate.SimulatedCounty) -> None:
    order = {step: k for k, step in enumerate(STEPS)}
    ends = 0
    for _, history in contested.frames["procedure"].groupby("household_id"):
        by_day = history.assign(k=history.step.map(order)).sort_values(["date", "k"])
        last = None
        for step in by_day.step:
            allowed = {None: "入户核查", "入户核查": "公示开始", "公示期满": "县级审定"}
            if step in ("公示期满", "公示异议"):
                assert last == "公示开始"
            else:
                assert step == allowed.get(last, "入户核查")
            ends += step in ("公示异议", "县级审定")
            last = step
    objected, approved = len(days(contested, "公示异议")), len(days(contested, "县级审定"))
    assert ends == objected + approved
    # A third of the cases, give or take three standard errors.
    share = objected / (objected + approved)
    assert abs(share - 0.33) < 3 * (0.33 * 0.67 / (objected + approved)) ** 0.5


def test_publicity_lasts_as_the_rules_ask(contested: simulate.SimulatedCounty) -> None:
    """At least 5 days in the village: the simulated office's approval is one or two months off."""
    about = {k: v for k, v in contested.about.items() if k != "simulated"}
    row = rules.check_time_limits(
        from_frames(contested.frames, About(**about)), "national-2021", about["data_through"]
    )
    publicity = row.set_index("id").loc["publicity"]
    assert publicity["checked"]
    assert publicity["in_time"] > 25
    assert publicity["late"] == 0
