"""What a bench found, in sentences: who wins, where the simple method does, what cannot be told."""

from __future__ import annotations

import pandas as pd

from riskmodel.bench.run import BenchRun, PanelRun
from riskmodel.models import entry

Words = dict[str, str]


def _name(model: str) -> Words:
    found = entry(model)
    return {"zh": found.zh, "en": found.en}


def sentences(one: PanelRun) -> list[Words]:
    """Say what one panel shows.

    Parameters
    ----------
    one : PanelRun

    Returns
    -------
    list of dict with keys "zh", "en"
    """
    out = [_ranking(one.tables["ordering"].iloc[0])] if "ordering" in one.tables else []
    out.append(_against(one))
    visits = one.tables["visits"]
    if len(visits) and visits["ratio"].notna().any():
        recall = visits.set_index("model")["recall_model"]
        out.append(worth(visits, str(recall.idxmax()), one.panel.baseline))
    if "lead" in one.tables and len(one.tables["lead"]):
        out.append(lead(one.tables["lead"], one.tables["metrics"]))
    return out


def _winner(row: pd.Series) -> str:
    return "elaborate" if row["low"] > 0 else "simple" if row["high"] < 0 else "level"


_SAID: dict[str, Words] = {
    "level": {"zh": "未显示差别", "en": "no difference is shown"},
    "simple": {"zh": "简单方法胜出", "en": "the simple method wins"},
    "elaborate": {"zh": "复杂方法胜出", "en": "the elaborate method wins"},
}


def _ranking(row: pd.Series) -> Words:
    one, two, said = _name(str(row["simple"])), _name(str(row["elaborate"])), _SAID[_winner(row)]
    a, b, d, low, high = (float(row[c]) for c in ("auc_simple", "auc_elaborate", "difference", "low", "high"))
    return {
        "zh": f"排序能力：最好的简单方法是{one['zh']}（AUC {a:.3f}），"
        f"最好的复杂方法是{two['zh']}（{b:.3f}）；差 {d:+.3f}（{low:+.3f} 至 {high:+.3f}）：{said['zh']}。",
        "en": f"Ordering: the best simple method is {one['en']} (AUC {a:.3f}), the best elaborate one "
        f"{two['en']} ({b:.3f}); difference {d:+.3f} ({low:+.3f} to {high:+.3f}): {said['en']}.",
    }


def _against(one: PanelRun) -> Words:
    table = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
    better = [m for m, v in zip(table["model"], table["verdict"], strict=True) if v == "model"]
    worse = [m for m, v in zip(table["model"], table["verdict"], strict=True) if v == "baseline"]
    baseline = _name(str(table["baseline"].iloc[0]))
    first = table.iloc[0]

    def listed(names: list[str], lang: str) -> str:
        nobody = {"zh": "无", "en": "none"}[lang]
        return ("、" if lang == "zh" else ", ").join(_name(n)[lang] for n in names) or nobody

    return {
        "zh": f"同样走访 {first['visits']} 户次，{first['n_events']} 个事件："
        f"查全率区间高于{baseline['zh']}的有"
        f"{listed(better, 'zh')}；低于的有{listed(worse, 'zh')}；其余未显示差别。",
        "en": f"At the same {first['visits']} visits ({first['n_events']} events) the interval lies above "
        f"{baseline['en']} for: {listed(better, 'en')}; below for: {listed(worse, 'en')}; "
        "no difference is shown for the others.",
    }


def worth(visits: pd.DataFrame, model: str, baseline: str = "rule") -> Words:
    """Say what a model's list is worth in visits.

    Parameters
    ----------
    visits : DataFrame
        Of `riskmodel.bench.evaluate`.
    model, baseline : str

    Returns
    -------
    dict with keys "zh", "en"
    """
    row = visits.set_index("model").to_dict("index")[model]
    one, other = _name(model), _name(baseline)
    ratio, low, high = float(row["ratio"]), float(row["low"]), float(row["high"])
    return {
        "zh": f"等效走访：按{other['zh']}的顺序要走访 {ratio:.2f} 倍（{low:.2f} 至 {high:.2f}）"
        f"才能找到{one['zh']}在名额内找到的户；"
        f"走访加倍时{other['zh']}的查全率为 {row['recall_baseline_x2']:.1%}。",
        "en": f"Visits equivalent: in the order of {other['en']} it takes {ratio:.2f} times the visits "
        f"({low:.2f} to {high:.2f}) to find what {one['en']} finds within the budget; with twice the visits "
        f"{other['en']} "
        f"reaches a recall of {row['recall_baseline_x2']:.1%}.",
    }


