"""The tables of one panel on the bench's page: design, the primary test, and all that goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from riskmodel import models
from riskmodel.benchmark.findings import LEVEL
from riskmodel.benchmark.further_tables import (
    DETAILS,
    PER_CENT,
    baseline,
    cell,
    found_cell,
    name_of,
    named,
    number,
    p_value,
    plain,
    points,
    pooled,
    table,
    w,
)
from riskmodel.benchmark.run import PanelResult
from riskmodel.presentation import Cell, Table
from riskmodel.runs import winner

# What a label's event is, in words; `identified` would be decided by the rules themselves.
EVENTS = {
    "below_line": w(
        "收入跌破监测线（不由规则判定）", "income falls below the line (not decided by the rules)"
    ),
    "identified": w("新纳入监测（由规则判定）", "newly identified (decided by the rules)"),
    "confirmed": w("核查属实", "confirmed by a visit"),
    "poor_next_year": w("调查自带的贫困标识", "the survey's own poverty flag"),
}
_BY_FOLD = w("各检验日", "by test date")


def tables_of(one: PanelResult) -> list[Table]:
    """Return a panel's tables in the order in which they are read.

    Parameters
    ----------
    one : PanelRun

    """
    makers = (_design, _folds, _primary, _results, _ordering, _worth, _lead, _deployed, *DETAILS)
    return [made for make in makers if (made := make(one)) is not None]


def _design(one: PanelResult) -> Table | None:
    facts = one.facts
    if not facts:
        return None
    said: list[tuple[dict[str, str], Cell]] = []
    about = one.panel.about
    if about is not None:
        said.append((w("数据", "data"), named(about.model_dump())))
    size = facts.get("simulated")
    if size:
        said.append((w("模拟县", "simulated county"), named(w(
            f"{size['households']} 户，{size['months']} 个月，类型 {size['profile']}，种子 {size['seed']}，"
            f"真实风险取 {size['futures']} 个未来的平均",
            f"{size['households']} households over {size['months']} months, profile {size['profile']}, seed "
            f"{size['seed']}; true chances are averages over {size['futures']} futures"))))  # fmt: skip
    months, next_one = facts["horizon_months"], facts.get("next")
    said += [
        (w("检验对象", "tested on"), named(w(
            f"{facts['households']} 户，{facts['villages']} 个村（组），{facts['townships']} 个乡镇，"
            f"{facts['dates']} 个检验日",
            f"{facts['households']} households in {facts['villages']} villages (clusters) and "
            f"{facts['townships']} townships at {facts['dates']} dates"))),
        (w("人群", "cohort"), plain(str(facts["cohort"]))),
        (w("事件", "event"), named(w(
            f"{EVENTS[facts['event']]['zh']}；{'下一次访问' if next_one else f'{months} 个月内'}",
            f"{EVENTS[facts['event']]['en']}; "
            f"{'by the next interview' if next_one else f'within {months} months'}"))),
        (w("规则集", "rule set"), plain(_stem(facts["ruleset"]))),
        (w("特征", "columns"), plain(f"{facts['features']} ({_stem(facts['feature_set'])})")),
        (w("走访名额", "visits"), named(_budget(facts["budget"]))),
        (w("校准", "calibration"), plain(str(facts["calibration"]))),
    ]  # fmt: skip
    rows = [[named(name), value] for name, value in said]
    return table(w("设计", "Design"), [w("项目", "item"), w("内容", "what")], rows, wide=True)


def _stem(name: Any) -> str:
    return "–" if name is None else str(name).rsplit("/", 1)[-1].removesuffix(".yaml")


def _budget(budget: dict[str, Any]) -> dict[str, str]:
    if budget.get("share"):
        share = f"{budget['share']:.0%}"
        return w(f"每个检验日人群的 {share}", f"{share} of the cohort at each date")
    return w(f"每个检验日 {budget['visits']} 户", f"{budget['visits']} at each date")


def _folds(one: PanelResult) -> Table | None:
    if "folds" not in one.tables:
        return None
    heads = [w("检验日", "test dates"), w("训练日", "training dates"), w("训练户次", "training rows"),
             w("训练事件", "training events"), w("检验户次", "test rows"), w("检验事件", "test events"),
             w("标签未知", "unlabelled")]  # fmt: skip
    rows = [
        [plain(_span(r["test_from"], r["test_to"])), plain(_span(r["train_from"], r["train_to"])),
         *(cell(r[c], digits=0) for c in ("n_train", "train_events", "n_test", "test_events", "n_null"))]
        for r in one.tables["folds"].to_dict("records")
    ]  # fmt: skip
    note = w(
        "训练标签在检验日之前已经发生并录入；各检验日的训练期相互重叠，因此不独立。",
        "Training labels were over, and recorded, before the test date; training windows overlap, so test "
        "dates are not independent of each other.",
    )
    return table(w("时间切分", "The split in time"), heads, rows, note=note)


def _span(first: Any, last: Any) -> str:
    return str(first) if first == last else f"{first} – {last}"


def _primary(one: PanelResult) -> Table:
    base = baseline(one)
    heads = [w("模型", "model"), w("找到（并列最差…最好）", "found (ties: worst … best)"),
             w("查全率差（百分点，= −ΔEE）", "Δ recall (points, = −ΔEE)"), w("Holm p", "Holm p"),
             w("按人口", "by persons"), _BY_FOLD, w("名单重合", "overlap")]  # fmt: skip
    scopes = one.tables["comparison"].query("scope != 'pooled' and at == 'budget'")
    rows = []
    for row in pooled(one, "models").to_dict("records"):
        mine = scopes[scopes["model"] == row["model"]].sort_values("scope")["delta_recall"]
        delta = points(row, "delta_recall", "delta_low", "delta_high")
        better = "won" if row["delta_recall"] > 0 else "lost"
        delta = replace(delta, mark="" if row["p_holm"] >= LEVEL else better)
        folds = " ".join(number(PER_CENT * v, 1, sign=True) for v in mine) if len(mine) > 1 else "–"
        rows.append([
            named(name_of(row["model"])), found_cell(row, "model"), delta, p_value(row["p_holm"]),
            points(row, "delta_recall_persons", "delta_recall_persons_low", "delta_recall_persons_high"),
            plain(folds), cell(row["overlap"], digits=2),
        ])  # fmt: skip
    first = pooled(one).iloc[0]
    ties = f"{first['hits_baseline_worst']} … {first['hits_baseline_best']}"
    note = w(
        f"{base['zh']}在同样的 {first['visits']} 户次内找到 {first['n_events']} 个事件中的 "
        f"{first['hits_baseline']} 个（并列 {ties}）。小字：95% 区间，按 {first['n_villages']} 个村"
        "成对重抽样；着色：Holm 校正后 p < 0.05。",
        f"{_upper(base['en'])} finds {first['hits_baseline']} (ties {ties}) of {first['n_events']} events in "
        f"the same {first['visits']} visits. Small: 95 % intervals, {first['n_villages']} villages resampled "
        "in pairs; coloured: p < 0.05 after Holm.",
    )
    title = w(f"主要检验：与{base['zh']}比较，同样走访量",
              f"The primary test: against {base['en']} at the same visits")  # fmt: skip
    return table(title, heads, rows, note=note)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _results(one: PanelResult) -> Table:
    heads = [w("模型", "model"), w("AUC", "AUC"), w("平均精确率", "average precision"), w("Brier", "Brier"),
             w("校准截距", "calibration intercept"), w("校准斜率", "calibration slope"),
             w("查全率", "recall at the budget"), w("查准率", "precision at the budget"),
             w("提升度", "lift")]  # fmt: skip
    found = one.tables["metrics"]
    found = found[found["model"].isin(list(models.MODELS))]
    rows = []
    for row in found.sort_values("auc", ascending=False, kind="stable").to_dict("records"):
        cells = [named(name_of(row["model"]))]
        for m, digits in (("auc", 3), ("average_precision", 3), ("brier", 4), ("calibration_intercept", 2),
                          ("calibration_slope", 2), ("recall_at_budget", 3), ("precision_at_budget", 3),
                          ("lift", 2)):  # fmt: skip
            cells.append(cell(row[m], row[f"{m}_low"], row[f"{m}_high"], digits=digits))
        rows.append(cells)
    note = w(
        "按 AUC 排序；小字为按村重抽样的 95% 区间。", "By AUC; small: 95 % intervals, villages resampled."
    )
    return table(w("单独看每个模型", "Each model by itself"), heads, rows, best=0, note=note)


def _ordering(one: PanelResult) -> Table | None:
    if "ordering" not in one.tables:
        return None
    heads = [w("比什么", "measure"), w("最好的简单方法", "best simple method"),
             w("最好的复杂方法", "best elaborate method"), w("差（复杂 − 简单）", "elaborate − simple"),
             w("谁胜出", "who wins")]  # fmt: skip
    said = {"simple": w("简单方法", "the simple method"), "elaborate": w("复杂方法", "the elaborate method"),
            "level": w("未显示差别", "no difference shown")}  # fmt: skip
    asked = {"auc": w("AUC", "AUC"), "recall": w("名额内查全率", "recall at the budget")}
    rows = [
        [named(asked[r["measure"]]),
         named(name_of(r["simple"]), f"{r['value_simple']:.3f} ({r['n_simple']})"),
         named(name_of(r["elaborate"]), f"{r['value_elaborate']:.3f} ({r['n_elaborate']})"),
         cell(r["difference"], r["low"], r["high"], sign=True), named(said[winner(r)])]
        for r in one.tables["ordering"].to_dict("records")
    ]  # fmt: skip
    note = w(
        "括号内：从多少个方法中挑出。两边都是在这些户上挑出的最好者，都偏乐观；简单方法包括所有规则集。",
        "In brackets: out of how many each was picked. Both are the best of several on these very rows, "
        "which flatters both; all rule sets count among the simple methods.",
    )
    return table(w("简单方法与复杂方法", "Simple against elaborate"), heads, rows, note=note)


def _worth(one: PanelResult) -> Table | None:
    found = one.tables["visits"]
    if found.empty:
        return None
    base = baseline(one)
    heads = [w("模型", "model"), w("模型查全率", "recall of the model"),
             w(f"{base['zh']}达到它所需走访", f"visits of {base['en']} that reach it (ratio)"),
             w("多走访户次", "extra visits"), w("走访 ×1.25", "baseline at ×1.25"), w("×1.5", "×1.5"),
             w("×2", "×2")]  # fmt: skip
    rows = [
        [named(name_of(r["model"])), cell(r["recall_model"]), cell(r["ratio"], r["low"], r["high"], digits=2),
         cell(r["extra_visits"], digits=0, sign=True),
         *(cell(r[f"recall_baseline_x{k}"]) for k in ("1.25", "1.5", "2"))]
        for r in found.sort_values("recall_model", ascending=False, kind="stable").to_dict("records")
    ]  # fmt: skip
    title = w("更好的预测值多少次走访", "What better prediction is worth in visits")
    return table(title, heads, rows)


def _lead(one: PanelResult) -> Table | None:
    if "lead" not in one.tables or one.tables["lead"].empty:
        return None
    heads = [w("名单", "list"), w("先于规则", "before the rules"), w("同日", "same date"),
             w("规则在先", "the rules first"), w("都未见", "neither"),
             w("规则晚几个月（均值）", "months until the rules (mean)"), w("中位数", "median"),
             w("跌破前几个月（中位数）", "months before the fall (median)"),
             w("删失", "censored")]  # fmt: skip
    rows = [
        [named(name_of(str(r["model"]))), cell(r["before"], r["low"], r["high"], digits=2),
         *(cell(r[c], digits=2) for c in ("same_date", "after", "neither")),
         *(cell(r[c], digits=1) for c in ("mean_months", "median_months", "warning_months")),
         cell(r["censored"], digits=0)]
        for r in one.tables["lead"].to_dict("records")
        if r["model"] in models.MODELS
    ]  # fmt: skip
    n, until = int(one.tables["lead"]["n"].iloc[0]), one.tables["lead"]["until_months"].max()
    note = w(
        f"跌破的 {n} 户；每月排一次名单，规则在记录结束前任何一次标记都计入"
        f"（Kaplan–Meier，至多 {until:.0f} 个月；记录结束仍未标记的为删失）。",
        f"Of the {n} households that fell; lists drawn up monthly; the rules count whenever they flag, to "
        f"the end of the records (Kaplan–Meier, up to {until:.0f} months; not flagged by then: censored).",
    )
    title = w("提前量：谁先看到真正跌破的住户", "Lead time: who sees first those who really fell")
    return table(title, heads, rows, note=note)


def _deployed(one: PanelResult) -> Table:
    heads = [w("模型", "model"), w("规则+模型", "rules + model"), w("规则+规则", "rules + rules"),
             w("规则+随机", "rules + random"),
             w("差（百分点）", "rules + model − rules + rules (points)")]  # fmt: skip
    found = one.tables["deployed"]
    found = found[(found["scope"] == "pooled") & found["model"].isin(list(models.MODELS))]
    rows = []
    for model, part in found.groupby("model", sort=False):
        by = part.set_index("list")
        mine = by.loc["rules+model"]
        rows.append([
            named(name_of(str(model))), cell(mine["recall"]), cell(by.loc["rules+rules", "recall"]),
            cell(by.loc["rules+random", "recall"]), points(mine, "delta_recall", "delta_low", "delta_high"),
        ])  # fmt: skip
    title = w("实际使用的名单：规则标记的都走访，余下名额由谁补",
              "Lists as deployed: everyone the rules flag, the rest filled")  # fmt: skip
    return table(title, heads, rows)
