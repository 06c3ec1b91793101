"""The researcher's page of a bench: findings, tables, figures, methods, limits, references; one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from riskmodel import __version__, files, models
from riskmodel.bench import figures
from riskmodel.bench.found import findings, sentences
from riskmodel.bench.run import BenchRun, PanelRun
from riskmodel.evaluation import FURTHER, METRICS
from riskmodel.report.words import templates
from riskmodel.spec import read_yaml

PAGE = "bench.html"
Words = Mapping[str, str]
Cell = dict[str, Any]


def write(done: BenchRun, out: str | Path, lang: str = "en") -> Path:
    """Write a bench's page and its figures.

    Parameters
    ----------
    done : BenchRun
    out : str or Path
        Folder: ``bench.html`` and ``figures/*.svg``.
    lang : str, default "en"
        Language the page opens in; it holds both.

    Returns
    -------
    Path
        The page; it makes no network request.
    """
    home, folder = templates(), Path(out)
    book = read_yaml(home / "bench.yaml")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(home), autoescape=True, undefined=jinja2.StrictUndefined
    )
    parts = [_panel(one) for one in done.done]
    for part in parts:
        for chart in part["charts"]:
            files.write_text(
                str(chart["svg"]) + "\n", folder / "figures" / f"{part['id']}-{chart['name']}.svg"
            )
    page = environment.get_template("bench.html.j2").render(
        lang=lang, version=__version__, quick=done.quick, title=done.bench.title.model_dump(),
        css=Markup((home / "report.css").read_text(encoding="utf-8")), words=book["page"],
        findings=findings(done), overview=_overview(done), panels=parts, methods=book["methods"],
        metrics=_metric_table(), models=_model_table(done), limits=book["limits"],
        skipped=_skipped(done), references=book["references"],
    )  # fmt: skip
    return files.write_text(page, folder / PAGE)


def name_of(model: str) -> Words:
    """Return what a model is called in both languages.

    Parameters
    ----------
    model : str

    Returns
    -------
    dict
    """
    if model == "oracle":
        return {"zh": "真实风险", "en": "the truth"}
    found = models.entry(model) if models.known(model) else None
    return {"zh": found.zh, "en": found.en} if found else {"zh": model, "en": model}


def _w(zh: str, en: str) -> Words:
    return {"zh": zh, "en": en}


def _number(value: Any, digits: int = 3, sign: bool = False) -> str:
    if value is None or value != value:
        return "–"
    return f"{float(value):{'+' if sign else ''}.{digits}f}"


def _cell(value: Any, low: Any = None, high: Any = None, *, digits: int = 3, sign: bool = False) -> Cell:
    small = (
        "" if low is None or low != low else f"{_number(low, digits, sign)} … {_number(high, digits, sign)}"
    )
    return {"text": _number(value, digits, sign), "small": small, "kind": ""}


def _named(words: Words) -> Cell:
    return {**words, "small": "", "kind": ""}


def _table(
    heads: list[Words], rows: list[list[Cell]], best: int | None = None, note: Words | None = None
) -> Any:
    made = [{"cells": cells, "best": i == best} for i, cells in enumerate(rows)]
    return {"heads": heads, "rows": made, "note": note}


def _overview(done: BenchRun) -> Any:
    heads = [_w("数据集", "panel"), _w("检验户次", "test rows"), _w("事件", "events"),
             _w("AUC 最高", "highest AUC"),
             _w("名单最好", "best list"), _w("仅往期收入 AUC", "AUC of past income"),
             _w("规则 AUC", "AUC of the rules"), _w("秒", "seconds")]  # fmt: skip
    rows = []
    for one in done.done:
        table = one.tables["metrics"].set_index("model")
        top, best = table["auc"].idxmax(), table["recall_at_budget"].idxmax()
        first = table.iloc[0]
        rows.append([
            _named(one.panel.title.model_dump()),
            _cell(first["n_test"], digits=0), _cell(first["n_events"], digits=0),
            {**_named(name_of(str(top))), "small": _number(table.loc[str(top), "auc"])},
            {**_named(name_of(str(best))), "small": _number(table.loc[str(best), "recall_at_budget"])},
            _cell(table["auc"].get("past_income")), _cell(table["auc"].get("rule")),
            _cell(one.seconds, digits=0),
        ])  # fmt: skip
    return _table(heads, rows)


def _panel(one: PanelRun) -> dict[str, Any]:
    tables = [_results(one), _pairs(one), _deployed(one)]
    tables += [
        made
        for made in (_truth(one), _leads(one), _groups(one), _bounds(one), _planned(one), _effects(one))
        if made
    ]
    charts = [
        {"name": name, "title": title, "svg": Markup(svg)}
        for name, title, svg in figures.charts(one, name_of)
    ]
    return {"id": one.panel.id, "title": one.panel.title.model_dump(), "sentences": sentences(one),
            "charts": charts, "tables": tables, "notes": one.notes[:12]}  # fmt: skip


def _results(one: PanelRun) -> Any:
    heads = [_w("模型", "model"), _w("AUC", "AUC"), _w("平均精确率", "average precision"),
             _w("Brier", "Brier"),
             _w("校准斜率", "calibration slope"), _w("查全率", "recall at the budget"),
             _w("查准率", "precision at the budget"), _w("提升度", "lift")]  # fmt: skip
    table = one.tables["metrics"].sort_values("auc", ascending=False, kind="stable").reset_index(drop=True)
    rows = []
    for row in table.to_dict("records"):
        cells = [_named(name_of(row["model"]))]
        for m, digits in (("auc", 3), ("average_precision", 3), ("brier", 4), ("calibration_slope", 2),
                          ("recall_at_budget", 3), ("precision_at_budget", 3), ("lift", 2)):  # fmt: skip
            cells.append(_cell(row[m], row[f"{m}_low"], row[f"{m}_high"], digits=digits))
        rows.append(cells)
    made = _table(
        heads,
        rows,
        0,
        _w(
            "按 AUC 排序；小字为按村重抽样的 95% 区间。", "By AUC; small: 95 % intervals, villages resampled."
        ),
    )
    return {**made, "title": _w("单独看每个模型与规则集", "Each model and rule set by itself")}


def _pairs(one: PanelRun) -> Any:
    heads = [_w("模型", "model"), _w("查全率差", "Δ recall (= −ΔEE)"), _w("Holm p", "Holm p"),
             _w("按人口", "by persons"), _w("McNemar p（描述）", "McNemar p (description)"),
             _w("DeLong p（描述）", "DeLong p (description)"), _w("瞄准差", "targeting differential"),
             _w("BPAC", "BPAC"), _w("福利", "CRRA welfare"), _w("名单重合", "overlap"),
             _w("等效走访", "visits equivalent")]  # fmt: skip
    table = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
    visits = one.tables["visits"].set_index("model") if len(one.tables["visits"]) else pd.DataFrame()
    rows = []
    for row in table.sort_values("delta_recall", ascending=False, kind="stable").to_dict("records"):
        delta = _cell(
            100 * row["delta_recall"], 100 * row["delta_low"], 100 * row["delta_high"], digits=1, sign=True
        )
        delta["kind"] = {"model": "won", "baseline": "lost"}.get(row["verdict"], "")
        worth = visits.loc[row["model"]] if row["model"] in visits.index else None
        rows.append([
            _named(name_of(row["model"])), delta, _cell(row["p_holm"]),
            _cell(100 * row["delta_recall_persons"], 100 * row["delta_recall_persons_low"],
                  100 * row["delta_recall_persons_high"], digits=1, sign=True),
            _cell(row["mcnemar_p"]), _cell(row["delong_p"]), _cell(row["targeting_differential_model"]),
            _cell(row["bpac_model"], digits=2), _cell(row["welfare_model"], digits=2),
            _cell(row["overlap"], digits=2),
            _cell(None) if worth is None else _cell(worth["ratio"], worth["low"], worth["high"], digits=2),
        ])  # fmt: skip
    baseline = name_of(str(table["baseline"].iloc[0]))
    return {
        **_table(heads, rows),
        "title": _w(
            f"与{baseline['zh']}比较，同样走访量", f"Against {baseline['en']} at the same number of visits"
        ),
    }


def _deployed(one: PanelRun) -> Any:
    heads = [_w("模型", "model"), _w("规则+模型", "rules + model"), _w("规则+规则", "rules + rules"),
             _w("规则+随机", "rules + random"), _w("差（规则+模型 − 规则+规则）", "difference")]  # fmt: skip
    table = one.tables["deployed"]
    table = table[(table["scope"] == "pooled") & table["model"].isin(list(models.MODELS))]
    rows = []
    for model, part in table.groupby("model", sort=False):
        by = part.set_index("list")
        mine = by.loc["rules+model"]
        rows.append([
            _named(name_of(str(model))), _cell(mine["recall"]), _cell(by.loc["rules+rules", "recall"]),
            _cell(by.loc["rules+random", "recall"]),
            _cell(100 * mine["delta_recall"], 100 * mine["delta_low"], 100 * mine["delta_high"],
                  digits=1, sign=True),
        ])  # fmt: skip
    title = _w(
        "实际使用的名单：规则标记的都走访，余下名额由谁补",
        "Lists as deployed: everyone the rules flag, the rest filled",
    )
    return {**_table(heads, rows), "title": title}


def _truth(one: PanelRun) -> Any:
    if "truth" not in one.tables:
        return None
    heads = [_w("模型", "model"), _w("AUC（对真实风险）", "AUC on true chances"),
             _w("占可达到的份额", "share of the attainable gain"), _w("查全率（真实）", "true recall"),
             _w("占可达到的份额", "share of the attainable"), _w("均方根误差", "distance from the truth"),
             _w("区间覆盖（分组）", "score bins covered")]  # fmt: skip
    rows = []
    for row in one.tables["truth"].to_dict("records"):
        covered = row.get("bins_covered")
        text = "–" if covered is None or covered != covered else f"{int(covered)}/{int(row['bins'])}"
        rows.append([
            _named(name_of(str(row["model"]))), _cell(row["auc_true"]), 
            _cell(row["auc_gain_share"], digits=2),
            _cell(row["recall_true"]), _cell(row["recall_share"], digits=2),
            _cell(row["error_true"], digits=4),
            {"text": text, "small": "", "kind": ""},
        ])  # fmt: skip
    return {**_table(heads, rows), "title": _w("与真实风险相比", "Against the truth")}


def _leads(one: PanelRun) -> Any:
    if "lead" not in one.tables:
        return None
    heads = [_w("名单", "list"), _w("先于规则", "before the rules"), _w("同日", "same date"),
             _w("规则在先", "the rules first"), _w("都未见", "neither"),
             _w("规则晚几个月（均值）", "months until the rules (mean)"), _w("中位数", "median"),
             _w("跌破前几个月（中位数）", "months before the fall (median)")]  # fmt: skip
    rows = [
        [
            _named(name_of(str(r["model"]))),
            _cell(r["before"], r["low"], r["high"], digits=2),
            *(_cell(r[c], digits=2) for c in ("same_date", "after", "neither")),
            *(_cell(r[c], digits=1) for c in ("mean_months", "median_months", "warning_months")),
        ]
        for r in one.tables["lead"].to_dict("records")
    ]
    first = one.tables["lead"].iloc[0]
    n, until = int(first["n"]), one.tables["lead"]["until_months"].max()
    note = _w(
        f"跌破的 {n} 户；每月排一次名单，规则在记录结束前任何一次标记都计入"
        f"（Kaplan–Meier，至多 {until:.0f} 个月）。",
        f"Of the {n} households that fell; lists drawn up monthly; the rules count whenever they flag, to "
        f"the end of the records (Kaplan–Meier, up to {until:.0f} months).",
    )
    return {**_table(heads, rows, note=note), "title": _w("提前量", "Lead time")}


def _groups(one: PanelRun) -> Any:
    if "gaps" not in one.tables:
        return None
    heads = [_w("组", "group"), _w("模型", "model"), _w("户次", "rows"), _w("事件", "events"),
             _w("查全率差", "gap in recall"), _w("误报率差", "gap in false positives"),
             _w("校准差", "gap in calibration")]  # fmt: skip
    table = one.tables["gaps"]
    table = table[table["model"].isin(["rule", "logit"]) & (table["value"] != "no") & ~table["small"]]
    rows = []
    for row in table.to_dict("records"):
        name = str(row["group"]).removeprefix("group_") + (
            "" if row["value"] == "yes" else f": {row['value']}"
        )
        cells = [
            _cell(row[f"gap_{m}"], row[f"gap_{m}_low"], row[f"gap_{m}_high"], sign=True)
            for m in ("recall", "false_positive_rate", "calibration_gap")
        ]
        rows.append([{"text": name, "small": "", "kind": ""}, _named(name_of(row["model"])),
                     _cell(row["n"], digits=0), _cell(row["n_events"], digits=0), *cells])  # fmt: skip
    note = _w(
        "组减其他户；事件、非事件少于 10 或村少于 5 的组不显示。",
        "Group minus the others; groups of fewer than 10 events, non-events or 5 villages are left out.",
    )
    return (
        {**_table(heads, rows, note=note), "title": _w("组间差距", "Gaps between groups")} if rows else None
    )


def _bounds(one: PanelRun) -> Any:
    if "support" not in one.tables:
        return None
    heads = [
        _w("名单", "list"),
        _w("名单中受帮扶", "supported on the list"),
        _w("查准率", "precision"),
        _w("查全率", "recall"),
    ]
    rows = [
        [
            _named(name_of(row["model"])),
            _cell(row["supported_share_listed"], digits=2),
            *(_cell(row[m], row[f"{m}_low"], row[f"{m}_high"]) for m in ("precision", "recall")),
        ]
        for row in one.tables["support"].to_dict("records")
    ]
    note = _w(
        "小字：窗口内受帮扶的户一律计为未返贫 / 返贫。",
        "Small: every household supported within the window counted as 0, and as 1.",
    )
    return {
        **_table(heads, rows, note=note),
        "title": _w("现有帮扶下的风险：上下界", "Risk under current support: bounds"),
    }


def _planned(one: PanelRun) -> Any:
    heads = [_w("村内相关", "correlation within villages"), _w("事件", "events"), _w("村", "villages"),
             _w("设计效应", "design effect"), _w("可显示的最小查全率差", "smallest difference in recall"),
             _w("显示两倍于随机所需走访", "visits to show twice random")]  # fmt: skip
    rows = [
        [
            _cell(r["correlation"], digits=2),
            _cell(r["events"], digits=0),
            _cell(r["villages"], digits=0),
            _cell(r["design_effect"], digits=2),
            _cell(r["smallest_difference"]),
            _cell(r["visits_to_show_twice_random"], digits=0),
        ]
        for r in one.tables["planning"].to_dict("records")
    ]
    return {
        **_table(heads, rows),
        "title": _w(
            "这样大小的数据能显示什么（检验力 80%）", "What a panel of this size can show (power 80 %)"
        ),
    }


def _effects(one: PanelRun) -> Any:
    if "effects" not in one.tables:
        return None
    heads = [_w("变量（每标准差）", "column (per standard deviation)"),
             _w("系数", "coefficient"), _w("p", "p"),
             _w("平均边际效应（百分点）", "average marginal effect (points)")]  # fmt: skip
    rows = []
    for row in one.tables["effects"].to_dict("records"):
        reach, ame, se = 1.96 * row["se"], 100 * row["ame"], 196 * row["ame_se"]
        rows.append([{"text": row["column"], "small": "", "kind": ""},
                     _cell(row["coef"], row["coef"] - reach, row["coef"] + reach, digits=2, sign=True),
                     _cell(row["p"]), _cell(ame, ame - se, ame + se, digits=2, sign=True)])  # fmt: skip
    return {
        **_table(heads, rows),
        "title": _w("按村聚类标准误的逻辑回归", "The logit with village-robust standard errors"),
    }


def _metric_table() -> Any:
    heads = [_w("指标", "metric"), _w("公式", "formula"), _w("出处", "source"), _w("派生", "derived")]
    rows = [
        [
            _named({"zh": m.zh, "en": m.en}),
            *({"text": t, "small": "", "kind": "text"} for t in (m.formula, m.source)),
            _named(_w("是" if m.derived else "", "yes" if m.derived else "")),
        ]
        for m in (*METRICS, *FURTHER)
    ]
    return _table(heads, rows)


def _model_table(done: BenchRun) -> Any:
    heads = [_w("模型", "model"), _w("传统", "tradition"), _w("说明", "note")]
    rows = [
        [
            _named(name_of(m)),
            {"text": models.entry(m).family, "small": "", "kind": "text"},
            {"text": done.left_out.get(m, ""), "small": "", "kind": "text"},
        ]
        for m in done.bench.models
    ]
    return _table(heads, rows)


def _skipped(done: BenchRun) -> Any:
    if not done.skipped:
        return None
    rows = [
        [{"text": k, "small": "", "kind": ""}, {"text": v, "small": "", "kind": "text"}]
        for k, v in done.skipped.items()
    ]
    return _table([_w("数据集", "panel"), _w("原因", "reason")], rows)
