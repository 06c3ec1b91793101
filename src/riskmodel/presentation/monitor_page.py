"""The alarm page: one offline HTML file in both languages, and the tables behind it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.io import files
from riskmodel.scoring import MonitoringResult

FORMAT = 1
PAGE = "monitor.html"
INDEX = ("psi", "psi_chance", "psi_limit")
SHOWN = 25  # features on the page; all of them stand in the table
STYLE = """
body { font: 15px/1.5 "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; max-width: 1000px; margin: 2em auto;
  padding: 0 1em }
table { border-collapse: collapse; width: 100% }
td, th { border: 1px solid #ccd; padding: .3em .6em; text-align: right }
td:first-child, th:first-child { text-align: left }
.alarm { background: #fde2e1 } .look { background: #fff3cd } .ok { background: #e3f4e6 }
li { padding: .3em .6em; margin: .2em 0; list-style: none } ul { padding: 0 } .note { color: #555 }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
WORDS = {
    "title": ("模型监测", "Model monitoring"),
    "none": ("没有警报。", "No alarm."),
    "alarms": ("警报和提示", "Alarms and looks"),
    "drift": ("特征和评分的变化", "Drift of score and features"),
    "drift_note": (
        "PSI 超过 0.1 提示、超过 0.25 警报，且须超出抽样误差的 95% 界限；"
        "“偶然”是什么都没变时抽样本身给出的平均值",
        "PSI above 0.1 is a look, above 0.25 an alarm, and only beyond the 95% limit of sampling; "
        "by chance: what sampling gives on average where nothing has changed",
    ),
    "outcomes": ("到期月份：预计与实际", "Months whose window is over: expected and observed"),
    "no_outcomes": ("还没有一个月的预测期限已满。", "No month's window is over yet."),
    "yields": ("近一年核查成效", "What the last year's visits found"),
    "weighted": ("按入选概率加权的属实率（全体有机会被选中的农户）", "Yield weighted by the lists' chances"),
    "no_yields": ("近一年没有核查记录。", "No visit is on record for the last year."),
}
SOURCES = {
    "rule": "规则 rule",
    "model": "模型 model",
    "random": "随机 random",
    "application": "申报 application",
    "unknown": "未说明 not said",
}
HEADS = {
    "drift": (
        "列 Column",
        "PSI",
        "偶然 By chance",
        "95% 界限 limit",
        "缺失 当时 Missing then",
        "现在 now",
    ),
    "outcomes": (
        "月份 Month",
        "户 Households",
        "预计 Expected",
        "实际 Observed",
        "95%",
        "名单 Listed",
        "其中 Hit",
    ),
    "yields": (
        "来源 Source",
        "户 Visits",
        "属实 Yes",
        "不属实 No",
        "未见 Absent",
        "属实率 Yield",
        "95%",
        "最坏–最好 Worst–best",
    ),
}


def write_monitor(found: MonitoringResult, out: str | Path) -> Path:
    """Write the alarm page and its tables into a folder.

    Parameters
    ----------
    found : Monitored
    out : str or Path
        ``monitor.html``, ``monitor.json``, ``drift.csv``, ``outcomes.csv``, ``yields.csv``, ``weighted.csv``.

    Returns
    -------
    Path
        The page. It holds no household.
    """
    folder = Path(out)
    for name in ("drift", "outcomes", "yields", "weighted"):
        files.write_table(getattr(found, name), folder / f"{name}.csv")
    files.write_json({"format": FORMAT, **found.summary}, folder / "monitor.json")
    return files.write_text(monitor_html(found), folder / PAGE)


def monitor_html(found: MonitoringResult) -> str:
    """Return the page as text."""
    about = found.about
    where = f"{about['model']} v{about['version']}　{about['reference']} → {about['as_of']}"
    alarms = [f'<li class="{a["grade"]}">{escape(a["zh"])}<br>{escape(a["en"])}</li>' for a in found.alarms]
    parts = [
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{_both('title')}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_both('title')}</h1><p>{escape(where)}</p><h2>{_both('alarms')}</h2>",
        f"<ul>{''.join(alarms)}</ul>" if alarms else f'<p class="ok">{_both("none")}</p>',
        f"<h2>{_both('drift')}</h2>{_drift(found.drift)}<p class=note>{_both('drift_note')}</p>",
        f"<h2>{_both('outcomes')}</h2>{_outcomes(found.outcomes)}",
        f"<h2>{_both('yields')}</h2>{_yields(found.yields)}{_weighted(found.weighted)}",
        f'<p class="note">{escape(str(about["run_id"]))} · {escape(str(about["data_fingerprint"]))}</p>',
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _both(word: str) -> str:
    return escape("　".join(WORDS[word]))


def _table(name: str, rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    heads = "".join(f"<th>{escape(h)}</th>" for h in HEADS[name])
    body = []
    for grade, cells in rows:
        told = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        body.append(f'<tr class="{grade}">{told}</tr>')
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _drift(frame: pd.DataFrame) -> str:
    rows = []
    for r in frame.head(SHOWN).to_dict("records"):
        missing = [f"{r[c]:.0%}" for c in ("missing_before", "missing_now")]
        grade = r["status"] if r["status"] != "ok" else r["missing_status"]
        rows.append((grade, [f"{r['zh']} {r['en']}", *(f"{r[c]:.3f}" for c in INDEX), *missing]))
    return _table("drift", rows)


def _outcomes(frame: pd.DataFrame) -> str:
    if frame.empty:
        return f"<p class=note>{_both('no_outcomes')}</p>"
    return _table("outcomes", [(r["status"], _outcome(r)) for r in frame.to_dict("records")])


def _outcome(r: dict[Any, Any]) -> list[str]:
    counts = [f"{r['households']:,}", f"{r['expected']:.1f}", str(r["observed"])]
    return [
        r["as_of"],
        *counts,
        f"[{r['low']:.0f}, {r['high']:.0f}]",
        str(r["listed"]),
        str(r["listed_observed"]),
    ]


def _yields(frame: pd.DataFrame) -> str:
    if frame.empty:
        return f"<p class=note>{_both('no_yields')}</p>"
    rows = []
    for r in frame.to_dict("records"):
        known = r["rate"] == r["rate"]
        counts = [str(r[c]) for c in ("visits", "confirmed", "not_confirmed", "absent")]
        rate = [f"{r['rate']:.1%}", f"[{r['low']:.1%}, {r['high']:.1%}]"] if known else ["—", ""]
        bounds = f"{r['worst']:.0%}–{r['best']:.0%}"
        rows.append(("", [SOURCES.get(r["selected_by"], r["selected_by"]), *counts, *rate, bounds]))
    return _table("yields", rows)


def _weighted(frame: pd.DataFrame) -> str:
    if frame.empty:
        return ""
    row = frame.iloc[0]
    told = f"{row['rate']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"
    return f"<p>{_both('weighted')}：<b>{told}</b>（{row['visits']:.0f}; n_eff {row['effective_n']:.0f}）</p>"
