"""What the page of rules shows: a rule set in force, a month's verdicts, and what changed since before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import rules
from riskmodel.data import County
from riskmodel.households import DateLike, point_in_time
from riskmodel.rules import RuleSet


@dataclass(frozen=True)
class RulesView:
    """Everything the page shows.

    Parameters
    ----------
    ruleset : RuleSet
    as_of, since : Timestamp
        The day of the verdicts and the day that they are compared with.
    verdicts : DataFrame
        `riskmodel.rules.evaluate` at ``as_of``.
    changes : DataFrame
        `riskmodel.rules.changes`.
    parameters : DataFrame
        `riskmodel.rules.parameter_table`.
    overridden : tuple of str
        Parameters whose values are not the set's own.
    size : DataFrame, optional
        `riskmodel.rules.size_check`, for sets that declare one.
    fingerprint : str
        Of the rows known at ``as_of``.
    """

    ruleset: RuleSet
    as_of: pd.Timestamp
    since: pd.Timestamp
    verdicts: pd.DataFrame
    changes: pd.DataFrame
    parameters: pd.DataFrame
    overridden: tuple[str, ...]
    size: pd.DataFrame | None
    fingerprint: str


def rules_view(
    county: County,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    since: DateLike | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    verdicts: pd.DataFrame | None = None,
) -> RulesView:
    """Gather what the page of rules shows.

    Parameters
    ----------
    county : County
    ruleset : str, Path or RuleSet
    as_of : date or ISO text
    since : date or ISO text, optional
        A month before by default.
    params, scores
        As in `riskmodel.rules.evaluate`.
    verdicts : DataFrame, optional
        Those of ``as_of``, where they were computed already.

    Returns
    -------
    RulesView

    Raises
    ------
    UsageError
        If the rule set, a date or a parameter is wrong.
    """
    chosen = rules.load(ruleset)
    day = point_in_time.to_date(as_of)
    before = point_in_time.to_date(since) if since is not None else point_in_time.window_end(day, -1)
    if verdicts is None:
        verdicts = rules.evaluate(county, chosen, day, params=params, scores=scores)
    found = rules.changes(county, chosen, day, before, params=params, scores=scores, verdicts=verdicts)
    given, own = chosen.values(params), chosen.values()
    return RulesView(
        ruleset=chosen,
        as_of=pd.Timestamp(day),
        since=pd.Timestamp(before),
        verdicts=verdicts,
        changes=found,
        parameters=rules.parameter_table(chosen, params),
        overridden=tuple(n for n in given if given[n] != own[n]),
        size=rules.size_check(verdicts, chosen, params) if chosen.size_check else None,
        fingerprint=point_in_time.fingerprint(county, day),
    )


def by_category(view: RulesView) -> pd.DataFrame:
    """Count households and persons by category, in the order of the set, the undecided last.

    Returns
    -------
    DataFrame
        ``category, flagged, households, persons``; every category stands there, also with 0.
    """
    v = view.verdicts
    names = [*(c.id for c in view.ruleset.categories), "none", "unknown"]
    counted = v.groupby("category")["persons"].agg(households="size", persons="sum")
    out = counted.reindex(list(dict.fromkeys(names)), fill_value=0).reset_index()
    out.insert(1, "flagged", out["category"].isin(view.ruleset.flagged_categories))
    return out.astype({"households": "int64", "persons": "int64"})


def by_tier(view: RulesView) -> pd.DataFrame:
    """Count households and persons by tier; ``tier, flagged, households, persons``."""
    v = view.verdicts[view.verdicts["tier"] != ""]
    counted = v.groupby("tier")["persons"].agg(households="size", persons="sum")
    out = counted.reindex([t.id for t in view.ruleset.tiers], fill_value=0).rename_axis("tier").reset_index()
    out.insert(1, "flagged", out["tier"].isin(view.ruleset.flagged_tiers))
    return out.astype({"households": "int64", "persons": "int64"})


def by_township(view: RulesView) -> pd.DataFrame:
    """Count verdicts and changes by township.

    Returns
    -------
    DataFrame
        ``township, households, flagged, flagged_persons, unknown``, then a column per kind of change.
    """
    v = view.verdicts
    t = v.assign(
        households=1,
        flagged_persons=v["persons"].where(v["flagged"], 0),
        flagged=v["flagged"].astype("int64"),
        unknown=(v["category"] == "unknown").astype("int64"),
    )
    sums = t.groupby("township")[["households", "flagged", "flagged_persons", "unknown"]].sum()
    moved = rules.changes_by_township(view.changes).set_index("township")
    return sums.join(moved, how="outer").fillna(0).astype("int64").reset_index()


def ids_held(view: RulesView, column: str, ids: list[str]) -> pd.DataFrame:
    """Count for how many households each id stands in a ``;``-joined column; ``id, households``."""
    parts = view.verdicts[column].str.split(";").explode()
    counts = parts[parts != ""].value_counts()
    return pd.DataFrame({"id": ids, "households": [int(counts.get(i, 0)) for i in ids]})


def values_held(view: RulesView, column: str) -> pd.DataFrame:
    """Count households by a column's values, empty ones left out, sorted; ``id, households``."""
    v = view.verdicts[column].dropna().astype(str)
    counts = v[v != ""].value_counts().sort_index()
    return pd.DataFrame({"id": counts.index, "households": counts.to_numpy()})
