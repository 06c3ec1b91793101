"""Periods, persons, net income, rigid spending, open causes, gaps and register state: computed once, here.

Rules, features, labels and forecasts all stand on these quantities (official rules, "Quantities"):

* the accounting period is the 12 whole months that end with the last month completed on or before as-of,
  or, for a household that has annual totals, the span of its newest 12-month total known by then
  (contract, "What an office really has");
* net income = income of all sources − production spending; ``pcni`` divides it by the members present;
* a household without an income row in a period has unknown income there: null, never 0.

They are written on the rows of a `riskmodel.households.KnownCounty`: one row per household and moment.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from pydantic import Field

from riskmodel.data import Shape, codes
from riskmodel.households import point_in_time
from riskmodel.households.point_in_time import HOUSEHOLD_STATES, PRESENT_MEMBERS
from riskmodel.io import Spec

RIGID_CATEGORIES = ("medical", "education", "housing", "disaster", "accident")
LOOKBACK = 3  # the period, the one before it, and the one before that (a fall in each of two years)
PREFIXES = ("", "previous_", "before_previous_")
STALE_AFTER_MONTHS = 18  # contract: a total that ended longer ago no longer says what a household earns
TOTAL_MONTHS = 12
WATCHED_EVENTS = ("identified", "rolled_back", "re_marked")
KEY = ("household_id", "as_of")
INCOMES = (*KEY, "pcni", "persons", "weight", "income_basis")
PAID_SOURCES = {"wage": ("wage",), "earning": ("wage", "transfer")}  # what counts as a month with earnings


class AccountingPeriod(Spec):
    """Which months are accounted.

    ``calendar_year`` takes the calendar year before as-of, divided by the members present at as-of
    (causes-2020), and the years before it by those 12 and 24 months earlier, as everywhere; otherwise the
    last ``months`` completed months.
    """

    months: int = Field(default=12, ge=1, le=24)
    calendar_year: bool = False


def household_accounts(county: Shape, period: AccountingPeriod) -> ir.Table:
    """Return the quantities of every household known at each moment.

    Parameters
    ----------
    county
        What the query is written from: the shape of a `riskmodel.households.KnownCounty`, whose ``accounts``
        runs it once.
    period
        Which months are accounted.

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of`` with

        * household state: ``township, village, registration, lifted_year, dibao, tekun, group, relocated,
          housing_safe, water_safe, weight`` and the clock ``known_by, as_of_month``;
        * ``period_from, period_to`` (month ordinals), ``income_basis`` (``months``, ``total``),
          ``income_reason`` (null, ``no_income``, ``income_stale``, ``production_unknown``, ``no_persons``);
        * ``persons``, ``net_income`` (yuan), ``pcni`` (yuan per person and period), each also with
          ``previous_`` and ``before_previous_``; ``income_drop`` (share);
        * ``income_{source}``, ``spending_{category}``, ``rigid`` (yuan in the period), ``rigid_ratio``
          (+inf where the divisor is not positive), ``wage_months``, ``earning_months`` (months with a wage,
          with a wage or transfer; null on totals);
        * ``cause_{code}``, ``latest_open_cause``, ``gap_*``, ``has_risk``;
        * ``labour, labour_unknown`` (members);
        * ``register_event, register_date, register_category, register_causes, in_register, main_cause``.

    References
    ----------
    Official rules, "Quantities" and "Exactly"; data contract, "What an office really has".
    """
    return _build(county, period, None)


def household_incomes(county: Shape, period: AccountingPeriod) -> ir.Table:
    """Return incomes per head alone: what lines and labels, which look at many windows, ask for."""
    return _build(county, period, None).select(*INCOMES)


def accounts_over_spans(county: Shape, spans: ir.Table, period: AccountingPeriod) -> ir.Table:
    """Return the quantities of households each over its own span, which may end after as-of."""
    return _build(county, period, spans)


def _build(county: Shape, period: AccountingPeriod, spans: ir.Table | None) -> ir.Table:
    own = spans is not None or (county.facts.get("spans.income", False) and not period.calendar_year)
    base = _with_period(county, period) if spans is None else _with_spans(county, spans)
    parts = [
        *_income(county, base if own else None, period),
        *_spending(county, base if own else None, period),
        _persons(county, base if own else None, period),
        _open_causes(county),
        _members(county),
        _register(county),
    ]
    return _quantities(county, _joined(base, parts))


def _joined(base: ir.Table, parts: list[ir.Table]) -> ir.Table:
    # One chain of joins and one projection at its end: ibis plans each further layer anew.
    joined, columns = base, list(base.columns)
    for i, part in enumerate(parts):
        joined = joined.left_join(part, list(KEY), rname=f"{{name}}_{i}")
        columns += [c for c in part.columns if c not in KEY]
    return joined.select(*columns)


def _by_clock(t: ir.Table, period: AccountingPeriod) -> ir.Table:
    """Attach ``period_from, period_to`` where the calendar alone decides them."""
    if period.calendar_year:
        first = ((t.as_of.year() - 1) * 12).cast("int32")
        return t.mutate(period_from=first, period_to=first + 11)
    return t.mutate(period_from=(t.last_month - period.months + 1).cast("int32"), period_to=t.last_month)


def _with_period(county: Shape, period: AccountingPeriod) -> ir.Table:
    """Attach ``period_from, period_to, income_basis, stale`` to every household."""
    base = county.rows(HOUSEHOLD_STATES).drop("valid_from", "known_on", "ago_12", "ago_24")
    base = _by_clock(base, period)
    if not county.facts.get("spans.income", False):
        return base.mutate(income_basis=ibis.literal("months"), stale=ibis.literal(False))
    t = county.rows("income")
    if period.calendar_year:
        return _with_totals_of_the_year(base, t)
    # Labels know more than as-of did: a total that ends later is not this period's.
    totals = t.filter((t.month_to - t.month_from == TOTAL_MONTHS - 1) & (t.month_to <= t.last_month))
    newest = totals.group_by(KEY).agg(total_to=totals.month_to.max())
    months = t.filter((t.month_from == t.month_to) & (t.month_to > t.last_month - period.months))
    months = months.filter(months.month_to <= months.last_month).group_by(KEY).agg(n_months=ibis._.count())
    out = base
    for part in (newest, months):
        out = out.left_join(part, list(KEY)).drop("household_id_right", "as_of_right")
    fresh = out.total_to >= out.last_month - STALE_AFTER_MONTHS
    use_total = out.total_to.notnull() & fresh
    return out.mutate(
        period_from=ibis.ifelse(use_total, out.total_to - TOTAL_MONTHS + 1, out.period_from).cast("int32"),
        period_to=ibis.ifelse(use_total, out.total_to, out.period_to).cast("int32"),
        income_basis=ibis.ifelse(use_total, "total", "months"),
        stale=out.total_to.notnull() & ~fresh & out.n_months.isnull(),
    ).drop("total_to", "n_months")


def _with_totals_of_the_year(base: ir.Table, income: ir.Table) -> ir.Table:
    """Say whose calendar year is told by a total: which months had earnings is then unknown, not none."""
    t = income.mutate(period_to=((income.as_of.year() - 1) * 12 + TOTAL_MONTHS - 1).cast("int32"))
    whole = t.filter((t.month_to == t.period_to) & (t.month_to - t.month_from == TOTAL_MONTHS - 1))
    whole = whole.select(*KEY).distinct().mutate(by_total=ibis.literal(True))
    out = base.left_join(whole, list(KEY)).drop("household_id_right", "as_of_right")
    basis = ibis.ifelse(out.by_total.notnull(), "total", "months")
    return out.mutate(income_basis=basis, stale=ibis.literal(False)).drop("by_total")


def _with_spans(county: Shape, spans: ir.Table) -> ir.Table:
    base = county.rows(HOUSEHOLD_STATES).drop("valid_from", "known_on", "ago_12", "ago_24")
    base = base.inner_join(spans.select(*KEY, "period_from", "period_to"), list(KEY))
    return base.mutate(income_basis=ibis.literal("total"), stale=ibis.literal(False))


def _spans(county: Shape, name: str, base: ir.Table | None, period: AccountingPeriod) -> ir.Table:
    """Return known rows of income or spending with their household's period and the shift they fall in.

    ``base`` carries a span per household; None says that the calendar alone decides, which is cheaper.
    """
    t = county.rows(name)
    if base is not None:
        t = t.inner_join(base.select(*KEY, "period_from", "period_to"), list(KEY))
    else:
        t = _by_clock(t, period)
    length = t.period_to - t.period_from + 1
    inside = (t.month_to <= t.period_to) & (t.month_to > t.period_to - LOOKBACK * length)
    # Which period a row ends in: 0 the current, 1 the one before, 2 the one before that.
    back = [(t.month_to > t.period_to - (k + 1) * length, k) for k in range(LOOKBACK - 1)]
    t = t.mutate(shift=ibis.cases(*back, else_=LOOKBACK - 1).cast("int32"), length=length, _inside=inside)
    t = t.filter(t["_inside"])
    if county.facts.get(f"spans.{name}", False):
        t = t.filter(t.month_from >= t.period_from - t["shift"] * t.length)
    code = "source" if name == "income" else "category"
    return t.select(*KEY, "shift", "length", "period_to", "month_from", "month_to", code, "amount")


def _never_added(t: ir.Table, code: str) -> ir.Table:
    """Sum rows by household, shift and code so that totals and months of one code are never added.

    A total over just the period goes first, then months, then shorter totals inside the period.
    """
    by = [*KEY, "shift", code]
    whole = (t.month_to - t.month_from + 1 == t.length) & (t.length > 1)
    single = t.month_from == t.month_to
    tier = ibis.cases((whole, 0), (single, 1), else_=2)
    t = t.mutate(tier=tier).group_by([*by, "tier"])
    sums = t.agg(amount=ibis._.amount.sum(), paid_months=ibis._.paid_months.bit_or())
    best = sums.mutate(
        _best=sums.tier.min().over(group_by=by), paid_months=sums.paid_months.bit_or().over(group_by=by)
    )
    return best.filter(best.tier == best._best).select(*by, "amount", "paid_months")


def _paid(county: Shape, rows: ir.Table) -> ir.Table:
    """Return income rows with a bit for each month of the period that had an amount above 0 (no totals).

    An ``or`` over bits counts distinct months far cheaper than a distinct count.
    """
    monthly = (rows["shift"] == 0) & (rows.month_from == rows.month_to) & (rows.amount > 0)
    bit = ibis.literal(1, "int64") << (rows.period_to - rows.month_to).cast("int64")
    t = rows.mutate(paid_months=ibis.ifelse(monthly, bit, ibis.literal(0, "int64")))
    return _never_added(t, "source") if county.facts.get("spans.income", False) else t


def _earlier(rows: ir.Table, name: str) -> ir.Table:
    """Sum the amounts of the two periods before the current one."""
    t = rows.filter(rows["shift"] > 0)
    earlier = enumerate(PREFIXES[1:], start=1)
    return t.group_by(KEY).agg(
        **{f"{p}{name}": t.amount.sum(where=t["shift"] == k).cast("float64") for k, p in earlier}
    )


def _income(county: Shape, base: ir.Table | None, period: AccountingPeriod) -> list[ir.Table]:
    rows = _spans(county, "income", base, period)
    paid = _paid(county, rows)
    now = paid.filter(paid["shift"] == 0)
    sources = {
        f"income_{s}": now.amount.sum(where=now.source == s).cast("float64")
        for s in codes("income", "source")
    }
    masks = {
        f"{kind}_mask": now.paid_months.bit_or(where=now.source.isin(of)) for kind, of in PAID_SOURCES.items()
    }
    out = now.group_by(KEY).agg(gross_income=now.amount.sum().cast("float64"), **sources, **masks)
    length = 12 if period.calendar_year else period.months
    counts = {
        f"{k}_months": sum(((out[f"{k}_mask"] >> j) & 1 for j in range(1, length)), out[f"{k}_mask"] & 1)
        for k in PAID_SOURCES
    }
    parts = [out.mutate(**counts).drop(*(f"{k}_mask" for k in PAID_SOURCES)), _earlier(paid, "gross_income")]
    if not (county.has("spending") or county.about.income_is_net):
        parts.append(_net_of_costs(rows))
    return parts


def _net_of_costs(rows: ir.Table) -> ir.Table:
    """Say for which periods ``business_net`` covers every month, so that no production spending is needed."""
    net = rows.filter(rows.source == "business_net")
    whole = (net.month_to - net.month_from + 1 == net.length).any()
    by_shift = net.group_by([*KEY, "shift"]).agg(
        covered=whole | (net.month_to.nunique(where=net.month_from == net.month_to) == net.length.max())
    )
    return by_shift.group_by(KEY).agg(
        **{
            f"{p}costs_known": by_shift.covered.any(where=by_shift["shift"] == k)
            for k, p in enumerate(PREFIXES)
        }
    )


def _spending(county: Shape, base: ir.Table | None, period: AccountingPeriod) -> list[ir.Table]:
    rows = _spans(county, "spending", base, period)
    if county.facts["business_net"]:
        rows = _without_costs_already_net(county, rows, base, period)
    # Of earlier periods only production spending is asked for.
    rows = rows.filter((rows["shift"] == 0) | (rows.category == "production"))
    if county.facts.get("spans.spending", False):
        rows = _never_added(rows.mutate(paid_months=ibis.literal(0, "int64")), "category")
    now = rows.filter(rows["shift"] == 0)
    current = {
        f"spending_{c}": now.amount.sum(where=now.category == c).cast("float64")
        for c in codes("spending", "category")
    }
    rigid = now.amount.sum(where=now.category.isin(RIGID_CATEGORIES)).cast("float64")
    return [now.group_by(KEY).agg(**current, rigid=rigid), _earlier(rows, "production")]


def _without_costs_already_net(
    county: Shape, rows: ir.Table, base: ir.Table | None, period: AccountingPeriod
) -> ir.Table:
    """Leave out production spending whose span lies inside a ``business_net`` row's span."""
    income = _spans(county, "income", base, period)
    net = income.filter(income.source == "business_net").select(
        *KEY, net_from=income.month_from, net_to=income.month_to
    )
    production = rows.filter(rows.category == "production")
    kept = production.anti_join(
        net,
        [
            production.household_id == net.household_id,
            production.as_of == net.as_of,
            production.month_from >= net.net_from,
            production.month_to <= net.net_to,
        ],
    )
    return rows.filter(rows.category != "production").union(kept)


