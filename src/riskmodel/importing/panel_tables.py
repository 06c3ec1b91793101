"""From a panel's file and its map to the tables of the contract, with what was left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.data import contract
from riskmodel.errors import InputRefused
from riskmodel.importing.panel_amounts import PanelAmounts
from riskmodel.importing.panel_columns import PanelColumns, plain_code
from riskmodel.importing.panel_files import PanelFile
from riskmodel.importing.panel_map import Figure, IndicatorMap, PanelMap
from riskmodel.importing.panel_persons import counted_members, listed_members, same_household, sex_of

NO_ANSWER = "no_answer"
SPANS = {"year": 12, "half_year": 6, "quarter": 3, "month": 1}
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_BIRTH = 1960  # of a person of whom neither age nor birth is given; the contract asks for a month


@dataclass
class PanelTables:
    """A panel in the contract's tables.

    Parameters
    ----------
    tables
        Table to rows.
    about
        What ``about.yaml`` says.
    told
        What was left out and why, one sentence each.
    waves
        Households observed at each month.
    """

    tables: dict[str, pd.DataFrame]
    about: dict[str, Any]
    told: list[str] = field(default_factory=list)
    waves: dict[str, int] = field(default_factory=dict)


class _Reading:
    """One reading of a file by a map: observations in order, and the tables made of them."""

    def __init__(self, file: PanelFile, plan: PanelMap) -> None:
        self.plan = plan
        self.columns = c = PanelColumns(file, plan)
        c.need(
            [*plan.unit_columns, *([plan.person] if plan.person else []), *plan.time.columns], "id and time"
        )
        self.told = c.told
        keep = pd.Series(True, index=c.rows.index)
        if plan.keep:
            keep = c.figure(plan.keep, "keep") == 1
            if not keep.all():
                self.told.append(f"{int((~keep).sum())} rows are left out by keep: {plan.keep}")
        c.rows = c.rows[keep].reset_index(drop=True)
        c.made = {name: values[keep].reset_index(drop=True) for name, values in c.made.items()}
        if not len(c.rows):
            raise InputRefused(f"{file.name}: no row is left to read; look at keep")
        t = pd.DataFrame({"household_id": self._ids(plan.unit_columns), "month": self._months()})
        if plan.person:
            t["member_id"] = self._ids((plan.person,))
        t["order"] = np.arange(len(t))
        self._refuse_bad_keys(t)
        number = pd.to_numeric(t["household_id"], errors="coerce")
        numeric = number.notna().all()
        t["sort"] = number if numeric else t["household_id"]
        extra = ["member_id"] if plan.persons.kind == "roster" else []
        t = t.sort_values(["sort", "month", *extra], kind="stable")
        order = t["order"].to_numpy()
        c.rows = c.rows.iloc[order].reset_index(drop=True)
        c.made = {name: values.iloc[order].reset_index(drop=True) for name, values in c.made.items()}
        self.t = t.drop(columns=["order", "sort"]).reset_index(drop=True)
        self.t["on"] = _month_ends(self.t["month"])
        self.t["recorded_on"] = self._recorded_on()
        key = ["household_id", "month"]
        self.first_of_observation = ~self.t.duplicated(key)

    def _ids(self, names: Sequence[str]) -> pd.Series:
        parts = [_whole_numbers(self.columns.raw(name).map(plain_code).astype(object)) for name in names]
        out = parts[0]
        for part in parts[1:]:
            out = (out + "-" + part).where(out.notna() & part.notna(), None)
        return out

    def _months(self) -> pd.Series:
        """Return month ordinals, empty where the time is not given or out of range."""
        time, c = self.plan.time, self.columns
        if time.date is not None:
            days = _days(c.raw(time.date), time.date_format)
            return (days.dt.year * 12 + days.dt.month - 1).astype(float)
        if time.wave is not None:
            dates = {plain_code(k): _ordinal(v) for k, v in time.dates.items()}
            found = c.raw(time.wave).map(plain_code)
            found = found.where(found.isin(list(dates)), c.words(time.wave))  # by code, or by its word
            unknown = sorted({str(v) for v in found.dropna() if v not in dates})
            if unknown:
                raise InputRefused(
                    f"{c.file.name}: time.dates has no month for wave {', '.join(unknown[:5])} "
                    f"of column {time.wave}"
                )
            return found.map(dates).astype(float)
        year = c.numbers(str(time.year))
        odd = year.notna() & ~year.between(_FIRST_YEAR, _LAST_YEAR)
        if odd.any():
            raise InputRefused(
                f"{c.file.name}: row {c.row_number(odd)}: {time.year} is {year[odd].iloc[0]:g} (in "
                f"{int(odd.sum())} rows): write years with four digits; "
                f"columns: {{{time.year}_4: 1900 + {time.year}}} makes them"
            )
        for name, most, step in ((time.half_year, 2, 6), (time.quarter, 4, 3), (time.month, 12, 1)):
            if name is not None:
                part = c.numbers(name)
                return (year * 12 + step * part - 1).where(part.between(1, most))
        return year * 12 + 11

    def _refuse_bad_keys(self, t: pd.DataFrame) -> None:
        c, time = self.columns, self.plan.time
        keys = ["household_id", "month", *(["member_id"] if "member_id" in t else [])]
        bad = t[keys].isna().any(axis=1)
        names = [*self.plan.unit_columns, *([self.plan.person] if self.plan.person else []), *time.columns]
        words = ", ".join(dict.fromkeys(names)) + (" (1–4)" if time.quarter else "")
        if bad.any():
            raise InputRefused(
                f"{c.file.name}: row {self._row(bad)}: {words} must be given (in {int(bad.sum())} rows "
                "they are not); leave such rows out with keep"
            )
        key = keys if self.plan.persons.kind == "roster" else ["household_id", "month"]
        twice = t.duplicated(key)
        if twice.any():
            raise InputRefused(
                f"{c.file.name}: row {self._row(twice)}: {words}: this observation stands twice "
                f"({int(twice.sum())} such rows)"
            )

    def _row(self, which: pd.Series) -> int:
        place = int(which.to_numpy().argmax())
        return int(self.columns.rows["_row"].iloc[place]) + self.columns.file.first_row

    def _recorded_on(self) -> pd.Series:
        if self.plan.time.recorded_on is None:
            return self.t["on"]
        self.columns.need([self.plan.time.recorded_on], "time.recorded_on")
        raw = self.columns.raw(self.plan.time.recorded_on)
        return _days(raw, self.plan.time.date_format).fillna(self.t["on"])

    def figure(self, given: Figure, where: str, strict: bool = True) -> pd.Series:
        """Return a figure in the order of the observations."""
        return self.columns.figure(given, where, strict)

    @cached_property
    def per_household(self) -> pd.DataFrame:
        """One row an observation of a household."""
        return self.t[self.first_of_observation]

    # ---------------------------------------------------------------- tables

    def households(self) -> pd.DataFrame:
        """Return one row an observation, or only the first."""
        place, design, c = self.plan.place, self.plan.design, self.columns
        t = self.t
        region = pd.Series("all", index=t.index, dtype=object)
        if place.region:
            region = c.text(place.region, "place.region", place.words).fillna(place.otherwise)
        if design.strata:
            stratum = c.text(design.strata, "design.strata")
            if stratum.isna().any():
                raise InputRefused(
                    f"{c.file.name}: row {self._row(stratum.isna())}: design.strata: no stratum is given (in "
                    f"{int(stratum.isna().sum())} rows)"
                )
            region = region + "/" + stratum.astype(str) if place.region else stratum
        cluster = t["household_id"]
        named = design.psu or place.cluster
        if named:
            cluster = c.text(named, "design.psu" if design.psu else "place.cluster").fillna(cluster)
        out = pd.DataFrame(
            {"household_id": t["household_id"], "township": region.fillna("unknown"), "village": cluster,
             "registration": "general"}
        )  # fmt: skip
        if design.weight:
            out["weight"] = self._weight(design.weight)
        out["valid_from"], out["recorded_on"] = t["on"].dt.date, t["recorded_on"].dt.date
        out = out[self.first_of_observation]
        if place.first:
            out = out.drop_duplicates("household_id")
        return out.astype(dict.fromkeys(("household_id", "township", "village"), str)).reset_index(drop=True)

    def _weight(self, given: str) -> pd.Series:
        values = self.figure(given, "design.weight")
        wrong = values < 0
        if wrong.any():
            raise InputRefused(
                f"{self.columns.file.name}: row {self._row(wrong)}: design.weight is "
                f"{values[wrong].iloc[0]:g} (in {int(wrong.sum())} rows): a weight is 0 or more; name codes "
                "of no answer in missing"
            )
        by = values.groupby([self.t["household_id"], self.t["month"]])
        differs = (by.transform("max") - by.transform("min") > 0) & self.first_of_observation
        if differs.any():
            self.told.append(
                f"{int(differs.sum())} observations have persons of different weights: the first one's is "
                "taken"
            )
        return values

    @cached_property
    def persons(self) -> pd.Series:
        """How many persons live there; empty where it is not given."""
        if self.plan.persons.size is not None:
            given = self.figure(self.plan.persons.size, "persons.size")
            wrong = given.notna() & ~((given >= 1) & (given % 1 == 0))
            if wrong.any():
                self.told.append(
                    f"{int(wrong.sum())} observations give {given[wrong].iloc[0]:g} as the number of "
                    "persons: taken as not known"
                )
            return given.mask(wrong)
        return self.t.groupby(["household_id", "month"])["month"].transform("size").astype(float)

    def members(self) -> pd.DataFrame:
        """Return the persons, listed or imputed from their numbers."""
        spec, t = self.plan.persons, self.t
        if spec.kind == "count":
            size = self.persons
            counts = {
                name: self._optional(given, f"persons.{name}")
                for name, given in (("children", spec.children), ("old", spec.old))
            }
            more = counts["children"].fillna(0) + counts["old"].fillna(0) > size
            if more.any():
                self.told.append(
                    f"{int(more.sum())} observations count more children and old persons than persons: "
                    "taken as not known"
                )
                counts = {name: values.mask(more) for name, values in counts.items()}
            age = self._optional(spec.head.age, "persons.head.age")
            sex = self._sex(spec.head.sex, spec.head.male, spec.head.female, "persons.head.sex")
            family = (~self._same()).groupby(t["household_id"]).cumsum()
            # A head once recorded stays while it is the same family, also where its age is not recorded.
            age, sex = (v.groupby([t["household_id"], family]).ffill() for v in (age, sex))
            who = t[["household_id", "on", "recorded_on"]].assign(family=family)
            known = size.notna()
            members = counted_members(
                who[known].reset_index(drop=True), size[known].reset_index(drop=True),
                {k: v[known].reset_index(drop=True) for k, v in counts.items()},
                age[known].reset_index(drop=True), sex[known].reset_index(drop=True),
            )  # fmt: skip
            return members
        member = t["household_id"] + "-1" if spec.kind == "person" else t["member_id"]
        sex = self._sex(spec.sex, spec.male, spec.female, "persons.sex")
        head = pd.Series(spec.kind == "person", index=t.index)
        if spec.is_head:
            head = self.figure(spec.is_head, "persons.is_head", strict=False) == 1
        who = pd.DataFrame(
            {"member_id": member, "household_id": t["household_id"], "birth_month": self.birth, "sex": sex,
             "relation": head.map({True: "head", False: None}), "on": t["on"], "month": t["month"],
             "recorded_on": t["recorded_on"]}
        )  # fmt: skip
        return listed_members(who)

    def _optional(self, given: str | None, where: str) -> pd.Series:
        """Return a figure that can be done without; told where its columns are absent."""
        nothing = pd.Series(np.nan, index=self.t.index)
        if given is None:
            return nothing
        try:
            return self.figure(given, where, strict=False)
        except InputRefused as exc:
            self.told.append(f"left out: {exc}")
            return nothing

    def _sex(self, given: str | None, male: Sequence[Any], female: Sequence[Any], where: str) -> pd.Series:
        if given in (None, "male", "female"):
            return pd.Series(given, index=self.t.index, dtype=object)
        if given not in self.columns.names:
            self.told.append(f"left out: {where}: no column {given}")
            return pd.Series(None, index=self.t.index, dtype=object)
        return sex_of(self.columns.raw(given).map(plain_code), self.columns.words(given), male, female)

    @cached_property
    def birth(self) -> pd.Series:
        """Return birth months: given, or from completed years of age."""
        spec = self.plan.persons
        year = pd.Series(float(_BIRTH), index=self.t.index)
        if spec.born is not None and spec.born in self.columns.names:
            text = self.columns.words(spec.born).astype(object)
            months = text.astype(str).str.fullmatch(r"\d{4}-\d{2}")
            if months.any():
                return text.where(months, f"{_BIRTH}-07")
        if spec.born is not None:
            year = self.figure(spec.born, "persons.born").fillna(_BIRTH)
            return year.astype(int).astype(str) + "-07"
        age = self._optional(spec.age, "persons.age")
        # Completed years say a birthday within twelve months; half a year earlier is the middle.
        months = self.t["month"] - age * 12 - 6
        unknown = months.isna()
        if unknown.any():
            self.told.append(f"{int(unknown.sum())} rows give no age: born in {_BIRTH} (imputed)")
        ordinal = months.fillna(_BIRTH * 12 + 6).astype(int)
        return (ordinal // 12).astype(str) + "-" + (ordinal % 12 + 1).astype(str).str.zfill(2)

    def _same(self) -> pd.Series:
        values = {name: self._optional(name, f"persons.same.{name}") for name in self.plan.persons.same}
        return same_household(self.t["household_id"], values, self.plan.persons.same)

    def _children(self) -> pd.Series:
        """Return how many persons count as children in an equivalence scale."""
        spec = self.plan.persons
        if spec.scale not in ("oecd", "oecd_modified"):
            return pd.Series(0.0, index=self.t.index)
        if spec.kind == "count":
            if spec.children is None:
                raise InputRefused(f"persons.scale: {spec.scale} needs persons.children")
            return self.figure(spec.children, "persons.children")
        if spec.age is None and spec.born is None:
            raise InputRefused(f"persons.scale: {spec.scale} needs persons.age or persons.born")
        years = self.birth.str.slice(0, 4).astype(int)
        child = (self.t["month"] // 12 - years) < 14
        return child.groupby([self.t["household_id"], self.t["month"]]).transform("sum").astype(float)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return all tables."""
        money = PanelAmounts(self.columns, self.plan, self.t, self.persons, self._children)
        amounts, answered, divisible = money.by_source()
        rows, first = self.t, self.first_of_observation
        known = answered & divisible
        spans = self._spans(rows["month"])
        income = amounts.assign(
            household_id=rows["household_id"], **spans, recorded_on=rows["recorded_on"].dt.date
        )
        income = income[known & first]
        keys = ["household_id", *spans, "recorded_on"]
        long = income.melt(keys, var_name="source", value_name="amount")
        # One amount stays even where all are 0, so that no income is a known 0 and not an unknown.
        kept = next(iter(amounts))
        long = long[long["amount"].notna() & ((long["amount"] != 0) | (long["source"] == kept))]
        long["amount"] = long["amount"].round(4)
        order = ["household_id", *spans, "source", "amount", "recorded_on"]
        long = long[order].sort_values([*order[:-2]], kind="stable", ignore_index=True)
        out = {"households": self.households(), "members": self.members(), "income": long}
        if self.plan.coverage == "stated":
            out["recorded"] = self._covered(known & first)
            lost = first & ~answered
            if lost.any():
                out["unrecorded"] = self._covered(lost).assign(why=NO_ANSWER)
                self.told.append(
                    f"{int(lost.sum())} observations give no {self.plan.income.kind}: unrecorded"
                )
        uncounted = first & answered & ~divisible
        if uncounted.any():
            what = (
                "persons" if self.persons[uncounted].isna().all() else "persons, or children (persons.scale)"
            )
            self.told.append(f"{int(uncounted.sum())} observations do not say how many {what}: unrecorded")
            without = self._covered(uncounted).assign(why=NO_ANSWER)
            out["unrecorded"] = pd.concat([out["unrecorded"], without] if "unrecorded" in out else [without])
        if self.plan.indicators:
            out["indicators"] = self._indicators()
        return out

    def _spans(self, month: pd.Series) -> dict[str, pd.Series]:
        length = SPANS[self.plan.income.covers]
        if length == 1:
            return {"month": _month_texts(month)}
        return {"month_from": _month_texts(month - length + 1), "month_to": _month_texts(month)}

    def _covered(self, which: pd.Series) -> pd.DataFrame:
        t = self.t[which]
        month = t["month"]
        first = _month_texts(month - SPANS[self.plan.income.covers] + 1)
        return pd.DataFrame(
            {"household_id": t["household_id"].astype(str), "of": "income", "month_from": first,
             "month_to": _month_texts(month), "recorded_on": t["recorded_on"].dt.date}
        ).reset_index(drop=True)  # fmt: skip

    def _indicators(self) -> pd.DataFrame:
        values: dict[str, pd.Series] = {}
        for item, spec in self.plan.indicators.items():
            try:
                values[item] = self._indicator(spec, f"indicators.{item}")
            except InputRefused as exc:
                self.told.append(f"left out: {exc}")
        t = self.t
        wide = pd.DataFrame(values, index=t.index).assign(
            household_id=t["household_id"].astype(str),
            date=t["on"].dt.date,
            recorded_on=t["recorded_on"].dt.date,
        )
        wide = wide[self.first_of_observation]
        rows = wide.melt(["household_id", "date", "recorded_on"], var_name="item", value_name="value")
        rows = rows[np.isfinite(rows["value"].astype(float))]
        rows = rows[["household_id", "date", "item", "value", "recorded_on"]]
        return rows.sort_values(["household_id", "date", "item"], ignore_index=True)

    def _indicator(self, spec: IndicatorMap, where: str) -> pd.Series:
        if not (spec.codes or spec.ones or spec.zeros):
            values = self.figure(spec.column, where, strict=False)
            return values.mask(values.map(plain_code).isin({plain_code(m) for m in spec.missing}))
        self.columns.need([spec.column], where)
        code = self.columns.raw(spec.column).map(plain_code)
        word = self.columns.words(spec.column)
        if spec.codes:
            known = {plain_code(k): float(v) for k, v in spec.codes.items()}
            return code.map(known).fillna(word.map(known)).astype(float)
        ones, zeros, missing = (
            {plain_code(v) for v in given} for given in (spec.ones, spec.zeros, spec.missing)
        )
        is_one = code.isin(ones) | word.isin(ones)
        given = is_one | code.isin(zeros) | word.isin(zeros) if zeros else code.notna()
        given &= ~(code.isin(missing) | word.isin(missing))
        return is_one.astype(float).where(given)

    def about(self) -> dict[str, Any]:
        """Return what ``about.yaml`` says; the map's own words go first."""
        plan, money = self.plan, self.plan.money
        # A month without an observation is not judged by the one before; a total is known from its last day.
        lag = "max_lag_months" if plan.income.covers == "month" else "entry_lag_months"
        out: dict[str, Any] = {"income_is_net": True, lag: 0}
        if plan.income.covers == "year":
            out["stale_after_months"] = 11  # the wave before does not stand for one that was missed
        out["unit_of"] = "person" if plan.persons.kind == "person" else "household"
        if money.currency and "unit" not in plan.about:
            per = {"month": "a month", "year": "a year"}.get(plan.income.covers, f"a {plan.income.covers}")
            out["unit"] = f"{money.currency} {per}" + (", deflated" if money.deflator else "")
        if plan.design.strata:
            out["strata"] = True
        welfare = "flag" if plan.income.poor is not None else plan.income.kind
        if welfare != "income":
            out["welfare"] = welfare
        if "data_through" not in plan.about and plan.coverage == "stated":
            out["data_through"] = self.t["on"].max().date()
        return {**out, **plan.about}


