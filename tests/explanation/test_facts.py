"""Printed facts, questions and measures are held against the raw rows of a county, every household of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from riskmodel import explanation, rules, simulate
from riskmodel.data import from_frames
from riskmodel.explanation.facts import fact_wording
from riskmodel.explanation.wording import load_measures
from riskmodel.households import known_county

AS_OF, YEAR_AGO = pd.Timestamp("2020-12-31"), pd.Timestamp("2019-12-31")
LINE = 6000.0
COSTS = {"medical": ("医疗自付", "illness"), "education": ("教育支出", "schooling"),
         "housing": ("住房支出", "housing"), "disaster": ("灾害损失", "disaster"),
         "accident": ("意外支出", "accident")}  # fmt: skip
OFFICIAL = {
    "illness": "因病", "disability": "因残", "schooling": "因学", "disaster": "因灾", 
    "accident": "因意外事故", "industry_failure": "因产业项目失败", "unstable_employment": "因务工就业不稳",
    "labour_shortage": "缺劳力", "housing": "因安全住房", 
    "water": "因安全饮水", "epidemic": "因疫情", "other": "其他",
}  # fmt: skip
EVENTS = {"identified": "纳入监测", "eliminated": "风险消除", "rolled_back": "风险消除回退",
          "re_marked": "风险再标注", "removed": "整户清退", "label_withdrawn": "风险标注回退"}  # fmt: skip
GENERAL = ("income", "other")


def half_up(value: float, decimals: int = 0) -> float:
    """As a spreadsheet rounds."""
    return float(np.sign(value) * np.floor(round(abs(value) * 10**decimals, 9) + 0.5) / 10**decimals) + 0.0


def yuan(value: float, beside: float | None = None) -> str:
    if beside is not None and value != beside and half_up(value) == half_up(beside):
        return f"{half_up(value, 2):,.2f} 元"
    return f"{half_up(value):,.0f} 元"


def known_rows(frame: pd.DataFrame, day: str) -> pd.DataFrame:
    """Return the rows on record at as-of, the latest of each number."""
    rows = frame[frame["recorded_on"].fillna(frame[day]).le(AS_OF) & frame[day].le(AS_OF)]
    if "row_id" not in rows:
        return rows
    rows = rows.sort_values("recorded_on", kind="stable")
    return rows[rows["row_id"].isna() | ~rows.duplicated("row_id", keep="last")]


@dataclass
class Told:
    """What is printed of a county, and its raw rows."""

    verdicts: pd.DataFrame
    facts: pd.DataFrame
    sheets: dict[str, explanation.FactSheet]
    raw: dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def told() -> Told:
    made = simulate.simulate_county(households=2500, months=48, seed=11, truth_at=[])
    raw = dict(made.frames)
    county = from_frames(raw)
    known = known_county(county, AS_OF.date())
    ruleset = rules.load_rules("national-2021")
    verdicts = rules.evaluate_rules(known, ruleset)
    facts = explanation.find_facts(known, verdicts, ruleset)
    sheets = explanation.write_fact_sheets(facts, list(verdicts["household_id"]), "zh")
    return Told(verdicts.set_index("household_id"), facts, sheets, raw)


Sums = dict[str, dict[tuple[str, str], float]]


def sums(told: Told, table: str, column: str) -> Sums:
    """Return what was on record in each household's period, and in the year before it, by kind of row."""
    rows = told.raw[table]
    rows = rows[rows["recorded_on"].le(AS_OF)].merge(
        told.verdicts[["period_from", "period_to"]].dropna(), left_on="household_id", right_index=True
    )
    month = pd.PeriodIndex(rows["month"], freq="M")
    first, last = (pd.PeriodIndex(rows[c], freq="M") for c in ("period_from", "period_to"))
    rows = rows.assign(
        when=np.select(
            [(month >= first) & (month <= last), (month >= first - 12) & (month <= last - 12)],
            ["now", "before"], "",
        )
    )  # fmt: skip
    out: Sums = {}
    added = rows[rows["when"] != ""].groupby(["household_id", "when", column], observed=True)["amount"].sum()
    for (household, when, kind), amount in added.items():
        out.setdefault(household, {})[when, kind] = float(amount)
    return out


