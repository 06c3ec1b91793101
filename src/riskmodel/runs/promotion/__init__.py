"""Champion and challenger: who scores changes only by a decision that is checked and logged with reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from riskmodel.data import County
from riskmodel.errors import InputMissing, UsageError
from riskmodel.runs import tracking
from riskmodel.runs.promotion.checks import MIN_EVENTS, Check, decide
from riskmodel.runs.promotion.contenders import ROW, Contender, comparable, difference, groups, logged, paired
from riskmodel.runs.tracking import Registered

__all__ = [
    "MIN_EVENTS",
    "ROW",
    "Check",
    "Contender",
    "Decision",
    "comparable",
    "decide",
    "difference",
    "groups",
    "paired",
    "promote",
]


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
    county: Callable[[], County] | None = None,
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
        What `riskmodel.data.check` said of the county's data today; without it the check ``data`` fails.
    county : callable, optional
        Reads the county: called only where the two were tested on different rows (see `comparable`).

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
    ours, theirs = _registered(name, tracking.CHAMPION, store), _registered(name, challenger, store)
    if ours.version == theirs.version:
        raise UsageError(f"{name}@{challenger} is the champion (version {ours.version}); train a challenger")
    both = comparable(logged(ours, store), logged(theirs, store), county)
    checks = decide(*both, data_check)
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
    if not Path(store).is_file():
        raise InputMissing(f"no model store at {store}; run `riskmodel train` first, or give --store")
    found = tracking.find(f"{name}@{alias}", store)
    if found is None:
        raise UsageError(
            f"no model {name}@{alias} in {store}; run riskmodel train, or name an alias or version"
        )
    return found
