"""Labels that only some have: rates, bounds and lists from visits with known chances, and from support.

The yield of visits is the share confirmed among those who were met, by how a household came to be visited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from riskmodel.data import County
from riskmodel.errors import InputRefused
from riskmodel.evaluation.cluster_tests import binomial_error
from riskmodel.evaluation.lists import Array, Budget, list_members, quotas, rank_rows, ratio_or_nan
from riskmodel.evaluation.paired_lists import RULE, common_rows, holm, pair_lists
from riskmodel.evaluation.power import wilson_interval
from riskmodel.evaluation.predictions import (
    KEY,
    VILLAGE,
    align_keys,
    check_predictions,
    float_column,
    percentile_interval,
    two_sided_p,
    village_resamples,
    weighted_findings,
)
from riskmodel.evaluation.units import Units
from riskmodel.households import HOUSEHOLD_STATES, DateLike, KnownCounty, add_months, known_county
from riskmodel.i18n import Message
from riskmodel.models import model_names

# Columns of a table of findings: whose, of which as-of date, what was found, and for how many it stands.
_DELTAS = {"delta": "recall", "low": "low", "high": "high"}


class WeightedRate(NamedTuple):
    """A rate from chosen visits."""

    naive: float  # among the visited, as if they were like the others
    estimate: float  # weighted by the inverse of the logged chance (Hájek)
    low: float  # village-robust
    high: float
    effective_n: float  # Kish's effective number of visits
    unreachable: float  # share of rows whose chance was 0: no weight can speak for them


def weighted_rate(
    y: ArrayLike,
    visited: ArrayLike,
    chance: ArrayLike,
    groups: ArrayLike | None = None,
    among: ArrayLike | None = None,
    level: float = 0.95,
) -> WeightedRate:
    """Estimate the rate of an event that only visits reveal, from the logged chances of a visit.

    Parameters
    ----------
    y : array of shape (n,)
        0/1 for the visited; what stands for the others is not looked at.
    visited : array of shape (n,)
        0/1.
    chance : array of shape (n,)
        Logged chance of being selected, in [0, 1]; positive for every visited row.
    groups : array of shape (n,), optional
        Village of each row; default rows are independent.
    among : array of shape (n,), optional
        0/1: only these rows (a list: its precision); default all.
    level
        Level of the interval.

    Returns
    -------
    WeightedRate
        Rate with its interval, and how much it rests on.

    Raises
    ------
    ValueError
        If a chance is out of range, or 0 for somebody who was visited.

    References
    ----------
    Horvitz and Thompson 1952; Hájek 1971; linearised variance as in Särndal et al. 1992, ch. 5.

    Examples
    --------
    One of two flagged households (certain visits) is poor, and one of two drawn with a chance of 1/4:

    >>> weighted_rate([1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 0.25, 0.25]).estimate
    0.5
    """
    is_visited, p = np.asarray(visited, dtype=float) > 0, np.asarray(chance, dtype=float)
    inside = np.ones(len(p), dtype=bool) if among is None else np.asarray(among, dtype=float) > 0
    if not ((p >= 0) & (p <= 1)).all() or (p[is_visited] == 0).any():
        raise ValueError("chance: numbers in [0, 1], and above 0 for everyone who was visited")
    use = is_visited & inside
    if not use.any():
        nothing = float("nan")
        missed = float(np.mean(p[inside] == 0)) if inside.any() else 0.0
        return WeightedRate(nothing, nothing, nothing, nothing, 0.0, missed)
    target, weight = np.asarray(y, dtype=float)[use], 1 / p[use]
    estimate = float(np.sum(weight * target) / weight.sum())
    influence = weight * (target - estimate) / weight.sum()
    village = (
        np.arange(use.sum()) if groups is None else np.unique(np.asarray(groups)[use], return_inverse=True)[1]
    )
    sums = np.bincount(village, weights=influence)
    g = len(sums)
    se = float(np.sqrt(g / max(1, g - 1) * np.sum(sums**2)))
    reach = norm.ppf(0.5 + level / 2) * se
    return WeightedRate(
        float(target.mean()), estimate, max(0.0, estimate - reach), min(1.0, estimate + reach),
        float(weight.sum() ** 2 / np.sum(weight**2)), float(np.mean(p[inside] == 0)),
    )  # fmt: skip


class Bounds(NamedTuple):
    """Worst and best case of what is not known."""

    rate_low: float
    rate_high: float
    precision_low: float
    precision_high: float
    recall_low: float
    recall_high: float


def worst_case_bounds(y: ArrayLike, known: ArrayLike, listed: ArrayLike) -> Bounds:
    """Bound rate, precision and recall of a list where labels are missing, whatever the missing ones are.

    Parameters
    ----------
    y : array of shape (n,)
        0/1 where known.
    known, listed : array of shape (n,)
        0/1.

    Returns
    -------
    Bounds
        NaN where nobody is listed, or nobody could have the event.

    References
    ----------
    Manski 1989, "Anatomy of the selection problem".

    Examples
    --------
    >>> worst_case_bounds([1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0])[:4]
    (0.25, 0.75, 0.5, 1.0)
    """
    labelled, on = np.asarray(known, dtype=float) > 0, np.asarray(listed, dtype=float) > 0
    event = np.where(labelled, np.asarray(y, dtype=float), 0.0) > 0
    open_on, open_off = float((~labelled & on).sum()), float((~labelled & ~on).sum())
    hits, missed = float((event & on).sum()), float((event & ~on).sum())
    n, size = float(len(on)), float(on.sum())
    return Bounds(
        ratio_or_nan(hits + missed, n), ratio_or_nan(hits + missed + open_on + open_off, n),
        ratio_or_nan(hits, size), ratio_or_nan(hits + open_on, size),
        ratio_or_nan(hits, hits + missed + open_off), ratio_or_nan(hits + open_on, hits + open_on + missed),
    )  # fmt: skip


def support_bounds(y: ArrayLike, supported: ArrayLike, listed: ArrayLike) -> dict[str, float]:
    """Bound what would have happened without the support given within the window.

    A score is risk under current support. Who was supported and did not fall might have fallen without it
    (counted as 1), or not (as 0); who fell although supported fell.

    Parameters
    ----------
    y : array of shape (n,)
        0/1: what happened.
    supported : array of shape (n,)
        0/1: support began within the label's window.
    listed : array of shape (n,)
        0/1.

    Returns
    -------
    dict
        ``rate, rate_low, rate_high, precision…, recall…`` (as seen, every supported household counted as 0,
        and as 1), ``supported_share, supported_share_listed``.

    References
    ----------
    Manski 1990, "Nonparametric bounds on treatment effects".
    """
    event, is_supported = np.asarray(y, dtype=float), np.asarray(supported, dtype=float) > 0
    on = np.asarray(listed, dtype=float) > 0
    cases = {
        "": event,
        "_low": np.where(is_supported, 0.0, event),
        "_high": np.where(is_supported, 1.0, event),
    }
    out = {
        "supported_share": float(is_supported.mean()),
        "supported_share_listed": ratio_or_nan(float((is_supported & on).sum()), float(on.sum())),
    }
    for name, outcome in cases.items():
        hits = float(outcome[on].sum())
        out[f"rate{name}"] = float(outcome.mean())
        out[f"precision{name}"] = ratio_or_nan(hits, float(on.sum()))
        out[f"recall{name}"] = ratio_or_nan(hits, float(outcome.sum()))
    return out


def metrics_by_findings(
    predictions: pd.DataFrame,
    findings: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    baseline: str = RULE,
    replicates: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Say what lists of the whole cohort would have found, from those who were visited.

    Parameters
    ----------
    predictions
        As for `compare`; lists are drawn from all rows, labelled or not.
    findings
        As for `label_by_findings`.
    budget
        Visits at each as-of date.
    baseline
        ``"rule"`` or the model compared with.
    replicates, seed, level
        Village resamples; lists stay as they were drawn.

    Returns
    -------
    DataFrame
        One row a list, the baseline's first: ``model, visits, n, findings, effective_n`` (Kish), ``rate``
        (of the event, in everyone), ``precision, recall`` with ``_low, _high`` (village bootstrap),
        ``_naive`` (findings as they came) and ``_worst, _best`` (whatever unknown labels are; not of the
        weights); ``delta_recall`` (minus the baseline's) with ``delta_low, delta_high, p_bootstrap,
        p_error`` (Monte-Carlo), ``p_holm``.

    Raises
    ------
    InputRefused
        As `compare` and `label_by_findings`.

    References
    ----------
    Horvitz and Thompson 1952; Hájek 1971; Manski 1989 for the bounds.

    Notes
    -----
    Right where every household had a chance of a visit and it was logged: a list without a random share has
    none for most. ``effective_n`` says how few visits speak for how many.
    """
    whole = check_predictions(predictions.assign(y=0.0), ("persons", "flagged", "rule_rank"))
    wide = align_keys(common_rows(whole)[0])
    side = pair_lists(wide, whole.models, baseline)
    quota = quotas(side.date, Budget.of(budget))
    others = [m for m in whole.models if m not in (baseline, RULE)]
    lists = {baseline: list_members(side.date, side.baseline, quota)}
    lists |= {m: list_members(side.date, rank_rows(side.date, -side.scores[m]), quota) for m in others}
    matches = wide.assign(at=np.arange(len(wide)))[[*KEY, *VILLAGE, "at"]].merge(
        weighted_findings(findings), on=KEY
    )
    if matches.empty:
        raise InputRefused("no finding is of a household and as-of date that was scored")
    resamples = village_resamples(matches[VILLAGE], replicates, seed)
    kernel = _finding_kernel(matches, lists, resamples.units(float_column(matches, "weight")))
    point = kernel(np.ones((1, resamples.n_villages)))[0]
    drawn = resamples.run_units(kernel)
    labels = _labels(predictions, wide)
    weight = float_column(matches, "weight")
    shared = {
        "visits": int(quota.sum()), "n": len(wide), "findings": len(matches),
        "effective_n": float(weight.sum() ** 2 / np.sum(weight**2)),
    }  # fmt: skip
    rows = [
        {
            "model": name,
            **shared,
            **_finding_row(k, name, point, drawn, level),
            **_unweighted_figures(matches, labels, listed),
        }
        for k, (name, listed) in enumerate(lists.items())
    ]
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p_bootstrap"])
    return table


