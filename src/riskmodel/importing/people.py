"""Households and members of all sheets together: who there is, under which number, and what contradicts.

Identity numbers join the sheets and are dropped here; what goes on holds no number, no name, no telephone.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from riskmodel.data import contract, month_ordinal
from riskmodel.importing.findings import Findings, cell_place
from riskmodel.importing.id_reading import PersonNumber, person_key
from riskmodel.importing.particulars import add_particulars, split_particulars
from riskmodel.importing.place_names import settle_spellings
from riskmodel.importing.sheet_rows import SheetRows
from riskmodel.importing.snapshots import (
    count_changes,
    dated_by_list,
    household_history,
    member_history,
    person_keys,
    snapshot_days,
)
from riskmodel.importing.states import (
    has_fault,
    is_stated,
    may_be_same_person,
    read_type,
    settle_registration,
    take_blank_grades,
    take_blank_schooling,
    take_departures,
    take_dropouts,
    take_named_grades,
    unknown_persons,
)
from riskmodel.io import records

_HOUSEHOLD = (
    "township", "village", "registration", "lifted_year", "dibao", "tekun", "group", "relocated",
    "housing_safe", "water_safe", "no_labour_fallback", "policy_status", "origin_cause", "registration_raw",
)  # fmt: skip
_AS_TYPED = ("registration_raw", "origin_cause")  # kept, and of no consequence where rows differ
_OF_ANYBODY = ("dibao", "tekun")
_REQUIRED = ("township", "village", "registration")
_OF_MEMBERS_SHEETS = (
    "person_number",
    "name",
    "insured_employee",
    "education",
    "dropout_reason",
    "dropped_out",
)


@dataclass
class People:
    """The households and members of a county.

    Parameters
    ----------
    households, members
        Tables of the contract.
    unrecorded
        Rows of ``unrecorded`` for households one of whose members' rows is out.
    places
        ``(file, sheet, row)`` of each household's first row.
    persons
        Person key to ``(member_id, household_id, from, to)``.
    names
        ``(household_id, name)`` to member ids.
    lists
        Days of lists that are compared.
    """

    households: pd.DataFrame
    members: pd.DataFrame
    unrecorded: list[dict[str, Any]] = field(default_factory=list)
    persons: dict[str, list[tuple[str, str, dt.date | None, dt.date | None]]] = field(default_factory=dict)
    names: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    member_households: dict[str, list[tuple[str, dt.date | None, dt.date | None]]] = field(
        default_factory=dict
    )
    member_keys: dict[str, str] = field(default_factory=dict)
    lists: tuple[dt.date, ...] = ()

    @cached_property
    def known(self) -> set[str]:
        """The numbers of all households."""
        return set(self.households["household_id"])


def collect_people(sheets: Sequence[SheetRows], findings: Findings) -> People:
    """Return households and members of all sheets.

    Parameters
    ----------
    sheets
        What every sheet gave.
    findings
        Gets what is rejected, asked and told.
    """
    members = _stack(sheets, "members")
    households = _stack(sheets, "households")
    _recover_numbers(sheets, households, members, findings)
    people = People(_households(households, findings), pd.DataFrame())
    _members(members, people, findings)
    return people


def _stack(sheets: Sequence[SheetRows], table: str) -> pd.DataFrame:
    frames = []
    for order, sheet in enumerate(sheets):
        for frame in sheet.tables.get(table, []):
            once = any(t.table == table and t.once for t in sheet.spec.tables)
            place = sheet.spec.township or sheet.layout.facts.township
            day = sheet.snapshot_on or sheet.recorded_on
            frames.append(frame.assign(order_=order, once_=once, said_township=place or None, day_=day))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _recover_numbers(
    sheets: Sequence[SheetRows], households: pd.DataFrame, members: pd.DataFrame, findings: Findings
) -> None:
    """Give rows whose household number Excel has rounded the number that their member number begins with.

    Only where the member numbers of all other rows are their household's number and two or more further
    digits.
    """
    if not len(members) or not {"household_id", "member_id"} <= set(members):
        return
    both = members[members["household_id"].notna() & members["member_id"].notna()]
    extra = {
        len(m) - len(h) if m.startswith(h) else -1
        for h, m in zip(both["household_id"], both["member_id"], strict=True)
    }
    lost = (
        members["household_id"].isna()
        & members["member_id"].notna()
        & has_fault(members, "household_id", "rounded id")
    )
    if len(extra) != 1 or not lost.any() or (cut := extra.pop()) <= 0 or len(both) < 20:
        return
    for at in members.index[lost]:
        row = members.loc[at]
        found = str(row["member_id"])[:-cut]
        members.at[at, "household_id"] = found
        findings.add("asked", "number recovered", cell_place(row), text=found, household_id=found)
        same = (
            (households["file"] == row["file"])
            & (households["sheet"] == row["sheet"])
            & (households["row"] == row["row"])
        )
        households.loc[same, "household_id"] = found


def _households(rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    columns = ["household_id", *_HOUSEHOLD, "valid_from", "recorded_on"]
    if not len(rows):
        return pd.DataFrame(columns=columns)
    for name in (*columns, "lifted", "said_township"):
        if name not in rows:
            rows[name] = None
    for row in records(rows[rows["household_id"].isna()]):
        kind = "rounded number" if "household_id:rounded id" in row["faults"] else "no household number"
        findings.add("rejected", kind, cell_place(row))
    rows = rows[rows["household_id"].notna()].copy()
    rows["township"] = rows["township"].where(rows["township"].notna(), rows["said_township"])
    settle_spellings(rows, findings)
    settle_registration(rows)
    read_type(rows)
    rows = rows.assign(valid_from=rows["valid_from"].where(rows["valid_from"].notna(), None))
    _take_dates(rows)
    days = snapshot_days(rows[rows["registration"].notna()], rows["household_id"])
    if days:
        rows = dated_by_list(rows, days)
    # One sheet is the county's list of households; others may add what it leaves open, not change it.
    fullness = rows.groupby("order_")[list(_HOUSEHOLD)].apply(lambda f: int(f.notna().any().sum()))
    sizes = rows.groupby("order_")["household_id"].nunique()
    rank = {order: (-fullness[order], -sizes[order]) for order in fullness.index}
    rows["rank_"] = rows["order_"].map(rank)
    rows = rows.sort_values("rank_", kind="stable")
    frame = _one_each(rows, columns, findings)
    missing = frame[list(_REQUIRED)].isna()
    first = rows.drop_duplicates(["household_id", "valid_from"])
    for at in frame.index[missing.any(axis=1)]:
        lacking = ", ".join(name for name in _REQUIRED if missing.at[at, name])
        row = records(first.iloc[[at]])[0]
        place, _ = findings.cell_of(row, *(f"households.{n}" for n in _REQUIRED if missing.at[at, n]))
        household = frame.at[at, "household_id"]
        findings.add("rejected", "household incomplete", place, household_id=household, columns=lacking)
    frame = frame[~missing.any(axis=1)].reset_index(drop=True)
    if not days:
        return frame
    stated = [name for name in _HOUSEHOLD if name not in _AS_TYPED]
    history = pd.DataFrame(household_history(records(frame), stated, days), columns=columns).astype(object)
    return history.where(history.notna(), None)


def _one_each(rows: pd.DataFrame, columns: Sequence[str], findings: Findings) -> pd.DataFrame:
    """Return one row for each household and date, in the order in which they come first."""
    key = ["household_id", "valid_from"]
    number = rows.groupby(key, sort=False, dropna=False).ngroup()
    values = rows[[*_HOUSEHOLD, "recorded_on"]].groupby(number, sort=True).first()
    frame = rows.drop_duplicates(key)[key].reset_index(drop=True).join(values)
    frame = frame.astype(object)
    distinct = rows[list(_HOUSEHOLD)].groupby(number, sort=True).nunique()
    for name in _OF_ANYBODY:  # said of each member: one who has it is enough
        several = distinct[name] > 1
        frame.loc[several, name] = rows[name].eq(True).groupby(number, sort=True).any()[several]
    contradicting = distinct.drop(columns=[*_OF_ANYBODY, *_AS_TYPED]) > 1
    members = rows.groupby(number.to_numpy()).indices
    for at in contradicting.index[contradicting.any(axis=1)]:
        group = rows.iloc[members[at]]
        for name in contradicting.columns[contradicting.loc[at]]:
            frame.at[at, name] = _one_value(str(name), group, frame.at[at, "household_id"], findings)
    return frame.where(frame.notna(), None)[list(columns)]


def _take_dates(rows: pd.DataFrame) -> None:
    """Take rows of sheets that date no state for the newest one that another sheet dates."""
    dated = rows[rows["valid_from"].notna()]
    if len(dated):
        newest = dated.groupby("household_id")["valid_from"].max()
        bare = ~is_stated(rows, "valid_from") & rows["household_id"].isin(list(newest.index))
        rows.loc[bare, "valid_from"] = rows.loc[bare, "household_id"].map(newest)


def _one_value(name: str, group: pd.DataFrame, household: Any, findings: Findings) -> Any:
    """Return what a household's rows say of one column; contradicting rows are asked about."""
    values = [v for v in group[name] if v is not None and not pd.isna(v)]
    distinct = list(dict.fromkeys(values))
    if len(distinct) <= 1:
        return distinct[0] if distinct else None
    first_order = [
        v
        for v, o in zip(group[name], group["order_"], strict=True)
        if o == group["order_"].iloc[0] and v is not None and not pd.isna(v)
    ]
    findings.add(
        "asked", "household contradicts", cell_place(records(group)[0]),
        text=" / ".join(map(str, distinct))[:60], household_id=household, column=f"households.{name}",
    )  # fmt: skip
    return first_order[0] if first_order else distinct[0]


