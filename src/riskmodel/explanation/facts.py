"""Facts of a household's records at a day: what is told of it before anything that a model says.

`find_facts` returns them as a table, one row a fact, of rows known at as-of alone; no score, feature or model
enters. `riskmodel.explanation.fact_words` says them, and what they ask and offer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field

from riskmodel import rules
from riskmodel.data import Shape, codes, fetch_frame, month_text
from riskmodel.explanation import card
from riskmodel.explanation.wording import Unit
from riskmodel.households import PRESENT_MEMBERS, RIGID_CATEGORIES, KnownCounty
from riskmodel.i18n import Words
from riskmodel.io import Spec, load_spec
from riskmodel.register import find_empty_households
from riskmodel.rules import RuleSet

KINDS = ("nobody", "event", "warning", "gap", "rigid", "cost", "income", "reference", "drop", "register",
         "member", "figure", "unrecorded", *card.KINDS)  # fmt: skip
COLUMNS = ("household_id", "kind", "code", "date", "month_only", "amount", "compared", "ratio", "against",
           "count", "detail", "until", "period_from", "period_to", "yearly")  # fmt: skip
AGAINST = ("previous", "same")  # whose net income a cost is compared with
GAPS = ("housing", "water", "schooling", "medical")
YEAR_MONTHS = 12
# Quantities that a fact of its own tells; a condition that looks at others has these told as figures.
_TOLD = {
    "pcni", "line", "net_income", "previous_pcni", "previous_net_income", "income_drop", "rigid",
    "rigid_ratio", "reference_income_pc", "has_risk", "in_register", "registration",
    *(f"gap_{g}" for g in GAPS), *(f"spending_{c}" for c in RIGID_CATEGORIES),
}  # fmt: skip
_READ = (
    "household_id", "persons", "net_income", "previous_net_income", "pcni", "previous_pcni", "income_drop",
    "reference_income_pc", "rigid", "rigid_ratio", "income_reason", "period_from", "period_to",
    "labour_unknown", "in_register", "register_event", "register_date", "register_category",
    "register_causes", "register_month_only", *(f"gap_{g}" for g in GAPS),
    *(f"spending_{c}" for c in RIGID_CATEGORIES),
)  # fmt: skip


class Limits(Spec):
    """From when on a figure is a fact worth printing, and which income is no divisor."""

    cost_yuan: float = Field(ge=0)
    cost_share: float = Field(ge=0)
    drop_share: float = Field(ge=0, le=1)
    least_income: float = Field(ge=0)
    most_times: float = Field(gt=1)


class FactWording(Spec):
    """The whole declaration, see ``facts.yaml``."""

    version: int
    limits: Limits
    leads_to: dict[str, dict[str, str] | Literal["own"]]
    told_with: dict[str, str]
    units: dict[str, Unit]
    words: dict[str, Words]
    card: dict[str, Words]
    ask: dict[str, Words]


@cache
def fact_wording() -> FactWording:
    """Return the packaged declaration of facts."""
    return load_spec(Path(__file__).with_name("facts.yaml"), FactWording)


def recorded_causes(known: KnownCounty) -> pd.DataFrame:
    """Return of which official causes each household has a risk event or a register row on record.

    Parameters
    ----------
    known
        The county as known at one day.

    Returns
    -------
    DataFrame
        ``household_id, cause``, each pair once; whatever day the event is of, up to as-of.
    """
    events = fetch_frame(known, _event_causes)
    register = fetch_frame(known, _register_causes)
    register = register.assign(cause=register["causes"].str.split(";")).explode("cause")
    register["cause"] = register["cause"].str.strip()
    both = pd.concat([events, register[["household_id", "cause"]]], ignore_index=True)
    return both[both["cause"].isin(list(codes("risk_events", "cause")))].drop_duplicates(ignore_index=True)


def _event_causes(county: Shape) -> ir.Table:
    t = county.rows("risk_events")
    return t.filter(t.date <= t.as_of).select("household_id", "cause").distinct()


def _register_causes(county: Shape) -> ir.Table:
    t = county.rows("monitoring")
    t = t.filter((t.date <= t.as_of) & t.causes.notnull())
    return t.select("household_id", "causes").distinct()


def find_facts(
    known: KnownCounty,
    households: pd.DataFrame,
    ruleset: RuleSet,
    params: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return the facts on record of some households, as known at a day.

    Parameters
    ----------
    known
        The county as known at one day.
    households
        ``household_id, line`` (yuan per head) and ``conditions`` or ``rule_conditions`` (ids that hold,
        joined with ``;``), as verdicts and scores have them.
    ruleset, params
        Of these verdicts: whose accounting period holds, and what its conditions look at.

    Returns
    -------
    DataFrame
        One row a fact, those of a household together and in the order in which they are told: `COLUMNS`.
        ``kind`` is one of `KINDS`; ``code`` a cause, gap, category of spending or what the kind says;
        amounts in yuan; ``ratio`` of a cost over the net income that ``against`` names, NaN where that is no
        divisor (``against``: ``low``, ``loss`` or ``unknown`` after the name); ``period_from, period_to``
        (``YYYY-MM``) the span of a sum. NaN where not on record: a missing amount is no fact.
    """
    place = pd.Series(np.arange(len(households)), index=households["household_id"].astype(str).to_numpy())
    ids = pa.table({"household_id": pa.array(place.index.tolist(), pa.string())})
    period = ruleset.period(ruleset.values(params))
    base = fetch_frame(known, _quantities, _figures_of(ruleset), ids=ids, accounts=known.accounts(period))
    of_rules = _of_rules(households, place)
    base = base.merge(of_rules, on="household_id", how="left", validate="1:1")
    base = base.assign(**_spans(base))
    limits = fact_wording().limits
    nobody = _nobody(base, known)
    parts = [
        nobody,
        _events(fetch_frame(known, _recent_events, ids=ids)),
        *([_warnings(fetch_frame(known, _recent_warnings, ids=ids))] if known.has("warnings") else []),
        *_gaps(base, fetch_frame(known, _members, ids=ids)),
        *_costs(base, limits, ruleset),
        *_incomes(base, limits),
        _register(base),
        *_condition_figures(base, ruleset),
        *_unrecorded(base[~base["household_id"].isin(nobody["household_id"])], known),
        *card.card_rows(known, ids),
    ]
    out = pd.concat([p.reindex(columns=list(COLUMNS)) for p in parts if len(p)] or [_nothing()])
    out["household_id"] = out["household_id"].astype(str)
    kind = out["kind"].map({k: i for i, k in enumerate(KINDS)})
    day = -pd.to_datetime(out["date"]).astype("int64")  # the latest first; no date last of all
    order = pd.DataFrame({"place": out["household_id"].map(place), "kind": kind, "day": day,
                          "amount": -out["amount"].fillna(0.0), "code": out["code"]})  # fmt: skip
    at = order.reset_index(drop=True).sort_values(list(order.columns), kind="stable").index
    return _typed(out.reset_index(drop=True).loc[at].reset_index(drop=True))


