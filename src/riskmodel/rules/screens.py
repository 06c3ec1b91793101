"""County-level screens that rule sets ask for: the expected size, scale risk by township, result lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd

from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, accounts, point_in_time
from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.library import load

# 004: disasters, epidemics, failed projects, job losses; falling prices are in no table of the contract.
SCALE_CAUSES = {
    "disaster": "disaster",
    "epidemic": "epidemic",
    "failed_projects": "industry_failure",
    "job_losses": "unstable_employment",
}


def size_check(
    verdicts: pd.DataFrame, ruleset: str | RuleSet, params: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return the share of flagged persons among the registered ones, beside the band where it is expected.

    Parameters
    ----------
    verdicts : DataFrame
        From `riskmodel.rules.evaluate` with this set.
    ruleset : str or RuleSet
        One that declares ``size_check`` (ratio-1.5-2020).
    params : mapping, optional
        Overrides.

    Returns
    -------
    DataFrame
        One row per ``as_of``: ``flagged_persons, registered_persons, share, expected, low, high, within``
        (missing where nobody is registered).

    Raises
    ------
    UsageError
        If the set declares no size check.
    """
    chosen = load(ruleset)
    if chosen.size_check is None:
        raise UsageError(f"{chosen.id} declares no size_check")
    values, check = chosen.values(params), chosen.size_check
    t = verdicts.assign(
        flagged_persons=verdicts["persons"].where(verdicts["flagged"], 0),
        registered_persons=verdicts["persons"].where(verdicts["registration"] == check.denominator, 0),
    )
    out = t.groupby("as_of", as_index=False)[["flagged_persons", "registered_persons"]].sum()
    out["share"] = out["flagged_persons"] / out["registered_persons"].where(out["registered_persons"] > 0)
    out["expected"], out["low"], out["high"] = (values[n] for n in (check.expected, check.low, check.high))
    within = out["share"].round(9).between(out["low"], out["high"]).astype("boolean")
    return out.assign(within=within.where(out["share"].notna()))


def scale_risk(county: County, as_of: DateLike) -> pd.DataFrame:
    """Return signs of a return to poverty on a larger scale, by township (004).

    Parameters
    ----------
    county : County
    as_of : date or ISO text

    Returns
    -------
    DataFrame
        Sorted by ``township``: ``households``, shares of households with an open cause ``disaster,
        epidemic, failed_projects, job_losses`` (missing where there are no risk events), ``relocated``
        (missing codes count as not), ``monitored_ever`` households and ``not_eliminated``, the share of
        them still in the register; ``price_falls`` is always missing: no table tells.
    """
    t = accounts.build(county, point_in_time.moments(as_of))
    ever = t.in_register | (t.register_event == "eliminated").fill_null(False)
    shares = {name: t[f"cause_{cause}"].cast("float64").mean() for name, cause in SCALE_CAUSES.items()}
    out = (
        t.group_by("township")
        .agg(
            households=ibis._.count(),
            **shares,
            relocated=t.relocated.fill_null(False).cast("float64").mean(),
            monitored_ever=ever.cast("int64").sum(),
            in_register=t.in_register.cast("int64").sum(),
        )
        .order_by("township")
        .to_pandas()
    )
    ever_count = out["monitored_ever"].where(out["monitored_ever"] > 0)
    out["not_eliminated"] = out.pop("in_register") / ever_count
    out["price_falls"] = float("nan")
    return out


def result_lists(verdicts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the lists that a screening ends in (004), from one day's verdicts.

    Parameters
    ----------
    verdicts : DataFrame
        From `riskmodel.rules.evaluate`, one ``as_of``.

    Returns
    -------
    dict
        ``new`` (found and not in the register), ``re_marked``, ``rolled_back``, ``removed`` (to be
        verified), ``eliminated``, ``income_plan``, ``further_support``: frames of the same columns. Natural
        changes of persons are the ledger's.

    Raises
    ------
    UsageError
        If the verdicts are of several days.
    """
    if verdicts["as_of"].nunique() > 1:
        raise UsageError("result lists are of one as-of date; filter the verdicts first")
    outcome = verdicts["outcome"]
    picks = {
        "new": verdicts["flagged"] & (outcome == ""),
        "re_marked": outcome == "re_mark",
        "rolled_back": outcome == "roll_back",
        "removed": outcome == "verify_removal",
        "eliminated": outcome == "eliminate",
        "income_plan": verdicts["income_plan"].fillna(False).astype(bool),
        "further_support": outcome.isin(["hold", "hold_no_labour"]),
    }
    return {name: verdicts[rows].reset_index(drop=True) for name, rows in picks.items()}
