"""A slow, row-by-row reading of the official rules, to compare the engine with.

Written from the text of the rules only: plain Python over lists of dicts, sharing no code with the
engine, the accounting or the as-of cut. What is on record, and the sums of a period, are those of the naive
reading of the contract (`tests.households.contract_reading`). ``None`` is unknown; ``and3``/``or3``/``not3``
follow it.
"""

from __future__ import annotations

import calendar
import copy
import datetime as dt
import math
from functools import cached_property
from typing import Any

from ..households.contract_reading import Account, reading
from ..households.contract_reading_accounts import Accounts, Sums
from ..households.contract_reading_coverage import Coverage
from ..households.contract_reading_identity import Identity
from ..households.contract_reading_rows import Known

CAUSES = [
    "illness", "disability", "schooling", "disaster", "accident", "industry_failure",
    "unstable_employment", "labour_shortage", "housing", "water", "epidemic", "other",
]  # fmt: skip
RIGID = ("medical", "education", "housing", "disaster", "accident")
NEGATIVE = ["public_employee", "car", "company", "commercial_housing", "shop"]
EVENT_ORDER = ["identified", "eliminated", "rolled_back", "re_marked", "removed", "label_withdrawn"]
KEYS = {"households": ("household_id", "valid_from"), "members": ("member_id", "valid_from"),
        "assets": ("household_id", "kind", "valid_from")}  # fmt: skip

Row = dict[str, Any]
Tables = dict[str, list[Row]]


# ------------------------------------------------------------------ dates
def month_number(text: str) -> int:
    year, month = text.split("-")
    return int(year) * 12 + int(month) - 1