def expected_lines(told: Told) -> dict[str, list[str]]:
    """Return what ought to be printed of each household on events, costs, income and the register."""
    income, spending = sums(told, "income", "source"), sums(told, "spending", "category")
    events = known_rows(told.raw["risk_events"], "date")
    events = events[events["date"].gt(YEAR_AGO)].sort_values(["date", "loss"], ascending=False, kind="stable")
    of_events = dict(iter(events.groupby("household_id")))
    register = known_rows(told.raw["monitoring"], "date").sort_values(["date", "recorded_on"], kind="stable")
    last = register.drop_duplicates("household_id", keep="last").set_index("household_id")
    out: dict[str, list[str]] = {}
    for household, v in told.verdicts.iterrows():
        lines: list[str] = []
        span = f"（{v['period_from']} 至 {v['period_to']}）"
        known = pd.notna(v["pcni"])

        def total(table: Sums, when: str, kind: str | None = None, own: str = household) -> float:
            of_home = table.get(own, {}).items()
            return sum(amount for (w, k), amount in of_home if w == when and kind in (None, k))

        net = total(income, "now") - total(spending, "now", "production") if known else np.nan
        net_before = total(income, "before") - total(spending, "before", "production")
        divisor = net_before if pd.notna(v["previous_pcni"]) else net
        whose = "上年" if pd.notna(v["previous_pcni"]) else "同期"
        costs = {c: total(spending, "now", c) for c in COSTS}
        rigid_holds = "rigid_too_large" in str(v["conditions"]).split(";")

        def compared(
            amount: float, divisor: float = divisor, whose: str = whose, persons: float = v["persons"]
        ):
            if np.isnan(divisor):
                return "家庭纯收入没有记录，不作比较"
            if divisor <= 0:
                return f"{whose}家庭纯收入为零或亏损，不作比较"
            if divisor < 0.1 * LINE * persons:
                return f"{whose}家庭纯收入很低，不作比较"
            ratio = amount / divisor
            if ratio > 10:
                return f"超过{whose}家庭纯收入的 10 倍"
            if ratio >= 1:
                return f"为{whose}家庭纯收入的 {half_up(ratio, 1):,.1f} 倍"
            return f"相当于{whose}家庭纯收入的 {half_up(100 * ratio):,.0f}%"

        shown = {
            c: f"{COSTS[c][0]} {yuan(a)}{span}，{compared(a)}"
            for c, a in costs.items()
            if known and a > 0 and (rigid_holds or a >= 5000 or a >= 0.3 * divisor)
        }
        for event in of_events.get(household, pd.DataFrame()).to_dict("records"):
            parts = [f"{OFFICIAL[event['cause']]} {event['date']:%Y-%m-%d}"]
            parts += [f"损失 {yuan(event['loss'])}"] if event["loss"] > 0 else []
            parts += ["农户申报"] if event["channel"] == "household_application" else []
            own = [c for c, (_, cause) in COSTS.items() if cause == event["cause"] and c in shown]
            text = "，".join(parts)
            lines.append("；".join([text, *(shown.pop(c) for c in own)]))
        lines += shown.values()
        if known and rigid_holds and sum(costs.values()) > max(costs.values()):
            lines.append(f"刚性支出合计 {yuan(sum(costs.values()))}{span}，{compared(sum(costs.values()))}")
        if known:
            pcni = net / v["persons"]
            side = "低于" if pcni < LINE else "不低于"
            lines.append(f"人均纯收入 {yuan(pcni, LINE)}{span}，{side}监测线 {yuan(LINE, pcni)}")
            before = v["previous_pcni"]
            if before >= 0.1 * LINE and 1 - pcni / before >= 0.2 - 1e-12:
                now = f"降至 {yuan(pcni)}，减少 {half_up(100 * (1 - pcni / before)):,.0f}%"
                now = f"变为亏损 {yuan(-pcni)}" if pcni < 0 else now
                lines.append(f"人均纯收入由上年 {yuan(before)}{now}")
        if household in last.index:
            row = last.loc[household]
            causes = [] if pd.isna(row["causes"]) else [OFFICIAL[c] for c in row["causes"].split(";")]
            category = {
                "unstable_lifted": "脱贫不稳定户",
                "marginal": "边缘易致贫户",
                "sudden_hardship": "突发严重困难户",
            }
            named = [] if pd.isna(row["category"]) else [category[row["category"]]]
            listed = f"（{'、'.join(named + causes)}）" if named + causes else ""
            lines.append(f"{row['date']:%Y-%m-%d} {EVENTS[row['event']]}{listed}")
        out[household] = lines
    return out


