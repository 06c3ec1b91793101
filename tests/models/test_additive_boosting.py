"""The explainable boosting machine against interpret's own."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from riskmodel import models


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


def test_kept_curves_are_interprets_own_machine():
    pytest.importorskip("interpret", reason="the extra 'ebm' is not installed")
    from interpret.glassbox import ExplainableBoostingClassifier

    rng, X = frame(800, 20)
    y = (rng.random(800) < expit(-1 + X["a"] + 0.5 * X["b"] ** 2)).astype(int)
    model = models.AdditiveBoosting(max_rounds=50, outer_bags=1).fit(X, y)
    # The same machine kept as it is, with all its own code: what we keep of it must score the same.
    theirs = ExplainableBoostingClassifier(
        feature_types=["continuous"] * 3, max_bins=64, interactions=0, outer_bags=1, inner_bags=0,
        max_rounds=50, n_jobs=1, random_state=0,
    ).fit(X.to_numpy(), y.to_numpy())  # fmt: skip
    new = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    assert model.predict_proba(new)[:, 1] == pytest.approx(theirs.predict_proba(new.to_numpy())[:, 1])