def find_listed_facts(
    known: KnownCounty,
    scores: pd.DataFrame,
    params: Mapping[str, Any] | None = None,
    ruleset: RuleSet | None = None,
) -> pd.DataFrame:
    """Return `find_facts` by the rule set of scores.

    Parameters
    ----------
    known
        The county as known at the day of the scores.
    scores
        ``household_id, ruleset, line, rule_conditions``.
    params
        With which the rule set judged them.
    ruleset
        That judged them; by default the packaged one that they name.

    Returns
    -------
    DataFrame
        Empty where none is given and the scores name no packaged rule set, or several.
    """
    if ruleset is not None:
        return find_facts(known, scores, ruleset, params)
    names = set(scores["ruleset"].dropna()) if "ruleset" in scores else set()
    if len(names) != 1 or not names <= set(rules.available_rule_sets()):
        return _nothing()
    return find_facts(known, scores, rules.load_rules(names.pop()), params)


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS))


def _typed(facts: pd.DataFrame) -> pd.DataFrame:
    for column in ("date", "until"):
        facts[column] = pd.to_datetime(facts[column])
    for column in ("amount", "compared", "ratio", "count"):
        facts[column] = facts[column].astype(float)
    for column in ("month_only", "yearly"):
        facts[column] = facts[column].eq(True)
    for column in ("code", "against", "detail", "period_from", "period_to"):
        facts[column] = facts[column].astype(object).where(facts[column].notna(), "")
    return facts


def _of_rules(households: pd.DataFrame, place: pd.Series) -> pd.DataFrame:
    """Return the line and the conditions that hold of each household."""
    column = next((c for c in ("conditions", "rule_conditions") if c in households), None)
    held = pd.Series("", index=households.index) if column is None else households[column].fillna("")
    line = pd.to_numeric(households["line"]) if "line" in households else np.nan
    return pd.DataFrame({"household_id": place.index, "line": np.asarray(line, dtype=float)
                         * np.ones(len(households)), "held": held.astype(str).to_numpy()})  # fmt: skip


