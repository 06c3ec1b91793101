"""Cohorts: which households were at risk at as-of.

Every cohort but ``all`` is a risk set: per-capita net income known and not below the line, and not under
watch in the register, because staying poor is not returning to poverty. A general household that first
appears at or after its own identification is in none: that it is there at all is the label (contract).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from riskmodel import accounting, asof, rules
from riskmodel.asof import DateLike, Moment
from riskmodel.county.county import County
from riskmodel.errors import UsageError
from riskmodel.labels import EVER, KEY

Choice = Callable[[pd.DataFrame], pd.Series]

COHORTS: dict[str, Choice] = {
    "all": lambda t: pd.Series(True, t.index),
    "not_monitored": lambda t: t["at_risk"],
    "lifted": lambda t: t["at_risk"] & (t["registration"] == "lifted"),
    "general": lambda t: t["at_risk"] & (t["registration"] == "general"),
    "eliminated": lambda t: t["at_risk"] & (t["register_event"] == "eliminated"),
    "never_below": lambda t: t["at_risk"] & ~t["was_below"],
    "fell_before": lambda t: t["at_risk"] & t["was_below"],
}
HISTORY = ("never_below", "fell_before")


def build(
    county: County,
    as_of: DateLike | Iterable[DateLike],
    names: str | Sequence[str],
    ruleset: str | rules.RuleSet = "national-2021",
    params: dict[str, object] | None = None,
) -> pd.DataFrame:
    """Return the households of a cohort (or of the union of several) at each as-of.

    Parameters
    ----------
    county : County
    as_of : date or several
    names : str or sequence of str
        Of `COHORTS`.
    ruleset : str or RuleSet
        Whose line says who is below.
    params : dict, optional
        Overrides of the rule set's parameters.

    Returns
    -------
    DataFrame
        ``household_id, as_of, persons``, sorted.

    Raises
    ------
    UsageError
        If a name is unknown.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    unknown = [n for n in wanted if n not in COHORTS]
    if unknown or not wanted:
        raise UsageError(f"cohort {wanted!r}: give one or more of {', '.join(COHORTS)}")
    days = [m.as_of for m in asof.moments(as_of)]
    chosen = rules.load(ruleset)
    table = _standing(county, days, chosen, params or {})
    if any(n in HISTORY for n in wanted):
        table = _with_past(county, table, days, chosen, params or {})
    member = pd.Series(False, table.index)
    for name in wanted:
        member |= COHORTS[name](table)
    contaminated = _first_seen_by_identification(county)
    general = table["registration"] == "general"
    keep = member & ~(general & table["household_id"].isin(contaminated))
    out = table.loc[keep, [*KEY, "persons"]]
    return out.sort_values(["as_of", "household_id"], ignore_index=True)


def _standing(county: County, days: list, ruleset: rules.RuleSet, params: dict[str, object]) -> pd.DataFrame:
    """Return registration, register state and whether each household is known to be above the line."""
    t = accounting.build(county, asof.moments(days), ruleset.period(params))
    columns = ["registration", "persons", "pcni", "in_register", "register_event"]
    table = t.select(*KEY, *columns).to_pandas()
    table["as_of"] = pd.to_datetime(table["as_of"])
    lines = rules.lines(county, ruleset, days, params)
    line = table["as_of"].map({pd.Timestamp(d): v for d, v in lines.items()}).astype(float)
    table["below"] = (table["pcni"].round(9) < line.round(9)).where(table["pcni"].notna())
    watched = table["in_register"].eq(True)
    table["at_risk"] = table["below"].eq(False) & ~watched
    return table


def _with_past(
    county: County,
    table: pd.DataFrame,
    days: list[dt.date],
    ruleset: rules.RuleSet,
    params: dict[str, object],
) -> pd.DataFrame:
    """Add ``was_below``: below the line in an earlier accounting period, as it was known then."""
    period = ruleset.period(params)
    seen = sorted(county.table("income").select("month_to").distinct().to_pandas()["month_to"])
    # A period that begins before the records do would look poor for want of rows.
    whole = [int(m) for m in seen if m >= seen[0] + period.months - 1]
    # Overlapping twelve-month periods: a look each quarter finds a bad year without one for every month.
    step = 1 if period.months == 1 else 3
    earlier = [m for m in whole[::step] if asof.month_end(m) < max(days)]
    past_days = sorted({asof.month_end(m) for m in earlier} | {d for d in days if d < max(days)})
    if not past_days:
        return table.assign(was_below=False)
    past = _standing(county, past_days, ruleset, params)
    fell = past.loc[past["below"].eq(True)].groupby("household_id")["as_of"].min().rename("first_below")
    table = table.merge(fell, on="household_id", how="left")
    return table.assign(was_below=(table["first_below"] < table["as_of"]).fillna(False))


def _first_seen_by_identification(county: County) -> set[str]:
    t = asof.known(county, "monitoring", (Moment(EVER, EVER),))
    identified = t.filter(t.event == "identified").group_by("household_id").agg(identified=t.date.min())
    h = county.table("households")
    seen = h.group_by("household_id").agg(seen=h.known_on.min())
    both = seen.inner_join(identified, "household_id")
    return set(both.filter(both.seen >= both.identified).household_id.to_pandas())
