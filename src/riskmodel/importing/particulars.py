"""Lists of departments that say one thing of each person (医保, 残联, 教育), joined by identity number.

They name no household and nobody's relation: who is no member by the county's own lists is not added.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from riskmodel.importing.findings import Findings, cell_place
from riskmodel.importing.id_reading import person_key
from riskmodel.importing.sheet_rows import is_empty
from riskmodel.io import records

_WHO = ("household_id", "member_id", "relation", "birth_month")
_SAID = ("schooling", "health", "disability_grade", "work_capacity", "insured", "dibao", "tekun", "education")


def split_particulars(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of lists of members, and those that only say something of persons.

    Parameters
    ----------
    rows
        Rows of all sheets that speak of members, with ``order_`` of their sheet.
    """
    stated = rows[[name for name in _WHO if name in rows]].notna().any(axis=1)
    lists = stated.groupby(rows["order_"]).transform("any")
    numbered = rows["person_number"].notna().groupby(rows["order_"]).transform("any")
    apart = ~lists & numbered
    if not apart.any() or apart.all():
        return rows, rows.iloc[:0]
    return rows[~apart].copy(), rows[apart]


def add_particulars(rows: pd.DataFrame, more: pd.DataFrame, findings: Findings) -> None:
    """Fill in what lists of departments say of members; where both say something else, it is asked.

    Parameters
    ----------
    rows
        Members; changed in place.
    more
        What `split_particulars` returned.
    findings
        Gets persons whom no list of members names, and contradictions.
    """
    if not len(more):
        return
    places: dict[str, list[object]] = {}
    current = rows[rows["valid_to"].isna()]
    for at, number in zip(current.index, current["person_number"], strict=True):
        if key := person_key(number):
            places.setdefault(key, []).append(at)
    for row in records(more.astype(object).where(more.notna(), None)):
        found = places.get(person_key(row["person_number"]) or "", [])
        if not found:
            kind = "unknown person" if person_key(row["person_number"]) else "bad id number"
            findings.add("rejected", kind, cell_place(row))
        for at in found:
            _fill_in(rows, at, row, findings)


def _fill_in(rows: pd.DataFrame, at: object, said: dict[str, Any], findings: Findings) -> None:
    """Take what a list says of one member; ask where the county's list says otherwise."""
    member = rows.loc[at]  # type: ignore[call-overload]
    for name in _SAID:
        value = said.get(name)
        if value is None or name not in rows:
            continue
        if is_empty(member[name]):
            rows.at[at, name] = value
        elif member[name] != value:
            findings.add(
                "asked", "person contradicts", cell_place(said), text=f"{member[name]} / {value}",
                household_id=member["household_id"], column=f"members.{name}",
            )  # fmt: skip


__all__ = ["add_particulars", "split_particulars"]
