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
CHANGES: dict[Language, dict[str, str]] = {
    "zh": {
        "appeared": "新成立：{listed}",
        "disappeared": "不再成立：{listed}",
        "became_unclear": "无法再判断：{listed}",
        "moved": "数据变化：{listed}",
        "from_to": "{name} {old} → {new}",
        "entered": "此前不在农户表中",
        "left": "已不在农户表中",
        "late": "系补录数据所致，当时情况已如此",
        "register": "规则条件未变，系监测记录或帮扶记录变化所致",
        "and": "、",
        "stop": "；",
    },
    "en": {
        "appeared": "now holds: {listed}",
        "disappeared": "no longer holds: {listed}",
        "became_unclear": "can no longer be judged: {listed}",
        "moved": "figures: {listed}",
        "from_to": "{name} {old} → {new}",
        "entered": "was not among the households before",
        "left": "is no longer among the households",
        "late": "from records that came in late; it was so already",
        "register": "the conditions are the same; the register or support rows changed",
        "and": ", ",
        "stop": "; ",
    },
}
