"""Base forecasts: published values from R's forecast, stats and MASS, and the plain methods by hand.

Sum of household chances: every day as it was then, learnt only from years that were recorded.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import County, from_frames, month_end
from riskmodel.data.county import About
from riskmodel.forecasting import count_models, histories
from riskmodel.forecasting.counts import Counts, Hierarchy, monthly_counts


def counts(cells: np.ndarray, households: float = 300.0) -> Counts:
    i, j, t = cells.shape
    return Counts(
        tuple(f"t{k}" for k in range(i)), tuple(f"c{k}" for k in range(j)), np.arange(24_000, 24_000 + t),
        cells, np.ones(t), np.full(i, households),
    )  # fmt: skip


def seasonal(seed: int, months: int = 60, rate: float = 6.0) -> Counts:
    """Two townships, two causes, with a strong yearly season that is known."""
    rng = np.random.default_rng(seed)
    wave = rate * np.exp(0.8 * np.sin(2 * np.pi * np.arange(24_000, 24_000 + months) / 12))
    return counts(rng.poisson(wave * np.array([[[1.0], [0.5]], [[2.0], [0.2]]])).astype(float))


def test_exponential_smoothing_is_rs() -> None:
    # R: library(fpp2); oildata <- window(oil, start = 1996); ses(oildata, h = 5)
    # prints alpha = 0.8339, l = 446.5868, sigma = 28.12, and 542.6806 for 2014
    # (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 2nd ed., section 7.1).
    oil = np.array([445.36, 453.20, 454.41, 422.38, 456.04, 440.39, 425.19, 486.21, 500.43, 521.28, 508.95,
                    488.89, 509.87, 456.72, 473.82, 525.95, 549.83, 542.34])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean, variance, fitted = count_models.fit_ets(oil, 2)
    assert mean == pytest.approx([542.68, 542.68], abs=0.05)
    # forecast 8 printed sigma with n in the denominator.
    assert np.sqrt(((oil - fitted) ** 2).mean()) == pytest.approx(28.12, abs=0.01)
    # Hyndman et al. (2008), table 6.1: the second step's variance is the first's times 1 + alpha^2.
    assert variance[1] / variance[0] == pytest.approx(1 + 0.8339**2, abs=0.01)


def test_exponential_smoothing_with_seasons_is_rs() -> None:
    # R: library(fpp2); fit <- ets(austourists, model = "ANA", damped = FALSE); forecast(fit, 4)
    # prints alpha = 0.54216695, gamma = 0.39203017, sigma2 = 6.56104274 (SSE over 62) and these forecasts;
    # they are kept with their recipe in statsmodels' own tests (tsa/tests/results/fit_ets.R).
    visitors = np.array([
        30.052513, 19.148496, 25.317692, 27.591437, 32.076456, 23.487961, 28.47594, 35.123753, 36.838485,
        25.007017, 30.72223, 28.693759, 36.640986, 23.824609, 29.311683, 31.770309, 35.177877, 19.775244,
        29.60175, 34.538842, 41.273599, 26.655862, 28.279859, 35.191153, 42.20566386, 24.64917133,
        32.66733514, 37.25735401, 45.24246027, 29.35048127, 36.34420728, 41.78208136, 49.27659843,
        31.27540139, 37.85062549, 38.83704413, 51.23690034, 31.83855162, 41.32342126, 42.79900337,
        55.70835836, 33.40714492, 42.31663797, 45.15712257, 59.57607996, 34.83733016, 44.84168072,
        46.9712496, 60.01903094, 38.37117851, 46.97586413, 50.73379646, 61.64687319, 39.29956937,
        52.67120908, 54.33231689, 66.83435838, 40.87118847, 51.82853579, 57.49190993, 65.25146985,
        43.06120822, 54.76075713, 59.83447494, 73.25702747, 47.69662373, 61.09776802, 66.05576122,
    ])  # fmt: skip
    mean, variance, fitted = count_models.fit_ets(visitors, 4, season=4)
    assert mean == pytest.approx([75.32914757, 50.16726775, 62.21021038, 65.90296904], abs=0.02)
    # Both maximise the same likelihood; R stops a shade below its top.
    assert ((visitors - fitted) ** 2).sum() == pytest.approx(6.56104274 * 62, rel=0.001)
    # Hyndman et al. (2008), table 6.1, seasons of four: within a year each step adds alpha^2.
    assert variance / variance[0] == pytest.approx(1 + 0.54216695**2 * np.arange(4), rel=0.02)


def test_smoothing_does_not_stop_at_the_lower_of_two_tops() -> None:
    # R's USAccDeaths (Brockwell & Davis 1991): from statsmodels' own start the seasons drift and the root
    # mean square error is 301; with seasons that hardly move it is 253.
    deaths = np.array([
        9007, 8106, 8928, 9137, 10017, 10826, 11317, 10744, 9713, 9938, 9161, 8927, 7750, 6981, 8038, 8422,
        8714, 9512, 10120, 9823, 8743, 9129, 8710, 8680, 8162, 7306, 8124, 7870, 9387, 9556, 10093, 9620,
        8285, 8466, 8160, 8034, 7717, 7461, 7767, 7925, 8623, 8945, 10078, 9179, 8037, 8488, 7874, 8647,
        7792, 6957, 7726, 8106, 8890, 9299, 10625, 9302, 8314, 8850, 8265, 8796, 7836, 6892, 7791, 8192,
        9115, 9434, 10484, 9827, 9110, 9070, 8633, 9240,
    ], dtype=float)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = count_models.fit_ets(deaths, 1)[2]
    assert np.sqrt(((deaths - fitted) ** 2).mean()) < 255


def test_the_local_level_is_rs() -> None:
    # R: StructTS(Nile, "level") prints variances level = 1469, epsilon = 15099; Durbin & Koopman (2012,
    # 2.10.3) give 1469.1 and 15099, and the level at the end of the series 798.4.
    from statsmodels.datasets import nile
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    flow = nile.load_pandas().data["volume"].to_numpy()
    model = UnobservedComponents(flow, level="llevel", use_exact_diffuse=True)
    fit, theirs = model.fit(disp=False), model.smooth([15099, 1469])
    # The likelihood is flat at its top: optimisers stop within 2 % of R's, not a hundredth of a unit better.
    assert fit.params == pytest.approx([15099, 1469], rel=0.02)
    assert theirs.llf == pytest.approx(fit.llf, abs=0.01)
    assert theirs.get_forecast(1).predicted_mean[0] == pytest.approx(798.4, abs=0.1)
    mean, variance, _ = count_models.fit_state_space(flow[:23], 3)  # below two years: the local level alone
    alone = (
        UnobservedComponents(flow[:23], level="llevel", use_exact_diffuse=True)
        .fit(disp=False)
        .get_forecast(3)
    )
    assert mean == pytest.approx(np.asarray(alone.predicted_mean))
    assert (np.diff(variance) >= 0).all()


def test_the_overdispersion_is_mass_fitdistr() -> None:
    # R: library(MASS); mites <- rep(0:7, c(70, 38, 17, 10, 9, 3, 2, 1)); fitdistr(mites, "negative binomial")
    # gives size 1.0246, mu 1.1467; Bliss & Fisher (1953) print k = 1.02459.
    mites = np.repeat(np.arange(8), [70, 38, 17, 10, 9, 3, 2, 1])
    assert 1 / count_models.dispersion(mites, np.full(150, mites.mean())) == pytest.approx(1.02459, abs=2e-5)


# MASS's quine: days absent by origin, sex, age and learner status (146 children of Walgett).
QUINE = {
    "AMF0S": [2, 11, 14], "AMF0A": [5, 5, 13, 20, 22], "AMF1S": [6, 6, 15], "AMF1A": [7, 14],
    "AMF2S": [6, 32, 53, 57], "AMF2A": [14, 16, 16, 17, 40, 43, 46], "AMF3A": [8, 23, 23, 28, 34, 36, 38],
    "AFF0S": [3], "AFF0A": [5, 11, 24, 45], "AFF1S": [5, 6, 6, 9, 13, 23, 25, 32, 53, 54],
    "AFF1A": [5, 5, 11, 17, 19], "AFF2S": [8, 13, 14, 20, 47, 48, 60, 81], "AFF2A": [2],
    "AFF3A": [0, 2, 3, 5, 10, 14, 21, 36, 40], "NMF0S": [6, 17, 67], "NMF0A": [0, 0, 2, 7, 11, 12],
    "NMF1S": [0, 0, 5, 5, 5, 11, 17], "NMF1A": [3, 4], "NMF2S": [22, 30, 36],
    "NMF2A": [8, 0, 1, 5, 7, 16, 27], "NMF3A": [0, 30, 10, 14, 27, 41, 69], "NFF0S": [25],
    "NFF0A": [10, 11, 20, 33], "NFF1S": [5, 7, 0, 1, 5, 5, 5, 5, 7, 11, 15],
    "NFF1A": [5, 14, 6, 6, 7, 28], "NFF2S": [0, 5, 14, 2, 2, 3, 8, 10, 12], "NFF2A": [1],
    "NFF3A": [1, 9, 22, 3, 3, 5, 15, 18, 22, 37],
}  # fmt: skip


def test_the_regression_is_mass_glm_nb() -> None:
    # R: library(MASS); glm.nb(Days ~ Eth * Sex * Age * Lrn, data = quine)
    # prints Theta: 1.928, 2 x log-likelihood: -1039.324 (Crawley, The R Book, 2nd ed., section 14.6; the
    # model has 28 cells, its coefficients their logs).
    from scipy.stats import nbinom

    y = np.concatenate([np.array(v, dtype=float) for v in QUINE.values()])
    assert y.size == 146
    x = np.repeat(np.eye(len(QUINE)), [len(v) for v in QUINE.values()], axis=0)
    beta, alpha = count_models.regress(y, x, np.zeros(146), rounds=20)
    assert 1 / alpha == pytest.approx(1.928, abs=0.0006)
    mu = np.exp(x @ beta)
    loglik = nbinom.logpmf(y, 1 / alpha, 1 / (1 + alpha * mu)).sum()
    assert 2 * loglik == pytest.approx(-1039.324, abs=0.001)
    assert np.exp(beta) == pytest.approx([np.mean(v) for v in QUINE.values()], rel=1e-4)


def test_regression_equals_statsmodels_maximum_likelihood() -> None:
    # The alternation of MASS::glm.nb ends at the joint maximum: statsmodels' NB2 by maximum likelihood.
    import statsmodels.api as sm

    rng = np.random.default_rng(8)
    months = np.arange(24_000, 24_120)
    mu = 12 * np.exp(count_models.seasonal_terms(months) @ np.array([0.4, 0.1, -0.2, 0.0]))
    y = rng.negative_binomial(3, 3 / (3 + mu)).astype(float)
    found = count_models.fit(counts(y[None, None, :], 1.0), 1)
    x = sm.add_constant(count_models.seasonal_terms(months))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = sm.NegativeBinomial(y, x).fit(
            disp=0, maxiter=200, start_params=[2.5, 0.4, 0.1, -0.2, 0.0, 0.3]
        )
    # A fiftieth is borrowed from the county's mean, so equal up to that.
    assert found.alpha == pytest.approx(both.params[-1], rel=0.02)
    assert found.fitted.ravel() == pytest.approx(both.predict(x), rel=0.04)


def test_a_known_series_ahead_moves_the_regression() -> None:
    # Twice as many where the known series is 1: its coefficient is log 2, the forecast follows it.
    rng = np.random.default_rng(9)
    known = (np.arange(72) % 5 == 0).astype(float)[:, None]
    y = rng.poisson(20 * (1 + known[:60, 0]))[None, None, :].astype(float)
    found = count_models.fit(counts(y), 12, known)
    ratio = found.mean[0, known[60:, 0] == 1].mean() / found.mean[0, known[60:, 0] == 0].mean()
    assert ratio == pytest.approx(2.0, rel=0.12)


def test_plain_methods_by_hand() -> None:
    y = np.arange(1.0, 25.0)[None, None, :]
    tree = Hierarchy(("t0",), ("c0",))
    naive = count_models.seasonal_naive(counts(y), tree, 14)
    assert naive.mean[0].tolist() == [*range(13, 25), 13, 14]
    # Every seasonal difference is 12.
    assert np.unique(naive.errors).tolist() == [12.0]
    assert count_models.mean(counts(y), tree, 2).mean[0].tolist() == [18.5, 18.5]


@pytest.mark.parametrize("name", ["ets", "state_space", "negbin"])
def test_methods_find_a_season_and_keep_shapes(name: str) -> None:
    known = seasonal(1)
    tree = Hierarchy(known.townships, known.causes)
    base = count_models.METHODS[name](known, tree, 12)
    truth = 6.0 * 3.7 * np.exp(0.8 * np.sin(2 * np.pi * np.arange(24_060, 24_072) / 12))
    assert base.mean.shape == base.variance.shape == (9, 12)
    assert base.errors.shape[1] == 9
    assert np.abs(base.mean[0] - truth).mean() < 0.25 * truth.mean()
    assert (base.variance > 0).all()


@pytest.mark.parametrize("name", list(count_models.METHODS))
@pytest.mark.parametrize("months", [5, 14, 30])
def test_short_and_empty_series_give_forecasts_not_errors(name: str, months: int) -> None:
    cells = np.zeros((2, 2, months))
    cells[0, 0, ::3] = 1
    known = counts(cells)
    base = count_models.METHODS[name](known, Hierarchy(known.townships, known.causes), 6)
    assert np.isfinite(base.mean).all()
    assert np.isfinite(base.variance).all()
    assert (base.mean > -5).all()


NOW, THEN = dt.date(2020, 12, 31), dt.date(2020, 6, 30)


@pytest.fixture(scope="module")
def known(county: County) -> Counts:
    return monthly_counts(county, NOW)


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """A small county has few entries: fewer are asked for here."""
    patch = pytest.MonkeyPatch()
    patch.setattr(count_models, "MIN_EVENTS", 1)
    yield
    patch.undo()


def test_a_past_day_is_forecast_from_as_it_was(
    county: County, known: Counts, frames: dict[str, pd.DataFrame], about: About
) -> None:
    # Everything recorded after the past day is taken away: its scale, variances, lessons and chances stay.
    forecasts, why_not = count_models.bottom_up_forecasts(county, [THEN, NOW], known, 12, "national-2021")
    assert why_not is None
    assert set(forecasts) == {THEN, NOW}
    cut = {
        name: t[pd.to_datetime(t["recorded_on"]) <= pd.Timestamp(THEN)] if "recorded_on" in t else t
        for name, t in frames.items()
    }
    assert len(cut["income"]) < len(frames["income"])
    before, _ = count_models.bottom_up_forecasts(
        from_frames(cut, about), [THEN, NOW], known, 12, "national-2021"
    )
    assert before[THEN].mean == pytest.approx(forecasts[THEN].mean)
    assert before[NOW].mean != pytest.approx(forecasts[NOW].mean)


def test_lessons_are_over_and_recorded_by_the_day_that_learns_from_them(
    county: County, known: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: dict[dt.date, list[dt.date]] = {}

    def note(county: County, past: pd.DataFrame, now: pd.DataFrame, as_of: dt.date) -> None:
        learnt[as_of] = list(past["as_of"].dt.date)
        assert set(now["as_of"].dt.date) == {as_of}

    monkeypatch.setattr(count_models, "entry_probabilities", note)
    _, why_not = count_models.bottom_up_forecasts(county, [THEN, NOW], known, 12, "national-2021")
    assert "fewer than 1 entries" in why_not.text("en")
    # A year and 120 days after 2018-12-31 is 2020-04-29, after 2019-06-30 it is 2020-10-28.
    assert max(learnt[THEN]) == dt.date(2018, 12, 31)
    assert max(learnt[NOW]) == dt.date(2019, 6, 30)


def test_it_is_compared_on_every_day_or_left_out(
    county: County, known: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On one of the days it has nothing to say: on fewer days than the others it would decide for all of them.
    monkeypatch.setattr(
        count_models,
        "entry_probabilities",
        lambda county, past, now, as_of: None if as_of == THEN else now.assign(probability=0.1),
    )
    forecasts, why_not = count_models.bottom_up_forecasts(county, [THEN, NOW], known, 12, "national-2021")
    assert forecasts == {}
    assert "could learn from on 2020-06-30" in why_not.text("en")
    forecasts, why_not = count_models.bottom_up_forecasts(county, [NOW], known, 12, "national-2021")
    assert set(forecasts) == {NOW}
    assert why_not is None


def test_a_large_county_learns_from_whole_villages_and_scores_every_household(
    county: County, known: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {}
    chances = count_models.entry_probabilities

    def note(county: County, past: pd.DataFrame, now: pd.DataFrame, as_of: dt.date) -> pd.DataFrame | None:
        sizes[as_of] = past["household_id"].nunique(), now["household_id"].nunique()
        return chances(county, past, now, as_of)

    monkeypatch.setattr(count_models, "TRAINING_HOUSEHOLDS", 200)
    monkeypatch.setattr(count_models, "entry_probabilities", note)
    forecasts, why_not = count_models.bottom_up_forecasts(county, [NOW], known, 12, "national-2021")
    everybody = histories.household_histories(county, [NOW], quarters=False)
    outside = (~everybody["in_register"].eq(True)).sum()
    assert sizes[NOW][0] < 210
    assert sizes[NOW][1] == outside
    assert why_not is None
    assert NOW in forecasts


def test_why_there_is_none_is_said(county: County, known: Counts) -> None:
    early = month_end(2017 * 12 + 11)
    forecasts, why_not = count_models.bottom_up_forecasts(county, [early], known, 12, "national-2021")
    assert forecasts == {}
    assert "no year of entries is recorded" in why_not.text("en")
    assert np.isfinite(known.cells).all()
