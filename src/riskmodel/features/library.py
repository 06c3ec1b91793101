"""Feature sets as declared: YAML entries, the families they stand for, and the checks on both.

One entry may stand for a family (``over``, ``window`` and ``by`` take lists); it expands to explicit
features in the order written, so the same file always gives the same columns in the same order.

Checks of declared features beyond their types: combinations, codes, references, roles.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from riskmodel.data import canonical_schema, codes
from riskmodel.errors import SpecError
from riskmodel.features.aggregates import (
    AGGREGATES,
    CODE_COLUMNS,
    CODE_GROUPS,
    EVENTS,
    MISSING,
    MONTHLY,
    OBSERVED,
    SOURCES,
)
from riskmodel.features.declaration import (
    Ends,
    Feature,
    FeatureBase,
    FeatureSet,
    KnownOn,
    Missing,
    Source,
)
from riskmodel.i18n import both
from riskmodel.io import Spec, find_declaration, folder, load_spec
from riskmodel.rules import RelativeLine

if TYPE_CHECKING:
    from riskmodel.features.declaration import Feature

# Months are kept densely, which three years of them allow; observations are few, and a life long at most.
LONGEST_OF_MONTHS = 36
LONGEST = 1200
# ASCII and free of the signs that LightGBM refuses in a column name ([ ] { } : , ").
_ID = re.compile(r"[a-z][a-z0-9_]*")
_EXTRA_MEMBER_COLUMNS = ("age",)
_RANK = {"own": 0, "context": 0, "register": 1, "support": 1}


def feature_causes() -> list[str]:
    """Return what a feature's ``cause`` may be: the official causes, ``income``, ``context``, ``none``."""
    return [*codes("risk_events", "cause"), "income", "context", "none"]


def check_feature(f: Feature, where: str) -> None:
    """Check one expanded feature."""
    if not _ID.fullmatch(f.id):
        raise SpecError(
            f"{where}: id: {f.id!r} must be lower-case ASCII letters, digits and _, beginning with a letter"
        )
    _one_of(f.aggregate, [n for n, a in AGGREGATES.items() if f.source in a.sources], "aggregate", f, where)
    _one_of(f.missing, [n for n, sources in MISSING.items() if f.source in sources], "missing", f, where)
    _one_of(f.cause, feature_causes(), "cause", f, where)
    aggregate = AGGREGATES[f.aggregate]
    # An observation has no codes, and looks as far back as there are any where no window is given.
    needs = [n for n in aggregate.needs if f.source not in OBSERVED or n not in ("over", "window")]
    for key in (*needs, *(["column"] if f.source in aggregate.column_on else [])):
        if not getattr(f, key) and not (key == "quantile" and f.quantile is not None):
            raise SpecError(f"{where}: {key}: {f.source}/{f.aggregate} needs it (feature {f.id})")
    inputs = aggregate.inputs
    if f.source in ("features", "neighbours") and inputs is not None and len(f.of) != inputs:
        raise SpecError(
            f"{where}: of: {f.aggregate} takes {inputs} feature(s), given {len(f.of)}: {', '.join(f.of)}"
        )
    if f.per == "income" and f.source not in ("accounting", *OBSERVED):
        able = ", ".join(("accounting", *OBSERVED))
        raise SpecError(f"{where}: per: only {able} can be taken per income (feature {f.id})")
    if f.known_on == "authorised_on" and f.source != "assets":
        raise SpecError(f"{where}: known_on: 'authorised_on' is a column of assets only; write recorded_on")
    _check_window(f, where)
    (_check_observed if f.source in OBSERVED else _check_columns)(f, where)


def _one_of(value: str, allowed: Sequence[str], key: str, f: Feature, where: str) -> None:
    if value not in allowed:
        raise SpecError(
            f"{where}: {key}: {value!r} is not allowed on {f.source}; allowed: {', '.join(allowed)}"
        )


