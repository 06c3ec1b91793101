"""What would have to change for a score to fall: for analysts only, never on a list, a sheet or a page.

Not advice and not an effect: a model says how households with other figures fare, not what becomes of this
one if its figures are changed. Printed for a village, it would tell how to look less at risk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import UsageError
from riskmodel.explanation.levers import Mover, levers
from riskmodel.features import FeatureSet

GRID = np.linspace(0.02, 0.98, 25)  # values that other households really have, the far ends left out
MOST = 3  # features changed together: more explain nothing
COLUMNS = [
    "together", "step", "feature", "zh", "en", "unit", "now", "then", "probability", "reached", "moved_with",
]  # fmt: skip
Move = Callable[[pd.DataFrame, str, NDArray[Any]], pd.DataFrame]


def changes(
    model: Any,
    X: pd.DataFrame,
    row: int,
    features: pd.DataFrame,
    target: float,
    most: int = MOST,
    feature_set: FeatureSet | None = None,
) -> pd.DataFrame:
    """Return the smallest changes of changeable features that bring one household's chance to a target.

    Every changeable quantity is tried alone on values that other households have; then quantities are
    changed one after another, at each step the one whose whole range lowers the score most, and the last
    only as far as needed. With a feature set, what is made of a quantity moves with it (`levers`): no figure
    then contradicts another.

    Parameters
    ----------
    model : estimator
        With ``margin`` (log-odds) and ``predict_proba``.
    X : DataFrame, shape (n, p)
        Features of all households at as-of; they say which values are real.
    row : int
        Which household, by position.
    features : DataFrame
        Feature metadata: ``id, zh, en, unit, changeable, direction``.
    target : float
        Probability to fall to.
    most : int
        Quantities changed together at most.
    feature_set : FeatureSet, optional
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
    free = set(X.columns) if feature_set is None else set(levers(feature_set))
    names = [c for c in X.columns if c in free and bool(about.loc[c, "changeable"]) and X[c].notna().any()]
    move = _alone if feature_set is None else Mover(feature_set).moved
    signs = {name: int(about["direction"].to_dict()[name]) for name in names}
    start = X.iloc[[row]]
    rows: list[dict[str, Any]] = []
    if _chance(model, start)[0] > target:
        for name in signs:
            found = _least(model, start, X[name], signs[name], target, move)
            if found is not None and found["reached"]:
                rows.append({"together": False, "step": 1, **found})
        rows = sorted(rows, key=lambda r: (r["moved"], r["feature"]))
        rows += _together(model, X, start, signs, target, most, move)
    for found in rows:
        found |= {word: about.loc[found["feature"], word] for word in ("zh", "en", "unit")}
    return pd.DataFrame(rows, columns=COLUMNS)


def _alone(start: pd.DataFrame, name: str, values: NDArray[Any]) -> pd.DataFrame:
    """Return the household once for each value of one feature, all others as they are."""
    return pd.concat([start] * len(values), ignore_index=True).assign(**{name: values})


def _chance(model: Any, rows: pd.DataFrame) -> np.ndarray:
    return np.asarray(model.predict_proba(rows)[:, 1], dtype=float)


def _least(
    model: Any, start: pd.DataFrame, known: pd.Series, sign: int, target: float, move: Move
) -> dict[str, Any] | None:
    """Return the nearest observed value that reaches the target, else the one that lowers most.

    Where a feature declares which way risk goes, only the other way counts as a change for the better.
    """
    name = str(known.name)
    values = np.unique(known.dropna().quantile(GRID, interpolation="nearest").to_numpy(dtype=float))
    now = float(start[name].iloc[0])
    if sign and np.isfinite(now):
        values = values[(values - now) * sign < 0]
    if not len(values):
        return None
    tried = move(start, name, values)
    chance, before = _chance(model, tried), _chance(model, start)[0]
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
        "moved_with": "; ".join(_different(start.iloc[0], tried.iloc[int(best)], name)),
    }


def _different(before: pd.Series, after: pd.Series, name: str) -> list[str]:
    same = (before == after) | (before.isna() & after.isna())
    return [str(c) for c in before.index[~same.to_numpy()] if c != name]


def _together(
    model: Any,
    X: pd.DataFrame,
    start: pd.DataFrame,
    signs: dict[str, int],
    target: float,
    most: int,
    move: Move,
) -> list[dict[str, Any]]:
    at, left, out = start, list(signs), []
    for step in range(1, most + 1):
        found = [
            f for name in left if (f := _least(model, at, X[name], signs[name], target, move)) is not None
        ]
        if not found:
            break
        best = min(found, key=lambda f: (not f["reached"], f["moved"] if f["reached"] else f["probability"]))
        at = move(at, best["feature"], np.array([best["then"]]))
        # What was said to be so must stay so: what has been moved, or moved along, is not moved again.
        along = best["moved_with"].split("; ")
        left = [name for name in left if name != best["feature"] and name not in along]
        out.append({"together": True, "step": step, **best})
        if best["reached"]:
            break
    return out
