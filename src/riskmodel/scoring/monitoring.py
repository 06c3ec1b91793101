"""Population stability index of one column, and how large it comes out where nothing has changed.

Which features and scores have moved between two dates, and which are more often missing.

What became of the households that were scored, once their window is over: expected against observed.

One look at a model in use: everything measured, every alarm in words.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from riskmodel import features, rules, targets
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.evaluation import MONTHS, by_source, last_visits, weighted
from riskmodel.households import DateLike, point_in_time
from riskmodel.rules import RuleSet
from riskmodel.runs import LoadedModel, model_inputs
from riskmodel.targets import Event, Horizon

BINS = 10
LEVEL = 0.95
# Custom in credit scoring (Siddiqi 2006): above the first it is worth a look, above the second the
# population is another one. An assumption; the sampling limit below says what is more than chance.
LOOK, ALARM = 0.1, 0.25


class Psi(NamedTuple):
    """An index, what chance alone would give, and the verdict.

    Attributes
    ----------
    value : float
        Σ (q − p) ln(q / p) over bins.
    chance : float
        Its expectation where nothing has changed.
    limit : float
        Its 95 % quantile where nothing has changed.
    status : str
        ``ok``, ``look`` or ``alarm``; never more than ``ok`` within the limit.
    bins : int
    """

    value: float
    chance: float
    limit: float
    status: str
    bins: int


def psi(before: pd.Series, now: pd.Series, bins: int = BINS, sizes: tuple[int, int] | None = None) -> Psi:
    """Compare the distribution of a column at two times, missing values as a bin of their own.

    Parameters
    ----------
    before, now : Series of float
        NaN is missing; ``before`` sets the bins, by its quantiles.
    bins : int
    sizes : tuple of int, optional
        How many independent values there are at each time, where that is fewer than rows: a figure of the
        township is one value, however many households share it.

    Returns
    -------
    Psi

    Notes
    -----
    Half a household is added to each bin, so that an empty one gives no infinity. If both are samples of
    one population, PSI is about χ² with B − 1 degrees of freedom times (1/n + 1/m) (Yurdakul & Naranjo
    2020, "Statistical properties of the population stability index"). The same households at two times
    differ less than two samples do: the limit is then on the safe side.

    Examples
    --------
    >>> same = pd.Series(range(1000), dtype=float)
    >>> psi(same, same).status, psi(same, same + 500).status
    ('ok', 'alarm')
    """
    n, m = sizes or (len(before), len(now))
    edges = np.unique(before.dropna().quantile(np.linspace(0, 1, bins + 1)[1:-1]).to_numpy(dtype=float))
    # Counted in independent values: where fewer than rows, the half household weighs accordingly more.
    counts = [_counts(v, edges) * (size / max(1, len(v))) for v, size in ((before, n), (now, m))]
    used = (counts[0] + counts[1]) > 0
    free = int(used.sum()) - 1
    if free < 1 or not n or not m:
        return Psi(0.0, 0.0, 0.0, "ok", max(1, free + 1))
    p, q = ((c[used] + 0.5) / (c[used].sum() + 0.5 * used.sum()) for c in counts)
    value = float(np.sum((q - p) * np.log(q / p)))
    scale = 1 / n + 1 / m
    limit = float(chi2.ppf(LEVEL, free) * scale)
    status = "ok" if value <= limit else "alarm" if value > ALARM else "look" if value > LOOK else "ok"
    return Psi(value, free * scale, limit, status, free + 1)


def _counts(values: pd.Series, edges: np.ndarray) -> np.ndarray:
    known = values.dropna().to_numpy(dtype=float)
    # An infinite value belongs to the outermost bin; searchsorted puts it there.
    inside = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.append(inside, len(values) - len(known)).astype(float)


# A share of missing values that grew by more than five points is worth a look: an assumption.
MISSING_POINTS = 0.05
DRIFT_COLUMNS = [
    "column", "zh", "en", "psi", "psi_chance", "psi_limit", "status", "missing_before", "missing_now",
    "missing_status",
]  # fmt: skip


def measure_drift(
    before: pd.DataFrame,
    now: pd.DataFrame,
    features: pd.DataFrame,
    shared: Mapping[str, tuple[int, int]] | None = None,
) -> pd.DataFrame:
    """Compare every column at two dates.

    Parameters
    ----------
    before, now : DataFrame
        The same columns; NaN is missing.
    features : DataFrame
        ``id, zh, en`` of the columns that have a name.
    shared : mapping, optional
        Columns whose values are shared by a village or township: how many of these there are at each date.

    Returns
    -------
    DataFrame
        `DRIFT_COLUMNS`, one row a column, the most moved first. ``missing_status`` is ``look`` where the
        share of missing values grew by more than `MISSING_POINTS` and by more than sampling explains.
    """
    named = features.set_index("id")[["zh", "en"]].to_dict("index")
    rows = []
    for column in before.columns:
        found = psi(before[column], now[column], sizes=(shared or {}).get(str(column)))
        share = [float(frame[column].isna().mean()) for frame in (before, now)]
        grew = share[1] - share[0]
        even = (share[0] * len(before) + share[1] * len(now)) / (len(before) + len(now))
        error = float(np.sqrt(even * (1 - even) * (1 / len(before) + 1 / len(now))))
        beyond = grew > MISSING_POINTS and grew > norm.ppf(LEVEL) * error
        words = named.get(column, {"zh": column, "en": column})
        rows.append(
            (column, words["zh"], words["en"], found.value, found.chance, found.limit, found.status, *share,
             "look" if beyond else "ok")
        )  # fmt: skip
    made = pd.DataFrame(rows, columns=DRIFT_COLUMNS)
    return made.sort_values(["psi", "column"], ascending=[False, True], ignore_index=True)


OUTCOME_COLUMNS = [
    "as_of", "households", "expected", "observed", "low", "high", "ratio", "status", "listed",
    "listed_observed",
]  # fmt: skip
# Expected may be off by a quarter before it is an alarm, however sure that is: an assumption.
RATIO = (0.8, 1.25)


def compare_outcomes(
    county: County,
    scores: Sequence[pd.DataFrame],
    *,
    events: Sequence[Event],
    horizon: Horizon,
    cohort: Sequence[str],
    ruleset: RuleSet,
    params: dict[str, Any],
    as_of: dt.date,
) -> pd.DataFrame:
    """Hold past months' scores against what happened, as far as it is known at a date.

    Parameters
    ----------
    county : County
    scores : sequence of DataFrame
        One a month: ``household_id, as_of, probability`` as they were made then, and ``listed`` (bool) where
        the list is known.
    events, horizon, cohort, ruleset, params
        Of the experiment that the model was trained by.
    as_of : date
        Only what is recorded by then.

    Returns
    -------
    DataFrame
        `OUTCOME_COLUMNS`, one row a month whose window is over: of the cohort's households with a known
        label, how many were expected to be hit (Σ probability), how many were, the exact Poisson interval of
        the latter, observed over expected, and how many of them were on the list. ``status`` is ``alarm``
        where the expected number lies outside the interval and off by more than a quarter.
    """
    rows = []
    for frame in scores:
        day = pd.Timestamp(frame["as_of"].iloc[0]).date()
        known = targets.build(county, day, horizon, events, ruleset, known_by=as_of, params=params)
        known = known.dropna(subset=["label"])
        if known.empty:
            continue
        asked = targets.build_cohorts(county, day, cohort, ruleset, params)[["household_id"]]
        found = known[["household_id", "label"]].merge(asked, on="household_id")
        found = found.merge(frame.drop(columns="as_of"), on="household_id")
        found = found.dropna(subset=["probability"])
        if len(found):
            rows.append(_row(day, found))
    return pd.DataFrame(rows, columns=OUTCOME_COLUMNS)


def _row(day: dt.date, found: pd.DataFrame) -> dict[str, Any]:
    hit = found["label"].astype(int)
    expected, observed = float(found["probability"].sum()), int(hit.sum())
    tail = (1 - LEVEL) / 2
    low = float(chi2.ppf(tail, 2 * observed) / 2) if observed else 0.0
    high = float(chi2.ppf(1 - tail, 2 * observed + 2) / 2)
    ratio = observed / expected if expected else float("inf")
    off = not low <= expected <= high
    on = found["listed"].eq(True) if "listed" in found else pd.Series(False, found.index)
    return {
        "as_of": day.isoformat(),
        "households": len(found),
        "expected": expected,
        "observed": observed,
        "low": low,
        "high": high,
        "ratio": ratio,
        "status": "alarm" if off and not RATIO[0] <= ratio <= RATIO[1] else "ok",
        "listed": int(on.sum()),
        "listed_observed": int(hit[on].sum()),
    }


SCORE = "probability"
SCORE_WORDS = {"zh": "模型概率", "en": "probability"}
LEAST_MET = 10  # visits of a source, below which its yield says nothing
PLACES = ("township", "village")


@dataclass(frozen=True)
class MonitoringResult:
    """What was found.

    Parameters
    ----------
    about : dict
        Model, version, dates, data fingerprint.
    drift : DataFrame
        `riskmodel.scoring.monitoring.measure_drift` over the score and every feature, all households.
    outcomes : DataFrame
        `riskmodel.scoring.monitoring.compare_outcomes`; no row before a window is over.
    yields : DataFrame
        Findings of the last year's visits by source.
    weighted : DataFrame
        The same visits weighted by their logged chances; no row where none was logged.
    """

    about: dict[str, Any]
    drift: pd.DataFrame
    outcomes: pd.DataFrame
    yields: pd.DataFrame
    weighted: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def alarms(self) -> list[dict[str, str]]:
        """Return every alarm and every look, the gravest first: ``grade, what, zh, en``."""
        out = []
        moved = self.drift[self.drift["status"] != "ok"]
        for row in moved.to_dict("records"):
            figures = f"PSI {row['psi']:.2f} (95% {row['psi_limit']:.2f})"
            zh, en = f"{row['zh']} 的分布变了：{figures}", f"{row['en']} has moved: {figures}"
            # One feature that moved is no reason to stop; the score that moved is.
            grade = row["status"] if row["column"] == SCORE else "look"
            out.append({"grade": grade, "what": "drift", "zh": zh, "en": en})
        for row in self.drift[self.drift["missing_status"] != "ok"].to_dict("records"):
            figures = f"{row['missing_before']:.0%} → {row['missing_now']:.0%}"
            zh, en = f"{row['zh']} 缺得更多：{figures}", f"{row['en']} is missing more often: {figures}"
            out.append({"grade": "look", "what": "missing", "zh": zh, "en": en})
        for row in self.outcomes[self.outcomes["status"] != "ok"].to_dict("records"):
            figures = f"{row['observed']} / {row['expected']:.1f} [{row['low']:.0f}, {row['high']:.0f}]"
            zh = f"{row['as_of']} 的评分失准：实际 / 预计 {figures}"
            en = f"scores of {row['as_of']} are off: observed / expected {figures}"
            out.append({"grade": "alarm", "what": "calibration", "zh": zh, "en": en})
        return sorted(out + _yield_alarms(self.yields), key=lambda a: a["grade"])

    @property
    def summary(self) -> dict[str, Any]:
        """What a verb prints."""
        return {**self.about, "alarms": self.alarms, "months_judged": len(self.outcomes)}


def monitor(
    county: County,
    loaded: LoadedModel,
    as_of: DateLike,
    reference: DateLike,
    *,
    past: Sequence[pd.DataFrame] = (),
    cohort: Sequence[str] = ("all",),
) -> MonitoringResult:
    """Compare a model's county now with its county at a reference date, and its past scores with what came.

    Parameters
    ----------
    county : County
    loaded : LoadedModel
    as_of : date or ISO text
    reference : date or ISO text
        Earlier; a year before compares the same season.
    past : sequence of DataFrame
        Scores of past months as made then, see `riskmodel.scoring.monitoring.compare_outcomes`.
    cohort : sequence of str
        Whom the model was trained on.

    Returns
    -------
    Monitored

    Raises
    ------
    UsageError
        If the reference is not before as-of, or nobody is known at one of the dates.
    """
    day, then = point_in_time.to_date(as_of), point_in_time.to_date(reference)
    if then >= day:
        raise UsageError(f"--reference {then} is not before --as-of {day}; a year before is the same season")
    frames = {d: _at(county, loaded, d) for d in (then, day)}
    names = features.describe(loaded.feature_set)
    named = pd.concat([pd.DataFrame([{"id": SCORE, **SCORE_WORDS}]), names[["id", "zh", "en"]]])
    params = dict(loaded.card["params"])
    horizon = Horizon(months=int(loaded.card["horizon_months"]))
    made = compare_outcomes(
        county, past, events=loaded.card["events"], horizon=horizon, cohort=cohort,
        ruleset=loaded.ruleset, params=params, as_of=day,
    )  # fmt: skip
    places = {d: {by: frame.pop(f" {by}").nunique() for by in PLACES} for d, frame in frames.items()}
    shared = {
        f.id: (places[then][f.by], places[day][f.by]) for f in loaded.feature_set.features if f.by is not None
    }
    visits = last_visits(county, day, MONTHS)
    return MonitoringResult(
        about={
            "model": loaded.name,
            "version": loaded.version,
            "run_id": loaded.run_id,
            "as_of": day.isoformat(),
            "reference": then.isoformat(),
            "households": len(frames[day]),
            "data_fingerprint": point_in_time.fingerprint(county, day),
        },
        drift=measure_drift(frames[then], frames[day], named, shared),
        outcomes=made,
        yields=by_source(visits),
        weighted=weighted(visits),
    )


def _yield_alarms(yields: pd.DataFrame) -> list[dict[str, str]]:
    """Alarm where the model's visits find less than the lot's, beyond both intervals."""
    rows = {str(r["selected_by"]): r for r in yields.to_dict("records")}
    ours, lot = rows.get("model"), rows.get("random")
    if ours is None or lot is None:
        return []
    if any(r["confirmed"] + r["not_confirmed"] < LEAST_MET for r in (ours, lot)):
        return []
    if ours["high"] >= lot["low"]:
        return []
    figures = f"{ours['rate']:.0%} < {lot['rate']:.0%}"
    zh = f"模型名单的属实率低于抽签：{figures}，超出区间"
    en = f"the model's visits find less than the lot's: {figures}, beyond their intervals"
    return [{"grade": "alarm", "what": "yield", "zh": zh, "en": en}]


def _at(county: County, loaded: LoadedModel, day: Any) -> pd.DataFrame:
    """Return features and probability of every household known at a date."""
    verdicts = rules.evaluate(county, loaded.ruleset, day, params=dict(loaded.card["params"]))
    if verdicts.empty:
        raise UsageError(f"no household is known at {day}; give a later date")
    X = features.build(county, loaded.feature_set, day).set_index("household_id")
    X = X.loc[verdicts["household_id"], loaded.feature_set.names].reset_index(drop=True)
    chance = loaded.model.predict_proba(model_inputs(loaded.kind, verdicts, X))[:, 1]
    # Where a household lives says how many independent values a village's or township's figure has.
    where = {
        " township": verdicts["township"].astype(str),
        " village": verdicts["township"].astype(str) + "\x1f" + verdicts["village"].astype(str),
    }
    beside = pd.DataFrame({name: values.to_numpy() for name, values in where.items()})
    return pd.concat([pd.Series(chance, name=SCORE), X, beside], axis=1)
