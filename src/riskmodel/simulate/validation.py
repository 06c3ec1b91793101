"""Measuring a profile against published figures: ``riskmodel simulate --validate``.

What a county is measured by against published figures: one function a measure, named in `MEASURES`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from riskmodel.errors import SpecError
from riskmodel.io import Spec, parse_spec, read_yaml
from riskmodel.simulate import office
from riskmodel.simulate.history import CATEGORIES, SOURCES
from riskmodel.simulate.observed import LEVEL_YEAR, REGISTER_YEAR, Years, observe
from riskmodel.simulate.parameters import CAUSES, Profile, load_profile
from riskmodel.simulate.state import Bools, Floats

Measure = Callable[[Years, str], float]
FIFTHS = 5
LAGS = (3, 4, 5)


def _level(y: Years) -> Bools:
    """Return who is there in the year that levels are taken in."""
    return y.persons[:, y.at(LEVEL_YEAR)] > 0


def _of_year(y: Years, values: Floats) -> Floats:
    return values[..., _level(y), y.at(LEVEL_YEAR)]


def income_mean(y: Years, _: str) -> float:
    """Return the mean net income a head, over persons."""
    return float(_of_year(y, y.net).sum() / _of_year(y, y.persons).sum())


def income_median(y: Years, _: str) -> float:
    """Return the median person's net income a head, as a share of the mean."""
    value, weight = _of_year(y, y.pcni), _of_year(y, y.persons)
    at = np.argsort(value, kind="stable")
    half = np.searchsorted(np.cumsum(weight[at]), weight.sum() / 2)
    return float(value[at][half] / income_mean(y, ""))


def _fifths(y: Years) -> list[np.ndarray]:
    """Return the households of each fifth, poorest first: equal numbers of households, as in yearbooks."""
    return [
        np.asarray(part) for part in np.array_split(np.argsort(_of_year(y, y.pcni), kind="stable"), FIFTHS)
    ]


def income_fifth(y: Years, which: str) -> float:
    """Return a fifth's mean income a head as a share of the mean of the fifths (1 = poorest)."""
    net, persons = _of_year(y, y.net), _of_year(y, y.persons)
    means = [net[part].sum() / persons[part].sum() for part in _fifths(y)]
    return float(means[int(which) - 1] / np.mean(means))


def fifths_ratio(y: Years, _: str) -> float:
    """Return the richest fifth's income a head over the poorest's."""
    return income_fifth(y, "5") / income_fifth(y, "1")


def fifths_persons(y: Years, _: str) -> float:
    """Return persons a household of the poorest fifth over those of the richest."""
    persons, fifths = _of_year(y, y.persons), _fifths(y)
    return float(persons[fifths[0]].mean() / persons[fifths[-1]].mean())


def income_share(y: Years, source: str) -> float:
    """Return a source's share in net income."""
    by = _of_year(y, y.income).sum(axis=1)
    return float(by[SOURCES.index(source)] / by.sum())


def fifth_share(y: Years, which: str) -> float:
    """Return a source's share in a fifth's net income; ``which`` is ``fifth:source``."""
    fifth, source = which.split(":")
    by = _of_year(y, y.income)[:, _fifths(y)[int(fifth) - 1]].sum(axis=1)
    return float(by[SOURCES.index(source)] / by.sum())


def consumption_share(y: Years, category: str) -> float:
    """Return a category's share in consumption."""
    spent = _of_year(y, y.spending)[CATEGORIES.index(category)]
    return float(spent.sum() / _of_year(y, y.consumption).sum())


def consumption_rate(y: Years, _: str) -> float:
    """Return consumption as a share of net income."""
    return float(_of_year(y, y.consumption).sum() / _of_year(y, y.net).sum())


def health_above(y: Years, share: str) -> float:
    """Return the share of households whose own health spending exceeds a share of their consumption."""
    spent = _of_year(y, y.spending)[CATEGORIES.index("medical")]
    return float((spent > float(share) * _of_year(y, y.consumption)).mean())


def impoverished(y: Years, _: str) -> float:
    """Return the share of households above the line whose own health spending takes them below it."""
    net, line = _of_year(y, y.net), y.line * _of_year(y, y.persons)
    left = net - _of_year(y, y.spending)[CATEGORIES.index("medical")]
    return float(((net >= line) & (left < line)).mean())


def persons_all(y: Years, _: str) -> float:
    """Return persons a household."""
    return float(_of_year(y, y.persons).mean())


def persons_watched(y: Years, _: str) -> float:
    """Return persons a household under watch."""
    return float(y.persons[y.watched(REGISTER_YEAR)[1], y.at(REGISTER_YEAR)].mean())


def watched_share(y: Years, _: str) -> float:
    """Return persons under watch for each person of lifted households."""
    persons = y.persons[:, y.at(REGISTER_YEAR)]
    return float(persons[y.watched(REGISTER_YEAR)[1]].sum() / persons[y.lifted].sum())


def watched_lifted(y: Years, _: str) -> float:
    """Return the share of lifted households among those under watch but for sudden hardship."""
    category = y.watched(REGISTER_YEAR)[3]
    lifted = np.sum(category == office.CATEGORIES.index("unstable_lifted"))
    return float(lifted / (lifted + np.sum(category == office.CATEGORIES.index("marginal"))))


