"""The village-robust logit against statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit

from riskmodel import models


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


def test_cluster_logit_is_statsmodels_logit_with_cluster_covariance():
    rng, X = frame(2000, 5)
    village = rng.integers(0, 40, 2000)
    y = (rng.random(2000) < expit(-1 + X["a"] + rng.normal(0, 0.7, 40)[village])).astype(int)
    model = models.ClusterLogit().fit(X, y, groups=village)
    design = np.column_stack([model.design_.transform(X.to_numpy()), np.ones(2000)])
    fitted = sm.Logit(y, design).fit(disp=0, cov_type="cluster", cov_kwds={"groups": village})
    assert np.r_[model.coef_, model.intercept_] == pytest.approx(np.asarray(fitted.params), abs=1e-8)
    assert model.covariance_ == pytest.approx(np.asarray(fitted.cov_params()), rel=1e-6)
    # Marginal effects by statsmodels' own delta method, which takes the covariance that it is given.
    effects = fitted.get_margeff(at="overall", method="dydx")
    assert model.ame_ == pytest.approx(effects.margeff[:3], abs=1e-8)
    assert model.ame_se_ == pytest.approx(effects.margeff_se[:3], rel=1e-5)
    # Our own sandwich, used where statsmodels finds no maximum, is the same where it does.
    from riskmodel.models.base import village_codes
    from riskmodel.models.logit import sandwich

    own = sandwich(design, y.to_numpy(dtype=float), np.asarray(fitted.params), village_codes(village, 2000))
    assert own == pytest.approx(np.asarray(fitted.cov_params()), rel=1e-6)


def test_cluster_logit_leaves_out_combinations_and_says_when_separated():
    rng, X = frame(400, 6)
    y = (rng.random(400) < 0.3).astype(int)
    twice = models.ClusterLogit().fit(X.assign(d=X["a"]), y)
    table = twice.effects().set_index("column")
    # Of a and its copy one has an estimate and the other none: their sum is what the data tell.
    assert table.loc[["a", "d"], "se"].isna().sum() == 1
    assert not twice.separated_
    apart = models.ClusterLogit().fit(X, (X["a"] > 0).astype(int))
    assert apart.separated_
    assert np.isfinite(apart.margin(X)).all()
