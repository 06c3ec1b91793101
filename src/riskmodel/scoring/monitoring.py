"""Monitoring a model in use: drift, missing values, past scores against what came, yields of visits.

What is on record of a household may change from one date to another without anything changing for it. A
figure that rests on income or spending is therefore compared over those of whom it is on record at both dates
(and those who are there at one date only); how many are left out, and that more is missing, is said apart,
under a name of its own. The score is compared over those whose inputs are on record alike at both dates.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from riskmodel import features, targets
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.evaluation import YIELD_MONTHS, recent_visits, weighted_yield, yield_by_source
from riskmodel.households import DateLike, KnownCounty, known_county, to_date
from riskmodel.i18n import Message, Nouns, both, pair, same
from riskmodel.rules import RuleSet
from riskmodel.runs import LoadedModel
from riskmodel.scoring.scores import scoring_inputs
from riskmodel.targets import Event, Horizon

LEVEL = 0.95
BINS = 10
# Custom in credit scoring (Siddiqi 2006): above the first it is worth a look, above the second the
# population is another one. An assumption; the sampling limit below says what is more than chance.
LOOK, ALARM = 0.1, 0.25
# A share of missing values that grew by more than five points is worth a look: an assumption.
MISSING_POINTS = 0.05
# Expected may be off by a quarter before it is an alarm, however sure that is: an assumption.
RATIO_LIMITS = (0.8, 1.25)
MIN_VISITS = 10  # findings of a source, below which its yield says nothing
SCORE = "probability"
NOT_COMPARED = "not_compared"
# What rests on which months are on record: sources of features, and how columns of the accounts begin.
RECORDED = ("income", "spending", "accounts")
RECORDED_SUMS = (
    "pcni", "previous_", "before_previous_", "income_", "spending_", "rigid", "net_income", "wage_months",
    "earning_months", "lag_months",
)  # fmt: skip
DRIFT_COLUMNS = [
    "column", "zh", "en", "psi", "psi_chance", "psi_limit", "status", "missing_before", "missing_now",
    "missing_status", "of_records", "left_out_before", "left_out_now",
]  # fmt: skip
OUTCOME_COLUMNS = [
    "as_of", "households", "expected", "observed", "low", "high", "ratio", "status", "listed",
    "listed_observed", "unknown",
]  # fmt: skip
Places = Mapping[str, tuple[pd.Series, pd.Series]]


class Psi(NamedTuple):
    """A population stability index and its verdict.

    ``value`` is Σ (q − p) ln(q / p) over the bins, ``chance`` its expectation where nothing has changed and
    ``limit`` its 95 % quantile then; ``status`` is ok, look or alarm, never more than ok within the limit.
    """

    value: float
    chance: float
    limit: float
    status: str
    bins: int


def psi(before: pd.Series, now: pd.Series, bins: int = BINS, sizes: tuple[int, int] | None = None) -> Psi:
    """Compare the distribution of a column at two times, missing values (NaN) as a bin of their own.

    ``before`` sets the bins, by its quantiles. ``sizes`` says how many independent values there are at each
    time, where that is fewer than rows: a figure of the township is one value, however many households share
    it.

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


