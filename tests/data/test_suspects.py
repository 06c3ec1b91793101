"""Amounts of a whole year, township or file in another unit are named, in totals as in months."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.data import check_county, from_frames, write_county
from riskmodel.data import suspects as suspects_module
from riskmodel.data.suspects import BILLS, find_levels, find_suspects, level_records, level_sentences

YEARS = (2018, 2019, 2020, 2021)
TOWNSHIPS = ("东乡", "南乡", "西乡", "北乡")


def _county(basis="totals", years=YEARS, townships=TOWNSHIPS, n=12, seed=1):
    """A county of wages, business and transfers that grow a little, and of spending in proportion."""
    random = np.random.default_rng(seed)
    households, members, income, spending = [], [], [], []
    for place, township in enumerate(townships):
        for i in range(n):
            h = f"h{place}{i:02d}"
            households.append(
                {"household_id": h, "township": township, "village": "一", "registration": "lifted"}
                | {"valid_from": f"{years[0]}-01-01"}
            )
            members.append({"member_id": f"{h}-1", "household_id": h, "birth_month": "1970-01"})
            members[-1] |= {"valid_from": f"{years[0]}-01-01"}
            level = random.lognormal(np.log(30_000), 0.5)
            dealt = random.dirichlet((12, 6, 4))
            for year in years:
                grown = level * 1.07 ** (year - years[0])
                shares = zip(("wage", "business", "transfer"), dealt, strict=True)
                amounts = [("source", source, grown * share) for source, share in shares]
                amounts += [
                    ("category", "living", grown * 0.5),
                    ("category", "medical", random.exponential(900)),
                ]
                spans = (
                    [(f"{year}-01", f"{year}-12")]
                    if basis == "totals"
                    else [(f"{year}-{m:02d}",) * 2 for m in range(1, 13)]
                )
                for name, kind, amount in amounts:
                    for first, last in spans:
                        drawn = amount / len(spans) * random.lognormal(0, 0.2)
                        row = {"household_id": h, "month_from": first, "month_to": last, name: kind}
                        (income if name == "source" else spending).append(row | {"amount": round(drawn, 2)})
    frames = {"households": households, "members": members, "income": income, "spending": spending}
    return {name: pd.DataFrame(rows) for name, rows in frames.items()}


def _slip(frames, table, factor, year=None, township=None, kind=None):
    rows = frames[table]
    places = frames["households"].set_index("household_id")["township"]
    hit = pd.Series(True, index=rows.index)
    if year is not None:
        hit &= rows["month_to"].str.startswith(str(year))
    if township is not None:
        hit &= rows["household_id"].map(places) == township
    if kind is not None:
        hit &= rows["source" if table == "income" else "category"] == kind
    frames[table] = rows.assign(amount=rows["amount"].where(~hit, rows["amount"] * factor).round(4))
    return frames


def _found(frames):
    return level_records(find_levels(from_frames(frames), BILLS))


@pytest.mark.parametrize("basis", ["totals", "months"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_sound_county_is_not_warned_of(basis, seed):
    assert _found(_county(basis, seed=seed)) == []


@pytest.mark.parametrize("basis", ["totals", "months"])
@pytest.mark.parametrize(
    ("factor", "power"), [(1e-4, -4), (1e4, 4), (0.1, -1), (10, 1), (100, 2), (0.01, -2)]
)
@pytest.mark.parametrize(
    ("where", "against"),
    [
        ({"year": 2020}, "years"),
        ({"year": 2021}, "years"),
        ({"township": "南乡"}, "townships"),
        ({"year": 2019, "township": "西乡"}, "years"),
    ],
)
def test_a_year_or_a_township_in_another_unit_is_named(basis, factor, power, where, against):
    for table in ("income", "spending"):
        (row,) = _found(_slip(_county(basis, n=6), table, factor, **where))
        assert {k: row[k] for k in ("table", "basis", "kind", "factor", "against")} == {
            "table": table, "basis": basis, "kind": "all", "factor": power, "against": against,
        }  # fmt: skip
        assert (row["year"], row["township"]) == (where.get("year"), where.get("township", ""))


def test_one_source_of_one_year(tmp_path):
    rows = _found(_slip(_county(), "income", 1e-4, year=2020, kind="transfer"))
    assert [(r["kind"], r["year"], r["township"], r["factor"]) for r in rows] == [("transfer", 2020, "", -4)]


@pytest.mark.parametrize("year", [2020, 2021])
def test_of_two_years_the_one_out_of_range_is_named(year):
    frames = _slip(_county(years=(2020, 2021)), "income", 1e-4, year=year)
    assert [(r["year"], r["township"], r["factor"]) for r in _found(frames)] == [(year, "", -4)]


def test_a_whole_file(tmp_path):
    (row,) = _found(_slip(_county(), "income", 1e-4))[:1]
    assert (row["table"], row["year"], row["township"], row["against"]) == ("income", None, "", "plausible")
    assert row["factor"] == -4
    (row,) = _found(_slip(_county(), "spending", 1e4))
    assert (row["table"], row["against"], row["factor"]) == ("spending", "file", 4)


def test_check_does_not_say_that_it_can_be_used_without_naming_it(tmp_path):
    frames = _slip(_county(), "income", 1e-4, year=2020)
    summary, _ = check_county(write_county(frames, tmp_path / "data"), tmp_path / "out")
    assert not summary["refused"]
    said = (tmp_path / "out" / "quality.md").read_text(encoding="utf-8")
    assert "可以使用。" not in said
    assert "Can be used." not in said
    assert "可能以万元填写" in said
    assert "Can be used, but the unit of amounts looks wrong in 1 place" in said
    assert (tmp_path / "out" / "levels.csv").is_file()
    for lang in ("zh", "en"):
        assert "{" not in " ".join(level_sentences(summary["levels"], lang))


def test_a_total_of_one_household_in_another_unit_is_a_suspect():
    frames = _county()
    first = frames["income"]["household_id"] == "h000"
    hit = first & (frames["income"]["month_to"] == "2020-12") & (frames["income"]["source"] == "wage")
    frames["income"] = frames["income"].assign(
        amount=frames["income"]["amount"].where(~hit, frames["income"]["amount"] / 1e4).round(4)
    )
    suspects = find_suspects(from_frames(frames)).query("table == 'income'")
    assert suspects[["household_id", "month", "kind", "reason"]].values.tolist() == [
        ["h000", "2020-12", "wage", "far from usual"]
    ]


@pytest.mark.parametrize(("townships", "years"), [(2, (2020,)), (2, YEARS), (3, YEARS)])
def test_only_the_township_in_another_unit_is_blamed(townships, years):
    """Its neighbours are not held against it, however few they are."""
    (row,) = _found(
        _slip(_county(townships=TOWNSHIPS[:townships], years=years, n=6), "income", 1e-4, township="南乡")
    )
    assert (row["township"], row["factor"], row["against"]) == ("南乡", -4, "townships")


def test_most_years_may_be_the_wrong_ones():
    frames = _county()
    for year in YEARS[1:]:
        frames = _slip(frames, "income", 1e-4, year=year)
    assert [(r["year"], r["factor"]) for r in _found(frames)] == [(y, -4) for y in YEARS[1:]]


def test_townships_of_few_households_are_looked_at_together():
    frames = _slip(_county(n=3), "income", 1e-3, year=2020)
    assert [(r["township"], r["year"], r["factor"]) for r in _found(frames)] == [("", 2020, -3)]
    assert "千元" in level_sentences(_found(frames), "zh")[0]


def test_slices_of_the_households_find_what_the_whole_does(monkeypatch) -> None:
    made = simulate.simulate_county(households=60, months=36, seed=4, truth_at=[]).frames
    income = made["income"]
    wrong = income.index[income["amount"] > 100][::97]
    income.loc[wrong, "amount"] *= 100
    county = from_frames(made)
    whole = find_suspects(county)
    assert len(whole) > 5
    monkeypatch.setattr(suspects_module, "_ROWS_AT_ONCE", 500)
    pd.testing.assert_frame_equal(find_suspects(county), whole)
