"""Scores of a month: every household's probability beside its rule verdict, with reasons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel import explanation, features, rules, targets
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, point_in_time
from riskmodel.runs import LoadedModel, model_inputs, start_run

FORMAT = 1
REASONS = 3
UNKNOWN_LIMIT = 0.5  # from this share of unknown incomes or features on, scores are doubted
SCORE_COLUMNS = [
    "household_id",
    "township",
    "village",
    "as_of",
    "horizon_months",
    "probability",
    "probability_low",
    "probability_high",
    "rank",
    "tier",
    "model",
    "model_version",
    "run_id",
    "feature_set",
    "data_fingerprint",
    "ruleset",
    "pcni",
    "line",
    "gap",
    "rule_category",
    "rule_conditions",
    *[f"{part}_{i}" for part in ("cause", "contribution", "reason") for i in range(1, REASONS + 1)],
]
EXTRA_COLUMNS = [
    "flagged",
    "in_cohort",
    "registration",
    "persons",
    "income_reason",
    "score",
    "log_odds_base",
    "format",
]


def score(county: County, loaded: LoadedModel, as_of: DateLike, lang: str = "zh") -> pd.DataFrame:
    """Score every household known at as-of.

    The same known data, model and as-of give the same frame, byte for byte once written.

    Parameters
    ----------
    county : County
    loaded : LoadedModel
        From `riskmodel.runs.load_model`.
    as_of : date or ISO text
    lang : {"zh", "en"}
        Of causes and reasons.

    Returns
    -------
    DataFrame
        One row a household, ranked: the contract's ``SCORE_COLUMNS``, then ``EXTRA_COLUMNS``. Probabilities
        are chances of the trained event within ``horizon_months`` under current support; ``contribution_i``
        are log-odds; money is in yuan. ``in_cohort`` is False where the model speaks beyond what it learnt
        from (households below the line, in the register, or of unknown income already): their probability
        orders, but is no forecast.

    Raises
    ------
    UsageError
        If no household is known at as-of.

    References
    ----------
    Data contract, "Scores, one row per household and as-of".
    """
    return score_in_languages(county, loaded, as_of, (lang,))[lang]


def score_in_languages(
    county: County,
    loaded: LoadedModel,
    as_of: DateLike,
    langs: Sequence[str] = ("zh", "en"),
    verdicts: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Score once and give the reasons in several languages; frames and errors as of `score`.

    Parameters
    ----------
    county : County
    loaded : LoadedModel
    as_of : date or ISO text
    langs : sequence of {"zh", "en"}
    verdicts : DataFrame, optional
        Of the model's rule set and parameters at as-of, where they were computed already.

    Returns
    -------
    dict
        Language to scores.
    """
    day = point_in_time.to_date(as_of)
    chosen = loaded.feature_set
    if verdicts is None:
        verdicts = rules.evaluate(county, loaded.ruleset, day, params=dict(loaded.card["params"]))
    if verdicts.empty:
        raise UsageError(
            f"no household is known at {day}: give a later --as-of (data to {county.data_through})"
        )
    X = features.build(county, chosen, day).set_index("household_id").loc[verdicts["household_id"]]
    X = X[chosen.names].reset_index(drop=True)
    given = model_inputs(loaded.kind, verdicts, X)
    numbers = _numbers(loaded, given, verdicts, day.isoformat(), point_in_time.fingerprint(county, day))
    numbers["in_cohort"] = verdicts["household_id"].isin(_cohort(county, loaded, day)).to_numpy()
    told = _why(loaded, given, X, verdicts, langs)
    return {lang: _ranked(pd.concat([numbers, words], axis=1)) for lang, words in told.items()}


def _cohort(county: County, loaded: LoadedModel, day: dt.date) -> pd.Series:
    """Return the ids of those whom the model was trained to speak of."""
    card = loaded.card
    found = targets.build_cohorts(county, day, card["cohort"], loaded.ruleset, dict(card["params"]))
    return found["household_id"]


