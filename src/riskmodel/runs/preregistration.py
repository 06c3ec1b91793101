"""Which outcomes a run is judged on, who judged on them before, and whether that was planned.

A test set is a cohort at its test dates with a label: whoever has seen it once cannot choose unseen what to
test there. Every run carries its test set's key, so that a later one knows of it: the models of all runs are
one family, and a plan is confirmatory only where it was the first on the key, before any run.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import fingerprint, window_end
from riskmodel.i18n import Message
from riskmodel.runs import tracking
from riskmodel.runs.experiment import Experiment, as_of_dates, load_experiment, temporal_folds

TEST_SET, PLAN, REPEATED, TOWNSHIPS = "test_set", "plan", "repeats", "townships"
FORMAT = 1
_MOST_MARKS = 400  # a tag holds a few thousand characters
_FAMILY, _DECLARED = "family", "declared"


def describe_test_set(exp: Experiment, days: Sequence[dt.date]) -> dict[str, Any]:
    """Return what a test set is: cohort, test dates and label, in plain values."""
    return {
        "cohort": sorted(exp.cohort),
        "dates": sorted(day.isoformat() for day in days),
        "label": {
            "events": sorted(exp.events), "horizon": exp.horizon.model_dump(mode="json"),
            "ruleset": Path(exp.ruleset).stem, "params": exp.params,
        },
    }  # fmt: skip


def key_of(test_set: dict[str, Any]) -> str:
    """Return a test set's key, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(test_set, sort_keys=True, default=str).encode()).hexdigest()[:16]


def mark_townships(names: Iterable[Any]) -> str:
    """Return marks of townships, by which counties in one store are told apart; no names."""
    return " ".join(sorted({hashlib.sha256(str(n).encode()).hexdigest()[:8] for n in names})[:_MOST_MARKS])


def _one_county(marks: str, others: str) -> bool:
    return bool(set(marks.split()) & set(others.split()))


def tested_days(predictions: pd.DataFrame) -> list[dt.date]:
    """Return the test dates of a run's predictions."""
    return sorted(day.date() for day in pd.to_datetime(predictions["as_of"].unique()))


@dataclass(frozen=True)
class Standing:
    """What is known of a test set when a run comes to it.

    Attributes
    ----------
    key
        Of the test set.
    runs_before
        How many other runs have seen it; an exact repetition (declaration and data) is none.
    other_tests
        P values of the models those runs compared, their declared ones left out.
    plan
        The plan that the run follows, or that should have been; None where there is none on the key.
    townships
        Marks of the county.
    identity
        Of declaration and data: what an exact repetition shares.
    status
        ``unplanned``; ``preregistered``; ``plan fixed`` (outcomes were on file at the lock); ``exploratory``.
    """

    key: str
    runs_before: int
    other_tests: tuple[float, ...]
    plan: dict[str, Any] | None
    townships: str
    identity: str
    status: str

    @property
    def tags(self) -> dict[str, str]:
        """The tags by which a later run finds this one."""
        return {TEST_SET: self.key, REPEATED: self.identity, TOWNSHIPS: self.townships}

    @property
    def messages(self) -> list[Message]:
        """Say how many runs have seen the test set, and what became of the plan."""
        out = [Message("runs.test_set.seen", {"runs": self.runs_before})] if self.runs_before else []
        if self.plan is not None:
            out.append(Message(f"runs.test_set.{self.status}", {"locked": self.plan["locked_at"][:10]}))
        return out

    @property
    def summary(self) -> dict[str, Any]:
        """Return plain values, as they are logged."""
        plan = None if self.plan is None else self.plan["run_id"]
        return {
            "key": self.key, "runs_before": self.runs_before, "status": self.status, "plan": plan,
            "other_tests": list(self.other_tests), "townships": self.townships,
        }  # fmt: skip


def looks_message(test_set: Mapping[str, Any], store: str | Path) -> Message:
    """Say how many runs have seen a run's test set by now, that run among them; repetitions count once.

    Parameters
    ----------
    test_set
        As a run logged it: ``key, townships``.
    store
        MLflow's SQLite file.
    """
    runs = _runs(test_set["key"], test_set["townships"], store)
    return Message("runs.test_set.looks", {"runs": len({r.tags.get(REPEATED, r.run_id) for r in runs})})


def plan_digest(exp: Experiment) -> str:
    """Return the digest of what a plan holds fast: drawing lists up again later changes no test."""
    return exp.model_copy(update={"follow_months": None}).digest


def run_identity(exp: Experiment, data: str) -> str:
    """Return what two runs share that are the same: declaration and data."""
    return hashlib.sha256(f"{plan_digest(exp)} {data}".encode()).hexdigest()[:16]


