"""Fits that several models of a run ask for are made once: a mean's logit is the logit beside it.

Two fits are one where class, parameters, rows, target and all that is handed on beside them are equal, value
by value; every estimator here is deterministic given these. Each asker gets a copy of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import joblib

_FITTED: ContextVar[dict[str, Any] | None] = ContextVar("fitted", default=None)


@contextmanager
def shared_fits() -> Iterator[None]:
    """Keep what `fit_once` fits for as long as the block lasts; a block within another keeps its own."""
    token = _FITTED.set({})
    try:
        yield
    finally:
        _FITTED.reset(token)


def fit_once(estimator: Any, X: Any, y: Any, **routed: Any) -> Any:
    """Return an estimator fitted on training rows, or a copy of an equal one that was fitted on them before.

    Parameters
    ----------
    estimator
        Not fitted; it is fitted itself where no equal one was.
    X, y
        Training rows and target.
    **routed
        What its ``fit`` takes beside them.
    """
    fitted = _FITTED.get()
    if fitted is None:
        return estimator.fit(X, y, **routed)
    key = str(joblib.hash((type(estimator), estimator.get_params(deep=False), X, y, sorted(routed.items()))))
    if key not in fitted:
        fitted[key] = estimator.fit(X, y, **routed)
    return copy.deepcopy(fitted[key])
