"""Rule sets as their files have them: which there are, what one takes over from another, and what each is.

Plain values and no engine, so that naming the sets costs nothing; what a set says is checked where it is
used (`riskmodel.rules`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from riskmodel.errors import SpecError
from riskmodel.io import read_yaml

SETS = Path(__file__).parent / "rules" / "sets"
_MERGED = ("parameters", "quantities", "conditions", "focus")
_INHERITED = (
    "accounting", "line", "registrations", "categories", "tiers", "flagged_only", "outcomes",
    "negative_list", "income_band", "income_plan", "size_check", "scale_risks", "clocks", "procedure",
    "notes",
)  # fmt: skip


def available_rule_sets() -> list[str]:
    """Return the ids of the packaged rule sets, in order.

    Examples
    --------
    >>> "national-2021" in available_rule_sets()
    True
    """
    return sorted(path.stem for path in SETS.glob("*.yaml"))


def read_rule_file(path: Path) -> dict[str, Any]:
    """Return what a rule set's file says, with what it takes over from the sets that it extends.

    Sections are merged by id, all else is replaced whole.

    Parameters
    ----------
    path
        A YAML file.

    Returns
    -------
    dict
        Plain values, not checked.

    Raises
    ------
    InputMissing
        If there is no such file.
    SpecError
        If it is no mapping, or extends what is no packaged set.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise SpecError(f"{path}: a rule set is a mapping of keys; see the packaged sets for examples")
    bases = content.get("extends") or []
    if isinstance(bases, str):
        bases = [bases]
    out: dict[str, Any] = {}
    for base in bases:
        if base not in available_rule_sets() or base == path.stem:
            others = ", ".join(n for n in available_rule_sets() if n != path.stem)
            raise SpecError(f"{path}: extends: no packaged rule set {base!r}; allowed: {others}")
        inherited = read_rule_file(SETS / f"{base}.yaml")
        out = _merge(out, {k: v for k, v in inherited.items() if k in (*_MERGED, *_INHERITED)})
    return _merge(out, {**content, "extends": bases})


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = {**below, **above}
    for section in _MERGED:
        if isinstance(below.get(section), dict) and isinstance(above.get(section), dict):
            out[section] = {**below[section], **above[section]}
    return out


def describe_rule_sets() -> list[dict[str, Any]]:
    """Return one record per packaged rule set, as `riskmodel.rules.list_rule_sets` has them in a table."""
    return [_describe(read_rule_file(SETS / f"{name}.yaml")) for name in available_rule_sets()]


def _describe(content: dict[str, Any]) -> dict[str, Any]:
    parameters, line = content.get("parameters", {}), content.get("line", "line")
    categories, tiers = content.get("categories", ()), content.get("tiers", ())
    own = parameters.get(line)
    return {
        "id": content["id"],
        "name_zh": content["name_zh"],
        "name_en": content["name_en"],
        "jurisdiction_zh": content["jurisdiction"]["zh"],
        "jurisdiction_en": content["jurisdiction"]["en"],
        "valid_from": content["valid_from"],
        "source": content["source"],
        "line": f"{own['value']} {own['unit']}" if own else line,
        "categories": ";".join(c["id"] for c in categories),
        "tiers": ";".join(t["id"] for t in tiers),
        "flagged": ";".join(one["id"] for one in (*categories, *tiers) if one.get("flagged")),
        "parameters": ";".join(n + "*" * p.get("assumption", False) for n, p in parameters.items()),
    }