def month_name(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def end_of_month(number: int) -> dt.date:
    year, month = number // 12, number % 12 + 1
    return dt.date(year, month, calendar.monthrange(year, month)[1])


def months_before(day: dt.date, months: int) -> dt.date:
    number = day.year * 12 + day.month - 1 - months
    year, month = number // 12, number % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


# ------------------------------------------------------------------ three values
def and3(*values: bool | None) -> bool | None:
    if any(v is False for v in values):
        return False
    return None if any(v is None for v in values) else True


def or3(*values: bool | None) -> bool | None:
    if any(v is True for v in values):
        return True
    return None if any(v is None for v in values) else False


def not3(value: bool | None) -> bool | None:
    return None if value is None else not value


def compare(left: Any, sign: str, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    a, b = round(float(left), 9), round(float(right), 9)
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]


# ------------------------------------------------------------------ what was known
class Office:
    """What an office knew at a day, corrections resolved."""

    def __init__(self, tables: Tables, as_of: dt.date, about: dict[str, Any]):
        self.tables, self.as_of, self.about = tables, as_of, about
        self.snapshot_on, self.lag = about.get("snapshot_on"), about.get("entry_lag_months", 3)
        self.rows = {name: self._holding(name) for name in tables}

    @cached_property
    def accounts(self) -> dict[str, Account]:
        return reading(self.tables, self.about, self.as_of)

    @cached_property
    def sums(self) -> Accounts:
        known = Known(self.tables, self.about, self.as_of)
        return Accounts(Coverage(known, Identity(known, self.as_of), self.as_of))

    def calendar_year(self, household: str) -> tuple[str | None, list[Sums]]:
        """Basis and sums of the year before as-of and the two before it; no sums: no such period."""
        unit, last = self.sums.coverage.identity.unit(household), self.as_of.year * 12 - 1
        if not self.sums.has_totals(unit):
            basis = "months"
        elif self.sums.is_covered(unit, last - 11, last):
            basis = "total"
        else:
            whole = all(
                set(range(last - 11, last + 1)) <= self.sums.coverage.by_rules(unit, table)
                for table in self.sums.tables
            )
            if not whole or self.sums.own_basis(unit, last - 11, last) == "total":
                return None, []
            basis = "months"
        out = []
        for back in range(3):
            a, b = last - 11 - 12 * back, last - 12 * back
            own = basis if not back or basis == "total" else self.sums.own_basis(unit, a, b)
            out.append(self.sums.sums(unit, a, b, own))
        return basis, out

    def has(self, name: str) -> bool:
        return name in self.tables

    def span(self, row: Row) -> tuple[int, int]:
        if row.get("month"):
            return month_number(row["month"]), month_number(row["month"])
        return month_number(row["month_from"]), month_number(row["month_to"])

    def known_on(self, name: str, row: Row) -> dt.date:
        if row.get("recorded_on"):
            return row["recorded_on"]
        if name in ("income", "spending"):
            first, last = self.span(row)
            return end_of_month(last + (self.lag if last > first else 0))
        own = row.get("date") if "date" in row else row.get("valid_from")
        return own or self.snapshot_on or dt.date.max

    def _holding(self, name: str) -> list[Row]:
        seen = [r for r in self.tables[name] if self.known_on(name, r) <= self.as_of]
        latest: dict[Any, Row] = {}
        free = []
        for row in seen:
            if name in KEYS:
                key = tuple(row.get(k) for k in KEYS[name])
            elif row.get("row_id"):
                key = row["row_id"]
            else:
                free.append(row)
                continue
            if key not in latest or self.known_on(name, row) > self.known_on(name, latest[key]):
                latest[key] = row
        return free + list(latest.values())

    def of(self, name: str, household: str) -> list[Row]:
        return [r for r in self.rows.get(name, []) if r["household_id"] == household]


def holds_on(row: Row, day: dt.date) -> bool:
    begun = row.get("valid_from") is None or row["valid_from"] <= day
    return begun and (row.get("valid_to") is None or day < row["valid_to"])


def newest(rows: list[Row]) -> Row | None:
    return max(rows, key=lambda r: r.get("valid_from") or dt.date.min) if rows else None


# ------------------------------------------------------------------ quantities of one household
class Facts:
    """All quantities of one household at one as-of; attributes are None where unknown."""

    def __init__(self, office: Office, household: str, calendar_year: bool):
        self.office, self.id, self.calendar_year = office, household, calendar_year
        self.as_of = office.as_of
        self.state = newest([r for r in office.of("households", household) if holds_on(r, self.as_of)])
        if self.state is None:
            return
        self.registration = self.state["registration"]
        self.account = office.accounts[household]
        self._members()
        self._period()
        self._money()
        self._causes()
        self._register()

    # -- people
    def present(self, day: dt.date) -> list[Row]:
        rows = [r for r in self.office.of("members", self.id) if holds_on(r, day)]
        people = {r["member_id"] for r in rows}
        return [newest([r for r in rows if r["member_id"] == p]) for p in sorted(people)]  # type: ignore[misc]

    def age(self, member: Row) -> int:
        return (self.as_of.year * 12 + self.as_of.month - 1 - month_number(member["birth_month"])) // 12

    def _members(self) -> None:
        self.people = self.present(self.as_of)
        capacities = [m.get("work_capacity") for m in self.people]
        self.labour = sum(c in ("full", "partial") for c in capacities)
        unclear = any(c is None for c in capacities)
        self.nobody_works = False if self.labour else (None if unclear else True)

    # -- the period, what it adds up to, and what was not on record
    def _period(self) -> None:
        account = self.account
        self.lag, self.doubts = account.lag_months, account.doubts
        self.start, self.end, self.basis = account.period_from, account.period_to, account.income_basis
        nets = [account.net_income, account.previous_net_income, account.before_previous_net_income]
        self.spending, self.income_of = dict(account.spending), dict(account.income)
        self.persons = account.persons
        heads = [self.persons, account.previous_persons, account.before_previous_persons]
        if self.calendar_year:
            year = self.as_of.year - 1
            basis, sums = self.office.calendar_year(self.id)
            self.basis, self.lag = basis, 0 if basis else None
            # Where totals neither cover the year nor leave its months alone, there is no period.
            self.start, self.end = (f"{year}-01", f"{year}-12") if basis else (None, None)
            nets = [x.net for x in sums] or [None] * 3
            self.income_of = sums[0].income if sums else dict.fromkeys(self.income_of)
            self.spending = sums[0].spending if sums else dict.fromkeys(self.spending)
            heads = [len(self.present(months_before(self.as_of, 12 * back))) for back in range(3)]
            self.persons = heads[0]
        self.nets = [None if x is None else float(x) for x in nets]
        self.heads = heads
        self.bounds = [None if x is None else float(x) for x in (account.pcni_low, account.pcni_high)]
        self.changed_since = bool(self.lag) and account.event_after_period and not self.calendar_year

    def spent(self, *categories: str) -> float | None:
        amounts = [self.spending[category] for category in categories]
        return None if None in amounts else float(sum(amounts))

    def _money(self) -> None:
        self.net_income, self.previous_net = self.nets[:2]
        self.pcni, self.previous_pcni, self.before_pcni = (
            n / h if n is not None and h else None for n, h in zip(self.nets, self.heads, strict=True)
        )
        self.income_drop = None
        if self.pcni is not None and self.previous_pcni is not None and self.previous_pcni > 0:
            self.income_drop = 1 - self.pcni / self.previous_pcni
        self.rigid = self.spent(*RIGID)
        self.rigid_ratio = self._rigid_ratio()
        self.income_of = {s: None if x is None else float(x) for s, x in self.income_of.items()}
        monthly = self.basis == "months" and None not in self.income_of.values()
        self.wage_months = self._paid_months("wage") if monthly else None
        self.earning_months = self._paid_months("wage", "transfer") if monthly else None

    @property
    def low(self) -> float | None:
        # A calendar year does not lag.
        return self.pcni if self.calendar_year else self.bounds[0]

    @property
    def high(self) -> float | None:
        return self.pcni if self.calendar_year else self.bounds[1]

    def _paid_months(self, *sources: str) -> int:
        first, last = month_number(self.start), month_number(self.end)  # type: ignore[arg-type]
        spans = [self.office.span(r) for r in self.office.of("income", self.id)
                 if r["source"] in sources and float(r["amount"]) > 0]  # fmt: skip
        return len({a for a, b in spans if a == b and first <= a <= last})

    @property
    def costs(self) -> float | None:
        """Production spending that the sums subtract."""
        return self.spent("production")

    def at_bound(self, pcni: float) -> Facts:
        """The same household with another income of the last completed months."""
        other = copy.copy(self)
        other.nets = [pcni * self.persons, *self.nets[1:]]  # type: ignore[operator]
        other._money()
        return other

    @property
    def wanting(self) -> bool:
        """Records are late or in doubt: nobody is let go on them."""
        return self.lag != 0 or bool(self.doubts)

    def _rigid_ratio(self) -> float | None:
        divisor = self.previous_net if self.previous_net is not None else self.net_income
        if self.rigid is None or divisor is None:
            return None
        if self.rigid == 0:
            return 0.0
        return math.inf if divisor <= 0 else self.rigid / divisor

    # -- risk
    def _causes(self) -> None:
        since = months_before(self.as_of, 12)
        self.events = [r for r in self.office.of("risk_events", self.id) if r["date"] <= self.as_of]
        self.open = [r for r in self.events if r["date"] > since]
        self.causes = {r["cause"] for r in self.open}
        self.gaps = set()
        if self.state["housing_safe"] is False:  # type: ignore[index]
            self.gaps.add("housing")
        if self.state["water_safe"] is False:  # type: ignore[index]
            self.gaps.add("water")
        for m in self.people:
            out = m.get("schooling") == "dropped_out" and 6 <= self.age(m) <= 15
            if out and m.get("disability_grade") not in (1, 2):
                self.gaps.add("schooling")
            if m.get("insured") is False:
                self.gaps.add("medical")
        if self.causes or self.gaps:
            self.has_risk: bool | None = True
        else:
            self.has_risk = False if self.office.has("risk_events") else None

    def hit_by(self, *causes: str) -> bool | None:
        if not self.office.has("risk_events"):
            return None
        return bool(self.causes & set(causes))

    def any_open(self) -> bool | None:
        return self.hit_by(*CAUSES)

    # -- register and support
    def _register(self) -> None:
        rows = [r for r in self.office.of("monitoring", self.id) if r["date"] <= self.as_of]
        rows.sort(
            key=lambda r: (r["date"], self.office.known_on("monitoring", r), EVENT_ORDER.index(r["event"]))
        )
        self.last = rows[-1] if rows else None
        there = self.office.has("monitoring")
        event = self.last["event"] if self.last else None
        self.in_register = event in ("identified", "rolled_back", "re_marked") if there else None
        self.eliminated = event == "eliminated" if there else None
        named = [r["causes"] for r in rows if r.get("causes")]
        if named:
            self.main_cause = named[-1].split(";")[0]
        elif self.open:
            self.main_cause = min(
                self.open, key=lambda r: (-r["date"].toordinal(), CAUSES.index(r["cause"]))
            )["cause"]
        else:
            self.main_cause = None
        self.support = [r for r in self.office.of("support", self.id) if r["date"] <= self.as_of]

    def ended(self, row: Row) -> bool:
        return row.get("end_date") is not None and row["end_date"] <= self.as_of

    def each_cause_supported(self) -> bool | None:
        causes = (self.last or {}).get("causes")
        if not causes:
            return None
        if not self.office.has("support"):
            return None
        return all(any(s.get("cause") == c for s in self.support) for c in causes.split(";"))

    def fallback(self, months: int = 12) -> bool | None:
        if not self.office.has("support"):
            return None
        since = months_before(self.as_of, months)
        return any(
            s["measure"] == "social_security" and s["date"] <= since and not self.ended(s)
            for s in self.support
        )

    def assets(self) -> list[str] | None:
        if not self.office.has("assets"):
            return None
        held = {a["kind"] for a in self.office.of("assets", self.id) if holds_on(a, self.as_of)}
        return [k for k in NEGATIVE if k in held]

    def some(self, test: Any) -> bool:
        return any(test(m) is True for m in self.people)


# ------------------------------------------------------------------ shared pieces of the sets
def plunged(f: Facts, share: float = 0.5) -> bool | None:
    return compare(f.income_drop, ">=", share)


def rigid_above(f: Facts, limit: float = 1.0) -> bool | None:
    return compare(f.rigid_ratio, ">", limit)


def main_worker_disabled(f: Facts) -> bool:
    return f.some(
        lambda m: (
            m.get("relation") in ("head", "spouse")
            and (m.get("disability_grade") or 0) >= 1
            and m.get("work_capacity") in ("partial", "none")
        )
    )


def no_stable_income(f: Facts) -> bool | None:
    return None if f.earning_months is None else compare(f.earning_months / 12, "<", 0.5)


def national_conditions(f: Facts, line: float, review: bool | None) -> dict[str, bool | None]:
    return {
        "below_line": compare(f.pcni, "<", line),
        "at_risk": f.has_risk,
        "sudden_cause": f.hit_by("illness", "disaster", "accident"),
        "rigid_too_large": rigid_above(f),
        "income_plunged": plunged(f),
        "verify": and3(bool(f.gaps), f.any_open()),
        "supported": and3(review, f.each_cause_supported()),
        "no_gap": and3(review, not f.gaps),
        "income_stable": and3(review, compare(f.pcni, ">", line), compare(f.previous_pcni, ">", line)),
        "rigid_settled": and3(review, compare(f.rigid_ratio, "<=", 1.0)),
        "no_labour": and3(review, f.nobody_works),
        "fallback_in_place": and3(review, f.fallback()),
    }


def national_category(f: Facts, c: dict[str, bool | None], line: float) -> str:
    poor = c["below_line"] is True and c["at_risk"] is True
    if poor and f.registration == "lifted":
        return "unstable_lifted"
    if poor and f.registration == "general":
        return "marginal"
    shock = c["rigid_too_large"] is True or c["income_plunged"] is True
    if compare(f.pcni, ">=", line) and c["sudden_cause"] is True and shock:
        return "sudden_hardship"
    return "none"


def national_outcome(f: Facts, c: dict[str, bool | None]) -> str:
    if f.in_register is not True:
        return ""
    if c["no_labour"] is True and c["fallback_in_place"] is not True:
        return "hold_no_labour"
    four = all(c[k] is True for k in ("supported", "no_gap", "income_stable", "rigid_settled"))
    able = c["no_labour"] is False or c["fallback_in_place"] is True
    return "eliminate" if four and able else "hold"


def national_focus(f: Facts) -> dict[str, bool | None]:
    grade = lambda m: m.get("disability_grade") or 0  # noqa: E731
    child = lambda m: f.age(m) < 16  # noqa: E731
    adult_here = f.some(lambda m: 18 <= f.age(m) < 60 and m.get("resident") is not False)
    distressed = f.some(
        lambda m: (
            child(m)
            and (grade(m) >= 1 or m.get("health") == "major_illness" or m.get("schooling") == "dropped_out")
        )
    )
    return {
        "severe_or_chronic_illness": f.some(lambda m: m.get("health") in ("chronic", "major_illness")),
        "severe_disability": f.some(lambda m: grade(m) in (1, 2)),
        "children_left_behind_or_distressed": distressed or (f.some(child) and not adult_here),
        "dispersed_tekun": f.state["tekun"] is True,
        "disabled_elderly": f.some(lambda m: f.age(m) >= 60 and grade(m) >= 1),
    }


Verdict = dict[str, Any]


# Conditions and flags that look at income or spending: a late period may find by them, never clear.
ON_MONEY = {
    "below_line", "rigid_too_large", "income_plunged", "income_stable", "rigid_settled",
    "warn_income_spending", "warn_production", "spending_surged", "near_provincial_mean", "costly_illness",
    "costly_studies", "disabled_without_steady_income", "within_line", "no_stable_income",
    "rigid_over_income", "large_costs", "below_yellow_line", "rigid_heavy", "income_decline",
    "unstable_again", "income_action", "income_low_or_down", "income_within_range", "irregular_wages",
    "hardship_by_event",
}  # fmt: skip


def never_clearing(f: Facts, values: dict[str, Any], applies: dict[str, Any]) -> dict[str, Any]:
    """What is not met in a period that ends before the latest news is unknown, where it applies at all."""
    if not f.changed_since:
        return values
    open_ones = {k for k in ON_MONEY & set(values) if applies.get(k, True) is not False}
    return {k: None if v is False and k in open_ones else v for k, v in values.items()}


def answer(
    f: Facts,
    line: float | None,
    conditions: dict[str, bool | None],
    meant: tuple[str, ...],
    category: Any,
    *,
    tier: Any = None,
    focus: dict[str, bool | None] | None = None,
    applies: dict[str, Any] | None = None,
    **more: Any,
) -> Verdict:
    conditions = never_clearing(f, conditions, applies or {})
    focus = never_clearing(f, focus or {}, {})
    if f.registration is None:
        kind, colour = "unknown", ""
    elif f.registration not in meant:
        kind, colour = "none", ""
    elif f.pcni is None:
        kind, colour = "unknown", ""
    else:
        kind, colour = category() or "none", (tier() or "") if tier else ""
    unknown = [k for k, v in {**conditions, **focus}.items() if v is None]
    if f.wanting and more.get("outcome") in ("eliminate", "verify_removal"):
        unknown.append("records_incomplete")
        more["outcome"] = "hold" if more["outcome"] == "eliminate" else more["outcome"]
    return {
        "persons": f.persons,
        "net_income": f.net_income,
        "pcni": f.pcni,
        "previous_pcni": f.previous_pcni,
        "income_drop": f.income_drop,
        "rigid": f.rigid,
        "rigid_ratio": f.rigid_ratio,
        "line": line,
        "gap": None if f.pcni is None or line is None else line - f.pcni,
        "has_risk": f.has_risk,
        "category": kind,
        "main_cause": f.main_cause,
        "conditions": ";".join(k for k, v in conditions.items() if v is True),
        "unknown": ";".join(unknown),
        "focus": ";".join(k for k, v in focus.items() if v is True),
        "tier": colour,
        "removed_by": "",
        "income_band": "",
        "income_plan": None,
        "visit_every_days": None,
        "outcome": "",
        "registration": f.registration,
        "income_basis": f.basis or "",
        "period_from": f.start or "",
        "period_to": f.end or "",
        "lag_months": f.lag,
        **more,
    }


ALL = ("lifted", "general", "not_lifted")
TWO = ("lifted", "general")


# ------------------------------------------------------------------ the twelve sets
def reviewed(review: bool | None) -> dict[str, bool | None]:
    """Whether the criteria of elimination speak of a household."""
    return {"income_stable": review, "rigid_settled": review}


def national_2021(f: Facts, _: Any) -> Verdict:
    c = national_conditions(f, 6000, f.in_register)
    return answer(f, 6000, c, ALL, lambda: national_category(f, c, 6000), focus=national_focus(f),
                  applies=reviewed(f.in_register), outcome=national_outcome(f, c))  # fmt: skip


def ratio_2020(f: Facts, _: Any) -> Verdict:
    line = 1.5 * 4000 if f.as_of.year >= 2020 else None
    shock = f.hit_by("illness", "disability", "disaster", "epidemic")
    below, rigid, drop = compare(f.pcni, "<", line), rigid_above(f), plunged(f)
    ages = [(f.age(m), m.get("schooling")) for m in f.people]
    at_school_age = [s for a, s in ages if 6 <= a <= 16]
    insured = [m.get("insured") for m in f.people]
    loss, parts = None, [f.income_of["business"], f.income_of["business_net"], f.costs]
    if None not in parts:
        loss = parts[0] + parts[1] - parts[2]  # type: ignore[operator]
    c = {
        "below_line": below,
        "shock_cause": shock,
        "rigid_too_large": rigid,
        "income_plunged": drop,
        "warn_income_spending": or3(drop, rigid),
        "warn_food_clothing": and3(
            f.persons > 0, f.nobody_works, not3(or3(f.state["dibao"], f.state["tekun"]))
        ),
        "warn_production": compare(loss, "<", 0),
        "warn_industry_project": f.hit_by("industry_failure"),
        "warn_schooling": True
        if "dropped_out" in at_school_age
        else (None if None in at_school_age else False),
        "warn_medical_cover": True if False in insured else (None if None in insured else False),
        "warn_water": not3(f.state["water_safe"]),
        "warn_housing": not3(f.state["housing_safe"]),
        "warn_disaster_accident": f.hit_by("disaster", "accident"),
        "warn_special_household": None,
    }
    found = below is True or (shock is True and (rigid is True or drop is True))
    names = {"lifted": "unstable_lifted", "general": "marginal"}
    return answer(f, line, c, TWO, lambda: names[f.registration] if found else "none")


def county_2020(f: Facts, _: Any) -> Verdict:
    c = {
        "below_line": compare(f.pcni, "<", 5000),
        "at_risk": f.has_risk,
        "income_plunged": plunged(f),
        "spending_surged": rigid_above(f),
    }
    poor = c["below_line"] is True and c["at_risk"] is True
    shock = c["income_plunged"] is True or c["spending_surged"] is True

    def category() -> str:
        if f.registration == "lifted":
            return "unstable_lifted" if poor or shock else "none"
        return "marginal" if poor else "none"

    return answer(f, 5000, c, TWO, category)


def anhui_2020(f: Facts, _: Any) -> Verdict:
    c = {
        "near_provincial_mean": compare(f.pcni, ">=", 0.95 * 16620),
        "below_line": compare(f.pcni, "<", 5000),
        "at_risk": f.has_risk,
    }
    poor = c["below_line"] is True and c["at_risk"] is True

    def category() -> str:
        if f.registration == "general":
            return "marginal" if poor else "none"
        if c["near_provincial_mean"]:
            return "no_policy"
        return "monitored" if poor else "with_policy"

    return answer(f, 5000, c, TWO, category)


def causes_2020(f: Facts, _: Any) -> Verdict:
    ill = or3(f.hit_by("illness"), f.some(lambda m: m.get("health") in ("chronic", "major_illness")))
    students = sum(m.get("schooling") == "college" for m in f.people)
    helped = None
    if f.office.has("support"):
        helped = any(s["measure"] == "education" and not f.ended(s) for s in f.support)
    disabled = main_worker_disabled(f)
    c = {
        "below_line": compare(f.pcni, "<", 5000),
        "by_epidemic": f.hit_by("epidemic"),
        "by_unstable_employment": f.hit_by("unstable_employment"),
        "by_illness": f.hit_by("illness"),
        "by_accident": f.hit_by("accident"),
        "by_disaster": f.hit_by("disaster"),
        "main_worker_disabled": disabled,
        "costly_illness": and3(ill, compare(f.spent("medical"), ">", 5000)),
        "costly_studies": and3(students >= 2, or3(not3(helped), compare(f.spent("education"), ">", 8000))),
        "sudden_event": f.hit_by("disaster", "accident", "epidemic"),
        "disabled_without_steady_income": and3(
            disabled, or3(f.hit_by("unstable_employment"), no_stable_income(f))
        ),
    }
    first = ("by_epidemic", "by_unstable_employment", "by_illness", "by_accident", "by_disaster",
             "main_worker_disabled")  # fmt: skip
    second = ("costly_illness", "costly_studies", "sudden_event", "disabled_without_steady_income")

    def category() -> str:
        if f.registration == "not_lifted":
            return "not_lifted"
        low = c["below_line"] is True
        if f.registration == "lifted":
            return "unstable_lifted" if low and any(c[k] is True for k in first) else "none"
        return "marginal" if low and any(c[k] is True for k in second) else "none"

    return answer(f, 5000, c, ALL, category)


def wuhu_2019(f: Facts, _: Any) -> Verdict:
    c = {
        "within_line": compare(f.pcni, "<=", 5200),
        "no_stable_income": no_stable_income(f),
        "rigid_over_income": compare(f.rigid, ">", f.net_income),
        "insured_illness": f.hit_by("illness"),
        "insured_disaster": f.hit_by("disaster"),
        "insured_schooling": f.hit_by("schooling"),
    }
    found = c["within_line"] is True or (c["no_stable_income"] is True and c["rigid_over_income"] is True)
    names = {"lifted": "non_high_standard_lifted", "general": "low_income_not_poor"}
    return answer(f, 5200, c, TWO, lambda: names[f.registration] if found else "none")


def classes_2020(f: Facts, _: Any) -> Verdict:
    costs = f.spent("medical", "education")
    if f.net_income is None:
        large = None
    elif compare(f.net_income, "<=", 0):
        large = True
    else:
        large = compare(None if costs is None else costs / f.net_income, ">", 0.3)
    c = {"large_costs": large, "below_line": compare(f.pcni, "<", 5000)}

    def category() -> str:
        if large is True:
            return "key"
        return "marginal_lifted" if c["below_line"] else "general_watch"

    return answer(f, 5000, c, ("lifted",), category)


def nancheng_2020(f: Facts, _: Any) -> Verdict:
    half = None if f.net_income is None else 0.5 * f.net_income
    c = {
        "below_line": compare(f.pcni, "<", 5000),
        "below_yellow_line": compare(f.pcni, "<", 7500),
        "at_risk": f.has_risk,
        "rigid_heavy": compare(f.rigid, ">", half),
    }

    def tier() -> str:
        if c["below_line"] and c["at_risk"]:
            return "red"
        return "yellow" if c["below_yellow_line"] and (c["at_risk"] or c["rigid_heavy"]) else "green"

    out = answer(f, 5000, c, ALL, lambda: "none", tier=tier)
    counts = f.registration in ("lifted", "not_lifted") or f.in_register is True
    counts = counts or (c["below_line"] is True and c["at_risk"] is True)
    out["flagged"] = out["tier"] in ("red", "yellow") and counts
    return out


def lueyang_kinds(f: Facts) -> dict[str, bool | None]:
    def fell(new: float | None, old: float | None) -> bool | None:
        if old is None or old <= 0:
            return None
        return compare(None if new is None else 1 - new / old, ">=", 0.1)

    twice = and3(
        compare(f.previous_pcni, ">", 0),
        compare(f.before_pcni, ">", 0),
        fell(f.pcni, f.previous_pcni),
        fell(f.previous_pcni, f.before_pcni),
    )
    marginal = and3(f.registration == "general", compare(f.pcni, "<", 6000), f.has_risk)
    severe = f.some(lambda m: m.get("health") == "major_illness" or m.get("disability_grade") in (1, 2))
    return {
        "income_decline": and3(
            or3(f.registration == "lifted", marginal), or3(twice, plunged(f), rigid_above(f))
        ),
        "family_misfortune": f.hit_by("accident", "disaster"),
        "illness_disability": and3(severe, f.hit_by("illness", "disability")),
        "industry_failure": and3(f.registration == "lifted", f.hit_by("industry_failure")),
    }


def lueyang_colour(f: Facts, c: dict[str, bool | None]) -> str:
    n = sum(v is True for v in c.values())
    if n >= 2 and compare(f.pcni, "<", 6000):
        return "red"
    if n and compare(f.pcni, "<", 9000):
        return "yellow"
    return "blue" if n else ""


def lueyang_2021(f: Facts, _: Any) -> Verdict:
    c = lueyang_kinds(f)
    return answer(f, 6000, c, ALL, lambda: "risk_household" if any(v is True for v in c.values()) else "none",
                  tier=lambda: lueyang_colour(f, c))  # fmt: skip


def cards_2023(f: Facts, probability: float | None) -> Verdict:
    kinds = lueyang_kinds(f)
    c = national_conditions(f, 6000, f.in_register)
    order = {"": 0, "blue": 0, "yellow": 1, "red": 2}

    def tier() -> str:
        if f.in_register is not True:
            return ""
        level = order[lueyang_colour(f, kinds)]
        if probability is not None:
            level = max(level, 2 if probability >= 0.3 else 1 if probability >= 0.1 else 0)
        return ("blue", "yellow", "red")[level]

    shown = {**kinds, **c, "probability": compare(probability, ">=", 0.1)}
    out = answer(
        f, 6000, shown, ALL, lambda: national_category(f, c, 6000), tier=tier, focus=national_focus(f),
        applies=reviewed(f.in_register),
    )  # fmt: skip
    out["visit_every_days"] = {"": None, "red": 15, "yellow": 30, "blue": 90}[out["tier"]]
    out["flagged"] = out["tier"] in ("red", "yellow") or out["category"] in TYPES
    return out


def dali_2021(f: Facts, _: Any) -> Verdict:
    c = national_conditions(f, 6000, f.in_register)
    kinds = f.assets()
    hit = None if kinds is None else bool(kinds)
    outcome = "verify_removal" if hit and f.in_register else national_outcome(f, c)
    shown = {**c, "negative_list_hit": hit, "nobody_present": f.persons == 0}
    return answer(f, 6000, shown, ALL, lambda: national_category(f, c, 6000), focus=national_focus(f),
                  applies=reviewed(f.in_register), outcome=outcome,
                  removed_by=";".join(kinds or []))  # fmt: skip


def yingjiang_2022(f: Facts, _: Any) -> Verdict:
    line = 7000
    c = national_conditions(f, line, or3(f.in_register, f.eliminated))
    failed = or3(not3(c["no_gap"]), not3(c["income_stable"]), not3(c["rigid_settled"]))
    latest = max((r["date"] for r in f.events), default=None)
    since = latest > f.last["date"] if latest and f.last else None
    c["unstable_again"] = and3(f.eliminated, failed)
    c["new_risk"] = and3(f.eliminated, f.any_open(), since)
    c["income_action"] = and3(
        f.registration == "general",
        not3(f.in_register),
        compare(f.pcni, ">=", 7000),
        compare(f.pcni, "<", 10000),
    )
    outcome = national_outcome(f, c)
    if f.eliminated:
        if c["unstable_again"] is True or c["no_labour"] is True:
            outcome = "roll_back"
        elif c["new_risk"] is True:
            outcome = "re_mark"
    band = ""
    if f.registration == "general" and f.pcni is not None:
        for low in (7000, 8000, 9000):
            if compare(f.pcni, ">=", low) and compare(f.pcni, "<", low + 1000):
                band = f"{low}-{low + 1000}"
    poor = compare(f.pcni, "<", 10000)
    # A period that lags may not clear: an income that is not below the limit is not known to be so now.
    poor = None if poor is False and f.changed_since else poor
    plan = and3(or3(f.registration == "lifted", f.in_register), poor)
    applies = {**reviewed(or3(f.in_register, f.eliminated)), "unstable_again": f.eliminated}
    return answer(f, line, c, ALL, lambda: national_category(f, c, line), focus=yingjiang_focus(f, c),
                  applies=applies, outcome=outcome, income_band=band, income_plan=plan)  # fmt: skip


def yingjiang_focus(f: Facts, c: dict[str, bool | None]) -> dict[str, bool | None]:
    beyond = ("preschool", "high_school", "vocational", "college")
    grade = lambda m: m.get("disability_grade") or 0  # noqa: E731
    total = None if f.income_of["wage"] is None else sum(v for v in f.income_of.values() if v is not None)
    share = None if not total else f.income_of["wage"] / total  # type: ignore[operator]
    states = [r for r in f.office.of("households", f.id) if holds_on(r, f.as_of)]
    two_years_ago = months_before(f.as_of, 24)
    long_granted = any(
        r["dibao"] is True and (r["valid_from"] is None or r["valid_from"] <= two_years_ago) for r in states
    )
    applied = None
    if f.office.has("risk_events"):
        applied = any(r.get("channel") == "household_application" for r in f.events)
    out = national_focus(f)
    out |= {
        "lifted": f.registration == "lifted",
        "lifted_in_2020": f.registration == "lifted" and f.state["lifted_year"] == 2020,
        "income_low_or_down": or3(compare(f.pcni, "<", 10000), plunged(f, 0.2)),
        "income_within_range": compare(f.pcni, "<", 7000),
        "single_tekun": f.state["tekun"] is True and f.persons == 1,
        "dibao": f.state["dibao"] is True,
        "new_dibao": f.state["dibao"] is True and not long_granted,
        "disability": f.some(lambda m: grade(m) >= 1),
        "new_or_severe_disability": or3(
            f.some(lambda m: grade(m) in (1, 2)),
            and3(f.some(lambda m: grade(m) >= 1), f.hit_by("disability")),
        ),
        "many_in_school": sum(f.age(m) < 18 or m.get("schooling") in beyond for m in f.people) >= 2,
        "beyond_compulsory": sum(m.get("schooling") in beyond for m in f.people) >= 2,
        "irregular_wages": and3(compare(share, ">=", 0.6), compare(f.wage_months, "<", 10)),
        "hardship_by_event": and3(
            f.hit_by("illness", "disaster", "accident"), or3(c["rigid_too_large"], c["income_plunged"])
        ),
        "platform_application": applied,
    }
    return out


TYPES = ("unstable_lifted", "marginal", "sudden_hardship")
FLAGGED = {
    "national-2021": TYPES, "ratio-1.5-2020": TYPES, "county-2020": TYPES, "dali-2021": TYPES,
    "yingjiang-2022": TYPES, "anhui-town-2020": ("monitored", "marginal"),
    "causes-2020": ("not_lifted", "unstable_lifted", "marginal"),
    "wuhu-2019": ("non_high_standard_lifted", "low_income_not_poor"),
    "classes-2020": ("key", "marginal_lifted"),
}  # fmt: skip
SETS = {
    "national-2021": national_2021, "ratio-1.5-2020": ratio_2020, "county-2020": county_2020,
    "anhui-town-2020": anhui_2020, "causes-2020": causes_2020, "wuhu-2019": wuhu_2019,
    "classes-2020": classes_2020, "nancheng-2020": nancheng_2020, "lueyang-2021": lueyang_2021,
    "cards-2023": cards_2023, "dali-2021": dali_2021, "yingjiang-2022": yingjiang_2022,
}  # fmt: skip


def verdicts(
    tables: Tables,
    ruleset: str,
    as_of: dt.date,
    *,
    about: dict[str, Any],
    scores: dict[str, float] | None = None,
    facts: dict[Any, Facts] | None = None,
) -> dict[str, Verdict]:
    """Return each household's verdict at a day; ``facts`` lets sets share what they have in common."""
    facts = {} if facts is None else facts
    if as_of not in facts:
        facts[as_of] = Office(tables, as_of, about)  # type: ignore[assignment]
    out = {}
    for household in sorted({r["household_id"] for r in tables["households"]}):
        key = (as_of, household, ruleset == "causes-2020")
        if key not in facts:
            facts[key] = Facts(facts[as_of], household, ruleset == "causes-2020")  # type: ignore[arg-type]
        f = facts[key]
        if f.state is None:
            continue
        probability = (scores or {}).get(household)
        out[household] = one_verdict(f, ruleset, probability)
        out[household] |= {"pcni_low": f.low, "pcni_high": f.high, "verdict_depends": False}
        if f.low is not None and f.low < f.high:  # type: ignore[operator]
            two = [one_verdict(f.at_bound(x), ruleset, probability) for x in f.bounds]  # type: ignore[arg-type]
            named = [[v["category"], v["tier"], v["flagged"]] for v in two]
            out[household]["verdict_depends"] = named[0] != named[1]
    return out


def one_verdict(f: Facts, ruleset: str, probability: float | None) -> Verdict:
    verdict = SETS[ruleset](f, probability)
    if ruleset == "lueyang-2021":
        verdict["flagged"] = verdict["tier"] in ("red", "yellow")
    verdict.setdefault("flagged", verdict["category"] in FLAGGED.get(ruleset, ()))
    return verdict
