"""Facts on record of the households of a list, found once for workbook, sheets and pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel import explanation, rules
from riskmodel.households import KnownCounty


def list_facts(
    known: KnownCounty, households: pd.DataFrame, params: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return the facts of some households by the rule set that their scores name.

    Parameters
    ----------
    known
        The county as known at the list's day.
    households
        Rows of scores: ``household_id, ruleset, line, rule_conditions``.
    params
        With which the rule set judged them.

    Returns
    -------
    DataFrame
        See `riskmodel.explanation.find_facts`; empty where the scores name no packaged rule set.
    """
    names = set(households["ruleset"].dropna()) if "ruleset" in households else set()
    if len(names) != 1 or not names <= set(rules.available_rule_sets()):
        return pd.DataFrame()
    return explanation.find_facts(known, households, rules.load_rules(names.pop()), params)