def watched_cause(y: Years, cause: str) -> float:
    """Return the share of households under watch whose main cause is the one named."""
    # Three year ends: the register of one holds too few households for the rarer causes.
    ends = [y.watched(REGISTER_YEAR + k)[4] for k in (-1, 0, 1)]
    return float(np.mean(np.concatenate(ends) == CAUSES.index(cause)))


def new_of_watched(y: Years, _: str) -> float:
    """Return those newly identified in a year for each household under watch at its end."""
    year = y.register[0] // 12 == REGISTER_YEAR
    new = np.sum(year & (y.register[2] == office.IDENTIFIED))
    return float(new / y.watched(REGISTER_YEAR).shape[1])


def check_yield(y: Years, _: str) -> float:
    """Return the share of visits to flagged households that confirm, absences left out."""
    _, _, outcome, _, by = y.visits
    spec = (by == office.SELECTED.index("rule")) & (outcome != office.OUTCOMES.index("absent"))
    return float(np.mean(outcome[spec] == office.OUTCOMES.index("confirmed")))


def _pairs(y: Years) -> tuple[Floats, Floats]:
    return y.poor[:, :-1], y.poor[:, 1:]


def entry(y: Years, _: str) -> float:
    """Return the yearly chance to fall below the line of those above it."""
    now, then = _pairs(y)
    return float(np.nanmean(then[(now == 0) & ~np.isnan(then)]))


def exit_after(y: Years, years: str) -> float:
    """Return the chance to rise above the line after so many poor years in a row (the spell's start seen)."""
    n, poor = int(years), y.poor
    out = []
    for at in range(n, poor.shape[1] - 1):
        spell = (poor[:, at - n + 1 : at + 1] == 1).all(axis=1) & (poor[:, at - n] == 0)
        out.append(1 - poor[spell, at + 1])
    return float(np.nanmean(np.concatenate(out)))


def poor_again(y: Years, _: str) -> float:
    """Return the chance to be poor 3 to 5 years after an escape, averaged over the three years."""
    poor, out = y.poor, []
    for at in range(1, poor.shape[1]):
        escaped = (poor[:, at - 1] == 1) & (poor[:, at] == 0)
        out += [poor[escaped, at + lag] for lag in LAGS if at + lag < poor.shape[1]]
    return float(np.nanmean(np.concatenate(out)))


def seen_before(y: Years, _: str) -> float:
    """Return entry of those seen poor in earlier years over entry of those never seen poor."""
    now, then = _pairs(y)
    before = np.cumsum(np.nan_to_num(y.poor), axis=1)[:, :-1] > 0
    known = (now == 0) & ~np.isnan(then)
    known[:, :2] = False
    return float(then[known & before].mean() / then[known & ~before].mean())


def _log_pairs(y: Years, lag: int) -> tuple[Floats, Floats]:
    a, b = y.pcni[:, :-lag].ravel(), y.pcni[:, lag:].ravel()
    # Incomes near or below zero have no logarithm; surveys leave them out as well.
    known = (a > 100) & (b > 100)
    return np.log(a[known]), np.log(b[known])


def autocorrelation(y: Years, lag: str) -> float:
    """Return the correlation of log income a head with itself some years on."""
    return float(np.corrcoef(*_log_pairs(y, int(lag)))[0, 1])


def change_sd(y: Years, _: str) -> float:
    """Return the standard deviation of the one-year change of log income a head."""
    before, after = _log_pairs(y, 1)
    return float(np.std(after - before))


def supported_risk(y: Years, _: str) -> float:
    """Return the mean chance to be below the line in 12 months of those given support."""
    return y.supported


def unsupported_risk(y: Years, _: str) -> float:
    """Return the same, were all support to end at once."""
    return y.unsupported


MEASURES: dict[str, Measure] = {
    measure.__name__: measure
    for measure in (
        income_mean,
        income_median,
        income_fifth,
        fifths_ratio,
        fifths_persons,
        income_share,
        fifth_share,
        consumption_share,
        consumption_rate,
        health_above,
        impoverished,
        persons_all,
        persons_watched,
        watched_share,
        watched_lifted,
        watched_cause,
        new_of_watched,
        check_yield,
        entry,
        exit_after,
        poor_again,
        seen_before,
        autocorrelation,
        change_sd,
        supported_risk,
        unsupported_risk,
    )
}


TARGETS = Path(__file__).with_name("targets.yaml")
VALIDATION_HOUSEHOLDS = 30_000
# What is said of a miss that the targets do not explain.
BY_CHANCE = "no reason in the process is known; one county scatters: try more households or another seed"
COLUMNS = [
    "id",
    "en",
    "zh",
    "target_low",
    "target_high",
    "simulated",
    "deviation",
    "tolerance",
    "met",
    "unit",
    "use",
    "profile",
    "year",
    "source",
    "why",
]