def _persons(county: Shape, base: ir.Table | None, period: AccountingPeriod) -> ir.Table:
    """Count the members present at the end of each period (totals) or at as-of less 0, 1, 2 periods."""
    t = county.rows("members")
    t = t.select(*KEY, "member_id", "valid_from", "valid_to")
    if base is not None:
        t = t.inner_join(base.select(*KEY, "period_from", "period_to", "income_basis"), list(KEY))
    present = {}
    for k, prefix in enumerate(PREFIXES):
        back = ibis.interval(months=k * (12 if period.calendar_year else period.months))
        on = (t.as_of - back).cast("date")
        if base is not None:
            on = ibis.ifelse(t.income_basis == "total", _end_of_span(t, k), on)
        present[f"{prefix}persons"] = point_in_time.valid_on(t, on)
    t = t.mutate(**present)
    if county.facts["versions.members"]:
        t = t.group_by([*KEY, "member_id"]).agg(**{c: ibis._[c].any() for c in present})
    return t.group_by(KEY).agg(**{c: t[c].cast("int32").sum() for c in present})


def _end_of_span(t: ir.Table, k: int) -> ir.Value:
    """Return the last day of the household's own span, ``k`` spans back."""
    first_after = t.period_to - (t.period_to - t.period_from + 1) * k + 1
    year, month = (first_after / 12).floor().cast("int32"), (first_after % 12 + 1).cast("int32")
    return (ibis.date(year, month, ibis.literal(1)) - ibis.interval(days=1)).cast("date")


