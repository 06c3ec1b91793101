"""Leakage: columns written at or after the event, filled in only for those who had it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from riskmodel.evaluation.metrics import LEAKAGE_AUC

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
        _leak_row(str(name), X[name].to_numpy(dtype=float, na_value=np.nan), target) for name in X.columns
    ]
    table = pd.DataFrame(rows)
    table.insert(1, "role", [str((roles or {}).get(c, "")) for c in table["column"]])
    table["why"] = [_why({str(k): v for k, v in row.items()}) for row in table.to_dict("records")]
    table["suspected"] = table["why"] != ""
    worst = table[["auc", "missing_auc"]].max(axis=1)
    order = np.lexsort((table["column"], -worst, ~table["suspected"]))
    columns = ["column", "role", "auc", "missing_auc", "rate_where_present", "present", "suspected", "why"]
    return table.iloc[order][columns].reset_index(drop=True)


def _leak_row(name: str, values: np.ndarray, target: np.ndarray) -> dict[str, object]:
    known = ~np.isnan(values)
    return {
        "column": name,
        "auc": _sided(values[known], target[known]),
        "missing_auc": _sided(known.astype(float), target),
        "rate_where_present": float(target[known].mean()) if known.any() else float("nan"),
        "base_rate": float(target.mean()),
        "present": int(known.sum()),
    }


def _sided(values: np.ndarray, target: np.ndarray) -> float:
    """Return the AUC of a column, whichever way round; one half where too few events could tell."""
    events, others = float(target.sum()), float((1 - target).sum())
    if min(events, others) < _LEAST_EVENTS:
        return 0.5
    area = (rankdata(values)[target == 1].sum() - events * (events + 1) / 2) / (events * others)
    return float(max(area, 1 - area))


def _why(row: dict[str, object]) -> str:
    reasons = []
    if _number(row["auc"]) > LEAKAGE_AUC:
        reasons.append(f"its values alone have an AUC of {_number(row['auc']):.3f}")
    if _number(row["missing_auc"]) > MISSING_AUC:
        reasons.append(f"having a value at all has an AUC of {_number(row['missing_auc']):.3f}")
    written = _number(row["rate_where_present"]) > _WRITTEN and _number(row["base_rate"]) < 0.5
    if written and _number(row["present"]) >= _LEAST_ROWS:
        reasons.append(f"{_number(row['rate_where_present']):.0%} of those who have a value had the event")
    if reasons and row["role"] in ("register", "support"):
        reasons.append(f"it is written by the office (role {row['role']})")
    return "; ".join(reasons)


def _number(value: object) -> float:
    return float(value)  # type: ignore[arg-type]
