"""Feature sets as declared: YAML entries, the families they stand for, and the checks on both.

One entry may stand for a family (``over``, ``window`` and ``by`` take lists); it expands to explicit
features in the order written, so the same file always gives the same columns in the same order.
"""

from __future__ import annotations

import hashlib
import json
from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from riskmodel import project
from riskmodel.county.schema import codes
from riskmodel.errors import SpecError, UsageError
from riskmodel.features.aggregates import CODES_OF, MONTHLY, PLACES, TOGETHER
from riskmodel.features.checks import check_feature, check_set
from riskmodel.rules.parameters import RelativeLine
from riskmodel.spec import Spec
from riskmodel.spec import load as load_spec

KIND = "features"
ROLES = ("own", "context", "register", "support")
_PLACE_WORDS = {"village": ("村", "village"), "township": ("乡镇", "township")}

Role = Literal["own", "context", "register", "support"]
Unit = Literal[
    "yuan", "yuan_per_head", "yuan_per_head_and_month", "log_yuan", "share", "ratio", "months", "years",
    "persons", "count", "grade", "flag",
]  # fmt: skip
KnownOn = Literal["recorded_on", "authorised_on"]
Missing = Literal[
    "as_accounting", "zero_if_table_present", "null_if_no_income", "null_if_none", "null_if_unknown",
    "null_if_input_null", "never", "null_if_no_neighbour",
]  # fmt: skip
Source = Literal[
    "accounting", "income", "spending", "members", "risk_events", "monitoring", "support", "visits",
    "assets", "accounts", "indicators", "features", "neighbours",
]  # fmt: skip


class Common(Spec):
    """What an entry and each feature it stands for have in common."""

    source: Source = Field(alias="from")
    aggregate: str
    column: str | None = None
    where: dict[str, Any] = Field(default_factory=dict)
    lag: int = Field(default=0, ge=0, le=24)
    per: Literal["head"] | None = None
    factor: float = Field(default=1.0, gt=0)
    at_least: float | None = None
    at_most: float | None = None
    known_on: KnownOn
    missing: Missing
    unit: Unit
    role: Role = "own"
    changeable: bool = False
    explainable: bool = False


class Feature(Common):
    """One feature, explicit in everything.

    ``cause`` is an official cause (`riskmodel.county.schema.codes` of ``risk_events.cause``), ``income``,
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


class Entry(Common):
    """One entry of a feature-set file: a feature, or a family of them."""

    id: str
    over: tuple[str, ...] = ()
    codes_of: str | None = None
    window: tuple[int, ...] = ()
    by: tuple[Literal["village", "township"], ...] = ()
    of: tuple[str, ...] = ()
    cause: str | dict[str, str] = "none"
    direction: Literal[-1, 0, 1] | dict[str, Literal[-1, 0, 1]] = 0
    zh: str
    en: str

    @field_validator("over", "window", "by", "of", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return value if isinstance(value, list | tuple) else (value,)

    @field_validator("window")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= w <= 36 for w in value):
            raise ValueError("a window is 1 to 36 months")
        return value


class Line(Spec):
    """The poverty line that distances are measured from: yuan per person and period, or relative."""

    value: float | RelativeLine
    source: str

    @field_validator("value")
    @classmethod
    def _positive(cls, value: float | RelativeLine) -> float | RelativeLine:
        if isinstance(value, float) and value <= 0:
            raise ValueError("a line is an amount above 0, or {relative: 0.6, of: median, weight: persons}")
        return value


class Include(Spec):
    """Features taken over from another set: all, or only those that annual totals can support."""

    set: str
    without_months: bool = False


class Rules(Spec):
    """What a file says once for all its features of one source."""

    known_on: KnownOn
    missing: Missing


class File(Spec):
    """A feature-set file; an entry without its own ``known_on`` or ``missing`` takes its source's."""

    format: Literal[1]
    id: str
    version: int
    zh: str
    en: str
    line: Line
    period_months: int = Field(default=12, ge=1, le=24)
    include: Include | None = None
    defaults: dict[Source, Rules] = Field(default_factory=dict)
    features: tuple[Entry, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _spread_defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("features"), list):
            return data
        defaults = data.get("defaults") or {}
        return data | {
            "features": [
                {**(defaults.get(entry.get("from")) or {}), **entry} if isinstance(entry, dict) else entry
                for entry in data["features"]
            ]
        }


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
        """Feature ids in column order."""
        return [f.id for f in self.features]

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


def available() -> list[str]:
    """Return the ids of the feature sets that come with the project."""
    return sorted(p.stem for p in project.folder(KIND).glob("*.yaml"))


