"""What a bench found, in sentences: who wins, where the simple method does, what cannot be told.

The one table of a bench: a row a panel and model; the same as text for a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from riskmodel import __version__, models
from riskmodel.benchmark.cells import name_of, number
from riskmodel.benchmark.run import BenchmarkResult, PanelResult
from riskmodel.models import entry
from riskmodel.runs import is_simple, winner

Words = dict[str, str]
# Of the primary test, after Holm.
LEVEL = 0.05
_NOBODY: Words = {"zh": "无", "en": "none"}
_SAID: dict[str, Words] = {
    "level": {"zh": "未显示差别", "en": "no difference is shown"},
    "simple": {"zh": "简单方法胜出", "en": "the simple method wins"},
    "elaborate": {"zh": "复杂方法胜出", "en": "the elaborate method wins"},
}
_ASKED: dict[str, Words] = {
    "auc": {"zh": "排序能力（AUC）", "en": "Ordering (AUC)"},
    "recall": {"zh": "同样走访量的名单（查全率）", "en": "The list at the same visits (recall)"},
}


def _name(model: str) -> Words:
    found = entry(model)
    return {"zh": found.zh, "en": found.en}


def _listed(names: Iterable[str], lang: str) -> str:
    return ("、" if lang == "zh" else ", ").join(_name(n)[lang] for n in names) or _NOBODY[lang]


def panel_findings(one: PanelResult) -> list[Words]:
    """Say what one panel shows.

    Parameters
    ----------
    one : PanelRun

    Returns
    -------
    list of dict with keys "zh", "en"
    """
    out = [_against(one)]
    if "ordering" in one.tables:
        out += [_ranking(row) for row in one.tables["ordering"].to_dict("records")]
    visits = one.tables["visits"]
    if len(visits) and visits["ratio"].notna().any():
        recall = visits.set_index("model")["recall_model"]
        out.append(visits_equivalent_sentence(visits, str(recall.idxmax()), one.panel.baseline))
    if "lead" in one.tables and len(one.tables["lead"]):
        out.append(lead_time_sentence(one.tables["lead"], one.tables["metrics"]))
    if "truth" in one.tables:
        out.append(_attained(one.tables["truth"]))
    if "unsupported" in one.tables:
        out.append(_support(one.tables["unsupported"].iloc[0]))
    return out


def _ranking(row: dict[Any, Any]) -> Words:
    one, two, said = _name(str(row["simple"])), _name(str(row["elaborate"])), _SAID[winner(row)]
    asked = _ASKED[str(row["measure"])]
    a, b, d, low, high = (
        float(row[c]) for c in ("value_simple", "value_elaborate", "difference", "low", "high")
    )
    return {
        "zh": f"{asked['zh']}：最好的简单方法是{one['zh']}（{a:.3f}），最好的复杂方法是{two['zh']}"
        f"（{b:.3f}）；差 {d:+.3f}（{low:+.3f} 至 {high:+.3f}）：{said['zh']}。",
        "en": f"{asked['en']}: the best simple method is {one['en']} ({a:.3f}), the best elaborate one "
        f"{two['en']} ({b:.3f}); difference {d:+.3f} ({low:+.3f} to {high:+.3f}): {said['en']}.",
    }


def primary_test(one: PanelResult) -> dict[str, list[str]]:
    """Return which models the primary test shows to differ from the baseline.

    Parameters
    ----------
    one : PanelRun

    Returns
    -------
    dict
        ``better, worse`` (Holm-corrected p below 0.05) and ``unsure`` (the interval lies apart from 0, but
        not after the correction): models, rule sets beside the baseline left out.
    """
    table = one.tables["comparison"].query("scope == 'pooled' and at == 'budget' and family == 'models'")
    out: dict[str, list[str]] = {"better": [], "worse": [], "unsure": []}
    for row in table.to_dict("records"):
        if row["p_holm"] < LEVEL:
            out["better" if row["delta_recall"] > 0 else "worse"].append(str(row["model"]))
        elif row["delta_low"] > 0 or row["delta_high"] < 0:
            out["unsure"].append(str(row["model"]))
    return out


def _against(one: PanelResult) -> Words:
    first = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'").iloc[0]
    baseline, found = _name(str(first["baseline"])), primary_test(one)
    unsure = {
        "zh": f"；校正前区间不含 0、校正后不显著：{_listed(found['unsure'], 'zh')}",
        "en": f"; apart from 0 before the correction only: {_listed(found['unsure'], 'en')}",
    }
    return {
        "zh": f"主要检验：同样走访 {first['visits']} 户次，{first['n_events']} 个事件，"
        f"{baseline['zh']}的名单找到 {first['hits_baseline']} 个。Holm 校正后查全率高于它的："
        f"{_listed(found['better'], 'zh')}；低于它的：{_listed(found['worse'], 'zh')}"
        f"{unsure['zh'] if found['unsure'] else ''}；其余未显示差别。",
        "en": f"Primary test: at the same {first['visits']} visits ({first['n_events']} events) the list of "
        f"{baseline['en']} finds {first['hits_baseline']}. After Holm recall is higher for: "
        f"{_listed(found['better'], 'en')}; lower for: {_listed(found['worse'], 'en')}"
        f"{unsure['en'] if found['unsure'] else ''}; no difference is shown for the others.",
    }


def visits_equivalent_sentence(visits: pd.DataFrame, model: str, baseline: str = "rule") -> Words:
    """Say what a model's list is worth in visits.

    Parameters
    ----------
    visits : DataFrame
        Of `riskmodel.benchmark.evaluate`.
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