def _whole_numbers(ids: pd.Series) -> pd.Series:
    """Return ids that were all written as 101.0 as 101."""
    given = ids.dropna().astype(str)
    if len(given) and given.str.fullmatch(r"\d+\.0+").all():
        return ids.map(lambda one: one if one is None or one != one else str(one).split(".")[0])
    return ids


def _days(raw: pd.Series, form: str) -> pd.Series:
    """Return days; what is written otherwise than in the form is empty, never guessed at."""
    if pd.api.types.is_datetime64_any_dtype(raw):
        return raw
    return pd.to_datetime(raw.astype(str).where(raw.notna()), errors="coerce", format=form)


def _ordinal(text: str) -> int:
    year, _, month = text.partition("-")
    return int(year) * 12 + int(month or 12) - 1


def _month_texts(ordinal: pd.Series) -> pd.Series:
    whole = ordinal.astype(int)
    return (whole // 12).astype(str) + "-" + (whole % 12 + 1).astype(str).str.zfill(2)


def _month_ends(ordinal: pd.Series) -> pd.Series:
    whole = ordinal.astype(int)
    first = pd.to_datetime({"year": whole // 12, "month": whole % 12 + 1, "day": 1})
    return first + pd.offsets.MonthEnd(0)


def panel_tables(file: PanelFile, plan: PanelMap) -> PanelTables:
    """Read a panel by its map.

    Parameters
    ----------
    file
        Its rows and words.
    plan
        Its map.

    Returns
    -------
    PanelTables
        Tables, ``about.yaml``, and what was left out.

    Raises
    ------
    InputRefused
        If an id, a time or an income cannot be read.
    """
    reading = _Reading(file, plan)
    tables = reading.tables()
    order = [name for name in contract().tables if name in tables]
    waves = reading.per_household.groupby("month").size()
    counts = dict(zip(_month_texts(waves.index.to_series()), map(int, waves), strict=True))
    return PanelTables({name: tables[name] for name in order}, reading.about(), reading.told, counts)
