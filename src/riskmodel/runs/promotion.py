"""Champion and challenger: who scores changes only by a decision that is checked and logged with reasons.

The two models are compared on the same test rows: as their runs logged them, or tested anew. Each check
that a promotion needs holds or fails, and says why in Chinese and English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.data import County
from riskmodel.errors import InputRefused, UsageError
from riskmodel.evaluation import Budget, Difference, compare_fixed_lists, list_at_budget, poisson_interval
from riskmodel.i18n import LANGUAGES, Message, join
from riskmodel.runs import tracking
from riskmodel.runs.experiment import Experiment
from riskmodel.runs.fitting import run_experiment
from riskmodel.runs.gate import LEVEL, MIN_GROUP_EVENTS, Check
from riskmodel.runs.run import Run
from riskmodel.runs.tracking import RegisteredModel

TEST_ROW = ["household_id", "as_of", "fold"]
REPLICATES = 2000


@dataclass(frozen=True)
class Candidate:
    """One of the two models: its rows of its run's predictions, metrics, declaration, leaks and gate."""

    registered: RegisteredModel
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]
    experiment: Mapping[str, Any]
    leaks: pd.DataFrame = field(default_factory=pd.DataFrame)
    gate: Mapping[str, Any] | None = None


def load_candidate(registered: RegisteredModel, store: str | Path) -> Candidate:
    """Return a registered model with what its run logged."""
    run = Run(registered.run_id, Path(store), registered.kind)
    # A run of before leaks were logged has none.
    leaks = pd.DataFrame() if run.leaks is None else run.leaks
    return Candidate(registered, run.predictions_of(), run.metrics_of(), run.declaration, leaks, run.gate)


def align_test_rows(
    champion: Candidate, challenger: Candidate, county: Callable[[], County] | None = None
) -> tuple[Candidate, Candidate]:
    """Return champion and challenger on the same test rows.

    Where records have come in since the champion was trained, the two runs tested other rows. Then both
    declarations are run again on the county as it is now: the same folds, dates and households, each model
    trained as its declaration says on what was known before each fold. What is compared is how the two learn,
    not what the old one happened to know.
    """
    if _same_rows(champion.predictions, challenger.predictions):
        return champion, challenger
    differ = question_differences(champion.experiment, challenger.experiment)
    if differ:
        raise InputRefused(
            f"version {challenger.registered.version} foretells something else than the champion (version "
            f"{champion.registered.version}): {', '.join(differ)}; they cannot be compared"
        )
    if county is None:
        raise InputRefused(
            f"champion (version {champion.registered.version}) and challenger (version "
            f"{challenger.registered.version}) were tested on different rows, as records came in between: "
            "give --data DATA, and both are tested anew on the same rows"
        )
    now = county()
    return _retested(champion, challenger, now), _retested(challenger, challenger, now)


def _retested(contender: Candidate, challenger: Candidate, county: County) -> Candidate:
    """Return a contender's test predictions on today's records, at the challenger's dates and folds."""
    declaration = dict(contender.experiment) | {
        name: challenger.experiment[name] for name in ("as_of", "split")
    }
    kind = contender.registered.kind
    exp = Experiment.model_validate(declaration | {"models": [kind], "champion": kind})
    result = run_experiment(exp, county, final=False)
    return replace(contender, predictions=result.predictions, leaks=result.leaks)


def question_differences(champion: Mapping[str, Any], challenger: Mapping[str, Any]) -> list[str]:
    """Return which parts of the question two declarations ask differ: event, horizon, rule set, cohort."""
    return [name for name in ("events", "horizon", "ruleset", "cohort") if champion[name] != challenger[name]]


def _same_rows(champion: pd.DataFrame, challenger: pd.DataFrame) -> bool:
    parts = [p.dropna(subset=["y"]).sort_values(TEST_ROW, ignore_index=True) for p in (champion, challenger)]
    return len(parts[0]) == len(parts[1]) and all(
        (parts[0][c].astype(str) == parts[1][c].astype(str)).all()
        for c in (*TEST_ROW, "township", "village", "y")
    )


def pair_predictions(champion: Candidate, challenger: Candidate) -> pd.DataFrame:
    """Return one row a test row with both probabilities and whether each model's list holds it."""
    both = (champion.predictions, challenger.predictions)
    if not _same_rows(*both):
        raise InputRefused(
            f"champion (version {champion.registered.version}) and challenger (version "
            f"{challenger.registered.version}) were tested on different rows: nothing can be compared"
        )
    parts = [p.dropna(subset=["y"]).sort_values(TEST_ROW, ignore_index=True) for p in both]
    out = parts[0].drop(columns=["model", "score"])
    budget = Budget(**challenger.experiment["budget"])
    for name, part in zip(("champion", "challenger"), parts, strict=True):
        out[name] = part["probability"]
        out[f"{name}_listed"] = listed_at_budget(part, budget)
    return out


