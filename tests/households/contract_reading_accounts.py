"""Periods and their sums (contract, "Accounting period", "Totals"): the fourth part of `contract_reading`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from .contract_reading_coverage import Coverage, Months
from .contract_reading_identity import Unit
from .contract_reading_rows import CATEGORIES, CODES, RIGID, SOURCES, Row, month_end

ZERO = Decimal(0)
Money = Decimal | None


@dataclass
class Sums:
    """Sums of 12 months; None where not known.

    ``reasons`` say why ``net`` is not known, ``doubts`` why another sum is not.
    """

    income: dict[str, Money] = field(default_factory=lambda: dict.fromkeys(SOURCES))
    spending: dict[str, Money] = field(default_factory=lambda: dict.fromkeys(CATEGORIES))
    net: Money = None
    rigid: Money = None
    reasons: set[str] = field(default_factory=set)
    doubts: set[str] = field(default_factory=set)
    # Business income is net of production costs over the whole period.
    net_throughout: bool = False


@dataclass
class Period:
    first: int
    last: int
    basis: str
    lag: int


@dataclass
class Cover:
    """How one source or category is covered over a span: `totals`, `months`, `never` seen, `waits`, `not`."""

    how: str
    amount: Money = None
    parts: list[Row] = field(default_factory=list)


class Accounts:
    """Sums of spans of a household."""

    def __init__(self, coverage: Coverage, shifts: bool = True):
        self.coverage, self.about, self.shifts = coverage, coverage.about, shifts
        self.findings: dict[Unit, set[str]] = defaultdict(set)
        self.tables = coverage.tables()

    # -------------------------------------------------------------- the accounting period
    def has_totals(self, unit: Unit) -> bool:
        return bool(self.coverage.amounts(unit, "income").totals)

    def period(self, unit: Unit) -> Period | None:
        last = self.coverage.last_completed
        # "Rule sets of a calendar year, labels and horizons never shift."
        ends = range(last + 1) if self.shifts else range(last, last + 1)
        if self.has_totals(unit):
            return self._period_with_totals(unit, ends)
        if not self.shifts:
            return self._of_end(last, "months")
        on = set.intersection(*(self.coverage.with_totals(unit, table) for table in self.tables))
        # reading: one month that is on record in both tables ends the period.
        possible = [month for month in on if month in ends]
        return self._of_end(max(possible), "months") if possible else None

    def _of_end(self, last: int, basis: str) -> Period:
        return Period(last - 11, last, basis, self.coverage.last_completed - last)

    def _period_with_totals(self, unit: Unit, possible: range) -> Period | None:
        """The newest covered span, unless 12 months on record that no income total touches end later."""
        totals = self.coverage.amounts(unit, "income").totals
        ends = sorted({row["_last"] for row in totals if row["_last"] in possible})
        spans = [end for end in ends if self.is_covered(unit, end - 11, end)]
        on = set.intersection(*(self.coverage.by_rules(unit, table) for table in self.tables))
        touched = {m for row in totals for m in range(row["_first"], row["_last"] + 1)}
        free = on - touched
        # reading: any 12 consecutive months on record (in each table) count, not only those to the last one.
        by_months = [m for m in free if m in possible and set(range(m - 11, m + 1)) <= free]
        if by_months and (not spans or max(by_months) > max(spans)):
            return self._of_end(max(by_months), "months")
        return self._of_end(max(spans), "total") if spans else None

    # -------------------------------------------------------------- totals
    def cover(self, unit: Unit, table: str, code: str, first: int, last: int) -> Cover:
        """Cover of a span by one source or category."""
        amounts = self.coverage.amounts(unit, table)
        totals = [row for row in amounts.totals if row[CODES[table]] == code]
        months = [row for row in amounts.months if row[CODES[table]] == code]
        inside = [row for row in months if first <= row["_first"] <= last]
        if totals:
            # A source of which the household has a total elsewhere is covered only by totals.
            return self._by_totals(unit, code, totals, inside, (first, last))
        if months:
            whole = set(range(first, last + 1)) <= self.coverage.with_totals(unit, table)
            return Cover("months", total_of(inside), inside) if whole else Cover("not")
        known_from = month_end(last + self.about.get("entry_lag_months", 3))
        return Cover("never", ZERO) if self.coverage.known.day >= known_from else Cover("waits")

    def _by_totals(
        self, unit: Unit, code: str, totals: list[Row], months: list[Row], span: tuple[int, int]
    ) -> Cover:
        """Cover by totals; of a merged household by those of each line that has anything in the span."""
        first, last = span
        parts: list[Row] = []
        for line in sorted(set(unit.lines().values())):
            mine = [row for row in totals if row["_line"] == line]
            inside = [row for row in months if row["_line"] == line]
            ways = tilings(mine, first, last)
            if ways:
                self._compare(unit, code, ways, inside, last - first + 1)
                parts += ways[0]
            elif any(row["_first"] <= last and first <= row["_last"] for row in mine):
                return Cover("not")
            elif inside and unit.parents:
                # reading: totals of one line and months of another are never added, and neither is enough.
                return Cover("not")
        return Cover("totals", total_of(parts), parts) if parts else Cover("not")

    def _compare(self, unit: Unit, code: str, ways: list[list[Row]], months: list[Row], length: int) -> None:
        """Tilings or months that differ from the total by more than 1 % are findings."""
        best = total_of(ways[0])
        others = [total_of(way) for way in ways[1:]]
        # reading: months are compared with a total where each month of the span has a row of the source.
        if len({row["_first"] for row in months}) == length:
            others.append(total_of(months))
        if any(abs(other - best) * 100 > abs(best) for other in others):
            self.findings[unit].add(f"totals differ: {code}")

    def covers(self, unit: Unit, first: int, last: int) -> dict[str, Cover]:
        """The cover of each source; of business and business_net the one never seen is not waited for."""
        out = {source: self.cover(unit, "income", source, first, last) for source in SOURCES}
        # reading: business_net stands instead of business, so having seen one of them is enough.
        for one, other in (("business", "business_net"), ("business_net", "business")):
            if out[one].how == "waits" and out[other].how in ("totals", "months", "not"):
                out[one] = Cover("never", ZERO)
        # reading: in each year for itself; offices changed from net to gross from one year to the next.
        for one, other in (("business", "business_net"), ("business_net", "business")):
            if out[one].how == "not" and out[other].how == "totals":
                out[one] = Cover("never", ZERO)
        # business_net as such is not a source that is waited for.
        if out["business_net"].how == "waits":
            out["business_net"] = Cover("never", ZERO)
        return out

    def is_covered(self, unit: Unit, first: int, last: int) -> bool:
        """Every source that the household has is covered, at least one by totals."""
        if unit.begin is not None and first < unit.begin:
            # reading: a span that reaches over the date of a merge is covered where each parent covers it by
            # itself and the new number has nothing in it (what began with the merge is silent of before).
            if last >= unit.begin and self._has_something(unit, first, last):
                return False
            return bool(unit.parents) and self._parents_cover(unit, first, last)
        covers = self.covers(unit, first, last)
        if any(cover.how in ("not", "waits") for cover in covers.values()):
            return False
        if not any(cover.how == "totals" for cover in covers.values()):
            return False
        if "spending" not in self.tables or set(range(first, last + 1)) <= self._net_months(covers):
            # reading: production is not waited for where the sum does not subtract it.
            return True
        return self.cover(unit, "spending", "production", first, last).how not in ("not", "waits")

    def _parents_cover(self, unit: Unit, first: int, last: int) -> bool:
        by_totals = False
        for parent in unit.parents:
            if self._touched(parent, first, last):
                if not self.is_covered(parent, first, last):
                    return False
                by_totals = True
            elif not all(
                set(range(first, last + 1)) <= self.coverage.by_rules(parent, table) for table in self.tables
            ):
                return False
        return by_totals

    def _has_something(self, unit: Unit, first: int, last: int) -> bool:
        """Whether the new number of a merge has an amount in a span."""
        new = unit.new_numbers()
        rows = [
            row
            for table in CODES
            for part in (self.coverage.amounts(unit, table).months, self.coverage.amounts(unit, table).totals)
            for row in part
            if row["household_id"] in new
        ]
        return any(row["_first"] <= last and first <= row["_last"] for row in rows)

    def _touched(self, unit: Unit, first: int, last: int) -> bool:
        totals = self.coverage.amounts(unit, "income").totals
        return any(row["_first"] <= last and first <= row["_last"] for row in totals)

    @staticmethod
    def _net_months(covers: dict[str, Cover]) -> Months:
        """Months whose business income is net of production costs."""
        parts = covers["business_net"].parts
        return {m for row in parts for m in range(row["_first"], row["_last"] + 1)}

    # -------------------------------------------------------------- sums of a span
    def sums(self, unit: Unit, first: int, last: int, basis: str) -> Sums:
        """Sums of 12 months on a basis (`months`, `total`), spans taken off."""
        if unit.parents and unit.begin is not None and first < unit.begin and basis == "total":
            parts = [self.sums(p, first, last, self.own_basis(p, first, last)) for p in unit.parents]
            together = added(parts)
            if not self.is_covered(unit, first, last):
                together.reasons.add("not_tiled")
                together.net = None
            return together
        out = Sums()
        self._holes(unit, first, last, out)
        if basis == "total":
            covers = self.covers(unit, first, last)
            out.income = {source: cover.amount for source, cover in covers.items()}
            if not self.is_covered(unit, first, last):
                out.reasons.add("not_tiled")
            net_months = self._net_months(covers)
        else:
            rows = [r for r in self.coverage.amounts(unit, "income").months if first <= r["_first"] <= last]
            out.income = {s: total_of([r for r in rows if r["source"] == s]) for s in SOURCES}
            net_months = {row["_first"] for row in rows if row["source"] == "business_net"}
            if not rows and not set(range(first, last + 1)) <= self.coverage.by_rule_1(unit, "income"):
                self._no_income(unit, first, last, out)
        out.net_throughout = set(range(first, last + 1)) <= net_months
        costs = self._spending(unit, first, last, basis, net_months, out)
        self._take_off(unit, first, last, out)
        incomes = list(out.income.values())
        if not out.reasons and costs is not None and None not in incomes:
            out.net = sum((x for x in incomes if x is not None), ZERO) - costs
        rigid = [out.spending[category] for category in RIGID]
        if None not in rigid:
            out.rigid = sum((x for x in rigid if x is not None), ZERO)
        return out

    def own_basis(self, unit: Unit, first: int, last: int) -> str:
        return "total" if self._touched(unit, first, last) else "months"

    def _no_income(self, unit: Unit, first: int, last: int, out: Sums) -> None:
        """A period on record without any income row, not covered by rule 1."""
        out.income = dict.fromkeys(SOURCES)
        if set(range(first, last + 1)) <= self.coverage.with_totals(unit, "income"):
            out.reasons.add("no_income")

    def _holes(self, unit: Unit, first: int, last: int, out: Sums) -> None:
        for table in self.tables:
            on = self.coverage.with_totals(unit, table)
            for month in range(first, last + 1):
                if month not in on:
                    why = self.coverage.hole_reasons(unit, table, month)
                    if not self.shifts and why == {"gap_in_records"} and on and month > max(on):
                        # reading: a period that cannot follow the records has months not yet recorded.
                        why = {"not_yet_recorded"}
                    out.reasons |= why

    def _take_off(self, unit: Unit, first: int, last: int, out: Sums) -> None:
        """Null what a span touches that is not on record."""
        period = set(range(first, last + 1))
        for table, sums in (("income", out.income), ("spending", out.spending)):
            if table not in self.tables:
                continue
            whole = period <= self.coverage.on_record(unit, table)
            offs = [off for off in self.coverage.offs(unit, table) if off.touches(first, last)]
            for code in sums:
                if not whole or any(off.item == code for off in offs):
                    sums[code] = None
            for off in offs:
                # "only sums that contain the item are null": costs that are not subtracted are in no sum.
                costs = None if out.net_throughout else "production"
                in_net = table == "income" or off.item in (None, costs)
                (out.reasons if in_net else out.doubts).add(off.why)

    def _spending(
        self, unit: Unit, first: int, last: int, basis: str, net_months: Months, out: Sums
    ) -> Money:
        """Sums by category into ``out``, and the production costs to subtract."""
        if "spending" not in self.tables:
            # reading: "only business income is business_net" asks for some business_net and no business.
            only_net = bool(net_months) and not self._has_business(unit, first, last)
            if self.about.get("income_is_net") or only_net:
                return ZERO
            out.reasons.add("production_unknown")
            return None
        costs: Money = None
        for category in CATEGORIES:
            parts: list[Row] | None
            if basis == "total":
                cover = self.cover(unit, "spending", category, first, last)
                out.spending[category], parts = cover.amount, cover.parts
                parts = None if cover.amount is None else parts
            else:
                parts = self._spent_in_months(unit, category, first, last)
                out.spending[category] = None if parts is None else total_of(parts)
            if category == "production":
                costs = costs_of(parts, net_months)
                if set(range(first, last + 1)) <= net_months:
                    costs = ZERO
        if costs is None:
            # reading: production that straddles the edge, or spans with and without net income, is a hole.
            out.reasons.add("gap_in_records")
        return costs

    def _has_business(self, unit: Unit, first: int, last: int) -> bool:
        amounts = self.coverage.amounts(unit, "income")
        rows = [row for row in amounts.months + amounts.totals if row["source"] == "business"]
        return any(row["_first"] <= last and first <= row["_last"] for row in rows)

    def _spent_in_months(self, unit: Unit, category: str, first: int, last: int) -> list[Row] | None:
        """Rows of a category on a months basis, line by line; None where one has no sum."""
        out: list[Row] = []
        for line in sorted(set(unit.lines().values())):
            rows = self._spent_of_line(unit, line, category, first, last)
            if rows is None:
                return None
            out += rows
        return out

    def _spent_of_line(self, unit: Unit, line: str, category: str, first: int, last: int) -> list[Row] | None:
        """Rows of a category; None where a total straddles the edge or two overlap."""
        amounts = self.coverage.amounts(unit, "spending")
        totals = [r for r in amounts.totals if r["category"] == category and r["_line"] == line]
        totals = [row for row in totals if row["_first"] <= last and first <= row["_last"]]
        spans = [m for row in totals for m in range(row["_first"], row["_last"] + 1)]
        if any(m < first or m > last for m in spans):
            return None
        if len(spans) != len(set(spans)):
            # reading: of totals that overlap the fewest that tile the period hold, as for sources; else there
            # is no sum. Months under a total are not added to it.
            ways = tilings(totals, first, last)
            return ways[0] if ways else None
        months = [r for r in amounts.months if r["category"] == category and r["_line"] == line]
        return totals + [r for r in months if first <= r["_first"] <= last and r["_first"] not in spans]

    # -------------------------------------------------------------- bounds of a shifted period
    def bounds(self, unit: Unit, persons: int) -> tuple[Money, Money]:
        """`pcni_low` and `pcni_high` of the 12 months to the last completed one, months basis."""
        last = self.coverage.last_completed
        low, high, costs = ZERO, ZERO, ZERO
        on = {table: self.coverage.on_record(unit, table) for table in self.tables}
        production = [
            row
            for row in self.coverage.amounts(unit, "spending").totals
            if row["category"] == "production" and row["_last"] > last - 24
        ]
        if production or self._touched(unit, last - 23, last):
            return None, None
        for month in range(last - 11, last + 1):
            # reading: a month is unrecorded for each table by itself.
            if month in on["income"]:
                low, high = low + self._income_of(unit, month), high + self._income_of(unit, month)
            else:
                # Within the allowed lag the month of a year ago lies in the period, so it is on record.
                high += self._income_of(unit, month - 12)
            if "spending" in self.tables:
                known = month if month in on["spending"] else month - 12
                # reading: production costs as a year ago stand in both bounds.
                costs += self._production_of(unit, known)
        return (low - costs) / persons, (high - costs) / persons

    def _income_of(self, unit: Unit, month: int) -> Decimal:
        return total_of([r for r in self.coverage.amounts(unit, "income").months if r["_first"] == month])

    def _production_of(self, unit: Unit, month: int) -> Decimal:
        income = [r for r in self.coverage.amounts(unit, "income").months if r["_first"] == month]
        if any(row["source"] == "business_net" for row in income):
            return ZERO
        rows = [r for r in self.coverage.amounts(unit, "spending").months if r["_first"] == month]
        return total_of([row for row in rows if row["category"] == "production"])


def total_of(rows: list[Row]) -> Decimal:
    return sum((row["amount"] for row in rows), ZERO)


def costs_of(parts: list[Row] | None, net_months: Months) -> Money:
    """Production costs to subtract: none in months of net business income; None: not to be told apart."""
    if parts is None:
        return None
    costs = ZERO
    for row in parts:
        span = set(range(row["_first"], row["_last"] + 1))
        if not span & net_months:
            costs += row["amount"]
        elif not span <= net_months:
            return None
    return costs


def tilings(totals: list[Row], first: int, last: int) -> list[list[Row]]:
    """All exact tilings of a span, those of fewest totals first."""

    def onward(begin: int) -> list[list[Row]]:
        if begin > last:
            return [[]]
        out = []
        for row in totals:
            if row["_first"] == begin and row["_last"] <= last:
                out += [[row, *rest] for rest in onward(row["_last"] + 1)]
        return out

    # reading: of tilings of equally few totals that with the longer first total.
    return sorted(onward(first), key=lambda way: (len(way), [-row["_last"] for row in way]))


def added(parts: list[Sums]) -> Sums:
    """The sums of parents together; what one does not know is not known."""

    def add(values: list[Money]) -> Money:
        return None if None in values else sum((x for x in values if x is not None), ZERO)

    return Sums(
        {source: add([part.income[source] for part in parts]) for source in SOURCES},
        {category: add([part.spending[category] for part in parts]) for category in CATEGORIES},
        add([part.net for part in parts]),
        add([part.rigid for part in parts]),
        {reason for part in parts for reason in part.reasons},
        {doubt for part in parts for doubt in part.doubts},
    )
