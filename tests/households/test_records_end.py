"""Until when records are whole: one inference for county, coverage and the warning of dates beyond."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel.data import About, from_frames, month_ordinal
from riskmodel.data.county import county_of_frames
from riskmodel.households import Moment, dates_outside_records
from riskmodel.households.build_records import known_records
from riskmodel.households.coverage import OPEN

from ..features import counties

MAY, JULY = month_ordinal(2021, 5), month_ordinal(2021, 7)


def _county(in_july: int, *, linked: bool = False, **about):
    """Twenty households with wages until May 2021, some of them until July."""
    ids = [f"h{i:02d}" for i in range(20)]
    state = {"township": "东乡", "village": "一", "registration": "lifted", "valid_from": "2018-01-01"}
    frames = {
        "households": pd.DataFrame([{"household_id": h, **state} for h in ids]),
        "members": pd.DataFrame(
            [
                {"member_id": h, "household_id": h, "birth_month": "1970-01", "valid_from": "2018-01-01"}
                for h in ids
            ]
        ),
        "income": pd.DataFrame(
            [
                {"household_id": h, "month": m, "source": "wage", "amount": 900}
                for i, h in enumerate(ids)
                for m in range(month_ordinal(2020, 1), (JULY if i < in_july else MAY) + 1)
            ]
        ),
    }
    if linked:
        frames["household_links"] = pd.DataFrame(
            [{"old_id": h, "new_id": ids[0], "kind": "merge", "date": "2021-02-01"} for h in ids[1:12]]
        )
    return from_frames(frames, About(**about))


@pytest.mark.parametrize(("in_july", "linked", "last"), [(1, False, MAY), (2, False, JULY), (1, True, JULY)])
def test_a_tenth_of_the_households_carries_the_records(in_july, linked, last):
    # Merged households are one: of nine, one is over a tenth.
    county = _county(in_july, linked=linked)
    whole = dt.date(2021, 7, 31) if last == JULY else dt.date(2021, 5, 31)
    assert county.data_through == county.known_through == whole
    moment = Moment(dt.date(2021, 8, 31), dt.date(2021, 8, 31))
    (known,) = known_records(county, [moment])
    assert known.on.through == county.records_through(moment.as_of, moment.known_by) == last
    assert (f"whole until {whole}" in " ".join(dates_outside_records(county, "2021-08-31"))) is True
    assert dates_outside_records(county, whole) == []


def test_what_is_recorded_later_does_not_move_it():
    county = _county(20)
    june = dt.date(2021, 6, 30)
    assert county.records_through(june, june) == month_ordinal(2021, 6)
    (known,) = known_records(county, [Moment(june, june)])
    assert known.on.through == month_ordinal(2021, 6)


@pytest.mark.parametrize("seed", range(3))
def test_the_panel_ends_where_the_tables_do(seed):
    # Households that come later, corrected and late rows: what the panel says is what the query says.
    frames = counties.frames(seed, row_ids=seed > 0)
    frames["households"] = frames["households"].assign(
        valid_from=[f"20{19 + i % 3}-01-01" for i in range(len(frames["households"]))]
    )
    days = [dt.date(2019, 6, 30), dt.date(2020, 2, 14), dt.date(2021, 3, 31), dt.date(2023, 1, 1)]
    moments = [*(Moment(day, day) for day in days), Moment(dt.date(2020, 3, 1), dt.date(2021, 6, 30))]
    found = {known.moment: known.on.through for known in known_records(county_of_frames(frames), moments)}
    asked = county_of_frames(frames)
    expected = {m: asked.records_through(m.as_of, m.known_by) for m in moments}
    assert {m: OPEN if last is None else last for m, last in expected.items()} == found
    assert len(set(found.values())) > 2


def test_what_is_stated_holds():
    county = _county(20, data_through=dt.date(2021, 3, 31))
    (known,) = known_records(county, [Moment(dt.date(2021, 7, 31), dt.date(2021, 7, 31))])
    assert county.data_through == dt.date(2021, 3, 31)
    assert known.on.through == month_ordinal(2021, 3)
