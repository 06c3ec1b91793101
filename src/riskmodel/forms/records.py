"""What forms are filled from: a county as known at a day, its verdicts, cases, and words of the codes.

No score, model or forecast is read here, and none can be: this package stands below them.

What forms take of a month: its rules, whom it plans to visit, what was worked out; no score.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.cases import CaseBook, open_case_book
from riskmodel.data import contract
from riskmodel.errors import InputMissing
from riskmodel.households import HOUSEHOLD_STATES, PRESENT_MEMBERS, KnownCounty
from riskmodel.i18n import section, text
from riskmodel.io import read_table, records
from riskmodel.register import TO_CLARIFY, category_name, find_empty_households
from riskmodel.rules import RuleSet, available_rule_sets, evaluate_rules

Record = dict[str, Any]
NAMES = ("head_name", "contact", "phone")
GAPS = ("gap_housing", "gap_water", "gap_schooling", "gap_medical")
LEFT = ("eliminated", "removed", "label_withdrawn")  # ways out of the register
INCOMES = ("wage", "business", "property", "transfer")
RIGID = ("medical", "education", "housing", "disaster", "accident")


def phrase(key: str, /, **values: Any) -> str:
    """Return words of the catalogue's ``forms``: the forms of Chinese documents are in Chinese."""
    return text(f"forms.{key}", "zh", **values)


def listed(parts: Iterable[str], by: str = "list") -> str:
    """Return words joined as Chinese does; what is empty is left out.

    Examples
    --------
    >>> listed(["因病", "", "因学"])
    '因病、因学'
    """
    return str(section(f"common.separators.{by}", "zh")).join(filter(None, parts))


def word(table: str, column: str, code: Any) -> str:
    """Return the Chinese word of a code; what is no code stands as it is, nothing for a missing one.

    Examples
    --------
    >>> word("risk_events", "cause", "illness"), word("members", "sex", None)
    ('因病', '')
    """
    if code is None or code != code:
        return ""
    declared = contract().tables[table].columns[column]
    if declared.codes_of:
        table, _, column = declared.codes_of.partition(".")
        declared = contract().tables[table].columns[column]
    return (declared.codes or {}).get(str(code), str(code))


def cause_words(causes: Any) -> str:
    """Return causes, the main one first, in words."""
    if causes is None or causes != causes:
        return ""
    return listed(word("risk_events", "cause", c) for c in str(causes).split(";") if c)


def yuan(value: Any) -> str:
    """Return an amount as a paper shows it, empty where it is unknown.

    Examples
    --------
    >>> yuan(183529.4), yuan(None), yuan(0.0)
    ('183,529', '', '0')
    """
    return "" if value is None or value != value else f"{value:,.0f}"


def yes_no(value: Any) -> str:
    """Return 是 or 否; empty where it is unknown."""
    return "" if value is None or value != value else phrase("yes" if value else "no")


def day_text(value: Any) -> str:
    """Return a day, empty where there is none."""
    return "" if value is None or value != value else f"{value:%Y-%m-%d}"


def month_text(ordinal: Any) -> str:
    """Return a month counted from year 0 as text.

    Examples
    --------
    >>> month_text(2021 * 12 + 4)
    '2021-05'
    """
    return (
        ""
        if ordinal is None or ordinal != ordinal
        else f"{int(ordinal) // 12:04d}-{int(ordinal) % 12 + 1:02d}"
    )


