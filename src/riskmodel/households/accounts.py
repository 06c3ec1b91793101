"""Persons, incomes, open causes, gaps and register state of each household: computed once, here.

Rules, features, labels and forecasts all stand on these quantities (official rules, "Quantities"): income and
spending of the accounting period as `riskmodel.households.income` adds them up from what is on record,
divided by the members present, with what the other tables tell.

They are written on the rows of a `riskmodel.households.KnownCounty`: one row per household and moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from riskmodel.data import Shape, codes
from riskmodel.households import point_in_time
from riskmodel.households.income import PREFIXES
from riskmodel.households.point_in_time import HOUSEHOLD_STATES, PRESENT_MEMBERS

TOTAL_MONTHS = 12
WATCHED_EVENTS = ("identified", "rolled_back", "re_marked")
KEY = ("household_id", "as_of")
INCOMES = (*KEY, "pcni", "persons", "weight", "income_basis", "income_reason", "period_to")


def household_accounts(county: Shape, money: ir.Table) -> ir.Table:
    """Return the quantities of every household known at each moment.

    Parameters
    ----------
    county
        What the query is written from: the shape of a `riskmodel.households.KnownCounty`, whose ``accounts``
        runs it once.
    money
        From `riskmodel.households.income.income_accounts`.

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of`` with

        * household state: ``township, village, registration, lifted_year, dibao, tekun, group, relocated,
          housing_safe, water_safe, weight, policy_status, no_labour_fallback`` and the clock ``known_by,
          as_of_month``;
        * ``period_from, period_to`` (month ordinals), ``income_basis`` (``months``, ``total``),
          ``income_reason`` (null where income is known, else the first reason that holds, see
          `riskmodel.households.periods`);
        * ``persons``, ``net_income`` (yuan), ``pcni`` (yuan per person and period), each also with
          ``previous_`` and ``before_previous_``; ``income_drop`` (share);
        * ``income_{source}``, ``spending_{category}``, ``rigid`` (yuan in the period), ``rigid_ratio``
          (+inf where the divisor is not positive), ``wage_months``, ``earning_months`` (months with a wage,
          with a wage or transfer; null on totals);
        * ``lag_months`` (how far the period ends before the last completed month), ``pcni_low, pcni_high``
          (bounds of net income per head over the last completed months), ``changed_since`` (an event or a
          change of members is known after a period that lags), ``doubts`` (``;``-joined);
        * ``claims`` (yuan in the period; null without the table or where one cannot be read or straddles the
          period's edge), ``reference_income`` (net income + claims − medical spending),
          ``reference_income_pc`` (per person): the figure that offices look at beside net income;
        * ``cause_{code}``, ``latest_open_cause``, ``gap_*``, ``has_risk``;
        * ``labour, labour_unknown`` (members);
        * ``register_event, register_date, register_category, register_causes, in_register, main_cause``,
          ``register_month_only`` (of that date only the month is known), ``vanished_naturally`` (the latest
          register row says that the risk vanished by itself).

    References
    ----------
    Official rules, "Quantities" and "Exactly"; data contract, "What an office really has".
    """
    unused = ("valid_from", "known_on", "ago_12", "ago_24", "last_month", "origin_cause", "registration_raw")
    base = _joined(county.rows(HOUSEHOLD_STATES).drop(*unused), [money])
    parts = _counted(county, base, money)
    parts += [_open_causes(county, base), _members(county), _register(county)]
    parts += [_claims(county, base)] if county.has("claims") else []
    return _quantities(county, _joined(base, parts))


def household_incomes(county: Shape, money: ir.Table) -> ir.Table:
    """Return incomes per head alone: what lines and labels, which look at many windows, ask for."""
    base = _joined(county.rows(HOUSEHOLD_STATES).select(*KEY, "weight"), [money])
    now = PREFIXES[:1]
    t = _per_head(_persons_or_none(_joined(base, _counted(county, base, money, now)), now), now)
    return t.mutate(income_reason=_income_reason(t)).select(*INCOMES)


def household_persons(county: Shape, money: ir.Table) -> ir.Table:
    """Return ``household_id, as_of, persons`` alone: what amounts per head are divided by."""
    base = _joined(county.rows(HOUSEHOLD_STATES).select(*KEY), [money])
    now = PREFIXES[:1]
    t = _persons_or_none(_joined(base, _counted(county, base, money, now)), now)
    return t.select(*KEY, "persons")


def _joined(base: ir.Table, parts: list[ir.Table]) -> ir.Table:
    # One chain of joins and one projection at its end: ibis plans each further layer anew.
    joined, columns = base, list(base.columns)
    for i, part in enumerate(parts):
        joined = joined.left_join(part, list(KEY), rname=f"{{name}}_{i}")
        columns += [c for c in part.columns if c not in KEY]
    return joined.select(*columns)


def _counted(
    county: Shape, base: ir.Table, money: ir.Table, periods: Sequence[str] = PREFIXES
) -> list[ir.Table]:
    """Return the persons of each period, unless they were counted with the incomes already."""
    return [] if "persons" in money.columns else [_persons(county, base, periods)]


def _persons(county: Shape, base: ir.Table, periods: Sequence[str] = PREFIXES) -> ir.Table:
    """Count the members present on the day that each period asks for."""
    t = county.rows("members")
    t = t.select(*KEY, "member_id", "birth_month", "valid_from", "valid_to")
    days = [f"{p}persons_on" for p in periods]
    t = t.inner_join(base.select(*KEY, "period_to", *days), list(KEY))
    present = {
        f"{p}persons": point_in_time.valid_on(t, t[f"{p}persons_on"]) & _born_by(t, t[f"{p}persons_on"])
        for p in periods
    }
    t = t.mutate(**present, changed=_after_period(t, t.valid_from) | _after_period(t, t.valid_to))
    flags = [*present, "changed"]
    if county.facts["versions.members"] or county.has("household_links"):
        t = t.group_by([*KEY, "member_id"]).agg(**{c: ibis._[c].any() for c in flags})
    return t.group_by(KEY).agg(
        members_changed=t.changed.any(), **{c: t[c].cast("int32").sum() for c in present}
    )


def _after_period(t: ir.Table, day: ir.DateValue) -> ir.BooleanValue:
    """Say whether a day lies after the accounting period and not after as-of; false for no day."""
    month = day.year() * 12 + day.month() - 1
    return ((month > t.period_to) & (day <= t.as_of)).fill_null(False)


def _born_by(t: ir.Table, day: ir.DateValue) -> ir.BooleanValue:
    """Say whether a member's month of birth has come: nobody is present before it."""
    return t.birth_month.isnull() | (t.birth_month <= day.year() * 12 + day.month() - 1)


def _persons_or_none(t: ir.Table, periods: Sequence[str] = PREFIXES) -> ir.Table:
    """Return the number of persons, 0 where nobody is there and null where a record of members is wanting."""
    if "persons_unknown" not in t.columns:
        return t
    persons = {
        f"{p}persons": ibis.ifelse(
            t[f"{p}persons_unknown"], ibis.null("int32"), t[f"{p}persons"].fill_null(0)
        )
        for p in periods
    }
    return t.mutate(**persons)


def _per_head(t: ir.Table, periods: Sequence[str] = PREFIXES) -> ir.Table:
    return t.mutate(**{f"{p}pcni": t[f"{p}net_income"] / t[f"{p}persons"].nullif(0) for p in periods})


def _income_reason(t: ir.Table) -> ir.StringValue:
    """Return why income per head is not known, the first reason that holds; null where it is known."""
    return ibis.cases(
        # Nobody earns where nobody lives: the reason is that they left, not that an entry is wanting.
        (t.persons == 0, "no_persons"),
        (t.persons.isnull() | t.net_income.isnull(), t.records_reason),
        else_=ibis.null("string"),
    )


def _open_causes(county: Shape, base: ir.Table) -> ir.Table:
    t = county.rows("risk_events")
    t = t.filter(t.date <= t.as_of)
    t = _joined(t, [base.select(*KEY, "period_to")])
    # A period of totals may end more than the twelve months ago in which a cause is open.
    t = t.mutate(since=_after_period(t, t.date), open=t.date > t.ago_12)
    t = t.filter(t.open | t.since)
    order = list(codes("risk_events", "cause"))
    rank = ibis.cases(*[(t.cause == c, i) for i, c in enumerate(order)], else_=len(order))
    first = ibis.row_number().over(group_by=list(KEY), order_by=[ibis.desc("date"), rank.asc()])
    ranked = t.mutate(_first=first)
    return ranked.group_by(KEY).agg(
        risk_since=ranked.since.any(),
        **{f"cause_{c}": (ranked.open & (ranked.cause == c)).any() for c in order},
        latest_open_cause=ranked.cause.max(where=ranked.open & (ranked._first == 0)),
    )


def _claims(county: Shape, base: ir.Table) -> ir.Table:
    """Add up what insurances paid in the period; of a longer span the newest total holds."""
    t = _joined(county.rows("claims"), [base.select(*KEY, "period_from", "period_to")])
    whose = ["own_id"] if "own_id" in t.columns else []  # each parent of a merge has totals of its own
    newest = ibis.row_number().over(
        group_by=[*KEY, *whose, "month_from", "month_to"], order_by=[t.known_on.desc(), t.amount.asc()]
    )
    t = t.mutate(_newest=newest)
    t = t.filter((t._newest == 0) | (t.month_from == t.month_to))
    inside = ((t.month_from >= t.period_from) & (t.month_to <= t.period_to)).fill_null(False)
    apart = ((t.month_to < t.period_from) | (t.month_from > t.period_to)).fill_null(False)
    read = inside & t.amount.notnull()
    t = t.mutate(paid=ibis.ifelse(read, t.amount, 0), unclear=~read & ~apart)
    return t.group_by(KEY).agg(claims=t.paid.sum().cast("float64"), claims_unclear=t.unclear.any())


def _reference_income(county: Shape, t: ir.Table) -> ir.Table:
    """Add the figure that inclusion is looked at by, beside net income; null without claims."""
    if not county.has("claims"):
        nothing = dict.fromkeys(("claims", "reference_income", "reference_income_pc"), ibis.null("float64"))
        return t.mutate(**nothing)
    unclear = t.claims_unclear.fill_null(False)
    t = t.mutate(claims=ibis.ifelse(unclear, ibis.null("float64"), t.claims.fill_null(0)))
    t = t.mutate(reference_income=t.net_income + t.claims - t.spending_medical)
    t = t.mutate(reference_income_pc=t.reference_income / t.persons.nullif(0))
    return t.drop("claims_unclear")


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
    newest = _newest_first(t)
    strictest = newest
    if county.has("household_links"):
        t = _with_strictness(t)
        newest = _newest_first(t)
        strictest = [t._strict.desc(), *newest]
    ranked = t.mutate(
        _last=ibis.row_number().over(group_by=list(KEY), order_by=strictest),
        _named=ibis.row_number().over(group_by=[*KEY, t.causes.notnull()], order_by=newest),
    )
    last = ranked._last == 0
    return ranked.group_by(KEY).agg(
        register_event=ranked.event.max(where=last),
        register_date=ranked.date.max(where=last),
        register_category=ranked.category.max(where=last),
        register_causes=ranked.causes.max(where=last),
        register_month_only=(ranked.date_precision == "month").fill_null(False).any(where=last),
        register_way=ranked.way.max(where=last),
        named_causes=ranked.causes.max(where=(ranked._named == 0) & ranked.causes.notnull()),
    )


def _newest_first(t: ir.Table) -> list[ir.Value]:
    order = list(codes("monitoring", "event"))
    rank = ibis.cases(*[(t.event == c, i) for i, c in enumerate(order)], else_=len(order))
    return [t.date.desc(), t.known_on.desc(), rank.desc(), t.causes.asc()]


def _with_strictness(t: ir.Table) -> ir.Table:
    """Rank register rows of merged households: the latest of each, but of those that another one replaced.

    In the register goes before eliminated, that before never entered or removed; a row since a merge replaces
    those of the parents.
    """
    key = [*KEY, "strand"]
    later = t.select(*KEY, later="strand", first="strand_first").distinct()
    mine = t.select(*key).distinct()
    replaced = mine.inner_join(later, [*KEY, mine.strand >= later.first, mine.strand < later.later])
    replaced = replaced.select(*key).distinct().mutate(replaced=True)
    t = t.left_join(replaced, key).drop(*(f"{c}_right" for c in key))
    latest = ibis.row_number().over(group_by=key, order_by=_newest_first(t)) == 0
    state = ibis.cases((t.event.isin(WATCHED_EVENTS), 2), (t.event == "eliminated", 1), else_=0)
    return t.mutate(_strict=ibis.ifelse(latest & t.replaced.isnull(), state, -1))


def _quantities(county: Shape, t: ir.Table) -> ir.Table:
    t = _per_head(_persons_or_none(_absent_is_null_else_none(county, t)))
    t = _reference_income(county, t)
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
        pcni_low=t.net_low / t.persons.nullif(0),
        pcni_high=t.net_high / t.persons.nullif(0),
        income_reason=_income_reason(t),
        doubts=ibis.ifelse(t.persons == 0, _with_word("no_persons", t.doubts), t.doubts),
        changed_since=(t.lag_months > 0).fill_null(False)
        & (t.risk_since.fill_null(False) | t.members_changed.fill_null(False)),
        main_cause=ibis.coalesce(t.named_causes.split(";")[0].strip().nullif(""), t.latest_open_cause),
        in_register=t.register_event.isin(WATCHED_EVENTS).fill_null(False)
        if county.has("monitoring")
        else ibis.null("boolean"),
        vanished_naturally=(t.register_way == "natural").fill_null(False)
        if county.has("monitoring")
        else ibis.null("boolean"),
    )
    t = t.mutate(has_risk=_has_risk(county, t))
    inner = ["named_causes", "records_reason", "net_low", "net_high", "risk_since", "members_changed"]
    inner.append("register_way")
    inner += [f"{p}{c}" for p in PREFIXES for c in ("persons_on", "persons_unknown")]
    return t.drop(*(c for c in inner if c in t.columns))


def _with_word(word: str, others: ir.StringValue) -> ir.StringValue:
    return ibis.ifelse(others == "", word, ibis.literal(f"{word};") + others)


def _absent_is_null_else_none(county: Shape, t: ir.Table) -> ir.Table:
    """Where a table of states or events exists, no row means none; where it is absent, null stays."""
    zero: dict[str, ir.Value] = {c: t[c].fill_null(0) for c in ("labour", "labour_unknown")}
    zero |= {c: t[c].fill_null(False) for c in ("gap_schooling", "gap_medical")}
    for state in ("housing", "water"):
        zero[f"gap_{state}"] = (~t[f"{state}_safe"]).fill_null(False)
    if county.has("risk_events"):
        zero |= {c: t[c].fill_null(False) for c in t.columns if c.startswith("cause_")}
    return t.mutate(**zero)


def _has_risk(county: Shape, t: ir.Table) -> ir.Value:
    known = t.gap_housing | t.gap_water | t.gap_schooling | t.gap_medical
    for c in codes("risk_events", "cause"):
        known = known | t[f"cause_{c}"].fill_null(False)
    nothing = ibis.literal(False) if county.has("risk_events") else ibis.null("boolean")
    return ibis.ifelse(known, True, nothing)
