"""A rule set as the register's rule of a simulated county.

The simulator is handed a function and knows no rule set; this makes the function. It flags exactly whom the
set's ``flagged`` would, were all records whole and prompt: the simulated office looks at the households
themselves. What a simulated household does not have (which support it got, its assets, single sources of
income, the water's quality) no rule can ask for; a set that does is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from riskmodel.errors import UsageError
from riskmodel.rules import (
    ArrayBackend,
    Bools,
    Coded,
    ExpressionError,
    RelativeLine,
    RuleSet,
    Scope,
    Truth,
    absolute_line,
    array_figures,
    available_rule_sets,
    certain,
    evaluate_condition,
    evaluate_expression,
    load_rules,
)
from riskmodel.simulate.parameters import CAUSES, STAGES
from riskmodel.simulate.state import CAPACITY, ELIMINATED, HEALTH, MONITORED, RELATIONS, RuleView, State

REGISTRATIONS = ("general", "lifted")
PERIOD_MONTHS = 12


@dataclass(frozen=True)
class RegisterRule:
    """A rule set that a simulated office goes by; a function from `RuleView` to a boolean array."""

    ruleset: RuleSet
    values: Mapping[str, Any]
    _years: dict[int, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def id(self) -> str:
        """The rule set's id."""
        return self.ruleset.id

    def __call__(self, view: RuleView) -> Bools:
        """Return whom the rule set flags."""
        return _Judge(self, view).flagged()

    def of_year(self, year: int) -> dict[str, Any]:
        """Return line and parameters in force in a year."""
        if year not in self._years:
            declared = self.ruleset.parameters
            out = {n: declared[n].at(value, year)[0] for n, value in self.values.items()}
            self._years[year] = out | {"line": absolute_line(self.ruleset, self.values, year)}
        return self._years[year]


def register_rule(ruleset: str | Path | RuleSet, params: Mapping[str, Any] | None = None) -> RegisterRule:
    """Return a rule set as the rule of a simulated county's register.

    Parameters
    ----------
    ruleset
        Id of a packaged set, a path to a ``.yaml``, or a rule set.
    params : mapping, optional
        Overrides of its parameters.

    Returns
    -------
    RegisterRule
        To be handed to `riskmodel.simulate.assembly` as ``flag_rule``.

    Raises
    ------
    UsageError
        If the set flags nobody, has a relative line or another period than 12 months, or asks for what a
        simulated office does not see.

    Examples
    --------
    >>> register_rule("county-2020").id
    'county-2020'
    """
    chosen = load_rules(ruleset)
    rule = RegisterRule(chosen, chosen.values(params))
    why = _why_not(rule)
    if why:
        able = [name for name in available_rule_sets() if name != chosen.id and not _why_not(_plain(name))]
        raise UsageError(
            f"{chosen.id} cannot keep a simulated county's register: {why}; these can: {', '.join(able)}"
        )
    return rule


def _plain(name: str) -> RegisterRule:
    chosen = load_rules(name)
    return RegisterRule(chosen, chosen.values())


def _why_not(rule: RegisterRule) -> str | None:
    chosen = rule.ruleset
    if not (chosen.flagged_categories or chosen.flagged_tiers):
        return "it flags nobody by itself"
    if isinstance(rule.values.get(chosen.line), RelativeLine):
        return "its line is relative to the county's other incomes, which no single household's future holds"
    if chosen.accounting != "rolling" or rule.values.get("period_months", PERIOD_MONTHS) != PERIOD_MONTHS:
        return "its accounting period is not the last 12 months"
    try:
        rule(_nobody())
    except ExpressionError as exc:
        return str(exc)
    return None


def _nobody() -> RuleView:
    """Return a view of no households: every name and function is looked up, nothing is computed."""
    from riskmodel.simulate.history import PEOPLE, PLACES
    from riskmodel.simulate.parameters import load_profile, parameter_arrays
    from riskmodel.simulate.population import places, populate
    from riskmodel.simulate.state import stream

    profile, month = load_profile("default"), 2020 * 12
    where = places(stream(0, PLACES), 1, profile)
    state, books = populate(stream(0, PEOPLE), np.arange(1), where, month, parameter_arrays(profile), 0)
    return RuleView(state.take(slice(0, 0)), books.take(slice(0, 0)), month)


class _Values(dict[str, Any]):
    """Values by name, each computed when first asked for; a name that is not to be had is refused."""

    def __init__(self, compute: Callable[[str], Any]) -> None:
        super().__init__()
        self.compute = compute

    def __missing__(self, name: str) -> Any:
        try:
            self[name] = self.compute(name)
        except KeyError as exc:
            raise ExpressionError(f"{name} cannot be seen here") from exc
        return self[name]


