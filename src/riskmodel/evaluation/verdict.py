"""What a comparison says in one sentence, in Chinese and English, and what to beware of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel.evaluation.table import LEAKAGE_AUC
from riskmodel.models import entry, known

# With fewer clusters percentile intervals are known to be too short (Cameron, Gelbach and Miller 2008).
_FEW_VILLAGES = 30

_ZH = {"model": "{model}更好", "baseline": "{baseline}更好", "none": "未显示差别"}
_EN = {"model": "{model} is better", "baseline": "{baseline} is better", "none": "no difference shown"}


def verdict(row: Mapping[Any, Any], level: float, event: tuple[str, str]) -> dict[str, str]:
    """Say which of the two lists is better, by the difference in recall.

    The model declared beforehand is one test, and its interval decides; of several others a p value after
    Holm's correction does, since some interval of many lies off zero by chance.

    Parameters
    ----------
    row : mapping
        One row of the comparison's table.
    level : float
        Of the interval; 1 − level is the level of the tests.
    event : tuple of str
        What a found event is called, in Chinese and English.

    Returns
    -------
    dict
        ``verdict`` {model, baseline, none}, ``verdict_zh``, ``verdict_en``. An interval that cannot be
        computed shows no difference.
    """
    code = _decided(row, level)
    model, baseline = names(str(row["model"])), names(str(row["baseline"]))
    delta = 100 * float(row["delta_recall"])
    span_zh, span_en = _span(row, level)
    zh = (
        f"同样走访 {row['visits']} 户次，{row['n_events']} 个{event[0]}中"
        f"{baseline[0]}找到 {row['hits_baseline']} 个，{model[0]}找到 {row['hits_model']} 个"
        f"（都找到 {row['both']}，只有{baseline[0]} {row['baseline_only']}，"
        f"只有{model[0]} {row['model_only']}，都没找到 {row['neither']}）。"
        f"查全率差 {delta:+.1f} 个百分点{span_zh}：{_ZH[code].format(model=model[0], baseline=baseline[0])}。"
    )
    said = _EN[code].format(model=model[1], baseline=baseline[1])
    en = (
        f"At the same {row['visits']} visits {baseline[1]} finds {row['hits_baseline']} of {row['n_events']} "
        f"{event[1]} and {model[1]} {row['hits_model']} (both {row['both']}, only {baseline[1]} "
        f"{row['baseline_only']}, only {model[1]} {row['model_only']}, neither {row['neither']}). "
        f"Difference in recall {delta:+.1f} points{span_en}: {said}."
    )
    return {"verdict": code, "verdict_zh": zh, "verdict_en": en}


def _decided(row: Mapping[Any, Any], level: float) -> str:
    low, high = float(row["delta_low"]), float(row["delta_high"])
    if row["declared"]:
        return "model" if low > 0 else "baseline" if high < 0 else "none"
    # Without an interval there is no test either.
    if not (low == low and float(row["p_holm"]) < 1 - level):
        return "none"
    return "model" if row["delta_recall"] > 0 else "baseline"


def _span(row: Mapping[Any, Any], level: float) -> tuple[str, str]:
    low, high = 100 * float(row["delta_low"]), 100 * float(row["delta_high"])
    if low != low:
        return "，区间无法计算", ", no interval"
    zh = f"，{level:.0%} 区间 {low:+.1f} 至 {high:+.1f}（按村重抽样）"
    en = f", {level:.0%} interval {low:+.1f} to {high:+.1f} (villages resampled)"
    if row["declared"]:
        return f"{zh}，事先声明的唯一检验", f"{en}, the one test declared beforehand"
    p = float(row["p_holm"])
    return f"{zh}，p = {p:.3f}（Holm 校正）", f"{en}, p = {p:.3f} (Holm)"


def names(name: str) -> tuple[str, str]:
    """Return what a model is called in Chinese and English."""
    if name == "rule":
        return "规则", "the rule list"
    if not known(name):
        return name, name
    found = entry(name)
    return found.zh, found.en


def notes(table: pd.DataFrame, unscored: int) -> list[dict[str, str]]:
    """Say what was left out of a comparison and what weakens it.

    Parameters
    ----------
    table : DataFrame
        The comparison's table.
    unscored : int
        Rows that some model did not score.

    Returns
    -------
    list of dict with keys "zh", "en"
    """
    pooled = table[(table["scope"] == "pooled") & (table["at"] == "budget")]
    first = pooled.iloc[0]
    out = []
    if first["n_null"]:
        out.append(
            _note(
                f"{first['n_null']} 户次标签未知，未计入",
                f"{first['n_null']} rows have no label and are left out",
            )
        )
    if unscored:
        out.append(
            _note(
                f"{unscored} 户次有模型未评分，未计入",
                f"{unscored} rows not scored by every model are left out",
            )
        )
    if first["n_villages"] < _FEW_VILLAGES:
        out.append(_note(
            f"只有 {first['n_villages']} 个村：区间偏窄，仅供参考",
            f"only {first['n_villages']} villages: the intervals are rough and rather too short",
        ))  # fmt: skip
    if first["baseline"] == "rule":
        out += _filled(int(first["flagged"]), int(first["topped_up"]), int(first["cut"]))
    for row in pooled[pooled["auc_model"] > LEAKAGE_AUC].to_dict("records"):
        zh, en = names(str(row["model"]))
        out.append(_note(
            f"{zh}的 AUC 为 {row['auc_model']:.3f}，高于 {LEAKAGE_AUC}：疑似信息泄漏，请先检查特征",
            f"the AUC of {en} is {row['auc_model']:.3f}, above {LEAKAGE_AUC}: suspect a leak, "
            "check the features first",
        ))  # fmt: skip
    return out


def _filled(flagged: int, topped_up: int, cut: int) -> list[dict[str, str]]:
    out = []
    if topped_up:
        out.append(_note(
            f"规则标记 {flagged} 户次，不足名额处按规则自身排序（距线远近）补足 {topped_up} 户次",
            f"the rules flag {flagged}; where they are fewer than the visits, their own ranking (distance to "
            f"the line) fills {topped_up}",
        ))  # fmt: skip
    if cut:
        out.append(_note(
            f"规则标记 {flagged} 户次，超出名额处按规则自身排序截去 {cut} 户次"
            "（仅为等量比较；名单本身不减人）",
            f"the rules flag {flagged}; where they are more than the visits, their own ranking leaves out "
            f"{cut} (for the comparison at equal visits only: a worklist drops no one)",
        ))  # fmt: skip
    return out


def _note(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}