# ---------------------------------------------------------------- members


def _members(rows: pd.DataFrame, people: People, findings: Findings) -> None:
    spec = contract().tables["members"].columns
    columns = [*spec, "recorded_on"]
    if not len(rows):
        people.members = pd.DataFrame(columns=columns)
        return
    for name in (*columns, *_OF_MEMBERS_SHEETS):
        if name not in rows:
            rows[name] = None
    rows, more = split_particulars(rows)
    _from_numbers(rows, findings)
    _insured(rows, findings)
    take_named_grades(rows, findings)
    take_blank_grades(rows)
    take_blank_schooling(rows)
    take_dropouts(rows, findings)
    take_departures(rows, findings)
    known = people.known
    bad = rows["household_id"].isna() | rows["birth_month"].isna()
    if known:
        bad |= ~rows["household_id"].isin(known)
    for row in records(rows[bad]):
        why = _member_fault(row, known)
        household = row["household_id"] or ""
        place, text = cell_place(row), ""
        if why != "broken row":
            name = "members.birth_month" if why == "no birth month" else "members.household_id"
            place, text = findings.cell_of(row, name)
        findings.add("rejected", why, place, text=text, household_id=household)
        if household:
            people.unrecorded.append(unknown_persons(row))
    rows = rows[~bad].copy()
    rows["key_"] = person_keys(rows)
    _derive_member_ids(rows)
    days = snapshot_days(rows, rows["key_"])
    if days:
        rows = _over_time(rows, people, days, findings)
    rows = _once_each(rows, people, findings)
    _index_persons(rows, people)
    add_particulars(rows, more, findings)
    _ask_heads(rows, findings)
    frame = rows[columns].astype(object)
    people.members = frame.where(frame.notna(), None).reset_index(drop=True)


