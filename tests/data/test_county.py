"""Writing a county in the contract's form."""

from __future__ import annotations

import datetime as dt

import openpyxl
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from riskmodel.data import About, from_frames, read_county, write_county
from riskmodel.errors import UsageError
from riskmodel.households import known_county, point_in_time

from . import exports


def test_frames_are_written_in_the_contracts_words(tmp_path):
    frames = {
        "income": pd.DataFrame(
            {"household_id": ["h"], "month": [2021 * 12 + 4], "source": ["wage"], "amount": [1.5]}
        )
    }
    write_county(frames, tmp_path, "csv")
    assert (tmp_path / "income.csv").read_text() == "household_id,month,source,amount\nh,2021-05,wage,1.5\n"


def test_totals_keep_their_span_and_about_goes_along(tmp_path):
    about = About(snapshot_on=dt.date(2021, 4, 15), entry_lag_months=2)
    county = from_frames(exports.frames(exports.annual()), about)
    write_county(county, tmp_path)
    written = pd.read_parquet(tmp_path / "income.parquet")
    assert {"month_from", "month_to", "recorded_on"} <= set(written.columns)
    assert set(written.month_to) == {"2018-12", "2019-12", "2020-12"}
    assert read_county(tmp_path).about == about


def test_an_empty_table_stays_a_table(tmp_path):
    frames = exports.frames(exports.core())
    frames["spending"] = pd.DataFrame(columns=["household_id", "month", "category", "amount"])
    # An empty table says that nothing happened; an absent one says nothing.
    assert read_county(write_county(frames, tmp_path / "frames", "csv")).has("spending")
    assert read_county(write_county(from_frames(frames), tmp_path / "county", "xlsx")).has("spending")


days = st.dates(dt.date(2019, 1, 1), dt.date(2021, 12, 31))
incomes = st.fixed_dictionaries(
    {
        "household_id": st.sampled_from(["h01", "h02"]),
        "month_from": st.integers(2019 * 12, 2020 * 12),
        "months": st.sampled_from([1, 3, 12]),
        "source": st.sampled_from(["wage", "business_net"]),
        "amount": st.decimals(0, 99999, places=2).map(float),
        "recorded_on": st.none() | days,
    }
)


@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    rows=st.lists(incomes, min_size=1, max_size=8),
    as_of=days,
    format=st.sampled_from(["csv", "parquet", "xlsx"]),
)
def test_what_is_known_does_not_depend_on_the_files(tmp_path_factory, rows, as_of, format):
    frames = exports.frames(exports.core(n=2))
    spans = pd.DataFrame(rows)
    spans["month_to"] = spans["month_from"] + spans.pop("months") - 1
    # Nobody can have known of a span before its first month.
    first = [f"{m // 12}-{m % 12 + 1:02d}-01" for m in spans["month_from"]]
    spans["recorded_on"] = pd.to_datetime(spans["recorded_on"]).clip(lower=pd.to_datetime(pd.Series(first)))
    spans["row_id"] = [f"r{i}" for i in range(len(spans))]
    frames["income"] = spans
    county = from_frames(frames)
    again = read_county(write_county(county, tmp_path_factory.mktemp("any"), format))
    assert len(again.rejected) == 0
    assert point_in_time.fingerprint(again, as_of) == point_in_time.fingerprint(county, as_of)


def test_sheets_hold_typed_cells_and_no_formula(tmp_path):
    frames = exports.frames(exports.core())
    frames["households"].loc[0, "village"] = "=1+1"
    write_county(frames, tmp_path, "xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "households.xlsx").active
    cells = {cell.value: sheet.cell(2, cell.column) for cell in sheet[1]}
    assert cells["village"].data_type == "s"
    assert cells["valid_from"].value == dt.datetime(2018, 1, 1)
    assert cells["dibao"].value is True


def test_other_formats_are_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="'json' is no format"):
        write_county({}, tmp_path, "json")


def test_tables_that_are_asked_for_once_more_by_nobody_are_let_go(tmp_path):
    write_county(exports.frames(exports.core(2)), tmp_path)
    county = read_county(tmp_path)

    def tables():
        views = "SELECT view_name FROM duckdb_views() WHERE temporary"
        sql = f"SELECT table_name FROM duckdb_tables() UNION ALL {views}"
        return sorted(name for (name,) in county.con.con.execute(sql).fetchall())

    kept = county.once("kept", lambda: county.table("households").limit(1))
    before = tables()
    with county.with_temporary_tables():
        known = known_county(county, "2021-06-30")
        assert known.rows("members").count().execute() == len(county.frame("members"))  # a table
        known.rows("income").count().execute()  # a view that reads from a table kept as briefly
        county.once("a value", lambda: 7)
        assert len(tables()) > len(before)
    assert tables() == before
    assert county.once("kept", lambda: None) is kept
    assert county.cached["a value"] == 7
    # Asked for again, it is made again.
    assert known.rows("members").count().execute() == len(county.frame("members"))


def test_rows_are_held_compressed_and_come_back_as_they_were(tmp_path):
    rows = exports.core(2)
    rows["income"] = [
        {"household_id": rows["households"][i % 2]["household_id"], "month": "2020-01", "source": "wage",
         "amount": i + 0.25, "recorded_on": "2020-02-01"}
        for i in range(150_000)
    ]  # fmt: skip
    for name, frame in exports.frames(rows).items():
        frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
    county = read_county(tmp_path)
    held = "SELECT sum(memory_usage_bytes) FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'"
    assert county.con.con.execute(held).fetchall()[0][0] < 20 * len(county.frame("income"))
    assert county.frame("income")["amount"].astype(float).tolist() == [i + 0.25 for i in range(150_000)]
