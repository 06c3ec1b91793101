"""Counterfactuals: what would have to change for a score to fall; for analysts only, never on a list or page.

Not advice and not an effect: a model says how households with other figures fare, not what becomes of this
one if its figures are changed. Printed for a village, it would tell how to look less at risk.

What is changed is a base quantity: income of a source, net income per head, a gap, a count. Every feature
that is made of it is computed again as the feature set declares it (its logarithm, its distance to the line,
the change on the period before), so that no figure contradicts another. Figures of one thing over several
windows change together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import UsageError
from riskmodel.features import MAX_LINE_SHARE, Feature, FeatureSet

Array = NDArray[np.float64]
Change = Callable[[pd.DataFrame, str, NDArray[Any]], pd.DataFrame]

QUANTILES = np.linspace(0.02, 0.98, 25)  # values that other households really have, the far ends left out
MAX_FEATURES = 3  # features changed together: more explain nothing
COUNTERFACTUAL_COLUMNS = [
    "together", "step", "feature", "zh", "en", "unit", "now", "then", "probability", "reached", "moved_with",
]  # fmt: skip
ACCOUNTING = "accounting."
INCOME, PERSONS, NET, DROP = "pcni", "persons", "net_income", "income_drop"
# Sources of income per head, with the column of the accounting that they stand for.
SOURCES = ("wage", "property", "transfer", "business")
_DIGITS = 9  # thresholds are compared after rounding, as in the official rules


def _share(ratio: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(ratio > 0, np.minimum(1 / ratio, MAX_LINE_SHARE), MAX_LINE_SHARE)
    return np.where(np.isnan(ratio), np.nan, share)


def _over(a: Array, b: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, a / b, np.nan)


# The arithmetic of `riskmodel.features.derived`, on arrays.
_OPERATIONS: dict[str, Callable[[list[Array], Array], Array]] = {
    "ratio": lambda p, line: _over(p[0], p[1]),
    "difference": lambda p, line: p[0] - p[1],
    "growth": lambda p, line: _over(p[0], p[1]) - 1,
    "log": lambda p, line: np.sign(p[0]) * np.log1p(np.abs(p[0])),
    "add": lambda p, line: reduce(np.add, p),
    "to_line": lambda p, line: p[0] - line,
    "below_line": lambda p, line: np.where(
        np.isnan(p[0]) | np.isnan(line), np.nan, np.round(p[0], _DIGITS) < np.round(line, _DIGITS)
    ),
    "missing": lambda p, line: np.isnan(p[0]).astype(float),
    "all_of": lambda p, line: np.where(np.isnan(reduce(np.add, p)), np.nan, reduce(np.minimum, p) == 1),
    "greatest": lambda p, line: reduce(np.maximum, p),
    "per_head": lambda p, line: _over(p[0], p[1]),
}
# What can be carried on by how much its parts have moved, where not all of the parts are features.
_LINEAR = {"add": (1.0, 1.0), "difference": (1.0, -1.0), "to_line": (1.0, 0.0)}
# Figures of one account beside each other (eph-v1, wagepan-v1), from the ratio of income to the line.
_FROM_LINE_RATIO: dict[str, Callable[[Array], Array]] = {
    "line_share": _share,
    "line_log": lambda r: -np.log(_share(r)),
}


def movable_features(feature_set: FeatureSet) -> list[str]:
    """Return the changeable features that are quantities of their own.

    Left out is whatever is made of others, the same quantity over another window, and how income is spread
    over the months, which cannot be moved without saying which months earn how much.
    """
    columns = [f for f in feature_set.features if not f.intermediate]
    own = [f for f in columns if f.changeable and not _is_derived(f, feature_set)]
    return [f.id for f in own if not any(_has_shorter_window(g, f) for g in own)]


def _has_shorter_window(g: Feature, f: Feature) -> bool:
    return _same_but_window(f, g) and (g.window or 0) < (f.window or 0)


def _is_derived(f: Feature, feature_set: FeatureSet) -> bool:
    names = set(feature_set.names)
    hidden = {g.id for g in feature_set.features if g.intermediate}
    if f.id == "business_income_per_head":
        # The quantity of a source of income is its income per head, as for the others.
        return False
    if f.source == "features":
        # What stands on figures that are no columns can only be changed itself.
        return not all(ref in hidden for ref in f.of)
    monthly = f.source in ("income", "spending")
    twin = f.column in _FROM_LINE_RATIO and "line_ratio" in names
    return monthly or twin or (f.source == "accounting" and f.column == DROP and INCOME in names)


def _same_but_window(f: Feature, g: Feature) -> bool:
    def thing(x: Feature) -> tuple[object, ...]:
        made_of = re.sub(r"\d+", "", " ".join(x.of))
        return x.source, x.aggregate, x.column, x.over, x.per, x.lag, str(sorted(x.where.items())), made_of

    return f.id != g.id and f.window is not None and g.window is not None and thing(f) == thing(g)


@dataclass
class FeatureChanger:
    """Changes a quantity of one household, and whatever is made of it.

    A source of income moves net income by as much (costs stay), evenly over the months of the accounting
    period; net income moves its known sources in proportion. So income less its sources stays what it was.
    How income varies from month to month, the neighbours and the past stay as they are.
    """

    feature_set: FeatureSet
    _by_id: dict[str, Feature] = field(init=False)

    def __post_init__(self) -> None:
        self._by_id = {f.id: f for f in self.feature_set.features}

    def change(self, start: pd.DataFrame, quantity: str, values: NDArray[Any]) -> pd.DataFrame:
        """Return the household (one row) once for each value of a quantity, with what is made of it."""
        before = {name: np.full(len(values), float(start[name].iloc[0])) for name in start.columns}
        after = dict(before)
        self._set_quantity(after, quantity, np.asarray(values, dtype=float))
        moving = True
        while moving:
            # A feature may be declared before what it is made of: until nothing moves any more.
            moving = self._update_derived(quantity, before, after)
        return pd.DataFrame(after, columns=start.columns)

    def _update_derived(self, quantity: str, before: dict[str, Array], after: dict[str, Array]) -> bool:
        moved = False
        for f in self.feature_set.features:
            if f.id in after and f.id not in (quantity, "business_income"):
                value = self._recompute(f, before, after)
                if value is not None and not _same(after[f.id], new := _bounded(f, value)):
                    after[f.id], moved = new, True
        return moved

    def _set_quantity(self, at: dict[str, Array], quantity: str, values: Array) -> None:
        delta = values - at[quantity]
        if quantity == INCOME:
            self._spread_over_sources(at, delta)
            at[INCOME] = values
        elif quantity in {f"{s}_income_per_head" for s in SOURCES}:
            self._change_source(at, quantity.removesuffix("_income_per_head"), delta)
            if INCOME in at:
                at[INCOME] = at[INCOME] + delta
        else:
            at[quantity] = values
            for g in self.feature_set.features:
                if g.id in at and _same_but_window(self._by_id[quantity], g):
                    at[g.id] = at[g.id] + delta

    def _spread_over_sources(self, at: dict[str, Array], delta: Array) -> None:
        own = [s for s in SOURCES if f"{s}_income_per_head" in at]
        each = {s: at[f"{s}_income_per_head"] for s in own}
        total = np.sum(list(each.values()), axis=0) if each else np.zeros_like(delta)
        if len(own) == len(SOURCES) and np.isfinite(total).all() and (total > 0).all():
            for s in own:
                self._change_source(at, s, delta * each[s] / total)

    def _change_source(self, at: dict[str, Array], source: str, delta: Array) -> None:
        name = f"{source}_income_per_head"
        at[name] = at[name] + delta
        if source == "business" and "business_income" in at and PERSONS in at:
            at["business_income"] = at["business_income"] + delta * at[PERSONS]
        period = self.feature_set.period_months
        for f in self.feature_set.features:
            counted = f.source == "income" and f.aggregate == "sum" and f.per == "head" and not f.lag
            if counted and f.id in at and f.over in (source, "total"):
                at[f.id] = at[f.id] + delta * min(f.window or period, period) / period

    def _recompute(self, f: Feature, before: dict[str, Array], after: dict[str, Array]) -> Array | None:
        """Return a feature made anew where something that it stands on has moved."""
        if f.source == "accounting" and f.column == DROP and {INCOME, "previous_pcni"} <= set(after):
            if _same(before[INCOME], after[INCOME]):
                return None
            return 1 - _over(after[INCOME], after["previous_pcni"])
        if f.source == "accounting" and f.column == "rigid_ratio":
            return _rigid_ratio(before, after)
        if f.source in ("accounts", "features") and "line_ratio" in after:
            twin = self._account_figure(f, before, after)
            if twin is not None:
                return twin
        if f.source != "features" or f.id == "business_income_per_head":
            return None
        refs = [*f.of, "accounting.persons"] if f.aggregate == "per_head" else list(f.of)
        old, new = [self._value(r, before) for r in refs], [self._value(r, after) for r in refs]
        steps = [self._difference(r, before, after) for r in refs]
        if all(s is None or not np.any(s) for s in steps) and all(
            o is None or n is None or _same(o, n) for o, n in zip(old, new, strict=True)
        ):
            return None
        line = self._line(before) * f.factor
        if all(n is not None for n in new) and not (f.aggregate == "to_line" and np.isnan(line).any()):
            return _OPERATIONS[f.aggregate]([n for n in new if n is not None], line)
        if f.aggregate in _LINEAR:
            sign = (*_LINEAR[f.aggregate], *([1.0] * len(refs)))
            parts = [s * g for s, g in zip(steps, sign, strict=False) if s is not None]
            return before[f.id] + np.sum(parts, axis=0)
        return None

    def _value(self, ref: str, at: dict[str, Array]) -> Array | None:
        """Return what a reference stands for: a feature, or an accounting quantity that features tell."""
        if not ref.startswith(ACCOUNTING):
            return at.get(ref)
        name = ref.removeprefix(ACCOUNTING)
        if name == NET and INCOME in at and PERSONS in at:
            return at[INCOME] * at[PERSONS]
        for f in self.feature_set.features:
            if f.source == "accounting" and f.aggregate == "value" and f.column == name and f.id in at:
                if f.per is None and f.at_most is None and f.at_least is None:
                    return at[f.id]
                if f.per == "head" and PERSONS in at:
                    return at[f.id] * at[PERSONS]
        return None

    def _difference(self, ref: str, before: dict[str, Array], after: dict[str, Array]) -> Array | None:
        """Return by how much a reference has moved; None where that is not known, which is not at all."""
        # Gross and net business income are features only together.
        if ref == "accounting.income_business" and "business_income" in after:
            return after["business_income"] - before["business_income"]
        old, new = self._value(ref, before), self._value(ref, after)
        return None if old is None or new is None else new - old

    def _line(self, at: dict[str, Array]) -> Array:
        """Return the line: declared, or what the distances to it tell where it is relative."""
        size = next(iter(at.values()))
        if isinstance(self.feature_set.line, float | int):
            return np.full(len(size), float(self.feature_set.line))
        for f in self.feature_set.features:
            if f.aggregate == "to_line" and f.id in at and f.of[0] in at:
                return (at[f.of[0]] - at[f.id]) / f.factor
        return np.full(len(size), math.nan)

    def _account_figure(self, f: Feature, before: dict[str, Array], after: dict[str, Array]) -> Array | None:
        ratio = after["line_ratio"]
        if _same(before["line_ratio"], ratio) or f.source != "accounts":
            return None
        if f.aggregate == "last" and not f.lag and f.column in _FROM_LINE_RATIO:
            return _FROM_LINE_RATIO[f.column](ratio)
        if f.aggregate == "change" and f.column in _FROM_LINE_RATIO:
            old, new = _FROM_LINE_RATIO[f.column](before["line_ratio"]), _FROM_LINE_RATIO[f.column](ratio)
            return before[f.id] + new - old
        return None


def _rigid_ratio(before: dict[str, Array], after: dict[str, Array]) -> Array | None:
    """Rigid spending over the income of the period before, or over this one's where that is not known."""
    if not {INCOME, "previous_pcni", "rigid_per_head"} <= set(after):
        return None
    if _same(before[INCOME], after[INCOME]) or not np.isnan(after["previous_pcni"]).all():
        return None
    rigid, income = after["rigid_per_head"], after[INCOME]
    without = np.where(np.isnan(income) | np.isnan(rigid), np.nan, np.inf)
    return np.where(rigid == 0, 0.0, np.where(income > 0, rigid / np.where(income > 0, income, 1), without))