@dataclass(frozen=True)
class FormRecords:
    """A county as its forms are filled from it.

    Parameters
    ----------
    known
        The county as known at one day.
    ruleset
        By whose conditions, clocks and procedure.
    params
        Overrides of its parameters.
    names
        ``household_id`` with ``head_name, contact, phone``; joined where a form is written, kept nowhere.
    only
        Households that are asked for; all where empty.
    visits
        Households that the month's list plans to visit, where there is one.
    measures
        Causes to the measures that the office's library proposes, as codes.
    log
        The county's case log.
    processing
        What is worked out by machine, for the page of first use.
    """

    known: KnownCounty
    ruleset: RuleSet
    params: Mapping[str, Any] = field(default_factory=dict)
    names: pd.DataFrame | None = None
    only: tuple[str, ...] = ()
    visits: tuple[str, ...] | None = None
    measures: Mapping[str, Sequence[str]] = field(default_factory=dict)
    log: Any = None
    processing: str = ""
    calendar: Any = None

    @property
    def as_of(self) -> dt.date:
        """The day spoken of."""
        return self.known.as_of

    @property
    def month(self) -> tuple[dt.date, dt.date]:
        """First day of the month of the day spoken of, and that day."""
        return self.as_of.replace(day=1), self.as_of

    @property
    def quarter(self) -> tuple[dt.date, dt.date]:
        """First day of the quarter of the day spoken of, and that day."""
        return dt.date(self.as_of.year, 3 * ((self.as_of.month - 1) // 3) + 1, 1), self.as_of

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Verdicts of the rule set."""
        return evaluate_rules(self.known, self.ruleset, params=dict(self.params))

    @cached_property
    def unclear(self) -> dict[str, str]:
        """Households of whom nobody is present and that are to be cleared up first, with why."""
        found = find_empty_households(self.known)
        found = found[found["state"].eq(TO_CLARIFY)]
        return dict(zip(found["household_id"].astype(str), found["why"], strict=True))

    @cached_property
    def book(self) -> CaseBook:
        """The cases of the county."""
        return open_case_book(self.known, self.ruleset, self.log, self.calendar, verdicts=self.verdicts)

    @cached_property
    def cases(self) -> pd.DataFrame:
        """One row a case, with where the household lives."""
        return self.book.cases.merge(self.places, on="household_id", how="left")

    @cached_property
    def places(self) -> pd.DataFrame:
        """``household_id, township, village, group`` of every household."""
        return self.households[["household_id", "township", "village", "group"]]

    @cached_property
    def households(self) -> pd.DataFrame:
        """One row a household: its accounts, its verdict by the rules, its standing and its name."""
        accounts = self.known.accounts().to_pandas()
        own = ["category", "main_cause", "conditions", "focus", "flagged", "outcome", "income_band",
               "income_plan", "unknown", "verdict_depends", "line"]  # fmt: skip
        verdicts = self.verdicts[["household_id", *own]].rename(columns={"category": "rule_category"})
        out = accounts.drop(columns=[c for c in own if c in accounts]).merge(
            verdicts, on="household_id", how="left", validate="1:1"
        )
        out = out.merge(self._states[["household_id"]], on="household_id")
        if self.names is not None:
            out = out.merge(self.names, on="household_id", how="left", validate="1:1")
        for name in NAMES:
            if name not in out:
                out[name] = None
        return out.sort_values(["township", "village", "group", "household_id"]).reset_index(drop=True)

    @property
    def villages(self) -> list[tuple[str, str]]:
        """Township and village of every village, in order."""
        return list(dict.fromkeys((str(h["township"]), str(h["village"])) for h in self.homes.values()))

    @cached_property
    def _states(self) -> pd.DataFrame:
        return self.known.rows(HOUSEHOLD_STATES).to_pandas()

    @cached_property
    def homes(self) -> dict[str, Record]:
        """Every household by its number, as a plain record."""
        return {str(r["household_id"]): r for r in records(self.households)}

    @cached_property
    def members(self) -> dict[str, list[Record]]:
        """Members present, by household, head first."""
        frame = self.known.rows(PRESENT_MEMBERS).to_pandas()
        order = {"head": 0, "spouse": 1, "child": 2, "parent": 3, "grandchild": 4}
        frame = frame.assign(place=frame["relation"].map(order).fillna(9))
        frame = frame.sort_values(["household_id", "place", "birth_month", "member_id"])
        return _by_household(frame)

    def table(self, name: str) -> pd.DataFrame:
        """Return the rows of a contract table as known at the day, none where the county lacks it."""
        if not self.known.has(name):
            columns = contract().tables[name].columns
            return pd.DataFrame(columns=list(columns))
        frame = self.known.rows(name).to_pandas()
        event = contract().tables[name].event_date
        if event in frame and frame[event].dtype.kind == "M":
            frame = frame[frame[event].isna() | (frame[event] <= pd.Timestamp(self.as_of))]
            frame = frame.sort_values(["household_id", event], kind="stable")
        return frame.reset_index(drop=True)

    def rows(self, name: str) -> list[Record]:
        """Return the rows of a table as plain records of households known, missing values as None."""
        return [
            row
            for rows in self._of_table(name).values()
            for row in rows
            if str(row["household_id"]) in self.homes
        ]

    @cached_property
    def _grouped(self) -> dict[str, dict[str, list[Record]]]:
        return {}

    def of(self, name: str, household: str) -> list[Record]:
        """Return a household's rows of a table, by date."""
        return self._of_table(name).get(household, [])

    def _of_table(self, name: str) -> dict[str, list[Record]]:
        if name not in self._grouped:
            self._grouped[name] = _by_household(self.table(name))
        return self._grouped[name]

    def asked(self, households: Sequence[str]) -> list[str]:
        """Return those of some households that are asked for, by place; those named stand for all."""
        wanted = set(self.only) if self.only else set(households)
        return [h for h in self.homes if h in wanted]

    @cached_property
    def watched(self) -> list[str]:
        """Households under watch, by place."""
        return [h for h, home in self.homes.items() if home["in_register"]]

    @cached_property
    def to_visit(self) -> list[str]:
        """Households to visit: as the month's list plans, else watched, found by rule, or owed a visit."""
        if self.visits is not None:
            wanted = set(self.visits)
        else:
            waiting = self.cases[
                ~self.cases["closed"]
                & self.cases["state"].isin(["clue", "to_verify", "absent", "comparison_hit"])
            ]
            found = {h for h, home in self.homes.items() if home["flagged"] is True}
            wanted = set(self.watched) | found | set(waiting["household_id"])
        return [h for h in self.homes if h in wanted]


def _by_household(frame: pd.DataFrame) -> dict[str, list[Record]]:
    out: dict[str, list[Record]] = {}
    for row in records(frame.astype(object).where(frame.notna(), None)):
        out.setdefault(str(row["household_id"]), []).append(row)
    return out


def standing(home: Mapping[str, Any]) -> str:
    """Return where a household stands in the register, in words."""
    if home["in_register"]:
        category = home["register_category"]
        return category_name(category, "zh") if isinstance(category, str) else phrase("standing.watched")
    last = str(home["register_event"])
    return phrase(f"standing.{last if last in LEFT else 'none'}")


def gaps(home: Mapping[str, Any]) -> str:
    """Return what is lacking of the three guarantees and water, in words."""
    return listed(phrase(f"gaps.{name}") for name in GAPS if home.get(name) is True)


DEFAULT_RULES = "national-2021"


@dataclass(frozen=True)
class OfMonth:
    """What forms take of a month.

    Attributes
    ----------
    ruleset
        That it was judged by: its id, or the whole of one that is not packaged.
    params
        Overrides of its parameters.
    planned
        Households whose visit it plans; None where forms are of no month.
    processing
        What was worked out by machine, in Chinese, for the page of first use.
    """

    ruleset: str | RuleSet = DEFAULT_RULES
    params: Mapping[str, Any] = field(default_factory=dict)
    planned: tuple[str, ...] | None = None
    processing: str = ""


def read_month(folder: Path, ruleset: str | None = None) -> OfMonth:
    """Read what forms take of a month.

    Parameters
    ----------
    folder
        Of the month.
    ruleset
        Another rule set than the month's; then its parameters are not taken over.

    Raises
    ------
    InputMissing
        If the folder is no month.
    """
    made, listed = folder / "made_with.json", folder / "worklist.parquet"
    if not made.is_file() or not listed.is_file():
        raise InputMissing(
            f"{folder}: no month of `riskmodel month` ({made.name}, {listed.name} are missing)"
        )
    card = json.loads(made.read_text(encoding="utf-8"))
    rows = read_table(listed)
    planned = tuple(rows.loc[rows["planned"].eq(True), "household_id"].astype(str))
    made_by = card["ruleset"]["id"]  # whole declarations stand there
    own = ruleset is None or ruleset == made_by
    words = {"ruleset": made_by, "features": card["feature_set"]["id"], "n": card["horizon_months"]}
    processing = phrase("processing", **words)
    if ruleset is None and made_by not in available_rule_sets():
        judged_by: str | RuleSet = RuleSet.model_validate(card["ruleset"])
    else:
        judged_by = ruleset or made_by
    return OfMonth(judged_by, dict(card["params"] or {}) if own else {}, planned, processing)
