r"""What the records of a simulated county can tell, at least: a learner that was shown true chances.

The oracle knows what no record shows, so no model reaches it. What a model could reach from records lies
above whatever some learner does reach, so one is given what no office has: the true chances p of n households
of other counties (the same profile, other seeds) as its target, where others learn from what happened to
happen,

.. math:: \min_\mu \sum_i \mu(x_i) - p_i \log \mu(x_i)

over boosted trees μ of every column of every packaged feature set of monthly records. With n, 2n, 4n
households the recall rises until it moves by less than a tolerance, or the last n is reached: a lower bound.
``riskmodel simulate OUT --bracket`` writes its chances beside the truth (`lower_bound_chances`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from riskmodel import features
from riskmodel.data import About, County, from_frames, month_text
from riskmodel.evaluation import Array, Budget, list_at_budget, sorted_codes, true_auc, true_recall
from riskmodel.runs import Experiment, build_design_matrix, resolve_feature_set
from riskmodel.simulate.assembly import simulate_county
from riskmodel.simulate.history import SimulationSpec
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import Profile
from riskmodel.targets import KEY

SIZES = (6_000, 12_000, 24_000)
TOLERANCE = 0.005
FEATURE_SETS = ("household-v1", "household-v2")
COUNTY = 3_000  # households of one county to learn from
FUTURES = 200  # of its truth: noise of the target that learning averages out
FIRST_SEED = 500_000  # of the counties to learn from: far from the seeds that people take
_EVENT = "below_line"


@dataclass(frozen=True)
class ChanceRows:
    """Households of one county at some dates: all columns, and the true chances.

    Attributes
    ----------
    keys
        ``household_id, as_of``, of the cohort with a true chance.
    X
        Their columns, of every feature set.
    chance
        True chance of each.
    """

    keys: pd.DataFrame
    X: pd.DataFrame
    chance: Array


@dataclass(frozen=True)
class ChanceLearner:
    """A learner fitted on true chances.

    Attributes
    ----------
    model
        The fitted trees.
    households
        How many it learned from.
    columns
        What it takes.
    """

    model: HistGradientBoostingRegressor
    households: int
    columns: tuple[str, ...]

    def score(self, X: pd.DataFrame) -> Array:
        """Return expected chances."""
        return np.asarray(self.model.predict(X[list(self.columns)].to_numpy(dtype=float)))


def chance_rows(exp: Experiment, county: County, truth: pd.DataFrame, days: Sequence[dt.date]) -> ChanceRows:
    """Return an experiment's cohort at some dates with every column and its true chances.

    Parameters
    ----------
    exp
        Whose cohort and line; its models and feature set are not used.
    county
        The simulated county's tables.
    truth
        Its ``truth.parquet``.
    days
        As-of dates of the truth.
    """
    known = truth[(truth["event"] == _EVENT) & (truth["horizon_months"] == exp.horizon.months)]
    known = known.assign(as_of=pd.to_datetime(known["as_of"]), household_id=known["household_id"].astype(str))
    plain = exp.model_copy(update={"models": ("rule",), "champion": "rule", "leave_out": ()})
    first, *others = [plain.model_copy(update={"feature_set": name}) for name in FEATURE_SETS]
    matrix = build_design_matrix(first, county, tuple(days))
    rows = matrix.rows[KEY].merge(known[[*KEY, "probability"]], on=KEY, how="inner")
    tables = [matrix.rows[KEY].join(matrix.X)]
    for other in others:
        built = features.build_features(county, resolve_feature_set(other), list(days))
        built = built.drop(columns=["township", "village"]).assign(as_of=pd.to_datetime(built["as_of"]))
        tables.append(built)
    parts = [rows[KEY].merge(X, on=KEY, how="left", validate="one_to_one").drop(columns=KEY) for X in tables]
    whole = pd.concat(parts, axis=1)
    return ChanceRows(rows[KEY], whole.loc[:, ~whole.columns.duplicated()], rows["probability"].to_numpy())


def other_counties(
    exp: Experiment,
    profile: str | Path | Profile,
    months: int,
    start: str,
    days: Sequence[dt.date],
    *,
    flag_rule: FlagRule | None = None,
    but_not: int | None = None,
) -> Iterator[ChanceRows]:
    """Simulate other counties of a profile without end, and return the rows of each.

    Parameters
    ----------
    exp
        As for `chance_rows`.
    profile
        The county's.
    months
        Whole months of records.
    start
        Their first month.
    days
        As-of dates.
    flag_rule
        Of their office; by default the simulator's own.
    but_not
        Seed of the county in question, which is none of the others.
    """
    for seed in range(FIRST_SEED, 2 * FIRST_SEED):
        if seed == but_not:
            continue
        made = simulate_county(
            households=COUNTY, months=months, seed=seed, profile=profile, start=start, truth_at=days,
            horizon=exp.horizon.months, futures=FUTURES, flag_rule=flag_rule,
        )  # fmt: skip
        yield chance_rows(exp, from_frames(made.frames, About.model_validate(made.about)), made.truth, days)


def fit_on_chances(parts: Sequence[ChanceRows]) -> ChanceLearner:
    """Fit a learner on true chances.

    Parameters
    ----------
    parts
        Rows of some counties.
    """
    X = pd.concat([part.X for part in parts], ignore_index=True)
    # Short records: a column that looks back further than they reach is known of nobody and has no bins.
    X = X.loc[:, X.notna().any()]
    chance = np.concatenate([part.chance for part in parts])
    model = HistGradientBoostingRegressor(
        loss="poisson", learning_rate=0.05, max_iter=400, max_leaf_nodes=15, min_samples_leaf=60,
        l2_regularization=5.0, max_features=0.2, early_stopping=False, random_state=0,
    )  # fmt: skip
    model.fit(X.to_numpy(dtype=float), chance)
    return ChanceLearner(model, COUNTY * len(parts), tuple(X.columns))


def fit_until_still(
    rows: Iterator[ChanceRows],
    test: Sequence[ChanceRows],
    budget: Budget,
    *,
    sizes: Sequence[int] = SIZES,
    tolerance: float = TOLERANCE,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[list[ChanceLearner], pd.DataFrame]:
    """Fit learners on more and more households until the recall of true chances stands still.

    Parameters
    ----------
    rows
        Counties to learn from, see `other_counties`.
    test
        Rows that no learner sees: of the county in question, or of several.
    budget
        Visits at each as-of date.
    sizes
        Households to learn from, each more than the one before.
    tolerance
        The recall stands still where it moves by less.
    say
        Called with a line of text at each step.

    Returns
    -------
    tuple
        The learners, the last one the best informed; and a row each: ``households, columns, auc_true,
        recall_true``, means over ``test``.
    """
    parts: list[ChanceRows] = []
    learners, steps = [], []
    for size in sizes:
        while len(parts) * COUNTY < size:
            parts.append(next(rows))
        learner = fit_on_chances(parts)
        found = np.mean([_figures(learner, part, budget) for part in test], axis=0)
        learners.append(learner)
        steps.append({
            "households": learner.households, "columns": len(learner.columns),
            "auc_true": float(found[0]), "recall_true": float(found[1]),
        })  # fmt: skip
        say(f"learned from true chances of {size} households: recall {found[1]:.3f}, AUC {found[0]:.3f}")
        if len(steps) > 1 and abs(steps[-1]["recall_true"] - steps[-2]["recall_true"]) < tolerance:
            break
    return learners, pd.DataFrame(steps)


def lower_bound_chances(
    exp: Experiment,
    asked: SimulationSpec,
    county: County,
    truth: pd.DataFrame,
    say: Callable[[str], None] = lambda text: None,
) -> pd.DataFrame:
    """Return what the best informed learner tells of a simulated county's households, as a file holds it.

    Parameters
    ----------
    exp
        Its cohort, and the budget at which recall is to stand still; the horizons are the truth's.
    asked
        What the county was simulated by: the others are made by the same, of other seeds.
    county
        Its tables, as they are read.
    truth
        Its ``truth.parquet``.
    say
        Called with a line of text at each step.

    Returns
    -------
    DataFrame
        A row a household of the cohort, date and horizon: ``household_id, as_of, horizon_months, event,
        chance, households, columns``: by the learner, how many households of other counties it learned
        from, and how many columns it takes.
    """
    days = sorted(pd.to_datetime(truth["as_of"]).dt.date.unique())
    first, parts = month_text(asked.plan.first), []
    for months in asked.horizons:
        mine = exp.model_copy(update={"horizon": exp.horizon.model_copy(update={"months": months})})
        rows = chance_rows(mine, county, truth, days)
        others = other_counties(
            mine, asked.profile, asked.plan.months, first, days, flag_rule=asked.rule, but_not=asked.plan.seed
        )
        best = fit_until_still(others, [rows], exp.budget.per_date, say=say)[0][-1]
        parts.append(rows.keys.assign(
            as_of=rows.keys["as_of"].dt.date, horizon_months=months, event=_EVENT,
            chance=best.score(rows.X), households=best.households, columns=len(best.columns),
        ))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _figures(learner: ChanceLearner, part: ChanceRows, budget: Budget) -> tuple[float, float]:
    score = learner.score(part.X)
    listed = list_at_budget(sorted_codes(part.keys["as_of"]), score, budget)
    return true_auc(part.chance, score), true_recall(part.chance, listed)