def _spans(base: pd.DataFrame) -> dict[str, Any]:
    """Return the accounting period of each household in words, and whether it is a year."""
    known = base["period_from"].notna() & base["period_to"].notna()
    months = {c: base[c].where(known, 0).astype(int) for c in ("period_from", "period_to")}
    words = {c: [month_text(m) if k else None for m, k in zip(months[c], known, strict=True)] for c in months}
    return {**words, "yearly": known & (months["period_to"] - months["period_from"] + 1 == YEAR_MONTHS)}


def _quantities(county: Shape, figures: Sequence[str], ids: ir.Table, accounts: ir.Table) -> ir.Table:
    columns = [c for c in dict.fromkeys((*_READ, *figures)) if c in accounts.columns]
    return accounts.semi_join(ids, "household_id").select(*columns)


def _recent_events(county: Shape, ids: ir.Table) -> ir.Table:
    t = county.rows("risk_events")
    t = t.filter((t.date <= t.as_of) & (t.date > t.ago_12)).semi_join(ids, "household_id")
    return t.select("household_id", "cause", "date", "loss", "channel")


def _recent_warnings(county: Shape, ids: ir.Table) -> ir.Table:
    t = county.rows("warnings")
    t = t.mutate(checked=ibis.ifelse(t.checked_on <= t.as_of, t.checked_on, ibis.null("date")))
    recent = (t.pushed_on <= t.as_of) & ((t.pushed_on > t.ago_12) | t.checked.isnull())
    return t.filter(recent).semi_join(ids, "household_id").select(
        "household_id", "department", "pushed_on", "checked"
    )  # fmt: skip


def _members(county: Shape, ids: ir.Table) -> ir.Table:
    t = county.rows(PRESENT_MEMBERS).semi_join(ids, "household_id")
    severe = t.disability_grade.isin([1, 2]).fill_null(False)
    out_of_school = t.age.between(6, 15) & (t.schooling == "dropped_out").fill_null(False) & ~severe
    counts = {
        "schooling": out_of_school,
        "medical": (~t.insured).fill_null(False),
        "major_illness": (t.health == "major_illness").fill_null(False),
        "severe_disability": severe,
    }
    return t.group_by("household_id").agg(**{c: v.cast("int32").sum() for c, v in counts.items()})


def _nobody(base: pd.DataFrame, known: KnownCounty) -> pd.DataFrame:
    """Return households of whom nobody is present: gone, or to be cleared up (``detail``: why)."""
    if not base["persons"].fillna(0).eq(0).any():
        return _nothing()
    empty = find_empty_households(known)
    named = {"state": "code", "why": "detail", "left_on": "date", "reasons": "against"}
    rows = empty[empty["household_id"].isin(base["household_id"])].rename(columns=named)
    return rows.assign(kind="nobody")


