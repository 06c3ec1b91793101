"""Models judged by what visits found, weighted so that the findings stand for everyone and not for a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused
from riskmodel.evaluation.bootstrap import percentile_interval, two_sided_p, village_resamples
from riskmodel.evaluation.budget import Budget, quotas
from riskmodel.evaluation.frame import KEY, VILLAGE, Predictions, checked, numbers
from riskmodel.evaluation.lists import chosen, rank
from riskmodel.evaluation.paired import holm
from riskmodel.evaluation.selective import worst_case
from riskmodel.evaluation.sides import RULE, same_rows, sides
from riskmodel.evaluation.verdict import names

Array = NDArray[np.float64]
# Columns of a table of findings: whose, of which as-of date, what was found, and for how many it stands.
FINDING = (*KEY, "y", "weight")


def represented(predictions: pd.DataFrame, findings: pd.DataFrame) -> Predictions:
    """Put findings with their weights in the place of labels.

    Parameters
    ----------
    predictions : DataFrame
        As for `pooled`; its labels are not looked at.
    findings : DataFrame
        ``household_id, as_of, y`` (0/1) and ``weight`` (1 / chance of the visit; null: left out); a
        household may have several.

    Returns
    -------
    Predictions
        One row a model and finding, with ``weight``; without a weight they are counted as nulls.

    Raises
    ------
    InputRefused
        If a column is absent, or no finding with a weight is of a household that was scored.
    """
    known = _weighed(findings)
    given = checked(predictions.assign(y=0.0))
    frame = _same_days(given.frame.drop(columns="y")).merge(known, on=KEY, how="inner")
    if frame.empty:
        raise InputRefused("no finding is of a household and as-of date that was scored")
    left = len(findings) - len(known)
    nulls = pd.Series(0, index=given.nulls.index)
    for model in given.models:
        # They belong to no fold in particular; the first one of each model carries the count.
        nulls.loc[next(label for label in nulls.index if label[0] == model)] = left
    return Predictions(frame.sort_values(KEY, kind="stable", ignore_index=True), given.models, nulls)


def as_share(budget: Budget | Mapping[str, Any], predictions: pd.DataFrame) -> Budget:
    """Return a budget of visits as the share of the scored households that it is, over all as-of dates."""
    given = Budget.of(budget)
    if given.visits is None:
        return given
    sizes = predictions.drop_duplicates(KEY).groupby("as_of").size()
    return Budget(share=float(sum(given.at(int(n)) for n in sizes) / sizes.sum()))


def selected(
    predictions: pd.DataFrame,
    findings: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    baseline: str = RULE,
    replicates: int = 400,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Say what lists of the whole cohort would have found, from those who were visited.

    Parameters
    ----------
    predictions : DataFrame
        As for `compare`; lists are drawn from all rows, labelled or not.
    findings : DataFrame
        As for `represented`.
    budget : Budget or mapping
        Visits at each as-of date.
    baseline : str, default "rule"
    replicates, seed, level
        Village resamples; lists stay as they were drawn.

    Returns
    -------
    DataFrame
        One row a list, the baseline's first: ``model, visits, n, findings, effective_n`` (Kish), ``rate``
        (of the event, in everyone), ``precision, recall`` with ``_low, _high`` (village bootstrap),
        ``_naive`` (findings as they came) and ``_worst, _best`` (whatever unknown labels are; not of the
        weights); ``delta_recall`` (minus the baseline's) with ``delta_low, delta_high, p_bootstrap, p_holm``.

    Raises
    ------
    InputRefused
        As `compare` and `represented`.

    References
    ----------
    Horvitz and Thompson 1952; Hájek 1971; Manski 1989 for the bounds.

    Notes
    -----
    Right where every household had a chance of a visit and it was logged: a list without a random share has
    none for most. ``effective_n`` says how few visits speak for how many.
    """
    whole = checked(predictions.assign(y=0.0), ("persons", "flagged", "rule_rank"))
    wide = _same_days(same_rows(whole)[0])
    side = sides(wide, whole.models, baseline)
    quota = quotas(side.date, Budget.of(budget))
    others = [m for m in whole.models if m not in (baseline, RULE)]
    lists = {baseline: chosen(side.date, side.baseline, quota)}
    lists |= {m: chosen(side.date, rank(side.date, -side.scores[m]), quota) for m in others}
    seen = wide.assign(at=np.arange(len(wide)))[[*KEY, *VILLAGE, "at"]].merge(_weighed(findings), on=KEY)
    if seen.empty:
        raise InputRefused("no finding is of a household and as-of date that was scored")
    kernel = _kernel(seen, lists)
    point = kernel(np.ones((1, len(seen))))[0]
    drawn = village_resamples(seen[VILLAGE], replicates, seed).run(kernel)
    labels = _labels(predictions, wide)
    weight = numbers(seen, "weight")
    shared = {
        "visits": int(quota.sum()), "n": len(wide), "findings": len(seen),
        "effective_n": float(weight.sum() ** 2 / np.sum(weight**2)),
    }  # fmt: skip
    rows = [
        {"model": name, **shared, **_row(k, name, point, drawn, level), **_plain(seen, labels, listed)}
        for k, (name, listed) in enumerate(lists.items())
    ]
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p_bootstrap"])
    return table