def _same(a: Array, b: Array) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def _bounded(f: Feature, value: Array) -> Array:
    low = -np.inf if f.at_least is None else f.at_least
    high = np.inf if f.at_most is None else f.at_most
    return np.clip(value.astype(float), low, high)


def find_counterfactuals(
    model: Any,
    X: pd.DataFrame,
    row: int,
    features: pd.DataFrame,
    target: float,
    most: int = MAX_FEATURES,
    feature_set: FeatureSet | None = None,
) -> pd.DataFrame:
    """Return the smallest changes of changeable features that bring one household's chance to a target.

    Every changeable quantity is tried alone on values that other households have; then quantities are changed
    one after another, at each step the one whose whole range lowers the score most, and the last only as far
    as needed. With a feature set, what is made of a quantity moves with it (`movable_features`): no figure
    then contradicts another.

    Parameters
    ----------
    model
        With ``margin`` (log-odds) and ``predict_proba``.
    X
        Features of all households at as-of; they say which values are real.
    row
        Which household, by position.
    features
        Feature metadata: ``id, zh, en, unit, changeable, direction``.
    target
        Probability to fall to.
    most
        Quantities changed together at most.
    feature_set
        Of the columns of X. Without it every changeable feature is a quantity of its own.

    Returns
    -------
    DataFrame
        One row a feature: ``together`` (False: alone), ``step, feature, zh, en, unit, now, then,
        probability`` (after this and, together, all steps before), ``reached, moved_with`` (ids of the
        features that move with it). Empty where the chance is at the target already or nothing can lower it.

    Raises
    ------
    UsageError
        If the target is no probability above 0.

    References
    ----------
    Wachter, Mittelstadt & Russell 2018, "Counterfactual explanations without opening the black box"; here
    restricted to observed values, one quantity at a time, greedily; Karimi, Schölkopf & Valera 2021 on why
    what follows from a change must move with it. Quantities that move together in life, but need not, are
    varied one by one, as the additive explanations are.
    """
    if not 0 < target < 1:
        raise UsageError(f"target {target!r} is no probability between 0 and 1; 0.1 is a yellow card's")
    about = features.set_index("id")
    free = set(X.columns) if feature_set is None else set(movable_features(feature_set))
    names = [c for c in X.columns if c in free and bool(about.loc[c, "changeable"]) and X[c].notna().any()]
    move = _change_one if feature_set is None else FeatureChanger(feature_set).change
    signs = {name: int(about["direction"].to_dict()[name]) for name in names}
    start = X.iloc[[row]]
    rows: list[dict[str, Any]] = []
    if _probability(model, start)[0] > target:
        for name in signs:
            change = _smallest_change(model, start, X[name], signs[name], target, move)
            if change is not None and change["reached"]:
                rows.append({"together": False, "step": 1, **change})
        rows = sorted(rows, key=lambda r: (r["moved"], r["feature"]))
        rows += _change_together(model, X, start, signs, target, most, move)
    for change in rows:
        change |= {word: about.loc[change["feature"], word] for word in ("zh", "en", "unit")}
    return pd.DataFrame(rows, columns=COUNTERFACTUAL_COLUMNS)