def _finding_kernel(
    matches: pd.DataFrame, lists: dict[str, NDArray[np.bool_]], units: Units
) -> Callable[[Array], Array]:
    """Prepare rate, and precision and recall of each list: shape (replicates, 1 + 2·lists)."""
    y, at = float_column(matches, "y"), matches["at"].to_numpy()
    parts = [np.ones(len(y)), y]
    for listed in lists.values():
        parts += [listed[at], y * listed[at]]
    sums = units.sums(np.column_stack(parts))

    def kernel(drawn: Array) -> Array:
        total = drawn @ sums
        with np.errstate(divide="ignore", invalid="ignore"):
            out = [total[:, 1] / total[:, 0]]
            for k in range(2, sums.shape[1], 2):
                out += [total[:, k + 1] / total[:, k], total[:, k + 1] / total[:, 1]]
        return np.column_stack(out)

    return kernel


def _finding_row(k: int, name: str, point: Array, drawn: Array, level: float) -> dict[str, float]:
    out = {"rate": float(point[0])}
    for measure, column in (("precision", 1 + 2 * k), ("recall", 2 + 2 * k)):
        low, high = percentile_interval(drawn[:, column], level)
        out |= {measure: float(point[column]), f"{measure}_low": low, f"{measure}_high": high}
    if k == 0:
        return out | dict.fromkeys(
            ("delta_recall", "delta_low", "delta_high", "p_bootstrap", "p_error"), float("nan")
        )
    difference = drawn[:, 2 + 2 * k] - drawn[:, 2]
    low, high = percentile_interval(difference, level)
    return out | {
        "delta_recall": float(point[2 + 2 * k] - point[2]), "delta_low": low, "delta_high": high,
        "p_bootstrap": (p := two_sided_p(difference)), "p_error": 2 * binomial_error(p / 2, len(difference)),
    }  # fmt: skip


