"""Cells and tables of the benchmark's page: a value with its interval below it, words in both languages.

The further tables of one panel on the bench's page: truth, derived measures, groups, models seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.benchmark.run import PanelResult
from riskmodel.presentation import Cell, Column, Row, Table, Words
from riskmodel.runs import HOUSEHOLD_GROUPS


def w(zh: str, en: str) -> dict[str, str]:
    """Return one text in both languages."""
    return {"zh": zh, "en": en}


def number(value: Any, digits: int = 3, sign: bool = False) -> str:
    """Return a number as text; a dash where there is none.

    Examples
    --------
    >>> number(0.1234), number(2, 1, sign=True), number(float("nan"))
    ('0.123', '+2.0', '–')
    """
    if value is None or value != value:
        return "–"
    # Minus zero is zero to a reader.
    value = round(float(value), digits) + 0.0
    return f"{value:{'+' if sign else ''}.{digits}f}"


def cell(value: Any, low: Any = None, high: Any = None, *, digits: int = 3, sign: bool = False) -> Cell:
    """Return a number's cell, its interval small below it."""
    has = low is not None and low == low
    small = f"{number(low, digits, sign)} … {number(high, digits, sign)}" if has else ""
    return Cell(number(value, digits, sign), small)


def p_value(value: Any) -> Cell:
    """Return a p value's cell; below a thousandth it is given as that."""
    return plain("<0.001" if value is not None and value < 0.001 else number(value))


def plain(text: str, mark: str = "") -> Cell:
    """Return a cell of one text in every language."""
    return Cell(text, mark=mark)


def named(words: Words, small: str = "") -> Cell:
    """Return a cell of words in both languages."""
    return Cell(words, small)


def table(
    title: Words,
    heads: Sequence[Words],
    rows: Sequence[Sequence[Cell]],
    *,
    best: int | None = None,
    note: Words | None = None,
    folded: bool = False,
    wide: bool = False,
) -> Table:
    """Return a table whose first column says what a row is; a folded one opens at a click."""
    columns = [Column(head, "number" if k else "text") for k, head in enumerate(heads)]
    marked = [Row(cells, "best" if i == best else "") for i, cells in enumerate(rows)]
    return Table(columns, marked, title=title, notes=(note,) if note else (), folded=folded, wide=wide)


def name_of(model: str) -> dict[str, str]:
    """Return what a model is called in both languages."""
    if model == "oracle":
        return w("真实风险", "the truth")
    found = models.model_entry(model) if models.is_model(model) else None
    return w(found.zh, found.en) if found else w(model, model)


PER_CENT = 100
# Single columns that tell the outcome best, for a look at what may be leaking.
_LEAKS_SHOWN = 8


def pooled(one: PanelResult, family: str | None = None) -> pd.DataFrame:
    """Return the comparison at the budget over all test dates, the best list first."""
    found = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
    found = found if family is None else found[found["family"] == family]
    return found.sort_values("delta_recall", ascending=False, kind="stable")


def baseline(one: PanelResult) -> dict[str, str]:
    """Return what the list that all are compared with is called."""
    return name_of(str(one.tables["comparison"]["baseline"].iloc[0]))


def points(row: Any, name: str, low: str, high: str) -> Cell:
    """Return a difference with its interval in percentage points."""
    value, first, last = (PER_CENT * float(row[c]) for c in (name, low, high))
    return cell(value, first, last, digits=1, sign=True)


def found_cell(row: dict[Any, Any], side: str) -> Cell:
    """Return how many events a list finds, and the least and most if ties fell otherwise."""
    worst, best = int(row[f"hits_{side}_worst"]), int(row[f"hits_{side}_best"])
    return replace(cell(row[f"hits_{side}"], digits=0), small="" if worst == best else f"{worst} … {best}")


