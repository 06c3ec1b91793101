"""The design matrix of a run: features, verdicts, cohort and labels, and what each model takes of them.

`find_leaks` looks for columns that were written at or after the event, only for those who had it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from riskmodel import features, models, rules, targets
from riskmodel.data import County, fetch_table
from riskmodel.errors import InputRefused, UsageError
from riskmodel.evaluation import LEAKAGE_AUC, auc
from riskmodel.households import KnownCounty, known_county
from riskmodel.rules import RelativeLine
from riskmodel.runs.experiment import Experiment, Fold
from riskmodel.targets import KEY

Array = NDArray[np.float64]
RULE_COLUMNS = ["pcni", "line", "gap", "flagged", "rule_rank"]
PLACE = ["township", "village"]


@dataclass(frozen=True)
class DesignMatrix:
    """Features and verdicts of the cohort at every as-of date of a run.

    Attributes
    ----------
    rows
        One row per household of the cohort and as-of: ``row`` (its position in X), keys, place,
        ``persons``, ``pcni``, ``line``, ``gap`` (yuan), ``flagged``, ``rule_rank`` (1 = first at its as-of),
        and of each further rule set that a model follows ``flagged:ID, gap:ID, line:ID, conditions:ID``.
    X
        The features, in the set's order; of ``rows``, then of ``population``.
    population
        Households outside the cohort with a known income, for models that are fitted on them too: ``row``,
        keys, place, ``pcni, line``; empty where no model asks for them.
    flags
        ``household_id, as_of`` of all whom the rules flag, in the cohort or not.
    at_lines
        Rows of ``rows`` at the other lines of ``augment_lines`` that they stand above too: ``row``,
        ``factor`` (times the line), and the features of how far above the line they stand, from that one.
    """

    rows: pd.DataFrame
    X: pd.DataFrame
    flags: pd.DataFrame
    population: pd.DataFrame
    at_lines: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["row", "factor"]))


def resolve_feature_set(exp: Experiment) -> features.FeatureSet:
    """Return the experiment's feature set, measured from its rule set's line, without what it leaves out."""
    chosen = features.load_feature_set(exp.feature_set)
    ruleset = rules.load_rules(exp.ruleset)
    line = ruleset.relative_line(exp.params) or ruleset.values(exp.params).get("line")
    if isinstance(line, int | float | RelativeLine):
        chosen = chosen.with_line(line, source=exp.ruleset)
    return features.without_roles(chosen, set(exp.leave_out)) if exp.leave_out else chosen


def build_design_matrix(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> DesignMatrix:
    """Build features and verdicts for the cohort at every as-of date in one pass each."""
    chosen, known = resolve_feature_set(exp), known_county(county, days)
    members = targets.build_cohorts(known, exp.cohort, ruleset=exp.ruleset, params=exp.params)
    factors = other_lines(exp)
    X, moved = features.build_features_at_lines(known, chosen, factors)
    X = _keyed(X)
    verdicts = _keyed(rules.evaluate_rules(known, exp.ruleset, params=exp.params))
    figures = [c for c in RULE_COLUMNS if c != "rule_rank"]
    rows = members.merge(verdicts[[*KEY, *figures]], on=KEY, how="left", validate="one_to_one")
    rows["rule_rank"] = rank_by_rules(rows)
    sets = list(dict.fromkeys(r for m in exp.models if (r := models.model_entry(m).ruleset)))
    for name, others_verdicts in rules.evaluate_rule_sets(known, sets) if sets else ():
        rows = rows.merge(_other(name, _keyed(others_verdicts)), on=KEY, how="left", validate="one_to_one")
    rows = rows.sort_values(["as_of", "household_id"], ignore_index=True)
    others = _population(exp, rows, verdicts)
    every = pd.concat([rows[KEY], others[KEY]], ignore_index=True)
    at_lines = _rows_at_lines(exp, known, rows, X, moved)
    X = every.merge(X, on=KEY, how="left", validate="one_to_one")
    rows = rows.assign(row=np.arange(len(rows)), **{c: X[c] for c in PLACE})
    at = np.arange(len(rows), len(every))
    others = others.assign(row=at, **{c: X[c].to_numpy()[at] for c in PLACE})
    extra = [c for c in rows.columns if ":" in c]
    flags = verdicts.loc[verdicts["flagged"].astype(bool), KEY].reset_index(drop=True)
    if exp.weighted:
        period = rules.load_rules(exp.ruleset).period(exp.params)
        weights = _keyed(fetch_table(known, known.accounts(period).select(*KEY, "weight")))
        rows = rows.merge(weights, on=KEY, how="left", validate="one_to_one")
        lacking = int(rows["weight"].isna().sum())
        if lacking:
            raise InputRefused(
                f"weighted: {lacking} of {len(rows)} households and dates have no sampling weight; fill "
                "households.weight, or leave weighted out"
            )
        extra = [*extra, "weight"]
    columns = rows[["row", *KEY, *PLACE, "persons", *RULE_COLUMNS, *extra]]
    return DesignMatrix(columns, X[chosen.names], flags, others, at_lines)


def other_lines(exp: Experiment) -> tuple[float, ...]:
    """Return the other lines that training rows are asked at, as multiples of the line."""
    return () if exp.augment_lines is None else exp.augment_lines.factors


def _asked_columns(exp: Experiment) -> list[str]:
    """Return the features that say how far above the line a household stands: as it rises, they raise risk.

    What else holds the line (costs over the line, a share of it added to both sides of a change) is an amount
    of the household's own, which no question about another line moves; were it moved, risk could fall as the
    line rises.
    """
    chosen = resolve_feature_set(exp)
    moves = features.line_features(chosen)
    asked = [name for name, move in moves.items() if move * chosen.feature(name).direction > 0]
    if not asked:
        raise InputRefused(
            f"augment_lines: no feature of {exp.feature_set} says how far above the line a household stands, "
            "so no model could tell one line from another; leave augment_lines out, or take a set that is "
            "measured from the line"
        )
    return asked


def _rows_at_lines(
    exp: Experiment,
    known: KnownCounty,
    rows: pd.DataFrame,
    X: pd.DataFrame,
    moved: Mapping[float, pd.DataFrame],
) -> pd.DataFrame:
    """Return the cohort at other lines, each with its own risk set and its own features of the line."""
    parts = []
    place = X[KEY].assign(place=np.arange(len(X)))
    asked = _asked_columns(exp) if moved else []
    if moved and rows["pcni"].nunique() <= 2:
        raise InputRefused(
            "augment_lines: incomes are a mark, not amounts (no more than two of them in the cohort): at "
            "another line everybody's answer is the same; leave augment_lines out"
        )
    for factor, columns in moved.items():
        members = targets.build_cohorts(known, exp.cohort, None, exp.ruleset, exp.params, factor)
        at = rows[KEY].assign(row=np.arange(len(rows))).merge(members[KEY], on=KEY).merge(place, on=KEY)
        own = columns[asked].iloc[at["place"]].reset_index(drop=True)
        parts.append(pd.concat([at[["row"]].assign(factor=factor), own], axis=1))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["row", "factor"])


def line_copies(
    name: str, exp: Experiment, train: pd.DataFrame, tables: DesignMatrix
) -> models.LineCopies | None:
    """Return training rows asked again at other lines; None for a model that is not fitted on them.

    Parameters
    ----------
    name
        Of the model.
    exp
        Declares which models, and which lines.
    train
        Labelled rows, with their labels at other lines.
    tables
        The features, and those of other lines.

    Returns
    -------
    LineCopies
        Only where the label at the other line is known.
    """
    if exp.augment_lines is None or name not in exp.augment_lines.models:
        return None
    at = tables.at_lines
    place = pd.Series(np.arange(len(train)), index=train["row"].to_numpy())
    at = at.assign(position=at["row"].map(place))
    at = at[at["position"].notna()]
    position = at["position"].to_numpy(dtype=np.int64)
    y = np.full(len(at), np.nan)
    for factor in exp.augment_lines.factors:
        here = (at["factor"] == factor).to_numpy()
        y[here] = train[targets.label_at(factor)].to_numpy(dtype=float)[position[here]]
    known = ~np.isnan(y)
    columns = at.columns.drop(["row", "factor", "position"])
    X = tables.X.iloc[at["row"].to_numpy()[known]].reset_index(drop=True)
    X = X.assign(**{c: at[c].to_numpy()[known] for c in columns})
    return models.LineCopies(X, y[known].astype(np.int64), position[known])


def _population(exp: Experiment, rows: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return the households outside the cohort whose income is known, if a model is fitted on them."""
    needs_population = any(models.model_entry(m).population for m in exp.models)
    outside = verdicts[verdicts["pcni"].notna()] if needs_population else verdicts.iloc[:0]
    outside = outside[[*KEY, "pcni", "line"]].merge(rows[KEY], on=KEY, how="left", indicator=True)
    outside = outside[outside.pop("_merge") == "left_only"]
    return outside.sort_values(["as_of", "household_id"], ignore_index=True)