def listed_at_budget(rows: pd.DataFrame, budget: Budget) -> pd.Series:
    """Say which test rows a list holds: what the budget buys a date, by probability, ties by household."""
    ordered = rows.sort_values("household_id")
    date = ordered.groupby(["fold", "as_of"]).ngroup().to_numpy().astype(np.int64)
    listed = list_at_budget(date, ordered["probability"].to_numpy(), budget)
    return pd.Series(listed, ordered.index).reindex(rows.index)


def recall_difference(rows: pd.DataFrame, seed: int = 0) -> tuple[float, float, Difference]:
    """Return recall of champion and challenger, and their difference; the lists stand as they were made."""
    recalls = compare_fixed_lists(
        rows["y"],
        {name: rows[f"{name}_listed"] for name in ("champion", "challenger")},
        rows[["township", "village"]],
        replicates=REPLICATES,
        seed=seed,
        level=LEVEL,
    )
    change = recalls.difference("challenger", "champion")
    return recalls.recall("champion"), recalls.recall("challenger"), change


def _is_worse(change: Difference) -> bool:
    """Say whether the challenger is worse beyond its interval; without one the difference itself decides."""
    end = change.delta if np.isnan(change.high) else change.high
    return not end >= 0


def fairness_groups(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the groups whose recall must not be given up.

    Township, household size, the rules' verdict, and the kinds of household that the run told apart (old and
    alone, disability, relocated, …: the columns ``group_*`` of its predictions).
    """
    size = pd.cut(rows["persons"].astype(float), [0, 2, 4, np.inf], labels=["1-2", "3-4", "5+"])
    return {
        "township": rows["township"].astype(str),
        "persons": size.astype(object),
        "flagged": rows["flagged"].map({True: "yes", False: "no"}),
        **{c.removeprefix("group_"): rows[c] for c in sorted(rows.columns) if c.startswith("group_")},
    }


# A group's recall may fall to four fifths of the champion's (the four-fifths rule, EEOC 1978): an assumption.
FAIRNESS_FLOOR = 0.8
# Expected and observed numbers may differ by a quarter where the interval cannot tell more: an assumption.
CALIBRATION_RATIO = (0.8, 1.25)
SLOPE_OFF = 0.2


def check_promotion(
    champion: Candidate, challenger: Candidate, data_check: Mapping[str, Any] | None = None
) -> list[Check]:
    """Check all a promotion needs: question, primary test, calibration, leakage, data, fairness, gate."""
    rows = pair_predictions(champion, challenger)
    return [
        _question(champion.experiment, challenger.experiment),
        _primary(rows),
        _calibrated(challenger),
        _leakage(challenger),
        _data(rows, data_check),
        _fairness(rows),
        _gate(challenger),
    ]


def _check(kind: str, passed: bool, key: str, **values: Any) -> Check:
    return Check(kind, passed, Message(f"runs.checks.{key}", values))


def _primary(rows: pd.DataFrame) -> Check:
    champion, challenger, change = recall_difference(rows)
    passed = not _is_worse(change)
    ends = {name: 100 * getattr(change, name) for name in ("delta", "low", "high")}
    figures = Message("runs.checks.figures", {"champion": champion, "challenger": challenger, **ends})
    return _check("primary", passed, "primary not worse" if passed else "primary worse", figures=figures)


def _question(champion: Mapping[str, Any], challenger: Mapping[str, Any]) -> Check:
    differ = question_differences(champion, challenger)
    return _check(
        "question", not differ, "other question" if differ else "same question", parts=", ".join(differ)
    )


def _calibrated(challenger: Candidate) -> Check:
    known = challenger.predictions.dropna(subset=["y"])
    observed, expected = float(known["y"].sum()), float(known["probability"].sum())
    low, high = poisson_interval(observed)
    ratio = observed / expected if expected else float("inf")
    level = low <= expected <= high or CALIBRATION_RATIO[0] <= ratio <= CALIBRATION_RATIO[1]
    slope, first, last = (
        float(challenger.metrics[f"calibration_slope{end}"]) for end in ("", "_low", "_high")
    )
    steep = first <= 1 <= last or abs(slope - 1) <= SLOPE_OFF
    return _check(
        "calibrated", bool(level and steep), "calibrated",
        observed=observed, expected=expected, slope=slope, low=first, high=last,
    )  # fmt: skip


def _leakage(challenger: Candidate) -> Check:
    high = bool(challenger.metrics.get("leakage_suspected"))
    leaks = challenger.leaks
    columns = [str(c) for c in leaks.loc[leaks["suspected"].astype(bool), "column"]] if len(leaks) else []
    kind = {(0, 0): "no leak", (1, 0): "high auc", (0, 1): "suspected", (1, 1): "high and suspected"}
    names = join(columns)
    finding = Message(f"runs.checks.{kind[high, bool(columns)]}", {"columns": names} if columns else {})
    passed = not high and not columns
    return _check("leakage", passed, "leakage", auc=float(challenger.metrics["auc"]), finding=finding)


def _data(rows: pd.DataFrame, data_check: Mapping[str, Any] | None) -> Check:
    events = int(rows["y"].sum())
    usable = data_check is not None and not data_check["refused"]
    kind = "data not checked" if data_check is None else "data passes" if usable else "data fails"
    passed = events >= MIN_GROUP_EVENTS and usable
    return _check("data", passed, "data", events=events, data=Message(f"runs.checks.{kind}"))


def _fairness(rows: pd.DataFrame) -> Check:
    low, recalls, small = [], [], 0
    for kind, group in fairness_groups(rows).items():
        for value in sorted(group.dropna().unique()):
            members = rows[group == value]
            if members["y"].sum() < MIN_GROUP_EVENTS:
                small += 1
                continue
            champion, challenger, change = recall_difference(members)
            recalls.append((challenger, f"{kind} {value}"))
            if challenger < FAIRNESS_FLOOR * champion and _is_worse(change):
                low.append(f"{kind} {value}: {champion:.0%} → {challenger:.0%}")
    if low:
        return _check("fairness", False, "groups low", groups="; ".join(low))
    lowest = "{1} {0:.0%}".format(*min(recalls)) if recalls else "—"
    return _check("fairness", True, "groups fine", judged=len(recalls), lowest=lowest, small=small)


def _gate(challenger: Candidate) -> Check:
    """Check what the challenger's own run found: nobody takes charge past the gate."""
    found = challenger.gate
    if found is None:
        return _check("gate", False, "gate unknown")
    # A simple order that stood in for a refused model claims nothing that the gate asks about.
    passed = challenger.registered.kind == found["in_charge"]
    return _check("gate", passed, "gate passed", sentence={lang: found[lang] for lang in LANGUAGES})


