"""Metrics of a list at the budget of visits: recall, precision, and the poverty literature's measures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from riskmodel.evaluation.lists import (
    ListCounts,
)
from riskmodel.evaluation.metrics import METRICS, Array, Metric

# Relative risk aversion of the published targeting study (Hanna and Olken 2018).
RISK_AVERSION = 3.0
# An income below this share of the median is an entry slip; with a power of −2 one such slip would be the
# whole welfare of a county.
_LEAST_INCOME = 0.05
TARGETING = (
    "exclusion_error", "inclusion_error", "targeting_differential", "targeting_differential_errors", "cgh",
    "bpac",
)  # fmt: skip
_MEASURES = {"cgh": "lift"}
_BRW = "Brown, Ravallion & van de Walle 2018"


def list_measures(counts: ListCounts) -> dict[str, Array]:
    """Return every measure that follows from the counts of a list; NaN where nothing is divided by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, precision = counts.hits / counts.events, counts.hits / counts.visits
        false, missed = counts.visits - counts.hits, counts.events - counts.hits
        return {
            "recall": recall,
            "precision": precision,
            "exclusion_error": 1 - recall,
            "inclusion_error": 1 - precision,
            "lift": precision / (counts.events / counts.rows),
            "targeting_differential": recall - false / (counts.rows - counts.events),
            "targeting_differential_errors": recall + precision - 1,
            "bpac": recall - np.abs(false - missed) / counts.events,
        }


def _measure(name: str) -> Callable[[ListCounts], Array]:
    return lambda counts: list_measures(counts)[name]


def targeting_measures(y: ArrayLike, listed: ArrayLike, weight: ArrayLike | None = None) -> dict[str, float]:
    """Say how well a list targets those who had the event.

    Parameters
    ----------
    y, listed : array of shape (n,)
        0/1: had the event; is on the list.
    weight : array of shape (n,), optional
        Persons of each household; default 1 (households).

    Returns
    -------
    dict
        With TP, FP, FN, TN added up by weight:
        ``exclusion_error`` FN/(TP+FN); ``inclusion_error`` FP/(TP+FP);
        ``targeting_differential`` TP/(TP+FN) − FP/(FP+TN) (coverage of those in need minus coverage of the
        others); ``targeting_differential_errors`` 1 − exclusion error − inclusion error;
        ``cgh`` [TP/(TP+FP)] / [(TP+FN)/n], 1 for a list drawn at random;
        ``bpac`` TP/(TP+FN) − |FP − FN|/(TP+FN). NaN where nothing is divided by.

    References
    ----------
    Brown, Ravallion and van de Walle 2018 (errors); Galasso and Ravallion 2005 (differential by coverage);
    Grosh, Leite, Wai-Poi and Tesliuc 2022, *Revisiting Targeting in Social Assistance*, ch. 7 (differential
    by errors); Coady, Grosh and Hoddinott 2004 (CGH); IRIS Center 2005 (balanced poverty accuracy criterion).

    Examples
    --------
    Ten people, four in need, two of the four listed and nobody else: the World Bank book's first scenario has
    an exclusion error of 50 %, no inclusion error and a differential of 50.

    >>> made = targeting_measures([1] * 4 + [0] * 6, [1] * 2 + [0] * 8)
    >>> made["exclusion_error"], made["inclusion_error"], made["targeting_differential_errors"]
    (0.5, 0.0, 0.5)
    """
    event, on = np.asarray(y, dtype=float), np.asarray(listed, dtype=float)
    heads = np.ones(len(event)) if weight is None else np.asarray(weight, dtype=float)
    sums = [np.sum(heads * part) for part in (event * on, event, on, np.ones(len(event)))]
    values = list_measures(ListCounts(*(np.array([s]) for s in sums), *[np.zeros(1)] * 2))
    named = {name: float(value[0]) for name, value in values.items()}
    # At equal visits the CGH ratio is the lift.
    return {name: named[_MEASURES.get(name, name)] for name in TARGETING}