def lead_time_sentence(table: pd.DataFrame, metrics: pd.DataFrame) -> Words:
    """Say how early the list of the model that finds most holds those who fell.

    Parameters
    ----------
    table, metrics : DataFrame
        Of `riskmodel.benchmark.evaluate`.

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


def _attained(truth: pd.DataFrame) -> Words:
    table = truth[truth["model"] != "oracle"].set_index("model")
    best, limit = str(table["recall_true"].idxmax()), float(table["oracle_recall"].iloc[0])
    rule = float(table["recall_share"].get("rule", float("nan")))
    own = float(table["recall_share"][best])
    name = _name(best)
    return {
        "zh": f"真实风险已知：按真实风险排序的名单查全率为 {limit:.1%}；规则达到其 {rule:.0%}，"
        f"最好的{name['zh']}达到 {own:.0%}。",
        "en": "The truth is known here: a list in the order of the true chances has a recall of "
        f"{limit:.1%}; the rules reach {rule:.0%} of that, the best, {name['en']}, {own:.0%}.",
    }


def _support(row: pd.Series) -> Words:
    now, without = float(row["supported"]), float(row["unsupported"])
    return {
        "zh": f"真实平均风险：现有帮扶下 {now:.2%}，若帮扶全部停止 {without:.2%}。",
        "en": f"Mean true chance: {now:.2%} under current support, {without:.2%} were it all to end.",
    }


def benchmark_findings(done: BenchmarkResult) -> list[Words]:
    """Say what the whole bench shows, the simple method's wins first.

    Parameters
    ----------
    done : BenchRun

    Returns
    -------
    list of dict with keys "zh", "en"
    """
    out = [_overall(done, "auc"), _overall(done, "recall"), _tests(done)]
    for one in done.done:
        said, title = panel_findings(one), one.panel.title.model_dump()
        # The primary test, and how the simple method does in ordering.
        out.append({
            "zh": f"{title['zh']}：{''.join(s['zh'] for s in said[:2])}",
            "en": f"{title['en']}. {' '.join(s['en'] for s in said[:2])}",
        })  # fmt: skip
    return out


def _titles(runs: list[PanelResult], lang: str) -> str:
    titles = [r.panel.title.model_dump()[lang] for r in runs]
    return ("；" if lang == "zh" else "; ").join(titles) or _NOBODY[lang]


def _overall(done: BenchmarkResult, measure: str) -> Words:
    wins: dict[str, list[PanelResult]] = {"simple": [], "level": [], "elaborate": []}
    for one in done.done:
        if "ordering" in one.tables:
            row = one.tables["ordering"].set_index("measure").loc[measure]
            wins[winner(row.to_dict())].append(one)
    asked = _ASKED[measure]
    total = sum(map(len, wins.values()))
    count = len(wins["simple"]) + len(wins["level"])
    return {
        "zh": f"{asked['zh']}：{total} 个数据集中有 {count} 个，简单方法（规则、往期收入、评分卡、短回归）"
        f"胜出或未显示落后。简单方法胜出：{_titles(wins['simple'], 'zh')}。"
        f"未显示差别：{_titles(wins['level'], 'zh')}。复杂方法胜出：{_titles(wins['elaborate'], 'zh')}。",
        "en": f"{asked['en']}: on {count} of {total} panels a simple method (rules, past income, scorecard, "
        f"a short regression) wins or is not shown to lose. The simple method wins on: "
        f"{_titles(wins['simple'], 'en')}. No difference is shown on: {_titles(wins['level'], 'en')}. "
        f"An elaborate method wins on: {_titles(wins['elaborate'], 'en')}.",
    }


def _tests(done: BenchmarkResult) -> Words:
    better = [one for one in done.done if primary_test(one)["better"]]
    others = [one for one in done.done if not primary_test(one)["better"]]
    return {
        "zh": f"主要检验（同样走访量，Holm 校正后）：至少一个模型的名单优于对照名单："
        f"{_titles(better, 'zh')}；没有模型被证明更好：{_titles(others, 'zh')}。",
        "en": f"The primary test (same visits, after Holm) shows at least one model's list to be better than "
        f"the baseline's on: {_titles(better, 'en')}; no model's on: {_titles(others, 'en')}.",
    }


_OWN = ("auc", "average_precision", "brier", "calibration_slope", "recall_at_budget", "precision_at_budget",
        "lift")  # fmt: skip
_COUNTS = ("n_test", "n_events", "n_villages", "visits", "hits", "hits_worst", "hits_best")
_PAIR = ("delta_recall", "delta_low", "delta_high", "p_bootstrap", "p_holm", "family", "overlap")
_WINS = {"simple": "**simple**", "elaborate": "elaborate", "level": "not told apart"}


def summary_table(done: BenchmarkResult) -> pd.DataFrame:
    """Return every panel's models and rule sets in one table.

    Parameters
    ----------
    done : BenchRun

    Returns
    -------
    DataFrame
        ``panel, model, tradition, simple``; counts; each metric with ``_low, _high``; against the baseline
        ``delta_recall`` (minus the difference in exclusion error), ``delta_low, delta_high, p_bootstrap,
        p_holm, family, overlap``; ``auc_true, recall_true, recall_share`` where the truth is known.
    """
    return pd.concat([_of_panel(one) for one in done.done], ignore_index=True)


def _of_panel(one: PanelResult) -> pd.DataFrame:
    metrics = one.tables["metrics"]
    ends = [f"{m}{e}" for m in _OWN for e in ("", "_low", "_high")]
    out = metrics[["model", *_COUNTS, *ends]]
    pair = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
    out = out.merge(pair[["model", *_PAIR]], on="model", how="left", validate="one_to_one")
    if "truth" in one.tables:
        true = one.tables["truth"][["model", "auc_true", "recall_true", "recall_share"]]
        out = out.merge(true, on="model", how="left", validate="one_to_one")
    out.insert(0, "panel", one.panel.id)
    out.insert(2, "tradition", [models.entry(m).family for m in out["model"]])
    out.insert(3, "simple", [is_simple(m) for m in out["model"]])
    return out


def results_markdown(done: BenchmarkResult, peak_gib: float) -> str:
    """Write a bench's results as text in Markdown, made to be copied into a document.

    Parameters
    ----------
    done : BenchRun
    peak_gib : float
        Most memory that a process of it held.

    Returns
    -------
    str
    """
    whole = summary_table(done)
    named = [m for m in models.MODELS if m in set(whole["model"])]
    parts = [
        _what_it_cost(done, peak_gib),
        "\n".join(f"* {said['en']}" for said in benchmark_findings(done)),
        "**The panels.** Δ: the best elaborate method less the best simple one, with its 95 % interval. "
        "Visits equivalent: visits in the baseline's order that find what the best list finds, over the "
        "visits.",
        _panels(done),
        "**AUC** with its 95 % interval (villages resampled):",
        _matrix(done, named, _auc),
        "**Recall at the budget** (in brackets: share of the recall that a list by the true chances has):",
        _matrix(done, named, _recall),
        "**Primary test**: difference in recall from the baseline in points (= −ΔEE) with its 95 % interval; "
        f"bold: p < {LEVEL} after Holm.",
        _matrix(done, [m for m in named if m != "rule"], _delta),
        "**Rule sets** on the simulated counties, by verdict and distance to the line: AUC, recall at the "
        "budget.",
        _matrix(done, _rulesets(whole), _ruleset),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _what_it_cost(done: BenchmarkResult, peak_gib: float) -> str:
    each = ", ".join(f"{r.panel.id} {r.seconds:.0f}/{r.facts.get('cpu_seconds', 0)}" for r in done.done)
    cpu = sum(r.facts.get("cpu_seconds", 0) for r in done.done) / 60
    size = "quick size: its figures mean nothing" if done.quick else "full size"
    return (
        f"riskmodel {__version__}, {size}, {done.jobs} panel(s) at a time: {done.seconds / 60:.1f} minutes "
        f"in all, {cpu:.1f} minutes of processor time in the panels, at most {peak_gib:.2f} GiB in one "
        f"process (panel, seconds/processor seconds: {each})."
    )


def _panels(done: BenchmarkResult) -> str:
    heads = ["panel", "households", "test rows", "events", "visits", "AUC: best simple", "best elaborate",
             "Δ AUC", "wins", "Δ recall", "wins", "visits equivalent"]  # fmt: skip
    return _table(heads, [_panel_row(one) for one in done.done])


def _panel_row(one: PanelResult) -> list[str]:
    first = one.tables["metrics"].iloc[0]
    counts = [str(one.facts.get("households", "–")), *(str(int(first[c])) for c in _COUNTS[:2])]
    counts.append(str(int(first["visits"])))
    return [one.panel.id, *counts, *_ordered(one), _visits(one)]


def _ordered(one: PanelResult) -> list[str]:
    if "ordering" not in one.tables:
        return ["–"] * 6
    by = one.tables["ordering"].set_index("measure").to_dict("index")
    auc, recall = by["auc"], by["recall"]
    names = [f"{r} {auc[f'value_{k}']:.3f}" for k in ("simple", "elaborate") for r in (auc[k],)]
    return [*names, _interval(auc, "difference", "low", "high", 3), _WINS[winner(auc)],
            _interval(recall, "difference", "low", "high", 3), _WINS[winner(recall)]]  # fmt: skip


def _visits(one: PanelResult) -> str:
    found = one.tables["visits"]
    if found.empty or not found["ratio"].notna().any():
        return "–"
    row = found.sort_values("recall_model", kind="stable").iloc[-1]
    return f"{row['model']} {row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def _interval(row: Mapping[Any, Any], name: str, low: str, high: str, digits: int, scale: float = 1) -> str:
    value, first, last = (number(scale * float(row[c]), digits, sign=True) for c in (name, low, high))
    return f"{value} ({first} to {last})"


def _auc(row: Mapping[Any, Any]) -> str:
    return f"{number(row['auc'])} ({number(row['auc_low'])}–{number(row['auc_high'])})"


def _recall(row: Mapping[Any, Any]) -> str:
    share = row.get("recall_share", float("nan"))
    return number(row["recall_at_budget"]) + (f" ({share:.0%})" if share == share else "")


def _delta(row: Mapping[Any, Any]) -> str:
    if row["delta_recall"] != row["delta_recall"]:
        return "baseline"
    text = _interval(row, "delta_recall", "delta_low", "delta_high", 1, 100)
    return f"**{text}**" if row["p_holm"] < LEVEL else text


def _ruleset(row: Mapping[Any, Any]) -> str:
    return f"{number(row['auc'])}, {number(row['recall_at_budget'])}"


def _rulesets(whole: pd.DataFrame) -> list[str]:
    names = list(dict.fromkeys(whole["model"]))
    return [m for m in names if models.entry(m).ruleset and m.startswith("rule-")]


def _matrix(done: BenchmarkResult, names: list[str], text: Callable[[Mapping[Any, Any]], str]) -> str:
    if not names:
        return ""
    whole = summary_table(done)
    by = {(r["panel"], r["model"]): r for r in whole.to_dict("records")}
    panels = [r.panel.id for r in done.done if any((r.panel.id, m) in by for m in names)]
    rows = [[name_of(m)["en"], *(text(by[p, m]) if (p, m) in by else "–" for p in panels)] for m in names]
    return _table(["", *panels], rows)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