def measure_drift(
    before: pd.DataFrame,
    now: pd.DataFrame,
    names: pd.DataFrame,
    places: Places | None = None,
    of_records: Collection[str] = (),
    uneven: Mapping[str, pd.Index] | None = None,
) -> pd.DataFrame:
    """Return `DRIFT_COLUMNS`, one row a column of the two frames, the most moved first.

    ``names`` has ``id, zh, en`` of the columns that have a name; the frames are by household. ``places``
    says, of columns whose values are shared by a village or township, which one each household lives in at
    each date. ``of_records`` names the columns that rest on months on record: of them, and of the score,
    those are compared of whom they are on record at both dates, without those that ``uneven`` names (of whose
    neighbours not as many are on record); ``left_out_before`` and ``left_out_now`` count the others.
    ``status`` is ``not_compared`` where nobody is left. ``missing_status`` is look where the share of missing
    values grew by more than `MISSING_POINTS` and than sampling explains.
    """
    named = names.set_index("id")[["zh", "en"]].to_dict("index")
    recorded = [c for c in before.columns if c in of_records]
    unlike = _on_record_unlike(before[recorded], now[recorded])
    rows = []
    for column in before.columns:
        held = column == SCORE or column in of_records
        then, today = before[column], now[column]
        if held:
            gone = _missing_at_either(then, today).union((uneven or {}).get(str(column), pd.Index([])))
            gone = gone.union(unlike) if column == SCORE else gone
            then, today = (v[~v.index.isin(gone)] for v in (then, today))
        shared = None
        if places and column in places:
            homes_before, homes_now = places[str(column)]
            shared = homes_before.reindex(then.index).nunique(), homes_now.reindex(today.index).nunique()
        index = psi(then, today, sizes=shared)
        if held and not (len(then) and len(today)):
            index = index._replace(value=float("nan"), status=NOT_COMPARED)
        share = [float(frame[column].isna().mean()) for frame in (before, now)]
        grew = share[1] - share[0]
        even = (share[0] * len(before) + share[1] * len(now)) / (len(before) + len(now))
        error = float(np.sqrt(even * (1 - even) * (1 / len(before) + 1 / len(now))))
        missing = "look" if grew > MISSING_POINTS and grew > norm.ppf(LEVEL) * error else "ok"
        words = named.get(column, same(column))
        rows.append(
            (column, words["zh"], words["en"], index.value, index.chance, index.limit, index.status, *share,
             missing, held, len(before) - len(then), len(now) - len(today))
        )  # fmt: skip
    drift = pd.DataFrame(rows, columns=DRIFT_COLUMNS)
    return drift.sort_values(["psi", "column"], ascending=[False, True], ignore_index=True)


def _missing_at_either(before: pd.Series, now: pd.Series) -> pd.Index:
    """Return the households whose value is missing at a date at which they are there."""
    return before.index[before.isna()].union(now.index[now.isna()])


def _on_record_unlike(before: pd.DataFrame, now: pd.DataFrame) -> pd.Index:
    """Return the households there at both dates of whom not the same columns are on record."""
    both = before.index.intersection(now.index)
    unlike = (before.loc[both].isna() != now.loc[both].isna()).any(axis=1)
    return both[unlike.to_numpy()]


def _uneven_places(
    before: pd.Series, now: pd.Series, places_before: pd.Series, places_now: pd.Series
) -> pd.Index:
    """Return the households of places in which a figure is on record of more or fewer households than before.

    A mean over neighbours moves with who is on record among them.
    """
    pairs = (before, places_before), (now, places_now)
    share = pd.concat([v.notna().groupby(place.reindex(v.index)).mean() for v, place in pairs], axis=1)
    moved = share.index[~((share.iloc[:, 0] - share.iloc[:, 1]).abs() <= MISSING_POINTS)]
    homes = [place.index[place.isin(moved)] for _, place in pairs]
    return homes[0].union(homes[1])


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
    """Compare past months' scores with what happened, as far as it is known at a date.

    Parameters
    ----------
    county
        Whose households were scored.
    scores
        One frame a month: ``household_id, as_of, probability`` as they were made then, and ``listed`` (bool)
        where the list is known.
    events, horizon, cohort, ruleset, params
        Of the experiment that the model was trained by.
    as_of
        Only what is recorded by then.

    Returns
    -------
    DataFrame
        `OUTCOME_COLUMNS`, one row a month whose window is over: of the cohort's households with a known
        label, how many were expected to be hit (Σ probability), how many were, the exact Poisson interval of
        the latter, observed over expected, and how many of them were on the list. ``status`` is ``alarm``
        where the expected number lies outside the interval and off by more than a quarter. ``unknown`` counts
        the scored of the cohort whose label is not known: they are in none of the other numbers.
    """
    rows = []
    for frame in scores:
        day = pd.Timestamp(frame["as_of"].iloc[0]).date()
        labels = targets.build_targets(county, day, horizon, events, ruleset, known_by=as_of, params=params)
        if labels["label"].isna().all():
            continue
        members = targets.build_cohorts(county, cohort, day, ruleset, params)[["household_id"]]
        scored = labels[["household_id", "label"]].merge(members, on="household_id")
        scored = scored.merge(frame.drop(columns="as_of"), on="household_id").dropna(subset=["probability"])
        labelled = scored.dropna(subset=["label"])
        if len(labelled):
            rows.append(_outcome(day, labelled) | {"unknown": len(scored) - len(labelled)})
    return pd.DataFrame(rows, columns=OUTCOME_COLUMNS)


