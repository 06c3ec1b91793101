"""The two models of a promotion, on the same test rows: as their runs logged them, or tested anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.data import County
from riskmodel.errors import InputRefused, UsageError
from riskmodel.evaluation import Budget
from riskmodel.runs import experiment, tracking
from riskmodel.runs.tracking import Registered

ROW = ["household_id", "as_of", "fold"]
LEVEL = 0.95
REPLICATES = 1000


@dataclass(frozen=True)
class Contender:
    """One of the two models, with what its run measured.

    Parameters
    ----------
    registered : Registered
    predictions : DataFrame
        Its rows of the run's test predictions.
    metrics : mapping
        Its row of the run's pooled metrics.
    experiment : mapping
        The run's declaration.
    leaks : DataFrame
        What the run's leak detector said of each feature; empty for runs that logged none.
    """

    registered: Registered
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]
    experiment: Mapping[str, Any]
    leaks: pd.DataFrame = field(default_factory=pd.DataFrame)


def logged(registered: Registered, store: str | Path) -> Contender:
    """Return a registered model with what its run logged.

    Parameters
    ----------
    registered : Registered
    store : str or Path

    Returns
    -------
    Contender
    """
    run = registered.run_id
    predictions = tracking.read_table(run, "tables/predictions", store)
    metrics = tracking.read_table(run, "tables/metrics", store)
    return Contender(
        registered,
        predictions[predictions["model"] == registered.kind].reset_index(drop=True),
        {str(k): v for k, v in metrics[metrics["model"] == registered.kind].iloc[0].items()},
        tracking.read_document(run, "experiment.json", store),
        _leaks(run, store),
    )


def _leaks(run_id: str, store: str | Path) -> pd.DataFrame:
    try:
        return tracking.read_table(run_id, "tables/leaks", store)
    except UsageError:  # a run of before leaks were logged
        return pd.DataFrame()


def comparable(
    champion: Contender, challenger: Contender, county: Callable[[], County] | None = None
) -> tuple[Contender, Contender]:
    """Return both on the same test rows.

    Where records have come in since the champion was trained, the two runs tested other rows. Then both
    declarations are run again on the county as it is now: the same folds, dates and households, each model
    trained as its declaration says on what was known before each fold. What is compared is how the two learn,
    not what the old one happened to know.

    Parameters
    ----------
    champion, challenger : Contender
    county : callable, optional
        Reads the county, if it is needed.

    Returns
    -------
    tuple of Contender
        Champion and challenger.

    Raises
    ------
    InputRefused
        If the rows differ because the question does, or there is no county to test both on.
    """
    if _same_rows(champion.predictions, challenger.predictions):
        return champion, challenger
    differ = differing(champion.experiment, challenger.experiment)
    if differ:
        raise InputRefused(
            f"version {challenger.registered.version} foretells something else than the champion (version "
            f"{champion.registered.version}): {', '.join(differ)}; they cannot be compared"
        )
    if county is None:
        raise InputRefused(
            f"champion (version {champion.registered.version}) and challenger (version "
            f"{challenger.registered.version}) were tested on different rows, as records came in between: "
            "give --data DATA, and both are tested anew on the same rows"
        )
    now = county()
    return _anew(champion, challenger, now), _anew(challenger, challenger, now)


def _anew(contender: Contender, asked: Contender, county: County) -> Contender:
    """Return a contender's test predictions on today's records, at the challenger's dates and folds."""
    own = dict(contender.experiment) | {name: asked.experiment[name] for name in ("as_of", "split")}
    kind = contender.registered.kind
    exp = experiment.Experiment.model_validate(own | {"models": [kind], "champion": kind})
    found = experiment.run(exp, county, final=False)
    return replace(contender, predictions=found.predictions, leaks=found.leaks)


def differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return which parts of the question two declarations ask differ: event, horizon, rule set, cohort."""
    return [name for name in ("events", "horizon", "ruleset", "cohort") if ours[name] != theirs[name]]


def _same_rows(ours: pd.DataFrame, theirs: pd.DataFrame) -> bool:
    parts = [p.dropna(subset=["y"]).sort_values(ROW, ignore_index=True) for p in (ours, theirs)]
    return len(parts[0]) == len(parts[1]) and all(
        (parts[0][c].astype(str) == parts[1][c].astype(str)).all() for c in (*ROW, "township", "village", "y")
    )


def paired(champion: Contender, challenger: Contender) -> pd.DataFrame:
    """Return one row a test row with both probabilities and whether each model's list holds it.

    A list is what `budget` visits a date buy, by falling probability, ties by household.

    Raises
    ------
    InputRefused
        If the test rows, or what happened on them, differ.
    """
    both = (champion.predictions, challenger.predictions)
    if not _same_rows(*both):
        raise InputRefused(
            f"champion (version {champion.registered.version}) and challenger (version "
            f"{challenger.registered.version}) were tested on different rows: nothing can be compared"
        )
    parts = [p.dropna(subset=["y"]).sort_values(ROW, ignore_index=True) for p in both]
    out = parts[0].drop(columns=["model", "score"])
    budget = Budget(**challenger.experiment["budget"])
    for name, part in zip(("champion", "challenger"), parts, strict=True):
        out[name] = part["probability"]
        order = part.sort_values(["probability", "household_id"], ascending=[False, True])
        place = order.groupby(["fold", "as_of"]).cumcount().reindex(part.index)
        size = part.groupby(["fold", "as_of"])["y"].transform("size")
        out[f"{name}_listed"] = place < [budget.at(int(n)) for n in size]
    return out


def difference(rows: pd.DataFrame, seed: int = 0) -> tuple[float, float, float, float, float]:
    """Return recall of champion and challenger, their difference and its interval, villages resampled.

    The lists stand as they were made; villages are drawn with replacement (percentile interval).
    """
    village = rows["township"].astype(str) + "\x1f" + rows["village"].astype(str)
    code = pd.factorize(village, sort=True)[0]

    def by_village(values: pd.Series) -> NDArray[np.float64]:
        return np.bincount(code, weights=values.to_numpy(dtype=float)).astype(np.float64)

    event = by_village(rows["y"])
    hits = [by_village(rows["y"] * rows[f"{name}_listed"]) for name in ("champion", "challenger")]
    total = event.sum()
    if not total:
        return (float("nan"),) * 5
    n = len(event)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=REPLICATES).astype(float)
    drawn = weights @ event
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = (weights @ (hits[1] - hits[0])) / drawn
    low, high = np.nanquantile(gap, [(1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2])
    ours, theirs = hits[0].sum() / total, hits[1].sum() / total
    return float(ours), float(theirs), float(theirs - ours), float(low), float(high)


def groups(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the groups whose recall must not be given up.

    Township, household size, the rules' verdict, and the kinds of household that the run told apart (old and
    alone, disability, relocated, …: the columns ``group_*`` of its predictions).
    """
    size = pd.cut(rows["persons"].astype(float), [0, 2, 4, np.inf], labels=["1-2", "3-4", "5+"])
    return {
        "township": rows["township"].astype(str),
        "persons": size.astype(object),
        "flagged": rows["flagged"].map({True: "yes", False: "no"}),
        **{c.removeprefix("group_"): rows[c] for c in sorted(rows.columns) if c.startswith("group_")},
    }