def _check_window(f: Feature, where: str) -> None:
    if f.source in MONTHLY and not f.window:
        raise SpecError(f"{where}: window: a monthly source needs a window in months (feature {f.id})")
    if (f.window or 0) > LONGEST_OF_MONTHS and f.source not in OBSERVED:
        raise SpecError(
            f"{where}: window: {f.window} months; on {f.source} at most {LONGEST_OF_MONTHS} (feature "
            f"{f.id}). To look further back take observations, from: accounts (pcni, line_ratio) or from: "
            f"indicators: their window goes to {LONGEST} months, without one they look back to the first, "
            "and lag counts known values back"
        )
    if f.window and f.source not in (*MONTHLY, *EVENTS, *OBSERVED, "features"):
        raise SpecError(f"{where}: window: {f.source} has no window; leave it out (feature {f.id})")
    if f.lag and f.source not in (*MONTHLY, *OBSERVED):
        able = ", ".join((*MONTHLY, *OBSERVED))
        raise SpecError(f"{where}: lag: only {able} can lag (feature {f.id})")
    if f.source in MONTHLY:
        _check_monthly(f, where)
    for key, given in (("ends", f.ends != "last_completed"), ("least_months", f.least_months is not None)):
        if given and f.source not in MONTHLY:
            raise SpecError(f"{where}: {key}: only {', '.join(MONTHLY)} have it (feature {f.id})")
    if f.quantile is not None and "quantile" not in AGGREGATES[f.aggregate].needs:
        raise SpecError(f"{where}: quantile: {f.aggregate} has none; leave it out (feature {f.id})")


def _check_monthly(f: Feature, where: str) -> None:
    monthly = AGGREGATES[f.aggregate].monthly
    if monthly is None:
        return
    least = monthly.least_window
    for key, months in (("window", f.window or 0), ("least_months", f.least_months)):
        if months is not None and months < least:
            raise SpecError(f"{where}: {key}: {f.aggregate} needs at least {least} months (feature {f.id})")
    if f.least_months is not None and monthly.months != "least":
        raise SpecError(
            f"{where}: least_months: {f.aggregate} is made of the whole window; leave it out (feature {f.id})"
        )
    if f.least_months is not None and f.least_months > (f.window or 0):
        raise SpecError(f"{where}: least_months: no more than the window's {f.window} (feature {f.id})")


def _check_columns(f: Feature, where: str) -> None:
    if f.source == "accounting" or f.source not in SOURCES[1:-2]:
        return  # the accounting table is checked when it is built: its columns are its own
    allowed = [*canonical_schema(f.source), *(_EXTRA_MEMBER_COLUMNS if f.source == "members" else ())]
    for column in [*f.where, *([f.column] if f.column else [])]:
        if column not in allowed:
            raise SpecError(f"{where}: {column!r} is no column of {f.source}; columns: {', '.join(allowed)}")
    if f.where and f.source in (*MONTHLY, "assets"):
        raise SpecError(f"{where}: where: {f.source} takes its codes with over, not where (feature {f.id})")
    for column, wanted in f.where.items():
        known = codes(f.source, column) if column not in _EXTRA_MEMBER_COLUMNS else {}
        bad = [v for v in (wanted if isinstance(wanted, list) else [wanted]) if known and v not in known]
        if bad:
            raise SpecError(f"{where}: where.{column}: {bad[0]!r} is not one of {', '.join(known)}")
        if isinstance(wanted, dict) and (not wanted or set(wanted) - {"min", "max"}):
            raise SpecError(f"{where}: where.{column}: a range is {{min: …, max: …}}, given {wanted!r}")


def _check_observed(f: Feature, where: str) -> None:
    if not f.column:
        what = (
            "an item"
            if f.source == "indicators"
            else "a quantity of the accounting, line_ratio, line_share, line_log or below"
        )
        raise SpecError(f"{where}: column: {f.source} needs {what} (feature {f.id})")
    if f.lag and f.aggregate not in ("last", "change", "since"):
        raise SpecError(f"{where}: lag: only last, change and since count values back (feature {f.id})")
    wanted = f.where.get("value", {})
    is_range = isinstance(wanted, dict) and not set(wanted) - {"min", "max"}
    if set(f.where) - {"value"} or not is_range:
        raise SpecError(
            f"{where}: where: {f.source} takes only {{value: {{min: …, max: …}}}}, given {f.where!r}"
        )


