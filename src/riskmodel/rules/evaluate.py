"""Evaluating rule sets: verdict tables as pandas frames with the contract's columns.

Reading a model's scores for the rule sets that use its probability.

Rules over time: many as-of dates in one pass, with the set that is valid at each of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data import County, Shape, fetch_frame, month_text, snapshot_message, unfused_selects
from riskmodel.errors import InputRefused, UsageError
from riskmodel.households import AsOf, DateLike, KnownCounty, Moment, known_county, to_date
from riskmodel.io import read_table
from riskmodel.rules import backends
from riskmodel.rules.declaration import RelativeLine, RuleSet, parameter_text
from riskmodel.rules.engine import REFERENCE, RuleCase, RuleInputs, verdict_expression
from riskmodel.rules.library import load_rules


def read_scores(scores: pd.DataFrame | str | Path) -> pd.DataFrame:
    """Return ``household_id, as_of, probability`` from a frame or a Parquet, CSV or XLSX file."""
    if not isinstance(scores, pd.DataFrame):
        scores = read_table(scores)
    missing = [c for c in ("household_id", "as_of", "probability") if c not in scores]
    if missing:
        raise InputRefused(f"scores lack the column {', '.join(missing)}")
    out = scores[["household_id", "as_of", "probability"]].copy()
    out["as_of"] = pd.to_datetime(out["as_of"]).dt.date
    out["probability"] = out["probability"].astype(float)
    if out.duplicated(["household_id", "as_of"]).any():
        raise InputRefused("scores hold a household twice at one as-of date; keep one horizon and model")
    if not out["probability"].dropna().between(0, 1).all():
        raise InputRefused("scores hold a probability outside 0 to 1")
    return out


def score_table(scores: pd.DataFrame | str | Path, when: tuple[Moment, ...]) -> pa.Table:
    """Return scores as a table to join on, an input of compiled queries."""
    frame = read_scores(scores).rename(columns={"probability": "score_probability"})
    dates = {m.as_of for m in when}
    if not dates & set(frame["as_of"]):
        days = ", ".join(sorted({str(d) for d in frame["as_of"]})[:5]) or "no date"
        raise InputRefused(f"scores are for {days}; asked for {', '.join(str(d) for d in sorted(dates)[:5])}")
    types = {"household_id": "string", "as_of": "date", "score_probability": "float64"}
    return pa.Table.from_pandas(
        frame[list(types)], schema=ibis.schema(types).to_pyarrow(), preserve_index=False
    )


CONTRACT = (
    "household_id", "as_of", "ruleset", "persons", "net_income", "pcni", "previous_pcni", "income_drop",
    "rigid", "rigid_ratio", "line", "gap", "has_risk", "category", "main_cause", "conditions", "unknown",
    "focus", "tier", "removed_by", "assumptions",
)  # fmt: skip
FURTHER = (
    "income_band", "income_plan", "visit_every_days", "outcome", "flagged", "township", "village",
    "registration", "income_basis", "period_from", "period_to", "income_reason",
    "lag_months", "pcni_low", "pcni_high", "verdict_depends", "doubts",
)  # fmt: skip
COLUMNS = (*CONTRACT, *FURTHER)
_AS_IS = (
    "persons", "net_income", "pcni", "previous_pcni", "income_drop", "rigid", "rigid_ratio", "line",
    "category", "main_cause", "tier", "income_band", "visit_every_days", "outcome", "flagged", "township",
    "village", "registration", "income_basis", "period_from", "period_to", "income_reason",
    "lag_months", "pcni_low", "pcni_high", "doubts", "records_incomplete",
)  # fmt: skip
_FLAGS = ("has_risk", "income_plan")
RECORDS_INCOMPLETE = "records_incomplete"  # stands in ``unknown`` where late records keep a household in
_MISSING = -1  # stands for null in a flag's int8; pandas reads it faster than a nullable boolean


def evaluate_rules(
    county: County | KnownCounty,
    ruleset: str | Path | RuleSet,
    as_of: AsOf | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
) -> pd.DataFrame:
    """Return the verdict on every household at every as-of date.

    Parameters
    ----------
    county
        The checked tables, or a `riskmodel.households.KnownCounty`, which carries its own dates.
    ruleset
        A packaged id, the path of a YAML, or a loaded set.
    as_of
        Date, ISO text, `riskmodel.households.Moment`, or several: the days judged, each by what was known
        then.
    params
        Overrides of parameters, name to value or text.
    scores
        ``household_id, as_of, probability`` (a frame or the path of a Parquet, CSV or XLSX file), for sets
        that use a model's probability (cards-2023).

    Returns
    -------
    DataFrame
        One row per household and as-of, sorted by ``as_of, household_id``, with the columns ``household_id,
        as_of, ruleset, persons, net_income, pcni, previous_pcni, income_drop, rigid, rigid_ratio, line, gap,
        has_risk, category, main_cause, conditions, unknown, focus, tier, removed_by, assumptions,
        income_band, income_plan, visit_every_days, outcome, flagged, township, village, registration,
        income_basis, period_from, period_to, income_reason, lag_months, pcni_low, pcni_high,
        verdict_depends, doubts``. Amounts in yuan, ``pcni`` and ``line`` per person and period; ``gap`` is
        the line less ``pcni``; ``unknown`` names the conditions that could not be judged, and
        ``records_incomplete`` where late or doubtful records keep a household from being let go; lists of
        ids are joined with ``;``; ``has_risk`` and ``income_plan`` are nullable booleans. ``lag_months`` is
        how far the period ends before the last completed month, ``pcni_low`` and ``pcni_high`` bound
        ``pcni`` of the last completed months, ``verdict_depends`` says where the two give two verdicts.
        Where the county has claims, ``reference_income_pc`` stands after ``pcni``: (net income + claims −
        medical spending) per head, which no set judges by unless it says so.

    Raises
    ------
    UsageError
        If the rule set, a date or a parameter is wrong.
    InputRefused
        If scores lack a column or are for other dates.
    """
    ((_, frame),) = evaluate_rule_sets(county, [ruleset], as_of, params=params, scores=scores)
    return frame


def evaluate_rule_sets(
    county: County | KnownCounty,
    rulesets: Iterable[str | Path | RuleSet],
    as_of: AsOf | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the verdicts of several rule sets; what they have in common is computed once.

    Parameters
    ----------
    county, as_of, params, scores
        As in `evaluate_rules`. A parameter must be known to at least one of the sets.
    rulesets
        Packaged ids, paths or loaded sets.

    Yields
    ------
    tuple
        Rule set id and frame, sets of one accounting period after another.
    """
    yield from _evaluate(known_county(county, as_of), rulesets, params, scores, bounds=True)