def score_counterfactuals(
    county: County, loaded: LoadedModel, as_of: DateLike, household_id: str, target: float
) -> pd.DataFrame:
    """Return what would have to change for one household's score to fall; for analysts only.

    Parameters
    ----------
    county : County
    loaded : LoadedModel
    as_of : date or ISO text
    household_id : str
    target : float
        Probability to fall to.

    Returns
    -------
    DataFrame
        See `riskmodel.explanation.counterfactuals`, which also says what it is not.

    Raises
    ------
    UsageError
        If the household is not known at as-of, or the model is not one that features explain.
    """
    if loaded.card.get("reference") is None:
        raise UsageError(f"{loaded.kind} is not explained by features; choose a model that is, such as logit")
    X = features.build(county, loaded.feature_set, point_in_time.to_date(as_of)).set_index("household_id")
    if household_id not in X.index:
        raise UsageError(f"household {household_id!r} is not known at {as_of}; see the scores of that day")
    row = int(np.flatnonzero(X.index == household_id)[0])
    X = X[loaded.feature_set.names].reset_index(drop=True)
    dictionary = features.describe(loaded.feature_set)
    return explanation.find_counterfactuals(
        loaded.model, X, row, dictionary, target, feature_set=loaded.feature_set
    )


def _numbers(
    loaded: LoadedModel, given: pd.DataFrame, verdicts: pd.DataFrame, day: str, fingerprint: str
) -> pd.DataFrame:
    """Return everything but the reasons, in the verdicts' order."""
    interval = loaded.model.predict_interval(given)
    probability = pd.Series(loaded.model.predict_proba(given)[:, 1])
    out = pd.DataFrame(
        {
            "household_id": verdicts["household_id"],
            "township": verdicts["township"],
            "village": verdicts["village"],
            "as_of": day,
            "horizon_months": int(loaded.card["horizon_months"]),
            "probability": probability,
            "probability_low": interval[:, 0],
            "probability_high": interval[:, 1],
            "score": loaded.model.margin(given),
            "tier": _tier(probability),
            "model": loaded.name,
            "model_version": loaded.version,
            "run_id": loaded.run_id,
            "feature_set": loaded.feature_set.id,
            "data_fingerprint": fingerprint,
            "ruleset": loaded.ruleset.id,
            "rule_category": verdicts["category"],
            "rule_conditions": verdicts["conditions"],
            "format": FORMAT,
        }
    )
    for name in ("pcni", "line", "gap", "flagged", "registration", "persons", "income_reason"):
        out[name] = verdicts[name]
    return out


def _ranked(out: pd.DataFrame) -> pd.DataFrame:
    out = out.sort_values(["probability", "household_id"], ascending=[False, True], ignore_index=True)
    return out.assign(rank=np.arange(1, len(out) + 1))[[*SCORE_COLUMNS, *EXTRA_COLUMNS]]


def scoring_warnings(county: County, loaded: LoadedModel, scores: pd.DataFrame) -> list[str]:
    """Say where scores rest on little, and the mend: most incomes or features unknown.

    Parameters
    ----------
    county : County
    loaded : LoadedModel
    scores : DataFrame
        From `score`, of one day.

    Returns
    -------
    list of str
        Empty where more than half the incomes are known and they come month by month.
    """
    unknown = scores["pcni"].isna()
    totals = bool(county.facts.get("spans.income"))
    if unknown.mean() < UNKNOWN_LIMIT and not totals:
        return []
    names = loaded.feature_set.names
    made = features.build(county, loaded.feature_set, str(scores["as_of"].iloc[0])[:10])[names]
    empty = int(made.isna().all().sum())
    if unknown.mean() < UNKNOWN_LIMIT and empty < UNKNOWN_LIMIT * len(names):
        return []
    reasons = scores.loc[unknown, "income_reason"].value_counts()
    why = f" ({', '.join(str(r) for r in reasons.index)})" if len(reasons) else ""
    mends = []
    if totals:
        mends.append("incomes are annual totals: train and score with the feature set household-annual-v1")
    if "production_unknown" in reasons:
        mends.append(
            "what production cost is unknown: bring the table spending, or say income_is_net: true in "
            "about.yaml if incomes were recorded net"
        )
    return [
        f"income is unknown for {int(unknown.sum())} of {len(scores)} households{why}, and {empty} of "
        f"{len(names)} features of {loaded.feature_set.id} ({empty / len(names):.0%}) have no value in any: "
        f"these scores say little; {'; '.join(mends) or 'see riskmodel check'}"
    ]


