"""Incomes heaped at a threshold: county and townships tested, and the households that stand in a heap.

No single row of a heap looks wrong; that there are too many does. Whoever is listed may be as poor as
written: the figures say how many of them are to be expected there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskmodel import accounting, asof
from riskmodel.asof import Moment
from riskmodel.bunching.density import REACH, WINDOWS, Floats, Slope, jump, slope
from riskmodel.county.county import County

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
class Heaps:
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


def yearly(county: County) -> pd.DataFrame:
    """Return net income per head of every whole calendar year, by all that is known of it.

    Parameters
    ----------
    county : County

    Returns
    -------
    DataFrame
        ``household_id, year, township, pcni``; households without a known income in a year are left out.
    """
    years = _whole_years(county)
    if not years:
        return pd.DataFrame(columns=["household_id", "year", "township", "pcni"])
    # As of New Year's Day the accounting takes the year before, and the members present at its end.
    by = max(county.known_through, dt.date(years[-1] + 1, 1, 1))
    when = tuple(Moment(dt.date(year + 1, 1, 1), by) for year in years)
    t = accounting.incomes(county, when, accounting.Period(calendar_year=True))
    t = t.filter(t.pcni.notnull()).select("household_id", "as_of", "pcni")
    places = asof.households(county, when).select("household_id", "as_of", "township")
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


def heaps(county: County, thresholds: Mapping[str, Threshold], level: float = LEVEL) -> Heaps:
    """Test whether incomes per head are heaped just below or just above thresholds.

    Parameters
    ----------
    county : County
    thresholds : mapping
        Name to the amounts in force, as `riskmodel.rules.lines` gives them.
    level : float

    Returns
    -------
    Heaps
        Empty where no calendar year is whole or too few incomes lie near.
    """
    incomes = yearly(county)
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
    return Heaps(tests, _listed(tests, around))


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
            j = jump(distance, household, window, own)
            counted = [j.below, j.above, round(j.share, 4), round(j.excess, 1), j.p]
            yield [scope, place, name, lines[max(lines)], years, window, *counted]


def _townships(near: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    return [(TOWNSHIP, str(place), part) for place, part in near.groupby("township", sort=True)]


def _slope(distance: Floats) -> Slope | None:
    around = (np.abs(distance) > max(WINDOWS)).sum()
    return slope(distance) if around >= FEWEST_AROUND else None


def _adjusted(tests: pd.DataFrame, level: float) -> pd.DataFrame:
    adjusted = tests.groupby("scope")["p"].transform(lambda p: holm(p.to_numpy()))
    out = tests.assign(p_adjusted=adjusted.astype(float))
    out["side"] = np.where(out["excess"].astype(float) >= 0, "below", "above")
    out["warned"] = out["p_adjusted"] < level
    return out[TESTS]


def holm(p: Floats) -> Floats:
    """Return Holm's adjusted p-values.

    Parameters
    ----------
    p : array of shape (n,)

    Returns
    -------
    array of shape (n,)

    References
    ----------
    Holm 1979, A simple sequentially rejective multiple test procedure, Scand. J. Statistics 6.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    out = np.empty(p.size)
    out[order] = np.minimum(stepped, 1.0)
    return out


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