def _other(name: str, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return another rule set's verdicts: flag, distance, line, and how many conditions hold."""
    conditions = verdicts["conditions"].fillna("").astype(str)
    count = np.where(conditions == "", 0, conditions.str.count(";") + 1)
    part = verdicts[[*KEY, "flagged", "gap", "line"]].assign(conditions=count.astype(float))
    return part.rename(columns={c: f"{c}:{name}" for c in ("flagged", "gap", "line", "conditions")})


def rank_by_rules(rows: pd.DataFrame) -> pd.Series:
    """Rank as the rules would visit: flagged first, then by distance as a share of the line, then id."""
    order = rows.assign(first=~rows["flagged"].astype(bool), distance=-(rows["gap"] / rows["line"]))
    order = order.sort_values(["as_of", "first", "distance", "household_id"], na_position="last")
    return order.groupby("as_of").cumcount().reindex(rows.index) + 1


def labelled_rows(
    exp: Experiment,
    county: County,
    tables: DesignMatrix,
    days: tuple[dt.date, ...],
    seen_by: dt.date | None,
    line_factors: Sequence[float] = (),
) -> pd.DataFrame:
    """Return the cohort's rows at some as-of dates with ``y`` (NaN where unknown, for ``label_reason``).

    For other lines the label is `riskmodel.targets.label_at`.
    """
    labels = targets.build_targets(
        county, days, exp.horizon, exp.events, exp.ruleset, known_by=seen_by, params=exp.params,
        line_factors=line_factors,
    )  # fmt: skip
    at_lines = {targets.label_at(f): labels[targets.label_at(f)].astype(float) for f in line_factors}
    labels = labels.assign(y=labels["label"].astype(float), **at_lines)
    labels = labels[[*KEY, "y", "real_horizon_months", "label_reason", *at_lines]]
    at_days = tables.rows["as_of"].isin(pd.to_datetime(list(days)))
    out = tables.rows[at_days].merge(labels, on=KEY, how="left", validate="one_to_one")
    # Whom the rules have found at as-of cannot be found for the first time: at risk are the others.
    return out[out["label_reason"].ne(targets.FLAGGED_ALREADY)].reset_index(drop=True)


def fold_rows(
    exp: Experiment, county: County, tables: DesignMatrix, fold: Fold
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a fold's training rows (labels known by the fold's day) and its test rows (null labels kept)."""
    train, test = labelled_fold_rows(exp, county, tables, fold)
    return train[train["y"].notna()].reset_index(drop=True), test


def labelled_fold_rows(
    exp: Experiment, county: County, tables: DesignMatrix, fold: Fold
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a fold's training and test rows, null labels kept in both."""
    train = labelled_rows(exp, county, tables, fold.train, fold.seen_by, other_lines(exp))
    test = labelled_rows(exp, county, tables, fold.test, None)
    if exp.split.unseen_households:
        trained = train.loc[train["y"].notna(), "household_id"]
        test = test[~test["household_id"].isin(trained)].reset_index(drop=True)
    if exp.split.by == "outcome" and exp.split.test_from:
        test = test[_outcome_from(test, exp.split.test_from)].reset_index(drop=True)
    return train, test


def _outcome_from(rows: pd.DataFrame, since: dt.date) -> pd.Series:
    """Say whose outcome was measured in the month of a day or later (whole months, as accounts are)."""
    first = pd.Timestamp(since)
    months = (rows["as_of"].dt.year - first.year) * 12 + rows["as_of"].dt.month - first.month
    return months + rows["real_horizon_months"] >= 0


def _keyed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]))