def _over_time(
    rows: pd.DataFrame, people: People, days: Sequence[dt.date], findings: Findings
) -> pd.DataFrame:
    """Return the members of lists of several days as one history; tell who came, went and changed."""
    homes = dict(zip(people.households["household_id"], people.households["township"], strict=True))
    twice = rows[["key_", "household_id", "day_"]].duplicated()
    for row in records(rows[twice]):
        findings.add("rejected", "member twice", cell_place(row), household_id=row["household_id"])
    columns = [
        c
        for c in contract().tables["members"].columns
        if c not in ("valid_from", "valid_to", "change_reason") and not c.endswith("_raw")
    ]
    out = member_history(rows[~twice], columns, days, homes)
    shown = " → ".join(day.isoformat() for day in days)
    findings.add("told", "lists compared", ("", "", ""), text=shown, **count_changes(out, days))
    people.lists = tuple(days)
    return out


def _member_fault(row: Mapping[Any, Any], known: set[str]) -> str:
    faults = str(row["faults"])
    if faults == "row:broken":
        return "broken row"
    if row["household_id"] is None or pd.isna(row["household_id"]):
        return "rounded number" if "household_id:rounded id" in faults else "no household number"
    if known and row["household_id"] not in known:
        return "unknown household"
    return "no birth month"