def evaluate_without_bounds(
    known: KnownCounty,
    ruleset: RuleSet,
    params: Mapping[str, Any] | None,
    scores: pd.DataFrame | str | Path | None,
) -> pd.DataFrame:
    """Return verdicts as `evaluate_rules` does, but ``verdict_depends`` false: nothing is judged thrice."""
    ((_, frame),) = _evaluate(known, [ruleset], params, scores, bounds=False)
    return frame


def _evaluate(
    known: KnownCounty,
    rulesets: Iterable[str | Path | RuleSet],
    params: Mapping[str, Any] | None,
    scores: pd.DataFrame | str | Path | None,
    *,
    bounds: bool,
) -> Iterator[tuple[str, pd.DataFrame]]:
    sets = [load_rules(r) for r in rulesets]
    score_rows = None if scores is None else score_table(scores, known.moments)
    cases = [RuleCase(r, r.values(own_overrides(params, r, sets))) for r in sets]
    with backends.stored_figures(known, [test for c in cases for test in c.tests.values()]) as figures:
        for period in dict.fromkeys(c.period for c in cases):
            for case in (c for c in cases if c.period == period):
                yield case.ruleset.id, judge_households(known, case, figures, score_rows, bounds=bounds)


def judge_households(
    known: KnownCounty,
    case: RuleCase,
    figures: Mapping[str, ir.Table],
    scores: pa.Table | None = None,
    household_id: str | None = None,
    *,
    bounds: bool = True,
) -> pd.DataFrame:
    """Return the verdicts of a rule set on all households or one, as `COLUMNS`."""
    rows = query_verdicts(known, case, figures, scores, household_id)
    depends: np.ndarray | bool = bounds and _verdict_depends(known, case, figures, scores, rows)
    return _verdict_frame(case, known, rows.assign(verdict_depends=depends))