def _open_causes(county: Shape) -> ir.Table:
    t = county.rows("risk_events")
    t = t.filter((t.date > t.ago_12) & (t.date <= t.as_of))
    order = list(codes("risk_events", "cause"))
    rank = ibis.cases(*[(t.cause == c, i) for i, c in enumerate(order)], else_=len(order))
    first = ibis.row_number().over(group_by=list(KEY), order_by=[ibis.desc("date"), rank.asc()])
    ranked = t.mutate(_first=first)
    return ranked.group_by(KEY).agg(
        **{f"cause_{c}": (ranked.cause == c).any() for c in order},
        latest_open_cause=ranked.cause.max(where=ranked._first == 0),
    )


def _members(county: Shape) -> ir.Table:
    t = county.rows(PRESENT_MEMBERS)
    # Physically unable children are no drop-outs (001 §8).
    able = ~t.disability_grade.isin([1, 2]).fill_null(False)
    out_of_school = t.age.between(6, 15) & (t.schooling == "dropped_out").fill_null(False) & able
    return t.group_by(KEY).agg(
        labour=t.work_capacity.isin(["full", "partial"]).fill_null(False).cast("int32").sum(),
        labour_unknown=t.work_capacity.isnull().cast("int32").sum(),
        gap_schooling=out_of_school.any(),
        gap_medical=(~t.insured).fill_null(False).any(),
    )


