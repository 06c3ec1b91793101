"""What is known of test households beside features: income of the outcome's year, groups, support."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskmodel import accounting, asof, rules
from riskmodel.asof import Moment
from riskmodel.county.county import County
from riskmodel.experiment.declared import Experiment
from riskmodel.labels import EVER, KEY

# Features that say to which group a household belongs, and how the group is called.
GROUPS: dict[str, tuple[str, str, str]] = {
    "lifted": ("is_lifted", "脱贫户", "lifted out of poverty"),
    "elderly_alone": ("elderly_alone", "独居老人", "old and alone"),
    "disability": ("disabled", "有残疾人", "somebody disabled"),
    "no_labour": ("no_labour", "无劳动力", "nobody able to work"),
    "one_adult": ("no_adult_at_home", "留守家庭", "no adult of working age at home"),
    "relocated": ("relocated", "易地搬迁", "relocated"),
}


def groups(rows: pd.DataFrame, X: pd.DataFrame) -> pd.DataFrame:
    """Say to which groups households belong, from features known at as-of.

    Parameters
    ----------
    rows : DataFrame
        With ``row``, the position in X.
    X : DataFrame
        Features.

    Returns
    -------
    DataFrame
        Index of ``rows``; a column a group of `GROUPS` that the features know: "yes", "no" or missing.
    """
    out = pd.DataFrame(index=rows.index)
    for name, (column, _, _) in GROUPS.items():
        if column in X.columns:
            value = X[column].iloc[rows["row"]].to_numpy(dtype=float, na_value=float("nan"))
            known = pd.Series(value, index=rows.index)
            out[f"group_{name}"] = (known > 0).map({True: "yes", False: "no"}).where(known.notna())
    return out


def income_after(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame | None:
    """Return income per head over the period that ends with the label's window.

    Parameters
    ----------
    exp : Experiment
    county : County
    days : tuple of date
        As-of dates.

    Returns
    -------
    DataFrame or None
        ``household_id, as_of, pcni_after`` (yuan); None where each household has a window of its own
        (``horizon.next``, totals).
    """
    if exp.horizon.next or county.facts.get("spans.income", False):
        return None
    ends = {day: asof.window_end(day, exp.horizon.months) for day in days}
    period = rules.load(exp.ruleset).period(exp.params)
    t = accounting.incomes(county, asof.moments(Moment(end, EVER) for end in ends.values()), period)
    found = t.filter(t.income_basis == "months").select(*KEY, "pcni").to_pandas()
    found["end"] = pd.to_datetime(found.pop("as_of"))
    starts = pd.DataFrame({"as_of": pd.to_datetime(list(ends)), "end": pd.to_datetime(list(ends.values()))})
    joined = found.merge(starts, on="end").rename(columns={"pcni": "pcni_after"})
    return joined[[*KEY, "pcni_after"]].astype({"pcni_after": float})


def supported_within(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame | None:
    """Return who was given support within the label's window.

    Parameters
    ----------
    exp : Experiment
    county : County
    days : tuple of date

    Returns
    -------
    DataFrame or None
        ``household_id, as_of, supported_after`` (True; others are not listed); None where the county has no
        table of support.
    """
    if not county.has("support"):
        return None
    given = asof.known(county, "support", tuple(Moment(day, EVER) for day in days))
    frame = given.select(*KEY, "date").to_pandas()
    start = pd.to_datetime(frame["as_of"])
    end = start.map({pd.Timestamp(d): pd.Timestamp(asof.window_end(d, exp.horizon.months)) for d in days})
    date = pd.to_datetime(frame["date"])
    inside = frame[(date > start) & (date <= end)].assign(as_of=start)[KEY].drop_duplicates()
    return inside.assign(supported_after=True)
