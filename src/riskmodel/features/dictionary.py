"""The data dictionary of a feature set, and what is missing in a county."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from riskmodel.data import County
from riskmodel.features.aggregates import AGGREGATES, EVENTS, MISSING_EN, MONTHLY, OBSERVED
from riskmodel.features.build import KEY, build_features
from riskmodel.features.declaration import Feature, FeatureSet
from riskmodel.features.derived import ACCOUNTING
from riskmodel.features.library import load_feature_set
from riskmodel.features.monthly import missing_reasons, monthly_way
from riskmodel.households import AccountingPeriod, DateLike, KnownCounty, known_county
from riskmodel.i18n import text


def describe_features(feature_set: FeatureSet | str | Path) -> pd.DataFrame:
    """Return the data dictionary: one row per feature, families written out.

    Parameters
    ----------
    feature_set
        A packaged id, the path of a YAML, or a loaded set.

    Returns
    -------
    DataFrame
        ``id, zh, en, unit, unit_zh, from, aggregate, of, over, window, lag, ends, least_months, quantile,
        by, known_on, missing, needs_monthly, cause, role, group, intermediate, changeable, explainable,
        direction, how, null_means``.

    Examples
    --------
    >>> describe_features("household-v1").set_index("id").loc["pcni", "zh"]
    '人均纯收入'
    """
    fs = feature_set if isinstance(feature_set, FeatureSet) else load_feature_set(feature_set)
    return pd.DataFrame([_row(f) for f in fs.features])


def _row(f: Feature) -> dict[str, object]:
    return {
        "id": f.id, "zh": f.zh, "en": f.en, "unit": f.unit, "unit_zh": text(f"features.units.{f.unit}", "zh"),
        "from": f.source,
        "aggregate": f.aggregate, "of": "; ".join(f.of) or f.column or "; ".join(f.where),
        "over": f.over or "", "window": f.window, "lag": f.lag,
        "ends": f.ends if f.source in MONTHLY else "", "least_months": f.least_months,
        "quantile": f.quantile, "by": f.by or "", "known_on": f.known_on,
        "missing": f.missing,
        "needs_monthly": f.months, "cause": f.cause, "role": f.role, "group": f.group,
        "intermediate": f.intermediate, "changeable": f.changeable,
        "explainable": f.explainable, "direction": f.direction, "how": AGGREGATES[f.aggregate].en,
        "null_means": _null_means(f),
    }  # fmt: skip


def _null_means(f: Feature) -> str:
    """Return what null means, what coverage does to a window included."""
    if f.source not in MONTHLY:
        return MISSING_EN[f.missing]
    coverage = {
        "all": "null where a month of the window is not on record or a total reaches into it",
        "least": f"null where fewer than {f.least_months} months of the window are on record",
        "any": "null where there is no window",
    }[monthly_way(f).months]
    return f"{coverage}; {MISSING_EN[f.missing]}"


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
        ``id, households, missing, share, needs_monthly`` (households with totals only), ``reason``, ``""``
        where nothing is missing, else the most frequent one, and ``reasons``, all of them with their
        counts: ``table_absent``; of monthly windows ``needs_monthly`` (a total stands for the months), the
        ``why`` of what was taken off record, or why a month is not on it (``split, new_household,
        before_records, not_yet_recorded, gap_in_records``), ``no_income``; of incomes the accounts'
        ``income_reason``; of what is made of other features the reason of the first one missing; otherwise
        the declared rule for missing values.
    """
    fs = feature_set if isinstance(feature_set, FeatureSet) else load_feature_set(feature_set)
    known = known_county(county, as_of)
    frame = build_features(known, fs)
    basis = known.accounts(AccountingPeriod(months=fs.period_months))
    accounts = county.con.to_pyarrow(basis).to_pandas(date_as_object=False)
    frame = frame.merge(accounts, on=KEY, suffixes=("", "_of_accounts"))
    cells = _Cells(frame, fs, _monthly_reasons(known, fs, frame))
    rows = []
    for f in fs.features:
        missing = frame[f.id].isna()
        monthly = int((missing & frame["income_basis"].eq("total")).sum()) if f.months else 0
        absent = f.source in (*MONTHLY, *EVENTS, "assets", *OBSERVED[1:]) and not county.has(f.source)
        why = pd.Series("table_absent", frame.index) if absent else cells.reasons(f.id)
        counts = why[missing].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        row = {"id": f.id, "households": len(frame), "missing": int(missing.sum()), "share": missing.mean()}
        row |= {"needs_monthly": monthly, "reason": str(counts.index[0]) if len(counts) else ""}
        rows.append(row | {"reasons": "; ".join(f"{name} {n}" for name, n in counts.items())})
    return pd.DataFrame(rows)


def _monthly_reasons(known: KnownCounty, fs: FeatureSet, frame: pd.DataFrame) -> pd.DataFrame:
    """Return why each monthly feature would be missing, in the rows of a frame."""
    asked = [f for f in fs.features if f.source in MONTHLY and known.has(f.source)]
    if not asked:
        return frame[KEY]
    found = missing_reasons(known, asked, fs.period_months).to_pandas(date_as_object=False)
    found["as_of"] = found["as_of"].astype(frame["as_of"].dtype)
    return frame[KEY].merge(found, on=KEY, how="left")


@dataclass(frozen=True)
class _Cells:
    """Why each cell of a feature would be missing."""

    frame: pd.DataFrame
    feature_set: FeatureSet
    monthly: pd.DataFrame

    def reasons(self, name: str) -> pd.Series:
        """Return a word a row for a feature, whether it is missing there or not."""
        f = self.feature_set.feature(name)
        out = pd.Series(f.missing, self.frame.index, dtype=object)
        if name in self.monthly:
            nobody = self._quantity("persons").fillna(0).eq(0) & (f.per == "head")
            return self.monthly[name].fillna(out.mask(nobody, "no_persons"))
        if f.source == "accounting" and f.column is not None:
            return self._of_accounts(f.column, out)
        for ref in reversed(f.of if f.source == "features" else ()):
            quantity = ref.removeprefix(ACCOUNTING)
            own = quantity == ref
            value = self.frame[ref] if own else self._quantity(quantity)
            why = self.reasons(ref) if own else self._of_accounts(quantity, out)
            out = out.mask(value.isna(), why)
        return out

    def _quantity(self, column: str) -> pd.Series:
        """Return a quantity of the accounts, which may have the name of a feature."""
        named = f"{column}_of_accounts"
        return self.frame[named if named in self.frame else column]

    def _of_accounts(self, column: str, otherwise: pd.Series) -> pd.Series:
        of_income = column in ("pcni", "net_income", "income_drop") or column.startswith("income_")
        return self.frame["income_reason"].fillna(otherwise) if of_income else otherwise