def _outcome(day: dt.date, labelled: pd.DataFrame) -> dict[str, Any]:
    from statsmodels.stats.rates import confint_poisson

    hit = labelled["label"].astype(int)
    expected, observed = float(labelled["probability"].sum()), int(hit.sum())
    low, high = (float(end) for end in confint_poisson(observed, 1, method="exact-c", alpha=1 - LEVEL))
    ratio = observed / expected if expected else float("inf")
    off = not low <= expected <= high and not RATIO_LIMITS[0] <= ratio <= RATIO_LIMITS[1]
    listed = labelled["listed"].eq(True) if "listed" in labelled else pd.Series(False, labelled.index)
    return {
        "as_of": day.isoformat(),
        "households": len(labelled),
        "expected": expected,
        "observed": observed,
        "low": low,
        "high": high,
        "ratio": ratio,
        "status": "alarm" if off else "ok",
        "listed": int(listed.sum()),
        "listed_observed": int(hit[listed].sum()),
    }


@dataclass(frozen=True)
class MonitoringResult:
    """A model in use, compared with its own past.

    Parameters
    ----------
    about
        Model, version, dates, data fingerprint.
    drift
        `measure_drift` over the score and every feature, all households.
    outcomes
        `compare_outcomes`; no row before a window is over.
    yields
        Findings of the last year's visits by source.
    weighted
        The same visits weighted by their logged chances; no row where none was logged.
    """

    about: dict[str, Any]
    drift: pd.DataFrame
    outcomes: pd.DataFrame
    yields: pd.DataFrame
    weighted: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __repr__(self) -> str:
        about = " ".join(f"{k}={self.about[k]}" for k in ("model", "version", "as_of") if k in self.about)
        return f"<MonitoringResult {about}: {len(self.alarms)} alarms and looks>"

    @property
    def alarms(self) -> list[dict[str, str]]:
        """Return every alarm and every look, the gravest first: ``grade, what, zh, en``."""
        alarms = [*self._drift_alarms(), *self._outcome_alarms(), *_yield_alarms(self.yields)]
        alarms.sort(key=lambda alarm: alarm[0])
        return [{"grade": grade, "what": message.code, **message.both()} for grade, message in alarms]

    @property
    def summary(self) -> dict[str, Any]:
        """What a verb prints."""
        return {**self.about, "alarms": self.alarms, "months_judged": len(self.outcomes)}

    def _drift_alarms(self) -> Iterator[tuple[str, Message]]:
        for row in self.drift[self.drift["status"] == NOT_COMPARED].to_dict("records"):
            figures = f"{row['missing_before']:.0%} → {row['missing_now']:.0%}"
            yield "look", _alarm(NOT_COMPARED, figures, name=pair(row))
        for row in self.drift[~self.drift["status"].isin(["ok", NOT_COMPARED])].to_dict("records"):
            # One feature that moved is no reason to stop; the score that moved is.
            grade = row["status"] if row["column"] == SCORE else "look"
            figures = f"PSI {row['psi']:.2f} (95% {row['psi_limit']:.2f})"
            yield grade, _alarm("drift", figures, name=pair(row))
        for row in self.drift[self.drift["missing_status"] != "ok"].to_dict("records"):
            figures = f"{row['missing_before']:.0%} → {row['missing_now']:.0%}"
            yield "look", _alarm("coverage" if row["of_records"] else "missing", figures, name=pair(row))

    def _outcome_alarms(self) -> Iterator[tuple[str, Message]]:
        for row in self.outcomes[self.outcomes["status"] != "ok"].to_dict("records"):
            figures = f"{row['observed']} / {row['expected']:.1f} [{row['low']:.0f}, {row['high']:.0f}]"
            yield "alarm", _alarm("calibration", figures, as_of=row["as_of"])


def _alarm(code: str, figures: str, **values: Any) -> Message:
    return Message(f"monitoring.alarms.{code}", {"figures": figures, **values})


