"""A feature and a feature set: what each column is, fully written out."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field

from riskmodel.errors import UsageError
from riskmodel.io import Spec
from riskmodel.rules import RelativeLine

ROLES = ("own", "context", "register", "support")

Role = Literal["own", "context", "register", "support"]
Group = Literal["core", "optional", "mirrors_simulator"]
Unit = Literal[
    "yuan", "yuan_per_head", "yuan_per_head_and_month", "log_yuan", "log_line", "log_change", "share",
    "ratio", "months", "years", "persons", "count", "grade", "flag",
]  # fmt: skip
KnownOn = Literal["recorded_on", "authorised_on"]
Missing = Literal[
    "as_accounting", "zero_if_table_present", "null_if_no_income", "null_if_not_recorded", "null_if_none",
    "null_if_unknown", "null_if_input_null", "never", "null_if_no_neighbour",
]  # fmt: skip
# Where a monthly window ends: with the last completed month, or with the household's accounting period.
Ends = Literal["last_completed", "last_recorded"]
Source = Literal[
    "accounting", "income", "spending", "members", "risk_events", "monitoring", "support", "visits",
    "assets", "accounts", "indicators", "features", "neighbours",
]  # fmt: skip


class FeatureBase(Spec):
    """What an entry and each feature it stands for have in common.

    ``group`` says what a feature is to a model: ``core``, ``optional`` (for counties with many events), or
    ``mirrors_simulator``, where it copies an equation of `riskmodel.simulate`: what such a feature gains on a
    simulated county says nothing of a real one. An ``intermediate`` one is what others are made of, and no
    column of the table.
    """

    # Written out under the name that is read in, so that a set comes back from JSON as it was.
    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    source: Source = Field(alias="from")
    aggregate: str
    column: str | None = None
    where: dict[str, Any] = Field(default_factory=dict)
    lag: int = Field(default=0, ge=0, le=24)
    ends: Ends = "last_completed"
    least_months: int | None = Field(default=None, ge=1, le=36)
    quantile: float | None = Field(default=None, ge=0, le=1)
    per: Literal["head", "income"] | None = None
    factor: float = Field(default=1.0, gt=0)
    at_least: float | None = None
    at_most: float | None = None
    known_on: KnownOn
    missing: Missing
    unit: Unit
    role: Role = "own"
    group: Group = "core"
    intermediate: bool = False
    changeable: bool = False
    explainable: bool = False


class Feature(FeatureBase):
    """One feature, explicit in everything.

    ``cause`` is an official cause (`riskmodel.data.schema.codes` of ``risk_events.cause``), ``income``,
    ``context`` or ``none``; ``direction`` is +1 where risk rises with the value, −1 where it falls, 0
    where neither is expected; ``months`` says that it needs monthly records.
    """

    id: str
    over: str | None = None
    window: int | None = None
    by: Literal["village", "township"] | None = None
    of: tuple[str, ...] = ()
    cause: str = "none"
    direction: Literal[-1, 0, 1] = 0
    zh: str
    en: str
    months: bool = False


class FeatureSet(Spec):
    """An expanded feature set.

    Parameters
    ----------
    id, version, zh, en
        As declared.
    line : float or RelativeLine
        Yuan per person and period, or a share of the county's median.
    period_months : int
        Length of the accounting period.
    features : tuple of Feature
        In column order.
    """

    id: str
    version: int
    zh: str
    en: str
    line: float | RelativeLine
    line_source: str
    period_months: int = 12
    features: tuple[Feature, ...]

    @property
    def names(self) -> list[str]:
        """Feature ids in column order, without intermediate ones."""
        return [f.id for f in self.features if not f.intermediate]

    @property
    def looks_at_county(self) -> bool:
        """Whether a feature stands on more than its household and the others of its township."""
        return isinstance(self.line, RelativeLine) or any(f.source == "accounts" for f in self.features)

    def feature(self, name: str) -> Feature:
        """Return one feature by its id.

        Raises
        ------
        UsageError
            If the set has none of that id.
        """
        for f in self.features:
            if f.id == name:
                return f
        raise UsageError(f"feature set {self.id} has no feature {name!r}; see riskmodel features --describe")

    @property
    def catalog_hash(self) -> str:
        """SHA-256 of everything declared, expanded: two sets with one hash compute the same columns."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def with_line(self, line: float | RelativeLine, source: str = "given by the caller") -> FeatureSet:
        """Return the same set measured from another line (yuan per person and period, or relative)."""
        chosen = line if isinstance(line, RelativeLine) else float(line)
        return self.model_copy(update={"line": chosen, "line_source": source})

    def at_line(self, factor: float) -> FeatureSet:
        """Return the same set measured from another line, so many times its own."""
        if isinstance(self.line, RelativeLine):
            line: float | RelativeLine = self.line.model_copy(
                update={"relative": self.line.relative * factor}
            )
        else:
            line = self.line * factor
        return self.with_line(line, f"{factor:g} times that of {self.line_source}")


def without_roles(feature_set: FeatureSet, roles: set[str]) -> FeatureSet:
    """Return a feature set without the features of some roles or groups.

    Parameters
    ----------
    feature_set
        The set to leave features out of.
    roles : set of str
        Of ``own``, ``context``, ``register``, ``support``; groups: ``core``, ``optional``,
        ``mirrors_simulator``.

    Returns
    -------
    FeatureSet
        Its id says what was left out.

    Raises
    ------
    UsageError
        If a role is unknown, a kept feature stands on one left out, or nothing would be left.
    """
    able = (*ROLES, *get_args(Group))
    unknown = set(roles) - set(able)
    if unknown:
        raise UsageError(f"unknown role {sorted(unknown)[0]!r}; roles and groups: {', '.join(able)}")
    features = tuple(f for f in feature_set.features if not {f.role, f.group} & set(roles))
    names = {f.id for f in features}
    for f in features:
        gone = [ref for ref in f.of if not ref.startswith("accounting.") and ref not in names]
        if gone:
            raise UsageError(
                f"{f.id} stands on {gone[0]}, which would be left out; leave out role {f.role!r} "
                f"or group {f.group!r} too"
            )
    if not features:
        raise UsageError(f"leaving out {', '.join(sorted(roles))} leaves no feature of {feature_set.id}")
    left_out = "".join(f"-without-{r}" for r in sorted(roles))
    return feature_set.model_copy(update={"id": feature_set.id + left_out, "features": features})
