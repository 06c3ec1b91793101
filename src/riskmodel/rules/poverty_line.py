"""The line of a rule set at each as-of date: an amount, an expression over parameters, or relative."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from riskmodel.data import County, Shape, fetch_frame
from riskmodel.households import DateLike, Moment, as_moments, build_incomes, to_date
from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.expression import DECIMALS, parse_expression
from riskmodel.rules.library import load_rules
from riskmodel.rules.parameters import RelativeLine


def poverty_lines(
    county: County,
    ruleset: str | RuleSet,
    as_of: DateLike | Iterable[DateLike] | Moment | Iterable[Moment],
    params: Mapping[str, Any] | None = None,
    *,
    known_by: DateLike | None = None,
) -> dict[dt.date, float | None]:
    """Return the line at each as-of date.

    Parameters
    ----------
    county : County
        Looked into only where the line is relative.
    ruleset
        A packaged id, the path of a YAML, or a loaded set.
    as_of
        The day, or days, spoken of; each is judged by what was known then.
    params : mapping, optional
        Overrides.
    known_by : date, optional
        Up to when rows may be seen (labels look back); each as-of date by default.

    Returns
    -------
    dict
        Date to yuan per person and period; None where a parameter table has no year up to that date, or
        nobody's income is known.
    """
    loaded = load_rules(ruleset)
    when = as_moments(as_of)
    if known_by is not None:
        when = tuple(Moment(m.as_of, to_date(known_by)) for m in when)
    values = loaded.values(params)
    relative = values.get(loaded.line)
    if not isinstance(relative, RelativeLine):
        return {m.as_of: absolute_line(loaded, values, m.as_of.year) for m in when}
    incomes = build_incomes(county, when, loaded.period(params))
    by_moment = fetch_frame(county, _relative_line, relative, incomes=incomes)
    by_day = dict(zip(by_moment["as_of"].dt.date, by_moment["line"].astype(float), strict=True))
    return {m.as_of: by_day.get(m.as_of) for m in when}


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