def check_set(features: Sequence[Feature], where: str) -> None:
    """Check that ids are distinct and references lead somewhere, in no circle, and keep their role."""
    by_id: dict[str, Feature] = {}
    for f in features:
        if f.id in by_id:
            raise SpecError(f"{where}: id {f.id!r} is declared twice")
        by_id[f.id] = f
    for f in features:
        for ref in f.of:
            if ref.startswith("accounting."):
                continue
            if ref not in by_id:
                raise SpecError(
                    f"{where}: {f.id}: of: {ref!r} is no feature of this set (or write accounting.COLUMN)"
                )
            inherited = by_id[ref].role
            if _RANK[inherited] and f.role != inherited:
                raise SpecError(
                    f"{where}: {f.id}: role: stands on {ref!r}, so it must be {inherited!r}, not {f.role!r}"
                )
    dependency_levels(features, where)


def dependency_levels(features: Sequence[Feature], where: str = "") -> list[list[Feature]]:
    """Return derived and neighbour features in waves of one source, each standing only on earlier ones."""
    derived = [f for f in features if f.source in ("features", "neighbours")]
    waiting = {f.id for f in derived}
    out: list[list[Feature]] = []
    while waiting:
        ready = [f for f in derived if f.id in waiting and not waiting & set(f.of)]
        if not ready:
            raise SpecError(
                f"{where}: these features stand on one another in a circle: {', '.join(sorted(waiting))}"
            )
        # Neighbours wait until nothing else can be made, so that their joins are few.
        wave = [f for f in ready if f.source == "features"] or ready
        out.append(wave)
        waiting -= {f.id for f in wave}
    return out


KIND = "features"


class FeatureEntry(FeatureBase):
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
        if any(not 1 <= w <= LONGEST for w in value):
            raise ValueError(f"a window is 1 to {LONGEST_OF_MONTHS} months, of observations 1 to {LONGEST}")
        return value


class LineDeclaration(Spec):
    """The poverty line that distances are measured from: yuan per person and period, or relative."""

    value: float | RelativeLine
    source: str

    @field_validator("value")
    @classmethod
    def _positive(cls, value: float | RelativeLine) -> float | RelativeLine:
        if isinstance(value, float) and value <= 0:
            raise ValueError("a line is an amount above 0, or {relative: 0.6, of: median, weight: persons}")
        return value


class IncludedSet(Spec):
    """Features taken over from another set: all, or only those that annual totals can support.

    ``only`` names those that are taken, where not all are; ``ends`` says where the monthly windows end,
    whatever the other set declares.
    """

    set: str
    only: tuple[str, ...] = ()
    without_months: bool = False
    ends: Ends | None = None


class SourceDefaults(Spec):
    """What a file says once for all its features of one source."""

    known_on: KnownOn
    missing: Missing


class FeatureSetFile(Spec):
    """A feature-set file; an entry without its own ``known_on`` or ``missing`` takes its source's."""

    format: Literal[1]
    id: str
    version: int
    zh: str
    en: str
    line: LineDeclaration
    period_months: int = Field(default=12, ge=1, le=24)
    include: IncludedSet | None = None
    defaults: dict[Source, SourceDefaults] = Field(default_factory=dict)
    features: tuple[FeatureEntry, ...] = ()

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


def available_feature_sets() -> list[str]:
    """Return the ids of the feature sets that come with the project."""
    return sorted(p.stem for p in folder(KIND).glob("*.yaml"))


