"""Whether an official rule finds a household within its window that it did not find at as-of.

``below_line`` looks at one period only, the one that ends with the window, and never sees 突发严重困难: a
household above the line that its costs have thrown back. Here the rule set itself is asked, `LOOK_MONTHS`
apart through the window, each time as the records stood once the recording delay was over.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import known_county, window_end
from riskmodel.targets.income_outcomes import LEFT
from riskmodel.targets.windows import KEY, Horizon, known_at_end, numbers_at_end

# Conditions look back over a year: a look each quarter finds what holds without one for every month.
LOOK_MONTHS = 3
FLAGGED_ALREADY = "flagged_already"
NOT_JUDGED = "not_judged"
UNKNOWN = "unknown"  # the category of a household that could not be judged


def newly_flagged_outcomes(
    county: County,
    days: Sequence[dt.date],
    span: Horizon,
    seen_by: dt.date,
    ruleset: str | rules.RuleSet,
    params: Mapping[str, object],
) -> pd.DataFrame:
    """Return whether a rule set first finds each household within its window.

    Parameters
    ----------
    county
        The checked tables.
    days
        As-of dates.
    span
        The horizon, a number of months.
    seen_by
        Nothing recorded later is seen.
    ruleset, params
        The rule set, and overrides of its parameters.

    Returns
    -------
    DataFrame
        One row per ``household_id, as_of``: ``label_newly_flagged`` (1 where the set finds it at a look in
        the window and did not at as-of, 0 where it was judged at every look and never found, else missing)
        and ``reason_newly_flagged``: ``flagged_already``, ``not_judged`` (at a look) or ``no_persons``. A
        household that was split is found where any of its children is.

    Raises
    ------
    UsageError
        If the horizon is ``next``: a rule is asked at a date, not at an observation.
    """
    if span.next:
        raise UsageError("event newly_flagged takes a horizon of months, not the next observation")
    chosen = rules.load_rules(ruleset)
    at_start = _judged(rules.evaluate_rules(known_county(county, days), chosen, params=params))
    looks = range(span.months, 0, -LOOK_MONTHS)
    moments = known_at_end(county, {window_end(d, m) for d in days for m in looks}, seen_by)
    found = _judged(rules.evaluate_rules(moments, chosen, params=params))
    found = found.rename(columns={"household_id": "number", "as_of": "end"})
    delay = dt.timedelta(days=county.about.recording_delay_days)
    parts = []
    for months in looks:
        ends = {d: window_end(d, months) for d in days}
        known_by = {d: min(end + delay, seen_by) for d, end in ends.items()}
        parts.append(numbers_at_end(county, at_start, ends, known_by))
    rows = pd.concat(parts, ignore_index=True).merge(found, on=["number", "end"], how="left")
    seen = rows.groupby(KEY)["found"]
    label = seen.max()
    # Any look that found it gives 1; 0 needs a verdict at each, for each child of a split household.
    label = label.where(seen.count().eq(seen.size()) | label.eq(1))
    nobody = seen.count().eq(0) & rows.groupby(KEY)["there"].any().eq(False)
    outcomes = pd.DataFrame({"label_newly_flagged": label, "nobody": nobody}).reset_index()
    out = at_start.merge(outcomes, on=KEY, how="left", validate="one_to_one")
    already = out["found"].eq(1)
    out["label_newly_flagged"] = out["label_newly_flagged"].mask(already)
    reason = pd.Series(np.where(out["nobody"].eq(True), LEFT, NOT_JUDGED), out.index, dtype=object)
    reason = reason.mask(already, FLAGGED_ALREADY).where(out["label_newly_flagged"].isna())
    return out[[*KEY, "label_newly_flagged"]].assign(reason_newly_flagged=reason)


def _judged(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return ``found``: 1, 0, or missing where a household could not be judged and nothing was found."""
    flagged = verdicts["flagged"].astype(float)
    found = flagged.where(flagged.eq(1) | verdicts["category"].ne(UNKNOWN))
    return verdicts[KEY].assign(
        as_of=pd.to_datetime(verdicts["as_of"]), found=found, there=verdicts["persons"].fillna(0).gt(0)
    )
