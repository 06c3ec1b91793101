"""Following the cohort month by month after the first test: who lists whom first, for lead time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel import evaluation, models, targets
from riskmodel.data import County
from riskmodel.evaluation import SCORE, Budget
from riskmodel.households import point_in_time
from riskmodel.runs.experiment import tables
from riskmodel.runs.experiment.declared import Experiment
from riskmodel.runs.experiment.inputs import inputs
from riskmodel.runs.experiment.splits import Fold
from riskmodel.targets import KEY

# Households times months whose features are held at once: some 300 MB.
_AT_ONCE = 200_000


def followed(exp: Experiment, county: County) -> bool:
    """Say whether lead time can be measured: asked for, rules to compare with, and outcomes month by month.

    Parameters
    ----------
    exp : Experiment
    county : County

    Returns
    -------
    bool
        False on annual totals and where the label is the next observation: no month has an outcome there.
    """
    monthly = not exp.horizon.next and not county.facts.get("spans.income", False)
    others = [m for m in exp.models if m != "rule"]
    return bool(exp.follow_months and monthly and "rule" in exp.models and others)


def days_of(exp: Experiment, county: County, folds: Sequence[Fold]) -> list[dt.date]:
    """Return the dates followed: month ends from the first test date to the last month that is recorded.

    Parameters
    ----------
    exp : Experiment
    county : County
    folds : sequence of Fold

    Returns
    -------
    list of date
    """
    final = county.data_through - dt.timedelta(days=county.about.recording_delay_days)
    first = point_in_time.last_complete_month(folds[0].test[0])
    step = exp.follow_months or 1
    return [
        point_in_time.month_end(m) for m in range(first, point_in_time.last_complete_month(final) + 1, step)
    ]


def first_seen(
    exp: Experiment, county: County, folds: Sequence[Fold], fitted: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Say when each household that fell was first on each model's list, and first seen by the rules.

    At every date the models are those of the latest fold tested by then, so none has seen what came after.

    Parameters
    ----------
    exp : Experiment
    county : County
    folds : sequence of Fold
    fitted : mapping
        Fold name to its models by name.

    Returns
    -------
    DataFrame
        As `riskmodel.evaluation.first_seen`.
    """
    days = days_of(exp, county, folds)
    names = tuple(m for m in exp.models if m == "rule" or not models.entry(m).ruleset)
    thin = exp.model_copy(update={"models": names})
    households = max(1, county.table("households").household_id.nunique().to_pyarrow().as_py())
    step = max(1, _AT_ONCE // households)
    scores, flags = [], []
    for first in range(0, len(days), step):
        made = tables.build(thin, county, tuple(days[first : first + step]))
        flags.append(made.flags)
        for day in pd.to_datetime(made.rows["as_of"]).unique():
            rows = made.rows[made.rows["as_of"] == day]
            fold = [f for f in folds if pd.Timestamp(f.test[0]) <= day][-1]
            scores.append(_scored(rows, made.X, fitted[fold.name]))
    months = targets.build(county, days, 1, exp.events, exp.ruleset, params=exp.params)
    falls = months.loc[months["label"].eq(1), KEY]
    falls = falls.assign(as_of=pd.to_datetime(falls["as_of"]) + pd.offsets.MonthEnd(1))
    budget = Budget(visits=exp.budget.visits, share=exp.budget.share)
    return evaluation.first_seen(
        pd.concat(scores, ignore_index=True),
        pd.concat(flags, ignore_index=True),
        falls,
        budget,
        exp.horizon.months,
    )


def _scored(rows: pd.DataFrame, X: pd.DataFrame, fitted: Mapping[str, Any]) -> pd.DataFrame:
    margins = {
        SCORE + name: model.margin(inputs(name, rows, X.iloc[rows["row"]]))
        for name, model in fitted.items()
        if name != "rule" and not models.entry(name).ruleset
    }
    return rows[[*KEY, *tables.PLACE, "flagged", "rule_rank"]].assign(**margins)