def _truth(one: PanelResult) -> Table | None:
    if "truth" not in one.tables:
        return None
    heads = [w("模型", "model"), w("AUC（对真实风险）", "AUC on true chances"),
             w("占可达到的份额", "share of the attainable gain"), w("查全率（真实）", "true recall"),
             w("占可达到的份额", "share of the attainable"), w("对真实风险的斜率", "slope of the truth"),
             w("均方根误差", "distance from the truth"),
             w("区间含真值的分数段", "score bins covered")]  # fmt: skip
    rows = []
    found = one.tables["truth"]
    found = found[found["model"].isin([*models.MODELS, "oracle"])]
    for row in found.sort_values("auc_true", ascending=False, kind="stable").to_dict("records"):
        covered = row.get("bins_covered")
        text = "–" if covered is None or covered != covered else f"{int(covered)}/{int(row['bins'])}"
        rows.append([
            named(name_of(str(row["model"]))), cell(row["auc_true"]), cell(row["auc_gain_share"], digits=2),
            cell(row["recall_true"]), cell(row["recall_share"], digits=2), cell(row["slope_true"], digits=2),
            cell(row["error_true"], digits=4), plain(text),
        ])  # fmt: skip
    return table(w("与真实风险相比", "Against the truth"), heads, rows)


def _derived(one: PanelResult) -> Table:
    heads = [w("模型", "model"), w("查准率", "precision"), w("漏识率", "exclusion error"),
             w("误识率", "inclusion error"), w("瞄准差（覆盖）", "targeting differential (coverage)"),
             w("瞄准差（误差）", "targeting differential (errors)"), w("CGH（人口）", "CGH (persons)"),
             w("BPAC", "BPAC"), w("福利", "CRRA welfare"), w("McNemar p", "McNemar p"),
             w("DeLong p", "DeLong p")]  # fmt: skip
    rows = [
        [named(name_of(r["model"])), cell(r["precision_model"]), cell(1 - r["recall_model"]),
         cell(1 - r["precision_model"]), cell(r["targeting_differential_model"]),
         cell(r["targeting_differential_errors_model"]), cell(r["cgh_persons_model"], digits=2),
         cell(r["bpac_model"], digits=2), cell(r["welfare_model"], digits=2), p_value(r["mcnemar_p"]),
         p_value(r["delong_p"])]
        for r in pooled(one, "models").to_dict("records")
    ]  # fmt: skip
    note = w(
        "同一走访量下，这些名单指标都由找到的事件数推出；McNemar 与 DeLong 把户次视为独立，只作描述。",
        "At one budget these list measures follow from the number of events found; McNemar and DeLong take "
        "rows as independent and are description only.",
    )
    title = w("派生指标与描述性检验", "Derived measures and descriptive tests")
    return table(title, heads, rows, note=note, folded=True)


def _rulesets(one: PanelResult) -> Table | None:
    found = pooled(one, "rulesets")
    if found.empty:
        return None
    heads = [w("规则集", "rule set"), w("AUC", "AUC"), w("找到（并列）", "found (ties)"),
             w("查全率差（百分点）", "Δ recall (points)"), w("Holm p", "Holm p"), w("重合", "overlap"),
             w("查准率", "precision")]  # fmt: skip
    auc = one.tables["metrics"].set_index("model")
    rows = []
    for row in found.to_dict("records"):
        own = auc.loc[row["model"]]
        rows.append([
            named(name_of(row["model"])), cell(own["auc"], own["auc_low"], own["auc_high"]),
            found_cell(row, "model"), points(row, "delta_recall", "delta_low", "delta_high"),
            p_value(row["p_holm"]), cell(row["overlap"], digits=2), cell(row["precision_model"]),
        ])  # fmt: skip
    note = w(
        "每个规则集两种排法：判定加距线远近，或满足条件数。并列多时名单取决于并列如何处理：看最差与最好。",
        "Every rule set in two orders: its verdict with the distance to the line, or the number of "
        "conditions met. Where many tie, the list hangs on how ties fall: see worst and best.",
    )
    title = w("其他规则集，同样走访量", "The other rule sets at the same visits")
    return table(title, heads, rows, note=note, folded=True)