def _unweighted_figures(matches: pd.DataFrame, labels: Array, listed: NDArray[np.bool_]) -> dict[str, float]:
    """Figures as they come from the visited, and their bounds."""
    y, on = float_column(matches, "y"), listed[matches["at"].to_numpy()]
    bounds = worst_case_bounds(np.nan_to_num(labels), np.isfinite(labels), listed)
    return {
        "rate_naive": float(y.mean()), "rate_worst": bounds.rate_low, "rate_best": bounds.rate_high,
        "precision_naive": float(y[on].mean()) if on.any() else float("nan"),
        "precision_worst": bounds.precision_low, "precision_best": bounds.precision_high,
        "recall_naive": float(y[on].sum() / y.sum()) if y.sum() else float("nan"),
        "recall_worst": bounds.recall_low, "recall_best": bounds.recall_high,
    }  # fmt: skip


def _labels(predictions: pd.DataFrame, wide: pd.DataFrame) -> Array:
    one = align_keys(predictions.drop_duplicates(KEY)[[*KEY, "y"]])
    return float_column(wide[KEY].merge(one, on=KEY, how="left", validate="one_to_one"), "y")


def finding_messages(table: pd.DataFrame, event: Mapping[str, str]) -> list[Message]:
    """Return what a table of `metrics_by_findings` shows, one message a model.

    Parameters
    ----------
    table
        The baseline's row first.
    event
        What a found event is called, ``zh`` and ``en``.

    Returns
    -------
    list of Message
        One a model, in the order of the table.
    """
    base = table.iloc[0]
    names = ("findings", "effective_n", "recall", "recall_worst", "recall_best")
    return [
        Message(
            "evaluation.findings.sentence",
            {
                **{name: row[name] for name in names},
                **{name: 100 * row[f"delta_{part}"] for name, part in _DELTAS.items()},
                "event": event,
                "baseline": model_names(str(base["model"])),
                "recall_baseline": base["recall"],
                "model": model_names(str(row["model"])),
            },
        )
        for row in table.iloc[1:].to_dict("records")
    ]


