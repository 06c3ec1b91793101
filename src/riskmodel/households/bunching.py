"""Bunching of incomes at a threshold, such as the poverty line: a check of records by their density.

No single row of bunched incomes looks wrong; that too many stand just on one side of a line does. The density
of incomes is smooth where nobody gains by standing on one side. Of the n households within a window of the
threshold, the number below is binomial with a share that the density's slope gives: with log density
b₁·r + b₂·r² in the distance r from the threshold (in shares of it), log(share below / share above) = −b₁·w in
a window of half-width w. The slope is fitted to the counts farther out, which bunching at the threshold does
not touch. Whoever is listed may be as poor as written: the figures say how many of them are to be expected.

References
----------
McCrary 2008, Manipulation of the running variable in the regression discontinuity design: a density test,
J. Econometrics 142. Cattaneo, Jansson and Ma 2020, Simple local polynomial density estimators, JASA 115
(the binomial test near the threshold). Kleven 2016, Bunching, Annual Review of Economics 8 (the
counterfactual from outside the window).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.data import County, FurtherCheck
from riskmodel.households.known import known_county
from riskmodel.households.periods import AccountingPeriod
from riskmodel.households.point_in_time import HOUSEHOLD_STATES, Moment
from riskmodel.i18n import LANGUAGES, Language, text

Floats = NDArray[np.floating]
REACH = 0.30  # of the threshold, on either side: far enough for a slope, near enough for a parabola
BIN = 0.01
# Of the threshold, half-widths: a slip of the pen to a few yuan a day. Corrected for together.
WINDOWS = (0.01, 0.025, 0.05)
_STEPS = 50
_CLOSE = 1e-10


@dataclass(frozen=True)
class DensitySlope:
    """How the log density rises with the distance from the threshold, and how surely that is known."""

    value: float
    error: float


@dataclass(frozen=True)
class DensityJump:
    """Households within a window of a threshold, and how likely so uneven a split is by chance.

    Parameters
    ----------
    below, above : int
        Exactly at the threshold is neither: round figures heap there by themselves.
    share : float
        Expected share below, of both.
    p_below, p_above : float
        Chance of at least so many below, and above, where nothing bunches.
    """

    below: int
    above: int
    share: float
    p_below: float
    p_above: float

    @property
    def p(self) -> float:
        """Two-sided p-value."""
        return min(1.0, 2 * min(self.p_below, self.p_above))

    @property
    def excess(self) -> float:
        """How many more stand below than expected; negative where they stand above."""
        return self.below - self.share * (self.below + self.above)


def density_slope(distance: Floats, reach: float = REACH, spared: float = max(WINDOWS)) -> DensitySlope:
    """Fit the slope of the log density at a threshold from the counts on both sides farther out.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = density_slope(rng.uniform(-0.3, 0.3, 5000))
    >>> bool(abs(found.value) < 3 * found.error)
    True
    """
    edges = np.linspace(-reach, reach, round(2 * reach / BIN) + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram(distance, edges)[0].astype(float)
    used = np.abs(middle) > spared
    x = np.column_stack([np.ones(middle.size), middle, middle**2])[used]
    coefficients, covariance = fit_poisson(x, counts[used])
    mean = np.exp(x @ coefficients)
    dispersion = ((counts[used] - mean) ** 2 / mean).sum() / (used.sum() - x.shape[1])
    return DensitySlope(float(coefficients[1]), float(np.sqrt(covariance[1, 1] * max(1.0, dispersion))))


def fit_poisson(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return coefficients and covariance of a Poisson regression with log link, by Newton's method."""
    # A quarter of a count keeps the start finite where bins are empty.
    beta = np.linalg.lstsq(x, np.log(y + 0.25), rcond=None)[0]
    for _ in range(_STEPS):
        mean = np.exp(np.clip(x @ beta, -30, 30))
        information = x.T @ (mean[:, None] * x)
        step = np.linalg.solve(information, x.T @ (y - mean))
        beta = beta + step
        if np.abs(step).max() < _CLOSE:
            break
    return beta, np.linalg.inv(x.T @ (np.exp(np.clip(x @ beta, -30, 30))[:, None] * x))


def density_jump(
    distance: Floats, household: NDArray[Any], window: float, given: DensitySlope
) -> DensityJump:
    """Hold the split within a window against the split that a smooth density gives."""
    near = (np.abs(distance) <= window) & (distance != 0)
    under = distance[near] < 0
    n, k = int(near.sum()), int(under.sum())
    share = float(1 / (1 + np.exp(given.value * window)))
    if n < 2:
        return DensityJump(k, n - k, share, 1.0, 1.0)
    spread = share * (1 - share)
    sums = np.bincount(np.unique(household[near], return_inverse=True)[1], under - share)
    repeated = max(1.0, float((sums**2).sum()) / (n * spread))
    error = spread * window * given.error
    inside = ((repeated - 1) + n * error**2 / spread) / (n - 1)
    p_below, p_above = _tails(k, n, share, min(inside, 0.99))
    return DensityJump(k, n - k, share, p_below, p_above)