def _register(county: Shape) -> ir.Table:
    """Return the latest register row and the latest causes named in any register row."""
    t = county.rows("monitoring")
    t = t.filter(t.date <= t.as_of)
    order = list(codes("monitoring", "event"))
    rank = ibis.cases(*[(t.event == c, i) for i, c in enumerate(order)], else_=len(order))
    newest = [ibis.desc("date"), ibis.desc("known_on"), rank.desc(), ibis.asc("causes")]
    ranked = t.mutate(
        _last=ibis.row_number().over(group_by=list(KEY), order_by=newest),
        _named=ibis.row_number().over(group_by=[*KEY, t.causes.notnull()], order_by=newest),
    )
    last = ranked._last == 0
    return ranked.group_by(KEY).agg(
        register_event=ranked.event.max(where=last),
        register_date=ranked.date.max(where=last),
        register_category=ranked.category.max(where=last),
        register_causes=ranked.causes.max(where=last),
        named_causes=ranked.causes.max(where=(ranked._named == 0) & ranked.causes.notnull()),
    )


def _quantities(county: Shape, t: ir.Table) -> ir.Table:
    t = _absent_is_null_else_zero(county, t)
    t = _net_and_per_head(county, t)
    divisor = ibis.coalesce(t.previous_net_income, t.net_income)
    t = t.mutate(
        income_drop=ibis.ifelse(
            t.previous_pcni > 0, 1 - t.pcni / t.previous_pcni.nullif(0), ibis.null("float64")
        ),
        rigid_ratio=ibis.cases(
            (t.rigid.isnull() | divisor.isnull(), ibis.null("float64")),
            (t.rigid == 0, 0.0),
            (divisor <= 0, ibis.literal(float("inf"))),
            else_=t.rigid / divisor.nullif(0),
        ),
        income_reason=_income_reason(t),
        main_cause=ibis.coalesce(t.named_causes.split(";")[0].strip().nullif(""), t.latest_open_cause),
        in_register=t.register_event.isin(WATCHED_EVENTS).fill_null(False)
        if county.has("monitoring")
        else ibis.null("boolean"),
    )
    t = t.mutate(has_risk=_has_risk(county, t))
    drop = ["stale", "named_causes", "last_month"]
    drop += [
        c
        for c in t.columns
        if c.endswith(("gross_income", "production", "costs_known")) and c != "spending_production"
    ]
    return t.drop(*drop)