YIELD_MONTHS = 12
OUTCOMES = ("confirmed", "not_confirmed", "absent")
SOURCES = ("rule", "model", "random", "application")
YIELD_COLUMNS = [
    "selected_by", "visits", "confirmed", "not_confirmed", "absent", "rate", "low", "high", "worst", "best",
]  # fmt: skip
WEIGHTED_YIELD_COLUMNS = ["visits", "left_out", "naive", "rate", "low", "high", "effective_n"]
# 002 (Wuhu 2019): 383 households checked, 126 confirmed. They were screened beforehand, for illness costs:
# context for an office's own yield, no target for a list drawn from everyone.
PUBLISHED_YIELD = {"confirmed": 126, "checked": 383}


def yield_by_source(visits: pd.DataFrame) -> pd.DataFrame:
    """Count findings by source, with the share confirmed of those met and its interval.

    Parameters
    ----------
    visits
        ``selected_by`` (null: not said) and ``outcome``.

    Returns
    -------
    DataFrame
        `YIELD_COLUMNS`, one row a source that has visits, in the order of `SOURCES`, then visits without one
        (``unknown``). Households that were not met say nothing about the list: they are counted, and left
        out of ``rate``; ``worst`` and ``best`` bound it whatever they would have shown (Manski 1989).
        Visits are taken as independent; several of one village are not quite.
    """
    source = visits["selected_by"].fillna("unknown")
    counts = pd.crosstab(source, visits["outcome"])
    counts = counts.reindex(index=[*SOURCES, "unknown"], columns=list(OUTCOMES), fill_value=0)
    counts = counts.rename_axis("selected_by").rename_axis(columns=None)
    table = counts.assign(visits=counts.sum(axis=1)).query("visits > 0").reset_index()
    met = table["confirmed"] + table["not_confirmed"]
    low, high = wilson_interval(table["confirmed"], met)
    table = table.assign(rate=table["confirmed"] / met, low=low, high=high)
    # Whatever the absent would have shown.
    table["worst"] = table["confirmed"] / table["visits"]
    table["best"] = (table["confirmed"] + table["absent"]) / table["visits"]
    return table[YIELD_COLUMNS]