def test_every_printed_fact_agrees_with_the_raw_rows(told) -> None:
    wanted, wrong = expected_lines(told), []
    kinds = ("因", "缺劳力", "其他", "医疗", "教育", "住房支出", "灾害", "意外", "刚性", "人均", "20")
    for household, expected in wanted.items():
        printed = [f for f in told.sheets[household].facts if f.startswith(kinds)]
        if sorted(printed) != sorted(expected):
            wrong.append((household, sorted(set(printed) ^ set(expected))))
    assert not wrong, (len(wrong), wrong[:5])
    assert len(wanted) > 2400
    lines = [line for expected in wanted.values() for line in expected]
    # Each kind of sentence was there to be wrong.
    for part in (
        "不作比较",
        "超过",
        " 倍",
        "农户申报",
        "；",
        "变为亏损",
        "不低于",
        "纳入监测",
        "刚性支出合计",
    ):
        assert any(part in line for line in lines), part


def test_a_large_cost_is_always_named_and_asked_about(told) -> None:
    library, seen = load_measures(), 0
    for household, costs in sums(told, "spending", "category").items():
        if pd.isna(told.verdicts.loc[household, "pcni"]):
            continue
        for category, (words, cause) in COSTS.items():
            if costs.get(("now", category), 0.0) > 15_000:
                seen += 1
                sheet = told.sheets[household]
                assert any(f"{words} {yuan(costs['now', category])}" in f for f in sheet.facts), household
                assert set(library.questions([cause], "zh")) <= set(sheet.questions), household
                assert set(library.measures([cause], "zh")) <= set(sheet.measures), household
    assert seen > 100


