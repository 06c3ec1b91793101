"""Cadence, quotas, held-back households, tours and the curve: what a plan must never do, and what it must."""

from __future__ import annotations

import datetime as dt
from itertools import combinations

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel import presentation, scoring
from riskmodel.errors import InputRefused, UsageError
from riskmodel.scoring.office_files import read_names
from riskmodel.scoring.visit_plan import (
    add_due_dates,
    add_urgency,
    longest_visit_interval,
    parse_quotas,
    plan_visits,
    rank_unflagged,
    selection_probabilities,
)
from riskmodel.scoring.worklist import coverage_curve

AS_OF = dt.date(2021, 6, 30)


def seen(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Scores with cards and last visits, as a county would add them."""
    rng = np.random.default_rng(seed)
    n = len(scores)
    card = rng.choice([None, None, None, "red", "yellow", "blue"], n)
    every = pd.Series(card).map({"red": 15, "yellow": 30, "blue": 90}).astype("Int64")
    ago = pd.to_timedelta(rng.integers(1, 200, n), unit="D")
    last = pd.Series(pd.Timestamp(AS_OF) - ago).where(rng.random(n) < 0.5)
    return scores.assign(card=card, visit_every_days=every.to_numpy(), last_seen=last.to_numpy())


def ready(scores: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    frame = seen(scores, seed).sort_values(["probability", "household_id"], ascending=[False, True])
    return add_urgency(add_due_dates(frame.reset_index(drop=True), AS_OF).assign(in_cohort=True))


@given(
    n=st.integers(1, 80),
    flagged=st.sampled_from([0.0, 0.2, 1.0]),
    visits=st.integers(1, 60),
    share=st.sampled_from([0.0, 0.1, 1.0]),
    quota=st.sampled_from([None, "township", "village:2", "township:50%"]),
    seed=st.integers(0, 4),
)
@settings(max_examples=80, deadline=None)
def test_no_flagged_household_is_ever_held_back(make_scores, n, flagged, visits, share, quota, seed) -> None:
    frame = ready(make_scores(n, flagged, 0.0, 0.1, seed), seed)
    made = plan_visits(frame, visits, share, [seed, 1], parse_quotas(quota), 0.1)
    listed = made["selected_by"] != ""
    # Harm rule: whoever a rule flags is on the list; who is held back is neither flagged nor due.
    assert listed[made["flagged"]].all()
    assert not (made["held"] & (made["flagged"] | made["card_due"] | listed)).any()
    assert (made.loc[made["held"], "chance"] == 0).all()
    assert made["planned"].sum() <= visits
    # The expected number of planned visits is the number planned wherever every candidate is ranked.
    if frame["probability"].notna().all():
        assert made["chance"].sum() == pytest.approx(made["planned"].sum(), abs=1e-6)


def test_held_back_means_visited_within_the_cadence(make_scores) -> None:
    frame = ready(make_scores(300, seed=2), 2)
    every = frame["visit_every_days"].astype("Float64").fillna(longest_visit_interval()).astype(float)
    days = (pd.Timestamp(AS_OF) - frame["last_seen"]).dt.days
    assert longest_visit_interval() == 90
    lately = days.lt(every)
    assert (frame["held"] == (lately & ~frame["flagged"] & ~frame["card_due"])).all()
    assert frame["held"].any()
    # A red card visited 20 days ago is overdue: it is due at once, and on the list.
    one = frame.assign(flagged=False, card="red", visit_every_days=15)
    one["last_seen"] = pd.Timestamp(AS_OF) - pd.Timedelta(days=20)
    again = add_due_dates(one, AS_OF)
    assert (again["due_date"] == pd.Timestamp(AS_OF)).all()
    assert again["card_due"].all()
    assert not again["held"].any()


def test_every_village_above_the_floor_gets_a_visit_if_asked(make_scores) -> None:
    scores = make_scores(200, flagged=0.02, unknown=0.0, unscored=0.0, seed=5)
    made = scoring.build_worklist(scores, visits=40, quota="village", floor=0.2)
    high = scores[scores["probability"] >= 0.2]
    villages = set(zip(high["township"], high["village"], strict=True))
    visited = set(zip(made.planned["township"], made.planned["village"], strict=True))
    assert len(villages) > 8
    assert villages <= visited
    without = scoring.build_worklist(scores.assign(village=scores["household_id"]), visits=5, quota="village")
    assert len(without.planned) == 5


def test_chances_with_a_quota_and_held_households_are_those_of_all_lots(make_scores) -> None:
    frame = ready(make_scores(9, flagged=0.0, unknown=0.0, unscored=0.0, seed=3), 3)
    frame = frame.assign(card_due=False, turn=0)
    frame.loc[[1, 4], "held"] = True
    made = plan_visits(frame, 5, 0.4, [0], parse_quotas("township"), 0.0)
    placed = made.index[(made["chance"] == 1.0) & made["planned"]]
    pool = [i for i in frame.index if not frame.loc[i, "held"] and i not in placed]
    times = np.zeros(len(frame))
    lots = list(combinations(pool, 2))
    for lot in lots:
        left = [i for i in pool if i not in lot][: 5 - 2 - len(placed)]
        times[list(lot) + left] += 1
    # Every lot of two is equally likely, so a chance is a share of lots.
    np.testing.assert_allclose(made["chance"].iloc[pool], times[pool] / len(lots), atol=1e-12)


@pytest.mark.parametrize("beyond", ["score", "half", "last"])
def test_whom_no_forecast_speaks_of_goes_by_score_by_turns_or_last(make_scores, beyond) -> None:
    scores = make_scores(200, flagged=0.0, unknown=0.0, unscored=0.1, seed=9)
    scores["in_cohort"] = scores["pcni"] >= scores["line"]
    made = scoring.build_worklist(scores, visits=60, random_share=0.0, beyond=beyond)
    inside, pcni = made.planned["in_cohort"].to_numpy(), made.planned["pcni"].to_numpy()
    chances = made.planned["probability"].to_numpy()
    assert len(made.planned) == 60
    assert made.totals["planned_beyond"] == (~inside).sum()
    if beyond == "score":
        assert (np.diff(chances) <= 0).all()
        return
    # Forecasts go by their chance, the others by how far below the line they are.
    assert (np.diff(chances[inside]) <= 0).all()
    assert (np.diff(pcni[~inside]) >= 0).all()
    there = (scores["in_cohort"] & scores["probability"].notna()).sum()
    assert inside.sum() == (30 if beyond == "half" else min(60, there))
    if beyond == "last":
        # No forecast loses its place to a score that is none.
        plain = scoring.build_worklist(scores, visits=60, random_share=0.0)
        assert made.totals["expected_planned"] > plain.totals["expected_planned"]
    assert (made.curve["expected"].diff().dropna() >= 0).all()


@pytest.mark.parametrize("beyond", ["half", "last"])
def test_chances_are_those_of_all_lots_in_any_ranking(make_scores, beyond) -> None:
    frame = ready(make_scores(9, flagged=0.0, unknown=0.0, unscored=0.2, seed=4), 4)
    frame = frame.assign(card_due=False, turn=0, held=False, in_cohort=frame["pcni"] >= frame["line"])
    made = plan_visits(frame, 5, 0.4, [0], (), 0.0, beyond)
    pool, ranked = rank_unflagged(frame, np.arange(9), beyond)
    times = np.zeros(9)
    lots = list(combinations(range(9), 2))
    for lot in lots:
        times[[*lot, *[i for i in pool[:ranked] if i not in lot][:3]]] += 1
    np.testing.assert_allclose(made["chance"], times / len(lots), atol=1e-12)


def test_the_curve_covers_what_will_happen(make_scores) -> None:
    scores = make_scores(400, unknown=0.0, unscored=0.0, seed=8)
    made = scoring.build_worklist(scores, visits=60)
    curve = made.curve
    assert curve["more"].iloc[0] == 0
    assert curve["expected"].iloc[0] == pytest.approx(made.totals["expected_planned"])
    assert (curve["expected"].diff().dropna() > 0).all()
    assert curve["share"].between(0, 1).all()
    # Were the probabilities right, the number hit among the planned would lie within the interval in at
    # least 95 of 100 months (a Poisson spreads more than independent 0/1 outcomes).
    rng = np.random.default_rng(0)
    p = made.planned["probability"].to_numpy()
    hits = (rng.random((4000, len(p))) < p).sum(axis=1)
    inside = ((hits >= curve["low"].iloc[0]) & (hits <= curve["high"].iloc[0])).mean()
    assert inside >= 0.95
    bare = coverage_curve(
        plan_visits(ready(make_scores(30)).drop(columns=["probability_low"]), 5, 0, [0], (), 0.1)
    )
    assert bare["low"].isna().all()


def test_a_tour_takes_a_village_at_a_time(make_scores, tmp_path) -> None:
    made = scoring.build_worklist(make_scores(300, seed=6), visits=80, by="township")
    path = presentation.write_worklist(made, tmp_path / "list.xlsx")
    page = openpyxl.load_workbook(path)[sorted(made.listed["township"].unique())[0]]
    columns = [c.value for c in page[1]]
    rows = [[c.value for c in r] for r in page.iter_rows(min_row=2)]
    planned = [r for r in rows if r[columns.index("计划")] == "是"]
    villages = [r[columns.index("行政村")] for r in planned]
    assert len(set(villages)) == sum(a != b for a, b in zip(villages, [None, *villages], strict=False))
    assert [r[columns.index("走村顺序")] for r in planned] == sorted(
        r[columns.index("走村顺序")] for r in planned
    )


def test_names_are_joined_at_output_only(make_scores, tmp_path) -> None:
    made = scoring.build_worklist(make_scores(60, seed=1), visits=20)
    household = made.listed["household_id"].iloc[0]
    path = tmp_path / "names.csv"
    path.write_bytes(
        f"姓名对照表\n户编号,户主姓名,帮扶联系人,联系电话\n{household},王某某,李干部,055112345\n".encode(
            "gb18030"
        )
    )
    names = read_names(path)
    out = presentation.write_worklist(made, tmp_path / "list.xlsx", names=names)
    texts = {c.value for s in openpyxl.load_workbook(out) for r in s.iter_rows() for c in r}
    assert {"王某某", "李干部", "055112345"} <= texts
    assert "head_name" not in made.listed
    plain = presentation.write_worklist(made, tmp_path / "plain.xlsx")
    texts = {c.value for s in openpyxl.load_workbook(plain) for r in s.iter_rows() for c in r}
    assert not {"户主姓名", "联系人", "联系电话"} & texts
    path.write_text(f"户编号,户主姓名\n{household},甲\n{household},乙\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="twice and differently"):
        read_names(path)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="no header"):
        read_names(path)


def test_only_what_is_to_be_filled_in_can_be_changed(make_scores, tmp_path) -> None:
    made = scoring.build_worklist(make_scores(40, seed=1), visits=12)
    book = openpyxl.load_workbook(presentation.write_worklist(made, tmp_path / "list.xlsx"))
    page = book["核查名单"]
    open_cells = {page.cell(1, c.column).value for c in page[2] if not c.protection.locked}
    assert open_cells == {"核查结果", "处理意见", "风险原因", "核查日期", "核查人", "备注"}
    assert all(sheet.protection.sheet for sheet in book)
    with pytest.raises(UsageError, match="quota"):
        scoring.build_worklist(make_scores(40), visits=12, quota="county")  # type: ignore[arg-type]


# Chances of a planned visit must be those of the lot itself: checked by drawing every possible lot.
@pytest.mark.parametrize(
    ("pool", "ranked", "random", "by_score"),
    [(6, 6, 2, 2), (7, 5, 3, 1), (5, 5, 0, 2), (5, 5, 2, 0), (4, 4, 1, 3), (6, 0, 2, 0), (3, 3, 3, 0)],
)
def test_equal_to_all_lots_counted(pool: int, ranked: int, random: int, by_score: int) -> None:
    # Every lot of `random` households is equally likely, so a chance is a share of lots.
    times = np.zeros(pool)
    lots = list(combinations(range(pool), random))
    for lot in lots:
        left = [r for r in range(ranked) if r not in lot][:by_score]
        times[list(lot) + left] += 1
    np.testing.assert_allclose(
        selection_probabilities(pool, ranked, random, by_score), times / len(lots), atol=1e-12
    )


def test_chances_add_up_to_the_visits() -> None:
    # The expected number of visits is the number of visits: Σ chance = random + by_score when all are ranked.
    chances = selection_probabilities(5000, 5000, 25, 400)
    assert chances.sum() == pytest.approx(425, abs=1e-6)
    assert (chances > 0).all()
    assert (chances <= 1).all()
