"""Every feature of the training rows by outcome: a paper's first table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

# Figures of fewer rows could point at a household.
LEAST_ROWS = 10


def describe_by_outcome(X: pd.DataFrame, y: ArrayLike) -> pd.DataFrame:
    """Describe columns apart for rows with and without the event.

    Parameters
    ----------
    X : DataFrame of shape (n, p)
        Numeric columns; NaN is missing.
    y : array of shape (n,)
        0/1.

    Returns
    -------
    DataFrame
        A row a column: ``column``, ``flag`` (only 0 and 1 occur: its mean is a share), ``difference`` (of the
        means, by the pooled standard deviation; Austin 2009), and of both outcomes (``…_0``, ``…_1``) ``n``
        (rows), ``missing``, ``mean, sd, median, lower, upper`` (quartiles), NaN below ten known rows.
    """
    target = np.asarray(y, dtype=float)
    sides = {side: _described(X[target == side]).add_suffix(f"_{side}") for side in (0, 1)}
    out = pd.concat(sides.values(), axis=1)
    spread = np.sqrt((out["sd_0"] ** 2 + out["sd_1"] ** 2) / 2)
    out["difference"] = ((out["mean_1"] - out["mean_0"]) / spread.where(spread > 0)).astype(float)
    values = X.to_numpy(dtype=float)
    known = ~np.isnan(values)
    out["flag"] = (np.isin(values, (0.0, 1.0)) | ~known).all(axis=0) & known.any(axis=0)
    return out.rename_axis("column").reset_index()


def _described(rows: pd.DataFrame) -> pd.DataFrame:
    known = rows.notna().sum()
    quartiles = rows.quantile([0.25, 0.5, 0.75])
    out = pd.DataFrame({
        "n": len(rows), "missing": len(rows) - known, "mean": rows.mean(), "sd": rows.std(),
        "median": quartiles.loc[0.5], "lower": quartiles.loc[0.25], "upper": quartiles.loc[0.75],
    })  # fmt: skip
    figures = ["mean", "sd", "median", "lower", "upper"]
    out[figures] = out[figures].where(known >= LEAST_ROWS)
    return out
