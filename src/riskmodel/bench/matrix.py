"""The ready matrix: teenage girls, five yearly waves, a poverty flag of the survey's own and no incomes.

At each wave the girls who are not poor are at risk; the event is the flag a year later. No rule set can be
judged on it, so the question is only whether a model adds to the years of poverty so far. Race is kept out
of the columns that models see (no list of whom to help should be ordered by it) and is used to look at gaps.

References
----------
NLSY79 (US Bureau of Labor Statistics), as ``teen_poverty`` in the R package panelr (Long, MIT licence);
the data of Allison 2009, *Fixed Effects Regression Models*.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel import models
from riskmodel.bench.declared import Bench, Panel
from riskmodel.errors import InputRefused

WAVES = 5
# The last wave whose outcome is seen is the test; what was known by then trains.
TEST_WAVE = WAVES - 1
_FIRST_YEAR = 1979
_EACH = ("mother", "spouse", "inschool", "hours")


def long(file: Path) -> pd.DataFrame:
    """Read the wide file into one row a girl and wave at risk.

    Parameters
    ----------
    file : Path
        ``teen_poverty.csv``.

    Returns
    -------
    DataFrame
        ``household_id, wave, y, black``, and the columns models see: ``age, mother, spouse, in_school, hours,
        years_poor, poor_before`` (a year earlier; missing in the first wave).

    Raises
    ------
    InputRefused
        If columns are absent.
    """
    wide = pd.read_csv(file)
    wanted = ["id", "age", "black", *(f"{c}{w}" for c in ("pov", *_EACH) for w in range(1, WAVES + 1))]
    absent = [c for c in wanted if c not in wide.columns]
    if absent:
        raise InputRefused(
            f"{file.name}: columns {', '.join(absent)} are absent; give panelr's teen_poverty as CSV"
        )
    parts = []
    for wave in range(1, WAVES):
        poor = wide[[f"pov{w}" for w in range(1, wave)]]
        parts.append(
            pd.DataFrame(
                {
                    "household_id": wide["id"].astype(int).astype(str),
                    "wave": float(wave),
                    "y": wide[f"pov{wave + 1}"],
                    "now": wide[f"pov{wave}"],
                    "black": wide["black"].map({1.0: "yes", 0.0: "no"}),
                    "age": wide["age"] + wave - 1,
                    "mother": wide[f"mother{wave}"],
                    "spouse": wide[f"spouse{wave}"],
                    "in_school": wide[f"inschool{wave}"],
                    "hours": wide[f"hours{wave}"],
                    "years_poor": poor.sum(axis=1, min_count=1).fillna(0.0),
                    "poor_before": wide[f"pov{wave - 1}"] if wave > 1 else np.nan,
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    return rows[(rows["now"] == 0) & rows["y"].notna()].drop(columns="now").reset_index(drop=True)


FEATURES = ["wave", "age", "mother", "spouse", "in_school", "hours", "years_poor", "poor_before"]


def predictions(
    bench: Bench, panel: Panel, names: tuple[str, ...], file: Path, say: Callable[[str], None]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fit every model on the earlier waves and predict the last.

    Parameters
    ----------
    bench : Bench
    panel : Panel
    names : tuple of str
        Models that take features.
    file : Path
    say : callable
        Is told progress.

    Returns
    -------
    tuple of DataFrame and dict
        The tidy predictions, and the fitted models by name.
    """
    rows = long(file)
    train, test = rows[rows["wave"] < TEST_WAVE], rows[rows["wave"] == TEST_WAVE]
    params = bench.params_of(panel)
    say(f"{len(train)} training rows, {len(test)} test rows")
    parts, fitted = [], {}
    for name in names:
        # A girl comes back every year: she is her own cluster.
        model = models.fit_model(
            name, train[FEATURES], train["y"].astype(int).to_numpy(), train["household_id"].to_numpy(),
            bench.seed, params.get(name), scheme="cross",
        )  # fmt: skip
        fitted[name] = model
        X = test[FEATURES]
        interval = model.predict_interval(X)
        parts.append(
            pd.DataFrame(
                {
                    "household_id": test["household_id"].to_numpy(),
                    "as_of": pd.Timestamp(_FIRST_YEAR + TEST_WAVE, 12, 31),
                    "fold": f"wave {TEST_WAVE}",
                    "township": "-",
                    "village": test["household_id"].to_numpy(),
                    "persons": 1,
                    "flagged": False,
                    # No rule orders anybody; ids do, and nothing is said about such an order.
                    "rule_rank": np.nan,
                    "group_black": test["black"].to_numpy(),
                    "y": test["y"].to_numpy(),
                    "model": name,
                    "score": model.margin(X),
                    "probability": model.predict_proba(X)[:, 1],
                    "probability_low": interval[:, 0],
                    "probability_high": interval[:, 1],
                }
            )
        )
    return pd.concat(parts, ignore_index=True), fitted
