"""Cadence, urgency, quotas, held-back households, tours and the curve: what a plan must do, and never do."""

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
from riskmodel.scoring.duties import find_duties, longest_visit_interval
from riskmodel.scoring.list_totals import coverage_curve
from riskmodel.scoring.office_files import read_names
from riskmodel.scoring.visit_plan import (
    Quota,
    add_duties,
    add_visit_dates,
    parse_quotas,
    plan_visits,
    rank_unflagged,
    selection_probabilities,
)

AS_OF = dt.date(2021, 6, 30)


def with_cards(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Scores with cards and last visits, as a county would add them."""
    rng = np.random.default_rng(seed)
    n = len(scores)
    card = rng.choice([None, None, None, "red", "yellow", "blue"], n)
    every = pd.Series(card).map({"red": 15, "yellow": 30, "blue": 90}).astype("Int64")
    ago = pd.to_timedelta(rng.integers(1, 200, n), unit="D")
    last = pd.Series(pd.Timestamp(AS_OF) - ago).where(rng.random(n) < 0.5)
    watched = pd.Series(card).notna().to_numpy()
    return scores.assign(
        card=card, visit_every_days=every.to_numpy(), last_seen=last.to_numpy(), in_register=watched
    )


def with_duties(frame: pd.DataFrame) -> pd.DataFrame:
    return add_duties(add_visit_dates(frame, AS_OF), find_duties(frame, AS_OF).rows)


def ready(scores: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    frame = with_cards(scores, seed).sort_values(["probability", "household_id"], ascending=[False, True])
    return with_duties(frame.reset_index(drop=True).assign(in_cohort=True))


def without_duties(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(owed=False, turn=0, urgency="", duties="")


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
    plan = plan_visits(frame, visits, share, [seed, 1], parse_quotas(quota), 0.1)
    listed = plan["selected_by"] != ""
    # Harm rule: whoever a rule flags, or is owed a visit, is on the list; who is held back is neither.
    assert listed[plan["flagged"] | plan["owed"]].all()
    assert not (plan["held"] & (plan["flagged"] | plan["owed"] | listed)).any()
    # A duty is never cut for anybody else: while one waits, only duties have a place, and those before it.
    waits = plan["owed"] & ~plan["planned"]
    if waits.any():
        assert plan.loc[plan["planned"], "owed"].all()
        if quota is None:
            assert plan.loc[plan["planned"], "turn"].max() < plan.loc[waits, "turn"].min()
    drawn = int(plan["selected_by"].eq("random").sum())
    free = int((plan["selected_by"].isin(["", "random", "model"]) & ~plan["held"]).sum())
    assert drawn == min(round(share * visits), max(visits - int(plan["owed"].sum()), 0), free)
    assert (plan.loc[plan["held"], "chance"] == 0).all()
    assert plan["planned"].sum() <= visits
    # The expected number of planned visits is the number planned wherever every candidate is ranked.
    if frame["probability"].notna().all():
        assert plan["chance"].sum() == pytest.approx(plan["planned"].sum(), abs=1e-6)


def test_held_back_means_visited_within_the_cadence(make_scores) -> None:
    frame = ready(make_scores(300, seed=2), 2)
    every = frame["visit_every_days"].astype("Float64").fillna(longest_visit_interval()).astype(float)
    days = (pd.Timestamp(AS_OF) - frame["last_seen"]).dt.days
    assert longest_visit_interval() == 90
    lately = days.lt(every)
    assert (frame["held"] == (lately & ~frame["flagged"] & ~frame["owed"])).all()
    assert frame["held"].any()
    # A red card visited 20 days ago is overdue: it is due at once, and on the list.
    one = frame.assign(flagged=False, card="red", visit_every_days=15, in_register=True)
    one["last_seen"] = pd.Timestamp(AS_OF) - pd.Timedelta(days=20)
    again = with_duties(one)
    assert (again["due_date"] == pd.Timestamp(AS_OF)).all()
    assert again["owed"].all()
    assert not again["held"].any()


def test_every_village_above_the_floor_gets_a_visit_if_asked(make_scores) -> None:
    scores = make_scores(200, flagged=0.02, unknown=0.0, unscored=0.0, seed=5)
    plan = scoring.build_worklist(scores, visits=40, quota="village", floor=0.2)
    high = scores[scores["probability"] >= 0.2]
    villages = set(zip(high["township"], high["village"], strict=True))
    visited = set(zip(plan.planned["township"], plan.planned["village"], strict=True))
    assert len(villages) > 8
    assert villages <= visited
    without = scoring.build_worklist(scores.assign(village=scores["household_id"]), visits=5, quota="village")
    assert len(without.planned) == 5


def test_chances_with_a_quota_and_held_households_are_those_of_all_lots(make_scores) -> None:
    frame = ready(make_scores(9, flagged=0.0, unknown=0.0, unscored=0.0, seed=3), 3)
    frame = without_duties(frame)
    frame.loc[[1, 4], "held"] = True
    plan = plan_visits(frame, 5, 0.4, [0], parse_quotas("township"), 0.0)
    placed = plan.index[(plan["chance"] == 1.0) & plan["planned"]]
    pool = [i for i in frame.index if not frame.loc[i, "held"] and i not in placed]
    times = np.zeros(len(frame))
    lots = list(combinations(pool, 2))
    for lot in lots:
        left = [i for i in pool if i not in lot][: 5 - 2 - len(placed)]
        times[list(lot) + left] += 1
    # Every lot of two is equally likely, so a chance is a share of lots.
    np.testing.assert_allclose(plan["chance"].iloc[pool], times[pool] / len(lots), atol=1e-12)


@pytest.mark.parametrize("beyond", ["none", "score", "half", "last"])
def test_whom_no_forecast_speaks_of_goes_by_score_by_turns_or_last(make_scores, beyond) -> None:
    scores = make_scores(200, flagged=0.0, unknown=0.0, unscored=0.1, seed=9)
    scores["in_cohort"] = scores["pcni"] >= scores["line"]
    plan = scoring.build_worklist(scores, visits=60, random_share=0.0, beyond=beyond)
    inside, pcni = plan.planned["in_cohort"].to_numpy(), plan.planned["pcni"].to_numpy()
    chances = plan.planned["probability"].to_numpy()
    assert plan.totals["planned_beyond"] == (~inside).sum()
    if beyond == "none":
        # Places go to forecasts alone, be there fewer of them than places.
        assert inside.all()
        assert len(plan.planned) == min(60, (scores["in_cohort"] & scores["probability"].notna()).sum())
        return
    assert len(plan.planned) == 60
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
        plain = scoring.build_worklist(scores, visits=60, random_share=0.0, beyond="score")
        assert plan.totals["expected_planned"] > plain.totals["expected_planned"]
    assert (plan.curve["expected"].diff().dropna() >= 0).all()


@pytest.mark.parametrize("beyond", ["none", "half", "last"])
def test_chances_are_those_of_all_lots_in_any_ranking(make_scores, beyond) -> None:
    frame = ready(make_scores(9, flagged=0.0, unknown=0.0, unscored=0.2, seed=4), 4)
    frame = without_duties(frame).assign(held=False, in_cohort=frame["pcni"] >= frame["line"])
    plan = plan_visits(frame, 5, 0.4, [0], (), 0.0, beyond)
    pool, ranked = rank_unflagged(frame, np.arange(9), beyond)
    times = np.zeros(9)
    lots = list(combinations(range(9), 2))
    for lot in lots:
        times[[*lot, *[i for i in pool[:ranked] if i not in lot][:3]]] += 1
    np.testing.assert_allclose(plan["chance"], times / len(lots), atol=1e-12)


def test_the_curve_covers_what_will_happen(make_scores) -> None:
    scores = make_scores(400, unknown=0.0, unscored=0.0, seed=8)
    plan = scoring.build_worklist(scores, visits=60)
    curve = plan.curve
    assert curve["more"].iloc[0] == 0
    assert curve["expected"].iloc[0] == pytest.approx(plan.totals["expected_planned"])
    assert (curve["expected"].diff().dropna() > 0).all()
    assert curve["share"].between(0, 1).all()
    # Were the probabilities right, the number hit among the planned would lie within the interval in at
    # least 95 of 100 months (a Poisson spreads more than independent 0/1 outcomes).
    rng = np.random.default_rng(0)
    p = plan.planned["probability"].to_numpy()
    hits = (rng.random((4000, len(p))) < p).sum(axis=1)
    inside = ((hits >= curve["low"].iloc[0]) & (hits <= curve["high"].iloc[0])).mean()
    assert inside >= 0.95
    bare = coverage_curve(
        plan_visits(ready(make_scores(30)).drop(columns=["probability_low"]), 5, 0, [0], (), 0.1)
    )
    assert bare["low"].isna().all()


def test_a_tour_takes_a_village_at_a_time(make_scores, tmp_path) -> None:
    plan = scoring.build_worklist(make_scores(300, seed=6), visits=80, by="township")
    path = presentation.write_worklist(plan, tmp_path / "list.xlsx")
    page = openpyxl.load_workbook(path)[sorted(plan.listed["township"].unique())[0]]
    columns = [c.value for c in page[1]]
    rows = [[c.value for c in r] for r in page.iter_rows(min_row=2)]
    planned = [r for r in rows if r[columns.index("计划")] == "是"]
    villages = [r[columns.index("行政村")] for r in planned]
    assert len(set(villages)) == sum(a != b for a, b in zip(villages, [None, *villages], strict=False))
    assert [r[columns.index("走村顺序")] for r in planned] == sorted(
        r[columns.index("走村顺序")] for r in planned
    )


def test_names_are_joined_at_output_only(make_scores, tmp_path) -> None:
    plan = scoring.build_worklist(make_scores(60, seed=1), visits=20)
    household = plan.listed["household_id"].iloc[0]
    path = tmp_path / "names.csv"
    path.write_bytes(
        f"姓名对照表\n户编号,户主姓名,帮扶联系人,联系电话\n{household},王某某,李干部,055112345\n".encode(
            "gb18030"
        )
    )
    names = read_names(path)
    out = presentation.write_worklist(plan, tmp_path / "list.xlsx", names=names)
    texts = {c.value for s in openpyxl.load_workbook(out) for r in s.iter_rows() for c in r}
    assert {"王某某", "李干部", "055112345"} <= texts
    assert "head_name" not in plan.listed
    plain = presentation.write_worklist(plan, tmp_path / "plain.xlsx")
    texts = {c.value for s in openpyxl.load_workbook(plain) for r in s.iter_rows() for c in r}
    assert not {"户主姓名", "联系人", "联系电话"} & texts
    path.write_text(f"户编号,户主姓名\n{household},甲\n{household},乙\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="twice and differently"):
        read_names(path)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="no header"):
        read_names(path)


def test_only_what_is_to_be_filled_in_can_be_changed(make_scores, tmp_path) -> None:
    plan = scoring.build_worklist(make_scores(40, seed=1), visits=12)
    book = openpyxl.load_workbook(presentation.write_worklist(plan, tmp_path / "list.xlsx"))
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


KEYS = ["township", "village"]


@pytest.mark.parametrize(
    "text", ["county", "village:0", "village:-1", "township:101%", "township:x", "", "v:1"]
)
def test_what_is_no_quota_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"give township or village, alone .*village:2.*township:50%"):
        parse_quotas(text)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.floats(0.01, 1), st.integers(1, 200))
@settings(max_examples=80, deadline=None)
def test_a_share_is_shared_out_whole_and_to_within_one_visit(places, share, visits) -> None:
    codes = pd.factorize(np.array(places), sort=True)[0]
    plan = Quota("township", 0, share).targets(codes, visits)
    exact = round(share * visits) * np.bincount(codes) / len(codes)
    # Largest remainders: nothing is lost, and nobody is off by a whole visit.
    assert plan.sum() == round(share * visits)
    assert (np.abs(plan - exact) < 1).all()


def test_so_many_each_where_there_are_so_many_above_the_floor(make_scores) -> None:
    scores = make_scores(300, flagged=0.02, unknown=0.0, unscored=0.0, seed=5)
    plan = scoring.build_worklist(scores, visits=40, quota="village:3", floor=0.25)
    able = scores[scores["flagged"] | (scores["probability"] >= 0.25)].groupby(KEYS).size().clip(upper=3)
    got = plan.planned.groupby(KEYS).size().reindex(able.index, fill_value=0)
    assert (able == 3).any()
    assert (got >= able).all()
    # More than a list by probability alone would give these villages.
    plain = scoring.build_worklist(scores, visits=40, floor=0.25).planned.groupby(KEYS).size()
    assert (plain.reindex(able.index, fill_value=0) < able).any()


def test_half_shared_out_by_households_and_one_a_village(make_scores) -> None:
    scores = make_scores(400, flagged=0.0, unknown=0.0, unscored=0.0, seed=6)
    # All the risk is said to be in one township: without quotas it would have every visit.
    here = scores["township"] == scores["township"].iloc[0]
    scores["probability"] = scores["probability"].where(~here, 0.9)
    plain = scoring.build_worklist(scores, visits=60, random_share=0.0)
    assert set(plain.planned["township"]) == {scores["township"].iloc[0]}
    plan = scoring.build_worklist(
        scores, visits=60, random_share=0.0, quota=["township:50%", "village"], floor=0.0
    )
    got = plan.planned.groupby("township").size()
    share = 30 * scores.groupby("township").size() / len(scores)
    assert (got >= np.floor(share)).all()
    assert len(plan.planned.groupby(KEYS)) == len(scores.groupby(KEYS))
    assert len(plan.planned) == 60


def test_where_the_flagged_are_too_many_quotas_choose_among_them_and_drop_none(make_scores) -> None:
    scores = make_scores(300, flagged=0.6, unknown=0.0, unscored=0.0, seed=7)
    scores["village"] = [f"v{i % 25:02d}" for i in range(len(scores))]
    scores["township"] = "t"
    flagged = scores[scores["flagged"]]
    # One village is the poorest throughout: by urgency alone it would fill the plan.
    scores["pcni"] = scores["pcni"].where(scores["village"] != "v03", 10.0)
    plain = scoring.build_worklist(scores, visits=30, random_share=0.0)
    plan = scoring.build_worklist(scores, visits=30, random_share=0.0, quota="village")
    assert len(set(plan.planned["village"])) == flagged["village"].nunique() == 25
    assert len(set(plain.planned["village"])) < 25
    for found in (plain, plan):
        assert set(flagged["household_id"]) == set(found.listed["household_id"])
        assert (found.planned["selected_by"] == "rule").all()
    # The list still reads in its order: below the line before above it.
    below = (plan.planned["pcni"] < plan.planned["line"]).to_numpy()
    assert (np.diff(below.astype(int)) <= 0).all()


def test_too_little_room_gives_every_place_its_first_before_any_its_second(make_scores) -> None:
    scores = make_scores(200, flagged=0.0, unknown=0.0, unscored=0.0, seed=8)
    plan = scoring.build_worklist(scores, visits=14, random_share=0.0, quota="village:2", floor=0.0)
    size = plan.planned.groupby(KEYS).size()
    assert len(size) == 12
    assert size.sum() == 14


def households(*rows: dict[str, object]) -> pd.DataFrame:
    plain = {"flagged": True, "rule_category": "marginal", "pcni": 5000.0, "line": 6000.0, "probability": 0.5,
             "in_cohort": True, "in_register": False, "card": None, "visit_every_days": None,
             "last_seen": pd.NaT}  # fmt: skip
    frame = pd.DataFrame([{**plain, **row} for row in rows]).assign(
        household_id=[f"h{i}" for i in range(len(rows))]
    )
    frame["visit_every_days"] = frame["visit_every_days"].astype("Int64")
    return frame


def order(frame: pd.DataFrame) -> list[str]:
    plan = with_duties(frame)
    return list(plan[plan["turn"] > 0].sort_values("turn")["household_id"])


def test_new_before_watched_deep_before_shallow_and_a_chance_only_above_the_line() -> None:
    lately = pd.Timestamp("2021-06-25")
    frame = households(
        # A high score below the line is no forecast: the household further below goes first.
        {"pcni": 5900.0, "probability": 0.9, "in_cohort": False},
        {"pcni": 3000.0, "probability": 0.1, "in_cohort": False},
        {"pcni": 9000.0, "probability": 0.2},
        {"pcni": 9000.0, "probability": 0.7},
        # Under watch: a red card's visit that is due, a blue one's, and one that was just visited.
        {"pcni": 2000.0, "in_cohort": False, "in_register": True, "card": "blue", "visit_every_days": 90},
        {"pcni": 5000.0, "in_cohort": False, "in_register": True, "card": "red", "visit_every_days": 15},
        {"pcni": 1000.0, "in_cohort": False, "in_register": True, "card": "blue", "visit_every_days": 90,
         "last_seen": lately},
        # No rule flags it, its yellow card asks.
        {"flagged": False, "pcni": 9000.0, "in_cohort": False, "in_register": True, "card": "yellow",
         "visit_every_days": 30},
        {"flagged": False, "pcni": 9000.0, "probability": 0.99},
    )  # fmt: skip
    assert order(frame) == ["h1", "h0", "h3", "h2", "h5", "h7", "h4", "h6"]
    # A card asks for a visit, flagged or not, the worst colour first; one just made is shown, not made again.
    assert list(with_duties(frame)["urgency"]) == [
        "new", "new", "new", "new", "card", "card", "watched", "card", "",
    ]  # fmt: skip


@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([2000.0, 4000.0, 5999.0])), min_size=2, max_size=8)
)
@settings(max_examples=60, deadline=None)
def test_below_the_line_no_score_moves_anybody(rows: list[tuple[float, float]]) -> None:
    frame = households(*({"pcni": pcni, "probability": p} for p, pcni in rows))
    assert order(frame) == order(frame.assign(probability=0.5))


def test_unknown_income_register_and_line_are_no_reason_to_come_first(make_scores) -> None:
    frame = households({"pcni": float("nan"), "in_cohort": False}, {"pcni": 7000.0}, {"pcni": 5999.0})
    assert order(frame) == ["h2", "h1", "h0"]
    # Without a county nobody's register is known: everybody counts as new.
    bare = scoring.build_worklist(make_scores(80, flagged=0.5, seed=2), visits=10)
    assert set(bare.listed["urgency"]) <= {"new", "chance", "lot"}


def test_the_list_says_why_each_household_stands_there(make_scores, tmp_path) -> None:
    import openpyxl

    plan = scoring.build_worklist(
        make_scores(120, flagged=0.1, seed=2), visits=40, random_share=0.1, quota="village"
    )
    page = openpyxl.load_workbook(presentation.write_worklist(plan, tmp_path / "list.xlsx"))["核查名单"]
    rows = [[c.value for c in row] for row in page.iter_rows()]
    shown = [row[rows[0].index("排序依据")] for row in rows[1:]]
    words = {"new": "新触发规则", "quota": "乡村名额"}
    words |= {"chance": "风险概率", "lot": "抽签"}
    assert shown == [words[u] for u in plan.listed["urgency"]]
    assert set(shown) == set(words.values())
    summary = {
        r[0].value: r[1].value for r in openpyxl.load_workbook(tmp_path / "list.xlsx")["汇总"].iter_rows()
    }
    assert "不用来排先后" in summary["排序"]
    assert f"因此另列 {plan.totals['planned_quota']} 户" in summary["乡村名额"]


def test_a_list_from_a_snapshot_says_so(make_scores) -> None:
    from riskmodel.presentation.worklist import summary_lines

    plain = make_scores(40)
    taken = plain.assign(assumptions="snapshot_on=2021-04-15;line=6000")
    said = dict(summary_lines(scoring.build_worklist(taken, visits=10), "zh"))
    assert "2021-04-15 的快照" in said["快照"]
    assert said["规则假定"] == "snapshot_on=2021-04-15;line=6000"
    assert "快照" not in dict(summary_lines(scoring.build_worklist(plain, visits=10), "zh"))


def test_every_row_says_why_it_is_there_and_a_hint_is_no_forecast(make_scores, tmp_path) -> None:
    import openpyxl

    scores = make_scores(120, flagged=0.2, unscored=0.0, seed=3)
    scores["in_cohort"] = scores["pcni"] >= scores["line"]
    scores.loc[scores["flagged"], "rule_conditions"] = "below_line;at_risk"
    plan = scoring.build_worklist(scores, visits=60, random_share=0.1)
    beyond = plan.listed["urgency"].eq("beyond")
    assert (beyond == (plan.listed["selected_by"].eq("model") & ~plan.listed["in_cohort"])).all()
    page = openpyxl.load_workbook(presentation.write_worklist(plan, tmp_path / "list.xlsx"))["核查名单"]
    head = [c.value for c in page[1]]
    why = [page.cell(r, head.index("为什么在名单上") + 1).value for r in range(2, len(plan.listed) + 2)]
    assert all(why)
    rules = "规则：人均纯收入低于监测线；存在返贫致贫风险"
    owed = "职责：新触发规则；2021-07-30 前（一个月内入户）"
    told = f"{owed}\n{rules}"
    assert all(w.startswith(told) for w, f in zip(why, plan.listed["flagged"], strict=True) if f)
    assert all("抽签选出" in w for w, u in zip(why, plan.listed["urgency"], strict=True) if u == "lot")
    # What is no forecast is printed pale, all else is not.
    grey = [page.cell(r, head.index("风险概率") + 1).font.color for r in range(2, len(plan.listed) + 2)]
    pale = [c is not None and c.rgb == "FF8A94A6" for c in grey]
    assert pale == (~plan.listed["in_cohort"]).tolist()


def test_who_cannot_be_judged_is_told_why(make_scores, tmp_path) -> None:
    import openpyxl

    scores = make_scores(60, unknown=0.3, seed=5)
    scores["income_reason"] = pd.Series("income_stale", scores.index).where(scores["pcni"].isna())
    plan = scoring.build_worklist(scores, visits=10)
    for lang, sheet, head, says in (
        ("zh", "收入未知", "为什么在名单上", "收入未知：最近的年度合计已过时"),
        ("en", "Income unknown", "Why on the list", "Income unknown: the newest annual total is too old"),
    ):
        page = openpyxl.load_workbook(presentation.write_worklist(plan, tmp_path / f"{lang}.xlsx", lang))[
            sheet
        ]
        column = [c.value for c in page[1]].index(head) + 1
        assert all(page.cell(r, column).value.startswith(says) for r in range(2, page.max_row + 1))
        assert page.max_row == len(plan.unknown) + 1 > 5


@pytest.mark.parametrize("colour", ["red", "yellow", "blue", None])
def test_a_new_household_is_not_ordered_by_a_colour(colour: str | None) -> None:
    frame = households({"pcni": 5000.0, "card": colour}, {"pcni": 4000.0, "card": "red"})
    assert order(frame) == ["h1", "h0"]
