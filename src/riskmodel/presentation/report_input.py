"""What a report is made of: the tidy frames of a run, and the list it led to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from riskmodel import evaluation
from riskmodel.data import County, Shape, fetch_frame, month_text
from riskmodel.errors import InputRefused
from riskmodel.evaluation import (
    YIELD_MONTHS,
    ModelChoice,
    recent_visits,
    yield_by_source,
)
from riskmodel.households import DateLike, KnownCounty, known_county
from riskmodel.i18n import Nouns, nouns_of, pair
from riskmodel.io import records
from riskmodel.presentation.page import embedded
from riskmodel.presentation.worklist import listed_rule_sets
from riskmodel.runs import model_choice, open_run


@dataclass(frozen=True)
class ReportInput:
    """Everything a report shows. Frames that are None leave their section out.

    Parameters
    ----------
    run_id : str
        The run whose report it is.
    experiment : mapping
        The declaration: ``id, title {zh, en}, cohort, events, horizon, feature_set, ruleset, models,
        champion, budget, bootstrap, seed``.
    metrics : DataFrame
        `riskmodel.evaluation.pooled_metrics`: one row a model.
    by_fold : DataFrame
        `riskmodel.evaluation.metrics_by_fold`: one row a model and fold.
    curves : DataFrame
        `riskmodel.evaluation.metric_curves`: ``model, curve, x, y, low, high, n``.
    folds : DataFrame
        One row a fold: ``fold, train_from, train_to, n_train, train_events, test_from, test_to, n_test,
        test_events, n_null``.
    headline : mapping
        ``zh`` and ``en``: the verdict, rules against the champion.
    fingerprint : str
        Of the data.
    environment : mapping
        Package to version.
    comparison, deployed : DataFrame, optional
        `riskmodel.evaluation.Comparison`: ``table`` and ``deployed``.
    claims : DataFrame, optional
        `riskmodel.evaluation.list_claims`: the declared model against the rules and the best simple order.
    oracle : DataFrame, optional
        As ``metrics``, on rows whose true probability is known (simulated counties), model ``oracle``.
    true_risk, true_risk_bins : DataFrame, optional
        What of the oracle each model reaches, and mean truth by score bin (`riskmodel.evaluation.true_risk`).
    notes : sequence of mapping
        ``zh`` and ``en`` each: what the reader must know.
    scores : mapping of language to DataFrame
        The list, in the contract's Scores columns, with reasons in that language; one language serves
        both where the other is not given.
    histories : DataFrame, optional
        ``household_id, month`` (``YYYY-MM``)``, income, spending`` (yuan) of listed households.
    yields : DataFrame, optional
        What the last visits found, by source (`riskmodel.presentation.yields`).
    weighted_yield : DataFrame, optional
        The same visits weighted by the chances their lists logged (`riskmodel.presentation.weighted_yield`).
    rules_page : str, optional
        File beside the report with the rules, verdicts and changes (`riskmodel.presentation.rules_page`).
    dropped : DataFrame, optional
        Whom a row or cell that is not used may have taken off the list (`riskmodel.rules.find_dropped`).
    outlook : OutlookInput, optional
        What is ahead (`riskmodel.presentation.forecast_page`): a chapter of its own.
    choice : ModelChoice, optional
        Choosing among the models over time (`riskmodel.runs.model_choice`).
    nouns
        What is counted and where: households in villages, or a panel's own words.
    gate : mapping, optional
        What the declared model had to show before it takes charge (`riskmodel.runs.GateResult.summary`).
    """

    run_id: str
    experiment: Mapping[str, Any]
    metrics: pd.DataFrame
    by_fold: pd.DataFrame
    curves: pd.DataFrame
    folds: pd.DataFrame
    headline: Mapping[str, str]
    fingerprint: str
    environment: Mapping[str, str] = field(default_factory=dict)
    comparison: pd.DataFrame | None = None
    claims: pd.DataFrame | None = None
    deployed: pd.DataFrame | None = None
    oracle: pd.DataFrame | None = None
    true_risk: pd.DataFrame | None = None
    true_risk_bins: pd.DataFrame | None = None
    notes: Sequence[Mapping[str, str]] = ()
    scores: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    histories: pd.DataFrame | None = None
    yields: pd.DataFrame | None = None
    weighted_yield: pd.DataFrame | None = None
    rules_page: str | None = None
    dropped: pd.DataFrame | None = None
    outlook: Any = None
    choice: ModelChoice | None = None
    nouns: Nouns = field(default_factory=Nouns)
    gate: Mapping[str, Any] | None = None


def read_run(
    run_id: str,
    store: str | Path,
    scores: Mapping[str, pd.DataFrame] | None = None,
    histories: pd.DataFrame | None = None,
    yields: pd.DataFrame | None = None,
    *,
    choice: bool = False,
) -> ReportInput:
    """Read a logged run.

    Parameters
    ----------
    run_id : str
        The run whose report it is.
    store : str or Path
        MLflow's SQLite file.
    scores : mapping of language to DataFrame, optional
        The list to show.
    histories, yields : DataFrame, optional
        See `ReportInput`.
    choice : bool
        Whether the choice among its models over time is judged, for which all predictions are read.

    Returns
    -------
    ReportInput
        What the report is made of.

    Raises
    ------
    UsageError
        If the run, or a table that every run has, is not in the store.
    """
    run = open_run(run_id, store)
    return ReportInput(
        run_id=run.run_id,
        experiment=run.declaration,
        metrics=run.metrics,
        by_fold=run.metrics_by_fold,
        curves=run.curves,
        folds=run.folds,
        headline=run.headline,
        fingerprint=run.fingerprint,
        environment=run.environment,
        comparison=run.comparison,
        claims=run.claims,
        deployed=run.deployed,
        oracle=run.metrics_with_truth,
        true_risk=run.true_risk,
        true_risk_bins=run.true_risk_bins,
        # A note on the data stands in both.
        notes=list({note["en"]: note for note in [*run.comparison_notes, *run.notes]}.values()),
        scores=dict(scores or {}),
        histories=histories,
        yields=yields,
        choice=model_choice(run) if choice else None,
        nouns=nouns_of(run.facts),
        gate=run.gate,
    )


def yields(county: County | KnownCounty, as_of: DateLike, months: int = YIELD_MONTHS) -> pd.DataFrame:
    """Return findings of the visits of the last months by source.

    Parameters
    ----------
    county : County
        The county's tables.
    as_of : date or ISO text
        Only visits made and recorded by then.
    months : int
        How many months before as-of are counted.

    Returns
    -------
    DataFrame
        See `riskmodel.evaluation.yield_by_source`; no row where there was no visit.
    """
    return yield_by_source(recent_visits(county, as_of, months))


def weighted_yield(county: County | KnownCounty, as_of: DateLike, months: int = YIELD_MONTHS) -> pd.DataFrame:
    """Return the same visits weighted by the chances that their lists logged; parameters as of `yields`.

    Returns
    -------
    DataFrame
        See `riskmodel.evaluation.weighted_yield`.
    """
    return evaluation.weighted_yield(recent_visits(county, as_of, months))


COLUMNS = (
    "id",
    "rank",
    "household_id",
    "township",
    "village",
    "probability",
    "low",
    "high",
    "flagged",
    "unknown",
    "rule_category",
    "rule_conditions",
    "pcni",
    "line",
    "persons",
    "planned",
    "foretold",
)

NEEDED = ("household_id", "township", "village", "probability", "rule_category", "pcni", "line", "flagged")

OPTIONAL = ("probability_low", "probability_high", "rule_conditions", "persons", "planned", "in_cohort")

HEADS = (
    "rank",
    "household_id",
    "township",
    "village",
    "rule_category",
    "pcni",
    "line",
    "probability",
    "reason",
)

TEXT_HEADS = ("household_id", "township", "village", "rule_category", "reason")

REASONS = 3


def list_data(given: ReportInput, book: Mapping[str, Any]) -> str | None:
    """Return the page's data, or None where there is no list."""
    if not given.scores:
        return None
    frames = {lang: _ordered(frame) for lang, frame in given.scores.items()}
    first = next(iter(frames.values()))
    if any(list(f["household_id"]) != list(first["household_id"]) for f in frames.values()):
        raise InputRefused("the lists of the two languages hold different households; score them together")
    categories, conditions = _rule_words(first, book)
    shown = [c for c in (*NEEDED, *OPTIONAL) if c in first]
    return embedded(
        {
            "columns": COLUMNS,
            "rows": [_row(i, row, conditions) for i, row in enumerate(records(first[shown]))],
            "reasons": {lang: _reasons(frame) for lang, frame in frames.items()},
            "plans": {lang: _plans(frame) for lang, frame in frames.items()},
            "townships": sorted({str(t) for t in first["township"]}),
            "categories": categories,
            "conditions": conditions,
            "histories": _histories(given.histories, list(first["household_id"])),
            "words": book["list"],
        }
    )


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in NEEDED if c not in frame]
    if missing:
        raise InputRefused(f"the list lacks the columns {missing}; write it with riskmodel score")
    if frame["household_id"].duplicated().any():
        raise InputRefused("the list holds a household twice; give one as-of date")
    listed = ["position"] if "position" in frame else []
    return frame.sort_values(
        [*listed, "probability", "household_id"],
        ascending=[*(True for _ in listed), False, True],
        na_position="last",
        ignore_index=True,
    )