def test_questions_and_measures_follow_from_the_records_alone(told) -> None:
    """No cause is asked about, and no measure offered, that no raw row of the household leads to."""
    library = load_measures()
    spending = sums(told, "spending", "category")
    events = known_rows(told.raw["risk_events"], "date")
    events = events[events["date"].gt(YEAR_AGO)].groupby("household_id")["cause"].agg(set).to_dict()
    register = known_rows(told.raw["monitoring"], "date").sort_values(["date", "recorded_on"], kind="stable")
    last = register.drop_duplicates("household_id", keep="last").set_index("household_id")
    homes = told.raw["households"]
    homes = homes[homes["recorded_on"].fillna(homes["valid_from"]).le(AS_OF) & homes["valid_from"].le(AS_OF)]
    homes = homes.sort_values(["valid_from", "recorded_on"]).drop_duplicates("household_id", keep="last")
    people = told.raw["members"]
    people = people[people["recorded_on"].fillna(people["valid_from"]).le(AS_OF)]
    people = people.sort_values("recorded_on").drop_duplicates(["member_id", "valid_from"], keep="last")
    people = people[people["valid_from"].le(AS_OF) & ~people["valid_to"].le(AS_OF)]
    born = pd.PeriodIndex(people["birth_month"], freq="M")
    age = 12 * (AS_OF.year - born.year) + AS_OF.month - born.month
    people = people.assign(
        major=people["health"].eq("major_illness"), severe=people["disability_grade"].isin([1, 2]),
        uninsured=people["insured"].eq(False),
        dropped=people["schooling"].eq("dropped_out") & (age // 12 >= 6) & (age // 12 <= 15)
        & ~people["disability_grade"].isin([1, 2]),
    ).groupby("household_id")[["major", "severe", "uninsured", "dropped"]].any()  # fmt: skip
    homes = homes.set_index("household_id").join(people)
    wrong, offered = [], 0
    for household, v in told.verdicts.iterrows():
        causes = set(events.get(household, set()))
        state = homes.loc[household]
        if household in last.index and last.loc[household, "event"] in (
            "identified",
            "rolled_back",
            "re_marked",
        ):
            written = last.loc[household, "causes"]
            causes |= set() if pd.isna(written) else set(written.split(";"))
        for flag, cause in (("major", "illness"), ("severe", "disability"), ("uninsured", "illness"),
                            ("dropped", "schooling")):  # fmt: skip
            causes |= {cause} if state[flag] is True or state[flag] == 1 else set()
        causes |= {"housing"} if state["housing_safe"] is False or state["housing_safe"] == 0 else set()
        causes |= {"water"} if state["water_safe"] is False or state["water_safe"] == 0 else set()
        costs = [c for c in COSTS if any(f"{COSTS[c][0]} " in f for f in told.sheets[household].facts)]
        for c in costs:  # the amounts themselves are held against the rows above
            assert spending[household]["now", c] > 0
            causes.add(COSTS[c][1])
        particular = causes - set(GENERAL)
        facts = told.sheets[household].facts
        fell = any("，低于监测线" in f or f.startswith("人均纯收入由") for f in facts)
        leads = particular or (causes | ({"income"} if fell else set()))
        measures = {m for c in leads for m in library.measures([c], "zh")}
        questions = {q for c in leads for q in library.questions([c], "zh")}
        if pd.isna(v["pcni"]):
            questions.add(fact_wording().ask["unrecorded"].zh)
        questions = questions or set(library.questions(GENERAL, "zh"))
        sheet = told.sheets[household]
        if v["persons"] == 0:  # first it has to be cleared up whether anybody is left
            measures, gone = set(), "自然变更" in facts[0]
            questions = set() if gone else {fact_wording().ask["nobody"].zh}
        if set(sheet.measures) != measures or set(sheet.questions) != questions:
            wrong.append((household, leads, set(sheet.measures) ^ measures, set(sheet.questions) ^ questions))
        offered += bool(measures)
    assert not wrong, (len(wrong), wrong[:5])
    assert offered > 1000


def test_a_card_shows_who_is_there_what_support_there_is_and_earlier_findings(told) -> None:
    """Members present, support and visits of every household stand on its card, each once, nothing else."""
    people = told.raw["members"]
    people = people[people["recorded_on"].fillna(people["valid_from"]).le(AS_OF)]
    people = people.sort_values("recorded_on").drop_duplicates(["member_id", "valid_from"], keep="last")
    people = people[people["valid_from"].le(AS_OF) & ~people["valid_to"].le(AS_OF)]
    here = people.drop_duplicates("member_id").groupby("household_id").size()
    visits = known_rows(told.raw["visits"], "date").drop_duplicates(
        ["household_id", "date", "outcome", "cause"]
    )
    support = known_rows(told.raw["support"], "date")
    support = support.drop_duplicates(["household_id", "date", "measure", "amount", "end_date"])
    outcomes = {"confirmed": "属实", "not_confirmed": "不属实", "absent": "未见"}
    for household, sheet in told.sheets.items():
        assert len(sheet.members) == here.get(household, 0), household
        mine = visits[visits["household_id"].eq(household)]
        wanted = [f"{d:%Y-%m-%d} {outcomes[o]}" for d, o in zip(mine["date"], mine["outcome"], strict=True)]
        assert sorted(v.split("，")[0] for v in sheet.visits) == sorted(wanted), household
        assert len(sheet.support) == support["household_id"].eq(household).sum(), household
    assert here.sum() > 5000
    assert len(visits) > 50
    assert len(support) > 50
