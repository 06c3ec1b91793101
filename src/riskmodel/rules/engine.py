"""The rule engine: every verdict of a rule set as one Ibis expression, for many as-of dates in one pass.

Order of the verdict (official rules, "Exactly"): a registration that the set does not speak of gives
``none``; an unknown ``pcni`` gives ``unknown`` and no tier; then the first category that holds. A
condition that is null is not met and stands in ``unknown``. Nothing here knows any one rule set.

Columns of a verdict: the quantities that the set looks at, ``line``, ``c_<condition>`` and ``a_<condition>``
(whether it applies), ``f_<focus>`` (nullable booleans), ``category``, ``tier``, ``visit_every_days``,
``outcome``, ``income_band``, ``income_plan``, ``flagged``, ``asset_<kind>``.

The line at each as-of date is an amount, an expression over parameters, or relative to the county.
"""

from __future__ import annotations

import ast
import datetime as dt
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data import County, Shape, codes, fetch_frame, rows_table
from riskmodel.households import PREFIXES, AccountingPeriod, AsOf, KnownCounty, Moment, known_county
from riskmodel.rules import backends
from riskmodel.rules.backends import GAPS, household_scope
from riskmodel.rules.declaration import RelativeLine, RuleSet, vocabulary
from riskmodel.rules.expression import (
    DECIMALS,
    RowTest,
    Scope,
    calls,
    evaluate_condition,
    evaluate_expression,
    names,
    parse_expression,
)
from riskmodel.rules.library import load_rules, rule_expressions, rule_row_tests


def poverty_lines(
    county: County | KnownCounty,
    ruleset: str | RuleSet,
    as_of: AsOf | None = None,
    params: Mapping[str, Any] | None = None,
) -> dict[dt.date, float | None]:
    """Return the line at each as-of date.

    Parameters
    ----------
    county
        Looked into only where the line is relative; a `KnownCounty` carries its own dates.
    ruleset
        A packaged id, the path of a YAML, or a loaded set.
    as_of
        The day, or days, spoken of; each is judged by what was known then.
    params : mapping, optional
        Overrides.

    Returns
    -------
    dict
        Date to yuan per person and period; None where a parameter table has no year up to that date, or
        nobody's income is known.
    """
    loaded = load_rules(ruleset)
    known = known_county(county, as_of)
    values = loaded.values(params)
    relative = values.get(loaded.line)
    if not isinstance(relative, RelativeLine):
        return {m.as_of: absolute_line(loaded, values, m.as_of.year) for m in known.moments}
    incomes = known.incomes(loaded.period(params))
    by_moment = fetch_frame(known, _relative_line, relative, incomes=incomes)
    by_day = dict(zip(by_moment["as_of"].dt.date, by_moment["line"].astype(float), strict=True))
    return {m.as_of: by_day.get(m.as_of) for m in known.moments}


def _relative_line(county: Shape, relative: RelativeLine, incomes: ir.Table) -> ir.Table:
    return relative_line(incomes, relative)


def absolute_line(ruleset: RuleSet, values: Mapping[str, Any], year: int) -> float | None:
    """Return the line in yuan that parameters give for a year; None if one of them is empty then.

    Parameters
    ----------
    ruleset
        A loaded set, for its line and its parameters' tables.
    values : mapping
        Parameter values.
    year
        Calendar year of the as-of date.

    Returns
    -------
    float or None
        Yuan per person and period.
    """
    at = {n: p.at(values[n], year)[0] for n, p in ruleset.parameters.items() if n in values}
    result = _arithmetic(parse_expression(ruleset.line), at)
    return None if result is None else round(result, DECIMALS)


def _arithmetic(node: ast.expr, values: Mapping[str, Any]) -> float | None:
    if isinstance(node, ast.BinOp):
        left, right = _arithmetic(node.left, values), _arithmetic(node.right, values)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return None if right == 0 else left / right
        return left + right if isinstance(node.op, ast.Add) else left - right
    value = values[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)
    return None if value is None else float(value)


