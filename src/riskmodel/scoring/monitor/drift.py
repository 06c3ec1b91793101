"""Which features and scores have moved between two dates, and which are more often missing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm

from riskmodel.scoring.monitor.psi import LEVEL, psi

# A share of missing values that grew by more than five points is worth a look: an assumption.
MISSING_POINTS = 0.05
COLUMNS = [
    "column", "zh", "en", "psi", "psi_chance", "psi_limit", "status", "missing_before", "missing_now",
    "missing_status",
]  # fmt: skip


def drift(
    before: pd.DataFrame,
    now: pd.DataFrame,
    features: pd.DataFrame,
    shared: Mapping[str, tuple[int, int]] | None = None,
) -> pd.DataFrame:
    """Compare every column at two dates.

    Parameters
    ----------
    before, now : DataFrame
        The same columns; NaN is missing.
    features : DataFrame
        ``id, zh, en`` of the columns that have a name.
    shared : mapping, optional
        Columns whose values are shared by a village or township: how many of these there are at each date.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row a column, the most moved first. ``missing_status`` is ``look`` where the share of
        missing values grew by more than `MISSING_POINTS` and by more than sampling explains.
    """
    named = features.set_index("id")[["zh", "en"]].to_dict("index")
    rows = []
    for column in before.columns:
        found = psi(before[column], now[column], sizes=(shared or {}).get(str(column)))
        share = [float(frame[column].isna().mean()) for frame in (before, now)]
        grew = share[1] - share[0]
        even = (share[0] * len(before) + share[1] * len(now)) / (len(before) + len(now))
        error = float(np.sqrt(even * (1 - even) * (1 / len(before) + 1 / len(now))))
        beyond = grew > MISSING_POINTS and grew > norm.ppf(LEVEL) * error
        words = named.get(column, {"zh": column, "en": column})
        rows.append(
            (column, words["zh"], words["en"], found.value, found.chance, found.limit, found.status, *share,
             "look" if beyond else "ok")
        )  # fmt: skip
    made = pd.DataFrame(rows, columns=COLUMNS)
    return made.sort_values(["psi", "column"], ascending=[False, True], ignore_index=True)