def _groups(one: PanelResult) -> Table | None:
    if "gaps" not in one.tables:
        return None
    heads = [w("组", "group"), w("模型", "model"), w("户次", "rows"), w("事件", "events"),
             w("查全率差", "gap in recall"), w("误报率差", "gap in false positives"),
             w("校准差", "gap in calibration")]  # fmt: skip
    found = one.tables["gaps"]
    small = int((found["small"] & (found["value"] != "no")).sum() > 0)
    found = found[(found["value"] != "no") & ~found["small"]]
    rows = []
    for row in found.to_dict("records"):
        cells = [
            cell(row[f"gap_{m}"], row[f"gap_{m}_low"], row[f"gap_{m}_high"], sign=True)
            for m in ("recall", "false_positive_rate", "calibration_gap")
        ]
        rows.append([named(_group(row)), named(name_of(row["model"])), cell(row["n"], digits=0),
                     cell(row["n_events"], digits=0), *cells])  # fmt: skip
    if not rows and not small:
        return None
    note = w(
        "组减其他户；事件或非事件少于 10、或村少于 5 的组不显示。",
        "Group minus the others; groups of fewer than 10 events, non-events or 5 villages are left out.",
    )
    return table(w("组间差距", "Gaps between groups"), heads, rows, note=note, folded=True)


def _group(row: dict[Any, Any]) -> dict[str, str]:
    name = str(row["group"]).removeprefix("group_")
    if row["group"] == "township":
        return w(f"乡镇 {row['value']}", f"township {row['value']}")
    if name in HOUSEHOLD_GROUPS:
        return w(HOUSEHOLD_GROUPS[name].zh, HOUSEHOLD_GROUPS[name].en)
    return w(name, name)


_EVENTS = {
    "below_line": w("收入跌破监测线", "income falls below the line"),
    "identified": w("被纳入监测", "is put under watch"),
    "confirmed": w("走访属实", "a visit confirms"),
}


def _events(one: PanelResult) -> Table | None:
    if "events" not in one.tables or one.tables["events"].empty:
        return None
    heads = [w("标签事件", "label event"), w("方法", "method"), w("户次", "rows"), w("事件", "events"),
             w("AUC", "AUC"), w("查全率", "recall"), w("查准率", "precision")]  # fmt: skip
    rows = [
        [named(_EVENTS[r["event"]]), named(name_of(r["model"])), cell(r["n"], digits=0),
         cell(r["n_events"], digits=0),
         *(cell(r[m], r[f"{m}_low"], r[f"{m}_high"])
           for m in ("auc", "recall_at_budget", "precision_at_budget"))]
        for r in one.tables["events"].to_dict("records")
    ]  # fmt: skip
    note = w(
        "同一批名单，按不同事件评判。“被纳入监测”由规则决定，对规则有利；“走访属实”只有被走访的户才知道。",
        "The same lists judged by each event. Who is put under watch is decided by the rule, which flatters "
        "it; what a visit confirms is known of the visited only.",
    )
    return table(w("按标签事件分别评判", "Judged by each label event"), heads, rows, note=note, folded=True)


def _bounds(one: PanelResult) -> Table | None:
    if "support" not in one.tables:
        return None
    heads = [w("名单", "list"), w("名单中受帮扶", "supported on the list"), w("查准率", "precision"),
             w("查全率", "recall")]  # fmt: skip
    rows = [
        [named(name_of(row["model"])), cell(row["supported_share_listed"], digits=2),
         *(cell(row[m], row[f"{m}_low"], row[f"{m}_high"]) for m in ("precision", "recall"))]
        for row in one.tables["support"].to_dict("records")
    ]  # fmt: skip
    note = w(
        "小字：窗口内受帮扶的户一律计为未发生 / 发生。",
        "Small: every household supported within the window counted as 0, and as 1.",
    )
    title = w("现有帮扶下的风险：上下界", "Risk under current support: bounds")
    return table(title, heads, rows, note=note)