def _from_numbers(rows: pd.DataFrame, findings: Findings) -> None:
    """Take birth month, sex and grade from identity numbers where columns are open; ask where they differ."""
    numbered = rows[[isinstance(number, PersonNumber) for number in rows["person_number"]]]
    for at, row in zip(numbered.index, records(numbered), strict=True):
        number = row["person_number"]
        born = month_ordinal(*number.birth)
        if row["birth_month"] is None or pd.isna(row["birth_month"]):
            rows.at[at, "birth_month"] = born
        elif int(row["birth_month"]) != born:
            findings.add(
                "asked", "birth contradicts number", cell_place(row), household_id=row["household_id"] or ""
            )
        if row["sex"] is None or pd.isna(row["sex"]):
            rows.at[at, "sex"] = number.sex
        elif row["sex"] != number.sex:
            findings.add(
                "asked", "sex contradicts number", cell_place(row), household_id=row["household_id"] or ""
            )
        if number.grade and (row["disability_grade"] is None or pd.isna(row["disability_grade"])):
            rows.at[at, "disability_grade"] = number.grade


def _insured(rows: pd.DataFrame, findings: Findings) -> None:
    """Join the two insurances: one yes is yes, two no are no, one no and one blank say nothing."""
    employee = rows["insured_employee"]
    if employee.isna().all():
        return
    resident = rows["insured"]
    for row in records(rows[resident.eq(True) & employee.eq(True)]):
        findings.add("asked", "two insurances", cell_place(row))
    either = resident.eq(True) | employee.eq(True)
    neither = resident.eq(False) & employee.eq(False)
    rows["insured"] = [True if e else False if n else None for e, n in zip(either, neither, strict=True)]


def _derive_member_ids(rows: pd.DataFrame) -> None:
    """Give members without a number one: their household's, and their place in it."""
    blank = rows["member_id"].isna()
    if not blank.any():
        return
    keys = rows["person_number"].map(person_key)
    numbered: Counter[str] = Counter()
    by_person: dict[tuple[str, str], str] = {}
    for at in rows.index[blank]:
        household, key = str(rows.at[at, "household_id"]), keys[at]
        # Without an identity number, a person of another day's list is known by household, birth and sex.
        key = str(key or rows.at[at, "key_"])
        if (household, key) in by_person:
            rows.at[at, "member_id"] = by_person[household, key]
            continue
        numbered[household] += 1
        member = f"{household}-{numbered[household]:02d}"
        rows.at[at, "member_id"] = by_person[household, key] = member


def _once_each(rows: pd.DataFrame, people: People, findings: Findings) -> pd.DataFrame:
    """Keep one of equal rows; of rows that differ under one number and date, the first, and ask."""
    key = rows[["member_id", "household_id"]].assign(from_=rows["valid_from"].map(str))
    again = key.duplicated()
    first = rows[~again].set_index(pd.MultiIndex.from_frame(key[~again]))
    for at, row in zip(rows.index[again], records(rows[again]), strict=True):
        kept = first.loc[[tuple(key.loc[at])]].iloc[0]
        others = not may_be_same_person(row, kept)
        kind = "number of two members" if others else "member twice"
        place, text = findings.cell_of(row, "members.member_id")
        findings.add("rejected", kind, place, text=text, household_id=row["household_id"])
        if others:  # nobody is lost: how many persons there are is not known
            people.unrecorded.append(unknown_persons(row))
    return rows[~again]