def log_scores(scores: pd.DataFrame, loaded: LoadedModel, store: str | Path) -> dict[str, Any]:
    """Log a scoring run: which model, data and rules, and how the scores lie; no household in it.

    Parameters
    ----------
    scores : DataFrame
        From `score`.
    loaded : LoadedModel
    store : str or Path

    Returns
    -------
    dict
        ``scoring_run_id``, ``households``, ``in_cohort``, ``flagged``, ``unknown_income``, ``expected``
        (sum of their probabilities), ``model``, ``model_version``, ``data_fingerprint``, ``as_of``.
    """
    first = scores.iloc[0]
    facts = {
        name: str(first[name])
        for name in (
            "as_of",
            "model",
            "model_version",
            "run_id",
            "feature_set",
            "ruleset",
            "data_fingerprint",
        )
    }
    counts = {
        "households": len(scores),
        "in_cohort": int(scores["in_cohort"].sum()),
        "flagged": int(scores["flagged"].sum()),
        "unknown_income": int(scores["pcni"].isna().sum()),
        "expected": float(scores.loc[scores["in_cohort"], "probability"].sum()),
    }
    edges = np.linspace(0, 1, 21)
    held, _ = np.histogram(scores["probability"], bins=edges)
    with start_run(f"{loaded.name}-scores", store, f"{loaded.name} {first['as_of']}") as run:
        run.params(facts)
        run.metrics({k: float(v) for k, v in counts.items()})
        run.document({"edges": edges.tolist(), "households": held.tolist()}, "score_histogram.json")
    return {"scoring_run_id": run.run_id, **counts, **facts}


def _tier(probability: pd.Series) -> pd.Series:
    """Colour by probability alone, at the thresholds that ``cards-2023`` assumes."""
    values = rules.load("cards-2023").values()
    red, yellow = float(values["card_red"]), float(values["card_yellow"])
    shade = np.select([probability >= red, probability >= yellow], ["red", "yellow"], "blue")
    return pd.Series(shade, probability.index)


def _why(
    loaded: LoadedModel,
    given: pd.DataFrame,
    X: pd.DataFrame,
    verdicts: pd.DataFrame,
    langs: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """Return causes, contributions and sentences; empty where the model is not an explained one."""
    centre: Mapping[str, Any] | None = loaded.card.get("reference")
    if centre is None:
        texts = {f"{part}_{i}": "" for part in ("cause", "reason") for i in range(1, REASONS + 1)}
        nothing = {f"contribution_{i}": np.nan for i in range(1, REASONS + 1)}
        empty = pd.DataFrame(texts | nothing, index=X.index).assign(log_odds_base=np.nan)
        return dict.fromkeys(langs, empty)
    parts, base = explanation.compute_contributions(loaded.model, given)
    mean = pd.Series(centre["centre"], index=centre["columns"])[parts.columns]
    dictionary = features.describe(loaded.feature_set)
    return {
        lang: explanation.write_reasons(
            parts - mean, X[parts.columns], dictionary, verdicts, lang, REASONS
        ).assign(log_odds_base=base + float(mean.sum()))
        for lang in langs
    }
