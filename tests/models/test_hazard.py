"""The discrete-time hazard against statsmodels, published figures, the life table and a known frailty."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from riskmodel import models


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


def test_hazard_is_statsmodels_cloglog():
    rng, X = frame(4000, 2)
    y = (rng.random(4000) < -np.expm1(-np.exp(-2 + 0.7 * X["a"]))).astype(int)
    model = models.DiscreteHazard(alpha=0.0).fit(X, y)
    design = sm.add_constant(model.design_.transform(X.to_numpy()))
    # Recipe: statsmodels GLM, binomial family, complementary log-log link.
    glm = sm.GLM(y, design, family=sm.families.Binomial(sm.families.links.CLogLog())).fit(tol=1e-12)
    assert np.r_[model.intercept_, model.coef_] == pytest.approx(np.asarray(glm.params), abs=1e-6)
    assert model.predict_proba(X)[:, 1] == pytest.approx(np.asarray(glm.fittedvalues), abs=1e-7)


def person_periods(spells=700, seed=5):
    """One row a spell and period at risk: a heavy-tailed amount, a year, an age; some amounts missing."""
    rng = np.random.default_rng(seed)
    land, year = rng.lognormal(7, 1.5, spells), 2015.0 + rng.integers(0, 4, spells)
    rows = []
    for i in range(spells):
        for period in range(4):
            eta = -2.2 + 2e-4 * min(land[i], 6000) - 0.3 * period
            y = int(rng.random() < -np.expm1(-np.exp(eta)))
            rows.append((land[i] if i % 40 else np.nan, year[i] + period, float(period), y))
            if y:
                break
    return pd.DataFrame(rows, columns=["land", "year", "period", "y"])


def test_raw_hazard_is_statsmodels_on_person_periods_as_they_are():
    rows = person_periods()
    X = rows[["land", "year", "period"]]
    model = models.DiscreteHazard(duration="period", steps=50, alpha=0.0, raw=True).fit(X, rows["y"])
    # The published form (Prentice and Gloeckler 1978): a dummy a period, the columns as they are.
    whole = rows.dropna()
    dummies = pd.get_dummies(whole["period"], dtype=float)
    design = np.column_stack([whole[["land", "year"]], dummies])
    # A year near 2,000 beside dummies: centred, which moves the dummies' coefficients alone.
    design[:, :2] -= design[:, :2].mean(axis=0)
    link = sm.families.links.CLogLog()
    glm = sm.GLM(whole["y"].to_numpy(), design, family=sm.families.Binomial(link)).fit(tol=1e-12)
    assert model.coef_[:2] == pytest.approx(glm.params[:2], rel=1e-4)
    assert model.predict_proba(whole[X.columns])[:, 1] == pytest.approx(glm.fittedvalues, abs=1e-6)
    table = model.effects().set_index("column")
    assert table.loc["land", ["coef", "done"]].tolist() == [model.coef_[0], "raw"]
    assert table.loc["(penalty)", "coef"] == 0


def test_the_table_of_a_hazard_that_is_not_raw_says_what_was_done():
    rows = person_periods()
    model = models.DiscreteHazard(duration="period").fit(rows[["land", "year", "period"]], rows["y"])
    done = models.model_tables("hazard", model)["hazard_effects"].set_index("column")
    assert "ln(1 + |x| / log_scale)" in done.loc["land", "done"]
    assert done.loc["year", "done"] == "clipped; standardised"
    assert done.loc["(penalty)", "coef"] == 1.0
    assert np.isfinite(done["coef"]).all()
    assert len(done) == len(model.coef_) + 3


def test_raw_rows_that_are_whole_must_hold_both_classes():
    X = pd.DataFrame({"a": [np.nan, np.nan, 1.0, 2.0]})
    with pytest.raises(ValueError, match="one class only"):
        models.DiscreteHazard(raw=True).fit(X, [1, 1, 0, 0])


def test_hazard_of_the_beetles_is_the_published_extreme_value_model():
    # Bliss 1935, beetles killed at eight doses of carbon disulphide (log10 mg/l); Dobson, Introduction to
    # Generalized Linear Models, table 7.4: extreme value (cloglog) model, intercept -39.572, slope 22.041,
    # fitted numbers 5.59, 11.28, 20.95, 30.37, 47.78, 54.14, 61.11, 59.95, deviance 3.45.
    dose = np.array([1.6907, 1.7242, 1.7552, 1.7842, 1.8113, 1.8369, 1.8610, 1.8839])
    beetles, killed = [59, 60, 62, 56, 63, 59, 62, 60], [6, 13, 18, 28, 52, 53, 61, 60]
    X = pd.DataFrame({"dose": np.repeat(dose, beetles)})
    y = np.concatenate([np.r_[np.ones(k), np.zeros(n - k)] for k, n in zip(killed, beetles, strict=True)])
    model = models.DiscreteHazard(alpha=0.0).fit(X, y.astype(int))
    chance = model.predict_proba(pd.DataFrame({"dose": dose}))[:, 1]
    eta = np.log(-np.log1p(-chance[:7]))
    slope = (eta[-1] - eta[0]) / (dose[6] - dose[0])
    assert slope == pytest.approx(22.041, abs=2e-3)
    assert eta[0] - slope * dose[0] == pytest.approx(-39.572, abs=3e-3)
    assert (np.array(beetles) * chance).round(2).tolist() == [
        5.59, 11.28, 20.95, 30.37, 47.78, 54.14, 61.11, 59.95,
    ]  # fmt: skip


def test_hazard_of_a_duration_alone_is_the_life_table():
    # Without covariates each duration step's hazard is events over households at risk: the actuarial table.
    rng = np.random.default_rng(3)
    duration = np.repeat([0.0, 12.0, 24.0, 36.0], 500)
    y = (rng.random(2000) < np.repeat([0.3, 0.2, 0.1, 0.05], 500)).astype(int)
    X = pd.DataFrame({"months": duration, "flat": 1.0})
    model = models.DiscreteHazard(duration="months", steps=8, alpha=0.0).fit(X, y)
    life = [y[duration == d].mean() for d in (0, 12, 24, 36)]
    assert model.predict_proba(X)[::500, 1] == pytest.approx(life, abs=1e-6)
    # Survival is the running product of what is left, from the duration a household is at.
    curve = model.survival(X.iloc[:1], 4, 12.0)[0]
    assert curve == pytest.approx(np.cumprod(1 - np.array(life)), abs=1e-6)
    assert (np.diff(curve) < 0).all()


def test_frailty_finds_the_known_village_spread_and_none_where_there_is_none():
    rng, X = frame(6000, 4)
    village = rng.integers(0, 100, 6000)
    for sd in (0.8, 0.0):
        eta = -2 + 0.5 * X["a"] + rng.normal(0, sd, 100)[village]
        y = (rng.random(6000) < -np.expm1(-np.exp(eta))).astype(int)
        model = models.DiscreteHazard(frailty=True, alpha=0.0).fit(X, y, groups=village)
        assert model.converged_
        assert model.frailty_sd_ == pytest.approx(sd, abs=0.2)
        # The effect is conditional on the village: without frailty it would be pulled towards 0.
        assert model.coef_[0] / X["a"].std() == pytest.approx(0.5, abs=0.1)
        # Averaged over villages the chances add up to what happens: a hundred villages whose rates have a
        # coefficient of variation near 1 tell the mean of 0.16 to about 0.015.
        assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.03)


def test_a_penalty_chosen_by_villages_ignores_columns_that_only_fit_noise():
    rng = np.random.default_rng(13)
    X = pd.DataFrame(rng.normal(size=(600, 60)), columns=[f"x{i}" for i in range(60)])
    eta = -2 + 0.8 * X["x0"].to_numpy()
    y = (rng.random(600) < -np.expm1(-np.exp(eta))).astype(int)
    village = rng.integers(0, 30, 600)
    chosen = models.DiscreteHazard(alpha="cv").fit(X, y, groups=village)
    free = models.DiscreteHazard(alpha=0.0).fit(X, y)
    new = pd.DataFrame(rng.normal(size=(4000, 60)), columns=X.columns)
    truth = -np.expm1(-np.exp(-2 + 0.8 * new["x0"].to_numpy()))
    # Sixty columns and some eighty events: maximum likelihood follows the noise, the chosen penalty less.
    assert chosen.alpha_ > 1
    errors = [np.mean((m.predict_proba(new)[:, 1] - truth) ** 2) for m in (chosen, free)]
    assert errors[0] < 0.7 * errors[1]


def test_hazard_with_a_duration_needs_names():
    with pytest.raises(ValueError, match="no column of X"):
        models.DiscreteHazard(duration="months").fit(np.eye(4), [0, 1, 0, 1])