def village_names(rows: pd.DataFrame) -> NDArray[Any]:
    """Return each row's village with its township: two townships may each have a village of one name."""
    return np.asarray(rows["township"].astype(str) + "/" + rows["village"].astype(str), dtype=object)


def model_inputs(name: str, rows: pd.DataFrame, X: pd.DataFrame) -> pd.DataFrame:
    """Return what a model takes in: features, the rules' columns, the village, or features and income.

    Parameters
    ----------
    name
        Of a model, or ``rule-ID`` and ``conditions-ID`` of a rule set.
    rows
        ``flagged, gap, line, pcni, township, village``; for ``rule-ID`` and ``conditions-ID`` also
        ``flagged:ID, gap:ID, line:ID, conditions:ID``.
    X
        Features of the same rows.

    Returns
    -------
    DataFrame
        One row a row of ``rows``.

    Raises
    ------
    UsageError
        If the rows hold no verdict of the rule set that the model follows.
    """
    entry = models.model_entry(name)
    if entry.needs == "features":
        return X
    if entry.needs == "place":
        return pd.DataFrame({"village": village_names(rows)}, index=rows.index)
    if entry.needs == "both":
        income = {f"rule:{c}": rows[c].to_numpy(dtype=float, na_value=np.nan) for c in ("pcni", "line")}
        return X.assign(**income)
    return _rule_columns(entry, rows)