def _yield_alarms(yields: pd.DataFrame) -> Iterator[tuple[str, Message]]:
    """Alarm where the model's visits find less than the lot's, beyond both intervals."""
    rows = {str(r["selected_by"]): r for r in yields.to_dict("records")}
    ours, lot = rows.get("model"), rows.get("random")
    if ours is None or lot is None:
        return
    enough = all(r["confirmed"] + r["not_confirmed"] >= MIN_VISITS for r in (ours, lot))
    if enough and ours["high"] < lot["low"]:
        yield "alarm", _alarm("yield", f"{ours['rate']:.0%} < {lot['rate']:.0%}")


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
    county
        The tables, read once for both dates.
    loaded
        The model in use, from `riskmodel.runs.load_model`.
    as_of
        The day of the comparison, a date or ISO text.
    reference
        Earlier; a year before compares the same season.
    past
        Scores of past months as made then, see `compare_outcomes`.
    cohort
        Whom the model was trained on.

    Returns
    -------
    MonitoringResult
        Tables, and what they give alarm of.

    Raises
    ------
    UsageError
        If the reference is not before as-of, or nobody is known at one of the dates.
    """
    day, then = to_date(as_of), to_date(reference)
    if then >= day:
        raise UsageError(f"--reference {then} is not before --as-of {day}; a year before is the same season")
    known = known_county(county, day)
    before, places_before = _known_values(known_county(county, then), loaded)
    now, places_now = _known_values(known, loaded)
    names = features.describe_features(loaded.feature_set)[["id", "zh", "en"]]
    names = pd.concat([pd.DataFrame([{"id": SCORE, **both("monitoring.score")}]), names])
    places = {
        f.id: (places_before[f.by], places_now[f.by]) for f in loaded.feature_set.features if f.by is not None
    }
    of_records = _of_records(loaded.feature_set.features)
    uneven = {
        f.id: _uneven_places(before[name], now[name], *places[f.id])
        for f in loaded.feature_set.features
        if f.source == "neighbours"
        for name in f.of
        if f.by is not None and name in of_records and name in before
    }
    visits = recent_visits(known, months=YIELD_MONTHS)
    return MonitoringResult(
        about={
            "model": loaded.name,
            "version": loaded.version,
            "run_id": loaded.run_id,
            "as_of": day.isoformat(),
            "reference": then.isoformat(),
            "households": len(now),
            "data_fingerprint": known.fingerprint,
            **Nouns.of(known.county.about).facts(),
        },
        drift=measure_drift(before, now, names, places, of_records, uneven),
        outcomes=compare_outcomes(
            county,
            past,
            events=loaded.card["events"],
            horizon=Horizon(months=int(loaded.card["horizon_months"])),
            cohort=cohort,
            ruleset=loaded.ruleset,
            params=dict(loaded.card["params"]),
            as_of=day,
        ),
        yields=yield_by_source(visits),
        weighted=weighted_yield(visits),
    )


def _of_records(declared: Sequence[features.Feature]) -> set[str]:
    """Return the features that rest on income or spending, themselves or by what they are derived from."""
    out: set[str] = set()
    for f in declared:  # derived ones come after what they are derived from
        sums = [f.column] if f.source == "accounting" and f.column else []
        sums += [name.removeprefix("accounting.") for name in f.of if name.startswith("accounting.")]
        recorded = f.source in RECORDED or any(name.startswith(RECORDED_SUMS) for name in sums)
        if recorded or any(name in out for name in f.of):
            out.add(f.id)
    return out


def _known_values(known: KnownCounty, loaded: LoadedModel) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Return probability and features of every household known at a date, and where each lives."""
    verdicts, X, values = scoring_inputs(known, loaded)
    probability = loaded.model.predict_proba(values)[:, 1]
    # Two townships may each have a village of one name.
    groups = {"township": ["township"], "village": ["township", "village"]}
    ids = verdicts["household_id"]
    places = {
        by: verdicts[columns].astype("string").fillna("").agg("|".join, axis=1).set_axis(ids)
        for by, columns in groups.items()
    }
    # A score without a known income is a guess from the rest: only scores on what is on record are compared.
    score = pd.Series(probability, name=SCORE).where(verdicts["pcni"].notna().to_numpy())
    out = pd.concat([score, X], axis=1).set_axis(ids, axis=0)
    # A flag that a figure is missing says what the share of missing values says, and is told as that.
    flags = [f.id for f in loaded.feature_set.features if f.aggregate == "missing"]
    return out.assign(**{c: out[c].where(out[c] == 0) for c in flags}), places