def _verdict_depends(
    known: KnownCounty,
    case: RuleCase,
    figures: Mapping[str, ir.Table],
    scores: pa.Table | None,
    rows: pd.DataFrame,
) -> np.ndarray:
    """Return for whom the two bounds of an income not fully written up give two verdicts."""
    open_ended = rows["pcni_low"].lt(rows["pcni_high"]).to_numpy()
    if not open_ended.any():
        return open_ended
    if isinstance(case.values.get(case.ruleset.line), RelativeLine):
        line = rows["line"]
        return open_ended & rows["pcni_low"].lt(line).to_numpy() & rows["pcni_high"].ge(line).to_numpy()
    low, high = (
        query_verdicts(known, case, figures, scores, bound=bound).set_index(list(backends.KEY))
        for bound in ("low", "high")
    )
    verdict = ["category", "tier", "flagged"]
    differs = (low[verdict].fillna("") != high[verdict].fillna("")).any(axis=1)
    two = differs.reindex(pd.MultiIndex.from_frame(rows[list(backends.KEY)]), fill_value=False)
    return open_ended & two.to_numpy()


def own_overrides(params: Mapping[str, Any] | None, one: RuleSet, rulesets: list[RuleSet]) -> dict[str, Any]:
    """Return the overrides that are this set's; one that no set knows is left in, to be refused."""
    if len(rulesets) == 1:
        return dict(params or {})
    known = {n for r in rulesets for n in r.parameters}
    return {n: v for n, v in (params or {}).items() if n in one.parameters or n not in known}


def _mask(t: ir.Table, columns: list[str], null: bool) -> ir.Value:
    """Pack booleans into the bits of one integer: far less to carry than text built in the query."""
    zero = ibis.literal(0, "int64")
    bits = [
        ibis.ifelse(t[column].isnull() if null else t[column], ibis.literal(1 << i, "int64"), zero)
        for i, column in enumerate(columns)
    ]
    return sum(bits, start=zero).cast("int64")


def query_verdicts(
    known: KnownCounty,
    case: RuleCase,
    figures: Mapping[str, ir.Table],
    scores: pa.Table | None = None,
    household_id: str | None = None,
    keep: Sequence[str] = (),
    bound: str = "",
) -> pd.DataFrame:
    """Run a rule set's query; with a ``bound``, on the lowest or highest income of those that are open."""
    columns: dict[str, list[str]] = {}
    for test in sorted(set(case.tests.values())):
        columns.setdefault(test.relation, []).append(backends.figure_column(test))
    figure_tables = {
        f"of_{name}": figures[name].select(*backends.KEY, *c)
        for name, c in columns.items()
        if name in figures
    }
    household = (
        None if household_id is None else pa.table({"household_id": pa.array([household_id], pa.string())})
    )
    inputs = {"base": known.accounts(case.period), "settings": case.settings(known.moments)}
    with unfused_selects():
        return fetch_frame(
            known, _answers, case.ruleset, case.values, tuple(keep), bound,
            **inputs, **figure_tables, scores=scores, household=household,
        )  # fmt: skip


def _answers(
    county: Shape,
    ruleset: RuleSet,
    values: Mapping[str, Any],
    keep: tuple[str, ...],
    bound: str,
    base: ir.Table,
    settings: ir.Table,
    scores: ir.Table | None,
    household: ir.Table | None,
    **figure_tables: ir.Table,
) -> ir.Table:
    case = RuleCase(ruleset, values)
    base = _at_bound(base, bound) if bound else base
    figures = {name.removeprefix("of_"): table for name, table in figure_tables.items()}
    t = verdict_expression(county, case, RuleInputs(base, settings, figures, scores), keep)
    t = t if household is None else t.semi_join(household, "household_id")
    further = (REFERENCE,) if county.has("claims") else ()
    selection = (
        t.select(*backends.KEY, *(c for c in keep if c not in backends.KEY))
        if keep
        else _packed(case, t, further)
    )
    return selection.order_by("as_of", "household_id")