def _rule_columns(entry: models.ModelEntry, rows: pd.DataFrame) -> pd.DataFrame:
    mark = f":{entry.ruleset}" if entry.ruleset else ""
    if f"flagged{mark}" not in rows.columns:
        raise UsageError(
            f"{entry.name} follows the rule set {entry.ruleset!r}, whose verdicts are not here: it can be "
            "compared within an experiment, not used to score"
        )
    flagged = rows[f"flagged{mark}"].astype(bool)
    if entry.name.startswith("conditions-"):
        return pd.DataFrame({"flagged": flagged, "gap": rows[f"conditions{mark}"].astype(float)})
    # Lines differ over time and places: the rules rank by the distance as a share of the line.
    gap = rows[f"gap{mark}"] / rows[f"line{mark}"]
    return pd.DataFrame({"flagged": flagged, "gap": gap.replace([np.inf, -np.inf], np.nan)})


# A gap that tells the event from the others this well is how a register looks: cause and category are
# written when a household is identified. Honest gaps (a source not delivered) stay near 0.5.
MISSING_AUC = 0.75
# A value that nine in ten of its holders share with an event, where fewer than half of all have one.
_WRITTEN = 0.9
_LEAST_ROWS = 20
# Two events of two rows can be separated by anything; from ten on, an area of 0.95 is no chance result.
_LEAST_EVENTS = 10


def find_leaks(X: pd.DataFrame, y: ArrayLike, roles: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Look for columns that were written because of the event that they are to predict.

    Parameters
    ----------
    X : DataFrame of shape (n, p)
        Numeric columns; NaN is missing.
    y : array of shape (n,)
        0/1.
    roles
        Column to its declared role; ``register`` and ``support`` are named in ``why``.

    Returns
    -------
    DataFrame
        One row a column, the most suspect first: ``column, role, auc`` (of its known values, whichever way
        round), ``missing_auc`` (of having a value), ``rate_where_present, present, suspected, why``.

    Notes
    -----
    No model reaches such figures honestly in this field (`LEAKAGE_AUC`); the check cannot
    see a leak that is spread thinly over many columns. The cut of `households.point_in_time` is what
    prevents leaks; this finds columns whose known-on date is wrong in the data themselves.

    Examples
    --------
    >>> X = pd.DataFrame({"cause": [1.0] * 20 + [np.nan] * 80, "age": np.arange(100.0) % 7})
    >>> find_leaks(X, [1] * 20 + [0] * 80).set_index("column")["suspected"].to_dict()
    {'cause': True, 'age': False}
    """
    target = np.asarray(y, dtype=float)
    if len(np.unique(target)) < 2:
        raise ValueError("y holds one class only: nothing can be compared")
    rows = [
        _leak_row(str(c), (roles or {}).get(c, ""), X[c].to_numpy(dtype=float, na_value=np.nan), target)
        for c in X.columns
    ]
    table = pd.DataFrame(rows)
    table["suspected"] = table["why"] != ""
    worst = table[["auc", "missing_auc"]].max(axis=1)
    order = np.lexsort((table["column"], -worst, ~table["suspected"]))
    columns = ["column", "role", "auc", "missing_auc", "rate_where_present", "present", "suspected", "why"]
    return table.iloc[order][columns].reset_index(drop=True)


def _leak_row(name: str, role: str, values: Array, target: Array) -> dict[str, Any]:
    known = ~np.isnan(values)
    area, missing_area = _two_sided_auc(values[known], target[known]), _two_sided_auc_of_mark(known, target)
    rate = float(target[known].mean()) if known.any() else float("nan")
    reasons = []
    if area > LEAKAGE_AUC:
        reasons.append(f"its values alone have an AUC of {area:.3f}")
    if missing_area > MISSING_AUC:
        reasons.append(f"having a value at all has an AUC of {missing_area:.3f}")
    if rate > _WRITTEN and target.mean() < 0.5 and known.sum() >= _LEAST_ROWS:
        reasons.append(f"{rate:.0%} of those who have a value had the event")
    if reasons and role in ("register", "support"):
        reasons.append(f"it is written by the office (role {role})")
    return {
        "column": name, "role": role, "auc": area, "missing_auc": missing_area, "rate_where_present": rate,
        "present": int(known.sum()), "why": "; ".join(reasons),
    }  # fmt: skip


def _two_sided_auc(values: NDArray[Any], target: Array) -> float:
    """Return the AUC of a column, whichever way round; one half where too few events could tell."""
    if min(target.sum(), (1 - target).sum()) < _LEAST_EVENTS:
        return 0.5
    area = auc(target, values)
    return max(area, 1 - area)


def _two_sided_auc_of_mark(mark: NDArray[np.bool_], target: Array) -> float:
    """Return the same of a mark, which needs no order: one half and half the difference of its two rates."""
    events = float(target.sum())
    others = len(target) - events
    if min(events, others) < _LEAST_EVENTS:
        return 0.5
    marked = float(target[mark].sum())
    return 0.5 + abs(marked / events - (float(mark.sum()) - marked) / others) / 2