def _planned(one: PanelResult) -> Table:
    heads = [w("村内相关", "correlation within villages"), w("事件", "events"), w("村", "villages"),
             w("设计效应", "design effect"),
             w("可显示的最小查全率差（不一致比例：观察到的）",
               "smallest difference in recall (discordant share: observed)"),
             w("（假定的）", "(assumed)"),
             w("显示两倍于随机所需走访", "visits to show twice random")]  # fmt: skip
    rows = [
        [replace(cell(r["correlation"], digits=3), small="ρ̂" if r["observed"] else ""),
         cell(r["events"], digits=0), cell(r["villages"], digits=0),
         cell(r["design_effect"], digits=2), cell(r["smallest_difference_observed"]),
         cell(r["smallest_difference"]),
         cell(r["visits_to_show_twice_random"], digits=0)]
        for r in one.tables["planning"].to_dict("records")
    ]  # fmt: skip
    title = w("这样大小的数据能显示什么（检验力 80%）", "What a panel of this size can show (power 80 %)")
    first = one.tables["planning"].iloc[0]
    seen, assumed = f"{first['discordant_observed']:.2f}", f"{first['discordant_assumed']:.2f}"
    note = w(
        f"ρ̂：由本数据估计（方差分析法）。只在一份名单上的事件比例：观察到 {seen}，假定 {assumed}。",
        f"ρ̂: estimated on these data (ANOVA). Share of events on one list only: observed {seen}, "
        f"assumed {assumed}.",
    )
    return table(title, heads, rows, note=note)


def _effects(one: PanelResult) -> Table | None:
    if "effects" not in one.tables:
        return None
    heads = [w("变量（每标准差）", "column (per standard deviation)"), w("系数", "coefficient"), w("p", "p"),
             w("平均边际效应（百分点）", "average marginal effect (points)")]  # fmt: skip
    rows = []
    for row in one.tables["effects"].to_dict("records"):
        reach, ame, se = 1.96 * row["se"], PER_CENT * row["ame"], 196 * row["ame_se"]
        rows.append([plain(str(row["column"])),
                     cell(row["coef"], row["coef"] - reach, row["coef"] + reach, digits=2, sign=True),
                     p_value(row["p"]), cell(ame, ame - se, ame + se, digits=2, sign=True)])  # fmt: skip
    title = w("按村聚类标准误的逻辑回归（最后一个检验日）",
              "The logit with village-robust standard errors (last test date)")  # fmt: skip
    return table(title, heads, rows, folded=True)


def _card(one: PanelResult) -> Table | None:
    if "scorecard" not in one.tables:
        return None
    found = one.tables["scorecard"]
    heads = [w(str(c), str(c)) for c in found.columns]
    rows = [[plain(_text(v)) for v in row] for row in found.itertuples(index=False)]
    title = w("评分卡（最后一个检验日）", "The scorecard (last test date)")
    return table(title, heads, rows, folded=True)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:.6g}"
    return "–" if value is None else str(value)


def _leaks(one: PanelResult) -> Table | None:
    if "leaks" not in one.tables or one.tables["leaks"].empty:
        return None
    heads = [w("列", "column"), w("角色", "role"), w("单列 AUC", "AUC of the column alone"),
             w("有值与否的 AUC", "AUC of being known"), w("疑似泄漏", "suspected")]  # fmt: skip
    rows = [
        [plain(str(r["column"])), plain(str(r["role"])), cell(r["auc"]), cell(r["missing_auc"]),
         named(w("是", "yes") if r["suspected"] else w("否", "no"))]
        for r in one.tables["leaks"].head(_LEAKS_SHOWN).to_dict("records")
    ]  # fmt: skip
    total, suspected = len(one.tables["leaks"]), int(one.tables["leaks"]["suspected"].sum())
    note = w(f"共查 {total} 列，疑似 {suspected} 列。", f"{total} columns looked at, {suspected} suspected.")
    return table(w("泄漏检查", "Leaks"), heads, rows, note=note, folded=True)


DETAILS: tuple[Callable[[PanelResult], Table | None], ...] = (
    _truth, _derived, _rulesets, _groups, _events, _bounds, _planned, _effects, _card, _leaks,
)  # fmt: skip
