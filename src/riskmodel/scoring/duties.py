"""Why a visit is owed to a household, and by when: facts, the rule set's clocks and the open cases, no score.

Duties stand in ``duties.yaml`` in the order of the list. A household may have several; the plan joins them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from riskmodel import rules
from riskmodel.cases import CaseLog, declared, find_cases
from riskmodel.households import KnownCounty, window_end
from riskmodel.io import Spec, load_spec
from riskmodel.rules import Calendar, RuleSet, read_calendar

PLANNING_DAYS = 30  # a list is made for a month
CARD_RULESET = "cards-2023"
SUDDEN = "sudden_hardship"
VERIFY = "verify"
MAYBE_STOPPED = "maybe_stopped"
GAPS = ("housing", "water", "schooling", "medical")
FIRST_DECISION, LAST_DECISION = 5, 10  # phases of a case from the village's list to the county's comparison
COLUMNS = ("household_id", "code", "due_on", "clock")


class DutyKind(Spec):
    """One reason for a visit: whose clock it goes by; ``stands`` where none is owed now."""

    id: str
    clock: tuple[str, ...] = ()
    default: str = ""
    duty: bool = True
    stands: bool = False


class Limit(Spec):
    """A limit that holds where the rule set leaves it open."""

    limit: float
    unit: str
    source: str


class DutyRules(Spec):
    """What ``duties.yaml`` declares."""

    version: int
    duties: tuple[DutyKind, ...]
    ranks: tuple[tuple[str, ...], ...]
    clocks: Mapping[str, Limit]
    emergency_steps: tuple[str, ...]
    disaster_days: int
    open_months: int

    @cached_property
    def kinds(self) -> dict[str, DutyKind]:
        """The kinds by their code."""
        return {kind.id: kind for kind in self.duties}

    @cached_property
    def rank(self) -> dict[str, int]:
        """The rank of each kind, from 0."""
        return {code: i for i, codes in enumerate(self.ranks) for code in codes}

    @cached_property
    def owed(self) -> frozenset[str]:
        """Kinds that are never cut."""
        return frozenset(k.id for k in self.duties if k.duty and not k.stands)

    @cached_property
    def standing(self) -> frozenset[str]:
        """Kinds that are shown without a visit."""
        return frozenset(k.id for k in self.duties if k.stands)


@cache
def duty_rules() -> DutyRules:
    """Return the declared duties (parsed once)."""
    return load_spec(Path(__file__).with_name("duties.yaml"), DutyRules)


def look_up(ids: pd.Series, values: pd.Series) -> pd.Series:
    """Return what an index of ids holds for each id; missing where it holds nothing, be it empty."""
    return values.reindex(ids.to_numpy()).set_axis(ids.index)


@dataclass(frozen=True)
class Duties:
    """What is owed to whom.

    Parameters
    ----------
    rows
        ``household_id, code`` (of ``duties.yaml``), ``due_on, clock`` (a clock of the rule set, of
        ``duties.yaml`` or of the cases); several rows a household.
    cases
        Open cases beside them: ``household_id, state``.
    old_clues
        Applications and visits at which nobody was met, open for longer than the list takes them in.
    missing_years
        Years for which no holidays are known.
    """

    rows: pd.DataFrame
    cases: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["household_id", "state"]))
    old_clues: int = 0
    missing_years: tuple[int, ...] = ()


def quarter_end(day: dt.date) -> dt.date:
    """Return the last day of the quarter that the day after belongs to."""
    out: dt.date = pd.Timestamp(day + dt.timedelta(days=1)).to_period("Q").end_time.date()
    return out


def find_duties(
    households: pd.DataFrame,
    as_of: dt.date,
    known: KnownCounty | None = None,
    calendar: str | Path | Mapping[str, Any] | Calendar | None = None,
    params: Mapping[str, Any] | None = None,
    earlier_verdicts: pd.DataFrame | None = None,
    case_log: CaseLog | None = None,
    ruleset: RuleSet | None = None,
) -> Duties:
    """Return what is owed to each household at a day.

    Parameters
    ----------
    households : DataFrame
        ``household_id, flagged, rule_category, pcni``, as far as known ``rule_conditions, ruleset, doubts,
        verdict_depends`` and what `riskmodel.scoring.worklist.household_context` adds.
    as_of
        The day.
    known
        The county as known then; without it nobody's gaps, register, visits, warnings and cases are known,
        and whoever is flagged counts as newly found.
    calendar
        What `riskmodel.rules.read_calendar` takes.
    params
        Parameters that the verdicts were made with; by default those that they say were overridden.
    earlier_verdicts
        Of the month before, where they were made already.
    case_log
        The county's, which knows of explanations owed and reviews asked for; no table does.
    ruleset
        Of the verdicts; by default the packaged one that they name.

    Returns
    -------
    Duties
        Rows in no order.
    """
    free = read_calendar(calendar)
    finder = _Finder(households, as_of, known, free, params, earlier_verdicts, case_log, ruleset)
    parts = [part for part in finder.parts() if len(part)]
    empty = pd.DataFrame({c: pd.Series(dtype=object) for c in COLUMNS})
    found = pd.concat([p[list(COLUMNS)] for p in parts], ignore_index=True) if parts else empty
    found["due_on"] = pd.to_datetime(found["due_on"]).astype("datetime64[ns]")
    found = found[found["household_id"].isin(finder.inhabited)]
    found = found.sort_values(["household_id", "code", "due_on"], ignore_index=True)
    days = [as_of, as_of + dt.timedelta(days=PLANNING_DAYS)]
    return Duties(
        found.drop_duplicates(["household_id", "code"], ignore_index=True),
        finder.cases[["household_id", "state"]].reset_index(drop=True),
        finder.old_clues,
        tuple(free.missing_years(days)),
    )


def listed_rule_set(households: pd.DataFrame) -> RuleSet | None:
    """Return the rule set of verdicts or scores, where they name one and it is one that is packaged."""
    names = set(households["ruleset"].dropna()) if "ruleset" in households else set()
    if len(names) != 1 or not names <= set(rules.available_rule_sets()):
        return None
    return rules.load_rules(names.pop())


class _Finder:
    """One look at a county for what is owed."""

    def __init__(
        self,
        households: pd.DataFrame,
        as_of: dt.date,
        known: KnownCounty | None,
        calendar: Calendar,
        params: Mapping[str, Any] | None,
        earlier_verdicts: pd.DataFrame | None,
        case_log: CaseLog | None,
        ruleset: RuleSet | None,
    ) -> None:
        self.rules = duty_rules()
        self.households = households
        self.as_of, self.day = as_of, pd.Timestamp(as_of)
        self.until = self.day + pd.Timedelta(days=PLANNING_DAYS)
        self.known, self.calendar, self.params = known, calendar, params
        self.given_before, self.case_log, self.ruleset = earlier_verdicts, case_log, ruleset
        if ruleset is None:
            self.ruleset = listed_rule_set(households)
        self.old_clues = 0
        index = households.index
        self.ids = households["household_id"]
        self.seen = self._dates("last_seen")
        self.watched = self._true("in_register")
        self.flagged = self._true("flagged")
        every = (
            households["visit_every_days"] if "visit_every_days" in households else pd.Series(pd.NA, index)
        )
        days = pd.to_numeric(every).astype("Float64").fillna(longest_visit_interval()).astype(float)
        self.next_visit = self.seen + pd.to_timedelta(days, unit="D")
        self.lately = self.seen.notna() & (self.next_visit > self.day)

    @cached_property
    def inhabited(self) -> pd.Series:
        """Households to be visited: where nobody is left, what is to be done is a change of members."""
        if "persons" not in self.households:
            return self.ids
        return self.ids[~pd.to_numeric(self.households["persons"]).eq(0) | self.flagged]

    @cached_property
    def overrides(self) -> dict[str, str]:
        """Parameters of the rule set that the verdicts say were given another value."""
        said = self._words("assumptions").iloc[0] if len(self.ids) else ""
        found = re.findall(r"(?:^|;)([a-z_0-9]+)=([^;]*?) \([^;]*override\)", said)
        return dict(found)

    @cached_property
    def cases(self) -> pd.DataFrame:
        """Cases that are open; none without a county."""
        if self.known is None:
            return pd.DataFrame(
                {c: pd.Series(dtype=object) for c in ("household_id", "state", "opened_on", "since", "due_on",
                                                      "clock", "channel", "late")}
            )  # fmt: skip
        ruleset = self.ruleset or rules.load_rules(CARD_RULESET)
        found = find_cases(self.known, ruleset, self.case_log, self.calendar)
        return found[~found["closed"]].reset_index(drop=True)

    @cached_property
    def state(self) -> pd.Series:
        """Each household's open case that has come furthest: its state, or missing."""
        phase = {code: s.phase for code, s in declared().states.items()}
        rows = self.cases.assign(phase=self.cases["state"].map(phase))
        last = rows.sort_values("phase").drop_duplicates("household_id", keep="last")
        return look_up(self.ids, last.set_index("household_id")["state"])

    @cached_property
    def deciding(self) -> pd.Series:
        """Whether a household's case is between the village's list and the county's decision."""
        phases = self.state.map({code: s.phase for code, s in declared().states.items()})
        asks_again = self.state.isin(["comparison_hit", "objection"])
        return phases.between(FIRST_DECISION, LAST_DECISION) & ~asks_again

    @cached_property
    def confirmed(self) -> pd.Series:
        """Whether a visit found it true and nothing has followed: it belongs before the village meeting."""
        return self.state.isin(["verified", "applied", "heard"])

    def parts(self) -> Iterator[pd.DataFrame]:
        """Yield the duties of every kind."""
        yield self._danger()
        yield from self._guarantees()
        yield from self._clues()
        yield from self._flagged()
        yield from self._register()
        yield from self._unknown()

    def _danger(self) -> pd.DataFrame:
        if self.known is None:
            return self._rows("danger", pd.Series(False, self.ids.index), self.day)
        since = self.day - pd.Timedelta(days=self.rules.disaster_days)
        begun = pd.Series(pd.NaT, self.ids.index, dtype="datetime64[ns]")
        if self.known.has("procedure"):
            t = self.known.rows("procedure")
            steps = t.filter(t.step.isin(list(self.rules.emergency_steps)) & (t.date <= t.as_of))
            begun = self._latest(steps.select("household_id", "date").to_pandas(), "date")
        if self.known.has("risk_events"):
            t = self.known.rows("risk_events")
            hit = t.filter((t.cause == "disaster") & (t.date <= t.as_of)).select("household_id", "date")
            struck = self._latest(hit.to_pandas(), "date")
            begun = begun.fillna(struck.where(self._gap("housing")))
        owed = (begun > since) & ~(self.seen >= begun)
        return self._rows("danger", owed, begun)

    def _guarantees(self) -> Iterator[pd.DataFrame]:
        # Who was seen within the cadence, or has a case before the meeting, is not asked the same again.
        open_ = ~self.lately & ~self.deciding & ~self.confirmed
        verify = self._condition(VERIFY)
        gap = self._gap("housing") | self._gap("water") | self._gap("schooling")
        stands = self._gap("medical") & self.uninsured_before & ~gap & ~verify
        yield self._rows("guarantee", (gap | self._gap("medical")) & ~stands & open_, self.day)
        yield self._rows("verify", verify & open_, self.day)
        yield self._rows("uninsured", stands & open_, pd.Timestamp(window_end(self.as_of, -1)))

    @cached_property
    def uninsured_before(self) -> pd.Series:
        """Whether a member was without medical insurance when the list before was made."""
        before = self.verdicts_before
        if before is None or not self._gap("medical").any():
            return pd.Series(False, self.ids.index)
        return self.ids.isin(before.loc[before["gap_medical"].eq(True).fillna(False), "household_id"])

    def _clues(self) -> Iterator[pd.DataFrame]:
        """Yield warnings, applications, visits to make again and limits that run out, from the open cases."""
        cases = self.cases
        oldest = self.day - pd.DateOffset(months=self.rules.open_months)
        clue = cases["state"].isin(["clue", "to_verify", "visited"])
        own = clue & cases["channel"].eq("household_application")
        again = cases["state"].isin(["absent", "comparison_hit", "objection"])
        old = (own & (pd.to_datetime(cases["opened_on"]) < oldest)) | (
            again & (pd.to_datetime(cases["since"]) < oldest)
        )
        self.old_clues = int(cases.loc[old, "household_id"].nunique())
        for code, rows, column in (
            ("warning", clue & ~own, "since"),
            ("application", own & ~old, "opened_on"),
            ("revisit", again & ~old, "since"),
        ):
            yield self._of_cases(code, cases[rows], column)
        # From the decision on a limit that runs out asks for somebody to go; before it, for a paper.
        phase = cases["state"].map({c: s.phase for c, s in declared().states.items()})
        due = pd.to_datetime(cases["due_on"])
        late = due.notna() & (due <= self.until) & (phase > LAST_DECISION) & ~own & ~again
        found = cases[late]
        yield pd.DataFrame(
            {
                "household_id": found["household_id"],
                "code": "running_out",
                "due_on": due[late],
                "clock": found["clock"],
            }
        )

    def _flagged(self) -> Iterator[pd.DataFrame]:
        asked = self.flagged & ~self.deciding & ~self.confirmed
        sudden = self.households["rule_category"].eq(SUDDEN)
        before = self.category_before
        # A household under watch is asked anew where something new was found: its card asks for the rest.
        known_before = self.known is not None and self.ruleset is not None
        new = asked & before.isna() & (~self.watched | known_before)
        struck = sudden & asked & before.notna() & before.ne(SUDDEN)
        # Found before: a visit since then has answered it until the cadence asks again.
        unvisited = asked & before.notna() & ~struck & ~self.watched & ~self.lately
        earlier = pd.Timestamp(window_end(self.as_of, -1))
        yield self._rows("sudden", (new & sudden) | struck, self.day)
        yield self._rows("sudden", unvisited & sudden, earlier)
        yield self._rows("new", new & ~sudden, self.day)
        yield self._rows("unvisited", unvisited & ~sudden, earlier)
        never = pd.Series(pd.NaT, self.ids.index)
        yield self._rows("candidate", self.flagged & self.confirmed, never)
        yield self._rows("in_case", self.flagged & self.deciding, never)
        yield self._rows("watched", self.flagged & self.watched, never)
        yield self._rows("visited", self.flagged & ~self.watched & self.lately, never)

    @cached_property
    def verdicts_before(self) -> pd.DataFrame | None:
        """Verdicts when the list before was made; None without a county, or a rule set that is packaged."""
        if self.known is None or self.ruleset is None or self.given_before is not None:
            return self.given_before
        return rules.judge_month_before(self.known, self.ruleset, self.params or self.overrides)

    @cached_property
    def category_before(self) -> pd.Series:
        """The category in which a household was flagged when the list before was made; missing where not."""
        before = self.verdicts_before
        if before is None:
            return pd.Series(None, self.ids.index, dtype=object)
        found = before[before["flagged"]].set_index("household_id")["category"]
        return look_up(self.ids, found).astype(object)

    def _register(self) -> Iterator[pd.DataFrame]:
        latest = self.next_visit.where(self.seen.notna(), self.day)
        due = latest.where(latest > self.day, self.day)
        carded = self.watched & self.households.get("visit_every_days", self.ids.isna()).notna()
        on_paper = ~self.deciding
        yield self._rows("card", carded & on_paper & (due <= self.until), due, clock="card")
        eliminated = self._dates("eliminated_on")
        begun = eliminated.where(~(self.seen > eliminated), self.seen)
        limit = self._limit("look_back")
        ends = self.calendar.due_dates(begun, limit[1], limit[2])
        owed = eliminated.notna() & ~self.watched & (ends <= self.until)
        yield self._rows("look_back", owed, ends, clock=limit[0])

    def _unknown(self) -> Iterator[pd.DataFrame]:
        """Yield verdicts that hang on what is not recorded, and incomes to be known by the quarter's end."""
        stopped = self._words("doubts").str.contains(rf"(?:^|;){MAYBE_STOPPED}(?:;|$)", regex=True)
        open_ = ~self.flagged & ~self.lately
        depends = open_ & (self._true("verdict_depends") | stopped)
        yield self._rows("depends", depends, self.day)
        blind = self.households["rule_category"].eq("unknown") | self.households["pcni"].isna()
        end = pd.Timestamp(quarter_end(self.as_of))
        yield self._rows("unknown", blind & open_ & ~depends & (end <= self.until), end, clock="quarter")

    def _of_cases(self, code: str, cases: pd.DataFrame, since: str) -> pd.DataFrame:
        """Return rows of open cases: due by the case's own clock, else by the kind's since it began."""
        clock, limit, unit = self._limit(code)
        own = pd.to_datetime(cases["due_on"])
        due = own.fillna(self.calendar.due_dates(pd.to_datetime(cases[since]), limit, unit))
        clocks = cases["clock"].where(own.notna(), clock)
        return pd.DataFrame(
            {"household_id": cases["household_id"], "code": code, "due_on": due, "clock": clocks}
        )

    def _rows(
        self, code: str, owed: pd.Series, since: pd.Series | pd.Timestamp, clock: str | None = None
    ) -> pd.DataFrame:
        """Return one row a household of a mask: due so long after a day, or on it where a clock is given."""
        owed = owed.fillna(False).astype(bool)
        days = since[owed] if isinstance(since, pd.Series) else pd.Series(since, self.ids.index[owed])
        named = clock or ""
        if clock is None and not self.rules.kinds[code].stands:
            named, limit, unit = self._limit(code)
            days = self.calendar.due_dates(days, limit, unit)
        return pd.DataFrame(
            {"household_id": self.ids[owed], "code": code, "due_on": days, "clock": named or None}
        )

    def _limit(self, code: str) -> tuple[str, float, str]:
        """Return the clock of a kind, its limit and unit: the rule set's, else the declared default."""
        kind = self.rules.kinds[code]
        own = {c.id: c for c in self.ruleset.clocks} if self.ruleset else {}
        for name in kind.clock:
            if name in own:
                return name, own[name].limit, own[name].unit
        limit = self.rules.clocks[kind.default]
        return kind.default, limit.limit, limit.unit

    def _latest(self, rows: pd.DataFrame, column: str) -> pd.Series:
        return pd.to_datetime(look_up(self.ids, rows.groupby("household_id")[column].max()))

    def _gap(self, name: str) -> pd.Series:
        return self._true(f"gap_{name}")

    def _true(self, column: str) -> pd.Series:
        if column not in self.households:
            return pd.Series(False, self.ids.index)
        return self.households[column].eq(True).fillna(False).astype(bool)

    def _dates(self, column: str) -> pd.Series:
        if column not in self.households:
            return pd.Series(pd.NaT, self.ids.index, dtype="datetime64[ns]")
        return pd.to_datetime(self.households[column])

    def _words(self, column: str) -> pd.Series:
        if column not in self.households:
            return pd.Series("", self.ids.index)
        return self.households[column].fillna("").astype(str)

    def _condition(self, name: str) -> pd.Series:
        return self._words("rule_conditions").str.split(";").map(lambda held: name in held).astype(bool)


@cache
def longest_visit_interval() -> int:
    """Return the longest time between two visits that ``cards-2023`` allows, in days."""
    return max(tier.visit_every_days or 0 for tier in rules.load_rules(CARD_RULESET).tiers)


def register_facts(known: KnownCounty) -> pd.DataFrame:
    """Return ``gap_…`` and ``eliminated_on`` of each household, as duties go by them."""
    t = known.accounts()
    gaps = [f"gap_{name}" for name in GAPS if f"gap_{name}" in t.columns]
    eliminated = (t.register_event == "eliminated").fill_null(False)
    return t.select(
        "household_id", *gaps, eliminated_on=ibis.ifelse(eliminated, t.register_date, None)
    ).to_pandas()
