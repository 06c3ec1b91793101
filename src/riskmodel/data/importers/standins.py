"""Members where a survey only counts persons: one stand-in for each, so that the number of persons is right.

A stand-in carries the middle age of its band, because the contract wants a birth month; the survey does not
know it. Presence follows the counts: a stand-in is there from the first interview that counts it to the
first that no longer does, and that end is recorded when it was found, not before.
"""

from __future__ import annotations

import pandas as pd

# Ages that stand in: the middles of 0–14 and 15–64, and 75 for the open band from 65.
BAND_AGE = {"adult": 40, "child": 7, "old": 75}


def stand_ins(
    interviews: pd.DataFrame, counts: pd.DataFrame, head_age: pd.Series, head_sex: pd.Series
) -> pd.DataFrame:
    """Return rows of ``members`` for a panel that counts persons by band."""
    t = interviews.assign(head_age=head_age, sex=head_sex, turn=interviews.groupby("household_id").cumcount())
    present = _present(t, counts)
    runs = _runs(present)
    runs = runs.merge(
        t.drop(columns="family"), left_on=["household_id", "first"], right_on=["household_id", "turn"]
    )
    after = t[["household_id", "turn", "on"]].rename(columns={"turn": "gone", "on": "gone_on"})
    runs = runs.assign(gone=runs["last"] + 1).merge(after, on=["household_id", "gone"], how="left")
    is_head = runs["kind"] == "head"
    age = runs["head_age"].where(is_head, runs["kind"].map(BAND_AGE))
    opened = pd.DataFrame(
        {
            "member_id": runs["member_id"],
            "household_id": runs["household_id"],
            "birth_month": _born(runs["on"], age),
            "sex": runs["sex"].where(is_head, None),
            "relation": is_head.map({True: "head", False: None}),
            "valid_from": runs["on"].dt.date,
            "valid_to": None,
            "recorded_on": runs["on"].dt.date,
        }
    )
    ended = runs["gone_on"].notna()
    end = runs.loc[ended, "gone_on"].dt.date
    closed = opened[ended].assign(valid_to=end, recorded_on=end)
    out = pd.concat([opened, closed], ignore_index=True)
    return out.sort_values(["household_id", "member_id", "valid_from", "recorded_on"], ignore_index=True)


def _present(t: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per stand-in and interview at which it is there."""
    long = pd.concat([t[["household_id", "turn", "family"]], counts], axis=1)
    long = long.melt(["household_id", "turn", "family"], var_name="kind", value_name="n")
    long = long.loc[long.index.repeat(long["n"].clip(lower=0))]
    number = long.groupby(["household_id", "turn", "kind"]).cumcount() + 1
    family = long["family"].astype(int) + 1
    ids = long["household_id"] + "-" + family.astype(str) + "-" + long["kind"] + "-" + number.astype(str)
    return long.assign(member_id=ids)


def _runs(present: pd.DataFrame) -> pd.DataFrame:
    """Return unbroken runs of interviews: ``member_id, household_id, kind, first, last``."""
    p = present.sort_values(["member_id", "turn"])
    broken = p.groupby("member_id")["turn"].diff() != 1
    by = ["member_id", "household_id", "kind", broken.cumsum().rename("run")]
    return p.groupby(by)["turn"].agg(first="min", last="max").reset_index()


def _born(on: pd.Series, age: pd.Series) -> pd.Series:
    # Completed years say a birthday within twelve months; half a year earlier is the middle.
    months = on.dt.year * 12 + on.dt.month - 1 - age.astype(int) * 12 - 6
    return (months // 12).astype(str) + "-" + (months % 12 + 1).astype(str).str.zfill(2)
