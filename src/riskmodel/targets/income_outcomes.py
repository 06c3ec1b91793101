"""Income per head at the end of each household's window, against the line, and why it is not known.

The outcome's period ends with the window exactly and does not follow the records: what is not wholly on
record, as known once the recording delay is over, is null with its reason (contract, "Coverage"). A
household judged on annual totals goes by the first twelve months covered by totals that start after those
its features saw and end after as-of: its real horizon is its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel import rules
from riskmodel.data import County, Shape, county_lineage, fetch_frame, fetch_table, month_end
from riskmodel.households import (
    TOTAL_MONTHS,
    AccountingPeriod,
    KnownCounty,
    known_county,
    valid_on,
    window_end,
)
from riskmodel.targets.windows import KEY, Horizon, known_at_end, known_later, numbers_at_end

OVER = "window_not_over"
LEFT = "no_persons"
OTHERS = "other_people"
NO_LINE = "no_line"
NOT_KNOWN = "not_yet_recorded"
NOT_SEEN = "not_seen_again"
COLUMNS = ["number", "end", "pcni", "persons", "income_basis", "income_reason", "line"]


def below_line_outcomes(
    county: County,
    days: Sequence[dt.date],
    span: Horizon,
    seen_by: dt.date,
    ruleset: str | rules.RuleSet,
    params: Mapping[str, object],
    line_factors: Sequence[float] = (),
) -> pd.DataFrame:
    """Return whether each household's income is below the line at the end of its window.

    Parameters
    ----------
    county
        The checked tables.
    days
        As-of dates.
    span
        The horizon.
    seen_by
        Nothing recorded later is seen.
    ruleset, params
        Whose line decides, and overrides of its parameters.
    line_factors
        Other lines that the same incomes are held against, as multiples of the line.

    Returns
    -------
    DataFrame
        One row per ``household_id, as_of``: ``label_below_line`` (1, 0 or missing), for each of the other
        lines `label_at` (likewise), ``reason`` (why it is missing), ``pcni_after`` (yuan per head in the
        outcome's period; missing where the household was split), ``split`` (whether it was, within the
        window), ``split_share`` (of the persons of its children, those below the line; missing unless all
        are known), and, where the window is the household's own, ``own_window`` (true) and ``own_horizon``
        (months).
    """
    chosen = rules.load_rules(ruleset)
    period = chosen.period(dict(params)).model_copy(update={"follows_lag": False})
    at = _as_of_bases(county, days, span, chosen.period(dict(params)))
    ends = {d: window_end(d, span.months) for d in days}
    delay = dt.timedelta(days=county.about.recording_delay_days)
    known_by = {d: min(end + delay, seen_by) for d, end in ends.items()}
    by_months = at[~at["own"]]
    parts = []
    if len(by_months):
        numbers = numbers_at_end(county, by_months, ends, known_by)
        moments = known_at_end(county, ends.values(), seen_by)
        outcomes = numbers.merge(_incomes(moments, chosen, period, params), on=["number", "end"], how="left")
        parts.append(_without_replaced(county, moments, outcomes))
    if at["own"].any():
        parts.append(_own_windows(county, at[at["own"]], span, seen_by, chosen, period, params))
    rows = pd.concat(parts, ignore_index=True)
    out = _by_household(_judged(rows))
    for factor in line_factors:
        other = _by_household(_judged(rows.assign(line=rows["line"] * factor)))
        out[label_at(factor)] = other["label_below_line"]
    return out


def label_at(factor: float) -> str:
    """Return the column that says whether an income is below so many times the line."""
    return f"label_below_line:{factor:g}"


def _as_of_bases(
    county: County, days: Sequence[dt.date], span: Horizon, period: AccountingPeriod
) -> pd.DataFrame:
    """Return who goes by a window of their own: all with ``next``, else those judged on totals at as-of."""
    known = known_county(county, days)
    if not span.next and not county.facts.get("spans.income", False):
        at = fetch_frame(known, _households)
        return at.assign(as_of=pd.to_datetime(at["as_of"]), own=False)
    columns = [*KEY, "period_to", "income_basis", "as_of_month", "lag_months"]
    at = fetch_table(known, known.accounts(period).select(*columns))
    by_total = at["income_basis"].eq("total")
    return at.assign(as_of=pd.to_datetime(at["as_of"]), by_total=by_total, own=by_total | span.next)


def _households(county: Shape) -> ir.Table:
    return county.rows("household_states").select(*KEY)


def _incomes(
    known: KnownCounty, chosen: rules.RuleSet, period: AccountingPeriod, params: Mapping[str, object]
) -> pd.DataFrame:
    """Return every household's income per head and the line at each end of a window."""
    table = known.incomes(period)
    wanted = [c for c in COLUMNS if c in table.columns]
    out = fetch_table(known, table.select(*KEY, *wanted))
    lines = rules.poverty_lines(known, chosen, params=dict(params))
    out = out.rename(columns={"household_id": "number", "as_of": "end"})
    out["end"] = pd.to_datetime(out["end"])
    return out.assign(line=out["end"].map({pd.Timestamp(d): v for d, v in lines.items()}).astype(float))