def _absent_is_null_else_zero(county: Shape, t: ir.Table) -> ir.Table:
    """Where a table exists, no row means 0 or none; where it is absent, null stays."""
    zero: dict[str, ir.Value] = {c: t[c].fill_null(0) for c in ("labour", "labour_unknown")}
    zero |= {f"{p}persons": t[f"{p}persons"].fill_null(0) for p in PREFIXES}
    zero |= {c: t[c].fill_null(False) for c in ("gap_schooling", "gap_medical")}
    for state in ("housing", "water"):
        zero[f"gap_{state}"] = (~t[f"{state}_safe"]).fill_null(False)
    if county.has("spending"):
        amounts = [c for c in t.columns if c.startswith("spending_") or c == "rigid"]
        zero |= {c: t[c].fill_null(0.0) for c in amounts}
        zero |= {f"{p}production": t[f"{p}production"].fill_null(0.0) for p in PREFIXES[1:]}
    if county.has("risk_events"):
        zero |= {c: t[c].fill_null(False) for c in t.columns if c.startswith("cause_")}
    monthly = t.income_basis == "months"
    has_income = t.gross_income.notnull()
    for c in ("wage_months", "earning_months"):
        zero[c] = ibis.ifelse(monthly & has_income, t[c].fill_null(0), ibis.null("int64"))
    for s in codes("income", "source"):
        zero[f"income_{s}"] = ibis.ifelse(has_income, t[f"income_{s}"].fill_null(0.0), ibis.null("float64"))
    return t.mutate(**zero)