def relative_line(t: ir.Table, relative: RelativeLine) -> ir.Table:
    """Return a share of the county's weighted median or mean of ``pcni`` at each as-of.

    Parameters
    ----------
    t : ibis.Table
        ``as_of, pcni, persons, weight``.
    relative
        Which share of the median or mean.

    Returns
    -------
    ibis.Table
        ``as_of, line``. The median is that of one value per person (or household): where the weight
        splits evenly between two values, their middle. In a sample a household counts as often as its
        sampling ``weight`` says; without one, once.
    """
    t = t.filter(t.pcni.notnull() & (t.persons > 0))
    heads = t.persons.cast("int64") if relative.weight == "persons" else ibis.literal(1, "int64")
    # Decimals, so that sums of weights do not depend on their order.
    weight = (heads * t.weight.fill_null(1.0)).cast("decimal(18,4)")
    by_value = t.mutate(weight=weight).group_by("as_of", "pcni").agg(weight=ibis._.weight.sum())
    if relative.of == "mean":
        of = by_value.group_by("as_of").agg(centre=(ibis._.pcni * ibis._.weight).sum() / ibis._.weight.sum())
    else:
        running = ibis.window(group_by="as_of", order_by="pcni", preceding=None, following=0)
        ranked = by_value.mutate(
            below=by_value.weight.sum().over(running),
            total=by_value.weight.sum().over(ibis.window(group_by="as_of")),
        )
        lower = ranked.pcni.min(where=2 * ranked.below >= ranked.total)
        upper = ranked.pcni.min(where=2 * ranked.below > ranked.total)
        of = ranked.group_by("as_of").agg(centre=(lower + upper) / 2)
    return of.select("as_of", line=of.centre * relative.relative)


NONE, UNKNOWN = "none", "unknown"
ALWAYS = (
    "township", "village", "registration", "income_basis", "income_reason", "period_from", "period_to",
    "persons", "net_income", "pcni", "previous_pcni", "income_drop", "rigid", "rigid_ratio", "has_risk",
    "main_cause", "weight", "lag_months", "pcni_low", "pcni_high", "changed_since", "doubts",
)  # fmt: skip
REFERENCE = "reference_income_pc"  # stands beside ``pcni`` where the county has claims
# Quantities that add up income or spending: a period that lags behind may find by them, never clear.
MONEY = frozenset(
    f"{prefix}{name}"
    for prefix in PREFIXES
    for name in ("net_income", "pcni")
) | {
    "income_drop", "rigid", "rigid_ratio", "reference_income_pc", "wage_months", "earning_months",
    *(f"income_{code}" for code in codes("income", "source")),
    *(f"spending_{code}" for code in codes("spending", "category")),
}  # fmt: skip


@dataclass(frozen=True)
class RuleCase:
    """A rule set with its parameter values."""

    ruleset: RuleSet
    values: Mapping[str, Any]

    @property
    def period(self) -> AccountingPeriod:
        """The accounting period."""
        return self.ruleset.period(self.values)

    @cached_property
    def tests(self) -> dict[RowTest, RowTest]:
        """Every row test of the set, as declared and with its parameters written out."""
        declared = rule_row_tests(self.ruleset)
        declared += [_held(kind) for kind in self.negative_kinds]
        plain = {n: v for n, v in self.values.items() if not isinstance(v, dict | RelativeLine)}
        return {test: test.with_values(plain) for test in declared}

    @property
    def negative_kinds(self) -> list[str]:
        """Kinds of assets on the negative list, in code order."""
        listed = self.ruleset.negative_list
        return [] if listed is None else list(self.values[listed.kinds])

    @property
    def by_year(self) -> list[str]:
        """Parameters whose value changes by year; the line itself is a column of its own."""
        declared = self.ruleset.parameters.items()
        return [
            n for n, p in declared if n != "line" and (p.kind == "table" or isinstance(self.values[n], dict))
        ]

    def settings(self, when: Sequence[Moment]) -> pa.Table:
        """Return what changes by year at each moment: the line, unless relative, and parameters in tables."""
        declared, tables = self.ruleset.parameters, self.by_year
        relative = isinstance(self.values.get(self.ruleset.line), RelativeLine)
        by_day = []
        for m in when:
            row: dict[str, Any] = {"as_of": m.as_of}
            row |= {f"p_{n}": declared[n].at(self.values[n], m.as_of.year)[0] for n in tables}
            if not relative:
                row["line"] = absolute_line(self.ruleset, self.values, m.as_of.year)
            by_day.append(row)
        return rows_table(by_day, **{c: "date" if c == "as_of" else "float64" for c in by_day[0]})


@dataclass(frozen=True)
class RuleInputs:
    """What a rule set reads: the county's quantities and what is joined to them."""

    base: ir.Table  # the household accounts over the set's period
    settings: ir.Table  # what changes by year, see `RuleCase.settings`
    figures: Mapping[str, ir.Table]  # relation to the figures of row tests
    scores: ir.Table | None = None


def _held(kind: str) -> RowTest:
    return RowTest("assets", f"kind == '{kind}'")


