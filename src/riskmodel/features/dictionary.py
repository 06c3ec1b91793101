"""The data dictionary of a feature set, and what is missing in a county."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from riskmodel.data import County
from riskmodel.features.aggregates import AGGREGATES, EVENTS, MISSING_EN, MONTHLY, OBSERVED
from riskmodel.features.build import KEY, build_features
from riskmodel.features.declaration import Feature, FeatureSet
from riskmodel.features.derived import ACCOUNTING
from riskmodel.features.library import load_feature_set
from riskmodel.households import AccountingPeriod, DateLike, known_county

UNITS = {
    "yuan": "元", "yuan_per_head": "元/人", "yuan_per_head_and_month": "元/人·月", "log_yuan": "元的对数",
    "share": "比例", "ratio": "比值", "months": "月", "years": "年", "persons": "人", "count": "次",
    "grade": "级", "flag": "是否",
}  # fmt: skip


def describe_features(feature_set: FeatureSet | str | Path) -> pd.DataFrame:
    """Return the data dictionary: one row per feature, families written out.

    Parameters
    ----------
    feature_set
        A packaged id, the path of a YAML, or a loaded set.

    Returns
    -------
    DataFrame
        ``id, zh, en, unit, unit_zh, from, aggregate, of, over, window, lag, by, known_on, missing,
        needs_monthly, cause, role, changeable, explainable, direction, how, null_means``.

    Examples
    --------
    >>> describe_features("household-v1").set_index("id").loc["pcni", "zh"]
    '人均纯收入'
    """
    fs = feature_set if isinstance(feature_set, FeatureSet) else load_feature_set(feature_set)
    return pd.DataFrame([_row(f) for f in fs.features])


def _row(f: Feature) -> dict[str, object]:
    return {
        "id": f.id, "zh": f.zh, "en": f.en, "unit": f.unit, "unit_zh": UNITS[f.unit], "from": f.source,
        "aggregate": f.aggregate, "of": "; ".join(f.of) or f.column or "; ".join(f.where),
        "over": f.over or "", "window": f.window, "lag": f.lag, "by": f.by or "", "known_on": f.known_on,
        "missing": f.missing,
        "needs_monthly": f.months, "cause": f.cause, "role": f.role, "changeable": f.changeable,
        "explainable": f.explainable, "direction": f.direction, "how": AGGREGATES[f.aggregate].en,
        "null_means": MISSING_EN[f.missing],
    }  # fmt: skip


def explain_missing(county: County, feature_set: FeatureSet | str | Path, as_of: DateLike) -> pd.DataFrame:
    """Return per feature how much is missing at a date, and why.

    Parameters
    ----------
    county
        The checked tables.
    feature_set
        A packaged id, the path of a YAML, or a loaded set.
    as_of
        The day, or days, spoken of; each is judged by what was known then.

    Returns
    -------
    DataFrame
        ``id, households, missing, share, needs_monthly`` (households with annual totals only),
        ``reason``: ``""`` where nothing is missing, ``table_absent``, ``needs_monthly``, the most frequent
        reason for unknown income (``no_income``, ``income_stale``, ``production_unknown``,
        ``no_persons``), or the declared rule for missing values.
    """
    fs = feature_set if isinstance(feature_set, FeatureSet) else load_feature_set(feature_set)
    known = known_county(county, as_of)
    frame = build_features(known, fs)
    period = AccountingPeriod(months=fs.period_months)
    basis = known.accounts(period).select(*KEY, "income_basis", "income_reason")
    frame = frame.merge(county.con.to_pyarrow(basis).to_pandas(date_as_object=False), on=KEY)
    on_income = _on_income(fs)
    rows = []
    for f in fs.features:
        missing = frame[f.id].isna()
        monthly = int((missing & frame["income_basis"].eq("total")).sum()) if f.months else 0
        unknown = frame.loc[missing, "income_reason"].value_counts() if f.id in on_income else pd.Series()
        reason = _reason(f, county, int(missing.sum()), monthly, unknown.sort_index())
        row = {"id": f.id, "households": len(frame), "missing": int(missing.sum()), "share": missing.mean()}
        rows.append(row | {"needs_monthly": monthly, "reason": reason})
    return pd.DataFrame(rows)


def _on_income(fs: FeatureSet) -> set[str]:
    """Return the features that stand on the household's own net income, through any number of steps."""
    quantities = {"pcni", "net_income", "income_drop"}
    on_income = {f.id for f in fs.features if f.source == "accounting" and f.column in quantities}
    refs = on_income | {f"{ACCOUNTING}{q}" for q in quantities}
    while more := {f.id for f in fs.features if f.source == "features" and refs & set(f.of)} - on_income:
        on_income |= more
        refs |= more
    return on_income


def _reason(f: Feature, county: County, missing: int, monthly: int, unknown: pd.Series) -> str:
    if not missing:
        return ""
    if f.source in (*MONTHLY, *EVENTS, "assets", *OBSERVED[1:]) and not county.has(f.source):
        return "table_absent"
    if monthly == missing:
        return "needs_monthly"
    return str(unknown.idxmax()) if len(unknown) else f.missing
