"""The sentences in which a verdict is explained, in Chinese and English."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]
ANSWERS: dict[Language, dict[bool | None, str]] = {
    "zh": {True: "成立", False: "不成立", None: "无法判断"},
    "en": {True: "holds", False: "does not hold", None: "cannot be judged"},
}
REASONS: dict[str, dict[Language, str]] = {
    "no_income": {"zh": "核算期内没有收入记录", "en": "no income is recorded in the period"},
    "income_stale": {"zh": "最近的年度合计已过时", "en": "the newest annual total is too old"},
    "production_unknown": {"zh": "缺少生产经营支出数据", "en": "production spending is not known"},
    "no_persons": {"zh": "户内没有在户成员", "en": "nobody is present in the household"},
}
WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "head": "{ruleset}（{id}），截至{as_of}，农户{household}",
        "verdict": "结论：{category}{tier}（依据：{source}）",
        "none": "不属于任何类别",
        "unknown": "收入不明，无法判断（{reason}）",
        "not_meant": "本规则不适用于{registration}",
        "tier": "，{tier}",
        "period": "核算期：{start}至{end}",
        "numbers": "数据：",
        "conditions": "条件：",
        "outcome": "监测处置建议：{outcome}（依据：{source}）",
        "removed_by": "负面清单：{kinds}",
        "focus": "重点关注：{focus}",
        "assumptions": "所用假设参数：{assumptions}",
        "missing": "不明",
        "source": "依据",
        "and": "、",
        "colon": "：",
        "causes": "一年内风险原因：{listed}",
        "gaps": "保障缺口：{listed}",
        "register": "监测记录：{listed}",
        "nothing": "无",
        "no_table": "不明（缺少风险事件表）",
    },
    "en": {
        "head": "{ruleset} ({id}) at {as_of}, household {household}",
        "verdict": "Verdict: {category}{tier} (source: {source})",
        "none": "no type holds",
        "unknown": "cannot be judged, income is unknown ({reason})",
        "not_meant": "this set does not speak of {registration}",
        "tier": ", {tier}",
        "period": "Accounting period: {start} to {end}",
        "numbers": "Figures:",
        "conditions": "Conditions:",
        "outcome": "Proposed for the register: {outcome} (source: {source})",
        "removed_by": "Negative list: {kinds}",
        "focus": "To be watched: {focus}",
        "assumptions": "Assumed parameters: {assumptions}",
        "missing": "unknown",
        "source": "source",
        "and": ", ",
        "colon": ": ",
        "causes": "Causes within the year: {listed}",
        "gaps": "Gaps: {listed}",
        "register": "Register: {listed}",
        "nothing": "none",
        "no_table": "unknown (there is no table of risk events)",
    },
}
