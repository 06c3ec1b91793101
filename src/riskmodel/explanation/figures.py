"""The numbers that a sentence may quote: a feature's own value, its medians, columns of the rule table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskmodel.explanation.wording import OWN, YEAR_MONTHS, Lang, Unit, Wording, cause_words


@dataclass(frozen=True)
class Figures:
    """Every quotable number of the same n households.

    ``values`` and ``village`` hold an array of shape (n,) a feature, ``county`` one median a feature,
    ``beside`` an array a figure, ``about`` the metadata row of each feature; ``yearly`` says of each
    household whether its accounting period is known to be a year.
    """

    about: Mapping[str, dict[str, object]]
    values: Mapping[str, np.ndarray]
    village: Mapping[str, np.ndarray]
    county: Mapping[str, float]
    beside: Mapping[str, np.ndarray]
    yearly: np.ndarray
    wording: Wording

    def __len__(self) -> int:
        return len(self.yearly)

    def array(self, name: str, feature: str) -> np.ndarray:
        """Return one quantity as it stands, shape (n,); NaN where unknown."""
        if name == "value":
            return self.values[feature]
        if name == "size":
            return np.abs(self.values[feature])
        if name == "village":
            return self.village[feature]
        if name == "county":
            return np.full(len(self), self.county[feature])
        return self.beside[name]

    def unit(self, name: str, feature: str) -> Unit:
        """Return the unit a quantity is printed in."""
        own = str(self.about[feature]["unit"])
        return self.wording.units[own if name in OWN else self.wording.figures[name].unit]

    def printed(self, name: str, feature: str) -> np.ndarray:
        """Return one quantity as its reader sees it, shape (n,)."""
        return self.unit(name, feature).printed(self.array(name, feature))

    def texts(self, name: str, feature: str, rows: np.ndarray, lang: Lang) -> list[str]:
        """Return what stands for a placeholder in the sentences of some households (row numbers)."""
        about = self.about[feature]
        if name == "number":
            return self.unit("value", feature).numbers(self.values[feature][rows])
        if name == "before":
            year, period = (str(getattr(self.wording.before[k], lang)) for k in ("year", "period"))
            return [year if yearly else period for yearly in self.yearly[rows]]
        fixed = {"name": str(about[lang]), "window": f"{self.window(feature):.0f}"}
        if name == "cause":
            fixed["cause"] = cause_words(lang, self.wording)[str(about["cause"])]
        if name in fixed:
            return [fixed[name]] * len(rows)
        return self.unit(name, feature).texts(self.array(name, feature)[rows], lang)

    def window(self, feature: str) -> float:
        """Return the months a feature looks back on; NaN where it has no window."""
        months = self.about[feature].get("window")
        return float(months) if isinstance(months, int | float | np.number) else float("nan")


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
        values=_arrays(values),
        village=_arrays(village_medians(values, _village(rules), wording.village_minimum)),
        county={str(c): float(v) for c, v in values.median().items()},
        beside=beside(rules, X, wording),
        yearly=_yearly(rules),
        wording=wording,
    )


def _arrays(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    return {str(c): frame[c].to_numpy(dtype=float) for c in frame.columns}


def _village(rules: pd.DataFrame) -> pd.Series | None:
    # Two townships may each have a village of one name.
    if not {"township", "village"} <= set(rules.columns):
        return rules.get("village")
    return rules["township"].astype(str) + "\x1f" + rules["village"].astype(str)


def _yearly(rules: pd.DataFrame) -> np.ndarray:
    if not {"period_from", "period_to"} <= set(rules.columns):
        return np.zeros(len(rules), dtype=bool)
    ends = [pd.to_datetime(rules[c], format="%Y-%m") for c in ("period_from", "period_to")]
    months = [12 * end.dt.year + end.dt.month for end in ends]
    return (months[1] - months[0] + 1).eq(YEAR_MONTHS).to_numpy(dtype=bool)


def beside(rules: pd.DataFrame, X: pd.DataFrame, wording: Wording) -> dict[str, np.ndarray]:
    """Return every declared figure over the rows; NaN where its column is absent or unknown.

    Parameters
    ----------
    rules : DataFrame, shape (n, …)
        Looked at first.
    X : DataFrame, shape (n, p)
    wording : Wording

    Returns
    -------
    dict
        Figure name to array of shape (n,).
    """
    nothing = np.full(len(rules), np.nan)
    out: dict[str, np.ndarray] = {}
    for name, figure in wording.figures.items():
        source = next((t for t in (rules, X) if figure.column in t), None)
        if source is not None and figure.column:
            out[name] = pd.to_numeric(source[figure.column]).to_numpy(dtype=float, na_value=np.nan)
        elif figure.column:
            out[name] = nothing
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
