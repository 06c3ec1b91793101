"""The numbers that a sentence may quote: a feature's own value, its medians, columns of the rule table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskmodel.explain.wording import OWN, Lang, Unit, Wording


@dataclass(frozen=True)
class Figures:
    """Every quotable number of the same n households.

    ``values`` and ``village`` are (n, p) frames by feature, ``county`` one median a feature, ``beside``
    arrays of shape (n,) by figure name, ``about`` the metadata row of each feature.
    """

    about: Mapping[str, dict[str, object]]
    values: pd.DataFrame
    village: pd.DataFrame
    county: Mapping[str, float]
    beside: Mapping[str, np.ndarray]
    wording: Wording

    def array(self, name: str, feature: str) -> np.ndarray:
        """Return one quantity as it stands, shape (n,); NaN where unknown."""
        if name == "value":
            return self.values[feature].to_numpy()
        if name == "village":
            return self.village[feature].to_numpy()
        if name == "county":
            return np.full(len(self.values), self.county[feature])
        return self.beside[name]

    def unit(self, name: str, feature: str) -> Unit:
        """Return the unit a quantity is printed in."""
        own = str(self.about[feature]["unit"])
        return self.wording.units[own if name in OWN else self.wording.figures[name].unit]

    def printed(self, name: str, feature: str) -> np.ndarray:
        """Return one quantity as its reader sees it, shape (n,)."""
        return self.unit(name, feature).printed(self.array(name, feature))

    def text(self, name: str, feature: str, row: int, lang: Lang) -> str:
        """Return what stands for a placeholder in one household's sentence."""
        if name == "name":
            return str(self.about[feature][lang])
        return self.unit(name, feature).text(float(self.array(name, feature)[row]), lang)


def figures(X: pd.DataFrame, features: pd.DataFrame, rules: pd.DataFrame, wording: Wording) -> Figures:
    """Collect the quotable numbers of the explainable features that some template speaks for.

    Parameters
    ----------
    X : DataFrame, shape (n, p)
        Feature values; NaN is missing.
    features : DataFrame
        Feature metadata.
    rules : DataFrame, shape (n, …)
        Rule columns of the same rows, and ``village``.
    wording : Wording

    Returns
    -------
    Figures
    """
    about: dict[str, dict[str, object]] = {
        str(r["id"]): {str(k): v for k, v in r.items()} for r in features.to_dict("records")
    }
    columns = [
        c for c in X.columns if bool(about[c]["explainable"]) and wording.template_for(about[c]) is not None
    ]
    values = X[columns].astype(float)
    return Figures(
        about=about,
        values=values,
        village=village_medians(values, rules.get("village"), wording.village_minimum),
        county={str(c): float(v) for c, v in values.median().items()},
        beside=beside(rules, wording),
        wording=wording,
    )


def beside(rules: pd.DataFrame, wording: Wording) -> dict[str, np.ndarray]:
    """Return every declared figure over the rows; NaN where its column is absent or unknown.

    Parameters
    ----------
    rules : DataFrame, shape (n, …)
    wording : Wording

    Returns
    -------
    dict
        Figure name to array of shape (n,).
    """
    out = {
        name: pd.to_numeric(rules[f.column]).to_numpy(dtype=float, na_value=np.nan)
        if f.column in rules
        else np.full(len(rules), np.nan)
        for name, f in wording.figures.items()
        if f.column
    }
    for name, figure in wording.figures.items():
        if figure.of is not None and figure.over is not None:
            over = np.where(out[figure.over] > 0, out[figure.over], np.nan)
            change = out[figure.of] / over - 1
            out[name] = np.abs(change) if figure.absolute else change
    return out


def village_medians(values: pd.DataFrame, village: pd.Series | None, minimum: int) -> pd.DataFrame:
    """Return each row's village median of each feature.

    Parameters
    ----------
    values : DataFrame, shape (n, p)
    village : Series of shape (n,) or None
    minimum : int
        Villages where fewer households have a value get NaN.

    Returns
    -------
    DataFrame, shape (n, p)
    """
    if village is None or not len(values):
        return pd.DataFrame(np.nan, index=values.index, columns=values.columns)
    key = village.to_numpy()
    groups = values.groupby(key)
    medians = groups.median().where(groups.count() >= minimum)
    return medians.reindex(key).set_axis(values.index, axis=0)
