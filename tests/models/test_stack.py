"""The stack: a base that knows, and one that does not."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from riskmodel import models


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


def test_stack_weighs_a_base_that_knows_and_drops_one_that_does_not():
    rng, X = frame(3000, 10)
    y = (rng.random(3000) < expit(-1 + 1.5 * X["a"])).astype(int)
    village = rng.integers(0, 30, 3000)
    X = X.assign(village_income=rng.normal(size=3000))
    bases = [models.PastIncome(["a"]), models.PastIncome(["c"])]
    stack = models.Stack(bases).fit(X, y, groups=village)
    assert stack.weights_[0] == pytest.approx(1.0, abs=0.15)
    assert (stack.weights_ >= 0).all()
    # Margins of the uninformative base hardly vary, so its weight hardly matters.
    assert np.corrcoef(stack.margin(X), X["a"])[0, 1] > 0.99