@dataclass(frozen=True)
class Decision:
    """What was decided, why, and where it is logged.

    Attributes
    ----------
    name
        Registered model.
    champion, challenger
        Versions that were compared.
    checks
        What a promotion needs, each with whether it holds and why.
    promoted
        Whether the challenger is now the champion.
    override
        The reason given for promoting against a failed check; empty otherwise.
    run_id
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
        return {**asdict(self), "checks": [check.as_dict() for check in self.checks]}


def promote(
    name: str,
    store: str | Path,
    challenger: str = tracking.CHALLENGER,
    *,
    override: str = "",
    data_check: Mapping[str, Any] | None = None,
    county: Callable[[], County] | None = None,
) -> Decision:
    """Compare challenger with champion and put it in charge if every check holds.

    Parameters
    ----------
    name
        Registered model, such as ``county``.
    store
        MLflow's SQLite file.
    challenger
        Alias or version.
    override
        A reason to promote although a check fails; it is logged with the decision.
    data_check
        What `riskmodel.data.check_county` says of the data today; without it the check ``data`` fails.
    county
        Reads the county: called only where the two were tested on different rows, as records came in between.

    Returns
    -------
    Decision
        Logged whether it promotes or not. The champion before keeps the alias ``previous``.

    Raises
    ------
    UsageError
        If there is no champion or challenger, or they are the same version.
    InputMissing
        If there is no store.
    InputRefused
        If they foretell different things, or tested different rows and no county is given.
    """
    champion, candidate = (
        tracking.require_model(f"{name}@{alias}", store) for alias in (tracking.CHAMPION, challenger)
    )
    if champion.version == candidate.version:
        raise UsageError(
            f"{name}@{challenger} is the champion (version {champion.version}); train a challenger"
        )
    both = align_test_rows(load_candidate(champion, store), load_candidate(candidate, store), county)
    checks = check_promotion(*both, data_check)
    passed = all(check.passed for check in checks)
    promoted = passed or bool(override)
    with tracking.start_run(
        f"{name}-promotions", store, f"{name} {champion.version} → {candidate.version}"
    ) as run:
        run.params({"champion": champion.version, "challenger": candidate.version, "promoted": str(promoted)})
        run.metrics({f"check.{c.id}": float(c.passed) for c in checks})
        reason = "" if passed else override
        decision = Decision(
            name, champion.version, candidate.version, tuple(checks), promoted, reason, run.run_id
        )
        run.document(decision.summary, "decision.json")
    if promoted:
        tracking.set_alias(name, tracking.PREVIOUS, champion.version, store)
        tracking.set_alias(name, tracking.CHAMPION, candidate.version, store)
    return decision