def _tails(k: int, n: int, share: float, inside: float) -> tuple[float, float]:
    """Return P(K ≥ k) and P(K ≤ k) of a beta-binomial with a correlation ``inside``; a binomial at 0."""
    from scipy import stats

    if inside < 1e-9:
        law = stats.binom(n, share)
    else:
        total = 1 / inside - 1
        law = stats.betabinom(n, share * total, (1 - share) * total)
    return float(law.sf(k - 1)), float(law.cdf(k))


# Of any false warning over all looks at the county, and once more over all looks at its townships.
LEVEL = 0.025
FEWEST_NEAR = 10  # fewer within the widest window could not reach the level, and would only cost the others
FEWEST_AROUND = 100  # fewer farther out give no slope
COUNTY, TOWNSHIP = "county", "township"
TESTS = [
    "scope", "place", "threshold", "line", "years", "window", "below", "above", "share_expected", "excess",
    "p", "p_adjusted", "side", "warned",
]  # fmt: skip
HOUSEHOLDS = ["household_id", "year", "township", "pcni", "threshold", "line"]
# The line in force on each day, in yuan a head and year; None where there is none.
Threshold = Callable[[County, list[dt.date]], Mapping[dt.date, float | None]]


@dataclass(frozen=True)
class BunchingResult:
    """What was tested, and who stands in a heap.

    Parameters
    ----------
    tests : DataFrame
        `TESTS`: a row per place, threshold and window. ``window`` and ``share_expected`` are shares,
        ``line`` the newest year's in yuan, ``below``, ``above`` and ``excess`` household-years (``excess``
        more below than expected, negative where above), ``p`` two-sided, ``p_adjusted`` Holm's over the
        scope, ``side`` where too many stand, ``warned`` p_adjusted below `LEVEL`.
    households : DataFrame
        `HOUSEHOLDS`: household-years within the widest warned window on the warned side.
    """

    tests: pd.DataFrame
    households: pd.DataFrame

    @property
    def warned(self) -> pd.DataFrame:
        """The tests that warn."""
        return self.tests[self.tests["warned"]]


def annual_incomes(county: County) -> pd.DataFrame:
    """Return net income per head of every whole calendar year, by all that is known of it."""
    years = _whole_years(county)
    if not years:
        return pd.DataFrame(columns=["household_id", "year", "township", "pcni"])
    # As of New Year's Day the accounting takes the year before, and the members present at its end.
    by = max(county.known_through, dt.date(years[-1] + 1, 1, 1))
    when = tuple(Moment(dt.date(year + 1, 1, 1), by) for year in years)
    known = known_county(county, when)
    t = known.incomes(AccountingPeriod(calendar_year=True))
    t = t.filter(t.pcni.notnull()).select("household_id", "as_of", "pcni")
    places = known.rows(HOUSEHOLD_STATES).select("household_id", "as_of", "township")
    out = t.inner_join(places, ["household_id", "as_of"]).order_by("as_of", "household_id").to_pandas()
    out["year"] = pd.to_datetime(out["as_of"]).dt.year - 1
    return out[["household_id", "year", "township", "pcni"]]


