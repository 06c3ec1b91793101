"""What a promotion needs: each check holds or fails, and says why in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.stats import chi2

from riskmodel.runs.promotion.contenders import LEVEL, Contender, difference, differing, groups, paired

# A group's recall may fall to four fifths of the champion's (the four-fifths rule, EEOC 1978): an assumption.
FAIRNESS_FLOOR = 0.8
MIN_EVENTS = 10  # in a group, below which its recall says nothing
# Expected and observed numbers may differ by a quarter where the interval cannot tell more: an assumption.
CALIBRATION_RATIO = (0.8, 1.25)
SLOPE_OFF = 0.2


@dataclass(frozen=True)
class Check:
    """One condition of a promotion: whether it holds, and in words why."""

    id: str
    passed: bool
    zh: str
    en: str


def decide(
    champion: Contender, challenger: Contender, data_check: Mapping[str, Any] | None = None
) -> list[Check]:
    """Check everything a promotion needs.

    Parameters
    ----------
    champion, challenger : Contender
    data_check : mapping, optional

    Returns
    -------
    list of Check
        ``question`` (same event, horizon, rule set, cohort), ``primary`` (recall at the budget),
        ``calibrated``, ``leakage``, ``data``, ``fairness``.

    Raises
    ------
    InputRefused
        If they were not tested on the same rows.
    """
    rows = paired(champion, challenger)
    return [
        _question(champion.experiment, challenger.experiment),
        _primary(rows),
        _calibrated(challenger),
        _leakage(challenger),
        _data(rows, data_check),
        _fairness(rows),
    ]


def _primary(rows: pd.DataFrame) -> Check:
    ours, theirs, gap, low, high = difference(rows)
    passed = bool(high >= 0)
    figures = f"{ours:.1%} → {theirs:.1%} ({100 * gap:+.1f}, 95% {100 * low:+.1f} … {100 * high:+.1f})"
    return Check(
        "primary",
        passed,
        f"同样名额下的查全率 {figures}：{'不比现用模型差' if passed else '比现用模型差，超出区间'}",
        f"recall at the budget {figures}: {'not worse' if passed else 'worse, beyond its interval'}",
    )


def _question(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Check:
    differ = differing(ours, theirs)
    if differ:
        names = ", ".join(differ)
        return Check("question", False, f"回答的是不同的问题：{names}", f"answers another question: {names}")
    return Check("question", True, "与现用模型预测同一件事", "foretells what the champion foretells")


def _calibrated(challenger: Contender) -> Check:
    known = challenger.predictions.dropna(subset=["y"])
    observed, expected = float(known["y"].sum()), float(known["probability"].sum())
    low = chi2.ppf((1 - LEVEL) / 2, 2 * observed) / 2 if observed else 0.0
    high = chi2.ppf(1 - (1 - LEVEL) / 2, 2 * observed + 2) / 2
    ratio = observed / expected if expected else float("inf")
    level = low <= expected <= high or CALIBRATION_RATIO[0] <= ratio <= CALIBRATION_RATIO[1]
    m = challenger.metrics
    slope = float(m["calibration_slope"])
    steep = m["calibration_slope_low"] <= 1 <= m["calibration_slope_high"] or abs(slope - 1) <= SLOPE_OFF
    passed = bool(level and steep)
    figures = f"{observed:.0f} / {expected:.1f}"
    span = f"[{m['calibration_slope_low']:.2f}, {m['calibration_slope_high']:.2f}]"
    return Check(
        "calibrated",
        passed,
        f"实际 / 预计 {figures}，校准斜率 {slope:.2f} {span}",
        f"observed / expected {figures}, calibration slope {slope:.2f} {span}",
    )


def _leakage(challenger: Contender) -> Check:
    high = bool(challenger.metrics.get("leakage_suspected"))
    auc = f"AUC {float(challenger.metrics['auc']):.3f}"
    leaks = challenger.leaks
    columns = [str(c) for c in leaks.loc[leaks["suspected"].astype(bool), "column"]] if len(leaks) else []
    told_zh = ["高得可疑，先查泄漏"] * high + [f"可疑的特征：{'、'.join(columns)}"] * bool(columns)
    told_en = ["suspiciously high, look for a leak first"] * high
    told_en += [f"suspected features: {', '.join(columns)}"] * bool(columns)
    return Check(
        "leakage",
        not told_en,
        f"{auc}：{'；'.join(told_zh) or '未见泄漏迹象'}",
        f"{auc}: {'; '.join(told_en) or 'no sign of a leak'}",
    )


def _data(rows: pd.DataFrame, data_check: Mapping[str, Any] | None) -> Check:
    events = int(rows["y"].sum())
    enough = events >= MIN_EVENTS
    usable = data_check is not None and not data_check["refused"]
    passes_zh, passes_en = ("通过", "passes") if usable else ("未通过", "fails")
    zh = f"数据检查{passes_zh}" if data_check is not None else "数据未检查，请加 --data"
    en = f"the check {passes_en}" if data_check is not None else "data not checked: give --data"
    return Check("data", enough and usable, f"测试期 {events} 例；{zh}", f"{events} events tested; {en}")


def _fairness(rows: pd.DataFrame) -> Check:
    low, worst, untold = [], [], 0
    for kind, group in groups(rows).items():
        for value in sorted(group.dropna().unique()):
            own = rows[group == value]
            if own["y"].sum() < MIN_EVENTS:
                untold += 1
                continue
            ours, theirs, _, _, high = difference(own)
            worst.append((theirs, f"{kind} {value}"))
            if theirs < FAIRNESS_FLOOR * ours and high < 0:
                low.append(f"{kind} {value}: {ours:.0%} → {theirs:.0%}")
    if low:
        told = "; ".join(low)
        zh, en = (
            f"有组别的查全率不到现用模型的五分之四：{told}",
            f"below four fifths of the champion's recall: {told}",
        )
        return Check("fairness", False, zh, en)
    least = min(worst, default=None)
    shown = f"{least[1]} {least[0]:.0%}" if least else "—"
    return Check(
        "fairness",
        True,
        f"可判断的 {len(worst)} 组均不低于下限，最低 {shown}；{untold} 组发生数太少，未判断",
        f"none of {len(worst)} groups below the floor; lowest {shown}; {untold} too small to judge",
    )
