"""Members in two places at once: who is kept out, who waits, and that no decision looks ahead."""

from __future__ import annotations

import datetime as dt

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.data import Link, Links, conflicts, read_county, write_county
from riskmodel.data.conflicts import Stay, resolve_stays
from riskmodel.data.read import read_tables
from riskmodel.households import PRESENT_MEMBERS, known_county

from . import exports

OPEN = dt.date.max


def day(month: int) -> dt.date:
    return dt.date(2020 + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def stay(row, known, household, begin, end=None, state="s"):
    return Stay(row, day(known), household, day(begin), day(end) if end else OPEN, (state,))


def test_spans_that_only_touch_do_not_overlap():
    # valid_to is exclusive: leaving on the day of arriving elsewhere is no overlap.
    assert resolve_stays([stay(1, 1, "A", 1, 5), stay(2, 5, "B", 5)]) == ([], [])


def test_an_explicit_end_inside_a_later_span_overlaps_even_in_one_household():
    assert resolve_stays([stay(1, 1, "A", 1, 9), stay(2, 5, "A", 5, state="other")])[0] == [(2, 1)]


def test_in_one_household_a_later_row_replaces_an_open_one():
    rows = [
        stay(1, 1, "A", 1, state="well"),
        stay(2, 5, "A", 5, state="ill"),
        stay(3, 9, "A", 9, state="well"),
    ]
    assert resolve_stays(rows) == ([], [])


def test_a_row_that_repeats_an_open_one_unchanged_overlaps():
    assert resolve_stays([stay(1, 1, "A", 1), stay(2, 5, "A", 5)]) == ([(2, 1)], [])


def test_a_new_number_is_no_second_household() -> None:
    # The office enters a member anew under the number of a merge, and leaves the row under the old one open.
    rows = [stay(1, 1, "A", 1), stay(2, 7, "B", 7)]
    merged = Links((Link("A", "C", "recode", day(3), day(3)), Link("C", "B", "merge", day(7), day(7))))
    assert resolve_stays(rows, merged) == ([], [])
    # Until the link is known they are two households: the row waits.
    late = Links((Link("A", "B", "merge", day(7), day(10)),))
    assert resolve_stays(rows, late) == ([], [(2, day(10))])
    # Who is there before the day of the link is in two places; a split joins nobody.
    assert resolve_stays([stay(1, 1, "A", 1), stay(2, 5, "B", 5)], late)[0] == [(2, 1)]
    assert resolve_stays(rows, Links((Link("A", "B", "split", day(7), day(7)),)))[0] == [(2, 1)]


def test_the_row_known_later_goes_whatever_it_speaks_of():
    # Row 2 speaks of the earlier time and became known later: it is the one that goes.
    assert resolve_stays([stay(1, 6, "A", 6), stay(2, 7, "B", 2)]) == ([(2, 1)], [])


def test_a_correction_that_makes_room_lets_the_waiting_row_stand_from_its_day():
    rows = [stay(1, 1, "A", 1), stay(2, 5, "B", 5), stay(3, 8, "A", 1, 5)]
    assert resolve_stays(rows) == ([], [(2, day(8))])
    # Recorded on one day, neither has to wait, in whatever order they stand in the file.
    assert resolve_stays([stay(1, 1, "A", 1), stay(2, 5, "B", 5), stay(3, 5, "A", 1, 5)]) == ([], [])


def test_an_empty_span_is_nowhere():
    assert resolve_stays([stay(1, 1, "A", 1), stay(2, 5, "B", 5, 5)]) == ([], [])


stays = st.builds(
    stay,
    row=st.just(0),
    known=st.integers(1, 8),
    household=st.sampled_from("AB"),
    begin=st.integers(1, 6),
    end=st.none() | st.integers(6, 10),
    state=st.sampled_from("st"),
)


def distinct(rows: list[Stay]) -> list[Stay]:
    """Number the rows and leave out equal keys of one day, which reading rejects before."""
    seen = {(s.known_on, s.begin): s for s in rows}
    return [Stay(i, s.known_on, s.household, s.begin, s.end, s.state) for i, s in enumerate(seen.values())]


def visible(rows: list[Stay], on: dt.date) -> set[int]:
    never, later = resolve_stays(rows)
    known = {s.row: s.known_on for s in rows} | dict(later)
    return {row for row, since in known.items() if since <= on} - {row for row, _ in never}


@settings(deadline=None, derandomize=True)
@given(st.lists(stays, max_size=7), st.integers(1, 8))
def test_nothing_recorded_later_changes_what_stood(rows, cut):
    # Take away everything recorded after a day: what stood on that day is the same.
    rows = distinct(rows)
    known = [s for s in rows if s.known_on <= day(cut)]
    assert visible(rows, day(cut)) == visible(known, day(cut))


@settings(deadline=None, derandomize=True)
@given(st.lists(stays, max_size=7))
def test_every_row_stands_waits_or_goes_once(rows):
    rows = distinct(rows)
    never, later = resolve_stays(rows)
    gone = [row for row, _ in never]
    assert len(gone) == len(set(gone))
    assert set(gone).isdisjoint(row for row, _ in later)
    assert all(since > rows[row].known_on for row, since in later)


def test_a_move_recorded_before_the_departure(tmp_path):
    rows = exports.core()
    start = rows["members"][0]
    rows["members"] += [
        start | {"household_id": "h02", "valid_from": "2020-05-01", "recorded_on": "2020-05-10"},
        start | {"valid_to": "2020-05-01", "recorded_on": "2020-07-20"},
    ]
    county = read_county(write_county(exports.frames(rows), tmp_path))
    assert len(county.rejected) == 0
    assert any("members: 1 row in contradiction" in note for note in county.notes)
    home = {}
    for on in ("2020-04-30", "2020-05-31", "2020-07-19", "2020-07-20"):
        present = known_county(county, on).rows(PRESENT_MEMBERS).to_pandas()
        home[on] = present.loc[present.member_id == start["member_id"], "household_id"].tolist()
    # Until the office knew that he had left h01, he counts there; never in both, never in none.
    assert home == {
        "2020-04-30": ["h01"],
        "2020-05-31": ["h01"],
        "2020-07-19": ["h01"],
        "2020-07-20": ["h02"],
    }


@pytest.mark.parametrize("changed", [{"household_id": "h03"}, {"valid_to": "2021-01-01"}, {}])
def test_an_overlap_is_kept_out_with_the_row_it_contradicts(tmp_path, changed):
    rows = exports.core()
    rows["members"].append(
        rows["members"][0] | {"valid_from": "2019-06-01", "recorded_on": "2019-06-02"} | changed
    )
    reading = read_tables(write_county(exports.frames(rows), tmp_path, "csv"))
    found = reading.county.rejected
    assert found[["row", "column", "reason"]].to_numpy().tolist() == [
        [14, "valid_from", "overlapping validity"]
    ]
    assert "row 2" in found.detail[0]


def test_equal_rows_are_found_whatever_the_number_of_hashes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    con = ibis.duckdb.connect()
    con.raw_sql("CREATE TABLE t AS SELECT i AS row_, i % 40 AS a, i % 3 = 0 AS b FROM range(50) AS r(i)")
    first_of_equal = conflicts._later_of(con, "t", '"a", "b"', "", "duplicate row")
    monkeypatch.setattr(conflicts, "_HASHES_AT_ONCE", 16)
    in_pieces = conflicts._later_of(con, "t", '"a", "b"', "", "duplicate row")
    # 40 to 49 repeat 0 to 9 in a; in b they differ where one of the two is a multiple of 3.
    expected = [i for i in range(40, 50) if (i % 3 == 0) == ((i - 40) % 3 == 0)]
    assert first_of_equal["row"].tolist() == in_pieces["row"].tolist() == expected
    assert (in_pieces["other"] == in_pieces["row"] - 40).all()