def _net_and_per_head(county: Shape, t: ir.Table) -> ir.Table:
    amounts: dict[str, ir.Value] = {}
    for p in PREFIXES:
        gross, costs = t[f"{p}gross_income"], t[f"{p}production" if p else "spending_production"]
        if not county.has("spending"):
            known = (
                ibis.literal(True) if county.about.income_is_net else t[f"{p}costs_known"].fill_null(False)
            )
            costs = ibis.ifelse(known, 0.0, ibis.null("float64"))
        amounts[f"{p}net_income"] = ibis.ifelse(t.stale, ibis.null("float64"), gross - costs)
    t = t.mutate(**amounts)
    return t.mutate(**{f"{p}pcni": t[f"{p}net_income"] / t[f"{p}persons"].nullif(0) for p in PREFIXES})


def _income_reason(t: ir.Table) -> ir.Value:
    return ibis.cases(
        # Nobody earns where nobody lives: the reason is that they left, not that an entry is wanting.
        (t.persons == 0, "no_persons"),
        (t.stale, "income_stale"),
        (t.gross_income.isnull(), "no_income"),
        (t.net_income.isnull(), "production_unknown"),
        else_=ibis.null("string"),
    )


def _has_risk(county: Shape, t: ir.Table) -> ir.Value:
    known = t.gap_housing | t.gap_water | t.gap_schooling | t.gap_medical
    for c in codes("risk_events", "cause"):
        known = known | t[f"cause_{c}"].fill_null(False)
    nothing = ibis.literal(False) if county.has("risk_events") else ibis.null("boolean")
    return ibis.ifelse(known, True, nothing)