def crra_welfare(
    income: ArrayLike,
    persons: ArrayLike,
    listed: ArrayLike,
    transfer: float,
    risk_aversion: float = RISK_AVERSION,
) -> float:
    """Value a list by the welfare of paying everyone on it, as a share of what the best list would reach.

    Each listed household gets ``transfer``, shared by its persons. Welfare is Σ persons · c^(1−ρ)/(1−ρ) (ln c
    for ρ = 1). 0 is the same money spread evenly over all persons, 1 the best list of as many households
    (those whose payment adds most); a list can be worse than spreading (below 0).

    Parameters
    ----------
    income : array of shape (n,)
        Income per head over the outcome's year (yuan); rows without it are left out.
    persons : array of shape (n,)
        Of each household.
    listed : array of shape (n,)
        0/1.
    transfer
        Yuan a household.
    risk_aversion
        ρ ≥ 0.

    Returns
    -------
    float
        NaN where nobody is listed, or the best list gains nothing over spreading.

    Raises
    ------
    ValueError
        If ``transfer`` or ``risk_aversion`` is out of range.

    References
    ----------
    Hanna and Olken 2018, "Universal basic incomes versus targeted transfers", J. of Economic Perspectives 32.

    Examples
    --------
    >>> crra_welfare([1000, 1000, 9000, 9000], [1, 1, 1, 1], [1, 1, 0, 0], 500)
    1.0
    """
    if not transfer > 0 or risk_aversion < 0:
        raise ValueError(f"transfer={transfer!r}, risk_aversion={risk_aversion!r}: positive, and at least 0")
    before, heads, on = (np.asarray(v, dtype=float) for v in (income, persons, listed))
    known = np.isfinite(before) & (heads > 0)
    before, heads, on = before[known], heads[known], on[known] > 0
    if not on.any():
        return float("nan")
    base = np.maximum(before, _LEAST_INCOME * max(float(np.median(before)), 1.0))
    gain = heads * (_utility(base + transfer / heads, risk_aversion) - _utility(base, risk_aversion))
    number = int(on.sum())
    spread = transfer * number / heads.sum()
    even = float(np.sum(heads * (_utility(base + spread, risk_aversion) - _utility(base, risk_aversion))))
    best = float(np.sort(gain)[::-1][:number].sum())
    return float((gain[on].sum() - even) / (best - even)) if best > even else float("nan")


def _utility(consumption: Array, rho: float) -> Array:
    return np.log(consumption) if rho == 1 else consumption ** (1 - rho) / (1 - rho)


