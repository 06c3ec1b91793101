"""What a rule set's YAML may say, and the checks that refuse a wrong one naming file, key and mend.

The names that rules may use: household quantities and the rows behind them (``vocabulary.yaml``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from riskmodel.data import contract
from riskmodel.households import AccountingPeriod
from riskmodel.io import Spec, load_spec
from riskmodel.rules.parameters import Parameter, RelativeLine, resolve_parameters

Registration = Literal["lifted", "general", "not_lifted"]
Outcome = Literal["eliminate", "hold", "hold_no_labour", "roll_back", "re_mark", "verify_removal"]
PERIOD_MONTHS = 12
ALL_REGISTRATIONS: tuple[Registration, ...] = ("lifted", "general", "not_lifted")


class Words(Spec):
    """A sentence in both languages."""

    zh: str
    en: str


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
    a lower one: what was done sooner broke it.
    """

    id: str
    limit: float = Field(gt=0)
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
        spoken_of = {r for c in self.categories for r in c.registration}
        return tuple(r for r in self.registrations if r in spoken_of)

    def values(self, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the value of every parameter, overrides taken in (see `parameters.resolve`)."""
        return resolve_parameters(self.parameters, params, self.id)

    def relative_line(self, params: Mapping[str, Any] | None = None) -> RelativeLine | None:
        """Return the relative line, or None where the line is an amount in yuan."""
        value = self.values(params).get(self.line)
        return value if isinstance(value, RelativeLine) else None

    def period(self, params: Mapping[str, Any] | None = None) -> AccountingPeriod:
        """Return the accounting period that parameter ``period_months`` (12 unless declared) sets."""
        if self.accounting == "calendar_year":
            return AccountingPeriod(calendar_year=True)
        return AccountingPeriod(months=int(self.values(params).get("period_months", PERIOD_MONTHS)))


def column_exists(name: str) -> bool:
    """Say whether ``table`` or ``table.column`` is in the data contract.

    Examples
    --------
    >>> column_exists("members.schooling"), column_exists("members.income")
    (True, False)
    """
    table, _, column = name.partition(".")
    spec = contract().tables.get(table)
    return spec is not None and (not column or column in spec.columns)


Kind = Literal["yuan", "share", "ratio", "count", "flag", "code", "date"]


class Quantity(Spec):
    """A household quantity: how its value is told, its names, and what one below zero is called."""

    kind: Kind
    zh: str
    en: str
    negative_zh: str | None = None
    negative_en: str | None = None


class Relation(Spec):
    """Rows of a household that a rule can look through, by the contract table they come from."""

    table: str
    zh: str
    en: str
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