def _change_one(start: pd.DataFrame, name: str, values: NDArray[Any]) -> pd.DataFrame:
    """Return the household once for each value of one feature, all others as they are."""
    return pd.concat([start] * len(values), ignore_index=True).assign(**{name: values})


def _probability(model: Any, rows: pd.DataFrame) -> np.ndarray:
    return np.asarray(model.predict_proba(rows)[:, 1], dtype=float)


def _smallest_change(
    model: Any, start: pd.DataFrame, known: pd.Series, sign: int, target: float, move: Change
) -> dict[str, Any] | None:
    """Return the nearest observed value that reaches the target, else the one that lowers most.

    Where a feature declares which way risk goes, only the other way counts as a change for the better.
    """
    name = str(known.name)
    values = np.unique(known.dropna().quantile(QUANTILES, interpolation="nearest").to_numpy(dtype=float))
    now = float(start[name].iloc[0])
    if sign and np.isfinite(now):
        values = values[(values - now) * sign < 0]
    if not len(values):
        return None
    trials = move(start, name, values)
    chance, before = _probability(model, trials), _probability(model, start)[0]
    # How far a value lies is counted in households passed on the way, so that units do not matter.
    place = known.rank(pct=True)
    own = float(place[known.le(now)].max()) if np.isfinite(now) and known.le(now).any() else 0.0
    moved = np.abs(np.array([float((known <= v).mean()) for v in values]) - own)
    enough = np.flatnonzero(chance <= target)
    best = enough[np.argmin(moved[enough])] if len(enough) else int(np.argmin(chance))
    if chance[best] >= before:
        return None
    return {
        "feature": name,
        "now": now,
        "then": float(values[best]),
        "probability": float(chance[best]),
        "reached": bool(chance[best] <= target),
        "moved": float(moved[best]),
        "moved_with": "; ".join(_changed_columns(start.iloc[0], trials.iloc[int(best)], name)),
    }


def _changed_columns(before: pd.Series, after: pd.Series, name: str) -> list[str]:
    same = (before == after) | (before.isna() & after.isna())
    return [str(c) for c in before.index[~same.to_numpy()] if c != name]


def _change_together(
    model: Any,
    X: pd.DataFrame,
    start: pd.DataFrame,
    signs: dict[str, int],
    target: float,
    most: int,
    move: Change,
) -> list[dict[str, Any]]:
    at, remaining, out = start, list(signs), []
    for step in range(1, most + 1):
        changes = [
            f
            for name in remaining
            if (f := _smallest_change(model, at, X[name], signs[name], target, move)) is not None
        ]
        if not changes:
            break
        best = min(
            changes, key=lambda f: (not f["reached"], f["moved"] if f["reached"] else f["probability"])
        )
        at = move(at, best["feature"], np.array([best["then"]]))
        # What was said to be so must stay so: what has been moved, or moved along, is not moved again.
        along = best["moved_with"].split("; ")
        remaining = [name for name in remaining if name != best["feature"] and name not in along]
        out.append({"together": True, "step": step, **best})
        if best["reached"]:
            break
    return out
