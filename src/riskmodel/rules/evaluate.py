"""Evaluating rule sets: verdict tables as pandas frames with the contract's columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data import County, Shape, compiled, month_text, unfused_selects
from riskmodel.households import DateLike, Moment, accounts, point_in_time
from riskmodel.rules import rows
from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.engine import Case, Tables, judge
from riskmodel.rules.library import load
from riskmodel.rules.parameters import text
from riskmodel.rules.scores import score_table

When = DateLike | Iterable[DateLike] | Moment | Iterable[Moment]
CONTRACT = (
    "household_id", "as_of", "ruleset", "persons", "net_income", "pcni", "previous_pcni", "income_drop",
    "rigid", "rigid_ratio", "line", "gap", "has_risk", "category", "main_cause", "conditions", "unknown",
    "focus", "tier", "removed_by", "assumptions",
)  # fmt: skip
FURTHER = (
    "income_band", "income_plan", "visit_every_days", "outcome", "flagged", "township", "village",
    "registration", "income_basis", "period_from", "period_to", "income_reason",
)  # fmt: skip
COLUMNS = (*CONTRACT, *FURTHER)
_AS_IS = (
    "persons", "net_income", "pcni", "previous_pcni", "income_drop", "rigid", "rigid_ratio", "line",
    "category", "main_cause", "tier", "income_band", "visit_every_days", "outcome", "flagged", "township",
    "village", "registration", "income_basis", "period_from", "period_to", "income_reason",
)  # fmt: skip
_FLAGS = ("has_risk", "income_plan")
_MISSING = -1  # stands for null in a flag's int8; pandas reads it faster than a nullable boolean


def evaluate(
    county: County,
    ruleset: str | Path | RuleSet,
    as_of: When,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
) -> pd.DataFrame:
    """Return the verdict on every household at every as-of date.

    Parameters
    ----------
    county : County
    ruleset : str, Path or RuleSet
        A packaged id, the path of a YAML, or a loaded set.
    as_of : date, ISO text, Moment, or several
    params : mapping, optional
        Overrides of parameters, name to value or text.
    scores : DataFrame or path, optional
        ``household_id, as_of, probability`` for sets that use a model's probability (cards-2023).

    Returns
    -------
    DataFrame
        One row per household and as-of, sorted by ``as_of, household_id``: the contract's columns of
        ``rules``, then `FURTHER`. Amounts in yuan, ``pcni`` and ``line`` per person and period; lists of
        ids are joined with ``;``; ``has_risk`` and ``income_plan`` are nullable booleans.

    Raises
    ------
    UsageError
        If the rule set, a date or a parameter is wrong.
    InputRefused
        If scores lack a column or are for other dates.
    """
    ((_, frame),) = evaluate_each(county, [ruleset], as_of, params=params, scores=scores)
    return frame


def evaluate_each(
    county: County,
    rulesets: Iterable[str | Path | RuleSet],
    as_of: When,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the verdicts of several rule sets; what they have in common is computed once.

    Parameters
    ----------
    county, as_of, params, scores
        As in `evaluate`. A parameter must be known to at least one of the sets.
    rulesets : iterable

    Yields
    ------
    tuple
        Rule set id and frame, sets of one accounting period after another.
    """
    when = point_in_time.moments(as_of)
    chosen = [load(r) for r in rulesets]
    given = None if scores is None else score_table(scores, when)
    cases = [Case(r, r.values(_own(params, r, chosen))) for r in chosen]
    with rows.stored(county, when, [test for c in cases for test in c.tests.values()]) as figures:
        for period in dict.fromkeys(c.period for c in cases):
            for case in (c for c in cases if c.period == period):
                yield case.ruleset.id, frame_of(case, when, answers(county, case, when, figures, given))


def _own(params: Mapping[str, Any] | None, one: RuleSet, chosen: list[RuleSet]) -> dict[str, Any]:
    """Return the overrides that are this set's; one that no set knows is left in, to be refused."""
    if len(chosen) == 1:
        return dict(params or {})
    known = {n for r in chosen for n in r.parameters}
    return {n: v for n, v in (params or {}).items() if n in one.parameters or n not in known}


def _mask(t: ir.Table, columns: list[str], null: bool) -> ir.Value:
    """Pack booleans into the bits of one integer: far less to carry than text built in the query."""
    total: ir.Value = ibis.literal(0, "int64")
    for i, column in enumerate(columns):
        bit = ibis.literal(1 << i, "int64")
        holds = t[column].isnull() if null else t[column]
        total = total + ibis.ifelse(holds, bit, ibis.literal(0, "int64"))
    return total.cast("int64")


def _unmask(values: pd.Series, ids: list[str]) -> list[str]:
    return [";".join(name for i, name in enumerate(ids) if int(value) >> i & 1) for value in values]