def weighted_yield(visits: pd.DataFrame) -> pd.DataFrame:
    """Estimate what visits would have found among all whom the lists could have chosen.

    Parameters
    ----------
    visits
        ``selected_by, outcome, chance`` (logged by the list; null where none was) and ``village`` (any
        code of it: villages are resampled as one).

    Returns
    -------
    DataFrame
        `WEIGHTED_YIELD_COLUMNS`, one row, or none where no visit has a logged chance. ``rate`` weights each
        answered visit by 1 / chance; who is flagged is on every list, with a chance of 1 where none was
        logged.
        ``naive`` is the same visits unweighted, ``effective_n`` how many of equal chance they are worth,
        ``left_out`` the visits that nobody drew. Households held back or beyond a list without a random
        share are represented by nobody.

    References
    ----------
    Horvitz & Thompson 1952; Hajek 1971; see `riskmodel.evaluation.selective_labels.weighted_rate`.
    """
    met = visits[visits["outcome"].isin(["confirmed", "not_confirmed"])]
    logged = met["chance"].where(met["chance"] > 0).astype(float)
    if logged.isna().all():
        return pd.DataFrame(columns=WEIGHTED_YIELD_COLUMNS)
    logged = logged.where(logged.notna() | met["selected_by"].ne("rule"), 1.0)
    has_chance = logged.notna()
    hit = met.loc[has_chance, "outcome"].eq("confirmed").to_numpy(dtype=float)
    rate = weighted_rate(hit, np.ones(len(hit)), logged[has_chance], met.loc[has_chance, "village"])
    left_out = int((~has_chance).sum())
    row = (len(hit), left_out, rate.naive, rate.estimate, rate.low, rate.high, rate.effective_n)
    return pd.DataFrame([row], columns=WEIGHTED_YIELD_COLUMNS)


def recent_visits(
    county: County | KnownCounty, as_of: DateLike | None = None, months: int = YIELD_MONTHS
) -> pd.DataFrame:
    """Return the visits of the last months, as known at a date.

    Parameters
    ----------
    county
        As read.
    as_of
        Only visits made and recorded by then.
    months
        How far back.

    Returns
    -------
    DataFrame
        ``selected_by, outcome, chance, village``: what `yield_by_source` and `weighted_yield` take.
    """
    known = known_county(county, as_of)
    day, visits = known.as_of, known.rows("visits")
    visits = visits.filter(visits.date <= day, visits.date > add_months(day, -months))
    homes = known.rows(HOUSEHOLD_STATES).select("household_id", "township", "village")
    rows = visits.select("household_id", "selected_by", "outcome", "chance").left_join(homes, "household_id")
    frame = known.con.to_pyarrow(rows).to_pandas()
    # Two townships may each have a village of one name; who lives nowhere known is a village alone.
    village = frame["township"].astype(str) + "\x1f" + frame["village"].astype(str)
    village = village.where(frame["village"].notna(), frame["household_id"])
    return frame.assign(village=village)[["selected_by", "outcome", "chance", "village"]]