def _whole_years(county: County) -> list[int]:
    income = county.table("income")
    first = income.month_from.min().to_pyarrow().as_py()
    if first is None:
        return []
    through = county.data_through
    last = through.year if (through.month, through.day) == (12, 31) else through.year - 1
    return list(range(-(-first // 12), last + 1))


def detect_bunching(
    county: County, thresholds: Mapping[str, Threshold], level: float = LEVEL
) -> BunchingResult:
    """Test whether incomes per head are heaped just below or just above thresholds."""
    incomes = annual_incomes(county)
    days = [dt.date(int(year), 12, 31) for year in sorted(incomes["year"].unique())]
    near: list[pd.DataFrame] = []
    rows: list[list[object]] = []
    for name, amounts in thresholds.items():
        lines = {day.year: line for day, line in amounts(county, days).items() if line} if days else {}
        part = _near(incomes, lines, name)
        near.append(part)
        rows += _tests(part, name, lines)
    tests = _adjusted(pd.DataFrame(rows, columns=TESTS[:-3]), level)
    around = pd.concat(near, ignore_index=True) if near else _near(incomes, {}, "")
    return BunchingResult(tests, _listed(tests, around))


def _near(incomes: pd.DataFrame, lines: Mapping[int, float], name: str) -> pd.DataFrame:
    out = incomes.assign(threshold=name, line=incomes["year"].map(lines).astype(float))
    out["distance"] = out["pcni"].astype(float) / out["line"] - 1
    return out[out["distance"].abs() <= REACH]


def _tests(near: pd.DataFrame, name: str, lines: Mapping[int, float]) -> Iterator[list[object]]:
    whole = _slope(near["distance"].to_numpy())
    if whole is None:
        return
    years = f"{min(lines)}-{max(lines)}"
    for scope, place, part in [(COUNTY, "", near), *_townships(near)]:
        distance, household = part["distance"].to_numpy(), part["household_id"].to_numpy()
        if (np.abs(distance) <= max(WINDOWS)).sum() < FEWEST_NEAR:
            continue
        # Where a place has too few for a slope of its own, the county's stands for it.
        own = _slope(distance) or whole
        for window in WINDOWS:
            j = density_jump(distance, household, window, own)
            counted = [j.below, j.above, round(j.share, 4), round(j.excess, 1), j.p]
            yield [scope, place, name, lines[max(lines)], years, window, *counted]


def _townships(near: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    return [(TOWNSHIP, str(place), part) for place, part in near.groupby("township", sort=True)]


def _slope(distance: Floats) -> DensitySlope | None:
    around = (np.abs(distance) > max(WINDOWS)).sum()
    return density_slope(distance) if around >= FEWEST_AROUND else None


def _adjusted(tests: pd.DataFrame, level: float) -> pd.DataFrame:
    from statsmodels.stats.multitest import multipletests

    def holm(p: pd.Series) -> Floats:
        return multipletests(p, method="holm")[1]

    adjusted = tests.groupby("scope")["p"].transform(holm)
    out = tests.assign(p_adjusted=adjusted.astype(float))
    out["side"] = np.where(out["excess"].astype(float) >= 0, "below", "above")
    out["warned"] = out["p_adjusted"] < level
    return out[TESTS]


def _listed(tests: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """Return the household-years of every warned place within its widest warned window."""
    hit = np.zeros(len(near), bool)
    for row in tests[tests["warned"]].itertuples():
        there = np.array(near["threshold"] == row.threshold)
        if row.scope == TOWNSHIP:
            there &= np.array(near["township"] == row.place)
        distance = near["distance"].to_numpy()
        beyond = (distance < 0) if row.side == "below" else (distance > 0)
        hit |= there & beyond & (np.abs(distance) <= row.window)
    return near.loc[hit, HOUSEHOLDS].sort_values(["year", "household_id"], ignore_index=True)


TESTS_FILE, HOUSEHOLDS_FILE = "heaps.csv", "heaped.csv"


def bunching_check(thresholds: Mapping[str, Threshold]) -> Callable[[County], FurtherCheck]:
    """Return the check of heaped incomes as `riskmodel.data.check_county` takes it.

    Parameters
    ----------
    thresholds : mapping
        As `detect_bunching` takes them.

    Returns
    -------
    callable
        County to `Further`: key ``heaps`` with ``looks, smallest_p, warned`` (the rows that warn) and
        ``listed`` (household-years); files ``heaps.csv`` (every test) and ``heaped.csv`` (who is listed).
    """

    def further(county: County) -> FurtherCheck:
        found = detect_bunching(county, thresholds)
        looks = len(found.tests)
        figures = {
            "looks": looks,
            "smallest_p": float(found.tests["p_adjusted"].min()) if looks else None,
            "warned": [{str(k): v for k, v in row.items()} for row in found.warned.to_dict("records")],
            "listed": len(found.households),
        }
        told = {language: bunching_sentences(found, language) for language in LANGUAGES}
        return FurtherCheck(
            "heaps", figures, told, {TESTS_FILE: found.tests, HOUSEHOLDS_FILE: found.households}
        )

    return further


def bunching_sentences(result: BunchingResult, lang: Language) -> list[str]:
    """Say in a line each what the tests found; the smallest p-value where they found nothing."""
    if len(result.tests) and not len(result.warned):
        least = float(result.tests["p_adjusted"].min())
        return [text("data.quality.no_heap", lang, n=len(result.tests), p=least)]
    # One sentence a place and threshold: the window that speaks loudest.
    best = result.warned.sort_values("p").drop_duplicates(["scope", "place", "threshold"])
    return [_sentence(row, lang) for _, row in best.sort_values(["scope", "place"]).iterrows()]


def _sentence(row: pd.Series, lang: Language) -> str:
    below = row["side"] == "below"
    both = row["below"] + row["above"]
    places = {
        "place": row["place"] or text("data.quality.heap_place", lang),
        "side": text(f"data.quality.heap_{row['side']}", lang),
        "there": row[row["side"]],
        "expected": both * (row["share_expected"] if below else 1 - row["share_expected"]),
    }
    named = {k: row[k] for k in ("threshold", "window", "years")}
    return text("data.quality.heap", lang, **places, **named, amount=f"{row['line']:g}", p=row["p_adjusted"])
