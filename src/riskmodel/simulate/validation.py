"""A profile against published figures: ``riskmodel simulate --validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, field_validator

from riskmodel.errors import SpecError
from riskmodel.io import Spec, parse_spec, read_yaml
from riskmodel.simulate.observed import MEASURES, observe
from riskmodel.simulate.parameters import Profile, load_profile

TARGETS = Path(__file__).with_name("targets.yaml")
VALIDATION_HOUSEHOLDS = 30_000
# What is said of a miss that the targets do not explain.
BY_CHANCE = "no reason in the process is known; one county scatters: try more households or another seed"
COLUMNS = ["id", "en", "zh", "target_low", "target_high", "simulated", "deviation", "tolerance", "met",
           "unit", "use", "profile", "year", "source", "why"]  # fmt: skip


class Target(Spec):
    """One published figure: what it is, where it is from, and how near a county should come."""

    zh: str
    en: str
    profiles: tuple[str, ...]
    measure: str
    of: str = ""
    year: str
    value: float | tuple[float, float]
    tolerance: float = Field(gt=0)
    use: Literal["fitted", "checked"]
    source: str
    unit: Literal["share", "yuan", "persons", "ratio"] = "share"
    why: str = ""

    @field_validator("measure")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in MEASURES:
            raise ValueError(f"no measure {name!r}; known: {', '.join(MEASURES)}")
        return name

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest published value."""
        return self.value if isinstance(self.value, tuple) else (self.value, self.value)


def load_targets(path: str | Path = TARGETS) -> dict[str, Target]:
    """Read the published figures.

    Parameters
    ----------
    path
        A file in the form of the packaged ``targets.yaml``.

    Returns
    -------
    dict of Target
        By id.

    Raises
    ------
    SpecError
        If the file does not fit.

    Examples
    --------
    >>> load_targets()["check_yield"].value
    0.329
    """
    content = read_yaml(Path(path))
    if not isinstance(content, dict) or not isinstance(content.get("targets"), dict):
        raise SpecError(f"{path}: needs a mapping `targets` from ids to published figures")
    groups = content.get("groups", {})
    out = {}
    for name, entry in content["targets"].items():
        group = entry.pop("group", None)
        if group is not None and group not in groups:
            raise SpecError(f"{path}: {name}: no group {group!r}; known: {', '.join(groups)}")
        out[name] = parse_spec({**groups.get(group, {}), **entry}, Target, f"{path}: {name}")
    return out


def validate_profile(
    name: str | Path | Profile = "default", *, households: int = VALIDATION_HOUSEHOLDS, seed: int = 0
) -> pd.DataFrame:
    """Simulate a county over eight years and measure it against the published figures of its profile.

    Parameters
    ----------
    name : str, Path or Profile
        A profile with no figures of its own (a file of yours, the disaster year) is measured by the
        default county's.
    households
        Size of the simulated county: more of them, less chance in the comparison.
    seed
        The same seed gives the same table.

    Returns
    -------
    DataFrame
        A row a figure, see `COLUMNS`: ``target_low, target_high`` as published, ``simulated``,
        ``deviation`` from the nearer end (0 between them), ``tolerance``, ``met``, ``use`` (fitted or
        only checked), ``why`` where it is missed and the reason is known.
    """
    profile = load_profile(name)
    targets = load_targets()
    own = {k: t for k, t in targets.items() if profile.id in t.profiles}
    chosen = own or {k: t for k, t in targets.items() if "default" in t.profiles}
    years = observe(profile, households, seed)
    rows = []
    for key, target in chosen.items():
        simulated = MEASURES[target.measure](years, target.of)
        low, high = target.span
        off = simulated - min(max(simulated, low), high)
        met = bool(abs(off) <= target.tolerance)
        rows.append(
            {
                **target.model_dump(include={"en", "zh", "tolerance", "unit", "use", "year", "source"}),
                "id": key,
                "target_low": low,
                "target_high": high,
                "simulated": simulated,
                "deviation": off,
                "met": met,
                "profile": profile.id,
                "why": "" if met else target.why or BY_CHANCE,
            }
        )
    return pd.DataFrame(rows)[COLUMNS]


def summarise_validation(table: pd.DataFrame) -> dict[str, Any]:
    """Count what is met and name what is missed.

    Parameters
    ----------
    table
        From `validate_profile`.

    Returns
    -------
    dict
        Counts of figures fitted and only checked, and of those that are met.
    """
    fitted = table["use"] == "fitted"
    return {
        "fitted": int(fitted.sum()),
        "fitted_met": int((fitted & table["met"]).sum()),
        "checked": int((~fitted).sum()),
        "checked_met": int((~fitted & table["met"]).sum()),
        "missed": list(table.loc[~table["met"], "id"]),
    }


def describe_validation(table: pd.DataFrame) -> str:
    """Return the table for people: a line a figure, then what is missed and why.

    Parameters
    ----------
    table
        From `validate_profile`.

    Returns
    -------
    str
        One line a figure: met or not, target, simulated value, deviation and tolerance.
    """
    width = max(len(name) for name in table["en"])
    lines = [
        f"   {'':{width}} {'target':>15} {'simulated':>10} {'deviation':>10} {'tolerance':>10}  "
        f"{'use':8} {'profile':13} {'year':10} source"
    ]
    for row in table.to_dict("records"):
        low, high = _number(row["target_low"], row["unit"]), _number(row["target_high"], row["unit"])
        target = low if low == high else f"{low}..{high}"
        values = " ".join(
            f"{_number(row[c], row['unit']):>10}" for c in ("simulated", "deviation", "tolerance")
        )
        lines.append(
            f"{'ok' if row['met'] else '--'} {row['en']:{width}} {target:>15} {values}  "
            f"{row['use']:8} {row['profile']:13} {row['year']:10} {row['source']}"
        )
    missed = table[~table["met"]].to_dict("records")
    if missed:
        lines += ["", "missed:", *(f"-- {row['en']} ({row['use']}): {row['why']}" for row in missed)]
    return "\n".join(lines)


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f}" if unit == "yuan" else f"{value:.3f}"
