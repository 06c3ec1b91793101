"""Up to three reasons a household, in plain zh or en sentences that quote its own figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskmodel.errors import UsageError
from riskmodel.explanation.causes import GROUPS, all_causes, by_cause, cause_of
from riskmodel.explanation.figures import figures
from riskmodel.explanation.quotes import Quotes, quotes
from riskmodel.explanation.wording import Wording, cause_words, check_lang, packaged

UNNAMED = GROUPS[-1]  # "none": parts of the score that no cause stands for


def reasons(
    contributions: pd.DataFrame,
    X: pd.DataFrame,
    features: pd.DataFrame,
    rules: pd.DataFrame,
    lang: str = "zh",
    n: int = 3,
    wording: Wording | None = None,
) -> pd.DataFrame:
    """Name the causes that raise a household's score most, each with one sentence that its figures bear out.

    A cause is named when the sum of its contributions is positive and one of its features may be quoted:
    declared ``explainable``, known, contributing to the risk, and with a sentence that is true of the
    household. The strongest such feature speaks. Fewer than ``n`` such causes leave empty text.

    Parameters
    ----------
    contributions : DataFrame, shape (n_households, n_features)
        Log-odds, from `riskmodel.explanation.contributions`.
    X : DataFrame, shape (n_households, n_features)
        Feature values of the same rows and columns.
    features : DataFrame
        Feature metadata: ``id, zh, en, unit, cause, role, explainable, direction, window``.
    rules : DataFrame
        Rule columns of the same rows: ``pcni, previous_pcni, line, township, village``; with
        ``period_from`` and ``period_to`` (``YYYY-MM``) a period of twelve months is called a year.
    lang : str
        ``zh`` or ``en``.
    n : int
        How many reasons at most.
    wording : Wording, optional
        The packaged sentences by default.

    Returns
    -------
    DataFrame, shape (n_households, 3n)
        ``cause_k`` (words), ``contribution_k`` (log-odds of the whole cause, NaN where empty), ``reason_k``.

    Raises
    ------
    UsageError
        If index or columns of the inputs do not match, or ``lang`` is unknown.
    SpecError
        If a feature has no metadata.
    """
    language = check_lang(lang)
    wording = wording or packaged()
    _check(contributions, X, rules)
    words = cause_words(language, wording)
    sums = by_cause(contributions, features)
    said = quotes(figures(X, features, rules, wording))
    speaker, strength = _speakers(contributions, said, list(sums.columns), features)
    order = _order(sums.to_numpy(), strength, list(sums.columns), n)
    named = np.array([words[str(c)] for c in sums.columns], dtype=object)
    size = sums.to_numpy()
    out: dict[str, object] = {}
    for i in range(n):
        cause = order[:, i] if i < order.shape[1] else np.full(len(X), -1)
        rows = np.flatnonzero(cause >= 0)
        cause = cause[rows]
        out[f"cause_{i + 1}"] = _spread(rows, named[cause], "", len(X))
        out[f"contribution_{i + 1}"] = _spread(rows, size[rows, cause], np.nan, len(X))
        said_here = said.sentences(rows, speaker[rows, cause], language)
        out[f"reason_{i + 1}"] = _spread(rows, said_here, "", len(X))
    return pd.DataFrame(out, index=X.index)


def _check(contributions: pd.DataFrame, X: pd.DataFrame, rules: pd.DataFrame) -> None:
    if list(contributions.columns) != list(X.columns):
        raise UsageError("contributions and X must have the same columns in the same order")
    if not (contributions.index.equals(X.index) and rules.index.equals(X.index)):
        raise UsageError(
            "contributions, X and rules must have the same index in the same order "
            f"({len(contributions)}, {len(X)}, {len(rules)} rows); reindex the rules by X.index"
        )


def _speakers(
    contributions: pd.DataFrame, said: Quotes, causes: list[str], features: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return, per row and cause, the quotable feature that raises the risk most, and how much (0: none)."""
    cause = cause_of(list(contributions.columns), features)
    parts = contributions[said.columns].to_numpy(dtype=float)
    usable = np.where((said.choice >= 0) & (parts > 0), parts, 0.0)
    speaker = np.zeros((len(parts), len(causes)), dtype=np.intp)
    strength = np.zeros((len(parts), len(causes)))
    for j, name in enumerate(causes):
        own = np.array([i for i, f in enumerate(said.columns) if cause[f] == name], dtype=np.intp)
        if name == UNNAMED or not len(own):
            continue
        best = usable[:, own].argmax(axis=1)
        speaker[:, j] = own[best]
        strength[:, j] = usable[np.arange(len(parts)), own[best]]
    return speaker, strength


def _order(sums: np.ndarray, strength: np.ndarray, causes: list[str], n: int) -> np.ndarray:
    """Return, per row, the first n nameable causes by falling contribution, ties in code order; -1: none."""
    rank = {c: i for i, c in enumerate(all_causes())}
    tie = np.array([rank[c] for c in causes])
    nameable = np.where((sums > 0) & (strength > 0), sums, -np.inf)
    by_size = np.lexsort((np.broadcast_to(tie, nameable.shape), -nameable), axis=1)[:, :n]
    return np.where(np.isfinite(np.take_along_axis(nameable, by_size, axis=1)), by_size, -1)


def _spread(rows: np.ndarray, values: object, empty: object, n: int) -> np.ndarray:
    out = np.full(n, empty, dtype=float if empty is np.nan else object)
    out[rows] = values
    return out
