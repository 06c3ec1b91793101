"""What a rule set's YAML may say, and the checks that refuse a wrong one naming file, key and mend.

Named parameters are typed values with unit, meaning and source, and may be overridden. The names that rules
may use, household quantities and the rows behind them, stand in ``vocabulary.yaml``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from riskmodel.data import codes
from riskmodel.errors import UsageError
from riskmodel.households import AccountingPeriod
from riskmodel.i18n import Language, Words, section
from riskmodel.io import Spec, load_spec

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
        # A line of zero would find nobody poor, whatever happens.
        no_line = self.kind == "line" and value <= 0
        if (low is not None and value < low) or (high is not None and value > high) or no_line:
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

    def _line(self, value: Any) -> float | RelativeLine | dict[int, float]:
        if isinstance(value, RelativeLine):
            return value
        if isinstance(value, Mapping) and value and all(isinstance(year, int) for year in value):
            return self._table(value)
        if isinstance(value, Mapping):
            try:
                return RelativeLine.model_validate(value)
            except ValidationError as exc:
                raise ValueError(f"{value!r} is not {_WANTED['line']}") from exc
        return self._number(value)

    def at(self, value: Any, year: int) -> tuple[Any, str | None]:
        """Return the value that holds in a year, and which earlier year it comes from if another."""
        if not isinstance(value, dict):
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
    "line": "an amount in yuan, amounts by year, or {relative: 0.6, of: median|mean, "
    "weight: persons|households}",
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


def resolve_parameters(
    declared: Mapping[str, Parameter], overrides: Mapping[str, Any] | None, where: str
) -> dict[str, Any]:
    """Return every parameter's value, overrides taken in."""
    values = {name: p.check(p.value) for name, p in declared.items()}
    for name, override in (overrides or {}).items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise UsageError(f"{where} has no parameter {name!r}; it has: {known}")
        try:
            values[name] = declared[name].check(override)
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


Registration = Literal["lifted", "general", "not_lifted"]
Outcome = Literal["eliminate", "hold", "hold_no_labour", "roll_back", "re_mark", "verify_removal"]
PERIOD_MONTHS = 12
ALL_REGISTRATIONS: tuple[Registration, ...] = ("lifted", "general", "not_lifted")


class Clause(Words):
    """An expression with its meaning and the paragraph it comes from."""

    when: str
    source: str


class Condition(Clause):
    """A condition with an id.

    ``applies`` says which households it speaks of (for others it does not hold and is not explained);
    ``needs`` lists the contract columns without which it is unknown.
    """

    applies: str | None = None
    needs: tuple[str, ...] = ()


class Category(Clause):
    """A type or class; the first that holds for the household's registration is its category."""

    id: str
    registration: tuple[Registration, ...] = ALL_REGISTRATIONS
    flagged: bool = False


class Tier(Clause):
    """A colour or card; the first that holds is the household's tier."""

    id: str
    flagged: bool = False
    visit_every_days: int | None = Field(default=None, ge=1)


class Verdict(Clause):
    """An outcome for households in (or once in) the register; the first that holds counts."""

    outcome: Outcome


class Bands(Clause):
    """Income bands by their edges: the lower bound is in, the upper out."""

    of: str
    edges: tuple[float, ...] = Field(min_length=2)


class NegativeList(Words):
    """Kinds of assets that ask for a check for removal; ``kinds`` names a parameter."""

    kinds: str
    source: str


class Clock(Words):
    """A time limit that reports can check.

    ``start`` and ``end`` are columns (``table.column``) or register and procedure steps
    (``table.column=value``); without them the clock is declared, not checked. With ``at_least`` the limit is
    a lower one: what was done sooner broke it. A limit of 0 days is the same day.
    """

    id: str
    limit: float = Field(ge=0)
    at_least: bool = False
    unit: Literal["working_days", "days", "months", "day_of_month"]
    source: str
    start: str | None = None
    end: str | None = None


class SizeCheck(Words):
    """The share of flagged persons among the registered ones, and the band in which it is expected."""

    numerator: Literal["flagged"] = "flagged"
    denominator: Registration
    expected: str
    low: str
    high: str
    source: str


class ScaleRisk(Words):
    """A heading of a list of scale risks; ``cause`` is the official cause that it speaks of, if any."""

    cause: str | None = None
    source: str


