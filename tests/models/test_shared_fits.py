"""A fit that two models ask for is made once, and gives each what it would have had alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskmodel import models
from riskmodel.models.shared_fits import fit_once

BASES = {"bases": {"logit": {}, "additive": {"max_trees": 15}}}
PARAMS: dict[str, Any] = {"logit": {}, "additive": {"max_trees": 15}, "mean": BASES}


class Counting(models.PastIncome):
    """Counts its fits."""

    fits = 0

    def fit(self, X: Any, y: Any, groups: Any = None) -> Counting:
        type(self).fits += 1
        return super().fit(X, y, groups)


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 3))
    y = (rng.random(400) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)
    return X, y, np.repeat(np.arange(40), 10).astype(str).astype(object)


def test_equal_fits_are_made_once_and_others_are_not(rows: Any) -> None:
    X, y, villages = rows
    Counting.fits = 0
    with models.shared_fits():
        one, two = (fit_once(Counting(), X.copy(), y.copy(), groups=villages.copy()) for _ in range(2))
        assert Counting.fits == 1
        assert one is not two
        np.testing.assert_array_equal(one.margin(X), two.margin(X))
        other = X.copy()
        other[0, 0] += 1e-9
        for changed in (
            lambda: fit_once(Counting(), other, y, groups=villages),
            lambda: fit_once(Counting(), X, 1 - y, groups=villages),
            lambda: fit_once(Counting(), X, y, groups=villages[::-1].copy()),
            lambda: fit_once(Counting(), X, y),
        ):
            before = Counting.fits
            changed()
            assert Counting.fits == before + 1
    fit_once(Counting(), X, y, groups=villages)
    assert Counting.fits == 6  # outside of the block nothing is kept


def test_a_mean_beside_its_base_is_the_mean_alone(rows: Any) -> None:
    X, y, villages = rows

    def margins() -> list[np.ndarray]:
        fitted = [
            models.fit_model(name, X, y, villages, 1, scheme="cross", share=0.5) for name in ("logit", "mean")
        ]
        return [model.margin(X) for model in fitted]

    alone = margins()
    with models.shared_fits():
        together = margins()
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("fallback", [None, models.PlainModel("past_income", {"columns": ["a"]}, 10)])
def test_every_part_is_fitted_once_with_a_fallback_and_without(
    rows: Any, fallback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y, villages = pd.DataFrame(rows[0], columns=list("abc")), *rows[1:]
    fits: list[str] = []
    for kind in (models.PenalisedLogit, models.Boosting):
        original = kind.fit

        def counted(self: Any, *args: Any, original: Any = original, **routed: Any) -> Any:
            fits.append(type(self).__name__)
            return original(self, *args, **routed)

        monkeypatch.setattr(kind, "fit", counted)
    # Four parts and the whole of each; the mean asks for no other.
    with models.shared_fits():
        for name, params in PARAMS.items():
            models.fit_model(name, X, y, villages, 1, params, scheme="cross", fallback=fallback)
    assert sorted(fits) == ["Boosting"] * 5 + ["PenalisedLogit"] * 5
