"""Finding, reading and checking rule sets: packaged ids, or a user's own YAML by its path."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import InputMissing, SpecError, UsageError
from riskmodel.io.specs import parse as parse_spec
from riskmodel.io.specs import read_yaml
from riskmodel.rules.checking import check
from riskmodel.rules.declaration import RuleSet

SETS = Path(__file__).with_name("sets")
_MERGED = ("parameters", "quantities", "conditions", "focus")
_INHERITED = (
    "accounting", "line", "registrations", "categories", "tiers", "flagged_only", "outcomes",
    "negative_list", "income_band", "income_plan", "size_check", "scale_risks", "clocks", "procedure",
    "notes",
)  # fmt: skip


def available() -> list[str]:
    """Return the ids of the packaged rule sets, in order.

    Examples
    --------
    >>> "national-2021" in available()
    True
    """
    return sorted(path.stem for path in SETS.glob("*.yaml"))


def listing() -> pd.DataFrame:
    """Return one row per packaged rule set.

    Returns
    -------
    DataFrame
        ``id, name_zh, name_en, jurisdiction_zh, jurisdiction_en, valid_from, source, line, categories,
        tiers, flagged, parameters`` (assumptions marked with ``*``).
    """
    rows_ = []
    for name in available():
        s = load(name)
        own = s.parameters.get(s.line)
        rows_.append(
            {
                "id": s.id,
                "name_zh": s.name_zh,
                "name_en": s.name_en,
                "jurisdiction_zh": s.jurisdiction.zh,
                "jurisdiction_en": s.jurisdiction.en,
                "valid_from": pd.Timestamp(s.valid_from),
                "source": s.source,
                "line": f"{own.value} {own.unit}" if own else s.line,
                "categories": ";".join(c.id for c in s.categories),
                "tiers": ";".join(t.id for t in s.tiers),
                "flagged": ";".join((*s.flagged_categories, *s.flagged_tiers)),
                "parameters": ";".join(n + "*" * p.assumption for n, p in s.parameters.items()),
            }
        )
    return pd.DataFrame(rows_)


def load(name: str | Path | RuleSet) -> RuleSet:
    """Return a checked rule set.

    Parameters
    ----------
    name : str, Path or RuleSet
        A packaged id, or the path of a YAML file; a rule set is handed back as it is.

    Returns
    -------
    RuleSet

    Raises
    ------
    UsageError
        If there is no such set; the message lists what there is.
    InputMissing
        If there is no such file.
    SpecError
        If the file is wrong; the message names file, key and what is allowed.

    Examples
    --------
    >>> load("national-2021").flagged_categories
    ('unstable_lifted', 'marginal', 'sudden_hardship')
    """
    if isinstance(name, RuleSet):
        return name
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise InputMissing(f"no rule set file {str(name)!r}; packaged ids: {', '.join(available())}")
        return _read(path)
    if str(name) not in available():
        raise UsageError(
            f"no rule set {str(name)!r}; known: {', '.join(available())}; or give a path to a .yaml file"
        )
    return _packaged(str(name))


@cache
def _packaged(name: str) -> RuleSet:
    return _read(SETS / f"{name}.yaml")


def _read(path: Path) -> RuleSet:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise SpecError(f"{path}: a rule set is a mapping of keys; see the packaged sets for examples")
    ruleset = parse_spec(_extended(content, path), RuleSet, path)
    faults = check(ruleset)
    if faults:
        raise SpecError("\n".join(f"{path}: {fault}" for fault in faults))
    return ruleset


def _extended(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Fill in from the sets that this one extends: sections are merged by id, all else replaced whole."""
    bases = content.get("extends") or []
    if isinstance(bases, str):
        bases = [bases]
    out: dict[str, Any] = {}
    for base in bases:
        if base not in available() or base == path.stem:
            others = ", ".join(n for n in available() if n != path.stem)
            raise SpecError(f"{path}: extends: no packaged rule set {base!r}; allowed: {others}")
        inherited = _packaged(base).model_dump(mode="python", exclude_unset=True)
        out = _merge(out, {k: v for k, v in inherited.items() if k in (*_MERGED, *_INHERITED)})
    return _merge(out, {**content, "extends": bases})


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = {**below, **above}
    for section in _MERGED:
        if isinstance(below.get(section), dict) and isinstance(above.get(section), dict):
            out[section] = {**below[section], **above[section]}
    return out