def verdict_expression(
    county: Shape, case: RuleCase, tables: RuleInputs, keep: Iterable[str] = ()
) -> ir.Table:
    """Return every verdict of a rule set."""
    eliminated = (tables.base.register_event == "eliminated").fill_null(False)
    t = tables.base.mutate(was_eliminated=eliminated if county.has("monitoring") else ibis.null("boolean"))
    # Fewer columns through the joins: planning a query costs by the column.
    needed = {*backends.KEY, *ALWAYS, *_looked_at(case), *keep}
    needed |= {REFERENCE} if county.has("claims") else set()
    t = t.select(*(c for c in t.columns if c in needed))
    t = backends.attach_figures(t, county, tables.figures, case.tests.values())
    t = _settings(case, t, tables.settings)
    t = _scores(t, tables.scores)
    scope = _scope(case, t)
    t = t.mutate(**_conditions(case, scope, t))
    # From here on conditions are columns, so that nothing is computed twice.
    scope = _scope(case, t)
    scope.names.update({n: t[f"c_{n}"] for n in case.ruleset.conditions})  # type: ignore[attr-defined]
    t = t.mutate(**_cases(case, t, scope, _figures(case, t)))
    return t.mutate(flagged=_flagged(case, t, scope))


def _looked_at(case: RuleCase) -> set[str]:
    """Return the columns that the set's expressions use."""
    ruleset = case.ruleset
    texts = [*rule_expressions(ruleset).values(), *(q.when for q in ruleset.quantities.values())]
    nodes = [parse_expression(text) for text in texts]
    out = set().union(*(names(node) for node in nodes))
    functions = {call.func.id for node in nodes for call in calls(node) if isinstance(call.func, ast.Name)}
    if "any_cause" in functions:
        out |= {f"cause_{c}" for c in codes("risk_events", "cause")}
    if "any_gap" in functions:
        out |= set(GAPS)
    if "each_register_cause_supported" in functions:
        out.add("register_causes")
    if ruleset.income_band:
        out.add(ruleset.income_band.of)
    return out


def _settings(case: RuleCase, t: ir.Table, settings: ir.Table) -> ir.Table:
    """Attach the line and every parameter that changes by year."""
    relative = case.values.get(case.ruleset.line)
    out = t.left_join(settings, "as_of").drop("as_of_right")
    if isinstance(relative, RelativeLine):
        out = out.left_join(relative_line(t.select("as_of", "pcni", "persons", "weight"), relative), "as_of")
        out = out.drop("as_of_right")
    return out


def _scores(t: ir.Table, scores: ir.Table | None) -> ir.Table:
    if scores is None:
        return t.mutate(score_probability=ibis.null("float64"))
    return t.left_join(scores, list(backends.KEY)).drop("household_id_right", "as_of_right")


def _scope(case: RuleCase, t: ir.Table) -> Scope:
    values: dict[str, Any] = {n: t[n] for n in vocabulary().quantities if n in t.columns}
    by_year = case.by_year
    for name in case.ruleset.parameters:
        if name != "line":
            values[name] = t[f"p_{name}"] if name in by_year else case.values[name]
        if name == case.ruleset.line and isinstance(case.values[name], RelativeLine):
            values[name] = t["line"]
    scope = household_scope(values, _figures(case, t), t)
    for name, helper in case.ruleset.quantities.items():
        values[name] = evaluate_expression(helper.when, scope)
    return scope


def _figures(case: RuleCase, t: ir.Table) -> dict[RowTest, ir.Value]:
    return {test: t[backends.figure_column(plain)] for test, plain in case.tests.items()}


def _conditions(case: RuleCase, scope: Scope, t: ir.Table) -> dict[str, ir.Value]:
    """Return each condition and focus flag; in a period that may not clear, what is not met is unknown."""
    out: dict[str, ir.Value] = {}
    by_money = clauses_on_money(case)

    def never_clearing(name: str, value: ir.Value) -> ir.Value:
        return (
            ibis.ifelse(t.changed_since & ~value, ibis.null("boolean"), value) if name in by_money else value
        )

    for name, condition in case.ruleset.conditions.items():
        value = evaluate_condition(condition.when, scope)
        told = never_clearing(name, value)
        if condition.applies:
            out[f"a_{name}"] = evaluate_condition(condition.applies, scope)
            value, told = out[f"a_{name}"] & value, out[f"a_{name}"] & told
        out[f"c_{name}"] = told
        # A condition that names this one finds by what the period says: "no longer stable" holds.
        scope.names[name] = value  # type: ignore[index]
    for name, clause in case.ruleset.focus.items():
        out[f"f_{name}"] = never_clearing(name, evaluate_condition(clause.when, scope))
    return out


