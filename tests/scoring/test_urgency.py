"""The order among those whom rules name: what the rules measure, and a chance only where it is a forecast."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel import presentation, scoring
from riskmodel.scoring.visit_plan import add_due_dates, add_urgency

AS_OF = dt.date(2021, 6, 30)


def households(*rows: dict[str, object]) -> pd.DataFrame:
    plain = {"flagged": True, "pcni": 5000.0, "line": 6000.0, "probability": 0.5, "in_cohort": True,
             "in_register": False, "card": None, "visit_every_days": None, "last_seen": pd.NaT}  # fmt: skip
    frame = pd.DataFrame([{**plain, **row} for row in rows]).assign(
        household_id=[f"h{i}" for i in range(len(rows))]
    )
    frame["visit_every_days"] = frame["visit_every_days"].astype("Int64")
    return add_due_dates(frame, AS_OF)


def order(frame: pd.DataFrame) -> list[str]:
    made = add_urgency(frame)
    return list(made[made["turn"] > 0].sort_values("turn")["household_id"])


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
    assert order(frame) == ["h1", "h0", "h3", "h2", "h5", "h4", "h6", "h7"]
    assert list(add_urgency(frame)["urgency"]) == [
        "new_below", "new_below", "new_above", "new_above", "watched_due", "watched_due", "watched",
        "card_due", "",
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
    assert set(bare.listed["urgency"]) <= {"new_below", "new_above", "chance", "lot"}


def test_the_list_says_why_each_household_stands_there(make_scores, tmp_path) -> None:
    import openpyxl

    made = scoring.build_worklist(
        make_scores(120, flagged=0.1, seed=2), visits=40, random_share=0.1, quota="village"
    )
    page = openpyxl.load_workbook(presentation.write_worklist(made, tmp_path / "list.xlsx"))["核查名单"]
    rows = [[c.value for c in row] for row in page.iter_rows()]
    shown = [row[rows[0].index("排序依据")] for row in rows[1:]]
    words = {"new_below": "未监测 线下", "new_above": "未监测 线上", "quota": "乡村名额"}
    words |= {"chance": "风险概率", "lot": "抽签"}
    assert shown == [words[u] for u in made.listed["urgency"]]
    assert set(shown) == set(words.values())
    summary = {
        r[0].value: r[1].value for r in openpyxl.load_workbook(tmp_path / "list.xlsx")["汇总"].iter_rows()
    }
    assert "不用来排先后" in summary["排序"]
    assert f"因此另列 {made.totals['planned_quota']} 户" in summary["乡村名额"]


def test_every_row_says_why_it_is_there_and_a_hint_is_no_forecast(make_scores, tmp_path) -> None:
    import openpyxl

    scores = make_scores(120, flagged=0.2, unscored=0.0, seed=3)
    scores["in_cohort"] = scores["pcni"] >= scores["line"]
    scores.loc[scores["flagged"], "rule_conditions"] = "below_line;at_risk"
    made = scoring.build_worklist(scores, visits=60, random_share=0.1)
    beyond = made.listed["urgency"].eq("beyond")
    assert (beyond == (made.listed["selected_by"].eq("model") & ~made.listed["in_cohort"])).all()
    page = openpyxl.load_workbook(presentation.write_worklist(made, tmp_path / "list.xlsx"))["核查名单"]
    head = [c.value for c in page[1]]
    why = [page.cell(r, head.index("为什么在名单上") + 1).value for r in range(2, len(made.listed) + 2)]
    assert all(why)
    rules = "规则：人均纯收入低于监测线；存在返贫致贫风险"
    assert all(w.startswith(rules) for w, f in zip(why, made.listed["flagged"], strict=True) if f)
    assert all("抽签选出" in w for w, u in zip(why, made.listed["urgency"], strict=True) if u == "lot")
    # What is no forecast is printed pale, all else is not.
    grey = [page.cell(r, head.index("风险概率") + 1).font.color for r in range(2, len(made.listed) + 2)]
    pale = [c is not None and c.rgb == "FF8A94A6" for c in grey]
    assert pale == (~made.listed["in_cohort"]).tolist()


def test_who_cannot_be_judged_is_told_why(make_scores, tmp_path) -> None:
    import openpyxl

    scores = make_scores(60, unknown=0.3, seed=5)
    scores["income_reason"] = pd.Series("income_stale", scores.index).where(scores["pcni"].isna())
    made = scoring.build_worklist(scores, visits=10)
    for lang, sheet, head, says in (
        ("zh", "收入未知", "为什么在名单上", "收入未知：最近的年度合计已过时"),
        ("en", "Income unknown", "Why on the list", "Income unknown: the newest annual total is too old"),
    ):
        page = openpyxl.load_workbook(presentation.write_worklist(made, tmp_path / f"{lang}.xlsx", lang))[
            sheet
        ]
        column = [c.value for c in page[1]].index(head) + 1
        assert all(page.cell(r, column).value.startswith(says) for r in range(2, page.max_row + 1))
        assert page.max_row == len(made.unknown) + 1 > 5


@pytest.mark.parametrize("colour", ["red", "yellow", "blue", None])
def test_a_new_household_is_not_ordered_by_a_colour(colour: str | None) -> None:
    frame = households({"pcni": 5000.0, "card": colour}, {"pcni": 4000.0, "card": "red"})
    assert order(frame) == ["h1", "h0"]
