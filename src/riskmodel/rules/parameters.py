"""The named parameters of a rule set: typed values with unit, meaning and source, and their overrides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from riskmodel.data import codes
from riskmodel.errors import UsageError
from riskmodel.io import Spec

ParameterKind = Literal["number", "whole", "codes", "table", "line"]


class RelativeLine(Spec):
    """A line that moves with the county: a share of the median or mean of ``pcni`` at each as-of.

    Households without a known ``pcni`` are left out. ``weight: persons`` gives the median person's income
    (the middle of two where the persons split evenly), ``households`` the median household's.
    """

    relative: float = Field(gt=0)
    of: Literal["median", "mean"] = "median"
    weight: Literal["persons", "households"] = "persons"


class Parameter(Spec):
    """One named parameter: what the source says, or what stands in for what it leaves open."""

    value: Any
    kind: ParameterKind = "number"
    unit: str
    zh: str
    en: str
    source: str
    assumption: bool = False
    nullable: bool = False
    codes: str | None = None
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _checked(self) -> Parameter:
        self.check(self.value)
        return self

    def check(self, value: Any) -> Any:
        """Return a value in this parameter's type."""
        if self.kind == "codes" and isinstance(value, str):
            value = [part.strip() for part in value.strip("[]").split(",") if part.strip()]
        if isinstance(value, str):
            try:
                value = yaml.safe_load(value)
            except yaml.YAMLError as exc:
                raise ValueError(f"cannot be read: {exc}") from exc
        if value is None:
            if not self.nullable:
                raise ValueError(f"must not be empty; give {_WANTED[self.kind]}")
            return None
        return _CHECKS[self.kind](self, value)

    def _number(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{value!r} is not {_WANTED['number']}")
        low, high = self.bounds()
        if (low is not None and value < low) or (high is not None and value > high) or self._no_line(value):
            raise ValueError(f"{value!r} is outside {self._range(low, high)} ({self.unit})")
        return value

    def bounds(self) -> tuple[float | None, float | None]:
        """Return the least and the greatest value that make sense: as declared, else by the unit.

        Examples
        --------
        >>> Parameter(value=0.5, unit="份额", zh="", en="", source="").bounds()
        (0.0, 1.0)
        """
        low, high = next((r for unit, r in _RANGES.items() if self.unit.startswith(unit)), (None, None))
        return (
            low if self.at_least is None else self.at_least,
            high if self.at_most is None else self.at_most,
        )

    def _no_line(self, value: float) -> bool:
        # A line of zero would find nobody poor, whatever happens.
        return self.kind == "line" and value <= 0

    def _range(self, low: float | None, high: float | None) -> str:
        if self.kind == "line":
            return "the range above 0"
        if high is None:
            return f"the range from {low:g}"
        return f"the range up to {high:g}" if low is None else f"the range from {low:g} to {high:g}"

    def _whole(self, value: Any) -> int:
        number = self._number(value)
        if number != int(number):
            raise ValueError(f"{value!r} is not {_WANTED['whole']}")
        return int(number)

    def _codes(self, value: Any) -> list[str]:
        allowed = list(codes(*(self.codes or "risk_events.cause").split(".")))
        if not isinstance(value, list | tuple) or not value or not set(value) <= set(allowed):
            raise ValueError(f"{value!r} is not a list of codes, of: {', '.join(allowed)}")
        return [c for c in allowed if c in value]

    def _table(self, value: Any) -> dict[int, float]:
        if not isinstance(value, Mapping):
            return {0: self._number(value)}
        if not value or not all(isinstance(year, int) and not isinstance(year, bool) for year in value):
            raise ValueError(f"{value!r} is not {_WANTED['table']}")
        return {year: self._number(value[year]) for year in sorted(value)}

    def _line(self, value: Any) -> float | RelativeLine:
        if isinstance(value, RelativeLine):
            return value
        if isinstance(value, Mapping):
            try:
                return RelativeLine.model_validate(value)
            except ValidationError as exc:
                raise ValueError(f"{value!r} is not {_WANTED['line']}") from exc
        return self._number(value)

    def at(self, value: Any, year: int) -> tuple[Any, str | None]:
        """Return the value that holds in a year, and which earlier year it comes from if another."""
        if self.kind != "table":
            return value, None
        years = [y for y in value if y <= year]
        if not years:
            return None, "no year up to this one"
        last = max(years)
        return value[last], None if last in (0, year) else f"of {last}"


_WANTED = {
    "number": "a finite number",
    "whole": "a whole number",
    "codes": "a list of codes",
    "table": "a number, or numbers by year such as {2020: 4000}",
    "line": "an amount in yuan, or {relative: 0.6, of: median|mean, weight: persons|households}",
}
# What a unit allows where the declaration says nothing narrower.
_RANGES: dict[str, tuple[float | None, float | None]] = {
    "份额": (0.0, 1.0),
    "概率": (0.0, 1.0),
    "周岁": (0.0, 120.0),
    "元": (0.0, None),
    "货币单位": (0.0, None),
    "比值": (0.0, None),
    "倍": (0.0, None),
    "人": (0.0, None),
    "月": (0.0, None),
}
_CHECKS = {
    "number": Parameter._number,
    "whole": Parameter._whole,
    "codes": Parameter._codes,
    "table": Parameter._table,
    "line": Parameter._line,
}


def parse_overrides(given: Iterable[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` texts, as ``--param`` gives them.

    Parameters
    ----------
    given
        The texts, one an option.

    Returns
    -------
    dict
        Name to text.

    Raises
    ------
    UsageError
        If one has no ``=``, or a name comes twice.

    Examples
    --------
    >>> parse_overrides(["line=5500", "sudden_causes=illness,disaster"])
    {'line': '5500', 'sudden_causes': 'illness,disaster'}
    """
    out: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise UsageError(f"--param {text!r}: write NAME=VALUE")
        if name.strip() in out:
            raise UsageError(f"--param {name.strip()} is given twice")
        out[name.strip()] = value.strip()
    return out


def resolve_parameters(
    declared: Mapping[str, Parameter], overrides: Mapping[str, Any] | None, where: str
) -> dict[str, Any]:
    """Return every parameter's value, overrides taken in."""
    values = {name: p.check(p.value) for name, p in declared.items()}
    for name, given in (overrides or {}).items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise UsageError(f"{where} has no parameter {name!r}; it has: {known}")
        try:
            values[name] = declared[name].check(given)
        except ValueError as exc:
            raise UsageError(f"{where}: parameter {name}: {exc}") from exc
    return values


def parameter_text(value: Any) -> str:
    """Return a parameter's value as text that `Parameter.check` reads back.

    Examples
    --------
    >>> [parameter_text(v) for v in (["illness", "disaster"], None, 1.0, 6000)]
    ['illness,disaster', 'null', '1', '6000']
    """
    if value is None:
        return "null"
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, RelativeLine):
        return f"{{relative: {value.relative:.12g}, of: {value.of}, weight: {value.weight}}}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{y}: {v:.12g}" for y, v in value.items()) + "}"
    return f"{value:.12g}"