def clauses_on_money(case: RuleCase) -> set[str]:
    """Return the conditions and flags that look at income or spending, or name one that does."""
    ruleset = case.ruleset
    clauses = {**ruleset.quantities, **ruleset.conditions, **ruleset.focus}
    named = {name: names(parse_expression(clause.when)) for name, clause in clauses.items()}
    found = set(MONEY)
    while more := {name for name, used in named.items() if used & found} - found:
        found |= more
    return found & {*ruleset.conditions, *ruleset.focus}


def _first(cases: list[tuple[ir.Value, Any]], otherwise: Any) -> ir.Value:
    return ibis.cases(*cases, else_=otherwise) if cases else ibis.literal(otherwise)


def _cases(
    case: RuleCase, t: ir.Table, scope: Scope, figures: Mapping[RowTest, ir.Value]
) -> dict[str, ir.Value]:
    ruleset = case.ruleset
    meant = t.registration.isin(ruleset.meant_for())
    # Whoever's registration cannot be read is nobody's to leave out.
    order: list[tuple[ir.Value, Any]] = [
        (t.registration.isnull(), UNKNOWN),
        (~meant, NONE),
        (t.pcni.isnull(), UNKNOWN),
    ]
    for c in ruleset.categories:
        holds = evaluate_condition(c.when, scope)
        if len(c.registration) < len(codes("households", "registration")):
            holds = holds & t.registration.isin(c.registration)
        order.append((holds, c.id))
    out: dict[str, ir.Value] = {"category": _first(order, NONE)}
    judged = meant & t.pcni.notnull()
    tiers = [(judged & evaluate_condition(x.when, scope), x) for x in ruleset.tiers]
    out["tier"] = _first([(holds, x.id) for holds, x in tiers], "")
    # A null type would be guessed from the first case: every branch says int32.
    days = [(holds, ibis.literal(x.visit_every_days, "int32")) for holds, x in tiers]
    out["visit_every_days"] = _first(days, ibis.null("int32"))
    verdicts = [(evaluate_condition(v.when, scope), str(v.outcome)) for v in ruleset.outcomes]
    outcome = _first(verdicts, "")
    # Records that are late or in doubt may hold a household in the register, never let it go. A hit of the
    # negative list lets nobody go: it asks for a visit, and says that the records are not whole.
    wanting = ((t.lag_months > 0) | (t.doubts != "")).fill_null(True)
    out["outcome"] = ibis.ifelse(wanting & (outcome == "eliminate"), "hold", outcome)
    out["records_incomplete"] = wanting & outcome.isin(["eliminate", "verify_removal"])
    out["income_band"] = _band(case, scope)
    out["income_plan"] = _income_plan(case, t, scope)
    out |= {f"asset_{k}": (figures[_held(k)] > 0).fill_null(False) for k in case.negative_kinds}
    return out


def _income_plan(case: RuleCase, t: ir.Table, scope: Scope) -> ir.Value:
    """Return whether the plan is due; in a period that may not clear, what only income denies is unknown."""
    plan = case.ruleset.income_plan
    if plan is None:
        return ibis.null("boolean")
    value = evaluate_condition(plan.when, scope)
    money = names(parse_expression(plan.when)) & MONEY
    without = ChainMap({name: ibis.null("float64") for name in money}, cast(dict[str, Any], scope.names))
    by_income = evaluate_condition(plan.when, replace(scope, names=without)).isnull()
    return ibis.ifelse(t.changed_since & ~value & by_income, ibis.null("boolean"), value)


def _band(case: RuleCase, scope: Scope) -> ir.Value:
    bands = case.ruleset.income_band
    if bands is None:
        return ibis.literal("")
    applies = evaluate_condition(bands.when, scope)
    value = evaluate_expression(ast.Name(bands.of, ast.Load()), scope).round(DECIMALS)
    pairs = zip(bands.edges, bands.edges[1:], strict=False)
    return _first([(applies & (value >= lo) & (value < hi), f"{lo:g}-{hi:g}") for lo, hi in pairs], "")


def _flagged(case: RuleCase, t: ir.Table, scope: Scope) -> ir.Value:
    ruleset = case.ruleset
    flagged = t.category.isin(ruleset.flagged_categories) | t.tier.isin(ruleset.flagged_tiers)
    if ruleset.flagged_only is None:
        return flagged
    return flagged & evaluate_condition(ruleset.flagged_only, scope).fill_null(False)
