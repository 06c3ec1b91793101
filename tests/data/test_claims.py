"""Claims stand beside income: nothing of income changes by them but the reference figure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from riskmodel.data import About, County, from_frames, read_county, write_county
from riskmodel.households import fingerprint
from riskmodel.rules import evaluate_rules, explain_verdict

AS_OF = "2022-01-15"
WHOLE = About(coverage="whole", records_from="2019-01", data_through="2021-12-31")
MONTHS = [f"2021-{m:02d}" for m in range(1, 13)]


def income(*claims: tuple[str, str, object]) -> pd.DataFrame:
    """Wages of 500 a month for two households, and claims: household, month, amount."""
    wages = [{"household_id": h, "month": m, "source": "wage", "amount": 500} for h in "hk" for m in MONTHS]
    paid = [{"household_id": h, "month": m, "source": "claim", "amount": a} for h, m, a in claims]
    return pd.DataFrame([*wages, *paid])


def county(*claims: tuple[str, str, object], **more: pd.DataFrame) -> County:
    return from_frames(tables(*claims, **more), WHOLE)


def tables(*claims: tuple[str, str, object], **more: pd.DataFrame) -> dict[str, pd.DataFrame]:
    start = "2019-01-01"
    home = {"household_id": ["h", "k"], "township": "t", "village": "v", "registration": "lifted"}
    people = {"member_id": ["a", "b", "c"], "household_id": ["h", "h", "k"], "birth_month": "1980-01"}
    medical = {"household_id": ["h", "k"], "month": "2021-03", "category": "medical", "amount": [1000, 400]}
    return {
        "households": pd.DataFrame(home | {"valid_from": start}),
        "members": pd.DataFrame(people | {"valid_from": start}),
        "income": income(*claims),
        "spending": pd.DataFrame(medical),
    } | more


def test_claims_change_nothing_but_the_reference_figure() -> None:
    plain = county()
    # Of a month that is not on record too, and of one after all records.
    with_claims = county(("h", "2021-05", 300), ("h", "2018-05", 900), ("k", "2022-06", 900))
    assert (plain.frame("income")["source"] == "wage").all()
    pd.testing.assert_frame_equal(with_claims.frame("income"), plain.frame("income"))
    was, now = (evaluate_rules(c, "national-2021", AS_OF) for c in (plain, with_claims))
    pd.testing.assert_frame_equal(now.drop(columns="reference_income_pc"), was)
    # h: (6000 + 300 - 1000) / 2; k: 6000 - 400, without any claim in the period.
    assert now["reference_income_pc"].tolist() == [2650.0, 5600.0]
    assert list(now.columns).index("reference_income_pc") == list(now.columns).index("pcni") + 1
    told = explain_verdict(with_claims, "national-2021", AS_OF, "h")["zh"]
    assert "人均参考收入" in told
    assert "2,650.00" in told


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([("h", "2021-05", "many")], None),  # it was paid; how much cannot be read
        ([("h", "2021-05", 300), ("h", "2021-05", 200)], 2750.0),  # two receipts
        ([("h", "2019-05", "many")], 2500.0),  # not in the period
    ],
)
def test_a_claim_that_cannot_be_read_is_unknown_and_takes_no_income_off(
    claims: list[tuple[str, str, object]], expected: float | None
) -> None:
    c = county(*claims)
    row = evaluate_rules(c, "national-2021", AS_OF).iloc[0]
    assert (row["net_income"], row["doubts"]) == (6000, "")
    assert row["reference_income_pc"] == expected or (
        expected is None and pd.isna(row["reference_income_pc"])
    )


def test_an_importer_may_say_that_a_claim_was_not_read() -> None:
    off = {"household_id": ["h"], "of": "income", "item": "claim", "month_from": "2021-04",
           "month_to": "2021-06", "why": "not read"}  # fmt: skip
    verdicts = evaluate_rules(county(unrecorded=pd.DataFrame(off)), "national-2021", AS_OF)
    assert verdicts["net_income"].tolist() == [6000.0, 6000.0]
    assert verdicts["reference_income_pc"].isna().tolist() == [True, False]


def test_a_year_of_claims_counts_in_its_own_year_alone_and_its_newest_total_holds() -> None:
    rows = income().assign(month_from=lambda t: t["month"], month_to=lambda t: t["month"])
    totals = [
        ("2021-01", "2021-12", 500, "2022-01-05"), ("2021-01", "2021-12", 700, "2022-01-10"),
        ("2021-01", "2021-12", 900, "2022-03-01"),
    ]  # fmt: skip
    paid = pd.DataFrame(totals, columns=["month_from", "month_to", "amount", "recorded_on"])
    rows = pd.concat([rows.drop(columns="month"), paid.assign(household_id="h", source="claim")])
    c = county(income=rows)
    assert evaluate_rules(c, "national-2021", AS_OF)["reference_income_pc"].tolist() == [2850.0, 5600.0]
    # At half a year's distance the span straddles the edge of the period.
    half = evaluate_rules(county(income=rows), "national-2021", "2022-01-15", params={"period_months": 6})
    assert half["reference_income_pc"].isna().tolist() == [True, False]


def test_claims_are_written_as_income_and_read_again(tmp_path: Path) -> None:
    c = county(("h", "2021-05", 300), ("k", "2021-07", 40))
    again = read_county(write_county(c, tmp_path, "csv"))
    assert not (tmp_path / "claims.csv").exists()
    assert fingerprint(again, AS_OF) == fingerprint(c, AS_OF) != fingerprint(county(), AS_OF)
    assert fingerprint(county(("h", "2022-06", 300)), AS_OF) == fingerprint(county(), AS_OF)


def test_columns_that_came_later_leave_the_fingerprint_alone_until_they_say_something() -> None:
    base = tables()
    silent = base["households"].assign(policy_status=None, origin_cause=None)
    says = base["households"].assign(policy_status=["no_policy", None])
    prints = [fingerprint(county(**({"households": t})), AS_OF) for t in (base["households"], silent, says)]
    assert prints[0] == prints[1] != prints[2]