def _at_bound(base: ir.Table, bound: str) -> ir.Table:
    """Return the households whose income is open, with its lowest or highest value."""
    t = base.filter(base.pcni_low < base.pcni_high)
    pcni = t[f"pcni_{bound}"]
    previous = t.previous_pcni
    drop = ibis.ifelse(previous > 0, 1 - pcni / previous.nullif(0), ibis.null("float64"))
    net = pcni * t.persons
    # Where the year before is not known, rigid spending is measured by this income (see the accounts).
    ratio = ibis.cases(
        (t.previous_net_income.notnull() | t.rigid.isnull(), t.rigid_ratio),
        (t.rigid == 0, 0.0),
        (net <= 0, ibis.literal(float("inf"))),
        else_=t.rigid / net.nullif(0),
    )
    reference = t.reference_income_pc + pcni - t.pcni
    return t.mutate(
        pcni=pcni, net_income=net, income_drop=drop, rigid_ratio=ratio, reference_income_pc=reference
    )


def _packed(case: RuleCase, t: ir.Table, further: tuple[str, ...]) -> ir.Table:
    """Return the columns of a verdict, with what is many booleans packed into bits."""
    c_columns = [f"c_{n}" for n in case.ruleset.conditions]
    f_columns = [f"f_{n}" for n in case.ruleset.focus]
    return t.select(
        *backends.KEY,
        *_AS_IS,
        *further,
        **{f: t[f].cast("int8").fill_null(_MISSING) for f in _FLAGS},
        _held=_mask(t, c_columns, null=False),
        _unclear=_mask(t, c_columns, null=True),
        _focus=_mask(t, f_columns, null=False),
        _focus_unclear=_mask(t, f_columns, null=True),
        _assets=_mask(t, [f"asset_{k}" for k in case.negative_kinds], null=False),
    )


def _verdict_frame(case: RuleCase, known: KnownCounty, out: pd.DataFrame) -> pd.DataFrame:
    """Shape what `query_verdicts` returned into `COLUMNS`."""
    conditions, focus = list(case.ruleset.conditions), list(case.ruleset.focus)
    out["ruleset"] = case.ruleset.id
    out["gap"] = out["line"] - out["pcni"]
    for f in _FLAGS:
        values = out[f].to_numpy()
        out[f] = pd.arrays.BooleanArray(values == 1, values == _MISSING)
    out["conditions"] = _listed(out["_held"], conditions)
    out["focus"] = _listed(out["_focus"], focus)
    out["removed_by"] = _listed(out["_assets"], case.negative_kinds)
    incomplete = np.where(out["records_incomplete"].to_numpy(dtype=bool), f";{RECORDS_INCOMPLETE}", "")
    unknown = _listed(out["_unclear"], conditions) + ";" + _listed(out["_focus_unclear"], focus) + incomplete
    out["unknown"] = unknown.str.replace(";;", ";").str.strip(";")
    assumed = {pd.Timestamp(m.as_of): assumptions(case, m, known.county) for m in known.moments}
    out["assumptions"] = out["as_of"].map(assumed).astype("str")
    for end in ("period_from", "period_to"):
        out[end] = _texts(out[end], month_text)
    for count in ("visit_every_days", "lag_months"):
        out[count] = out[count].astype("Int64")
    columns = list(COLUMNS)
    if REFERENCE in out:
        columns.insert(columns.index("pcni") + 1, REFERENCE)
    return out[columns]


def _texts(values: pd.Series, to_text: Callable[[int], str]) -> pd.Series:
    """Return the text of each value; each distinct one is put into words once."""
    places, uniques = pd.factorize(values)
    # The last one is where a missing value's place, −1, points to.
    texts = np.array([*(to_text(int(u)) for u in uniques), ""], dtype=object)
    return pd.Series(texts[places], index=values.index, dtype="str")


def _listed(masks: pd.Series, ids: list[str]) -> pd.Series:
    return _texts(masks, lambda mask: ";".join(name for i, name in enumerate(ids) if mask >> i & 1))


