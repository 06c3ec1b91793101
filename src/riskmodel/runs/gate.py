"""The gate: what a model must show on outcomes it never saw before it orders anybody's visits.

A county that learns for the first time has no model in charge whose place a new one would have to win. What
it has are simple orders: the rules' own, last year's income, income at the run rate. The model takes charge
only where it is shown to be no worse than the best of them; else that simple order makes the list behind
the flagged, and says so. Too little data to show it is no proof: refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import models
from riskmodel.evaluation import (
    RULE,
    Budget,
    Difference,
    compare_fixed_lists,
    list_deployed,
    poisson_interval,
    sorted_codes,
)
from riskmodel.i18n import Message, both, join, same
from riskmodel.runs.experiment import Experiment, Gate
from riskmodel.runs.outcomes import HOUSEHOLD_GROUPS
from riskmodel.targets import KEY

LEVEL = 0.95
REPLICATES = 2000
MIN_GROUP_EVENTS = 10  # below which a recall says nothing
# Of the date's cohort so much must have an outcome: an assumption.
MIN_KNOWN = 0.8


@dataclass(frozen=True)
class Check:
    """One condition of a promotion or of the gate: whether it holds, and why."""

    id: str
    passed: bool
    message: Message

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with the reason in ``zh`` and ``en``."""
        return {"id": self.id, "passed": self.passed, **self.message.both()}


@dataclass(frozen=True)
class GateResult:
    """Who takes charge of the list, and why.

    Attributes
    ----------
    model
        The declared champion where it passed, else the best simple order; None where the run has none.
    declared
        The declared champion.
    as_of
        The latest test date, whose outcomes judged; None where no gate is declared.
    checks
        What had to hold; empty where nothing had to.
    """

    model: str | None
    declared: str
    as_of: pd.Timestamp | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the declared champion takes charge."""
        return self.model == self.declared

    @property
    def message(self) -> Message:
        """Say in one sentence who takes charge."""
        failed = [check.message for check in self.checks if not check.passed]
        values: dict[str, Any] = {"declared": models.model_names(self.declared)}
        if self.passed:
            return Message("runs.gate.passed" if self.checks else "runs.gate.none needed", values)
        values |= {"reason": failed[0]}
        if self.model is None:
            return Message("runs.gate.nobody", values)
        return Message("runs.gate.refused", values | {"simple": models.model_names(self.model)})

    @property
    def summary(self) -> dict[str, Any]:
        """Return plain values, as they are logged."""
        return {
            "passed": self.passed,
            "in_charge": self.model,
            "declared": self.declared,
            "as_of": None if self.as_of is None else self.as_of.date().isoformat(),
            "checks": [check.as_dict() for check in self.checks],
            **self.message.both(),
        }


def judge_champion(
    exp: Experiment, predictions: pd.DataFrame, leaks: pd.DataFrame | None = None
) -> GateResult:
    """Judge an experiment's declared champion on the latest test date.

    Parameters
    ----------
    exp
        Declares the champion, the gate and the budget.
    predictions
        Test rows of all models, see `riskmodel.runs.ExperimentResult`.
    leaks
        Every feature's test for knowing the answer.

    Returns
    -------
    GateResult
        Who takes charge. A champion that is a simple order itself has nothing to show.

    Notes
    -----
    The list is the deployed one: flagged households first, then the order in question, as many as the budget
    buys. The simple order is the one that found most on the earlier test dates, so that the latest date has
    chosen nothing; with one test date alone it is the best there, which can only make the gate harder.
    """
    declared = exp.champion
    simple = [name for name in models.simple_orders(exp.models) if name != declared]
    if exp.gate is None or models.model_entry(declared).simple_order:
        return GateResult(declared, declared, None, ())
    latest = predictions["as_of"].max()
    budget = exp.budget.per_date
    if not simple:
        return GateResult(None, declared, latest, (_check("simple order", False, "no simple order"),))
    earlier = predictions[predictions["as_of"] < latest]
    rival = _best_order(earlier if len(earlier) else predictions, simple, budget)
    rows = _latest_rows(predictions[predictions["as_of"] == latest], declared, rival, budget)
    checks = (
        _enough(rows),
        _not_worse(rows, rival, exp.gate),
        _level(rows, exp.gate),
        _groups(rows, exp.gate),
        _no_leak(leaks),
    )
    passed = all(check.passed for check in checks)
    return GateResult(
        declared if passed else _usable(rival, earlier, simple, budget), declared, latest, checks
    )


def _usable(rival: str, earlier: pd.DataFrame, simple: list[str], budget: Budget) -> str:
    """Return the simple order that takes charge: the best one whose scores can be explained."""
    if models.model_entry(rival).explained:
        return rival
    explained = [name for name in simple if models.model_entry(name).explained]
    if not explained:
        return rival
    return _best_order(earlier, explained, budget) if len(earlier) else explained[0]


def _deployed(rows: pd.DataFrame, name: str, budget: Budget) -> NDArray[np.bool_]:
    """Say who is on a model's list behind the flagged; rows in the order of date and household."""
    order = -rows["rule_rank"] if name == RULE else rows["score"]
    flagged = rows["flagged"].to_numpy(dtype=bool)
    return list_deployed(sorted_codes(rows["as_of"]), flagged, order.to_numpy(dtype=float), budget)


