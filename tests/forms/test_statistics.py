"""统计表 附件3: totals add up on every level, agree with the ledger, and a break is refused."""

from __future__ import annotations

import pytest

from riskmodel.errors import InputRefused
from riskmodel.forms.statistics import (
    check_closing,
    rows_of_bands,
    rows_of_causes,
    rows_of_lists,
    rows_of_measures,
    rows_of_stocks,
    rows_of_visits,
)
from riskmodel.register import build_register_accounts

EVERY = [rows_of_bands, rows_of_causes, rows_of_lists, rows_of_measures, rows_of_stocks, rows_of_visits]


def numbers(row):
    return {k: v for k, v in row.items() if k.endswith(("_hh", "_p"))}


@pytest.mark.parametrize("source", EVERY, ids=lambda f: f.__name__)
def test_every_level_is_the_sum_of_the_level_below(small, source):
    rows = source(small, {})
    for category in {r.get("category") for r in rows}:
        part = [r for r in rows if r.get("category") == category]
        county = [r for r in part if r["township"] == "全县"]
        townships = [r for r in part if r["village"] == "小计"]
        villages = [r for r in part if not r["is_total"]]
        assert len(county) == 1
        for key in numbers(county[0]):
            assert county[0][key] == sum(t[key] for t in townships)
            for t in townships:
                # A village without anything in a category need not stand in it.
                assert t[key] == sum(v[key] for v in villages if v["township"] == t["township"])


def test_the_county_is_what_the_ledger_says(small):
    ledger = build_register_accounts(small.known, *small.quarter).lines
    ledger = ledger[ledger["stock"] == "open"].groupby("line")[["hh", "p"]].sum()
    county = rows_of_stocks(small, {})[0]
    assert county["category"] == "合计"
    for line in ("opening", "identified", "eliminated", "closing", "natural_increase"):
        assert (county[f"{line}_hh"], county[f"{line}_p"]) == tuple(ledger.loc[line])
    # By hand: h1, h3, h4, h7 at the quarter's begin; h4 eliminated, h8 identified with two persons, a birth.
    assert (county["opening_hh"], county["identified_hh"], county["eliminated_hh"], county["closing_hh"]) == (
        4,
        1,
        1,
        4,
    )
    assert (county["opening_p"], county["natural_increase_p"], county["closing_p"]) == (8, 1, 9)


def test_a_closing_that_does_not_follow_is_refused_by_place_and_figure(small):
    row = dict(rows_of_stocks(small, {})[0])
    check_closing(row)
    row["closing_p"] += 1
    with pytest.raises(InputRefused, match=r"全县 合计: closing 10 p, but opening, in and out give 9"):
        check_closing(row)


def test_visits_and_bands_are_counted_once(small):
    visits = rows_of_visits(small, {})[0]
    assert (visits["all_hh"], visits["visited_hh"], visits["confirmed_hh"], visits["absent_hh"]) == (
        9,
        4,
        2,
        1,
    )
    bands = rows_of_bands(small, {})[0]
    # h5 at 7,500; h2, h6 and h9 below 7,000; h1, h3, h7 (12,000) and h8 are lifted or watched.
    assert (bands["band7_hh"], bands["general_below_hh"], bands["plan_hh"]) == (1, 3, 3)