def _events(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.drop_duplicates()
    return rows.rename(columns={"cause": "code", "loss": "amount", "channel": "detail"}).assign(kind="event")


def _warnings(rows: pd.DataFrame) -> pd.DataFrame:
    named = {"pushed_on": "date", "department": "detail", "checked": "until"}
    return rows.drop_duplicates().rename(columns=named).assign(kind="warning", code="warning")


def _gaps(base: pd.DataFrame, members: pd.DataFrame) -> list[pd.DataFrame]:
    """Return what is missing of the three guarantees and water, and members of whom there is need to know."""
    counted = base[["household_id"]].merge(members, on="household_id", how="left")
    out = []
    for gap in GAPS:
        here = base[f"gap_{gap}"].eq(True)
        frame = base.loc[here, ["household_id"]].assign(kind="gap", code=gap)
        out.append(frame.assign(count=counted.loc[here, gap]) if gap in counted else frame)
    for code in ("major_illness", "severe_disability"):
        some = counted[counted[code] > 0]
        out.append(some[["household_id"]].assign(kind="member", code=code, count=some[code]))
    return out


def _costs(base: pd.DataFrame, limits: Limits, ruleset: RuleSet) -> list[pd.DataFrame]:
    """Return the rigid costs of the period that are facts, compared with the household's net income."""
    looks_at = rules.condition_quantities(ruleset)
    holds = _holds(base, [c for c, used in looks_at.items() if {"rigid", "rigid_ratio"} & set(used)])
    income, against = _divisor(base, limits)
    span = base[["household_id", "period_from", "period_to", "yearly"]]
    largest = base[[f"spending_{c}" for c in RIGID_CATEGORIES]].astype(float).max(axis=1)
    out = []
    for category in (*RIGID_CATEGORIES, "rigid"):
        total = category == "rigid"
        amount = base["rigid" if total else f"spending_{category}"].astype(float)
        with np.errstate(invalid="ignore"):
            large = (amount >= limits.cost_yuan) | (amount >= limits.cost_share * income)
            # The sum is told beside its parts, where it has several.
            here = (amount > largest) & holds if total else (amount > 0) & (holds | large)
        frame = span.assign(
            kind="rigid" if total else "cost", code=category, amount=amount, compared=income,
            ratio=amount / income.where(~against.str.contains(":")), against=against,
        )  # fmt: skip
        out.append(frame[here.fillna(False)])
    return out


def _divisor(base: pd.DataFrame, limits: Limits) -> tuple[pd.Series, pd.Series]:
    """Return the net income that costs are compared with, and whose it is (``name:why`` where it is none)."""
    previous, same = base["previous_net_income"].astype(float), base["net_income"].astype(float)
    income = previous.where(previous.notna(), same)
    against = pd.Series(np.where(previous.notna(), *AGAINST), index=base.index).astype(object)
    line = base["line"].where(np.isfinite(base["line"]), 0.0)
    least = limits.least_income * line * base["persons"].astype(float)
    why = np.select(
        [income.isna(), income <= 0, income < least.fillna(0.0)], [":unknown", ":loss", ":low"], ""
    )
    return income, against + why


def _holds(base: pd.DataFrame, conditions: Iterable[str]) -> pd.Series:
    """Return for whom any of some conditions holds."""
    held = ";" + base["held"].fillna("") + ";"
    out = pd.Series(False, index=base.index)
    for name in conditions:
        out |= held.str.contains(f";{name};", regex=False)
    return out


def _incomes(base: pd.DataFrame, limits: Limits) -> list[pd.DataFrame]:
    """Return net income per head against the line, the reference income, and a fall since before."""
    span = base[["household_id", "period_from", "period_to", "yearly"]]
    pcni, line = base["pcni"].astype(float), base["line"]
    with np.errstate(invalid="ignore"):
        code = np.select([pcni < line, pcni >= line], ["below", "not_below"], "")
    income = span.assign(kind="income", code=code, amount=pcni, compared=line)[pcni.notna()]
    reference = base["reference_income_pc"].astype(float)
    also = span.assign(kind="reference", code="reference", amount=reference)[reference.notna()]
    before, drop = base["previous_pcni"].astype(float), base["income_drop"].astype(float)
    least = limits.least_income * line.where(np.isfinite(line), 0.0)
    fell = (drop >= limits.drop_share) & (before >= least)
    fall = span.assign(kind="drop", code="drop", amount=pcni, compared=before, ratio=drop)[fell]
    return [income, also, fall]


def _register(base: pd.DataFrame) -> pd.DataFrame:
    """Return the latest register row of each household; the causes stand in ``against``."""
    rows = base[base["register_event"].notna()] if "register_event" in base else base[:0]
    return pd.DataFrame(
        {
            "household_id": rows["household_id"],
            "kind": "register",
            "code": rows["register_event"],
            "date": rows["register_date"],
            "month_only": rows["register_month_only"],
            "detail": rows["register_category"],
            "against": rows["register_causes"],
            "count": rows["in_register"].eq(True).astype(float),
        }
    )


def _figures_of(ruleset: RuleSet) -> tuple[str, ...]:
    """Return the quantities that conditions look at and no other fact tells."""
    used = dict.fromkeys(q for own in rules.condition_quantities(ruleset).values() for q in own)
    return tuple(q for q in used if q not in _TOLD and not q.startswith("cause_"))


def _condition_figures(base: pd.DataFrame, ruleset: RuleSet) -> list[pd.DataFrame]:
    """Return the figures behind conditions that hold, where no other fact tells them."""
    out = []
    looks_at = rules.condition_quantities(ruleset)
    for figure in _figures_of(ruleset):
        if figure not in base:
            continue
        value = pd.to_numeric(base[figure], errors="coerce")
        here = _holds(base, [c for c, used in looks_at.items() if figure in used]) & value.notna()
        rows = base.loc[here, ["household_id", "period_from", "period_to", "yearly"]]
        out.append(rows.assign(kind="figure", code=figure, amount=value[here].astype(float)))
    return out


def _unrecorded(base: pd.DataFrame, known: KnownCounty) -> list[pd.DataFrame]:
    """Return what is not on record and would have to be known to judge."""
    nobody = base["income_reason"].notna() | base["pcni"].isna()
    ids = base[["household_id"]]
    out = [ids.assign(kind="unrecorded", code="income", detail=base["income_reason"])[nobody]]
    unknown = base["labour_unknown"] > 0
    out.append(ids.assign(kind="unrecorded", code="members", count=base["labour_unknown"])[unknown])
    out += [ids.assign(kind="unrecorded", code=t) for t in ("risk_events", "spending") if not known.has(t)]
    return out