def _of(predictions: pd.DataFrame, name: str) -> pd.DataFrame:
    return predictions[predictions["model"] == name].sort_values(KEY, ignore_index=True)


def _best_order(predictions: pd.DataFrame, names: Sequence[str], budget: Budget) -> str:
    """Return the order whose deployed lists hold most events; the first of equals."""
    found = {}
    for name in names:
        rows = _of(predictions, name)
        found[name] = float(rows["y"].fillna(0)[_deployed(rows, name, budget)].sum())
    return max(names, key=lambda name: found[name])


def _latest_rows(predictions: pd.DataFrame, declared: str, rival: str, budget: Budget) -> pd.DataFrame:
    """Return a row a household of the date with whether each of the two lists holds it."""
    rows, other = _of(predictions, declared), _of(predictions, rival)
    # Households of unknown outcome take their places on the list; they only cannot be counted.
    return rows.assign(
        model_listed=_deployed(rows, declared, budget), simple_listed=_deployed(other, rival, budget)
    )


def _difference(rows: pd.DataFrame) -> tuple[float, float, Difference]:
    """Return recall by the model and by the simple order, and their difference with its interval."""
    known = rows[rows["y"].notna()]
    lists = {"model": known["model_listed"], "simple": known["simple_listed"]}
    recalls = compare_fixed_lists(
        known["y"], lists, known[["township", "village"]], replicates=REPLICATES, level=LEVEL
    )
    return recalls.recall("model"), recalls.recall("simple"), recalls.difference("model", "simple")


def _check(kind: str, passed: bool, key: str, **values: Any) -> Check:
    return Check(kind, passed, Message(f"runs.gate.{key}", values))


def _enough(rows: pd.DataFrame) -> Check:
    events, known = int(rows["y"].sum()), float(rows["y"].notna().mean())
    passed = events >= MIN_GROUP_EVENTS and known >= MIN_KNOWN
    return _check("outcomes", passed, "outcomes" if passed else "too few", events=events, known=known)


def _not_worse(rows: pd.DataFrame, rival: str, gate: Gate) -> Check:
    values: dict[str, Any] = {"simple": models.model_names(rival), "margin": 100 * gate.margin}
    if not rows["y"].sum():
        return _check("recall", False, "no events", **values)
    own, other, change = _difference(rows)
    # Without an interval nothing is shown.
    passed = bool(change.low > -gate.margin)
    values |= {"own": own, "other": other} | {n: 100 * getattr(change, n) for n in ("delta", "low", "high")}
    return _check("recall", passed, "recall holds" if passed else "recall not shown", **values)


def _level(rows: pd.DataFrame, gate: Gate) -> Check:
    known = rows[rows["y"].notna()]
    observed, expected = float(known["y"].sum()), float(known["probability"].sum())
    ends = (expected / end if end else float("inf") for end in poisson_interval(observed)[::-1])
    low, high = ends
    passed = low <= gate.calibration[1] and high >= gate.calibration[0]
    ratio = expected / observed if observed else float("inf")
    return _check(
        "calibration", bool(passed), "calibration", expected=expected, observed=observed, ratio=ratio,
        low=low, high=high, least=gate.calibration[0], most=gate.calibration[1],
    )  # fmt: skip


def _groups(rows: pd.DataFrame, gate: Gate) -> Check:
    """Look at groups of households: none may lose more of its recall than the margin, beyond chance."""
    low, small, judged = [], 0, 0
    for column in sorted(c for c in rows.columns if c.startswith("group_")):
        members = rows[rows[column].eq("yes")]
        if members["y"].sum() < MIN_GROUP_EVENTS:
            small += 1
            continue
        judged += 1
        own, other, change = _difference(members)
        if change.delta < -gate.group_margin and not change.high >= 0:
            values = {"group": _group_words(column.removeprefix("group_")), "own": own, "other": other}
            low.append(Message("runs.gate.group", values).both())
    if low:
        return _check("groups", False, "groups low", groups=join(low), margin=100 * gate.group_margin)
    return _check("groups", True, "groups fine", judged=judged, small=small, margin=100 * gate.group_margin)


def _group_words(name: str) -> dict[str, str]:
    return both(f"runs.household_groups.{name}") if name in HOUSEHOLD_GROUPS else same(name)


def _no_leak(leaks: pd.DataFrame | None) -> Check:
    found = [] if leaks is None or leaks.empty else list(leaks.loc[leaks["suspected"].astype(bool), "column"])
    return _check("leakage", not found, "leak" if found else "no leak", columns=", ".join(map(str, found)))
