"""What lists say of members and households beyond their plain cells.

The worst of several illnesses, what a blank cell says beside others, who has left; and of a household's type
what it says of 脱贫, of the policies it enjoys, of 低保 and 特困供养.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel.importing.findings import Findings, cell_place
from riskmodel.importing.header_words import normalise_word, without_remark
from riskmodel.importing.id_reading import person_key
from riskmodel.importing.sheet_rows import is_empty
from riskmodel.importing.vocabulary import vocabulary
from riskmodel.io import records

# The worst of several illnesses in one cell.
_HEALTH_ORDER = ("major_illness", "chronic", "healthy")
# Of words that name no grade: an assumption, told.
_NAMED_GRADES = {"重度残疾": 2, "一般残疾": 3}
_SCHOOL_AGE = range(6, 16)  # completed years; compulsory schooling
_BOTH_STATED = 0.1  # a sheet where more rows state schooling and education does not want one of the two


def worst_health(codes: Sequence[str] | None) -> str | None:
    """Return the worst of several illnesses."""
    return next((code for code in _HEALTH_ORDER if code in (codes or ())), None)


def take_blank_grades(rows: pd.DataFrame) -> None:
    """Read a blank grade as none, where the sheet's own column of health names everybody who is disabled."""
    for _, part in rows.groupby("order_"):
        if "health_raw" not in part:
            return
        says = part["health_raw"].map(lambda text: "残" in str(text))
        graded = part["disability_grade"].notna()
        if graded.any() and says[graded].mean() >= 0.9:
            blank = part.index[~graded & ~says & part["health_raw"].notna()]
            rows.loc[blank, "disability_grade"] = 0


def take_blank_schooling(rows: pd.DataFrame) -> None:
    """Read a blank state of schooling as out of school where the level of education is filled in.

    The national system's sheet wants exactly one of the two; both blank say nothing.
    """
    for _, part in rows.groupby("order_"):
        both = part["schooling"].notna() & part["education"].notna()
        if part["schooling"].notna().any() and both.mean() < _BOTH_STATED:
            blank = part["schooling"].isna() & part["education"].notna() & ~has_fault(part, "schooling")
            rows.loc[part.index[blank], "schooling"] = "none"


def take_named_grades(rows: pd.DataFrame, findings: Findings) -> None:
    """Read 重度残疾 and 一般残疾 in the column of health as grades 2 and 3 where none is given."""
    if "health_raw" not in rows:
        return
    for word, grade in _NAMED_GRADES.items():
        named = (
            rows["health_raw"].map(lambda text, word=word: word in str(text))
            & rows["disability_grade"].isna()
        )
        rows.loc[named, "disability_grade"] = grade
        for row in records(rows[named]):
            household = row["household_id"] or ""
            findings.add(
                "told", "grade assumed", cell_place(row), text=word, household_id=household, given=grade
            )


def take_dropouts(rows: pd.DataFrame, findings: Findings) -> None:
    """Mark the children who have dropped out of compulsory school, which no word of schooling says.

    A child of school age who is out of school for a reason that does not excuse it has dropped out. Where
    only 是否失学辍学 says so, of the household or of a member, it is the one child that it can mean; else
    nobody is marked and it is asked. A child of school age of whom nothing is said is asked about.
    """
    age = pd.Series(
        [_age(b, d) for b, d in zip(rows["birth_month"], rows["day_"], strict=True)], index=rows.index
    )
    child = age.isin(_SCHOOL_AGE)
    out = child & (rows["schooling"].eq("none") | (rows["schooling"].isna() & ~has_fault(rows, "schooling")))
    reasons = rows["dropout_reason"].map(lambda text: without_remark(normalise_word(text)) if text else "")
    words = vocabulary()
    nothing = {word for word, code in words.words("booleans").items() if code == "false"}
    excused = reasons.isin(words.kinds["excused from school"])
    stated = reasons.ne("") & ~reasons.isin(nothing) & ~excused
    rows.loc[out & stated, "schooling"] = "dropped_out"
    flagged = rows["dropped_out"].eq(True)
    for household in dict.fromkeys(rows.loc[flagged, "household_id"].dropna()):
        own = rows["household_id"].eq(household)
        said = own & flagged
        meant = said if said.sum() < own.sum() else own  # of one member, or repeated on every row
        meant &= out & ~excused
        if (own & rows["schooling"].eq("dropped_out")).any():
            continue
        if meant.sum() == 1:
            rows.loc[meant, "schooling"] = "dropped_out"
        else:
            place = cell_place(records(rows[said])[0])
            findings.add("asked", "dropout without child", place, household_id=household)
    silent = out & rows["schooling"].isna() & rows["education"].isna() & reasons.eq("") & ~flagged
    asks = rows.groupby("order_")["schooling"].transform(lambda c: c.notna().any()).astype(bool)
    for row in records(rows[silent & asks]):
        findings.add("asked", "no schooling", cell_place(row), household_id=row["household_id"] or "")