class Target(Spec):
    """One published figure: what it is, where it is from, and how near a county should come."""

    zh: str
    en: str
    profiles: tuple[str, ...]
    measure: str
    of: str = ""
    year: str
    value: float | tuple[float, float]
    tolerance: float = Field(gt=0)
    use: Literal["fitted", "checked"]
    source: str
    unit: Literal["share", "yuan", "persons", "ratio"] = "share"
    why: str = ""

    @field_validator("measure")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in MEASURES:
            raise ValueError(f"no measure {name!r}; known: {', '.join(MEASURES)}")
        return name

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest published value."""
        return self.value if isinstance(self.value, tuple) else (self.value, self.value)


def load_targets(path: str | Path = TARGETS) -> dict[str, Target]:
    """Read the published figures.

    Parameters
    ----------
    path
        A file in the form of the packaged ``targets.yaml``.

    Returns
    -------
    dict of Target
        By id.

    Raises
    ------
    SpecError
        If the file does not fit.

    Examples
    --------
    >>> load_targets()["check_yield"].value
    0.329
    """
    given = read_yaml(Path(path))
    if not isinstance(given, dict) or not isinstance(given.get("targets"), dict):
        raise SpecError(f"{path}: needs a mapping `targets` from ids to published figures")
    groups = given.get("groups", {})
    out = {}
    for name, one in given["targets"].items():
        group = one.pop("group", None)
        if group is not None and group not in groups:
            raise SpecError(f"{path}: {name}: no group {group!r}; known: {', '.join(groups)}")
        out[name] = parse_spec({**groups.get(group, {}), **one}, Target, f"{path}: {name}")
    return out


def validate_profile(
    name: str | Path | Profile = "default", *, households: int = VALIDATION_HOUSEHOLDS, seed: int = 0
) -> pd.DataFrame:
    """Simulate a county over eight years and measure it against the published figures of its profile.

    Parameters
    ----------
    name : str, Path or Profile
        A profile with no figures of its own (a file of yours, the disaster year) is measured by the
        default county's.
    households
        Size of the simulated county: more of them, less chance in the comparison.
    seed
        The same seed gives the same table.

    Returns
    -------
    DataFrame
        A row a figure, see `COLUMNS`: ``target_low, target_high`` as published, ``simulated``,
        ``deviation`` from the nearer end (0 between them), ``tolerance``, ``met``, ``use`` (fitted or
        only checked), ``why`` where it is missed and the reason is known.
    """
    given = load_profile(name)
    targets = load_targets()
    own = {k: t for k, t in targets.items() if given.id in t.profiles}
    chosen = own or {k: t for k, t in targets.items() if "default" in t.profiles}
    years = observe(given, households, seed)
    rows = []
    for key, target in chosen.items():
        found = MEASURES[target.measure](years, target.of)
        low, high = target.span
        off = found - min(max(found, low), high)
        met = bool(abs(off) <= target.tolerance)
        rows.append(
            {
                **target.model_dump(include={"en", "zh", "tolerance", "unit", "use", "year", "source"}),
                "id": key,
                "target_low": low,
                "target_high": high,
                "simulated": found,
                "deviation": off,
                "met": met,
                "profile": given.id,
                "why": "" if met else target.why or BY_CHANCE,
            }
        )
    return pd.DataFrame(rows)[COLUMNS]


def summarise_validation(table: pd.DataFrame) -> dict[str, Any]:
    """Count what is met and name what is missed.

    Parameters
    ----------
    table
        From `validate_profile`.

    Returns
    -------
    dict
        Counts of figures fitted and only checked, and of those that are met.
    """
    fitted = table["use"] == "fitted"
    return {
        "fitted": int(fitted.sum()),
        "fitted_met": int((fitted & table["met"]).sum()),
        "checked": int((~fitted).sum()),
        "checked_met": int((~fitted & table["met"]).sum()),
        "missed": list(table.loc[~table["met"], "id"]),
    }


def describe_validation(table: pd.DataFrame) -> str:
    """Return the table for people: a line a figure, then what is missed and why.

    Parameters
    ----------
    table
        From `validate_profile`.

    Returns
    -------
    str
        One line a figure: met or not, target, simulated value, deviation and tolerance.
    """
    width = max(len(name) for name in table["en"])
    lines = [
        f"   {'':{width}} {'target':>15} {'simulated':>10} {'deviation':>10} {'tolerance':>10}  "
        f"{'use':8} {'profile':13} {'year':10} source"
    ]
    for row in table.to_dict("records"):
        low, high = _number(row["target_low"], row["unit"]), _number(row["target_high"], row["unit"])
        target = low if low == high else f"{low}..{high}"
        found, off, near = (_number(row[c], row["unit"]) for c in ("simulated", "deviation", "tolerance"))
        lines.append(
            f"{'ok' if row['met'] else '--'} {row['en']:{width}} {target:>15} {found:>10} {off:>10} "
            f"{near:>10}  {row['use']:8} {row['profile']:13} {row['year']:10} {row['source']}"
        )
    missed = table[~table["met"]].to_dict("records")
    if missed:
        lines += ["", "missed:", *(f"-- {row['en']} ({row['use']}): {row['why']}" for row in missed)]
    return "\n".join(lines)


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f}" if unit == "yuan" else f"{value:.3f}"