def answers(
    county: County,
    case: Case,
    when: tuple[Moment, ...],
    figures: Mapping[str, ir.Table],
    scores: pa.Table | None = None,
    household_id: str | None = None,
    keep: Sequence[str] = (),
) -> pd.DataFrame:
    """Run a rule set's query.

    Parameters
    ----------
    county : County
    case : Case
    when : tuple of Moment
    figures : mapping
        From `riskmodel.rules.rows.stored`.
    scores : pyarrow.Table, optional
        From `riskmodel.rules.scores.score_table`.
    household_id : str, optional
        Ask about this household alone.
    keep : sequence of str
        Return these columns of `riskmodel.rules.engine.judge` instead of what `frame_of` shapes.

    Returns
    -------
    DataFrame
        Sorted by ``as_of, household_id``.
    """
    columns: dict[str, list[str]] = {}
    for test in sorted(set(case.tests.values())):
        columns.setdefault(test.relation, []).append(rows.column_of(test))
    counted = {
        f"of_{name}": figures[name].select(*rows.KEY, *c) for name, c in columns.items() if name in figures
    }
    asked = (
        None if household_id is None else pa.table({"household_id": pa.array([household_id], pa.string())})
    )
    inputs = {"base": accounts.build(county, when, case.period), "settings": case.settings(when)}
    with unfused_selects():
        return compiled.frame(
            county, _answers, case.ruleset, case.values, tuple(keep),
            **inputs, **counted, scores=scores, asked=asked,
        )  # fmt: skip


def _answers(
    county: Shape,
    ruleset: RuleSet,
    values: Mapping[str, Any],
    keep: tuple[str, ...],
    base: ir.Table,
    settings: ir.Table,
    scores: ir.Table | None,
    asked: ir.Table | None,
    **counted: ir.Table,
) -> ir.Table:
    case = Case(ruleset, values)
    figures = {name.removeprefix("of_"): table for name, table in counted.items()}
    t = judge(county, case, Tables(base, settings, figures, scores), keep)
    t = t if asked is None else t.semi_join(asked, "household_id")
    picked = t.select(*rows.KEY, *(c for c in keep if c not in rows.KEY)) if keep else _packed(case, t)
    return picked.order_by("as_of", "household_id")


def _packed(case: Case, t: ir.Table) -> ir.Table:
    """Return the columns of a verdict, with what is many booleans packed into bits."""
    c_columns = [f"c_{n}" for n in case.ruleset.conditions]
    f_columns = [f"f_{n}" for n in case.ruleset.focus]
    return t.select(
        *rows.KEY,
        *_AS_IS,
        **{f: t[f].cast("int8").fill_null(_MISSING) for f in _FLAGS},
        _held=_mask(t, c_columns, null=False),
        _unclear=_mask(t, c_columns, null=True),
        _focus=_mask(t, f_columns, null=False),
        _focus_unclear=_mask(t, f_columns, null=True),
        _assets=_mask(t, [f"asset_{k}" for k in case.negative_kinds], null=False),
    )


def frame_of(case: Case, when: tuple[Moment, ...], out: pd.DataFrame) -> pd.DataFrame:
    """Shape what `answers` returned into `COLUMNS`.

    Parameters
    ----------
    case : Case
    when : tuple of Moment
    out : DataFrame

    Returns
    -------
    DataFrame
    """
    conditions, focus = list(case.ruleset.conditions), list(case.ruleset.focus)
    out["ruleset"] = case.ruleset.id
    out["gap"] = out["line"] - out["pcni"]
    for f in _FLAGS:
        values = out[f].to_numpy()
        out[f] = pd.arrays.BooleanArray(values == 1, values == _MISSING)
    out["conditions"] = _texts(out["_held"], conditions)
    out["focus"] = _texts(out["_focus"], focus)
    out["removed_by"] = _texts(out["_assets"], case.negative_kinds)
    out["unknown"] = _joined(_texts(out["_unclear"], conditions), _texts(out["_focus_unclear"], focus))
    out["assumptions"] = (
        out["as_of"].map({pd.Timestamp(m.as_of): assumptions(case, m) for m in when}).astype("str")
    )
    for end in ("period_from", "period_to"):
        out[end] = _mapped(out[end], month_text)
    out["visit_every_days"] = out["visit_every_days"].astype("Int64")
    return out[list(COLUMNS)]


def _mapped(values: pd.Series, to_text: Any) -> pd.Series:
    places, uniques = pd.factorize(values)
    texts = np.array([to_text(int(u)) for u in uniques] or [""], dtype=object)
    return pd.Series(texts[places], index=values.index, dtype="str")


def _texts(masks: pd.Series, ids: list[str]) -> pd.Series:
    places, uniques = pd.factorize(masks)
    texts = np.array(_unmask(pd.Series(uniques), ids) or [""], dtype=object)
    return pd.Series(texts[places], index=masks.index, dtype="str")


def _joined(left: pd.Series, right: pd.Series) -> pd.Series:
    return (left + ";" + right).str.strip(";")


def assumptions(case: Case, moment: Moment) -> str:
    """Return the parameters that the source leaves open, and those overridden, with the values used.

    Parameters
    ----------
    case : Case
    moment : Moment

    Returns
    -------
    str
        ``name=value`` joined by ``;``; ``(override)`` marks one given by the user, ``(of YEAR)`` a table's
        value taken from an earlier year.
    """
    out = []
    for name, parameter in case.ruleset.parameters.items():
        value, remark = parameter.at(case.values[name], moment.as_of.year)
        overridden = case.values[name] != parameter.check(parameter.value)
        if not (parameter.assumption or overridden or remark):
            continue
        where = f"[{moment.as_of.year}]" if parameter.kind == "table" else ""
        remarks = [r for r in (remark, "override" if overridden else None) if r]
        out.append(f"{name}{where}={text(value)}" + (f" ({', '.join(remarks)})" if remarks else ""))
    return ";".join(out)
