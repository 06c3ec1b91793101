"""Models of other traditions, each against another implementation, a closed form or a known process."""

import io

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit
from scipy.stats import norm

from riskmodel import models


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


# --- vulnerability: Chaudhuri, Jalan and Suryahadi 2002 -------------------------------------------------


def vulnerable(n=6000, seed=1):
    """Log income with known mean and variance equations, so that the chance below the line is known."""
    rng, X = frame(n, seed)
    mean, sd = 9.0 + 0.4 * X["a"], np.sqrt(0.25 + 0.10 * np.tanh(X["b"]))
    income = np.exp(mean + sd * rng.normal(size=n))
    line = np.exp(8.6)
    chance = norm.cdf((np.log(line) - mean) / sd)
    return X.assign(**{"rule:pcni": income, "rule:line": line}), (income < line).astype(int), chance


def test_vulnerability_finds_the_known_chance_below_the_line():
    X, y, chance = vulnerable()
    model = models.Vulnerability().fit(X, y)
    # Both moments are learned: variances differ by a factor of 2.3 between households.
    assert np.abs(model.vulnerability(X) - chance).mean() < 0.015
    assert model.vulnerability(X) == pytest.approx(expit(model.margin(X)))


def test_vulnerability_is_the_published_three_steps_done_by_statsmodels():
    X, y, _ = vulnerable(800)
    model = models.Vulnerability(predictors=["a", "b", "c"]).fit(X, y)
    design = np.column_stack([model.design_.transform(X[["a", "b", "c"]].to_numpy()), np.ones(len(X))])
    logs = np.log(X["rule:pcni"])
    # Step 1 OLS, step 2 OLS of e² then WLS with the fitted variances, step 3 WLS: statsmodels' own WLS.
    residual = sm.OLS(logs, design).fit().resid ** 2
    floor = 0.05 * residual.mean()
    variance = np.maximum(sm.OLS(residual, design).fit().fittedvalues, floor)
    theta = sm.WLS(residual, design, weights=1 / variance**2).fit()
    beta = sm.WLS(logs, design, weights=1 / np.maximum(theta.fittedvalues, floor)).fit().params
    assert model.theta_ == pytest.approx(np.asarray(theta.params), abs=1e-8)
    assert model.beta_ == pytest.approx(np.asarray(beta), abs=1e-8)


def test_vulnerability_of_those_above_the_line_needs_those_below_it():
    # A risk set holds nobody below the line: on it alone the slope is drawn towards nothing (here 0.40 to
    # about 0.2, by the truncated normal's conditional mean) and hardly anybody seems vulnerable.
    X, _, chance = vulnerable()
    at_risk = (X["rule:pcni"] >= X["rule:line"]).to_numpy()
    rest = models.Population(X[~at_risk], np.repeat("v", (~at_risk).sum()))
    label = np.arange(at_risk.sum()) % 2
    cut = models.Vulnerability().fit(X[at_risk], label)
    whole = models.Vulnerability().fit(X[at_risk], label, population=rest)
    truth = chance[at_risk]
    assert cut.vulnerability(X[at_risk]).mean() < 0.5 * truth.mean()
    assert np.abs(whole.vulnerability(X[at_risk]) - truth).mean() < 0.015


def test_villages_held_out_for_the_calibrator_are_held_out_of_the_population_too():
    X, _, _ = vulnerable(1200)
    village = np.array([f"v{i % 12}" for i in range(1200)])
    y = np.random.default_rng(0).integers(0, 2, 900)
    rest = models.Population(X[900:], village[900:])
    seen = {}

    class Spy(models.Vulnerability):
        def fit(self, X, y, groups=None, population=None):
            seen["cohort"], seen["population"] = set(groups), set(population.groups)
            return super().fit(X, y, groups, population)

    models.fit_calibrated(Spy(), X[:900], y, village[:900], seed=1, population=rest)
    assert len(seen["cohort"]) == 9
    assert seen["population"] == seen["cohort"]


def test_vulnerability_refuses_what_it_cannot_use():
    X, y, _ = vulnerable(300)
    with pytest.raises(ValueError, match="X lacks \\['rule:pcni'\\]"):
        models.Vulnerability().fit(X.drop(columns="rule:pcni"), y)
    with pytest.raises(ValueError, match="do not carry"):
        models.Vulnerability().fit(X.iloc[:3], [0, 1, 1])


# --- discrete-time hazard ------------------------------------------------------------------------------


def test_hazard_is_statsmodels_cloglog():
    rng, X = frame(4000, 2)
    y = (rng.random(4000) < -np.expm1(-np.exp(-2 + 0.7 * X["a"]))).astype(int)
    model = models.DiscreteHazard(alpha=0.0).fit(X, y)
    design = sm.add_constant(model.design_.transform(X.to_numpy()))
    # Recipe: statsmodels GLM, binomial family, complementary log-log link.
    glm = sm.GLM(y, design, family=sm.families.Binomial(sm.families.links.CLogLog())).fit(tol=1e-12)
    assert np.r_[model.intercept_, model.coef_] == pytest.approx(np.asarray(glm.params), abs=1e-6)
    assert model.predict_proba(X)[:, 1] == pytest.approx(np.asarray(glm.fittedvalues), abs=1e-7)


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