def _kernel(seen: pd.DataFrame, lists: dict[str, NDArray[np.bool_]]) -> Callable[[Array], Array]:
    """Prepare rate, and precision and recall of each list: shape (replicates, 1 + 2·lists)."""
    weight, y, at = numbers(seen, "weight"), numbers(seen, "y"), seen["at"].to_numpy()
    parts = [weight, weight * y]
    for listed in lists.values():
        parts += [weight * listed[at], weight * y * listed[at]]
    sums = np.column_stack(parts)

    def kernel(drawn: Array) -> Array:
        total = drawn @ sums
        with np.errstate(divide="ignore", invalid="ignore"):
            out = [total[:, 1] / total[:, 0]]
            for k in range(2, sums.shape[1], 2):
                out += [total[:, k + 1] / total[:, k], total[:, k + 1] / total[:, 1]]
        return np.column_stack(out)

    return kernel


def _row(k: int, name: str, point: Array, drawn: Array, level: float) -> dict[str, float]:
    out = {"rate": float(point[0])}
    for measure, column in (("precision", 1 + 2 * k), ("recall", 2 + 2 * k)):
        low, high = percentile_interval(drawn[:, column], level)
        out |= {measure: float(point[column]), f"{measure}_low": low, f"{measure}_high": high}
    if k == 0:
        return out | dict.fromkeys(("delta_recall", "delta_low", "delta_high", "p_bootstrap"), float("nan"))
    apart = drawn[:, 2 + 2 * k] - drawn[:, 2]
    low, high = percentile_interval(apart, level)
    return out | {
        "delta_recall": float(point[2 + 2 * k] - point[2]), "delta_low": low, "delta_high": high,
        "p_bootstrap": two_sided_p(apart),
    }  # fmt: skip


def _plain(seen: pd.DataFrame, labels: Array, listed: NDArray[np.bool_]) -> dict[str, float]:
    """Figures as they come from the visited, and their bounds."""
    y, on = numbers(seen, "y"), listed[seen["at"].to_numpy()]
    bounds = worst_case(np.nan_to_num(labels), np.isfinite(labels), listed)
    return {
        "rate_naive": float(y.mean()), "rate_worst": bounds.rate_low, "rate_best": bounds.rate_high,
        "precision_naive": float(y[on].mean()) if on.any() else float("nan"),
        "precision_worst": bounds.precision_low, "precision_best": bounds.precision_high,
        "recall_naive": float(y[on].sum() / y.sum()) if y.sum() else float("nan"),
        "recall_worst": bounds.recall_low, "recall_best": bounds.recall_high,
    }  # fmt: skip


def _labels(predictions: pd.DataFrame, wide: pd.DataFrame) -> Array:
    one = _same_days(predictions.drop_duplicates(KEY)[[*KEY, "y"]])
    return numbers(wide[KEY].merge(one, on=KEY, how="left", validate="one_to_one"), "y")


def _weighed(findings: pd.DataFrame) -> pd.DataFrame:
    absent = [c for c in FINDING if c not in findings.columns]
    if absent:
        raise InputRefused(f"findings lack the column(s) {', '.join(absent)}; needed: {', '.join(FINDING)}")
    weight = numbers(findings, "weight")
    if (weight[np.isfinite(weight)] <= 0).any():
        raise InputRefused("findings hold a weight that is not positive; give 1 / chance of the visit")
    return _same_days(findings.loc[np.isfinite(weight), list(FINDING)]).astype({"y": float})


def _same_days(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]), household_id=frame["household_id"].astype(str))


def told(table: pd.DataFrame, event: tuple[str, str]) -> list[dict[str, str]]:
    """Say what a table of `selected` shows, one sentence a model, in Chinese and English.

    Parameters
    ----------
    table : DataFrame
    event : tuple of str
        What a found event is called.

    Returns
    -------
    list of dict with keys "zh", "en"
    """
    base = table.iloc[0]
    out = []
    for row in table.iloc[1:].to_dict("records"):
        model, rule = names(str(row["model"])), names(str(base["model"]))
        zh = (
            f"按入选概率加权（{row['findings']} 条核查，相当于 {row['effective_n']:.0f} 条等概率样本）："
            f"{event[0]}的查全率，{rule[0]}名单 {base['recall']:.0%}，{model[0]}名单 {row['recall']:.0%}，差 "
            f"{100 * row['delta_recall']:+.1f} 个百分点（{100 * row['delta_low']:+.1f} 至 "
            f"{100 * row['delta_high']:+.1f}）；未走访者无论如何，{model[0]}名单的查全率在 "
            f"{row['recall_worst']:.0%} 与 {row['recall_best']:.0%} 之间。"
        )
        en = (
            f"Weighted by 1 / chance ({row['findings']} visits, worth {row['effective_n']:.0f} of equal "
            f"chance), recall of {event[1]}: {rule[1]} {base['recall']:.0%}, {model[1]} {row['recall']:.0%}, "
            f"difference {100 * row['delta_recall']:+.1f} points ({100 * row['delta_low']:+.1f} to "
            f"{100 * row['delta_high']:+.1f}); whatever the unvisited are, recall of {model[1]} lies between "
            f"{row['recall_worst']:.0%} and {row['recall_best']:.0%}."
        )
        out.append({"zh": zh, "en": en})
    return out
