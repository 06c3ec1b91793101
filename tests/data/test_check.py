"""`check`: what was kept out, and what the data as a whole shows, in files and in a summary."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from riskmodel.data import About, check_county, from_frames, write_county
from riskmodel.data.check import quality_report
from riskmodel.data.county import County
from riskmodel.data.suspects import count_suspects, find_suspects, write_suspects

from . import exports


def test_a_clean_county(tmp_path):
    rows = exports.clean()
    summary, county = check_county(write_county(exports.frames(rows), tmp_path / "data"), tmp_path / "out")
    assert county is not None
    assert not summary["refused"]
    assert {n: (t["read"], t["kept"]) for n, t in summary["tables"].items()} == {
        name: (len(some), len(some)) for name, some in rows.items()
    }
    assert summary["absent"] == {}
    assert summary["data_through"] == "2020-12-31"
    assert summary["income_coverage"]["general"] == {"households": 2, "with_income": 2, "share": 1.0}
    assert json.loads((tmp_path / "out" / "quality.json").read_text(encoding="utf-8")) == summary
    # Nothing kept out is a file with a header only, not a missing file.
    assert len(pd.read_csv(tmp_path / "out" / "rejected.csv")) == 0


def test_mistakes_are_counted_by_reason_and_written(tmp_path):
    rows, placed = exports.with_mistakes()
    folder = exports.write_chinese(tmp_path / "data", rows)
    summary, _ = check_county(folder, tmp_path / "out")
    assert summary["refused"]
    assert "收入.csv: 9 of 82 rows" in " ".join(summary["refusals"])  # an equal row is counted once
    counted = pd.Series([m.reason for m, _ in placed if m.table == "income"]).value_counts().to_dict()
    assert summary["tables"]["income"]["rejected_by_reason"] == counted
    assert summary["absent"].keys() == {
        "spending",
        "risk_events",
        "monitoring",
        "support",
        "assets",
        "visits",
    }
    written = pd.read_csv(tmp_path / "out" / "rejected.csv", dtype=str)
    assert len(written) == len(placed) + 1  # of a key given twice on one day both rows go
    # Whole and unchanged, even what looks like a formula.
    assert "=A1+B1" in set(written["金额"])
    assert not check_county(folder, max_rejected=0.5)[0]["refused"]


def test_what_cannot_be_read_is_said_and_not_raised(tmp_path):
    (tmp_path / "data").mkdir()
    summary, county = check_county(tmp_path / "data", tmp_path / "out")
    assert county is None
    assert summary["refused"]
    assert "households 农户" in summary["refusals"][0]
    assert (tmp_path / "out" / "rejected.csv").exists()


def test_findings(tmp_path):
    rows = exports.core()
    rows["income"] += [
        # The months of h01 add up to 12,066: a total of 12,100 is within 1 %, one of 13,000 is not.
        {
            "household_id": "h01",
            "month_from": "2020-01",
            "month_to": "2020-12",
            "source": "wage",
            "amount": 12100,
        },
        {
            "household_id": "h02",
            "month_from": "2020-01",
            "month_to": "2020-12",
            "source": "wage",
            "amount": 13000,
        },
        {"household_id": "h03", "month": "2020-05", "source": "business", "amount": 100},
        {
            "household_id": "h03",
            "month_from": "2020-01",
            "month_to": "2020-12",
            "source": "business_net",
            "amount": -5,
        },
    ]
    # h05 (general) has no income at all; a child of h04 counts two years before it is born.
    rows["income"] = [r for r in rows["income"] if r["household_id"] != "h05"]
    # (It was recorded when it was there: a row recorded before the birth is kept out.)
    rows["members"][7] |= {"birth_month": "2020-02", "recorded_on": "2020-03-05"}
    rows["income"][0]["recorded_on"] = "2020-06-30"
    summary, _ = check_county(write_county(exports.frames(rows), tmp_path))
    assert summary["totals_against_months"] == {
        "compared": 2,
        "differ": 1,
        "examples": [
            {
                "household_id": "h02",
                "source": "wage",
                "month_from": "2020-01",
                "month_to": "2020-12",
                "total": 13000.0,
                "months": 12186.0,
            }
        ],
    }
    assert summary["business_twice"] == {"households": 1, "examples": ["h03"]}
    assert summary["valid_before_birth"] == 1
    assert summary["income_coverage"]["general"] == {"households": 2, "with_income": 1, "share": 0.5}
    # Late is: more than a month after the day a row speaks of. The one row of 2020-01 recorded in June,
    # and the three totals, known three months after their year by assumption, of 64 rows in all.
    assert summary["tables"]["income"]["late_share"] == round(4 / 64, 6)
    for lang, said in (("zh", "一般农户：2 户中 1 户"), ("en", "general households with income")):
        text = quality_report(summary, lang)
        assert said in text
        assert "{" not in text


MONTHS = [f"{year}-{month:02d}" for year in (2018, 2019, 2020, 2021) for month in range(1, 13)]


def county(changes: dict[tuple[str, str], float | None], late: tuple[str, ...] = ()) -> County:
    """Two households with 1,000 yuan of wages each month of four years; None takes a month out."""
    rows = [(h, m, "wage", changes.get((h, m), 1000.0)) for h in ("a", "b") for m in MONTHS]
    income = pd.DataFrame(rows, columns=["household_id", "month", "source", "amount"]).dropna()
    end = pd.to_datetime(income.month) + pd.offsets.MonthEnd(0)
    income["recorded_on"] = end + pd.to_timedelta(income.month.isin(late) * 200, unit="D")
    households = pd.DataFrame({"household_id": ["a", "b"], "township": "t", "village": "v"})
    households = households.assign(registration="lifted", valid_from="2017-01-01")
    members = pd.DataFrame({"member_id": ["a1", "b1"], "household_id": ["a", "b"], "birth_month": "1980-01"})
    about = About(data_through="2021-12-31", recording_delay_days=120)
    return from_frames(
        {"households": households, "members": members.assign(valid_from="2017-01-01"), "income": income},
        about,
    )


@pytest.mark.parametrize(("amount", "doubted"), [(10_000, True), (0.1, True), (5_900, False), (20, False)])
def test_far_from_usual(amount: float, doubted: bool) -> None:
    """The usual is the median of the Mays: 1,000; six times it and a hundredth of it are the bounds."""
    found = find_suspects(county({("a", "2020-05"): amount}))
    assert len(found) == doubted
    if doubted:
        row = found.iloc[0]
        assert (row.household_id, row.month, row.kind) == ("a", "2020-05", "wage")
        assert (row.amount, row.usual, row.reason) == (amount, 1000.0, "far from usual")


def test_a_forgotten_month_is_one_between_two() -> None:
    found = find_suspects(county({("b", "2020-05"): None, ("a", "2019-03"): None, ("a", "2019-04"): None}))
    # Two months in a row may be a household without income; one between two with some looks forgotten.
    assert found[["household_id", "month", "reason"]].to_numpy().tolist() == [
        ["b", "2020-05", "month missing"]
    ]
    assert count_suspects(found) == {"month missing": 1}


def test_later_than_promised() -> None:
    found = find_suspects(county({}, late=("2019-07",)))
    assert set(found.reason) == {"later than promised"}
    assert found.household_id.tolist() == ["a", "b"]


def test_written_for_excel_and_for_machines(tmp_path) -> None:
    found = find_suspects(county({("a", "2020-05"): 10_000}))
    back = pd.read_csv(write_suspects(found, tmp_path), dtype={"month": str})
    assert back.month.tolist() == ["2020-05"]
    assert len(pd.read_csv(write_suspects(find_suspects(county({})), tmp_path))) == 0