def load_feature_set(name: str | Path) -> FeatureSet:
    """Read, expand and check a feature set.

    Parameters
    ----------
    name : str or Path
        An id such as ``household-v1``, or a path to a YAML file.

    Returns
    -------
    FeatureSet
        Expanded and checked.

    Raises
    ------
    SpecError
        If the declaration is wrong; the message names file, feature, key and what is allowed.
    UsageError
        If there is no such set.

    Examples
    --------
    >>> load_feature_set("household-v1").feature("pcni").unit
    'yuan_per_head'
    """
    path = find_declaration(name, folder(KIND), "feature set")
    return _load(path, path.stat().st_mtime_ns)


def feature_set_faults(name: str | Path) -> list[str]:
    """Return all that is wrong with a feature set, feature by feature.

    Parameters
    ----------
    name
        As in `load_feature_set`.

    Returns
    -------
    list of str
        Empty where it can be loaded.

    Raises
    ------
    UsageError
        If there is no such set.
    """
    path = find_declaration(name, folder(KIND), "feature set")
    try:
        spec = load_spec(path, FeatureSetFile)
    except SpecError as exc:
        return str(exc).splitlines()
    faults = []
    for i, entry in enumerate(spec.features):
        try:
            _expand(entry, f"{path}: features.{i} ({entry.id})")
        except SpecError as exc:
            faults += str(exc).splitlines()
    if not faults:
        try:
            load_feature_set(path)
        except SpecError as exc:
            faults = str(exc).splitlines()
    return faults


@lru_cache(maxsize=32)
def _load(path: Path, changed: int) -> FeatureSet:
    # `changed` is the file's time stamp: an edited file is read again.
    spec = load_spec(path, FeatureSetFile)
    out: list[Feature] = []
    if spec.include:
        if spec.include.set == spec.id:
            raise SpecError(f"{path}: include.set: a set cannot include itself")
        beside = path.parent / f"{spec.include.set}.yaml"
        base = load_feature_set(beside if beside.is_file() else spec.include.set)
        taken = [f for f in base.features if not (spec.include.without_months and f.months)]
        if spec.include.only:
            absent = [name for name in spec.include.only if name not in {f.id for f in taken}]
            if absent:
                raise SpecError(f"{path}: include.only: {base.id} has no feature {absent[0]!r}")
            taken = [f for f in taken if f.id in spec.include.only]
        if spec.include.ends is not None:
            moved = {"ends": spec.include.ends}
            taken = [f.model_copy(update=moved) if f.source in MONTHLY else f for f in taken]
        out += taken
    for i, entry in enumerate(spec.features):
        out += _expand(entry, f"{path}: features.{i} ({entry.id})")
    features = _mark_months(out)
    check_set(features, str(path))
    return FeatureSet(
        id=spec.id, version=spec.version, zh=spec.zh, en=spec.en,
        line=spec.line.value, line_source=spec.line.source, period_months=spec.period_months,
        features=features,
    )  # fmt: skip


def code_words(entry: FeatureEntry, code: str, where: str) -> tuple[str, str]:
    """Return the Chinese and English words of a code an entry is declared over."""
    column = entry.codes_of or CODE_COLUMNS.get(entry.source, "")
    table = column.split(".")[0]
    together = CODE_GROUPS.get(table, ())
    if code in together:
        words = both(f"features.together.{table}.{code}")
        return words["zh"], words["en"]
    known = codes(*column.split(".")) if column else {}
    if code not in known:
        allowed = ", ".join([*known, *together]) or "nothing (give codes_of: table.column)"
        raise SpecError(f"{where}: over: {code!r} is not one of {allowed}")
    return known[code], code.replace("_", " ")


def _expand(entry: FeatureEntry, where: str) -> list[Feature]:
    common = {k: getattr(entry, k) for k in FeatureBase.model_fields if k != "source"}
    out = []
    for over, window, by in product(entry.over or (None,), entry.window or (None,), entry.by or (None,)):
        zh, en = code_words(entry, over, where) if over else ("", "")
        place = both(f"features.places.{by}") if by else {"zh": "", "en": ""}
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
            zh=_fill(entry.zh, slots | {"over": zh, "by": place["zh"]}, where),
            en=_fill(entry.en, slots | {"over": en, "by": place["en"]}, where),
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