def _row(i: int, row: Mapping[Any, Any], words: Mapping[str, Any]) -> list[Any]:
    conditions = row.get("rule_conditions")
    unknown = not bool(row["flagged"]) and (row["rule_category"] == "unknown" or _number(row["pcni"]) is None)
    persons = _number(row.get("persons"))
    return [
        i,
        i + 1,
        str(row["household_id"]),
        str(row["township"]),
        str(row["village"]),
        _number(row["probability"], 5),
        _number(row.get("probability_low"), 5),
        _number(row.get("probability_high"), 5),
        bool(row["flagged"]),
        unknown,
        str(row["rule_category"]),
        _held(conditions, words),
        _number(row["pcni"], 2),
        _number(row["line"], 2),
        None if persons is None else int(persons),
        row.get("planned") is True,
        row.get("in_cohort", True) is not False,
    ]


def _held(conditions: Any, words: Mapping[str, Any]) -> list[str]:
    """Return the conditions to be shown; what an elimination needs is no reason for a verdict."""
    ids = conditions.split(";") if isinstance(conditions, str) else []
    return [i for i in ids if i and words.get(i, True) is not None]


def _number(value: Any, digits: int = 0) -> Any:
    if value is None or value is pd.NA or value != value:
        return None
    return round(float(value), digits) if math.isfinite(float(value)) else "inf"


