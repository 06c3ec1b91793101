"""Rules over time: many as-of dates in one pass, with the set that is valid at each of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, Moment, point_in_time
from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.evaluate import evaluate
from riskmodel.rules.library import load

Schedule = Sequence[str | Path | RuleSet] | Mapping[DateLike, str | Path | RuleSet]


def history(
    county: County,
    rulesets: str | Path | RuleSet | Schedule,
    as_of: DateLike | Iterable[DateLike] | Moment | Iterable[Moment],
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
) -> pd.DataFrame:
    """Return verdicts over many dates, each by the rule set valid then.

    Parameters
    ----------
    county : County
    rulesets : rule set, sequence of rule sets, or mapping
        A sequence takes each set's own ``valid_from``; a mapping gives the date from which a set holds in
        this jurisdiction. The latest one on or before as-of decides.
    as_of : date or several
    params : mapping, optional
        Overrides, for whichever of the sets has the parameter.
    scores : DataFrame or path, optional
        As in `riskmodel.rules.evaluate`.

    Returns
    -------
    DataFrame
        As `riskmodel.rules.evaluate`, sorted by ``as_of, household_id``; column ``ruleset`` says which set.

    Raises
    ------
    UsageError
        If no set is valid at a date, or two begin on one day.
    """
    when = point_in_time.moments(as_of)
    starts = schedule(rulesets)
    chosen = {m: valid_at(starts, m.as_of) for m in when}
    used = list(dict.fromkeys(r.id for r in chosen.values()))
    known = {n for r in chosen.values() for n in r.parameters}
    strange = sorted(set(params or {}) - known)
    if strange:
        raise UsageError(
            f"no parameter {', '.join(strange)} in {', '.join(used)}; they have: {sorted(known)}"
        )
    frames = []
    for name in used:
        dates = [m for m, r in chosen.items() if r.id == name]
        ruleset = chosen[dates[0]]
        own = {n: v for n, v in (params or {}).items() if n in ruleset.parameters}
        frames.append(evaluate(county, ruleset, dates, params=own, scores=scores))
    out = pd.concat(frames, ignore_index=True)
    return out.sort_values(["as_of", "household_id"], ignore_index=True) if len(frames) > 1 else out


def schedule(rulesets: str | Path | RuleSet | Schedule) -> dict[dt.date, RuleSet]:
    """Return rule sets by the day from which each holds, in order.

    Parameters
    ----------
    rulesets : rule set, sequence or mapping
        As in `history`; a single set holds at any date.

    Returns
    -------
    dict

    Raises
    ------
    UsageError
        If none is given, or two begin on one day.
    """
    if isinstance(rulesets, str | Path | RuleSet):
        return {dt.date.min: load(rulesets)}
    if isinstance(rulesets, Mapping):
        pairs = [(point_in_time.to_date(day), load(r)) for day, r in rulesets.items()]
    else:
        sets = [load(r) for r in rulesets]
        pairs = [(r.valid_from, r) for r in sets] if len(sets) > 1 else [(dt.date.min, r) for r in sets]
    days = [day for day, _ in pairs]
    twice = sorted({str(d) for d in days if days.count(d) > 1})
    if not pairs or twice:
        raise UsageError(f"two rule sets begin on {', '.join(twice)}" if twice else "no rule set given")
    return dict(sorted(pairs, key=lambda pair: pair[0]))


def valid_at(starts: Mapping[dt.date, RuleSet], day: dt.date) -> RuleSet:
    """Return the set that holds on a day: the latest one that began on or before it.

    Raises
    ------
    UsageError
        If none had begun.
    """
    begun = [d for d in starts if d <= day]
    if not begun:
        first = min(starts)
        raise UsageError(f"no rule set is valid on {day}: the first, {starts[first].id}, begins on {first}")
    return starts[max(begun)]
