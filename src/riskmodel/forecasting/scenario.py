"""Scenarios: what is to befall a county, declared in YAML under ``experiments/scenarios``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from riskmodel.data import codes
from riskmodel.forecasting.warning import headings
from riskmodel.io import paths
from riskmodel.io.specs import Spec, load

FOLDER = "experiments/scenarios"
LARGEST = "largest"
Kind = Literal["wage", "sales", "medical", "disaster", "support"]


class Shock(Spec):
    """One thing that happens from the month after as-of on.

    ``wage`` and ``sales`` lose ``share``; ``disaster`` loses a share of sales between ``loss[0]`` and
    ``loss[1]``; ``support`` loses ``share`` of what running measures pay; ``medical`` reimburses ``points``
    less. ``home_wage`` is what a worker at home earns against a migrant (assumption). ``reach`` is the share
    of the households concerned that are hit, by lot.
    """

    kind: Kind
    months: int = Field(ge=1, le=12)
    share: float = Field(default=0.0, ge=0, le=1)
    loss: tuple[float, float] = (0.0, 0.0)
    points: float = Field(default=0.0, ge=0, lt=1)
    reimbursed_now: float = Field(default=0.7, ge=0, lt=1)
    who: Literal["all", "migrants"] = "all"
    home_wage: float = Field(default=0.25, ge=0, le=1)
    where: str | None = None
    reach: float = Field(default=1.0, gt=0, le=1)
    cause: str

    @model_validator(mode="after")
    def _fits(self) -> Shock:
        given = {"disaster": max(self.loss), "medical": self.points}.get(self.kind, self.share)
        if not given > 0:
            name = {"disaster": "loss", "medical": "points"}.get(self.kind, "share")
            raise ValueError(f"a shock of kind {self.kind} needs {name} above 0")
        if not 0 <= self.loss[0] <= self.loss[1] <= 1:
            raise ValueError("loss: write [lowest, highest], both from 0 to 1")
        known = codes("risk_events", "cause")
        if self.cause not in known:
            raise ValueError(f"cause {self.cause!r}: one of {', '.join(known)}")
        if self.kind == "medical" and self.reimbursed_now < self.points:
            raise ValueError("reimbursed_now must be at least points")
        return self


class Scenario(Spec):
    """One scenario; ``risk`` is its heading in the office's list of scale risks."""

    version: Literal[1]
    id: str
    name_zh: str
    name_en: str
    risk: str
    shocks: tuple[Shock, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known_risk(self) -> Scenario:
        if self.risk not in headings():
            raise ValueError(f"risk {self.risk!r}: one of {', '.join(headings())}")
        return self


def read(name: str | Path) -> Scenario:
    """Read a scenario by id or path.

    Parameters
    ----------
    name : str or Path
        Such as ``wages-down``, or a path to a ``.yaml`` file.

    Returns
    -------
    Scenario

    Raises
    ------
    UsageError
        If there is none; the message lists those there are.
    SpecError
        If the file does not fit.

    Examples
    --------
    >>> read("wages-down").shocks[0].share
    0.3
    """
    return load(paths.declaration(FOLDER, name), Scenario)


def available() -> list[str]:
    """Return the ids of the declared scenarios."""
    return sorted(p.stem for p in paths.folder(FOLDER).glob("*.yaml"))