def load(name: str | Path) -> FeatureSet:
    """Read, expand and check a feature set.

    Parameters
    ----------
    name : str or Path
        An id such as ``household-v1``, or a path to a YAML file.

    Returns
    -------
    FeatureSet

    Raises
    ------
    SpecError
        If the declaration is wrong; the message names file, feature, key and what is allowed.
    UsageError
        If there is no such set.

    Examples
    --------
    >>> load("household-v1").feature("pcni").unit
    'yuan_per_head'
    """
    path = project.declaration(KIND, name)
    spec = load_spec(path, File)
    out: list[Feature] = []
    if spec.include:
        if spec.include.set == spec.id:
            raise SpecError(f"{path}: include.set: a set cannot include itself")
        beside = path.parent / f"{spec.include.set}.yaml"
        base = load(beside if beside.is_file() else spec.include.set)
        out += [f for f in base.features if not (spec.include.without_months and f.months)]
    for i, entry in enumerate(spec.features):
        out += _expand(entry, f"{path}: features.{i} ({entry.id})")
    features = _mark_months(out)
    check_set(features, str(path))
    return FeatureSet(
        id=spec.id, version=spec.version, zh=spec.zh, en=spec.en,
        line=spec.line.value, line_source=spec.line.source, period_months=spec.period_months,
        features=features,
    )  # fmt: skip


def without(feature_set: FeatureSet, roles: set[str]) -> FeatureSet:
    """Return a feature set without the features of some roles.

    Parameters
    ----------
    feature_set : FeatureSet
    roles : set of str
        Of ``own``, ``context``, ``register``, ``support``.

    Returns
    -------
    FeatureSet
        Its id says what was left out.

    Raises
    ------
    UsageError
        If a role is unknown, a kept feature stands on one left out, or nothing would be left.
    """
    unknown = set(roles) - set(ROLES)
    if unknown:
        raise UsageError(f"unknown role {sorted(unknown)[0]!r}; roles: {', '.join(ROLES)}")
    kept = tuple(f for f in feature_set.features if f.role not in roles)
    names = {f.id for f in kept}
    for f in kept:
        gone = [ref for ref in f.of if not ref.startswith("accounting.") and ref not in names]
        if gone:
            raise UsageError(
                f"{f.id} stands on {gone[0]}, which would be left out; leave out role {f.role!r} too"
            )
    if not kept:
        raise UsageError(f"leaving out {', '.join(sorted(roles))} leaves no feature of {feature_set.id}")
    left_out = "".join(f"-without-{r}" for r in sorted(roles))
    return feature_set.model_copy(update={"id": feature_set.id + left_out, "features": kept})


def words(entry: Entry, code: str, where: str) -> tuple[str, str]:
    """Return the Chinese and English words of a code an entry is declared over.

    Raises
    ------
    SpecError
        If the code is none of the source's.
    """
    column = entry.codes_of or CODES_OF.get(entry.source, "")
    table = column.split(".")[0]
    together = TOGETHER.get(table, {})
    if code in together:
        return together[code]
    known = codes(*column.split(".")) if column else {}
    if code not in known:
        allowed = ", ".join([*known, *together]) or "nothing (give codes_of: table.column)"
        raise SpecError(f"{where}: over: {code!r} is not one of {allowed}")
    return known[code], code.replace("_", " ")


def _expand(entry: Entry, where: str) -> list[Feature]:
    common = {k: getattr(entry, k) for k in Common.model_fields if k != "source"}
    out = []
    for over, window, by in product(entry.over or (None,), entry.window or (None,), entry.by or (None,)):
        zh, en = words(entry, over, where) if over else ("", "")
        place = _PLACE_WORDS[by] if by else ("", "")
        slots = {"over": over or "", "window": window or "", "by": by or ""}
        feature = Feature(
            **common | {"from": entry.source},
            id=_fill(entry.id, slots, where),
            over=over,
            window=window,
            by=by,
            of=tuple(_fill(ref, slots, where) for ref in entry.of),
            cause=_fill(_chosen(entry.cause, over, "cause", where), slots, where),
            direction=_chosen(entry.direction, over, "direction", where),
            zh=_fill(entry.zh, slots | {"over": zh, "by": place[0]}, where),
            en=_fill(entry.en, slots | {"over": en, "by": place[1]}, where),
        )
        filled = {"where": {k: _fill(v, slots, where) for k, v in entry.where.items()}}
        if entry.column:
            filled["column"] = _fill(entry.column, slots, where)
        feature = feature.model_copy(update=filled)
        check_feature(feature, where)
        out.append(feature)
    return out


def _chosen(given: Any, over: str | None, key: str, where: str) -> Any:
    """Return what is declared for one code where a key gives a value per code."""
    if not isinstance(given, dict):
        return given
    if over not in given:
        raise SpecError(f"{where}: {key}: nothing given for {over!r}; given: {', '.join(given)}")
    return given[over]


def _fill(template: Any, slots: dict[str, Any], where: str) -> Any:
    if not isinstance(template, str):
        return template
    try:
        return template.format(**slots)
    except (KeyError, IndexError, ValueError) as exc:
        raise SpecError(
            f"{where}: {template!r}: only {{over}}, {{window}} and {{by}} can be filled in"
        ) from exc


def _mark_months(features: list[Feature]) -> tuple[Feature, ...]:
    """Mark what needs monthly records: monthly windows, and everything that stands on one."""
    needs = {f.id for f in features if f.source in MONTHLY}
    while True:
        more = {f.id for f in features if needs & set(f.of)} - needs
        if not more:
            break
        needs |= more
    return tuple(f.model_copy(update={"months": f.id in needs}) for f in features)


__all__ = ["PLACES", "ROLES", "Entry", "Feature", "FeatureSet", "File", "available", "load", "without"]
