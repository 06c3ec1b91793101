"""What outcomes that are unknown, or known in more than one way, do to a run's figures.

Null labels stay in the deployed cohort, with bounds. A household that was split in its window counts where
any child fell; one that was below the line on its day already, as records that came later show, was foreseen
by nobody: it had fallen and was not yet written up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from riskmodel import evaluation
from riskmodel.evaluation import Budget, list_at_budget, sorted_codes
from riskmodel.i18n import LANGUAGES, Message
from riskmodel.models import model_names
from riskmodel.runs.data_fit import SEPARATOR, describe_reasons

TENTHS = 10
# Shares of fewer households say nothing (assumption).
LEAST_ROWS = 30


def null_bounds(predictions: pd.DataFrame, budget: Budget) -> pd.DataFrame:
    """Return bounds of rate, precision, recall and AUC by what the unknown outcomes could be, a row a model.

    Parameters
    ----------
    predictions
        Test rows of all models; ``y`` is missing where the outcome is unknown.
    budget
        Visits at each date.

    Returns
    -------
    DataFrame
        ``model, rows, nulls, null_share``; ``rate``, ``precision`` and ``recall`` with ``_low`` and
        ``_high``, the worst and the best case; ``auc_nulls_0`` and ``auc_nulls_1``, every unknown outcome as
        0, and as 1.
    """
    rows = []
    for model, part in predictions.groupby("model", sort=False):
        y = part["y"].astype(float)
        listed = list_at_budget(sorted_codes(part["as_of"]), part["score"].to_numpy(), budget)
        bounds = evaluation.worst_case_bounds(y.fillna(0), y.notna(), listed)
        areas = {f"auc_nulls_{k}": _auc_with(y.fillna(k), part["score"]) for k in (0, 1)}
        rows.append({
            "model": model, "rows": len(y), "nulls": int(y.isna().sum()),
            "null_share": float(y.isna().mean()), **bounds._asdict(), **areas,
        })  # fmt: skip
    return pd.DataFrame(rows)


def without_splits(predictions: pd.DataFrame, budget: Budget) -> pd.DataFrame | None:
    """Return how figures stand without households that were split in their window, and by their persons.

    Parameters
    ----------
    predictions, budget
        As for `null_bounds`, with ``split`` and ``split_share``.

    Returns
    -------
    DataFrame
        A row a model; ``…_without`` leaves such households out, ``…_weighted`` counts of each the share of
        persons whose new household fell. None where nobody was split.
    """
    rows = predictions[predictions["y"].notna()]
    if "split" not in rows or not rows["split"].eq(True).any():
        return None
    return pd.DataFrame(
        {"model": model, **_without_splits(part, budget)} for model, part in rows.groupby("model", sort=False)
    )


def _without_splits(rows: pd.DataFrame, budget: Budget) -> dict[str, float]:
    """Return rate, AUC and recall of one model as they are, without split households, and by persons."""
    split = rows["split"].eq(True)
    # Where not all children are known, one that fell made the label 1: the whole household counts.
    by_persons = rows["y"].mask(split & rows["split_share"].notna(), rows["split_share"])
    out: dict[str, float] = {"rows": len(rows), "split": int(split.sum())}
    for name, part, y in (
        ("", rows, rows["y"]),
        ("_without", rows[~split], rows.loc[~split, "y"]),
        ("_weighted", rows, by_persons),
    ):
        listed = list_at_budget(sorted_codes(part["as_of"]), part["score"].to_numpy(), budget)
        out[f"rate{name}"] = float(y.mean())
        out[f"recall{name}"] = float(y[listed].sum() / y.sum()) if y.sum() else float("nan")
        if name != "_weighted":  # a share is no event that a score could rank
            out[f"auc{name}"] = _auc_with(y, part["score"])
    return out


def _auc_with(y: pd.Series, score: pd.Series) -> float:
    return float(evaluation.auc(y, score)) if y.nunique() > 1 else float("nan")


def already_below(predictions: pd.DataFrame, budget: Budget) -> pd.DataFrame | None:
    """Return recall apart for those who fell later, and for those who had fallen but were not written up.

    Parameters
    ----------
    predictions, budget
        As for `null_bounds`, with ``below_already`` (1, 0; missing where later records do not say either).

    Returns
    -------
    DataFrame
        A row a model: ``events, already`` (of the events, below the line at as-of by what was recorded
        later), ``recall, recall_already, recall_later`` (of those above it then, or not known to be below).
        None where no event was.
    """
    if "below_already" not in predictions:
        return None
    rows = predictions[predictions["y"].notna()]
    if not (rows["y"].eq(1) & rows["below_already"].eq(1)).any():
        return None
    out = []
    for model, part in rows.groupby("model", sort=False):
        listed = list_at_budget(sorted_codes(part["as_of"]), part["score"].to_numpy(), budget)
        event, before = part["y"].eq(1).to_numpy(), part["below_already"].eq(1).to_numpy()
        recalls = {
            f"recall{name}": float(listed[which].mean()) if which.any() else float("nan")
            for name, which in (("", event), ("_already", event & before), ("_later", event & ~before))
        }
        counts = {"events": int(event.sum()), "already": int((event & before).sum())}
        out.append({"model": model, **counts, **recalls})
    return pd.DataFrame(out)


def null_rates(predictions: pd.DataFrame, model: str | None) -> pd.DataFrame:
    """Return how often the outcome is unknown, by what was known of a household on the day.

    Parameters
    ----------
    predictions
        As for `null_bounds`; ``lag_months`` where it is known.
    model
        By whose score the tenths are made, within each date; the first one where it is not there.

    Returns
    -------
    DataFrame
        ``by`` (``score_tenth``, 1 the highest; ``flagged``; ``lag_months``), ``value, rows, nulls, share``.
    """
    names = predictions["model"].unique()
    one = predictions[predictions["model"] == (model if model in set(names) else names[0])]
    place = one.groupby("as_of")["score"].rank(method="first", ascending=False)
    size = one.groupby("as_of")["score"].transform("size")
    by = {"score_tenth": np.ceil(place * TENTHS / size), "flagged": one["flagged"].astype(float)}
    if "lag_months" in one:
        by["lag_months"] = one["lag_months"].astype(float)
    parts = []
    for name, values in by.items():
        counted = pd.DataFrame({"value": values, "unknown": one["y"].isna()}).groupby("value")["unknown"]
        part = counted.agg(rows="size", nulls="sum", share="mean").reset_index()
        parts.append(part.assign(by=name))
    return pd.concat(parts, ignore_index=True)[["by", "value", "rows", "nulls", "share"]]


def outcome_messages(
    unknown: pd.DataFrame,
    nulls: pd.DataFrame,
    evaluated: Any,
) -> list[Message]:
    """Say all that outcomes which are not plainly known could move.

    Parameters
    ----------
    unknown
        As of `riskmodel.runs.data_fit.DataFit`.
    nulls
        Of `riskmodel.runs.data_fit.count_nulls`.
    evaluated : Evaluation
        `riskmodel.runs.Evaluation`.
    """
    bounds = evaluated.null_bounds
    out = null_messages(unknown, nulls, int(bounds["rows"].iloc[0]), bounds)
    if len(out) and bounds["nulls"].iloc[0]:
        out += null_rate_messages(evaluated.null_rates)
    out += split_messages(evaluated.splits)
    return out + already_messages(evaluated.already_below, evaluated.declared)


def null_rate_messages(rates: pd.DataFrame) -> list[Message]:
    """Say in a line among whom outcomes are unknown: the tenths at both ends, the flagged, by lag.

    Parameters
    ----------
    rates
        Of `null_rates`.
    """
    share = {(r["by"], r["value"]): r["share"] for r in rates.to_dict("records")}
    lags = rates[(rates["by"] == "lag_months") & (rates["rows"] >= LEAST_ROWS)]
    said = []
    if (ends := [share.get(("score_tenth", end)) for end in (1.0, float(TENTHS))])[1] is not None:
        said.append(Message("runs.fit.null tenths", {"first": ends[0], "last": ends[1]}))
    if None not in (sides := [share.get(("flagged", side)) for side in (1.0, 0.0)]):
        said.append(Message("runs.fit.null flagged", {"flagged": sides[0], "others": sides[1]}))
    said += [
        Message("runs.fit.null lag", {"lag": int(r["value"]), "share": r["share"]})
        for r in (lags.to_dict("records") if len(lags) > 1 else ())
    ]
    spans = {lang: SEPARATOR[lang].join(m.text(lang) for m in said) for lang in LANGUAGES}
    return [Message("runs.fit.null rates", {"rates": spans})] if said else []


def already_messages(table: pd.DataFrame | None, declared: str | None) -> list[Message]:
    """Say how many of the events were there on the day already, and what lists found of the others.

    Parameters
    ----------
    table
        Of `already_below`.
    declared
        The declared model, which stands beside the rules.
    """
    if table is None:
        return []
    first = table.iloc[0]
    shown = table[table["model"].isin(["rule", declared])] if declared else table
    span = {
        lang: SEPARATOR[lang].join(
            f"{model_names(r['model'])[lang]} {r['recall_already']:.1%} / {r['recall_later']:.1%}"
            for r in shown.to_dict("records")
        )
        for lang in LANGUAGES
    }
    values = {"already": int(first["already"]), "events": int(first["events"]), "span": span}
    return [Message("runs.fit.below already", values)]


def split_messages(splits: pd.DataFrame | None) -> list[Message]:
    """Say how much the figures rest on counting a split household by any of its children.

    Parameters
    ----------
    splits
        `Evaluation.splits`.
    """
    if splits is None:
        return []
    first = splits.iloc[0]
    values = {
        "n": int(first["split"]), "rate": first["rate"], "without": first["rate_without"],
        "weighted": first["rate_weighted"],
    }  # fmt: skip
    span = {
        lang: SEPARATOR[lang].join(
            f"{r['model']} {r['recall']:.1%} / {r['recall_without']:.1%} / {r['recall_weighted']:.1%}"
            for r in splits.to_dict("records")
        )
        for lang in LANGUAGES
    }
    return [Message("runs.fit.splits", values), Message("runs.fit.recall of splits", {"span": span})]


def null_messages(
    unknown: pd.DataFrame, nulls: pd.DataFrame, tested: int, bounds: pd.DataFrame
) -> list[Message]:
    """Say how many incomes are unknown at as-of, and how far outcomes that are not known could move figures.

    Parameters
    ----------
    unknown
        As of `DataFit`.
    nulls
        Of `count_nulls`.
    tested
        Rows of all test dates.
    bounds
        `Evaluation.null_bounds`.
    """
    out = []
    no_income = unknown[unknown["reason"] != ""].groupby("reason")["households"].sum()
    if no_income.sum():
        values = {
            "n": int(no_income.sum()), "share": no_income.sum() / unknown["households"].sum(),
            "reasons": describe_reasons(no_income.to_dict()),
        }  # fmt: skip
        out.append(Message("runs.fit.unknown incomes", values))
    missing = nulls[nulls["role"] == "test"].groupby("reason")["rows"].sum()
    if missing.sum():
        first = bounds.iloc[0]
        values = {
            "n": int(missing.sum()), "share": missing.sum() / tested,
            "reasons": describe_reasons(missing.to_dict()),
            "low": first["rate_low"], "high": first["rate_high"],
        }  # fmt: skip
        out.append(Message("runs.fit.null outcomes", values))
        span = {
            lang: SEPARATOR[lang].join(
                f"{model_names(r['model'])[lang]} {100 * r['recall_low']:.0f}–{100 * r['recall_high']:.0f} %"
                for r in bounds.to_dict("records")
            )
            for lang in LANGUAGES
        }
        out.append(Message("runs.fit.recall bounds", {"span": span}))
    return out