def take_departures(rows: pd.DataFrame, findings: Findings) -> None:
    """End members who, a list says, have left or died without a day: they are gone from the list's day on."""
    leaving = vocabulary().kinds["leaving"]
    dead = rows["health_raw"].map(lambda text: "死亡" in str(text)) if "health_raw" in rows else False
    reason = rows["change_reason"].map(lambda text: without_remark(normalise_word(text)) if text else "")
    gone = (reason.isin(leaving) | dead) & rows["valid_to"].isna()
    rows.loc[gone & reason.eq(""), "change_reason"] = "死亡"
    rows["valid_to"] = rows["day_"].where(gone, rows["valid_to"])
    for row in records(rows[gone]):
        text, household = row["change_reason"], row["household_id"] or ""
        findings.add("asked", "left without a day", cell_place(row), text=text, household_id=household)


def may_be_same_person(row: Mapping[Any, Any], first: pd.Series) -> bool:
    """Say whether two rows of one number may be of one person: nothing that does not change differs."""
    if key := person_key(row["person_number"]):
        return bool(key == person_key(first["person_number"]))
    pairs = ((row[name], first[name]) for name in ("birth_month", "sex"))
    return all(is_empty(a) or is_empty(b) or a == b for a, b in pairs)


def unknown_persons(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row of ``unrecorded``: a member's row is out, and the household's persons are not known."""
    since = row.get("valid_from") or row.get("recorded_on")
    off = {"household_id": row["household_id"], "of": "members", "why": "row_rejected", "recorded_on": since}
    return off | dict.fromkeys(("item", "month_from", "month_to"))


def _age(birth: object, day: object) -> int | None:
    """Return completed years at a list's day, from the month of birth; None where either is not known."""
    if is_empty(birth) or not isinstance(day, dt.date):
        return None
    return (day.year * 12 + day.month - 1 - int(birth)) // 12  # type: ignore[call-overload]


def has_fault(frame: pd.DataFrame, column: str, fault: str = "") -> pd.Series:
    """Say of each row whether a column has a fault: the one named, or any."""
    wanted = f"{column}:{fault}"
    return frame["faults"].map(
        lambda text: any(f == wanted if fault else f.startswith(wanted) for f in str(text).split(";"))
    )


_PROGRAMMES = {"dibao": re.compile(r"低保"), "tekun": re.compile(r"特困|五保")}
_NOT = re.compile(r"非|不|无")


def settle_registration(rows: pd.DataFrame) -> None:
    """Settle household types that say nothing of 脱贫 by its year, or by 是否脱贫户."""
    open_type = rows["registration"].eq("?")
    blank = rows["registration"].isna()
    lifted = rows["lifted_year"].notna() | rows["lifted"].eq(True)
    stated = rows["lifted"].notna() | is_stated(rows, "lifted_year")
    rows.loc[(open_type | (blank & rows["lifted"].notna())) & lifted, "registration"] = "lifted"
    rows.loc[(open_type | (blank & rows["lifted"].notna())) & ~lifted & stated, "registration"] = "general"
    rows.loc[rows["registration"].eq("?"), "registration"] = None


def read_type(rows: pd.DataFrame) -> None:
    """Take from a household's type what no column says: 脱贫不享受政策户, 低保脱贫户, 特困供养脱贫户.

    A type that names both programmes (低保特困供养户) says of neither whether the household has it.
    """
    typed = rows["registration_raw"].map(lambda text: str(text or ""))
    said = [
        "no_policy" if "不" in t and "享受" in t else "with_policy" if "享受" in t else None for t in typed
    ]
    _fill(rows, "policy_status", said)
    found = {name: typed.map(lambda t, p=pattern: bool(p.search(t))) for name, pattern in _PROGRAMMES.items()}
    one = ~(found["dibao"] & found["tekun"]) & ~typed.map(lambda t: bool(_NOT.search(t)))
    for name, has in found.items():
        _fill(rows, name, [True if yes else None for yes in has & one])


def _fill(rows: pd.DataFrame, name: str, said: Sequence[Any]) -> None:
    own = pd.Series(list(said), index=rows.index, dtype=object)
    rows[name] = rows[name].where(rows[name].notna(), own)


def is_stated(rows: pd.DataFrame, column: str) -> pd.Series:
    """Say of each row whether its sheet states a column at all, so that a blank cell means no."""
    has = rows.groupby("order_")[column].transform(lambda c: c.notna().any())
    return has.astype(bool)