def _reasons(frame: pd.DataFrame) -> list[list[list[Any]]]:
    out = []
    numbered = [k for k in range(1, REASONS + 1) if f"reason_{k}" in frame]
    parts = [f"{part}_{k}" for k in numbered for part in ("cause", "contribution", "reason")]
    for row in records(frame[[c for c in parts if c in frame]]):
        reasons = [
            (row.get(f"cause_{k}"), row.get(f"contribution_{k}"), row[f"reason_{k}"]) for k in numbered
        ]
        out.append(
            [[c, _number(size, 4), text] for c, size, text in reasons if isinstance(text, str) and text]
        )
    return out


def _plans(frame: pd.DataFrame) -> list[str | None]:
    if "plan" not in frame:
        return []
    return [text if isinstance(text, str) and text else None for text in frame["plan"]]


def _rule_words(
    frame: pd.DataFrame, book: Mapping[str, Any]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str] | None]]:
    """Return what the list's rule sets call their categories and conditions; None for those of a review."""
    categories = {"none": dict(book["list"]["none"]), "unknown": dict(book["list"]["unknown"])}
    conditions: dict[str, dict[str, str] | None] = {}
    for ruleset in listed_rule_sets(frame):
        categories |= {c.id: pair(c) for c in ruleset.categories}
        conditions |= {i: pair(c) if c.applies is None else None for i, c in ruleset.conditions.items()}
    return categories, conditions


def _histories(frame: pd.DataFrame | None, ids: list[Any]) -> dict[str, Any]:
    if frame is None:
        return {}
    place = {household: i for i, household in enumerate(ids)}
    out = {}
    for household, rows in frame.sort_values(["household_id", "month"]).groupby("household_id", sort=False):
        if household in place:
            out[str(place[household])] = [
                [str(m) for m in rows["month"]],
                [_number(v, 2) for v in rows["income"]],
                [_number(v, 2) for v in rows["spending"]],
            ]
    return out


def _monthly_sums(county: Shape, name: str, listed: ir.Table) -> ir.Table:
    t = county.rows(name)
    t = t.filter(t.month_from == t.month_to, t.month_to <= t.last_month, t.month_to > t.last_month - MONTHS)
    t = t.semi_join(listed, "household_id")
    return t.group_by("household_id", month=t.month_to).agg(amount=t.amount.sum().cast("float64"))


MONTHS = 36  # three years: the period, the one before, and how it came there


def histories(county: County | KnownCounty, as_of: DateLike, households: Sequence[str]) -> pd.DataFrame:
    """Return monthly income and spending of some households up to the last whole month.

    Months without a row are missing, not zero; annual totals are left out, for a total is never spread
    over months.

    Parameters
    ----------
    county : County
        The county's tables.
    as_of : date
        Rows recorded later are not seen.
    households : sequence of str
        Ids; a page holds a few thousand of them at ease.

    Returns
    -------
    DataFrame
        ``household_id, month`` (``YYYY-MM``)``, income, spending`` (yuan, NaN where there is none), sorted.
    """
    known = known_county(county, as_of)
    both = [_monthly(known, name, list(households)) for name in ("income", "spending")]
    out = both[0].merge(both[1], on=["household_id", "month"], how="outer")
    out = out.sort_values(["household_id", "month"], ignore_index=True)
    return out.assign(month=out["month"].map(month_text))[["household_id", "month", "income", "spending"]]


def _monthly(known: KnownCounty, name: str, households: list[str]) -> pd.DataFrame:
    listed = pa.table({"household_id": pa.array(households, pa.string())})
    frame = fetch_frame(known, _monthly_sums, name, listed=listed).rename(columns={"amount": name})
    # pandas 3.1 cannot merge two empty frames on text columns backed by Arrow.
    return frame.astype({"household_id": object})
