"""The tidy predictions frame: checked once, null labels set aside and counted, rows in one fixed order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused

Array = NDArray[np.float64]

# What names a row, and what names its village: two townships may each have a village of one name.
KEY = ["as_of", "household_id"]
VILLAGE = ["township", "village"]
_COLUMNS = ["household_id", "as_of", "fold", *VILLAGE, "model", "score", "probability", "y"]


@dataclass(frozen=True)
class Predictions:
    """Predictions whose label is known, and how many rows were set aside.

    Attributes
    ----------
    frame : DataFrame
        Sorted by as-of date and household id, ``y`` 0.0 or 1.0.
    models : tuple of str
        In the order of their first row.
    nulls : Series
        Rows without a label, indexed by model and fold.
    """

    frame: pd.DataFrame
    models: tuple[str, ...]
    nulls: pd.Series

    def n_null(self, model: str, fold: object | None = None) -> int:
        """Count the rows without a label, of one model and, if given, one fold."""
        part = self.nulls[self.nulls.index.get_level_values("model") == model]
        if fold is not None:
            part = part[part.index.get_level_values("fold") == fold]
        return int(part.sum())


def checked(predictions: pd.DataFrame, extra: tuple[str, ...] = ()) -> Predictions:
    """Check a predictions frame and set null labels aside.

    Parameters
    ----------
    predictions : DataFrame
        One row a household, as-of date and model: ``household_id, as_of, fold, township, village,
        model, score`` (orders), ``probability, y`` (0, 1 or null).
    extra : tuple of str
        Further columns that are needed.

    Returns
    -------
    Predictions

    Raises
    ------
    InputRefused
        If a column is absent, a row is given twice, a label is neither 0, 1 nor null, a score or
        probability is missing or out of range, or nothing has a label.
    """
    absent = [name for name in (*_COLUMNS, *extra) if name not in predictions.columns]
    if absent:
        raise InputRefused(
            f"predictions lack the column(s) {', '.join(absent)}; needed: {', '.join((*_COLUMNS, *extra))}"
        )
    twice = predictions.duplicated([*KEY, "model"])
    if twice.any():
        row = predictions.iloc[int(np.argmax(twice))]
        raise InputRefused(
            f"predictions hold {int(twice.sum())} row(s) twice, first {row['household_id']} at "
            f"{row['as_of']} of model {row['model']!r}; give each household, as-of date and model once"
        )
    label = pd.to_numeric(predictions["y"]).astype("Float64")
    wrong = label.notna() & ~label.isin([0, 1])
    if wrong.any():
        raise InputRefused(f"label {label[wrong].iloc[0]} in y; allowed: 0, 1 or null")
    models = tuple(dict.fromkeys(predictions["model"]))
    nulls = label.isna().groupby([predictions["model"], predictions["fold"]]).sum()
    known = predictions[label.notna()].assign(y=label[label.notna()].to_numpy(dtype=float))
    if known.empty:
        raise InputRefused(
            f"none of the {len(predictions)} predictions has a label; choose earlier test dates"
        )
    _check_numbers(known)
    return Predictions(known.sort_values(KEY, kind="stable", ignore_index=True), models, nulls)


def _check_numbers(known: pd.DataFrame) -> None:
    score = known["score"].to_numpy(dtype=float, na_value=np.nan)
    p = known["probability"].to_numpy(dtype=float, na_value=np.nan)
    for name, bad, allowed in (
        ("score", ~np.isfinite(score), "finite numbers"),
        ("probability", ~((p >= 0) & (p <= 1)), "numbers from 0 to 1"),
    ):
        if bad.any():
            row = known.iloc[int(np.argmax(bad))]
            raise InputRefused(
                f"{name} of model {row['model']!r} is {row[name]!r} for {row['household_id']} at "
                f"{row['as_of']} ({int(bad.sum())} such row(s)); allowed: {allowed}"
            )


def numbers(frame: pd.DataFrame, column: str) -> Array:
    """Return a column as floats, NaN where missing.

    Parameters
    ----------
    frame : DataFrame
    column : str

    Returns
    -------
    array of shape (n,)
    """
    return frame[column].to_numpy(dtype=float, na_value=np.nan)


def codes(column: pd.Series) -> NDArray[np.int64]:
    """Code a column's values by sorted order.

    Parameters
    ----------
    column : Series

    Returns
    -------
    integer array of shape (n,)
    """
    return pd.factorize(column, sort=True)[0].astype(np.int64)