def _own_windows(
    county: County,
    at: pd.DataFrame,
    span: Horizon,
    seen_by: dt.date,
    chosen: rules.RuleSet,
    period: AccountingPeriod,
    params: Mapping[str, object],
) -> pd.DataFrame:
    """Return the outcome of each household's first later total, or of its next observation."""
    seen = _seen_months(county, seen_by)
    # Only a total ends twelve months that totals cover; an observation of a month is its own end.
    possible = seen[seen["is_total"] | bool((~at["by_total"]).any())]
    asked = {int(m): _may_end(at, int(m), span) for m in sorted(possible["month"].unique())}
    months = [month for month, rows in asked.items() if rows.any()]
    nothing: dict[str, Any] = dict.fromkeys(["pcni", "line", "persons", "own_horizon"], np.nan)
    out = at.assign(
        **nothing, end=pd.Series(pd.NaT, at.index), number=at["household_id"], joined=False, children=1
    )
    out = out.assign(
        own_window=False, income_reason=np.where(at["by_total"] | at["lag_months"].ne(0), NOT_KNOWN, NOT_SEEN)
    )
    out["replaced"] = False
    if not months:
        return out
    moments = known_later(county, [month_end(m) for m in months], seen_by)
    incomes = _incomes(moments, chosen, period, params)
    incomes["month"] = incomes["end"].dt.year * 12 + incomes["end"].dt.month - 1
    found = []
    latest = county_lineage(county, seen_by, seen_by)
    for month in months:
        end = month_end(month)
        part = at[asked[month]]
        day_ends = {d.date(): end for d in part["as_of"].unique()}
        numbers = numbers_at_end(county, part, day_ends, dict.fromkeys(day_ends, seen_by)).drop(columns="end")
        one = part.merge(numbers, on=KEY).merge(
            incomes[incomes["month"] == month], on="number", suffixes=("_at", "")
        )
        rows = set(seen.loc[seen["month"] == month, "household_id"])
        covered = one["by_total"] & one["income_basis"].eq("total")
        seen_there = ~one["by_total"] & one["number"].map(latest.current).isin(rows)
        found.append(one[covered | seen_there])
    outcomes = pd.concat(found, ignore_index=True)
    first = outcomes.groupby(KEY)["month"].transform("min")
    outcomes = outcomes[outcomes["month"] == first]
    outcomes = outcomes.assign(
        own_window=True, own_horizon=(outcomes["month"] - outcomes["as_of_month"]).astype(float)
    )
    keys = pd.MultiIndex.from_frame(outcomes[KEY])
    left = out[~pd.MultiIndex.from_frame(out[KEY]).isin(keys)]
    ends = [moment.as_of for moment in moments.moments]
    outcomes = _without_replaced(county, known_later(county, ends, seen_by), outcomes)
    return pd.concat([outcomes, left], ignore_index=True)


def _may_end(at: pd.DataFrame, month: int, span: Horizon) -> pd.Series:
    """Say whose own window could end with a month."""
    last = at["period_to"].astype(float)
    later = at["by_total"] & (month - TOTAL_MONTHS + 1 > last) & (month > at["as_of_month"])
    # From an observation at as-of: a later date with the same one would count its outcome again.
    within = ~at["by_total"] & at["lag_months"].eq(0) & (month > last) & (month <= last + span.months)
    return later | within


def _seen_months(county: County, seen_by: dt.date) -> pd.DataFrame:
    """Return the months in which rows of income end, by household: where an own window can end."""
    known = known_later(county, [seen_by], seen_by)
    seen = fetch_frame(known, _income_ends)
    return seen.rename(columns={"month_to": "month"})


