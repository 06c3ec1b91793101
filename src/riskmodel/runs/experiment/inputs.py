"""What goes into each kind of model: features, the rules' columns, the village, or features and income."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskmodel import models
from riskmodel.errors import UsageError


def inputs(name: str, rows: pd.DataFrame, X: pd.DataFrame) -> pd.DataFrame:
    """Return what a model takes in: features, the rules' columns, the village, or features and income.

    Parameters
    ----------
    name : str
    rows : DataFrame
        ``flagged, gap, line, pcni, township, village``; for ``rule-ID`` and ``conditions-ID`` also
        ``flagged:ID, gap:ID, line:ID, conditions:ID``.
    X : DataFrame
        Features of the same rows.

    Returns
    -------
    DataFrame

    Raises
    ------
    UsageError
        If the rows hold no verdict of the rule set that the model follows.
    """
    entry = models.entry(name)
    if entry.needs == "features":
        return X
    if entry.needs == "place":
        # Two townships may each have a village of one name.
        return pd.DataFrame({"village": rows["township"].astype(str) + "/" + rows["village"].astype(str)})
    if entry.needs == "both":
        income = {f"rule:{c}": rows[c].to_numpy(dtype=float, na_value=np.nan) for c in ("pcni", "line")}
        return X.assign(**income)
    return _rule_columns(entry, rows)


def _rule_columns(entry: models.Entry, rows: pd.DataFrame) -> pd.DataFrame:
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