def lead(table: pd.DataFrame, metrics: pd.DataFrame) -> Words:
    """Say how early the list of the model that finds most holds those who fell.

    Parameters
    ----------
    table, metrics : DataFrame
        Of `riskmodel.bench.evaluate`.

    Returns
    -------
    dict with keys "zh", "en"
    """
    # The list of whoever finds most, not of whoever looks earliest.
    found = metrics[metrics["model"].isin(table["model"])].set_index("model")["recall_at_budget"]
    row = table[table["model"] == found.idxmax()].iloc[0]
    name = _name(str(row["model"]))
    share, low, high = (100 * float(row[c]) for c in ("before", "low", "high"))
    return {
        "zh": f"提前量：{name['zh']}的名单先于规则名单列入 {share:.0f}%"
        f"（{low:.0f}–{high:.0f}%）的返贫户"
        f"（同日 {100 * row['same_date']:.0f}%，规则在先 {100 * row['after']:.0f}%，"
        f"都未列入 {100 * row['neither']:.0f}%）；先列入或同日的户，规则平均晚"
        f" {row['mean_months']:.1f} 个月（{row['until_months']:.0f} 个月内，{_half(row, 'zh')}）。",
        "en": f"Lead time: the list of {name['en']} held {share:.0f} % ({low:.0f}–{high:.0f} %) of those who "
        f"fell before the rules saw them (same date {100 * row['same_date']:.0f} %, the rules first "
        f"{100 * row['after']:.0f} %, neither {100 * row['neither']:.0f} %); of those it held no later, the "
        f"rules followed {row['mean_months']:.1f} months after on average (within "
        f"{row['until_months']:.0f} months; {_half(row, 'en')}).",
    }


def _half(row: pd.Series, lang: str) -> str:
    """Say after how many months the rules had seen half of those that a list held no later."""
    median, until = float(row["median_months"]), float(row["until_months"])
    if median != median:
        return {"zh": f"{until:.0f} 个月时未到一半", "en": f"not half of them by {until:.0f} months"}[lang]
    return {"zh": f"中位数 {median:.0f} 个月", "en": f"median {median:.0f} months"}[lang]


def findings(done: BenchRun) -> list[Words]:
    """Say what the whole bench shows.

    Parameters
    ----------
    done : BenchRun

    Returns
    -------
    list of dict with keys "zh", "en"
    """
    wins: dict[str, list[PanelRun]] = {"simple": [], "level": [], "elaborate": []}
    for one in done.done:
        if "ordering" in one.tables:
            wins[_winner(one.tables["ordering"].iloc[0])].append(one)

    def names(key: str, lang: str) -> str:
        titles = [r.panel.title.model_dump()[lang] for r in wins[key]]
        return ("；" if lang == "zh" else "; ").join(titles) or {"zh": "无", "en": "none"}[lang]

    out = [{
        "zh": f"简单方法（规则、往期收入、评分卡、短回归）排序更好：{names('simple', 'zh')}。"
        f"未显示差别：{names('level', 'zh')}。复杂方法更好：{names('elaborate', 'zh')}。",
        "en": f"A simple method (rules, past income, scorecard, a short regression) orders better on: "
        f"{names('simple', 'en')}. No difference is shown on: {names('level', 'en')}. "
        f"An elaborate method is better on: {names('elaborate', 'en')}.",
    }]  # fmt: skip
    for one in done.done:
        said = sentences(one)[0]
        title = one.panel.title.model_dump()
        out.append({"zh": f"{title['zh']}：{said['zh']}", "en": f"{title['en']}. {said['en']}"})
    return out