METRICS.register(
    Metric(
        "recall_at_budget",
        zh="查全率（名额内）",
        en="recall at the budget",
        formula="TP/(TP + FN)",
        source=_BRW,
        better="higher",
        needs="list",
        of_list=_measure("recall"),
        order=60,
        share=True,
        shown_in=("summary", "periods"),
        checked_against="counted by hand on a county of ten; scikit-learn",
        tests=(
            "evaluation/test_compare.py::test_the_hand_counted_county",
            "evaluation/test_published.py::test_targeting_measures_are_scikit_learns_under_other_names",
        ),
    )
)
METRICS.register(
    Metric(
        "precision_at_budget",
        zh="查准率（名额内）",
        en="precision at the budget",
        formula="TP/k",
        source=_BRW,
        better="higher",
        needs="list",
        of_list=_measure("precision"),
        order=70,
        derived=True,
        share=True,
        shown_in=("summary", "periods"),
        checked_against="counted by hand; scikit-learn",
        tests=(
            "evaluation/test_compare.py::test_the_hand_counted_county",
            "evaluation/test_published.py::test_targeting_measures_are_scikit_learns_under_other_names",
        ),
    )
)
METRICS.register(
    Metric(
        "exclusion_error",
        zh="漏识率",
        en="exclusion error",
        formula="FN/(TP + FN)",
        source=_BRW,
        better="lower",
        needs="list",
        of_list=_measure("exclusion_error"),
        order=80,
        derived=True,
        checked_against="published: Grosh et al. 2022, table 7.4; scikit-learn's recall",
        tests=(
            "evaluation/test_list_metrics.py::test_the_world_banks_table_of_scenarios",
            "evaluation/test_published.py::test_targeting_measures_are_scikit_learns_under_other_names",
        ),
    )
)
METRICS.register(
    Metric(
        "inclusion_error",
        zh="误识率",
        en="inclusion error",
        formula="FP/(TP + FP)",
        source=_BRW,
        better="lower",
        needs="list",
        of_list=_measure("inclusion_error"),
        order=90,
        derived=True,
        checked_against="published: Grosh et al. 2022, table 7.4; scikit-learn's precision",
        tests=(
            "evaluation/test_list_metrics.py::test_the_world_banks_table_of_scenarios",
            "evaluation/test_published.py::test_targeting_measures_are_scikit_learns_under_other_names",
        ),
    )
)
METRICS.register(
    Metric(
        "lift",
        zh="提升度",
        en="lift",
        formula="precision / base rate",
        source="1 is a list drawn at random; for equal visits the CGH ratio of Coady, Grosh & Hoddinott 2004",
        better="higher",
        needs="list",
        of_list=_measure("lift"),
        order=100,
        derived=True,
        checked_against="the paper's example of the CGH ratio, which it is at equal visits (1.5)",
        tests=("evaluation/test_published.py::test_cgh_of_the_papers_own_example",),
    )
)
METRICS.register(
    Metric(
        "targeting_differential",
        zh="瞄准差（覆盖率）",
        en="targeting differential (coverage)",
        formula="TP/(TP + FN) − FP/(FP + TN)",
        source="Galasso & Ravallion 2005",
        better="higher",
        needs="list",
        of_list=_measure("targeting_differential"),
        order=110,
        derived=True,
        checked_against=(
            "Youden's J of scikit-learn (`balanced_accuracy_score(adjusted=True)`); 0 where everyone is "
            "listed"
        ),
        tests=(
            "evaluation/test_published.py::test_targeting_measures_are_scikit_learns_under_other_names",
            "evaluation/test_list_metrics.py::test_the_two_differentials_differ_where_everyone_is_listed",
        ),
    )
)
METRICS.register(
    Metric(
        "targeting_differential_errors",
        zh="瞄准差（误差）",
        en="targeting differential (errors)",
        formula="1 − exclusion error − inclusion error",
        source="Grosh et al. 2022, ch. 7",
        better="higher",
        needs="list",
        of_list=_measure("targeting_differential_errors"),
        order=120,
        derived=True,
        checked_against="published: Grosh et al. 2022, table 7.4",
        tests=("evaluation/test_list_metrics.py::test_the_world_banks_table_of_scenarios",),
    )
)
METRICS.register(
    Metric(
        "bpac",
        zh="平衡贫困准确度",
        en="BPAC",
        formula="TP/(TP + FN) − |FP − FN|/(TP + FN)",
        source="IRIS Center 2005",
        better="higher",
        needs="list",
        of_list=_measure("bpac"),
        order=130,
        derived=True,
        checked_against="the definition of IRIS 2005 by hand; scikit-learn's confusion matrix",
        tests=(
            "evaluation/test_list_metrics.py::test_balanced_poverty_accuracy_of_the_iris_note",
            "evaluation/test_published.py::test_targeting_measures_are_scikit_learns_under_other_names",
        ),
    )
)
METRICS.register(
    Metric(
        "cgh",
        zh="CGH 比率（按人口）",
        en="CGH ratio (persons)",
        formula="share of listed persons in need / their share of all",
        source="Coady, Grosh & Hoddinott 2004",
        better="higher",
        needs="list",
        order=140,
        derived=True,
        checked_against=(
            "published: Coady, Grosh & Hoddinott 2004 (60 % of benefits to 40 %: 1.5); weights are "
            "repeated rows"
        ),
        tests=(
            "evaluation/test_published.py::test_cgh_of_the_papers_own_example",
            "evaluation/test_list_metrics.py::test_weighting_by_persons_is_repeating_the_household",
        ),
    )
)
METRICS.register(
    Metric(
        "welfare",
        zh="福利（CRRA）",
        en="CRRA welfare",
        formula="Σ persons·c^(1−ρ)/(1−ρ), 0 = spread evenly, 1 = best list",
        source="Hanna & Olken 2018",
        better="higher",
        needs="list",
        order=150,
        checked_against="marginal utility integrated by scipy; brute force over all lists",
        tests=(
            "evaluation/test_published.py::test_welfare_is_marginal_utility_added_up",
            "evaluation/test_list_metrics.py::test_welfare_is_one_for_the_best_list_and_falls_with_wrong_ones",
        ),
    )
)
METRICS.register(
    Metric(
        "overlap",
        zh="名单重合度",
        en="list overlap",
        formula="both / either (Jaccard)",
        source="Jaccard 1901",
        better="near 1",
        needs="list",
        order=160,
        checked_against="scikit-learn's Jaccard score",
        tests=("evaluation/test_published.py::test_overlap_is_jaccards",),
    )
)