class RuleSet(Spec):
    """One official system of rules, as versioned data (see ``sets/*.yaml``).

    ``line`` is an expression over parameters, evaluated at each as-of date; ``quantities`` are named
    helpers that conditions share. Categories, tiers and outcomes are ordered cases.
    """

    version: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.\-]*$")
    name_zh: str
    name_en: str
    jurisdiction: Words
    valid_from: dt.date
    source: str
    extends: tuple[str, ...] = ()
    accounting: Literal["rolling", "calendar_year"] = "rolling"
    line: str = "line"
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    quantities: dict[str, Clause] = Field(default_factory=dict)
    conditions: dict[str, Condition] = Field(default_factory=dict, max_length=60)
    registrations: tuple[Registration, ...] = ALL_REGISTRATIONS
    categories: tuple[Category, ...] = ()
    tiers: tuple[Tier, ...] = ()
    flagged_only: str | None = None
    focus: dict[str, Clause] = Field(default_factory=dict, max_length=60)
    outcomes: tuple[Verdict, ...] = ()
    negative_list: NegativeList | None = None
    income_band: Bands | None = None
    income_plan: Clause | None = None
    size_check: SizeCheck | None = None
    scale_risks: dict[str, ScaleRisk] = Field(default_factory=dict)
    clocks: tuple[Clock, ...] = ()
    procedure: tuple[Words, ...] = ()
    notes: tuple[Words, ...] = ()

    @property
    def flagged_categories(self) -> tuple[str, ...]:
        """Ids of the categories that count as found."""
        return tuple(c.id for c in self.categories if c.flagged)

    @property
    def flagged_tiers(self) -> tuple[str, ...]:
        """Ids of the tiers that count as found."""
        return tuple(t.id for t in self.tiers if t.flagged)

    def meant_for(self) -> tuple[str, ...]:
        """Return the registrations that this set speaks of; for any other the category is ``none``."""
        if not self.categories:
            return self.registrations
        with_category = {r for c in self.categories for r in c.registration}
        return tuple(r for r in self.registrations if r in with_category)

    def values(self, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the value of every parameter, overrides taken in (see `parameters.resolve`)."""
        return resolve_parameters(self.parameters, params, self.id)

    def with_values(self, params: Mapping[str, Any] | None) -> RuleSet:
        """Return the same set with other values of its parameters declared, for what takes no overrides."""
        values = self.values(params)
        changed = {n: self.parameters[n].model_copy(update={"value": values[n]}) for n in params or {}}
        return self.model_copy(update={"parameters": {**self.parameters, **changed}})

    def relative_line(self, params: Mapping[str, Any] | None = None) -> RelativeLine | None:
        """Return the relative line, or None where the line is an amount in yuan."""
        value = self.values(params).get(self.line)
        return value if isinstance(value, RelativeLine) else None

    def period(self, params: Mapping[str, Any] | None = None) -> AccountingPeriod:
        """Return the accounting period that parameter ``period_months`` (12 unless declared) sets."""
        if self.accounting == "calendar_year":
            return AccountingPeriod(calendar_year=True)
        return AccountingPeriod(months=int(self.values(params).get("period_months", PERIOD_MONTHS)))


Kind = Literal["yuan", "share", "ratio", "count", "flag", "code", "date"]


class Quantity(Words):
    """A household quantity: how its value is told, its names, and what one below zero is called."""

    kind: Kind
    negative_zh: str | None = None
    negative_en: str | None = None

    def format(self, value: Any, lang: Language) -> str:
        """Return a value as people read it.

        Examples
        --------
        >>> vocabulary().quantities["pcni"].format(5999.5, "en")
        '5,999.50 yuan'
        >>> vocabulary().quantities["income_drop"].format(0.5, "zh")
        '50.00%'
        """
        words = section("rules.verdict", lang)
        if value is None:
            return words["missing"]
        if self.kind == "yuan":
            return words["yuan"].format(value=f"{value:,.2f}")
        if self.kind == "share":
            return f"{100 * value:.2f}%"
        if self.kind == "ratio":
            return "∞" if value == float("inf") else f"{value:.4f}"
        if self.kind == "flag":
            return words["yes" if value else "no"]
        if self.kind == "code" and lang == "zh":
            words = codes("households", "registration") | codes("households", "policy_status")
            return words.get(value, str(value))
        return f"{value:g}" if isinstance(value, float) else str(value)

    def named(self, value: Any, lang: Language) -> str:
        """Return a value with its name; one below zero under the name that turns its sign, where it has one.

        Examples
        --------
        >>> vocabulary().quantities["income_drop"].named(-0.2387, "zh")
        '收入增长 23.87%'
        """
        opposite = getattr(self, f"negative_{lang}")
        if opposite and value is not None and value < 0:
            return f"{opposite} {self.format(-value, lang)}"
        return f"{self.text(lang)} {self.format(value, lang)}"


class Relation(Words):
    """Rows of a household that a rule can look through, by the contract table they come from."""

    table: str
    fields: tuple[str, ...]


class Vocabulary(Spec):
    """All quantities and relations."""

    quantities: dict[str, Quantity]
    relations: dict[str, Relation]


@cache
def vocabulary() -> Vocabulary:
    """Return the packaged vocabulary (parsed once).

    Examples
    --------
    >>> vocabulary().quantities["pcni"].zh
    '人均纯收入'
    """
    return load_spec(Path(__file__).with_name("vocabulary.yaml"), Vocabulary)