# --- logit with inference --------------------------------------------------------------------------------


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
    from riskmodel.models.inference import sandwich
    from riskmodel.models.split import village_codes

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


# --- scorecard -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def carded():
    rng, X = frame(5000, 7)
    X = X.assign(income=np.exp(rng.normal(9, 0.6, 5000)))
    X.loc[rng.random(5000) < 0.1, "income"] = np.nan
    risk = -2.0 + 0.9 * X["a"] - 1.2 * (np.log(X["income"]).fillna(8.5) - 9)
    y = (rng.random(5000) < expit(risk)).astype(int)
    return X, y, models.Scorecard().fit(X, y)


def by_hand(table, row):
    """Add up the points as a cadre would: find the bin, read the points, next column."""
    total = 0
    for column, part in table[~table["column"].str.startswith("(")].groupby("column", sort=False):
        value = row[column]
        for line in part.itertuples():
            if line.missing:
                hit = pd.isna(value)
            else:
                hit = (pd.isna(line.above) or value > line.above) and (
                    pd.isna(line.up_to) or value <= line.up_to
                )
            if hit:
                total += int(line.points)
    return total


def test_points_added_by_hand_are_the_score(carded):
    X, _, card = carded
    table = card.table()
    rows = X.iloc[:200]
    hand = np.array([by_hand(table, row) for _, row in rows.iterrows()])
    assert (card.points(rows).sum(axis=1) == hand).all()
    assert card.margin(rows) == pytest.approx(card.offset_ + hand * np.log(2) / 20, abs=1e-12)


@pytest.mark.parametrize("how", ["csv", "xlsx"])
def test_score_comes_back_exactly_from_an_exported_card(carded, how, tmp_path):
    X, _, card = carded
    if how == "csv":
        back = pd.read_csv(io.StringIO(card.table().to_csv(index=False)))
    else:
        card.table().to_excel(tmp_path / "card.xlsx", index=False)
        back = pd.read_excel(tmp_path / "card.xlsx")
    again = models.Scorecard.from_table(back, list(X.columns))
    assert again.margin(X).tobytes() == card.margin(X).tobytes()


def test_points_lead_to_the_chance_that_is_shown_calibration_included(carded):
    X, y, _ = carded
    deployed = models.fit_model("scorecard", X, y, np.arange(len(X)) % 50, seed=0)
    out = models.exported_card(deployed)
    # A slope of exactly 1 and a level of exactly 0 would let the uncalibrated card pass.
    assert abs(deployed.slope_ - 1) > 1e-3
    rows = X.iloc[:100]
    hand = np.array([by_hand(out["scorecard"], row) for _, row in rows.iterrows()])
    shown = deployed.predict_proba(rows)[:, 1]
    read_off = out["scorecard_chances"].set_index("points")["probability"]
    assert read_off[hand].to_numpy() == pytest.approx(shown, abs=1e-12)
    again = models.Scorecard.from_table(out["scorecard"], list(X.columns))
    assert again.predict_proba(X) == pytest.approx(deployed.predict_proba(X), abs=1e-12)
    # Every sum that can be reached stands in the table, and more points are more risk.
    assert read_off.index.tolist() == list(range(sum(p.max() for p in deployed.base_.points_) + 1))
    assert read_off.is_monotonic_increasing
    assert models.exported_card(models.fit_model("logit", X, y, np.arange(len(X)) % 50, seed=0)) == {}


def test_scorecard_is_monotone_uses_what_matters_and_is_level(carded):
    X, y, card = carded
    names = [list(X.columns)[j] for j in card.columns_]
    # b and c are noise; with 5,000 rows their information value stays below the customary 0.02.
    assert set(names) == {"a", "income"}
    for name, points in zip(names, card.points_, strict=True):
        steps = np.diff(points[:-1])
        assert ((steps > 0) if name == "a" else (steps < 0)).all()
    # The offset is set after rounding, so mean probability is the event rate.
    assert card.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=1e-6)
    turned = models.Scorecard(monotone={"a": -1}).fit(X, y)
    assert "a" not in [list(X.columns)[j] for j in turned.columns_]


# --- Venn–Abers, village, stack --------------------------------------------------------------------------


def test_venn_abers_is_isotonic_regression_with_the_new_point_added():
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(8)
    score = rng.normal(size=60).round(1)
    y = (rng.random(60) < expit(score)).astype(float)
    new = np.r_[score[:5], -9.0, 9.0, 0.05]
    venn = models.VennAbers().fit(score, y)
    # The definition, done literally with scikit-learn's own class (Vovk and Petej 2014).
    for label, side in ((0.0, 0), (1.0, 1)):
        literal = [IsotonicRegression().fit(np.r_[score, s], np.r_[y, label]).predict([s])[0] for s in new]
        assert venn.interval(new)[:, side] == pytest.approx(literal, abs=1e-12)
    low, high = venn.interval(new).T
    p = venn.probability(new)
    assert ((low <= p) & (p <= high)).all()


