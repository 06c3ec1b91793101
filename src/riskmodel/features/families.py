"""Feature sets as declared: YAML entries, the families they stand for, and the checks on both.

One entry may stand for a family (``over``, ``window`` and ``by`` take lists); it expands to explicit
features in the order written, so the same file always gives the same columns in the same order.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from riskmodel.data import codes
from riskmodel.errors import SpecError
from riskmodel.features.aggregates import CODES_OF, MONTHLY, TOGETHER
from riskmodel.features.checks import check_feature, check_set
from riskmodel.features.declared import Common, Feature, FeatureSet, KnownOn, Missing, Source
from riskmodel.io import paths
from riskmodel.io.specs import Spec
from riskmodel.io.specs import load as load_spec
from riskmodel.rules import RelativeLine

KIND = "features"
_PLACE_WORDS = {"village": ("村", "village"), "township": ("乡镇", "township")}


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


def available() -> list[str]:
    """Return the ids of the feature sets that come with the project."""
    return sorted(p.stem for p in paths.folder(KIND).glob("*.yaml"))


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
    path = paths.declaration(KIND, name)
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _load(path: Path, changed: int) -> FeatureSet:
    # `changed` is the file's time stamp: an edited file is read again.
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