def _index_persons(rows: pd.DataFrame, people: People) -> None:
    names = ("member_id", "household_id", "valid_from", "valid_to", "person_number", "name")
    plain = rows[list(names)].astype(object)
    plain = plain.where(plain.notna(), None)
    for member, household, start, end, number, name in plain.itertuples(index=False, name=None):
        if key := person_key(number):
            people.persons.setdefault(key, []).append((member, household, start, end))
            people.member_keys[member] = key
        people.member_households.setdefault(member, []).append((household, start, end))
        if name:
            people.names.setdefault((household, plain_name(name)), set()).add(member)


def plain_name(name: object) -> str:
    """Return a name as it is compared: without remarks (陈永芳（户主）) and blanks."""
    return "".join(str(name).split()).partition("(")[0].partition("（")[0]


def _ask_heads(rows: pd.DataFrame, findings: Findings) -> None:
    """Ask where a household has two heads or two spouses at one time."""
    current = rows[rows["valid_to"].isna()]
    for relation, kind in (("head", "two heads"), ("spouse", "two spouses")):
        some = current[current["relation"].eq(relation)]
        for row in records(some[some.duplicated("household_id")]):
            findings.add("asked", kind, cell_place(row), household_id=row["household_id"])


def collect_links(sheets: Sequence[SheetRows], people: People, findings: Findings) -> pd.DataFrame:
    """Return the changes of household numbers; those of unknown numbers are out."""
    columns = [*contract().tables["household_links"].columns, "recorded_on"]
    good = []
    for sheet in sheets:
        for frame in sheet.tables.get("household_links", []):
            for row in records(frame.astype(object).where(frame.notna(), None)):
                missing = [n for n in ("old_id", "new_id", "kind", "date") if not row.get(n)]
                if missing:
                    findings.add(
                        "rejected", "required cell", cell_place(row), column=f"household_links.{missing[0]}"
                    )
                elif people.known and not {row["old_id"], row["new_id"]} & people.known:
                    findings.add(
                        "rejected",
                        "link to nowhere",
                        cell_place(row),
                        text=f"{row['old_id']} → {row['new_id']}",
                    )
                else:
                    good.append(row)
    frame = pd.DataFrame(good).reindex(columns=columns).astype(object)
    return frame.where(frame.notna(), None).drop_duplicates().reset_index(drop=True)


def recoded_numbers(links: pd.DataFrame) -> dict[str, tuple[str, int]]:
    """Return the old numbers of recodes with the new one and its first whole month."""
    out: dict[str, tuple[str, int]] = {}
    for row in records(links):
        if row["kind"] == "recode":
            day = row["date"]
            out[row["old_id"]] = row["new_id"], day.year * 12 + day.month - 1 + (day.day > 1)
    return out


def ask_missing_links(people: People, links: pd.DataFrame, findings: Findings) -> dict[str, str]:
    """Ask where all members of a household go on under another number and no link says so.

    Returns
    -------
    dict
        Old number to the new one that is proposed; nothing is linked before a person confirms it.
    """
    linked = set(links["old_id"]) | set(links["new_id"]) if len(links) else set()
    homes: dict[str, set[str]] = {}
    for key, places in people.persons.items():
        for _, household, _, _ in places:
            homes.setdefault(household, set()).add(key)
    out: dict[str, str] = {}
    first = dict(zip(people.households["household_id"], people.households["valid_from"], strict=True))
    for household, keys in homes.items():
        if household in linked:
            continue
        others = {
            h for key in keys for _, h, _, _ in people.persons[key] if h != household and h not in linked
        }
        for other in sorted(others):
            shared = len(keys & homes[other])
            later = first.get(other) and (not first.get(household) or first[other] > first[household])
            if later and shared >= 0.5 * len(keys) and shared >= 1:
                out[household] = other
                text = f"{household} → {other}"
                findings.add(
                    "asked", "link missing", ("", "", ""), text=text, household_id=household, n=shared
                )
                break
    return out