def test_venn_abers_mends_a_score_that_no_affine_map_can():
    # The true chance is a step function of the score; a logistic curve through it is wrong everywhere.
    rng = np.random.default_rng(9)
    score = rng.uniform(-3, 3, 8000)
    chance = np.where(score > 1, 0.6, np.where(score > -1, 0.3, 0.02))
    y = (rng.random(8000) < chance).astype(float)
    venn = models.VennAbers().fit(score[:4000], y[:4000])
    assert np.abs(venn.probability(score[4000:]) - chance[4000:]).mean() < 0.02


def test_village_rate_is_the_beta_binomial_posterior():
    X = pd.DataFrame({"village": np.repeat(["a", "b", "c"], [10, 20, 30])})
    y = np.r_[np.ones(5), np.zeros(5), np.ones(2), np.zeros(18), np.ones(5), np.zeros(25)].astype(int)
    model = models.VillageRate(prior_rows=4).fit(X, y)
    base = 12 / 60
    assert model.predict_proba(X)[[0, 10, 30], 1] == pytest.approx(
        [(5 + 4 * base) / 14, (2 + 4 * base) / 24, (5 + 4 * base) / 34]
    )
    # A village never seen has the county's rate, and the widest interval.
    new = pd.DataFrame({"village": ["z"]})
    assert model.predict_proba(new)[0, 1] == pytest.approx(base)


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


@pytest.mark.parametrize("name", ["boosting", "lightgbm", "ebm", "scorecard"])
def test_monotone_columns_move_the_margin_one_way_only(name):
    if not models.available(name):
        pytest.skip(f"the extra {models.entry(name).extra!r} is not installed")
    rng, X = frame(3000, 12)
    # Risk falls and then rises with a: without the constraint a model bends, with it it may not.
    y = (rng.random(3000) < expit(-2 + X["a"] ** 2)).astype(int)
    grid = pd.DataFrame({"a": np.linspace(-3, 3, 61), "b": 0.0, "c": 0.0})
    free = models.make(name).fit(X, y).margin(grid)
    bound = models.make(name, {"monotone": {"a": 1}}).fit(X, y).margin(grid)
    assert np.diff(bound).min() >= -1e-12
    # A card's bins are monotone of themselves; the constraint only says which way.
    assert name == "scorecard" or np.diff(free).min() < -0.01
    with pytest.raises(ValueError, match="unknown columns \\['z'\\]"):
        models.make(name, {"monotone": {"z": 1}}).fit(X, y)


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


def test_kept_text_is_lightgbms_own_booster():
    lgb = pytest.importorskip("lightgbm", reason="the extra 'boost' is not installed")
    rng, X = frame(800, 21)
    y = (rng.random(800) < expit(-1 + X["a"])).astype(int)
    model = models.LightBoosting(max_trees=30).fit(X, y)
    # The parameters in LightGBM's own names, no early stopping: rows without villages are dealt singly, so
    # the number of trees is the one that our search found.
    theirs = lgb.train(
        {
            "objective": "binary", "learning_rate": 0.05, "max_depth": 3, "num_leaves": 8,
            "min_data_in_leaf": 20, "lambda_l2": 1.0, "seed": 0, "deterministic": True,
            "force_row_wise": True, "num_threads": 1, "verbosity": -1,
        },
        lgb.Dataset(X.to_numpy(), y.to_numpy(), params={"verbosity": -1}), model.n_trees_,
    )  # fmt: skip
    assert model.predict_proba(X)[:, 1] == pytest.approx(theirs.predict(X.to_numpy(), num_threads=1))


@pytest.mark.parametrize("name", ["logit", "boosting", "lightgbm", "ebm"])
def test_weights_of_rare_events_move_the_margin_and_leave_calibrated_chances_where_they_were(name):
    if not models.available(name):
        pytest.skip(f"the extra {models.entry(name).extra!r} is not installed")
    rng, X = frame(4000, 22)
    village = rng.integers(0, 80, 4000)
    y = (rng.random(4000) < expit(-3.5 + X["a"])).astype(int)
    plain, heavy = (models.make(name, {"event_weight": w}).fit(X, y, groups=village) for w in (1.0, 10.0))
    # Weighting events by ten adds ln 10 to the log-odds of a model that is right.
    assert np.median(heavy.margin(X) - plain.margin(X)) == pytest.approx(np.log(10), abs=0.35)
    # The calibrator sees rows as they are, so the rate is that of the county and not of the weights.
    both = models.fit_model(name, X, y, village, seed=0, params={"event_weight": 10.0})
    assert both.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.2)
    with pytest.raises(ValueError, match="event_weight=0"):
        models.make(name, {"event_weight": 0}).fit(X, y, groups=village)