def assumptions(case: RuleCase, moment: Moment, county: County) -> str:
    """Return what the verdicts rest on beside the rules and dated records.

    These are the parameters that the source leaves open and those overridden, with the values used; and the
    day of a snapshot without dates, where households or members are taken from one.
    """
    out = []
    snapshot = county.about.snapshot_on
    if snapshot and snapshot <= moment.known_by and snapshot_message(county) is not None:
        out.append(f"snapshot_on={snapshot}")
    for name, parameter in case.ruleset.parameters.items():
        value, remark = parameter.at(case.values[name], moment.as_of.year)
        overridden = case.values[name] != parameter.check(parameter.value)
        if not (parameter.assumption or overridden or remark):
            continue
        where = f"[{moment.as_of.year}]" if isinstance(case.values[name], dict) else ""
        remarks = [r for r in (remark, "override" if overridden else None) if r]
        out.append(f"{name}{where}={parameter_text(value)}" + (f" ({', '.join(remarks)})" if remarks else ""))
    return ";".join(out)


Schedule = Sequence[str | Path | RuleSet] | Mapping[DateLike, str | Path | RuleSet]


def evaluate_history(
    county: County | KnownCounty,
    rulesets: str | Path | RuleSet | Schedule,
    as_of: AsOf | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
) -> pd.DataFrame:
    """Return verdicts over many dates, each by the rule set valid then.

    Parameters
    ----------
    county
        The checked tables, or a `KnownCounty`, which carries its own dates.
    rulesets : rule set, sequence of rule sets, or mapping
        A sequence takes each set's own ``valid_from``; a mapping gives the date from which a set holds in
        this jurisdiction. The latest one on or before as-of decides.
    as_of
        The day, or days, spoken of; each is judged by what was known then.
    params : mapping, optional
        Overrides, for whichever of the sets has the parameter.
    scores : DataFrame or path, optional
        As in `riskmodel.rules.evaluate_rules`.

    Returns
    -------
    DataFrame
        As `evaluate_rules`, sorted by ``as_of, household_id``; column ``ruleset`` says which set.

    Raises
    ------
    UsageError
        If no set is valid at a date, or two begin on one day.
    """
    known = known_county(county, as_of)
    starts = rule_schedule(rulesets)
    set_at = {m: rules_valid_at(starts, m.as_of) for m in known.moments}
    used = list(dict.fromkeys(r.id for r in set_at.values()))
    frames = []
    for name in used:
        own_days = known_county(known.county, [m for m, r in set_at.items() if r.id == name])
        ruleset = set_at[own_days.moments[0]]
        own = own_overrides(params, ruleset, list(set_at.values()))
        frames.append(evaluate_rules(own_days, ruleset, params=own, scores=scores))
    out = pd.concat(frames, ignore_index=True)
    return out.sort_values(["as_of", "household_id"], ignore_index=True) if len(frames) > 1 else out


def rule_schedule(rulesets: str | Path | RuleSet | Schedule) -> dict[dt.date, RuleSet]:
    """Return rule sets by the day from which each holds, in order."""
    if isinstance(rulesets, str | Path | RuleSet):
        return {dt.date.min: load_rules(rulesets)}
    if isinstance(rulesets, Mapping):
        pairs = [(to_date(day), load_rules(r)) for day, r in rulesets.items()]
    else:
        sets = [load_rules(r) for r in rulesets]
        pairs = [(r.valid_from, r) for r in sets] if len(sets) > 1 else [(dt.date.min, r) for r in sets]
    days = [day for day, _ in pairs]
    repeated = sorted({str(d) for d in days if days.count(d) > 1})
    if not pairs or repeated:
        raise UsageError(f"two rule sets begin on {', '.join(repeated)}" if repeated else "no rule set given")
    return dict(sorted(pairs, key=lambda pair: pair[0]))


def rules_valid_at(starts: Mapping[dt.date, RuleSet], day: dt.date) -> RuleSet:
    """Return the set that holds on a day: the latest one that began on or before it."""
    begun = [d for d in starts if d <= day]
    if not begun:
        first = min(starts)
        raise UsageError(f"no rule set is valid on {day}: the first, {starts[first].id}, begins on {first}")
    return starts[max(begun)]