def standing(
    exp: Experiment, predictions: pd.DataFrame, data: str, store: str | Path, county: County | None = None
) -> Standing:
    """Look up who judged on a run's test set before, and whether the run follows the first plan on it.

    Parameters
    ----------
    exp
        As it was declared.
    predictions
        Its test rows.
    data
        Fingerprint of all that the run saw.
    store
        MLflow's SQLite file.
    county
        Where given, what was known at the last test date is held against the plan's fingerprint.
    """
    days = tested_days(predictions)
    key = key_of(describe_test_set(exp, days))
    own = run_identity(exp, data)
    marks = mark_townships(predictions["township"].unique())
    others = [r for r in _runs(key, marks, store) if r.tags.get(REPEATED) != own]
    distinct = list({r.tags.get(REPEATED, r.run_id): r for r in others}.values())
    p = [v for r in distinct for name, v in r.metrics.items() if name.startswith(f"{_FAMILY}.")]
    plans = _plans(key, marks, store)
    plan = plans[0] if plans else None
    status = "unplanned"
    if plan is not None:
        followed = plan["status"] != "exploratory" and plan["digest"] == plan_digest(exp)
        if followed and county is not None:
            followed = plan["fingerprint"] == _known_then(county, days)
        if followed:
            # Whoever looked after the lock has not chosen this plan; one who looked before has.
            opened = [r for r in others if r.started.isoformat() < plan["locked_at"]]
            followed = not opened
        status = plan["status"] if followed else "exploratory"
    return Standing(key, len(distinct), tuple(p), plan, marks, own, status)


def family_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Return the p values of a comparison by which a later run counts its models."""
    rows = table[table["tested"] & ~table["p_bootstrap"].isna()]
    kinds = np.where(rows["declared"], _DECLARED, _FAMILY)
    return {f"{k}.{m}.p": float(p) for k, m, p in zip(kinds, rows["model"], rows["p_bootstrap"], strict=True)}


def _runs(key: str, marks: str, store: str | Path) -> list[tracking.LoggedRun]:
    """Return the runs that saw a test set of this county, the earliest first."""
    runs = tracking.find_runs(store, TEST_SET, key)
    return [run for run in runs if _one_county(marks, run.tags.get(TOWNSHIPS, ""))]


def _plans(key: str, marks: str, store: str | Path) -> list[dict[str, Any]]:
    """Return the plans on a key, the earliest first; one that was changed since it was locked is refused."""
    out = []
    for run in tracking.find_runs(store, PLAN, key):
        if not _one_county(marks, run.tags.get(TOWNSHIPS, "")):
            continue
        plan = tracking.read_document(run.run_id, "plan.json", store)
        if _digest(plan) != run.tags.get("plan_digest"):
            raise UsageError(f"plan {run.run_id} is not the one that was locked: its file was changed")
        out.append({**plan, "run_id": run.run_id})
    return out


def _digest(plan: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()


def _known_then(county: County, days: Sequence[dt.date]) -> str:
    """Return the fingerprint of the rows known at the last test date, or by now where that lies ahead."""
    return fingerprint(county, min(max(days), county.data_through))


def preregister(exp: Experiment | str, county: County, store: str | Path) -> dict[str, Any]:
    """Date and lock a plan: what will be tested, on which outcomes, before it is run.

    Parameters
    ----------
    exp
        The declaration, or its id or file.
    county
        The county's checked tables; of them only what is known at the last test date is written down.
    store
        MLflow's SQLite file, made if it is not there.

    Returns
    -------
    dict
        The plan as it was logged: ``run_id, locked_at, key, test_set, experiment, digest, primary, visits,
        fingerprint, data_through, status`` {preregistered, plan fixed, exploratory}, ``runs_before,
        plans_before``.

    Raises
    ------
    UsageError
        If the experiment declares no model to test, or this very plan is locked already.
    InputRefused
        If the records cannot carry its dates.
    """
    exp = load_experiment(exp) if isinstance(exp, str) else exp
    if exp.champion == "rule":
        raise UsageError(
            f"experiment {exp.id}: its champion is the rule list itself; nothing is to be tested"
        )
    folds = temporal_folds(exp, county, as_of_dates(exp, county))
    days = sorted({day for fold in folds for day in fold.test})
    test_set = describe_test_set(exp, days)
    key = key_of(test_set)
    marks = mark_townships(county.table("households").township.to_pyarrow().to_pylist())
    before, runs = _plans(key, marks, store), _runs(key, marks, store)
    if any(plan["digest"] == plan_digest(exp) for plan in before):
        raise UsageError(
            f"experiment {exp.id} is locked already on test set {key}; see its plan in the store"
        )
    # Outcomes of the first window are on file from its last day on.
    ahead = county.data_through < window_end(days[0], exp.horizon.months)
    status = "exploratory" if before or runs else "preregistered" if ahead else "plan fixed"
    plan: dict[str, Any] = {
        "format": FORMAT,
        "locked_at": dt.datetime.now(dt.UTC).isoformat(),
        "key": key,
        "test_set": test_set,
        "experiment": exp.model_dump(mode="json"),
        "digest": plan_digest(exp),
        "primary": exp.champion,
        "visits": exp.budget.model_dump(mode="json"),
        "fingerprint": _known_then(county, days),
        "data_through": county.data_through.isoformat(),
        "status": status,
        "runs_before": len(runs),
        "plans_before": len(before),
    }
    plan = json.loads(json.dumps(plan, default=str))
    tags = {PLAN: key, "plan_digest": _digest(plan), TOWNSHIPS: marks}
    with tracking.start_run(f"{exp.id}-plans", store, f"{exp.id} v{exp.version}", tags) as writer:
        writer.document(plan, "plan.json")
    return {**plan, "run_id": writer.run_id}


def plan_message(plan: dict[str, Any]) -> Message:
    """Say what was locked, and what it can be called."""
    return Message(f"runs.test_set.locked {plan['status']}", {
        "key": plan["key"], "dates": ", ".join(plan["test_set"]["dates"]), "through": plan["data_through"],
        "runs": plan["runs_before"], "plans": plan["plans_before"],
    })  # fmt: skip
