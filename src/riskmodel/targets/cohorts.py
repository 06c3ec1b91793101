"""Cohorts: which households were at risk at as-of.

Every cohort but ``all`` is a risk set: per-capita net income known and not below the line, and not under
watch in the register, because staying poor is not returning to poverty. A household whose income is not on
record is in none that compares with a line; `count_unknown_incomes` counts them by reason. A general
household that first appears at or after its own identification is in none: that it is there at all is the
label (contract).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import ibis.expr.types as ir
import pandas as pd

from riskmodel import rules
from riskmodel.data import County, Lineage, Shape, county_lineage, fetch_frame, fetch_table, month_end
from riskmodel.errors import UsageError
from riskmodel.households import AsOf, KnownCounty, known_county
from riskmodel.targets.windows import KEY

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
STANDING = [
    "registration", "persons", "net_income", "pcni", "period_from", "period_to", "in_register",
    "register_event",
]  # fmt: skip


def build_cohorts(
    county: County | KnownCounty,
    names: str | Sequence[str],
    as_of: AsOf | None = None,
    ruleset: str | rules.RuleSet = "national-2021",
    params: dict[str, object] | None = None,
    line_factor: float = 1.0,
) -> pd.DataFrame:
    """Return the households of a cohort (or of the union of several) at each as-of.

    Parameters
    ----------
    county
        The checked tables, or a `riskmodel.households.KnownCounty`, which carries its own dates.
    names
        One or more of `COHORTS`.
    as_of
        Date, ISO text, or several.
    ruleset
        Whose line says who is below.
    params
        Overrides of the rule set's parameters.
    line_factor
        Who is below is said by so many times the line; who is under watch stands in the register whatever
        the line.

    Returns
    -------
    DataFrame
        ``household_id, as_of, persons``, sorted.

    Raises
    ------
    UsageError
        If a name is unknown.
    """
    cohorts = [names] if isinstance(names, str) else list(names)
    unknown = [n for n in cohorts if n not in COHORTS]
    if unknown or not cohorts:
        raise UsageError(f"cohort {cohorts!r}: give one or more of {', '.join(COHORTS)}")
    known = known_county(county, as_of)
    days = [m.as_of for m in known.moments]
    chosen = rules.load_rules(ruleset)
    table = _standing(known, chosen, params or {}, line_factor)
    if any(n in HISTORY for n in cohorts):
        table = _with_past(known.county, table, days, chosen, params or {}, line_factor)
    member = pd.Series(False, table.index)
    for name in cohorts:
        member |= COHORTS[name](table)
    general = table["registration"] == "general"
    keep = member & ~(general & _first_seen_by_identification(known, table))
    out = table.loc[keep, [*KEY, "persons"]]
    return out.sort_values(["as_of", "household_id"], ignore_index=True)


def count_unknown_incomes(
    county: County | KnownCounty,
    as_of: AsOf | None = None,
    ruleset: str | rules.RuleSet = "national-2021",
    params: dict[str, object] | None = None,
) -> pd.DataFrame:
    """Count the households that no cohort can hold because their income at as-of is not known.

    Parameters
    ----------
    county, as_of, ruleset, params
        As in `build_cohorts`.

    Returns
    -------
    DataFrame
        ``as_of, reason`` (`riskmodel.households.accounts`' ``income_reason``; empty for those whose income is
        known), ``households``, ``share`` (of all households known then).
    """
    known = known_county(county, as_of)
    t = known.accounts(rules.load_rules(ruleset).period(params or {}))
    table = fetch_table(known, t.select(*KEY, "pcni", "income_reason"))
    table["as_of"] = pd.to_datetime(table["as_of"])
    reason = table["income_reason"].fillna("").where(table["pcni"].isna(), "")
    out = table.assign(reason=reason).groupby(["as_of", "reason"]).size().rename("households").reset_index()
    return out.assign(share=out["households"] / out.groupby("as_of")["households"].transform("sum"))


def _standing(
    known: KnownCounty, ruleset: rules.RuleSet, params: dict[str, object], line_factor: float
) -> pd.DataFrame:
    """Return registration, register state and whether each household is known to be above the line."""
    t = known.accounts(ruleset.period(params))
    table = fetch_table(known, t.select(*KEY, *STANDING))
    table["as_of"] = pd.to_datetime(table["as_of"])
    lines = rules.poverty_lines(known, ruleset, params=params)
    line = table["as_of"].map({pd.Timestamp(d): v for d, v in lines.items()}).astype(float) * line_factor
    table["line"] = line
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
    line_factor: float,
) -> pd.DataFrame:
    """Add ``was_below``: below the line in an earlier accounting period on record, as it was known then."""
    period = ruleset.period(params)
    months = sorted(int(m) for m in fetch_frame(county, _income_months)["month_to"])
    # Overlapping twelve-month periods: a look each quarter finds a bad year without one for every month.
    step = 1 if period.months == 1 else 3
    # The first months can end no period that is on record: nothing is asked of them.
    earlier = [m for m in months[::step] if month_end(m) < max(days)]
    past_days = sorted({month_end(m) for m in earlier} | {d for d in days if d < max(days)})
    if not past_days:
        return table.assign(was_below=False)
    past = _standing(known_county(county, past_days), ruleset, params, line_factor)
    parts = []
    for day, part in table.groupby("as_of", sort=False):
        first = _first_falls(county, past, pd.Timestamp(str(day)).date())
        parts.append(part.merge(first, on="household_id", how="left"))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(was_below=table.pop("first_below").notna())


def _first_falls(county: County, past: pd.DataFrame, day: dt.date) -> pd.Series:
    """Return ``first_below``: the first as-of before a day with a period below the line, by number in use.

    Periods that reach behind a split are the parent's, not the child's; those before a merge are the sum of
    its parents' (contract, "Identity over time").
    """
    past = past[past["as_of"] < pd.Timestamp(day)]
    lineage = county_lineage(county, day, day)
    if lineage.households:
        begun = {number: begin for one in lineage.households for number, begin in one.pieces().items()}
        past = past[~(past["period_from"] < past["household_id"].map(begun).astype(float))]
        number = past["household_id"].map(lineage.current)
        merged = number.isin({one.number for one in lineage.households if one.is_merged})
        whole = _sums_of_parents(county, lineage, past[merged])
        past = pd.concat([past[~merged].assign(household_id=number[~merged]), whole], ignore_index=True)
    fell = past[past["below"].eq(True)]
    return fell.groupby("household_id")["as_of"].min().rename("first_below")


def _sums_of_parents(county: County, lineage: Lineage, past: pd.DataFrame) -> pd.DataFrame:
    """Return whether merged households were below the line when their parents were apart, as known then.

    Null where a parent's income is not known, or not of the same months.
    """
    rows = []
    wanted = {one.number: one for one in lineage.households if one.is_merged}
    for day, part in past.groupby("as_of"):
        then = county_lineage(county, pd.Timestamp(str(day)).date(), pd.Timestamp(str(day)).date())
        there = part.set_index("household_id")
        for household in sorted(set(part["household_id"].map(lineage.current))):
            one = wanted[household]
            under = {number: then.current(number) for number in one.pieces()}
            lines = one.lines()
            came = {lines[number] for number, now in under.items() if now in there.index}
            if set(lines.values()) - came - one.new_lines():
                continue
            parents = there.loc[sorted(set(under.values()) & set(there.index))]
            if parents["pcni"].isna().any() or parents["period_to"].nunique() > 1:
                continue
            pcni = parents["net_income"].astype(float).sum() / parents["persons"].astype(float).sum()
            below = round(pcni, 9) < round(float(parents["line"].iloc[0]), 9)
            rows.append({"household_id": household, "as_of": day, "below": below})
    return pd.DataFrame(rows, columns=[*KEY, "below"])


def _income_months(county: Shape) -> ir.Table:
    return county.table("income").select("month_to").distinct()


def _first_seen_by_identification(known: KnownCounty, table: pd.DataFrame) -> pd.Series:
    """Say who was first recorded at or after its own identification, as known at as-of."""
    seen = fetch_frame(known, _seen_after_identification)
    seen["as_of"] = pd.to_datetime(seen["as_of"])
    keys = pd.MultiIndex.from_frame(seen[KEY])
    return pd.Series(pd.MultiIndex.from_frame(table[KEY]).isin(keys), table.index)


def _seen_after_identification(county: Shape) -> ir.Table:
    t = county.rows("monitoring")
    identified = t.filter(t.event == "identified").group_by(KEY).agg(identified=t.date.min())
    h = county.rows("households")
    seen = h.group_by(KEY).agg(seen=h.known_on.min())
    both = seen.inner_join(identified, KEY)
    return both.filter(both.seen >= both.identified).select(*KEY)