@dataclass
class _Judge:
    """One month's verdicts; quantities, helpers and conditions are computed when first asked for."""

    rule: RegisterRule
    view: RuleView

    @cached_property
    def settings(self) -> dict[str, Any]:
        return self.rule.of_year(self.view.month // 12)

    @cached_property
    def scope(self) -> Scope:
        state = self.view.state
        members = Scope(ArrayBackend(state.m.here.shape), _Values(self._member))
        functions = {"any_cause": self._any_cause, "any_gap": lambda: certain(_gap(self.view))}
        figure = array_figures({"members": (members, state.m.here)})
        return Scope(ArrayBackend((state.n,)), _Values(self._household), functions, figure)

    def flagged(self) -> Bools:
        chosen = self.rule.ruleset
        kind = Coded(self.view.lifted.astype(int), REGISTRATIONS)
        judged = (self.view.persons > 0) & kind.among(list(chosen.meant_for())).yes
        flagged = np.zeros(self.view.state.n, bool)
        categories = [
            (c.flagged, judged & kind.among(list(c.registration)).yes, c) for c in chosen.categories
        ]
        for cases in (categories, [(t.flagged, judged, t) for t in chosen.tiers]):
            left = judged.copy()
            last = max((i for i, (flags, _, _) in enumerate(cases) if flags), default=-1)
            # The first that holds decides; what stands after the last that flags decides nothing.
            for flags, meant, case in cases[: last + 1]:
                holds = left & meant & evaluate_condition(case.when, self.scope).yes
                flagged |= holds & flags
                left &= ~holds
        if chosen.flagged_only is not None:
            flagged &= evaluate_condition(chosen.flagged_only, self.scope).yes
        return flagged

    def _household(self, name: str) -> Any:
        chosen = self.rule.ruleset
        if name in chosen.conditions:
            condition = chosen.conditions[name]
            holds = evaluate_condition(condition.when, self.scope)
            return evaluate_condition(condition.applies, self.scope) & holds if condition.applies else holds
        if name in chosen.quantities:
            return evaluate_expression(chosen.quantities[name].when, self.scope)
        return self.settings[name] if name in self.settings else QUANTITIES[name](self.view)

    def _member(self, name: str) -> Any:
        if name in MEMBER:
            return MEMBER[name](self.view)
        if name in self.settings:
            return self.settings[name]
        raise KeyError(name)

    def _any_cause(self, causes: Any = CAUSES) -> Truth:
        out = np.zeros(self.view.state.n, bool)
        for cause in causes:
            if cause in CAUSES:  # the others befall nobody here
                out |= self.view.open(CAUSES.index(cause))
        return certain(out)


def _gap(view: RuleView) -> Bools:
    return ~view.state.housing_safe | _uninsured(view) | _out_of_school(view)


def _uninsured(view: RuleView) -> Bools:
    return ~view.state.insured & (view.persons > 0)


def _out_of_school(view: RuleView) -> Bools:
    """Children of compulsory age out of school, but the physically unable (as the accounting has it)."""
    m = view.state.m
    age = _age(view)
    out = (m.school == STAGES.index("dropped_out")) & (age >= 6) & (age <= 15) & ~np.isin(m.grade, (1, 2))
    return np.asarray((out & m.here).any(axis=0))


def _age(view: RuleView) -> Any:
    return ((view.month - view.state.m.birth) // 12).astype(np.float64)


def _per_head(net: Any, persons: Any) -> Any:
    return np.asarray(net, np.float64) / np.where(persons > 0, persons, np.nan)


def _income_drop(view: RuleView) -> Any:
    before = _per_head(view.previous_net, view.previous_persons)
    return 1 - _per_head(view.net, view.persons) / np.where(before > 0, before, np.nan)


def _rigid_ratio(view: RuleView) -> Any:
    """Own spending over the year before's income; infinite where there was none, zero without spending."""
    rigid, before = np.asarray(view.rigid, np.float64), np.asarray(view.previous_net, np.float64)
    ratio = np.where(before > 0, rigid / np.where(before > 0, before, 1), np.inf)
    return np.where(rigid == 0, 0.0, ratio)


def _floats(values: Any) -> Any:
    return np.asarray(values, dtype=np.float64)


def _flag(of: Callable[[State], Any]) -> Callable[[RuleView], Truth]:
    return lambda view: certain(np.asarray(of(view.state), bool))


QUANTITIES: dict[str, Callable[[RuleView], Any]] = {
    "registration": lambda v: Coded(v.lifted.astype(int), REGISTRATIONS),
    "dibao": _flag(lambda s: s.dibao > 0),
    "housing_safe": _flag(lambda s: s.housing_safe),
    "persons": lambda v: _floats(v.persons),
    "net_income": lambda v: _floats(v.net),
    "previous_net_income": lambda v: _floats(v.previous_net),
    "pcni": lambda v: _per_head(v.net, v.persons),
    "previous_pcni": lambda v: _per_head(v.previous_net, v.previous_persons),
    "income_drop": _income_drop,
    "rigid": lambda v: _floats(v.rigid),
    "rigid_ratio": _rigid_ratio,
    "labour": lambda v: _floats(v.labour),
    "labour_unknown": lambda v: np.zeros(v.state.n),
    "gap_housing": lambda v: certain(~v.state.housing_safe),
    "gap_schooling": lambda v: certain(_out_of_school(v)),
    "gap_medical": lambda v: certain(_uninsured(v)),
    "has_risk": lambda v: certain(v.has_open_cause | _gap(v)),
    "in_register": lambda v: certain(v.books.status == MONITORED),
    "was_eliminated": lambda v: certain(v.books.status == ELIMINATED),
}
MEMBER: dict[str, Callable[[RuleView], Any]] = {
    "age": _age,
    "sex": lambda v: Coded(v.state.m.sex, ("male", "female")),
    "relation": lambda v: Coded(v.state.m.relation, RELATIONS),
    "schooling": lambda v: Coded(v.state.m.school, STAGES),
    "health": lambda v: Coded(v.state.m.health, HEALTH),
    "disability_grade": lambda v: _floats(v.state.m.grade),
    "work_capacity": lambda v: Coded(v.state.m.capacity, CAPACITY),
    "insured": lambda v: certain(np.broadcast_to(v.state.insured, v.state.m.here.shape)),
}