def _income_ends(county: Shape) -> ir.Table:
    t = county.rows("income")
    return t.group_by(["household_id", "month_to"]).agg(is_total=(t.month_from < t.month_to).any())


def _without_replaced(county: County, known: KnownCounty, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Mark households of whom nobody is left at the window's end.

    Where other people live under a household's number by then, what they earn is not its outcome. A number
    that a link leads to is the household's own, whoever its members are there.
    """
    if not fetch_frame(known, _anybody_left)["left"].eq(True).any():
        return outcomes.assign(replaced=False)
    types = {"household_id": "string", "start": "date", "end": "date"}
    asked = (outcomes["pcni"].notna() & ~outcomes["joined"] & outcomes["children"].eq(1)).to_numpy()
    labelled = outcomes.loc[asked].rename(columns={"as_of": "start"})[list(types)]
    windows = pa.Table.from_pandas(labelled, schema=ibis.schema(types).to_pyarrow(), preserve_index=False)
    stayed = fetch_frame(known, _stayed, windows=windows).rename(columns={"start": "as_of"})
    stayed[["as_of", "end"]] = stayed[["as_of", "end"]].apply(pd.to_datetime)
    still_there = outcomes.merge(stayed, on=[*KEY, "end"], how="left")["stayed"].eq(True).to_numpy()
    return outcomes.assign(replaced=asked & ~still_there)


def _anybody_left(county: Shape) -> ir.Table:
    t = county.rows("members")
    return t.aggregate(left=t.valid_to.notnull().any())


def _stayed(county: Shape, windows: ir.Table) -> ir.Table:
    t = county.rows("members")
    t = t.select("household_id", "member_id", "valid_from", "valid_to", end="as_of")
    t = t.inner_join(windows, ["household_id", "end"])
    by_member = t.mutate(before=valid_on(t, "start"), after=valid_on(t, "end"))
    keys = ["household_id", "start", "end"]
    by_member = by_member.group_by([*keys, "member_id"]).agg(stayed=ibis._.before.any() & ibis._.after.any())
    return by_member.group_by(keys).agg(stayed=ibis._.stayed.any())


def _judged(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Hold each number's income against the line, and say why one cannot be held."""
    # Compared after rounding to nine decimals, as every threshold is.
    below = outcomes["pcni"].round(9) < outcomes["line"].round(9)
    known = outcomes["pcni"].notna() & outcomes["line"].notna() & ~outcomes["replaced"].eq(True)
    reason = outcomes["income_reason"].fillna(NOT_KNOWN)
    reason = reason.mask(outcomes["pcni"].notna() & outcomes["line"].isna(), NO_LINE)
    reason = reason.mask(outcomes["replaced"].eq(True), OTHERS)
    return outcomes.assign(y=below.astype(float).where(known), why=reason.where(~known))


def _by_household(rows: pd.DataFrame) -> pd.DataFrame:
    """Bring the children of split households together: any 1 gives 1, else any null gives null."""
    own = [c for c in ("own_window", "own_horizon") if c in rows]
    columns = [*KEY, "label_below_line", "reason", "pcni_after", "split", "split_share", *own]
    split = rows["children"] > 1
    out = rows.assign(
        label_below_line=rows["y"],
        reason=rows["why"],
        pcni_after=rows["pcni"],
        split=split,
        split_share=np.nan,
    )
    if not split.any():
        return out[columns]
    # The parent's number is a child of its own while somebody lives there.
    children = out[split & ~(out["number"].eq(out["household_id"]) & out["persons"].eq(0))]
    merged: list[dict[str, Any]] = []
    for (household, day), part in children.groupby(KEY, sort=False):
        y, persons = part["y"], part["persons"].astype(float)
        label = 1.0 if (y == 1).any() else np.nan if y.isna().any() else 0.0
        share = (
            float((y * persons).sum() / persons.sum()) if y.notna().all() and persons.sum() > 0 else np.nan
        )
        reason = part["why"].dropna().iloc[0] if np.isnan(label) else None
        first = {c: part[c].iloc[0] for c in own}
        merged.append({
            "household_id": household, "as_of": day, "label_below_line": label, "reason": reason,
            "pcni_after": np.nan, "split": True, "split_share": share, **first,
        })  # fmt: skip
    return pd.concat([out.loc[~split, columns], pd.DataFrame(merged, columns=columns)], ignore_index=True)
