"""Champion and challenger: who scores changes only by a decision that is checked and logged with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from riskmodel import tracking
from riskmodel.errors import InputRefused, UsageError
from riskmodel.evaluation import Budget
from riskmodel.tracking import Registered

ROW = ["household_id", "as_of", "fold"]
LEVEL = 0.95
REPLICATES = 1000
# A group's recall may fall to four fifths of the champion's (the four-fifths rule, EEOC 1978): an assumption.
FAIRNESS_FLOOR = 0.8
MIN_EVENTS = 10  # in a group, below which its recall says nothing
# Expected and observed numbers may differ by a quarter where the interval cannot tell more: an assumption.
CALIBRATION_RATIO = (0.8, 1.25)
SLOPE_OFF = 0.2


@dataclass(frozen=True)
class Check:
    """One condition of a promotion: whether it holds, and in words why."""

    id: str
    passed: bool
    zh: str
    en: str


@dataclass(frozen=True)
class Contender:
    """One of the two models, with what its run measured.

    Parameters
    ----------
    registered : Registered
    predictions : DataFrame
        Its rows of the run's test predictions.
    metrics : mapping
        Its row of the run's pooled metrics.
    experiment : mapping
        The run's declaration.
    """

    registered: Registered
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]
    experiment: Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """What was decided, why, and where it is logged.

    Parameters
    ----------
    name, champion, challenger : str
        Registered model and versions.
    checks : tuple of Check
    promoted : bool
    override : str
        The reason given for promoting against a failed check; empty otherwise.
    run_id : str
        The MLflow run that keeps the decision.
    """

    name: str
    champion: str
    challenger: str
    checks: tuple[Check, ...]
    promoted: bool
    override: str
    run_id: str

    @property
    def summary(self) -> dict[str, Any]:
        """What a verb prints."""
        return {**asdict(self), "checks": [asdict(c) for c in self.checks]}


def promote(
    name: str,
    store: str | Path,
    challenger: str = tracking.CHALLENGER,
    *,
    override: str = "",
    data_check: Mapping[str, Any] | None = None,
) -> Decision:
    """Compare challenger with champion and put it in charge if every check holds.

    Parameters
    ----------
    name : str
        Registered model, such as ``county``.
    store : str or Path
    challenger : str
        Alias or version.
    override : str
        A reason to promote although a check fails; it is logged with the decision.
    data_check : mapping, optional
        What `riskmodel.county.check` said of the county's data today.

    Returns
    -------
    Decision
        Logged whether it promotes or not. The champion before keeps the alias ``previous``.

    Raises
    ------
    UsageError
        If there is no champion or challenger, or they are the same version.
    InputRefused
        If their runs tested different rows, so that nothing can be compared.
    """
    ours, theirs = _registered(name, tracking.CHAMPION, store), _registered(name, challenger, store)
    if ours.version == theirs.version:
        raise UsageError(f"{name}@{challenger} is the champion (version {ours.version}); train a challenger")
    checks = decide(_contender(ours, store), _contender(theirs, store), data_check)
    passed = all(check.passed for check in checks)
    promoted = passed or bool(override)
    with tracking.start(f"{name}-promotions", store, f"{name} {ours.version} → {theirs.version}") as run:
        run.params({"champion": ours.version, "challenger": theirs.version, "promoted": str(promoted)})
        run.metrics({f"check.{c.id}": float(c.passed) for c in checks})
        said = "" if passed else override
        decision = Decision(name, ours.version, theirs.version, tuple(checks), promoted, said, run.run_id)
        run.document(decision.summary, "decision.json")
    if promoted:
        tracking.set_alias(name, tracking.PREVIOUS, ours.version, store)
        tracking.set_alias(name, tracking.CHAMPION, theirs.version, store)
    return decision


def _registered(name: str, alias: str, store: str | Path) -> Registered:
    found = tracking.find(f"{name}@{alias}", store)
    if found is None:
        raise UsageError(
            f"no model {name}@{alias} in {store}; run riskmodel train, or name an alias or version"
        )
    return found


def _contender(registered: Registered, store: str | Path) -> Contender:
    run = registered.run_id
    predictions = tracking.read_table(run, "tables/predictions", store)
    metrics = tracking.read_table(run, "tables/metrics", store)
    return Contender(
        registered,
        predictions[predictions["model"] == registered.kind].reset_index(drop=True),
        {str(k): v for k, v in metrics[metrics["model"] == registered.kind].iloc[0].items()},
        tracking.read_document(run, "experiment.json", store),
    )


def decide(
    champion: Contender, challenger: Contender, data_check: Mapping[str, Any] | None = None
) -> list[Check]:
    """Check everything a promotion needs.

    Parameters
    ----------
    champion, challenger : Contender
    data_check : mapping, optional

    Returns
    -------
    list of Check
        ``question`` (same event, horizon, rule set, cohort), ``primary`` (recall at the budget),
        ``calibrated``, ``leakage``, ``data``, ``fairness``.

    Raises
    ------
    InputRefused
        If they were not tested on the same rows.
    """
    rows = paired(champion, challenger)
    return [
        _question(champion.experiment, challenger.experiment),
        _primary(rows),
        _calibrated(challenger),
        _leakage(challenger.metrics),
        _data(rows, data_check),
        _fairness(rows),
    ]


def paired(champion: Contender, challenger: Contender) -> pd.DataFrame:
    """Return one row a test row with both probabilities and whether each model's list holds it.

    A list is what `budget` visits a date buy, by falling probability, ties by household.

    Raises
    ------
    InputRefused
        If the test rows, or what happened on them, differ.
    """
    both = (champion.predictions, challenger.predictions)
    parts = [p.dropna(subset=["y"]).sort_values(ROW, ignore_index=True) for p in both]
    same = len(parts[0]) == len(parts[1]) and all(
        (parts[0][c].astype(str) == parts[1][c].astype(str)).all() for c in (*ROW, "township", "village", "y")
    )
    if not same:
        raise InputRefused(
            f"champion (version {champion.registered.version}) and challenger (version "
            f"{challenger.registered.version}) were tested on different rows: train both on the same data "
            "and dates, then compare"
        )
    out = parts[0].drop(columns=["model", "score"])
    budget = Budget(**challenger.experiment["budget"])
    for name, part in zip(("champion", "challenger"), parts, strict=True):
        out[name] = part["probability"]
        order = part.sort_values(["probability", "household_id"], ascending=[False, True])
        place = order.groupby(["fold", "as_of"]).cumcount().reindex(part.index)
        size = part.groupby(["fold", "as_of"])["y"].transform("size")
        out[f"{name}_listed"] = place < [budget.at(int(n)) for n in size]
    return out


def difference(rows: pd.DataFrame, seed: int = 0) -> tuple[float, float, float, float, float]:
    """Return recall of champion and challenger, their difference and its interval, villages resampled.

    The lists stand as they were made; villages are drawn with replacement (percentile interval).
    """
    village = rows["township"].astype(str) + "\x1f" + rows["village"].astype(str)
    code = pd.factorize(village, sort=True)[0]

    def by_village(values: pd.Series) -> NDArray[np.float64]:
        return np.bincount(code, weights=values.to_numpy(dtype=float)).astype(np.float64)

    event = by_village(rows["y"])
    hits = [by_village(rows["y"] * rows[f"{name}_listed"]) for name in ("champion", "challenger")]
    total = event.sum()
    if not total:
        return (float("nan"),) * 5
    n = len(event)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=REPLICATES).astype(float)
    drawn = weights @ event
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = (weights @ (hits[1] - hits[0])) / drawn
    low, high = np.nanquantile(gap, [(1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2])
    ours, theirs = hits[0].sum() / total, hits[1].sum() / total
    return float(ours), float(theirs), float(theirs - ours), float(low), float(high)


def _primary(rows: pd.DataFrame) -> Check:
    ours, theirs, gap, low, high = difference(rows)
    passed = bool(high >= 0)
    figures = f"{ours:.1%} → {theirs:.1%} ({100 * gap:+.1f}, 95% {100 * low:+.1f} … {100 * high:+.1f})"
    return Check(
        "primary",
        passed,
        f"同样名额下的查全率 {figures}：{'不比现用模型差' if passed else '比现用模型差，超出区间'}",
        f"recall at the budget {figures}: {'not worse' if passed else 'worse, beyond its interval'}",
    )


def _question(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Check:
    asked = ("events", "horizon", "ruleset", "cohort")
    differ = [name for name in asked if ours[name] != theirs[name]]
    if differ:
        names = ", ".join(differ)
        return Check("question", False, f"回答的是不同的问题：{names}", f"answers another question: {names}")
    return Check("question", True, "与现用模型预测同一件事", "foretells what the champion foretells")


def _calibrated(challenger: Contender) -> Check:
    known = challenger.predictions.dropna(subset=["y"])
    observed, expected = float(known["y"].sum()), float(known["probability"].sum())
    low = chi2.ppf((1 - LEVEL) / 2, 2 * observed) / 2 if observed else 0.0
    high = chi2.ppf(1 - (1 - LEVEL) / 2, 2 * observed + 2) / 2
    ratio = observed / expected if expected else float("inf")
    level = low <= expected <= high or CALIBRATION_RATIO[0] <= ratio <= CALIBRATION_RATIO[1]
    m = challenger.metrics
    slope = float(m["calibration_slope"])
    steep = m["calibration_slope_low"] <= 1 <= m["calibration_slope_high"] or abs(slope - 1) <= SLOPE_OFF
    passed = bool(level and steep)
    figures = f"{observed:.0f} / {expected:.1f}"
    span = f"[{m['calibration_slope_low']:.2f}, {m['calibration_slope_high']:.2f}]"
    return Check(
        "calibrated",
        passed,
        f"实际 / 预计 {figures}，校准斜率 {slope:.2f} {span}",
        f"observed / expected {figures}, calibration slope {slope:.2f} {span}",
    )


def _leakage(metrics: Mapping[str, Any]) -> Check:
    suspected = bool(metrics.get("leakage_suspected"))
    auc = f"AUC {float(metrics['auc']):.3f}"
    return Check(
        "leakage",
        not suspected,
        f"{auc}：{'高得可疑，先查泄漏' if suspected else '未见泄漏迹象'}",
        f"{auc}: {'suspiciously high, look for a leak first' if suspected else 'no sign of a leak'}",
    )


def _data(rows: pd.DataFrame, data_check: Mapping[str, Any] | None) -> Check:
    events = int(rows["y"].sum())
    enough = events >= MIN_EVENTS
    usable = data_check is None or not data_check["refused"]
    zh = "未重新检查数据" if data_check is None else "数据检查通过" if usable else "数据检查未通过"
    en = "data not checked again" if data_check is None else f"the check {'passes' if usable else 'fails'}"
    return Check("data", enough and usable, f"测试期 {events} 例；{zh}", f"{events} events tested; {en}")


def _fairness(rows: pd.DataFrame) -> Check:
    low, worst = [], []
    for kind, group in groups(rows).items():
        for value in sorted(group.dropna().unique()):
            own = rows[group == value]
            if own["y"].sum() < MIN_EVENTS:
                continue
            ours, theirs, _, _, high = difference(own)
            worst.append((theirs, f"{kind} {value}"))
            if theirs < FAIRNESS_FLOOR * ours and high < 0:
                low.append(f"{kind} {value}: {ours:.0%} → {theirs:.0%}")
    if low:
        told = "; ".join(low)
        zh, en = (
            f"有组别的查全率不到现用模型的五分之四：{told}",
            f"below four fifths of the champion's recall: {told}",
        )
        return Check("fairness", False, zh, en)
    least = min(worst, default=None)
    shown = f"{least[1]} {least[0]:.0%}" if least else "—"
    return Check(
        "fairness", True, f"各组均不低于下限，最低 {shown}", f"no group below the floor; lowest {shown}"
    )


def groups(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the groups whose recall must not be given up: township, household size, rules' verdict."""
    size = pd.cut(rows["persons"].astype(float), [0, 2, 4, np.inf], labels=["1-2", "3-4", "5+"])
    return {
        "township": rows["township"].astype(str),
        "persons": size.astype(object),
        "flagged": rows["flagged"].map({True: "yes", False: "no"}),
    }
